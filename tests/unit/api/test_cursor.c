#include "api/cursor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>
#include <sodium.h>

static void what_was_written_is_read(void **state) {
  static const int64_t times[] = {0, 1, 1764000000123, INT64_MAX};
  char text[CURSOR_SIZE];
  char longest[ID_DEBATE_MAX + 1];
  memset(longest, 'x', ID_DEBATE_MAX);
  longest[ID_DEBATE_MAX] = '\0';
  const char *const ids[] = {"a", "k7hm4q245e5qcfupq7dmcxzdxq", "-_-", longest};
  for (size_t t = 0; t < 4; t++)
    for (size_t i = 0; i < 4; i++) {
      struct cursor cursor;
      assert_true(cursor_write(times[t], ids[i], text));
      assert_int_equal(
          strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
          strlen(text)); /* goes into a query as it is */
      assert_int_equal(cursor_read(text, &cursor, NULL), STATUS_OK);
      assert_true(cursor.created_ms == times[t]);
      assert_string_equal(cursor.id, ids[i]);
    }
}

static void assert_refused(const char *text) {
  struct cursor cursor;
  struct error err = {0};
  assert_int_equal(cursor_read(text, &cursor, &err), STATUS_INVALID);
  assert_string_equal(err.field, "cursor");
}

static void nothing_else_is(void **state) {
  static const char *const plain[] = {"",      ",",     "1",          "1,",
                                      ",a",    "x,a",   "-1,a",       "99999999999999999999,a",
                                      "1,a b", "1,a,b", "1,\xc3\xa9", "9223372036854775808,a"};
  char text[CURSOR_SIZE];
  for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
    sodium_bin2base64(text, sizeof text, (const unsigned char *)plain[i], strlen(plain[i]),
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    assert_refused(text);
  }
  sodium_bin2base64(text, sizeof text, (const unsigned char *)"1,a\0b", 5,
                    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  assert_refused(text);
  assert_refused("not base64!");
  assert_refused("====");
  char endless[4096];
  memset(endless, 'A', sizeof endless - 1);
  endless[sizeof endless - 1] = '\0';
  assert_refused(endless);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_was_written_is_read),
      cmocka_unit_test(nothing_else_is),
  };
  if (sodium_init() < 0) return 1;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
