/* json_parse on any bytes; what it accepts and the canonical writer takes reads back the same, and
 * is a fixed point of the writer: the log's hash chain stands on that. utf8_clean of any bytes is
 * valid. */
#include "base/json.h"
#include "base/utf8.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_clean(struct bytes text) {
  FREE_LATER char *clean = utf8_clean(text);
  if (!clean || !utf8_valid(bytes_of(clean))) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct bytes text = {(const char *)data, size};
  check_clean(text);
  JSON_LATER json_t *value = NULL;
  struct error err;
  if (json_parse(text, &value, &err) != STATUS_OK) return 0;
  if (!utf8_valid(text)) abort();
  FREE_LATER char *once = json_canonical_dup(value);
  if (!once) return 0;
  JSON_LATER json_t *again = NULL;
  if (json_parse(bytes_of(once), &again, &err) != STATUS_OK || !json_equal(value, again)) abort();
  FREE_LATER char *twice = json_canonical_dup(again);
  if (!twice || strcmp(once, twice) != 0) abort();
  return 0;
}
