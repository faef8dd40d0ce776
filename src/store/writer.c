#include "store/writer.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "store/commit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* A transaction takes at most this much of the queue, so that the -wal of a burst stays small. */
enum { DRAIN_MAX_BYTES = 8 * 1024 * 1024 };

/* Pages of 4 KiB in the -wal: from 4 MiB a checkpoint is made when nobody waits, from 16 MiB also
 * when somebody does. Readers that hold an old state can delay it; ours are short. */
enum { CHECKPOINT_IDLE_PAGES = 1024, CHECKPOINT_BUSY_PAGES = 4096 };

enum { RETRY_FIRST_MS = 50, RETRY_MAX_MS = 1000, PROBE_MS = 1000 };

struct writer {
  pthread_mutex_t lock; /* guards everything down to `problem` */
  pthread_cond_t wake;
  struct batch *head, **tail;
  size_t queued_bytes; /* of the queue and of what is being written */
  size_t max_queued_bytes;
  bool closing;
  bool checkpointed;    /* by somebody else */
  struct error problem; /* why the last transaction was refused; STATUS_OK = it was not */
  int64_t patience_ms;
  pthread_mutex_t listener_lock; /* guards the next, and is held while one is woken */
  struct {
    store_wake_fn *wake;
    void *ctx;
  } listeners[WRITER_LISTENERS];
  struct commit commit; /* the writer's thread's own */
  pthread_t thread;
  _Atomic uint64_t keys_generation;
  atomic_llong busy_since_us; /* the thread works; 0 = it waits, for work or to try again */
};

static void set_busy(struct writer *w, bool busy) {
  atomic_store(&w->busy_since_us, busy ? clock_mono_us(&clock_system) : 0);
}

int64_t writer_busy_us(const struct writer *w) {
  int64_t since = atomic_load(&w->busy_since_us);
  return since ? clock_mono_us(&clock_system) - since : 0;
}

/* --- the queue ----------------------------------------------------------------------------- */

/* A small row now and then, which nobody would bring again, finds a place in a full queue too: who
 * fills it must not keep an act out of the audit log. */
static size_t room_for(const struct writer *w, const struct batch *batch) {
  return batch->breaker || batch->only_audit ? 2 * w->max_queued_bytes : w->max_queued_bytes;
}

enum status writer_append(struct writer *w, struct batch *batch) {
  enum status status = STATUS_OK;
  pthread_mutex_lock(&w->lock);
  if (w->closing)
    status = STATUS_UNAVAILABLE;
  else if (w->queued_bytes > 0 && w->queued_bytes + batch->size > room_for(w, batch))
    status = STATUS_FULL;
  bool was_empty = !w->head;
  if (status == STATUS_OK) {
    w->queued_bytes += batch->size;
    *w->tail = batch;
    w->tail = &batch->next;
  }
  pthread_mutex_unlock(&w->lock);
  if (status == STATUS_OK && was_empty) pthread_cond_signal(&w->wake);
  return status;
}

static struct timespec in_ms(int64_t wait_ms) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  int64_t ns = until.tv_nsec + wait_ms * 1000000;
  until.tv_sec += ns / 1000000000;
  until.tv_nsec = ns % 1000000000;
  return until;
}

/* The lock is held. Waits until there is a batch, or nothing will come any more; while the disk
 * refuses, only so long that it is tried again. */
static void wait_for_batch(struct writer *w) {
  struct timespec until = in_ms(PROBE_MS);
  int rc = 0;
  while (!w->head && !w->closing && !w->checkpointed && rc == 0)
    rc = w->problem.status ? pthread_cond_timedwait(&w->wake, &w->lock, &until)
                           : pthread_cond_wait(&w->wake, &w->lock);
}

/* Everything that waits, up to DRAIN_MAX_BYTES; NULL when there is nothing. *ret_over when that is
 * for ever; *ret_checkpointed as writer_note_checkpoint. */
static struct batch *take(struct writer *w, bool *ret_over, bool *ret_checkpointed) {
  pthread_mutex_lock(&w->lock);
  wait_for_batch(w);
  struct batch *first = w->head, *last = first;
  if (first) {
    size_t size = first->size;
    while (last->next && size + last->next->size <= DRAIN_MAX_BYTES) {
      last = last->next;
      size += last->size;
    }
    w->head = last->next;
    if (!w->head) w->tail = &w->head;
    last->next = NULL;
  }
  *ret_over = !first && w->closing;
  *ret_checkpointed = w->checkpointed;
  w->checkpointed = false;
  pthread_mutex_unlock(&w->lock);
  return first;
}

/* Fails what waits behind a failed batch of the same debate. */
static void fail_queued(struct writer *w, const struct batch *failed) {
  pthread_mutex_lock(&w->lock);
  for (struct batch *b = w->head; b; b = b->next)
    if (b->result == STATUS_OK && batch_same_debate(failed, b)) b->result = failed->result;
  pthread_mutex_unlock(&w->lock);
}

