#include "io/sse.h"

#include <stdio.h>

void sse_decoder_init(struct sse_decoder *d, size_t max_event_bytes,
                      bool (*on_event)(void *ctx, struct bytes name, struct bytes data),
                      void *ctx) {
  *d = (struct sse_decoder){.max_event_bytes = max_event_bytes, .on_event = on_event, .ctx = ctx};
  buffer_init(&d->partial, max_event_bytes + 64);
  buffer_init(&d->joined, max_event_bytes);
}

void sse_decoder_done(struct sse_decoder *d) {
  buffer_done(&d->partial);
  buffer_done(&d->joined);
}

/* The piece, or the line buffer, that `whole` points into is about to go. */
static bool keep_whole(struct sse_decoder *d) {
  if (!d->whole.ptr) return true;
  struct bytes data = d->whole;
  d->whole = (struct bytes){0};
  return buffer_append_bytes(&d->joined, data);
}

static bool add_data(struct sse_decoder *d, struct bytes value) {
  if (value.len > d->max_event_bytes) return false;
  if (!d->has_data) {
    d->has_data = true;
    d->whole = value.len ? value : (struct bytes){0};
    return true;
  }
  return keep_whole(d) && buffer_append_char(&d->joined, '\n') &&
         buffer_append_bytes(&d->joined, value);
}

static bool end_event(struct sse_decoder *d) {
  bool go_on = true;
  if (d->has_data)
    go_on =
        d->on_event(d->ctx, bytes_of(d->event), d->whole.ptr ? d->whole : buffer_bytes(&d->joined));
  d->whole = (struct bytes){0};
  d->has_data = false;
  d->event[0] = '\0';
  buffer_clear(&d->joined);
  return go_on;
}

/* The value of a field of that name; false when the line is another's. */
static bool is_field(struct bytes line, struct bytes name, struct bytes *ret_value) {
  if (line.len < name.len || memcmp(line.ptr, name.ptr, name.len) != 0) return false;
  struct bytes value = {line.ptr + name.len, line.len - name.len};
  if (value.len && *value.ptr++ != ':') return false;
  if (value.len) value.len--;
  if (value.len && *value.ptr == ' ') value = (struct bytes){value.ptr + 1, value.len - 1};
  *ret_value = value;
  return true;
}

static bool take_line(struct sse_decoder *d, struct bytes line) {
  struct bytes value;
  if (line.len == 0) return end_event(d);
  if (is_field(line, BYTES_LITERAL("data"), &value)) return add_data(d, value);
  if (is_field(line, BYTES_LITERAL("event"), &value)) {
    if (value.len >= sizeof d->event) return false;
    snprintf(d->event, sizeof d->event, "%.*s", (int)value.len, value.ptr);
  }
  return true;
}

static const char *line_end(const char *p, const char *end, bool has_cr) {
  const char *lf = memchr(p, '\n', (size_t)(end - p));
  const char *cr = has_cr ? memchr(p, '\r', (size_t)((lf ? lf : end) - p)) : NULL;
  return cr ? cr : lf;
}

/* A byte order mark is three bytes that may come in three pieces: it is looked for in the first
 * line, once that is whole. */
static struct bytes without_mark(struct sse_decoder *d, struct bytes line) {
  if (!d->begun && line.len >= 3 && memcmp(line.ptr, "\xef\xbb\xbf", 3) == 0)
    line = (struct bytes){line.ptr + 3, line.len - 3};
  d->begun = true;
  return line;
}

static bool feed(struct sse_decoder *d, struct bytes piece) {
  const char *p = piece.ptr;
  const char *end = p + piece.len;
  bool has_cr = memchr(p, '\r', piece.len) != NULL; /* hardly ever: looked for once, not a line */
  while (p < end) {
    if (d->after_cr && *p == '\n') p++;
    d->after_cr = false;
    const char *stop = p < end ? line_end(p, end, has_cr) : NULL;
    if (!stop) return p == end || buffer_append(&d->partial, p, (size_t)(end - p));
    struct bytes line = {p, (size_t)(stop - p)};
    bool joined = d->partial.len > 0;
    if (joined) {
      if (!buffer_append_bytes(&d->partial, line)) return false;
      line = buffer_bytes(&d->partial);
    }
    if (!take_line(d, without_mark(d, line))) return false;
    if (joined) {
      if (!keep_whole(d)) return false;
      buffer_clear(&d->partial);
    }
    d->after_cr = *stop == '\r';
    p = stop + 1;
  }
  return true;
}

bool sse_decoder_feed(struct sse_decoder *d, struct bytes piece) {
  if (d->failed || !piece.len) return !d->failed;
  if (!feed(d, piece) || !keep_whole(d)) d->failed = true;
  return !d->failed;
}

bool sse_decoder_pending(const struct sse_decoder *d) {
  return d->partial.len > 0 || d->has_data;
}

bool sse_decoder_flush(struct sse_decoder *d) {
  if (d->failed) return false;
  if (d->partial.len > 0) {
    d->after_cr = false;
    if (!sse_decoder_feed(d, BYTES_LITERAL("\n"))) return false;
  }
  if (!end_event(d)) d->failed = true;
  return !d->failed;
}
