/* What the caller used and what its plan leaves: /api/billing/usage, its export, and the plans. */
#include "api/audit_trail.h"
#include "api/handlers.h"
#include "api/reply.h"
#include "api/state.h"
#include "debate/outward.h"
#include "ops/csv.h"
#include "store/plans.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { DAYS_MAX = 400, EXPORT_MAX_BYTES = 64 << 20, DATE_CHARS = 10 };
static const int64_t DAY_MS = 86400000;

/* ---- which days, and whose ---- */

struct question {
  struct principal who;
  bool own; /* the caller's alone, not all of its tenant */
  int64_t now_ms, first_day, last_day;
};

static bool read_day(const char *text, int64_t *ret_day) {
  int64_t ms;
  bool date_only;
  if (!clock_parse_iso(text, &ms, &date_only) || !date_only || ms < 0) return false;
  *ret_day = ms / DAY_MS;
  return true;
}

/* ?from=2026-11-01&to=2026-11-30, by default this month; ?scope=tenant for who sees all of it. */
static enum status read_question(const struct http_request *request, struct question *q,
                                 struct error *err) {
  const char *from = http_request_query(request, "from"), *to = http_request_query(request, "to");
  const char *scope = http_request_query(request, "scope");
  *q = (struct question){.who = api_principal(request), .now_ms = clock_wall_ms(&clock_system)};
  int64_t month = plan_month(q->now_ms);
  q->own = !scope || strcmp(scope, "tenant") != 0;
  q->first_day = plan_month_start_ms(month) / DAY_MS;
  q->last_day = plan_month_start_ms(month + 1) / DAY_MS - 1;
  if (scope && q->own && strcmp(scope, "own") != 0)
    return error_set(err, STATUS_INVALID, "scope", "scope must be own or tenant");
  if (from && !read_day(from, &q->first_day))
    return error_set(err, STATUS_INVALID, "from", "from must be a date: 2026-11-01");
  if (to && !read_day(to, &q->last_day))
    return error_set(err, STATUS_INVALID, "to", "to must be a date: 2026-11-30");
  if (q->last_day < q->first_day || q->last_day - q->first_day >= DAYS_MAX)
    return error_set(err, STATUS_INVALID, "to", "from and to must span 1 to %d days", DAYS_MAX);
  return STATUS_OK;
}

static json_t *date_of(int64_t day) {
  char iso[CLOCK_ISO_SIZE];
  clock_format_iso(day * DAY_MS, iso);
  iso[DATE_CHARS] = '\0';
  return json_string(iso);
}

static json_t *moment_of(int64_t ms) {
  char iso[CLOCK_ISO_SIZE];
  clock_format_iso(ms, iso);
  return json_string(iso);
}

/* ---- sums ---- */

static void add(struct store_usage *sum, const struct store_usage *more) {
  sum->debates += more->debates;
  sum->turns += more->turns;
  sum->calls += more->calls;
  sum->tokens += more->tokens;
  sum->tokens_in += more->tokens_in;
  sum->tokens_out += more->tokens_out;
  sum->usd_micro += more->usd_micro;
  sum->unpriced += more->unpriced;
}

struct part { /* of one day, key or model */
  char *name;
  struct store_usage sum;
};

struct parts {
  struct part *rows;
  size_t count, cap;
};

struct sums {
  int64_t today;
  struct store_usage all, of_today;
  struct parts keys, models, providers, days;
  bool failed;
};

static void add_part(struct sums *s, struct parts *parts, const char *name,
                     const struct store_usage *more) {
  for (size_t i = parts->count; i-- > 0;) {
    if (strcmp(parts->rows[i].name, name) != 0) continue;
    add(&parts->rows[i].sum, more);
    return;
  }
  if (parts->count == parts->cap) {
    size_t cap = parts->cap ? parts->cap * 2 : 16;
    struct part *rows = realloc(parts->rows, cap * sizeof *rows);
    s->failed = s->failed || !rows;
    if (!rows) return;
    parts->rows = rows;
    parts->cap = cap;
  }
  struct part part = {bytes_dup(bytes_of(name)), {0}};
  s->failed = s->failed || !part.name;
  if (!part.name) return;
  add(&part.sum, more);
  parts->rows[parts->count++] = part;
}

static bool add_row(void *ctx, const struct store_used *used) {
  struct sums *s = ctx;
  char date[CLOCK_ISO_SIZE];
  clock_format_iso(used->day * DAY_MS, date);
  date[DATE_CHARS] = '\0';
  add(&s->all, &used->usage);
  if (used->day == s->today) add(&s->of_today, &used->usage);
  add_part(s, &s->days, date, &used->usage);
  add_part(s, &s->keys, used->key_id, &used->usage);
  if (*used->usage.provider) add_part(s, &s->providers, used->usage.provider, &used->usage);
  if (*used->usage.model) add_part(s, &s->models, used->usage.model, &used->usage);
  return !s->failed;
}

