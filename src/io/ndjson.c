#include "io/ndjson.h"

void ndjson_decoder_init(struct ndjson_decoder *d, size_t max_line_bytes,
                         bool (*on_line)(void *ctx, struct bytes line), void *ctx) {
  *d = (struct ndjson_decoder){.on_line = on_line, .ctx = ctx};
  buffer_init(&d->partial, max_line_bytes);
}

void ndjson_decoder_done(struct ndjson_decoder *d) {
  buffer_done(&d->partial);
}

static bool take_line(struct ndjson_decoder *d, struct bytes line) {
  if (line.len && line.ptr[line.len - 1] == '\r') line.len--;
  if (line.len > d->partial.max) return false;
  return line.len == 0 || d->on_line(d->ctx, line);
}

static bool feed(struct ndjson_decoder *d, struct bytes piece) {
  const char *p = piece.ptr;
  const char *end = p + piece.len;
  while (p < end) {
    const char *stop = memchr(p, '\n', (size_t)(end - p));
    size_t len = (size_t)((stop ? stop : end) - p);
    bool joined = d->partial.len > 0;
    if ((joined || !stop) && !buffer_append(&d->partial, p, len)) return false;
    if (!stop) return true;
    if (!take_line(d, joined ? buffer_bytes(&d->partial) : (struct bytes){p, len})) return false;
    buffer_clear(&d->partial);
    p = stop + 1;
  }
  return true;
}

bool ndjson_decoder_feed(struct ndjson_decoder *d, struct bytes piece) {
  if (d->failed || !piece.len) return !d->failed;
  if (!feed(d, piece)) d->failed = true;
  return !d->failed;
}

bool ndjson_decoder_flush(struct ndjson_decoder *d) {
  if (d->failed) return false;
  if (d->partial.len && !take_line(d, buffer_bytes(&d->partial))) d->failed = true;
  buffer_clear(&d->partial);
  return !d->failed;
}
