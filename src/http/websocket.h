/* The WebSocket protocol of one connection (RFC 6455 sections 5 to 7), without its socket: bytes
 * in, messages and control frames out. wslay reads the frames; what belongs to messages is here:
 * fragments, masks, UTF-8, limits, close codes.
 *
 * One thread at a time. Between frames it holds no memory of its own: wslay's context (4 KiB)
 * exists only while a frame is incomplete.
 */
#ifndef ARAGORA_HTTP_WEBSOCKET_H
#define ARAGORA_HTTP_WEBSOCKET_H

#include "base/bytes.h"

#include <wslay/wslay.h>

enum { WEBSOCKET_CONTROL_MAX = 125, WEBSOCKET_HEADER_MAX = 10 };

enum websocket_opcode {
  WEBSOCKET_CONTINUATION = 0x0,
  WEBSOCKET_TEXT = 0x1,
  WEBSOCKET_BINARY = 0x2,
  WEBSOCKET_CLOSE = 0x8,
  WEBSOCKET_PING = 0x9,
  WEBSOCKET_PONG = 0xa,
};

struct websocket_ops {
  void (*message)(void *ctx, struct bytes text); /* whole, valid UTF-8; borrowed */
  void (*binary)(void *ctx);                     /* a whole message of bytes, which are dropped */
  void (*ping)(void *ctx, struct bytes payload);
  void (*pong)(void *ctx);
  /* The peer closes; `code` (0 = none given) is what to echo. Nothing follows. */
  void (*close)(void *ctx, int code);
  /* The peer broke the protocol; close with `code`. Nothing follows. */
  void (*fail)(void *ctx, int code, const char *reason);
};

struct websocket {
  const struct websocket_ops *ops;
  void *ctx;
  size_t max_message_bytes;
  struct wslay_frame_context *frames; /* while a frame is incomplete */
  struct bytes in;                    /* what wslay has not taken yet, during a feed */
  uint64_t unread;                    /* taken by wslay and not given back */
  uint64_t frame_left;                /* payload bytes of the current frame still to come */
  struct buffer message;              /* of a text that came in pieces */
  size_t message_bytes;               /* of the current message, as far as it has come */
  uint8_t control[WEBSOCKET_CONTROL_MAX];
  uint8_t control_len;
  uint8_t opcode;                            /* of the current frame */
  uint8_t utf8_need, utf8_lower, utf8_upper; /* a character that is cut */
  bool fin, in_frame, in_message, is_binary;
  bool stopped; /* we closed: only the peer's close still counts */
  bool over;
};

void websocket_init(struct websocket *w, size_t max_message_bytes, const struct websocket_ops *ops,
                    void *ctx);
void websocket_done(struct websocket *w);

/* Takes bytes of the peer. False once it is over: nothing more is read. */
bool websocket_feed(struct websocket *w, struct bytes data);
/* We closed: what still comes is read for the peer's close only. May be called by an op. */
void websocket_stop(struct websocket *w);

/* An unmasked frame's header (RFC 6455 section 5.2) into `out`; answers its length. */
size_t websocket_header(enum websocket_opcode opcode, uint64_t len,
                        uint8_t out[WEBSOCKET_HEADER_MAX]);
/* True for a code that may stand in a close frame (section 7.4). */
bool websocket_code_valid(int code);

#endif
