/* The metrics that are looked at when somebody asks, as nothing happens when they change: breakers,
 * budgets, files, disks, queues. Cheap: some memory, and disks wait on no thread of the caller's
 * for more than a moment. Any thread. */
#ifndef ARAGORA_API_GAUGES_H
#define ARAGORA_API_GAUGES_H

#include "api/state.h"

void gauges_look(const struct api *api);
/* Series whose labels are known are there from the start: of each agent that can be asked, of each
 * outcome that is ours to name. */
void gauges_declare(const struct agent_table *agents);

#endif
