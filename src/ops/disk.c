#include "ops/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OPEN_AT_ONCE = 16, PIECE = 1 << 20 };

enum status disk_error(struct error *err, const char *what, const char *path) {
  enum status s = errno == ENOSPC || errno == EDQUOT ? STATUS_FULL
                  : errno == ENOENT                  ? STATUS_NOT_FOUND
                                                     : STATUS_IO;
  return error_set(err, s, NULL, "cannot %s %s: %s", what, path, strerror(errno));
}

enum status disk_path(const char *dir, const char *name, char out[DISK_PATH_MAX],
                      struct error *err) {
  int n = snprintf(out, DISK_PATH_MAX, "%s/%s", dir, name);
  if (n > 0 && n < DISK_PATH_MAX) return STATUS_OK;
  return error_set(err, STATUS_INVALID, NULL, "the path %.128s is too long", dir);
}

/* ---- directories ---- */

enum status disk_make_directories(const char *path, struct error *err) {
  char part[DISK_PATH_MAX];
  size_t len = strlen(path);
  if (!len || len >= sizeof part)
    return error_set(err, STATUS_INVALID, NULL, "the path %.128s is too long", path);
  for (size_t i = 1; i <= len; i++) {
    if (path[i] && path[i] != '/') continue;
    memcpy(part, path, i);
    part[i] = 0;
    if (mkdir(part, 0750) < 0 && errno != EEXIST)
      return disk_error(err, "make the directory", part);
  }
  struct stat st;
  if (stat(path, &st) < 0) return disk_error(err, "read", path);
  errno = ENOTDIR;
  return S_ISDIR(st.st_mode) ? STATUS_OK : disk_error(err, "use", path);
}

static enum status parent_of(const char *path, char out[DISK_PATH_MAX], struct error *err) {
  const char *slash = strrchr(path, '/');
  size_t len = slash ? (size_t)(slash - path) : 0;
  if (len >= DISK_PATH_MAX)
    return error_set(err, STATUS_INVALID, NULL, "the path %.128s is too long", path);
  if (len)
    snprintf(out, DISK_PATH_MAX, "%.*s", (int)len, path);
  else
    snprintf(out, DISK_PATH_MAX, "%s", slash ? "/" : ".");
  return STATUS_OK;
}

enum status disk_make_parents(const char *path, struct error *err) {
  char parent[DISK_PATH_MAX];
  enum status s = parent_of(path, parent, err);
  return s ? s : disk_make_directories(parent, err);
}

static enum status sync_opened(const char *path, int flags, struct error *err) {
  int fd = open(path, flags | O_CLOEXEC);
  if (fd < 0) return disk_error(err, "open", path);
  enum status s = fsync(fd) < 0 ? disk_error(err, "sync", path) : STATUS_OK;
  close(fd);
  return s;
}

enum status disk_sync_file(const char *path, struct error *err) {
  return sync_opened(path, O_RDONLY, err);
}

enum status disk_sync_directory(const char *path, struct error *err) {
  return sync_opened(path, O_RDONLY | O_DIRECTORY, err);
}

enum status disk_sync_parent(const char *path, struct error *err) {
  char parent[DISK_PATH_MAX];
  enum status s = parent_of(path, parent, err);
  return s ? s : disk_sync_directory(parent, err);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw) {
  (void)st;
  (void)type;
  (void)ftw;
  return remove(path) < 0 && errno != ENOENT ? -1 : 0;
}

enum status disk_remove(const char *path, struct error *err) {
  if (nftw(path, remove_entry, OPEN_AT_ONCE, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT)
    return STATUS_OK;
  return disk_error(err, "remove", path);
}

/* ---- files ---- */

static enum status take_name(const char *temporary, const char *path, struct error *err) {
  if (rename(temporary, path) < 0) return disk_error(err, "move", temporary);
  return disk_sync_parent(path, err);
}

static enum status temporary_of(const char *path, char out[DISK_PATH_MAX], struct error *err) {
  int n = snprintf(out, DISK_PATH_MAX, "%s.part", path);
  if (n > 0 && n < DISK_PATH_MAX) return STATUS_OK;
  return error_set(err, STATUS_INVALID, NULL, "the path %.128s is too long", path);
}

enum status disk_write(const char *path, struct bytes content, struct error *err) {
  char temporary[DISK_PATH_MAX];
  enum status s = temporary_of(path, temporary, err);
  if (s) return s;
  int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  if (fd < 0) return disk_error(err, "make", temporary);
  if (!bytes_write(content, fd) || fsync(fd) < 0) s = disk_error(err, "write", temporary);
  close(fd);
  if (!s) s = take_name(temporary, path, err);
  if (s) unlink(temporary);
  return s;
}

static enum status copy_bytes(int in, int out, const char *from, const char *to,
                              struct error *err) {
  FREE_LATER char *piece = malloc(PIECE);
  if (!piece) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  for (;;) {
    ssize_t n = read(in, piece, PIECE);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return disk_error(err, "read", from);
    if (n == 0) break;
    if (!bytes_write((struct bytes){piece, (size_t)n}, out)) return disk_error(err, "write", to);
  }
  return fsync(out) < 0 ? disk_error(err, "sync", to) : STATUS_OK;
}

static enum status copy_over(const char *from, const char *to, struct error *err) {
  char temporary[DISK_PATH_MAX];
  enum status s = temporary_of(to, temporary, err);
  if (s) return s;
  int in = open(from, O_RDONLY | O_CLOEXEC);
  if (in < 0) return disk_error(err, "open", from);
  int out = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  s = out < 0 ? disk_error(err, "make", temporary) : copy_bytes(in, out, from, temporary, err);
  close(in);
  if (out >= 0) close(out);
  if (!s) s = take_name(temporary, to, err);
  if (s)
    unlink(temporary);
  else
    unlink(from);
  return s;
}

enum status disk_move(const char *from, const char *to, struct error *err) {
  enum status s = disk_sync_file(from, err);
  if (s) return s;
  if (rename(from, to) == 0) return disk_sync_parent(to, err);
  return errno == EXDEV ? copy_over(from, to, err) : disk_error(err, "move", from);
}
