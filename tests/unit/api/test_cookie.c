/* The session cookie out of a Cookie header. What it takes to be served with one needs a request:
 * tests/system/tenants.test.mjs. */
#include "api/cookie.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void expect(const char *cookies, const char *value) {
  char found[COOKIE_VALUE_SIZE];
  assert_true(cookie_find(cookies, found));
  assert_string_equal(found, value);
}

static void expect_none(const char *cookies) {
  char found[COOKIE_VALUE_SIZE];
  assert_false(cookie_find(cookies, found));
}

static void test_it_stands_among_others(void **state) {
  expect("aragora_session=abc", "abc");
  expect("a=1; aragora_session=abc; b=2", "abc");
  expect("a=1;aragora_session=abc;b=2", "abc");
  expect("  ;; aragora_session=a=b", "a=b");
  expect("xaragora_session=no; aragora_session=yes", "yes");
}

static void test_other_names_are_not_it(void **state) {
  expect_none("");
  expect_none("; ;");
  expect_none("aragora_session");
  expect_none("xaragora_session=abc");
  expect_none("aragora_sessionx=abc");
  expect_none("Aragora_Session=abc"); /* names are told apart by case: RFC 6265 section 5.3 */
  expect_none("a=aragora_session=abc");
}

static void test_an_empty_one_is_none(void **state) {
  expect_none("aragora_session=");
  expect_none("aragora_session=; a=1");
}

/* The second one may be planted by a page of a sibling host. */
static void test_two_are_none(void **state) {
  expect_none("aragora_session=abc; aragora_session=def");
  expect_none("aragora_session=abc; aragora_session=abc");
  expect_none("aragora_session=abc; aragora_session=");
}

static void test_it_has_a_length(void **state) {
  static const char name[] = "aragora_session=";
  size_t longest = COOKIE_VALUE_SIZE - 1;
  char *cookies = malloc(sizeof name + longest + 1);
  assert_non_null(cookies);
  memcpy(cookies, name, sizeof name);
  memset(cookies + sizeof name - 1, 'x', longest + 1);
  cookies[sizeof name - 1 + longest + 1] = '\0';
  expect_none(cookies);
  cookies[sizeof name - 1 + longest] = '\0';
  expect(cookies, cookies + sizeof name - 1);
  free(cookies);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_it_stands_among_others), cmocka_unit_test(test_other_names_are_not_it),
      cmocka_unit_test(test_an_empty_one_is_none),   cmocka_unit_test(test_two_are_none),
      cmocka_unit_test(test_it_has_a_length),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
