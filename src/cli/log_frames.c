#include "cli/log_frames.h"

#include "ops/stored_event.h"

#include <stdio.h>

enum { FRAME_MAX = 16 << 20 };

static uint64_t count_event(struct log_frames *f, const char *agent) {
  if (!agent) return 0;
  int i = 0;
  while (i < f->agent_count && strcmp(f->agents[i].name, agent) != 0) i++;
  if (i == DEBATE_MEMBERS_MAX + DEBATE_JUDGES_MAX) return 0;
  if (i == f->agent_count) {
    snprintf(f->agents[i].name, sizeof f->agents[i].name, "%s", agent);
    f->agent_count++;
  }
  return ++f->agents[i].events;
}

void log_frames_init(struct log_frames *f) {
  *f = (struct log_frames){0};
  buffer_init(&f->scratch, FRAME_MAX);
}

void log_frames_done(struct log_frames *f) {
  buffer_done(&f->scratch);
}

enum status log_frames_make(struct log_frames *f, const char *debate_id,
                            const struct store_event *event, struct frame **ret_frame,
                            struct error *err) {
  return stored_event_frame(event, debate_id, count_event(f, event->agent), &f->scratch, ret_frame,
                            err);
}
