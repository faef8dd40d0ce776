#include "api/metrics_json.h"

#include "api/gauges.h"
#include "base/json.h"
#include "base/metrics.h"

#include <stdio.h>
#include <stdlib.h>

enum { ENDPOINTS_MAX = METRIC_SERIES_MAX, TOP_MAX = 10 };

/* ---- requests ---- */

struct endpoint {
  const char *path;
  int64_t count;
};

struct tally {
  int64_t total, errors;
  size_t count;
  struct endpoint endpoints[ENDPOINTS_MAX];
};

static void tally_request(void *ctx, const char *const labels[], int64_t value) {
  struct tally *t = ctx;
  size_t i = 0;
  t->total += value;
  if (labels[2][0] == '4' || labels[2][0] == '5') t->errors += value;
  while (i < t->count && strcmp(t->endpoints[i].path, labels[1]) != 0) i++;
  if (i == t->count) t->endpoints[t->count++].path = labels[1];
  t->endpoints[i].count += value;
}

static int by_count(const void *a, const void *b) {
  const struct endpoint *x = a, *y = b;
  return x->count < y->count ? 1 : x->count > y->count ? -1 : strcmp(x->path, y->path);
}

static json_t *requests_json(void) {
  FREE_LATER struct tally *t = calloc(1, sizeof *t);
  if (!t) return NULL;
  metric_each(METRIC_HTTP_REQUESTS, tally_request, t);
  qsort(t->endpoints, t->count, sizeof *t->endpoints, by_count);
  json_t *top = json_array();
  for (size_t i = 0; i < t->count && i < TOP_MAX; i++)
    json_array_append_new(top, json_pack("{s:s, s:I}", "endpoint", t->endpoints[i].path, "count",
                                         (json_int_t)t->endpoints[i].count));
  return json_pack("{s:I, s:I, s:f, s:o}", "total", (json_int_t)t->total, "errors",
                   (json_int_t)t->errors, "error_rate",
                   t->total ? (double)t->errors / (double)t->total : 0.0, "top_endpoints", top);
}

/* ---- files ---- */

static void human_bytes(int64_t bytes, char *out, size_t size) {
  static const char *const units[] = {"B", "KB", "MB", "GB", "TB"};
  double value = (double)bytes;
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < sizeof units / sizeof *units) {
    value /= 1024;
    unit++;
  }
  snprintf(out, size, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

static void add_database(json_t *out, const char *path, const char *label) {
  const char *slash = strrchr(path, '/');
  int64_t bytes = metric_get(METRIC_DATABASE_BYTES, (const char *const[]){label});
  char human[32];
  human_bytes(bytes, human, sizeof human);
  json_object_set_new(out, slash ? slash + 1 : path,
                      json_pack("{s:I, s:s}", "bytes", (json_int_t)bytes, "human", human));
}

static json_t *databases_json(const struct options *o) {
  json_t *out = json_object();
  if (!out) return NULL;
  add_database(out, o->db_path, "memory");
  add_database(out, o->elo_path, "elo");
  return out;
}

/* ---- the page ---- */

static void human_time(double seconds, char *out, size_t size) {
  long long s = (long long)seconds;
  if (s >= 86400)
    snprintf(out, size, "%lldd %lldh %lldm %llds", s / 86400, s / 3600 % 24, s / 60 % 60, s % 60);
  else if (s >= 3600)
    snprintf(out, size, "%lldh %lldm %llds", s / 3600, s / 60 % 60, s % 60);
  else if (s >= 60)
    snprintf(out, size, "%lldm %llds", s / 60, s % 60);
  else
    snprintf(out, size, "%llds", s);
}

static json_t *debates_json(const struct runner_stats *stats) {
  return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "total",
                   (json_int_t)metric_get(METRIC_DEBATES, NULL), "completed",
                   (json_int_t)metric_get(METRIC_DEBATES_COMPLETED, NULL), "failed",
                   (json_int_t)metric_get(METRIC_DEBATES_FAILED, NULL), "cancelled",
                   (json_int_t)metric_get(METRIC_DEBATES_CANCELLED, NULL), "running",
                   (json_int_t)stats->running, "queued", (json_int_t)stats->queued);
}

static json_t *streams_json(const struct api *api) {
  struct hub_stats hub = hub_stats(api->parts.hub);
  int64_t sockets = api->server ? http_ws_stats(api->server).active : 0;
  return json_pack("{s:I, s:I, s:I}", "websockets", (json_int_t)sockets, "subscribers",
                   (json_int_t)hub.subscribers, "debates", (json_int_t)hub.debates);
}

static json_t *store_json(void) {
  return json_pack("{s:I, s:I, s:I}", "commits", (json_int_t)metric_get(METRIC_STORE_COMMITS, NULL),
                   "events", (json_int_t)metric_get(METRIC_STORE_EVENTS, NULL), "errors",
                   (json_int_t)metric_get(METRIC_STORE_ERRORS, NULL));
}

json_t *metrics_json(const struct api *api) {
  char uptime[64], now[CLOCK_ISO_SIZE];
  struct runner_stats stats = runner_stats(api->parts.runner);
  gauges_look(api);
  human_time(api_uptime_s(api), uptime, sizeof uptime);
  clock_format_iso(clock_wall_ms(&clock_system), now);
  /* There is no cache of answers: 0 entries. */
  return json_pack("{s:f, s:s, s:o, s:{s:i}, s:o, s:s, s:o, s:o, s:o}", "uptime_seconds",
                   api_uptime_s(api), "uptime_human", uptime, "requests", requests_json(), "cache",
                   "entries", 0, "databases", databases_json(api->parts.options), "timestamp", now,
                   "debates", debates_json(&stats), "streams", streams_json(api), "store",
                   store_json());
}
