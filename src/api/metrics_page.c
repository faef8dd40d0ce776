/* GET /api/metrics and /metrics: Prometheus text, or JSON for who asks for it. */
#include "api/breaker_list.h"
#include "api/handlers.h"
#include "api/params.h"
#include "api/reply.h"
#include "api/state.h"
#include "base/metrics.h"

enum { METRICS_BYTES_MAX = 4 << 20 };

static json_t *metrics_json(const struct api *api) {
  struct runner_stats stats = runner_stats(api->parts.runner);
  struct hub_stats hub = hub_stats(api->parts.hub);
  int64_t sockets = api->server ? http_ws_stats(api->server).active : 0;
  return json_pack("{s:f, s:{s:I, s:I, s:I, s:I, s:I, s:I}, s:{s:I, s:I, s:I}, s:{s:I, s:I, s:I}}",
                   "uptime_seconds", api_uptime_s(api), "debates", "total",
                   (json_int_t)metric_get(METRIC_DEBATES, NULL), "completed",
                   (json_int_t)metric_get(METRIC_DEBATES_COMPLETED, NULL), "failed",
                   (json_int_t)metric_get(METRIC_DEBATES_FAILED, NULL), "cancelled",
                   (json_int_t)metric_get(METRIC_DEBATES_CANCELLED, NULL), "running",
                   (json_int_t)stats.running, "queued", (json_int_t)stats.queued, "streams",
                   "websockets", (json_int_t)sockets, "subscribers", (json_int_t)hub.subscribers,
                   "debates", (json_int_t)hub.debates, "store", "commits",
                   (json_int_t)metric_get(METRIC_STORE_COMMITS, NULL), "events",
                   (json_int_t)metric_get(METRIC_STORE_EVENTS, NULL), "errors",
                   (json_int_t)metric_get(METRIC_STORE_ERRORS, NULL));
}

/* The breakers are looked at when somebody asks: an opening whose cooldown has passed is half-open
 * without anything having happened. */
static void set_breakers(const struct api *api) {
  struct breaker_list list;
  if (breaker_list_take(api->parts.provider, &list)) return; /* as they were is better than none */
  for (size_t i = 0; i < list.count; i++) {
    const struct provider_agent *a = &list.agents[i];
    if (a->binding->available)
      metric_set(METRIC_CIRCUIT_BREAKER_STATE, (const char *[]){a->binding->type},
                 a->breaker.state);
  }
  metric_set(METRIC_BREAKERS_OPEN, NULL, breaker_list_count(&list).open);
  breaker_list_done(&list);
}

static void set_account(const char *scope, const struct ledger_view *v) {
  const char *const cap[] = {scope, "cap"}, *const spent[] = {scope, "spent"},
                    *const reserved[] = {scope, "reserved"};
  if (v->caps.tokens >= 0) metric_set(METRIC_BUDGET_TOKENS, cap, v->caps.tokens);
  if (v->caps.usd_micro >= 0) metric_set(METRIC_BUDGET_USD_MICRO, cap, v->caps.usd_micro);
  metric_set(METRIC_BUDGET_TOKENS, spent, v->committed.tokens);
  metric_set(METRIC_BUDGET_TOKENS, reserved, v->reserved.tokens);
  metric_set(METRIC_BUDGET_USD_MICRO, spent, v->committed.usd_micro);
  metric_set(METRIC_BUDGET_USD_MICRO, reserved, v->reserved.usd_micro);
  metric_set(METRIC_BUDGET_UNPRICED, (const char *const[]){scope}, v->unpriced);
}

/* What principals spend is the day's; of theirs only the cap is a figure of its own. */
static void set_budgets(const struct api *api) {
  const char *const cap[] = {budget_scope_name(BUDGET_PRINCIPAL), "cap"};
  struct budgets_view view;
  budgets_look(provider_budgets(api->parts.provider), &view);
  set_account(budget_scope_name(BUDGET_DAY), &view.today);
  set_account(budget_scope_name(BUDGET_PROCESS), &view.process);
  const struct ledger_caps *caps = &view.principal_caps;
  if (caps->tokens >= 0) metric_set(METRIC_BUDGET_TOKENS, cap, caps->tokens);
  if (caps->usd_micro >= 0) metric_set(METRIC_BUDGET_USD_MICRO, cap, caps->usd_micro);
  metric_set(METRIC_BUDGET_WAITING, NULL, (int64_t)view.waiting);
}

void handle_metrics_show(struct http_request *request, void *app) {
  const char *format = http_request_query(request, "format");
  if (params_only_json(request) || (format && strcmp(format, "json") == 0)) {
    reply_json(request, 200, metrics_json(app), NULL);
    return;
  }
  set_breakers(app);
  set_budgets(app);
  BUFFER_LATER struct buffer text;
  buffer_init(&text, METRICS_BYTES_MAX);
  enum status s = metrics_render(&text);
  if (s)
    reply_failure(request, s, NULL, NULL);
  else
    http_respond(request, 200, "text/plain; version=0.0.4; charset=utf-8", buffer_bytes(&text),
                 NULL);
}
