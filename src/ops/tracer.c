#include "ops/tracer.h"

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/metrics.h"
#include "ops/log_line.h"
#include "ops/trace_meta.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
  GATHER_MS = 250, /* debates that end together are written together */
  PAGE = 32,
  RETRY_FIRST_MS = 1000,
  RETRY_MAX_MS = 60000,
  SWEEP_EVERY_MS = 3600000,
  SWEEP_STEP_MS = 50, /* between two steps of a sweep */
  LAST_MS = 500,      /* at the end */
  EVENTS_MAX = 1 << 30,
  LOW_PRIORITY = 10,
  DAY_MS = 86400000,
};

struct tracer {
  struct store *store;
  struct trace_place *place;
  struct tracer_options options;
  pthread_t thread;

  pthread_mutex_t lock; /* guards these */
  pthread_cond_t changed;
  bool due, stopping;
  bool dropping; /* the store has not answered yet */
  enum status drop_status;

  /* the tracer's thread */
  struct store_trace page[PAGE];
  char ids[PAGE][ID_DEBATE_MAX + 1];
  size_t count;
  char after[ID_DEBATE_MAX + 1];
  struct buffer events, meta;
  bool failing; /* said already */
  bool blocked; /* by the place or the store, so that no other replay would fare better */
  int64_t retry_ms;
  int64_t sweep_at_ms; /* monotonic */
};

static int64_t now_ms(void) {
  return clock_mono_us(&clock_system) / 1000;
}

/* ---- one replay ---- */

struct reading {
  struct tracer *tracer;
  struct trace_meta meta;
  enum status status;
  struct error *err;
};

static bool take_event(void *ctx, const struct store_event *event) {
  struct reading *r = ctx;
  struct buffer *out = &r->tracer->events;
  r->status = trace_meta_take(&r->meta, event, r->err);
  if (r->status) return false;
  log_line_append(out, event);
  buffer_append_char(out, '\n');
  if (out->overflow) r->status = error_set(r->err, STATUS_TOO_LARGE, NULL, "its log is too large");
  return r->status == STATUS_OK;
}

static int append_text(const char *text, size_t len, void *ctx) {
  return buffer_append(ctx, text, len) ? 0 : -1;
}

static enum status render(struct tracer *t, const struct store_debate *row, struct error *err) {
  struct reading r = {.tracer = t, .err = err};
  buffer_clear(&t->events);
  buffer_clear(&t->meta);
  trace_meta_init(&r.meta);
  enum status s =
      store_read_events(t->store, &PRINCIPAL_SYSTEM, row->id, 0, 0, take_event, &r, err);
  if (!s) s = r.status;
  json_t *meta = s ? NULL : trace_meta_object(&r.meta, row);
  if (!s && (!meta || json_dump_callback(meta, append_text, &t->meta, JSON_INDENT(2))))
    s = error_set(err, STATUS_NOMEM, NULL, "out of memory");
  buffer_append_char(&t->meta, '\n');
  json_decref(meta);
  trace_meta_done(&r.meta);
  return s;
}

/* meta.json is put last: where it is, the replay is whole. */
static enum status put(struct tracer *t, const struct store_debate *row, struct error *err) {
  char name[ID_DEBATE_MAX + 32];
  snprintf(name, sizeof name, "%s/events.jsonl", row->id);
  enum status s =
      t->place->ops->put(t->place, name, buffer_bytes(&t->events), row->completed_ms, err);
  if (s) return s;
  snprintf(name, sizeof name, "%s/meta.json", row->id);
  return t->place->ops->put(t->place, name, buffer_bytes(&t->meta), row->completed_ms, err);
}

static bool is_past_term(const struct tracer *t, const struct store_debate *row) {
  return t->options.days > 0 &&
         row->completed_ms < clock_wall_ms(&clock_system) - t->options.days * DAY_MS;
}

