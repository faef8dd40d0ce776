#include "provider/wire_pattern.h"

#include "base/json_scan.h"

enum { PATTERN_MAX = 1024, NAME_MAX_BYTES = 64 };

void wire_pattern_init(struct wire_pattern *pattern) {
  *pattern = (struct wire_pattern){.head = 0};
  buffer_init(&pattern->bytes, PATTERN_MAX);
  buffer_init(&pattern->name, NAME_MAX_BYTES);
}

void wire_pattern_done(struct wire_pattern *pattern) {
  buffer_done(&pattern->bytes);
  buffer_done(&pattern->name);
}

void wire_pattern_forget(struct wire_pattern *pattern) {
  buffer_clear(&pattern->bytes);
  buffer_clear(&pattern->name);
}

void wire_pattern_learn(struct wire_pattern *pattern, struct bytes name, struct bytes data,
                        struct bytes words) {
  struct bytes head = {data.ptr, (size_t)(words.ptr - data.ptr)};
  struct bytes tail = {words.ptr + words.len, data.len - head.len - words.len};
  wire_pattern_forget(pattern);
  pattern->head = head.len;
  bool kept = buffer_append_bytes(&pattern->name, name) &&
              buffer_append_bytes(&pattern->bytes, head) &&
              buffer_append_bytes(&pattern->bytes, tail);
  if (!kept) wire_pattern_forget(pattern);
}

bool wire_pattern_read(const struct wire_pattern *pattern, struct bytes name, struct bytes data,
                       struct buffer *out) {
  struct bytes known = buffer_bytes(&pattern->bytes);
  if (!known.len || data.len < known.len || !bytes_equal(name, buffer_bytes(&pattern->name)))
    return false;
  size_t tail = known.len - pattern->head;
  if (memcmp(data.ptr, known.ptr, pattern->head) != 0 ||
      memcmp(data.ptr + data.len - tail, known.ptr + pattern->head, tail) != 0)
    return false;
  size_t before = out->len;
  struct json_scan s;
  json_scan_begin(&s, (struct bytes){data.ptr + pattern->head, data.len - known.len});
  if (json_scan_string(&s, out) && json_scan_end(&s)) return true;
  out->len = before;
  if (out->ptr) out->ptr[before] = '\0';
  return false;
}
