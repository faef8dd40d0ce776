/* What is known of sessions without asking the database: who each is of, and which have ended.
 *
 * Filled by whoever read the rows, emptied by whoever changed them. What was read before a change
 * is not put in after it: `moment` tells. Any thread; constant time; bounded memory.
 */
#ifndef ARAGORA_AUTH_SESSION_CACHE_H
#define ARAGORA_AUTH_SESSION_CACHE_H

#include "auth/identity.h"

enum {
  SESSION_FRESH_MS = 5000 /* what another process changes is seen after this long at the latest */
};

struct cached_session {
  char id[IDENTITY_TEXT_SIZE];
  char user_id[IDENTITY_TEXT_SIZE], tenant_id[IDENTITY_TEXT_SIZE];
  enum role role;
  int64_t token_version;
  int64_t expires_ms; /* the session's own end */
  int64_t read_ms;    /* monotonic */
  bool ended;         /* for good: an id is never used again */
};

struct session_cache;

MUST_CHECK enum status session_cache_create(struct session_cache **ret_cache);
void session_cache_destroy(struct session_cache *cache); /* NULL is fine */

/* False when nothing is known, or what is known is too old. */
bool session_cache_find(struct session_cache *cache, const char *id, int64_t now_ms,
                        struct cached_session *ret_session);
/* To take before the rows are read. */
uint64_t session_cache_moment(struct session_cache *cache);
/* Dropped when anything has changed since. */
void session_cache_put(struct session_cache *cache, uint64_t moment,
                       const struct cached_session *session);
/* After the commit: the session has ended; something of the user has changed. */
void session_cache_end(struct session_cache *cache, const char *id);
void session_cache_forget_user(struct session_cache *cache, const char *user_id);

#endif
