/* SHA-256 against published values and against a second library, wherever the parts begin. */
#include "base/sha256.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static void assert_hash(struct bytes data, const char *want) {
  uint8_t hash[SHA256_SIZE];
  char hex[2 * SHA256_SIZE + 1];
  sha256_of(data, hash);
  bytes_to_hex(hash, sizeof hash, hex);
  assert_string_equal(hex, want);
}

/* FIPS 180-4's examples as NIST publishes them with intermediate values, and the empty message. */
static void test_published_values(void **state) {
  (void)state;
  assert_hash((struct bytes){0},
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  assert_hash(BYTES_LITERAL("abc"),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  assert_hash(BYTES_LITERAL("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

/* Each length around two of its blocks of 64 bytes, cut in two at each place. */
static void test_parts_are_one_message(void **state) {
  (void)state;
  uint8_t data[130];
  for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)(i * 7 + 1);
  for (size_t len = 0; len <= sizeof data; len++) {
    uint8_t want[SHA256_SIZE];
    crypto_hash_sha256(want, data, len);
    for (size_t cut = 0; cut <= len; cut++) {
      uint8_t hash[SHA256_SIZE];
      const char *text = (const char *)data;
      const struct bytes parts[] = {{text, cut}, {NULL, 0}, {text + cut, len - cut}};
      sha256_of_parts(parts, 3, hash);
      assert_memory_equal(hash, want, sizeof want);
      struct sha256_stream stream;
      sha256_start(&stream);
      for (int i = 0; i < 3; i++) sha256_add(&stream, parts[i]);
      memset(hash, 0, sizeof hash);
      sha256_finish(&stream, hash);
      assert_memory_equal(hash, want, sizeof want);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_published_values),
      cmocka_unit_test(test_parts_are_one_message),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
