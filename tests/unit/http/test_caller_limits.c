#include "http/caller_limits.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_a_minute(void **state) {
  struct address_limits *l = NULL;
  int wait_s = 0;
  assert_int_equal(address_limits_create(3, 0, &l), STATUS_OK);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(address_limits_enter(l, "10.0.0.1", 1000 * i, &wait_s), STATUS_OK);
  }
  assert_int_equal(address_limits_enter(l, "10.0.0.1", 10000, &wait_s), STATUS_FULL);
  assert_int_equal(wait_s, 50);
  assert_int_equal(address_limits_enter(l, "10.0.0.2", 10000, &wait_s), STATUS_OK);
  assert_int_equal(address_limits_enter(l, "10.0.0.1", 60000, &wait_s), STATUS_OK);
  address_limits_destroy(l);
}

static void test_at_once(void **state) {
  struct address_limits *l = NULL;
  int wait_s = 0;
  assert_int_equal(address_limits_create(0, 2, &l), STATUS_OK);
  assert_int_equal(address_limits_enter(l, "2001:db8::1", 0, &wait_s), STATUS_OK);
  assert_int_equal(address_limits_enter(l, "2001:db8::2", 0, &wait_s), STATUS_OK);
  assert_int_equal(address_limits_enter(l, "2001:db8::3", 0, &wait_s), STATUS_FULL);
  assert_true(wait_s > 0);
  assert_int_equal(address_limits_enter(l, "2001:db8:0:1::3", 0, &wait_s), STATUS_OK);
  address_limits_leave(l, "2001:db8::1");
  assert_int_equal(address_limits_enter(l, "2001:db8::9", 0, &wait_s), STATUS_OK);
  address_limits_destroy(l);
}

/* The table is full of strangers: refused, until their minute is over. */
static void test_memory_is_bounded(void **state) {
  struct address_limits *l = NULL;
  int wait_s = 0;
  char peer[32];
  assert_int_equal(address_limits_create(60, 100, &l), STATUS_OK);
  for (int i = 0; i < ADDRESS_LIMITS_KEPT; i++) {
    snprintf(peer, sizeof peer, "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
    assert_int_equal(address_limits_enter(l, peer, 0, &wait_s), STATUS_OK);
    address_limits_leave(l, peer);
  }
  assert_int_equal(address_limits_enter(l, "192.0.2.1", 1, &wait_s), STATUS_FULL);
  assert_int_equal(address_limits_enter(l, "192.0.2.1", 60000, &wait_s), STATUS_OK);
  address_limits_destroy(l);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_minute),
      cmocka_unit_test(test_at_once),
      cmocka_unit_test(test_memory_is_bounded),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
