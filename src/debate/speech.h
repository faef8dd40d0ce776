/* What was said in a debate, as objects: messages, critiques, ballots. Pure. */
#ifndef ARAGORA_DEBATE_SPEECH_H
#define ARAGORA_DEBATE_SPEECH_H

#include "debate/debate.h"
#include "debate/maker.h"

/* The object of one event of the history, under the names that clients read. */
json_t *speech_message(struct maker *m, const struct debate *debate, const struct event *event);
json_t *speech_critique(struct maker *m, const struct debate *debate, const struct event *event);
json_t *speech_ballot(struct maker *m, const struct event *event);
/* A critique in the shape of a message, for lists of everything that was said. */
json_t *speech_critique_message(struct maker *m, const struct event *event);
/* Unix milliseconds as ISO text; null when not positive. */
json_t *speech_time(int64_t ms);

#endif
