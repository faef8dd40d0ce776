/* Replay files in a bucket: ID/events.jsonl and ID/meta.json below its prefix. */
#include "base/clock.h"
#include "base/id.h"
#include "base/sha256.h"
#include "ops/disk.h"
#include "ops/place.h"
#include "ops/trace_place.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { SWEPT_MAX = 128, NAME_SIZE = ID_DEBATE_MAX + 32 };

#define STAGED "replay.part" /* the tracer sends one at a time; a crash's is written over */

struct trace_bucket {
  struct trace_place place;
  struct place *files;
  _Atomic int64_t until_ms; /* monotonic; 0 = there is time */
  char staged[DISK_PATH_MAX];
};

static struct trace_bucket *bucket_of(struct trace_place *place) {
  return (struct trace_bucket *)place;
}

/* ---- put ---- */

static enum status bucket_put(struct trace_place *place, const char *name, struct bytes content,
                              int64_t of_ms, struct error *err) {
  const struct trace_bucket *b = bucket_of(place);
  uint8_t sha256[SHA256_SIZE];
  (void)of_ms; /* the store has its own clock */
  sha256_of(content, sha256);
  enum status s = disk_write(b->staged, content, err);
  return s ? s : place_put(b->files, name, b->staged, sha256, NULL, err);
}

/* What was put is there. */
static enum status bucket_settle(struct trace_place *place, struct error *err) {
  (void)place;
  (void)err;
  return STATUS_OK;
}

/* ---- remove ---- */

static enum status stop_at_first(void *ctx, const char *key, struct error *err) {
  (void)key;
  (void)err;
  *(bool *)ctx = true;
  return STATUS_CANCELLED;
}

static bool bucket_has(struct trace_place *place, const char *debate_id) {
  char prefix[NAME_SIZE];
  bool found = false;
  snprintf(prefix, sizeof prefix, "%s/", debate_id);
  enum status s = place_list(bucket_of(place)->files, prefix, stop_at_first, &found, NULL);
  return found || (s && s != STATUS_CANCELLED); /* not known: it is written once more */
}

/* meta.json first: where it is, the replay is whole. */
static enum status bucket_remove(struct trace_place *place, const char *debate_id,
                                 struct error *err) {
  static const char *const files[] = {"meta.json", "events.jsonl"};
  enum status s = STATUS_OK;
  for (size_t i = 0; !s && i < sizeof files / sizeof *files; i++) {
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "%s/%s", debate_id, files[i]);
    s = place_remove(bucket_of(place)->files, name, err);
  }
  return s;
}

/* ---- age ---- */

struct old {
  int64_t before_ms;
  size_t count;
  char ids[SWEPT_MAX][ID_DEBATE_MAX + 1];
};

static bool is_replay(const char *key, char id[ID_DEBATE_MAX + 1]) {
  size_t len = strcspn(key, "/");
  if (strcmp(key + len, "/events.jsonl") != 0) return false;
  if (len > ID_DEBATE_MAX || !id_valid((struct bytes){key, len}, ID_DEBATE_MAX)) return false;
  memcpy(id, key, len);
  id[len] = 0;
  return true;
}

/* A place is not changed while it is listed. events.jsonl is put first and removed last, so that it
 * stands also for what a crash left half done. */
static enum status take_old(void *ctx, const struct place_file *file, struct error *err) {
  struct old *old = ctx;
  (void)err;
  if (file->modified_ms < 0 || file->modified_ms >= old->before_ms) return STATUS_OK;
  if (!is_replay(file->key, old->ids[old->count])) return STATUS_OK;
  return ++old->count == SWEPT_MAX ? STATUS_CANCELLED : STATUS_OK;
}

static enum status bucket_sweep(struct trace_place *place, int64_t before_ms, bool *ret_more,
                                size_t *ret_removed, struct error *err) {
  struct old old = {.before_ms = before_ms};
  *ret_more = false;
  *ret_removed = 0;
  enum status s = place_list_files(bucket_of(place)->files, "", take_old, &old, err);
  bool full = old.count == SWEPT_MAX;
  if (s && !full) return s;
  s = STATUS_OK;
  for (size_t i = 0; !s && i < old.count; i++) {
    s = bucket_remove(place, old.ids[i], err);
    *ret_removed += !s;
  }
  *ret_more = full && !s;
  return s;
}

/* ---- life ---- */

static void bucket_hurry(struct trace_place *place, int64_t until_ms) {
  atomic_store(&bucket_of(place)->until_ms, until_ms);
}

static bool go_on(void *ctx) {
  const struct trace_bucket *b = ctx;
  int64_t until_ms = atomic_load(&b->until_ms);
  return !until_ms || clock_mono_us(&clock_system) / 1000 < until_ms;
}

static void bucket_close(struct trace_place *place) {
  place_close(bucket_of(place)->files);
  free(place);
}

static const struct trace_place_ops bucket_ops = {.put = bucket_put,
                                                  .settle = bucket_settle,
                                                  .has = bucket_has,
                                                  .remove = bucket_remove,
                                                  .sweep = bucket_sweep,
                                                  .hurry = bucket_hurry,
                                                  .close = bucket_close};

static enum status open_bucket(const char *where, const struct trace_settings *settings,
                               struct trace_bucket *b, struct error *err) {
  const struct place_settings files = {.staging_dir = settings->staging_dir,
                                       .endpoint = settings->s3_endpoint,
                                       .region = settings->s3_region,
                                       .go_on = go_on,
                                       .ctx = b};
  b->place.ops = &bucket_ops;
  enum status s = disk_path(settings->staging_dir, STAGED, b->staged, err);
  if (!s) s = place_open(where, &files, &b->files, err);
  /* What is wrong with the place is wrong with this option here. */
  if (s && err && strcmp(err->field, "backup_to") == 0)
    snprintf(err->field, sizeof err->field, "replays_dir");
  return s;
}

enum status trace_place_open(const char *where, const struct trace_settings *settings,
                             struct trace_place **ret_place, struct error *err) {
  if (!strstr(where, "://")) return trace_directory_open(where, ret_place, err);
  if (strncmp(where, "s3://", 5) != 0)
    return error_set(err, STATUS_INVALID, "replays_dir",
                     "\"%.128s\" is no place for replays: a directory, or s3://BUCKET/PREFIX",
                     where);
  struct trace_bucket *b = calloc(1, sizeof *b);
  if (!b) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  enum status s = open_bucket(where, settings, b, err);
  if (s)
    free(b);
  else
    *ret_place = &b->place;
  return s;
}
