/* The thread that keeps the archive in the place of backups: each segment goes there as soon as it
 * is sealed, at the least priority, and nobody waits for it. What is there it lists once. When that
 * fails it is logged once, counted, and tried again after 1 s and then at doubling intervals up to
 * 5 minutes; what has gathered meanwhile waits in the archive.
 */
#ifndef ARAGORA_OPS_SHIPPER_H
#define ARAGORA_OPS_SHIPPER_H

#include "base/options.h"
#include "store/store.h"

struct shipper;

/* Whether the options want it: an archive, an interval, and a place of backups that was set. The
 * one in the data directory lies on the archive's own disk. */
bool shipper_is_wanted(const struct options *options);

/* The options, whose files are placed, are borrowed until shipper_stop, the store until
 * store_close. *ret_shipper is NULL where it is not wanted. */
MUST_CHECK enum status shipper_start(const struct options *options, struct store *store,
                                     struct shipper **ret_shipper, struct error *err);
/* After store_close, which seals the last segment. With `finish` what is left is sent, for at most
 * 5 s; otherwise, and where that fails, the next start does it. Frees it; NULL is fine. */
void shipper_stop(struct shipper *shipper, bool finish);

#endif
