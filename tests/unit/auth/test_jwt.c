/* Every public class of attack on JSON Web Tokens (RFC 8725), each beside the token next to it that
 * is in order. The attacker here holds the key, so that only the check in question can refuse. */
#include "auth/jwt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#define SECRET   "0123456789abcdef0123456789abcdef"
#define PREVIOUS "fedcba9876543210fedcba9876543210"
#define NOW      1764464400

static struct jwt_keys keys;

static int set_up(void **state) {
  (void)state;
  return jwt_keys_init(&keys, SECRET, PREVIOUS, NOW + 60, NULL);
}

/* ---- tokens made by hand ---- */

static void append_base64(struct buffer *out, const void *data, size_t len) {
  char text[3 * JWS_TEXT_MAX];
  sodium_bin2base64(text, sizeof text, data, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  buffer_append_text(out, text);
}

static void sign(struct buffer *out, const char *secret) {
  unsigned char mac[crypto_auth_hmacsha256_BYTES];
  crypto_auth_hmacsha256_state s;
  crypto_auth_hmacsha256_init(&s, (const unsigned char *)secret, strlen(secret));
  crypto_auth_hmacsha256_update(&s, (const unsigned char *)out->ptr, out->len);
  crypto_auth_hmacsha256_final(&s, mac);
  buffer_append_char(out, '.');
  append_base64(out, mac, sizeof mac);
}

static enum status try_bytes(struct bytes header, struct bytes payload, const char *secret) {
  struct jwt_claims claims;
  BUFFER_LATER struct buffer text;
  buffer_init(&text, 4 * JWS_TEXT_MAX);
  append_base64(&text, header.ptr, header.len);
  buffer_append_char(&text, '.');
  append_base64(&text, payload.ptr, payload.len);
  sign(&text, secret);
  return jwt_verify(&keys, buffer_bytes(&text), JWT_ACCESS, NOW, &claims);
}

#define GOOD_HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
/* All that is needed but the times. */
#define GOOD_START                                                                              \
  "{\"iss\":\"aragora\",\"aud\":\"aragora\",\"type\":\"access\",\"sub\":\"u1\",\"sid\":\"s1\"," \
  "\"jti\":\"t1\",\"tv\":1,\"iat\":1764464400"
#define GOOD_PAYLOAD GOOD_START ",\"exp\":1764464401}"

static enum status try_header(const char *header) {
  return try_bytes(bytes_of(header), bytes_of(GOOD_PAYLOAD), SECRET);
}

static enum status try_payload(const char *payload) {
  return try_bytes(bytes_of(GOOD_HEADER), bytes_of(payload), SECRET);
}

static enum status try_text(const char *text, size_t len) {
  struct jwt_claims claims;
  return jwt_verify(&keys, (struct bytes){text, len}, JWT_ACCESS, NOW, &claims);
}

static void refuse_headers(const char *const *headers, size_t count) {
  assert_int_equal(try_header(GOOD_HEADER), STATUS_OK);
  for (size_t i = 0; i < count; i++)
    if (try_header(headers[i]) != STATUS_DENIED) fail_msg("accepted: %s", headers[i]);
}

static void refuse_payloads(const char *const *payloads, size_t count) {
  assert_int_equal(try_payload(GOOD_PAYLOAD), STATUS_OK);
  for (size_t i = 0; i < count; i++)
    if (try_payload(payloads[i]) != STATUS_DENIED) fail_msg("accepted: %s", payloads[i]);
}
#define REFUSE_HEADERS(list)  refuse_headers(list, sizeof list / sizeof *list)
#define REFUSE_PAYLOADS(list) refuse_payloads(list, sizeof list / sizeof *list)

/* ---- the header ---- */

static void test_refuses_other_algorithms(void **state) {
  (void)state;
  static const char *const headers[] = {
      "{\"alg\":\"none\",\"typ\":\"JWT\"}",    "{\"alg\":\"None\",\"typ\":\"JWT\"}",
      "{\"alg\":\"nOnE\",\"typ\":\"JWT\"}",    "{\"alg\":\"NONE\",\"typ\":\"JWT\"}",
      "{\"alg\":\"\",\"typ\":\"JWT\"}",        "{\"alg\":null,\"typ\":\"JWT\"}",
      "{\"alg\":[\"HS256\"],\"typ\":\"JWT\"}", "{\"alg\":{\"HS256\":1},\"typ\":\"JWT\"}",
      "{\"alg\":256,\"typ\":\"JWT\"}",         "{\"typ\":\"JWT\"}",
      "{\"alg\":\"HS384\",\"typ\":\"JWT\"}",   "{\"alg\":\"HS512\",\"typ\":\"JWT\"}",
      "{\"alg\":\"RS256\",\"typ\":\"JWT\"}",   "{\"alg\":\"ES256\",\"typ\":\"JWT\"}",
      "{\"alg\":\"PS256\",\"typ\":\"JWT\"}",   "{\"alg\":\"EdDSA\",\"typ\":\"JWT\"}",
      "{\"alg\":\"hs256\",\"typ\":\"JWT\"}",   "{\"alg\":\"HS256 \",\"typ\":\"JWT\"}",
      "{\"Alg\":\"HS256\",\"typ\":\"JWT\"}",
  };
  REFUSE_HEADERS(headers);
}

static void test_refuses_algorithms_written_with_escapes(void **state) {
  (void)state;
  static const char *const headers[] = {
      "{\"alg\":\"\\u006eone\",\"typ\":\"JWT\"}",
      "{\"alg\":\"\\u0048S256\",\"typ\":\"JWT\"}",
      "{\"\\u0061lg\":\"HS256\",\"typ\":\"JWT\"}",
      "{\"alg\":\"HS256\",\"\\u0061lg\":\"none\",\"typ\":\"JWT\"}",
      "{\"alg\":\"HS256\\u0000\",\"typ\":\"JWT\"}",
  };
  REFUSE_HEADERS(headers);
}

/* Nothing is looked up by them here; a header that has any is not one of ours. */
static void test_refuses_keys_and_extensions_in_the_header(void **state) {
  (void)state;
  static const char *const headers[] = {
      "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"../../../../dev/null\"}",
      "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"x' UNION SELECT 'secret'--\"}",
      "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"\"}",
      "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"jku\":\"https://attacker.example/keys\"}",
      "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AA\"}}",
      "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"x5u\":\"https://attacker.example/c\"}",
      "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"x5c\":[\"AA\"]}",
      "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"crit\":[\"exp\"],\"exp\":1}",
      "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"crit\":[]}",
      "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"b64\":false,\"crit\":[\"b64\"]}",
      "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"b64\":true}",
      "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"zip\":\"DEF\"}",
      "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"cty\":\"JWT\"}",
      "{\"alg\":\"HS256\",\"typ\":\"secevent+jwt\"}",
      "{\"alg\":\"HS256\",\"typ\":null}",
  };
  REFUSE_HEADERS(headers);
}

static void test_refuses_headers_that_are_no_plain_object(void **state) {
  (void)state;
  static const char *const headers[] = {
      "",
      "null",
      "[]",
      "\"HS256\"",
      "[{\"alg\":\"HS256\",\"typ\":\"JWT\"}]",
      "{\"alg\":\"HS256\",\"typ\":\"JWT\"",
      "{\"alg\":\"HS256\",\"typ\":\"JWT\"}x",
      "{\"alg\":\"HS256\",\"typ\":\"JWT\"}{}",
      "{\"alg\":\"HS256\",\"typ\":\"JWT\",}",
      "{\"alg\":\"HS256\",\"alg\":\"none\",\"typ\":\"JWT\"}",
      "{\"alg\":\"none\",\"alg\":\"HS256\",\"typ\":\"JWT\"}",
      "{\"alg\":\"HS256\",\"alg\":\"HS256\",\"typ\":\"JWT\"}",
      "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"typ\":\"JWT\"}",
      "{'alg':'HS256','typ':'JWT'}",
      "{\"alg\":\"HS256\",/**/\"typ\":\"JWT\"}",
      "\xef\xbb\xbf{\"alg\":\"HS256\",\"typ\":\"JWT\"}",
  };
  REFUSE_HEADERS(headers);
  assert_int_equal(try_header(" { \"typ\" : \"JWT\" ,\n\"alg\" : \"HS256\" } "), STATUS_OK);
  assert_int_equal(try_header("{\"alg\":\"HS256\"}"), STATUS_OK); /* "typ" may be absent */
}

/* ---- times ---- */

static void test_keeps_to_the_second(void **state) {
  (void)state;
  assert_int_equal(try_payload(GOOD_START ",\"exp\":1764464401}"), STATUS_OK);
  assert_int_equal(try_payload(GOOD_START ",\"exp\":1764464400}"), STATUS_TIMEOUT);
  assert_int_equal(try_payload(GOOD_START ",\"exp\":1764464399}"), STATUS_TIMEOUT);
  assert_int_equal(try_payload(GOOD_START ",\"exp\":0}"), STATUS_TIMEOUT);
  assert_int_equal(try_payload(GOOD_START ",\"exp\":253402300799}"), STATUS_OK);
  assert_int_equal(try_payload(GOOD_START ",\"exp\":253402300800}"), STATUS_DENIED);
  assert_int_equal(try_payload(GOOD_START ",\"nbf\":1764464400,\"exp\":1764464401}"), STATUS_OK);
  assert_int_equal(try_payload(GOOD_START ",\"nbf\":1764464401,\"exp\":1764464402}"),
                   STATUS_DENIED);
}

static void test_refuses_a_token_from_the_future(void **state) {
  (void)state;
  static const char start[] =
      "{\"iss\":\"aragora\",\"aud\":\"aragora\",\"type\":\"access\",\"sub\":\"u1\","
      "\"sid\":\"s1\",\"jti\":\"t1\",\"tv\":1,\"exp\":1764469999,\"iat\":";
  char payload[400];
  snprintf(payload, sizeof payload, "%s%d}", start, NOW);
  assert_int_equal(try_payload(payload), STATUS_OK);
  snprintf(payload, sizeof payload, "%s%d}", start, NOW + 1);
  assert_int_equal(try_payload(payload), STATUS_DENIED);
}

static void test_takes_only_whole_numbers_for_times(void **state) {
  (void)state;
  static const char *const payloads[] = {
      GOOD_START ",\"exp\":NaN}",
      GOOD_START ",\"exp\":Infinity}",
      GOOD_START ",\"exp\":-Infinity}",
      GOOD_START ",\"exp\":1764464401.0}",
      GOOD_START ",\"exp\":1764464401.5}",
      GOOD_START ",\"exp\":1e300}",
      GOOD_START ",\"exp\":1e999}",
      GOOD_START ",\"exp\":1.7644644e9}",
      GOOD_START ",\"exp\":9223372036854775807}",
      GOOD_START ",\"exp\":9223372036854775808}",
      GOOD_START ",\"exp\":18446744073709551616}",
      GOOD_START ",\"exp\":99999999999999999999999999}",
      GOOD_START ",\"exp\":-1}",
      GOOD_START ",\"exp\":-9223372036854775808}",
      GOOD_START ",\"exp\":\"1764464401\"}",
      GOOD_START ",\"exp\":null}",
      GOOD_START ",\"exp\":true}",
      GOOD_START ",\"exp\":[1764464401]}",
      GOOD_START ",\"exp\":{}}",
      GOOD_START ",\"exp\":0x692b9a51}",
      GOOD_START ",\"exp\":+1764464401}",
      GOOD_START ",\"exp\":01764464401}",
      GOOD_START ",\"exp\":1764464401,\"nbf\":NaN}",
      GOOD_START ",\"exp\":1764464401,\"nbf\":1.5}",
      GOOD_START ",\"exp\":1764464401,\"nbf\":null}",
      GOOD_START "}",
  };
  REFUSE_PAYLOADS(payloads);
}

/* ---- claims ---- */

static void test_wants_every_claim_of_ours(void **state) {
  (void)state;
  static const struct {
    const char *find, *put;
  } cases[] = {
      {"\"iss\":\"aragora\"", "\"iss\":\"elsewhere\""},
      {"\"iss\":\"aragora\"", "\"iss\":\"Aragora\""},
      {"\"iss\":\"aragora\"", "\"iss\":\"aragora \""},
      {"\"iss\":\"aragora\"", "\"iss\":\"aragora\\u0000\""},
      {"\"iss\":\"aragora\"", "\"iss\":[\"aragora\"]"},
      {"\"iss\":\"aragora\"", "\"xiss\":\"aragora\""},
      {"\"aud\":\"aragora\"", "\"aud\":\"elsewhere\""},
      {"\"aud\":\"aragora\"", "\"aud\":[\"aragora\"]"},
      {"\"aud\":\"aragora\"", "\"aud\":null"},
      {"\"aud\":\"aragora\"", "\"xaud\":\"aragora\""},
      {"\"type\":\"access\"", "\"type\":\"refresh\""},
      {"\"type\":\"access\"", "\"type\":\"mfa_pending\""},
      {"\"type\":\"access\"", "\"type\":\"\""},
      {"\"type\":\"access\"", "\"xtype\":\"access\""},
      {"\"sub\":\"u1\"", "\"sub\":\"\""},
      {"\"sub\":\"u1\"", "\"sub\":1"},
      {"\"sub\":\"u1\"", "\"sub\":null"},
      {"\"sub\":\"u1\"", "\"sub\":\"u1/..\""},
      {"\"sub\":\"u1\"", "\"sub\":\"u1'--\""},
      {"\"sub\":\"u1\"", "\"xsub\":\"u1\""},
      {"\"sid\":\"s1\"", "\"xsid\":\"s1\""},
      {"\"jti\":\"t1\"", "\"xjti\":\"t1\""},
      {"\"tv\":1", "\"tv\":\"1\""},
      {"\"tv\":1", "\"tv\":1.0"},
      {"\"tv\":1", "\"tv\":-1"},
      {"\"tv\":1", "\"tv\":true"},
      {"\"tv\":1", "\"xtv\":1"},
      {"\"tv\":1", "\"tv\":1,\"tv\":2"},
      {"\"sub\":\"u1\"", "\"sub\":\"u1\",\"sub\":\"u2\""},
      {"\"sub\":\"u1\"", "\"sub\":\"u1\",\"\\u0073ub\":\"u2\""},
      {"\"sub\":\"u1\"", "\"sub\":\"u1\",\"email\":1"},
      {"\"sub\":\"u1\"", "\"sub\":\"u1\",\"role\":\"a role that is too long for any\""},
      {"\"sub\":\"u1\"", "\"sub\":\"u1\",\"x\":1,\"x\":2"},
      {"\"sub\":\"u1\"", "\"sub\":\"u1\",\"x\":\"\xff\""},
      {"\"iss\":\"aragora\"", "\"exp\":1764464499,\"iss\":\"aragora\""},
  };
  assert_int_equal(try_payload(GOOD_PAYLOAD), STATUS_OK);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *at = strstr(GOOD_PAYLOAD, cases[i].find);
    char payload[600];
    assert_non_null(at);
    snprintf(payload, sizeof payload, "%.*s%s%s", (int)(strlen(GOOD_PAYLOAD) - strlen(at)),
             GOOD_PAYLOAD, cases[i].put, at + strlen(cases[i].find));
    if (try_payload(payload) != STATUS_DENIED) fail_msg("accepted: %s", payload);
  }
}

