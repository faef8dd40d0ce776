/* The scanner accepts and rejects what jansson does (duplicate keys aside, so they are allowed
 * here), and what it decodes of a string is what jansson decodes. */
#include "base/json.h"
#include "base/json_scan.h"

#include <stdlib.h>

static bool within_depth(struct bytes text) {
  size_t depth = 0, deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];
    if (in_string) {
      if (c == '\\')
        i++;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > deepest) deepest = depth;
    } else if ((c == ']' || c == '}') && depth) {
      depth--;
    }
  }
  return deepest <= JSON_DEPTH_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct bytes text = {(const char *)data, size};
  struct json_scan s;
  BUFFER_LATER struct buffer out;
  buffer_init(&out, size + 1);
  json_scan_begin(&s, text);
  bool string = json_scan_string(&s, &out);
  bool scanned = json_scan_end(&s);
  if (!within_depth(text)) return 0;
  json_t *value = json_loadb(size ? text.ptr : "", size, JSON_DECODE_ANY, NULL);
  bool nul = size && memchr(data, 0, size);
  if (scanned ? !value : value && !nul) abort();
  if (value && scanned && json_is_string(value) != string) abort();
  if (value && string &&
      !bytes_equal(buffer_bytes(&out),
                   (struct bytes){json_string_value(value), json_string_length(value)}))
    abort();
  json_decref(value);
  return 0;
}