/* Makes room before anybody is told, so that a done function may append. */
static void give_back(struct writer *w, const struct batch *first) {
  size_t bytes = 0;
  for (const struct batch *b = first; b; b = b->next) bytes += b->size;
  pthread_mutex_lock(&w->lock);
  w->queued_bytes -= bytes;
  pthread_mutex_unlock(&w->lock);
}

uint64_t writer_keys_generation(const struct writer *w) {
  return w->keys_generation;
}

size_t writer_queued_bytes(struct writer *w) {
  pthread_mutex_lock(&w->lock);
  size_t bytes = w->queued_bytes;
  pthread_mutex_unlock(&w->lock);
  return bytes;
}

static bool is_idle(struct writer *w) {
  pthread_mutex_lock(&w->lock);
  bool idle = !w->head;
  pthread_mutex_unlock(&w->lock);
  return idle;
}

/* --- the thread ---------------------------------------------------------------------------- */

/* False at once when the writer is being stopped. */
static bool wait_to_retry(struct writer *w, int64_t wait_ms) {
  struct timespec until = in_ms(wait_ms);
  set_busy(w, false);
  pthread_mutex_lock(&w->lock);
  int rc = 0;
  while (!w->closing && rc == 0) rc = pthread_cond_timedwait(&w->wake, &w->lock, &until);
  bool go_on = !w->closing;
  pthread_mutex_unlock(&w->lock);
  set_busy(w, true);
  return go_on;
}

/* This is where a refusing disk is noticed and logged, once each way. */
static void set_problem(struct writer *w, const struct error *err) {
  static const struct error none = {0};
  pthread_mutex_lock(&w->lock);
  enum status before = w->problem.status;
  w->problem = err ? *err : none;
  pthread_mutex_unlock(&w->lock);
  if (!before && err)
    log_error("store", NULL, "event=append_held reason=\"%s\"", err->message);
  else if (before && !err)
    log_warning("store", NULL, "event=append_resumed");
}

static void fail_all(struct batch *first, enum status status) {
  for (struct batch *b = first; b; b = b->next)
    if (b->result == STATUS_OK) b->result = status;
}

/* Whether a trigger may have noted that the debate's replay files are stale. */
static bool makes_trace(const struct batch *b) {
  return b->deletion || (b->change != STORE_ROW_NONE && b->row.completed_ms >= 0);
}

static bool ends_debate(const struct batch *b) {
  return !b->deletion && makes_trace(b);
}

static void tell(struct writer *w, enum writer_listener listener) {
  pthread_mutex_lock(&w->listener_lock);
  if (w->listeners[listener].wake) w->listeners[listener].wake(w->listeners[listener].ctx);
  pthread_mutex_unlock(&w->listener_lock);
}

void writer_listen(struct writer *w, enum writer_listener listener, store_wake_fn *wake,
                   void *ctx) {
  pthread_mutex_lock(&w->listener_lock);
  w->listeners[listener].wake = wake;
  w->listeners[listener].ctx = ctx;
  pthread_mutex_unlock(&w->listener_lock);
}

/* What was read of keys may be out of date: of the key itself, or of its owner. */
static bool changes_keys(const struct batch *b) {
  return (b->key_change && b->key_change->kind != KEY_USE) ||
         (b->user && b->user->kind == USER_CHANGE);
}

/* Tells everybody, in the order of their calls. */
static void finish(struct writer *w, struct batch *first) {
  size_t events = 0;
  bool trace = false, end = false;
  for (struct batch *b = first, *next; b; b = next) {
    next = b->next;
    trace = trace || (b->result == STATUS_OK && makes_trace(b));
    end = end || (b->result == STATUS_OK && ends_debate(b));
    if (b->result != STATUS_OK)
      fail_queued(w, b);
    else
      events += b->traces ? 0 : b->count;
    if (b->result == STATUS_OK && b->audit) audit_pending_tell(b->audit);
    if (changes_keys(b)) w->keys_generation++;
    if (b->done) b->done(b->ctx, b->result);
    batch_free(b);
  }
  metric_add(METRIC_STORE_EVENTS, NULL, (int64_t)events);
  if (trace) tell(w, WRITER_TRACER);
  if (end) tell(w, WRITER_RATER);
}

/* ---- while the disk refuses ---- */

/* Nobody was promised it: what it would begin or undo is as it was. */
static bool is_unpromised(const struct batch *b) {
  return b->change == STORE_ROW_INSERT || b->deletion || b->job || b->user || b->share ||
         (b->key_change && b->key_change->kind != KEY_USE);
}

static bool is_behind(const struct batch *refused, const struct batch *b) {
  for (; refused; refused = refused->next)
    if (batch_same_debate(refused, b)) return true;
  return false;
}

/* Takes out of the list at *list, into the one at *refused, what need not be held and what is about
 * the same debate behind it. Returns the list's new end. */
static struct batch **pick_unpromised(struct batch **list, struct batch **refused,
                                      enum status status) {
  struct batch **end = refused;
  while (*end) end = &(*end)->next;
  while (*list) {
    struct batch *b = *list;
    if (!is_unpromised(b) && !is_behind(*refused, b)) {
      list = &b->next;
      continue;
    }
    *list = b->next;
    b->next = NULL;
    if (b->result == STATUS_OK) b->result = status;
    *end = b;
    end = &b->next;
  }
  return list;
}

