#include "hub/subscription.h"

#include "base/metrics.h"
#include "hub/notice.h"

#include <stdlib.h>
#include <utlist.h>

void subscription_channel_opened(struct hub_subscription *s) {
  s->exhausted = false;
}

static void subscription_drop_pending(struct hub_subscription *s) {
  while (s->pending_at < s->pending_count) frame_unref(s->pending[s->pending_at++]);
  free(s->pending);
  s->pending = NULL;
  s->pending_at = s->pending_count = 0;
}

static void subscription_free(struct hub_subscription *s) {
  subscription_drop_pending(s);
  if (s->release) s->release(s->ctx);
  channel_release(s->channel);
  free(s);
}

/* Books a frame that goes out now. */
static struct frame *subscription_deliver(struct hub_subscription *s, struct frame *f) {
  if (f->seq > 0) {
    s->delivered = f->seq;
    s->exhausted = false;
  }
  if (f->last && s->end_with_debate) s->state = SUBSCRIPTION_ENDED;
  return f;
}

static struct frame *subscription_next_pending(struct hub_subscription *s) {
  if (s->pending_at == s->pending_count) return NULL;
  struct frame *f = s->pending[s->pending_at++];
  if (s->pending_at == s->pending_count) subscription_drop_pending(s);
  return subscription_deliver(s, f);
}

/* A snapshot of every turn that streams now; from here on its tokens follow without a gap. */
static void subscription_sync_tokens(struct hub_subscription *s) {
  struct channel *c = s->channel;
  s->tokens_synced = true;
  channel_show_words(c); /* the snapshots have them */
  s->token_at = c->tokens.tail;
  if (c->turn_count == 0) return;
  s->pending = calloc(c->turn_count, sizeof *s->pending);
  if (!s->pending) return;
  for (struct live_turn *t = c->turns; t; t = t->next) {
    struct frame *f = live_turn_snapshot(t, &c->now, &c->scratch);
    channel_trim_scratch(c);
    if (f) s->pending[s->pending_count++] = f;
  }
  if (s->pending_count == 0) subscription_drop_pending(s);
}

static struct frame *subscription_overflow(struct hub_subscription *s) {
  struct channel *c = s->channel;
  s->state = SUBSCRIPTION_OVERFLOWED;
  metric_add(METRIC_STREAM_OVERFLOWS, NULL, 1);
  return notice_queue_overflow(c->id, c->events.tail - 1 - s->delivered, s->delivered);
}

/* The next frame of the rings in the order they were published, or NULL. */
static struct frame *subscription_next_live(struct hub_subscription *s) {
  struct channel *c = s->channel;
  uint64_t at = s->delivered + 1;
  if (at < c->events.head) return subscription_overflow(s);
  const struct ring_entry *event = at < c->events.tail ? ring_at(&c->events, at) : NULL;
  /* Tokens fell out of their ring: they are not missed one by one but shown anew, once the
   * subscriber has caught up with the events. */
  if (s->tokens_synced && s->token_at < c->tokens.head) s->tokens_synced = false;
  if (!s->tokens_synced) {
    if (event) return subscription_deliver(s, frame_ref(event->frame));
    subscription_sync_tokens(s);
    return subscription_next_pending(s);
  }
  const struct ring_entry *token =
      s->token_at < c->tokens.tail ? ring_at(&c->tokens, s->token_at) : NULL;
  if (event && (!token || event->order < token->order)) {
    return subscription_deliver(s, frame_ref(event->frame));
  }
  if (!token) return NULL;
  s->token_at++;
  return frame_ref(token->frame);
}

/* The store should have had the events up to the ring's oldest, and did not. */
static struct frame *subscription_fail(struct hub_subscription *s) {
  s->state = SUBSCRIPTION_ENDED;
  return notice_history_failed(s->channel->id, s->delivered);
}

static enum frame_poll subscription_wait(struct hub_subscription *s, bool arm) {
  atomic_store(&s->armed, arm);
  return FRAME_WAIT;
}

/* Asks the owner for history without holding the lock; it may answer before it returns. */
static void subscription_ask(struct hub_subscription *s) {
  uint64_t after = s->delivered;
  s->asked_tail = s->channel->events.tail;
  s->state = SUBSCRIPTION_ASKED;
  s->in_history = true;
  pthread_mutex_unlock(&s->channel->lock);
  s->history(s->ctx, s, after);
  pthread_mutex_lock(&s->channel->lock);
  s->in_history = false;
}

