/* The writer's side of the audit log: one row more, in the transaction that is open.
 *
 * It remembers the last row that it wrote. A database that knows less, or something else, than was
 * written was changed behind its back: that is logged as an error and counted, and the chain goes
 * on from what is remembered, so that the hole stays for `aragora audit verify` to find. The
 * writer's thread only.
 */
#ifndef ARAGORA_STORE_AUDIT_WRITER_H
#define ARAGORA_STORE_AUDIT_WRITER_H

#include "store/audit.h"
#include "store/sqlite.h"

/* A row as it waits in the queue, in a block of its own. */
struct audit_pending {
  size_t size; /* of the block */
  struct audit_entry entry;
  struct audit_mark written;  /* its place, once it has one */
  struct audit_mark trim_row; /* of the row that says what was trimmed meanwhile; seq 0 = none */
  char texts[];
};
/* STATUS_TOO_LARGE, STATUS_NOMEM. For free(). */
MUST_CHECK enum status audit_pending_make(const struct audit_entry *entry,
                                          struct audit_pending **ret_pending);
/* After the commit: counts it, and anchors its hash in the log. */
void audit_pending_tell(const struct audit_pending *pending);

enum audit_statement {
  AUDIT_READ_HEAD,
  AUDIT_INSERT,
  AUDIT_WRITE_HEAD,
  AUDIT_HASH_OF,
  AUDIT_TRIM,
  AUDIT_STATEMENTS
};

struct audit_writer {
  sqlite3 *db;
  sqlite3_stmt *statements[AUDIT_STATEMENTS];
  int64_t rows_max;       /* beyond it the oldest go; 0 = none do */
  struct audit_mark kept; /* as of the last commit; seq -1 = not known yet */
  struct audit_mark now;  /* as of the open transaction */
};

/* Statements are prepared when the first row is written. */
void audit_writer_init(struct audit_writer *w, sqlite3 *db, int64_t rows_max);
void audit_writer_done(struct audit_writer *w);
void audit_writer_begin(struct audit_writer *w);
/* 0 or an SQLite error. */
int audit_writer_write(struct audit_writer *w, struct audit_pending *pending);
void audit_writer_commit(struct audit_writer *w);

#endif
