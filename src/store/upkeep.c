#include "store/upkeep.h"

#include "base/clock.h"
#include "store/database.h"

#include <stdio.h>
#include <sys/stat.h>

struct upkeep {
  sqlite3 *db;
  const char *path;
  int64_t started_us;
  bool unreadable; /* a list ended where the file is damaged */
  struct upkeep_result result;
};

static int64_t size_of(const char *path, const char *suffix) {
  char name[4096];
  struct stat st;
  int n = snprintf(name, sizeof name, "%s%s", path, suffix);
  return n > 0 && (size_t)n < sizeof name && stat(name, &st) == 0 ? st.st_size : 0;
}

static enum status begin(struct upkeep *u, enum database database, const char *path, int flags,
                         int64_t timeout_ms, struct error *err) {
  *u = (struct upkeep){.path = path, .started_us = clock_mono_us(&clock_system)};
  u->result.file_before = size_of(path, "");
  u->result.log_before = size_of(path, "-wal");
  enum status status = database_open_any(path, schema_of(database), flags, timeout_ms, &u->db, err);
  /* Whoever closes a file last empties its log, as sqlite3 does too. */
  if (!status) sqlite3_db_config(u->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
  return status;
}

static enum status end(struct upkeep *u, enum status status, struct upkeep_result *ret_result,
                       struct error *err) {
  struct upkeep_result *r = &u->result;
  if (!status) status = sqlite_get_int(u->db, "PRAGMA page_count", 0, &r->pages, err);
  if (!status) status = sqlite_get_int(u->db, "PRAGMA freelist_count", 0, &r->free_pages, err);
  sqlite_close(u->db);
  r->file_after = size_of(u->path, "");
  r->log_after = size_of(u->path, "-wal");
  r->took_us = clock_mono_us(&clock_system) - u->started_us;
  if (!status) *ret_result = *r;
  return status;
}

/* ---- check ---- */

/* Damage that stops the check itself is a problem of the file like the others. */
static enum status list_problems(struct upkeep *u, const char *sql, const char *fine,
                                 upkeep_problem_fn *each, void *ctx, struct error *err) {
  sqlite3_stmt *rows;
  struct error why;
  int rc = sqlite3_prepare_v2(u->db, sql, -1, &rows, NULL);
  while (rc == SQLITE_OK || rc == SQLITE_ROW) {
    rc = sqlite3_step(rows);
    const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(rows, 0) : NULL;
    if (rc != SQLITE_ROW || (text && strcmp(text, fine) == 0)) continue;
    if (u->result.problems++ < UPKEEP_PROBLEMS_MAX) each(ctx, text ? text : "?");
  }
  enum status status = rc == SQLITE_DONE ? STATUS_OK : sqlite_error(u->db, rc, &why);
  sqlite3_finalize(rows);
  if (status == STATUS_CORRUPT) {
    u->unreadable = true;
    if (u->result.problems++ < UPKEEP_PROBLEMS_MAX) each(ctx, why.message);
    return STATUS_OK;
  }
  if (status && err) *err = why;
  return status;
}

enum status upkeep_check(enum database database, const char *path, int64_t timeout_ms,
                         upkeep_problem_fn *each, void *ctx, struct upkeep_result *ret_result,
                         struct error *err) {
  struct upkeep u;
  struct error ignored;
  enum status status = begin(&u, database, path, SQLITE_OPEN_READONLY, timeout_ms, err);
  if (status) return status;
  status = list_problems(&u, "PRAGMA integrity_check(20)", "ok", each, ctx, err);
  if (!status && !u.unreadable) /* which would be found again */
    status = list_problems(&u,
                           "SELECT 'a row of ' || \"table\" || ' refers to none of ' || parent"
                           " FROM pragma_foreign_key_check LIMIT 20",
                           "", each, ctx, err);
  if (status || u.result.problems == 0) return end(&u, status, ret_result, err);
  /* The counts of a damaged file need not be readable. */
  struct upkeep_result counted = u.result;
  if (end(&u, STATUS_OK, &counted, &ignored)) counted = u.result;
  *ret_result = counted;
  return STATUS_OK;
}

/* ---- checkpoint ---- */

/* TRUNCATE keeps writers out while it waits for readers: not for long, where a server runs. */
enum { TRUNCATE_WAIT_MS = 1000 };

static enum status move_log(struct upkeep *u, struct error *err) {
  int in_log = 0, moved = 0;
  int rc = sqlite3_wal_checkpoint_v2(u->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_log, &moved);
  if (rc == SQLITE_OK) {
    u->result.moved = moved > 0 ? moved : 0;
    u->result.waiting = in_log > moved ? in_log - moved : 0;
    rc = sqlite3_wal_checkpoint_v2(u->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, &in_log, &moved);
  }
  if (rc == SQLITE_OK) {
    u->result.moved += u->result.waiting; /* by the second one, which left nothing */
    u->result.waiting = 0;
  }
  return rc == SQLITE_OK || rc == SQLITE_BUSY ? STATUS_OK : sqlite_error(u->db, rc, err);
}

enum status upkeep_checkpoint(enum database database, const char *path, int64_t timeout_ms,
                              struct upkeep_result *ret_result, struct error *err) {
  struct upkeep u;
  int64_t wait_ms = timeout_ms < TRUNCATE_WAIT_MS ? timeout_ms : TRUNCATE_WAIT_MS;
  int64_t version;
  enum status status = begin(&u, database, path, SQLITE_OPEN_READWRITE, wait_ms, err);
  if (status) return status;
  /* A connection knows that there is a log once it has read (sqlite3_wal_checkpoint_v2). */
  status = sqlite_get_int(u.db, "PRAGMA schema_version", 0, &version, err);
  if (!status) status = move_log(&u, err);
  return end(&u, status, ret_result, err);
}

/* ---- statistics and compaction ---- */

enum status upkeep_analyze(enum database database, const char *path, int64_t timeout_ms,
                           struct upkeep_result *ret_result, struct error *err) {
  struct upkeep u;
  enum status status = begin(&u, database, path, SQLITE_OPEN_READWRITE, timeout_ms, err);
  if (status) return status;
  status = sqlite_run(u.db, "ANALYZE", err);
  if (!status)
    status = sqlite_get_int(u.db, "SELECT count(*) FROM sqlite_stat1 WHERE idx IS NOT NULL", 0,
                            &u.result.indexes, err);
  return end(&u, status, ret_result, err);
}

enum status upkeep_vacuum(enum database database, const char *path, int64_t timeout_ms,
                          struct upkeep_result *ret_result, struct error *err) {
  struct upkeep u;
  enum status status = begin(&u, database, path, SQLITE_OPEN_READWRITE, timeout_ms, err);
  if (status) return status;
  status = sqlite_run(u.db, "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT", err);
  if (status == STATUS_TIMEOUT)
    status = error_set(err, status, NULL,
                       "%s: another program has it open (aragora, sqlite3, a backup); end that "
                       "first",
                       path);
  if (!status) status = sqlite_run(u.db, "VACUUM; PRAGMA wal_checkpoint(TRUNCATE)", err);
  return end(&u, status, ret_result, err);
}

enum status upkeep_vacuum_beside(enum database database, const char *path, int64_t timeout_ms,
                                 struct upkeep_result *ret_result, struct error *err) {
  struct upkeep u;
  enum status status = begin(&u, database, path, SQLITE_OPEN_READWRITE, timeout_ms, err);
  if (status) return status;
  status = sqlite_run(u.db, "VACUUM", err);
  if (!status) status = move_log(&u, err);
  return end(&u, status, ret_result, err);
}

enum status upkeep_newest_event(const char *path, int64_t timeout_ms, int64_t *ret_ts_ms,
                                struct error *err) {
  sqlite3 *db;
  int64_t newest;
  enum status status =
      database_open_any(path, &schema_memory, SQLITE_OPEN_READONLY, timeout_ms, &db, err);
  if (status) return status;
  /* Rows are appended: the last of them is the last that was written. */
  status =
      sqlite_get_int(db, "SELECT ts_ms FROM events ORDER BY rowid DESC LIMIT 1", -1, &newest, err);
  sqlite_close(db);
  if (!status) *ret_ts_ms = newest;
  return status;
}
