#include "store/database.h"

#include "store/replacement.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEADER_SIZE = 100, APPLICATION_ID_AT = 68 };

/* A full check reads every page: 2 ms a MiB from the page cache (measured, 140 MB of 134,500
 * events). Up to 4 MiB it fits into a start of 25 ms. Above, it is made only where the last run did
 * not end cleanly, and up to 256 MiB, so that a crash is followed by serving within a second. A
 * larger file is checked by its head, its schema, and page by page as it is read. */
enum { CHECK_ALWAYS_MIB = 4, CHECK_UNCLEAN_MIB = 256 };

/* Made here and not by SQLite, which would leave it readable for everybody. The -wal and -shm
 * files take over its mode. */
static enum status make_file(const char *path, struct error *err) {
  struct stat st;
  if (stat(path, &st) == 0) {
    if (S_ISREG(st.st_mode)) return STATUS_OK;
    return error_set(err, STATUS_IO, NULL, "%s: is not a regular file", path);
  }
  int fd = errno == ENOENT ? open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640) : -1;
  if (fd < 0 && errno != EEXIST)
    return error_set(err, STATUS_IO, NULL, "%s: %s", path, strerror(errno));
  if (fd >= 0) close(fd);
  return STATUS_OK;
}

/* Looks at the header before SQLite does, so that a foreign file never gets a -wal from us. Through
 * SQLite's own descriptor: closing another one would drop this process's locks on the file (POSIX
 * fcntl locks; sqlite.org/howtocorrupt.html section 2.2). */
static enum status check_header(sqlite3 *db, const struct schema *schema, const char *path,
                                int64_t *ret_size, struct error *err) {
  sqlite3_file *file = NULL;
  sqlite3_int64 size = 0;
  unsigned char head[HEADER_SIZE] = {0};
  int rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
  if (rc == SQLITE_OK) rc = file->pMethods->xFileSize(file, &size);
  if (rc == SQLITE_OK && size > 0) rc = file->pMethods->xRead(file, head, sizeof head, 0);
  *ret_size = size;
  if (rc == SQLITE_OK && size == 0) return STATUS_OK;
  if (rc == SQLITE_IOERR_SHORT_READ || (rc == SQLITE_OK && memcmp(head, "SQLite format 3", 16)))
    return error_set(err, STATUS_CORRUPT, NULL, "%s: is not a database, or its head is damaged",
                     path);
  if (rc != SQLITE_OK) return sqlite_error(db, rc, err);
  const unsigned char *p = head + APPLICATION_ID_AT;
  int64_t id = (int64_t)p[0] << 24 | (int64_t)p[1] << 16 | (int64_t)p[2] << 8 | p[3];
  if (id == 0 || id == schema->application_id) return STATUS_OK;
  return error_set(err, STATUS_CORRUPT, NULL,
                   "%s: is not an Aragora %s database (application id %" PRId64 ")", path,
                   schema->what, id);
}

static bool ended_uncleanly(const char *path) {
  char wal[4096];
  struct stat st;
  int n = snprintf(wal, sizeof wal, "%s-wal", path);
  return n > 0 && (size_t)n < sizeof wal && stat(wal, &st) == 0 && st.st_size > 0;
}

static enum status check_pages(sqlite3 *db, const char *path, int64_t size, bool unclean,
                               struct error *err) {
  int64_t limit_mib = unclean ? CHECK_UNCLEAN_MIB : CHECK_ALWAYS_MIB;
  if (size > limit_mib * 1024 * 1024) return STATUS_OK;
  sqlite3_stmt *check;
  enum status status = sqlite_prepare(db, "PRAGMA quick_check(1)", &check, err);
  if (status) return status;
  int rc = sqlite3_step(check);
  const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(check, 0) : NULL;
  if (rc != SQLITE_ROW)
    status = sqlite_error(db, rc, err);
  else if (!text || strcmp(text, "ok") != 0)
    status = error_set(err, STATUS_CORRUPT, NULL, "%s: is damaged: %s", path, text ? text : "?");
  sqlite3_finalize(check);
  return status;
}

