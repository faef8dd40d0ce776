/* The scanner accepts and rejects what jansson does (duplicate keys aside, so they are allowed
 * here), and what it reads of a string or a number is what jansson reads. */
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

static void numbers_agree(struct bytes text, const json_t *value) {
  struct json_scan s;
  int64_t whole = 0;
  double real = 0;
  json_scan_begin(&s, text);
  if (json_scan_int(&s, &whole) != json_is_integer(value)) abort();
  if (json_is_integer(value) && whole != json_integer_value(value)) abort();
  json_scan_begin(&s, text);
  if (json_scan_real(&s, &real) != json_is_number(value)) abort();
  if (json_is_real(value) && memcmp(&real, &(double){json_real_value(value)}, sizeof real)) abort();
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
  if (value && scanned) numbers_agree(text, value);
  json_decref(value);
  return 0;
}
