#include "base/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NUMBER_CHARS = 12 };

static int file_fd = -1;
static char *file_path;
static int64_t size_limit;
static int kept;
static atomic_llong size_now;
static pthread_mutex_t moving = PTHREAD_MUTEX_INITIALIZER;

void log_file_limit(int64_t max_bytes, int keep) {
  size_limit = keep > 0 ? max_bytes : 0;
  kept = keep;
}

static enum status open_at_end(const char *path, int *ret_fd, struct error *err) {
  int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
  if (fd < 0)
    return error_set(err, STATUS_IO, "log_file", "cannot open the log file %s: %s", path,
                     strerror(errno));
  *ret_fd = fd;
  return STATUS_OK;
}

static void note_size(int fd) {
  struct stat st;
  atomic_store(&size_now, fstat(fd, &st) == 0 ? (long long)st.st_size : 0);
}

enum status log_file_open(const char *path, struct error *err) {
  int fd = -1;
  char *copy = path ? strdup(path) : NULL;
  if (path && !copy) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  enum status s = path ? open_at_end(path, &fd, err) : STATUS_OK;
  if (s) {
    free(copy);
    return s;
  }
  log_file_close();
  file_fd = fd;
  file_path = copy;
  if (fd >= 0) note_size(fd);
  return STATUS_OK;
}

void log_file_close(void) {
  if (file_fd >= 0) close(file_fd);
  free(file_path);
  file_fd = -1;
  file_path = NULL;
}

bool log_file_is_open(void) {
  return file_fd >= 0;
}

/* Under the number that the writers know, in one step. */
static enum status reopen(const char *path, struct error *err) {
  int fd = -1;
  enum status s = open_at_end(path, &fd, err);
  if (s) return s;
  if (dup3(fd, file_fd, O_CLOEXEC) < 0)
    s = error_set(err, STATUS_IO, "log_file", "cannot reopen the log file %s: %s", path,
                  strerror(errno));
  else
    note_size(fd);
  close(fd);
  return s;
}

enum status log_file_reopen(const char *path, struct error *err) {
  if (file_fd < 0 || !path) return STATUS_OK;
  pthread_mutex_lock(&moving);
  enum status s = reopen(path, err);
  pthread_mutex_unlock(&moving);
  return s;
}

/* server.log.4 -> server.log.5 and so on down to server.log -> server.log.1; holes are fine. */
static enum status shift_names(struct error *err) {
  size_t size = strlen(file_path) + NUMBER_CHARS + 1;
  char *from = malloc(2 * size);
  if (!from) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  char *to = from + size;
  bool failed = false;
  for (int i = kept; i > 0 && !failed; i--) {
    if (i > 1)
      snprintf(from, size, "%s.%d", file_path, i - 1);
    else
      snprintf(from, size, "%s", file_path);
    snprintf(to, size, "%s.%d", file_path, i);
    failed = rename(from, to) < 0 && errno != ENOENT;
  }
  enum status s = STATUS_OK;
  if (failed)
    s = error_set(err, STATUS_IO, "log_file", "cannot move the log file %s to %s: %s", from, to,
                  strerror(errno));
  free(from);
  return s;
}

/* One thread does it; the others write on meanwhile. After a failure it is tried again when as much
 * has been written once more. */
static enum status move_away(struct error *err) {
  if (pthread_mutex_trylock(&moving)) return STATUS_OK;
  enum status s = STATUS_OK;
  if (atomic_load(&size_now) >= size_limit) {
    atomic_store(&size_now, 0);
    s = shift_names(err);
    if (!s) s = reopen(file_path, err);
  }
  pthread_mutex_unlock(&moving);
  return s;
}

void log_file_write_to(int fd, const char *line, size_t len) {
  while (len) {
    ssize_t n = write(fd, line, len);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    line += n;
    len -= (size_t)n;
  }
}

enum status log_file_write(const char *line, size_t len, struct error *err) {
  log_file_write_to(file_fd, line, len);
  if (!size_limit) return STATUS_OK;
  long long size = atomic_fetch_add(&size_now, (long long)len) + (long long)len;
  return size >= size_limit ? move_away(err) : STATUS_OK;
}
