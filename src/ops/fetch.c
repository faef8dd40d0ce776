#include "ops/fetch.h"

#include "ops/pack.h"

#include <stdio.h>

static const char *const unpacking[MANIFEST_FILES] = {"unpacking aragora_memory.db",
                                                      "unpacking aragora_elo.db"};
static const char *const reading[MANIFEST_FILES] = {"reading back aragora_memory.db",
                                                    "reading back aragora_elo.db"};

/* "NAME/FILE: what is wrong" */
static enum status about(struct error *err, enum status status, const char *name, const char *file,
                         const struct error *cause) {
  return error_set(err, status, NULL, "%s/%s: %.200s", name, file,
                   cause->message[0] ? cause->message : status_name(status));
}

enum status fetch_manifest(struct place *place, const char *name, struct manifest *ret_manifest,
                           struct error *err) {
  char key[PLACE_KEY_MAX];
  struct error cause = {0};
  struct manifest m;
  BUFFER_LATER struct buffer text;
  buffer_init(&text, MANIFEST_BYTES_MAX);
  snprintf(key, sizeof key, "%.*s/manifest.json", BACKUP_NAME_SIZE, name);
  enum status s = place_read_small(place, key, &text, &cause);
  if (s == STATUS_NOT_FOUND)
    return error_set(err, s, NULL, "there is no backup %.64s in %s", name, place_name(place));
  if (!s) s = manifest_parse(buffer_bytes(&text), &m, &cause);
  if (!s && strcmp(m.name, name) != 0)
    s = error_set(&cause, STATUS_CORRUPT, NULL, "it is the manifest of %s", m.name);
  if (s) return about(err, s, name, "manifest.json", &cause);
  *ret_manifest = m;
  return STATUS_OK;
}

struct fetching {
  struct unpack *unpack;
  const struct progress *progress;
  const char *what;
  int64_t done, total;
};

static enum status take_piece(void *ctx, struct bytes piece, struct error *err) {
  struct fetching *f = ctx;
  f->done += (int64_t)piece.len;
  if (f->done > f->total)
    return error_set(err, STATUS_CORRUPT, NULL, "it is longer than its manifest says");
  if (!progress_step(f->progress, f->what, f->done, f->total))
    return error_set(err, STATUS_CANCELLED, NULL, "stopped");
  return unpack_feed(f->unpack, piece, err);
}

static enum status compare(const struct pack_sums *sums, const struct manifest_file *file,
                           struct error *err) {
  if (sums->bytes == file->bytes && memcmp(sums->sha256, file->sha256, 32) == 0 &&
      sums->raw_bytes == file->raw_bytes && memcmp(sums->raw_sha256, file->raw_sha256, 32) == 0)
    return STATUS_OK;
  return error_set(err, STATUS_CORRUPT, NULL, "its bytes are not those of its manifest");
}

enum status fetch_database(struct place *place, const struct manifest *m, enum database kind,
                           const char *to, bool durable, const struct progress *progress,
                           struct error *err) {
  char key[PLACE_KEY_MAX];
  const struct manifest_file *file = &m->files[kind];
  struct fetching f = {NULL, progress, to ? unpacking[kind] : reading[kind], 0, file->bytes};
  struct pack_sums sums;
  struct error cause = {0};
  snprintf(key, sizeof key, "%s/%s", m->name, manifest_file_name(kind));
  enum status s = unpack_create(to, file->raw_bytes, durable, &f.unpack, err);
  if (s) return s;
  s = place_read(place, key, take_piece, &f, &cause);
  if (!s) s = unpack_finish(f.unpack, &sums, &cause);
  if (!s) {
    s = compare(&sums, file, &cause);
    if (s && to) remove(to);
  }
  unpack_destroy(f.unpack);
  return s ? about(err, s, m->name, manifest_file_name(kind), &cause) : STATUS_OK;
}
