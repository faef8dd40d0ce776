#include "hub/channel.h"

#include "hub/subscription.h"

#include <sodium.h>
#include <stdlib.h>
#include <utlist.h>

static unsigned char hash_key[crypto_shorthash_KEYBYTES];
static pthread_once_t hash_key_once = PTHREAD_ONCE_INIT;

static void make_hash_key(void) {
  crypto_shorthash_keygen(hash_key);
}

unsigned channel_hash(const void *key, size_t len) {
  pthread_once(&hash_key_once, make_hash_key);
  unsigned char out[crypto_shorthash_BYTES];
  crypto_shorthash(out, key, len, hash_key);
  unsigned hash;
  memcpy(&hash, out, sizeof hash);
  return hash;
}

struct channel *channel_create(struct hub *hub, const char *debate_id, size_t buffer_events) {
  size_t len = strlen(debate_id);
  struct channel *c = calloc(1, sizeof *c + len + 1);
  if (!c) return NULL;
  memcpy(c->id, debate_id, len + 1);
  c->hub = hub;
  c->buffer_events = buffer_events;
  pthread_mutex_init(&c->wake_lock, NULL);
  pthread_mutex_init(&c->lock, NULL);
  ring_init(&c->events, 1);
  ring_init(&c->tokens, 0);
  buffer_init(&c->scratch, LIVE_TURN_FRAME_MAX);
  return c;
}

static void channel_drop_turns(struct channel *c) {
  while (c->turns) {
    struct live_turn *t = c->turns;
    c->turns = t->next;
    live_turn_free(t);
  }
  c->turn_count = 0;
}

void channel_free(struct channel *c) {
  if (!c) return;
  channel_drop_turns(c);
  ring_reset(&c->events, 1);
  ring_reset(&c->tokens, 0);
  buffer_done(&c->scratch);
  pthread_mutex_destroy(&c->lock);
  pthread_mutex_destroy(&c->wake_lock);
  free(c);
}

/* With `wake_lock` held: lets go of what every subscriber has had. The newest events stay for those
 * who join; all others can be read from the store. Thousands of debates that are watched would
 * otherwise each keep their whole log in memory. */
static void channel_trim(struct channel *c) {
  pthread_mutex_lock(&c->lock);
  uint64_t event = c->events.tail > CHANNEL_IDLE_EVENTS ? c->events.tail - CHANNEL_IDLE_EVENTS : 0;
  uint64_t token = c->tokens.tail;
  struct hub_subscription *s;
  DL_FOREACH(c->subscriptions, s) {
    if (s->state >= SUBSCRIPTION_OVERFLOWED) continue;
    /* Who has to read the store for older events anyway finds these there as well. */
    if (s->delivered + 1 < c->events.head) continue;
    if (s->delivered + 1 < event) event = s->delivered + 1;
    if (s->tokens_synced && s->token_at < token) token = s->token_at;
  }
  ring_drop_before(&c->events, event);
  ring_drop_before(&c->tokens, token);
  pthread_mutex_unlock(&c->lock);
}

/* `lock` must not be held: a wake function may poll. */
static void channel_wake(struct channel *c) {
  pthread_mutex_lock(&c->wake_lock);
  channel_trim(c);
  struct hub_subscription *s;
  DL_FOREACH(c->subscriptions, s) {
    if (atomic_exchange(&s->armed, false) && s->wake) s->wake(s->wake_arg);
  }
  pthread_mutex_unlock(&c->wake_lock);
}

bool channel_open(struct channel *c, uint64_t next_seq) {
  pthread_mutex_lock(&c->wake_lock);
  pthread_mutex_lock(&c->lock);
  bool was_live = c->live;
  c->live = true;
  if (!c->opened || c->events.tail != next_seq) ring_reset(&c->events, next_seq);
  c->opened = true;
  channel_drop_turns(c);
  struct hub_subscription *s;
  DL_FOREACH(c->subscriptions, s) subscription_channel_opened(s);
  pthread_mutex_unlock(&c->lock);
  pthread_mutex_unlock(&c->wake_lock);
  channel_wake(c);
  return !was_live;
}

bool channel_close(struct channel *c) {
  pthread_mutex_lock(&c->lock);
  bool was_live = c->live;
  c->live = false;
  channel_drop_turns(c);
  pthread_mutex_unlock(&c->lock);
  channel_wake(c);
  return was_live;
}

bool channel_is_live(struct channel *c) {
  pthread_mutex_lock(&c->lock);
  bool live = c->live;
  pthread_mutex_unlock(&c->lock);
  return live;
}

/* With `lock` held; takes the reference. */
static void channel_push_event(struct channel *c, struct frame *frame) {
  if (!c->live || frame->seq < c->events.tail) {
    frame_unref(frame);
    return;
  }
  /* A hole in the sequence: those who have not read up to it find the ring's oldest beyond them. */
  if (frame->seq > c->events.tail) ring_reset(&c->events, frame->seq);
  size_t keep = c->listeners > 0 ? c->buffer_events : CHANNEL_IDLE_EVENTS;
  if (keep > c->buffer_events) keep = c->buffer_events;
  ring_push(&c->events, frame, c->order++, keep, CHANNEL_EVENT_BYTES_MAX);
}

static void channel_push_token(struct channel *c, struct frame *frame) {
  channel_trim_scratch(c);
  if (!frame) return;
  ring_push(&c->tokens, frame, c->order++, CHANNEL_TOKEN_FRAMES, CHANNEL_TOKEN_BYTES_MAX);
}

