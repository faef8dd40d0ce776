/* Buffers keep to their maximum, stay NUL-terminated, and remember that something was lost. */
#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static void test_hex_both_ways(void **state) {
  (void)state;
  const uint8_t raw[] = {0x00, 0x7f, 0xa5, 0xff};
  char text[9];
  bytes_to_hex(raw, sizeof raw, text);
  assert_string_equal(text, "007fa5ff");
  uint8_t back[4];
  assert_true(bytes_from_hex(BYTES_LITERAL("007FA5ff"), back, sizeof back));
  assert_memory_equal(back, raw, sizeof raw);
  assert_int_equal(bytes_hex_value('0'), 0);
  assert_int_equal(bytes_hex_value('f'), 15);
  assert_int_equal(bytes_hex_value('A'), 10);
  assert_int_equal(bytes_hex_value('g'), -1);
  assert_int_equal(bytes_hex_value('/'), -1);
}

static void test_hex_refuses_other_text(void **state) {
  (void)state;
  uint8_t out[2];
  assert_false(bytes_from_hex(BYTES_LITERAL("00f"), out, 2));
  assert_false(bytes_from_hex(BYTES_LITERAL("00ff0"), out, 2));
  assert_false(bytes_from_hex(BYTES_LITERAL("00fg"), out, 2));
  assert_false(bytes_from_hex(BYTES_LITERAL(""), out, 2));
}

static void test_append_up_to_the_maximum(void **state) {
  (void)state;
  BUFFER_LATER struct buffer b;
  buffer_init(&b, 5);
  assert_true(buffer_append_text(&b, "abc"));
  assert_true(buffer_append_text(&b, "de"));
  assert_string_equal(b.ptr, "abcde");
  assert_false(buffer_append_char(&b, 'f'));
  assert_true(b.overflow);
  assert_string_equal(b.ptr, "abcde");
}

static void test_overflow_is_sticky_until_cleared(void **state) {
  (void)state;
  BUFFER_LATER struct buffer b;
  buffer_init(&b, 4);
  assert_false(buffer_append_text(&b, "12345"));
  assert_false(buffer_append_text(&b, "1"));
  assert_null(buffer_steal(&b));
  buffer_init(&b, 4);
  assert_false(buffer_append_text(&b, "12345"));
  buffer_clear(&b);
  assert_true(buffer_append_text(&b, "1"));
}

/* Room that is left does not let a later, shorter append through. */
static void test_overflow_is_sticky_while_there_is_room(void **state) {
  (void)state;
  BUFFER_LATER struct buffer b;
  buffer_init(&b, 40);
  assert_true(buffer_append_text(&b, "ab"));
  assert_false(buffer_append(&b, "0123456789012345678901234567890123456789", 40));
  assert_false(buffer_append_char(&b, 'c'));
  assert_false(buffer_append(&b, NULL, 0));
  assert_string_equal(b.ptr, "ab");
}

static void test_appending_nothing_ends_the_text(void **state) {
  (void)state;
  BUFFER_LATER struct buffer b;
  buffer_init(&b, 10);
  assert_true(buffer_append(&b, NULL, 0));
  assert_string_equal(b.ptr, "");
}

static void test_a_huge_request_does_not_wrap(void **state) {
  (void)state;
  BUFFER_LATER struct buffer b;
  buffer_init(&b, 100);
  assert_true(buffer_append_text(&b, "x"));
  assert_false(buffer_reserve(&b, SIZE_MAX));
  buffer_clear(&b);
  assert_false(buffer_reserve(&b, SIZE_MAX - 1));
}

static void test_printf_short_and_long(void **state) {
  (void)state;
  BUFFER_LATER struct buffer b;
  buffer_init(&b, 4000);
  assert_true(buffer_printf(&b, "%d-%s", 7, "x"));
  assert_true(buffer_printf(&b, "%0500d", 1)); /* beyond the small buffer on the stack */
  assert_int_equal(b.len, 503);
  assert_memory_equal(b.ptr, "7-x000", 6);
  assert_int_equal(b.ptr[502], '1');
  assert_false(buffer_printf(&b, "%04000d", 1));
  assert_int_equal(b.len, 503);
}

