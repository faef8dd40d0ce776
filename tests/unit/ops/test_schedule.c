/* When the janitor does what, with a clock of the test's. */
#include "ops/schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MINUTE (60 * 1000LL)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define START  (1000 * DAY)

static const struct schedule_policy policy = {
    .hot_ms = DAY, .full_ms = 7 * DAY, .checkpoint_ms = HOUR, .delay_ms = 10 * MINUTE};

static struct schedule_past fresh(void) {
  return (struct schedule_past){START, -1, -1, -1, -1, -1, 0, -1, -1};
}

static void expect(const struct schedule_policy *p, struct schedule_past past, int64_t now,
                   enum schedule_act act, int64_t at) {
  struct schedule_next next = schedule_decide(p, &past, now);
  assert_int_equal(next.act, act);
  assert_int_equal(next.at_ms, at);
}

/* What a month of it looks like: the acts, each done at once when it is due. */
static void test_a_month(void **state) {
  (void)state;
  struct schedule_past past = fresh();
  int hot = 0, full = 0, checkpoints = 0;
  for (int64_t now = START; now < START + 30 * DAY;) {
    struct schedule_next next = schedule_decide(&policy, &past, now);
    if (next.at_ms > now) now = next.at_ms;
    if (now >= START + 30 * DAY) break;
    switch (next.act) {
      case SCHEDULE_CHECKPOINT:
        past.last_checkpoint_ms = now;
        checkpoints++;
        break;
      case SCHEDULE_FULL:
        past.last_full_ms = past.last_backup_ms = now;
        full++;
        break;
      case SCHEDULE_HOT:
        past.last_backup_ms = now;
        hot++;
        break;
      default: fail_msg("act %d", (int)next.act);
    }
  }
  assert_int_equal(full, 5); /* on days 0, 7, 14, 21, 28 */
  assert_int_equal(hot + full, 30);
  assert_int_equal(checkpoints, 30 * 24 - 1);
}

static void test_the_first_waits_and_is_full(void **state) {
  (void)state;
  expect(&policy, fresh(), START, SCHEDULE_FULL, START + 10 * MINUTE);
  expect(&policy, fresh(), START + 10 * MINUTE, SCHEDULE_FULL, START + 10 * MINUTE);
}

/* The same from the manifests, whenever the server starts. */
static void test_a_restart_goes_on(void **state) {
  (void)state;
  struct schedule_past past = fresh();
  past.last_backup_ms = START - 20 * HOUR;
  past.last_full_ms = START - 3 * DAY;
  past.last_checkpoint_ms = START;
  expect(&policy, past, START, SCHEDULE_CHECKPOINT, START + HOUR);
  past.last_checkpoint_ms = START + 3 * HOUR + 1;
  expect(&policy, past, START + 3 * HOUR, SCHEDULE_HOT, START + 4 * HOUR);
  past.last_backup_ms = START - 3 * DAY; /* overdue, but not in the first minutes */
  past.last_checkpoint_ms = START;
  expect(&policy, past, START, SCHEDULE_HOT, START + 10 * MINUTE);
  past.last_full_ms = START - 30 * DAY;
  expect(&policy, past, START + HOUR, SCHEDULE_FULL, START + 10 * MINUTE);
}

static void test_failures_are_waited_out(void **state) {
  (void)state;
  struct schedule_past past = fresh();
  int64_t failed = START + HOUR;
  const int64_t waits[] = {10, 20, 40, 80, 160, 320, 360, 360};
  struct schedule_policy backups = policy;
  backups.checkpoint_ms = 0;
  past.last_failure_ms = failed;
  for (int i = 0; i < 8; i++) {
    past.failures = i + 1;
    expect(&backups, past, failed, SCHEDULE_FULL, failed + waits[i] * MINUTE);
  }
  past.failures = 1000000;
  expect(&backups, past, failed, SCHEDULE_FULL, failed + 360 * MINUTE);
  past.failures = 0; /* it worked since */
  expect(&backups, past, failed, SCHEDULE_FULL, START + 10 * MINUTE);
}

static void test_what_is_switched_off(void **state) {
  (void)state;
  const struct schedule_policy none = {0};
  const struct schedule_policy full_only = {.full_ms = 7 * DAY};
  struct schedule_past past = fresh();
  past.base_wanted_ms = START;
  expect(&none, past, START + DAY, SCHEDULE_NOTHING, INT64_MAX);
  past.last_full_ms = past.last_backup_ms = START;
  expect(&full_only, past, START + 3 * DAY, SCHEDULE_FULL, START + 7 * DAY);
}

static void test_a_base_that_is_wanted(void **state) {
  (void)state;
  struct schedule_past past = fresh();
  past.last_backup_ms = past.last_full_ms = past.last_checkpoint_ms = START;
  past.base_wanted_ms = START + 5 * MINUTE;
  expect(&policy, past, START + 5 * MINUTE, SCHEDULE_BASE, START + 6 * MINUTE);
  past.last_base_ms = START + 4 * MINUTE; /* not one after the other */
  expect(&policy, past, START + 5 * MINUTE, SCHEDULE_BASE, START + 14 * MINUTE);
  struct schedule_policy at_once = policy;
  at_once.delay_ms = 0;
  expect(&at_once, past, START + 5 * MINUTE, SCHEDULE_BASE, START + 5 * MINUTE);
  past.last_backup_ms = START - DAY; /* the daily one is a base too */
  expect(&at_once, past, START + 5 * MINUTE, SCHEDULE_HOT, START);
}

static void test_expiry(void **state) {
  (void)state;
  const struct schedule_policy expiry = {.expiry_ms = HOUR, .delay_ms = 10 * MINUTE};
  struct schedule_past past = fresh();
  past.last_failure_ms = START; /* of a backup */
  past.failures = 9;
  expect(&expiry, past, START, SCHEDULE_EXPIRY, START + 10 * MINUTE);
  past.last_expiry_ms = START + 30 * MINUTE;
  expect(&expiry, past, START + HOUR, SCHEDULE_EXPIRY, START + 90 * MINUTE);
}

/* A clock that was wrong: backups of next year do not stop those of today. */
static void test_a_clock_set_back(void **state) {
  (void)state;
  struct schedule_policy backups = policy;
  struct schedule_past past = fresh();
  backups.checkpoint_ms = 0;
  past.started_ms = START + 300 * DAY;
  past.last_backup_ms = past.last_full_ms = START + 300 * DAY;
  past.last_failure_ms = START + 300 * DAY;
  past.failures = 1;
  expect(&backups, past, START, SCHEDULE_HOT, START + DAY);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_month),
      cmocka_unit_test(test_the_first_waits_and_is_full),
      cmocka_unit_test(test_a_restart_goes_on),
      cmocka_unit_test(test_failures_are_waited_out),
      cmocka_unit_test(test_what_is_switched_off),
      cmocka_unit_test(test_a_base_that_is_wanted),
      cmocka_unit_test(test_expiry),
      cmocka_unit_test(test_a_clock_set_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
