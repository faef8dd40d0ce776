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

/* The same of what was shipped to the place of the backups, where a chain is as old as the commit
 * before its last segment. Also without a server, with "" as `current`: what is removed lies before
 * any later backup. */
MUST_CHECK enum status archive_prune_place(struct place *place, const struct catalogue *backups,
                                           const char *current, int64_t before_ms,
                                           size_t *ret_removed, struct error *err);

#endif
