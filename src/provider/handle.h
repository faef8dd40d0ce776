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

struct provider {
  struct loop *loop;
  struct provider_options options;
  struct attempt_limits limits;
  struct http_client *http;
  struct services services;
  struct standins standins;
  struct budgets *budgets;
  struct prng chance; /* for the jitter of delays */
};

#endif
