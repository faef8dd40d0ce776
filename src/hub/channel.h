/* One debate in the hub: its rings, its streaming turns and who listens.
 *
 * Locks, always taken in this order: hub->lock or `wake_lock`, then `lock`; the first
 * two never together.
 *   hub->lock   the registry and `users`
 *   wake_lock   the list of subscriptions and their wake functions, which run under it
 *   lock        everything else here and the state of every subscription
 * Poll takes `lock` only, so that a wake function may poll. A wake function may take the locks of
 * its own sink, hence a sink never closes a source while it holds one of those.
 */
#ifndef ARAGORA_HUB_CHANNEL_H
#define ARAGORA_HUB_CHANNEL_H

#include "hub/hub.h"
#include "hub/live_turn.h"
#include "hub/ring.h"

/* A table that cannot grow refuses the entry instead of ending the process. */
#define HASH_NONFATAL_OOM                    1
#define HASH_FUNCTION(key, length, ret_hash) ((ret_hash) = channel_hash((key), (length)))

#include <pthread.h>
#include <uthash.h>

/* SipHash with a key of this process: ids come from outside. */
unsigned channel_hash(const void *key, size_t len);

enum {
  CHANNEL_IDLE_EVENTS = 8,              /* kept while nobody listens: the store has the rest */
  CHANNEL_EVENT_BYTES_MAX = 64 << 20,   /* of events in one ring */
  CHANNEL_TOKEN_FRAMES = 1024,          /* tokens a subscriber may fall behind */
  CHANNEL_TOKEN_BYTES_MAX = 4 << 20,    /* " */
  CHANNEL_TURNS_MAX = 64,               /* attempts streaming at once; more are not shown live */
  CHANNEL_SCRATCH_KEPT_BYTES = 8 << 10, /* larger scratch memory is given back after use */
};

struct channel {
  UT_hash_handle hh;
  struct hub *hub;
  size_t users; /* subscriptions, calls inside, 1 while live; guarded by hub->lock */
  struct channel *next_to_tell; /* in the hub's list for hub_tell_gathered; guarded by hub->lock */
  bool to_tell; /* it is in that list, or in one that is told of; that has a use; " */

  pthread_mutex_t wake_lock;
  struct hub_subscription *subscriptions; /* utlist, guarded by wake_lock */

  pthread_mutex_t lock;
  bool opened; /* the event ring's positions mean something */
  bool live;
  size_t listeners;
  size_t buffer_events;
  uint64_t order; /* the next frame's place among both rings */
  struct ring events;
  struct ring tokens;
  struct live_turn *turns;
  size_t turn_count;
  bool untold;          /* frames that nobody was woken for yet */
  size_t untold_events; /* how many of them are events */
  struct notice_clock now;
  struct buffer scratch;
  char id[];
};

/* NULL when memory is short. */
struct channel *channel_create(struct hub *hub, const char *debate_id, size_t buffer_events);
void channel_free(struct channel *c);

/* Defined by the registry (hub.c). `retain` is for one who already has a use. */
void channel_retain(struct channel *c);
void channel_release(struct channel *c);

/* True when it was not live before. */
bool channel_open(struct channel *c, uint64_t next_seq);
/* True when it was live. */
bool channel_close(struct channel *c);
bool channel_is_live(struct channel *c);
/* Takes the references. True when there is something to tell: channel_tell_gathered is due. */
bool channel_publish(struct channel *c, struct frame **frames, size_t count);

/* Takes the reference: a frame among those of the tokens, for those who listen. */
void channel_tell(struct channel *c, struct frame *frame);

/* True when there is something to tell, as above. */
bool channel_token_start(struct channel *c, const struct hub_token *token);
bool channel_token_delta(struct channel *c, const struct hub_token *token, struct bytes text);
bool channel_token_end(struct channel *c, const struct hub_token *token, struct bytes usage_json);
bool channel_token_reset(struct channel *c, const struct hub_token *token, const char *reason);
/* Shows the words that were gathered and wakes those who wait, unless they were woken since. */
void channel_tell_gathered(struct channel *c);

/* With `lock` held: one listener more or less. */
void channel_listen(struct channel *c);
void channel_unlisten(struct channel *c);
/* With `lock` held: the words gathered so far become frames. */
void channel_show_words(struct channel *c);
/* With `lock` held: gives back scratch memory that a long frame took. */
void channel_trim_scratch(struct channel *c);

#endif