static void say_written(const struct tracer *t, const char *id) {
  const struct log_context context = {NULL, id};
  metric_add(METRIC_REPLAYS, (const char *const[]){"written"}, 1);
  log_info("replays", &context, "replay=written events_bytes=%zu meta_bytes=%zu", t->events.len,
           t->meta.len);
}

static enum status bring_up_to_date(struct tracer *t, const char *id, struct error *err) {
  struct store_debate row = {0};
  enum status s = store_get_debate(t->store, &PRINCIPAL_SYSTEM, id, &row, err);
  /* By a slug it would be another debate. */
  bool gone = s == STATUS_NOT_FOUND || (!s && strcmp(row.id, id) != 0);
  if (s && !gone) return s;
  if (gone || is_past_term(t, &row)) {
    s = t->place->ops->remove(t->place, id, err);
    if (!s) metric_add(METRIC_REPLAYS, (const char *const[]){"removed"}, 1);
  } else if (row.completed_ms >= 0 && (t->options.write || t->place->ops->has(t->place, id))) {
    s = render(t, &row, err);
    if (!s) s = put(t, &row, err);
    if (!s) say_written(t, id);
  } else {
    s = STATUS_OK;
  }
  store_debate_done(&row);
  return s;
}

/* ---- what is due ---- */

static void take_due(void *ctx, const struct store_trace *trace) {
  struct tracer *t = ctx;
  size_t len = strlen(trace->debate_id);
  if (len > ID_DEBATE_MAX || t->count == PAGE) return;
  memcpy(t->ids[t->count], trace->debate_id, len + 1);
  t->page[t->count] = (struct store_trace){t->ids[t->count], trace->changed_in};
  t->count++;
}

static void on_dropped(void *ctx, enum status status) {
  struct tracer *t = ctx;
  pthread_mutex_lock(&t->lock);
  t->dropping = false;
  t->drop_status = status;
  pthread_cond_broadcast(&t->changed);
  pthread_mutex_unlock(&t->lock);
}

static void set_dropping(struct tracer *t, bool dropping) {
  pthread_mutex_lock(&t->lock);
  t->dropping = dropping;
  pthread_mutex_unlock(&t->lock);
}

/* Waits until it is committed, as what is due would be read again otherwise; but not for a disk
 * that is full when the process ends. */
static enum status drop(struct tracer *t, const struct store_trace *done, size_t count,
                        struct error *err) {
  set_dropping(t, true);
  enum status s = store_drop_traces(t->store, done, count, on_dropped, t);
  if (s) {
    set_dropping(t, false);
    return error_set(err, s, NULL, "the store takes nothing");
  }
  pthread_mutex_lock(&t->lock);
  while (t->dropping && !t->stopping) pthread_cond_wait(&t->changed, &t->lock);
  int64_t until_ms = now_ms() + LAST_MS;
  struct timespec until = {until_ms / 1000, until_ms % 1000 * 1000000};
  while (t->dropping && !pthread_cond_timedwait(&t->changed, &t->lock, &until)) continue;
  s = t->dropping ? STATUS_TIMEOUT : t->drop_status;
  pthread_mutex_unlock(&t->lock);
  return s ? error_set(err, s, NULL, "the notes cannot be removed") : STATUS_OK;
}

static void say_failed(struct tracer *t, const char *id, const struct error *err) {
  metric_add(METRIC_REPLAYS, (const char *const[]){"failed"}, 1);
  if (t->failing) return;
  struct log_context context = {NULL, id};
  log_error("replays", &context, "replay=failed error=\"%s\" it is tried again; this is said once",
            err->message);
  t->failing = true;
}

static bool past(int64_t deadline_ms) {
  return deadline_ms && now_ms() >= deadline_ms;
}