/* Of what was taken and of what waits in the queue. */
static void refuse_unpromised(struct writer *w, struct batch **first, enum status status) {
  struct batch *refused = NULL;
  pick_unpromised(first, &refused, status);
  pthread_mutex_lock(&w->lock);
  w->tail = pick_unpromised(&w->head, &refused, status);
  pthread_mutex_unlock(&w->lock);
  give_back(w, refused);
  finish(w, refused);
}

/* Somebody else's lock passes; only one that is held for long is a problem of its own. */
static bool is_patient(const struct writer *w, enum status status, int64_t since_us) {
  return status == STATUS_TIMEOUT &&
         clock_mono_us(&clock_system) - since_us < w->patience_ms * 1000;
}

/* ---- one transaction ---- */

/* Returns when every batch of the chain has its result. The chain gets shorter by what is refused.
 * An empty one is tried once: whether the disk takes writes again. */
static void settle(struct writer *w, struct batch **first) {
  int64_t wait_ms = RETRY_FIRST_MS;
  int64_t since_us = clock_mono_us(&clock_system);
  for (bool last = !*first;;) {
    struct error err;
    int64_t begun_us = clock_mono_us(&clock_system);
    enum status status = commit_batches(&w->commit, *first, &err);
    if (status == STATUS_OK) {
      metric_add(METRIC_STORE_COMMITS, NULL, 1);
      metric_observe_us(METRIC_STORE_COMMIT_DURATION, NULL,
                        clock_mono_us(&clock_system) - begun_us);
      if (w->problem.status) set_problem(w, NULL);
      return;
    }
    metric_add(METRIC_STORE_ERRORS, NULL, 1);
    if (!is_patient(w, status, since_us)) {
      set_problem(w, &err);
      refuse_unpromised(w, first, status);
    }
    if (last || !*first) {
      fail_all(*first, status);
      return;
    }
    last = !wait_to_retry(w, wait_ms);
    wait_ms = wait_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : wait_ms * 2;
  }
}

static void *writer_main(void *ctx) {
  struct writer *w = ctx;
  commit_settle_archive(&w->commit);
  for (bool over = false, checkpointed = false;;) {
    set_busy(w, false);
    struct batch *first = take(w, &over, &checkpointed);
    set_busy(w, true);
    if (over) return NULL;
    if (checkpointed) commit_stamp_archive(&w->commit);
    if (!first && !w->problem.status) continue; /* only this thread sets it */
    settle(w, &first);
    give_back(w, first);
    finish(w, first);
    int pages = w->commit.wal_pages;
    if (pages >= CHECKPOINT_BUSY_PAGES || (pages >= CHECKPOINT_IDLE_PAGES && is_idle(w)))
      commit_checkpoint(&w->commit);
  }
}

/* --- its life ------------------------------------------------------------------------------ */

static void destroy(struct writer *w) {
  commit_done(&w->commit);
  pthread_cond_destroy(&w->wake);
  pthread_mutex_destroy(&w->lock);
  pthread_mutex_destroy(&w->listener_lock);
  free(w);
}

enum status writer_start(sqlite3 *db, size_t max_queued_bytes, int64_t patience_ms,
                         const struct store_archive_options *archive, int64_t audit_rows_max,
                         struct writer **ret_writer, struct error *err) {
  struct writer *w = calloc(1, sizeof *w);
  if (!w) {
    sqlite_close(db);
    return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  }
  w->tail = &w->head;
  w->max_queued_bytes = max_queued_bytes;
  w->patience_ms = patience_ms;
  pthread_mutex_init(&w->lock, NULL);
  pthread_mutex_init(&w->listener_lock, NULL);
  clock_cond_init(&w->wake);
  enum status status = commit_init(&w->commit, db, archive, audit_rows_max, err);
  if (!status && pthread_create(&w->thread, NULL, writer_main, w) != 0)
    status = error_set(err, STATUS_IO, NULL, "the writer's thread cannot be started");
  if (status) {
    destroy(w);
    return status;
  }
  pthread_setname_np(w->thread, "writer");
  *ret_writer = w;
  return STATUS_OK;
}

void writer_stop(struct writer *w) {
  if (!w) return;
  pthread_mutex_lock(&w->lock);
  w->closing = true;
  pthread_cond_signal(&w->wake);
  pthread_mutex_unlock(&w->lock);
  pthread_join(w->thread, NULL);
  destroy(w);
}

void writer_note_checkpoint(struct writer *w) {
  pthread_mutex_lock(&w->lock);
  w->checkpointed = true;
  pthread_cond_signal(&w->wake);
  pthread_mutex_unlock(&w->lock);
}

enum status writer_check(struct writer *w, struct error *err) {
  pthread_mutex_lock(&w->lock);
  enum status status = w->problem.status;
  if (err && status) *err = w->problem;
  pthread_mutex_unlock(&w->lock);
  return status;
}

struct archive *writer_archive(const struct writer *w) {
  return w->commit.archive;
}
