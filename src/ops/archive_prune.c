#include "ops/archive_prune.h"

#include "ops/shipped.h"
#include "ops/staging.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The last commit that the oldest backup of the chain has. */
static bool oldest_backup(const struct catalogue *c, const char *chain, uint64_t *ret_number) {
  bool any = false;
  for (size_t i = 0; i < c->count; i++) {
    const struct catalogue_entry *e = &c->entries[i];
    if (!e->readable || strcmp(e->manifest.chain, chain) != 0) continue;
    uint64_t number = (uint64_t)e->manifest.number;
    if (!any || number < *ret_number) *ret_number = number;
    any = true;
  }
  return any;
}

static enum status remove_file(const char *dir, const char *chain, const char *name,
                               struct error *err) {
  FREE_LATER char *path = archive_chain_path(dir, chain, name);
  if (!path) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  if (unlink(path) == 0 || errno == ENOENT) return STATUS_OK;
  return error_set(err, STATUS_IO, NULL, "%s: %s", path, strerror(errno));
}

/* When something was last written to the chain, in Unix milliseconds; 0 = nobody knows. */
static int64_t written_ms(const char *dir, const char *chain, const struct segment_name *last) {
  FREE_LATER char *path = archive_chain_path(dir, chain, last->name);
  struct stat st;
  return path && stat(path, &st) == 0 ? (int64_t)st.st_mtim.tv_sec * 1000 : 0;
}

/* A segment ends where the next one begins; the last one may go on. */
static enum status remove_segments(const char *dir, const char *chain,
                                   const struct segment_name *segments, size_t count,
                                   uint64_t needed_from, size_t *removed, struct error *err) {
  enum status s = STATUS_OK;
  for (size_t i = 0; i + 1 < count && !s && segments[i + 1].first <= needed_from; i++) {
    if (segments[i].form == SEGMENT_OPEN) break;
    s = remove_file(dir, chain, segments[i].name, err);
    if (!s) ++*removed;
  }
  return s;
}

/* Segments that held nothing but a record whose commit never came. */
static enum status remove_void(const char *dir, const char *chain, struct error *err) {
  FREE_LATER char *path = archive_path(dir, chain);
  DIR *d = path ? opendir(path) : NULL;
  enum status s = STATUS_OK;
  for (const struct dirent *e; d && !s && (e = readdir(d));)
    if (bytes_ends_with(bytes_of(e->d_name), BYTES_LITERAL(".part.void")))
      s = remove_file(dir, chain, e->d_name, err);
  if (d) closedir(d);
  return s;
}

static enum status remove_chain(const char *dir, const char *chain,
                                const struct segment_name *segments, size_t count, size_t *removed,
                                struct error *err) {
  static const char *const own[] = {"stamp", "base"};
  enum status s = STATUS_OK;
  for (size_t i = 0; i < count && !s; i++) {
    s = remove_file(dir, chain, segments[i].name, err);
    if (!s) ++*removed;
  }
  for (size_t i = 0; i < sizeof own / sizeof *own && !s; i++)
    s = remove_file(dir, chain, own[i], err);
  if (!s) s = remove_void(dir, chain, err);
  FREE_LATER char *path = archive_path(dir, chain);
  if (!s && path) rmdir(path); /* what else lies there is somebody's, and keeps it */
  return s;
}

/* The chain goes on and no backup here needs it: a copy made by other means may, for as long as a
 * full backup is kept. */
static enum status remove_old(const char *dir, const char *chain,
                              const struct segment_name *segments, size_t count, int64_t before_ms,
                              size_t *removed, struct error *err) {
  enum status s = STATUS_OK;
  for (size_t i = 0; i + 1 < count && !s && segments[i].form != SEGMENT_OPEN; i++) {
    int64_t last = written_ms(dir, chain, &segments[i]);
    if (!last || last >= before_ms) break;
    s = remove_file(dir, chain, segments[i].name, err);
    if (!s) ++*removed;
  }
  return s;
}

