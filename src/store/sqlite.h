/* SQLite with our manners: how a connection is opened, what its codes mean to us.
 *
 * Used inside this room only. A connection and its statements belong to one thread at a time: they
 * are opened without SQLite's own mutexes.
 */
#ifndef ARAGORA_STORE_SQLITE_H
#define ARAGORA_STORE_SQLITE_H

#include "base/bytes.h"

/* What the archive needs; Debian's library is built with both. */
#define SQLITE_ENABLE_PREUPDATE_HOOK
#define SQLITE_ENABLE_SESSION
#include <sqlite3.h>

/* Opens an existing file. `flags` is SQLITE_OPEN_READWRITE or SQLITE_OPEN_READONLY (which is then
 * also held to queries). Waits up to busy_ms for locks of others. Reads nothing yet. */
MUST_CHECK enum status sqlite_open(const char *path, int flags, int64_t busy_ms, sqlite3 **ret_db,
                                   struct error *err);
/* As sqlite_open for writing, for the connection that commits with `synchronous = FULL`: the frames
 * of a commit go to the log in one write (store/gather.h). */
MUST_CHECK enum status sqlite_open_gathering(const char *path, int64_t busy_ms, sqlite3 **ret_db,
                                             struct error *err);
/* NULL is fine. All its statements must be finalized. */
void sqlite_close(sqlite3 *db);

/* One statement that is kept and used many times. */
MUST_CHECK enum status sqlite_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret_statement,
                                      struct error *err);
/* Any number of statements, results thrown away. */
MUST_CHECK enum status sqlite_run(sqlite3 *db, const char *sql, struct error *err);
/* The first column of the first row as an integer; `fallback` when there is no row. */
MUST_CHECK enum status sqlite_get_int(sqlite3 *db, const char *sql, int64_t fallback,
                                      int64_t *ret_value, struct error *err);

/* Parameter `at` of a statement: a text that is borrowed until the next bind, NULL for NULL; and a
 * number of which a negative one is our mark for "unknown", the table's is NULL. */
void sqlite_bind_text(sqlite3_stmt *statement, int at, const char *text);
void sqlite_bind_known(sqlite3_stmt *statement, int at, int64_t value);

/* Runs a statement that gives no rows and finalizes it: SQLITE_OK or a result code. The second
 * wants exactly one row to change, else it is SQLITE_CONSTRAINT. */
int sqlite_finish(sqlite3_stmt *statement);
int sqlite_finish_one(sqlite3 *db, sqlite3_stmt *statement);

/* A column of the row that stands, "" for NULL; until the next step or reset. */
const char *sqlite_text(sqlite3_stmt *statement, int column);

/* Our word for a result code. */
enum status sqlite_status(int rc);
/* Fills *err with the file's name and SQLite's own words for the last failure on `db`. */
enum status sqlite_error(sqlite3 *db, int rc, struct error *err);

#endif
