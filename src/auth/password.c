#include "auth/password.h"

enum { PASSES = 2, MIB = 1024 * 1024 };

enum status password_cost_init(struct password_cost *cost, int64_t memory_mib, struct error *err) {
  *cost = (struct password_cost){.passes = PASSES, .memory_bytes = (size_t)memory_mib * MIB};
  unsigned char nothing[32];
  randombytes_buf(nothing, sizeof nothing);
  enum status status =
      password_hash(cost, (struct bytes){(const char *)nothing, sizeof nothing}, cost->dummy);
  sodium_memzero(nothing, sizeof nothing);
  return status ? error_set(err, status, "ARAGORA_PASSWORD_MEMORY_MIB",
                            "no memory for %lld MiB to hash a password", (long long)memory_mib)
                : STATUS_OK;
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
  int rc = crypto_pwhash_str_alg(ret_hash, password.ptr, password.len, cost->passes,
                                 cost->memory_bytes, crypto_pwhash_ALG_ARGON2ID13);
  return rc ? STATUS_NOMEM : STATUS_OK;
}

bool password_verify(const struct password_cost *cost, const char *hash, struct bytes password) {
  bool known = *hash != '\0';
  bool same = crypto_pwhash_str_verify(known ? hash : cost->dummy, password.ptr, password.len) == 0;
  return same && known;
}

bool password_is_outdated(const struct password_cost *cost, const char *hash) {
  return crypto_pwhash_str_needs_rehash(hash, cost->passes, cost->memory_bytes) != 0;
}
