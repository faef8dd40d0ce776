/* What the routes about circuit breakers and the agents' services answer, from one list. Only
 * agents that can be asked have a breaker; OpenRouter in the place of another vendor's model has
 * one once it was asked. What nobody knows is null. Each returns NULL when memory is short. Pure;
 * any thread.
 */
#ifndef ARAGORA_API_BREAKER_BODY_H
#define ARAGORA_API_BREAKER_BODY_H

#include "api/breaker_list.h"
#include "base/json.h"

enum { BREAKER_CRITICAL_OPEN = 3 }; /* so many open ones are "critical" */

/* {"timestamp", "registry_size", "summary", "circuit_breakers", "health"} */
json_t *breaker_body_registry(const struct breaker_list *list);
/* {"breakers": [{"agent", "state", "failures", "last_failure"?, "last_success"?}]} */
json_t *breaker_body_system(const struct breaker_list *list);
/* {"timestamp", "overall_status", "agents", "circuit_breakers", "fallback", "counts"} */
json_t *breaker_body_agents(const struct breaker_list *list);

/* Why an agent cannot be asked, or null when it can. */
json_t *breaker_body_reason(const struct agent_binding *agent);

#endif
