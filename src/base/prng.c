#include "base/prng.h"

uint64_t prng_next(struct prng *g) {
  uint64_t z = g->state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

struct prng prng_for(uint64_t seed, uint64_t a, uint64_t b, uint64_t c) {
  struct prng g = {seed};
  const uint64_t purpose[] = {a, b, c};
  for (size_t i = 0; i < 3; i++) g.state = prng_next(&g) ^ purpose[i];
  return g;
}

uint32_t prng_below(struct prng *g, uint32_t bound) {
  uint32_t threshold = -bound % bound;
  for (;;) {
    uint64_t product = (uint64_t)(uint32_t)(prng_next(g) >> 32) * bound;
    if ((uint32_t)product >= threshold) return (uint32_t)(product >> 32);
  }
}

void prng_shuffle(struct prng *g, int *items, size_t count) {
  for (size_t i = count; i > 1; i--) {
    size_t j = prng_below(g, (uint32_t)i);
    int swap = items[i - 1];
    items[i - 1] = items[j];
    items[j] = swap;
  }
}
