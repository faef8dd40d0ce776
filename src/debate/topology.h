/* Who criticises whom, who sees what, and under which labels: drawn from the seed. Pure. */
#ifndef ARAGORA_DEBATE_TOPOLOGY_H
#define ARAGORA_DEBATE_TOPOLOGY_H

#include "debate/debate.h"

/* The members whose answers `critic` criticises in `round`, as a bit set; members without a valid
 * proposal take no part. */
uint32_t topology_targets(const struct debate *debate, int critic, int round);

/* What Response A, B, ... stand for in a turn, freshly shuffled for its agent and step: members for
 * critiques and revisions (of these at most two, each of another position than the agent's own),
 * positions for ballots and judgments. Returns the count; proposals have none. */
int topology_labels(const struct debate *debate, const struct turn *turn,
                    int ret_labels[DEBATE_MEMBERS_MAX]);

/* The open items of a member, in the order of the log, as indexes; Item 1, 2, ... of its prompt. */
int topology_open_items(const struct debate *debate, int member, int ret_items[PROMPT_ITEMS_MAX]);

#endif
