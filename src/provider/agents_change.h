/* What a new table of agents changes, in words for an operator. Any thread. */
#ifndef ARAGORA_PROVIDER_AGENTS_CHANGE_H
#define ARAGORA_PROVIDER_AGENTS_CHANGE_H

#include "provider/agents.h"

/* Appends " added=a,b removed=c changed=d(model,key)" to `out`, without values, cut where it is
 * full; answers how many rows differ. */
size_t agents_change_describe(const struct agent_table *before, const struct agent_table *now,
                              struct buffer *out);

#endif
