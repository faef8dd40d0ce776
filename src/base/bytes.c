#include "base/bytes.h"

#include "base/json_run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

enum { BUFFER_REST_MAX = 1024 }; /* bytes that a stolen text may hold unused */

bool bytes_write(struct bytes b, int fd) {
  while (b.len > 0) {
    ssize_t n = write(fd, b.ptr, b.len);
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) errno = EIO; /* nothing more goes in, and write(2) says no reason */
    if (n <= 0) return false;
    b = (struct bytes){b.ptr + n, b.len - (size_t)n};
  }
  return true;
}

bool bytes_equal_nocase(struct bytes a, struct bytes b) {
  return a.len == b.len && (a.len == 0 || strncasecmp(a.ptr, b.ptr, a.len) == 0);
}

struct bytes bytes_trimmed(struct bytes text) {
  while (text.len && bytes_is_blank(*text.ptr)) {
    text.ptr++;
    text.len--;
  }
  while (text.len && bytes_is_blank(text.ptr[text.len - 1])) text.len--;
  return text;
}

struct bytes bytes_until(struct bytes text, struct bytes mark) {
  const char *found = text.len ? memmem(text.ptr, text.len, mark.ptr, mark.len) : NULL;
  return found ? (struct bytes){text.ptr, (size_t)(found - text.ptr)} : text;
}

void bytes_to_hex(const uint8_t *in, size_t len, char *out) {
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < len; i++) {
    out[2 * i] = digits[in[i] >> 4];
    out[2 * i + 1] = digits[in[i] & 15];
  }
  out[2 * len] = '\0';
}

int bytes_hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

bool bytes_from_hex(struct bytes text, uint8_t *out, size_t len) {
  if (text.len != 2 * len) return false;
  for (size_t i = 0; i < len; i++) {
    int high = bytes_hex_value(text.ptr[2 * i]);
    int low = bytes_hex_value(text.ptr[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = (uint8_t)(high << 4 | low);
  }
  return true;
}

size_t bytes_from_int(int64_t value, char out[BYTES_INT_SIZE]) {
  char digits[BYTES_INT_SIZE];
  char *end = digits + sizeof digits - 1;
  char *p = end;
  uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
  *end = '\0';
  do *--p = (char)('0' + rest % 10);
  while (rest /= 10);
  if (value < 0) *--p = '-';
  memcpy(out, p, (size_t)(end - p) + 1);
  return (size_t)(end - p);
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
  char digits[BYTES_INT_SIZE];
  return buffer_append(b, digits, bytes_from_int(value, digits));
}

/* The escape of a byte that has a short one, else 0. */
static char short_escape(unsigned char c) {
  switch (c) {
    case '"':
    case '\\': return (char)c;
    case '\b': return 'b';
    case '\t': return 't';
    case '\n': return 'n';
    case '\f': return 'f';
    case '\r': return 'r';
    default: return 0;
  }
}

static void append_escape(struct buffer *b, unsigned char c) {
  static const char digits[] = "0123456789abcdef";
  char name = short_escape(c);
  if (name)
    buffer_append(b, (char[]){'\\', name}, 2);
  else
    buffer_append(b, (char[]){'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]}, 6);
}

/* From the first byte on that needs an escape. */
static void append_escaped(struct buffer *b, const char *p, const char *end) {
  while (p < end) {
    append_escape(b, (unsigned char)*p++);
    size_t run = json_run_of_text(p, end);
    buffer_append(b, p, run);
    p += run;
  }
}

/* Half of all strings are keys and words of a few bytes, so what stands for itself is copied while
 * it is looked at. */
bool buffer_append_json_string(struct buffer *b, struct bytes text) {
  if (text.len > SIZE_MAX - 2 || !buffer_reserve(b, text.len + 2)) {
    b->overflow = true;
    return false;
  }
  const char *p = text.len ? text.ptr : "";
  const char *end = p + text.len;
  char *to = b->ptr + b->len;
  *to++ = '"';
  for (; end - p >= 8; p += 8, to += 8) {
    uint64_t word;
    memcpy(&word, p, sizeof word);
    if (json_run_ends(le64toh(word), false)) break;
    memcpy(to, &word, sizeof word);
  }
  while (p < end && json_run_has((unsigned char)*p)) *to++ = *p++;
  b->len = (size_t)(to - b->ptr);
  b->ptr[b->len] = '\0';
  append_escaped(b, p, end);
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
    /* What is stolen stays for long: a large rest is given back. */
    if (b->cap - b->len > BUFFER_REST_MAX) {
      char *fitted = realloc(stolen, b->len + 1);
      if (fitted) stolen = fitted;
    }
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

enum status bytes_replace(char **text, struct bytes data) {
  char *copy = bytes_dup(data);
  if (!copy) return STATUS_NOMEM;
  free(*text);
  *text = copy;
  return STATUS_OK;
}

void cleanup_free(void *pointer_to_pointer) {
  void *pointer;
  memcpy(&pointer, pointer_to_pointer, sizeof pointer);
  free(pointer);
}

void cleanup_buffer(struct buffer *b) {
  buffer_done(b);
}
