/* One transaction of the writer: a chain of batches into the debate database.
 *
 * The writer's thread only. It owns the connection and the prepared statements.
 */
#ifndef ARAGORA_STORE_COMMIT_H
#define ARAGORA_STORE_COMMIT_H

#include "store/archive.h"
#include "store/batch.h"
#include "store/bookings.h"
#include "store/known.h"
#include "store/quota.h"
#include "store/sqlite.h"

enum commit_statement {
  COMMIT_BEGIN,
  COMMIT_END,
  COMMIT_ROLLBACK,
  COMMIT_SAVE,
  COMMIT_KEEP,
  COMMIT_UNDO,
  COMMIT_NUMBER,
  COMMIT_FIND,
  COMMIT_INSERT_DEBATE,
  COMMIT_UPDATE_DEBATE,
  COMMIT_INSERT_EVENT,
  COMMIT_INSERT_EVENTS,
  COMMIT_UPDATE_BREAKER,
  COMMIT_INSERT_BREAKER,
  COMMIT_TRIM_BREAKERS,
  COMMIT_INSERT_KEY,
  COMMIT_TRIM_KEYS,
  COMMIT_INSERT_LINEAGE,
  COMMIT_START_ITEM,
  COMMIT_DROP_TRACE,
  COMMIT_STATEMENTS
};

/* An event that waits to be written with others: COMMIT_PENDING_MAX in one statement. */
struct commit_event {
  int64_t num;
  const struct store_event *event;
};

enum { COMMIT_PENDING_MAX = 8 };

struct commit {
  sqlite3 *db;
  struct archive *archive; /* NULL = none */
  sqlite3_stmt *statements[COMMIT_STATEMENTS];
  struct known known;
  struct audit_writer audit;
  struct commit_event pending[COMMIT_PENDING_MAX];
  size_t pending_count;
  struct bookings bookings; /* put off likewise */
  struct quota quota;
  bool careful;  /* one event a statement, so that a savepoint survives a wrong one */
  int wal_pages; /* in the write-ahead log after the last transaction */
};

/* Takes over `db`, also when it fails. `archive` NULL: commits are not archived; `audit_rows_max`
 * as in struct store_options. */
MUST_CHECK enum status commit_init(struct commit *commit, sqlite3 *db,
                                   const struct store_archive_options *archive,
                                   int64_t audit_rows_max, struct error *err);
/* Goes on with the archive's chain, or begins one, without waiting for a batch: a backup is made
 * within a chain. What cannot be done now is done with the first batch. */
void commit_settle_archive(struct commit *commit);
/* Remembers how the database's file looks now, for the next process. */
void commit_stamp_archive(struct commit *commit);
/* Moves all of the write-ahead log into the database, waiting a moment for readers that are in the
 * way, and closes the connection. */
void commit_done(struct commit *commit);

/* Writes every batch of the chain that has not failed yet, in one transaction. STATUS_OK: what can
 * be written is on disk, and `result` of each batch says whether it is one of them: a batch that
 * contradicts what is stored fails alone, with STATUS_CONFLICT. Any other status: nothing was
 * written, and the same call may succeed later. */
MUST_CHECK enum status commit_batches(struct commit *commit, struct batch *first,
                                      struct error *err);

/* Copies what the write-ahead log holds into the database as far as readers allow, without waiting
 * for any of them. */
void commit_checkpoint(struct commit *commit);

#endif
