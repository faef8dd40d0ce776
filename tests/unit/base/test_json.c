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

/* More keys than are sorted in place. */
static void test_sorts_many_keys(void **state) {
  (void)state;
  BUFFER_LATER struct buffer in, want;
  buffer_init(&in, 1000);
  buffer_init(&want, 1000);
  for (int i = 0; i < 40; i++) {
    buffer_printf(&in, "%c\"k%02d\":%d", i ? ',' : '{', 39 - i, 39 - i);
    buffer_printf(&want, "%c\"k%02d\":%d", i ? ',' : '{', i, i);
  }
  buffer_append_char(&in, '}');
  buffer_append_char(&want, '}');
  check(in.ptr, want.ptr);
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

static void test_refuses_what_is_not_one_json_text(void **state) {
  (void)state;
  const struct bytes bad[] = {
      BYTES_LITERAL(""),
      BYTES_LITERAL(" "),
      BYTES_LITERAL("{"),
      BYTES_LITERAL("{} x"),
      BYTES_LITERAL("{}{}"),
      BYTES_LITERAL("[1,]"),
      BYTES_LITERAL("{'a':1}"),
      BYTES_LITERAL("nul"),
      BYTES_LITERAL("01"),
      BYTES_LITERAL("\"a\nb\""),
      BYTES_LITERAL("\"\xff\""),
      BYTES_LITERAL("\"\\ud800\""),
      BYTES_LITERAL("\"\\u0000\""),
      BYTES_LITERAL("[1]\0"),
      BYTES_LITERAL("{\"a\":1,\"a\":1}"),
      BYTES_LITERAL("\xef\xbb\xbf{}"),
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    json_t *value = NULL;
    struct error err = {.status = STATUS_OK};
    assert_int_equal(json_parse(bad[i], &value, &err), STATUS_INVALID);
    assert_null(value);
    assert_int_equal(err.status, STATUS_INVALID);
    assert_true(*err.message);
  }
}

static void test_depth_up_to_the_limit(void **state) {
  (void)state;
  char text[2 * JSON_DEPTH_MAX + 3];
  for (int depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
    memset(text, '[', (size_t)depth);
    memset(text + depth, ']', (size_t)depth);
    JSON_LATER json_t *value = NULL;
    enum status want = depth == JSON_DEPTH_MAX ? STATUS_OK : STATUS_INVALID;
    assert_int_equal(json_parse((struct bytes){text, 2 * (size_t)depth}, &value, NULL), want);
  }
  /* Brackets inside a text are no depth. */
  check("\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"",
        "\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"");
}

static void test_typed_reads_fall_back(void **state) {
  (void)state;
  JSON_LATER json_t *o = json_pack("{s:s, s:i, s:b}", "t", "text", "n", 7, "b", 1);
  assert_string_equal(json_get_text(o, "t", "-"), "text");
  assert_string_equal(json_get_text(o, "n", "-"), "-");
  assert_null(json_get_text(o, "none", NULL));
  assert_int_equal(json_get_int(o, "n", -1), 7);
  assert_int_equal(json_get_int(o, "t", -1), -1);
  assert_true(json_get_bool(o, "b", false));
  assert_true(json_get_bool(o, "none", true));
  assert_false(json_get_bool(o, "n", false));
  assert_string_equal(json_get_text(NULL, "t", "-"), "-");
  assert_true(bytes_equal(json_bytes(json_object_get(o, "t")), bytes_of("text")));
  assert_int_equal(json_bytes(json_object_get(o, "n")).len, 0);
  assert_int_equal(json_bytes(NULL).len, 0);
}

static void test_values_from_outside(void **state) {
  (void)state;
  JSON_LATER json_t *text = json_text(BYTES_LITERAL("a\xff\x01\xc3\xa9"));
  assert_string_equal(json_string_value(text), "a\xef\xbf\xbd\xef\xbf\xbd\xc3\xa9");
  JSON_LATER json_t *none = json_text_or_null(NULL);
  assert_true(json_is_null(none));
  JSON_LATER json_t *some = json_text_or_null("x");
  assert_string_equal(json_string_value(some), "x");
  JSON_LATER json_t *unknown = json_int_or_null(-1);
  assert_true(json_is_null(unknown));
  JSON_LATER json_t *zero = json_int_or_null(0);
  assert_int_equal(json_integer_value(zero), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sorts_keys_and_drops_space),
      cmocka_unit_test(test_sorts_many_keys),
      cmocka_unit_test(test_escapes_the_short_way),
      cmocka_unit_test(test_refuses_what_a_log_never_holds),
      cmocka_unit_test(test_refuses_depth_without_recursion),
      cmocka_unit_test(test_refuses_what_is_not_one_json_text),
      cmocka_unit_test(test_depth_up_to_the_limit),
      cmocka_unit_test(test_typed_reads_fall_back),
      cmocka_unit_test(test_values_from_outside),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
