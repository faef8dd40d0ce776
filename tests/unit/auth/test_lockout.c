/* Five failures close an address, whoever tries at the same time; others do not notice. */
#include "auth/lockout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#define MINUTE INT64_C(60000)
enum { START = 1000000 };

static int set_up(void **state) {
  return lockout_create((struct lockout **)state) ? -1 : 0;
}

static int tear_down(void **state) {
  lockout_destroy(*state);
  return 0;
}

/* How long the address is closed after so many more tries that fail; each waits for its turn. */
static int64_t closed_after(struct lockout *l, const char *email, int tries, int64_t *now_ms) {
  int64_t wait_ms = 0;
  for (int i = 0; i < tries; i++) {
    while (lockout_take(l, email, *now_ms, &wait_ms)) *now_ms += wait_ms;
  }
  return lockout_take(l, email, *now_ms, &wait_ms) ? wait_ms : 0;
}

static void test_closes_longer_and_longer(void **state) {
  int64_t now_ms = START, wait_ms = 0;
  for (int i = 0; i < 4; i++) assert_int_equal(lockout_take(*state, "a", START, &wait_ms), 0);
  assert_false(lockout_tell(*state, "a", START));
  assert_int_equal(lockout_take(*state, "a", START, &wait_ms), STATUS_OK);
  assert_true(lockout_tell(*state, "a", START));
  assert_false(lockout_tell(*state, "a", START)); /* it was told */
  assert_int_equal(lockout_take(*state, "a", START, &wait_ms), STATUS_DENIED);
  assert_int_equal(wait_ms, 15 * MINUTE);
  assert_int_equal(lockout_take(*state, "a", START + 15 * MINUTE - 1, &wait_ms), STATUS_DENIED);
  assert_int_equal(wait_ms, 1);
  assert_int_equal(closed_after(*state, "a", 5, &now_ms), 60 * MINUTE); /* the tenth */
  assert_int_equal(closed_after(*state, "a", 10, &now_ms), 24 * 60 * MINUTE);
  assert_int_equal(closed_after(*state, "a", 1, &now_ms), 24 * 60 * MINUTE);
  now_ms += 24 * 60 * MINUTE + 1; /* it has ended, and is not forgotten */
  assert_int_equal(closed_after(*state, "a", 1, &now_ms), 24 * 60 * MINUTE);
}

static void test_leaves_others_alone(void **state) {
  int64_t wait_ms;
  for (int i = 0; i < 5; i++) assert_int_equal(lockout_take(*state, "a", START, &wait_ms), 0);
  assert_int_equal(lockout_take(*state, "a", START, &wait_ms), STATUS_DENIED);
  assert_int_equal(lockout_take(*state, "b", START, &wait_ms), STATUS_OK);
}

static void test_a_success_counts_from_the_beginning(void **state) {
  int64_t wait_ms;
  for (int i = 0; i < 5; i++) assert_int_equal(lockout_take(*state, "a", START, &wait_ms), 0);
  lockout_clear(*state, "a");
  for (int i = 0; i < 5; i++) assert_int_equal(lockout_take(*state, "a", START, &wait_ms), 0);
  assert_int_equal(lockout_take(*state, "a", START, &wait_ms), STATUS_DENIED);
}

static void test_what_was_no_try_does_not_count(void **state) {
  int64_t wait_ms;
  for (int i = 0; i < 5; i++) assert_int_equal(lockout_take(*state, "a", START, &wait_ms), 0);
  lockout_give_back(*state, "a");
  assert_int_equal(lockout_take(*state, "a", START, &wait_ms), STATUS_OK);
  assert_int_equal(lockout_take(*state, "a", START, &wait_ms), STATUS_DENIED);
}

static void test_forgets_after_two_days(void **state) {
  int64_t wait_ms;
  for (int i = 0; i < 4; i++) assert_int_equal(lockout_take(*state, "a", START, &wait_ms), 0);
  int64_t later = START + 48 * 60 * MINUTE + 1;
  for (int i = 0; i < 4; i++) assert_int_equal(lockout_take(*state, "a", later, &wait_ms), 0);
  assert_false(lockout_tell(*state, "a", later));
}

/* Whoever is closed stays so, though 50,000 addresses are tried once meanwhile. */
static void test_a_flood_opens_nothing(void **state) {
  int64_t wait_ms;
  char email[32];
  for (int i = 0; i < 5; i++) assert_int_equal(lockout_take(*state, "a", START, &wait_ms), 0);
  for (int i = 0; i < 50000; i++) {
    snprintf(email, sizeof email, "%d@example.org", i);
    assert_int_equal(lockout_take(*state, email, START + 1, &wait_ms), STATUS_OK);
  }
  assert_int_equal(lockout_take(*state, "a", START + 2, &wait_ms), STATUS_DENIED);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_closes_longer_and_longer),
      TEST(test_leaves_others_alone),
      TEST(test_a_success_counts_from_the_beginning),
      TEST(test_what_was_no_try_does_not_count),
      TEST(test_forgets_after_two_days),
      TEST(test_a_flood_opens_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