static void test_integers_at_both_ends(void **state) {
  (void)state;
  BUFFER_LATER struct buffer b;
  buffer_init(&b, 100);
  buffer_append_int(&b, INT64_MIN);
  buffer_append_char(&b, ' ');
  buffer_append_int(&b, 0);
  buffer_append_char(&b, ' ');
  buffer_append_int(&b, INT64_MAX);
  assert_string_equal(b.ptr, "-9223372036854775808 0 9223372036854775807");
}

static void test_json_string_escapes(void **state) {
  (void)state;
  BUFFER_LATER struct buffer b;
  buffer_init(&b, 100);
  buffer_append_json_string(&b, BYTES_LITERAL("a\"\\\b\t\n\f\r\x01\x1f\x7f\xc3\xa9"));
  assert_string_equal(b.ptr, "\"a\\\"\\\\\\b\\t\\n\\f\\r\\u0001\\u001f\x7f\xc3\xa9\"");
}

/* Strings are read in words of eight bytes: each byte value, at each place of a word and of the
 * rest behind the last word, against the rule written byte by byte. */
static void test_json_string_at_every_place(void **state) {
  (void)state;
  for (size_t len = 1; len <= 19; len++)
    for (size_t at = 0; at < len; at++)
      for (int c = 0; c < 256; c++) {
        char text[19];
        char want[64];
        char escape[8] = {(char)c};
        memset(text, '\xc3', sizeof text);
        text[at] = (char)c;
        if (c == '"' || c == '\\') snprintf(escape, sizeof escape, "\\%c", c);
        if (c < 0x20) snprintf(escape, sizeof escape, "\\u%04x", c);
        if (c && strchr("\b\t\n\f\r", c))
          snprintf(escape, sizeof escape, "\\%c", "btn-fr"[c - '\b']);
        int head = snprintf(want, sizeof want, "\"%.*s%s", (int)at, text, escape);
        snprintf(want + head, sizeof want - (size_t)head, "%.*s\"", (int)(len - at - 1),
                 text + at + 1);
        BUFFER_LATER struct buffer b;
        buffer_init(&b, 100);
        assert_true(buffer_append_json_string(&b, (struct bytes){text, len}));
        assert_string_equal(b.ptr, want);
      }
}

static void test_json_string_up_to_the_maximum(void **state) {
  (void)state;
  BUFFER_LATER struct buffer b;
  buffer_init(&b, 6);
  assert_true(buffer_append_json_string(&b, BYTES_LITERAL("a\nb")) && b.len == 6);
  buffer_clear(&b);
  assert_false(buffer_append_json_string(&b, BYTES_LITERAL("abcde")));
  buffer_clear(&b);
  assert_false(buffer_append_json_string(&b, BYTES_LITERAL("a\n\n"))); /* only its escapes */
  assert_true(b.overflow);
  buffer_clear(&b);
  assert_true(buffer_append_json_string(&b, (struct bytes){0}));
  assert_string_equal(b.ptr, "\"\"");
}

static void test_consume_and_steal(void **state) {
  (void)state;
  struct buffer b;
  buffer_init(&b, 100);
  buffer_append_text(&b, "abcdef");
  buffer_consume(&b, 2);
  assert_string_equal(b.ptr, "cdef");
  buffer_consume(&b, 4);
  assert_int_equal(b.len, 0);
  buffer_append_text(&b, "again");
  FREE_LATER char *stolen = buffer_steal(&b);
  assert_string_equal(stolen, "again");
  assert_null(b.ptr);
  FREE_LATER char *empty = buffer_steal(&b);
  assert_string_equal(empty, "");
}

