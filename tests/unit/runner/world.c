#include "world.h"

#include "base/options_load.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- signals ---- */

void signal_init(struct signal_flag *s) {
  *s = (struct signal_flag){PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
}

void signal_raise(void *signal_flag) {
  struct signal_flag *s = signal_flag;
  pthread_mutex_lock(&s->lock);
  s->raised = true;
  pthread_cond_broadcast(&s->changed);
  pthread_mutex_unlock(&s->lock);
}

void signal_wait(struct signal_flag *s) {
  pthread_mutex_lock(&s->lock);
  while (!s->raised) pthread_cond_wait(&s->changed, &s->lock);
  s->raised = false;
  pthread_mutex_unlock(&s->lock);
}

/* ---- the world ---- */

static struct agent_binding agent(const char *type, const char *provider) {
  return (struct agent_binding){.type = type,
                                .provider = provider,
                                .model = "model-1",
                                .wire = WIRE_OPENAI,
                                .base_url = "http://127.0.0.1:1",
                                .context_tokens = 100000,
                                .price_input_usd_micro = 1000000,
                                .price_output_usd_micro = 1000000,
                                .available = true,
                                .seat = true};
}

int world_setup(void **state) {
  struct world *w = calloc(1, sizeof *w);
  if (!w) return -1;
  snprintf(w->dir, sizeof w->dir, "/tmp/aragora-runner-XXXXXX");
  if (!mkdtemp(w->dir)) return -1;
  snprintf(w->memory_path, sizeof w->memory_path, "%s/memory.db", w->dir);
  snprintf(w->elo_path, sizeof w->elo_path, "%s/elo.db", w->dir);
  w->max_queued_bytes = 64 << 20;
  struct error err;
  if (options_init(&w->options, &err)) return -1;
  w->agents.agents = calloc(4, sizeof *w->agents.agents);
  if (!w->agents.agents) return -1;
  w->agents.agents[0] = agent("alpha", "p-one");
  w->agents.agents[1] = agent("beta", "p-two");
  w->agents.agents[2] = agent("gamma", "p-three");
  w->agents.agents[3] = agent("delta", "p-four");
  w->agents.count = 4;
  signal_init(&w->idle);
  *state = w;
  return 0;
}

static void *run_loop(void *arg) {
  loop_run(arg);
  return NULL;
}

void world_open(struct world *w) {
  struct error err = {0};
  struct store_options store = {.memory_path = w->memory_path,
                                .elo_path = w->elo_path,
                                .pool_size = 1,
                                .timeout_ms = 20000,
                                .max_queued_bytes = w->max_queued_bytes};
  struct provider_options provider = {.budgets = w->budgets};
  enum status s = store_open(&store, &w->store, &err);
  if (!s) s = loop_create(&w->loop, &err);
  if (!s) s = hub_create(10000, &w->hub, &err);
  if (!s) s = provider_create(w->loop, &provider, &w->provider, &err);
  if (!s)
    s = runner_create(w->loop, w->store, w->hub, w->provider, &w->agents, &w->options, &w->runner,
                      &err);
  if (s) fail_msg("%s", err.message);
  assert_int_equal(pthread_create(&w->thread, NULL, run_loop, w->loop), 0);
}

static void close_watch(struct watch *watch) {
  if (!watch->subscription) return;
  struct frame_source source = hub_source(watch->subscription);
  source.ops->set_wake(source.source, NULL, NULL);
  source.ops->close(source.source);
  watch->subscription = NULL;
}

void world_leave(struct world *w, enum world_end how) {
  if (!w->runner) return;
  if (how == WORLD_IN_ORDER) {
    runner_stop(w->runner);
    store_close(w->store);
    loop_stop(w->loop);
    pthread_join(w->thread, NULL);
  } else {
    loop_stop(w->loop);
    pthread_join(w->thread, NULL);
    store_close(w->store);
  }
  runner_destroy(w->runner);
  provider_destroy(w->provider);
  for (size_t i = 0; i < w->watch_count; i++) close_watch(w->watches[i]);
  hub_destroy(w->hub);
  loop_destroy(w->loop);
  w->runner = NULL;
  assert_int_equal(scripted_counts().open, 0);
}

int world_teardown(void **state) {
  struct world *w = *state;
  world_leave(w, WORLD_IN_ORDER);
  for (size_t i = 0; i < w->watch_count; i++) {
    for (size_t j = 0; j < w->watches[i]->frame_count; j++) frame_unref(w->watches[i]->frames[j]);
    free(w->watches[i]);
  }
  DIR *dir = opendir(w->dir);
  for (struct dirent *entry; dir && (entry = readdir(dir));) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", w->dir, entry->d_name);
    if (entry->d_name[0] != '.') unlink(path);
  }
  if (dir) closedir(dir);
  rmdir(w->dir);
  options_done(&w->options);
  free(w->agents.agents);
  free(w);
  return 0;
}

