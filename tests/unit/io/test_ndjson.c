/* Lines come out the same however the bytes are cut. */
#include "io/ndjson.h"

#include <setjmp.h>
#include <stdarg.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static bool on_line(void *ctx, struct bytes line) {
  struct buffer *seen = ctx;
  buffer_append_bytes(seen, line);
  return buffer_append_char(seen, ';');
}

static bool on_line_stop(void *ctx, struct bytes line) {
  on_line(ctx, line);
  return false;
}

static void test_any_pieces(void **state) {
  (void)state;
  struct bytes stream = BYTES_LITERAL("{\"a\":1}\n\n\r\n{\"b\":2}\r\n{\"c\":3}");
  for (size_t step = 1; step <= stream.len; step++) {
    BUFFER_LATER struct buffer seen;
    buffer_init(&seen, 200);
    struct ndjson_decoder d;
    ndjson_decoder_init(&d, 100, on_line, &seen);
    for (size_t i = 0; i < stream.len; i += step)
      assert_true(ndjson_decoder_feed(
          &d, (struct bytes){stream.ptr + i, step < stream.len - i ? step : stream.len - i}));
    assert_string_equal(seen.ptr, "{\"a\":1};{\"b\":2};");
    assert_true(ndjson_decoder_flush(&d));
    assert_string_equal(seen.ptr, "{\"a\":1};{\"b\":2};{\"c\":3};");
    ndjson_decoder_done(&d);
  }
}

static void test_limit_and_stop(void **state) {
  (void)state;
  for (size_t step = 1; step <= 12; step++) {
    BUFFER_LATER struct buffer seen;
    buffer_init(&seen, 200);
    struct ndjson_decoder d;
    ndjson_decoder_init(&d, 5, on_line, &seen);
    struct bytes stream = BYTES_LITERAL("12345\n123456\n");
    bool ok = true;
    for (size_t i = 0; i < stream.len && ok; i += step)
      ok = ndjson_decoder_feed(
          &d, (struct bytes){stream.ptr + i, step < stream.len - i ? step : stream.len - i});
    assert_false(ok);
    assert_false(ndjson_decoder_flush(&d));
    assert_string_equal(seen.ptr, "12345;");
    ndjson_decoder_done(&d);
  }
  BUFFER_LATER struct buffer seen;
  buffer_init(&seen, 200);
  struct ndjson_decoder d;
  ndjson_decoder_init(&d, 50, on_line_stop, &seen);
  assert_false(ndjson_decoder_feed(&d, BYTES_LITERAL("a\nb\n")));
  assert_string_equal(seen.ptr, "a;");
  ndjson_decoder_done(&d);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_any_pieces),
      cmocka_unit_test(test_limit_and_stop),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
