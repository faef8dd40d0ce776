/* What of the archive of changes no backup can need any more.
 *
 * The janitor's thread; beside a store that writes the archive.
 */
#ifndef ARAGORA_OPS_ARCHIVE_PRUNE_H
#define ARAGORA_OPS_ARCHIVE_PRUNE_H

#include "ops/catalogue.h"

/* Removes, under `dir`, the segments that end before the oldest backup of their chain, and whole
 * chains without a backup that were last written before `before_ms`. `current` is the chain that is
 * being written, "" = none: of it only segments go. What has no backup may be the base of one in
 * another place; that is why such a chain stays for a while. */
MUST_CHECK enum status archive_prune(const char *dir, const struct catalogue *backups,
                                     const char *current, int64_t before_ms, size_t *ret_removed,
                                     struct error *err);

#endif
