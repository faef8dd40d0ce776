/* The text of a key: its form, its checksum, and that nothing else is taken for one. */
#include "auth/api_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>

/* The checksum by another implementation: python3, zlib.crc32 and divmod by 62. */
static const char known[] = "ara_00000000111111111111111111111111111113T5ERf";

static bool parses(struct bytes text) {
  char prefix[API_KEY_PREFIX_SIZE];
  uint8_t hash[SHA256_SIZE];
  return api_key_parse(text, prefix, hash);
}

static void test_made_keys_parse(void **state) {
  (void)state;
  char last[API_KEY_SIZE] = "";
  for (int i = 0; i < 1000; i++) {
    char key[API_KEY_SIZE], prefix[API_KEY_PREFIX_SIZE];
    uint8_t hash[SHA256_SIZE], same[SHA256_SIZE];
    api_key_make(key);
    assert_int_equal(strlen(key), API_KEY_CHARS);
    assert_true(api_key_claims(bytes_of(key)));
    assert_true(api_key_parse(bytes_of(key), prefix, hash));
    assert_int_equal(strlen(prefix), API_KEY_PREFIX_CHARS);
    assert_memory_equal(prefix, key, API_KEY_PREFIX_CHARS);
    sha256_of(bytes_of(key), same);
    assert_memory_equal(hash, same, sizeof hash);
    assert_string_not_equal(key, last);
    memcpy(last, key, sizeof last);
  }
}

static void test_the_checksum_is_that_of_zlib(void **state) {
  (void)state;
  assert_true(parses(bytes_of(known)));
}

/* A CRC-32 tells every change of one character. */
static void test_any_other_character_is_refused(void **state) {
  (void)state;
  for (int at = 0; at < API_KEY_CHARS; at++) {
    for (int c = 0; c < 256; c++) {
      char key[API_KEY_SIZE];
      memcpy(key, known, sizeof key);
      if ((char)c == key[at]) continue;
      key[at] = (char)c;
      if (parses((struct bytes){key, API_KEY_CHARS})) fail_msg("character %d as %d", at, c);
    }
  }
}

static void test_any_other_length_is_refused(void **state) {
  (void)state;
  char longer[API_KEY_SIZE + 1];
  for (size_t len = 0; len < API_KEY_CHARS; len++) assert_false(parses((struct bytes){known, len}));
  snprintf(longer, sizeof longer, "%s0", known);
  assert_false(parses(bytes_of(longer)));
  assert_false(parses((struct bytes){known, API_KEY_SIZE})); /* its NUL too */
  assert_false(parses((struct bytes){NULL, 0}));
}

static void test_what_claims_to_be_a_key(void **state) {
  (void)state;
  assert_true(api_key_claims(BYTES_LITERAL("ara_")));
  assert_true(api_key_claims(BYTES_LITERAL("ara_x")));
  assert_false(api_key_claims(BYTES_LITERAL("ara")));
  assert_false(api_key_claims(BYTES_LITERAL("ARA_x")));
  assert_false(api_key_claims((struct bytes){NULL, 0}));
}

int main(void) {
  if (sodium_init() < 0) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_made_keys_parse),
      cmocka_unit_test(test_the_checksum_is_that_of_zlib),
      cmocka_unit_test(test_any_other_character_is_refused),
      cmocka_unit_test(test_any_other_length_is_refused),
      cmocka_unit_test(test_what_claims_to_be_a_key),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
