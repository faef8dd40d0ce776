/* One subscriber of a channel: a cursor, and the way from the store's events to the live ones. */
#ifndef ARAGORA_HUB_SUBSCRIPTION_H
#define ARAGORA_HUB_SUBSCRIPTION_H

#include "hub/channel.h"

enum subscription_state {
  SUBSCRIPTION_CATCHING_UP, /* the event after `delivered` may be older than the ring's oldest */
  SUBSCRIPTION_ASKED,       /* the owner reads the store; it holds the subscription until it fed */
  SUBSCRIPTION_LIVE,        /* reads the rings */
  SUBSCRIPTION_OVERFLOWED,  /* fell behind and was told so: nothing follows */
  SUBSCRIPTION_ENDED,       /* poll answers FRAME_END */
};

struct hub_subscription {
  struct hub_subscription *next, *prev; /* guarded by channel->wake_lock */
  void (*wake)(void *arg);              /* " */
  void *wake_arg;                       /* " */
  atomic_bool armed;                    /* poll answered FRAME_WAIT since the last wake */

  struct channel *channel; /* a use */
  hub_history_fn *history;
  void (*release)(void *ctx);
  void *ctx;
  bool end_with_debate;

  /* guarded by channel->lock */
  enum subscription_state state;
  bool closed;         /* by the sink, while ASKED: the answer frees it */
  bool in_history;     /* the owner's history function runs now, on poll's thread */
  bool exhausted;      /* the store had nothing after `delivered`, when asked at ... */
  uint64_t asked_tail; /* ... this tail of the event ring: what came later is in the store too */
  bool tokens_synced;  /* `token_at` is where it is; else a snapshot is due */
  uint64_t delivered;  /* last seq handed out */
  uint64_t token_at;
  struct frame **pending; /* history or snapshots, ahead of the rings; references */
  size_t pending_at, pending_count;
};

/* With both locks held: the rings' positions mean something now. */
void subscription_channel_opened(struct hub_subscription *s);

#endif
