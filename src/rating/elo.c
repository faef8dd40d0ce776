#include "rating/elo.h"

__extension__ typedef __int128 wide; /* not ISO C; every compiler we build with has it */

/* Fixed point with 60 binary places: the largest value below is 2^64 x 2^34, inside 128 bits. */
enum { PLACES = 60, TERMS = 20 };
#define FIXED_ONE ((wide)1 << PLACES)

static const int64_t LN_2 = 0x0B17217F7D1CF79B;    /* ln 2 x 2^60 */
static const int64_t LOG2_10 = 0x35269E12F346E2C0; /* log2 10 x 2^60 */
static const int64_t FARTHEST_MILLI = 4000 * 1000; /* beyond it the expectation is 0 or 1 anyway */

/* 2^exponent for 0 <= exponent < 1: the series of e^(exponent x ln 2), whose 20th term is below
 * 2^-60. */
static wide power_of_2(wide exponent) {
  wide y = exponent * LN_2 >> PLACES;
  wide term = FIXED_ONE, sum = FIXED_ONE;
  for (int n = 1; n <= TERMS; n++) {
    term = (term * y >> PLACES) / n;
    sum += term;
  }
  return sum;
}

/* 10^(ahead / 400), ahead >= 0. */
static wide odds(int64_t ahead_milli) {
  wide exponent = (wide)ahead_milli * LOG2_10 / ELO_SCALE_MILLI;
  return power_of_2(exponent & (FIXED_ONE - 1)) << (int)(exponent >> PLACES);
}

int64_t elo_expectation(int64_t own_milli, int64_t other_milli) {
  int64_t behind = other_milli - own_milli;
  if (behind < 0) return ELO_ONE - elo_expectation(other_milli, own_milli);
  if (behind > FARTHEST_MILLI) behind = FARTHEST_MILLI;
  wide sum = FIXED_ONE + odds(behind);
  return (int64_t)((ELO_ONE * FIXED_ONE + sum / 2) / sum);
}

int64_t elo_change_milli(int64_t won, int64_t lost, int64_t one, int64_t expectation) {
  wide above = (wide)won * ELO_ONE - (wide)(won + lost) * expectation;
  wide numerator = above * (ELO_K * 1000);
  wide denominator = (wide)one * ELO_ONE;
  wide half = denominator / 2;
  return (int64_t)((numerator < 0 ? numerator - half : numerator + half) / denominator);
}
