/* Where a question may go when its own binding does not answer: to OpenRouter, with the model that
 * stands for the one asked, and along the chain that the agent's row names. Each is tried once.
 * Pure over the table of agents, which is borrowed; loop thread only.
 */
#ifndef ARAGORA_PROVIDER_FALLBACK_H
#define ARAGORA_PROVIDER_FALLBACK_H

#include "provider/agents.h"

struct fallback {
  const struct agent_table *table; /* NULL = there are none */
  const char *chain;               /* not tried yet: agent types with commas, or NULL */
  const char *openrouter_model;    /* where OpenRouter was not tried, or NULL */
};

/* What the row of `binding` names. */
struct fallback fallback_of(const struct agent_table *table, const struct agent_binding *binding);

/* Whether there is such a one that can be asked, is another provider than `now`'s and, with
 * `priced`, has a known price. OpenRouter's row has the price of its own model alone. */
bool fallback_has_openrouter(const struct fallback *f, const struct agent_binding *now,
                             bool priced);
bool fallback_has_next(const struct fallback *f, bool priced);
/* Takes one that there is. */
struct agent_binding fallback_take_openrouter(struct fallback *f);
struct agent_binding fallback_take_next(struct fallback *f, bool priced);

#endif
