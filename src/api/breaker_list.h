/* The services of all agents as they stand at one moment, for the pages that show them. Any thread.
 */
#ifndef ARAGORA_API_BREAKER_LIST_H
#define ARAGORA_API_BREAKER_LIST_H

#include "provider/provider.h"

struct breaker_list {
  struct provider_agent *agents; /* as provider_each_agent gives them; owned, but for bindings */
  size_t count;
  int64_t wall_ms; /* Unix time of the moment */
};

/* STATUS_NOMEM. */
MUST_CHECK enum status breaker_list_take(struct provider *provider, struct breaker_list *ret_list);
void breaker_list_done(struct breaker_list *list); /* one of all zeros is fine */

/* Of the agents that can be asked; the others have a breaker as little as they have a key. */
struct breaker_counts {
  int64_t closed, half_open, open;
};
struct breaker_counts breaker_list_count(const struct breaker_list *list);

/* True when the last that is known of it is no answer: cut off, limited or refused by its provider.
 * A half-open breaker lets one call try; until that has answered, it is down. */
bool breaker_list_is_down(const struct provider_agent *agent);

/* True when a call of this agent would be sent now. */
bool breaker_list_admits(const struct provider_agent *agent);

#endif
