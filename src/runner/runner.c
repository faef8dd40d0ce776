#include "runner/runner.h"

#include "base/id.h"
#include "base/log.h"
#include "base/metrics.h"
#include "runner/internal.h"
#include "runner/panel.h"
#include "store/keys.h"
#include "store/plans.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { RETRY_AFTER_STOP_S = 5 }; /* about what a supervisor takes to start the next process */

struct spending_load {
  struct budgets *budgets;
  enum status status;
};

static void load_spending(void *ctx, const struct store_spending *spent) {
  struct spending_load *load = ctx;
  const struct principal who = {spent->tenant_id, spent->owner_id, false, false, NULL};
  const struct ledger_amounts sum = {spent->tokens > 0 ? spent->tokens : 0,
                                     spent->usd_micro > 0 ? spent->usd_micro : 0};
  int64_t unpriced = spent->unpriced > 0 ? spent->unpriced : 0;
  if (!load->status)
    load->status = budgets_restore(load->budgets, spent->day, &who, &sum, unpriced);
}

static void load_key_spending(void *ctx, const struct store_spending *spent) {
  struct spending_load *load = ctx;
  const struct ledger_amounts sum = {spent->tokens > 0 ? spent->tokens : 0,
                                     spent->usd_micro > 0 ? spent->usd_micro : 0};
  int64_t unpriced = spent->unpriced > 0 ? spent->unpriced : 0;
  if (!load->status)
    load->status = budgets_restore_key(load->budgets, spent->day, spent->key_id, &sum, unpriced);
}

/* A revoked key's too: it binds what was begun with the key and goes on. */
static void load_key_cap(void *ctx, const struct store_key *key) {
  struct spending_load *load = ctx;
  if (!load->status && key->usd_micro_per_day > 0)
    load->status = budgets_cap_key(load->budgets, key->id, key->usd_micro_per_day);
}

/* Yesterday's too, so that a clock that is set back over midnight finds them. */
static enum status restore_spending(struct runner *r, struct error *err) {
  struct spending_load load = {.budgets = provider_budgets(r->provider)};
  int64_t yesterday = budgets_today(load.budgets) - 1;
  const struct principal system = PRINCIPAL_SYSTEM;
  enum status s = store_list_keys(r->store, &system, false, SIZE_MAX / 2, load_key_cap, &load, err);
  if (!s) s = store_read_spending(r->store, yesterday, load_spending, &load, err);
  if (!s) s = store_read_key_spending(r->store, yesterday, load_key_spending, &load, err);
  if (s || !load.status) return s;
  return error_set(err, load.status, NULL, "what was spent today cannot be restored: %s",
                   status_name(load.status));
}

enum status runner_create(struct loop *loop, struct store *store, struct hub *hub,
                          struct provider *provider, const struct agent_table *agents,
                          const struct options *options, struct runner **ret_runner,
                          struct error *err) {
  struct runner *r = calloc(1, sizeof *r);
  if (!r) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  r->loop = loop;
  r->store = store;
  r->hub = hub;
  r->provider = provider;
  r->agents = agents;
  r->options = options;
  r->clock = &clock_system;
  r->accepting = true;
  enum status s = restore_spending(r, err);
  if (s)
    runner_destroy(r);
  else
    *ret_runner = r;
  return s;
}

void runner_use_agents(struct runner *r, const struct agent_table *agents) {
  r->agents = agents;
}

void runner_destroy(struct runner *r) {
  if (!r) return;
  delivery_abandon_all(r);
  resume_abandon(r);
  struct runner_entry *entry;
  struct runner_entry *next;
  HASH_ITER(hh, r->table, entry, next) {
    HASH_DEL(r->table, entry);
    live_unref(entry->live);
    free(entry);
  }
  buffer_done(&r->scratch);
  free(r);
}

/* ---- the table of running debates; loop thread ---- */

static struct runner_entry *find_entry(const struct runner *r, const char *id) {
  struct runner_entry *entry;
  HASH_FIND_STR(r->table, id, entry);
  return entry;
}

static struct live *find(const struct runner *r, const char *id) {
  struct runner_entry *entry = find_entry(r, id);
  return entry ? entry->live : NULL;
}