static void parts_done(struct parts *parts) {
  for (size_t i = 0; i < parts->count; i++) free(parts->rows[i].name);
  free(parts->rows);
}

static void sums_done(struct sums *s) {
  parts_done(&s->keys);
  parts_done(&s->models);
  parts_done(&s->providers);
  parts_done(&s->days);
}

static json_t *amounts(const struct store_usage *u) {
  return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:I}", "debates", (json_int_t)u->debates,
                   "turns", (json_int_t)u->turns, "calls", (json_int_t)u->calls, "tokens",
                   (json_int_t)u->tokens, "tokens_in", (json_int_t)u->tokens_in, "tokens_out",
                   (json_int_t)u->tokens_out, "cost_usd", outward_millionths(u->usd_micro),
                   "unpriced_calls", (json_int_t)u->unpriced);
}

/* `key` of each row is its name, null for "". */
static json_t *part_rows(const struct parts *parts, const char *key) {
  json_t *rows = json_array();
  for (size_t i = 0; i < parts->count; i++) {
    json_t *row = amounts(&parts->rows[i].sum);
    const char *name = parts->rows[i].name;
    json_object_set_new(row, key, *name ? json_text(bytes_of(name)) : json_null());
    json_array_append_new(rows, row);
  }
  return rows;
}

/* Existing pages show these as they come. */
static json_t *cost_words(const struct parts *providers) {
  json_t *costs = json_object();
  for (size_t i = 0; i < providers->count; i++) {
    int64_t usd = providers->rows[i].sum.usd_micro;
    char text[40];
    snprintf(text, sizeof text, "%lld.%06lld", (long long)(usd / 1000000),
             (long long)(usd % 1000000));
    json_object_set_new(costs, providers->rows[i].name, json_string(text));
  }
  return costs;
}

/* ---- GET /api/billing/usage ---- */

static json_t *usage_object(const struct sums *s, const struct store_plan *plan,
                            const struct question *q) {
  int64_t limit = plan->plan->debates_per_month;
  int64_t left = limit - plan->debates_used;
  json_t *usage = amounts(&s->all);
  json_t *more = json_pack(
      "{s:I, s:o, s:o, s:I, s:o, s:n, s:o, s:I, s:I, s:o, s:o}", "debates_used",
      (json_int_t)plan->debates_used, "debates_limit", json_int_or_null(limit ? limit : -1),
      "debates_remaining", json_int_or_null(limit ? (left > 0 ? left : 0) : -1), "tokens_used",
      (json_int_t)s->all.tokens, "estimated_cost_usd", outward_millionths(s->all.usd_micro),
      "cost_breakdown", "cost_by_provider", cost_words(&s->providers), "total_api_calls",
      (json_int_t)s->all.calls, "api_calls_today", (json_int_t)s->of_today.calls, "period_start",
      moment_of(q->first_day * DAY_MS), "period_end", moment_of((q->last_day + 1) * DAY_MS));
  json_object_update(usage, more);
  json_decref(more);
  return usage;
}

/* What nobody counts here is null: requests to this server, and bytes kept. */
static json_t *usage_body(const struct sums *s, const struct store_plan *plan,
                          const struct question *q) {
  int64_t limit = plan->plan->debates_per_month;
  json_t *usage = usage_object(s, plan, q);
  json_t *body = json_copy(usage);
  json_t *more = json_pack(
      "{s:O, s:s, s:s, s:I, s:n, s:n, s:n, s:o, s:o, s:o, s:o, s:o, s:o}", "usage", usage, "plan",
      plan->plan->id, "tier", plan->plan->id, "api_calls_used", (json_int_t)s->all.calls,
      "api_calls_limit", "storage_used_bytes", "storage_limit_bytes", "usage_percent",
      limit ? json_real(100.0 * (double)plan->debates_used / (double)limit) : json_null(),
      "quota_resets_at", moment_of(plan_month_start_ms(plan->month + 1)), "by_day",
      part_rows(&s->days, "day"), "by_key", part_rows(&s->keys, "key_id"), "by_provider",
      part_rows(&s->providers, "provider"), "by_model", part_rows(&s->models, "model"));
  json_decref(usage);
  json_object_update(body, more);
  json_decref(more);
  return body;
}

void handle_usage_show(struct http_request *request, void *app) {
  struct api *api = app;
  struct question q;
  struct error err = {0};
  struct store_plan plan;
  struct sums sums = {0};
  enum status s = read_question(request, &q, &err);
  sums.today = q.now_ms / DAY_MS;
  if (!s) s = store_get_plan(api->parts.store, &q.who, q.now_ms, &plan, &err);
  if (!s)
    s = store_read_usage(api->parts.store, &q.who, q.own, q.first_day, q.last_day, add_row, &sums,
                         &err);
  if (!s && sums.failed) s = STATUS_NOMEM;
  if (s)
    reply_failure(request, s, &err, NULL);
  else
    reply_json(request, 200, usage_body(&sums, &plan, &q), NULL);
  sums_done(&sums);
}

