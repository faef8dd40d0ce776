/* A new database as the bytes of its file: images.c, which make_images.c writes at build time by
 * applying the migrations to an empty database. A start that applied them itself would compile some
 * 200 statements before it could answer.
 */
#ifndef ARAGORA_STORE_IMAGE_H
#define ARAGORA_STORE_IMAGE_H

#include <stddef.h>
#include <stdint.h>

/* A time in a record: an integer of 6 bytes, big-endian (sqlite.org/fileformat2.html 2.1). */
enum { IMAGE_TIME_SIZE = 6 };

struct image {
  const uint8_t *bytes;
  size_t size;
  const size_t *times; /* offsets of what is to be the moment that the file is made: one for each
                          migration, its `applied_ms` */
  size_t times_count;
};

extern const struct image image_memory, image_elo;

#endif
