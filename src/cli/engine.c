#include "cli/engine.h"

#include "base/log.h"
#include "ops/shipper.h"
#include "provider/agents_change.h"
#include "provider/service.h"
#include "store/replacement.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { STORE_QUEUE_BYTES = 64 << 20, PROVIDER_QUEUE = 65536 };

enum { ARCHIVE_ROLL_MS = 3600000 };

static void take_options(struct engine *e, struct options *options) {
  *e = (struct engine){.options = *options};
  *options = (struct options){0};
}

/* How old a segment of the archive gets: what is shipped is what was sealed. */
static int64_t roll_ms(const struct options *o) {
  return shipper_is_wanted(o) ? o->archive_ship_s * 1000 : ARCHIVE_ROLL_MS;
}

static enum status open_store(struct engine *e, struct error *err) {
  struct store_options store = {
      .memory_path = e->options.db_path,
      .elo_path = e->options.elo_path,
      .pool_size = (size_t)e->options.db_pool_size,
      .timeout_ms = e->options.db_timeout_s * 1000,
      .max_queued_bytes = STORE_QUEUE_BYTES,
      .archive = {.dir = e->options.archive ? e->options.archive_dir : NULL,
                  .segment_bytes = (uint64_t)e->options.archive_segment_bytes,
                  .roll_ms = roll_ms(&e->options),
                  .sync_ms = e->options.archive_sync_ms},
      .audit_rows_max = e->options.audit_max_rows,
  };
  return store_open(&store, &e->store, err);
}

enum status engine_open_store(struct engine *e, struct options *options, struct error *err) {
  take_options(e, options);
  e->options.archive = false; /* a server that runs has it */
  enum status s = options_place_files(&e->options, err);
  return s ? s : open_store(e, err);
}

enum status engine_open_archive(struct engine *e, struct options *options, struct error *err) {
  take_options(e, options);
  e->options.archive = false; /* it writes nothing */
  enum status s = options_name_files(&e->options, err);
  if (!s) s = replacement_finish(e->options.db_path, err);
  if (s) return s;
  if (access(e->options.db_path, F_OK) < 0 && errno == ENOENT) /* nor is a directory made for it */
    return error_set(err, STATUS_NOT_FOUND, NULL, "there is no database %s", e->options.db_path);
  s = options_place_files(&e->options, err);
  return s ? s : open_store(e, err);
}

/* ---- the breakers' way to the store and back: neither room knows the other ---- */

_Static_assert((int)STORE_BREAKERS_MAX == (int)SERVICES_MAX, "a row for each service");

/* On the loop; not after runner_stop, so that the store is there: nobody asks any more then, and
 * who could reset was stopped before. */
static void keep_breaker(void *ctx, const char *name, const struct breaker_snapshot *s) {
  const struct engine *e = ctx;
  const struct store_breaker breaker = {
      .name = name,
      .state = s->state,
      .failures = s->failures,
      .cooldown_ms = s->cooldown_ms,
      .opened_ms = s->opened_wall_ms,
      .cooling_until_ms = s->cooling_until_wall_ms,
      .last_failure_ms = s->last_failure_wall_ms,
      .last_success_ms = s->last_success_wall_ms,
      .misconfigured = s->misconfigured,
  };
  enum status status = store_put_breaker(e->store, &breaker);
  if (status)
    log_warning("server", NULL, "event=breaker_not_kept service=\"%s\" status=%s", name,
                status_name(status));
}

static void restore_breaker(void *ctx, const struct store_breaker *b) {
  const struct engine *e = ctx;
  struct breaker_snapshot snapshot = {
      .state = b->state,
      .failures = b->failures,
      .cooldown_ms = b->cooldown_ms,
      .opened_wall_ms = b->opened_ms,
      .cooling_until_wall_ms = b->cooling_until_ms,
      .last_failure_wall_ms = b->last_failure_ms,
      .last_success_wall_ms = b->last_success_ms,
  };
  snprintf(snapshot.misconfigured, sizeof snapshot.misconfigured, "%s", b->misconfigured);
  provider_restore_breaker(e->provider, b->name, &snapshot);
}

static struct budgets_options budgets_of(const struct options *o) {
  return (struct budgets_options){
      .principal_day = {o->principal_daily_budget_tokens, o->principal_daily_budget_usd_micro},
      .day = {o->daily_budget_tokens, o->daily_budget_usd_micro},
      .process = {o->process_budget_tokens, o->process_budget_usd_micro},
      .allow_unknown_price = o->caps_allow_unknown_price,
  };
}

