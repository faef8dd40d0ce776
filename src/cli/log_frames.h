/* Stored events as frames, with their count per agent. Any thread; one owner at a time. */
#ifndef ARAGORA_CLI_LOG_FRAMES_H
#define ARAGORA_CLI_LOG_FRAMES_H

#include "debate/config.h"
#include "io/frame.h"
#include "store/store.h"

struct log_frames {
  struct {
    char name[64];
    uint64_t events;
  } agents[DEBATE_MEMBERS_MAX + DEBATE_JUDGES_MAX];
  int agent_count;
  struct buffer scratch;
};

void log_frames_init(struct log_frames *f);
void log_frames_done(struct log_frames *f);
/* The frame of one event; events in order, from the first. STATUS_CORRUPT, STATUS_NOMEM. */
MUST_CHECK enum status log_frames_make(struct log_frames *f, const char *debate_id,
                                       const struct store_event *event, struct frame **ret_frame,
                                       struct error *err);

#endif
