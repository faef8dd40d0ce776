/* Ids are random, of one form, and safe wherever an id may stand. */
#include "base/id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static void test_form(void **state) {
  (void)state;
  for (int i = 0; i < 1000; i++) {
    char id[ID_SIZE];
    id_generate(id);
    assert_int_equal(strlen(id), ID_SIZE - 1);
    assert_int_equal(strspn(id, "abcdefghijklmnopqrstuvwxyz234567"), ID_SIZE - 1);
    assert_true(id_valid(bytes_of(id), ID_DEBATE_MAX));
  }
}

/* 128 bits: every digit but the last (3 bits of 5) takes many values, and no two ids agree. */
static void test_randomness_reaches_every_digit(void **state) {
  (void)state;
  enum { COUNT = 500 };
  static char ids[COUNT][ID_SIZE];
  uint32_t seen[ID_SIZE - 1] = {0};
  for (int i = 0; i < COUNT; i++) {
    id_generate(ids[i]);
    for (int j = 0; j < ID_SIZE - 1; j++)
      seen[j] |= 1u << (ids[i][j] >= 'a' ? ids[i][j] - 'a' : ids[i][j] - '2' + 26);
    for (int j = 0; j < i; j++) assert_string_not_equal(ids[i], ids[j]);
  }
  for (int j = 0; j < ID_SIZE - 2; j++) assert_int_equal(__builtin_popcount(seen[j]), 32);
  assert_int_equal(__builtin_popcount(seen[ID_SIZE - 2]), 8);
}

static void test_validity(void **state) {
  (void)state;
  assert_true(id_valid(BYTES_LITERAL("a"), 1));
  assert_true(id_valid(BYTES_LITERAL("Az09_-"), 6));
  assert_false(id_valid(BYTES_LITERAL("Az09_-x"), 6));
  assert_false(id_valid(BYTES_LITERAL(""), 6));
  static const char *const bad[] = {"a.b", "a/b", "..", "a b", "a\n", "a:b", "\xc3\xa9", "a%00"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_false(id_valid(bytes_of(bad[i]), 128));
  assert_false(id_valid(BYTES_LITERAL("a\0b"), 128));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_form),
      cmocka_unit_test(test_randomness_reaches_every_digit),
      cmocka_unit_test(test_validity),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