static void test_refuses_claims_that_are_no_object(void **state) {
  (void)state;
  static const char *const payloads[] = {
      "",
      "null",
      "[]",
      "[" GOOD_PAYLOAD "]",
      GOOD_PAYLOAD "x",
      GOOD_PAYLOAD GOOD_PAYLOAD,
      GOOD_START ",\"exp\":1764464401",
      GOOD_START ",\"exp\":1764464401,}",
      "\xef\xbb\xbf" GOOD_PAYLOAD,
  };
  REFUSE_PAYLOADS(payloads);
  assert_int_equal(try_bytes(BYTES_LITERAL(GOOD_HEADER), BYTES_LITERAL(GOOD_PAYLOAD "\0"), SECRET),
                   STATUS_DENIED);
  assert_int_equal(try_bytes(BYTES_LITERAL(GOOD_HEADER "\0"), BYTES_LITERAL(GOOD_PAYLOAD), SECRET),
                   STATUS_DENIED);
}

static void append_members(struct buffer *out, int count) {
  buffer_append_text(out, GOOD_START ",\"exp\":1764464401");
  for (int i = 0; i < count; i++) buffer_printf(out, ",\"m%d\":%d", i, i);
  buffer_append_char(out, '}');
}

static void test_bounds_members_and_depth(void **state) {
  (void)state;
  BUFFER_LATER struct buffer payload;
  buffer_init(&payload, 4096);
  append_members(&payload, JWS_MEMBERS_MAX - 9);
  assert_int_equal(try_payload(payload.ptr), STATUS_OK);
  buffer_clear(&payload);
  append_members(&payload, JWS_MEMBERS_MAX - 8);
  assert_int_equal(try_payload(payload.ptr), STATUS_DENIED);
  buffer_clear(&payload);
  buffer_append_text(&payload, GOOD_START ",\"exp\":1764464401,\"x\":");
  for (int i = 0; i < 400; i++) buffer_append_char(&payload, '[');
  for (int i = 0; i < 400; i++) buffer_append_char(&payload, ']');
  buffer_append_char(&payload, '}');
  assert_int_equal(try_payload(payload.ptr), STATUS_DENIED);
}

