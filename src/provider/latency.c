#include "provider/latency.h"

#include <string.h>

/* Where `ms` stands, or would stand, among the sorted. */
static size_t place_of(const struct latency *l, int64_t ms) {
  size_t low = 0, high = l->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (l->sorted[middle] < ms)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static void forget(struct latency *l, int64_t ms) {
  size_t at = place_of(l, ms);
  l->count--;
  memmove(l->sorted + at, l->sorted + at + 1, (l->count - at) * sizeof *l->sorted);
}

void latency_note(struct latency *l, int64_t ms) {
  if (ms < 0) ms = 0;
  if (l->count == LATENCY_KEPT) forget(l, l->ring[l->next]);
  size_t at = place_of(l, ms);
  memmove(l->sorted + at + 1, l->sorted + at, (l->count - at) * sizeof *l->sorted);
  l->sorted[at] = ms;
  l->count++;
  l->ring[l->next] = ms;
  l->next = (l->next + 1) % LATENCY_KEPT;
}

int64_t latency_p95_ms(const struct latency *l) {
  if (l->count < LATENCY_MIN) return -1;
  return l->sorted[(l->count * 95 + 99) / 100 - 1];
}
