#include "api/app.h"

#include "api/agent_checks.h"
#include "api/auth_limits.h"
#include "api/disk_watch.h"
#include "api/export_room.h"
#include "api/gauges.h"
#include "api/health.h"
#include "api/health_body.h"
#include "api/health_deep.h"
#include "api/live_callers.h"
#include "api/memory.h"
#include "api/ratings.h"
#include "api/start_keys.h"
#include "api/state.h"
#include "api/tickets.h"
#include "api/user_watch.h"
#include "base/clock.h"
#include "base/metrics.h"

#include <stdlib.h>

enum status api_create(const struct api_parts *parts, struct api **ret_api, struct error *err) {
  struct api *api = calloc(1, sizeof *api);
  if (api) {
    api->parts = *parts;
    api->agents = parts->agents;
    api->started_us = clock_mono_us(&clock_system);
    api->alive = http_shared_create(BYTES_LITERAL("{\"status\":\"ok\"}"), "application/json");
    api->health = health_page_create(api, health_body_make);
    api->health_deep = health_page_create(api, health_deep_make);
    api->health_detailed = health_page_create(api, health_deep_make_detailed);
    api->leaderboard = leaderboard_page_create();
    api->checks = agent_checks_create(parts);
    api->start_keys = start_keys_create();
    api->live_callers = live_callers_create(parts->loop, parts->auth);
    api->tickets = tickets_create((size_t)parts->options->max_tickets);
    api->export_room = export_room_create((size_t)parts->options->max_exports);
    api->disks = disk_watch_create(parts->options, parts->pool);
  }
  if (api && auth_limits_create(parts->options, &api->auth_limits)) api->auth_limits = NULL;
  if (!api || !api->auth_limits || !api->alive || !api->health || !api->health_deep ||
      !api->health_detailed || !api->leaderboard || !api->checks || !api->start_keys ||
      !api->disks || !api->live_callers || !api->tickets || !api->export_room) {
    api_destroy(api);
    return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  }
  gauges_declare(parts->agents);
  metric_set(METRIC_INFO, (const char *const[]){ARAGORA_VERSION}, 1);
  user_watch_start(api);
  *ret_api = api;
  return STATUS_OK;
}

void api_destroy(struct api *api) {
  if (!api) return;
  http_shared_unref(api->alive);
  health_page_destroy(api->health);
  health_page_destroy(api->health_deep);
  health_page_destroy(api->health_detailed);
  leaderboard_page_destroy(api->leaderboard);
  agent_checks_destroy(api->checks);
  start_keys_destroy(api->start_keys);
  auth_limits_destroy(api->auth_limits);
  live_callers_destroy(api->live_callers);
  tickets_destroy(api->tickets);
  export_room_destroy(api->export_room);
  disk_watch_destroy(api->disks);
  free(api);
}

enum status api_use_agents(struct api *api, const struct agent_table *agents) {
  enum status status = agent_checks_use(api->checks, agents);
  if (!status) api->agents = agents;
  if (!status) gauges_declare(agents);
  if (!status) leaderboard_page_expire(api->leaderboard);
  return status;
}

enum status api_profile_memory(struct api *api, struct error *err) {
  return memory_profile_start(api, &api->memory_profile, err);
}

void api_end_profile(struct api *api) {
  if (!api) return;
  memory_profile_stop(api->memory_profile);
  api->memory_profile = NULL;
}

void api_set_server(struct api *api, const struct http_server *server) {
  api->server = server;
}

void api_set_rater(struct api *api, const struct rater *rater) {
  api->rater = rater;
}
