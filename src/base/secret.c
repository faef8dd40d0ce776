#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { VARIABLE_MAX = 256, PATH_SIZE = 4096, MODE_OF_OTHERS = 077, MODE_OF_GROUP_READ = 040 };

static const char *variable(const char *name) {
  const char *value = getenv(name);
  return value && *value ? value : NULL;
}

static bool is_credential(const char *path) {
  const char *directory = variable("CREDENTIALS_DIRECTORY");
  size_t len = directory ? strlen(directory) : 0;
  return len && strncmp(path, directory, len) == 0 && path[len] == '/' &&
         !strchr(path + len + 1, '/');
}

/* Of the opened file, so that no other can take its place afterwards. */
static enum status check_file(int fd, const char *name, const char *path, struct error *err) {
  struct stat st;
  if (fstat(fd, &st) < 0)
    return error_set(err, STATUS_IO, name, "%s: cannot read %s: %s", name, path, strerror(errno));
  if (!S_ISREG(st.st_mode))
    return error_set(err, STATUS_INVALID, name, "%s: %s is not a regular file", name, path);
  if (st.st_uid != geteuid() && st.st_uid != 0)
    return error_set(err, STATUS_INVALID, name,
                     "%s: %s belongs to user %u; it must belong to this user or to root", name,
                     path, (unsigned)st.st_uid);
  mode_t forbidden = MODE_OF_OTHERS & ~(is_credential(path) ? MODE_OF_GROUP_READ : 0);
  if (st.st_mode & forbidden)
    return error_set(err, STATUS_INVALID, name,
                     "%s: %s has mode %04o, which lets others at it; it must be 0600 or 0400", name,
                     path, (unsigned)st.st_mode & 07777);
  return STATUS_OK;
}

/* The length without a line end at the end: "key\n" is what an editor saves. */
static size_t trimmed(const char *text, size_t len) {
  if (len && text[len - 1] == '\n') len--;
  if (len && text[len - 1] == '\r') len--;
  return len;
}

/* Up to `size` bytes; more than SECRET_BYTES_MAX tell that it is too long. */
static enum status read_all(int fd, char *text, size_t size, size_t *ret_len, const char *name,
                            const char *path, struct error *err) {
  size_t len = 0;
  ssize_t n;
  while (len < size && (n = read(fd, text + len, size - len)) != 0) {
    if (n < 0 && errno != EINTR)
      return error_set(err, STATUS_IO, name, "%s: cannot read %s: %s", name, path, strerror(errno));
    if (n > 0) len += (size_t)n;
  }
  *ret_len = trimmed(text, len);
  return STATUS_OK;
}

static enum status check_text(struct bytes text, const char *name, const char *path,
                              struct error *err) {
  if (text.len > SECRET_BYTES_MAX)
    return error_set(err, STATUS_INVALID, name, "%s: %s holds more than %d bytes", name, path,
                     SECRET_BYTES_MAX);
  if (!text.len) return error_set(err, STATUS_INVALID, name, "%s: %s is empty", name, path);
  if (memchr(text.ptr, 0, text.len))
    return error_set(err, STATUS_INVALID, name, "%s: %s is not a text", name, path);
  return STATUS_OK;
}

static enum status read_opened(int fd, const char *name, const char *path, char **ret_secret,
                               struct error *err) {
  char text[SECRET_BYTES_MAX + 3]; /* with a line end, and one too many */
  size_t len = 0;
  enum status s = check_file(fd, name, path, err);
  if (!s) s = read_all(fd, text, sizeof text, &len, name, path, err);
  if (!s) s = check_text((struct bytes){text, len}, name, path, err);
  char *secret = s ? NULL : bytes_dup((struct bytes){text, len});
  explicit_bzero(text, sizeof text);
  if (!s && !secret) s = error_set(err, STATUS_NOMEM, NULL, "out of memory");
  if (!s) *ret_secret = secret;
  return s;
}

enum status secret_read_file(const char *name, const char *path, char **ret_secret,
                             struct error *err) {
  /* Not waiting for a writer, should it be a pipe. */
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    return error_set(err, STATUS_IO, name, "%s: cannot read %s: %s", name, path, strerror(errno));
  enum status s = read_opened(fd, name, path, ret_secret, err);
  close(fd);
  return s;
}

/* Its path, where the service manager has handed one over under this name. */
static bool find_credential(const char *name, char path[PATH_SIZE]) {
  static const char *const prefixes[] = {"", "aragora_"};
  const char *directory = variable("CREDENTIALS_DIRECTORY");
  for (size_t i = 0; directory && i < sizeof prefixes / sizeof *prefixes; i++) {
    int n = snprintf(path, PATH_SIZE, "%s/%s%s", directory, prefixes[i], name);
    if (n < PATH_SIZE && access(path, F_OK) == 0) return true;
  }
  return false;
}

enum status secret_read(const char *name, char **ret_secret, struct error *err) {
  char file_name[VARIABLE_MAX];
  int n = snprintf(file_name, sizeof file_name, "%s_FILE", name);
  const char *value = variable(name);
  const char *path = n > 0 && (size_t)n < sizeof file_name ? variable(file_name) : NULL;
  if (value && path)
    return error_set(err, STATUS_INVALID, name, "%s and %s are both set; keep one of them", name,
                     file_name);
  if (path) return secret_read_file(file_name, path, ret_secret, err);
  char credential[PATH_SIZE];
  if (!value && find_credential(name, credential))
    return secret_read_file(name, credential, ret_secret, err);
  char *secret = value ? strdup(value) : NULL;
  if (value && !secret) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  *ret_secret = secret;
  return STATUS_OK;
}

void secret_free(char *secret) {
  if (secret) explicit_bzero(secret, strlen(secret));
  free(secret);
}

bool secret_equal(const void *a, const void *b, size_t len) {
  return sodium_memcmp(a, b, len) == 0;
}
