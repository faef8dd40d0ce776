/* Hashes of passwords, made and compared by libsodium. */
#include "auth/password.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_a_hash_and_its_password(void **state) {
  (void)state;
  struct password_cost cost, other;
  char hash[PASSWORD_SIZE];
  password_cost_init(&cost, 8);
  password_cost_init(&other, 9);
  assert_int_equal(password_hash(&cost, BYTES_LITERAL("correct horse"), hash), STATUS_OK);
  assert_true(password_verify(&cost, hash, BYTES_LITERAL("correct horse")));
  assert_false(password_verify(&cost, hash, BYTES_LITERAL("correct house")));
  assert_false(password_is_outdated(&cost, hash));
  assert_true(password_is_outdated(&other, hash));
}

/* Made without hashing, it must still be one that libsodium reads, of the same cost: else a try at
 * an unknown account would be told by its time. */
static void test_of_an_unknown_account(void **state) {
  (void)state;
  struct password_cost cost, other;
  password_cost_init(&cost, 8);
  password_cost_init(&other, 8);
  assert_string_not_equal(cost.dummy, other.dummy);
  assert_int_equal(crypto_pwhash_str_needs_rehash(cost.dummy, cost.passes, cost.memory_bytes), 0);
  assert_false(password_verify(&cost, "", BYTES_LITERAL("anything")));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_hash_and_its_password),
      cmocka_unit_test(test_of_an_unknown_account),
  };
  if (sodium_init() < 0) return 1;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
