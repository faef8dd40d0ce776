#include "http/guard.h"
#include "http/handshake.h"
#include "http/query.h"

#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

static void expect_target(const char *target, const char *path, const char *query) {
  struct bytes p, q;
  assert_true(query_split_target(bytes_of(target), &p, &q));
  assert_true(bytes_equal(p, bytes_of(path)));
  assert_true(bytes_equal(q, bytes_of(query)));
}

static void test_targets(void **state) {
  expect_target("/a/b", "/a/b", "");
  expect_target("/a?", "/a", "");
  expect_target("/a?b=c?d", "/a", "b=c?d");
  expect_target("http://evil.example/a?b", "/a", "b");
  expect_target("HTTPS://x:1", "/", "");
  expect_target("*", "*", "");
  struct bytes p, q;
  assert_false(query_split_target(bytes_of(""), &p, &q));
  assert_false(query_split_target(bytes_of("a/b"), &p, &q));
  assert_false(query_split_target(bytes_of("ftp://x/y"), &p, &q));
}

static void test_authority(void **state) {
  static const char *const cases[][2] = {
      {"http://a.example:80/b?c", "a.example:80"}, {"HTTPS://x?http://y/", "x"}, {"http:///a", ""}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct bytes authority = query_target_authority(bytes_of(cases[i][0]));
    assert_non_null(authority.ptr);
    assert_true(bytes_equal(authority, bytes_of(cases[i][1])));
  }
  assert_null(query_target_authority(bytes_of("/http://a/")).ptr);
  assert_null(query_target_authority(bytes_of("*")).ptr);
}

static void test_paths(void **state) {
  char out[64];
  assert_true(query_decode_path(bytes_of("/a%20b%2Fc%C3%A9+"), out));
  assert_string_equal(out, "/a b%2Fc\xc3\xa9+");
  static const char *const bad[] = {"/%", "/%4", "/%zz", "/%00", "/%0a", "/%ff", "/%7f"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_false(query_decode_path(bytes_of(bad[i]), out));
  }
}

static void expect_query(const char *query, const char *name, const char *value) {
  char *got = query_find(bytes_of(query), name);
  if (value) {
    assert_non_null(got);
    assert_string_equal(got, value);
  } else {
    assert_null(got);
  }
  free(got);
}

static void test_queries(void **state) {
  expect_query("a=1&b=2", "b", "2");
  expect_query("a=1&a=2", "a", "1");
  expect_query("a", "a", "");
  expect_query("a=", "a", "");
  expect_query("&&a=x%26y+z&", "a", "x&y z");
  expect_query("%61=1", "a", "1");
  expect_query("ab=1", "a", NULL);
  expect_query("a=%", "a", NULL);
  expect_query("a=%00", "a", NULL);
  expect_query("a=%ff", "a", NULL);
  expect_query("", "a", NULL);
}

static void test_handshake(void **state) {
  char out[HANDSHAKE_ACCEPT_SIZE];
  /* RFC 6455 section 1.3 */
  assert_true(handshake_accept("dGhlIHNhbXBsZSBub25jZQ==", out));
  assert_string_equal(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  assert_false(handshake_accept(NULL, out));
  assert_false(handshake_accept("", out));
  assert_false(handshake_accept("dGhlIHNhbXBsZSBub25jZQ=", out));
  assert_false(handshake_accept("dGhlIHNhbXBsZSBub25jZQAA", out));
  assert_false(handshake_accept("!!!!IHNhbXBsZSBub25jZQ==", out));
  assert_true(handshake_list_has("keep-alive, Upgrade", "upgrade"));
  assert_true(handshake_list_has("upgrade \t", "upgrade"));
  assert_false(handshake_list_has("keep-alive, upgraded", "upgrade"));
  assert_false(handshake_list_has(NULL, "upgrade"));
}

static void test_guard(void **state) {
  assert_true(guard_host_is_local("localhost"));
  assert_true(guard_host_is_local("LocalHost:8080"));
  assert_true(guard_host_is_local("127.0.0.1:1"));
  assert_true(guard_host_is_local("[::1]:8080"));
  assert_false(guard_host_is_local("localhost.evil.example"));
  assert_false(guard_host_is_local("127.0.0.1.evil"));
  assert_false(guard_host_is_local("localhost:80x"));
  assert_false(guard_host_is_local("0.0.0.0"));
  struct guard g;
  assert_int_equal(guard_init(&g, "*", true, NULL), STATUS_OK);
  assert_true(guard_admits(&g, "localhost", NULL));
  assert_true(guard_admits(&g, "localhost", "http://127.0.0.1:3000"));
  assert_false(guard_admits(&g, "localhost", "https://evil.example"));
  assert_false(guard_admits(&g, "localhost", "null"));
  assert_false(guard_admits(&g, "evil.example", NULL));
  assert_false(guard_admits(&g, NULL, NULL));
  assert_string_equal(guard_cors_origin(&g, "https://a"), "*");
  guard_done(&g);
  assert_int_equal(guard_init(&g, " https://a , https://b", false, NULL), STATUS_OK);
  assert_true(guard_admits(&g, "evil.example", "https://c"));
  assert_string_equal(guard_cors_origin(&g, "https://b"), "https://b");
  assert_null(guard_cors_origin(&g, "https://c"));
  assert_null(guard_cors_origin(&g, NULL));
  assert_true(guard_admits_websocket(&g, "c", "https://c"));
  assert_true(guard_admits_websocket(&g, "c", NULL));
  assert_false(guard_admits_websocket(&g, "c", "https://d"));
  guard_done(&g);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_targets),   cmocka_unit_test(test_authority),
      cmocka_unit_test(test_paths),     cmocka_unit_test(test_queries),
      cmocka_unit_test(test_handshake), cmocka_unit_test(test_guard),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
