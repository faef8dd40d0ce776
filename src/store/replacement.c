#include "store/replacement.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NOTE_MAX = 16384, WORD_MAX = 64 };

/* The note, as text: "aside WORD\nmemory PATH\nelo PATH\n". Paths are absolute, or names beside the
 * note, so that a directory that moved meanwhile is still understood. */
struct note {
  char aside[WORD_MAX];
  char paths[2][REPLACEMENT_PATH_MAX];
};

static enum status fail(struct error *err, const char *what, const char *path) {
  return error_set(err, errno == ENOSPC ? STATUS_FULL : STATUS_IO, NULL, "cannot %s %s: %s", what,
                   path, strerror(errno));
}

static enum status join(const char *path, const char *end, char out[REPLACEMENT_PATH_MAX],
                        struct error *err) {
  int n = snprintf(out, REPLACEMENT_PATH_MAX, "%s%s", path, end);
  if (n > 0 && n < REPLACEMENT_PATH_MAX) return STATUS_OK;
  return error_set(err, STATUS_INVALID, NULL, "the path %.128s is too long", path);
}

enum status replacement_path(const char *path, char out[REPLACEMENT_PATH_MAX], struct error *err) {
  return join(path, ".restored", out, err);
}

static enum status note_path(const char *memory_path, char out[REPLACEMENT_PATH_MAX],
                             struct error *err) {
  return join(memory_path, ".replace", out, err);
}

/* A rename is on disk when its directory is. */
static enum status sync_directory_of(const char *path, struct error *err) {
  const char *slash = strrchr(path, '/');
  FREE_LATER char *dir = !slash          ? strdup(".")
                         : slash == path ? strdup("/")
                                         : bytes_dup((struct bytes){path, (size_t)(slash - path)});
  if (!dir) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return fail(err, "open", dir);
  int rc = fsync(fd);
  int error = errno;
  close(fd);
  errno = error;
  return rc < 0 ? fail(err, "sync", dir) : STATUS_OK;
}

/* --- carrying it out; every step may have been taken before ---------------------------------- */

static enum status move(const char *from, const char *to, struct error *err) {
  if (rename(from, to) == 0 || errno == ENOENT) return STATUS_OK;
  return fail(err, "move", from);
}

/* The old file goes aside with what belongs to it, and stays usable there: SQLite finds a -wal by
 * the name of its database. */
static enum status put_aside(const char *path, const char *aside, struct error *err) {
  static const char *const ends[] = {"-wal", "-shm", ""};
  enum status s = STATUS_OK;
  for (size_t i = 0; i < sizeof ends / sizeof *ends && !s; i++) {
    char from[REPLACEMENT_PATH_MAX], to[REPLACEMENT_PATH_MAX], end[WORD_MAX + 8];
    snprintf(end, sizeof end, ".%s%s", aside, ends[i]);
    s = join(path, ends[i], from, err);
    if (!s) s = join(path, end, to, err);
    if (!s) s = move(from, to, err);
  }
  return s;
}

/* While the new file waits under its other name the old one has not been replaced. */
static enum status replace_one(const char *path, const char *aside, struct error *err) {
  char fresh[REPLACEMENT_PATH_MAX];
  enum status s = replacement_path(path, fresh, err);
  if (s || access(fresh, F_OK) < 0) return s;
  s = put_aside(path, aside, err);
  if (!s) s = sync_directory_of(path, err);
  if (!s) s = move(fresh, path, err);
  return s ? s : sync_directory_of(path, err);
}

static enum status carry_out(const struct note *note, const char *note_file, struct error *err) {
  enum status s = STATUS_OK;
  for (int i = 0; i < 2 && !s; i++) s = replace_one(note->paths[i], note->aside, err);
  if (!s && unlink(note_file) < 0) s = fail(err, "remove", note_file);
  return s ? s : sync_directory_of(note_file, err);
}

/* --- the note ------------------------------------------------------------------------------- */

/* A name where the file lies beside the note; else its absolute path. */
static enum status append_place(struct buffer *out, const char *path, const char *memory_path,
                                struct error *err) {
  const char *slash = strrchr(path, '/'), *own = strrchr(memory_path, '/');
  size_t len = slash ? (size_t)(slash - path) : 0;
  size_t own_len = own ? (size_t)(own - memory_path) : 0;
  if (len == own_len && memcmp(path, memory_path, len) == 0)
    return buffer_append_text(out, slash ? slash + 1 : path) ? STATUS_OK : STATUS_NOMEM;
  FREE_LATER char *dir = slash ? bytes_dup((struct bytes){path, len ? len : 1}) : strdup(".");
  FREE_LATER char *real = dir ? realpath(dir, NULL) : NULL;
  if (!real) return fail(err, "find", path);
  buffer_printf(out, "%s/%s", strcmp(real, "/") == 0 ? "" : real, slash ? slash + 1 : path);
  return STATUS_OK;
}

