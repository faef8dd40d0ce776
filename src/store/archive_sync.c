#include "store/archive_sync.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct syncer {
  pthread_mutex_t lock;
  pthread_cond_t wake;
  int64_t sync_us, roll_us;
  struct segment_file *open;    /* the writer's while `taken` */
  struct segment_file *to_seal; /* to be sealed, the thread's from there on */
  bool taken, closing;
  int64_t dirty_since_us; /* 0 = nothing to sync */
  int64_t written_ms, synced_ms;
  bool failed;
  struct error failure;
  store_wake_fn *seal_wake;
  void *seal_ctx;
  pthread_t thread;
};

/* --- one file ------------------------------------------------------------------------------- */

static void segment_file_free(struct segment_file *file) {
  if (!file) return;
  if (file->fd >= 0) close(file->fd);
  free(file->dir);
  free(file);
}

static char *path_of(const struct segment_file *file, enum segment_form form) {
  char name[SEGMENT_NAME_SIZE];
  archive_segment_name(file->head.first, form, name);
  return archive_chain_path(file->dir, file->head.chain, name);
}

static enum status write_error(const char *path, struct error *err) {
  bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
  return error_set(err, full ? STATUS_FULL : STATUS_IO, NULL, "%s: %s", path, strerror(errno));
}

static enum status make_file(struct segment_file *file, struct error *err) {
  FREE_LATER char *path = path_of(file, SEGMENT_OPEN);
  if (!path) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  file->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
  if (file->fd < 0) return write_error(path, err);
  uint8_t head[SEGMENT_HEAD];
  segment_write_head(&file->head, head);
  ssize_t written = pwrite(file->fd, head, sizeof head, 0);
  if (written == sizeof head) return STATUS_OK;
  if (written >= 0) errno = ENOSPC;
  enum status status = write_error(path, err);
  unlink(path);
  return status;
}

static enum status open_file(struct segment_file *file, struct error *err) {
  FREE_LATER char *path = path_of(file, SEGMENT_OPEN);
  if (!path) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  file->fd = open(path, O_WRONLY | O_CLOEXEC);
  return file->fd < 0 ? write_error(path, err) : STATUS_OK;
}

static enum status new_file(const char *dir, const struct segment_head *head,
                            enum status (*get)(struct segment_file *, struct error *),
                            struct segment_file **ret_file, struct error *err) {
  struct segment_file *file = calloc(1, sizeof *file);
  if (!file) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  *file = (struct segment_file){.fd = -1,
                                .dir = strdup(dir),
                                .head = *head,
                                .size = SEGMENT_HEAD,
                                .opened_us = clock_mono_us(&clock_system)};
  enum status status =
      file->dir ? get(file, err) : error_set(err, STATUS_NOMEM, NULL, "out of memory");
  if (status) {
    segment_file_free(file);
    return status;
  }
  *ret_file = file;
  return STATUS_OK;
}

enum status segment_file_create(const char *dir, const struct segment_head *head,
                                struct segment_file **ret_file, struct error *err) {
  return new_file(dir, head, make_file, ret_file, err);
}

enum status segment_file_reopen(const char *dir, const struct segment_head *head, uint64_t records,
                                struct segment_file **ret_file, struct error *err) {
  enum status status = new_file(dir, head, open_file, ret_file, err);
  if (!status) (*ret_file)->records = records;
  return status;
}

void segment_file_discard(struct segment_file *file) {
  if (!file) return;
  FREE_LATER char *path = path_of(file, SEGMENT_OPEN);
  if (path) unlink(path);
  segment_file_free(file);
}

static bool sync_directory(const char *path) {
  int fd = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  bool ok = fd >= 0 && fsync(fd) == 0;
  if (fd >= 0) close(fd);
  return ok;
}

/* The file's bytes, and its name where that is new. */
static bool sync_file(struct segment_file *file) {
  if (fdatasync(file->fd) != 0) return false;
  if (file->placed) return true;
  FREE_LATER char *chain = archive_path(file->dir, file->head.chain);
  file->placed = sync_directory(chain) && sync_directory(file->dir);
  return file->placed;
}

/* One without a record stays open, for the next run to go on with. */
static bool seal(struct segment_file *file) {
  FREE_LATER char *open_path = path_of(file, SEGMENT_OPEN);
  FREE_LATER char *sealed_path = path_of(file, SEGMENT_SEALED);
  FREE_LATER char *chain = archive_path(file->dir, file->head.chain);
  if (!open_path || !sealed_path || !chain) return false;
  if (file->records == 0) return true;
  if (fdatasync(file->fd) != 0 || rename(open_path, sealed_path) != 0) return false;
  return sync_directory(chain) && (file->placed || sync_directory(file->dir));
}

/* --- the thread ----------------------------------------------------------------------------- */

static void note_failure(struct syncer *s, const struct segment_file *file) {
  int reason = errno;
  metric_add(METRIC_ARCHIVE_FAILURES, NULL, 1);
  pthread_mutex_lock(&s->lock);
  s->failed = true;
  error_set(&s->failure, STATUS_IO, NULL, "%s/%s: cannot be synced: %s", file->dir,
            file->head.chain, strerror(reason));
  pthread_mutex_unlock(&s->lock);
}

static void seal_all(struct syncer *s, struct segment_file *first) {
  for (struct segment_file *file = first, *next; file; file = next) {
    next = file->next;
    if (!seal(file)) note_failure(s, file);
    segment_file_free(file);
  }
}

