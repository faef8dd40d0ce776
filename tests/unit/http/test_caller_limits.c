#include "http/caller_limits.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MINUTE_MS = 60000 };

static struct caller_limits *make(int64_t per_window, int64_t at_once, int64_t kept) {
  struct caller_limits *l = NULL;
  struct caller_limits_options o = {per_window, at_once, MINUTE_MS, kept};
  assert_int_equal(caller_limits_create(&o, &l), STATUS_OK);
  return l;
}

static struct caller of(const char *text) {
  struct address a;
  assert_true(address_parse(bytes_of(text), &a));
  return caller_of_address(&a);
}

static enum status take(struct caller_limits *l, const char *who, int64_t now_ms,
                        struct caller_standing *s) {
  struct caller c = of(who);
  return caller_limits_take(l, &c, now_ms, s);
}

static enum status enter(struct caller_limits *l, const char *who, int64_t now_ms) {
  struct caller c = of(who);
  struct caller_standing s;
  return caller_limits_enter(l, &c, now_ms, &s);
}

static void test_a_window(void **state) {
  struct caller_limits *l = make(3, 0, 100);
  struct caller_standing s;
  for (int i = 0; i < 3; i++) {
    assert_int_equal(take(l, "10.0.0.1", 1000 * i, &s), STATUS_OK);
    assert_int_equal(s.remaining, 2 - i);
    assert_int_equal(s.reset_ms, MINUTE_MS - 1000 * i);
  }
  assert_int_equal(take(l, "10.0.0.1", 10000, &s), STATUS_FULL);
  assert_true(s.over_window);
  assert_true(s.first);
  assert_int_equal(s.remaining, 0);
  assert_int_equal(s.reset_ms, 50000);
  assert_int_equal(take(l, "10.0.0.1", 59999, &s), STATUS_FULL);
  assert_false(s.first);
  assert_int_equal(take(l, "10.0.0.2", 10000, &s), STATUS_OK);
  assert_int_equal(take(l, "10.0.0.1", 60000, &s), STATUS_OK);
  assert_int_equal(s.remaining, 2);
  caller_limits_destroy(l);
}

static void test_at_once(void **state) {
  struct caller_limits *l = make(0, 2, 100);
  assert_int_equal(enter(l, "2001:db8::1", 0), STATUS_OK);
  assert_int_equal(enter(l, "2001:db8::2", 0), STATUS_OK);
  struct caller c = of("2001:db8::3");
  struct caller_standing s;
  assert_int_equal(caller_limits_enter(l, &c, MINUTE_MS, &s), STATUS_FULL);
  assert_false(s.over_window);
  assert_int_equal(s.open, 2);
  assert_int_equal(enter(l, "2001:db8:0:1::3", 0), STATUS_OK);
  caller_limits_leave(l, &c);
  assert_int_equal(enter(l, "2001:db8::9", 0), STATUS_OK);
  caller_limits_destroy(l);
}

static void test_one_address_has_two_spellings(void **state) {
  struct caller_limits *l = make(1, 0, 100);
  struct caller_standing s;
  assert_int_equal(take(l, "192.0.2.1", 0, &s), STATUS_OK);
  assert_int_equal(take(l, "::ffff:192.0.2.1", 0, &s), STATUS_FULL);
  caller_limits_destroy(l);
}

/* Full of strangers: the oldest is forgotten, nobody is turned away. */
static void test_memory_is_bounded(void **state) {
  enum { KEPT = 64 };
  struct caller_limits *l = make(1, 0, KEPT);
  struct caller_standing s;
  char who[32];
  for (int i = 0; i < 10 * KEPT; i++) {
    snprintf(who, sizeof who, "10.0.%d.%d", i >> 8, i & 255);
    assert_int_equal(take(l, who, i, &s), STATUS_OK);
    assert_true(caller_limits_total(l).callers <= KEPT);
  }
  assert_int_equal(take(l, who, 10 * KEPT, &s), STATUS_FULL); /* the newest is remembered */
  assert_int_equal(take(l, "10.0.0.0", 10 * KEPT, &s), STATUS_OK);
  caller_limits_destroy(l);
}

/* A window that began anew is young again. */
static void test_the_oldest_window_goes_first(void **state) {
  struct caller_limits *l = make(1, 0, 2);
  struct caller_standing s;
  assert_int_equal(take(l, "10.0.0.1", 0, &s), STATUS_OK);
  assert_int_equal(take(l, "10.0.0.2", 50000, &s), STATUS_OK);
  assert_int_equal(take(l, "10.0.0.1", 60000, &s), STATUS_OK);
  assert_int_equal(take(l, "10.0.0.3", 60001, &s), STATUS_OK);
  assert_int_equal(take(l, "10.0.0.1", 60002, &s), STATUS_FULL);
  caller_limits_destroy(l);
}

/* Who holds a connection is not forgotten: else it would be counted off twice. */
static void test_holders_stay(void **state) {
  struct caller_limits *l = make(0, 1, 2);
  for (int i = 0; i < 40; i++) {
    char who[32];
    snprintf(who, sizeof who, "10.0.1.%d", i);
    assert_int_equal(enter(l, who, 0), STATUS_OK);
  }
  for (int i = 0; i < 40; i++) {
    char who[32];
    snprintf(who, sizeof who, "10.0.1.%d", i);
    assert_int_equal(enter(l, who, 10 * MINUTE_MS), STATUS_FULL);
  }
  caller_limits_destroy(l);
}

static void test_the_refused_are_named(void **state) {
  struct caller_limits *l = make(1, 0, 100);
  struct caller_standing s;
  struct caller_refused refused[2];
  char name[CALLER_NAME_SIZE];
  for (int i = 0; i < 3; i++) (void)!take(l, "10.0.0.1", i, &s);
  assert_int_equal(take(l, "10.0.0.2", 0, &s), STATUS_OK);
  for (int i = 0; i < 2; i++) (void)!take(l, "2001:db8:1:2:3::4", 100, &s);
  assert_int_equal(caller_limits_refused(l, 200, refused, 2), 2);
  caller_format(&refused[0].caller, name);
  assert_string_equal(name, "2001:db8:1:2::/64");
  caller_format(&refused[1].caller, name);
  assert_string_equal(name, "10.0.0.1");
  assert_int_equal(refused[1].refused, 2);
  assert_int_equal(caller_limits_refused(l, 200, refused, 1), 1);
  assert_int_equal(caller_limits_refused(l, MINUTE_MS + 100, refused, 2), 0);
  assert_int_equal(caller_limits_total(l).refused, 3);
  caller_limits_destroy(l);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_window),
      cmocka_unit_test(test_at_once),
      cmocka_unit_test(test_one_address_has_two_spellings),
      cmocka_unit_test(test_memory_is_bounded),
      cmocka_unit_test(test_the_oldest_window_goes_first),
      cmocka_unit_test(test_holders_stay),
      cmocka_unit_test(test_the_refused_are_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
