/* Streams that are open with a credential that can end before they do: when it does, they end too.
 *
 * Whoever serves one enters it; once its credential was revoked, or has expired, `ended` is called,
 * once. Looked at at once when something was revoked, and every second. Any thread.
 */
#ifndef ARAGORA_API_LIVE_CALLERS_H
#define ARAGORA_API_LIVE_CALLERS_H

#include "auth/auth.h"
#include "io/frame.h"
#include "io/loop.h"

struct live_callers;

/* Part of whatever is open; its own only between enter and leave. */
struct live_caller {
  struct live_caller *next, *prev;
  bool entered;
  bool revoked; /* a link: that is known here alone */
  struct identity identity;
  void (*ended)(void *ctx); /* loop thread; must neither wait nor enter or leave anything */
  void *ctx;
};

/* NULL when memory is short. */
struct live_callers *live_callers_create(struct loop *loop, struct auth *auth);
void live_callers_destroy(
    struct live_callers *callers); /* once the loop has stopped; NULL is fine */

void live_callers_enter(struct live_callers *callers, struct live_caller *caller,
                        const struct identity *identity, void (*ended)(void *ctx), void *ctx);
/* Afterwards `ended` is not running and will not be called. */
void live_callers_leave(struct live_callers *callers, struct live_caller *caller);

/* Ends whatever came by a link to that debate. Who enters one looks afterwards whether the link
 * still stands: then one that is revoked, which is committed when this is called, leaves nothing
 * open. */
void live_callers_end_link(struct live_callers *callers, const char *debate_id);

/* {"type":"auth_revoked", ...}: what a client is told then. NULL when memory is short. */
struct frame *live_callers_notice(void);

/* `source`, which ends with that frame when the credential does, from here on; owns it. The one
 * that was given when memory is short, having closed it: STATUS_NOMEM. */
MUST_CHECK enum status live_callers_guard(struct live_callers *callers,
                                          const struct identity *identity,
                                          struct frame_source *source);

#endif
