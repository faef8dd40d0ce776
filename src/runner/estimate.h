/* What a debate would cost before any of it is asked: calls, tokens and money, as the shortest
 * course costs, as is expected, and at most.
 *
 *   low       the debate ends as early as it may: on the fast path where that is on, else with one
 *             position after its first round
 *   expected  each way the debate may go, weighted with how often past debates went it; without
 *             any, all rounds and a vote
 *   high      all rounds, a vote of as many positions as agents, every reply at its output limit,
 *             and every turn repaired once
 *
 * Attempts repeated after a failure, and judges asked after the first one failed, are in none of
 * them but `expected`, and there as often as they happened. Prompts are the engine's own
 * (debate/rehearsal.h). Bytes a token and tokens a reply come from past turns of the same model and
 * kind, else from a table. Any thread that may compute for milliseconds,
 * and for seconds where ten agents debate for ten rounds.
 */
#ifndef ARAGORA_RUNNER_ESTIMATE_H
#define ARAGORA_RUNNER_ESTIMATE_H

#include "base/options.h"
#include "debate/spec.h"
#include "provider/agents.h"
#include "runner/habits.h"

struct estimate_course {
  int64_t calls[TURN_KIND_COUNT];
  int64_t tokens_in, tokens_out;
  int64_t cost_usd_micro; /* -1 = a price is unknown */
};

struct estimate {
  struct estimate_course low, expected, high;
  int64_t past_turns;   /* of the models of this debate that it rests on; 0 = on the table alone */
  int64_t past_debates; /* whose course it rests on */
};

/* STATUS_NOMEM, or STATUS_INVALID for a configuration that the engine refuses. */
MUST_CHECK enum status estimate_debate(const struct agent_table *agents,
                                       const struct debate_config *config,
                                       const struct habits *habits, struct estimate *ret_estimate);

/* The same for a request: resolves its panel as a start would, with the same errors (panel.h), and
 * reads the past of the principal; `store` may be NULL, for none. Blocks. The configuration is the
 * caller's, for debate_config_done. */
MUST_CHECK enum status estimate_request(const struct agent_table *agents,
                                        const struct options *options, struct store *store,
                                        const struct principal *who, const struct debate_spec *spec,
                                        struct debate_config *ret_config,
                                        struct estimate *ret_estimate, struct error *err);

#endif
