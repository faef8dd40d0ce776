/* Work that shall leave time for others: of each stretch of time it takes only a part, and sleeps
 * the rest. Any thread. */
#ifndef ARAGORA_OPS_PACE_H
#define ARAGORA_OPS_PACE_H

#include "ops/progress.h"

struct pace {
  const struct progress *outer;
  int load_percent;
  int64_t since_us;
  struct progress progress; /* what the work calls: it asks `outer`, then sleeps */
};

/* From here on at work. 100 percent: without sleeping. The struct stays where it is. */
void pace_start(struct pace *pace, int load_percent, const struct progress *outer);

#endif
