/* A debate's content leaves the database, and a tombstone takes its place. The writer's thread. */
#ifndef ARAGORA_STORE_DELETION_H
#define ARAGORA_STORE_DELETION_H

#include "store/sqlite.h"
#include "store/store.h"

struct deletion {
  struct principal who; /* may see the debate, or nothing happens */
  struct store_deletion what;
};

/* Within the transaction that is open. An SQLite result code; SQLITE_CONSTRAINT when the principal
 * sees no such debate, or it has not ended. */
int deletion_write(sqlite3 *db, const struct deletion *deletion);

#endif
