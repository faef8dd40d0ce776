#include "store/archive.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "store/archive_resume.h"
#include "store/archive_sync.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* A clock that was set back by less than this is waited for; by more, a new chain begins, so that
 * the times along each chain never decrease. */
enum { CLOCK_BACK_MAX_MS = 10000 };

/* How long until a new chain is tried again, doubling; a chain that held this long starts it over.
 */
enum { RETRY_FIRST_MS = 1000, RETRY_MAX_MS = 60000 };

enum archive_phase {
  ARCHIVE_UNSEEN,  /* no transaction yet: nobody knows whether the chain goes on */
  ARCHIVE_RUNNING, /* every commit is recorded */
  ARCHIVE_BROKEN   /* there is a hole since `reason`: a new chain is wanted */
};

/* What the open transaction is to the archive. */
enum archive_turn {
  TURN_NONE,   /* nothing */
  TURN_RECORD, /* a record, which archive_put writes */
  TURN_CHAIN,  /* the one that puts the database into a new chain */
  TURN_LOST    /* one whose record could not be written */
};

struct archive {
  char *dir;
  struct store_archive_options options; /* its dir is the one above */
  sqlite3 *db;
  struct changes changes; /* gathers while a chain runs */
  struct syncer *syncer;
  int lock_fd; /* -1 = not ours yet */

  enum archive_phase phase;
  const char *reason;
  struct position at; /* of the last commit */
  uint32_t commits;   /* what position_count_commits answers unless somebody else writes */
  int64_t last_ms;    /* the last commit's time */
  int64_t begun_ms;   /* the chain's */
  uint64_t order;     /* the chain's */

  enum archive_turn turn;
  uint32_t commits_before;
  struct segment_file *file;   /* taken for a record, or the new chain's first */
  char next_chain[CHAIN_SIZE]; /* TURN_CHAIN */
  uint64_t put_bytes;
  int64_t put_ms;
  struct error lost;

  int64_t retry_at_us, retry_ms;
  bool failing;

  pthread_mutex_t lock; /* guards `state` */
  struct store_archive_state state;
};

static int64_t mono_us(void) {
  return clock_mono_us(&clock_system);
}

static int64_t wall_ms(const struct archive *a) {
  return clock_wall_ms(a->options.clock);
}

/* --- what others see ------------------------------------------------------------------------ */

static bool has_base(const struct archive *a, const char *chain) {
  FREE_LATER char *path = archive_chain_path(a->dir, chain, "base");
  return path && access(path, F_OK) == 0;
}

static void publish(struct archive *a) {
  bool running = a->phase == ARCHIVE_RUNNING;
  pthread_mutex_lock(&a->lock);
  a->state.running = running;
  a->state.failing = a->failing;
  a->state.number = a->at.number;
  if (running)
    memcpy(a->state.chain, a->at.chain, CHAIN_SIZE);
  else
    a->state.chain[0] = '\0';
  pthread_mutex_unlock(&a->lock);
}

static void publish_chain(struct archive *a) {
  bool based = has_base(a, a->at.chain);
  pthread_mutex_lock(&a->lock);
  a->state.base_wanted_since_ms = based ? -1 : a->begun_ms;
  pthread_mutex_unlock(&a->lock);
  publish(a);
}

void archive_get_state(struct archive *a, struct store_archive_state *ret_state) {
  int64_t synced_ms = syncer_last_ms(a->syncer);
  pthread_mutex_lock(&a->lock);
  *ret_state = a->state;
  pthread_mutex_unlock(&a->lock);
  ret_state->last_synced_ms = synced_ms;
}

enum status archive_note_base(struct archive *a, const char *chain, struct error *err) {
  FREE_LATER char *path = archive_chain_path(a->dir, chain, "base");
  int fd = path ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640) : -1;
  if (fd < 0)
    return error_set(err, STATUS_IO, NULL, "%s: %s", path ? path : a->dir, strerror(errno));
  close(fd);
  pthread_mutex_lock(&a->lock);
  if (strcmp(a->state.chain, chain) == 0) a->state.base_wanted_since_ms = -1;
  pthread_mutex_unlock(&a->lock);
  return STATUS_OK;
}

void archive_on_seal(struct archive *a, store_wake_fn *wake, void *ctx) {
  syncer_on_seal(a->syncer, wake, ctx);
}

/* --- the end of a chain --------------------------------------------------------------------- */

/* Logged once each way. */
static void set_failing(struct archive *a, const struct error *reason) {
  if (reason && !a->failing)
    log_error("store", NULL, "event=archive_failing reason=\"%s\"", reason->message);
  if (!reason && a->failing) log_warning("store", NULL, "event=archive_resumed");
  a->failing = reason != NULL;
  metric_set(METRIC_ARCHIVE_FAILING, NULL, a->failing);
}