static enum status open_provider(struct engine *e, struct error *err) {
  struct provider_options provider = {
      .connections_per_host = (size_t)e->options.provider_connections,
      .max_queued = PROVIDER_QUEUE,
      .connect_timeout_ms = e->options.provider_connect_timeout_ms,
      .idle_timeout_ms = e->options.provider_idle_timeout_ms,
      .max_answer_bytes = (size_t)e->options.max_answer_bytes,
      .demo_token_rate = e->options.demo_token_rate,
      .max_retries = (int)e->options.max_retries,
      .hedge = e->options.hedge,
      .breaker_threshold = (int)e->options.circuit_breaker_threshold,
      .breaker_cooldown_ms = e->options.circuit_breaker_cooldown_ms,
      .breaker_cooldown_max_ms = e->options.circuit_breaker_cooldown_max_ms,
      .agents = e->agents,
      .breaker_changed = keep_breaker,
      .breaker_ctx = e,
      .budgets = budgets_of(&e->options),
  };
  enum status s = provider_create(e->loop, &provider, &e->provider, err);
  return s ? s : store_read_breakers(e->store, restore_breaker, e, err);
}

enum status engine_open(struct engine *e, struct options *options, struct error *err) {
  take_options(e, options);
  /* The table of agents before the store: a mistake in a file must not leave a database behind. */
  enum status s = agents_load(e->options.agents_file, &e->agents, err);
  if (!s) s = options_place_files(&e->options, err);
  if (!s) s = open_store(e, err);
  if (!s) s = audit_create(e->store, &clock_system, &e->audit, err);
  if (!s) s = loop_create(&e->loop, err);
  if (!s) s = hub_create((size_t)e->options.event_buffer_size, &e->hub, err);
  if (!s) s = open_provider(e, err);
  if (!s)
    s = runner_create(e->loop, e->store, e->hub, e->provider, e->agents, &e->options, &e->runner,
                      err);
  return s;
}

static void *run_loop(void *arg) {
  loop_run(arg);
  return NULL;
}

static enum status start_tracer(struct engine *e, struct error *err) {
  struct tracer_options options = {e->options.replays, e->options.replays_days};
  struct trace_place *place = e->replays;
  e->replays = NULL;
  return tracer_start(e->store, place, &options, &e->tracer, err);
}

/* The loop first: who stops what could not start waits for it. */
enum status engine_start(struct engine *e, struct error *err) {
  const struct trace_settings settings = {e->options.data_dir, e->options.s3_endpoint,
                                          e->options.s3_region};
  int failed = pthread_create(&e->thread, NULL, run_loop, e->loop);
  if (failed) return error_set(err, STATUS_IO, NULL, "cannot start a thread: %s", strerror(failed));
  e->started = true;
  return trace_place_open(e->options.replays_dir, &settings, &e->replays, err);
}

enum status engine_follow(struct engine *e, struct error *err) {
  enum status s = start_tracer(e, err);
  return s ? s : rater_start(e->store, e->rated, e->rated_ctx, &e->rater, err);
}

static enum status use_agents(struct engine *e, struct agent_table *fresh, struct error *err) {
  if (e->reloads == ENGINE_RELOADS_MAX)
    return error_set(err, STATUS_FULL, NULL, "the agents were changed %d times: restart",
                     ENGINE_RELOADS_MAX);
  if (provider_use_agents(e->provider, fresh))
    return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  runner_use_agents(e->runner, fresh);
  fresh->former = e->agents;
  e->agents = fresh;
  e->reloads++;
  return STATUS_OK;
}

enum status engine_reload_agents(struct engine *e, struct buffer *ret_changes, struct error *err) {
  struct agent_table *fresh = NULL;
  enum status s = agents_load(e->options.agents_file, &fresh, err);
  if (s) return s;
  bool differs = agents_change_describe(e->agents, fresh, ret_changes) > 0;
  if (differs) s = use_agents(e, fresh, err);
  if (s || !differs) agents_free(fresh);
  return s;
}

void engine_stop(struct engine *e, struct pool *pool) {
  if (pool) pool_stop(pool);
  if (!e->started) return;
  runner_stop(e->runner);
  tracer_stop(e->tracer);
  rater_stop(e->rater);
  e->rater = NULL;
  store_close(e->store);
  e->store = NULL;
  tracer_destroy(e->tracer);
  e->tracer = NULL;
  loop_stop(e->loop);
  pthread_join(e->thread, NULL);
  e->started = false;
}

void engine_close(struct engine *e) {
  store_close(e->store); /* of an engine that was never started */
  if (e->replays) e->replays->ops->close(e->replays);
  runner_destroy(e->runner);
  if (e->provider) provider_destroy(e->provider);
  hub_destroy(e->hub);
  loop_destroy(e->loop);
  agents_free(e->agents);
  audit_destroy(e->audit);
  options_done(&e->options);
  *e = (struct engine){0};
}
