#include "auth/password.h"

#include "base/metrics.h"

#include <stdio.h>

enum { PASSES = 2, KIB = 1024, MIB = 1024 * KIB, SALT_BYTES = 16, HASH_BYTES = 32 };

/* Standard base64 without padding, as the text of a hash has it. */
static void random_base64(char *out, size_t size, size_t count) {
  unsigned char bytes[HASH_BYTES];
  randombytes_buf(bytes, count);
  sodium_bin2base64(out, size, bytes, count, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
}

/* The text of a hash (the reference implementation's encoding.c) of which nobody knows a password:
 * checking one against it is the same work, and a start need not hash first. */
void password_cost_init(struct password_cost *cost, int64_t memory_mib) {
  *cost = (struct password_cost){.passes = PASSES, .memory_bytes = (size_t)memory_mib * MIB};
  char salt[sodium_base64_ENCODED_LEN(SALT_BYTES, sodium_base64_VARIANT_ORIGINAL_NO_PADDING)];
  char hash[sodium_base64_ENCODED_LEN(HASH_BYTES, sodium_base64_VARIANT_ORIGINAL_NO_PADDING)];
  random_base64(salt, sizeof salt, SALT_BYTES);
  random_base64(hash, sizeof hash, HASH_BYTES);
  snprintf(cost->dummy, sizeof cost->dummy, "$argon2id$v=%d$m=%zu,t=%d,p=1$%s$%s", 19,
           cost->memory_bytes / KIB, PASSES, salt, hash);
}

static size_t count_characters(struct bytes text) {
  size_t count = 0;
  for (size_t i = 0; i < text.len; i++) count += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
  return count;
}

enum status password_check(const char *field, struct bytes password, const char *email,
                           struct error *err) {
  size_t count = count_characters(password);
  if (count < PASSWORD_MIN || count > PASSWORD_MAX)
    return error_set(err, STATUS_INVALID, field, "a password has %d to %d characters", PASSWORD_MIN,
                     PASSWORD_MAX);
  if (bytes_equal_nocase(password, bytes_of(email))) /* public */
    return error_set(err, STATUS_INVALID, field, "a password must not be the address");
  return STATUS_OK;
}

enum status password_hash(const struct password_cost *cost, struct bytes password,
                          char ret_hash[PASSWORD_SIZE]) {
  metric_add(METRIC_PASSWORD_HASHES, NULL, 1);
  int rc = crypto_pwhash_str_alg(ret_hash, password.ptr, password.len, cost->passes,
                                 cost->memory_bytes, crypto_pwhash_ALG_ARGON2ID13);
  return rc ? STATUS_NOMEM : STATUS_OK;
}

bool password_verify(const struct password_cost *cost, const char *hash, struct bytes password) {
  bool known = *hash != '\0';
  metric_add(METRIC_PASSWORD_HASHES, NULL, 1);
  bool same = crypto_pwhash_str_verify(known ? hash : cost->dummy, password.ptr, password.len) == 0;
  return same && known;
}

bool password_is_outdated(const struct password_cost *cost, const char *hash) {
  return crypto_pwhash_str_needs_rehash(hash, cost->passes, cost->memory_bytes) != 0;
}
