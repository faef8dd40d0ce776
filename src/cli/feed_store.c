#include "cli/feed.h"
#include "cli/interrupt.h"
#include "cli/log_frames.h"

#include <stdlib.h>

enum { PAGE_EVENTS = 64, LOOK_AGAIN_MS = 250 };

struct store_feed {
  struct feed feed;
  struct store *store;
  char *id;
  bool follow, ended;
  uint64_t last_seq;
  struct log_frames frames;
  struct frame *queue[PAGE_EVENTS];
  size_t count, at;
  enum status status; /* of the page that is being read */
  struct error *err;  /* of whoever reads it */
};

static bool take_event(void *ctx, const struct store_event *event) {
  struct store_feed *f = ctx;
  f->status = log_frames_make(&f->frames, f->id, event, &f->queue[f->count], f->err);
  if (f->status) return false;
  f->count++;
  f->last_seq = event->seq;
  return true;
}

static enum status read_page(struct store_feed *f, struct error *err) {
  const struct principal who = PRINCIPAL_LOCAL;
  f->count = f->at = 0;
  f->status = STATUS_OK;
  f->err = err;
  enum status s =
      store_read_events(f->store, &who, f->id, f->last_seq, PAGE_EVENTS, take_event, f, err);
  return s ? s : f->status;
}

static enum feed_answer next(struct feed *feed, int timeout_ms, struct buffer *frame,
                             struct error *err) {
  struct store_feed *f = (struct store_feed *)feed;
  buffer_clear(frame);
  if (f->at == f->count && !f->ended && read_page(f, err)) return FEED_FAILED;
  if (f->at < f->count) {
    struct frame *next_frame = f->queue[f->at++];
    bool ok = buffer_append(frame, next_frame->json, next_frame->len);
    f->ended = next_frame->last;
    frame_unref(next_frame);
    if (ok) return FEED_FRAME;
    error_set(err, STATUS_NOMEM, NULL, "out of memory");
    return FEED_FAILED;
  }
  if (f->ended || !f->follow) return FEED_END;
  if (timeout_ms < 0 || timeout_ms > LOOK_AGAIN_MS) timeout_ms = LOOK_AGAIN_MS;
  return interrupt_wait(-1, timeout_ms) ? FEED_INTERRUPTED : FEED_NOTHING;
}

static void close_feed(struct feed *feed) {
  struct store_feed *f = (struct store_feed *)feed;
  while (f->at < f->count) frame_unref(f->queue[f->at++]);
  log_frames_done(&f->frames);
  free(f->id);
  free(f);
}

enum status feed_open_store(struct store *store, const char *debate_id, bool follow,
                            struct feed **ret_feed, struct error *err) {
  struct store_feed *f = calloc(1, sizeof *f);
  if (!f) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  f->feed = (struct feed){next, close_feed};
  f->store = store;
  f->follow = follow;
  log_frames_init(&f->frames);
  f->id = strdup(debate_id);
  if (!f->id) {
    close_feed(&f->feed);
    return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  }
  *ret_feed = &f->feed;
  return STATUS_OK;
}
