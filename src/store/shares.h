/* Links by which whoever has one reads one debate, without a credential. A debate has one at most.
 *
 * What a link looks like is the api room's to say (api/share_link.h); here is the SHA-256 of its
 * token.
 */
#ifndef ARAGORA_STORE_SHARES_H
#define ARAGORA_STORE_SHARES_H

#include "store/audit.h"

struct store_share {
  const char *debate_id;
  const char *tenant_id, *owner_id; /* the debate's */
  const char *created_by;           /* a user's id, as owners are */
  int64_t created_ms, expires_ms;   /* Unix; expires -1 = never */
};

/* True when it is good at this moment. */
static inline bool store_share_works(const struct store_share *share, int64_t now_ms) {
  return share->expires_ms < 0 || now_ms < share->expires_ms;
}

/* --- writes: copy everything; any thread; answer as store_append, and so does `done`; refused by a
 * disk that refuses, rather than held. `entry`: the act's row of the audit log, in the same
 * transaction; NULL = none --- */

/* The debate's link from here on, in the place of a former one, made by `who`; only debate_id,
 * created_ms and expires_ms of the share are looked at. `done` gets STATUS_CONFLICT when `who` sees
 * no such debate. */
MUST_CHECK enum status store_put_share(struct store *store, const struct principal *who,
                                       const struct store_share *share, const uint8_t hash[32],
                                       const struct audit_entry *entry, store_done_fn *done,
                                       void *ctx);
/* At once: who asks with it after `done` finds nothing. `done` gets STATUS_CONFLICT when `who` sees
 * no such debate, or it has no link. */
MUST_CHECK enum status store_drop_share(struct store *store, const struct principal *who,
                                        const char *debate_id, const struct audit_entry *entry,
                                        store_done_fn *done, void *ctx);

/* --- reads, as those of store.h; each(...) is called once, or STATUS_NOT_FOUND --- */

typedef void store_share_fn(void *ctx, const struct store_share *share);
/* The link of a debate that the principal sees, also one that has expired. */
MUST_CHECK enum status store_get_share(struct store *store, const struct principal *who,
                                       const char *debate_id, store_share_fn *each, void *ctx,
                                       struct error *err);
/* The link with this hash that works at `now_ms`; for whoever brought it, so that it is asked as
 * PRINCIPAL_SYSTEM. Unknown, revoked and expired are one answer, found by one look-up. */
MUST_CHECK enum status store_find_share(struct store *store, const struct principal *who,
                                        const uint8_t hash[32], int64_t now_ms,
                                        store_share_fn *each, void *ctx, struct error *err);

#endif
