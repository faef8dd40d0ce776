/* Backups in a bucket, below a prefix. */
#include "io/s3.h"
#include "ops/disk.h"
#include "ops/place_kind.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PREFIX_MAX = 400 };

struct place_s3 {
  struct place base;
  struct s3 *s3;
  char *prefix; /* "" or "some/where/" */
};

static enum status key_in(struct place *p, const char *key, char out[DISK_PATH_MAX],
                          struct error *err) {
  const struct place_s3 *place = (struct place_s3 *)p;
  int n = snprintf(out, DISK_PATH_MAX, "%s%s", place->prefix, key);
  if (n >= 0 && n < DISK_PATH_MAX) return STATUS_OK;
  return error_set(err, STATUS_INVALID, NULL, "the key %.128s is too long", key);
}

struct listing {
  size_t prefix_len;
  place_file_fn *each;
  void *ctx;
};

static enum status take_object(void *ctx, const struct s3_object *object, struct error *err) {
  const struct listing *l = ctx;
  size_t len = strlen(object->key);
  if (len < l->prefix_len || len - l->prefix_len >= PLACE_KEY_MAX) return STATUS_OK;
  const struct place_file file = {object->key + l->prefix_len, object->modified_ms};
  return l->each(l->ctx, &file, err);
}

static enum status s3_place_list(struct place *p, const char *prefix, place_file_fn *each,
                                 void *ctx, struct error *err) {
  const struct place_s3 *place = (struct place_s3 *)p;
  char full[DISK_PATH_MAX];
  struct listing l = {strlen(place->prefix), each, ctx};
  enum status s = key_in(p, prefix, full, err);
  return s ? s : s3_list(place->s3, full, take_object, &l, err);
}

static enum status s3_place_read(struct place *p, const char *key, place_piece_fn *each, void *ctx,
                                 struct error *err) {
  const struct place_s3 *place = (struct place_s3 *)p;
  char full[DISK_PATH_MAX];
  enum status s = key_in(p, key, full, err);
  return s ? s : s3_get(place->s3, full, each, ctx, err);
}

static enum status s3_place_put(struct place *p, const char *key, const char *path,
                                const uint8_t sha256[32], const char *storage_class,
                                struct error *err) {
  const struct place_s3 *place = (struct place_s3 *)p;
  char full[DISK_PATH_MAX];
  enum status s = key_in(p, key, full, err);
  if (!s) s = s3_put(place->s3, full, path, sha256, storage_class, err);
  if (!s && unlink(path) < 0) s = disk_error(err, "remove", path);
  return s;
}

static enum status s3_place_remove(struct place *p, const char *key, struct error *err) {
  const struct place_s3 *place = (struct place_s3 *)p;
  char full[DISK_PATH_MAX];
  enum status s = key_in(p, key, full, err);
  return s ? s : s3_delete(place->s3, full, err);
}

static void s3_place_close(struct place *p) {
  struct place_s3 *place = (struct place_s3 *)p;
  s3_close(place->s3);
  free(place->prefix);
}

static const struct place_ops s3_ops = {s3_place_list, s3_place_read, s3_place_put, s3_place_remove,
                                        s3_place_close};

static char *make_prefix(const char *text) {
  BUFFER_LATER struct buffer out;
  buffer_init(&out, PREFIX_MAX);
  size_t len = strlen(text);
  while (len && text[len - 1] == '/') len--;
  buffer_append(&out, text, len);
  if (len) buffer_append_char(&out, '/');
  return buffer_steal(&out);
}

enum status place_s3_open(const char *where, const struct place_settings *settings,
                          struct place **ret_place, struct error *err) {
  const char *rest = where + strlen("s3://");
  FREE_LATER char *bucket = bytes_dup((struct bytes){rest, strcspn(rest, "/")});
  struct place_s3 *place = calloc(1, sizeof *place);
  if (!place || !bucket) {
    free(place);
    return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  }
  place->base.ops = &s3_ops;
  const char *slash = strchr(rest, '/');
  place->prefix = make_prefix(slash ? slash + 1 : "");
  const struct s3_options o = {.bucket = bucket,
                               .endpoint = settings->endpoint,
                               .region = settings->region,
                               .go_on = settings->go_on,
                               .ctx = settings->ctx};
  enum status s = place->prefix ? s3_open(&o, &place->s3, err)
                                : error_set(err, STATUS_INVALID, "backup_to",
                                            "the prefix of \"%.128s\" is too long", where);
  if (s) {
    place_close(&place->base);
    return s;
  }
  *ret_place = &place->base;
  return STATUS_OK;
}