/* ---- the text ---- */

static void test_refuses_texts_that_are_written_otherwise(void **state) {
  (void)state;
  struct jwt_claims claims = {.user_id = "u1",
                              .session_id = "s1",
                              .token_id = "t1",
                              .token_version = 1,
                              .issued_s = NOW,
                              .expires_s = NOW + 1};
  BUFFER_LATER struct buffer good, bad;
  buffer_init(&good, JWS_TEXT_MAX);
  buffer_init(&bad, JWS_TEXT_MAX);
  assert_int_equal(jwt_sign(&keys, &claims, &good), STATUS_OK);
  assert_int_equal(try_text(good.ptr, good.len), STATUS_OK);
  static const char *const before[] = {" ", "\n", "Bearer ", ".", "=", "\0"};
  static const char *const after[] = {" ", "\n", "\r\n", ".", "=", "==", "A", "&", "%00", "\xff"};
  for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
    buffer_clear(&bad);
    buffer_append(&bad, before[i], *before[i] ? strlen(before[i]) : 1);
    buffer_append_bytes(&bad, buffer_bytes(&good));
    assert_int_equal(try_text(bad.ptr, bad.len), STATUS_DENIED);
  }
  for (size_t i = 0; i < sizeof after / sizeof *after; i++) {
    buffer_clear(&bad);
    buffer_append_bytes(&bad, buffer_bytes(&good));
    buffer_append_text(&bad, after[i]);
    assert_int_equal(try_text(bad.ptr, bad.len), STATUS_DENIED);
  }
  assert_int_equal(try_text(good.ptr, good.len + 1), STATUS_DENIED); /* its NUL */
  assert_int_equal(try_text(NULL, 0), STATUS_DENIED);
  assert_int_equal(try_text("..", 2), STATUS_DENIED);
}

