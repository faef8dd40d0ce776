/* The protocol without sockets: every case in one piece, and byte by byte. */
#include "http/websocket.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { LIMIT = 4096 };

struct record {
  char log[512];
  size_t len;
  bool stop_at_message;
  struct websocket *w;
};

static void note(struct record *r, const char *format, ...) PRINTF_LIKE(2, 3);
static void note(struct record *r, const char *format, ...) {
  va_list args;
  va_start(args, format);
  int n = vsnprintf(r->log + r->len, sizeof r->log - r->len, format, args);
  va_end(args);
  assert_true(n >= 0 && (size_t)n < sizeof r->log - r->len);
  r->len += (size_t)n;
}

static void on_message(void *ctx, struct bytes text) {
  struct record *r = ctx;
  if (text.len > 20) {
    note(r, "M%zu ", text.len);
  } else {
    note(r, "M(%.*s) ", (int)text.len, text.len ? text.ptr : "");
  }
  if (r->stop_at_message) websocket_stop(r->w);
}

static void on_binary(void *ctx) {
  note(ctx, "B ");
}

static void on_ping(void *ctx, struct bytes payload) {
  note(ctx, "P(%.*s) ", (int)payload.len, payload.ptr);
}

static void on_pong(void *ctx) {
  note(ctx, "p ");
}

static void on_close(void *ctx, int code) {
  note(ctx, "C%d ", code);
}

static void on_fail(void *ctx, int code, const char *reason) {
  assert_true(strlen(reason) < 60);
  note(ctx, "F%d ", code);
}

static const struct websocket_ops ops = {on_message, on_binary, on_ping,
                                         on_pong,    on_close,  on_fail};

/* A client's frame: first byte as given, masked. */
static void put_frame(struct buffer *b, int first, const void *payload, size_t len) {
  static const uint8_t mask[4] = {0x12, 0xf4, 0x56, 0x9a};
  uint8_t head[WEBSOCKET_HEADER_MAX];
  size_t n = websocket_header(WEBSOCKET_TEXT, len, head);
  head[0] = (uint8_t)first;
  head[1] |= 0x80;
  buffer_append(b, head, n);
  buffer_append(b, mask, 4);
  for (size_t i = 0; i < len; i++) {
    buffer_append_char(b, (char)(((const uint8_t *)payload)[i] ^ mask[i & 3]));
  }
}

static void run(struct bytes in, size_t step, const char *expected) {
  struct record r = {0};
  struct websocket w;
  websocket_init(&w, LIMIT, &ops, &r);
  for (size_t at = 0; at < in.len; at += step) {
    size_t n = in.len - at < step ? in.len - at : step;
    /* a copy of its own, so that the sanitizer sees every read beyond it */
    char *piece = bytes_dup((struct bytes){in.ptr + at, n});
    websocket_feed(&w, (struct bytes){piece, n});
    free(piece);
  }
  assert_string_equal(r.log, expected);
  if (!w.over && !w.in_frame && w.unread == 0) assert_null(w.frames);
  websocket_done(&w);
}

static struct buffer in;

static void begin(void) {
  buffer_init(&in, 1 << 20);
}

static void expect(const char *expected) {
  static const size_t steps[] = {1, 2, 3, 7, 1000, 1 << 20};
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
    run(buffer_bytes(&in), steps[i], expected);
  }
  buffer_done(&in);
  begin();
}

static void put(int first, const char *payload) {
  put_frame(&in, first, payload, strlen(payload));
}

static void test_messages(void **state) {
  begin();
  put(0x81, "hello");
  put(0x81, "");
  put(0x81, "h\xc3\xa9");
  expect("M(hello) M() M(h\xc3\xa9) ");
  char big[LIMIT];
  memset(big, 'x', sizeof big);
  static const size_t sizes[] = {125, 126, 127, 1000, LIMIT};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    put_frame(&in, 0x81, big, sizes[i]);
    put(0x81, "next");
    char expected[32];
    snprintf(expected, sizeof expected, "M%zu M(next) ", sizes[i]);
    expect(expected);
  }
}

static void test_fragments(void **state) {
  begin();
  put(0x01, "hel");
  put(0x89, "are you there");
  put(0x00, "");
  put(0x80, "lo");
  put(0x8a, "");
  expect("P(are you there) M(hello) p ");
  put(0x01, "");
  put(0x80, "");
  expect("M() ");
  /* a character cut between fragments */
  put(0x01, "\xf0\x9f");
  put(0x80, "\x98\x80");
  expect("M(\xf0\x9f\x98\x80) ");
  put(0x80, "no beginning");
  expect("F1002 ");
  put(0x01, "a");
  put(0x81, "b");
  expect("F1002 ");
}

static void test_utf8(void **state) {
  begin();
  static const char *const bad[] = {"\x80",         "\xc0\xaf",     "\xe0\x9f\xbf", "\xed\xa0\x80",
                                    "\xf4\x90\x80", "\xf5",         "a\xc3",        "\xf0\x8f\xbf",
                                    "\xc3\x28",     "\xe2\x82\x28", "\xff"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    put(0x81, bad[i]);
    expect("F1007 ");
  }
  /* seen before the message is whole */
  put(0x01, "ok\xff");
  expect("F1007 ");
}