/* A debate that has not ended may be missing from the table. */
static bool is_away(const struct runner *r) {
  return r->stopped || r->resuming;
}

static void tell_waiters(struct runner_waiter *waiters, enum status status) {
  for (struct runner_waiter *w = waiters, *next; w; w = next) {
    next = w->next;
    w->done(w->ctx, status);
    free(w);
  }
}

static enum status enlist(struct runner *r, struct live *live) {
  struct runner_entry *entry = calloc(1, sizeof *entry);
  if (!entry) return STATUS_NOMEM;
  entry->id = live_id(live);
  entry->live = live;
  HASH_ADD_KEYPTR(hh, r->table, entry->id, strlen(entry->id), entry);
  if (entry->hh.tbl) return STATUS_OK;
  free(entry);
  return STATUS_NOMEM;
}

/* Who waits for its end is the caller's to tell. */
static struct runner_waiter *delist(struct runner *r, struct live *live) {
  struct runner_entry *entry = find_entry(r, live_id(live));
  struct runner_waiter *waiters = entry->waiters;
  HASH_DEL(r->table, entry);
  free(entry);
  return waiters;
}

static void show_counts(struct runner *r) {
  metric_set(METRIC_DEBATES_ACTIVE, NULL, r->running);
  metric_set(METRIC_DEBATES_QUEUED, NULL, r->queued);
}

static void enqueue(struct runner *r, struct live *live) {
  live_set_next(live, NULL);
  if (r->queue_last)
    live_set_next(r->queue_last, live);
  else
    r->queue_first = live;
  r->queue_last = live;
  r->queued++;
}

/* True when it was waiting. */
static bool dequeue(struct runner *r, struct live *live) {
  struct live *before = NULL;
  for (struct live *l = r->queue_first; l; before = l, l = live_next(l)) {
    if (l != live) continue;
    if (before)
      live_set_next(before, live_next(l));
    else
      r->queue_first = live_next(l);
    if (r->queue_last == l) r->queue_last = before;
    r->queued--;
    return true;
  }
  return false;
}

/* Not while the process stops: what waits has cost nothing yet, and would hold it for hours. */
static void admit_waiting(struct runner *r) {
  while (r->accepting && r->queue_first && r->running < r->options->max_concurrent_debates) {
    struct live *live = r->queue_first;
    dequeue(r, live);
    r->running++;
    live_admit(live);
  }
  show_counts(r);
}

static void tell_idle(struct runner *r) {
  if (!r->idle || r->running || r->deliveries || r->resuming) return;
  void (*idle)(void *) = r->idle;
  r->idle = NULL;
  idle(r->idle_ctx);
}

void runner_live_ended(struct runner *r, struct live *live) {
  if (find(r, live_id(live)) != live) return;
  struct runner_waiter *waiters = delist(r, live);
  enum status status = live->broken ? STATUS_UNAVAILABLE : STATUS_OK;
  if (live->held)
    r->held--;
  else if (!dequeue(r, live))
    r->running--;
  live_unref(live);
  tell_waiters(waiters, status);
  admit_waiting(r);
  tell_idle(r);
}

static void tell_gathered(void *arg) {
  struct runner *r = arg;
  r->tell_timer = NULL;
  hub_tell_gathered(r->hub);
}

void runner_has_to_tell(struct runner *r) {
  if (r->tell_timer) return;
  uint64_t interval_ms = (uint64_t)r->options->token_interval_ms;
  r->tell_timer = loop_timer_start(r->loop, interval_ms, tell_gathered, r);
}

void runner_delivery_done(struct runner *r) {
  tell_idle(r);
}

/* ---- starting ---- */

struct start_request {
  struct runner *runner;
  char *tenant_id, *owner_id;
  struct debate_spec spec;
  bool fork; /* config and inherited stand for the spec */
  struct debate_config config;
  struct drafts inherited;
  struct store_start_key key;
  char *key_text; /* NULL = there is none */
  struct store_origin origin;
  char *parent_id, *batch_id; /* its texts; NULL = there is none */
  char *key_id;               /* the API key that it came with, or NULL */
  runner_started_fn *done;
  void *ctx;
  char id[ID_SIZE];
  char slug[128];
  json_t *agents;
  bool demo, queued;
};

