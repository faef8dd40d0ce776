/* The hash chain, against a second implementation of its formula: one by hand, from texts. */
#include "debate/chain.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static void hash_of_two(struct bytes a, struct bytes b, uint8_t out[32]) {
  uint8_t joined[1024];
  assert_true(a.len + b.len <= sizeof joined);
  memcpy(joined, a.ptr, a.len);
  memcpy(joined + a.len, b.ptr, b.len);
  crypto_hash_sha256(out, joined, a.len + b.len);
}

static void test_digest_is_salted(void **state) {
  uint8_t salt[CHAIN_SALT_SIZE];
  uint8_t digest[CHAIN_HASH_SIZE];
  uint8_t want[CHAIN_HASH_SIZE];
  memset(salt, 7, sizeof salt);
  chain_digest(salt, BYTES_LITERAL("{\"a\":1}"), digest);
  hash_of_two((struct bytes){(const char *)salt, sizeof salt}, BYTES_LITERAL("{\"a\":1}"), want);
  assert_memory_equal(digest, want, sizeof want);
  salt[31] ^= 1;
  chain_digest(salt, BYTES_LITERAL("{\"a\":1}"), digest);
  assert_memory_not_equal(digest, want, sizeof want);
}

static void test_head_is_canonical(void **state) {
  uint8_t zero[CHAIN_HASH_SIZE] = {0};
  uint8_t digest[CHAIN_HASH_SIZE];
  uint8_t hash[CHAIN_HASH_SIZE];
  uint8_t want[CHAIN_HASH_SIZE];
  char hex[2 * CHAIN_HASH_SIZE + 1];
  char head[512];
  memset(digest, 0xab, sizeof digest);
  bytes_to_hex(digest, sizeof digest, hex);
  chain_extend(zero, 1, "debate_start", 1700000000000, -1, NULL, digest, hash);
  snprintf(head, sizeof head,
           "{\"agent\":null,\"data_digest\":\"%s\",\"round\":null,\"seq\":1,"
           "\"ts\":1700000000000,\"type\":\"debate_start\"}",
           hex);
  hash_of_two((struct bytes){(const char *)zero, sizeof zero}, bytes_of(head), want);
  assert_memory_equal(hash, want, sizeof want);
  uint8_t next[CHAIN_HASH_SIZE];
  chain_extend(hash, 2, "vote", 1700000000001, 0, "a\"b", digest, next);
  snprintf(head, sizeof head,
           "{\"agent\":\"a\\\"b\",\"data_digest\":\"%s\",\"round\":0,\"seq\":2,"
           "\"ts\":1700000000001,\"type\":\"vote\"}",
           hex);
  hash_of_two((struct bytes){(const char *)hash, sizeof hash}, bytes_of(head), want);
  assert_memory_equal(next, want, sizeof want);
}

static void test_every_field_counts(void **state) {
  uint8_t zero[CHAIN_HASH_SIZE] = {0};
  uint8_t one[CHAIN_HASH_SIZE] = {1};
  uint8_t base[CHAIN_HASH_SIZE];
  uint8_t other[7][CHAIN_HASH_SIZE];
  chain_extend(zero, 3, "vote", 9, 1, "a", zero, base);
  chain_extend(one, 3, "vote", 9, 1, "a", zero, other[0]);
  chain_extend(zero, 4, "vote", 9, 1, "a", zero, other[1]);
  chain_extend(zero, 3, "vot", 9, 1, "a", zero, other[2]);
  chain_extend(zero, 3, "vote", 8, 1, "a", zero, other[3]);
  chain_extend(zero, 3, "vote", 9, -1, "a", zero, other[4]);
  chain_extend(zero, 3, "vote", 9, 1, NULL, zero, other[5]);
  chain_extend(zero, 3, "vote", 9, 1, "a", one, other[6]);
  for (int i = 0; i < 7; i++) assert_memory_not_equal(base, other[i], sizeof base);
}

/* A head that does not fit gives a hash that nothing has, not the hash of a part. */
static void test_an_absurd_name_never_verifies(void **state) {
  static char name[3 << 20];
  uint8_t zero[CHAIN_HASH_SIZE] = {0};
  uint8_t hash[CHAIN_HASH_SIZE];
  memset(name, 'a', sizeof name - 1);
  chain_extend(zero, 1, "vote", 1, 1, name, zero, hash);
  assert_memory_equal(hash, zero, sizeof hash);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_digest_is_salted),
      cmocka_unit_test(test_head_is_canonical),
      cmocka_unit_test(test_every_field_counts),
      cmocka_unit_test(test_an_absurd_name_never_verifies),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
