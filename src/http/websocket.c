#include "http/websocket.h"

#include "base/utf8.h"

#include <stdlib.h>

void websocket_init(struct websocket *w, size_t max_message_bytes, const struct websocket_ops *ops,
                    void *ctx) {
  *w = (struct websocket){.ops = ops, .ctx = ctx, .max_message_bytes = max_message_bytes};
  buffer_init(&w->message, max_message_bytes);
}

void websocket_done(struct websocket *w) {
  if (w->frames) wslay_frame_context_free(w->frames);
  w->frames = NULL;
  buffer_done(&w->message);
  w->over = true;
}

void websocket_stop(struct websocket *w) {
  w->stopped = true;
}

static ssize_t websocket_give(uint8_t *buf, size_t len, int flags, void *user_data) {
  struct websocket *w = user_data;
  if (w->in.len == 0) return -1; /* wslay reads this as "want read" */
  size_t n = len < w->in.len ? len : w->in.len;
  memcpy(buf, w->in.ptr, n);
  w->in.ptr += n;
  w->in.len -= n;
  w->unread += n;
  return (ssize_t)n;
}

static void websocket_fail(struct websocket *w, int code, const char *reason) {
  w->over = true;
  w->ops->fail(w->ctx, code, reason);
}

/* One more byte of a text that comes in pieces: RFC 3629 section 4 as bounds for what follows. */
static bool websocket_utf8_step(struct websocket *w, uint8_t c) {
  if (w->utf8_need > 0) {
    if (c < w->utf8_lower || c > w->utf8_upper) return false;
    w->utf8_need--;
    w->utf8_lower = 0x80;
    w->utf8_upper = 0xbf;
    return true;
  }
  if (c < 0x80) return true;
  if (c < 0xc2 || c > 0xf4) return false;
  w->utf8_need = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
  w->utf8_lower = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
  w->utf8_upper = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
  return true;
}

static bool websocket_utf8(struct websocket *w, const uint8_t *data, size_t len) {
  for (size_t i = 0; i < len; i++) {
    if (!websocket_utf8_step(w, data[i])) return false;
  }
  return true;
}

bool websocket_code_valid(int code) {
  /* 1004 is reserved; 1005, 1006 and 1015 never stand in a frame (section 7.4.1); 1012 to 1014
   * were registered later. */
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}

static void websocket_on_close(struct websocket *w) {
  struct bytes reason = {(const char *)w->control + 2, 0};
  int code = 0;
  if (w->control_len == 1) {
    websocket_fail(w, 1002, "close frame of one byte");
    return;
  }
  if (w->control_len >= 2) {
    code = w->control[0] << 8 | w->control[1];
    reason.len = w->control_len - 2u;
    if (!websocket_code_valid(code)) {
      websocket_fail(w, 1002, "close code not allowed");
      return;
    }
    if (!utf8_valid(reason)) {
      websocket_fail(w, 1007, "close reason is not UTF-8");
      return;
    }
  }
  w->over = true;
  w->ops->close(w->ctx, code);
}

static void websocket_on_control(struct websocket *w, const uint8_t *data, size_t len) {
  if (len > 0) memcpy(w->control + w->control_len, data, len);
  w->control_len = (uint8_t)(w->control_len + len);
  if (w->frame_left > 0) return;
  struct bytes payload = {(const char *)w->control, w->control_len};
  if (w->opcode == WEBSOCKET_CLOSE) {
    websocket_on_close(w);
  } else if (w->opcode == WEBSOCKET_PONG) {
    w->ops->pong(w->ctx);
  } else if (!w->stopped) {
    w->ops->ping(w->ctx, payload);
  }
  w->control_len = 0;
}

static void websocket_end_message(struct websocket *w, struct bytes text) {
  if (w->utf8_need > 0) {
    websocket_fail(w, 1007, "message is not UTF-8");
    return;
  }
  if (!w->stopped) w->ops->message(w->ctx, text);
  buffer_done(&w->message);
}

static void websocket_on_text(struct websocket *w, const uint8_t *data, size_t len, bool last) {
  if (!websocket_utf8(w, data, len)) {
    websocket_fail(w, 1007, "message is not UTF-8");
    return;
  }
  struct bytes piece = {(const char *)data, len};
  if (last && w->message.len == 0) {
    websocket_end_message(w, piece);
    return;
  }
  if (!buffer_append_bytes(&w->message, piece)) {
    websocket_fail(w, 1009, "message too large");
    return;
  }
  if (last) websocket_end_message(w, buffer_bytes(&w->message));
}

