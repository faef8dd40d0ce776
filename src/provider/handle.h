/* What a struct provider is made of; for the files of this room that implement provider.h and
 * ask.h. */
#ifndef ARAGORA_PROVIDER_HANDLE_H
#define ARAGORA_PROVIDER_HANDLE_H

#include "base/prng.h"
#include "io/http_client.h"
#include "provider/attempt.h"
#include "provider/provider.h"
#include "provider/service.h"
#include "provider/standins.h"

/* A table of agents and what follows from it. One that another took the place of stays until the
 * end of the provider. */
struct roster {
  const struct agent_table *agents; /* NULL = there are none */
  struct standins standins;
  struct roster *former;
};

struct provider {
  struct loop *loop;
  struct provider_options options;
  struct attempt_limits limits;
  struct http_client *http;
  struct services services;
  _Atomic(struct roster *) roster; /* replaced on one thread, read on any */
  struct budgets *budgets;
  struct prng chance; /* for the jitter of delays */
};

#endif
