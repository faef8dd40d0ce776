#include "ops/catalogue.h"

#include "base/json.h"
#include "base/sha256.h"
#include "ops/fetch.h"
#include "ops/staging.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { MARK_MAX = 1024, FILES_MAX = 16 };
#define MANIFEST_FILE "manifest.json"
#define VERIFIED_FILE "verified.json"

static void key_of(const char *name, const char *file, char out[PLACE_KEY_MAX]) {
  snprintf(out, PLACE_KEY_MAX, "%s/%s", name, file);
}

/* ---- names ---- */

static struct catalogue_entry *find(const struct catalogue *c, struct bytes name) {
  for (size_t i = c->count; i-- > 0;) /* files of one backup mostly come in a row */
    if (bytes_equal(name, bytes_of(c->entries[i].name))) return &c->entries[i];
  return NULL;
}

static enum status add(struct catalogue *c, struct bytes name, struct catalogue_entry **ret_entry,
                       struct error *err) {
  struct catalogue_entry e = {.verified_ms = -1};
  *ret_entry = find(c, name);
  if (*ret_entry || !backup_name_parse(name, &e.kind, &e.created_ms)) return STATUS_OK;
  if (c->count == CATALOGUE_MAX)
    return error_set(err, STATUS_TOO_LARGE, NULL, "there are more than %d backups", CATALOGUE_MAX);
  struct catalogue_entry *more = realloc(c->entries, (c->count + 1) * sizeof *more);
  if (!more) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  memcpy(e.name, name.ptr, name.len);
  c->entries = more;
  more[c->count] = e;
  *ret_entry = &more[c->count++];
  return STATUS_OK;
}

static enum status take_key(void *ctx, const char *key, struct error *err) {
  const char *slash = strchr(key, '/');
  struct catalogue_entry *e = NULL;
  if (!slash) return STATUS_OK;
  enum status s = add(ctx, (struct bytes){key, (size_t)(slash - key)}, &e, err);
  if (s || !e) return s;
  if (strcmp(slash + 1, MANIFEST_FILE) == 0) e->complete = true;
  if (strcmp(slash + 1, VERIFIED_FILE) == 0) e->verified_ms = 0; /* the time is read later */
  return STATUS_OK;
}

static int newest_first(const void *a, const void *b) {
  const struct catalogue_entry *x = a, *y = b;
  if (x->created_ms != y->created_ms) return x->created_ms < y->created_ms ? 1 : -1;
  return strcmp(y->name, x->name);
}

/* ---- contents ---- */

static enum status read_mark(struct place *place, struct catalogue_entry *e, struct error *err) {
  char key[PLACE_KEY_MAX];
  JSON_LATER json_t *mark = NULL;
  BUFFER_LATER struct buffer text;
  buffer_init(&text, MARK_MAX);
  key_of(e->name, VERIFIED_FILE, key);
  enum status s = place_read_small(place, key, &text, err);
  e->verified_ms = -1;
  if (s == STATUS_NOT_FOUND || s == STATUS_CORRUPT) return STATUS_OK; /* as if it were not there */
  if (!s && json_parse(buffer_bytes(&text), &mark, NULL) == STATUS_OK)
    e->verified_ms = json_get_int(mark, "verified_ms", -1);
  return s;
}

/* A damaged one is told of, a place that does not answer is an error. */
static enum status read_entry(struct place *place, struct catalogue_entry *e, struct error *err) {
  struct error problem = {0};
  if (!e->complete) {
    snprintf(e->problem, sizeof e->problem, "it is not complete");
    return STATUS_OK;
  }
  enum status s = fetch_manifest(place, e->name, &e->manifest, &problem);
  if (s == STATUS_OK) {
    e->readable = true;
    e->created_ms = e->manifest.created_ms;
    return e->verified_ms == 0 ? read_mark(place, e, err) : STATUS_OK;
  }
  snprintf(e->problem, sizeof e->problem, "%.199s", problem.message);
  if (s == STATUS_CORRUPT || s == STATUS_UNSUPPORTED) return STATUS_OK;
  if (s == STATUS_NOT_FOUND) { /* removed meanwhile */
    e->complete = false;
    return STATUS_OK;
  }
  if (err) *err = problem;
  return s;
}

enum status catalogue_read(struct place *place, struct catalogue *ret_catalogue,
                           struct error *err) {
  struct catalogue c = {0};
  enum status s = place_list(place, "2", take_key, &c, err); /* names begin with the year */
  for (size_t i = 0; !s && i < c.count; i++) s = read_entry(place, &c.entries[i], err);
  if (s) {
    catalogue_done(&c);
    return s;
  }
  if (c.count) qsort(c.entries, c.count, sizeof *c.entries, newest_first);
  *ret_catalogue = c;
  return STATUS_OK;
}

void catalogue_done(struct catalogue *c) {
  free(c->entries);
  *c = (struct catalogue){0};
}

const struct catalogue_entry *catalogue_at(const struct catalogue *c, int64_t at_ms) {
  for (size_t i = 0; i < c->count; i++)
    if (c->entries[i].readable && c->entries[i].created_ms <= at_ms) return &c->entries[i];
  return NULL;
}

const struct catalogue_entry *catalogue_find(const struct catalogue *c, const char *name) {
  return find(c, bytes_of(name));
}

/* ---- changes ---- */

static enum status put_text(struct place *place, const char *key, struct bytes text,
                            const char *path, struct error *err) {
  uint8_t hash[SHA256_SIZE];
  sha256_of(text, hash);
  enum status s = disk_write(path, text, err);
  return s ? s : place_put(place, key, path, hash, NULL, err);
}

enum status catalogue_mark_verified(struct place *place, const char *name, int64_t verified_ms,
                                    struct error *err) {
  char key[PLACE_KEY_MAX], text[64], path[DISK_PATH_MAX];
  struct staging staging = {.fd = -1};
  int len = snprintf(text, sizeof text, "{\"verified_ms\":%" PRId64 "}\n", verified_ms);
  key_of(name, VERIFIED_FILE, key);
  enum status s = staging_make(place_staging_dir(place), &staging, err);
  if (!s) s = disk_path(staging.path, VERIFIED_FILE, path, err);
  if (!s) s = put_text(place, key, (struct bytes){text, (size_t)len}, path, err);
  staging_drop(&staging);
  return s;
}

struct names { /* of the files of one backup, the manifest left out */
  char keys[FILES_MAX][PLACE_KEY_MAX];
  size_t count;
};

static enum status take_file(void *ctx, const char *key, struct error *err) {
  struct names *n = ctx;
  (void)err;
  if (n->count < FILES_MAX) snprintf(n->keys[n->count++], PLACE_KEY_MAX, "%s", key);
  return STATUS_OK; /* a file beyond is left for the next time */
}

enum status catalogue_remove(struct place *place, const char *name, struct error *err) {
  char manifest[PLACE_KEY_MAX], prefix[PLACE_KEY_MAX];
  FREE_LATER struct names *files = calloc(1, sizeof *files);
  if (!files) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  key_of(name, MANIFEST_FILE, manifest);
  key_of(name, "", prefix);
  enum status s = place_remove(place, manifest, err);
  if (!s) s = place_list(place, prefix, take_file, files, err);
  for (size_t i = 0; !s && i < files->count; i++) s = place_remove(place, files->keys[i], err);
  return s;
}
