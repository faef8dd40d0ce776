#include "store/fresh.h"

#include "store/path_sync.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_absent(const char *path, const char *end) {
  char name[PATH_MAX];
  struct stat st;
  int n = snprintf(name, sizeof name, "%s%s", path, end);
  return n > 0 && (size_t)n < sizeof name && lstat(name, &st) < 0 && errno == ENOENT;
}

/* A -wal or journal that lost its database would be taken for the new one's
 * (sqlite.org/howtocorrupt.html section 1.4). */
bool fresh_is_free(const char *path) {
  return is_absent(path, "") && is_absent(path, "-wal") && is_absent(path, "-journal");
}

/* Nothing is synced on the way, and no other file is made but the one. */
static enum status fill(sqlite3 *db, const struct schema *schema, struct error *err) {
  enum status status = sqlite_run(db,
                                  "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = OFF;"
                                  "PRAGMA journal_mode = MEMORY",
                                  err);
  if (!status) status = schema_create(db, schema, (int64_t)*schema->count, err);
  return status ? status : sqlite_run(db, "PRAGMA journal_mode = WAL", err);
}

/* Readable for owner and group, as database_open makes it. */
static enum status make_part(const char *part, const struct schema *schema, struct error *err) {
  sqlite3 *db;
  unlink(part);
  int fd = open(part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
  if (fd < 0) return STATUS_IO;
  close(fd);
  enum status status = sqlite_open(part, SQLITE_OPEN_READWRITE, 0, &db, err);
  if (status) return status;
  status = fill(db, schema, err);
  sqlite_close(db);
  return status ? status : path_sync(part, err);
}

static void *make(void *arg) {
  struct fresh *f = arg;
  struct error err = {0};
  int n = snprintf(f->part, sizeof f->part, "%s.fresh-%ld", f->path, (long)getpid());
  if (n < 0 || (size_t)n >= sizeof f->part)
    *f->part = '\0';
  else
    f->made = !make_part(f->part, f->schema, &err);
  return NULL;
}

/* Linked and not renamed: another process may have made one meanwhile. */
static bool name(const struct fresh *f) {
  struct error err = {0};
  if (link(f->part, f->path) < 0) return false;
  if (!path_sync_directory(f->path, &err)) return true;
  unlink(f->path);
  return false;
}

void fresh_make(struct fresh *first, struct fresh *second) {
  pthread_t thread;
  bool beside = pthread_create(&thread, NULL, make, first) == 0;
  if (!beside) make(first);
  make(second);
  if (beside) pthread_join(thread, NULL);
  if (first->made && second->made && name(first)) name(second);
  unlink(first->part);
  unlink(second->part);
}
