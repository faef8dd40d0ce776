/* API keys as credentials: which are known, what each may do, and how fast.
 *
 * Keys are read from the store when they come first, and again by the first call after any of them,
 * or of their owners, was changed (store_keys_generation), or that comes KEY_FRESH_MS after the
 * last read: so a check costs a hash and a look-up, a revocation is seen by the next call, and one
 * by another process after those seconds at the latest. Any thread.
 */
#ifndef ARAGORA_AUTH_KEY_RING_H
#define ARAGORA_AUTH_KEY_RING_H

#include "auth/auth.h"
#include "io/pool.h"
#include "store/keys.h"

enum { KEY_FRESH_MS = 5000 /* what another process changes is seen after this long */ };

struct key_ring;

struct key_ring_options {
  struct store *store;
  size_t max_keys;           /* kept at once; the one that was read longest ago goes */
  const struct clock *clock; /* NULL = the system's */
  /* Called with each key that was read and works, its money limit (0 = none) among the rest; any
   * thread. NULL = nobody. */
  void (*on_read)(void *ctx, const struct store_key *key);
  void *ctx;
  struct pool *pool; /* `stands` has its reads done there; NULL = nobody reads for it */
  struct auth *auth; /* told when such a read shows that a key stands no more; NULL = nobody */
};

/* STATUS_NOMEM. */
MUST_CHECK enum status key_ring_create(const struct key_ring_options *options,
                                       struct key_ring **ret_ring, struct error *err);
void key_ring_destroy(struct key_ring *ring); /* NULL is fine */

/* As the verifier of auth.h wants it; `stands` takes it that a key which was not read lately
 * stands, and finds out behind. What was let in ends also when the key may less than it did. A key
 * that does not work any more, whose owner was disabled, or that is over its own rate, is refused.
 */
struct auth_verifier key_ring_verifier(struct key_ring *ring);

/* Reads all keys of the owner anew, so that the verifier's `stands`, which never blocks, knows
 * them: after a change to one of them or to the owner, before auth_tell_revoked. Blocks. */
MUST_CHECK enum status key_ring_refresh(struct key_ring *ring, const char *tenant_id,
                                        const char *owner_id, struct error *err);

/* The key was revoked, which is committed: from here on it does not stand, whatever a read finds
 * that began before. For whoever cannot refresh; never blocks. */
void key_ring_end(struct key_ring *ring, const char *id);

/* Scopes of a key as a set: all names of `scopes` (store/keys.h) of what keys may carry at all; ""
 * = everything of that. False when there is a name that is no permission, or that no key may have:
 * *ret_wrong borrows it. */
bool key_scopes_read(const char *scopes, permission_set *ret_set, struct bytes *ret_wrong);

#endif
