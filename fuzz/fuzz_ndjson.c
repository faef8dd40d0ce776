/* The lines of a stream do not depend on how its bytes are cut. The first byte chooses the cut. */
#include "io/ndjson.h"

#include <stdlib.h>

static bool on_line(void *ctx, struct bytes line) {
  struct buffer *seen = ctx;
  buffer_append_bytes(seen, line);
  return buffer_append_char(seen, '\n');
}

static bool decode(struct bytes stream, size_t step, struct buffer *seen) {
  struct ndjson_decoder d;
  buffer_init(seen, 1 << 20);
  ndjson_decoder_init(&d, 4096, on_line, seen);
  bool ok = true;
  for (size_t i = 0; i < stream.len && ok; i += step) {
    size_t n = step < stream.len - i ? step : stream.len - i;
    char *copy = malloc(n); /* of exactly this size: a read beyond it is seen */
    if (!copy) abort();
    memcpy(copy, stream.ptr + i, n);
    ok = ndjson_decoder_feed(&d, (struct bytes){copy, n});
    free(copy);
  }
  ok = ok && ndjson_decoder_flush(&d);
  ndjson_decoder_done(&d);
  return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  struct bytes stream = {(const char *)data + 1, size - 1};
  struct buffer whole, cut;
  bool a = decode(stream, stream.len, &whole);
  bool b = decode(stream, 1 + data[0] % 16, &cut);
  if (stream.len < 4000 && (a != b || !bytes_equal(buffer_bytes(&whole), buffer_bytes(&cut))))
    abort();
  buffer_done(&whole);
  buffer_done(&cut);
  return 0;
}
