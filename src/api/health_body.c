#include "api/health_body.h"

#include "api/breaker_list.h"
#include "api/health_words.h"
#include "api/panel_health.h"
#include "base/clock.h"
#include "ops/rater.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct findings {
  bool usable;         /* both databases answer */
  enum status refuses; /* STATUS_OK, or why the truth of the two takes no writes */
  bool accepting;      /* new debates are admitted */
  int64_t held;        /* debates that wait for keys */
  struct store_pulse memory, elo;
  size_t agents, available;
  bool only_demo; /* no agent but the demo ones can be asked */
  int64_t websockets;
  struct janitor_state backup;
  bool counted; /* the breakers */
  struct breaker_counts breakers;
  struct panel_health panel;
  int64_t started_us;
};

static void count_agents(const struct agent_table *table, struct findings *f) {
  f->only_demo = true;
  for (size_t i = 0; i < table->count; i++) {
    const struct agent_binding *a = &table->agents[i];
    f->agents++;
    f->available += a->available;
    if (a->available && a->wire != WIRE_DEMO) f->only_demo = false;
  }
}

static void count_breakers(struct api *api, struct findings *f) {
  struct breaker_list list;
  if (breaker_list_take(api->parts.provider, &list)) return;
  f->counted = true;
  f->breakers = breaker_list_count(&list);
  f->panel = panel_health_of(api_agents(api), api->parts.options, &list);
  breaker_list_done(&list);
}

static struct findings look(struct api *api) {
  struct findings f = {.started_us = clock_mono_us(&clock_system)};
  store_ping(api->parts.store, &f.memory, &f.elo);
  f.usable = !f.memory.problem.status && !f.elo.problem.status;
  f.refuses = store_check_writable(api->parts.store, NULL);
  struct runner_stats stats = runner_stats(api->parts.runner);
  f.accepting = stats.accepting;
  f.held = stats.held;
  if (api->server) f.websockets = http_ws_stats(api->server).active;
  janitor_get_state(api->parts.janitor, &f.backup);
  count_agents(api_agents(api), &f);
  count_breakers(api, &f);
  return f;
}

/* Resident memory in MB of 10^6 bytes, or -1 where /proc does not say. */
static double resident_mb(void) {
  FILE *file = fopen("/proc/self/statm", "re");
  char line[128] = "";
  if (!file) return -1;
  bool got = fgets(line, sizeof line, file) != NULL;
  fclose(file);
  char *end;
  strtoll(line, &end, 10);
  long long pages = got ? strtoll(end, &end, 10) : 0;
  return pages > 0 ? (double)pages * (double)sysconf(_SC_PAGESIZE) / 1e6 : -1;
}

/* With two decimals. */
static json_t *milliseconds(int64_t us) {
  int64_t hundredths = us / 10;
  return json_real((double)hundredths / 1e2);
}

static json_t *database_check(const struct store_pulse *pulse) {
  if (pulse->problem.status)
    return json_pack("{s:b, s:o}", "healthy", 0, "error",
                     health_words_json(pulse->problem.message));
  return json_pack("{s:b, s:o}", "healthy", 1, "latency_ms", milliseconds(pulse->us));
}

/* One boolean a provider: whether any of its agents can be asked. */
static json_t *providers_of(const struct agent_table *table) {
  json_t *out = json_object();
  for (size_t i = 0; i < table->count; i++) {
    const struct agent_binding *a = &table->agents[i];
    if (a->wire == WIRE_DEMO) continue;
    bool known = json_is_true(json_object_get(out, a->provider));
    json_object_set_new(out, a->provider, json_boolean(known || a->available));
  }
  return out;
}

static json_t *breakers_check(const struct findings *f) {
  if (!f->counted) return json_null();
  return json_pack("{s:b, s:I, s:I, s:I}", "healthy", f->breakers.open == 0, "open",
                   (json_int_t)f->breakers.open, "half_open", (json_int_t)f->breakers.half_open,
                   "closed", (json_int_t)f->breakers.closed);
}

static json_t *backup_check(const struct findings *f) {
  const struct janitor_state *b = &f->backup;
  int64_t age =
      b->last_success_ms < 0 ? -1 : (clock_wall_ms(&clock_system) - b->last_success_ms) / 1000;
  json_t *out =
      json_pack("{s:b, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:I}", "healthy",
                !b->problem[0] && !b->overdue, "scheduled", b->scheduled, "running", b->working,
                "last_success_at", json_time_or_null(b->last_success_ms), "age_seconds",
                b->last_success_ms < 0 ? json_null() : json_integer(age > 0 ? age : 0),
                "last_backup", json_text_or_null(b->last_name[0] ? b->last_name : NULL),
                "duration_ms", json_int_or_null(b->last_duration_ms), "next_at",
                json_time_or_null(b->next_ms), "failures", (json_int_t)b->failures);
  if (out && b->problem[0]) json_object_set_new(out, "error", health_words_json(b->problem));
  return out;
}

static const char *const no_keys =
    "No provider key is set: debates run with built-in demo agents and their answers mean nothing. "
    "Set ANTHROPIC_API_KEY, OPENAI_API_KEY or another provider's key.";