/* Everything that may refuse the file; nothing is written on the way. */
static enum status check(sqlite3 *db, const struct schema *schema, const char *path, bool made,
                         struct error *err) {
  int64_t size;
  bool unclean = ended_uncleanly(path);
  if (sqlite3_db_readonly(db, "main") == 1)
    return error_set(err, STATUS_IO, NULL, "%s: cannot be written", path);
  enum status status = check_header(db, schema, path, &size, err);
  if (!status) status = schema_check(db, schema, path, err);
  if (!status && !made) status = check_pages(db, path, size, unclean, err);
  return status;
}

/* The pragmas of the one that writes. 4 MiB of cache hold the pages that a hundred debates at once
 * append to; a -wal that grew is cut back to 16 MiB when it starts over. What is deleted is
 * overwritten: it is somebody's words. */
static enum status prepare_for_writing(sqlite3 *db, const char *path, struct error *err) {
  sqlite3_stmt *mode;
  enum status status = sqlite_prepare(db, "PRAGMA journal_mode = WAL", &mode, err);
  if (status) return status;
  int rc = sqlite3_step(mode);
  const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(mode, 0) : NULL;
  if (rc != SQLITE_ROW)
    status = sqlite_error(db, rc, err);
  else if (!text || strcmp(text, "wal") != 0)
    status = error_set(err, STATUS_IO, NULL, "%s: cannot use a write-ahead log here", path);
  sqlite3_finalize(mode);
  if (status) return status;
  return sqlite_run(db,
                    "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"
                    "PRAGMA journal_size_limit = 16777216; PRAGMA cache_size = -4096;"
                    "PRAGMA temp_store = MEMORY; PRAGMA secure_delete = ON",
                    err);
}

static enum status open_checked(const char *path, const struct schema *schema, int64_t busy_ms,
                                bool made, sqlite3 **ret_db, struct error *err) {
  sqlite3 *db;
  enum status status = replacement_finish(path, err);
  if (!status) status = make_file(path, err);
  if (!status)
    status = schema->durable ? sqlite_open_gathering(path, busy_ms, &db, err)
                             : sqlite_open(path, SQLITE_OPEN_READWRITE, busy_ms, &db, err);
  if (status) return status;
  /* Closing a file that we refuse must not checkpoint its -wal into it. An empty one is ours, from
   * looking: it goes again with the -shm. */
  sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
  status = check(db, schema, path, made, err);
  if (status) {
    if (!ended_uncleanly(path)) sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    sqlite_close(db);
    return status;
  }
  *ret_db = db;
  return STATUS_OK;
}

enum status database_open(const char *path, const struct schema *schema, int64_t busy_ms,
                          sqlite3 **ret_db, struct error *err) {
  return open_checked(path, schema, busy_ms, false, ret_db, err);
}

enum status database_open_made(const char *path, const struct schema *schema, int64_t busy_ms,
                               sqlite3 **ret_db, struct error *err) {
  return open_checked(path, schema, busy_ms, true, ret_db, err);
}

enum status database_configure(sqlite3 *db, const char *path, struct error *err) {
  sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
  return prepare_for_writing(db, path, err);
}

enum status database_prepare(sqlite3 *db, const struct schema *schema, const char *path,
                             struct error *err) {
  struct schema_state state = {0};
  enum status status = database_configure(db, path, err);
  if (!status) status = schema_read(db, schema, path, &state, err);
  if (status || state.version) return status;
  return schema_create(db, schema, (int64_t)*schema->count, err);
}

enum status database_open_any(const char *path, const struct schema *schema, int flags,
                              int64_t busy_ms, sqlite3 **ret_db, struct error *err) {
  sqlite3 *db;
  int64_t size;
  if (access(path, F_OK) < 0 && errno == ENOENT)
    return error_set(err, STATUS_NOT_FOUND, NULL, "there is no database %s", path);
  enum status status = sqlite_open(path, flags, busy_ms, &db, err);
  if (status) return status;
  sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
  if ((flags & SQLITE_OPEN_READWRITE) && sqlite3_db_readonly(db, "main") == 1)
    status = error_set(err, STATUS_IO, NULL, "%s: cannot be written", path);
  if (!status) status = check_header(db, schema, path, &size, err);
  if (status) {
    sqlite_close(db);
    return status;
  }
  *ret_db = db;
  return STATUS_OK;
}

enum status database_open_reader(const char *path, int64_t busy_ms, sqlite3 **ret_db,
                                 struct error *err) {
  return sqlite_open(path, SQLITE_OPEN_READONLY, busy_ms, ret_db, err);
}
