#include "store/archive_dir.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { NUMBER_DIGITS = 20 };

static const char *const endings[] = {
    [SEGMENT_SEALED] = ".seg", [SEGMENT_PACKED] = ".seg.zst", [SEGMENT_OPEN] = ".part"};

char *archive_path(const char *dir, const char *name) {
  char *path;
  return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}

char *archive_chain_path(const char *dir, const char *chain, const char *name) {
  char *path;
  return asprintf(&path, "%s/%s/%s", dir, chain, name) < 0 ? NULL : path;
}

void archive_segment_name(uint64_t first, enum segment_form form, char out[SEGMENT_NAME_SIZE]) {
  snprintf(out, SEGMENT_NAME_SIZE, "%0*" PRIu64 "%s", NUMBER_DIGITS, first, endings[form]);
}

bool archive_is_chain(const char *name) {
  uint8_t raw[(CHAIN_SIZE - 1) / 2];
  return bytes_from_hex(bytes_of(name), raw, sizeof raw);
}

bool archive_parse_name(const char *name, struct segment_name *ret_name) {
  if (strspn(name, "0123456789") != NUMBER_DIGITS) return false;
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
    if (strcmp(name + NUMBER_DIGITS, endings[i]) != 0) continue;
    *ret_name = (struct segment_name){.first = strtoull(name, NULL, 10), .form = i};
    snprintf(ret_name->name, sizeof ret_name->name, "%s", name);
    return true;
  }
  return false;
}

static int by_text(const void *a, const void *b) {
  return strcmp(a, b);
}

static int by_first(const void *a, const void *b) {
  const struct segment_name *x = a, *y = b;
  if (x->first != y->first) return x->first < y->first ? -1 : 1;
  return (int)x->form - (int)y->form;
}

/* Room for one more; `size` is that of an element. */
static void *grow(void *array, size_t count, size_t size) {
  if (count & (count - 1)) return array; /* not 0, 1, 2, 4, ... */
  return realloc(array, (count ? 2 * count : 1) * size);
}

static DIR *open_dir(const char *path, bool missing_is_fine, enum status *ret_status,
                     struct error *err) {
  DIR *dir = opendir(path);
  *ret_status = STATUS_OK;
  if (dir || (missing_is_fine && errno == ENOENT)) return dir;
  *ret_status = error_set(err, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO, NULL, "%s: %s", path,
                          strerror(errno));
  return NULL;
}

enum status archive_chains(const char *path, char (**ret_chains)[CHAIN_SIZE], size_t *ret_count,
                           struct error *err) {
  enum status status;
  char(*chains)[CHAIN_SIZE] = NULL;
  size_t count = 0;
  DIR *dir = open_dir(path, true, &status, err);
  for (struct dirent *e; dir && (e = readdir(dir));) {
    if (!archive_is_chain(e->d_name)) continue;
    void *more = grow(chains, count, sizeof *chains);
    if (!more) {
      status = error_set(err, STATUS_NOMEM, NULL, "out of memory");
      break;
    }
    chains = more;
    memcpy(chains[count++], e->d_name, CHAIN_SIZE);
  }
  if (dir) closedir(dir);
  if (status) {
    free(chains);
    return status;
  }
  if (count) qsort(chains, count, sizeof *chains, by_text);
  *ret_chains = chains;
  *ret_count = count;
  return STATUS_OK;
}

/* Sorted, without the second form of a segment. */
static size_t order(struct segment_name *names, size_t count) {
  size_t kept = 0;
  if (count) qsort(names, count, sizeof *names, by_first);
  for (size_t i = 0; i < count; i++)
    if (i == 0 || names[i].first != names[kept - 1].first) names[kept++] = names[i];
  return kept;
}

enum status archive_segments(const char *dir_path, const char *chain,
                             struct segment_name **ret_segments, size_t *ret_count,
                             struct error *err) {
  FREE_LATER char *path = archive_path(dir_path, chain);
  if (!path) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  enum status status;
  struct segment_name *names = NULL, name;
  size_t count = 0;
  DIR *dir = open_dir(path, false, &status, err);
  for (struct dirent *e; dir && (e = readdir(dir));) {
    if (!archive_parse_name(e->d_name, &name)) continue;
    void *more = grow(names, count, sizeof *names);
    if (!more) {
      status = error_set(err, STATUS_NOMEM, NULL, "out of memory");
      break;
    }
    names = more;
    names[count++] = name;
  }
  if (dir) closedir(dir);
  if (status) {
    free(names);
    return status;
  }
  *ret_segments = names;
  *ret_count = order(names, count);
  return STATUS_OK;
}

uint64_t archive_segment_bytes(const char *dir, const char *chain,
                               const struct segment_name *name) {
  struct stat st;
  FREE_LATER char *path = archive_chain_path(dir, chain, name->name);
  return path && stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* One that is being written may be sealed between being seen and being read. */
static enum status load(const char *dir, const char *chain, const struct segment_name *name,
                        struct segment *ret_segment, struct error *err) {
  FREE_LATER char *path = archive_chain_path(dir, chain, name->name);
  if (!path) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  enum status status = segment_load(path, ret_segment, err);
  if (status != STATUS_NOT_FOUND || name->form != SEGMENT_OPEN) return status;
  char sealed[SEGMENT_NAME_SIZE];
  archive_segment_name(name->first, SEGMENT_SEALED, sealed);
  FREE_LATER char *other = archive_chain_path(dir, chain, sealed);
  if (!other) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  return segment_load(other, ret_segment, err);
}

enum status archive_load(const char *dir, const char *chain, const struct segment_name *name,
                         struct segment *ret_segment, struct error *err) {
  enum status status = load(dir, chain, name, ret_segment, err);
  if (status) return status;
  const struct segment_head *head = &ret_segment->head;
  if (strcmp(head->chain, chain) == 0 && head->first == name->first) return STATUS_OK;
  segment_free(ret_segment);
  return error_set(err, STATUS_CORRUPT, NULL, "%s/%s/%s: belongs to another place", dir, chain,
                   name->name);
}

enum status archive_load_chain_head(const char *dir, const char *chain,
                                    struct segment_head *ret_head) {
  struct segment_name *names = NULL;
  size_t count = 0;
  enum status status = archive_segments(dir, chain, &names, &count, NULL);
  if (status) return status;
  status = STATUS_NOT_FOUND;
  for (size_t i = 0; status && i < count; i++) {
    FREE_LATER char *path = archive_chain_path(dir, chain, names[i].name);
    if (path) status = segment_load_head(path, ret_head, NULL);
  }
  free(names);
  return status ? STATUS_NOT_FOUND : STATUS_OK;
}
