/* Puts JSON together: a value that could not be made, for want of memory, marks the whole as
 * failed, so that a long row of calls is checked once and nothing is left out in silence. Pure. */
#ifndef ARAGORA_DEBATE_MAKER_H
#define ARAGORA_DEBATE_MAKER_H

#include "base/json.h"

struct maker {
  bool failed;
};

/* Each takes the reference of `value`, which may be NULL. Keys are our own words: whether they are
 * UTF-8 is not asked. */
void maker_put(struct maker *m, json_t *object, const char *key, json_t *value);
void maker_add(struct maker *m, json_t *array, json_t *value);
/* The value when nothing failed; else NULL, and the value is freed. */
json_t *maker_done(const struct maker *m, json_t *value);

#endif
