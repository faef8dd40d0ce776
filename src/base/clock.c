#include "base/clock.h"

#include <time.h>

static int64_t system_wall_ms(void *ctx) {
  (void)ctx;
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t system_mono_us(void *ctx) {
  (void)ctx;
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

const struct clock clock_system = {system_wall_ms, system_mono_us, NULL};

/* `count` decimal digits of `value`; snprintf takes ten times as long, and each event of a log is
 * shown with its time. */
static char *put_digits(char *out, int64_t value, int count) {
  for (int i = count - 1; i >= 0; i--, value /= 10) out[i] = (char)('0' + value % 10);
  return out + count;
}

void clock_format_iso(int64_t wall_ms, char out[CLOCK_ISO_SIZE]) {
  /* Bounded to the years 0..9999 so that the text always fits. */
  if (wall_ms < 0) wall_ms = 0;
  if (wall_ms > 253402300799999) wall_ms = 253402300799999;
  time_t seconds = (time_t)(wall_ms / 1000);
  struct tm tm;
  gmtime_r(&seconds, &tm);
  out = put_digits(out, tm.tm_year + 1900, 4);
  *out++ = '-';
  out = put_digits(out, tm.tm_mon + 1, 2);
  *out++ = '-';
  out = put_digits(out, tm.tm_mday, 2);
  *out++ = 'T';
  out = put_digits(out, tm.tm_hour, 2);
  *out++ = ':';
  out = put_digits(out, tm.tm_min, 2);
  *out++ = ':';
  out = put_digits(out, tm.tm_sec, 2);
  *out++ = '.';
  out = put_digits(out, wall_ms % 1000, 3);
  *out++ = 'Z';
  *out = '\0';
}
