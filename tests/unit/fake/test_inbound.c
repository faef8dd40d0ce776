/* The request parser: what it takes, what it refuses, whole and cut anywhere. */
#include "fake/inbound.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static enum inbound_result parse(const char *text, struct inbound *ret_request, int *ret_status) {
  return inbound_parse(bytes_of(text), ret_request, ret_status);
}

static void check_bytes(struct bytes got, const char *expected) {
  assert_int_equal(got.len, strlen(expected));
  assert_memory_equal(got.ptr, expected, got.len);
}

static const char request[] =
    "POST /v1beta/models/g:generateContent?alt=sse HTTP/1.1\r\nHOST: x\r\nX-Fake-Fault:  cut \r\n"
    "Content-Length: 5\r\nConnection: keep-alive, Close\r\nExpect: 100-continue\r\n\r\nhello";

static void test_a_request(void **state) {
  (void)state;
  struct inbound r;
  int status;
  assert_int_equal(parse(request, &r, &status), INBOUND_WHOLE);
  check_bytes(r.method, "POST");
  check_bytes(r.path, "/v1beta/models/g:generateContent");
  check_bytes(r.query, "alt=sse");
  check_bytes(r.fault, "cut");
  check_bytes(r.body, "hello");
  assert_int_equal(r.total_bytes, sizeof request - 1);
  assert_true(r.close);
  assert_true(r.expects_continue);
  assert_false(r.old);
}

static void test_cut_anywhere(void **state) {
  (void)state;
  struct inbound r;
  int status;
  size_t head = sizeof request - 1 - 5;
  for (size_t n = 0; n < sizeof request - 1; n++) {
    char *piece = malloc(n ? n : 1); /* of exactly this size: a sanitizer sees what reads beyond */
    assert_non_null(piece);
    memcpy(piece, request, n);
    assert_int_equal(inbound_parse((struct bytes){piece, n}, &r, &status), INBOUND_MORE);
    assert_int_equal(r.head_bytes, n >= head ? head : 0);
    assert_int_equal(r.total_bytes, n >= head ? sizeof request - 1 : 0);
    free(piece);
  }
}

static void test_the_next_is_left(void **state) {
  (void)state;
  struct inbound r;
  int status;
  assert_int_equal(parse("GET /a HTTP/1.1\r\nhost:x\r\n\r\nGET /b", &r, &status), INBOUND_WHOLE);
  assert_int_equal(r.total_bytes, 27);
  assert_int_equal(r.body.len, 0);
  assert_false(r.close);
}

static void test_http_1_0(void **state) {
  (void)state;
  struct inbound r;
  int status;
  assert_int_equal(parse("GET /a HTTP/1.0\r\n\r\n", &r, &status), INBOUND_WHOLE);
  assert_true(r.old && r.close);
  assert_int_equal(parse("GET /a HTTP/1.0\r\nconnection: Keep-Alive\r\n\r\n", &r, &status),
                   INBOUND_WHOLE);
  assert_true(r.old && !r.close);
}

static void test_refused(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int status;
  } cases[] = {
      {"GET /a HTTP/1.1\nhost: x\n\n", 400},
      {"\n", 400},
      {"GET /a HTTP/1.1\r\n\r\n", 400},                       /* no host */
      {"GET /a HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n", 400}, /* two */
      {"GET /a HTTP/2\r\nhost: x\r\n\r\n", 505},
      {"GET  HTTP/1.1\r\nhost: x\r\n\r\n", 400},
      {"GET /a\x01 HTTP/1.1\r\nhost: x\r\n\r\n", 400},
      {"GET http://x/ HTTP/1.1\r\nhost: x\r\n\r\n", 400},
      {"G@T /a HTTP/1.1\r\nhost: x\r\n\r\n", 400},
      {"GET /a HTTP/1.1\r\nhost: x\r\n folded\r\n\r\n", 400},
      {"GET /a HTTP/1.1\r\nhost : x\r\n\r\n", 400},
      {"GET /a HTTP/1.1\r\nhost: x\r\nno-colon\r\n\r\n", 400},
      {"POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\na", 400},
      {"POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n", 400},
      {"POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 0x1\r\n\r\n", 400},
      {"POST /a HTTP/1.1\r\nhost: x\r\ncontent-length:\r\n\r\n", 400},
      {"POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999\r\n\r\n", 413},
      {"POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n", 501},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct inbound r;
    int status = 0;
    if (parse(cases[i].text, &r, &status) != INBOUND_BAD || status != cases[i].status)
      fail_msg("case %zu: status %d", i, status);
  }
}

static void test_limits(void **state) {
  (void)state;
  struct inbound r;
  int status = 0;
  char *text = malloc(INBOUND_HEAD_MAX + 1);
  assert_non_null(text);
  memset(text, 'a', INBOUND_HEAD_MAX);
  text[INBOUND_HEAD_MAX] = '\0';
  assert_int_equal(inbound_parse((struct bytes){text, INBOUND_HEAD_MAX - 1}, &r, &status),
                   INBOUND_MORE);
  assert_int_equal(parse(text, &r, &status), INBOUND_BAD);
  assert_int_equal(status, 431);
  BUFFER_LATER struct buffer many;
  buffer_init(&many, 1 << 20);
  buffer_append_text(&many, "GET / HTTP/1.1\r\nhost: x\r\n");
  for (int i = 0; i < INBOUND_HEADERS_MAX; i++) buffer_append_text(&many, "a: b\r\n");
  buffer_append_text(&many, "\r\n");
  assert_int_equal(parse(many.ptr, &r, &status), INBOUND_BAD);
  assert_int_equal(status, 431);
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_request),        cmocka_unit_test(test_cut_anywhere),
      cmocka_unit_test(test_the_next_is_left), cmocka_unit_test(test_http_1_0),
      cmocka_unit_test(test_refused),          cmocka_unit_test(test_limits)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
