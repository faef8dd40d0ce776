#include "store/sqlite.h"

#include "store/gather.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>

void sqlite_bind_text(sqlite3_stmt *statement, int at, const char *text) {
  sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
}

void sqlite_bind_known(sqlite3_stmt *statement, int at, int64_t value) {
  if (value < 0)
    sqlite3_bind_null(statement, at);
  else
    sqlite3_bind_int64(statement, at, value);
}

int sqlite_finish(sqlite3_stmt *statement) {
  int rc = sqlite3_step(statement);
  sqlite3_finalize(statement);
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int sqlite_finish_one(sqlite3 *db, sqlite3_stmt *statement) {
  int rc = sqlite_finish(statement);
  return rc == SQLITE_OK && sqlite3_changes(db) != 1 ? SQLITE_CONSTRAINT : rc;
}

const char *sqlite_text(sqlite3_stmt *statement, int column) {
  const char *text = (const char *)sqlite3_column_text(statement, column);
  return text ? text : "";
}

enum status sqlite_status(int rc) {
  switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE: return STATUS_OK;
    case SQLITE_NOMEM: return STATUS_NOMEM;
    case SQLITE_FULL: return STATUS_NO_SPACE;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL: return STATUS_TIMEOUT;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return STATUS_CORRUPT;
    case SQLITE_CONSTRAINT: return STATUS_CONFLICT;
    case SQLITE_TOOBIG: return STATUS_TOO_LARGE;
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM: return STATUS_IO;
    default: return STATUS_INTERNAL;
  }
}

enum status sqlite_error(sqlite3 *db, int rc, struct error *err) {
  const char *path = sqlite3_db_filename(db, "main");
  int os =
      (rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN ? sqlite3_system_errno(db) : 0;
  /* SQLite says "full" of a write alone, and "I/O error" where it could not lengthen the -shm. */
  enum status status = os == ENOSPC || os == EDQUOT ? STATUS_NO_SPACE : sqlite_status(rc);
  return error_set(err, status, NULL, "%s: %s%s%s", path ? path : "database", sqlite3_errstr(rc),
                   os ? ": " : "", os ? strerror(os) : "");
}

/* Nobody who can write SQL into the file, or damage it, gets more than SQL by it. */
static void harden(sqlite3 *db) {
  sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
  sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
  sqlite3_extended_result_codes(db, 1);
}

static void configure_once(void) {
  /* Counting SQLite's memory takes a global mutex at every allocation. */
  sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  /* Every connection would begin with 20 pages at once, of which most are never used. */
  sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
}

/* Before SQLite is up, which the first opening of a database sees to: several may come at once.
 * Where it is up already, as in a program that opened one otherwise, the options are refused,
 * harmlessly. */
static void configure(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, configure_once);
}

static enum status open_with(const char *path, int flags, int64_t busy_ms, const char *vfs,
                             sqlite3 **ret_db, struct error *err) {
  sqlite3 *db = NULL;
  int rc = sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX, vfs);
  if (rc != SQLITE_OK) {
    int os = db ? sqlite3_system_errno(db) : 0;
    sqlite3_close_v2(db);
    return error_set(err, rc == SQLITE_NOMEM ? STATUS_NOMEM : STATUS_IO, NULL, "%s: %s", path,
                     os ? strerror(os) : sqlite3_errstr(rc));
  }
  harden(db);
  sqlite3_busy_timeout(db, busy_ms > INT_MAX ? INT_MAX : (int)busy_ms);
  if (flags & SQLITE_OPEN_READONLY) {
    enum status status = sqlite_run(db, "PRAGMA query_only = 1", err);
    if (status) {
      sqlite_close(db);
      return status;
    }
  }
  *ret_db = db;
  return STATUS_OK;
}

enum status sqlite_open(const char *path, int flags, int64_t busy_ms, sqlite3 **ret_db,
                        struct error *err) {
  configure();
  return open_with(path, flags, busy_ms, NULL, ret_db, err);
}

enum status sqlite_open_gathering(const char *path, int64_t busy_ms, sqlite3 **ret_db,
                                  struct error *err) {
  sqlite3 *db = NULL;
  configure();
  enum status s = open_with(path, SQLITE_OPEN_READWRITE, busy_ms, gather_vfs(), &db, err);
  if (s) return s;
  s = sqlite_run(db, "PRAGMA cache_spill = OFF", err);
  if (s)
    sqlite_close(db);
  else
    *ret_db = db;
  return s;
}

void sqlite_close(sqlite3 *db) {
  sqlite3_close_v2(db);
}

enum status sqlite_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret_statement,
                           struct error *err) {
  int rc = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret_statement, NULL);
  return rc == SQLITE_OK ? STATUS_OK : sqlite_error(db, rc, err);
}

enum status sqlite_run(sqlite3 *db, const char *sql, struct error *err) {
  int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
  return rc == SQLITE_OK ? STATUS_OK : sqlite_error(db, rc, err);
}

enum status sqlite_get_int(sqlite3 *db, const char *sql, int64_t fallback, int64_t *ret_value,
                           struct error *err) {
  sqlite3_stmt *statement;
  enum status status = sqlite_prepare(db, sql, &statement, err);
  if (status) return status;
  int rc = sqlite3_step(statement);
  if (rc == SQLITE_ROW || rc == SQLITE_DONE)
    *ret_value = rc == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : fallback;
  else
    status = sqlite_error(db, rc, err);
  sqlite3_finalize(statement);
  return status;
}