static void start_free(struct start_request *q) {
  debate_spec_done(&q->spec);
  free(q->tenant_id);
  free(q->owner_id);
  free(q->key_text);
  free(q->parent_id);
  free(q->batch_id);
  free(q->key_id);
  debate_config_done(&q->config);
  drafts_done(&q->inherited);
  json_decref(q->agents);
  free(q);
}

static void start_failed(struct start_request *q, enum status status, const struct error *err) {
  q->done(q->ctx, status, err, NULL);
  start_free(q);
}

/* Why the store takes nothing, in words for a caller, who need not know where it lies. */
static enum status refused_by_store(enum status status, struct error *err) {
  if (status == STATUS_NO_SPACE)
    return error_set(err, status, NULL, "the disk of the database is full");
  if (status == STATUS_TIMEOUT)
    return error_set(err, STATUS_IO, NULL, "the database is locked by another program");
  return error_set(err, STATUS_IO, NULL, "the database cannot be written");
}

/* Months of plans are those of the store's: by the debate's time. */
static enum status refused_by_plan(const struct runner *r, struct error *err) {
  char iso[CLOCK_ISO_SIZE];
  int64_t now_ms = clock_wall_ms(r->clock);
  int64_t next_ms = plan_month_start_ms(plan_month(now_ms) + 1);
  clock_format_iso(next_ms, iso);
  error_set(err, STATUS_QUOTA, NULL, "the plan's quota of debates is used up; it begins anew at %s",
            iso);
  err->retry_after_s = (long)((next_ms - now_ms + 999) / 1000);
  return STATUS_QUOTA;
}

static void start_committed(void *ctx, enum status status) {
  struct start_request *q = ctx;
  struct error err = {0};
  if (status == STATUS_NO_SPACE || status == STATUS_IO || status == STATUS_TIMEOUT)
    status = refused_by_store(status, &err);
  else if (status == STATUS_QUOTA)
    refused_by_plan(q->runner, &err);
  else if (status == STATUS_CONFLICT && q->batch_id)
    status = error_set(&err, status, NULL, "the item was started or cancelled");
  else if (status)
    status = error_set(&err, STATUS_UNAVAILABLE, NULL, "the debate could not be stored");
  if (status) {
    start_failed(q, status, &err);
    return;
  }
  struct runner_started started = {q->id,     q->slug,          q->queued ? "pending" : "running",
                                   q->agents, q->config.rounds, q->demo};
  q->done(q->ctx, STATUS_OK, NULL, &started);
  start_free(q);
}

static enum status make_row(struct start_request *q, const struct debate_config *config,
                            struct live **ret_live) {
  struct runner *r = q->runner;
  q->agents = json_array();
  for (int i = 0; i < config->member_count; i++)
    if (json_array_append_new(q->agents, json_string(config->members[i].name))) return STATUS_NOMEM;
  FREE_LATER char *agents = json_canonical_dup(q->agents);
  if (!agents) return STATUS_NOMEM;
  q->demo = config->demo;
  q->queued = r->running >= r->options->max_concurrent_debates;
  id_generate(q->id);
  int64_t now = clock_wall_ms(r->clock);
  store_make_slug(bytes_of(config->task), now, q->id, q->slug, sizeof q->slug);
  struct store_debate row = {.id = q->id,
                             .tenant_id = q->tenant_id,
                             .owner_id = q->owner_id,
                             .slug = q->slug,
                             .task = config->task,
                             .agents = agents,
                             .metadata = q->spec.metadata,
                             .status = q->queued ? "pending" : "running",
                             .consensus = (char *)rule_names[config->rule],
                             .key_id = q->key_id,
                             .created_ms = now,
                             .completed_ms = -1,
                             .duration_ms = -1,
                             .confidence_ppm = -1,
                             .cost_usd_micro = -1,
                             .demo = config->demo};
  return live_create(r, &row, ret_live);
}

