/* The scanner finds what is there, agrees with the parser on what is JSON, and allocates nothing.
 */
#include "base/json.h"
#include "base/json_scan.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static bool accepts(struct bytes text) {
  struct json_scan s;
  json_scan_begin(&s, text);
  json_scan_skip(&s);
  return json_scan_end(&s);
}

static void test_reads_a_record(void **state) {
  (void)state;
  struct bytes text = BYTES_LITERAL(
      " {\"a\":[1,{\"x\":[]},\"two\"] , \"n\\u0061me\":\"caf\\u00e9 \\ud83d\\ude00\\n\","
      "\"big\":-9223372036854775808,\"real\":1.5,\"yes\":true,\"no\":null,\"last\":{}} ");
  struct json_scan s;
  BUFFER_LATER struct buffer name, two;
  buffer_init(&name, 100);
  buffer_init(&two, 100);
  int64_t big = 0, none = 7;
  double real = 0;
  bool yes = false;
  struct bytes raw = {0};
  json_scan_begin(&s, text);
  assert_true(json_scan_object(&s));
  while (json_scan_member(&s)) {
    if (json_scan_key_is(&s, "a")) {
      assert_true(json_scan_array(&s));
      while (json_scan_item(&s)) json_scan_string(&s, &two);
    } else if (json_scan_key_is(&s, "name")) {
      assert_true(json_scan_string(&s, &name));
    } else if (json_scan_key_is(&s, "big")) {
      assert_true(json_scan_int(&s, &big));
    } else if (json_scan_key_is(&s, "real")) {
      assert_true(json_scan_real(&s, &real));
    } else if (json_scan_key_is(&s, "yes")) {
      assert_true(json_scan_bool(&s, &yes));
    } else if (json_scan_key_is(&s, "no")) {
      assert_int_equal(json_scan_peek(&s), JSON_SCAN_NULL);
      assert_false(json_scan_int(&s, &none));
    } else {
      assert_true(json_scan_raw(&s, &raw));
    }
  }
  assert_true(json_scan_end(&s));
  assert_string_equal(two.ptr, "two");
  assert_string_equal(name.ptr, "caf\xc3\xa9 \xf0\x9f\x98\x80\n");
  assert_true(big == INT64_MIN);
  assert_true(fabs(real - 1.5) < 1e-12);
  assert_true(yes);
  assert_int_equal(none, 7);
  assert_true(bytes_equal(raw, BYTES_LITERAL("{}")));
}

static const char *const samples[] = {
    "",
    " ",
    "null",
    "nul",
    "nulll",
    "true",
    "tru",
    "false ",
    "falsey",
    "0",
    "-0",
    "-",
    "01",
    "1.",
    "1.5",
    "1e",
    "1e5",
    "1E+5",
    "1e400",
    "-1e400",
    "1e-400",
    "0e999999999999",
    "0.0e999",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "99999999999999999999.5",
    "1.7976931348623157e308",
    "1.7976931348623159e308",
    "179769313486231570000e289",
    "\"\"",
    "\"a",
    "\"\\",
    "\"\\q\"",
    "\"\\u12\"",
    "\"\\u0000\"",
    "\"\\u0041\"",
    "\"\\ud800\"",
    "\"\\ud800x\"",
    "\"\\udc00\"",
    "\"\\ud83d\\ude00\"",
    "\"\\ud83d\\u0041\"",
    "\"\t\"",
    "\"\xc3\xa9\"",
    "\"\xc3\"",
    "\"\xc0\x80\"",
    "\"\xed\xa0\x80\"",
    "\"\xf4\x90\x80\x80\"",
    "\"\xff\"",
    "\xef\xbb\xbf{}",
    "[]",
    "[",
    "]",
    "[1",
    "[1,",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[1,2]",
    "{}",
    "{",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{\"a\":1}",
    "{\"a\" : 1 , \"b\":[{}]}",
    "{a:1}",
    "{\"a\":1 \"b\":2}",
    "{1:2}",
    "{\"\":0}",
    "[[]]",
    "[}",
    "{]",
    "1 2",
    "{} x",
    "'a'",
    "NaN",
    "Infinity",
    "\"\x7f\"",
    "\"\\/\\b\\f\\r\\t\\\"\"",
    "[\"12345678\", \"1234567\\\"\", \"123456\x01\"]",
    "\"abcdefgh\xe2\x82\xac\"",
    "\"\\u000\xc3\"",
    "00",
    "-01",
    "999999999999999999",
    "1000000000000000000",
    "-99999999999999999999",
    "{\"\xc3\xa9\":1}",
    "{\"\xc3\":1}",
    "{\"\\q\":1}",
    "{\"a\\\"\":1}",
    "{\"a",
    "{\"12345678\":\"87654321\"}",
};

static void test_agrees_with_the_parser(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
    json_t *value = NULL;
    struct bytes text = bytes_of(samples[i]);
    bool parsed = json_parse(text, &value, NULL) == STATUS_OK;
    json_decref(value);
    if (accepts(text) != parsed) print_error("disagree on: %s\n", samples[i]);
    assert_int_equal(accepts(text), parsed);
  }
}

