/* The writer: one thread, one queue, one transaction for all that waits in it (group commit).
 *
 * A batch belongs to the caller until writer_append answers STATUS_OK, then to the queue, then to
 * the writer's thread, which frees it after its done function. While the disk refuses, what was
 * taken from the queue is held and tried again: 50 ms later, then at doubling intervals up to 1 s.
 * Only what nobody was promised yet fails at once, with the disk's status: a debate that is to
 * begin, a deletion. With nothing to hold, the writer tries the disk by itself, once a second.
 */
#ifndef ARAGORA_STORE_WRITER_H
#define ARAGORA_STORE_WRITER_H

#include "store/archive.h"
#include "store/batch.h"
#include "store/sqlite.h"

struct writer;

/* Takes over `db`, also when it fails. Somebody else's lock counts as a disk that refuses after
 * `patience_ms`. `archive` NULL: commits are not archived; `audit_rows_max` as in struct
 * store_options. */
MUST_CHECK enum status writer_start(sqlite3 *db, size_t max_queued_bytes, int64_t patience_ms,
                                    const struct store_archive_options *archive,
                                    int64_t audit_rows_max, struct writer **ret_writer,
                                    struct error *err);
/* Commits what is queued; what the disk refuses even then fails with its status. Closes the
 * connection. NULL is fine. */
void writer_stop(struct writer *writer);

/* Any thread. STATUS_FULL when the queue has no room (an empty queue always has;
 * small rows that nobody would bring again have as much for themselves),
 * STATUS_UNAVAILABLE while it stops. */
MUST_CHECK enum status writer_append(struct writer *writer, struct batch *batch);

/* Any thread. STATUS_OK, or why the last transaction was refused. */
MUST_CHECK enum status writer_check(struct writer *writer, struct error *err);

/* Any thread. For how long its thread has been at what it does; 0 while it waits, for work or to
 * try a refused commit again. */
int64_t writer_busy_us(const struct writer *writer);

/* Who is told of commits: one that may have made a replay's files stale, and one that ended
 * debates. See store_on_trace and store_on_end. Not while it is called. */
enum writer_listener { WRITER_TRACER, WRITER_RATER, WRITER_LISTENERS };
void writer_listen(struct writer *writer, enum writer_listener listener, store_wake_fn *wake,
                   void *ctx);

/* Any thread: grows with every commit that changed an API key, before its done function. */
uint64_t writer_keys_generation(const struct writer *writer);

/* Any thread: what waits in the queue or is being written. */
size_t writer_queued_bytes(struct writer *writer);

/* Any thread: another connection of this process has moved the write-ahead log into the database,
 * so that the file no longer looks as the archive remembers it; it looks anew. */
void writer_note_checkpoint(struct writer *writer);

/* Any thread; NULL when commits are not archived. */
struct archive *writer_archive(const struct writer *writer);

#endif
