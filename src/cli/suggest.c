#include "cli/suggest.h"

#include <stdint.h>
#include <string.h>

enum { WORD_MAX = 63 };

static size_t smaller(size_t a, size_t b) {
  return a < b ? a : b;
}

size_t suggest_distance(const char *a, const char *b) {
  size_t rows = strlen(a), columns = strlen(b);
  size_t before[WORD_MAX + 1], last[WORD_MAX + 1], now[WORD_MAX + 1];
  if (rows > WORD_MAX || columns > WORD_MAX) return SIZE_MAX;
  memset(before, 0, sizeof before);
  for (size_t j = 0; j <= columns; j++) last[j] = j;
  for (size_t i = 1; i <= rows; i++) {
    now[0] = i;
    for (size_t j = 1; j <= columns; j++) {
      now[j] = smaller(smaller(last[j] + 1, now[j - 1] + 1), last[j - 1] + (a[i - 1] != b[j - 1]));
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        now[j] = smaller(now[j], before[j - 2] + 1);
    }
    memcpy(before, last, sizeof before);
    memcpy(last, now, sizeof last);
  }
  return last[columns];
}

void suggest_offer(struct suggest *s, const char *candidate) {
  size_t distance = suggest_distance(s->word, candidate);
  size_t length = strlen(s->word);
  size_t allowed = length <= 3 ? 1 : length <= 7 ? 2 : 3;
  if (distance > allowed || (s->best && distance >= s->distance)) return;
  s->best = candidate;
  s->distance = distance;
}
