#include "fake/plan.h"

#include <stdlib.h>

enum { PLAN_MAX = 2 * OUTBOUND_BODY_MAX };

void plan_init(struct plan *plan) {
  *plan = (struct plan){0};
  buffer_init(&plan->bytes, PLAN_MAX);
  buffer_init(&plan->steps, PLAN_MAX);
}

void plan_done(struct plan *plan) {
  buffer_done(&plan->bytes);
  buffer_done(&plan->steps);
}

size_t plan_step_count(const struct plan *plan) {
  return plan->steps.len / sizeof(struct plan_step);
}

const struct plan_step *plan_step_at(const struct plan *plan, size_t index) {
  return (const struct plan_step *)(const void *)plan->steps.ptr + index;
}

static void end_step(struct plan *plan, uint64_t due_ms) {
  struct plan_step step = {plan->bytes.len, due_ms};
  buffer_append(&plan->steps, &step, sizeof step);
}

static void append_chunk(struct plan *plan, struct bytes data, bool framed) {
  if (!data.len) return; /* an empty chunk would end the body */
  if (framed) buffer_printf(&plan->bytes, "%zx\r\n", data.len);
  buffer_append_bytes(&plan->bytes, data);
  if (framed) buffer_append_text(&plan->bytes, "\r\n");
}

/* A chunk and a step for every record, `record_rate` of them a second; the head goes with the
 * first. */
static void append_paced(struct plan *plan, const struct outbound *o, bool framed) {
  int64_t count = 0;
  for (size_t at = 0; at < o->body.len; count++) {
    size_t end = outbound_record_end(o, at);
    append_chunk(plan, (struct bytes){o->body.ptr + at, end - at}, framed);
    at = end;
    end_step(plan, o->latency_ms + (uint64_t)(count * 1000 / o->record_rate));
  }
}

static uint64_t last_due(const struct plan *plan, const struct outbound *o) {
  size_t count = plan_step_count(plan);
  return count ? plan_step_at(plan, count - 1)->due_ms : o->latency_ms;
}

bool plan_make(struct plan *plan, struct outbound *o, bool old) {
  bool framed = o->chunked && !old;
  buffer_clear(&plan->bytes);
  buffer_clear(&plan->steps);
  plan->end = old && o->chunked && o->end == OUTBOUND_KEEP ? OUTBOUND_CLOSE : o->end;
  plan->repeat_ms = o->again_ms;
  plan->write_max = o->write_max;
  plan->write_ms = o->write_ms;
  if (!o->silent) {
    outbound_head(o, old, false);
    buffer_append_bytes(&plan->bytes, buffer_bytes(&o->head));
    if (o->record_rate > 0 && o->chunked)
      append_paced(plan, o, framed);
    else
      append_chunk(plan, buffer_bytes(&o->body), framed);
    if (framed && !o->unfinished && o->end != OUTBOUND_REPEAT)
      buffer_append_text(&plan->bytes, "0\r\n\r\n");
  }
  end_step(plan, last_due(plan, o));
  plan->repeat_from = plan->bytes.len;
  if (o->end == OUTBOUND_REPEAT) {
    append_chunk(plan, buffer_bytes(&o->again), framed);
    end_step(plan, last_due(plan, o));
  }
  return !plan->bytes.overflow && !plan->steps.overflow && !outbound_failed(o);
}

bool plan_rest(struct plan *plan, const struct bytes *pieces, int count, size_t sent,
               enum outbound_end end) {
  buffer_clear(&plan->bytes);
  buffer_clear(&plan->steps);
  plan->end = end;
  plan->write_max = 0;
  plan->write_ms = plan->repeat_ms = 0;
  for (int i = 0; i < count; i++) {
    size_t skipped = sent < pieces[i].len ? sent : pieces[i].len;
    sent -= skipped;
    buffer_append(&plan->bytes, pieces[i].ptr + skipped, pieces[i].len - skipped);
  }
  end_step(plan, 0);
  return !plan->bytes.overflow && !plan->steps.overflow;
}
