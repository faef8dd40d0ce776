#include "cli/engine.h"

#include <errno.h>
#include <unistd.h>

enum { STORE_QUEUE_BYTES = 64 << 20, PROVIDER_QUEUE = 65536 };

static void take_options(struct engine *e, struct options *options) {
  *e = (struct engine){.options = *options};
  *options = (struct options){0};
}

static enum status open_store(struct engine *e, struct error *err) {
  struct store_options store = {
      .memory_path = e->options.db_path,
      .elo_path = e->options.elo_path,
      .pool_size = (size_t)e->options.db_pool_size,
      .timeout_ms = e->options.db_timeout_s * 1000,
      .max_queued_bytes = STORE_QUEUE_BYTES,
  };
  return store_open(&store, &e->store, err);
}

enum status engine_open_archive(struct engine *e, struct options *options, struct error *err) {
  take_options(e, options);
  enum status s = options_place_files(&e->options, err);
  if (s) return s;
  if (access(e->options.db_path, F_OK) < 0 && errno == ENOENT)
    return error_set(err, STATUS_NOT_FOUND, NULL, "there is no database %s", e->options.db_path);
  return open_store(e, err);
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
      .breaker_threshold = (int)e->options.circuit_breaker_threshold,
      .breaker_cooldown_ms = e->options.circuit_breaker_cooldown_ms,
      .breaker_cooldown_max_ms = e->options.circuit_breaker_cooldown_max_ms,
      .agents = e->agents,
  };
  return provider_create(e->loop, &provider, &e->provider, err);
}

enum status engine_open(struct engine *e, struct options *options, struct error *err) {
  take_options(e, options);
  /* The table of agents before the store: a mistake in a file must not leave a database behind. */
  enum status s = agents_load(e->options.agents_file, &e->agents, err);
  if (!s) s = options_place_files(&e->options, err);
  if (!s) s = open_store(e, err);
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

enum status engine_start(struct engine *e, struct error *err) {
  int failed = pthread_create(&e->thread, NULL, run_loop, e->loop);
  if (failed) return error_set(err, STATUS_IO, NULL, "cannot start a thread: %s", strerror(failed));
  e->started = true;
  return STATUS_OK;
}

void engine_stop(struct engine *e, struct pool *pool) {
  if (pool) pool_stop(pool);
  if (!e->started) return;
  runner_stop(e->runner);
  store_close(e->store);
  e->store = NULL;
  loop_stop(e->loop);
  pthread_join(e->thread, NULL);
  e->started = false;
}

void engine_close(struct engine *e) {
  store_close(e->store); /* of an engine that was never started */
  runner_destroy(e->runner);
  if (e->provider) provider_destroy(e->provider);
  hub_destroy(e->hub);
  loop_destroy(e->loop);
  agents_free(e->agents);
  options_done(&e->options);
  *e = (struct engine){0};
}
