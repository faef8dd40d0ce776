/* What anybody may ask for says what is wrong, and not where. */
#include "api/health_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static void test_places_are_left_out(void **state) {
  static const char *const pairs[][2] = {
      {"", ""},
      {"all 4 database readers are busy", "all 4 database readers are busy"},
      {"/data/aragora_elo.db: disk I/O error: Input/output error",
       "...: disk I/O error: Input/output error"},
      {"cannot open \"/my data/b\": Permission denied",
       "cannot open \"... ...\": Permission denied"},
      {"cannot make the directory ./b/c: Not a directory",
       "cannot make the directory ...: Not a directory"},
      {"s3://bucket/name, which is far", "..., which is far"},
      {"'backups/x' (/y)", "'...' (...)"},
      {" trailing ", " trailing "},
  };
  (void)state;
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    char words[HEALTH_WORDS_SIZE];
    health_words(pairs[i][0], words);
    assert_string_equal(words, pairs[i][1]);
  }
}

static void test_a_long_one_is_cut(void **state) {
  char message[2 * HEALTH_WORDS_SIZE], words[HEALTH_WORDS_SIZE];
  (void)state;
  memset(message, 'a', sizeof message);
  message[sizeof message - 1] = '\0';
  health_words(message, words);
  assert_true(strlen(words) < HEALTH_WORDS_SIZE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_places_are_left_out),
      cmocka_unit_test(test_a_long_one_is_cut),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
