/* The canonical form of the log, against the examples of RFC 8785 that our subset covers. */
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static char *canonical(const char *text) {
  json_t *value = NULL;
  struct error err;
  assert_int_equal(json_parse(bytes_of(text), &value, &err), STATUS_OK);
  char *out = json_canonical_dup(value);
  json_decref(value);
  return out;
}

static void check(const char *in, const char *want) {
  char *got = canonical(in);
  assert_non_null(got);
  assert_string_equal(got, want);
  free(got);
}

static void test_sorts_keys_and_drops_space(void **state) {
  (void)state;
  check("{ \"b\" : 1, \"a\" : [ true , null, false ], \"aa\": {} }",
        "{\"a\":[true,null,false],\"aa\":{},\"b\":1}");
}

static void test_escapes_the_short_way(void **state) {
  (void)state;
  /* RFC 8785 section 3.2.2.2 */
  check("\"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\"",
        "\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"");
}

static void test_refuses_what_a_log_never_holds(void **state) {
  (void)state;
  assert_null(canonical("1.5"));
  assert_null(canonical("9007199254740993"));
  assert_null(canonical("{\"\xc3\xa9\":1}"));
  check("-9007199254740992", "-9007199254740992");
}

static void test_refuses_depth_without_recursion(void **state) {
  (void)state;
  enum { DEPTH = 1000000 };
  char *deep = malloc(DEPTH);
  assert_non_null(deep);
  memset(deep, '[', DEPTH);
  json_t *value = NULL;
  struct error err;
  assert_int_equal(json_parse((struct bytes){deep, DEPTH}, &value, &err), STATUS_INVALID);
  free(deep);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sorts_keys_and_drops_space),
      cmocka_unit_test(test_escapes_the_short_way),
      cmocka_unit_test(test_refuses_what_a_log_never_holds),
      cmocka_unit_test(test_refuses_depth_without_recursion),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
