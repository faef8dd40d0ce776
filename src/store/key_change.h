/* What the writer does to API keys and plans. Inside this room only. */
#ifndef ARAGORA_STORE_KEY_CHANGE_H
#define ARAGORA_STORE_KEY_CHANGE_H

#include "store/keys.h"
#include "store/sqlite.h"

struct key_change {
  enum { KEY_PUT, KEY_EDIT, KEY_REVOKE, KEY_REVOKE_DEFAULT, KEY_ROTATE, KEY_USE, KEY_PLAN } kind;
  const char *id;       /* EDIT, REVOKE, ROTATE, USE: of the key that is there; else NULL */
  struct principal who; /* EDIT, REVOKE, REVOKE_DEFAULT, ROTATE: may see it */
  struct store_key key; /* PUT and ROTATE: the new one; EDIT: what `edit` names */
  unsigned edit;        /* of enum store_key_field */
  int64_t now_ms;       /* of every kind */
  int64_t ends_ms;      /* ROTATE: of the old one */
  size_t max;           /* PUT, ROTATE: keys of one owner that work at once, with the new one */
  const char *plan;     /* PLAN: of key.tenant_id; else NULL */
};

/* In the writer's transaction: 0 or an SQLite error; SQLITE_CONSTRAINT when it does not fit. */
int key_change_write(sqlite3 *db, const struct key_change *change);

#endif
