/* Opening one of our two files, or refusing it.
 *
 * Called while the store opens. A file that is refused is left as it was.
 */
#ifndef ARAGORA_STORE_DATABASE_H
#define ARAGORA_STORE_DATABASE_H

#include "store/schema.h"

/* Opens the file for writing and checks it; makes an empty one, readable for owner and group, when
 * there is none. Nothing is written yet. STATUS_IO, STATUS_CORRUPT or STATUS_UNSUPPORTED with one
 * line that names the file. */
MUST_CHECK enum status database_open(const char *path, const struct schema *schema, int64_t busy_ms,
                                     sqlite3 **ret_db, struct error *err);

/* Makes it what the store needs: WAL, synchronous=FULL, the schema up to date, no automatic
 * checkpoint (the writer decides when). The connection stays open when this fails. */
MUST_CHECK enum status database_prepare(sqlite3 *db, const struct schema *schema, const char *path,
                                        struct error *err);

/* A read connection to a file that database_open has accepted. */
MUST_CHECK enum status database_open_reader(const char *path, int64_t busy_ms, sqlite3 **ret_db,
                                            struct error *err);

#endif
