/* A small seeded generator: the only source of randomness that the engine may use.
 *
 * splitmix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
 * The same seed gives the same sequence on every machine and for ever: logs depend on it.
 */
#ifndef ARAGORA_BASE_PRNG_H
#define ARAGORA_BASE_PRNG_H

#include <stddef.h>
#include <stdint.h>

struct prng {
  uint64_t state;
};

/* A generator for one purpose: the seed mixed with up to three numbers that name the purpose, so
 * that two purposes never share a sequence. */
struct prng prng_for(uint64_t seed, uint64_t a, uint64_t b, uint64_t c);
uint64_t prng_next(struct prng *g);
/* Uniform in 0..bound-1 (bound >= 1), without bias: Lemire's rejection. */
uint32_t prng_below(struct prng *g, uint32_t bound);
/* Fisher-Yates over `count` ints. */
void prng_shuffle(struct prng *g, int *items, size_t count);

#endif
