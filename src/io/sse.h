/* Decodes server-sent events (WHATWG HTML, section 9.2.6) from bytes in any pieces.
 *
 * Works on bytes; nothing is taken for UTF-8 here. Lines end in LF, CR or CRLF; one space after the
 * colon is optional; several data lines are joined with LF; comments, ids and unknown fields are
 * passed over; a byte order mark may begin the stream. An event that lies whole in one piece and
 * has one data line is not copied. Used by the provider's decoders; one thread.
 */
#ifndef ARAGORA_IO_SSE_H
#define ARAGORA_IO_SSE_H

#include "base/bytes.h"

struct sse_decoder {
  struct buffer partial; /* a line whose end has not come */
  struct buffer joined;  /* data lines of an event that is not over, LF between */
  struct bytes whole;    /* its one data line, still in the piece */
  char event[64];        /* its name, "" = none */
  bool has_data, after_cr, begun;
  bool failed;
  size_t max_event_bytes;
  bool (*on_event)(void *ctx, struct bytes name, struct bytes data);
  void *ctx;
};

/* `on_event` answers false to stop. An event, or a line, over `max_event_bytes` is a failure, as
 * is a name longer than any that a provider uses. */
void sse_decoder_init(struct sse_decoder *d, size_t max_event_bytes,
                      bool (*on_event)(void *ctx, struct bytes name, struct bytes data), void *ctx);
void sse_decoder_done(struct sse_decoder *d);
/* False when it failed now or before: over a limit, out of memory, or stopped by on_event. */
bool sse_decoder_feed(struct sse_decoder *d, struct bytes piece);
/* True when something was received of an event whose empty line never came. */
bool sse_decoder_pending(const struct sse_decoder *d);
/* The stream ended: delivers an event that lacks only its empty line. The specification drops it;
 * providers' last chunk before a close is wanted, and whether it is whole its JSON says. */
bool sse_decoder_flush(struct sse_decoder *d);

#endif
