/* The generator's sequence is part of the log's format: it is pinned to the published one. */
#include "base/prng.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

/* The first outputs of splitmix64 from state 1234567, as its author's reference program
 * (prng.di.unimi.it/splitmix64.c) prints them. */
static void test_reference_sequence(void **state) {
  (void)state;
  struct prng g = {1234567};
  static const uint64_t want[] = {6457827717110365317u, 3203168211198807973u, 9817491932198370423u,
                                  4593380528125082431u, 16408922859458223821u};
  for (size_t i = 0; i < sizeof want / sizeof *want; i++) assert_true(prng_next(&g) == want[i]);
}

static void test_purposes_do_not_share_a_sequence(void **state) {
  (void)state;
  static const uint64_t purposes[][4] = {{1, 0, 0, 0}, {1, 1, 0, 0}, {1, 0, 1, 0},
                                         {1, 0, 0, 1}, {2, 0, 0, 0}, {0, 1, 0, 0}};
  enum { COUNT = sizeof purposes / sizeof *purposes };
  uint64_t first[COUNT];
  for (size_t i = 0; i < COUNT; i++) {
    struct prng g = prng_for(purposes[i][0], purposes[i][1], purposes[i][2], purposes[i][3]);
    struct prng again = prng_for(purposes[i][0], purposes[i][1], purposes[i][2], purposes[i][3]);
    first[i] = prng_next(&g);
    assert_true(first[i] == prng_next(&again));
    for (size_t j = 0; j < i; j++) assert_true(first[i] != first[j]);
  }
}

static void test_below_is_bounded_and_even(void **state) {
  (void)state;
  struct prng g = prng_for(42, 0, 0, 0);
  for (int i = 0; i < 100; i++) assert_int_equal(prng_below(&g, 1), 0);
  int counts[6] = {0};
  for (int i = 0; i < 60000; i++) counts[prng_below(&g, 6)]++;
  /* 10,000 each; 500 is more than five standard deviations of 91. */
  for (int i = 0; i < 6; i++) assert_in_range(counts[i], 9500, 10500);
  for (int i = 0; i < 1000; i++) assert_true(prng_below(&g, UINT32_MAX) < UINT32_MAX);
}

static void test_shuffle_permutes(void **state) {
  (void)state;
  struct prng g = prng_for(7, 0, 0, 0);
  int first_places[4] = {0};
  for (int round = 0; round < 4000; round++) {
    int items[] = {0, 1, 2, 3};
    prng_shuffle(&g, items, 4);
    int seen = 0;
    for (int i = 0; i < 4; i++) seen |= 1 << items[i];
    assert_int_equal(seen, 15);
    first_places[items[0]]++;
  }
  for (int i = 0; i < 4; i++) assert_in_range(first_places[i], 850, 1150);
  prng_shuffle(&g, NULL, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_reference_sequence),
      cmocka_unit_test(test_purposes_do_not_share_a_sequence),
      cmocka_unit_test(test_below_is_bounded_and_even),
      cmocka_unit_test(test_shuffle_permutes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
