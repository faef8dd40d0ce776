/* A ring of frames that grows to a limit and then forgets its oldest.
 *
 * Positions are absolute and never reused: `head` is the oldest frame held, `tail` the next to be
 * written. The event ring uses the event's seq as position, so that a cursor needs no translation.
 * Not thread-safe: the channel's lock guards it.
 */
#ifndef ARAGORA_HUB_RING_H
#define ARAGORA_HUB_RING_H

#include "io/frame.h"

struct ring_entry {
  struct frame *frame; /* one reference */
  uint64_t order;      /* place among the frames of both rings of a channel */
};

struct ring {
  struct ring_entry *entries; /* `cap` of them, a power of two; NULL until the first push */
  size_t cap;
  uint64_t head, tail;
  size_t bytes; /* of the frames held */
};

/* Empty, the next frame at position `at`. Allocates nothing. */
void ring_init(struct ring *r, uint64_t at);
/* Drops every frame and the memory; the next frame goes to `at`. */
void ring_reset(struct ring *r, uint64_t at);
/* Takes the reference of `frame`. Keeps at most `max_frames` frames and about `max_bytes` bytes,
 * the newest always. False when memory is short: the frame is dropped, the ring is empty and goes
 * on behind it, which a reader sees as having fallen behind. */
bool ring_push(struct ring *r, struct frame *frame, uint64_t order, size_t max_frames,
               size_t max_bytes);

/* Drops the frames before `position`. */
void ring_drop_before(struct ring *r, uint64_t position);

static inline size_t ring_count(const struct ring *r) {
  return (size_t)(r->tail - r->head);
}

/* head <= position < tail */
static inline const struct ring_entry *ring_at(const struct ring *r, uint64_t position) {
  return &r->entries[position & (r->cap - 1)];
}

#endif