/* ---- debates ---- */

void world_spec(struct debate_spec *spec, const char *task) {
  static const char *const names[] = {"alpha", "beta", "gamma"};
  debate_spec_init(spec);
  spec->task = bytes_dup(bytes_of(task));
  for (int i = 0; i < 3; i++) spec->agents[i] = bytes_dup(bytes_of(names[i]));
  spec->agent_count = 3;
  spec->rounds = 1;
  spec->seed = 7;
  spec->seed_given = true;
}

enum { HISTORY_PAGE = 50 };

struct history {
  struct frame *frames[HISTORY_PAGE];
  size_t count;
};

static bool take_stored(void *ctx, const struct store_event *e) {
  struct history *h = ctx;
  char json[64];
  int n = snprintf(json, sizeof json, "{\"type\":\"%s\"}", e->type);
  bool end = strcmp(e->type, "debate_end") == 0;
  struct frame *frame = frame_create((struct bytes){json, (size_t)n}, e->seq, end, end);
  if (!frame) abort();
  h->frames[h->count++] = frame;
  return true;
}

/* Who polls late reads from the store what the ring let go of; on the thread that polls. */
static void read_history(void *ctx, struct hub_subscription *subscription, uint64_t after) {
  struct watch *watch = ctx;
  struct history h = {.count = 0};
  struct error err;
  bool failed = store_read_events(watch->world->store, &PRINCIPAL_LOCAL, watch->id, after,
                                  HISTORY_PAGE, take_stored, &h, &err);
  hub_history_feed(subscription, h.frames, h.count, h.count == HISTORY_PAGE, failed);
}

static void on_started(void *ctx, enum status status, const struct error *err,
                       const struct runner_started *started) {
  struct watch *watch = ctx;
  watch->status = status;
  if (err) watch->err = *err;
  if (started) {
    snprintf(watch->id, sizeof watch->id, "%s", started->id);
    snprintf(watch->shown, sizeof watch->shown, "%s", started->status);
    if (hub_subscribe(watch->world->hub, watch->id, 0, true, read_history, NULL, watch,
                      &watch->subscription))
      abort();
    struct frame_source source = hub_source(watch->subscription);
    source.ops->set_wake(source.source, signal_raise, &watch->woken);
  }
  signal_raise(&watch->answered);
}

struct watch *world_start(struct world *w, struct debate_spec *spec) {
  struct watch *watch = calloc(1, sizeof *watch);
  assert_non_null(watch);
  watch->world = w;
  signal_init(&watch->answered);
  signal_init(&watch->woken);
  assert_true(w->watch_count < WATCHES_MAX);
  w->watches[w->watch_count++] = watch;
  runner_start(w->runner, &PRINCIPAL_LOCAL, spec, NULL, NULL, on_started, watch);
  return watch;
}

void watch_answered(struct watch *watch) {
  signal_wait(&watch->answered);
}

static void take_frame(struct watch *watch, struct frame *frame) {
  if (!frame->seq) {
    watch->token_frames++;
    frame_unref(frame);
    return;
  }
  assert_true(watch->frame_count < FRAMES_MAX);
  watch->frames[watch->frame_count++] = frame;
}

static void watch_next(struct watch *watch) {
  struct frame_source source = hub_source(watch->subscription);
  struct frame *frame;
  switch (source.ops->poll(source.source, &frame)) {
    case FRAME_READY: take_frame(watch, frame); break;
    case FRAME_WAIT: signal_wait(&watch->woken); break;
    case FRAME_END: watch->ended = true; break;
  }
}

void watch_end(struct watch *watch) {
  while (!watch->ended) watch_next(watch);
}

void watch_words(struct watch *watch) {
  while (!watch->token_frames) {
    assert_false(watch->ended);
    watch_next(watch);
  }
}

struct cancelling {
  struct signal_flag done;
  enum status status;
};

static void on_cancelled(void *ctx, enum status status) {
  struct cancelling *c = ctx;
  c->status = status;
  signal_raise(&c->done);
}

enum status world_cancel(struct world *w, const char *id) {
  struct cancelling c = {.status = STATUS_OK};
  signal_init(&c.done);
  runner_cancel(w->runner, &PRINCIPAL_LOCAL, id, "not needed any more", on_cancelled, &c);
  signal_wait(&c.done);
  return c.status;
}