/* Why no new debate may start now; STATUS_OK when one may. */
static enum status admission(const struct runner *r, struct error *err) {
  if (!r->accepting) {
    err->retry_after_s = RETRY_AFTER_STOP_S;
    return error_set(err, STATUS_UNAVAILABLE, NULL, "the server is shutting down");
  }
  enum status refused = store_check_writable(r->store, NULL);
  if (refused) return refused_by_store(refused, err);
  if (r->running >= r->options->max_concurrent_debates &&
      r->queued >= r->options->max_queued_debates)
    return error_set(err, STATUS_FULL, NULL, "server at capacity: %lld debates run and %lld wait",
                     (long long)r->running, (long long)r->queued);
  return STATUS_OK;
}

/* A debate whose first call no budget could pay for does not begin. */
static enum status admit_by_budget(const struct start_request *q, const struct debate_config *c,
                                   struct error *err) {
  const struct principal who = {
      .tenant_id = q->tenant_id, .owner_id = q->owner_id, .key_id = q->key_id};
  struct ledger_amounts least = panel_least_call(q->runner->agents, c);
  return budgets_admit(provider_budgets(q->runner->provider), &who, least.tokens, least.usd_micro,
                       err);
}

/* The key as it is stored, or NULL. */
static const struct store_start_key *stamp_key(struct start_request *q) {
  if (!q->key_text) return NULL;
  q->key.text = q->key_text;
  q->key.created_ms = clock_wall_ms(q->runner->clock);
  q->key.expired_ms = q->key.created_ms - q->runner->options->idempotency_ttl_s * 1000;
  return &q->key;
}

/* A fork keeps its parent's panel, of which every agent must be there. */
static enum status check_panel(const struct runner *r, const struct debate_config *config,
                               struct error *err) {
  for (int i = 0; i < config->member_count; i++) {
    struct agent_binding binding;
    if (!panel_binding(r->agents, &config->members[i], &binding))
      return error_set(err, STATUS_INVALID, "agents", "%s (%s) cannot be asked any more",
                       config->members[i].type, config->members[i].model);
  }
  return STATUS_OK;
}

static enum status resolve(struct start_request *q, struct error *err) {
  struct runner *r = q->runner;
  if (q->fork) return check_panel(r, &q->config, err);
  enum status s = panel_resolve(r->agents, r->options, &q->spec, &q->config, err);
  if (s || !q->parent_id) return s;
  q->config.branch_point = -1;
  return bytes_replace(&q->config.parent_id, bytes_of(q->parent_id));
}

/* Loop thread. */
static void start_on_loop(void *arg) {
  struct start_request *q = arg;
  struct runner *r = q->runner;
  struct error err = {0};
  struct debate_config *config = &q->config;
  struct live *live = NULL;
  enum status s = admission(r, &err);
  if (!s) s = resolve(q, &err);
  if (!s) s = admit_by_budget(q, config, &err);
  if (!s) s = make_row(q, config, &live);
  if (!s) s = enlist(r, live);
  if (s) {
    live_unref(live);
    if (!err.message[0]) error_set(&err, s, NULL, "out of memory");
    start_failed(q, s, &err);
    return;
  }
  if (q->queued)
    enqueue(r, live);
  else
    r->running++;
  metric_add(METRIC_DEBATES, NULL, 1);
  show_counts(r);
  live_take_request_id(live, q->spec.request_id);
  q->spec.request_id = NULL;
  struct log_context context = live_log_context(live);
  log_info("runner", &context,
           "debate=accepted agents=%d rounds=%d consensus=%s mode=%s demo=%s queued=%s",
           config->member_count, config->rounds, rule_names[config->rule], mode_names[config->mode],
           config->demo ? "yes" : "no", q->queued ? "yes" : "no");
  q->origin.parent_id = q->parent_id;
  q->origin.batch_id = q->batch_id;
  const struct live_start start = {.config = config,
                                   .inherited = &q->inherited,
                                   .key = stamp_key(q),
                                   .origin = q->parent_id || q->batch_id ? &q->origin : NULL,
                                   .queued = q->queued};
  s = live_begin(live, &start, start_committed, q);
  if (!s) return;
  error_set(&err, s, NULL, "out of memory");
  start_failed(q, s, &err);
  runner_live_ended(r, live);
}

static bool copy_optional(const char *text, char **ret_text) {
  *ret_text = text ? bytes_dup(bytes_of(text)) : NULL;
  return !text || *ret_text;
}

