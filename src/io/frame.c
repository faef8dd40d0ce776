#include "io/frame.h"

#include <stdlib.h>

struct frame *frame_create(struct bytes json, uint64_t seq, bool alone, bool last) {
  struct frame *f = malloc(sizeof *f + json.len + 1);
  if (!f) return NULL;
  atomic_init(&f->refs, 1);
  f->seq = seq;
  f->alone = alone;
  f->last = last;
  f->len = json.len;
  if (json.len) memcpy(f->json, json.ptr, json.len);
  f->json[json.len] = '\0';
  return f;
}

struct frame *frame_ref(struct frame *f) {
  atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
  return f;
}

void frame_unref(struct frame *f) {
  if (!f) return;
  /* Release what this holder did to the frame, acquire what the others did, before freeing. */
  if (atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) == 1) free(f);
}
