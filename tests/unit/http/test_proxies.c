#include "http/proxies.h"

#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

static void expect(const char *trusted, const char *peer, const char *forwarded_for,
                   const char *real_ip, const char *client) {
  struct proxies p;
  struct address a;
  char text[ADDRESS_SIZE];
  assert_int_equal(proxies_init(&p, trusted, NULL), STATUS_OK);
  assert_true(address_parse(bytes_of(peer), &a));
  struct address found = proxies_find_client(&p, &a, forwarded_for, real_ip);
  address_format(&found, text);
  assert_string_equal(text, client);
}

static void test_who_is_believed(void **state) {
  expect(NULL, "127.0.0.1", "192.0.2.7", NULL, "192.0.2.7");
  expect(NULL, "::1", "192.0.2.7", NULL, "192.0.2.7");
  expect(NULL, "127.0.0.1", NULL, NULL, "127.0.0.1");
  expect(NULL, "127.0.0.1", NULL, "192.0.2.7", "192.0.2.7");
  expect(NULL, "198.51.100.1", "192.0.2.7", "192.0.2.8", "198.51.100.1");
  expect("none", "127.0.0.1", "192.0.2.7", "192.0.2.8", "127.0.0.1");
  expect("10.0.0.0/8", "127.0.0.1", "192.0.2.7", NULL, "127.0.0.1");
  expect("10.0.0.0/8", "10.255.0.1", "192.0.2.7", NULL, "192.0.2.7");
  expect("10.0.0.0/8", "::ffff:10.255.0.1", "192.0.2.7", NULL, "192.0.2.7");
  expect("10.0.0.0/8", "11.0.0.1", "192.0.2.7", NULL, "11.0.0.1");
  expect("fd00::/8, 192.0.2.1", "fd12::1", "2001:db8::5", NULL, "2001:db8::5");
  expect("192.0.2.0/25", "192.0.2.128", "198.51.100.1", NULL, "192.0.2.128");
  expect("192.0.2.0/25", "192.0.2.127", "198.51.100.1", NULL, "198.51.100.1");
}

/* The client may write what it likes to the left of what the proxies add. */
static void test_the_right_end_counts(void **state) {
  expect(NULL, "127.0.0.1", "1.1.1.1, 192.0.2.7", NULL, "192.0.2.7");
  expect("localhost,10.0.0.0/8", "127.0.0.1", "1.1.1.1, 192.0.2.7, 10.0.0.3", NULL, "192.0.2.7");
  expect("localhost,10.0.0.0/8", "127.0.0.1", "10.0.0.9, 10.0.0.3", NULL, "10.0.0.9");
  expect(NULL, "127.0.0.1", "192.0.2.7, unknown", NULL, "127.0.0.1");
  expect("localhost,10.0.0.0/8", "127.0.0.1", "evil, 10.0.0.3", NULL, "10.0.0.3");
  expect(NULL, "127.0.0.1", "", NULL, "127.0.0.1");
  expect(NULL, "127.0.0.1", ",", NULL, "127.0.0.1");
  expect(NULL, "127.0.0.1", "192.0.2.7:4711", NULL, "192.0.2.7");
  expect(NULL, "127.0.0.1", "[2001:db8::7]:4711", NULL, "2001:db8::7");
  expect(NULL, "127.0.0.1", " 2001:db8::7\t", NULL, "2001:db8::7");
  expect(NULL, "127.0.0.1", "[2001:db8::7", NULL, "127.0.0.1");
}

static void test_no_endless_list(void **state) {
  char list[10 * 2 * PROXIES_HOPS_MAX + 1] = "";
  for (int i = 0; i < 2 * PROXIES_HOPS_MAX; i++) strcat(list, i ? ",127.0.0.1" : "127.0.0.1");
  expect(NULL, "127.0.0.1", list, NULL, "127.0.0.1");
}

static void test_bad_lists(void **state) {
  static const char *const bad[] = {
      "10.0.0.0/33", "10.0.0.0/",    "10.0.0.0/-1", "fd00::/129",   "10.0.0",
      "example.com", "10.0.0.1;::1", "/8",          "10.0.0.0/8/8", "*"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct proxies p;
    struct error err = {0};
    assert_int_equal(proxies_init(&p, bad[i], &err), STATUS_INVALID);
    assert_non_null(strstr(err.message, "ARAGORA_TRUSTED_PROXIES"));
    assert_non_null(strstr(err.message, "10.0.0.0/8"));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_who_is_believed),
      cmocka_unit_test(test_the_right_end_counts),
      cmocka_unit_test(test_no_endless_list),
      cmocka_unit_test(test_bad_lists),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