static json_t *checks_of(const struct api *api, const struct findings *f) {
  json_t *each = providers_of(api_agents(api));
  json_int_t available = 0;
  const char *name;
  json_t *value;
  json_object_foreach(each, name, value) available += json_is_true(value);
  json_t *providers = json_pack("{s:b, s:b, s:I, s:o}", "healthy", 1, "any_available",
                                available > 0, "available_count", available, "providers", each);
  if (providers && f->only_demo) json_object_set_new(providers, "warning", json_string(no_keys));
  return json_pack("{s:o, s:o, s:{s:b}, s:o, s:{s:b, s:I}, s:o, s:o}", "database",
                   database_check(&f->memory), "elo_system", database_check(&f->elo), "filesystem",
                   "healthy", !f->refuses, "ai_providers", providers, "websocket", "healthy", 1,
                   "active_clients", (json_int_t)f->websockets, "circuit_breakers",
                   breakers_check(f), "backup", backup_check(f));
}

static json_t *components_of(const struct findings *f) {
  double mb = resident_mb();
  bool answers = !f->memory.problem.status;
  const char *database = answers ? f->refuses ? "degraded" : "healthy" : "unhealthy";
  return json_pack(
      "{s:{s:s, s:o}, s:{s:s, s:I, s:I}, s:{s:s, s:o}, s:{s:s, s:I}}", "database", "status",
      database, "latency_ms", answers ? milliseconds(f->memory.us) : json_null(), "agents",
      "status", f->only_demo || f->panel.down ? "degraded" : "healthy", "available",
      (json_int_t)f->available, "total", (json_int_t)f->agents, "memory", "status", "healthy",
      "usage_mb", mb < 0 ? json_null() : json_real((double)(int64_t)(mb * 10) / 10), "websocket",
      "status", "healthy", "connections", (json_int_t)f->websockets);
}

static const char *words_of_refusal(enum status status) {
  if (status == STATUS_NO_SPACE)
    return "The disk of the database is full. New debates are refused, running ones wait; both go "
           "on "
           "when there is room.";
  if (status == STATUS_TIMEOUT)
    return "The database is locked by another program. New debates are refused, running ones wait.";
  return "The database cannot be written: the disk is read-only or fails. New debates are refused, "
         "running ones wait.";
}

static void warn(json_t *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void warn(json_t *out, const char *format, ...) {
  char text[512];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  json_array_append_new(out, json_string(text));
}

static void warn_of_agents(json_t *out, const struct findings *f) {
  if (f->only_demo) json_array_append_new(out, json_string(no_keys));
  if (f->panel.down)
    warn(out,
         "%d of the %d agents of the default panel cannot be asked now (%s)%s: "
         "/api/agents/health has the reasons.",
         f->panel.down, f->panel.seats, f->panel.names,
         panel_health_is_down(&f->panel) ? ", too few are left, and its debates fail" : "");
  if (f->held)
    warn(out,
         "%lld unfinished debates wait for a start with the keys of their agents: the log "
         "says which (debate=held).",
         (long long)f->held);
}

static json_t *warnings_of(const struct api *api, const struct findings *f) {
  json_t *out = json_array();
  const char *unrated = rater_trouble(api->rater);
  warn_of_agents(out, f);
  if (f->usable && f->refuses)
    json_array_append_new(out, json_string(words_of_refusal(f->refuses)));
  if (f->backup.problem[0])
    json_array_append_new(out,
                          json_string("The last backup failed: checks.backup has the reason."));
  if (f->backup.overdue)
    json_array_append_new(out, json_string("The last backup is older than two of its periods."));
  if (unrated) json_array_append_new(out, json_string(unrated));
  if (!f->accepting)
    json_array_append_new(out, json_string("The server is shutting down: no new debates."));
  return out;
}

static json_t *body_of(const struct api *api, const struct findings *f) {
  char now[CLOCK_ISO_SIZE];
  clock_format_iso(clock_wall_ms(&clock_system), now);
  struct runner_stats stats = runner_stats(api->parts.runner);
  json_int_t uptime = (json_int_t)api_uptime_s(api);
  bool fails = panel_health_is_down(&f->panel);
  bool healthy = f->usable && !f->refuses && f->accepting && !fails;
  json_t *body = json_pack(
      "{s:s, s:s, s:I, s:I, s:s, s:o, s:I, s:I, s:o, s:o, s:o, s:{s:b, s:b, s:b, s:b}}", "status",
      !f->usable ? "unhealthy"
      : healthy  ? "healthy"
                 : "degraded",
      "version", ARAGORA_VERSION, "uptime", uptime, "uptime_seconds", uptime, "timestamp", now,
      "response_time_ms", milliseconds(clock_mono_us(&clock_system) - f->started_us),
      "active_debates", (json_int_t)stats.running, "queued_debates", (json_int_t)stats.queued,
      "warnings", warnings_of(api, f), "checks", checks_of(api, f), "components", components_of(f),
      "services", "database", !f->memory.problem.status, "elo_system", !f->elo.problem.status,
      "ai_providers", !f->only_demo && !fails, "websocket", 1);
  if (body && f->only_demo) json_object_set_new(body, "warning", json_string(no_keys));
  return body;
}

struct http_shared *health_body_share(json_t *body) {
  FREE_LATER char *text = body ? json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(10)) : NULL;
  json_decref(body);
  return text ? http_shared_create(bytes_of(text), "application/json") : NULL;
}

struct http_shared *health_body_make(struct api *api, int *ret_http_status) {
  struct findings f = look(api);
  *ret_http_status = f.usable ? 200 : 503;
  return health_body_share(body_of(api, &f));
}
