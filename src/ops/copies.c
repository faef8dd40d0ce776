#include "ops/copies.h"

#include "base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { STAMP_SIZE = 20 }; /* "20261123T223712345Z" */
#define PARTIAL ".partial"

static void make_stamp(int64_t wall_ms, char out[STAMP_SIZE]) {
  char iso[CLOCK_ISO_SIZE];
  clock_format_iso(wall_ms, iso);
  for (const char *p = iso; *p; p++)
    if (!strchr("-:.", *p)) *out++ = *p;
  *out = '\0';
}

/* "DIR/aragora_memory" of "DIR/aragora_memory.db". */
static struct bytes stem_of(const char *database) {
  struct bytes stem = bytes_of(database);
  if (bytes_ends_with(stem, BYTES_LITERAL(".db"))) stem.len -= 3;
  return stem;
}

bool copies_name(const char *database, int64_t version, int64_t wall_ms, char *out, size_t size) {
  char stamp[STAMP_SIZE];
  struct bytes stem = stem_of(database);
  make_stamp(wall_ms, stamp);
  int n = snprintf(out, size, "%.*s.before-%lld-%s.db", (int)stem.len, stem.ptr, (long long)version,
                   stamp);
  return n > 0 && (size_t)n < size;
}

/* ---- which of a directory's files are copies ---- */

struct copy {
  char *name;
  size_t stamp_at; /* in the name */
};

struct copies {
  struct copy *list;
  size_t count;
};

static bool is_stamp(const char *text) {
  for (int i = 0; i < STAMP_SIZE - 1; i++) {
    bool digit = text[i] >= '0' && text[i] <= '9';
    if (i == 8 ? text[i] != 'T' : i == STAMP_SIZE - 2 ? text[i] != 'Z' : !digit) return false;
  }
  return true;
}

/* Where the time stands in the name of a copy of STEM, with what follows it in *ret_rest; NULL in
 * any other name. */
static const char *stamp_of(const char *name, struct bytes stem, const char **ret_rest) {
  static const char mark[] = ".before-";
  if (strncmp(name, stem.ptr, stem.len) != 0) return NULL;
  name += stem.len;
  if (strncmp(name, mark, sizeof mark - 1) != 0) return NULL;
  name += sizeof mark - 1;
  size_t digits = strspn(name, "0123456789");
  if (!digits || name[digits] != '-' || !is_stamp(name + digits + 1)) return NULL;
  *ret_rest = name + digits + STAMP_SIZE;
  return name + digits + 1;
}

static bool add(struct copies *copies, const char *name, const char *stamp) {
  struct copy *more = realloc(copies->list, (copies->count + 1) * sizeof *more);
  if (!more) return false;
  copies->list = more;
  struct copy *copy = &copies->list[copies->count];
  *copy = (struct copy){strdup(name), (size_t)(stamp - name)};
  if (!copy->name) return false;
  copies->count++;
  return true;
}

static int newest_first(const void *a, const void *b) {
  const struct copy *x = a, *y = b;
  return strcmp(y->name + y->stamp_at, x->name + x->stamp_at);
}

static void copies_done(struct copies *copies) {
  for (size_t i = 0; i < copies->count; i++) free(copies->list[i].name);
  free(copies->list);
}

static enum status unlink_in(DIR *dir, const char *name, struct error *err) {
  if (unlinkat(dirfd(dir), name, 0) == 0 || errno == ENOENT) return STATUS_OK;
  return error_set(err, STATUS_IO, NULL, "cannot remove %s: %s", name, strerror(errno));
}

static enum status scan(DIR *dir, struct bytes stem, struct copies *copies, struct error *err) {
  enum status status = STATUS_OK;
  for (struct dirent *entry; !status && (entry = readdir(dir));) {
    const char *rest = "", *stamp = stamp_of(entry->d_name, stem, &rest);
    if (stamp && strcmp(rest, ".db" PARTIAL) == 0)
      status = unlink_in(dir, entry->d_name, err);
    else if (stamp && strcmp(rest, ".db") == 0 && !add(copies, entry->d_name, stamp))
      status = error_set(err, STATUS_NOMEM, NULL, "out of memory");
  }
  return status;
}

enum status copies_trim(const char *database, size_t keep, struct error *err) {
  struct bytes stem = stem_of(database);
  const char *slash = strrchr(database, '/');
  size_t len = slash ? (size_t)(slash - database) + 1 : 1;
  FREE_LATER char *path = bytes_dup((struct bytes){slash ? database : ".", len});
  if (!path) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  DIR *dir = opendir(path);
  if (!dir) return error_set(err, STATUS_IO, NULL, "%s: %s", path, strerror(errno));
  if (slash) stem = (struct bytes){slash + 1, stem.len - len};
  struct copies copies = {0};
  enum status status = scan(dir, stem, &copies, err);
  if (copies.count) qsort(copies.list, copies.count, sizeof *copies.list, newest_first);
  for (size_t i = keep; !status && i < copies.count; i++)
    status = unlink_in(dir, copies.list[i].name, err);
  copies_done(&copies);
  closedir(dir);
  return status;
}
