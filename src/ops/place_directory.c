/* Backups in a directory. A file takes its name when it is whole and on disk. */
#include "ops/disk.h"
#include "ops/place_kind.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH_MAX = 4, PIECE = 256 << 10 };

struct walk {
  const char *root, *prefix;
  place_file_fn *each;
  void *ctx;
  struct error *err;
};

/* ---- list ---- */

static enum status walk_directory(const struct walk *w, const char *below, int depth);

static enum status walk_entry(const struct walk *w, const char *below, const char *name,
                              int depth) {
  char key[PLACE_KEY_MAX], path[DISK_PATH_MAX];
  struct stat st;
  int n = snprintf(key, sizeof key, "%s%s%s", below, *below ? "/" : "", name);
  if (n < 0 || n >= PLACE_KEY_MAX) return STATUS_OK; /* none of ours */
  size_t known = strlen(w->prefix) < (size_t)n ? strlen(w->prefix) : (size_t)n;
  if (memcmp(key, w->prefix, known) != 0) return STATUS_OK;
  enum status s = disk_path(w->root, key, path, w->err);
  if (s || lstat(path, &st) < 0) return s; /* it may have gone meanwhile */
  if (S_ISDIR(st.st_mode)) return depth < DEPTH_MAX ? walk_directory(w, key, depth + 1) : STATUS_OK;
  if (!S_ISREG(st.st_mode) || strncmp(key, w->prefix, strlen(w->prefix)) != 0) return STATUS_OK;
  const struct place_file file = {key,
                                  (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000};
  return w->each(w->ctx, &file, w->err);
}

static enum status walk_directory(const struct walk *w, const char *below, int depth) {
  char path[DISK_PATH_MAX];
  enum status s = disk_path(w->root, below, path, w->err);
  if (s) return s;
  DIR *dir = opendir(path);
  if (!dir) return errno == ENOENT ? STATUS_OK : disk_error(w->err, "read", path);
  for (struct dirent *entry; !s && (errno = 0, entry = readdir(dir));) {
    bool half = bytes_ends_with(bytes_of(entry->d_name), BYTES_LITERAL(".part"));
    if (entry->d_name[0] != '.' && !half) s = walk_entry(w, below, entry->d_name, depth);
  }
  if (!s && errno) s = disk_error(w->err, "read", path);
  closedir(dir);
  return s;
}

static enum status directory_list(struct place *p, const char *prefix, place_file_fn *each,
                                  void *ctx, struct error *err) {
  struct walk w = {p->name, prefix, each, ctx, err};
  return walk_directory(&w, "", 0);
}

/* ---- read ---- */

static enum status read_pieces(int fd, const char *path, place_piece_fn *each, void *ctx,
                               struct error *err) {
  FREE_LATER char *piece = malloc(PIECE);
  if (!piece) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  for (;;) {
    ssize_t n = read(fd, piece, PIECE);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return disk_error(err, "read", path);
    if (n == 0) return STATUS_OK;
    enum status s = each(ctx, (struct bytes){piece, (size_t)n}, err);
    if (s) return s;
  }
}

static enum status directory_read(struct place *p, const char *key, place_piece_fn *each, void *ctx,
                                  struct error *err) {
  char path[DISK_PATH_MAX];
  enum status s = disk_path(p->name, key, path, err);
  if (s) return s;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return disk_error(err, "open", path);
  s = read_pieces(fd, path, each, ctx, err);
  close(fd);
  return s;
}

/* ---- change ---- */

static enum status directory_put(struct place *p, const char *key, const char *path,
                                 const uint8_t sha256[32], const char *storage_class,
                                 struct error *err) {
  char to[DISK_PATH_MAX];
  (void)sha256;
  (void)storage_class;
  enum status s = disk_path(p->name, key, to, err);
  if (!s) s = disk_make_parents(to, err);
  if (!s) s = disk_move(path, to, err);
  /* The directory of the backup is an entry too. */
  return s ? s : disk_sync_directory(p->name, err);
}

static enum status directory_remove(struct place *p, const char *key, struct error *err) {
  char path[DISK_PATH_MAX];
  enum status s = disk_path(p->name, key, path, err);
  if (s) return s;
  if (unlink(path) < 0 && errno != ENOENT) return disk_error(err, "remove", path);
  char *slash = strrchr(path, '/');
  *slash = 0;
  if (strlen(path) > strlen(p->name) && rmdir(path) < 0 && errno != ENOTEMPTY && errno != ENOENT &&
      errno != EEXIST)
    return disk_error(err, "remove", path);
  return STATUS_OK;
}

static void directory_close(struct place *p) {
  (void)p;
}

static const struct place_ops directory_ops = {directory_list, directory_read, directory_put,
                                               directory_remove, directory_close};

enum status place_directory_open(struct place **ret_place, struct error *err) {
  struct place *p = calloc(1, sizeof *p);
  if (!p) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  p->ops = &directory_ops;
  *ret_place = p;
  return STATUS_OK;
}
