#include "store/copy.h"

#include "store/path_sync.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MODE_AT_MOST = 0640, BUSY_MS = 1000 };

static enum status io_error(const char *path, struct error *err) {
  return error_set(err, errno == ENOSPC ? STATUS_FULL : STATUS_IO, NULL, "%s: %s", path,
                   strerror(errno));
}

/* With the mode it will have: its content must not be readable for others even for a moment. */
static enum status make_file(const char *path, const struct stat *like, struct error *err) {
  int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, like->st_mode & MODE_AT_MOST);
  if (fd < 0) return io_error(path, err);
  /* By root for the server's user, who must be able to use it; others own what they make. */
  int failed = geteuid() == 0 && fchown(fd, like->st_uid, like->st_gid) < 0;
  enum status status = failed ? io_error(path, err) : STATUS_OK;
  close(fd);
  return status;
}

static enum status copy_pages(sqlite3 *from, sqlite3 *to, struct error *err) {
  sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
  if (!backup) return sqlite_error(to, sqlite3_errcode(to), err);
  int rc = sqlite3_backup_step(backup, -1);
  int end = sqlite3_backup_finish(backup);
  if (rc == SQLITE_DONE) rc = end;
  return rc == SQLITE_OK ? STATUS_OK : sqlite_error(to, rc, err);
}

static enum status fill(sqlite3 *from, const char *path, struct error *err) {
  sqlite3 *to;
  enum status status = sqlite_open(path, SQLITE_OPEN_READWRITE, BUSY_MS, &to, err);
  if (status) return status;
  status = copy_pages(from, to, err);
  if (!status) status = sqlite_run(to, "PRAGMA journal_mode = DELETE", err);
  sqlite_close(to);
  return status;
}

static enum status verify(const char *path, struct error *err) {
  sqlite3 *db;
  sqlite3_stmt *check;
  enum status status = sqlite_open(path, SQLITE_OPEN_READONLY, BUSY_MS, &db, err);
  if (status) return status;
  status = sqlite_prepare(db, "PRAGMA integrity_check(1)", &check, err);
  if (!status) {
    int rc = sqlite3_step(check);
    const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(check, 0) : NULL;
    if (rc != SQLITE_ROW)
      status = sqlite_error(db, rc, err);
    else if (!text || strcmp(text, "ok") != 0)
      status = error_set(err, STATUS_CORRUPT, NULL, "the copy %s is damaged: %s", path,
                         text ? text : "?");
    sqlite3_finalize(check);
  }
  sqlite_close(db);
  return status;
}

static enum status make_partial(sqlite3 *db, const char *partial, struct error *err) {
  struct stat like;
  const char *source = sqlite3_db_filename(db, "main");
  if (stat(source, &like) < 0) return io_error(source, err);
  if (unlink(partial) < 0 && errno != ENOENT) return io_error(partial, err);
  enum status status = make_file(partial, &like, err);
  if (!status) status = fill(db, partial, err);
  if (!status) status = verify(partial, err);
  return status ? status : path_sync(partial, err);
}

enum status copy_make(sqlite3 *db, const char *path, int64_t *ret_bytes, struct error *err) {
  char partial[PATH_MAX];
  struct stat st;
  int n = snprintf(partial, sizeof partial, "%s.partial", path);
  if (n < 0 || (size_t)n >= sizeof partial)
    return error_set(err, STATUS_TOO_LARGE, NULL, "%s: the name is too long", path);
  if (lstat(path, &st) == 0)
    return error_set(err, STATUS_CONFLICT, NULL, "%s: is there already", path);
  enum status status = make_partial(db, partial, err);
  if (!status && stat(partial, &st) < 0) status = io_error(partial, err);
  if (!status && rename(partial, path) < 0) status = io_error(path, err);
  if (!status) status = path_sync_directory(path, err);
  if (status)
    unlink(partial); /* the reason is told already */
  else
    *ret_bytes = st.st_size;
  return status;
}
