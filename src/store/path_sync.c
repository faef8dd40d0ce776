#include "store/path_sync.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static enum status io_error(const char *path, struct error *err) {
  return error_set(err, errno == ENOSPC ? STATUS_FULL : STATUS_IO, NULL, "%s: %s", path,
                   strerror(errno));
}

enum status path_sync(const char *path, struct error *err) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return io_error(path, err);
  enum status status = fsync(fd) < 0 ? io_error(path, err) : STATUS_OK;
  close(fd);
  return status;
}

enum status path_sync_directory(const char *path, struct error *err) {
  const char *slash = strrchr(path, '/');
  size_t len = slash ? (size_t)(slash - path) + (slash == path) : 1;
  FREE_LATER char *directory = bytes_dup((struct bytes){slash ? path : ".", len});
  if (!directory) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  return path_sync(directory, err);
}
