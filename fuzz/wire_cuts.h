/* What the four fuzz targets of the wire decoders share: the decoding of a body in one piece agrees
 * with that in pieces of a few bytes, and with one in which every record is read for itself, where
 * the decoder goes by what records have in common (wire_pattern.h). */
#ifndef ARAGORA_FUZZ_WIRE_CUTS_H
#define ARAGORA_FUZZ_WIRE_CUTS_H

#include "base/utf8.h"
#include "io/ndjson.h"
#include "io/sse.h"
#include "provider/wire.h"

#include <stdlib.h>

struct cut_result {
  struct wire_reply reply;
  enum outcome outcome;
};

static inline struct cut_result decode_cut(enum wire_format format, struct bytes body,
                                           size_t step) {
  struct cut_result r;
  wire_reply_init(&r.reply, 1 << 16);
  struct wire_decoder *d = wire_decoder_create(wire_of(format), &r.reply, 1 << 16);
  if (!d) abort();
  bool fed = true;
  for (size_t i = 0; i < body.len && fed; i += step) {
    size_t n = step < body.len - i ? step : body.len - i;
    char *piece = malloc(n); /* of exactly this size: a read beyond it is seen */
    if (!piece) abort();
    memcpy(piece, body.ptr + i, n);
    fed = wire_decoder_feed(d, (struct bytes){piece, n});
    free(piece);
  }
  bool whole = fed && wire_decoder_finish(d);
  r.outcome = wire_reply_outcome(&r.reply, fed, whole);
  wire_decoder_destroy(d);
  return r;
}

struct plain {
  const struct wire *wire;
  struct wire_reply *reply;
};

static inline bool plain_event(void *ctx, struct bytes name, struct bytes data) {
  const struct plain *p = ctx;
  if (p->reply->terminated || p->reply->error) return true;
  return p->wire->record(p->reply, name, data) && !p->reply->text.overflow;
}

static inline bool plain_line(void *ctx, struct bytes line) {
  return plain_event(ctx, (struct bytes){0}, line);
}

/* The text of a stream's records up to the first that is malformed, each read for itself. */
static inline bool decode_plain(enum wire_format format, struct bytes body,
                                struct wire_reply *reply) {
  struct plain plain = {wire_of(format), reply};
  struct sse_decoder sse;
  struct ndjson_decoder lines;
  sse_decoder_init(&sse, 1 << 16, plain_event, &plain);
  ndjson_decoder_init(&lines, 1 << 16, plain_line, &plain);
  bool fed = plain.wire->ndjson ? ndjson_decoder_feed(&lines, body) && ndjson_decoder_flush(&lines)
                                : sse_decoder_feed(&sse, body) && sse_decoder_flush(&sse);
  sse_decoder_done(&sse);
  ndjson_decoder_done(&lines);
  return fed;
}

/* Where a body is a stream and not one object, which decode_plain does not look for. */
static inline void wire_records_agree(enum wire_format format, struct bytes body,
                                      const struct cut_result *a) {
  struct wire_reply plain;
  wire_reply_init(&plain, 1 << 16);
  bool fed = decode_plain(format, body, &plain);
  if (fed && a->outcome == OUTCOME_OK) {
    if (!bytes_equal(buffer_bytes(&a->reply.text), buffer_bytes(&plain.text))) abort();
    if (memcmp(&a->reply.usage, &plain.usage, sizeof plain.usage) != 0) abort();
    if (a->reply.truncated != plain.truncated || a->reply.finished != plain.finished) abort();
  }
  wire_reply_done(&plain);
}

static inline bool is_one_object(struct bytes body) {
  while (body.len && strchr(" \t\r\n", *body.ptr) && *body.ptr)
    body = (struct bytes){body.ptr + 1, body.len - 1};
  return body.len && (*body.ptr == '{' || *body.ptr == '[');
}

static inline void wire_cuts_agree(enum wire_format format, const uint8_t *data, size_t size) {
  if (size < 2 || size > 1 << 15) return;
  struct bytes body = {(const char *)data + 1, size - 1};
  struct cut_result a = decode_cut(format, body, body.len);
  struct cut_result b = decode_cut(format, body, 1 + data[0] % 16);
  if (a.outcome != b.outcome) abort();
  if (a.outcome == OUTCOME_OK) {
    if (!bytes_equal(buffer_bytes(&a.reply.text), buffer_bytes(&b.reply.text))) abort();
    if (!utf8_valid(buffer_bytes(&a.reply.text))) abort();
    if (a.reply.truncated != b.reply.truncated || !a.reply.model != !b.reply.model) abort();
    if (a.reply.model && strcmp(a.reply.model, b.reply.model) != 0) abort();
    if (memcmp(&a.reply.usage, &b.reply.usage, sizeof a.reply.usage) != 0) abort();
  }
  if (wire_of(format)->ndjson || !is_one_object(body)) wire_records_agree(format, body, &a);
  wire_reply_done(&a.reply);
  wire_reply_done(&b.reply);
  char *detail = NULL;
  wire_classify_error(400 + data[0], body, "secret", &detail);
  free(detail);
  wire_error_retry_ms(body);
}

#endif
