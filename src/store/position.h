/* Where a database stands, and whether anybody else has written to it.
 *
 * Used by the archive on the writer's connection, and by whoever replays an archive.
 */
#ifndef ARAGORA_STORE_POSITION_H
#define ARAGORA_STORE_POSITION_H

#include "store/sqlite.h"

enum { CHAIN_SIZE = 33 }; /* 32 hexadecimal digits and the NUL */

struct position {
  char chain[CHAIN_SIZE]; /* "" = of no archive */
  int64_t number;         /* of the last commit */
  int64_t schema;         /* of the last migration */
};

/* STATUS_UNSUPPORTED from a schema without chains. */
MUST_CHECK enum status position_read(sqlite3 *db, struct position *ret_position, struct error *err);
/* Puts the database into a chain, as part of the open transaction. */
MUST_CHECK enum status position_set_chain(sqlite3 *db, const char *chain, struct error *err);

/* Counts the transactions of everybody since the write-ahead log's index was made; checkpoints,
 * even those that restart the log, do not count. Inside a write transaction, so that it stands
 * still. (sqlite.org/walformat.html, "The WAL-Index File Format": offset 8 of the header.) */
MUST_CHECK enum status position_count_commits(sqlite3 *db, uint32_t *ret_count, struct error *err);

/* What a database file looks like from outside; every checkpoint that copies something changes it.
 */
struct file_stamp {
  uint64_t device, inode, size;
  int64_t changed_ns; /* Unix time */
};
MUST_CHECK enum status file_stamp_take(sqlite3 *db, struct file_stamp *ret_stamp,
                                       struct error *err);

/* Whether the write-ahead log beside the file is empty or ends with a commit that wrote `page`.
 * Inside a write transaction. (sqlite.org/fileformat2.html, section 4.1.) */
MUST_CHECK enum status position_log_ends_with(sqlite3 *db, uint32_t page, bool *ret_yes,
                                              struct error *err);

#endif
