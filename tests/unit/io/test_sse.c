/* Events come out the same however the bytes are cut, and nothing grows without bound. */
#include "io/sse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
// clang-format off
#include <cmocka.h>
// clang-format on

struct seen {
  struct buffer text; /* "name|data;" of every event */
  int events, stop_after;
};

static bool on_event(void *ctx, struct bytes name, struct bytes data) {
  struct seen *seen = ctx;
  buffer_printf(&seen->text, "%.*s|%.*s;", (int)name.len, name.ptr ? name.ptr : "", (int)data.len,
                data.ptr ? data.ptr : "");
  return ++seen->events != seen->stop_after;
}

static bool decode(struct bytes stream, size_t step, bool flush, struct seen *seen) {
  struct sse_decoder d;
  *seen = (struct seen){0};
  buffer_init(&seen->text, 4096);
  sse_decoder_init(&d, 200, on_event, seen);
  bool ok = true;
  for (size_t i = 0; i < stream.len && ok; i += step)
    ok = sse_decoder_feed(
        &d, (struct bytes){stream.ptr + i, step < stream.len - i ? step : stream.len - i});
  if (ok && flush) ok = sse_decoder_flush(&d);
  sse_decoder_done(&d);
  return ok;
}

static void gives(const char *stream, const char *expected) {
  for (size_t step = 1; step <= strlen(stream) + 1; step++) {
    struct seen seen;
    assert_true(decode(bytes_of(stream), step, false, &seen));
    assert_string_equal(seen.text.ptr ? seen.text.ptr : "", expected);
    buffer_done(&seen.text);
  }
}

static void test_forms(void **state) {
  (void)state;
  gives("data: a\n\ndata: b\n\n", "|a;|b;");
  gives("data:a\n\n", "|a;");
  gives("data:  two spaces\n\n", "| two spaces;");
  gives("data: a\r\n\r\ndata: b\r\n\r\n", "|a;|b;");
  gives("data: a\r\rdata: b\r\r", "|a;|b;");
  gives("data: a\r\n\ndata: b\n\r\n", "|a;|b;");
  gives(
      "\xef\xbb\xbf"
      "data: a\n\n",
      "|a;");
  gives("data: \xef\xbb\xbf\n\n", "|\xef\xbb\xbf;");
  gives("event: ping\ndata: {}\n\n", "ping|{};");
  gives("event: ping\n\ndata: x\n\n", "|x;"); /* a name without data is no event, nor kept */
  gives(": OPENROUTER PROCESSING\n\n: keep-alive\n\ndata: x\n\n", "|x;");
  gives("data: one\ndata: two\ndata: three\n\n", "|one\ntwo\nthree;");
  gives("data\ndata\n\n", "|\n;");
  gives("data:\n\n", "|;");
  gives("id: 7\nretry: 5\nother: z\ndata: x\nnocolon\n\n", "|x;");
  gives("\n\n\n\ndata: x\n\n\n\n", "|x;");
  gives("data: caf\xc3\xa9 \xe2\x82\xac\n\n", "|caf\xc3\xa9 \xe2\x82\xac;");
  gives("data: never ended\n", "");
}

static void test_flush_takes_the_last(void **state) {
  (void)state;
  struct seen seen;
  assert_true(decode(BYTES_LITERAL("data: a\n\ndata: b"), 3, true, &seen));
  assert_string_equal(seen.text.ptr, "|a;|b;");
  buffer_done(&seen.text);
  assert_true(decode(BYTES_LITERAL("data: a\n\n"), 3, true, &seen));
  assert_string_equal(seen.text.ptr, "|a;");
  buffer_done(&seen.text);
}

static void test_pending(void **state) {
  (void)state;
  struct seen seen = {0};
  struct sse_decoder d;
  buffer_init(&seen.text, 100);
  sse_decoder_init(&d, 100, on_event, &seen);
  assert_false(sse_decoder_pending(&d));
  assert_true(sse_decoder_feed(&d, BYTES_LITERAL("da")));
  assert_true(sse_decoder_pending(&d));
  assert_true(sse_decoder_feed(&d, BYTES_LITERAL("ta: x\n")));
  assert_true(sse_decoder_pending(&d));
  assert_true(sse_decoder_feed(&d, BYTES_LITERAL("\n")));
  assert_false(sse_decoder_pending(&d));
  sse_decoder_done(&d);
  buffer_done(&seen.text);
}

static void test_limits(void **state) {
  (void)state;
  char long_line[600];
  memset(long_line, 'x', sizeof long_line);
  memcpy(long_line, "data: ", 6);
  memcpy(long_line + sizeof long_line - 2, "\n\n", 2);
  char many_lines[1200] = "";
  for (int i = 0; i < 60; i++) strcat(many_lines, "data: abcdef\n");
  for (size_t step = 1; step <= 700; step += 37) {
    struct seen seen;
    assert_false(decode((struct bytes){long_line, sizeof long_line}, step, false, &seen));
    assert_int_equal(seen.events, 0);
    buffer_done(&seen.text);
    assert_false(decode(bytes_of(many_lines), step, false, &seen));
    assert_int_equal(seen.events, 0);
    buffer_done(&seen.text);
  }
}

static void test_stop(void **state) {
  (void)state;
  struct seen seen = {.stop_after = 1};
  struct sse_decoder d;
  buffer_init(&seen.text, 100);
  sse_decoder_init(&d, 100, on_event, &seen);
  assert_false(sse_decoder_feed(&d, BYTES_LITERAL("data: a\n\ndata: b\n\n")));
  assert_false(sse_decoder_feed(&d, BYTES_LITERAL("data: c\n\n")));
  assert_string_equal(seen.text.ptr, "|a;");
  sse_decoder_done(&d);
  buffer_done(&seen.text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forms),   cmocka_unit_test(test_flush_takes_the_last),
      cmocka_unit_test(test_pending), cmocka_unit_test(test_limits),
      cmocka_unit_test(test_stop),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
