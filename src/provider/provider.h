/* The provider module's own state: how calls are limited, and what there is to know of each agent's
 * service. Asking is in ask.h.
 */
#ifndef ARAGORA_PROVIDER_PROVIDER_H
#define ARAGORA_PROVIDER_PROVIDER_H

#include "base/clock.h"
#include "io/loop.h"
#include "provider/agents.h"
#include "provider/breaker.h"
#include "provider/budgets.h"
#include "provider/pacing.h"

struct provider;

struct provider_options {
  size_t connections_per_host; /* also the calls in flight to one service */
  size_t max_queued;
  int64_t connect_timeout_ms;
  int64_t idle_timeout_ms; /* since the last content; comments and pings do not count */
  size_t max_answer_bytes;
  int64_t demo_token_rate;          /* demo agents: tokens a second, 0 = at once */
  int max_retries;                  /* further attempts at one binding */
  bool hedge;                       /* a second attempt beside one slower than its model's p95 */
  int breaker_threshold;            /* failures in a row that open; 0 = 5 */
  int64_t breaker_cooldown_ms;      /* 0 = 60,000 */
  int64_t breaker_cooldown_max_ms;  /* each failed trial doubles the cooldown; 0 = it does not */
  const struct agent_table *agents; /* for fallbacks, borrowed; NULL = there are none */
  /* How a service's breaker stands, after every change that is more than another failure, and after
   * every reset; on the loop, which must not wait. Whoever keeps it gives it back at the next start
   * to provider_restore_breaker. NULL = nobody. */
  breaker_keep_fn *breaker_changed;
  void *breaker_ctx;
  const struct clock *clock; /* wall time, of what is kept; NULL = the system's */
  struct budgets_options budgets;
};

MUST_CHECK enum status provider_create(struct loop *loop, const struct provider_options *options,
                                       struct provider **ret_provider, struct error *err);
void provider_destroy(struct provider *provider);

/* A new table in the place of `agents`: for whatever is asked from here on; both must live as long
 * as the provider. One thread at a time. STATUS_NOMEM: the former one stays. */
MUST_CHECK enum status provider_use_agents(struct provider *provider,
                                           const struct agent_table *agents);

/* What its calls are paid from; as long as the provider. */
struct budgets *provider_budgets(struct provider *provider);

/* What breaker_changed was told before the last end; until the loop runs. The time that passed
 * since then counts. A name that nobody asks any more does no harm; of 512 names, those that come
 * first. */
void provider_restore_breaker(struct provider *provider, const char *service,
                              const struct breaker_snapshot *snapshot);

/* An agent of the table as its service stands now; or OpenRouter as it stands for another vendor's
 * model, which no row names. */
struct provider_agent {
  const struct agent_binding *binding; /* of a stand-in, its `type` is "openrouter/<model>" */
  bool standin;
  bool asked;    /* its service exists: somebody asked it, or reset it, since the start */
  bool restored; /* nobody did, but how it stood before the start is known */
  struct breaker_view breaker; /* a closed one where nothing is known; `misconfigured` below */
  char misconfigured[BREAKER_REASON_SIZE];
  struct pacing_stats pacing;
  int64_t p95_ms;            /* of its last answers, -1 = too few */
  char last_error[304];      /* "" = none */
  int64_t last_error_ago_ms; /* -1 = none */
};

/* Calls each(ctx, agent) for every row of the table, in its order, then for the stand-ins that were
 * asked, now or before the last end. Valid during the call, which must not wait; the bindings live
 * as long as the provider. Any thread. */
typedef void provider_agent_fn(void *ctx, const struct provider_agent *agent);
void provider_each_agent(struct provider *provider, provider_agent_fn *each, void *ctx);

/* Closes the breaker of an agent's or a stand-in's service, by a person's wish; in a turn of the
 * loop. Any thread. `ret_name` is the name as provider_each_agent spells it, and lives as long as
 * the provider. STATUS_NOT_FOUND for a name that is neither's. */
MUST_CHECK enum status provider_reset_breaker(struct provider *provider, const char *name,
                                              const char **ret_name);

#endif
