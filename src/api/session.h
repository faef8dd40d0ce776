/* One WebSocket connection: what it listens to, and what it asked for that is not answered yet.
 *
 * Loop thread, but for the look-ups, which run on the pool and hold the session meanwhile. The
 * connection may be gone when they come back.
 */
#ifndef ARAGORA_API_SESSION_H
#define ARAGORA_API_SESSION_H

#include "api/live_callers.h"
#include "api/state.h"
#include "base/id.h"

#include <stdatomic.h>

enum {
  SESSION_DEBATES_MAX = 32, /* subscriptions of one connection */
  SESSION_PENDING_MAX = 16, /* look-ups of one connection under way */
};

struct session_debate {
  char id[ID_DEBATE_MAX + 1]; /* also the tag of its source */
  uint64_t since;             /* from where it was asked for */
};

struct session {
  struct api *api;
  atomic_int refs;
  struct http_websocket *ws; /* NULL before it opened and once it is gone */
  struct identity identity;
  struct live_caller live;
  struct principal who; /* the identity's */
  char client_id[ID_SIZE];
  struct store_debate first; /* what the URL named, read by admit; id NULL = nothing */
  uint64_t first_since;
  struct session_debate *debates; /* subscribed to */
  size_t debate_count;
  int pending;
};

struct session *session_create(struct api *api, const struct identity *who);
struct session *session_ref(struct session *s);
void session_unref(struct session *s);

/* The id that a client means: the connection's only debate when it names none; or NULL. */
const char *session_only_debate(const struct session *s);

/* Tells the client what the debate is now and streams its events with seq > since. A debate that it
 * listens to already begins anew. Warns when it may not have more. */
void session_subscribe(struct session *s, const struct store_debate *row, uint64_t since);
/* False when it did not listen to it. */
bool session_unsubscribe(struct session *s, const char *debate_id);

/* session_messages.c: one message of the client. */
void session_take_message(struct session *s, struct bytes text);

#endif
