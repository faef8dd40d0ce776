#include "fake/outbound.h"

#include <stdlib.h>

void outbound_init(struct outbound *o) {
  *o = (struct outbound){.status = 200};
  buffer_init(&o->headers, 4096);
  buffer_init(&o->body, OUTBOUND_BODY_MAX);
  buffer_init(&o->again, 1024 * 1024);
  buffer_init(&o->head, 8192);
}

void outbound_done(struct outbound *o) {
  buffer_done(&o->headers);
  buffer_done(&o->body);
  buffer_done(&o->again);
  buffer_done(&o->head);
}

void outbound_clear(struct outbound *o) {
  enum { KEPT_BYTES = 1024 * 1024 };
  struct buffer headers = o->headers, body = o->body, again = o->again, head = o->head;
  if (body.cap > KEPT_BYTES) buffer_done(&body);
  buffer_clear(&headers);
  buffer_clear(&body);
  buffer_clear(&again);
  buffer_clear(&head);
  *o = (struct outbound){
      .status = 200, .headers = headers, .body = body, .again = again, .head = head};
}

static const char *reason_of(int status) {
  switch (status) {
    case 200: return "OK";
    case 302: return "Found";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 429: return "Too Many Requests";
    case 500: return "Internal Server Error";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    default: return "Status";
  }
}

void outbound_head(struct outbound *o, bool old, bool one_chunk) {
  struct buffer *h = &o->head;
  bool chunks = o->chunked && !old;
  buffer_clear(h);
  buffer_append_text(h, "HTTP/1.1 ");
  buffer_append_int(h, o->status);
  buffer_append_char(h, ' ');
  buffer_append_text(h, reason_of(o->status));
  buffer_append_text(h, "\r\n");
  if (o->content_type) {
    buffer_append_text(h, "content-type: ");
    buffer_append_text(h, o->content_type);
    buffer_append_text(h, "\r\n");
  }
  buffer_append_bytes(h, buffer_bytes(&o->headers));
  if (o->end == OUTBOUND_CLOSE && !o->unfinished) buffer_append_text(h, "connection: close\r\n");
  if (chunks) {
    buffer_append_text(h, "transfer-encoding: chunked\r\n\r\n");
    if (one_chunk && o->body.len) buffer_printf(h, "%zx\r\n", o->body.len);
  } else if (o->chunked) {
    buffer_append_text(h, "\r\n"); /* HTTP/1.0: ends with the connection */
  } else {
    buffer_append_text(h, "content-length: ");
    buffer_append_int(h, (int64_t)(o->declared ? o->declared : o->body.len));
    buffer_append_text(h, "\r\n\r\n");
  }
}

size_t outbound_record_end(const struct outbound *o, size_t from) {
  const char *p = o->body.ptr + from;
  const char *found =
      from < o->body.len ? memmem(p, o->body.len - from, o->lines ? "\n" : "\n\n", o->lines ? 1 : 2)
                         : NULL;
  return found ? (size_t)(found - o->body.ptr) + (o->lines ? 1 : 2) : o->body.len;
}

void outbound_insert(struct outbound *o, size_t at, struct bytes data) {
  struct buffer *b = &o->body;
  if (!data.len || !buffer_reserve(b, data.len)) return;
  memmove(b->ptr + at + data.len, b->ptr + at, b->len - at);
  memcpy(b->ptr + at, data.ptr, data.len);
  b->len += data.len;
  b->ptr[b->len] = '\0';
}

bool outbound_failed(const struct outbound *o) {
  return o->headers.overflow || o->body.overflow || o->again.overflow || o->head.overflow;
}