static void test_broken_frames(void **state) {
  begin();
  static const int firsts[] = {0xc1, 0xa1, 0x91, 0x83, 0x87, 0x8b, 0x8f, 0x09, 0x08};
  for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++) {
    put(firsts[i], "x");
    expect("F1002 ");
  }
  buffer_append(&in, "\x81\x01x", 3); /* not masked */
  expect("F1002 ");
  char big[200];
  memset(big, 'x', sizeof big);
  put_frame(&in, 0x89, big, 126);
  expect("F1002 ");
  put_frame(&in, 0x89, big, 125);
  buffer_append(&in, "\x81", 1);
  run(buffer_bytes(&in), 1 << 20,
      "P("
      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx) ");
  buffer_clear(&in);
  /* a length not written in the shortest way, and one of 2^63 */
  buffer_append(&in, "\x81\xfe\x00\x05\0\0\0\0hello", 13);
  expect("F1002 ");
  buffer_append(&in, "\x81\xff\x80\0\0\0\0\0\0\0\0\0\0\0xx", 16);
  expect("F1002 ");
}

/* Told of and dropped, within the limits of a text; what it holds need be no UTF-8. */
static void test_binary(void **state) {
  begin();
  char big[LIMIT + 1];
  memset(big, '\xff', sizeof big);
  put(0x82, "\xff\xfe");
  put(0x82, "");
  put(0x81, "text");
  put(0x02, "in \xff");
  put(0x89, "?");
  put(0x80, "pieces");
  put_frame(&in, 0x82, big, LIMIT);
  put(0x01, "two ");
  put(0x80, "texts");
  expect("B B M(text) P(?) B B M(two texts) ");
  put(0x02, "bytes");
  put(0x81, "within");
  expect("F1002 ");
  put_frame(&in, 0x82, big, LIMIT + 1);
  expect("F1009 ");
  put_frame(&in, 0x02, big, LIMIT);
  put(0x80, "x");
  expect("F1009 ");
}

static void test_too_large(void **state) {
  begin();
  char big[LIMIT + 1];
  memset(big, 'x', sizeof big);
  put_frame(&in, 0x81, big, LIMIT + 1);
  expect("F1009 ");
  put_frame(&in, 0x01, big, LIMIT);
  put(0x00, "");
  put(0x80, "x");
  expect("F1009 ");
}

static void test_close(void **state) {
  begin();
  put_frame(&in, 0x88, "", 0);
  put(0x81, "after");
  expect("C0 ");
  static const struct {
    int code;
    bool valid;
  } codes[] = {{0, 0},    {999, 0},  {1000, 1}, {1003, 1}, {1004, 0}, {1005, 0},
               {1006, 0}, {1007, 1}, {1011, 1}, {1014, 1}, {1015, 0}, {1016, 0},
               {2999, 0}, {3000, 1}, {4999, 1}, {5000, 0}, {65535, 0}};
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
    uint8_t payload[4] = {(uint8_t)(codes[i].code >> 8), (uint8_t)codes[i].code, 'o', 'k'};
    put_frame(&in, 0x88, payload, sizeof payload);
    char expected[16];
    snprintf(expected, sizeof expected, "%s%d ", codes[i].valid ? "C" : "F",
             codes[i].valid ? codes[i].code : 1002);
    expect(expected);
  }
  put_frame(&in, 0x88, "\x03", 1);
  expect("F1002 ");
  put_frame(&in, 0x88, "\x03\xe8\xff", 3);
  expect("F1007 ");
}

/* Once we closed, only the peer's close is of interest. */
static void test_stopped(void **state) {
  begin();
  put(0x81, "one");
  put(0x81, "two");
  put(0x89, "ping");
  put_frame(&in, 0x88, "\x03\xe8", 2);
  struct record r = {.stop_at_message = true};
  struct websocket w;
  websocket_init(&w, LIMIT, &ops, &r);
  r.w = &w;
  assert_false(websocket_feed(&w, buffer_bytes(&in)));
  assert_string_equal(r.log, "M(one) C1000 ");
  websocket_done(&w);
  buffer_done(&in);
}

static void test_headers(void **state) {
  uint8_t out[WEBSOCKET_HEADER_MAX];
  assert_int_equal(websocket_header(WEBSOCKET_TEXT, 125, out), 2);
  assert_memory_equal(out, "\x81\x7d", 2);
  assert_int_equal(websocket_header(WEBSOCKET_TEXT, 126, out), 4);
  assert_memory_equal(out, "\x81\x7e\x00\x7e", 4);
  assert_int_equal(websocket_header(WEBSOCKET_PONG, 65536, out), 10);
  assert_memory_equal(out, "\x8a\x7f\0\0\0\0\0\1\0\0", 10);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_messages), cmocka_unit_test(test_fragments),
      cmocka_unit_test(test_utf8),     cmocka_unit_test(test_broken_frames),
      cmocka_unit_test(test_binary),   cmocka_unit_test(test_too_large),
      cmocka_unit_test(test_close),    cmocka_unit_test(test_stopped),
      cmocka_unit_test(test_headers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
