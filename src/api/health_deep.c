/* What does not exist here (redis, accounts) is absent. It blocks for some milliseconds. */
#include "api/health_deep.h"

#include "api/breaker_list.h"
#include "api/health_body.h"
#include "api/health_words.h"
#include "api/memory.h"
#include "base/json.h"
#include "base/metrics.h"
#include "base/processors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>

enum { FULL_PERCENT = 90, WARNING_SIZE = 480 };

struct deep {
  const struct api *api;
  json_t *checks, *warnings;
  bool usable;
  int64_t started_us;
};

static json_t *milliseconds(int64_t us) {
  int64_t hundredths = us / 10;
  return json_real((double)hundredths / 1e2);
}

/* Takes the reference of `check`, an object that says "healthy". `warning` NULL = all is well. */
static void add(struct deep *d, const char *name, json_t *check, const char *warning) {
  char text[WARNING_SIZE + 32];
  if (check && warning) {
    json_object_set_new(check, "warning", json_text(bytes_of(warning)));
    snprintf(text, sizeof text, "%s: %s", name, warning);
    json_array_append_new(d->warnings, json_text(bytes_of(text)));
  }
  json_object_set_new(d->checks, name, check);
}

/* ---- the parts ---- */

static json_t *database(const struct store_pulse *pulse) {
  if (!pulse->problem.status)
    return json_pack("{s:b, s:o}", "healthy", 1, "latency_ms", milliseconds(pulse->us));
  return json_pack("{s:b, s:o}", "healthy", 0, "error", health_words_json(pulse->problem.message));
}

static void look_at_databases(struct deep *d) {
  struct store_pulse memory, elo;
  store_ping(d->api->parts.store, &memory, &elo);
  d->usable = !memory.problem.status && !elo.problem.status;
  add(d, "storage", database(&memory), NULL);
  add(d, "elo_system", database(&elo), NULL);
}

static void look_at_files(struct deep *d) {
  struct error err = {0};
  bool writable = store_check_writable(d->api->parts.store, &err) == STATUS_OK;
  json_t *check = json_pack("{s:b}", "healthy", writable);
  if (check && !writable) json_object_set_new(check, "error", health_words_json(err.message));
  add(d, "filesystem", check,
      writable ? NULL : "the databases cannot be written: new debates are refused");
}

static void look_at_disk(struct deep *d) {
  struct statvfs fs;
  char warning[WARNING_SIZE];
  if (statvfs(d->api->parts.options->db_path, &fs) != 0 || fs.f_blocks == 0) return;
  /* As df(1) counts: what only the superuser may use is neither free nor used. */
  double used = (double)(fs.f_blocks - fs.f_bfree);
  double percent = 100 * used / (used + (double)fs.f_bavail);
  bool healthy = percent < FULL_PERCENT;
  json_int_t free_bytes = (json_int_t)fs.f_bavail * (json_int_t)fs.f_frsize;
  snprintf(warning, sizeof warning, "%.0f %% of the disk of the databases is used", percent);
  add(d, "disk",
      json_pack("{s:b, s:f, s:I}", "healthy", healthy, "percent", percent, "free_bytes",
                free_bytes),
      healthy ? NULL : warning);
}

/* kB of a line of /proc/meminfo, proc_meminfo(5); -1 = not there. */
static int64_t meminfo(const char *text, const char *key) {
  const char *line = strstr(text, key);
  return line ? strtoll(line + strlen(key), NULL, 10) : -1;
}

static void look_at_memory(struct deep *d) {
  char text[2048] = "", warning[WARNING_SIZE];
  struct memory_reading now;
  FILE *f = fopen("/proc/meminfo", "re");
  if (!f) return;
  text[fread(text, 1, sizeof text - 1, f)] = '\0';
  fclose(f);
  int64_t total = meminfo(text, "MemTotal:"), available = meminfo(text, "MemAvailable:");
  if (total <= 0 || available < 0) return;
  double percent = 100.0 * (double)(total - available) / (double)total;
  bool healthy = percent < FULL_PERCENT;
  memory_read(d->api, &now);
  int64_t resident = now.bytes[MEMORY_RESIDENT], tenths_mb = resident / 100000;
  snprintf(warning, sizeof warning, "%.0f %% of the machine's memory is in use", percent);
  add(d, "memory",
      json_pack("{s:b, s:f, s:o}", "healthy", healthy, "percent", percent, "rss_mb",
                resident < 0 ? json_null() : json_real((double)tenths_mb / 10)),
      healthy ? NULL : warning);
}

/* More that wants to run than there are processors is no fault by itself. */
static void look_at_cpu(struct deep *d) {
  double load;
  size_t cores = processors_online();
  char warning[WARNING_SIZE];
  if (getloadavg(&load, 1) != 1) return;
  bool busy = load > 2 * (double)cores;
  snprintf(warning, sizeof warning, "the load is %.1f on %zu processors", load, cores);
  add(d, "cpu",
      json_pack("{s:b, s:f, s:I}", "healthy", !busy, "load_1m", load, "processors",
                (json_int_t)cores),
      busy ? warning : NULL);
}

