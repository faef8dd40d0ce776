/* json_parse on any bytes; what json_tree_read takes it reads the same; what it accepts and the
 * canonical writer takes reads back the same, and is a fixed point of the writer: the log's hash
 * chain stands on that. utf8_clean of any bytes is valid. */
#include "base/json.h"
#include "base/json_tree.h"
#include "base/utf8.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_clean(struct bytes text) {
  FREE_LATER char *clean = utf8_clean(text);
  if (!clean || !utf8_valid(bytes_of(clean))) abort();
}

/* `value` is NULL where json_parse refused. */
static void check_tree(struct bytes text, const json_t *value) {
  JSON_LATER json_t *tree = json_tree_read(text);
  if (!tree) return;
  FREE_LATER char *a = json_dumps(tree, JSON_ENCODE_ANY | JSON_COMPACT);
  FREE_LATER char *b = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
  if (!a || !b || strcmp(a, b) != 0) abort(); /* order, texts and numbers */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct bytes text = {(const char *)data, size};
  check_clean(text);
  JSON_LATER json_t *value = NULL;
  struct error err;
  bool good = json_parse(text, &value, &err) == STATUS_OK;
  check_tree(text, value);
  if (!good) return 0;
  if (!utf8_valid(text)) abort();
  FREE_LATER char *once = json_canonical_dup(value);
  if (!once) return 0;
  JSON_LATER json_t *again = NULL;
  if (json_parse(bytes_of(once), &again, &err) != STATUS_OK || !json_equal(value, again)) abort();
  FREE_LATER char *twice = json_canonical_dup(again);
  if (!twice || strcmp(once, twice) != 0) abort();
  return 0;
}
