/* Bringing a copy of the database forward by what was archived.
 *
 * Any thread; only reads the archive, beside a server that writes it.
 */
#ifndef ARAGORA_STORE_ARCHIVE_REPLAY_H
#define ARAGORA_STORE_ARCHIVE_REPLAY_H

#include "store/archive_reach.h"

struct archive_replayed {
  uint64_t first, last; /* numbers of the commits that were applied; count 0: both the database's */
  int64_t last_ms;      /* the time of `last`; -1 = no segment knows it */
  uint64_t count;
  bool torn; /* see above: nothing that was acknowledged is known to be missing, but nobody can say
              */
};

/* Applies every commit after the database's own with a time of at most `until_ms`. `db_path` is a
 * closed copy that nobody else uses. All of it is read and checked first, by archive_find_reach;
 * what cannot be reached is STATUS_CONFLICT, with the nearest moments in the message, and nothing
 * is written then. Applied in transactions of whole commits, so that what an error or a crash
 * leaves is the state of one commit (the database's own number says which) and the same call goes
 * on from there. Foreign keys are not checked (the commits were) and no trigger fires (what it did
 * is in the archive). The write-ahead log is empty in the end; the chain and number in `commits`
 * are the last commit's. STATUS_CORRUPT when a commit does not fit the database, and as above. */
MUST_CHECK enum status archive_replay(const char *dir, const char *db_path, int64_t until_ms,
                                      struct archive_replayed *ret, struct error *err);

#endif