static void end_chain(struct archive *a, const char *reason) {
  if (a->phase == ARCHIVE_RUNNING)
    log_warning("store", NULL, "event=archive_chain_ended chain=%s number=%" PRId64 " reason=%s",
                a->at.chain, a->at.number, reason);
  a->phase = ARCHIVE_BROKEN;
  a->reason = reason;
  syncer_use(a->syncer, NULL);
  changes_done(&a->changes);
  publish(a);
}

/* What is wrong with the archive's files. Tried again later and later, unless it had gone well for
 * long. */
static void fail(struct archive *a, const struct error *reason) {
  metric_add(METRIC_ARCHIVE_FAILURES, NULL, 1);
  bool held = a->phase == ARCHIVE_RUNNING && wall_ms(a) - a->begun_ms > RETRY_MAX_MS;
  a->retry_ms = held || !a->retry_ms ? RETRY_FIRST_MS : a->retry_ms * 2;
  if (a->retry_ms > RETRY_MAX_MS) a->retry_ms = RETRY_MAX_MS;
  a->retry_at_us = mono_us() + a->retry_ms * 1000;
  set_failing(a, reason);
  end_chain(a, "not_archived");
}

/* --- the beginning of one ------------------------------------------------------------------- */

/* One server at a time: another's open segment is not to be sealed. Kept until the end. */
static enum status take_directory(struct archive *a, struct error *err) {
  if (a->lock_fd >= 0) return STATUS_OK;
  if (mkdir(a->dir, 0750) < 0 && errno != EEXIST)
    return error_set(err, STATUS_IO, NULL, "%s: %s", a->dir, strerror(errno));
  FREE_LATER char *path = archive_path(a->dir, "lock");
  int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640) : -1;
  if (fd < 0)
    return error_set(err, STATUS_IO, NULL, "%s: %s", path ? path : a->dir, strerror(errno));
  if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
    close(fd);
    return error_set(err, STATUS_IO, NULL, "%s: another server archives here", a->dir);
  }
  a->lock_fd = fd;
  return STATUS_OK;
}

static void make_chain_id(char out[CHAIN_SIZE]) {
  uint8_t raw[(CHAIN_SIZE - 1) / 2];
  randombytes_buf(raw, sizeof raw);
  bytes_to_hex(raw, sizeof raw, out);
}

static void discard_chain(struct archive *a) {
  segment_file_discard(a->file);
  a->file = NULL;
  archive_remove_stamp(a->dir, a->next_chain);
  FREE_LATER char *path = archive_path(a->dir, a->next_chain);
  if (path) rmdir(path);
}

/* Behind every chain that is there. */
static enum status find_order(const struct archive *a, uint64_t *ret_order, struct error *err) {
  char(*chains)[CHAIN_SIZE];
  size_t count;
  uint64_t last = 0;
  enum status status = archive_chains(a->dir, &chains, &count, err);
  if (status) return status;
  for (size_t i = 0; i < count; i++) {
    struct segment_head head = {0};
    if (!archive_load_chain_head(a->dir, chains[i], &head) && head.order > last) last = head.order;
  }
  free(chains);
  *ret_order = last + 1;
  return STATUS_OK;
}

/* The files of a new chain; the first record will be the commit after this transaction's. */
static enum status make_chain(struct archive *a, struct error *err) {
  make_chain_id(a->next_chain);
  enum status status = find_order(a, &a->order, err);
  if (status) return status;
  FREE_LATER char *path = archive_path(a->dir, a->next_chain);
  if (!path) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  if (mkdir(path, 0750) < 0)
    return error_set(err, STATUS_IO, NULL, "%s: %s", path, strerror(errno));
  a->put_ms = wall_ms(a);
  struct segment_head head = {.schema = (uint32_t)a->at.schema,
                              .first = (uint64_t)a->at.number + 2,
                              .previous_ms = a->put_ms,
                              .begun_ms = a->put_ms,
                              .order = a->order};
  memcpy(head.chain, a->next_chain, CHAIN_SIZE);
  struct file_stamp stamp;
  status = segment_file_create(a->dir, &head, &a->file, err);
  if (!status) status = file_stamp_take(a->db, &stamp, err);
  if (!status) status = archive_write_stamp(a->dir, a->next_chain, &stamp, err);
  if (status) discard_chain(a);
  return status;
}

static enum status begin_chain(struct archive *a, struct error *err) {
  struct error reason;
  enum status status = position_read(a->db, &a->at, err);
  if (status) return status;
  if (take_directory(a, &reason) || make_chain(a, &reason)) {
    fail(a, &reason);
    return STATUS_OK;
  }
  a->turn = TURN_CHAIN;
  return position_set_chain(a->db, a->next_chain, err); /* rolled back when it fails */
}

