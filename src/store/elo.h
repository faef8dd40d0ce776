/* The one connection that writes `aragora_elo.db`, with its statements. The store's `elo_lock`
 * guards it; the rows are described in migrations/elo. For the files of this room. */
#ifndef ARAGORA_STORE_ELO_H
#define ARAGORA_STORE_ELO_H

#include "store/ratings.h"
#include "store/sqlite.h"

enum elo_statement {
  ELO_BEGIN,
  ELO_COMMIT,
  ELO_ROLLBACK,
  ELO_THROUGH,
  ELO_INSERT_MATCH,
  ELO_FIND_CONTENDER,
  ELO_INSERT_CONTENDER,
  ELO_UPDATE_CONTENDER,
  ELO_READ_RATING,
  ELO_PUT_STANDING,
  ELO_PUT_PLAYER,
  ELO_PUT_PAIR,
  ELO_PUT_HEAD_TO_HEAD,
  ELO_COUNT_MATCH,
  ELO_OLD_MATCH,
  ELO_OLD_PLAYERS,
  ELO_OLD_PAIRS,
  ELO_STATEMENTS
};

struct elo {
  sqlite3 *db;
  sqlite3_stmt *statements[ELO_STATEMENTS];
  int wal_pages;
  bool rebuilding; /* inside the transaction of store_rebuild_begin */
  /* rebuilding: the texts of the match that was looked at last */
  char *texts;
};

/* Takes the prepared connection over; also when it fails. */
MUST_CHECK enum status elo_init(struct elo *elo, sqlite3 *db, struct error *err);
void elo_done(struct elo *elo);

/* The statement, prepared the first time; those of a rebuild need its tables. */
MUST_CHECK enum status elo_prepare(struct elo *elo, enum elo_statement which,
                                   sqlite3_stmt **ret_statement, struct error *err);
/* Runs one that gives no rows, and resets it. */
MUST_CHECK enum status elo_step(struct elo *elo, sqlite3_stmt *statement, struct error *err);
MUST_CHECK enum status elo_run(struct elo *elo, enum elo_statement which, struct error *err);
/* Moves the write-ahead log into the file when it has grown. */
void elo_checkpoint(struct elo *elo);

#endif
