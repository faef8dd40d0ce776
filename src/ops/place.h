/* Where backups lie: a directory, or a bucket of an S3-compatible store. Files have keys like
 * "20261129T142314Z-hot-0a1b2c3d/manifest.json". Blocks; one thread at a time.
 */
#ifndef ARAGORA_OPS_PLACE_H
#define ARAGORA_OPS_PLACE_H

#include "base/bytes.h"

struct place;

enum { PLACE_KEY_MAX = 512 };

struct place_settings {
  const char *staging_dir; /* for what is being made, where the place itself is no directory */
  const char *endpoint;    /* of an S3-compatible store; NULL = Amazon's of the region */
  const char *region;
  bool (*go_on)(void *ctx); /* asked while the network is waited for; NULL = always */
  void *ctx;
};

/* `where` is the path of a directory, made when something is put there, or s3://BUCKET[/PREFIX].
 * STATUS_INVALID for what is neither, or without credentials. */
MUST_CHECK enum status place_open(const char *where, const struct place_settings *settings,
                                  struct place **ret_place, struct error *err);
void place_close(struct place *place); /* NULL is fine */

const char *place_name(const struct place *place); /* as it was given, without a slash at its end */
const char *place_staging_dir(const struct place *place);

/* Calls each(ctx, key) for every file whose key begins with the prefix, in no order, until it
 * answers something else than STATUS_OK, which is then the answer. A place that is not there is
 * empty. `each` must not change the place. */
typedef enum status place_key_fn(void *ctx, const char *key, struct error *err);
MUST_CHECK enum status place_list(struct place *place, const char *prefix, place_key_fn *each,
                                  void *ctx, struct error *err);

/* The same with the time when each file was put; -1 where the place does not say. */
struct place_file {
  const char *key;
  int64_t modified_ms;
};
typedef enum status place_file_fn(void *ctx, const struct place_file *file, struct error *err);
MUST_CHECK enum status place_list_files(struct place *place, const char *prefix,
                                        place_file_fn *each, void *ctx, struct error *err);

/* Gives the file in pieces to each(ctx, piece), which may stop it likewise. STATUS_NOT_FOUND when
 * there is none. */
typedef enum status place_piece_fn(void *ctx, struct bytes piece, struct error *err);
MUST_CHECK enum status place_read(struct place *place, const char *key, place_piece_fn *each,
                                  void *ctx, struct error *err);
/* The whole of a small file into a buffer that has room for it. */
MUST_CHECK enum status place_read_small(struct place *place, const char *key, struct buffer *out,
                                        struct error *err);

/* Takes a local file over: it is in the place, whole and durable, or not at all. `sha256` is the
 * file's; `storage_class` is for stores that have classes, NULL = the default. */
MUST_CHECK enum status place_put(struct place *place, const char *key, const char *path,
                                 const uint8_t sha256[32], const char *storage_class,
                                 struct error *err);
/* What is not there is fine. */
MUST_CHECK enum status place_remove(struct place *place, const char *key, struct error *err);

#endif
