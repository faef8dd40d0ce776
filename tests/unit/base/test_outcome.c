/* Outcomes and statuses have names, all different, and the names of outcomes read back: they are in
 * the log. */
#include "base/outcome.h"

#include "base/status.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static void test_names_are_those_of_the_log(void **state) {
  (void)state;
  static const char *const want[] = {
      "ok",      "timeout", "rate_limited", "overloaded",  "auth",      "quota",  "invalid_request",
      "refused", "empty",   "malformed",    "unavailable", "cancelled", "budget", "unknown"};
  for (int i = 0; i <= OUTCOME_UNKNOWN; i++) {
    assert_string_equal(outcome_name((enum outcome)i), want[i]);
    assert_int_equal(outcome_parse(want[i]), i);
  }
}

static void test_other_text_is_unknown(void **state) {
  (void)state;
  assert_int_equal(outcome_parse("OK"), OUTCOME_UNKNOWN);
  assert_int_equal(outcome_parse(""), OUTCOME_UNKNOWN);
  assert_int_equal(outcome_parse(NULL), OUTCOME_UNKNOWN);
  assert_string_equal(outcome_name((enum outcome)99), "unknown");
}

static void test_status_names(void **state) {
  (void)state;
  assert_string_equal(status_name(STATUS_OK), "OK");
  assert_string_equal(status_name(STATUS_NOT_FOUND), "NOT_FOUND");
  assert_string_equal(status_name((enum status)99), "INTERNAL");
  for (int i = 0; i <= STATUS_INTERNAL; i++)
    for (int j = 0; j < i; j++)
      assert_string_not_equal(status_name((enum status)i), status_name((enum status)j));
}

static void test_error_set(void **state) {
  (void)state;
  struct error err;
  assert_int_equal(error_set(&err, STATUS_INVALID, "rounds", "not %d\nnor\t%s", 3, "four"),
                   STATUS_INVALID);
  assert_int_equal(err.status, STATUS_INVALID);
  assert_string_equal(err.field, "rounds");
  assert_string_equal(err.message, "not 3 nor four");
  assert_int_equal(error_set(NULL, STATUS_IO, NULL, "unheard"), STATUS_IO);
  error_set(&err, STATUS_IO, NULL, "%01000d", 0);
  assert_string_equal(err.field, "");
  assert_int_equal(strlen(err.message), sizeof err.message - 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_names_are_those_of_the_log),
      cmocka_unit_test(test_other_text_is_unknown),
      cmocka_unit_test(test_status_names),
      cmocka_unit_test(test_error_set),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
