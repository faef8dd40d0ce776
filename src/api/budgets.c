/* GET /api/budgets: the caps, and what was spent and is reserved under them. */
#include "api/handlers.h"
#include "api/reply.h"
#include "api/state.h"
#include "debate/outward.h"

#include <stdlib.h>

enum { PRINCIPALS_MAX = 100 };

static json_t *left_of(int64_t cap, int64_t spent, int64_t reserved, bool money) {
  if (cap < 0) return json_null();
  int64_t left = cap - spent - reserved;
  if (left < 0) left = 0;
  return money ? outward_millionths(left) : json_integer(left);
}

static json_t *account_object(const struct ledger_view *v) {
  return json_pack(
      "{s:o, s:o, s:o, s:I, s:o, s:I, s:o, s:o, s:I, s:I}", "cap_usd",
      outward_millionths(v->caps.usd_micro), "cap_tokens", json_int_or_null(v->caps.tokens),
      "spent_usd", outward_millionths(v->committed.usd_micro), "spent_tokens",
      (json_int_t)v->committed.tokens, "reserved_usd", outward_millionths(v->reserved.usd_micro),
      "reserved_tokens", (json_int_t)v->reserved.tokens, "left_usd",
      left_of(v->caps.usd_micro, v->committed.usd_micro, v->reserved.usd_micro, true),
      "left_tokens", left_of(v->caps.tokens, v->committed.tokens, v->reserved.tokens, false),
      "unpriced_calls", (json_int_t)v->unpriced, "overshoots", (json_int_t)v->overshoots);
}

static json_t *principal_rows(struct budgets *budgets, size_t *ret_total) {
  struct budgets_principal *rows = calloc(PRINCIPALS_MAX, sizeof *rows);
  if (!rows) return NULL;
  json_t *out = json_array();
  *ret_total = budgets_principals(budgets, rows, PRINCIPALS_MAX);
  for (size_t i = 0; i < *ret_total && i < PRINCIPALS_MAX; i++) {
    json_t *row = account_object(&rows[i].view);
    if (row) json_object_set_new(row, "principal", json_text(bytes_of(rows[i].name)));
    if (json_array_append_new(out, row)) {
      json_decref(out);
      out = NULL;
      break;
    }
  }
  free(rows);
  return out;
}

/* The table of options writes "none" as 0. */
static json_t *option_amounts(int64_t usd_micro, int64_t tokens) {
  return json_pack("{s:o, s:o}", "usd", outward_millionths(usd_micro > 0 ? usd_micro : -1),
                   "tokens", json_int_or_null(tokens > 0 ? tokens : -1));
}

void handle_budgets_show(struct http_request *request, void *app) {
  const struct api *api = app;
  const struct options *o = api->parts.options;
  struct budgets *budgets = provider_budgets(api->parts.provider);
  struct budgets_view view;
  char day[CLOCK_ISO_SIZE], reset[CLOCK_ISO_SIZE];
  size_t total = 0;
  budgets_look(budgets, &view);
  int64_t reset_ms = (view.day + 1) * BUDGET_DAY_MS;
  clock_format_iso(view.day * BUDGET_DAY_MS, day);
  clock_format_iso(reset_ms, reset);
  day[strlen("2026-11-24")] = '\0';
  int64_t left_ms = reset_ms - clock_wall_ms(&clock_system);
  json_t *rows = principal_rows(budgets, &total);
  json_t *body = json_pack(
      "{s:s, s:s, s:I, s:b, s:{s:o, s:o}, s:o, s:o, s:o, s:I, s:o, s:I}", "day", day, "resets_at",
      reset, "resets_in_seconds", (json_int_t)(left_ms > 0 ? left_ms / 1000 : 0),
      "caps_allow_unknown_price", o->caps_allow_unknown_price, "debate", "default",
      option_amounts(o->debate_budget_usd_micro, o->debate_budget_tokens), "limit",
      option_amounts(o->max_debate_budget_usd_micro, o->max_debate_budget_tokens), "today",
      account_object(&view.today), "process", account_object(&view.process), "principals", rows,
      "principals_total", (json_int_t)total, "principal_cap",
      option_amounts(view.principal_caps.usd_micro, view.principal_caps.tokens), "waiting_calls",
      (json_int_t)view.waiting);
  reply_json(request, 200, body, NULL);
}
