/* A disk that refuses, for one process: preloaded, it fails SQLite's writes and syncs with the
 * errno whose name stands in the file FAILING_DISK names, while that is there and not empty. "EIO"
 * and "EROFS" fail both, "sync" only the syncs, with EIO. With "hang" they do not return while it
 * stands there. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int refusal(int syncs) {
  char name[16] = "";
  const char *path = getenv("FAILING_DISK");
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return 0;
  ssize_t n = read(fd, name, sizeof name - 1);
  close(fd);
  if (n <= 0) return 0;
  if (strcmp(name, "hang") == 0) return -1;
  if (strcmp(name, "EROFS") == 0) return EROFS;
  if (strcmp(name, "EIO") == 0) return EIO;
  return strcmp(name, "sync") == 0 && syncs ? EIO : 0;
}

static int refused(int syncs) {
  int error;
  while ((error = refusal(syncs)) < 0) usleep(20000);
  if (error) errno = error;
  return error;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
  static ssize_t (*real)(int, const void *, size_t, off64_t);
  if (!real) real = (ssize_t(*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
  return refused(0) ? -1 : real(fd, data, size, at);
}

int fdatasync(int fd) {
  static int (*real)(int);
  if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  return refused(1) ? -1 : real(fd);
}

int ftruncate64(int fd, off64_t size) {
  static int (*real)(int, off64_t);
  if (!real) real = (int (*)(int, off64_t))dlsym(RTLD_NEXT, "ftruncate64");
  return refused(0) ? -1 : real(fd, size);
}
