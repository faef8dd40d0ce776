/* Whether an archive's chain goes on where the last run ended.
 *
 * It does when nobody can have written to the database in between: the file looks as it did after
 * our last checkpoint, the write-ahead log's last commit is one of ours, and the last record is the
 * last commit, or the one after it, which then never happened and is put aside. Otherwise a new
 * chain begins, which is always right and costs a backup.
 */
#ifndef ARAGORA_STORE_ARCHIVE_RESUME_H
#define ARAGORA_STORE_ARCHIVE_RESUME_H

#include "store/archive_sync.h"

struct archive_resumption {
  bool resumed;
  const char *reason; /* one word: why not */
  bool voided;        /* a record was void: the next segment must show that at once */
  int64_t last_ms;    /* the last commit's time */
  int64_t begun_ms;   /* the chain's */
  uint64_t order;     /* the chain's */
};

/* In a write transaction of the writer's connection that has written nothing; the directory is
 * ours alone. Gives what the last run left open, in any chain, to the syncer. */
MUST_CHECK enum status archive_resume(const char *dir, sqlite3 *db, const struct position *at,
                                      struct syncer *syncer, struct archive_resumption *ret_answer,
                                      struct error *err);

/* What the database file looked like, kept in DIR/CHAIN/stamp. */
MUST_CHECK enum status archive_write_stamp(const char *dir, const char *chain,
                                           const struct file_stamp *stamp, struct error *err);
void archive_remove_stamp(const char *dir, const char *chain);

#endif
