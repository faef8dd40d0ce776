#include "auth/token.h"

#include "base/id.h"
#include "base/secret.h"
#include "base/sha256.h"

#include <sodium.h>
#include <stdio.h>

enum { MAC_BYTES = crypto_auth_hmacsha256_BYTES, MAC_HEX = 2 * MAC_BYTES, EXPIRY_DIGITS_MAX = 12 };

enum status api_token_init(struct api_token *t, const char *token) {
  *t = (struct api_token){0};
  if (!token) return STATUS_OK;
  t->secret = bytes_dup(bytes_of(token));
  if (!t->secret) return STATUS_NOMEM;
  t->set = true;
  sha256_of(bytes_of(token), t->hash);
  return STATUS_OK;
}

void api_token_done(struct api_token *t) {
  secret_free(t->secret);
  sodium_memzero(t, sizeof *t);
}

bool api_token_is_raw(const struct api_token *t, struct bytes text) {
  uint8_t hash[SHA256_SIZE];
  if (!t->set) return false;
  sha256_of(text, hash);
  return secret_equal(hash, t->hash, sizeof hash);
}

static void make_mac(const struct api_token *t, struct bytes text, uint8_t mac[MAC_BYTES]) {
  crypto_auth_hmacsha256_state state;
  crypto_auth_hmacsha256_init(&state, (const uint8_t *)t->secret, strlen(t->secret));
  crypto_auth_hmacsha256_update(&state, (const uint8_t *)text.ptr, text.len);
  crypto_auth_hmacsha256_final(&state, mac);
  sodium_memzero(&state, sizeof state);
}

/* Without sign, space or leading zeros, so that one moment has one text. */
static bool read_expiry(struct bytes digits, int64_t *ret_s) {
  int64_t value = 0;
  if (digits.len == 0 || digits.len > EXPIRY_DIGITS_MAX || digits.ptr[0] == '0') return false;
  for (size_t i = 0; i < digits.len; i++) {
    if (digits.ptr[i] < '0' || digits.ptr[i] > '9') return false;
    value = value * 10 + (digits.ptr[i] - '0');
  }
  *ret_s = value;
  return true;
}

bool api_token_is_signed(const struct api_token *t, struct bytes text, int64_t now_s,
                         int64_t *ret_expires_s) {
  uint8_t want[MAC_BYTES], have[MAC_BYTES];
  if (!t->set || text.len < MAC_HEX + 2 || text.len >= API_TOKEN_SIGNED_SIZE) return false;
  struct bytes signed_part = {text.ptr, text.len - MAC_HEX - 1};
  const char *hex = text.ptr + text.len - MAC_HEX;
  const char *colon = memchr(text.ptr, ':', signed_part.len);
  if (hex[-1] != ':' || !colon) return false;
  for (size_t i = 0; i < MAC_HEX; i++)
    if (!memchr("0123456789abcdef", hex[i], 16)) return false;
  if (sodium_hex2bin(have, sizeof have, hex, MAC_HEX, NULL, NULL, NULL) != 0) return false;
  struct bytes loop = {text.ptr, (size_t)(colon - text.ptr)};
  struct bytes digits = {colon + 1, signed_part.len - loop.len - 1};
  int64_t expires_s;
  if (loop.len > 0 && !id_valid(loop, API_TOKEN_LOOP_MAX)) return false;
  if (!read_expiry(digits, &expires_s)) return false;
  make_mac(t, signed_part, want);
  if (!secret_equal(want, have, sizeof want) || expires_s <= now_s) return false;
  *ret_expires_s = expires_s;
  return true;
}

enum status api_token_sign(const struct api_token *t, const char *loop_id, int64_t expires_s,
                           char out[API_TOKEN_SIGNED_SIZE]) {
  uint8_t mac[MAC_BYTES];
  if (!t->set || (*loop_id && !id_valid(bytes_of(loop_id), API_TOKEN_LOOP_MAX)) || expires_s <= 0)
    return STATUS_INVALID;
  int len = snprintf(out, API_TOKEN_SIGNED_SIZE, "%s:%lld", loop_id, (long long)expires_s);
  if (len < 0 || len + 1 + MAC_HEX >= API_TOKEN_SIGNED_SIZE) return STATUS_TOO_LARGE;
  make_mac(t, (struct bytes){out, (size_t)len}, mac);
  out[len] = ':';
  sodium_bin2hex(out + len + 1, MAC_HEX + 1, mac, sizeof mac);
  return STATUS_OK;
}
