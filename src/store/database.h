/* Opening one of our two files, or refusing it.
 *
 * Called while the store opens. A file that is refused is left as it was.
 */
#ifndef ARAGORA_STORE_DATABASE_H
#define ARAGORA_STORE_DATABASE_H

#include "store/schema.h"

typedef enum status database_open_fn(const char *path, const struct schema *schema, int64_t busy_ms,
                                     sqlite3 **ret_db, struct error *err);

/* Opens the file for writing and checks it; makes an empty one, readable for owner and group, when
 * there is none. Nothing is written yet. STATUS_IO, STATUS_CORRUPT or STATUS_UNSUPPORTED with one
 * line that names the file. */
MUST_CHECK enum status database_open(const char *path, const struct schema *schema, int64_t busy_ms,
                                     sqlite3 **ret_db, struct error *err);
/* As database_open, for a file that this process has just written: its pages need no look. */
MUST_CHECK enum status database_open_made(const char *path, const struct schema *schema,
                                          int64_t busy_ms, sqlite3 **ret_db, struct error *err);

/* Makes it what the store needs: WAL, synchronous=FULL, no automatic checkpoint (the writer decides
 * when), and the schema where there is none; one that is behind stays so. The connection stays open
 * when this fails. */
MUST_CHECK enum status database_prepare(sqlite3 *db, const struct schema *schema, const char *path,
                                        struct error *err);

/* Opens a file of ours whatever its schema, for work on the file itself; `flags` as in sqlite_open.
 * Its pages are not checked, and closing it moves no -wal unless database_configure was called.
 * STATUS_NOT_FOUND when there is none; else as database_open. */
MUST_CHECK enum status database_open_any(const char *path, const struct schema *schema, int flags,
                                         int64_t busy_ms, sqlite3 **ret_db, struct error *err);
/* The settings that database_prepare makes, without the schema. */
MUST_CHECK enum status database_configure(sqlite3 *db, const char *path, struct error *err);

/* A read connection to a file that database_open has accepted. */
MUST_CHECK enum status database_open_reader(const char *path, int64_t busy_ms, sqlite3 **ret_db,
                                            struct error *err);

#endif