static enum status write_note(const char *file, const char *memory_path, const char *elo_path,
                              const char *aside, struct error *err) {
  char fresh[REPLACEMENT_PATH_MAX];
  BUFFER_LATER struct buffer text;
  buffer_init(&text, NOTE_MAX);
  buffer_printf(&text, "aside %s\nmemory ", aside);
  enum status s = append_place(&text, memory_path, memory_path, err);
  buffer_append_text(&text, "\nelo ");
  if (!s) s = append_place(&text, elo_path, memory_path, err);
  buffer_append_char(&text, '\n');
  if (!s && text.overflow) s = error_set(err, STATUS_INVALID, NULL, "the paths are too long");
  if (!s) s = join(file, ".new", fresh, err);
  if (s) return s;
  int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return fail(err, "make", fresh);
  if (!bytes_write(buffer_bytes(&text), fd))
    s = fail(err, "write", fresh);
  else if (fsync(fd) < 0)
    s = fail(err, "sync", fresh);
  close(fd);
  if (!s && rename(fresh, file) < 0) s = fail(err, "move", fresh);
  return s ? s : sync_directory_of(file, err);
}

static bool take_line(struct bytes *rest, const char *key, char *out, size_t size) {
  const char *end = memchr(rest->ptr, '\n', rest->len);
  size_t len = end ? (size_t)(end - rest->ptr) : 0, key_len = strlen(key);
  if (!end || len <= key_len || memcmp(rest->ptr, key, key_len) != 0) return false;
  if (len - key_len >= size) return false;
  memcpy(out, rest->ptr + key_len, len - key_len);
  out[len - key_len] = 0;
  *rest = (struct bytes){end + 1, rest->len - len - 1};
  return true;
}

/* A name becomes a path beside the note. */
static bool place(const char *note_file, char path[REPLACEMENT_PATH_MAX]) {
  const char *slash = strrchr(note_file, '/');
  char name[REPLACEMENT_PATH_MAX];
  if (*path == '/' || !slash) return true;
  memcpy(name, path, strlen(path) + 1);
  int n =
      snprintf(path, REPLACEMENT_PATH_MAX, "%.*s/%s", (int)(slash - note_file), note_file, name);
  return n > 0 && n < REPLACEMENT_PATH_MAX;
}

static enum status read_note(int fd, const char *file, struct note *note, struct error *err) {
  char text[NOTE_MAX];
  ssize_t len = pread(fd, text, sizeof text, 0);
  if (len < 0) return fail(err, "read", file);
  struct bytes rest = {text, (size_t)len};
  bool ok = take_line(&rest, "aside ", note->aside, sizeof note->aside) &&
            !strchr(note->aside, '/') &&
            take_line(&rest, "memory ", note->paths[0], REPLACEMENT_PATH_MAX) &&
            take_line(&rest, "elo ", note->paths[1], REPLACEMENT_PATH_MAX) && !rest.len &&
            place(file, note->paths[0]) && place(file, note->paths[1]);
  if (ok) return STATUS_OK;
  return error_set(err, STATUS_CORRUPT, NULL, "%s: is not the note of a replacement", file);
}

/* Another process may be at it, and remove it while this one waits for the lock. */
static enum status carry_out_locked(int fd, const char *file, struct error *err) {
  struct stat locked, named;
  struct note note;
  while (flock(fd, LOCK_EX) < 0)
    if (errno != EINTR) return fail(err, "lock", file);
  if (fstat(fd, &locked) < 0) return fail(err, "read", file);
  if (stat(file, &named) < 0) return errno == ENOENT ? STATUS_OK : fail(err, "read", file);
  if (named.st_ino != locked.st_ino || named.st_dev != locked.st_dev) return STATUS_OK;
  enum status s = read_note(fd, file, &note, err);
  return s ? s : carry_out(&note, file, err);
}

enum status replacement_finish(const char *memory_path, struct error *err) {
  char file[REPLACEMENT_PATH_MAX];
  enum status s = note_path(memory_path, file, err);
  if (s) return s;
  int fd = open(file, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno == ENOENT ? STATUS_OK : fail(err, "open", file);
  s = carry_out_locked(fd, file, err);
  close(fd);
  return s;
}

enum status replacement_run(const char *memory_path, const char *elo_path, const char *aside,
                            struct error *err) {
  char file[REPLACEMENT_PATH_MAX];
  enum status s = replacement_finish(memory_path, err); /* of one before */
  if (!s) s = note_path(memory_path, file, err);
  if (!s) s = write_note(file, memory_path, elo_path, aside, err);
  return s ? s : replacement_finish(memory_path, err);
}
