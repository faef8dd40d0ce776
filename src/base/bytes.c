#include "base/bytes.h"

#include <stdio.h>
#include <stdlib.h>

void bytes_to_hex(const uint8_t *in, size_t len, char *out) {
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < len; i++) {
    out[2 * i] = digits[in[i] >> 4];
    out[2 * i + 1] = digits[in[i] & 15];
  }
  out[2 * len] = '\0';
}

static int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool bytes_from_hex(struct bytes text, uint8_t *out, size_t len) {
  if (text.len != 2 * len) return false;
  for (size_t i = 0; i < len; i++) {
    int high = hex_value(text.ptr[2 * i]);
    int low = hex_value(text.ptr[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = (uint8_t)(high << 4 | low);
  }
  return true;
}

void buffer_init(struct buffer *b, size_t max_bytes) {
  *b = (struct buffer){.max = max_bytes};
}

void buffer_done(struct buffer *b) {
  free(b->ptr);
  *b = (struct buffer){.max = b->max};
}

void buffer_clear(struct buffer *b) {
  b->len = 0;
  b->overflow = false;
  if (b->ptr) b->ptr[0] = '\0';
}

bool buffer_reserve(struct buffer *b, size_t more) {
  if (b->overflow) return false;
  if (more > b->max || b->len > b->max - more) {
    b->overflow = true;
    return false;
  }
  size_t need = b->len + more + 1;
  if (need <= b->cap) return true;
  size_t cap = b->cap ? b->cap : 64;
  while (cap < need) cap = cap <= SIZE_MAX / 2 ? cap * 2 : need;
  if (cap > b->max + 1) cap = b->max + 1;
  char *grown = realloc(b->ptr, cap);
  if (!grown) {
    b->overflow = true;
    return false;
  }
  b->ptr = grown;
  b->cap = cap;
  return true;
}

bool buffer_append(struct buffer *b, const void *data, size_t len) {
  if (!buffer_reserve(b, len)) return false;
  if (len) memcpy(b->ptr + b->len, data, len);
  b->len += len;
  b->ptr[b->len] = '\0';
  return true;
}

bool buffer_append_bytes(struct buffer *b, struct bytes data) {
  return buffer_append(b, data.ptr, data.len);
}

bool buffer_append_text(struct buffer *b, const char *text) {
  return buffer_append(b, text, strlen(text));
}

bool buffer_append_char(struct buffer *b, char c) {
  return buffer_append(b, &c, 1);
}

bool buffer_vprintf(struct buffer *b, const char *format, va_list args) {
  va_list again;
  va_copy(again, args);
  char small[256];
  int n = vsnprintf(small, sizeof small, format, args);
  bool ok = n >= 0;
  if (ok && (size_t)n < sizeof small) {
    ok = buffer_append(b, small, (size_t)n);
  } else if (ok) {
    ok = buffer_reserve(b, (size_t)n);
    if (ok) {
      vsnprintf(b->ptr + b->len, (size_t)n + 1, format, again);
      b->len += (size_t)n;
    }
  }
  va_end(again);
  if (!ok) b->overflow = true;
  return ok;
}

bool buffer_printf(struct buffer *b, const char *format, ...) {
  va_list args;
  va_start(args, format);
  bool ok = buffer_vprintf(b, format, args);
  va_end(args);
  return ok;
}

bool buffer_append_int(struct buffer *b, int64_t value) {
  char digits[24];
  char *end = digits + sizeof digits;
  char *p = end;
  uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
  do *--p = (char)('0' + rest % 10);
  while (rest /= 10);
  if (value < 0) *--p = '-';
  return buffer_append(b, p, (size_t)(end - p));
}

bool buffer_append_json_string(struct buffer *b, struct bytes text) {
  buffer_append_char(b, '"');
  size_t start = 0;
  for (size_t i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.ptr[i];
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    buffer_append(b, text.ptr + start, i - start);
    start = i + 1;
    switch (c) {
      case '"': buffer_append(b, "\\\"", 2); break;
      case '\\': buffer_append(b, "\\\\", 2); break;
      case '\b': buffer_append(b, "\\b", 2); break;
      case '\t': buffer_append(b, "\\t", 2); break;
      case '\n': buffer_append(b, "\\n", 2); break;
      case '\f': buffer_append(b, "\\f", 2); break;
      case '\r': buffer_append(b, "\\r", 2); break;
      default: buffer_printf(b, "\\u%04x", c);
    }
  }
  if (text.len > start) buffer_append(b, text.ptr + start, text.len - start);
  return buffer_append_char(b, '"');
}

void buffer_consume(struct buffer *b, size_t n) {
  if (!n) return;
  memmove(b->ptr, b->ptr + n, b->len - n);
  b->len -= n;
  b->ptr[b->len] = '\0';
}

char *buffer_steal(struct buffer *b) {
  char *stolen = NULL;
  if (!b->overflow && buffer_reserve(b, 0)) {
    stolen = b->ptr;
    stolen[b->len] = '\0';
    b->ptr = NULL;
  }
  buffer_done(b);
  return stolen;
}

char *bytes_dup(struct bytes data) {
  char *copy = malloc(data.len + 1);
  if (!copy) return NULL;
  if (data.len) memcpy(copy, data.ptr, data.len);
  copy[data.len] = '\0';
  return copy;
}

void cleanup_free(void *pointer_to_pointer) {
  void *pointer;
  memcpy(&pointer, pointer_to_pointer, sizeof pointer);
  free(pointer);
}

void cleanup_buffer(struct buffer *b) {
  buffer_done(b);
}
