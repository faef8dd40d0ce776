/* Bytes for the wire with their times: an answer once its HTTP framing is decided. Owned by the
 * connection that plays it. Loop thread.
 */
#ifndef ARAGORA_FAKE_PLAN_H
#define ARAGORA_FAKE_PLAN_H

#include "fake/outbound.h"

struct plan_step {
  size_t end;      /* bytes before this one may be sent ... */
  uint64_t due_ms; /* ... from then on, counted from the start */
};

struct plan {
  struct buffer bytes;
  struct buffer steps; /* struct plan_step, ascending in both */
  enum outbound_end end;
  size_t repeat_from; /* OUTBOUND_REPEAT: from here to the end, again and again */
  uint64_t repeat_ms;
  size_t write_max; /* 0 = any */
  uint64_t write_ms;
};

void plan_init(struct plan *plan);
void plan_done(struct plan *plan);
/* False when memory is short. `old`: the client speaks HTTP/1.0. */
bool plan_make(struct plan *plan, struct outbound *o, bool old);
/* What is left of an answer of which `sent` bytes of head, body and tail have gone out. */
bool plan_rest(struct plan *plan, const struct bytes *pieces, int count, size_t sent,
               enum outbound_end end);

size_t plan_step_count(const struct plan *plan);
const struct plan_step *plan_step_at(const struct plan *plan, size_t index);

#endif
