/* "Did you mean ...?": the nearest of several words. Pure. */
#ifndef ARAGORA_CLI_SUGGEST_H
#define ARAGORA_CLI_SUGGEST_H

#include <stddef.h>

/* Letters inserted, removed, replaced, or exchanged with their neighbour, that lead from a to b
 * (optimal string alignment). Words over 63 bytes count as far apart. */
size_t suggest_distance(const char *a, const char *b);

/* Keeps the nearest word offered so far. */
struct suggest {
  const char *word; /* what was typed */
  const char *best; /* NULL = nothing is near enough */
  size_t distance;
};
void suggest_offer(struct suggest *s, const char *candidate);

#endif