/* The last character of a MAC has two bits that mean nothing: with them set it would be another
 * text for the same token. */
static void test_refuses_bits_that_mean_nothing(void **state) {
  (void)state;
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  struct jwt_claims claims = {.user_id = "u1",
                              .session_id = "s1",
                              .token_id = "t1",
                              .token_version = 1,
                              .issued_s = NOW,
                              .expires_s = NOW + 1};
  BUFFER_LATER struct buffer text;
  buffer_init(&text, JWS_TEXT_MAX);
  assert_int_equal(jwt_sign(&keys, &claims, &text), STATUS_OK);
  char *last = text.ptr + text.len - 1;
  size_t value = (size_t)(strchr(digits, *last) - digits);
  assert_int_equal(value % 4, 0);
  assert_int_equal(try_text(text.ptr, text.len), STATUS_OK);
  for (size_t bits = 1; bits < 4; bits++) {
    *last = digits[value + bits];
    assert_int_equal(try_text(text.ptr, text.len), STATUS_DENIED);
  }
}

/* The same in the other two parts, signed as they stand: only the base64url is not in order. */
static void test_refuses_bits_that_mean_nothing_in_what_is_signed(void **state) {
  (void)state;
  /* A length that three does not divide leaves four bits unused, or two. */
  static const char *const headers[] = {"{\"alg\":\"HS256\",\"typ\":\"JWT\"}",
                                        " {\"alg\":\"HS256\",\"typ\":\"JWT\"}",
                                        "  {\"alg\":\"HS256\",\"typ\":\"JWT\"}"};
  static const char *const ends[] = {"}", " }", "  }"};
  int changed = 0;
  for (size_t i = 0; i < 9; i++) {
    char payload[400];
    snprintf(payload, sizeof payload, "%s,\"exp\":1764464401%s", GOOD_START, ends[i / 3]);
    for (int part = 0; part < 3; part++) { /* 2 = neither */
      BUFFER_LATER struct buffer text;
      buffer_init(&text, JWS_TEXT_MAX);
      append_base64(&text, headers[i % 3], strlen(headers[i % 3]));
      bool odd = part == 0 && strlen(headers[i % 3]) % 3;
      if (odd) text.ptr[text.len - 1]++;
      buffer_append_char(&text, '.');
      append_base64(&text, payload, strlen(payload));
      odd |= part == 1 && strlen(payload) % 3;
      if (part == 1 && odd) text.ptr[text.len - 1]++;
      sign(&text, SECRET);
      assert_int_equal(try_text(text.ptr, text.len), odd ? STATUS_DENIED : STATUS_OK);
      changed += odd;
    }
  }
  assert_int_equal(changed, 12); /* two of three lengths leave bits, nine pairs, two parts */
}

