/* Whether the panel of a debate that names no agents can be asked: what the health page says of it.
 */
#ifndef ARAGORA_API_PANEL_HEALTH_H
#define ARAGORA_API_PANEL_HEALTH_H

#include "api/breaker_list.h"
#include "base/options.h"
#include "provider/agents.h"

struct panel_health {
  int seats;       /* 0 = there is no default panel, or it is of demo agents */
  int down;        /* of them: cut off, limited or refused by their provider, as far as is known */
  char names[256]; /* of those, with commas; as many as fit */
};

/* Any thread. `list` as it stands now. */
struct panel_health panel_health_of(const struct agent_table *agents, const struct options *options,
                                    const struct breaker_list *list);

/* Fewer seats are left than a debate needs: until one answers again, every debate without named
 * agents fails. */
bool panel_health_is_down(const struct panel_health *health);

#endif
