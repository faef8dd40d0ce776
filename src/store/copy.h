/* A copy of an open database, as a file of its own: what stands before something risky.
 *
 * Made with SQLite's backup API from what the connection sees, its write-ahead log included; the
 * copy has none and is in rollback mode, so that it can be moved as one file. On the connection's
 * thread; blocks.
 */
#ifndef ARAGORA_STORE_COPY_H
#define ARAGORA_STORE_COPY_H

#include "store/sqlite.h"

/* Under `path` only once it is whole, checked (integrity_check) and on disk; before that under
 * PATH.partial. Mode and owner as the database's, but never more than 0640. STATUS_CONFLICT when
 * there is such a file already. *ret_bytes is its size. */
MUST_CHECK enum status copy_make(sqlite3 *db, const char *path, int64_t *ret_bytes,
                                 struct error *err);

#endif