void world_drain(struct world *w) {
  do world_on_loop(w, NULL, NULL);
  while (runner_stats(w->runner).queued > 0);
  runner_drain(w->runner, signal_raise, &w->idle);
  signal_wait(&w->idle);
}

struct errand {
  void (*fn)(void *arg);
  void *arg;
  struct signal_flag done;
};

static void run_errand(void *arg) {
  struct errand *e = arg;
  if (e->fn) e->fn(e->arg);
  signal_raise(&e->done);
}

void world_on_loop(struct world *w, void (*fn)(void *arg), void *arg) {
  struct errand e = {.fn = fn, .arg = arg};
  signal_init(&e.done);
  loop_post(w->loop, run_errand, &e);
  signal_wait(&e.done);
}

/* ---- the store ---- */

struct folding {
  struct check *check;
  struct debate *debate;
  const struct debate_config *config;
  char problem[200];
};

/* Beside the check, a fold of our own: what a budget counts never passes it. */
static bool fold_event(void *ctx, const struct store_event *e) {
  struct folding *f = ctx;
  struct check_line line = {e->seq, e->type, e->ts_ms, e->round, e->agent, e->data, {0}, {0}, {0}};
  memcpy(line.salt, e->salt, sizeof line.salt);
  memcpy(line.digest, e->digest, sizeof line.digest);
  memcpy(line.hash, e->hash, sizeof line.hash);
  check_feed(f->check, &line);
  json_t *data = NULL;
  struct error err = {0};
  if (json_parse(e->data, &data, &err)) {
    snprintf(f->problem, sizeof f->problem, "%.190s", err.message);
    return false;
  }
  struct event event = {e->seq, event_kind_parse(e->type), e->ts_ms, e->round, e->agent, data};
  if (debate_apply(f->debate, &event, &err))
    snprintf(f->problem, sizeof f->problem, "%.190s", err.message);
  json_decref(data);
  const struct debate *d = f->debate;
  if (d->config.budget_tokens >= 0 && d->committed_tokens > d->config.budget_tokens)
    snprintf(f->problem, sizeof f->problem, "over the budget of tokens at %d", (int)e->seq);
  if (d->config.budget_usd_micro >= 0 && d->committed_usd_micro > d->config.budget_usd_micro)
    snprintf(f->problem, sizeof f->problem, "over the budget of money at %d", (int)e->seq);
  return !f->problem[0];
}

struct debate *world_check_log(struct world *w, const char *id) {
  struct folding f = {.check = check_create(), .debate = debate_create(true)};
  struct error err = {0};
  assert_non_null(f.check);
  assert_non_null(f.debate);
  if (store_read_events(w->store, &PRINCIPAL_LOCAL, id, 0, 0, fold_event, &f, &err))
    fail_msg("%s", err.message);
  struct check_result result;
  check_finish(f.check, &result);
  check_destroy(f.check);
  if (f.problem[0]) fail_msg("%s", f.problem);
  if (!result.ok) fail_msg("event %d: %s", (int)result.bad_seq, result.problem);
  return f.debate;
}

struct counting {
  const char *type, *agent, *key, *text;
  size_t count;
};

static bool count_event(void *ctx, const struct store_event *e) {
  struct counting *c = ctx;
  if (strcmp(e->type, c->type) != 0) return true;
  if (c->agent && (!e->agent || strcmp(e->agent, c->agent) != 0)) return true;
  if (!c->key) {
    c->count++;
    return true;
  }
  json_t *data = NULL;
  struct error err;
  if (json_parse(e->data, &data, &err)) return false;
  const char *text = json_get_text(data, c->key, NULL);
  if (text && (!c->text || strcmp(text, c->text) == 0)) c->count++;
  json_decref(data);
  return true;
}

size_t world_count(struct world *w, const char *id, const char *type, const char *agent,
                   const char *key, const char *text) {
  struct counting c = {type, agent, key, text, 0};
  struct error err = {0};
  if (store_read_events(w->store, &PRINCIPAL_LOCAL, id, 0, 0, count_event, &c, &err))
    fail_msg("%s", err.message);
  return c.count;
}

const char *world_row_status(struct world *w, const char *id) {
  static char status[16];
  struct store_debate row;
  struct error err = {0};
  if (store_get_debate(w->store, &PRINCIPAL_LOCAL, id, &row, &err)) fail_msg("%s", err.message);
  snprintf(status, sizeof status, "%s", row.status);
  store_debate_done(&row);
  return status;
}
