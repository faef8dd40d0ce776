#include "store/fresh.h"

#include "base/clock.h"
#include "store/path_sync.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
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

static bool write_times(int fd, const struct image *image) {
  uint8_t time[IMAGE_TIME_SIZE];
  int64_t now = clock_wall_ms(&clock_system);
  for (size_t i = IMAGE_TIME_SIZE; i--; now >>= 8) time[i] = (uint8_t)now;
  for (size_t i = 0; i < image->times_count; i++)
    if (pwrite(fd, time, sizeof time, (off_t)image->times[i]) != sizeof time) return false;
  return true;
}

/* Readable for owner and group, as database_open makes it. */
static bool write_part(struct fresh *f) {
  const struct bytes bytes = {(const char *)f->image->bytes, f->image->size};
  /* No process id: those of two containers over one directory may be the same. */
  int n = snprintf(f->part, sizeof f->part, "%s.fresh-%08" PRIx32 "%08" PRIx32, f->path,
                   randombytes_random(), randombytes_random());
  f->fd = -1;
  if (n < 0 || (size_t)n >= sizeof f->part) return false;
  f->fd = open(f->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
  return f->fd >= 0 && bytes_write(bytes, f->fd) && write_times(f->fd, f->image);
}

/* Linked and not renamed: another process may have made one meanwhile. */
static bool name(const struct fresh *f) {
  struct error err = {0};
  if (link(f->part, f->path) < 0) return false;
  if (!path_sync_directory(f->path, &err)) return true;
  unlink(f->path);
  return false;
}

static void forget_part(struct fresh *f) {
  if (f->fd < 0) return;
  close(f->fd);
  unlink(f->part);
}

bool fresh_make(struct fresh *first, struct fresh *second) {
  /* Both before the first sync: what the file system does for one is then done for the other. */
  bool written = write_part(first);
  written = write_part(second) && written;
  bool made =
      written && fsync(first->fd) == 0 && fsync(second->fd) == 0 && name(first) && name(second);
  forget_part(first);
  forget_part(second);
  return made;
}
