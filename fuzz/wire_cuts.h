/* What the four fuzz targets of the wire decoders share: the decoding of a body in one piece agrees
 * with that in pieces of a few bytes, between which the decoder forgets how records begin. */
#ifndef ARAGORA_FUZZ_WIRE_CUTS_H
#define ARAGORA_FUZZ_WIRE_CUTS_H

#include "base/utf8.h"
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
    buffer_clear(&r.reply.head.read);
  }
  bool whole = fed && wire_decoder_finish(d);
  r.outcome = wire_reply_outcome(&r.reply, fed, whole);
  wire_decoder_destroy(d);
  return r;
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
  wire_reply_done(&a.reply);
  wire_reply_done(&b.reply);
  char *detail = NULL;
  wire_classify_error(400 + data[0], body, "secret", &detail);
  free(detail);
  wire_error_retry_ms(body);
}

#endif