/* One step with the lock held. False when the state changed and another step is due. */
static bool subscription_step(struct hub_subscription *s, struct frame **ret_frame,
                              enum frame_poll *ret_answer) {
  struct channel *c = s->channel;
  struct frame *f = subscription_next_pending(s);
  *ret_answer = FRAME_READY;
  if (f) {
    *ret_frame = f;
    return true;
  }
  switch (s->state) {
    case SUBSCRIPTION_CATCHING_UP:
      if (c->opened && s->delivered + 1 >= c->events.head) {
        s->state = SUBSCRIPTION_LIVE;
        return false;
      }
      if (!s->exhausted || (c->opened && c->events.tail != s->asked_tail)) {
        subscription_ask(s);
        return false;
      }
      if (!c->opened) {
        *ret_answer = subscription_wait(s, true);
        return true;
      }
      *ret_frame = subscription_fail(s);
      return *ret_frame != NULL;
    case SUBSCRIPTION_ASKED: *ret_answer = subscription_wait(s, false); return true;
    case SUBSCRIPTION_LIVE:
      *ret_frame = subscription_next_live(s);
      if (*ret_frame) return true;
      if (s->state != SUBSCRIPTION_LIVE) return false;
      if (!c->live && s->end_with_debate) {
        s->state = SUBSCRIPTION_ENDED;
        return false;
      }
      *ret_answer = subscription_wait(s, true);
      return true;
    case SUBSCRIPTION_OVERFLOWED:
      *ret_answer = s->end_with_debate ? FRAME_END : subscription_wait(s, false);
      return true;
    case SUBSCRIPTION_ENDED: break;
  }
  *ret_answer = FRAME_END;
  return true;
}

static enum frame_poll subscription_poll(void *source, struct frame **ret_frame) {
  struct hub_subscription *s = source;
  enum frame_poll answer = FRAME_WAIT;
  pthread_mutex_lock(&s->channel->lock);
  while (!subscription_step(s, ret_frame, &answer)) continue;
  pthread_mutex_unlock(&s->channel->lock);
  return answer;
}

static void subscription_set_wake(void *source, void (*wake)(void *arg), void *arg) {
  struct hub_subscription *s = source;
  pthread_mutex_lock(&s->channel->wake_lock);
  s->wake = wake;
  s->wake_arg = arg;
  pthread_mutex_unlock(&s->channel->wake_lock);
}

static void subscription_close(void *source) {
  struct hub_subscription *s = source;
  struct channel *c = s->channel;
  pthread_mutex_lock(&c->wake_lock);
  DL_DELETE(c->subscriptions, s);
  s->wake = NULL;
  pthread_mutex_lock(&c->lock);
  channel_unlisten(c);
  s->closed = true;
  bool outstanding = s->state == SUBSCRIPTION_ASKED;
  pthread_mutex_unlock(&c->lock);
  pthread_mutex_unlock(&c->wake_lock);
  if (!outstanding) subscription_free(s);
}

static const struct frame_source_ops subscription_ops = {
    subscription_poll,
    subscription_set_wake,
    subscription_close,
};

struct frame_source hub_source(struct hub_subscription *subscription) {
  return (struct frame_source){&subscription_ops, subscription};
}

uint64_t hub_delivered_seq(const struct hub_subscription *subscription) {
  return subscription->delivered;
}

/* With the lock held: takes what the store had. */
static void subscription_take(struct hub_subscription *s, struct frame **frames, size_t count,
                              bool more, bool failed) {
  s->state = SUBSCRIPTION_CATCHING_UP;
  s->pending = count > 0 ? calloc(count, sizeof *s->pending) : NULL;
  failed = failed || (count > 0 && !s->pending);
  for (size_t i = 0; i < count; i++) {
    if (failed || frames[i]->seq <= s->delivered) {
      frame_unref(frames[i]);
    } else {
      s->pending[s->pending_count++] = frames[i];
    }
  }
  s->exhausted = s->pending_count == 0 || (!more && !s->channel->opened);
  if (s->pending_count == 0) subscription_drop_pending(s);
  if (!failed) return;
  s->state = SUBSCRIPTION_ENDED;
  struct frame *warning = notice_history_failed(s->channel->id, s->delivered);
  s->pending = warning ? malloc(sizeof *s->pending) : NULL;
  if (s->pending) {
    s->pending[0] = warning;
    s->pending_count = 1;
  } else {
    frame_unref(warning);
  }
}

void hub_history_feed(struct hub_subscription *subscription, struct frame **frames, size_t count,
                      bool more, bool failed) {
  struct hub_subscription *s = subscription;
  struct channel *c = s->channel;
  pthread_mutex_lock(&c->lock);
  if (s->in_history) {
    /* Poll's thread is inside the owner's function and looks again when that returns; it may hold
     * wake_lock already. */
    subscription_take(s, frames, count, more, failed);
    pthread_mutex_unlock(&c->lock);
    return;
  }
  pthread_mutex_unlock(&c->lock);

  channel_retain(c);
  pthread_mutex_lock(&c->wake_lock);
  pthread_mutex_lock(&c->lock);
  bool closed = s->closed;
  if (closed) {
    for (size_t i = 0; i < count; i++) frame_unref(frames[i]);
  } else {
    subscription_take(s, frames, count, more, failed);
  }
  pthread_mutex_unlock(&c->lock);
  if (!closed && s->wake) s->wake(s->wake_arg);
  pthread_mutex_unlock(&c->wake_lock);
  if (closed) subscription_free(s);
  channel_release(c);
}
