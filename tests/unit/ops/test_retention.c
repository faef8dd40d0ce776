#include "ops/retention.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define DAY (24LL * 3600 * 1000)
#define NOW (1000 * DAY)

static const struct retention_policy policy = {.hot_days = 7, .full_days = 30};

static struct retention_item item(enum backup_kind kind, int64_t age_days, bool good,
                                  bool verified) {
  return (struct retention_item){kind, NOW - age_days * DAY, good, verified};
}

static void test_days_of_each_kind(void **state) {
  (void)state;
  struct retention_item items[] = {
      item(BACKUP_HOT, 0, true, true),     item(BACKUP_HOT, 7, true, true),
      item(BACKUP_HOT, 8, true, true),     item(BACKUP_FULL, 8, true, true),
      item(BACKUP_FULL, 30, true, true),   item(BACKUP_FULL, 31, true, true),
      item(BACKUP_MANUAL, 900, true, true)};
  const bool want[] = {false, false, true, false, false, true, false};
  bool remove[7];
  retention_decide(items, 7, &policy, NOW, remove);
  assert_memory_equal(remove, want, sizeof want);
  items[1].created_ms -= 1; /* a millisecond over its days */
  retention_decide(items, 7, &policy, NOW, remove);
  assert_true(remove[1]);
}

static void test_the_last_stays(void **state) {
  (void)state;
  struct retention_item items[] = {item(BACKUP_HOT, 100, true, false),
                                   item(BACKUP_HOT, 200, true, false)};
  bool remove[2];
  retention_decide(items, 2, &policy, NOW, remove);
  assert_false(remove[0]);
  assert_true(remove[1]);
}

static void test_the_last_verified_stays(void **state) {
  (void)state;
  struct retention_item items[] = {
      item(BACKUP_HOT, 1, true, false), item(BACKUP_HOT, 100, true, false),
      item(BACKUP_FULL, 200, true, true), item(BACKUP_FULL, 300, true, true)};
  const bool want[] = {false, true, false, true};
  bool remove[4];
  retention_decide(items, 4, &policy, NOW, remove);
  assert_memory_equal(remove, want, sizeof want);
}

/* One that cannot be read is not the last anything, even when it was verified once. */
static void test_a_damaged_one_does_not_count(void **state) {
  (void)state;
  struct retention_item items[] = {item(BACKUP_HOT, 50, false, true),
                                   item(BACKUP_HOT, 60, true, true)};
  bool remove[2];
  retention_decide(items, 2, &policy, NOW, remove);
  assert_true(remove[0]);
  assert_false(remove[1]);
}

/* The order of the list does not matter, nor does a clock that was set back. */
static void test_order_and_clock(void **state) {
  (void)state;
  struct retention_item items[] = {item(BACKUP_HOT, 100, true, true),
                                   item(BACKUP_HOT, -5, true, true),
                                   item(BACKUP_HOT, 50, true, true)};
  const bool want[] = {true, false, true};
  bool remove[3];
  retention_decide(items, 3, &policy, NOW, remove);
  assert_memory_equal(remove, want, sizeof want);
  retention_decide(items, 0, &policy, NOW, remove);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_days_of_each_kind),
      cmocka_unit_test(test_the_last_stays),
      cmocka_unit_test(test_the_last_verified_stays),
      cmocka_unit_test(test_a_damaged_one_does_not_count),
      cmocka_unit_test(test_order_and_clock),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
