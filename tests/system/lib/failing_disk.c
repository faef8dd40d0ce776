/* A disk that refuses, for one process: preloaded, it fails SQLite's writes and syncs with the
 * errno whose name stands in the file FAILING_DISK names, while that is there and not empty. "EIO"
 * and "EROFS" fail both, "sync" only the syncs, with EIO. With "hang" they do not return while it
 * stands there; with "silent" the questions after the file system do not, statvfs(3). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

static void read_mode(char mode[16]) {
  const char *path = getenv("FAILING_DISK");
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  ssize_t n = fd < 0 ? 0 : read(fd, mode, 15);
  mode[n > 0 ? n : 0] = 0;
  if (fd >= 0) close(fd);
}

static int refusal(int syncs) {
  char name[16];
  read_mode(name);
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

int statvfs64(const char *path, struct statvfs64 *out) {
  static int (*real)(const char *, struct statvfs64 *);
  char mode[16];
  if (!real) real = (int (*)(const char *, struct statvfs64 *))dlsym(RTLD_NEXT, "statvfs64");
  for (read_mode(mode); strcmp(mode, "silent") == 0; read_mode(mode)) usleep(20000);
  return real(path, out);
}

int statvfs(const char *path, struct statvfs *out) {
  return statvfs64(path, (struct statvfs64 *)out); /* the same on 64 bits */
}
