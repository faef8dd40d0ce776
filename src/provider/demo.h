/* The demo agents: answers without a provider, so that everything can be tried without a key. Each
 * place in the panel has its own voice (scripted_reply.h). Loop thread only.
 */
#ifndef ARAGORA_PROVIDER_DEMO_H
#define ARAGORA_PROVIDER_DEMO_H

#include "provider/ask.h"

struct demo_run;

struct demo_ops {
  void (*token)(void *ctx, struct bytes text);
  /* The last callback; the run is freed when it returns. `text` is NULL when memory was short. */
  void (*done)(void *ctx, const char *text, const struct ask_usage *usage);
};

/* Answers the question of `spec` at `tokens_per_second` (a word is a token; 0 = at once). Callbacks
 * begin in a later turn of the loop. NULL when memory is short. */
struct demo_run *demo_start(struct loop *loop, const struct ask_spec *spec,
                            int64_t tokens_per_second, const struct demo_ops *ops, void *ctx);
/* No callback follows; the run is freed. NULL is fine. */
void demo_cancel(struct demo_run *run);

#endif
