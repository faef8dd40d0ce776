#include "store/snapshot.h"

#include "base/clock.h"
#include "store/handle.h"
#include "store/replacement.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum {
  PAGES_AT_ONCE = 64,        /* 256 KiB: a few hundred microseconds */
  WRITEBACK_BYTES = 4 << 20, /* see write_back */
};

struct snapshot {
  sqlite3 *locks[DATABASES];          /* closed last: the last one clears up -wal and -shm */
  struct inspect *sources[DATABASES]; /* each holds a read transaction */
};

/* --- the instant ---------------------------------------------------------------------------- */

static enum status require_file(const char *path, struct error *err) {
  if (access(path, F_OK) == 0) return STATUS_OK;
  if (errno == ENOENT)
    return error_set(err, STATUS_NOT_FOUND, NULL, "there is no database %s", path);
  return error_set(err, STATUS_IO, NULL, "%s: %s", path, strerror(errno));
}

/* Readers first: they refuse a foreign file before anything could be written into it. */
static enum status open_files(struct snapshot *s, const char *const paths[DATABASES],
                              int64_t busy_ms, struct error *err) {
  enum status status = replacement_finish(paths[DATABASE_MEMORY], err);
  for (int i = 0; i < DATABASES && !status; i++) status = require_file(paths[i], err);
  for (int i = 0; i < DATABASES && !status; i++)
    status = inspect_open_live(paths[i], (enum database)i, busy_ms, &s->sources[i], err);
  for (int i = 0; i < DATABASES && !status; i++)
    status = sqlite_open(paths[i], SQLITE_OPEN_READWRITE, busy_ms, &s->locks[i], err);
  return status;
}

static enum status lock(struct snapshot *s, struct error *err) {
  enum status status = STATUS_OK;
  for (int i = 0; i < DATABASES && !status; i++)
    status = sqlite_run(s->locks[i], "BEGIN IMMEDIATE", err);
  return status;
}

static void unlock(struct snapshot *s) {
  for (int i = DATABASES - 1; i >= 0; i--)
    if (s->locks[i] && !sqlite3_get_autocommit(s->locks[i]))
      sqlite3_exec(s->locks[i], "ROLLBACK", NULL, NULL, NULL);
}

/* A transaction reads from its first statement on, which is the one for the position. */
static enum status pin(struct snapshot *s, struct snapshot_point *point, struct error *err) {
  enum status status = STATUS_OK;
  for (int i = 0; i < DATABASES && !status; i++) {
    status = sqlite_run(inspect_connection(s->sources[i]), "BEGIN", err);
    if (!status) status = inspect_position(s->sources[i], &point->position[i], err);
  }
  point->taken_ms = clock_wall_ms(&clock_system);
  return status;
}

enum status snapshot_begin(const char *memory_path, const char *elo_path, int64_t busy_ms,
                           struct snapshot **ret_snapshot, struct snapshot_point *ret_point,
                           struct error *err) {
  const char *const paths[DATABASES] = {memory_path, elo_path};
  struct snapshot_point point = {0};
  struct snapshot *s = calloc(1, sizeof *s);
  if (!s) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  enum status status = open_files(s, paths, busy_ms, err);
  if (!status) status = lock(s, err);
  if (!status) status = pin(s, &point, err);
  unlock(s);
  if (status) {
    snapshot_end(s);
    return status;
  }
  *ret_snapshot = s;
  *ret_point = point;
  return STATUS_OK;
}

void snapshot_end(struct snapshot *s) {
  if (!s) return;
  for (int i = 0; i < DATABASES; i++) inspect_close(s->sources[i]);
  /* What the log grew by meanwhile is moved here and not by a server's writer, whose next commit
   * would wait for it: while this goes on, its own checkpoints have nothing to do. */
  if (s->locks[DATABASE_MEMORY])
    sqlite3_wal_checkpoint_v2(s->locks[DATABASE_MEMORY], NULL, SQLITE_CHECKPOINT_PASSIVE, NULL,
                              NULL);
  for (int i = 0; i < DATABASES; i++) sqlite_close(s->locks[i]);
  free(s);
}