/* NULL when memory is short. */
static struct start_request *start_make(struct runner *r, const struct principal *who,
                                        const struct store_start_key *key,
                                        const struct store_origin *origin, runner_started_fn *done,
                                        void *ctx) {
  struct start_request *q = calloc(1, sizeof *q);
  if (!q) return NULL;
  q->runner = r;
  q->done = done;
  q->ctx = ctx;
  debate_spec_init(&q->spec);
  if (key) q->key = *key;
  if (origin) q->origin = *origin;
  if (copy_optional(who->tenant_id, &q->tenant_id) && copy_optional(who->owner_id, &q->owner_id) &&
      copy_optional(key ? key->text : NULL, &q->key_text) &&
      copy_optional(origin ? origin->parent_id : NULL, &q->parent_id) &&
      copy_optional(origin ? origin->batch_id : NULL, &q->batch_id) &&
      copy_optional(who->key_id, &q->key_id))
    return q;
  start_free(q);
  return NULL;
}

static void start_without_memory(runner_started_fn *done, void *ctx) {
  struct error err = {0};
  error_set(&err, STATUS_NOMEM, NULL, "out of memory");
  done(ctx, STATUS_NOMEM, &err, NULL);
}

void runner_start(struct runner *r, const struct principal *who, struct debate_spec *spec,
                  const struct store_start_key *key, const struct store_origin *origin,
                  runner_started_fn *done, void *ctx) {
  struct start_request *q = start_make(r, who, key, origin, done, ctx);
  if (!q) {
    debate_spec_done(spec);
    start_without_memory(done, ctx);
    return;
  }
  q->spec = *spec;
  debate_spec_init(spec);
  loop_post(r->loop, start_on_loop, q);
}

void runner_fork(struct runner *r, const struct principal *who, struct debate_config *config,
                 struct drafts *inherited, const struct store_start_key *key,
                 const char *request_id, runner_started_fn *done, void *ctx) {
  const struct store_origin origin = {.parent_id = config->parent_id,
                                      .branch_point = config->branch_point};
  struct start_request *q = start_make(r, who, key, &origin, done, ctx);
  if (!q || !copy_optional(request_id, &q->spec.request_id)) {
    if (q) start_free(q);
    debate_config_done(config);
    drafts_done(inherited);
    start_without_memory(done, ctx);
    return;
  }
  q->fork = true;
  q->config = *config;
  q->inherited = *inherited;
  *config = (struct debate_config){0};
  *inherited = (struct drafts){0};
  loop_post(r->loop, start_on_loop, q);
}

/* ---- cancelling ---- */

struct cancel_request {
  struct runner *runner;
  char id[ID_DEBATE_MAX + 1];
  char *reason;
  runner_cancelled_fn *done;
  void *ctx;
};

static void cancel_committed(void *ctx, enum status status) {
  struct cancel_request *q = ctx;
  q->done(q->ctx, status);
  free(q->reason);
  free(q);
}

static void cancel_on_loop(void *arg) {
  struct cancel_request *q = arg;
  struct live *live = find(q->runner, q->id);
  /* One that is not taken up yet has not ended either. */
  enum status s = is_away(q->runner) ? STATUS_UNAVAILABLE : STATUS_CONFLICT;
  if (live && !q->runner->stopped)
    s = live_fact(live, EVENT_CANCEL_REQUESTED, q->reason, cancel_committed, q);
  if (s) cancel_committed(q, s);
}

void runner_cancel(struct runner *r, const struct principal *who, const char *debate_id,
                   const char *reason, runner_cancelled_fn *done, void *ctx) {
  struct store_debate row;
  struct error err;
  enum status s = store_get_debate(r->store, who, debate_id, &row, &err);
  if (s) {
    done(ctx, s);
    return;
  }
  struct cancel_request *q = calloc(1, sizeof *q);
  if (q) {
    q->runner = r;
    q->done = done;
    q->ctx = ctx;
    q->reason = reason ? bytes_dup(bytes_of(reason)) : NULL;
    memcpy(q->id, row.id, strlen(row.id) < ID_DEBATE_MAX ? strlen(row.id) : ID_DEBATE_MAX);
    loop_post(r->loop, cancel_on_loop, q);
  }
  store_debate_done(&row);
  if (!q) done(ctx, STATUS_NOMEM);
}