static void test_refuses_what_is_too_long(void **state) {
  (void)state;
  BUFFER_LATER struct buffer payload;
  buffer_init(&payload, 8192);
  buffer_append_text(&payload, GOOD_START ",\"exp\":1764464401,\"x\":\"");
  size_t room = 1475 - payload.len - 2; /* see test_jws.c */
  for (size_t i = 0; i < room; i++) buffer_append_char(&payload, 'x');
  buffer_append_text(&payload, "\"}");
  assert_int_equal(try_payload(payload.ptr), STATUS_OK);
  payload.len -= 2;
  buffer_append_text(&payload, "x\"}");
  assert_int_equal(try_payload(payload.ptr), STATUS_DENIED);
}

/* ---- keys ---- */

static void test_takes_the_previous_key_within_its_time_only(void **state) {
  (void)state;
  struct bytes header = BYTES_LITERAL(GOOD_HEADER), payload = BYTES_LITERAL(GOOD_PAYLOAD);
  assert_int_equal(try_bytes(header, payload, SECRET), STATUS_OK);
  assert_int_equal(try_bytes(header, payload, PREVIOUS), STATUS_OK);
  assert_int_equal(try_bytes(header, payload, "another key that nobody here knows"), STATUS_DENIED);
  assert_int_equal(try_bytes(header, payload, ""), STATUS_DENIED);
  keys.previous_until_s = NOW + 1;
  assert_int_equal(try_bytes(header, payload, PREVIOUS), STATUS_OK);
  keys.previous_until_s = NOW;
  assert_int_equal(try_bytes(header, payload, PREVIOUS), STATUS_DENIED);
  assert_int_equal(try_bytes(header, payload, SECRET), STATUS_OK);
  assert_int_equal(jwt_keys_init(&keys, SECRET, NULL, NOW + 60, NULL), STATUS_OK);
  assert_int_equal(try_bytes(header, payload, ""), STATUS_DENIED); /* no key is no empty key */
}