static void test_equality_and_copies(void **state) {
  (void)state;
  assert_true(bytes_equal(bytes_of(NULL), bytes_of("")));
  assert_false(bytes_equal(bytes_of("a"), bytes_of("b")));
  assert_false(bytes_equal(bytes_of("a"), bytes_of("ab")));
  FREE_LATER char *copy = bytes_dup((struct bytes){"abc", 2});
  assert_string_equal(copy, "ab");
}

static void test_equality_without_case(void **state) {
  (void)state;
  assert_true(bytes_equal_nocase(bytes_of(NULL), bytes_of("")));
  assert_true(bytes_equal_nocase(bytes_of("Content-Length"), bytes_of("content-length")));
  assert_true(bytes_equal_nocase((struct bytes){"HOSTS", 4}, bytes_of("host")));
  assert_false(bytes_equal_nocase(bytes_of("host"), bytes_of("hosts")));
  assert_false(bytes_equal_nocase(bytes_of("hosts"), bytes_of("host")));
  assert_false(bytes_equal_nocase(bytes_of("[ab"), bytes_of("{ab"))); /* 0x20 apart, no letters */
  assert_false(bytes_equal_nocase(BYTES_LITERAL("ho\0t"), bytes_of("host")));
}

static void test_parts(void **state) {
  (void)state;
  assert_true(bytes_ends_with(bytes_of("/v1/models"), BYTES_LITERAL("/models")));
  assert_true(bytes_ends_with(bytes_of("/models"), BYTES_LITERAL("/models")));
  assert_false(bytes_ends_with((struct bytes){"/models", 6}, BYTES_LITERAL("/models")));
  assert_false(bytes_ends_with(bytes_of("/models/"), BYTES_LITERAL("/models")));
  assert_false(bytes_ends_with(bytes_of(NULL), BYTES_LITERAL("x")));
  struct bytes text = BYTES_LITERAL("one\ntwo\nthree");
  assert_true(bytes_equal(bytes_until(text, BYTES_LITERAL("\n")), bytes_of("one")));
  assert_true(bytes_equal(bytes_until(text, BYTES_LITERAL("\nthree")), bytes_of("one\ntwo")));
  assert_true(bytes_equal(bytes_until(text, BYTES_LITERAL("four")), text));
  assert_int_equal(bytes_until(text, BYTES_LITERAL("one")).len, 0);
  assert_int_equal(bytes_until(bytes_of(NULL), BYTES_LITERAL("\n")).len, 0);
}

static void test_replace_owns_a_copy(void **state) {
  (void)state;
  FREE_LATER char *text = NULL;
  assert_int_equal(bytes_replace(&text, (struct bytes){"first", 4}), STATUS_OK);
  assert_string_equal(text, "firs");
  /* A part of what it replaces: copied before that is freed. */
  assert_int_equal(bytes_replace(&text, (struct bytes){text + 1, 2}), STATUS_OK);
  assert_string_equal(text, "ir");
  assert_int_equal(bytes_replace(&text, bytes_of(NULL)), STATUS_OK);
  assert_string_equal(text, "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_hex_both_ways),
      cmocka_unit_test(test_hex_refuses_other_text),
      cmocka_unit_test(test_append_up_to_the_maximum),
      cmocka_unit_test(test_overflow_is_sticky_until_cleared),
      cmocka_unit_test(test_overflow_is_sticky_while_there_is_room),
      cmocka_unit_test(test_appending_nothing_ends_the_text),
      cmocka_unit_test(test_a_huge_request_does_not_wrap),
      cmocka_unit_test(test_printf_short_and_long),
      cmocka_unit_test(test_integers_at_both_ends),
      cmocka_unit_test(test_json_string_escapes),
      cmocka_unit_test(test_json_string_at_every_place),
      cmocka_unit_test(test_json_string_up_to_the_maximum),
      cmocka_unit_test(test_consume_and_steal),
      cmocka_unit_test(test_equality_and_copies),
      cmocka_unit_test(test_equality_without_case),
      cmocka_unit_test(test_parts),
      cmocka_unit_test(test_replace_owns_a_copy),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
