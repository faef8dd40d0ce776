/* Splits newline-delimited JSON into its lines, from bytes in any pieces. Lines end in LF or CRLF;
 * empty ones are passed over. A line that lies whole in one piece is not copied. Used by the
 * provider's decoders; one thread.
 */
#ifndef ARAGORA_IO_NDJSON_H
#define ARAGORA_IO_NDJSON_H

#include "base/bytes.h"

struct ndjson_decoder {
  struct buffer partial; /* a line whose end has not come */
  bool failed;
  bool (*on_line)(void *ctx, struct bytes line);
  void *ctx;
};

/* `on_line` answers false to stop. A line over `max_line_bytes` is a failure. */
void ndjson_decoder_init(struct ndjson_decoder *d, size_t max_line_bytes,
                         bool (*on_line)(void *ctx, struct bytes line), void *ctx);
void ndjson_decoder_done(struct ndjson_decoder *d);
/* False when it failed now or before: over the limit, out of memory, or stopped by on_line. */
bool ndjson_decoder_feed(struct ndjson_decoder *d, struct bytes piece);
/* The stream ended: delivers a last line that lacks its newline. */
bool ndjson_decoder_flush(struct ndjson_decoder *d);

#endif
