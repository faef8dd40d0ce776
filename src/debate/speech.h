/* What was said in a debate, as objects: messages, critiques, ballots. Pure. */
#ifndef ARAGORA_DEBATE_SPEECH_H
#define ARAGORA_DEBATE_SPEECH_H

#include "debate/debate.h"

/* Collects values; one that could not be made marks the whole as failed, so that a long row of
 * calls is checked once. Takes the reference of `value`, which may be NULL. */
struct maker {
  bool failed;
};
void maker_put(struct maker *m, json_t *object, const char *key, json_t *value);
void maker_add(struct maker *m, json_t *array, json_t *value);

/* The object of one event of the history, under the names that clients read. */
json_t *speech_message(struct maker *m, const struct debate *debate, const struct event *event);
json_t *speech_critique(struct maker *m, const struct debate *debate, const struct event *event);
json_t *speech_ballot(struct maker *m, const struct event *event);
/* A critique in the shape of a message, for lists of everything that was said. */
json_t *speech_critique_message(struct maker *m, const struct event *event);
/* Unix milliseconds as ISO text; null when not positive. */
json_t *speech_time(int64_t ms);

#endif
