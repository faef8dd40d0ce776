/* Databases that are not there yet, written under other names from their images and given their own
 * when they are on disk: two syncs each, where a file that is made in place takes seven, and a
 * crash on the way leaves no half of one.
 */
#ifndef ARAGORA_STORE_FRESH_H
#define ARAGORA_STORE_FRESH_H

#include "store/image.h"

#include <limits.h>
#include <stdbool.h>

struct fresh {
  const char *path;
  const struct image *image;
  char part[PATH_MAX]; /* the other name */
  int fd;              /* of that, -1 = it could not be made */
};

/* Whether there is neither a file of that name nor one that would belong to it. */
bool fresh_is_free(const char *path);
/* Makes both, with the schemas of this program; the second is never there without the first. False
 * where one cannot be made, or has been meanwhile: database_open goes on from there, with the one
 * that was made or with none, and says what is wrong. */
bool fresh_make(struct fresh *first, struct fresh *second);

#endif
