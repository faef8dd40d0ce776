/* A database that is not there yet, made under another name and given its own when it is whole and
 * on disk: two syncs, where a file that is made in place takes seven, and a crash on the way leaves
 * no half of one.
 */
#ifndef ARAGORA_STORE_FRESH_H
#define ARAGORA_STORE_FRESH_H

#include "store/schema.h"

/* Whether there is neither a file of that name nor one that would belong to it. */
bool fresh_is_free(const char *path);
/* Makes it, with the schema of this program; false, and nothing is left, where it cannot be made or
 * has been meanwhile. database_open goes on from there, and says what is wrong. */
bool fresh_make(const char *path, const struct schema *schema);

#endif
