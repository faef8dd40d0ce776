#include "hub/hub.h"

#include "hub/channel.h"
#include "hub/subscription.h"

#include <stdlib.h>
#include <utlist.h>

struct hub {
  pthread_mutex_t lock;
  struct channel *channels; /* by id */
  size_t buffer_events;
  size_t live;
  struct channel *to_tell; /* with frames that nobody was woken for yet */
};

enum status hub_create(size_t buffer_events, struct hub **ret_hub, struct error *err) {
  struct hub *hub = calloc(1, sizeof *hub);
  if (!hub) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  pthread_mutex_init(&hub->lock, NULL);
  hub->buffer_events = buffer_events > 0 ? buffer_events : 1;
  *ret_hub = hub;
  return STATUS_OK;
}

void hub_destroy(struct hub *hub) {
  if (!hub) return;
  struct channel *c, *next;
  HASH_ITER(hh, hub->channels, c, next) {
    HASH_DEL(hub->channels, c);
    channel_free(c);
  }
  pthread_mutex_destroy(&hub->lock);
  free(hub);
}

/* A use of the debate's channel, or NULL. With `create` it is made when missing; NULL is then a
 * lack of memory. */
static struct channel *hub_acquire(struct hub *hub, const char *debate_id, bool create) {
  struct channel *c = NULL;
  pthread_mutex_lock(&hub->lock);
  HASH_FIND_STR(hub->channels, debate_id, c);
  if (!c && create) {
    c = channel_create(hub, debate_id, hub->buffer_events);
    if (c) HASH_ADD_STR(hub->channels, id, c);
    if (c && !c->hh.tbl) {
      channel_free(c);
      c = NULL;
    }
  }
  if (c) c->users++;
  pthread_mutex_unlock(&hub->lock);
  return c;
}

void channel_retain(struct channel *c) {
  pthread_mutex_lock(&c->hub->lock);
  c->users++;
  pthread_mutex_unlock(&c->hub->lock);
}

void channel_release(struct channel *c) {
  struct hub *hub = c->hub;
  pthread_mutex_lock(&hub->lock);
  bool gone = --c->users == 0;
  if (gone) HASH_DEL(hub->channels, c);
  pthread_mutex_unlock(&hub->lock);
  if (gone) channel_free(c);
}

static void hub_count_live(struct hub *hub, int change) {
  pthread_mutex_lock(&hub->lock);
  hub->live += (size_t)change;
  pthread_mutex_unlock(&hub->lock);
}

enum status hub_open_debate(struct hub *hub, const char *debate_id, uint64_t next_seq) {
  struct channel *c = hub_acquire(hub, debate_id, true);
  if (!c) return STATUS_NOMEM;
  if (channel_open(c, next_seq)) {
    hub_count_live(hub, 1); /* keeps the use while it is live */
  } else {
    channel_release(c);
  }
  return STATUS_OK;
}

void hub_close_debate(struct hub *hub, const char *debate_id) {
  struct channel *c = hub_acquire(hub, debate_id, false);
  if (!c) return;
  if (channel_close(c)) {
    hub_count_live(hub, -1);
    channel_release(c);
  }
  channel_release(c);
}

bool hub_is_live(struct hub *hub, const char *debate_id) {
  struct channel *c = hub_acquire(hub, debate_id, false);
  if (!c) return false;
  bool live = channel_is_live(c);
  channel_release(c);
  return live;
}

void hub_tell(struct hub *hub, const char *debate_id, struct frame *frame) {
  struct channel *c = hub_acquire(hub, debate_id, false);
  if (!c) {
    frame_unref(frame);
    return;
  }
  channel_tell(c, frame);
  channel_release(c);
}

bool hub_is_heard(struct hub *hub, const char *debate_id) {
  struct channel *c = hub_acquire(hub, debate_id, false);
  if (!c) return false;
  pthread_mutex_lock(&c->lock);
  bool heard = c->listeners > 0;
  pthread_mutex_unlock(&c->lock);
  channel_release(c);
  return heard;
}