struct end_request {
  struct runner *runner;
  char id[ID_DEBATE_MAX + 1];
  char *reason;
  struct runner_waiter *waiter;
};

static void end_on_loop(void *arg) {
  struct end_request *q = arg;
  struct runner *r = q->runner;
  struct runner_entry *entry = find_entry(r, q->id);
  q->waiter->next = entry ? entry->waiters : NULL;
  if (entry && !r->stopped) {
    entry->waiters = q->waiter;
    /* A conflict: its end is on the way. Else it is given up, and the waiter has been told. */
    enum status s = live_fact(entry->live, EVENT_CANCEL_REQUESTED, q->reason, NULL, NULL);
    (void)s;
  } else {
    q->waiter->next = NULL;
    tell_waiters(q->waiter, is_away(r) ? STATUS_UNAVAILABLE : STATUS_OK);
  }
  free(q->reason);
  free(q);
}

void runner_end(struct runner *r, const char *debate_id, const char *reason,
                runner_cancelled_fn *done, void *ctx) {
  struct end_request *q = calloc(1, sizeof *q);
  struct runner_waiter *waiter = calloc(1, sizeof *waiter);
  if (!q || !waiter) {
    free(q);
    free(waiter);
    done(ctx, STATUS_NOMEM);
    return;
  }
  *waiter = (struct runner_waiter){NULL, done, ctx};
  q->runner = r;
  q->waiter = waiter;
  q->reason = reason ? bytes_dup(bytes_of(reason)) : NULL;
  snprintf(q->id, sizeof q->id, "%s", debate_id);
  loop_post(r->loop, end_on_loop, q);
}

enum status runner_take_up(struct runner *r, struct live *live, bool *ret_queued) {
  enum status s = r->stopped ? STATUS_UNAVAILABLE : enlist(r, live);
  if (s) return s;
  *ret_queued = live->held || !r->accepting || r->running >= r->options->max_concurrent_debates;
  if (live->held)
    r->held++;
  else if (*ret_queued)
    enqueue(r, live);
  else
    r->running++;
  if (!live->held) metric_add(METRIC_DEBATES_RESUMED, NULL, 1);
  show_counts(r);
  return STATUS_OK;
}

void runner_taken_up(struct runner *r) {
  r->resuming = false;
  tell_idle(r);
}

/* ---- the end of the process ---- */

static void drain_on_loop(void *arg) {
  struct runner *r = arg;
  r->idle = r->drain;
  r->idle_ctx = r->drain_ctx;
  tell_idle(r);
}

void runner_drain(struct runner *r, void (*idle)(void *ctx), void *ctx) {
  r->accepting = false;
  r->drain = idle;
  r->drain_ctx = ctx;
  loop_post(r->loop, drain_on_loop, r);
}

struct stop {
  struct runner *runner;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool done;
};

static void stop_on_loop(void *arg) {
  struct stop *stop = arg;
  struct runner *r = stop->runner;
  r->stopped = true;
  r->idle = NULL;
  struct runner_entry *entry;
  struct runner_entry *next;
  HASH_ITER(hh, r->table, entry, next) {
    live_leave(entry->live);
    tell_waiters(entry->waiters, STATUS_UNAVAILABLE);
    entry->waiters = NULL;
  }
  delivery_flush(r);
  loop_timer_cancel(r->tell_timer);
  r->tell_timer = NULL;
  pthread_mutex_lock(&stop->lock);
  stop->done = true;
  pthread_cond_signal(&stop->changed);
  pthread_mutex_unlock(&stop->lock);
}

void runner_stop(struct runner *r) {
  struct stop stop = {r, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
  r->accepting = false;
  loop_post(r->loop, stop_on_loop, &stop);
  pthread_mutex_lock(&stop.lock);
  while (!stop.done) pthread_cond_wait(&stop.changed, &stop.lock);
  pthread_mutex_unlock(&stop.lock);
}

struct runner_stats runner_stats(const struct runner *r) {
  return (struct runner_stats){r->running, r->queued, r->held, r->accepting};
}
