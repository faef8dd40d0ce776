/* What one transaction of a connection changes, as a patchset of SQLite's session extension, which
 * sqlite3changeset_apply brings into a copy (format: sqlite3session.c, "PATCHSET FORMAT").
 *
 * Made from the pre-update hook, row by row in the order of the changes, rather than by a session:
 * a session reads every changed row again and asks for each table's columns in every transaction,
 * which costs more than the rows themselves (docs/internals/archive.md has the figures). A patchset
 * and not a changeset, since before 3.46 the hook gives NULL for an old value that an ALTER TABLE
 * ADD COLUMN left out of its row; a patchset has no old values.
 *
 * The connection's thread only. What a failed statement or ROLLBACK TO took back must be taken back
 * here by changes_rewind; a ROLLBACK of the whole transaction clears by itself.
 */
#ifndef ARAGORA_STORE_CHANGES_H
#define ARAGORA_STORE_CHANGES_H

#include "store/sqlite.h"

#include <sys/uio.h>

struct changes_table; /* one table: its changes in this transaction */

struct changes {
  sqlite3 *db;
  struct changes_table *tables;
  size_t count, last; /* `last`: where the last row belonged */
  bool missed;        /* something changed that is in no table here, or memory was short */
};

/* Reads which tables there are, all but SQLite's own and virtual ones, and begins to gather.
 * STATUS_NOMEM or SQLite's. After a failure, or before it on a struct of zeros, only changes_done
 * may be called. Again on the same struct: when the schema may have changed. */
MUST_CHECK enum status changes_init(struct changes *changes, sqlite3 *db, struct error *err);
/* Stops gathering and frees. */
void changes_done(struct changes *changes);

/* Forgets everything since the last call. */
void changes_clear(struct changes *changes);
/* changes_rewind forgets everything since changes_mark. */
void changes_mark(struct changes *changes);
void changes_rewind(struct changes *changes);

/* For rows whose values are at hand, which spares asking SQLite for each of them again (a third of
 * the writer's instructions for an event). From changes_by_hand to changes_by_hook the hook is off:
 * the caller inserts rows of one table and describes each with changes_put_insert and then its
 * columns, in the table's order, before the statement runs. NULL when the table does not have just
 * these columns, has a trigger, or nothing is gathered: then the hook does it. */
struct changes_table *changes_by_hand(struct changes *changes, const char *table, int columns);
void changes_by_hook(struct changes *changes);
void changes_put_insert(struct changes_table *table);
void changes_put_int(struct changes_table *table, int64_t value);
void changes_put_text(struct changes_table *table, struct bytes text);
void changes_put_blob(struct changes_table *table, struct bytes blob);
void changes_put_null(struct changes_table *table);

/* The patchset in pieces, valid until the next change, *ret_count of them in *ret_pieces.
 * STATUS_UNSUPPORTED when a change is not in it. */
enum { CHANGES_PIECES_MAX = 64 }; /* tables */
MUST_CHECK enum status changes_list(const struct changes *changes,
                                    struct iovec ret_pieces[CHANGES_PIECES_MAX], size_t *ret_count);

#endif
