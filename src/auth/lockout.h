/* How often logins at an address of mail (or tries of any other key) failed, and for how long it is
 * closed then.
 *
 * Five tries in a row that fail close it for 15 minutes, the tenth for an hour, the twentieth and
 * each one after for a day. An address counts whether there is an account or not, so that the
 * answer tells nobody which. A try counts as failed when it begins, so that a hundred at once are
 * no more than five. Any thread; constant time; bounded memory: where room is short the address
 * that failed least is forgotten, and who shares a place with whom is decided by a secret of the
 * process. Two days without a try, and a restart, forget all.
 */
#ifndef ARAGORA_AUTH_LOCKOUT_H
#define ARAGORA_AUTH_LOCKOUT_H

#include "base/bytes.h"

struct lockout;

MUST_CHECK enum status lockout_create(struct lockout **ret_lockout);
void lockout_destroy(struct lockout *lockout); /* NULL is fine */

/* A try begins. STATUS_DENIED while the address is closed, and in *ret_wait_ms for how much longer.
 */
MUST_CHECK enum status lockout_take(struct lockout *lockout, const char *email, int64_t now_ms,
                                    int64_t *ret_wait_ms);
/* True once for each time that it is closed, to whoever asks first, while it is: five tries at once
 * fail as one closing. */
bool lockout_tell(struct lockout *lockout, const char *email, int64_t now_ms);
/* It was no try: the password could not be looked at. */
void lockout_give_back(struct lockout *lockout, const char *email);
/* The password was right. */
void lockout_clear(struct lockout *lockout, const char *email);

#endif