static void websocket_on_data(struct websocket *w, const uint8_t *data, size_t len) {
  bool last = w->fin && w->frame_left == 0;
  w->message_bytes += len;
  if (last) {
    w->in_message = false;
    w->message_bytes = 0;
  }
  if (!w->is_binary)
    websocket_on_text(w, data, len, last);
  else if (last && !w->stopped)
    w->ops->binary(w->ctx);
}

/* The first sight of a frame. False when it breaks a rule. */
static bool websocket_begin_frame(struct websocket *w, const struct wslay_frame_iocb *f) {
  const char *broken = NULL;
  bool control = f->opcode >= WEBSOCKET_CLOSE;
  if (!f->mask) broken = "client frames must be masked";
  if (f->rsv) broken = "reserved bits are set";
  if (control) {
    if (f->opcode > WEBSOCKET_PONG) broken = "unknown opcode";
    if (!f->fin || f->payload_length > WEBSOCKET_CONTROL_MAX) broken = "broken control frame";
  } else {
    if (f->opcode > WEBSOCKET_BINARY) broken = "unknown opcode";
    if ((f->opcode == WEBSOCKET_CONTINUATION) != w->in_message) broken = "broken fragmentation";
  }
  if (broken) {
    websocket_fail(w, 1002, broken);
    return false;
  }
  if (!control && f->payload_length > w->max_message_bytes - w->message_bytes) {
    websocket_fail(w, 1009, "message too large");
    return false;
  }
  if (!control && !w->in_message) w->is_binary = f->opcode == WEBSOCKET_BINARY;
  if (!control) w->in_message = true;
  w->in_frame = true;
  w->opcode = f->opcode;
  w->fin = f->fin;
  w->frame_left = f->payload_length;
  /* wslay refuses lengths that are not written in the shortest way, so the header's own length
   * follows from the payload's (section 5.2); 4 bytes are the mask. */
  w->unread -= f->payload_length < 126 ? 6 : f->payload_length < 65536 ? 8 : 14;
  return true;
}

static void websocket_on_chunk(struct websocket *w, const struct wslay_frame_iocb *f) {
  if (!w->in_frame && !websocket_begin_frame(w, f)) return;
  w->unread -= f->data_length;
  w->frame_left -= f->data_length;
  if (w->frame_left == 0) w->in_frame = false;
  if (w->opcode >= WEBSOCKET_CLOSE) {
    websocket_on_control(w, f->data, f->data_length);
  } else {
    websocket_on_data(w, f->data, f->data_length);
  }
}

bool websocket_feed(struct websocket *w, struct bytes data) {
  static const struct wslay_frame_callbacks callbacks = {.recv_callback = websocket_give};
  if (w->over || data.len == 0) return !w->over;
  if (!w->frames && wslay_frame_context_init(&w->frames, &callbacks, w) != 0) {
    w->frames = NULL;
    websocket_fail(w, 1011, "out of memory");
    return false;
  }
  w->in = data;
  while (!w->over) {
    struct wslay_frame_iocb frame = {0};
    ssize_t n = wslay_frame_recv(w->frames, &frame);
    if (n == WSLAY_ERR_WANT_READ) break;
    if (n < 0) {
      websocket_fail(w, 1002, "broken frame");
    } else {
      websocket_on_chunk(w, &frame);
    }
  }
  w->in = (struct bytes){0};
  if (w->over || (w->unread == 0 && !w->in_frame)) {
    if (w->frames) wslay_frame_context_free(w->frames);
    w->frames = NULL;
  }
  return !w->over;
}

size_t websocket_header(enum websocket_opcode opcode, uint64_t len,
                        uint8_t out[WEBSOCKET_HEADER_MAX]) {
  out[0] = (uint8_t)(0x80 | opcode);
  if (len < 126) {
    out[1] = (uint8_t)len;
    return 2;
  }
  int bytes = len < 65536 ? 2 : 8;
  out[1] = bytes == 2 ? 126 : 127;
  for (int i = 0; i < bytes; i++) out[2 + i] = (uint8_t)(len >> (8 * (bytes - 1 - i)));
  return 2 + (size_t)bytes;
}
