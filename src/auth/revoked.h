/* Signed forms of the API token that were revoked: each until it expires.
 *
 * All of them are in memory, read anew when they were read REVOKED_FRESH_MS ago, so that a check
 * costs a look-up, and a revocation is seen by the next call, and one by another process after
 * those seconds at the latest. Any thread.
 */
#ifndef ARAGORA_AUTH_REVOKED_H
#define ARAGORA_AUTH_REVOKED_H

#include "auth/auth.h"
#include "store/users.h"

enum { REVOKED_FRESH_MS = 5000 };

struct revoked;

/* `max` tokens at once. The clock is that of `now_ms` below. STATUS_NOMEM. */
MUST_CHECK enum status revoked_create(struct store *store, const struct clock *clock, size_t max,
                                      struct revoked **ret_revoked);
void revoked_destroy(struct revoked *revoked); /* NULL is fine */

/* For auth_plug_tokens. */
struct auth_revocations revoked_plug(struct revoked *revoked);

/* The token of this hash counts no more, once this returns; blocks. STATUS_CONFLICT when it was
 * revoked before, STATUS_FULL when there are `max` already. `entry`: as in store/users.h. */
MUST_CHECK enum status revoked_add(struct revoked *revoked, const uint8_t hash[STORE_HASH_SIZE],
                                   int64_t expires_s, const struct audit_entry *entry);

#endif