/* From files that were put to notes that are gone. Answers whether it went well. */
static bool finish(struct tracer *t, const struct store_trace *done, size_t count) {
  struct error err = {0};
  if (!count) return true;
  if (!t->place->ops->settle(t->place, &err) && !drop(t, done, count, &err)) return true;
  t->blocked = true;
  say_failed(t, NULL, &err);
  return false;
}

/* Whether it is this one debate's trouble and no other's. */
static bool is_of_the_log(enum status status) {
  return status == STATUS_CORRUPT || status == STATUS_TOO_LARGE || status == STATUS_UNSUPPORTED;
}

/* A page of them; *ret_more when there may be another. Answers how many failed. */
static size_t work_page(struct tracer *t, int64_t deadline_ms, bool *ret_more) {
  struct store_trace done[PAGE];
  struct error err = {0};
  size_t ready = 0, wrong = 0;
  t->count = 0;
  *ret_more = false;
  if (store_read_traces(t->store, t->after, PAGE, take_due, t, &err)) {
    t->blocked = true;
    say_failed(t, NULL, &err);
    return 1;
  }
  for (size_t i = 0; i < t->count && !past(deadline_ms); i++) {
    memcpy(t->after, t->ids[i], sizeof t->after);
    enum status s = bring_up_to_date(t, t->ids[i], &err);
    if (s) {
      say_failed(t, t->ids[i], &err);
      wrong++;
      t->blocked = !is_of_the_log(s);
      if (t->blocked) break;
    } else {
      done[ready++] = t->page[i];
    }
  }
  wrong += !finish(t, done, ready);
  *ret_more = t->count == PAGE && !t->blocked && !past(deadline_ms);
  return wrong;
}

static bool is_stopping(struct tracer *t) {
  pthread_mutex_lock(&t->lock);
  bool stopping = t->stopping;
  pthread_mutex_unlock(&t->lock);
  return stopping;
}

/* Everything that is due; false when something of it could not be done. */
static bool work(struct tracer *t, int64_t deadline_ms) {
  size_t wrong = 0;
  bool more = true;
  t->blocked = false;
  t->after[0] = '\0';
  while (more && (deadline_ms || !is_stopping(t))) wrong += work_page(t, deadline_ms, &more);
  if (wrong) {
    t->retry_ms = t->retry_ms ? t->retry_ms * 2 : RETRY_FIRST_MS;
    if (t->retry_ms > RETRY_MAX_MS) t->retry_ms = RETRY_MAX_MS;
    return false;
  }
  if (t->failing) log_info("replays", NULL, "replay=ok what had failed is written");
  t->failing = false;
  t->retry_ms = 0;
  return true;
}

/* ---- age ---- */

/* One step; the time of the next in t->sweep_at_ms. */
static void sweep(struct tracer *t) {
  struct error err = {0};
  size_t removed;
  bool more;
  int64_t before_ms = clock_wall_ms(&clock_system) - t->options.days * DAY_MS;
  enum status s = t->place->ops->sweep(t->place, before_ms, &more, &removed, &err);
  if (s) {
    say_failed(t, NULL, &err);
    more = false;
  } else if (removed) {
    metric_add(METRIC_REPLAYS, (const char *const[]){"removed"}, (int64_t)removed);
  }
  t->sweep_at_ms = now_ms() + (more ? SWEEP_STEP_MS : SWEEP_EVERY_MS);
}

/* ---- the thread ---- */

static void wake(void *ctx) {
  struct tracer *t = ctx;
  pthread_mutex_lock(&t->lock);
  t->due = true;
  pthread_cond_broadcast(&t->changed);
  pthread_mutex_unlock(&t->lock);
}

/* Until `at_ms` (0 = for ever), or the end, or, where `or_due`, until something is due. */
static void wait_until(struct tracer *t, int64_t at_ms, bool or_due) {
  struct timespec until = {at_ms / 1000, at_ms % 1000 * 1000000};
  pthread_mutex_lock(&t->lock);
  while (!t->stopping && !(or_due && t->due)) {
    if (!at_ms)
      pthread_cond_wait(&t->changed, &t->lock);
    else if (pthread_cond_timedwait(&t->changed, &t->lock, &until))
      break;
  }
  pthread_mutex_unlock(&t->lock);
}

