/* Preloaded into a program (LD_PRELOAD): CRASH_AT=N kills it with SIGKILL before the Nth call that
 * changes a file or its name; of writes in a row only the first and the second count. Without it,
 * or beyond the last one, nothing happens; CRASH_COUNT names a file that then gets the number of
 * the calls.
 */
#undef _FILE_OFFSET_BITS /* both names of a call are wanted, not one for the other */

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static long calls, writes_in_a_row;

static void count(void) {
  writes_in_a_row = 0;
  const char *at = getenv("CRASH_AT");
  if (++calls == (at ? atol(at) : 0)) kill(getpid(), SIGKILL);
}

static void count_write(void) {
  long before = writes_in_a_row;
  if (before < 2) count();
  writes_in_a_row = before + 1;
}

#define REAL(name) (__extension__(__typeof__(&name)) dlsym(RTLD_NEXT, #name))

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
  count_write();
  return REAL(pwrite64)(fd, data, size, at);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
  count_write();
  return REAL(pwrite)(fd, data, size, at);
}

int fsync(int fd) {
  count();
  return REAL(fsync)(fd);
}

int fdatasync(int fd) {
  count();
  return REAL(fdatasync)(fd);
}

int ftruncate64(int fd, off64_t size) {
  count();
  return REAL(ftruncate64)(fd, size);
}

int ftruncate(int fd, off_t size) {
  count();
  return REAL(ftruncate)(fd, size);
}

int rename(const char *from, const char *to) {
  count();
  return REAL(rename)(from, to);
}

int unlink(const char *path) {
  count();
  return REAL(unlink)(path);
}

int unlinkat(int dir, const char *path, int flags) {
  count();
  return REAL(unlinkat)(dir, path, flags);
}

__attribute__((destructor)) static void tell(void) {
  const char *path = getenv("CRASH_COUNT");
  FILE *file = path ? fopen(path, "w") : NULL;
  if (!file) return;
  fprintf(file, "%ld\n", calls);
  fclose(file);
}