static void look_at_providers(struct deep *d) {
  const struct agent_table *agents = api_agents(d->api);
  struct breaker_list list;
  int64_t available = 0;
  json_t *open = json_array();
  for (size_t i = 0; i < agents->count; i++)
    available += agents->agents[i].available && agents->agents[i].wire != WIRE_DEMO;
  if (breaker_list_take(d->api->parts.provider, &list) == STATUS_OK) {
    for (size_t i = 0; i < list.count; i++)
      if (list.agents[i].binding->available && list.agents[i].breaker.state == BREAKER_OPEN)
        json_array_append_new(open, json_string(list.agents[i].binding->type));
    breaker_list_done(&list);
  }
  bool some_open = json_array_size(open) > 0;
  add(d, "ai_providers",
      json_pack("{s:b, s:I, s:o}", "healthy", available > 0 && !some_open, "available",
                (json_int_t)available, "open_circuits", open),
      available == 0 ? "no provider key is set: only the demo agents answer"
      : some_open    ? "a circuit breaker is open"
                     : NULL);
}

static void look_at_backups(struct deep *d) {
  struct janitor_state b;
  janitor_get_state(d->api->parts.janitor, &b);
  char words[HEALTH_WORDS_SIZE];
  if (!b.scheduled) return;
  health_words(b.problem, words);
  int64_t age_s = (clock_wall_ms(&clock_system) - b.last_success_ms) / 1000;
  add(d, "backups",
      json_pack("{s:b, s:o, s:I}", "healthy", !b.problem[0] && !b.overdue, "age_seconds",
                b.last_success_ms < 0 ? json_null() : json_integer((json_int_t)age_s), "failures",
                (json_int_t)b.failures),
      b.problem[0] ? words
      : b.overdue  ? "the last one is older than two of its periods"
                   : NULL);
}

static void look_at_archive(struct deep *d) {
  struct store_archive_state a;
  store_archive_state(d->api->parts.store, &a);
  if (!a.enabled) return;
  add(d, "archive",
      json_pack("{s:b, s:b, s:b}", "healthy", !a.failing, "running", a.running, "has_base",
                a.base_wanted_since_ms < 0),
      a.failing ? "commits are not archived: the archive cannot be written" : NULL);
  bool failing = metric_get(METRIC_ARCHIVE_SHIP_FAILING, NULL) > 0;
  if (!d->api->parts.options->archive_ship_s || !d->api->parts.options->backup_to) return;
  add(d, "shipping",
      json_pack("{s:b, s:I}", "healthy", !failing, "waiting_segments",
                (json_int_t)metric_get(METRIC_ARCHIVE_WAITING, NULL)),
      failing ? "the archive cannot be sent to the place of backups" : NULL);
}

/* That none is asked for is how a server on its own machine runs: nothing to warn of. */
static void look_at_authentication(struct deep *d) {
  add(d, "authentication",
      json_pack("{s:b, s:b}", "healthy", 1, "enabled", auth_enabled(d->api->parts.auth)), NULL);
}

static bool look(const struct api *api, struct deep *d) {
  *d = (struct deep){.api = api,
                     .checks = json_object(),
                     .warnings = json_array(),
                     .started_us = clock_mono_us(&clock_system)};
  if (!d->checks || !d->warnings) {
    json_decref(d->checks);
    json_decref(d->warnings);
    return false;
  }
  look_at_databases(d);
  look_at_files(d);
  look_at_disk(d);
  look_at_memory(d);
  look_at_cpu(d);
  look_at_providers(d);
  look_at_backups(d);
  look_at_archive(d);
  look_at_authentication(d);
  return true;
}

/* ---- the two pages ---- */

static const char *word_of(const struct deep *d) {
  if (!d->usable) return "degraded";
  return json_array_size(d->warnings) ? "healthy_with_warnings" : "healthy";
}

struct http_shared *health_deep_make(struct api *api, int *ret_http_status) {
  struct deep d;
  char now[CLOCK_ISO_SIZE];
  if (!look(api, &d)) return NULL;
  clock_format_iso(clock_wall_ms(&clock_system), now);
  *ret_http_status = d.usable ? 200 : 503;
  return health_body_share(json_pack("{s:s, s:b, s:o, s:o, s:o, s:s, s:s}", "status", word_of(&d),
                                     "healthy", d.usable, "checks", d.checks, "warnings",
                                     d.warnings, "response_time_ms",
                                     milliseconds(clock_mono_us(&clock_system) - d.started_us),
                                     "timestamp", now, "version", ARAGORA_VERSION));
}

struct http_shared *health_deep_make_detailed(struct api *api, int *ret_http_status) {
  struct deep d;
  if (!look(api, &d)) return NULL;
  const json_t *memory = json_object_get(d.checks, "memory");
  json_t *memory_out = memory ? json_pack("{s:O, s:O}", "rss_mb", json_object_get(memory, "rss_mb"),
                                          "percent", json_object_get(memory, "percent"))
                              : json_null();
  struct runner_stats stats = runner_stats(api->parts.runner);
  *ret_http_status = d.usable ? 200 : 503;
  return health_body_share(
      json_pack("{s:s, s:s, s:I, s:o, s:o, s:o, s:{s:b}, s:I, s:I}", "status", word_of(&d),
                "version", ARAGORA_VERSION, "uptime_seconds", (json_int_t)api_uptime_s(api),
                "components", d.checks, "warnings", d.warnings, "memory", memory_out, "maintenance",
                "running", (int)atomic_load(&api->maintaining), "active_debates",
                (json_int_t)stats.running, "queued_debates", (json_int_t)stats.queued));
}
