#include "base/clock.h"

#include <stdio.h>
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

void clock_format_iso(int64_t wall_ms, char out[CLOCK_ISO_SIZE]) {
  /* Bounded to the years 0..9999 so that the text always fits. */
  if (wall_ms < 0) wall_ms = 0;
  if (wall_ms > 253402300799999) wall_ms = 253402300799999;
  time_t seconds = (time_t)(wall_ms / 1000);
  struct tm tm;
  gmtime_r(&seconds, &tm);
  snprintf(out, CLOCK_ISO_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
           (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)(tm.tm_mon + 1) % 100,
           (unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
           (unsigned)tm.tm_sec % 100, (unsigned)(wall_ms % 1000));
}
