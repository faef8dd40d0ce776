/* Accounts: users, the tenants that they belong to, and their sessions.
 *
 * Rows are structs of fixed size, texts within them, so that they are copied as they are. What may
 * be written in them is checked by the caller: here they only have to fit.
 */
#ifndef ARAGORA_STORE_USERS_H
#define ARAGORA_STORE_USERS_H

#include "store/audit.h"

enum {
  STORE_ID_SIZE = 65,
  STORE_EMAIL_SIZE = 255,
  STORE_NAME_SIZE = 401, /* 100 characters of UTF-8 */
  STORE_PASSWORD_SIZE = 129,
  STORE_WORD_SIZE = 17, /* role, plan */
  STORE_HASH_SIZE = 32,
};

struct store_user {
  char id[STORE_ID_SIZE], tenant_id[STORE_ID_SIZE];
  char email[STORE_EMAIL_SIZE]; /* in lower case */
  char name[STORE_NAME_SIZE];
  char password[STORE_PASSWORD_SIZE]; /* a hash, "" = none */
  char role[STORE_WORD_SIZE];         /* member, owner, admin */
  bool active;
  int64_t token_version;
  int64_t created_ms, updated_ms, last_login_ms; /* -1 = never */
};

struct store_tenant {
  char id[STORE_ID_SIZE];
  char name[STORE_NAME_SIZE], slug[STORE_NAME_SIZE];
  char plan[STORE_WORD_SIZE];   /* free, starter, professional, enterprise */
  char owner_id[STORE_ID_SIZE]; /* "" = nobody */
  int64_t created_ms, updated_ms;
};

struct store_session {
  char id[STORE_ID_SIZE], user_id[STORE_ID_SIZE];
  uint8_t refresh_hash[STORE_HASH_SIZE];
  int64_t created_ms, used_ms, expires_ms;
};

/* --- writes: queued, copied; any thread; answer as store_append, and so does `done`; like a start,
 * they are refused by a disk that refuses, rather than held. `entry`: the act's row of the audit
 * log, in the same transaction; NULL = none --- */

/* A new user, and, unless it is NULL, a new tenant for it. `done` gets STATUS_CONFLICT when the
 * address is taken, or there are `max_users` already. */
MUST_CHECK enum status store_put_user(struct store *store, const struct store_user *user,
                                      const struct store_tenant *tenant, int64_t max_users,
                                      const struct audit_entry *entry, store_done_fn *done,
                                      void *ctx);

/* What changes of a user; NULL and -1 = it stays. */
struct store_user_change {
  const char *user_id;
  const char *name, *email, *password, *role;
  const char *was_password; /* nothing changes when the hash is another by now; NULL = whatever */
  int active;
  bool end_tokens;         /* token_version goes up by one, and every session ends */
  const char *end_but_for; /* every session but this one ends ("" = all); NULL = none */
  bool keep_admin;         /* nothing changes when it would leave no active admin */
  int64_t now_ms;
};
/* STATUS_CONFLICT when there is no such user, was_password is not its hash any more, it is the last
 * admin that is to be kept, or the address is somebody else's. */
MUST_CHECK enum status store_change_user(struct store *store,
                                         const struct store_user_change *change,
                                         const struct audit_entry *entry, store_done_fn *done,
                                         void *ctx);

/* A login: the session, the user's last login, and, of the user's sessions, the ones longest unused
 * beyond `max_sessions` go; so do some that have expired. `checked` is the user as it was when its
 * credentials were looked at: STATUS_CONFLICT when password or token_version are others by now, the
 * user is not active, or there is none. */
MUST_CHECK enum status store_put_session(struct store *store, const struct store_session *session,
                                         const struct store_user *checked, int64_t max_sessions,
                                         const struct audit_entry *entry, store_done_fn *done,
                                         void *ctx);
/* In the place of the token that `old_hash` is of, once: STATUS_CONFLICT when another one counts by
 * now, or the session has ended. */
MUST_CHECK enum status store_renew_session(struct store *store, const char *session_id,
                                           const uint8_t old_hash[STORE_HASH_SIZE],
                                           const uint8_t new_hash[STORE_HASH_SIZE], int64_t now_ms,
                                           int64_t expires_ms, const struct audit_entry *entry,
                                           store_done_fn *done, void *ctx);
/* STATUS_CONFLICT when it has ended. */
MUST_CHECK enum status store_end_session(struct store *store, const char *session_id,
                                         const struct audit_entry *entry, store_done_fn *done,
                                         void *ctx);

/* The signed token of this hash counts no more until it expires; some that have expired go.
 * STATUS_CONFLICT when it is there, or there are `max_tokens` already. */
MUST_CHECK enum status store_revoke_token(struct store *store, const uint8_t hash[STORE_HASH_SIZE],
                                          int64_t expires_ms, int64_t max_tokens, int64_t now_ms,
                                          const struct audit_entry *entry, store_done_fn *done,
                                          void *ctx);

/* --- reads, as those of store.h; they know no principal: who asks is what they find out --- */

MUST_CHECK enum status store_get_user(struct store *store, const char *id,
                                      struct store_user *ret_user, struct error *err);
MUST_CHECK enum status store_find_user(struct store *store, const char *email,
                                       struct store_user *ret_user, struct error *err);
MUST_CHECK enum status store_get_tenant(struct store *store, const char *id,
                                        struct store_tenant *ret_tenant, struct error *err);
MUST_CHECK enum status store_get_session(struct store *store, const char *id,
                                         struct store_session *ret_session, struct error *err);

/* Hashes of all revoked tokens that have not expired at now_ms: how many there are is bounded where
 * they are written. `each` as below. */
typedef void store_revoked_fn(void *ctx, const uint8_t hash[STORE_HASH_SIZE]);
MUST_CHECK enum status store_read_revoked(struct store *store, int64_t now_ms,
                                          store_revoked_fn *each, void *ctx, struct error *err);

struct store_user_counts {
  int64_t users, admins; /* admins: active ones */
  int64_t sessions;      /* that have not expired at now_ms */
};
MUST_CHECK enum status store_count_users(struct store *store, int64_t now_ms,
                                         struct store_user_counts *ret_counts, struct error *err);

/* Whether a database that is looked at has a user; false for a schema that knows none. */
struct inspect;
MUST_CHECK enum status inspect_has_users(struct inspect *inspect, bool *ret_has, struct error *err);

/* Which users, in the order of their age, the newest first. */
struct store_user_query {
  int64_t before_ms;     /* those before (before_ms, before_id); -1 = from the newest */
  const char *before_id; /* NULL where before_ms is -1 */
  size_t limit;
  const char *email; /* a part of the address, in lower case; NULL = any, as the next */
  const char *role;
  int active; /* 0 or 1; -1 = both */
};
/* `each` must not wait and must not use the store. */
typedef void store_user_fn(void *ctx, const struct store_user *user);
MUST_CHECK enum status store_list_users(struct store *store, const struct store_user_query *query,
                                        store_user_fn *each, void *ctx, struct error *err);

#endif
