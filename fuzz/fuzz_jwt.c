/* What an attacker can send as a token is refused; what stands in a token that our key has signed
 * is read within bounds, and what was accepted is signed and read again the same. The input is
 * three times the same bytes: as a whole text, as a header and as claims. */
#include "auth/jwt.h"

#include <stdlib.h>

enum { NOW = 1764464400 };
#define SECRET "0123456789abcdef0123456789abcdef"

static void append_base64(struct buffer *out, const uint8_t *data, size_t size) {
  size_t len = sodium_base64_encoded_len(size, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  if (!buffer_reserve(out, len)) abort();
  sodium_bin2base64(out->ptr + out->len, len, data, size, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  out->len += len - 1;
}

static void sign(struct buffer *out) {
  unsigned char mac[crypto_auth_hmacsha256_BYTES];
  crypto_auth_hmacsha256_state s;
  crypto_auth_hmacsha256_init(&s, (const unsigned char *)SECRET, sizeof SECRET - 1);
  crypto_auth_hmacsha256_update(&s, (const unsigned char *)out->ptr, out->len);
  crypto_auth_hmacsha256_final(&s, mac);
  buffer_append_char(out, '.');
  append_base64(out, mac, sizeof mac);
}

static void read_again(const struct jwt_keys *keys, const struct jwt_claims *claims) {
  struct jwt_claims again;
  BUFFER_LATER struct buffer text;
  buffer_init(&text, 4 * JWS_TEXT_MAX);
  if (jwt_sign(keys, claims, &text)) return; /* a long address in escapes */
  if (jwt_verify(keys, buffer_bytes(&text), claims->type, NOW, &again)) abort();
  if (strcmp(again.user_id, claims->user_id) != 0 || strcmp(again.email, claims->email) != 0 ||
      again.expires_s != claims->expires_s || again.token_version != claims->token_version)
    abort();
}

static void try_claims(const struct jwt_keys *keys, const uint8_t *data, size_t size) {
  BUFFER_LATER struct buffer text;
  struct jwt_claims claims;
  buffer_init(&text, 4 * JWS_TEXT_MAX);
  buffer_append_text(&text, "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.");
  append_base64(&text, data, size);
  sign(&text);
  if (!jwt_verify(keys, buffer_bytes(&text), JWT_ACCESS, NOW, &claims)) read_again(keys, &claims);
  if (!jwt_verify(keys, buffer_bytes(&text), JWT_REFRESH, NOW, &claims)) read_again(keys, &claims);
}

static void try_header(const struct jwt_keys *keys, const uint8_t *data, size_t size) {
  BUFFER_LATER struct buffer text;
  struct jws jws;
  buffer_init(&text, 4 * JWS_TEXT_MAX);
  append_base64(&text, data, size);
  buffer_append_text(&text, ".e30");
  sign(&text);
  if (jws_open(buffer_bytes(&text), &keys->current, &jws) && jws.payload_len != 2) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct jwt_keys keys;
  struct jwt_claims claims;
  if (jwt_keys_init(&keys, SECRET, NULL, 0, NULL)) abort();
  /* Nobody finds a MAC by chance. */
  if (!jwt_verify(&keys, (struct bytes){(const char *)data, size}, JWT_ACCESS, NOW, &claims))
    abort();
  if (size > JWS_TEXT_MAX) return 0;
  try_claims(&keys, data, size);
  try_header(&keys, data, size);
  return 0;
}
