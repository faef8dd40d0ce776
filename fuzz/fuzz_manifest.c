/* The manifest of a backup: whatever is taken is written again byte for byte. */
#include "ops/manifest.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct manifest m;
  struct buffer again;
  struct bytes text = {(const char *)data, size};
  if (manifest_parse(text, &m, NULL)) return 0;
  buffer_init(&again, MANIFEST_BYTES_MAX);
  if (manifest_append(&again, &m) || !bytes_equal(buffer_bytes(&again), text)) abort();
  buffer_done(&again);
  return 0;
}
