#include "auth/jws.h"

#include "base/json_scan.h"
#include "base/secret.h"

enum {
  MAC_SIZE = crypto_auth_hmacsha256_BYTES,
  MAC_TEXT_LEN = 43, /* of MAC_SIZE bytes without padding */
};

#define VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING

/* {"alg":"HS256","typ":"JWT"} */
static const char plain_header[] = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

void jws_key_init(struct jws_key *key, struct bytes secret) {
  crypto_auth_hmacsha256_init(&key->state, (const unsigned char *)secret.ptr, secret.len);
}

void jws_key_done(struct jws_key *key) {
  sodium_memzero(key, sizeof *key);
}

static void mac_of(const struct jws_key *key, struct bytes text, unsigned char mac[MAC_SIZE]) {
  crypto_auth_hmacsha256_state state = key->state;
  crypto_auth_hmacsha256_update(&state, (const unsigned char *)text.ptr, text.len);
  crypto_auth_hmacsha256_final(&state, mac);
}

/* libsodium 1.0.18 reads a byte beyond ASCII as if it were a digit: the same token would have many
 * texts. */
static bool is_ascii(struct bytes text) {
  unsigned char all = 0;
  for (size_t i = 0; i < text.len; i++) all |= (unsigned char)text.ptr[i];
  return all < 0x80;
}

/* Strict (see the header): libsodium refuses set bits that are not used, and we what it left over.
 */
static bool decode(struct bytes text, void *out, size_t size, size_t *ret_len) {
  size_t len = 0;
  const char *end = NULL;
  if (!is_ascii(text)) return false;
  if (sodium_base642bin(out, size, text.ptr, text.len, NULL, &len, &end, VARIANT)) return false;
  if (end != text.ptr + text.len) return false;
  *ret_len = len;
  return true;
}

/* Three parts, neither fewer nor more: a fourth would stand in the last one as a dot, which is no
 * character of base64url. */
static bool split(struct bytes text, struct bytes ret_parts[3]) {
  struct bytes rest = text;
  for (int i = 0; i < 2; i++) {
    const char *dot = rest.len ? memchr(rest.ptr, '.', rest.len) : NULL;
    if (!dot) return false;
    size_t len = (size_t)(dot - rest.ptr);
    ret_parts[i] = (struct bytes){rest.ptr, len};
    rest = (struct bytes){dot + 1, rest.len - len - 1};
  }
  ret_parts[2] = rest;
  return true;
}

static bool is_signed(struct bytes text, const struct bytes parts[3], const struct jws_key *key) {
  unsigned char given[MAC_SIZE], mac[MAC_SIZE];
  size_t len = 0;
  if (parts[2].len != MAC_TEXT_LEN) return false;
  if (!decode(parts[2], given, sizeof given, &len) || len != MAC_SIZE) return false;
  mac_of(key, (struct bytes){text.ptr, text.len - MAC_TEXT_LEN - 1}, mac);
  return secret_equal(given, mac, MAC_SIZE);
}

bool jws_members_note(struct jws_members *members, const struct json_scan *scan) {
  if (scan->key_escaped || members->count == JWS_MEMBERS_MAX) return false;
  for (size_t i = 0; i < members->count; i++)
    if (bytes_equal(members->keys[i], scan->key)) return false;
  members->keys[members->count++] = scan->key;
  return true;
}

/* One member of a header; false for one that makes the whole text invalid. */
static bool read_parameter(struct json_scan *scan, bool *alg, bool *plain) {
  struct bytes raw = {0};
  bool is_alg = json_scan_key_is(scan, "alg"), is_type = json_scan_key_is(scan, "typ");
  if (json_scan_key_is(scan, "crit") || json_scan_key_is(scan, "b64")) return false;
  if (!json_scan_raw(scan, &raw)) return false;
  if (is_alg) *alg = bytes_equal(raw, BYTES_LITERAL("\"HS256\""));
  if (is_alg) return *alg;
  if (!is_type || !bytes_equal(raw, BYTES_LITERAL("\"JWT\""))) *plain = false;
  return true;
}

static bool read_header(struct bytes text, bool *ret_plain) {
  struct json_scan scan;
  struct jws_members members = {0};
  bool alg = false, plain = true;
  json_scan_begin(&scan, text);
  if (!json_scan_object(&scan)) return false;
  while (json_scan_member(&scan))
    if (!jws_members_note(&members, &scan) || !read_parameter(&scan, &alg, &plain)) return false;
  *ret_plain = plain;
  return json_scan_end(&scan) && alg;
}

bool jws_open(struct bytes text, const struct jws_key *key, struct jws *ret_jws) {
  struct bytes parts[3];
  char header[JWS_TEXT_MAX];
  size_t header_len = 0;
  if (text.len > JWS_TEXT_MAX || !split(text, parts) || !is_signed(text, parts, key)) return false;
  return decode(parts[0], header, sizeof header, &header_len) &&
         read_header((struct bytes){header, header_len}, &ret_jws->plain) &&
         decode(parts[1], ret_jws->payload, sizeof ret_jws->payload, &ret_jws->payload_len);
}

static bool append_base64(struct buffer *out, const void *data, size_t len) {
  size_t size = sodium_base64_encoded_len(len, VARIANT); /* with the NUL */
  if (!buffer_reserve(out, size)) return false;
  sodium_bin2base64(out->ptr + out->len, size, data, len, VARIANT);
  out->len += size - 1;
  return true;
}

bool jws_append(struct buffer *out, const struct jws_key *key, struct bytes payload) {
  unsigned char mac[MAC_SIZE];
  size_t start = out->len;
  if (!buffer_append_text(out, plain_header) || !buffer_append_char(out, '.') ||
      !append_base64(out, payload.ptr, payload.len))
    return false;
  mac_of(key, (struct bytes){out->ptr + start, out->len - start}, mac);
  return buffer_append_char(out, '.') && append_base64(out, mac, sizeof mac);
}
