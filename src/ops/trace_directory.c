/* Replay files in a directory. A file takes its name when it is whole and on disk; its time is the
 * debate's end, so that copies and rewrites do not make it younger. */
#include "base/id.h"
#include "ops/trace_place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  PATH_SIZE = 4096,
  NAME_SIZE = 256,
  DIR_MODE = 0750,
  FILE_MODE = 0640,
  STEP_ENTRIES = 64,
  PUTS_MAX = 64
};

struct trace_directory {
  struct trace_place place;
  int fd;        /* of the directory; -1 until it is there */
  int replay_fd; /* of the last put's replay; -1 = none */
  char replay_id[ID_DEBATE_MAX + 1];
  DIR *listed;                    /* a sweep under way */
  char puts[PUTS_MAX][NAME_SIZE]; /* names that wait for the settling */
  size_t put_count;
  char path[];
};

static struct trace_directory *directory_of(struct trace_place *place) {
  return (struct trace_directory *)place;
}

static enum status failed(struct error *err, const struct trace_directory *d, const char *what,
                          const char *name) {
  int e = errno;
  enum status s = e == ENOSPC || e == EDQUOT ? STATUS_FULL : STATUS_IO;
  s = error_set(err, s, NULL, "cannot %s %.160s/%.100s: %s", what, d->path, name, strerror(e));
  errno = e;
  return s;
}

/* Each directory of the path that is missing. */
static bool make_directories(const char *path) {
  char part[PATH_SIZE];
  size_t len = strlen(path);
  if (len >= sizeof part) {
    errno = ENAMETOOLONG;
    return false;
  }
  for (size_t i = 1; i <= len; i++) {
    if (path[i] != '/' && path[i] != '\0') continue;
    memcpy(part, path, i);
    part[i] = '\0';
    if (mkdir(part, DIR_MODE) < 0 && errno != EEXIST && errno != EISDIR) return false;
  }
  return true;
}

/* Opened anew after a failure: the disk may have been mounted meanwhile. */
static enum status need(struct trace_directory *d, bool make, struct error *err) {
  if (d->fd >= 0) return STATUS_OK;
  if (make && !make_directories(d->path)) return failed(err, d, "make", "");
  d->fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return d->fd >= 0 ? STATUS_OK : failed(err, d, "open", "");
}

static void leave_replay(struct trace_directory *d) {
  if (d->replay_fd >= 0) close(d->replay_fd);
  d->replay_fd = -1;
}

static enum status fail_and_forget(struct trace_directory *d, const char *what, const char *name,
                                   struct error *err) {
  enum status s = failed(err, d, what, name);
  leave_replay(d);
  close(d->fd);
  d->fd = -1;
  return s;
}

/* ---- put ---- */

static void part_name(const char *name, char out[NAME_SIZE]) {
  snprintf(out, NAME_SIZE, "%s.part", name);
}