/* Releases the channel, or, with something to tell, keeps the use until it is told. */
static void hub_release_untold(struct channel *c, bool untold) {
  struct hub *hub = c->hub;
  pthread_mutex_lock(&hub->lock);
  bool keep = untold && !c->to_tell;
  if (keep) {
    c->to_tell = true;
    LL_PREPEND2(hub->to_tell, c, next_to_tell);
  }
  pthread_mutex_unlock(&hub->lock);
  if (!keep) channel_release(c);
}

bool hub_publish(struct hub *hub, const char *debate_id, struct frame **frames, size_t count) {
  struct channel *c = hub_acquire(hub, debate_id, false);
  if (!c) {
    for (size_t i = 0; i < count; i++) frame_unref(frames[i]);
    return false;
  }
  bool untold = channel_publish(c, frames, count);
  hub_release_untold(c, untold);
  return untold;
}

static struct channel *hub_take_to_tell(struct hub *hub) {
  pthread_mutex_lock(&hub->lock);
  struct channel *first = hub->to_tell;
  hub->to_tell = NULL;
  pthread_mutex_unlock(&hub->lock);
  return first;
}

/* Off the list that was taken, before it is told: what comes from now on puts it on the next one.
 * The one after it is returned. */
static struct channel *hub_pass_to_tell(struct hub *hub, struct channel *c) {
  pthread_mutex_lock(&hub->lock);
  struct channel *next = c->next_to_tell;
  c->to_tell = false;
  pthread_mutex_unlock(&hub->lock);
  return next;
}

void hub_token_start(struct hub *hub, const char *debate_id, const struct hub_token *token) {
  struct channel *c = hub_acquire(hub, debate_id, false);
  if (c) hub_release_untold(c, channel_token_start(c, token));
}

void hub_token_delta(struct hub *hub, const char *debate_id, const struct hub_token *token,
                     struct bytes text) {
  struct channel *c = hub_acquire(hub, debate_id, false);
  if (c) hub_release_untold(c, channel_token_delta(c, token, text));
}

void hub_token_end(struct hub *hub, const char *debate_id, const struct hub_token *token,
                   struct bytes usage_json) {
  struct channel *c = hub_acquire(hub, debate_id, false);
  if (c) hub_release_untold(c, channel_token_end(c, token, usage_json));
}

void hub_token_reset(struct hub *hub, const char *debate_id, const struct hub_token *token,
                     const char *reason) {
  struct channel *c = hub_acquire(hub, debate_id, false);
  if (c) hub_release_untold(c, channel_token_reset(c, token, reason));
}

bool hub_tell_gathered(struct hub *hub) {
  struct channel *c = hub_take_to_tell(hub);
  bool any = c;
  while (c) {
    struct channel *next = hub_pass_to_tell(hub, c);
    channel_tell_gathered(c);
    channel_release(c);
    c = next;
  }
  return any;
}

enum status hub_subscribe(struct hub *hub, const char *debate_id, uint64_t since,
                          bool end_with_debate, hub_history_fn *history, void (*release)(void *ctx),
                          void *ctx, struct hub_subscription **ret_subscription) {
  struct hub_subscription *s = calloc(1, sizeof *s);
  if (!s) return STATUS_NOMEM;
  struct channel *c = hub_acquire(hub, debate_id, true);
  if (!c) {
    free(s);
    return STATUS_NOMEM;
  }
  s->channel = c;
  s->history = history;
  s->release = release;
  s->ctx = ctx;
  s->end_with_debate = end_with_debate;
  s->delivered = since;
  pthread_mutex_lock(&c->wake_lock);
  pthread_mutex_lock(&c->lock);
  DL_APPEND(c->subscriptions, s);
  channel_listen(c);
  pthread_mutex_unlock(&c->lock);
  pthread_mutex_unlock(&c->wake_lock);
  *ret_subscription = s;
  return STATUS_OK;
}

struct hub_stats hub_stats(struct hub *hub) {
  pthread_mutex_lock(&hub->lock);
  struct hub_stats stats = {hub->live, 0, 0};
  for (struct channel *c = hub->channels; c; c = c->hh.next) {
    pthread_mutex_lock(&c->lock);
    stats.subscribers += c->listeners;
    stats.bytes += c->events.bytes + c->tokens.bytes +
                   (c->events.cap + c->tokens.cap) * sizeof(struct ring_entry);
    pthread_mutex_unlock(&c->lock);
  }
  pthread_mutex_unlock(&hub->lock);
  return stats;
}