static void test_wants_a_long_secret(void **state) {
  (void)state;
  struct error err = {0};
  assert_int_equal(jwt_keys_init(&keys, "0123456789abcdef0123456789abcde", NULL, 0, &err),
                   STATUS_INVALID);
  assert_string_equal(err.field, "ARAGORA_JWT_SECRET");
  assert_int_equal(jwt_keys_init(&keys, SECRET, "short", NOW, &err), STATUS_INVALID);
  assert_string_equal(err.field, "ARAGORA_JWT_SECRET_PREVIOUS");
}

/* ---- our own ---- */

static void test_reads_what_it_signed(void **state) {
  (void)state;
  struct jwt_claims claims = {.type = JWT_REFRESH,
                              .user_id = "abcdefghijklmnopqrstuvwxyz",
                              .session_id = "s-2",
                              .token_id = "t_3",
                              .email = "a\"b@example.org",
                              .tenant_id = "local",
                              .role = "owner",
                              .token_version = 7,
                              .issued_s = NOW,
                              .not_before_s = NOW,
                              .expires_s = NOW + 60};
  struct jwt_claims read;
  BUFFER_LATER struct buffer text;
  buffer_init(&text, JWS_TEXT_MAX);
  assert_int_equal(jwt_sign(&keys, &claims, &text), STATUS_OK);
  assert_int_equal(jwt_verify(&keys, buffer_bytes(&text), JWT_ACCESS, NOW, &read), STATUS_DENIED);
  assert_int_equal(jwt_verify(&keys, buffer_bytes(&text), JWT_REFRESH, NOW, &read), STATUS_OK);
  assert_string_equal(read.user_id, claims.user_id);
  assert_string_equal(read.session_id, claims.session_id);
  assert_string_equal(read.token_id, claims.token_id);
  assert_string_equal(read.email, claims.email);
  assert_string_equal(read.tenant_id, claims.tenant_id);
  assert_string_equal(read.role, claims.role);
  assert_int_equal(read.token_version, 7);
  assert_int_equal(read.expires_s, NOW + 60);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(test_refuses_other_algorithms, set_up),
      cmocka_unit_test_setup(test_refuses_algorithms_written_with_escapes, set_up),
      cmocka_unit_test_setup(test_refuses_keys_and_extensions_in_the_header, set_up),
      cmocka_unit_test_setup(test_refuses_headers_that_are_no_plain_object, set_up),
      cmocka_unit_test_setup(test_keeps_to_the_second, set_up),
      cmocka_unit_test_setup(test_refuses_a_token_from_the_future, set_up),
      cmocka_unit_test_setup(test_takes_only_whole_numbers_for_times, set_up),
      cmocka_unit_test_setup(test_wants_every_claim_of_ours, set_up),
      cmocka_unit_test_setup(test_refuses_claims_that_are_no_object, set_up),
      cmocka_unit_test_setup(test_bounds_members_and_depth, set_up),
      cmocka_unit_test_setup(test_refuses_texts_that_are_written_otherwise, set_up),
      cmocka_unit_test_setup(test_refuses_bits_that_mean_nothing, set_up),
      cmocka_unit_test_setup(test_refuses_bits_that_mean_nothing_in_what_is_signed, set_up),
      cmocka_unit_test_setup(test_refuses_what_is_too_long, set_up),
      cmocka_unit_test_setup(test_takes_the_previous_key_within_its_time_only, set_up),
      cmocka_unit_test_setup(test_wants_a_long_secret, set_up),
      cmocka_unit_test_setup(test_reads_what_it_signed, set_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
