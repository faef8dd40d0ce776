/* Whether agents can answer, found out without a question to a model: key, model, credit and
 * context are looked up where the vendor bills nothing.
 *
 *   Anthropic, Gemini    GET .../models/{id}
 *   OpenAI's family      GET .../models; OpenRouter before it GET .../key, DeepSeek after it GET
 *                        .../user/balance
 *   Ollama               POST .../api/show
 *
 * All agents at once, each request with limits of its own. Loop thread only.
 */
#ifndef ARAGORA_PROVIDER_PROBE_H
#define ARAGORA_PROVIDER_PROBE_H

#include "io/loop.h"
#include "provider/agents.h"

enum probe_verdict {
  PROBE_NOT_CHECKED, /* there is nobody to ask, or the answer does not tell */
  PROBE_OK,
  PROBE_NO_KEY,
  PROBE_KEY_REFUSED,
  PROBE_MODEL_UNKNOWN,
  PROBE_NO_CREDIT,
  PROBE_CONTEXT_TOO_SMALL, /* the model takes fewer tokens than the table says */
  PROBE_UNREACHABLE,       /* no connection, or an error of the vendor's own */
};
const char *probe_verdict_name(enum probe_verdict verdict); /* "key_refused" */

struct probe_result {
  enum probe_verdict verdict;
  bool refused;           /* by the vendor itself, key or model, so that a question would be too;
                             not by a list without the model: it has aliases, LM Studio any name */
  char detail[304];       /* the provider's own words or ours, scrubbed, one line; "" = none */
  const char *how;        /* "GET /models/{id}": how it was found out; "" = not at all */
  int64_t latency_ms;     /* of all requests together; -1 = none was made */
  int64_t context_tokens; /* as the vendor says; -1 = it does not */
};

struct probe_limits {
  int64_t connect_timeout_ms;
  int64_t total_timeout_ms; /* of one request; an agent has two at most */
};

struct probe;

/* Checks `count` agents; the bindings are borrowed until the end. `done` gets one result an agent,
 * in their order, borrowed during the call, from the loop and never from within probe_start; the
 * probe is freed when it returns. STATUS_NOMEM. */
typedef void probe_done_fn(void *ctx, const struct probe_result *results, size_t count);
MUST_CHECK enum status probe_start(struct loop *loop, const struct probe_limits *limits,
                                   const struct agent_binding *const *agents, size_t count,
                                   probe_done_fn *done, void *ctx, struct probe **ret_probe,
                                   struct error *err);
/* Closes its connections; `done` is not called. NULL is fine. */
void probe_cancel(struct probe *probe);

#endif
