/* The tree is the one that jansson reads; what is left to it is left. */
#include "base/json.h"
#include "base/json_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static void test_reads_what_jansson_reads(void **state) {
  (void)state;
  static const char *const texts[] = {
      "null",
      " [true,false,null,[],{}] ",
      "{\"z\":{\"y\":[1,-2,{\"x\":\"\"}]},\"a\":\"b\"}",
      "[0,-0,9223372036854775807,-9223372036854775808]",
      "[0.1,-0.0,1e3,1.5E-7,12345678901234567890.5,2.2250738585072014e-308]",
      "\"caf\\u00e9 \\ud83d\\ude00 \xe2\x82\xac \\\"\\n\"",
      "{\"caf\":1,\"b\":2,\"\":3}",
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    JSON_LATER json_t *value = json_tree_read(bytes_of(texts[i]));
    JSON_LATER json_t *other = json_loads(texts[i], JSON_DECODE_ANY, NULL);
    assert_non_null(value);
    FREE_LATER char *got = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    FREE_LATER char *want = json_dumps(other, JSON_ENCODE_ANY | JSON_COMPACT);
    assert_string_equal(got, want);
  }
}

static void test_leaves_the_rest_to_the_parser(void **state) {
  (void)state;
  const struct bytes texts[] = {
      BYTES_LITERAL(""),
      BYTES_LITERAL("{\"a\":1"),
      BYTES_LITERAL("{} {}"),
      BYTES_LITERAL("[1,]"),
      BYTES_LITERAL("[01]"),
      BYTES_LITERAL("[1e999]"),
      BYTES_LITERAL("9223372036854775808"),
      BYTES_LITERAL("\"\xff\""),
      BYTES_LITERAL("\"\\u0000\""),
      BYTES_LITERAL("[1]\0"),
      BYTES_LITERAL("{\"a\":1,\"a\":1}"),
      BYTES_LITERAL("{\"\\u0061\":1}"), /* good, but rare */
      BYTES_LITERAL("[{\"a\":{},\"b\":2,\"a\":[]}]"),
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) assert_null(json_tree_read(texts[i]));
}

static void test_depth(void **state) {
  (void)state;
  char text[2 * (JSON_DEPTH_MAX + 1)];
  memset(text, '[', JSON_DEPTH_MAX + 1);
  memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
  assert_null(json_tree_read((struct bytes){text, sizeof text}));
  JSON_LATER json_t *value = json_tree_read((struct bytes){text + 1, sizeof text - 2});
  assert_non_null(value);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_reads_what_jansson_reads),
      cmocka_unit_test(test_leaves_the_rest_to_the_parser),
      cmocka_unit_test(test_depth),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