/* ---- GET /api/billing/usage/export ---- */

static bool list_row(void *ctx, const struct store_used *used) {
  json_t *rows = ctx;
  json_t *row = amounts(&used->usage);
  json_object_set_new(row, "day", date_of(used->day));
  json_object_set_new(row, "user_id", json_text(bytes_of(used->owner_id)));
  json_object_set_new(row, "key_id",
                      *used->key_id ? json_text(bytes_of(used->key_id)) : json_null());
  json_object_set_new(row, "provider", json_text(bytes_of(used->usage.provider)));
  json_object_set_new(row, "model", json_text(bytes_of(used->usage.model)));
  return json_array_append_new(rows, row) == 0;
}

static const char *const columns[] = {
    "day",   "user_id", "key_id",    "provider",   "model",    "debates",        "turns",
    "calls", "tokens",  "tokens_in", "tokens_out", "cost_usd", "unpriced_calls", NULL};

static void append_csv(struct buffer *out, const json_t *rows) {
  struct csv csv = {.out = out};
  const json_t *row;
  size_t n;
  csv_line(&csv, columns);
  json_array_foreach(rows, n, row) {
    for (size_t i = 0; columns[i]; i++) csv_value(&csv, json_object_get(row, columns[i]));
    csv_end(&csv);
  }
}

void handle_usage_export(struct http_request *request, void *app) {
  struct api *api = app;
  struct question q;
  struct error err = {0};
  const char *format = http_request_query(request, "format");
  bool csv = format && strcmp(format, "csv") == 0;
  JSON_LATER json_t *rows = json_array();
  enum status s = read_question(request, &q, &err);
  if (!s && format && !csv && strcmp(format, "json") != 0)
    s = error_set(&err, STATUS_INVALID, "format", "format must be json or csv");
  if (!s)
    s = store_read_usage(api->parts.store, &q.who, q.own, q.first_day, q.last_day, list_row, rows,
                         &err);
  if (s) {
    reply_failure(request, s, &err, NULL);
    return;
  }
  audit_trail_note(request, api, AUDIT_EXPORT, AUDIT_OK, "usage", NULL);
  if (!csv) {
    reply_json(request, 200,
               json_pack("{s:O, s:I}", "rows", rows, "count", (json_int_t)json_array_size(rows)),
               NULL);
    return;
  }
  static const char *const headers[] = {"Content-Disposition: attachment; filename=\"usage.csv\"",
                                        NULL};
  BUFFER_LATER struct buffer out;
  buffer_init(&out, EXPORT_MAX_BYTES);
  append_csv(&out, rows);
  if (out.overflow)
    reply_failure(request, STATUS_TOO_LARGE, NULL, NULL);
  else
    http_respond(request, 200, "text/csv; charset=utf-8", buffer_bytes(&out), headers);
}

/* ---- GET /api/billing/plans ---- */

/* 0 is "no limit" in the table. */
static json_t *limit_or_null(int64_t limit) {
  return json_int_or_null(limit ? limit : -1);
}

/* Only what a plan does here. */
static json_t *plan_features(const struct plan *p) {
  char text[64];
  if (p->debates_per_month)
    snprintf(text, sizeof text, "%" PRId64 " debates a month", p->debates_per_month);
  else
    snprintf(text, sizeof text, "Any number of debates");
  return json_pack("[s, s, s]", text, "API keys", "Exports");
}

/* What nobody sells or counts (a year's price, calls and storage of a plan) is null. */
static json_t *plan_body(const struct plan *p) {
  json_t *limits =
      json_pack("{s:o, s:o, s:o, s:n, s:n}", "debates_per_month",
                limit_or_null(p->debates_per_month), "users_per_org", limit_or_null(p->users),
                "team_members", limit_or_null(p->users), "api_calls_per_minute", "storage_gb");
  double dollars = (double)p->price_monthly_cents / 100.0;
  return json_pack("{s:s, s:s, s:s, s:o, s:o, s:I, s:f, s:f, s:n, s:s, s:o, s:o}", "id", p->id,
                   "name", p->name, "tier", p->id, "debates_per_month",
                   limit_or_null(p->debates_per_month), "users_per_org", limit_or_null(p->users),
                   "price_monthly_cents", (json_int_t)p->price_monthly_cents, "price_monthly_usd",
                   dollars, "price_monthly", dollars, "price_yearly", "currency", "USD", "features",
                   plan_features(p), "limits", limits);
}

void handle_plans_list(struct http_request *request, void *app) {
  (void)app;
  json_t *plans = json_array();
  for (const struct plan *p = plan_table; p->id; p++) json_array_append_new(plans, plan_body(p));
  reply_json(request, 200, json_pack("{s:o}", "plans", plans), NULL);
}
