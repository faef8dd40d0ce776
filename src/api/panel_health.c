#include "api/panel_health.h"

#include "base/bytes.h"
#include "runner/panel.h"

#include <string.h>

static const struct provider_agent *find(const struct breaker_list *list,
                                         const struct agent_binding *seat) {
  for (size_t i = 0; i < list->count; i++) {
    const struct agent_binding *b = list->agents[i].binding;
    if (strcmp(b->type, seat->type) == 0 && strcmp(b->model, seat->model) == 0)
      return &list->agents[i];
  }
  return NULL;
}

struct panel_health panel_health_of(const struct agent_table *agents, const struct options *options,
                                    const struct breaker_list *list) {
  const struct agent_binding *seats[DEBATE_AGENTS_MAX];
  struct panel_health health = {0};
  struct error err;
  int count = 0;
  if (panel_default(agents, options, seats, &count, &err)) return health;
  BUFFER_LATER struct buffer names;
  buffer_init(&names, sizeof health.names - 1);
  for (int i = 0; i < count; i++) {
    if (seats[i]->wire == WIRE_DEMO) continue;
    const struct provider_agent *agent = find(list, seats[i]);
    health.seats++;
    if (!agent || !breaker_list_is_down(agent)) continue;
    buffer_printf(&names, "%s%s", health.down++ ? ", " : "", seats[i]->type);
  }
  struct bytes text = buffer_bytes(&names);
  if (text.len) memcpy(health.names, text.ptr, text.len);
  return health;
}

bool panel_health_is_down(const struct panel_health *health) {
  return health->down > 0 && health->seats - health->down < panel_quorum(health->seats);
}