static enum status prune_chain(const char *dir, const char *chain, const struct catalogue *backups,
                               const char *current, int64_t before_ms, size_t *removed,
                               struct error *err) {
  struct segment_name *segments = NULL;
  size_t count = 0;
  uint64_t number = 0;
  enum status s = archive_segments(dir, chain, &segments, &count, err);
  if (s) return s == STATUS_NOT_FOUND ? STATUS_OK : s;
  if (oldest_backup(backups, chain, &number)) {
    s = remove_segments(dir, chain, segments, count, number + 1, removed, err);
  } else if (strcmp(chain, current) == 0) {
    s = remove_old(dir, chain, segments, count, before_ms, removed, err);
  } else if (count) {
    int64_t last = written_ms(dir, chain, &segments[count - 1]);
    if (last && last < before_ms) s = remove_chain(dir, chain, segments, count, removed, err);
  }
  free(segments);
  return s;
}

enum status archive_prune(const char *dir, const struct catalogue *backups, const char *current,
                          int64_t before_ms, size_t *ret_removed, struct error *err) {
  char(*chains)[CHAIN_SIZE] = NULL;
  size_t count = 0;
  *ret_removed = 0;
  enum status s = archive_chains(dir, &chains, &count, err);
  for (size_t i = 0; i < count && !s; i++)
    s = prune_chain(dir, chains[i], backups, current, before_ms, ret_removed, err);
  free(chains);
  return s;
}

/* ---- in the place ---- */

static enum status remove_shipped(struct place *place, const struct shipped_chain *c, size_t count,
                                  size_t *removed, struct error *err) {
  char key[PLACE_KEY_MAX];
  enum status s = STATUS_OK;
  for (size_t i = 0; i < count && !s; i++) {
    shipped_key(c->chain, c->firsts[i], key);
    s = place_remove(place, key, err);
    if (!s) ++*removed;
  }
  return s;
}

/* How many of the first segments end before the commit. */
static size_t count_before(const struct shipped_chain *c, uint64_t needed_from) {
  size_t count = 0;
  while (count + 1 < c->count && c->firsts[count + 1] <= needed_from) count++;
  return count;
}

/* The time of the commit before the last segment; *ret_ms 0 = nobody knows. */
static enum status shipped_ms(struct place *place, const struct shipped_chain *c, int64_t *ret_ms,
                              struct error *err) {
  char key[PLACE_KEY_MAX], path[DISK_PATH_MAX];
  struct segment_head head;
  struct staging staging = {.fd = -1};
  shipped_key(c->chain, c->firsts[c->count - 1], key);
  *ret_ms = 0;
  enum status s = staging_make(place_staging_dir(place), &staging, err);
  if (!s) s = disk_path(staging.path, "head.seg.zst", path, err);
  if (!s) s = shipped_copy(place, key, path, NULL, NULL, err);
  if (!s && !segment_load_head(path, &head, NULL)) *ret_ms = head.previous_ms;
  staging_drop(&staging);
  return s == STATUS_NOT_FOUND ? STATUS_OK : s;
}

static enum status prune_shipped(struct place *place, const struct shipped_chain *c,
                                 const struct catalogue *backups, const char *current,
                                 int64_t before_ms, size_t *removed, struct error *err) {
  uint64_t number = 0;
  int64_t last = 0;
  if (oldest_backup(backups, c->chain, &number))
    return remove_shipped(place, c, count_before(c, number + 1), removed, err);
  if (strcmp(c->chain, current) == 0) return STATUS_OK;
  enum status s = shipped_ms(place, c, &last, err);
  return s || !last || last >= before_ms ? s : remove_shipped(place, c, c->count, removed, err);
}

enum status archive_prune_place(struct place *place, const struct catalogue *backups,
                                const char *current, int64_t before_ms, size_t *ret_removed,
                                struct error *err) {
  struct shipped shipped = {0};
  *ret_removed = 0;
  enum status s = shipped_read(place, &shipped, err);
  for (size_t i = 0; i < shipped.count && !s; i++)
    s = prune_shipped(place, &shipped.chains[i], backups, current, before_ms, ret_removed, err);
  shipped_done(&shipped);
  return s;
}
