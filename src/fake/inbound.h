/* One HTTP/1.1 request, cut out of the bytes of a connection. Strict where leniency would hide a
 * client's mistake: CRLF only, one Content-Length, no chunked bodies, capped sizes. Pure.
 */
#ifndef ARAGORA_FAKE_INBOUND_H
#define ARAGORA_FAKE_INBOUND_H

#include "base/bytes.h"

enum {
  INBOUND_HEAD_MAX = 32 * 1024,
  INBOUND_HEADERS_MAX = 100,
  INBOUND_BODY_MAX = 32 * 1024 * 1024, /* as Anthropic's limit */
};

/* All bytes point into what was parsed. */
struct inbound {
  struct bytes method, path, query; /* the path as sent, without the query and its "?" */
  struct bytes fault;               /* x-fake-fault, len 0 = none */
  struct bytes key;                 /* as any of the vendors sends it, len 0 = none */
  struct bytes body;                /* only when whole */
  size_t head_bytes;                /* 0 = the head is not whole yet */
  size_t total_bytes;               /* head and body */
  bool close;                       /* the client wants the connection closed, or speaks 1.0 */
  bool old;                         /* HTTP/1.0: knows no chunks */
  bool expects_continue;
};

enum inbound_result {
  INBOUND_MORE,  /* not whole; head_bytes and total_bytes are known once the head is */
  INBOUND_WHOLE, /* *ret_request is filled */
  INBOUND_BAD,   /* *ret_status is the answer to give before closing */
};

enum inbound_result inbound_parse(struct bytes data, struct inbound *ret_request, int *ret_status);

#endif
