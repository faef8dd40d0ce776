/* The WebSocket protocol on any bytes, twice: in one piece, and cut where the first byte says. What
 * it tells the connection must not depend on where the network cut, messages must be valid UTF-8
 * and within the limit, and between frames no memory is held. */
#include "base/utf8.h"
#include "http/websocket.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LIMIT = 300, TOLD_MAX = 1 << 20 };

static void tell(void *ctx, char what, struct bytes payload) {
  buffer_append_char(ctx, what);
  buffer_append_int(ctx, (int64_t)payload.len);
  buffer_append_char(ctx, ' ');
  buffer_append_bytes(ctx, payload);
}

static void on_message(void *ctx, struct bytes text) {
  if (text.len > LIMIT || !utf8_valid(text)) abort();
  tell(ctx, 'M', text);
}

static void on_binary(void *ctx) {
  buffer_append_char(ctx, 'B');
}

static void on_ping(void *ctx, struct bytes payload) {
  if (payload.len > WEBSOCKET_CONTROL_MAX) abort();
  tell(ctx, 'P', payload);
}

static void on_pong(void *ctx) {
  tell(ctx, 'p', (struct bytes){0});
}

static void on_close(void *ctx, int code) {
  if (code != 0 && !websocket_code_valid(code)) abort();
  buffer_append_char(ctx, 'C');
  buffer_append_int(ctx, code);
}

static void on_fail(void *ctx, int code, const char *reason) {
  if (!websocket_code_valid(code) || strlen(reason) > WEBSOCKET_CONTROL_MAX - 2) abort();
  buffer_append_char(ctx, 'F');
  buffer_append_int(ctx, code);
}

static void run(struct bytes in, size_t step, struct buffer *told) {
  static const struct websocket_ops ops = {on_message, on_binary, on_ping,
                                           on_pong,    on_close,  on_fail};
  struct websocket w;
  buffer_init(told, TOLD_MAX);
  websocket_init(&w, LIMIT, &ops, told);
  for (size_t at = 0; at < in.len; at += step) {
    size_t n = in.len - at < step ? in.len - at : step;
    char *piece = bytes_dup((struct bytes){in.ptr + at, n});
    if (!piece) abort();
    websocket_feed(&w, (struct bytes){piece, n});
    free(piece);
    if (w.unread == 0 && !w.in_frame && w.frames) abort();
  }
  websocket_done(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  struct bytes in = {(const char *)data + 1, size - 1};
  struct buffer whole, cut;
  run(in, in.len, &whole);
  run(in, 1u + data[0] % 64u, &cut);
  if (!bytes_equal(buffer_bytes(&whole), buffer_bytes(&cut))) abort();
  buffer_done(&whole);
  buffer_done(&cut);
  return 0;
}
