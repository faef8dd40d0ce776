/* What the records of a token stream have in common. A vendor sends the same object for every token
 * and only the words in it differ, so the bytes before and behind them tell that a record is
 * another such one, and only its words need reading.
 *
 * Exact, not a guess: what a record does depends on its bytes and on what the records before it
 * left. A pattern is made of one that brought words and nothing else, and holds until a record
 * brings anything else; one that fits it would have brought words and nothing else too.
 */
#ifndef ARAGORA_PROVIDER_WIRE_PATTERN_H
#define ARAGORA_PROVIDER_WIRE_PATTERN_H

#include "base/bytes.h"

struct wire_pattern {
  struct buffer bytes; /* the record without its words' string; empty = there is none */
  size_t head;         /* of them before the words' string; the others stand behind it */
  struct buffer name;  /* of its event */
};

void wire_pattern_init(struct wire_pattern *pattern);
void wire_pattern_done(struct wire_pattern *pattern);

/* `words` is the JSON string within `data`, its quotes included. Keeps none when the record is
 * larger than such records are, or memory is short. */
void wire_pattern_learn(struct wire_pattern *pattern, struct bytes name, struct bytes data,
                        struct bytes words);
void wire_pattern_forget(struct wire_pattern *pattern);
/* Appends the words of a record that fits, decoded. False, and nothing is appended, when it does
 * not or there is no pattern. Whether `out` had room is for the caller to see from its overflow
 * mark. */
bool wire_pattern_read(const struct wire_pattern *pattern, struct bytes name, struct bytes data,
                       struct buffer *out);

#endif
