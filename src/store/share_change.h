/* What the writer does to links. Inside this room only. */
#ifndef ARAGORA_STORE_SHARE_CHANGE_H
#define ARAGORA_STORE_SHARE_CHANGE_H

#include "store/shares.h"
#include "store/sqlite.h"

struct share_change {
  enum { SHARE_PUT, SHARE_DROP } kind;
  struct principal who; /* may see the debate */
  const char *debate_id;
  uint8_t hash[32];               /* PUT, as the next */
  int64_t created_ms, expires_ms; /* -1 = never */
};

/* In the writer's transaction: 0 or an SQLite error; SQLITE_CONSTRAINT when it does not fit. */
int share_change_write(sqlite3 *db, const struct share_change *change);

#endif