/* --- the copy ------------------------------------------------------------------------------- */

struct copy {
  sqlite3_backup *backup;
  const struct snapshot_copying *copying;
  int64_t page_bytes;
  int fd; /* of the file that grows */
  int64_t written_back;
};

/* Begins to write out what was copied. A gigabyte of dirty pages that the system writes at once
 * holds up the fsync of everybody else's commit. */
static void write_back(struct copy *c, int64_t done_bytes) {
  if (done_bytes - c->written_back < WRITEBACK_BYTES) return;
  sync_file_range(c->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
  c->written_back = done_bytes;
}

static bool tell(const struct copy *c) {
  int64_t total = sqlite3_backup_pagecount(c->backup);
  int64_t left = sqlite3_backup_remaining(c->backup);
  if (!c->copying->step) return true;
  return c->copying->step(c->copying->ctx, (total - left) * c->page_bytes, total * c->page_bytes);
}

static int copy_pages(struct copy *c, bool *ret_stopped) {
  for (;;) {
    int rc = sqlite3_backup_step(c->backup, PAGES_AT_ONCE);
    if (rc == SQLITE_OK || rc == SQLITE_DONE) *ret_stopped = !tell(c);
    if (rc != SQLITE_OK || *ret_stopped) return rc;
    int64_t left = sqlite3_backup_remaining(c->backup);
    write_back(c, (sqlite3_backup_pagecount(c->backup) - left) * c->page_bytes);
  }
}

static enum status copy_into(sqlite3 *to, int fd, sqlite3 *from,
                             const struct snapshot_copying *copying, struct error *err) {
  struct copy c = {.copying = copying, .fd = fd};
  bool stopped = false;
  /* Nobody needs a half copy: no journal, no fsync. */
  enum status s = sqlite_run(to, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", err);
  if (!s) s = sqlite_get_int(from, "PRAGMA page_size", 4096, &c.page_bytes, err);
  if (s) return s;
  c.backup = sqlite3_backup_init(to, "main", from, "main");
  if (!c.backup) return sqlite_error(to, sqlite3_errcode(to), err);
  int rc = copy_pages(&c, &stopped);
  int end = sqlite3_backup_finish(c.backup);
  if (stopped) return error_set(err, STATUS_CANCELLED, NULL, "the copy was stopped");
  if (rc != SQLITE_DONE) return sqlite_error(to, rc, err);
  return end == SQLITE_OK ? STATUS_OK : sqlite_error(to, end, err);
}

static enum status make_copy(sqlite3 *from, const char *path,
                             const struct snapshot_copying *copying, struct error *err) {
  sqlite3 *to = NULL;
  /* Open until the connection is closed: closing it before would drop SQLite's own locks. */
  int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
  if (fd < 0)
    return error_set(err, errno == ENOSPC ? STATUS_FULL : STATUS_IO, NULL, "%s: %s", path,
                     strerror(errno));
  enum status s = sqlite_open(path, SQLITE_OPEN_READWRITE, 0, &to, err);
  if (!s) s = copy_into(to, fd, from, copying, err);
  sqlite_close(to);
  close(fd);
  if (s) unlink(path);
  return s;
}

static enum status check_copy(const char *path, enum database which, struct error *err) {
  struct inspect *copy;
  enum status s = inspect_open(path, which, &copy, err);
  if (s) return s;
  s = inspect_integrity(copy, err);
  inspect_close(copy);
  return s;
}

enum status snapshot_copy(struct snapshot *s, enum database which, const char *to,
                          const struct snapshot_copying *copying, struct error *err) {
  enum status status = make_copy(inspect_connection(s->sources[which]), to, copying, err);
  if (status || !copying->check) return status;
  status = check_copy(to, which, err);
  if (status) unlink(to);
  return status;
}
