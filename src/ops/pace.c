#include "ops/pace.h"

#include "base/clock.h"

#include <time.h>

enum {
  STRETCH_US = 2000,       /* less is not worth a system call */
  REST_MAX_US = 500 * 1000 /* and whoever wants it to stop is heard in time */
};

/* Waiting for a processor counts as work: where there is little to be had, less is taken. */
static bool step(void *ctx, const char *what, int64_t done, int64_t total) {
  struct pace *p = ctx;
  if (!progress_step(p->outer, what, done, total)) return false;
  int64_t worked = clock_mono_us(&clock_system) - p->since_us;
  if (p->load_percent >= 100 || worked < STRETCH_US) return true;
  int64_t us = worked * (100 - p->load_percent) / p->load_percent;
  if (us > REST_MAX_US) us = REST_MAX_US;
  const struct timespec rest = {us / 1000000, us % 1000000 * 1000};
  nanosleep(&rest, NULL); /* cut short by a signal is no harm */
  p->since_us = clock_mono_us(&clock_system);
  return true;
}

void pace_start(struct pace *p, int load_percent, const struct progress *outer) {
  *p = (struct pace){.outer = outer,
                     .load_percent = load_percent < 1 ? 1 : load_percent,
                     .since_us = clock_mono_us(&clock_system),
                     .progress = {step, p}};
}