static void test_integers_of_every_length(void **state) {
  (void)state;
  char text[32] = "-";
  int64_t want = 0;
  for (int count = 1; count <= 19; count++) {
    want = want * 10 + count % 10; /* 1234567890123456789 at last */
    snprintf(text + 1, sizeof text - 1, "%lld", (long long)want);
    for (int sign = 0; sign < 2; sign++) {
      struct json_scan s;
      int64_t value = 0;
      json_scan_begin(&s, bytes_of(text + sign));
      assert_true(json_scan_int(&s, &value) && json_scan_end(&s));
      assert_true(value == (sign ? want : -want));
    }
  }
}

static void test_keys_are_compared_decoded(void **state) {
  (void)state;
  struct json_scan s;
  json_scan_begin(&s, BYTES_LITERAL("{\"caf\xc3\xa9\":1,\"caf\\u00e9\":2,\"cafe\":3,\"\":4}"));
  assert_true(json_scan_object(&s));
  for (int i = 1; i <= 4; i++) {
    assert_true(json_scan_member(&s));
    assert_int_equal(json_scan_key_is(&s, "caf\xc3\xa9"), i <= 2);
    assert_int_equal(json_scan_key_is(&s, "cafe"), i == 3);
    assert_int_equal(json_scan_key_is(&s, ""), i == 4);
    json_scan_skip(&s);
  }
  assert_false(json_scan_member(&s));
  assert_true(json_scan_end(&s));
}

static void test_every_prefix_of_a_record_fails(void **state) {
  (void)state;
  struct bytes text = BYTES_LITERAL("{\"a\":[1.5e3,\"x\\u00e9\xc3\xa9\",{\"b\":null}],\"c\":true}");
  for (size_t n = 0; n < text.len; n++) {
    char *copy = malloc(n ? n : 1); /* exact, so that a sanitizer sees a read beyond it */
    assert_non_null(copy);
    memcpy(copy, text.ptr, n);
    assert_false(accepts((struct bytes){copy, n}));
    free(copy);
  }
  assert_true(accepts(text));
}

static void test_depth(void **state) {
  (void)state;
  char text[2 * JSON_DEPTH_MAX + 4];
  for (int extra = 0; extra < 2; extra++) {
    size_t depth = (size_t)(JSON_DEPTH_MAX + extra);
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    assert_int_equal(accepts((struct bytes){text, 2 * depth}), extra == 0);
  }
}

static void test_an_error_ends_every_loop(void **state) {
  (void)state;
  struct json_scan s;
  json_scan_begin(&s, BYTES_LITERAL("{\"a\":[1,2"));
  assert_true(json_scan_object(&s));
  int members = 0, items = 0;
  while (json_scan_member(&s)) {
    members++;
    if (json_scan_array(&s))
      while (json_scan_item(&s)) {
        items++;
        json_scan_skip(&s);
      }
  }
  assert_int_equal(members, 1);
  assert_int_equal(items, 2);
  assert_false(json_scan_end(&s));
}

static void test_a_full_buffer_is_seen(void **state) {
  (void)state;
  struct json_scan s;
  BUFFER_LATER struct buffer out;
  buffer_init(&out, 3);
  json_scan_begin(&s, BYTES_LITERAL("\"abc\\nd\""));
  json_scan_string(&s, &out);
  assert_true(json_scan_end(&s));
  assert_true(out.overflow);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_reads_a_record),
      cmocka_unit_test(test_agrees_with_the_parser),
      cmocka_unit_test(test_integers_of_every_length),
      cmocka_unit_test(test_keys_are_compared_decoded),
      cmocka_unit_test(test_every_prefix_of_a_record_fails),
      cmocka_unit_test(test_depth),
      cmocka_unit_test(test_an_error_ends_every_loop),
      cmocka_unit_test(test_a_full_buffer_is_seen),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
