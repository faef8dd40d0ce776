/* API keys: of each its prefix, a hash, and what it may do. What a key looks like and who may use
 * one is the auth room's to say (auth/api_key.h, auth/key_ring.h). */
#ifndef ARAGORA_STORE_KEYS_H
#define ARAGORA_STORE_KEYS_H

#include "store/audit.h"

struct store_key {
  const char *id; /* its first 12 characters */
  uint8_t hash[32];
  const char *tenant_id, *owner_id;
  const char *name;
  const char *scopes; /* names of permissions with a blank between them; "" = all of the owner's */
  bool is_default;    /* the one of the endpoints that know a single key */
  int64_t requests_per_minute; /* 0 = no limit of its own, as the next */
  int64_t usd_micro_per_day;
  int64_t created_ms;
  int64_t expires_ms, revoked_ms, last_used_ms; /* Unix; -1 = never */
  const char *role;        /* read only: the owner's, "" = it has no account (`local`) */
  bool is_owner_active;    /* likewise; true without an account */
  const char *replaced_by; /* the id of the key that it was rotated to, or NULL */
};

/* True when it works at this moment. */
static inline bool store_key_works(const struct store_key *key, int64_t now_ms) {
  return key->revoked_ms < 0 && (key->expires_ms < 0 || now_ms < key->expires_ms);
}

/* --- writes: copy everything; any thread; answer as store_append, and so does `done`; refused by a
 * disk that refuses, rather than held. `entry`: the act's row of the audit log, in the same
 * transaction; NULL = none --- */

/* A default key takes the place of the owner's former one, which is revoked. `done` gets
 * STATUS_CONFLICT when the id is taken or `max` keys of the owner work already. */
MUST_CHECK enum status store_put_key(struct store *store, const struct store_key *key, size_t max,
                                     int64_t now_ms, const struct audit_entry *entry,
                                     store_done_fn *done, void *ctx);

enum store_key_field {
  STORE_KEY_NAME = 1,
  STORE_KEY_SCOPES = 2,
  STORE_KEY_EXPIRY = 4,
  STORE_KEY_RATE = 8,
  STORE_KEY_MONEY = 16,
};
/* Of these fields (a sum of enum store_key_field) `key` has the new values. `done` gets
 * STATUS_CONFLICT, here and below, when the principal sees no such key or it was revoked. */
MUST_CHECK enum status store_edit_key(struct store *store, const struct principal *who,
                                      const char *id, const struct store_key *key, unsigned fields,
                                      int64_t now_ms, const struct audit_entry *entry,
                                      store_done_fn *done, void *ctx);
/* At once: who asks with it after `done` is refused, and what batches that came with it have left
 * to start is cancelled; as for a default key that is replaced or revoked. */
MUST_CHECK enum status store_revoke_key(struct store *store, const struct principal *who,
                                        const char *id, int64_t now_ms,
                                        const struct audit_entry *entry, store_done_fn *done,
                                        void *ctx);
/* The principal's own default key, when there is one. */
MUST_CHECK enum status store_revoke_default_key(struct store *store, const struct principal *who,
                                                int64_t now_ms, const struct audit_entry *entry,
                                                store_done_fn *done, void *ctx);
/* `key` is there from now on, and the old one expires at `ends_ms` unless it does so before; what
 * the old one is the default of, the new one is. `done` gets STATUS_CONFLICT too when `max` keys of
 * the owner, the old one that still works among them, work already. */
MUST_CHECK enum status store_rotate_key(struct store *store, const struct principal *who,
                                        const char *old_id, const struct store_key *key,
                                        int64_t ends_ms, size_t max, int64_t now_ms,
                                        const struct audit_entry *entry, store_done_fn *done,
                                        void *ctx);
/* When it was used last; nobody is told, and nothing that was read of it is out of date. */
MUST_CHECK enum status store_use_key(struct store *store, const char *id, int64_t now_ms);

/* Grows with every commit that changed a key or a user, before `done` is called: what was read of
 * keys while it had another value may be out of date. Any thread; a load. */
uint64_t store_keys_generation(const struct store *store);

/* --- reads, as those of store.h --- */

typedef void store_key_fn(void *ctx, const struct store_key *key);
/* each(...) is called once. */
MUST_CHECK enum status store_get_key(struct store *store, const struct principal *who,
                                     const char *id, store_key_fn *each, void *ctx,
                                     struct error *err);
/* Newest first, at most `limit`; `own`: of the principal itself alone. */
MUST_CHECK enum status store_list_keys(struct store *store, const struct principal *who, bool own,
                                       size_t limit, store_key_fn *each, void *ctx,
                                       struct error *err);

/* What was spent with keys on the days from `since_day` on. */
MUST_CHECK enum status store_read_key_spending(struct store *store, int64_t since_day,
                                               store_spending_fn *each, void *ctx,
                                               struct error *err);

#endif
