/* What the writer does to accounts. Inside this room only. */
#ifndef ARAGORA_STORE_USER_CHANGE_H
#define ARAGORA_STORE_USER_CHANGE_H

#include "store/sqlite.h"
#include "store/users.h"

struct user_change {
  enum {
    USER_PUT,
    USER_CHANGE,
    SESSION_PUT,
    SESSION_RENEW,
    SESSION_END,
    TOKEN_REVOKE, /* session.refresh_hash, until session.expires_ms */
  } kind;
  /* USER_CHANGE: the id and what is named by `set`; SESSION_PUT: as its credentials were checked */
  struct store_user user;
  struct store_tenant tenant;
  bool has_tenant;
  struct {
    bool name, email, password, role, active;
  } set;
  char was_password[STORE_PASSWORD_SIZE]; /* USER_CHANGE: only while it is this; "" = whatever it is
                                           */
  bool end_tokens, end_sessions;          /* end_sessions: but for session.id */
  bool keep_admin;                        /* USER_CHANGE: not what would leave no active admin */
  struct store_session session;           /* SESSION_RENEW: refresh_hash is the new one */
  uint8_t old_hash[STORE_HASH_SIZE];
  int64_t limit, now_ms;
};

/* In the writer's transaction: 0 or an SQLite error; SQLITE_CONSTRAINT when it does not fit. */
int user_change_write(sqlite3 *db, const struct user_change *change);

#endif
