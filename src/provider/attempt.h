/* One attempt: a request to one binding, and one whole answer or one typed failure.
 *
 * No policy: it neither retries nor knows of other attempts. It keeps two of the three clocks,
 * connecting and the time since the last content; the third, the turn's, is the owner's, who ends
 * it by attempt_expire. Loop thread only.
 */
#ifndef ARAGORA_PROVIDER_ATTEMPT_H
#define ARAGORA_PROVIDER_ATTEMPT_H

#include "provider/ask.h"
#include "provider/rate_headers.h"
#include "provider/retry.h"

struct attempt;

struct attempt_limits {
  int64_t connect_timeout_ms, idle_timeout_ms;
  size_t max_answer_bytes;
  int64_t demo_token_rate;
};

struct attempt_ops {
  /* The head of the response, whatever its status: what it says of the vendor's limits. */
  void (*rates)(void *ctx, const struct rate_headers *rates);
  void (*token)(void *ctx, struct bytes text);
  /* The last callback; the attempt is freed when it returns. `result->attempt` is 0. */
  void (*done)(void *ctx, const struct ask_result *result, enum retry_advice advice);
};

/* Sends the request of `spec`, whose texts and binding are borrowed until done or cancel, within
 * `left_ms`. No callback runs before it returns. STATUS_FULL when the HTTP client's queue is,
 * STATUS_NOMEM, STATUS_INVALID for a binding that cannot be reached. */
MUST_CHECK enum status attempt_start(struct loop *loop, struct http_client *http,
                                     const struct attempt_limits *limits,
                                     const struct ask_spec *spec, int64_t left_ms,
                                     const struct attempt_ops *ops, void *ctx,
                                     struct attempt **ret_attempt);
/* Its time is over: a whole answer if the terminator came, else OUTCOME_TIMEOUT, by ops.done before
 * it returns. */
void attempt_expire(struct attempt *attempt);
/* Closes its socket at once; no callback follows. Within a callback of its own, which is not
 * touched afterwards; within ops.done it does nothing. NULL is fine. */
void attempt_cancel(struct attempt *attempt);

/* Nothing of its request has reached the provider; of NULL too. */
bool attempt_unsent(const struct attempt *attempt);
/* Its answer's terminator came, and its end will say so. NULL is fine. */
bool attempt_is_whole(const struct attempt *attempt);

/* The most that an attempt of `spec` can be billed. A token is never shorter than a byte: so the
 * bytes of all texts that are sent, the schema's too, an allowance for what vendors put around
 * them, and the output limit that is sent, in which what a model thinks is counted. usd_micro -1 =
 * the price is unknown. */
struct ledger_amounts attempt_bound(const struct ask_spec *spec);

/* Micro-dollars for so many tokens at the binding's price a million, rounded up; -1 = unknown. */
int64_t attempt_price(int64_t tokens_in, int64_t tokens_out, const struct agent_binding *binding);

#endif
