#include "auth/jwt_secret.h"

#include "base/clock.h"
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SECRET_BYTES = 32, SECRET_CHARS = 2 * SECRET_BYTES, PATH_SIZE = 4096 };

static const char previous_name[] = "ARAGORA_JWT_SECRET_PREVIOUS";
static const char rotated_name[] = "ARAGORA_JWT_SECRET_ROTATED_AT";

/* Unix seconds, or a time as people write it. */
static bool read_time(const char *text, int64_t *ret_s) {
  int64_t ms;
  bool date_only;
  if (*text && strspn(text, "0123456789") == strlen(text) && strlen(text) <= 12) {
    *ret_s = strtoll(text, NULL, 10);
    return true;
  }
  if (!clock_parse_iso(text, &ms, &date_only)) return false;
  *ret_s = ms / 1000;
  return true;
}

static enum status read_window(const struct options *o, int64_t *ret_until_s, struct error *err) {
  int64_t rotated_s = 0;
  if (!o->jwt_secret_previous) return STATUS_OK;
  if (!o->jwt_secret_rotated_at)
    return error_set(err, STATUS_INVALID, rotated_name, "%s is set, and %s must say since when",
                     previous_name, rotated_name);
  if (!read_time(o->jwt_secret_rotated_at, &rotated_s))
    return error_set(err, STATUS_INVALID, rotated_name,
                     "%s must be a time, 2026-11-30T12:00:00Z or Unix seconds, not \"%.64s\"",
                     rotated_name, o->jwt_secret_rotated_at);
  *ret_until_s = rotated_s + o->jwt_rotation_grace_hours * 3600;
  return STATUS_OK;
}

static enum status file_path(const struct options *o, char path[PATH_SIZE], struct error *err) {
  int n = snprintf(path, PATH_SIZE, "%s/jwt_secret", o->data_dir);
  if (n < PATH_SIZE) return STATUS_OK;
  return error_set(err, STATUS_INVALID, "data_dir", "the data directory's name is too long");
}

static enum status read_file(const char *path, struct jwt_keys *ret_keys, struct error *err) {
  char *secret = NULL;
  enum status s = secret_read_file("ARAGORA_JWT_SECRET", path, &secret, err);
  if (!s) s = jwt_keys_init(ret_keys, secret, NULL, 0, err);
  secret_free(secret);
  return s;
}

enum status jwt_secret_load(const struct options *o, struct jwt_keys *ret_keys, bool *ret_found,
                            struct error *err) {
  char path[PATH_SIZE];
  int64_t until_s = 0;
  enum status s = read_window(o, &until_s, err);
  if (s) return s;
  *ret_found = true;
  if (o->jwt_secret)
    return jwt_keys_init(ret_keys, o->jwt_secret, o->jwt_secret_previous, until_s, err);
  s = file_path(o, path, err);
  if (s) return s;
  *ret_found = access(path, F_OK) == 0;
  return *ret_found ? read_file(path, ret_keys, err) : STATUS_OK;
}

/* Whole or not at all: written beside, then given the name, unless somebody else has it by now. */
static enum status write_file(const char *path, struct bytes text, struct error *err) {
  char beside[PATH_SIZE + 8];
  snprintf(beside, sizeof beside, "%s.XXXXXX", path);
  int fd = mkostemp(beside, O_CLOEXEC); /* 0600 */
  bool good = fd >= 0 && write(fd, text.ptr, text.len) == (ssize_t)text.len && fsync(fd) == 0;
  if (good && link(beside, path) < 0) good = errno == EEXIST;
  int reason = errno;
  if (fd >= 0) {
    close(fd);
    unlink(beside);
  }
  if (good) return STATUS_OK;
  return error_set(err, STATUS_IO, "ARAGORA_JWT_SECRET", "cannot make %s: %s", path,
                   strerror(reason));
}

enum status jwt_secret_make(const struct options *o, struct jwt_keys *ret_keys, struct error *err) {
  unsigned char secret[SECRET_BYTES];
  char path[PATH_SIZE], text[SECRET_CHARS + 1];
  enum status s = file_path(o, path, err);
  if (s) return s;
  randombytes_buf(secret, sizeof secret);
  sodium_bin2hex(text, sizeof text, secret, sizeof secret);
  s = write_file(path, (struct bytes){text, SECRET_CHARS}, err);
  sodium_memzero(secret, sizeof secret);
  sodium_memzero(text, sizeof text);
  return s ? s : read_file(path, ret_keys, err);
}
