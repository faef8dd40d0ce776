#include "cli/feed.h"
#include "cli/interrupt.h"
#include "cli/log_frames.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { PAGE_EVENTS = 256 };

struct hub_feed {
  struct feed feed;
  struct frame_source source; /* source.source NULL until subscribed */
  struct store *store;
  char *id;
  int wake_fd;
};

static void wake(void *arg) {
  struct hub_feed *f = arg;
  uint64_t one = 1;
  ssize_t n = write(f->wake_fd, &one, sizeof one);
  (void)n; /* it only fails when it is readable anyway */
}

/* ---- what the ring no longer holds: a debate may be over before one subscribes ---- */

struct history {
  struct hub_feed *feed;
  uint64_t after;
  struct log_frames counts;
  struct frame *frames[PAGE_EVENTS];
  size_t count;
  bool more;
  enum status status;
  struct error err;
};

static bool take_event(void *ctx, const struct store_event *event) {
  struct history *h = ctx;
  struct frame *frame;
  h->more = h->count == PAGE_EVENTS;
  if (h->more) return false;
  h->status = log_frames_make(&h->counts, h->feed->id, event, &frame, &h->err);
  if (h->status) return false;
  if (event->seq > h->after)
    h->frames[h->count++] = frame;
  else
    frame_unref(frame); /* read for the counts per agent alone */
  return true;
}

static void read_history(void *ctx, struct hub_subscription *subscription, uint64_t after) {
  const struct principal who = PRINCIPAL_LOCAL;
  struct history h = {.feed = ctx, .after = after};
  log_frames_init(&h.counts);
  enum status s = store_read_events(h.feed->store, &who, h.feed->id, 0, 0, take_event, &h, &h.err);
  log_frames_done(&h.counts);
  hub_history_feed(subscription, h.frames, h.count, h.more, s || h.status);
}

/* ---- the feed ---- */

static enum feed_answer give(struct frame *frame, struct buffer *out, struct error *err) {
  bool ok = buffer_append(out, frame->json, frame->len);
  frame_unref(frame);
  if (ok) return FEED_FRAME;
  error_set(err, STATUS_NOMEM, NULL, "out of memory");
  return FEED_FAILED;
}

static enum feed_answer next(struct feed *feed, int timeout_ms, struct buffer *out,
                             struct error *err) {
  struct hub_feed *f = (struct hub_feed *)feed;
  struct frame *frame = NULL;
  uint64_t value;
  buffer_clear(out);
  for (int tries = 0;; tries++) {
    switch (f->source.ops->poll(f->source.source, &frame)) {
      case FRAME_READY: return give(frame, out, err);
      case FRAME_END: return FEED_END;
      case FRAME_WAIT: break;
    }
    if (tries > 0) return FEED_NOTHING;
    if (interrupt_wait(f->wake_fd, timeout_ms)) return FEED_INTERRUPTED;
    ssize_t n = read(f->wake_fd, &value, sizeof value);
    (void)n;
  }
}

static void close_feed(struct feed *feed) {
  struct hub_feed *f = (struct hub_feed *)feed;
  if (f->source.ops) f->source.ops->close(f->source.source);
  if (f->wake_fd >= 0) close(f->wake_fd);
  free(f->id);
  free(f);
}

enum status feed_open_hub(struct hub *hub, struct store *store, const char *debate_id,
                          struct feed **ret_feed, struct error *err) {
  struct hub_feed *f = calloc(1, sizeof *f);
  if (!f) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  f->feed = (struct feed){next, close_feed};
  f->store = store;
  f->id = strdup(debate_id);
  f->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  struct hub_subscription *subscription = NULL;
  enum status s = f->id && f->wake_fd >= 0 ? STATUS_OK : STATUS_NOMEM;
  if (!s) s = hub_subscribe(hub, debate_id, 0, true, read_history, NULL, f, &subscription);
  if (s) {
    close_feed(&f->feed);
    return error_set(err, s, NULL, "out of memory");
  }
  f->source = hub_source(subscription);
  f->source.ops->set_wake(f->source.source, wake, f);
  *ret_feed = &f->feed;
  return STATUS_OK;
}