/* Until something is due; true when that is a sync. Called and returns with the lock. */
static void wait_until_due(struct syncer *s) {
  for (;;) {
    int64_t due = -1;
    if (s->open && s->open->records && !s->taken) due = s->open->opened_us + s->roll_us;
    if (s->dirty_since_us && (due < 0 || s->dirty_since_us + s->sync_us < due))
      due = s->dirty_since_us + s->sync_us;
    if (s->closing || s->to_seal) return;
    if (due < 0) {
      pthread_cond_wait(&s->wake, &s->lock);
      continue;
    }
    if (clock_mono_us(&clock_system) >= due) return;
    struct timespec until = {due / 1000000, due % 1000000 * 1000};
    pthread_cond_timedwait(&s->wake, &s->lock, &until);
  }
}

static void retire_open(struct syncer *s) {
  if (!s->open) return;
  s->open->next = s->to_seal;
  s->to_seal = s->open;
  s->open = NULL;
}

/* What is due: the lock is free while the disk works. The open file stays: only this thread closes
 * any. */
static void work(struct syncer *s) {
  int64_t now = clock_mono_us(&clock_system);
  if (s->open && !s->taken && s->open->records &&
      (s->closing || now >= s->open->opened_us + s->roll_us))
    retire_open(s);
  struct segment_file *done = s->to_seal, *open = s->dirty_since_us ? s->open : NULL;
  int64_t written_ms = s->written_ms;
  s->to_seal = NULL;
  s->dirty_since_us = 0;
  pthread_mutex_unlock(&s->lock);
  seal_all(s, done);
  bool synced = !open || sync_file(open);
  if (!synced) note_failure(s, open);
  pthread_mutex_lock(&s->lock);
  if (done && s->seal_wake) s->seal_wake(s->seal_ctx);
  if (s->failed || written_ms <= s->synced_ms) return;
  s->synced_ms = written_ms;
  metric_set(METRIC_ARCHIVE_SYNCED, NULL, written_ms / 1000);
}

static void *syncer_main(void *ctx) {
  struct syncer *s = ctx;
  pthread_mutex_lock(&s->lock);
  while (!s->closing) {
    wait_until_due(s);
    work(s);
  }
  retire_open(s);
  work(s);
  pthread_mutex_unlock(&s->lock);
  return NULL;
}

/* --- its life ------------------------------------------------------------------------------- */

enum status syncer_start(int64_t sync_ms, int64_t roll_ms, struct syncer **ret_syncer,
                         struct error *err) {
  struct syncer *s = calloc(1, sizeof *s);
  if (!s) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  s->sync_us = sync_ms * 1000;
  s->roll_us = roll_ms * 1000;
  s->written_ms = s->synced_ms = -1;
  pthread_mutex_init(&s->lock, NULL);
  clock_cond_init(&s->wake);
  if (pthread_create(&s->thread, NULL, syncer_main, s) != 0) {
    free(s);
    return error_set(err, STATUS_IO, NULL, "the archive's thread cannot be started");
  }
  pthread_setname_np(s->thread, "archive");
  *ret_syncer = s;
  return STATUS_OK;
}

void syncer_stop(struct syncer *s) {
  if (!s) return;
  pthread_mutex_lock(&s->lock);
  s->closing = true;
  pthread_cond_signal(&s->wake);
  pthread_mutex_unlock(&s->lock);
  pthread_join(s->thread, NULL);
  pthread_cond_destroy(&s->wake);
  pthread_mutex_destroy(&s->lock);
  free(s);
}

/* --- the writer's side ---------------------------------------------------------------------- */

void syncer_use(struct syncer *s, struct segment_file *file) {
  pthread_mutex_lock(&s->lock);
  retire_open(s);
  s->open = file;
  pthread_cond_signal(&s->wake);
  pthread_mutex_unlock(&s->lock);
}

void syncer_seal(struct syncer *s, struct segment_file *file) {
  pthread_mutex_lock(&s->lock);
  file->next = s->to_seal;
  s->to_seal = file;
  pthread_cond_signal(&s->wake);
  pthread_mutex_unlock(&s->lock);
}

struct segment_file *syncer_take(struct syncer *s) {
  pthread_mutex_lock(&s->lock);
  struct segment_file *file = s->open;
  s->taken = file != NULL;
  pthread_mutex_unlock(&s->lock);
  return file;
}

void syncer_give(struct syncer *s, uint64_t bytes, int64_t ts_ms) {
  pthread_mutex_lock(&s->lock);
  bool wake = bytes && !s->dirty_since_us;
  if (bytes) {
    s->open->size += bytes;
    s->open->records++;
    s->written_ms = ts_ms;
  }
  if (wake) s->dirty_since_us = clock_mono_us(&clock_system);
  s->taken = false;
  if (wake) pthread_cond_signal(&s->wake);
  pthread_mutex_unlock(&s->lock);
}

bool syncer_failed(struct syncer *s, struct error *ret_err) {
  pthread_mutex_lock(&s->lock);
  bool failed = s->failed;
  if (failed) *ret_err = s->failure;
  s->failed = false;
  pthread_mutex_unlock(&s->lock);
  return failed;
}

void syncer_on_seal(struct syncer *s, store_wake_fn *wake, void *ctx) {
  pthread_mutex_lock(&s->lock);
  s->seal_wake = wake;
  s->seal_ctx = ctx;
  pthread_mutex_unlock(&s->lock);
}

int64_t syncer_last_ms(struct syncer *s) {
  pthread_mutex_lock(&s->lock);
  int64_t ms = s->synced_ms;
  pthread_mutex_unlock(&s->lock);
  return ms;
}
