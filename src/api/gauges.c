#include "api/gauges.h"

#include "api/breaker_list.h"
#include "api/disk_watch.h"
#include "api/memory.h"
#include "base/metrics.h"

/* The breakers are looked at when somebody asks: an opening whose cooldown has passed is half-open
 * without anything having happened. */
static void look_at_breakers(const struct api *api) {
  struct breaker_list list;
  if (breaker_list_take(api->parts.provider, &list)) return; /* as they were is better than none */
  for (size_t i = 0; i < list.count; i++) {
    const struct provider_agent *a = &list.agents[i];
    const char *const labels[] = {a->binding->type};
    if (!a->binding->available) continue;
    metric_set(METRIC_CIRCUIT_BREAKER_STATE, labels, a->breaker.state);
    metric_set(METRIC_PROVIDER_IN_FLIGHT, labels, a->pacing.in_flight);
    metric_set(METRIC_PROVIDER_ALLOWED, labels, a->pacing.allowed);
    metric_set(METRIC_PROVIDER_WAITING, labels, (int64_t)a->pacing.waiting);
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
static void look_at_budgets(const struct api *api) {
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

/* ---- files and disks ---- */

static void show_file(const char *name, const struct disk_file *file) {
  const char *const labels[] = {name};
  metric_set(METRIC_DATABASE_BYTES, labels, file->bytes);
  metric_set(METRIC_DATABASE_WAL, labels, file->wal_bytes);
}

static void show_place(const char *name, const struct disk_place *place) {
  const char *const labels[] = {name};
  if (place->size_bytes < 0) return;
  metric_set(METRIC_DISK_FREE, labels, place->free_bytes);
  metric_set(METRIC_DISK_SIZE, labels, place->size_bytes);
}

static void look_at_disks(const struct api *api) {
  struct disk_figures now;
  disk_watch_get(api->disks, &now);
  show_file("memory", &now.memory);
  show_file("elo", &now.elo);
  show_place("data", &now.data);
  show_place("archive", &now.archive);
  show_place("log", &now.log);
  metric_set(METRIC_DISK_AGE, NULL, (clock_mono_us(&clock_system) - now.taken_us) / 1000000);
}

/* ---- queues ---- */

static void look_at_queues(const struct api *api) {
  struct pool_stats pool = pool_stats(api->parts.pool);
  metric_set(METRIC_POOL_THREADS, NULL, (int64_t)pool.max_threads);
  metric_set(METRIC_POOL_BUSY, NULL, (int64_t)pool.busy);
  metric_set(METRIC_POOL_WAITING, NULL, (int64_t)pool.waiting);
  metric_set(METRIC_STORE_QUEUED, NULL, (int64_t)store_queued_bytes(api->parts.store));
  metric_set(METRIC_STORE_WRITABLE, NULL, store_writable(api->parts.store));
  metric_set(METRIC_DEBATES_LIMIT, NULL, api->parts.options->max_concurrent_debates);
  metric_set(METRIC_QUEUE_LIMIT, NULL, api->parts.options->max_queued_debates);
}

void gauges_look(const struct api *api) {
  look_at_breakers(api);
  look_at_budgets(api);
  look_at_disks(api);
  look_at_queues(api);
  struct memory_reading memory;
  memory_read(api, &memory);
  memory_show(&memory);
}

/* ---- from the start ---- */

#define LABELS(...) ((const char *const[]){__VA_ARGS__})

static void declare_agent(const char *type) {
  metric_declare(METRIC_AGENT_RESPONSE, LABELS(type));
  metric_declare(METRIC_TOKENS_USED, LABELS(type, "in"));
  metric_declare(METRIC_TOKENS_USED, LABELS(type, "out"));
  metric_declare(METRIC_AGENT_CALLS, LABELS(type, outcome_name(OUTCOME_OK)));
}

void gauges_declare(const struct agent_table *agents) {
  static const char *const levels[] = {"DEBUG", "INFO", "WARNING", "ERROR"};
  for (size_t i = 0; i < agents->count; i++)
    if (agents->agents[i].available) declare_agent(agents->agents[i].type);
  metric_declare(METRIC_WS_MESSAGES, LABELS("in"));
  metric_declare(METRIC_WS_MESSAGES, LABELS("out"));
  for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
    metric_declare(METRIC_LOG_LINES, LABELS(levels[i]));
  for (size_t i = 0; i < 3; i++)
    metric_declare(METRIC_REPLAYS, LABELS(((const char *[]){"written", "removed", "failed"})[i]));
}
