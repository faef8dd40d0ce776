/* The archive as the writer keeps it: each transaction's changes, in segments, for point-in-time
 * recovery (docs/internals/archive.md).
 *
 * A record is written before its COMMIT and taken back when that fails. Whatever is wrong with the
 * archive, debates go on: the chain ends, and a new one begins as soon as it can. Nothing that was
 * archived is ever changed or removed here.
 *
 * The writer's thread, except where it says otherwise.
 */
#ifndef ARAGORA_STORE_ARCHIVE_H
#define ARAGORA_STORE_ARCHIVE_H

#include "store/changes.h"
#include "store/store.h"

struct archive;

/* Of the writer's connection; copies the options. Touches no file yet. */
MUST_CHECK enum status archive_start(const struct store_archive_options *options, sqlite3 *db,
                                     struct archive **ret_archive, struct error *err);
/* Seals and syncs what was written. Before the connection is closed. NULL is fine. */
void archive_stop(struct archive *archive);

/* Behind BEGIN IMMEDIATE: finds out whether anybody else has written, and where it is due puts the
 * database into a new chain. Fails only when the database does. */
MUST_CHECK enum status archive_begin(struct archive *archive, struct error *err);
/* Whether archive_begin has put the database into a new chain, so that it needs a COMMIT. */
bool archive_is_beginning(const struct archive *archive);
/* Around what may be taken back alone, as SAVEPOINT and ROLLBACK TO. */
void archive_mark(struct archive *archive);
void archive_rewind(struct archive *archive);
/* Where the transaction's changes are gathered. */
struct changes *archive_changes(struct archive *archive);
/* Before COMMIT, when the commit's number has grown. */
void archive_put(struct archive *archive);
/* After COMMIT, or after the transaction was rolled back; then again and again does no harm. */
void archive_end(struct archive *archive, bool committed);

/* In a write transaction that has written nothing, behind archive_begin: remembers what the
 * database file looks like, so that the next start knows it again. After a checkpoint, and last of
 * all. */
void archive_stamp(struct archive *archive);

/* Any thread. */
void archive_get_state(struct archive *archive, struct store_archive_state *ret_state);
MUST_CHECK enum status archive_note_base(struct archive *archive, const char *chain,
                                         struct error *err);
void archive_on_seal(struct archive *archive, store_wake_fn *wake, void *ctx);

#endif
