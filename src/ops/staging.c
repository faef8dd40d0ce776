#include "ops/staging.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#define PREFIX ".staging-"

/* Its maker is gone when the lock can be had. */
static void sweep_one(const char *dir, const char *name) {
  char path[DISK_PATH_MAX];
  struct error err;
  if (disk_path(dir, name, path, &err)) return;
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return;
  enum status s = STATUS_OK;
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) s = disk_remove(path, &err);
  (void)s; /* what cannot be removed now is tried again the next time */
  close(fd);
}

static void sweep(const char *path) {
  DIR *dir = opendir(path);
  for (struct dirent *entry; dir && (entry = readdir(dir));)
    if (strncmp(entry->d_name, PREFIX, sizeof PREFIX - 1) == 0) sweep_one(path, entry->d_name);
  if (dir) closedir(dir);
}

/* Between making and locking it another process may take it for an orphan: then it is made again.
 */
static enum status make_locked(const char *dir, struct staging *s, struct error *err) {
  enum status status = disk_path(dir, PREFIX "XXXXXX", s->path, err);
  if (status) return status;
  if (!mkdtemp(s->path)) return disk_error(err, "make a directory in", dir);
  s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (s->fd >= 0 && flock(s->fd, LOCK_EX | LOCK_NB) == 0 && access(s->path, F_OK) == 0)
    return STATUS_OK;
  if (s->fd >= 0) close(s->fd);
  s->fd = -1;
  return STATUS_CONFLICT;
}

enum status staging_make(const char *dir, struct staging *ret_staging, struct error *err) {
  struct staging s = {.fd = -1};
  enum status status = disk_make_directories(dir, err);
  if (status) return status;
  sweep(dir);
  for (int tries = 0; (status = make_locked(dir, &s, err)) == STATUS_CONFLICT && tries < 16;)
    tries++;
  if (status == STATUS_CONFLICT) return disk_error(err, "lock a directory in", dir);
  if (!status) *ret_staging = s;
  return status;
}

void staging_drop(struct staging *s) {
  if (!s->path[0]) return;
  enum status status = disk_remove(s->path, NULL);
  (void)status; /* swept the next time */
  close(s->fd);
  *s = (struct staging){.fd = -1};
}
