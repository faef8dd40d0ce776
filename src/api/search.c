/* GET /api/search and GET /api/analytics: what reads very many rows, a few at a time. */
#include "api/handlers.h"
#include "api/params.h"
#include "api/reply.h"
#include "api/state.h"
#include "ops/debate_row.h"

#include <stdio.h>

enum {
  SEARCH_LIMIT = 20,
  SEARCH_LIMIT_MAX = 100,
  DAYS = 30,
  DAYS_MAX = 366,
  DAY_MS = 86400000,
  TOP_AGENTS = 10,
  DATE_LENGTH = 10, /* of 2026-11-29T... */
};

/* Balanced by leave. */
static enum status enter(struct api *api, struct error *err) {
  int64_t limit = api->parts.options->max_searches;
  if (atomic_fetch_add(&api->scans, 1) < limit) return STATUS_OK;
  atomic_fetch_sub(&api->scans, 1);
  return error_set(err, STATUS_FULL, NULL,
                   "%lld searches are under way, which is the limit: try later", (long long)limit);
}

static void leave(struct api *api) {
  atomic_fetch_sub(&api->scans, 1);
}

/* ---- search ---- */

static json_t *results_body(const struct store_search_query *query,
                            const struct store_search_result *result) {
  json_t *results = json_array();
  for (size_t i = 0; i < result->count; i++)
    if (json_array_append_new(results, debate_row_object(&result->rows[i]))) {
      json_decref(results);
      return NULL;
    }
  bool more = query->offset < (size_t)result->total &&
              (size_t)result->total - query->offset > result->count;
  return json_pack("{s:o, s:o, s:I, s:I, s:I, s:I, s:b, s:b}", "results", results, "query",
                   json_text(bytes_of(query->text)), "count", (json_int_t)result->count, "total",
                   (json_int_t)result->total, "offset", (json_int_t)query->offset, "limit",
                   (json_int_t)query->limit, "has_more", more, "complete", result->complete);
}

/* GET /api/search?q|query&limit&offset */
void handle_search(struct http_request *request, void *app) {
  struct api *api = app;
  struct error err = {0};
  struct store_search_result result;
  struct principal who = api_principal(request);
  const char *text = http_request_query(request, "q");
  if (!text) text = http_request_query(request, "query");
  struct store_search_query query = {
      .text = text ? text : "",
      .limit = (size_t)params_int(request, "limit", SEARCH_LIMIT, 1, SEARCH_LIMIT_MAX),
      .offset = (size_t)params_int(request, "offset", 0, 0, INT64_MAX),
      .newest = (size_t)api->parts.options->search_debates};
  enum status s = enter(api, &err);
  if (!s) {
    s = store_search_debates(api->parts.store, &who, &query, &result, &err);
    leave(api);
  }
  if (s) {
    reply_failure(request, s, &err, NULL);
    return;
  }
  json_t *body = results_body(&query, &result);
  store_list_free(result.rows, result.count);
  reply_json(request, 200, body, NULL);
}

/* ---- analytics ---- */

struct counts {
  int64_t total, active, completed, failed, cancelled, reached, timed, duration_ms;
  json_t *by_day;
  int64_t last_day, of_last_day;
  bool no_memory;
};

static void end_day(struct counts *c) {
  char iso[CLOCK_ISO_SIZE];
  if (c->of_last_day == 0) return;
  clock_format_iso(c->last_day * DAY_MS, iso);
  json_t *row = json_pack("{s:s%, s:I}", "date", iso, (size_t)DATE_LENGTH, "count",
                          (json_int_t)c->of_last_day);
  if (json_array_append_new(c->by_day, row)) c->no_memory = true;
  c->of_last_day = 0;
}

static void count_day(void *ctx, const struct store_day_count *day) {
  struct counts *c = ctx;
  if (day->day != c->last_day) end_day(c);
  c->last_day = day->day;
  c->of_last_day += day->debates;
  c->total += day->debates;
  c->timed += day->timed;
  c->duration_ms += day->duration_ms;
  c->reached += day->consensus_reached;
  int64_t *bin = strcmp(day->status, "completed") == 0   ? &c->completed
                 : strcmp(day->status, "failed") == 0    ? &c->failed
                 : strcmp(day->status, "cancelled") == 0 ? &c->cancelled
                                                         : &c->active;
  *bin += day->debates;
}

static void add_agent(void *ctx, const char *agent, int64_t debates) {
  json_t *row = json_pack("{s:o, s:o, s:o, s:I}", "agent", json_text(bytes_of(agent)), "agent_id",
                          json_text(bytes_of(agent)), "name", json_text(bytes_of(agent)), "debates",
                          (json_int_t)debates);
  json_array_append_new(ctx, row ? row : json_null());
}

static json_t *ratio(int64_t part, double whole) {
  return whole > 0 ? json_real((double)part / whole) : json_null();
}

static json_t *overview(const struct counts *c, int64_t days) {
  return json_pack(
      "{s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:I}", "total_debates", (json_int_t)c->total,
      "active_debates", (json_int_t)c->active, "completed_debates", (json_int_t)c->completed,
      "failed_debates", (json_int_t)c->failed, "cancelled_debates", (json_int_t)c->cancelled,
      "avg_debate_duration_seconds", ratio(c->duration_ms, 1e3 * (double)c->timed),
      "consensus_rate", ratio(c->reached, (double)c->completed), "period_days", (json_int_t)days);
}

static enum status count_all(struct api *api, const struct principal *who, int64_t since_ms,
                             struct counts *counts, json_t *agents, struct error *err) {
  enum status s = store_count_days(api->parts.store, who, since_ms, count_day, counts, err);
  if (s) return s;
  end_day(counts);
  if (counts->no_memory) return STATUS_NOMEM;
  return store_count_panels(api->parts.store, who, since_ms, TOP_AGENTS, add_agent, agents, err);
}

/* GET /api/analytics?days: today, by UTC, and the days before it. */
void handle_analytics(struct http_request *request, void *app) {
  struct api *api = app;
  struct error err = {0};
  struct principal who = api_principal(request);
  int64_t days = params_int(request, "days", DAYS, 1, DAYS_MAX);
  int64_t today = clock_wall_ms(&clock_system) / DAY_MS;
  struct counts counts = {.by_day = json_array()};
  json_t *agents = json_array();
  enum status s = counts.by_day && agents ? enter(api, &err) : STATUS_NOMEM;
  if (!s) {
    s = count_all(api, &who, (today - days + 1) * DAY_MS, &counts, agents, &err);
    leave(api);
  }
  if (s) {
    json_decref(counts.by_day);
    json_decref(agents);
    reply_failure(request, s, &err, NULL);
    return;
  }
  reply_json(request, 200,
             json_pack("{s:o, s:o, s:o}", "overview", overview(&counts, days), "top_agents", agents,
                       "debates_by_day", counts.by_day),
             NULL);
}
