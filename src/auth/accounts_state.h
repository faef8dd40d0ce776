/* What the files of accounts share. Not for other rooms. */
#ifndef ARAGORA_AUTH_ACCOUNTS_STATE_H
#define ARAGORA_AUTH_ACCOUNTS_STATE_H

#include "auth/account_rules.h"
#include "auth/accounts.h"
#include "auth/lockout.h"
#include "auth/password.h"
#include "auth/session_cache.h"
#include "base/sha256.h"
#include "io/pool.h"

#include <pthread.h>
#include <stdatomic.h>

struct revoked;

struct accounts {
  struct accounts_parts parts;
  const struct options *options;
  const struct clock *clock;
  struct store *store;
  struct pool *pool;
  struct password_cost cost;
  struct lockout *lockout;
  struct session_cache *cache;
  struct revoked *revoked;
  pthread_mutex_t lock; /* guards the making of keys, and the next */
  uint8_t setup_hash[SHA256_SIZE];
  bool setup_open;
  struct jwt_keys keys; /* written once, before has_keys */
  atomic_bool has_keys;
};

static inline int64_t accounts_now_ms(const struct accounts *a) {
  return clock_wall_ms(a->clock);
}

static inline struct audit_origin accounts_origin(const struct store_user *user,
                                                  const struct account_from *from) {
  return (struct audit_origin){user->tenant_id, user->id, from->address, from->request_id};
}

/* A write that is waited for: begin, hand account_write_done and it to the store, end with what the
 * store answered. */
struct account_write {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool done;
  enum status status;
};
void account_write_begin(struct account_write *write);
void account_write_done(void *write, enum status status);
MUST_CHECK enum status account_write_end(struct account_write *write, enum status queued);

/* ACCOUNT_FAILED, with the status and words in *err. */
enum account_answer accounts_fail(enum status status, struct error *err);

/* ACCOUNT_WRONG, in the words of every login that is none. */
enum account_answer accounts_wrong(struct error *err);

/* STATUS_IO and the like: the secret cannot be made. */
MUST_CHECK enum status accounts_make_tokens(struct accounts *accounts,
                                            const struct account *account, const char *session_id,
                                            struct account_tokens *ret_tokens, struct error *err);
/* A login; `record` NULL = its row of the audit log is another's. ACCOUNT_WRONG when the user is
 * not any more what `account` says: another password, closed, logged out everywhere. */
enum account_answer accounts_open_session(struct accounts *accounts, const struct account *account,
                                          const struct audit_record *record,
                                          struct account_tokens *ret_tokens, struct error *err);
/* Credentials are required from here on; announces the setup token where there is no admin. */
void accounts_began(struct accounts *accounts);

#endif
