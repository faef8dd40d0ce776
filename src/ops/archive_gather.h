/* What bringing a backup forward needs of the archive, from the server's own disk and from the
 * place of backups, gathered in one directory. Blocks.
 */
#ifndef ARAGORA_OPS_ARCHIVE_GATHER_H
#define ARAGORA_OPS_ARCHIVE_GATHER_H

#include "ops/shipped.h"

struct archive_wanted {
  const char *local; /* the archive on this disk; NULL, or not there: none */
  struct place *place;
  const char *chain; /* of the backup, and its last commit */
  uint64_t number;
  int64_t until_ms;
  const struct progress *progress;
};

/* Puts into the directory `into`, as an archive of its own: the chain's segments from the commit
 * after `number` to the moment, and where they end before it the head of the chain that began next,
 * so that nobody takes the end of one chain for the end of everything. A segment that is whole on
 * this disk is linked to; any other is fetched, one after the other, and none behind the moment. A
 * segment that is open here is copied. *ret_segments: how many of the chain there are, 0 = none. */
MUST_CHECK enum status archive_gather(const struct archive_wanted *wanted, const char *into,
                                      size_t *ret_segments, struct error *err);

#endif