static bool write_part(int dir, const char *name, struct bytes content, int64_t of_ms) {
  char part[NAME_SIZE];
  struct timespec times[2] = {{of_ms / 1000, of_ms % 1000 * 1000000},
                              {of_ms / 1000, of_ms % 1000 * 1000000}};
  part_name(name, part);
  int fd = openat(dir, part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
  if (fd < 0) return false;
  bool ok = bytes_write(content, fd) && futimens(fd, times) == 0;
  int e = errno;
  ok = close(fd) == 0 && ok;
  if (!ok) {
    unlinkat(dir, part, 0);
    errno = e;
  }
  return ok;
}

static bool is_name(const char *name) {
  size_t len = strcspn(name, "/");
  return name[len] == '/' && strlen(name) < NAME_SIZE - 8 &&
         id_valid((struct bytes){name, len}, ID_DEBATE_MAX);
}

/* The directory of a replay, which a link does not stand for. The puts of one replay follow each
 * other. */
static bool enter_replay(struct trace_directory *d, struct bytes id) {
  if (d->replay_fd >= 0 && bytes_equal(id, bytes_of(d->replay_id))) return true;
  leave_replay(d);
  memcpy(d->replay_id, id.ptr, id.len);
  d->replay_id[id.len] = '\0';
  if (mkdirat(d->fd, d->replay_id, DIR_MODE) < 0 && errno != EEXIST) return false;
  d->replay_fd = openat(d->fd, d->replay_id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  return d->replay_fd >= 0;
}

static bool put_part(struct trace_directory *d, const char *name, struct bytes content,
                     int64_t of_ms) {
  size_t len = strcspn(name, "/");
  return enter_replay(d, (struct bytes){name, len}) &&
         write_part(d->replay_fd, name + len + 1, content, of_ms);
}

static enum status directory_put(struct trace_place *place, const char *name, struct bytes content,
                                 int64_t of_ms, struct error *err) {
  struct trace_directory *d = directory_of(place);
  if (!is_name(name))
    return error_set(err, STATUS_INVALID, NULL, "\"%.64s\" is no name of a replay's file", name);
  enum status s = d->put_count < PUTS_MAX ? need(d, true, err)
                                          : error_set(err, STATUS_FULL, NULL, "too many at once");
  if (s) return s;
  if (!put_part(d, name, content, of_ms)) return fail_and_forget(d, "write", name, err);
  snprintf(d->puts[d->put_count++], NAME_SIZE, "%s", name);
  return STATUS_OK;
}

/* Content before names, so that no name ever stands for less than a whole file. */
static enum status directory_settle(struct trace_place *place, struct error *err) {
  struct trace_directory *d = directory_of(place);
  size_t count = d->put_count;
  char part[NAME_SIZE];
  d->put_count = 0;
  leave_replay(d);
  if (!count) return STATUS_OK;
  if (d->fd < 0) return error_set(err, STATUS_IO, NULL, "%.160s is gone", d->path);
  if (syncfs(d->fd) < 0) return fail_and_forget(d, "sync", "", err);
  for (size_t i = 0; i < count; i++) {
    part_name(d->puts[i], part);
    if (renameat(d->fd, part, d->fd, d->puts[i]) < 0)
      return fail_and_forget(d, "rename", part, err);
  }
  return syncfs(d->fd) < 0 ? fail_and_forget(d, "sync", "", err) : STATUS_OK;
}

/* ---- remove ---- */

/* STATUS_NOT_FOUND only where it is certain: a directory that cannot be looked at may have it. */
static enum status find(struct trace_directory *d, const char *debate_id, struct error *err) {
  struct stat st;
  enum status s = need(d, false, err);
  if (s) return errno == ENOENT ? STATUS_NOT_FOUND : s;
  if (fstatat(d->fd, debate_id, &st, AT_SYMLINK_NOFOLLOW) == 0)
    return S_ISDIR(st.st_mode) ? STATUS_OK : STATUS_NOT_FOUND;
  return errno == ENOENT ? STATUS_NOT_FOUND : fail_and_forget(d, "look at", debate_id, err);
}

static bool directory_has(struct trace_place *place, const char *debate_id) {
  return !find(directory_of(place), debate_id, NULL);
}

/* What we put there and nothing else; a directory with something of others stays. */
static bool remove_replay(int fd, const char *id) {
  static const char *const names[] = {"meta.json", "events.jsonl", "meta.json.part",
                                      "events.jsonl.part"};
  int dir = openat(fd, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (dir < 0) return errno == ENOENT;
  bool ok = true;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    ok = (unlinkat(dir, names[i], 0) == 0 || errno == ENOENT) && ok;
  int e = errno;
  close(dir);
  errno = e;
  if (!ok) return false;
  return unlinkat(fd, id, AT_REMOVEDIR) == 0 || errno == ENOTEMPTY || errno == EEXIST;
}

static enum status directory_remove(struct trace_place *place, const char *debate_id,
                                    struct error *err) {
  struct trace_directory *d = directory_of(place);
  leave_replay(d);
  enum status s = find(d, debate_id, err);
  if (s) return s == STATUS_NOT_FOUND ? STATUS_OK : s;
  if (remove_replay(d->fd, debate_id) && fsync(d->fd) == 0) return STATUS_OK;
  return fail_and_forget(d, "remove", debate_id, err);
}

/* ---- age ---- */

/* The time of meta.json, which is put last; of what a crash left half done, the directory's. */
static bool is_older(int fd, const char *id, int64_t before_ms) {
  char meta[NAME_SIZE];
  struct stat st;
  snprintf(meta, sizeof meta, "%s/meta.json", id);
  if (fstatat(fd, meta, &st, AT_SYMLINK_NOFOLLOW) < 0 &&
      fstatat(fd, id, &st, AT_SYMLINK_NOFOLLOW) < 0)
    return false;
  return (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000 < before_ms;
}

static void end_sweep(struct trace_directory *d) {
  if (d->listed) closedir(d->listed);
  d->listed = NULL;
}

static enum status begin_sweep(struct trace_directory *d, bool *ret_there, struct error *err) {
  *ret_there = d->listed != NULL;
  if (d->listed) return STATUS_OK;
  d->listed = opendir(d->path);
  *ret_there = d->listed != NULL;
  return d->listed || errno == ENOENT ? STATUS_OK : failed(err, d, "read", "");
}

static enum status directory_sweep(struct trace_place *place, int64_t before_ms, bool *ret_more,
                                   size_t *ret_removed, struct error *err) {
  struct trace_directory *d = directory_of(place);
  *ret_more = false;
  *ret_removed = 0;
  bool there;
  enum status s = begin_sweep(d, &there, err);
  if (s || !there) return s;
  for (int i = 0; i < STEP_ENTRIES; i++) {
    struct dirent *entry = readdir(d->listed);
    if (!entry) {
      end_sweep(d);
      return STATUS_OK;
    }
    int fd = dirfd(d->listed);
    if (!id_valid(bytes_of(entry->d_name), ID_DEBATE_MAX)) continue;
    if (!is_older(fd, entry->d_name, before_ms)) continue;
    if (!remove_replay(fd, entry->d_name)) {
      if (errno == ENOTDIR || errno == ELOOP) continue; /* a file or link of somebody else */
      s = failed(err, d, "remove", entry->d_name);
      end_sweep(d);
      return s;
    }
    ++*ret_removed;
  }
  *ret_more = true;
  return STATUS_OK;
}

static void directory_close(struct trace_place *place) {
  struct trace_directory *d = directory_of(place);
  end_sweep(d);
  leave_replay(d);
  if (d->fd >= 0) close(d->fd);
  free(d);
}

static const struct trace_place_ops directory_ops = {.put = directory_put,
                                                     .settle = directory_settle,
                                                     .has = directory_has,
                                                     .remove = directory_remove,
                                                     .sweep = directory_sweep,
                                                     .close = directory_close};

enum status trace_directory_open(const char *path, struct trace_place **ret_place,
                                 struct error *err) {
  size_t len = strlen(path);
  struct trace_directory *d = calloc(1, sizeof *d + len + 1);
  if (!d) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  d->place.ops = &directory_ops;
  d->fd = -1;
  d->replay_fd = -1;
  memcpy(d->path, path, len + 1);
  *ret_place = &d->place;
  return STATUS_OK;
}
