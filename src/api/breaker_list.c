#include "api/breaker_list.h"

#include "base/clock.h"

#include <stdlib.h>

struct taking {
  struct breaker_list list;
  bool failed;
};

static void take(void *ctx, const struct provider_agent *agent) {
  struct taking *t = ctx;
  size_t count = t->list.count;
  struct provider_agent *more = realloc(t->list.agents, (count + 1) * sizeof *more);
  t->failed |= !more;
  if (!more) return;
  t->list.agents = more;
  more[count] = *agent;
  t->list.count++;
}

enum status breaker_list_take(struct provider *provider, struct breaker_list *ret_list) {
  struct taking t = {.list.wall_ms = clock_wall_ms(&clock_system)};
  provider_each_agent(provider, take, &t);
  if (t.failed) {
    breaker_list_done(&t.list);
    return STATUS_NOMEM;
  }
  /* Only now do the copies stay where they are. */
  for (size_t i = 0; i < t.list.count; i++)
    t.list.agents[i].breaker.misconfigured = t.list.agents[i].misconfigured;
  *ret_list = t.list;
  return STATUS_OK;
}

void breaker_list_done(struct breaker_list *list) {
  free(list->agents);
  *list = (struct breaker_list){0};
}

struct breaker_counts breaker_list_count(const struct breaker_list *list) {
  struct breaker_counts counts = {0};
  for (size_t i = 0; i < list->count; i++) {
    const struct provider_agent *a = &list->agents[i];
    if (!a->binding->available) continue;
    counts.closed += a->breaker.state == BREAKER_CLOSED;
    counts.half_open += a->breaker.state == BREAKER_HALF_OPEN;
    counts.open += a->breaker.state == BREAKER_OPEN;
  }
  return counts;
}

bool breaker_list_is_down(const struct provider_agent *a) {
  return a->breaker.state != BREAKER_CLOSED || a->breaker.cooling_remaining_ms ||
         a->misconfigured[0];
}

bool breaker_list_admits(const struct provider_agent *a) {
  return a->binding->available && a->breaker.state != BREAKER_OPEN && !a->breaker.trial &&
         !a->breaker.cooling_remaining_ms;
}