static bool take_flag(struct tracer *t) {
  pthread_mutex_lock(&t->lock);
  bool due = t->due;
  t->due = false;
  pthread_mutex_unlock(&t->lock);
  return due;
}

static bool is_dropping(struct tracer *t) {
  pthread_mutex_lock(&t->lock);
  bool dropping = t->dropping;
  pthread_mutex_unlock(&t->lock);
  return dropping;
}

static void *tracer_main(void *ctx) {
  struct tracer *t = ctx;
  setpriority(PRIO_PROCESS, (id_t)gettid(), LOW_PRIORITY); /* of this thread (setpriority(2)) */
  int64_t retry_at_ms = 0;
  bool sweeps = t->options.days > 0;
  while (!is_stopping(t)) {
    bool retry = retry_at_ms && now_ms() >= retry_at_ms;
    if (retry || (!t->blocked && take_flag(t)))
      retry_at_ms = work(t, 0) ? 0 : now_ms() + t->retry_ms;
    if (sweeps && now_ms() >= t->sweep_at_ms) sweep(t);
    int64_t next_ms = sweeps ? t->sweep_at_ms : 0;
    if (retry_at_ms && (!next_ms || retry_at_ms < next_ms)) next_ms = retry_at_ms;
    wait_until(t, next_ms, !t->blocked);
    if (!t->blocked) wait_until(t, now_ms() + GATHER_MS, false);
  }
  if (!t->failing && !is_dropping(t)) work(t, now_ms() + LAST_MS);
  return NULL;
}

static void destroy(struct tracer *t) {
  t->place->ops->close(t->place);
  buffer_done(&t->events);
  buffer_done(&t->meta);
  pthread_cond_destroy(&t->changed);
  pthread_mutex_destroy(&t->lock);
  free(t);
}

static struct tracer *create(struct store *store, struct trace_place *place,
                             const struct tracer_options *options) {
  struct tracer *t = calloc(1, sizeof *t);
  if (!t) return NULL;
  t->store = store;
  t->place = place;
  t->options = *options;
  t->due = true; /* what a crash left */
  t->sweep_at_ms = now_ms();
  buffer_init(&t->events, EVENTS_MAX);
  buffer_init(&t->meta, EVENTS_MAX);
  pthread_mutex_init(&t->lock, NULL);
  clock_cond_init(&t->changed);
  return t;
}

enum status tracer_start(struct store *store, struct trace_place *place,
                         const struct tracer_options *options, struct tracer **ret_tracer,
                         struct error *err) {
  struct tracer *t = create(store, place, options);
  if (!t) {
    place->ops->close(place);
    return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  }
  /* First of all: what is noted while the thread begins would else wait for the next note. */
  store_on_trace(store, wake, t);
  int e = pthread_create(&t->thread, NULL, tracer_main, t);
  if (e) {
    store_on_trace(store, NULL, NULL);
    destroy(t);
    return error_set(err, STATUS_IO, NULL, "cannot start a thread: %s", strerror(e));
  }
  pthread_setname_np(t->thread, "tracer");
  *ret_tracer = t;
  return STATUS_OK;
}

void tracer_stop(struct tracer *t) {
  if (!t) return;
  store_on_trace(t->store, NULL, NULL);
  pthread_mutex_lock(&t->lock);
  t->stopping = true;
  if (t->place->ops->hurry) t->place->ops->hurry(t->place, now_ms() + LAST_MS);
  pthread_cond_broadcast(&t->changed);
  pthread_mutex_unlock(&t->lock);
  pthread_join(t->thread, NULL);
}

void tracer_destroy(struct tracer *t) {
  if (t) destroy(t);
}