void channel_show_words(struct channel *c) {
  for (struct live_turn *t = c->turns; t; t = t->next)
    channel_push_token(c, live_turn_delta(t, &c->now, &c->scratch));
}

/* With `lock` held: nothing is left to tell of. */
static void channel_told(struct channel *c) {
  c->untold = false;
  c->untold_events = 0;
}

/* Waking a subscriber costs more than an event, so that it is woken once for those of some
 * milliseconds; but immediately for the end of a debate, and before the ring lets go what it has
 * not read. */
bool channel_publish(struct channel *c, struct frame **frames, size_t count) {
  pthread_mutex_lock(&c->lock);
  channel_show_words(c);
  bool now = false;
  for (size_t i = 0; i < count; i++) {
    now = now || frames[i]->alone;
    channel_push_event(c, frames[i]);
  }
  c->untold_events += count;
  now = now || c->untold_events >= c->buffer_events / 4;
  bool listened = c->listeners > 0;
  c->untold = listened && !now;
  if (!c->untold) channel_told(c);
  bool untold = c->untold;
  pthread_mutex_unlock(&c->lock);
  if (listened && now) channel_wake(c);
  return untold;
}

void channel_tell(struct channel *c, struct frame *frame) {
  pthread_mutex_lock(&c->lock);
  channel_show_words(c);
  bool listened = c->listeners > 0;
  if (listened)
    channel_push_token(c, frame);
  else
    frame_unref(frame);
  pthread_mutex_unlock(&c->lock);
  if (listened) channel_wake(c);
}

void channel_tell_gathered(struct channel *c) {
  pthread_mutex_lock(&c->lock);
  channel_show_words(c);
  bool tell = c->untold && c->listeners > 0;
  channel_told(c);
  pthread_mutex_unlock(&c->lock);
  if (tell) channel_wake(c);
}

static struct live_turn *channel_find_turn(struct channel *c, const struct hub_token *token) {
  for (struct live_turn *t = c->turns; t; t = t->next) {
    if (live_turn_is(t, token)) return t;
  }
  return NULL;
}

/* The turn of `token`, begun now when it is not known yet; NULL when it cannot be shown live. */
static struct live_turn *channel_begin_turn(struct channel *c, const struct hub_token *token) {
  struct live_turn *t = channel_find_turn(c, token);
  if (t) return t;
  if (!c->live || c->turn_count >= CHANNEL_TURNS_MAX) return NULL;
  t = live_turn_create(c->id, token);
  if (!t) return NULL;
  LL_APPEND(c->turns, t);
  c->turn_count++;
  if (c->listeners > 0) channel_push_token(c, live_turn_start(t, &c->now, &c->scratch));
  return t;
}

static void channel_finish_turn(struct channel *c, struct live_turn *t, struct frame *farewell) {
  channel_push_token(c, farewell);
  LL_DELETE(c->turns, t);
  c->turn_count--;
  live_turn_free(t);
}

/* Releases `lock`. Tokens may come by the hundred a second: those who wait are not woken for each,
 * but by channel_tell_gathered. */
static bool channel_unlock_untold(struct channel *c) {
  bool untold = c->untold = c->listeners > 0;
  pthread_mutex_unlock(&c->lock);
  return untold;
}

bool channel_token_start(struct channel *c, const struct hub_token *token) {
  pthread_mutex_lock(&c->lock);
  channel_begin_turn(c, token);
  return channel_unlock_untold(c);
}

bool channel_token_delta(struct channel *c, const struct hub_token *token, struct bytes text) {
  pthread_mutex_lock(&c->lock);
  struct live_turn *t = channel_begin_turn(c, token);
  if (t && text.len > 0) live_turn_append(t, text, c->listeners > 0);
  if (t && t->fresh.len > LIVE_TURN_FRESH_MAX)
    channel_push_token(c, live_turn_delta(t, &c->now, &c->scratch));
  return channel_unlock_untold(c);
}

bool channel_token_end(struct channel *c, const struct hub_token *token, struct bytes usage_json) {
  pthread_mutex_lock(&c->lock);
  struct live_turn *t = channel_find_turn(c, token);
  if (t) {
    bool listened = c->listeners > 0;
    channel_push_token(c, live_turn_delta(t, &c->now, &c->scratch));
    channel_finish_turn(c, t, listened ? live_turn_end(t, &c->now, &c->scratch, usage_json) : NULL);
  }
  return channel_unlock_untold(c);
}

bool channel_token_reset(struct channel *c, const struct hub_token *token, const char *reason) {
  pthread_mutex_lock(&c->lock);
  struct live_turn *t = channel_find_turn(c, token);
  if (t) {
    bool listened = c->listeners > 0;
    channel_finish_turn(c, t, listened ? live_turn_reset(t, &c->now, &c->scratch, reason) : NULL);
  }
  return channel_unlock_untold(c);
}

void channel_listen(struct channel *c) {
  c->listeners++;
}

void channel_unlisten(struct channel *c) {
  c->listeners--;
  if (c->listeners > 0) return;
  ring_reset(&c->tokens, c->tokens.tail);
  for (struct live_turn *t = c->turns; t; t = t->next) buffer_clear(&t->fresh);
}

void channel_trim_scratch(struct channel *c) {
  if (c->scratch.cap > CHANNEL_SCRATCH_KEPT_BYTES) buffer_done(&c->scratch);
  buffer_clear(&c->scratch);
}
