/* ARAGORA_API_TOKEN, raw and signed. */
#include "auth/token.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

enum { NOW = 1800000000 };

/* printf '%s' web:1800003600 | openssl dgst -sha256 -hmac open-sesame */
#define SIGNED "web:1800003600:c20a78ba80a2cec9a657b1d7dcbadd3ca268abfa96f1af0827e0ab6aefdb7d36"

static struct api_token token;

static int setup(void **state) {
  return api_token_init(&token, "open-sesame");
}

static int teardown(void **state) {
  api_token_done(&token);
  return 0;
}

static bool holds(const char *text, int64_t now_s) {
  int64_t expires_s = -1;
  bool good = api_token_is_signed(&token, bytes_of(text), now_s, &expires_s);
  assert_int_equal(expires_s, good ? NOW + 3600 : -1);
  return good;
}

static void test_raw(void **state) {
  assert_true(api_token_is_raw(&token, BYTES_LITERAL("open-sesame")));
  assert_false(api_token_is_raw(&token, BYTES_LITERAL("open-sesame ")));
  assert_false(api_token_is_raw(&token, BYTES_LITERAL("open-sesam")));
  assert_false(api_token_is_raw(&token, BYTES_LITERAL("")));
  struct api_token none;
  assert_int_equal(api_token_init(&none, NULL), STATUS_OK);
  assert_false(api_token_is_raw(&none, BYTES_LITERAL("")));
  assert_false(api_token_is_raw(&none, BYTES_LITERAL("open-sesame")));
  api_token_done(&none);
}

static void test_signed_by_another_program(void **state) {
  assert_true(holds(SIGNED, NOW));
  assert_true(holds(SIGNED, NOW + 3599));
  assert_false(holds(SIGNED, NOW + 3600));
}

static void test_what_we_sign_holds(void **state) {
  char text[API_TOKEN_SIGNED_SIZE];
  assert_int_equal(api_token_sign(&token, "web", NOW + 3600, text), STATUS_OK);
  assert_string_equal(text, SIGNED);
  assert_int_equal(api_token_sign(&token, "", NOW + 3600, text), STATUS_OK);
  assert_true(holds(text, NOW));
  assert_int_equal(api_token_sign(&token, "a:b", NOW + 3600, text), STATUS_INVALID);
  char longest[API_TOKEN_LOOP_MAX + 2];
  memset(longest, 'x', sizeof longest);
  longest[API_TOKEN_LOOP_MAX + 1] = '\0';
  assert_int_equal(api_token_sign(&token, longest, NOW + 3600, text), STATUS_INVALID);
  assert_int_equal(api_token_sign(&token, longest + 1, NOW + 3600, text), STATUS_OK);
  assert_true(holds(text, NOW));
}

/* Every single character of it changed. */
static void test_no_other_text_holds(void **state) {
  for (size_t i = 0; i < sizeof SIGNED - 1; i++) {
    char text[] = SIGNED;
    text[i] ^= 1;
    assert_false(holds(text, NOW));
  }
  char upper[] = SIGNED;
  for (char *c = upper + 15; *c; c++)
    if (*c >= 'a' && *c <= 'f') *c -= 'a' - 'A';
  assert_false(holds(upper, NOW));
}

static void test_malformed(void **state) {
  static const char *const texts[] = {
      "",
      ":",
      "::",
      "web:1800003600:",
      "web:1800003600",
      "web::" /* no expiry */ "0000000000000000000000000000000000000000000000000000000000000000",
      ":0000000000000000000000000000000000000000000000000000000000000000",
      "web:1800003600:x" SIGNED,
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) assert_false(holds(texts[i], NOW));
  assert_false(
      api_token_is_signed(&token, (struct bytes){SIGNED "\0", sizeof SIGNED}, NOW, &(int64_t){0}));
}

static void sign(char *text, int len) {
  uint8_t mac[crypto_auth_hmacsha256_BYTES];
  crypto_auth_hmacsha256_state state;
  crypto_auth_hmacsha256_init(&state, (const uint8_t *)token.secret, strlen(token.secret));
  crypto_auth_hmacsha256_update(&state, (const uint8_t *)text, (size_t)len);
  crypto_auth_hmacsha256_final(&state, mac);
  text[len] = ':';
  sodium_bin2hex(text + len + 1, 2 * sizeof mac + 1, mac, sizeof mac);
}

/* Rightly signed, and yet not of the form: nothing is read leniently. */
static void test_signed_but_malformed(void **state) {
  static const char *const expiries[] = {
      "01800003600",         "+1800003600", " 1800003600", "1800003600 ", "1.8e9", "-1", "0", "",
      "99999999999999999999"};
  for (size_t i = 0; i < sizeof expiries / sizeof *expiries; i++) {
    char text[API_TOKEN_SIGNED_SIZE];
    sign(text, snprintf(text, sizeof text, "web:%s", expiries[i]));
    assert_false(holds(text, 0));
    sign(text, snprintf(text, sizeof text, "%s:1800003600", i % 2 ? "a b" : "a:b"));
    assert_false(holds(text, NOW));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_raw),
      cmocka_unit_test(test_signed_by_another_program),
      cmocka_unit_test(test_what_we_sign_holds),
      cmocka_unit_test(test_no_other_text_holds),
      cmocka_unit_test(test_malformed),
      cmocka_unit_test(test_signed_but_malformed),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
