#include "provider/retry_after.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static const double far_ms = 1e12; /* some 30 years: nobody waits longer, and it fits */

static int64_t number_ms(const char *text, double unit_ms) {
  char *end;
  double value = strtod(text, &end);
  if (end == text || *end != '\0' || !(value >= 0)) return -1;
  value *= unit_ms;
  return (int64_t)(value < far_ms ? value : far_ms);
}

int64_t retry_after_parse(const char *ms, const char *value, int64_t wall_ms) {
  int64_t delay = ms ? number_ms(ms, 1) : -1;
  if (delay < 0 && value) delay = number_ms(value, 1000);
  if (delay >= 0 || !value) return delay;
  struct tm date = {0};
  const char *end = strptime(value, "%a, %d %b %Y %H:%M:%S GMT", &date);
  if (!end || *end) return -1;
  int64_t until = (int64_t)timegm(&date) * 1000 - wall_ms;
  return until > 0 ? until : 0;
}
