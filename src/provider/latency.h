/* What is slow for one model: the 95th percentile of its own last answers, for hedging. Fixed size,
 * no allocation; one owner at a time.
 */
#ifndef ARAGORA_PROVIDER_LATENCY_H
#define ARAGORA_PROVIDER_LATENCY_H

#include <stddef.h>
#include <stdint.h>

enum {
  LATENCY_KEPT = 128, /* answers remembered; the oldest leaves first */
  LATENCY_MIN = 20,   /* fewer say nothing about a 95th percentile: one in twenty lies above it */
};

/* All zero is an empty one. */
struct latency {
  int64_t ring[LATENCY_KEPT];   /* in the order of arrival, from `next` on when full */
  int64_t sorted[LATENCY_KEPT]; /* the same, ascending */
  size_t count, next;
};

/* A whole answer took `ms`; less than nothing counts as 0. */
void latency_note(struct latency *l, int64_t ms);
/* The nearest-rank percentile, element ceil(0.95 n) of the sorted ones: an exact one of them, never
 * interpolated. -1 below LATENCY_MIN. */
int64_t latency_p95_ms(const struct latency *l);

#endif
