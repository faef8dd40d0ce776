#include "ops/place.h"

#include "ops/place_kind.h"

#include <stdlib.h>

static enum status open_kind(const char *where, const struct place_settings *settings,
                             struct place **ret_place, struct error *err) {
  if (strncmp(where, "s3://", 5) == 0) return place_s3_open(where, settings, ret_place, err);
  if (strstr(where, "://"))
    return error_set(err, STATUS_INVALID, "backup_to",
                     "\"%.128s\" is no place for backups: a directory, or s3://BUCKET/PREFIX",
                     where);
  return place_directory_open(ret_place, err);
}

static enum status set_names(struct place *p, const char *where,
                             const struct place_settings *settings, struct error *err) {
  size_t len = strlen(where);
  while (len > 1 && where[len - 1] == '/') len--;
  p->name = bytes_dup((struct bytes){where, len});
  bool remote = strstr(where, "://") != NULL;
  if (p->name) p->staging_dir = strdup(remote ? settings->staging_dir : p->name);
  if (p->name && p->staging_dir) return STATUS_OK;
  return error_set(err, STATUS_NOMEM, NULL, "out of memory");
}

enum status place_open(const char *where, const struct place_settings *settings,
                       struct place **ret_place, struct error *err) {
  struct place *p = NULL;
  if (!*where) return error_set(err, STATUS_INVALID, "backup_to", "no place for backups is set");
  enum status s = open_kind(where, settings, &p, err);
  if (!s && p) s = set_names(p, where, settings, err);
  if (s) {
    place_close(p);
    return s;
  }
  *ret_place = p;
  return STATUS_OK;
}

void place_close(struct place *p) {
  if (!p) return;
  p->ops->close(p);
  free(p->name);
  free(p->staging_dir);
  free(p);
}

const char *place_name(const struct place *p) {
  return p->name;
}

const char *place_staging_dir(const struct place *p) {
  return p->staging_dir;
}

enum status place_list_files(struct place *p, const char *prefix, place_file_fn *each, void *ctx,
                             struct error *err) {
  return p->ops->list(p, prefix, each, ctx, err);
}

struct keys {
  place_key_fn *each;
  void *ctx;
};

static enum status give_key(void *ctx, const struct place_file *file, struct error *err) {
  const struct keys *keys = ctx;
  return keys->each(keys->ctx, file->key, err);
}

enum status place_list(struct place *p, const char *prefix, place_key_fn *each, void *ctx,
                       struct error *err) {
  struct keys keys = {each, ctx};
  return place_list_files(p, prefix, give_key, &keys, err);
}

enum status place_read(struct place *p, const char *key, place_piece_fn *each, void *ctx,
                       struct error *err) {
  return p->ops->read(p, key, each, ctx, err);
}

static enum status append_piece(void *ctx, struct bytes piece, struct error *err) {
  if (buffer_append_bytes(ctx, piece)) return STATUS_OK;
  return error_set(err, STATUS_CORRUPT, NULL, "it is too long");
}

enum status place_read_small(struct place *p, const char *key, struct buffer *out,
                             struct error *err) {
  return place_read(p, key, append_piece, out, err);
}

enum status place_put(struct place *p, const char *key, const char *path, const uint8_t sha256[32],
                      const char *storage_class, struct error *err) {
  return p->ops->put(p, key, path, sha256, storage_class, err);
}

enum status place_remove(struct place *p, const char *key, struct error *err) {
  return p->ops->remove(p, key, err);
}
