/* RFC 3629 to the letter: the first and last character of every length, and what is none. */
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static void test_first_and_last_of_each_length(void **state) {
  (void)state;
  static const char *const valid[] = {
      "\x01",         "\x7f",         "\xc2\x80",     "\xdf\xbf",         "\xe0\xa0\x80",
      "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"};
  for (size_t i = 0; i < sizeof valid / sizeof *valid; i++) {
    assert_int_equal(utf8_char_length(valid[i], strlen(valid[i])), strlen(valid[i]));
    assert_true(utf8_valid(bytes_of(valid[i])));
    assert_int_equal(utf8_count(bytes_of(valid[i])), 1);
  }
}

static void test_refuses_what_is_none(void **state) {
  (void)state;
  static const char *const invalid[] = {
      "\x80",             /* a continuation alone */
      "\xc0\xaf",         /* overlong '/' */
      "\xc1\xbf",         /* overlong */
      "\xe0\x9f\xbf",     /* overlong */
      "\xf0\x8f\xbf\xbf", /* overlong */
      "\xed\xa0\x80",     /* first surrogate */
      "\xed\xbf\xbf",     /* last surrogate */
      "\xf4\x90\x80\x80", /* U+110000 */
      "\xf5\x80\x80\x80",
      "\xff",
      "\xc2",
      "\xe2\x82",
      "\xf0\x9f\x98",
      "\xc2\x41",     /* cut by an ASCII character */
      "\xe2\x82\x41", /* likewise */
  };
  for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
    assert_int_equal(utf8_char_length(invalid[i], strlen(invalid[i])), 0);
    assert_false(utf8_valid(bytes_of(invalid[i])));
  }
}

static void test_length_respects_the_end(void **state) {
  (void)state;
  assert_int_equal(utf8_char_length("\xe2\x82\xac", 3), 3);
  assert_int_equal(utf8_char_length("\xe2\x82\xac", 2), 0);
  assert_int_equal(utf8_char_length("a", 0), 0);
}

static void test_prefix_never_cuts_a_character(void **state) {
  (void)state;
  struct bytes euro = BYTES_LITERAL(
      "a\xe2\x82\xac"
      "b");
  assert_int_equal(utf8_prefix(euro, 0), 0);
  assert_int_equal(utf8_prefix(euro, 1), 1);
  assert_int_equal(utf8_prefix(euro, 2), 1);
  assert_int_equal(utf8_prefix(euro, 3), 1);
  assert_int_equal(utf8_prefix(euro, 4), 4);
  assert_int_equal(utf8_prefix(euro, 5), 5);
  assert_int_equal(utf8_prefix(euro, 99), 5);
}

static void check_clean(struct bytes in, const char *want) {
  FREE_LATER char *got = utf8_clean(in);
  assert_non_null(got);
  assert_string_equal(got, want);
}

static void test_clean_replaces_and_keeps(void **state) {
  (void)state;
  check_clean(BYTES_LITERAL("a\tb\nc\xc3\xa9"), "a\tb\nc\xc3\xa9");
  check_clean(BYTES_LITERAL("a\0b"),
              "a\xef\xbf\xbd"
              "b");
  check_clean(BYTES_LITERAL("\x1b[31m\x7f"), "\xef\xbf\xbd[31m\xef\xbf\xbd");
  check_clean(BYTES_LITERAL("\xc2\x85"), "\xef\xbf\xbd"); /* a control of the C1 block */
  check_clean(BYTES_LITERAL("\xff\xfe"), "\xef\xbf\xbd\xef\xbf\xbd");
  check_clean(BYTES_LITERAL("\xe2\x82"), "\xef\xbf\xbd\xef\xbf\xbd");
  check_clean((struct bytes){NULL, 0}, "");
  assert_true(utf8_plain(BYTES_LITERAL(" a\tb\n~")));
  assert_true(utf8_plain((struct bytes){NULL, 0}));
  assert_false(utf8_plain(BYTES_LITERAL("\r")));
  assert_false(utf8_plain(BYTES_LITERAL("a\0")));
  assert_false(utf8_plain(BYTES_LITERAL("\x7f")));
  assert_false(utf8_plain(BYTES_LITERAL("caf\xc3\xa9")));
}

static void test_every_two_bytes_clean_to_valid(void **state) {
  (void)state;
  for (unsigned pair = 0; pair < 0x10000; pair++) {
    char in[2] = {(char)(pair >> 8), (char)(pair & 0xff)};
    FREE_LATER char *got = utf8_clean((struct bytes){in, 2});
    assert_non_null(got);
    assert_true(utf8_valid(bytes_of(got)));
    if (!utf8_valid((struct bytes){in, 2})) assert_non_null(strstr(got, "\xef\xbf\xbd"));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_first_and_last_of_each_length),
      cmocka_unit_test(test_refuses_what_is_none),
      cmocka_unit_test(test_length_respects_the_end),
      cmocka_unit_test(test_prefix_never_cuts_a_character),
      cmocka_unit_test(test_clean_replaces_and_keeps),
      cmocka_unit_test(test_every_two_bytes_clean_to_valid),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
