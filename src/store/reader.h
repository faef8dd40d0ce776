/* The pool of read connections.
 *
 * Any thread that may block. A reader belongs to the pool, or to the one who took it, until it is
 * given back. Each keeps the statements that it has prepared.
 */
#ifndef ARAGORA_STORE_READER_H
#define ARAGORA_STORE_READER_H

#include "store/sqlite.h"

enum reader_statement {
  READER_BEGIN,
  READER_END,
  READER_PING,
  READER_GET_BY_ID,
  READER_GET_BY_SLUG,
  READER_FIND,
  READER_EVENTS,
  READER_FIND_TOMBSTONE,
  READER_TOMBSTONE_EVENTS,
  READER_UNFINISHED,
  READER_EXPIRED,
  READER_BREAKERS,
  READER_SPENDING,
  READER_KEY,
  READER_KEY_SPENDING,
  READER_PLAN,
  READER_START_KEY,
  READER_TRACES,
  READER_CHILDREN,
  READER_JOB,
  READER_JOBS,
  READER_JOBS_WAITING,
  READER_ITEMS,
  READER_ITEM_NEXT,
  READER_SEARCH_FLOOR, /* one for each scope, as the next */
  READER_SEARCH = READER_SEARCH_FLOOR + 3,
  READER_DAYS = READER_SEARCH + 3,
  READER_PANELS = READER_DAYS + 3,
  READER_TOTALS = READER_PANELS + 3, /* two for each scope: any status, one status */
  READER_LISTS = READER_TOTALS + 6,  /* four for each scope: by status or not, by cursor or not */
  READER_KEYS = READER_LISTS + 12,   /* one for each scope, as the next */
  READER_USAGE = READER_KEYS + 3,
  READER_ENDED = READER_USAGE + 3,
  READER_ENDED_AT,
  READER_AUDIT_FORWARD,
  READER_AUDIT_BACKWARD,
  READER_USER,
  READER_USER_BY_EMAIL,
  READER_USERS,
  READER_REVOKED,
  READER_USER_COUNTS,
  READER_TENANT,
  READER_SESSION,
  READER_SHARE,
  READER_SHARE_BY_HASH,
  /* of the ratings' database */
  READER_RATED_THROUGH,
  READER_STANDINGS,
  READER_DOMAINS,
  READER_CONTENDER,
  READER_RATING_HISTORY,
  READER_RELATIONS,
  READER_MATCHES,
  READER_MATCH_PLAYERS,
  READER_MATCH_TOTALS,
  READER_STATEMENTS
};

struct reader {
  struct reader *next;
  sqlite3 *db;
  sqlite3_stmt *statements[READER_STATEMENTS];
};

struct reader_pool;

/* Opens nothing yet. */
MUST_CHECK enum status reader_pool_make(const char *path, size_t size, int64_t timeout_ms,
                                        struct reader_pool **ret_pool);
/* All readers must have been given back. NULL is fine. */
void reader_pool_free(struct reader_pool *pool);

/* STATUS_TIMEOUT when all are in use for the pool's timeout. */
MUST_CHECK enum status reader_take(struct reader_pool *pool, struct reader **ret_reader,
                                   struct error *err);
void reader_give(struct reader_pool *pool, struct reader *reader);

/* What the readers that nobody uses now hold in SQLite; the others are their threads'. Any thread.
 */
int64_t reader_pool_bytes(struct reader_pool *pool);

/* The statement in this slot, made from `sql` the first time. The caller binds every parameter and
 * resets it when done. */
MUST_CHECK enum status reader_prepare(struct reader *reader, int slot, const char *sql,
                                      sqlite3_stmt **ret_statement, struct error *err);

/* One view of the database for several statements. */
MUST_CHECK enum status reader_begin(struct reader *reader, struct error *err);
void reader_end(struct reader *reader);

#endif
