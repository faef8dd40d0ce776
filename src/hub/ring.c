#include "hub/ring.h"

#include <stdlib.h>

enum { RING_FIRST_CAP = 16 };

void ring_init(struct ring *r, uint64_t at) {
  *r = (struct ring){.head = at, .tail = at};
}

static void ring_pop(struct ring *r) {
  struct frame *f = r->entries[r->head & (r->cap - 1)].frame;
  r->bytes -= f->len;
  r->head++;
  frame_unref(f);
}

void ring_reset(struct ring *r, uint64_t at) {
  while (r->head < r->tail) ring_pop(r);
  free(r->entries);
  ring_init(r, at);
}

void ring_drop_before(struct ring *r, uint64_t position) {
  while (r->head < r->tail && r->head < position) ring_pop(r);
}

static bool ring_grow(struct ring *r) {
  size_t cap = r->cap ? r->cap * 2 : RING_FIRST_CAP;
  struct ring_entry *entries = calloc(cap, sizeof *entries);
  if (!entries) return false;
  for (uint64_t i = r->head; i < r->tail; i++) entries[i & (cap - 1)] = *ring_at(r, i);
  free(r->entries);
  r->entries = entries;
  r->cap = cap;
  return true;
}

bool ring_push(struct ring *r, struct frame *frame, uint64_t order, size_t max_frames,
               size_t max_bytes) {
  while (r->head < r->tail && (ring_count(r) >= max_frames || r->bytes + frame->len > max_bytes)) {
    ring_pop(r);
  }
  if (ring_count(r) == r->cap && !ring_grow(r)) {
    frame_unref(frame);
    ring_reset(r, r->tail + 1);
    return false;
  }
  r->entries[r->tail & (r->cap - 1)] = (struct ring_entry){frame, order};
  r->tail++;
  r->bytes += frame->len;
  return true;
}
