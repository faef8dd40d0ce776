/* What the files of this room share: the API's own struct. Not for other rooms. */
#ifndef ARAGORA_API_STATE_H
#define ARAGORA_API_STATE_H

#include "api/app.h"
#include "base/clock.h"
#include "base/principal.h"

#include <pthread.h>
#include <stdatomic.h>

struct agent_checks;
struct auth_limits;
struct disk_watch;
struct export_room;
struct health_page;
struct memory_profile;
struct leaderboard_page;
struct live_callers;
struct start_keys;
struct tickets;

struct api {
  struct api_parts parts;
  _Atomic(const struct agent_table *) agents; /* replaced on one thread, read on any */
  const struct http_server *server;           /* set before the first request */
  _Atomic(const struct rater *) rater;        /* NULL until debates are rated */
  int64_t started_us;                         /* monotonic */
  struct http_shared *alive;                  /* the answer of /healthz */
  struct health_page *health, *health_deep, *health_detailed;
  struct leaderboard_page *leaderboard;
  struct agent_checks *checks;
  struct disk_watch *disks;
  struct start_keys *start_keys;
  struct auth_limits *auth_limits;
  struct live_callers *live_callers;
  struct tickets *tickets;
  struct export_room *export_room;
  struct memory_profile *memory_profile; /* with --profile-memory; else NULL */
  atomic_bool maintaining;               /* a task of maintenance is under way */
  atomic_int scans;                      /* searches and analytics, under way */
};

/* Who sent a request, as the gate found out; as long as the request. */
static inline const struct identity *api_identity(const struct http_request *request) {
  const struct identity *identity = http_request_caller(request);
  return identity ? identity : &identity_anonymous;
}

/* On whose behalf a request acts. Its texts live as long as the request: what goes on after the
 * answer keeps a copy of the identity. */
static inline struct principal api_principal(const struct http_request *request) {
  return identity_principal(api_identity(request));
}

/* The table as it is now. A handler takes it once. */
static inline const struct agent_table *api_agents(const struct api *api) {
  return api->agents;
}

/* Seconds since api_create. */
static inline double api_uptime_s(const struct api *api) {
  return (double)(clock_mono_us(&clock_system) - api->started_us) / 1e6;
}

#endif
