/* ELO in whole numbers: ratings in thousandths of a point, expectations in billionths. No
 * floating-point number takes part, so that every machine and every library of mathematics makes
 * the same ratings of the same debates. Worked examples: docs/internals/ratings.md. Pure; any
 * thread.
 */
#ifndef ARAGORA_RATING_ELO_H
#define ARAGORA_RATING_ELO_H

#include <stdint.h>

enum {
  ELO_START_MILLI = 1500 * 1000,
  ELO_K = 32,
  ELO_SCALE_MILLI = 400 * 1000,
  ELO_ONE = 1000 * 1000 * 1000, /* an expectation of 1 */
};

/* What the owner of the first rating may expect of a comparison with the second:
 * 1 / (1 + 10^((other - own) / 400)), exact to a billionth. elo_expectation(a, b) and
 * elo_expectation(b, a) sum to ELO_ONE. */
int64_t elo_expectation(int64_t own_milli, int64_t other_milli);

/* What `won` and `lost` of comparisons, both in parts of `one` and at most 1000 of them, change for
 * the one who expected `expectation` of each: K x (won - (won + lost) x expectation), rounded once,
 * half away from zero. The other one's change is the same with the opposite sign. */
int64_t elo_change_milli(int64_t won, int64_t lost, int64_t one, int64_t expectation);

#endif
