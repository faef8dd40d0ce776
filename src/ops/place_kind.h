/* What a kind of place brings; for the files place*.c. */
#ifndef ARAGORA_OPS_PLACE_KIND_H
#define ARAGORA_OPS_PLACE_KIND_H

#include "ops/place.h"

struct place_ops {
  enum status (*list)(struct place *place, const char *prefix, place_file_fn *each, void *ctx,
                      struct error *err);
  enum status (*read)(struct place *place, const char *key, place_piece_fn *each, void *ctx,
                      struct error *err);
  enum status (*put)(struct place *place, const char *key, const char *path,
                     const uint8_t sha256[32], const char *storage_class, struct error *err);
  enum status (*remove)(struct place *place, const char *key, struct error *err);
  void (*close)(struct place *place); /* frees all but the two texts and the struct */
};

struct place { /* the first member of what each kind allocates */
  const struct place_ops *ops;
  char *name, *staging_dir;
};

MUST_CHECK enum status place_directory_open(struct place **ret_place, struct error *err);
/* `where` begins with "s3://". */
MUST_CHECK enum status place_s3_open(const char *where, const struct place_settings *settings,
                                     struct place **ret_place, struct error *err);

#endif
