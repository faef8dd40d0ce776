/* The archive's segments in a place, beside the backups: archive/CHAIN/NUMBER.seg.zst.
 *
 * Blocks; one thread at a time.
 */
#ifndef ARAGORA_OPS_SHIPPED_H
#define ARAGORA_OPS_SHIPPED_H

#include "ops/pack.h"
#include "ops/place.h"
#include "store/archive_dir.h"

enum { SHIPPED_MAX = 4000000 }; /* segments; more are an error */

struct shipped_chain {
  char chain[CHAIN_SIZE];
  uint64_t *firsts; /* the first commits of its segments, ascending */
  size_t count;
};

struct shipped { /* all zeros is an empty one */
  struct shipped_chain *chains;
  size_t count, segments;
};

void shipped_key(const char *chain, uint64_t first, char out[PLACE_KEY_MAX]);

MUST_CHECK enum status shipped_read(struct place *place, struct shipped *ret_shipped,
                                    struct error *err);
void shipped_done(struct shipped *shipped);

/* NULL = the place has nothing of it. */
const struct shipped_chain *shipped_find(const struct shipped *shipped, const char *chain);
bool shipped_has(const struct shipped *shipped, const char *chain, uint64_t first);
/* One that is there already is fine. */
MUST_CHECK enum status shipped_add(struct shipped *shipped, const char *chain, uint64_t first,
                                   struct error *err);

/* Copies a segment's file from a place into the new file `to`; of *ret_sums (or NULL) the bytes and
 * the hash of what was copied are set. STATUS_NOT_FOUND when there is none. */
MUST_CHECK enum status shipped_copy(struct place *place, const char *key, const char *to,
                                    const struct progress *progress, struct pack_sums *ret_sums,
                                    struct error *err);

#endif
