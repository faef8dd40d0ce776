/* A frame: one JSON object of a live stream, serialised once and shared by all who receive it.
 * And the two sides that meet over frames: a source (a hub subscription) and a sink (an event
 * stream or a WebSocket), which do not know each other.
 */
#ifndef ARAGORA_IO_FRAME_H
#define ARAGORA_IO_FRAME_H

#include "base/bytes.h"

#include <stdatomic.h>

struct frame {
  atomic_int refs;
  uint64_t seq; /* the event's, or 0 for a live-only frame (no SSE id) */
  bool alone;   /* `error` and `debate_end`: a write of its own, FRAME_ALONE_DELAY_MS after the one
                   before; existing clients drop what is queued when they see either */
  bool last;    /* `debate_end`: nothing follows in this debate */
  size_t len;
  char json[]; /* len bytes, no newline inside, NUL after it */
};

enum { FRAME_ALONE_DELAY_MS = 20 };

/* A frame with one reference, or NULL when memory is short. Any thread. */
struct frame *frame_create(struct bytes json, uint64_t seq, bool alone, bool last);
struct frame *frame_ref(struct frame *f);
void frame_unref(struct frame *f); /* NULL is fine */

enum frame_poll {
  FRAME_READY, /* *ret_frame is the next frame, the caller's reference */
  FRAME_WAIT,  /* nothing now; the wake function will be called once there may be */
  FRAME_END,   /* nothing will follow: the stream ends (after a queue_overflow on SSE) */
};

struct frame_source_ops {
  enum frame_poll (*poll)(void *source, struct frame **ret_frame);
  /* `wake(arg)` is called from any thread, with no lock held that poll takes, and may be called
   * spuriously. Set once, before the first poll; cleared (NULL) by close. */
  void (*set_wake)(void *source, void (*wake)(void *arg), void *arg);
  /* No wake is running or will start when it returns. Frees the source. */
  void (*close)(void *source);
};

struct frame_source {
  const struct frame_source_ops *ops;
  void *source;
};

#endif