static void chain_has_begun(struct archive *a) {
  struct error reason;
  memcpy(a->at.chain, a->next_chain, CHAIN_SIZE);
  a->last_ms = a->begun_ms = a->put_ms;
  if (changes_init(&a->changes, a->db, &reason)) {
    segment_file_discard(a->file);
    fail(a, &reason);
    return;
  }
  syncer_use(a->syncer, a->file);
  a->phase = ARCHIVE_RUNNING;
  set_failing(a, NULL);
  metric_add(METRIC_ARCHIVE_CHAINS, NULL, 1);
  log_info("store", NULL, "event=archive_chain_begun chain=%s number=%" PRId64 " reason=%s",
           a->at.chain, a->at.number, a->reason);
  publish_chain(a);
}

/* --- the start ------------------------------------------------------------------------------ */

/* A new segment for the next record; the one before gets sealed. */
static enum status next_segment(struct archive *a, struct error *err) {
  struct segment_head head = {.schema = (uint32_t)a->at.schema,
                              .first = (uint64_t)a->at.number + 1,
                              .previous_ms = a->last_ms,
                              .begun_ms = a->begun_ms,
                              .order = a->order};
  memcpy(head.chain, a->at.chain, CHAIN_SIZE);
  struct segment_file *file;
  enum status status = segment_file_create(a->dir, &head, &file, err);
  if (!status) syncer_use(a->syncer, file);
  return status;
}

/* Goes on with the chain of the last run, where nothing can have happened in between. */
static void look_at_last_run(struct archive *a) {
  struct error reason = {0};
  struct archive_resumption r = {0};
  enum status status = position_read(a->db, &a->at, &reason);
  if (!status) status = take_directory(a, &reason);
  if (!status) status = archive_resume(a->dir, a->db, &a->at, a->syncer, &r, &reason);
  if (!status && r.resumed) {
    a->last_ms = r.last_ms;
    a->begun_ms = r.begun_ms;
    a->order = r.order;
    if (r.voided) status = next_segment(a, &reason);
  }
  if (!status && r.resumed) status = changes_init(&a->changes, a->db, &reason);
  if (status || !r.resumed) {
    a->phase = ARCHIVE_BROKEN;
    a->reason = status ? "not_readable" : r.reason;
    if (status)
      log_warning("store", NULL, "event=archive_not_resumed reason=\"%s\"", reason.message);
    return;
  }
  a->phase = ARCHIVE_RUNNING;
  log_info("store", NULL, "event=archive_chain_resumed chain=%s number=%" PRId64, a->at.chain,
           a->at.number);
  publish_chain(a);
}

/* --- a transaction -------------------------------------------------------------------------- */

static void look_for_a_hole(struct archive *a, uint32_t commits) {
  struct error reason;
  if (syncer_failed(a->syncer, &reason))
    fail(a, &reason);
  else if (commits != a->commits)
    end_chain(a, "foreign_write");
  else if (wall_ms(a) < a->last_ms - CLOCK_BACK_MAX_MS)
    end_chain(a, "clock_set_back");
}

enum status archive_begin(struct archive *a, struct error *err) {
  uint32_t commits;
  a->turn = TURN_NONE;
  enum status status = position_count_commits(a->db, &commits, err);
  if (status) return status;
  a->commits_before = commits;
  if (a->phase == ARCHIVE_UNSEEN)
    look_at_last_run(a);
  else if (a->phase == ARCHIVE_RUNNING)
    look_for_a_hole(a, commits);
  a->commits = commits;
  if (a->phase == ARCHIVE_RUNNING)
    a->turn = TURN_RECORD;
  else if (mono_us() >= a->retry_at_us)
    return begin_chain(a, err);
  return STATUS_OK;
}

bool archive_is_beginning(const struct archive *a) {
  return a->turn == TURN_CHAIN;
}

void archive_mark(struct archive *a) {
  changes_mark(&a->changes);
}

void archive_rewind(struct archive *a) {
  changes_rewind(&a->changes);
}

struct changes *archive_changes(struct archive *a) {
  return &a->changes;
}

/* The file for the next record, a new one where it is due. */
static enum status take_file(struct archive *a, struct error *err) {
  a->file = syncer_take(a->syncer);
  if (a->file && (a->file->size < a->options.segment_bytes || a->file->records == 0))
    return STATUS_OK;
  if (a->file) syncer_give(a->syncer, 0, 0);
  a->file = NULL;
  enum status status = next_segment(a, err);
  if (!status) a->file = syncer_take(a->syncer);
  return status;
}

