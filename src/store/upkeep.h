/* Upkeep of a database's file: check, checkpoint, statistics, compaction; what a runbook does with
 * sqlite3, with the same effect.
 *
 * Everything but upkeep_vacuum is made to run beside a server.  On the caller's thread, over a
 * connection of its own; blocks. The schema's version does not matter, whose file it is does.
 */
#ifndef ARAGORA_STORE_UPKEEP_H
#define ARAGORA_STORE_UPKEEP_H

#include "store/databases.h"

struct upkeep_result {
  int64_t file_before, file_after; /* bytes */
  int64_t log_before, log_after;   /* bytes of the write-ahead log; 0 = there is none */
  int64_t pages, free_pages;       /* of the file, afterwards */
  int64_t moved;                   /* a checkpoint: pages that came from the log into the file */
  int64_t waiting;  /* a checkpoint: pages that somebody's reading still keeps there */
  int64_t indexes;  /* an analysis: how many the planner has statistics of */
  int64_t problems; /* a check: what was found */
  int64_t took_us;
};

/* All of them: STATUS_NOT_FOUND when there is no file, STATUS_TIMEOUT when another program holds it
 * for longer than `timeout_ms`, STATUS_CORRUPT for a file that is not ours or too damaged to open,
 * STATUS_FULL, STATUS_IO. Each error names the file. */

/* Every page, every index, every reference (integrity_check, foreign_key_check): each(ctx, text)
 * for the first UPKEEP_PROBLEMS_MAX problems; what it finds is a result, not an error. */
enum { UPKEEP_PROBLEMS_MAX = 20 };
typedef void upkeep_problem_fn(void *ctx, const char *text);
MUST_CHECK enum status upkeep_check(enum database database, const char *path, int64_t timeout_ms,
                                    upkeep_problem_fn *each, void *ctx,
                                    struct upkeep_result *ret_result, struct error *err);

/* Moves the write-ahead log into the file and empties it (wal_checkpoint(TRUNCATE)), or moves what
 * it can when readers keep some of it. */
MUST_CHECK enum status upkeep_checkpoint(enum database database, const char *path,
                                         int64_t timeout_ms, struct upkeep_result *ret_result,
                                         struct error *err);

/* ANALYZE: statistics for the query planner. */
MUST_CHECK enum status upkeep_analyze(enum database database, const char *path, int64_t timeout_ms,
                                      struct upkeep_result *ret_result, struct error *err);

/* VACUUM: the file written anew, without free pages. Nobody else may have it open. */
MUST_CHECK enum status upkeep_vacuum(enum database database, const char *path, int64_t timeout_ms,
                                     struct upkeep_result *ret_result, struct error *err);

/* VACUUM beside those who have it open: they read on, and writers wait until it is through. */
MUST_CHECK enum status upkeep_vacuum_beside(enum database database, const char *path,
                                            int64_t timeout_ms, struct upkeep_result *ret_result,
                                            struct error *err);

/* When the last event was written, Unix milliseconds; -1 = there is none. Of the main database;
 * errors as above, and STATUS_INTERNAL for a schema without events. */
MUST_CHECK enum status upkeep_newest_event(const char *path, int64_t timeout_ms, int64_t *ret_ts_ms,
                                           struct error *err);

#endif
