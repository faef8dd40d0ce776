#include "store/writer.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "store/commit.h"

#include <pthread.h>
#include <stdlib.h>

/* A transaction takes at most this much of the queue, so that the -wal of a burst stays small. */
enum { DRAIN_MAX_BYTES = 8 * 1024 * 1024 };

/* Pages of 4 KiB in the -wal: from 4 MiB a checkpoint is made when nobody waits, from 16 MiB also
 * when somebody does. Readers that hold an old state can delay it; ours are short. */
enum { CHECKPOINT_IDLE_PAGES = 1024, CHECKPOINT_BUSY_PAGES = 4096 };

enum { RETRY_FIRST_MS = 50, RETRY_MAX_MS = 1000 };

struct writer {
  pthread_mutex_t lock; /* guards everything down to `closing` */
  pthread_cond_t wake;
  struct batch *head, **tail;
  size_t queued_bytes; /* of the queue and of what is being written */
  size_t max_queued_bytes;
  bool closing;
  bool writable;        /* atomic */
  struct commit commit; /* the writer's thread's own */
  pthread_t thread;
};

/* --- the queue ----------------------------------------------------------------------------- */

enum status writer_append(struct writer *w, struct batch *batch) {
  enum status status = STATUS_OK;
  pthread_mutex_lock(&w->lock);
  if (w->closing)
    status = STATUS_UNAVAILABLE;
  else if (w->queued_bytes > 0 && w->queued_bytes + batch->size > w->max_queued_bytes &&
           !batch->breaker) /* a small row now and then, which nobody would bring again */
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

/* Everything that waits, up to DRAIN_MAX_BYTES; NULL when the queue is empty for ever. */
static struct batch *take(struct writer *w) {
  pthread_mutex_lock(&w->lock);
  while (!w->head && !w->closing) pthread_cond_wait(&w->wake, &w->lock);
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
  pthread_mutex_unlock(&w->lock);
  return first;
}

/* Fails what waits behind a failed batch of the same debate. */
static void fail_queued(struct writer *w, const struct batch *failed) {
  pthread_mutex_lock(&w->lock);
  for (struct batch *b = w->head; b; b = b->next)
    if (b->result == STATUS_OK && strcmp(b->debate_id, failed->debate_id) == 0)
      b->result = failed->result;
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

static bool is_idle(struct writer *w) {
  pthread_mutex_lock(&w->lock);
  bool idle = !w->head;
  pthread_mutex_unlock(&w->lock);
  return idle;
}

/* --- the thread ---------------------------------------------------------------------------- */

/* False at once when the writer is being stopped. */
static bool wait_to_retry(struct writer *w, int64_t wait_ms) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  int64_t ns = until.tv_nsec + wait_ms * 1000000;
  until.tv_sec += ns / 1000000000;
  until.tv_nsec = ns % 1000000000;
  pthread_mutex_lock(&w->lock);
  int rc = 0;
  while (!w->closing && rc == 0) rc = pthread_cond_timedwait(&w->wake, &w->lock, &until);
  bool go_on = !w->closing;
  pthread_mutex_unlock(&w->lock);
  return go_on;
}

/* This is where a refusing disk is noticed and logged, once each way. */
static void set_writable(struct writer *w, bool writable, const struct error *err) {
  bool before = __atomic_exchange_n(&w->writable, writable, __ATOMIC_SEQ_CST);
  if (before && !writable)
    log_error("store", NULL, "event=append_held reason=\"%s\"", err->message);
  else if (!before && writable)
    log_warning("store", NULL, "event=append_resumed");
}

static void fail_all(struct batch *first, enum status status) {
  for (struct batch *b = first; b; b = b->next)
    if (b->result == STATUS_OK) b->result = status;
}

/* Returns when every batch of the chain has its result. */
static void settle(struct writer *w, struct batch *first) {
  int64_t wait_ms = RETRY_FIRST_MS;
  for (bool last = false;;) {
    struct error err;
    enum status status = commit_batches(&w->commit, first, &err);
    if (status == STATUS_OK) {
      metric_add(METRIC_STORE_COMMITS, NULL, 1);
      set_writable(w, true, NULL);
      return;
    }
    metric_add(METRIC_STORE_ERRORS, NULL, 1);
    set_writable(w, false, &err);
    if (last) {
      fail_all(first, status);
      return;
    }
    last = !wait_to_retry(w, wait_ms);
    wait_ms = wait_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : wait_ms * 2;
  }
}

/* Tells everybody, in the order of their calls. */
static void finish(struct writer *w, struct batch *first) {
  size_t events = 0;
  for (struct batch *b = first, *next; b; b = next) {
    next = b->next;
    if (b->result != STATUS_OK)
      fail_queued(w, b);
    else
      events += b->count;
    if (b->done) b->done(b->ctx, b->result);
    batch_free(b);
  }
  metric_add(METRIC_STORE_EVENTS, NULL, (int64_t)events);
}

static void *writer_main(void *ctx) {
  struct writer *w = ctx;
  for (struct batch *first; (first = take(w));) {
    settle(w, first);
    give_back(w, first);
    finish(w, first);
    int pages = w->commit.wal_pages;
    if (pages >= CHECKPOINT_BUSY_PAGES || (pages >= CHECKPOINT_IDLE_PAGES && is_idle(w)))
      commit_checkpoint(&w->commit);
  }
  return NULL;
}

/* --- its life ------------------------------------------------------------------------------ */

static void destroy(struct writer *w) {
  commit_done(&w->commit);
  pthread_cond_destroy(&w->wake);
  pthread_mutex_destroy(&w->lock);
  free(w);
}

enum status writer_start(sqlite3 *db, size_t max_queued_bytes, struct writer **ret_writer,
                         struct error *err) {
  struct writer *w = calloc(1, sizeof *w);
  if (!w) {
    sqlite_close(db);
    return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  }
  w->tail = &w->head;
  w->max_queued_bytes = max_queued_bytes;
  w->writable = true;
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_mutex_init(&w->lock, NULL);
  pthread_cond_init(&w->wake, &monotonic);
  pthread_condattr_destroy(&monotonic);
  enum status status = commit_init(&w->commit, db, err);
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

bool writer_is_writable(const struct writer *w) {
  return __atomic_load_n(&w->writable, __ATOMIC_SEQ_CST);
}
