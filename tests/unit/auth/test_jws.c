/* Public test vectors against our verifier: HMAC-SHA-256 of RFC 4231, the example of RFC 7515, and
 * all HS256 cases of the Wycheproof project. */
#include "auth/jws.h"

#include "base/json_scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

enum { SECRET_MAX = 256 };

/* ---- RFC 4231: what jws_append signs with is HMAC-SHA-256 ---- */

/* Sections 4.2 to 4.8, without 4.6, which is about truncation. */
static const struct hmac_case {
  const char *key, *data, *mac; /* hexadecimal */
} hmac_cases[] = {
    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {"4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
     "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
     "dddddddddddddddddddddddddddddddd",
     "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
    {"0102030405060708090a0b0c0d0e0f10111213141516171819",
     "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
     "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
     "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
};

static size_t from_hex(const char *hex, uint8_t *out) {
  size_t len = strlen(hex) / 2;
  assert_true(bytes_from_hex(bytes_of(hex), out, len));
  return len;
}

static void test_macs_are_those_of_rfc_4231(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof hmac_cases / sizeof *hmac_cases; i++) {
    uint8_t secret[SECRET_MAX], data[SECRET_MAX], mac[32], ours[32];
    size_t secret_len = from_hex(hmac_cases[i].key, secret);
    size_t len = from_hex(hmac_cases[i].data, data);
    struct jws_key key;
    jws_key_init(&key, (struct bytes){(const char *)secret, secret_len});
    crypto_auth_hmacsha256_update(&key.state, data, len);
    crypto_auth_hmacsha256_final(&key.state, ours);
    from_hex(hmac_cases[i].mac, mac);
    assert_memory_equal(ours, mac, sizeof mac);
  }
}

/* ---- JSON Web Signatures ---- */

static struct jws_key key_of(const char *base64) {
  unsigned char secret[SECRET_MAX];
  size_t len = 0;
  struct jws_key key;
  assert_int_equal(sodium_base642bin(secret, sizeof secret, base64, strlen(base64), NULL, &len,
                                     NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING),
                   0);
  jws_key_init(&key, (struct bytes){(const char *)secret, len});
  return key;
}

/* RFC 7515, appendix A.1. */
static void test_opens_the_example_of_rfc_7515(void **state) {
  (void)state;
  static const char text[] =
      "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
      ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
      "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
      ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
  static const char payload[] =
      "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";
  struct jws_key key = key_of(
      "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow");
  struct jws jws;
  assert_true(jws_open(bytes_of(text), &key, &jws));
  assert_true(jws.plain);
  assert_int_equal(jws.payload_len, sizeof payload - 1);
  assert_memory_equal(jws.payload, payload, sizeof payload - 1);
}

/* Wycheproof, github.com/C2SP/wycheproof, testvectors_v1/json_web_signature_test.json: all cases of
 * its groups "hs256" (1 to 17) and "base64" (357 to 377), by their numbers. */
struct vector {
  int number;
  bool valid;
  const char *text;
};

#define H1 "eyJhbGciOiJIUzI1NiIsImtpZCI6ImtpZC1hZXMtc2lnbiJ9"
#define M1 "TD37p4c_0jmreSrBSDmE0F3mYSPtkZ3WrSyI5wb_KTg"
static const struct vector hs256[] = {
    {1, true, H1 ".Zm9v." M1},
    {2, false, H1 ".Zm9v.XD37p4c_0jmreSrBSDmE0F3mYSPtkZ3WrSyI5wb_KTg"},
    {3, false, H1 ".Zm9v."},
    {4, false, H1 ".Zm9v"},
    {5, false, H1 ".WG9v." M1},
    {6, false, H1 ".." M1},
    {7, false, H1 "." M1},
    {8, false, "eyJhbGciOiJIUzI1NiIsImtpZCI6IlhpZC1hZXMtc2lnbiJ9.Zm9v." M1},
    {9, false, ".Zm9v." M1},
    {10, false, "Zm9v." M1},
    {11, false, ".Zm9v."},
    {12, false, "Zm9v"},
    {13, false, ""},
    {14, false, H1 ".Zm9v." M1 "."},
    {15, false, H1 ".Zm9v." M1 ".foo"},
    {16, false, "eyJhbGciOiJub25lIiwia2lkIjoia2lkLWFlcy1zaWduIn0.Zm9v."},
    {17, false,
     "{\"payload\":\"Zm9v\",\"signatures\":[{\"protected\":\"" H1
     "\",\"header\":{\"unknown\":\"untrustworthy\"},\"signature\":\"" M1 "\"}"},
};

/* 367 and 370, "invalid", are byte for byte 357, "valid", and so left out. 372 and 373 are marked
 * "valid" although a '?' was put in after signing; a strict reader refuses it (RFC 7515 section 2,
 * RFC 4648 section 3.3), as the rest of the group asks. */
#define H2 "eyJraWQiOiJoczI1Ni1rZXkiLCJhbGciOiJIUzI1NiJ9"
#define M2 "c1LROH7eNQwUT8KMVEO52VC3WZ9e_AnDWbZ7aMmowV8"
static const struct vector base64[] = {
    {357, true, H2 ".VGVzdA." M2},
    {358, true, H2 ".VDIxMzI1NjY4.AAAAtBuQqoI9HuBeAsgjL4nx8sCGYJa5-G2OrureLO4"},
    {359, true, H2 ".VDgxMjM0MTM.____ETVRY0lRV9XgQeYX6ixdGT0NLHYb-wZem_ifJ5k"},
    {360, false, H2 ".VGVzdA.    " M2},
    {361, false, H2 ".VGVzdA.?" M2},
    {362, false, H2 ".VGVzdA." M2 "?"},
    {363, false, H2 ".VDIxMzI1NjY4.?AAAtBuQqoI9HuBeAsgjL4nx8sCGYJa5-G2OrureLO4"},
    {364, false, H2 ".VDgxMjM0MTM.????ETVRY0lRV9XgQeYX6ixdGT0NLHYb-wZem_ifJ5k"},
    {365, false, H2 "    .VGVzdA.DR-cdw2cCB53b3mpzMfk2gKTeyN0PhXBrTW1atMfSdM"},
    {366, false, H2 "####.VGVzdA.23srvDiEYo7665_26qKv4D-0E2a149WRWH_av2ki2I4"},
    {368, false, H2 ".    VGVzdA.AbPJgmXfihyNBUYpbdPK8qRpPjNuTE-Z_wYQyrU2lMQ"},
    {369, false, H2 ".####VGVzdA.Ixs2CdBkk8qjqe2-hq2dobqVvv9iDcDS6gPNgoXJyFY"},
    {371, false, H2 ".?VGVzdA.q0zEA3Js33N6HcOFfBK875qJ_nFwSzI9SN9qJnx5sOc"},
    {372, false, "eyJraWQiOiJoczI1Ni1rZXkiLCJhbGciOiJIUzI1NiJ?9.VGVzdA." M2},
    {373, false, H2 ".VGVzdA?." M2},
    {374, false, H2 ".AB.8sL_ycV8G_D-K_2A3I0EW3NoPMeQzv13cAzuHlQ5TAE"},
    {375, false, H2 ".AB.9phoKDvkBMAqTgeVIYeqAi6-lvC0pbKg9ER--3T97w0"},
    {376, true,
     "eyAia2lkIiA6ICJoczI1Ni1rZXkiLCAiYWxnIiA6ICJIUzI1NiIgfQ.VGVzdA"
     ".3nl1C7dKVGLfNyALp4ZKkmNFBJlFP8M9VGzCyil9S1c"},
    {377, true,
     "eyJraWQiOiJoczI1Ni1rZXkiLAoJImFsZyI6IkhTMjU2In0.VGVzdA"
     ".Yxn8cTl7IHpFIoEPOFrWmjm-GQlr_RMqHNJOp1ZuweY"},
};

static void check(const struct vector *vectors, size_t count, const char *secret) {
  struct jws_key key = key_of(secret);
  struct jws jws;
  for (size_t i = 0; i < count; i++)
    if (jws_open(bytes_of(vectors[i].text), &key, &jws) != vectors[i].valid)
      fail_msg("vector %d", vectors[i].number);
}

static void test_agrees_with_wycheproof(void **state) {
  (void)state;
  check(hs256, sizeof hs256 / sizeof *hs256, "-ebuDNsVZ2iJtoZ-akfXTSCt4UO2cruLCsbWlBinggE");
  check(base64, sizeof base64 / sizeof *base64, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
}

/* Every one-bit change of a signed text, and every cut of it, is noticed. */
static void test_notices_every_change(void **state) {
  (void)state;
  struct jws_key key;
  struct jws jws;
  BUFFER_LATER struct buffer text;
  jws_key_init(&key, BYTES_LITERAL("0123456789abcdef0123456789abcdef"));
  buffer_init(&text, JWS_TEXT_MAX);
  assert_true(jws_append(&text, &key, BYTES_LITERAL("{\"a\":1}")));
  assert_true(jws_open(buffer_bytes(&text), &key, &jws) && jws.plain);
  for (size_t i = 0; i < text.len * 8; i++) {
    text.ptr[i / 8] = (char)(text.ptr[i / 8] ^ (1 << i % 8));
    assert_false(jws_open(buffer_bytes(&text), &key, &jws));
    text.ptr[i / 8] = (char)(text.ptr[i / 8] ^ (1 << i % 8));
  }
  for (size_t len = 0; len < text.len; len++)
    assert_false(jws_open((struct bytes){text.ptr, len}, &key, &jws));
}

static void test_holds_the_longest_text_and_no_more(void **state) {
  (void)state;
  struct jws_key key;
  static struct jws jws;
  static char payload[JWS_TEXT_MAX];
  BUFFER_LATER struct buffer text;
  jws_key_init(&key, BYTES_LITERAL("0123456789abcdef0123456789abcdef"));
  memset(payload, 'x', sizeof payload);
  /* 36 of the header, two dots, 43 of the MAC: 1967 are left, four for three bytes. */
  const size_t longest = 1475;
  buffer_init(&text, JWS_TEXT_MAX + 10);
  assert_true(jws_append(&text, &key, (struct bytes){payload, longest}));
  assert_true(text.len == JWS_TEXT_MAX);
  assert_true(jws_open(buffer_bytes(&text), &key, &jws));
  assert_int_equal(jws.payload_len, longest);
  buffer_clear(&text);
  assert_true(jws_append(&text, &key, (struct bytes){payload, longest + 1}));
  assert_true(text.len > JWS_TEXT_MAX);
  assert_false(jws_open(buffer_bytes(&text), &key, &jws));
}

/* 64 characters and no other byte may stand in a text. */
static void test_takes_only_the_alphabet(void **state) {
  (void)state;
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  struct jws_key key = key_of("-ebuDNsVZ2iJtoZ-akfXTSCt4UO2cruLCsbWlBinggE");
  struct jws jws;
  for (int c = 0; c < 256; c++) {
    char text[] = H1 ".Zm9v." M1;
    char *at = strrchr(text, '.') + 1;
    bool same = *at == (char)c;
    bool digit = c && strchr(digits, c);
    *at = (char)c;
    assert_int_equal(jws_open((struct bytes){text, sizeof text - 1}, &key, &jws), same && digit);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_macs_are_those_of_rfc_4231),
      cmocka_unit_test(test_opens_the_example_of_rfc_7515),
      cmocka_unit_test(test_agrees_with_wycheproof),
      cmocka_unit_test(test_takes_only_the_alphabet),
      cmocka_unit_test(test_notices_every_change),
      cmocka_unit_test(test_holds_the_longest_text_and_no_more),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
