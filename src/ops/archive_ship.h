/* Sends the archive's sealed segments to the place of backups, so that it survives the loss of the
 * disk. Blocks; beside a store that writes the archive.
 */
#ifndef ARAGORA_OPS_ARCHIVE_SHIP_H
#define ARAGORA_OPS_ARCHIVE_SHIP_H

#include "ops/shipped.h"

/* How many sealed segments lie under `dir` that are not in `known`. */
MUST_CHECK enum status archive_count_unshipped(const char *dir, const struct shipped *known,
                                               size_t *ret_count, struct error *err);

/* Sends every sealed segment under `dir` that is not in `known`, each chain's in their order,
 * compressed. Afterwards `known` has what is in the place and still under `dir`; after a failure
 * also what was sent until then. An open segment is not sent, nor does one that is pruned meanwhile
 * matter. `progress` is asked often, and where it sleeps sets the pace. */
MUST_CHECK enum status archive_ship(const char *dir, struct place *place, struct shipped *known,
                                    const struct progress *progress, struct error *err);

#endif