/* One write for the whole record; what a failed one leaves is cut off. */
static enum status write_record(struct archive *a, const struct iovec *pieces, size_t count,
                                struct error *err) {
  ssize_t length = 0;
  for (size_t i = 0; i < count; i++) length += (ssize_t)pieces[i].iov_len;
  ssize_t written = pwritev(a->file->fd, pieces, (int)count, (off_t)a->file->size);
  if (written == length) {
    a->put_bytes = (uint64_t)length;
    return STATUS_OK;
  }
  int reason = written < 0 ? errno : ENOSPC;
  if (ftruncate(a->file->fd, (off_t)a->file->size) < 0)
    log_warning("store", NULL, "event=archive_not_cut reason=\"%s\"", strerror(errno));
  return error_set(err, STATUS_IO, NULL, "%s/%s: %s", a->dir, a->at.chain, strerror(reason));
}

static enum status put(struct archive *a, struct error *err) {
  struct iovec pieces[CHANGES_PIECES_MAX + 1];
  uint8_t head[RECORD_HEAD];
  size_t count;
  if (changes_list(&a->changes, pieces + 1, &count))
    return error_set(err, STATUS_UNSUPPORTED, NULL, "a change that cannot be archived");
  enum status status = take_file(a, err);
  if (status) return status;
  int64_t now = wall_ms(a);
  a->put_ms = now > a->last_ms ? now : a->last_ms;
  segment_write_record((uint64_t)a->at.number + 1, a->put_ms, pieces + 1, count, head);
  pieces[0] = (struct iovec){head, sizeof head};
  return write_record(a, pieces, count + 1, err);
}

void archive_put(struct archive *a) {
  if (a->turn == TURN_RECORD && put(a, &a->lost)) a->turn = TURN_LOST;
}

/* The record that counts, or no record. */
static void give_file(struct archive *a, bool committed) {
  if (!a->file) return;
  bool counts = committed && a->turn == TURN_RECORD;
  if (!counts && a->put_bytes && ftruncate(a->file->fd, (off_t)a->file->size) < 0)
    log_warning("store", NULL, "event=archive_not_cut reason=\"%s\"", strerror(errno));
  syncer_give(a->syncer, counts ? a->put_bytes : 0, a->put_ms);
  a->file = NULL;
}

static void count_record(struct archive *a) {
  a->last_ms = a->put_ms;
  metric_add(METRIC_ARCHIVE_COMMITS, NULL, 1);
  metric_add(METRIC_ARCHIVE_BYTES, NULL, (int64_t)a->put_bytes);
}

void archive_end(struct archive *a, bool committed) {
  enum archive_turn turn = a->turn;
  if (committed) {
    a->commits = a->commits_before + 1;
    a->at.number++;
  }
  if (turn == TURN_CHAIN && committed) {
    chain_has_begun(a);
    a->file = NULL;
  } else if (turn == TURN_CHAIN) {
    discard_chain(a);
  } else {
    give_file(a, committed);
  }
  if (committed && turn == TURN_RECORD) count_record(a);
  if (committed && turn == TURN_LOST) fail(a, &a->lost);
  a->turn = TURN_NONE;
  a->put_bytes = 0;
  changes_clear(&a->changes);
  if (committed) publish(a);
}

void archive_stamp(struct archive *a) {
  struct file_stamp stamp;
  struct error err;
  if (a->phase != ARCHIVE_RUNNING) return;
  enum status status = file_stamp_take(a->db, &stamp, &err);
  if (!status) status = archive_write_stamp(a->dir, a->at.chain, &stamp, &err);
  if (status) log_warning("store", NULL, "event=archive_not_stamped reason=\"%s\"", err.message);
}

/* --- its life ------------------------------------------------------------------------------- */

enum status archive_start(const struct store_archive_options *options, sqlite3 *db,
                          struct archive **ret_archive, struct error *err) {
  struct archive *a = calloc(1, sizeof *a);
  if (!a) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  a->lock_fd = -1;
  a->db = db;
  a->options = *options;
  a->dir = strdup(options->dir);
  if (!a->options.clock) a->options.clock = &clock_system;
  a->state.base_wanted_since_ms = -1;
  a->state.enabled = true;
  pthread_mutex_init(&a->lock, NULL);
  enum status status = a->dir ? syncer_start(options->sync_ms, options->roll_ms, &a->syncer, err)
                              : error_set(err, STATUS_NOMEM, NULL, "out of memory");
  if (status) {
    archive_stop(a);
    return status;
  }
  *ret_archive = a;
  return STATUS_OK;
}

void archive_stop(struct archive *a) {
  if (!a) return;
  changes_done(&a->changes);
  syncer_stop(a->syncer);
  if (a->lock_fd >= 0) close(a->lock_fd);
  pthread_mutex_destroy(&a->lock);
  free(a->dir);
  free(a);
}
