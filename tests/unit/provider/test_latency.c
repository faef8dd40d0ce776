/* The percentile against one computed the slow way. */
#include "base/prng.h"
#include "provider/latency.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static void test_too_few_say_nothing(void **state) {
  struct latency l = {0};
  assert_int_equal(latency_p95_ms(&l), -1);
  for (int i = 1; i < LATENCY_MIN; i++) {
    latency_note(&l, i);
    assert_int_equal(latency_p95_ms(&l), -1);
  }
  latency_note(&l, LATENCY_MIN);
  assert_int_equal(latency_p95_ms(&l), 19); /* ceil(0.95 * 20) = 19 of 1..20 */
}

static void test_nearest_rank(void **state) {
  struct latency l = {0};
  for (int i = 100; i >= 1; i--) latency_note(&l, i);
  assert_int_equal(latency_p95_ms(&l), 95);
  latency_note(&l, 101);
  assert_int_equal(latency_p95_ms(&l), 96); /* ceil(95.95) */
}

static void test_the_oldest_leave(void **state) {
  struct latency l = {0};
  for (int i = 0; i < LATENCY_KEPT; i++) latency_note(&l, 60000);
  for (int i = 0; i < LATENCY_KEPT - 6; i++) latency_note(&l, 5);
  assert_int_equal(latency_p95_ms(&l), 5); /* six slow ones of 128: ceil(121.6) = 122 */
  for (int i = 0; i < 5; i++) latency_note(&l, 70000);
  assert_int_equal(latency_p95_ms(&l), 5); /* five of them replaced */
  latency_note(&l, 5);
  for (int i = 0; i < LATENCY_KEPT - 6; i++) latency_note(&l, 6);
  assert_int_equal(latency_p95_ms(&l), 6);
}

static void test_negative_is_nothing(void **state) {
  struct latency l = {0};
  for (int i = 0; i < LATENCY_MIN; i++) latency_note(&l, -7);
  assert_int_equal(latency_p95_ms(&l), 0);
}

static int compare(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

/* The last LATENCY_KEPT of all, sorted anew each time. */
static int64_t slow_p95(const int64_t *all, size_t count) {
  size_t n = count < LATENCY_KEPT ? count : LATENCY_KEPT;
  int64_t last[LATENCY_KEPT];
  if (n < LATENCY_MIN) return -1;
  memcpy(last, all + count - n, n * sizeof *last);
  qsort(last, n, sizeof *last, compare);
  size_t rank = 1; /* the smallest rank with at least 95 % at or below it */
  while (rank * 100 < n * 95) rank++;
  return last[rank - 1];
}

static void test_random_against_the_slow_way(void **state) {
  for (uint64_t seed = 1; seed <= 20; seed++) {
    struct prng g = prng_for(seed, 0, 0, 0);
    struct latency l = {0};
    int64_t all[1000];
    uint32_t spread = seed % 2 ? 10 : 100000; /* many equal ones, and hardly any */
    for (size_t i = 0; i < 1000; i++) {
      all[i] = prng_below(&g, spread);
      latency_note(&l, all[i]);
      assert_int_equal(latency_p95_ms(&l), slow_p95(all, i + 1));
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_too_few_say_nothing),
      cmocka_unit_test(test_nearest_rank),
      cmocka_unit_test(test_the_oldest_leave),
      cmocka_unit_test(test_negative_is_nothing),
      cmocka_unit_test(test_random_against_the_slow_way),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
