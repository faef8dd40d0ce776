#include "base/json_scan.h"

#include "base/json.h"
#include "base/json_run.h"
#include "base/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { NUMBER_DIGITS = 800 }; /* 768 and a sticky one decide any binary64, IEEE 754-2019, 5.12.2 */

static bool fail(struct json_scan *s) {
  s->failed = true;
  return false;
}

static inline bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline void skip_space(struct json_scan *s) {
  while (s->p < s->end && is_space(*s->p)) s->p++;
}

void json_scan_begin(struct json_scan *s, struct bytes text) {
  *s = (struct json_scan){.p = text.len ? text.ptr : "", .end = NULL};
  s->end = s->p + text.len;
  skip_space(s);
}

bool json_scan_end(struct json_scan *s) {
  skip_space(s);
  return !s->failed && s->depth == 0 && s->p == s->end;
}

/* What a value's first byte says; the other bytes begin none. */
static const unsigned char types[256] = {
    ['{'] = JSON_SCAN_OBJECT, ['['] = JSON_SCAN_ARRAY,  ['"'] = JSON_SCAN_STRING,
    ['-'] = JSON_SCAN_NUMBER, ['0'] = JSON_SCAN_NUMBER, ['1'] = JSON_SCAN_NUMBER,
    ['2'] = JSON_SCAN_NUMBER, ['3'] = JSON_SCAN_NUMBER, ['4'] = JSON_SCAN_NUMBER,
    ['5'] = JSON_SCAN_NUMBER, ['6'] = JSON_SCAN_NUMBER, ['7'] = JSON_SCAN_NUMBER,
    ['8'] = JSON_SCAN_NUMBER, ['9'] = JSON_SCAN_NUMBER, ['t'] = JSON_SCAN_BOOL,
    ['f'] = JSON_SCAN_BOOL,   ['n'] = JSON_SCAN_NULL,
};

static inline enum json_scan_type peek(const struct json_scan *s) {
  return s->failed || s->p == s->end ? JSON_SCAN_NONE
                                     : (enum json_scan_type)types[(unsigned char)*s->p];
}

enum json_scan_type json_scan_peek(struct json_scan *s) {
  return peek(s);
}

/* ---- strings ---- */

static int hex4(const char *p) {
  uint8_t pair[2];
  return bytes_from_hex((struct bytes){p, 4}, pair, 2) ? pair[0] << 8 | pair[1] : -1;
}

/* Reads \uXXXX, and its second half where it is a surrogate pair; `s->p` is on the 'u'. */
static long unicode_escape(struct json_scan *s) {
  if (s->end - s->p < 5) return -1;
  long c = hex4(s->p + 1);
  s->p += 5;
  if (c <= 0 || (c >= 0xdc00 && c <= 0xdfff)) return -1;
  if (c < 0xd800 || c > 0xdbff) return c;
  if (s->end - s->p < 6 || s->p[0] != '\\' || s->p[1] != 'u') return -1;
  long low = hex4(s->p + 2);
  s->p += 6;
  if (low < 0xdc00 || low > 0xdfff) return -1;
  return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
}

static size_t utf8_encode(long c, char out[4]) {
  if (c < 0x80) {
    out[0] = (char)c;
    return 1;
  }
  if (c < 0x800) {
    out[0] = (char)(0xc0 | c >> 6);
    out[1] = (char)(0x80 | (c & 0x3f));
    return 2;
  }
  if (c < 0x10000) {
    out[0] = (char)(0xe0 | c >> 12);
    out[1] = (char)(0x80 | (c >> 6 & 0x3f));
    out[2] = (char)(0x80 | (c & 0x3f));
    return 3;
  }
  out[0] = (char)(0xf0 | c >> 18);
  out[1] = (char)(0x80 | (c >> 12 & 0x3f));
  out[2] = (char)(0x80 | (c >> 6 & 0x3f));
  out[3] = (char)(0x80 | (c & 0x3f));
  return 4;
}

/* The character of an escape into `out`; `s->p` is after the backslash. 0 when it is none. */
static size_t escape(struct json_scan *s, char out[4]) {
  static const char names[] = "\"\\/bfnrt";
  static const char values[] = "\"\\/\b\f\n\r\t";
  if (s->p == s->end) return 0;
  if (*s->p == 'u') {
    long c = unicode_escape(s);
    return c < 0 ? 0 : utf8_encode(c, out);
  }
  const char *name = *s->p ? strchr(names, *s->p) : NULL;
  if (!name) return 0;
  s->p++;
  out[0] = values[name - names];
  return 1;
}

/* A string with escapes or characters beyond ASCII, from its opening quote on. */
static bool read_rich_string(struct json_scan *s, struct buffer *out) {
  s->p++;
  for (;;) {
    const char *start = s->p;
    s->p += json_run_of_ascii(s->p, s->end);
    while (s->p < s->end && (unsigned char)*s->p >= 0x80) {
      size_t n = utf8_char_length(s->p, (size_t)(s->end - s->p));
      if (!n) return fail(s);
      s->p += n;
      s->p += json_run_of_ascii(s->p, s->end);
    }
    if (out && s->p > start) buffer_append(out, start, (size_t)(s->p - start));
    if (s->p == s->end) return fail(s);
    if (*s->p == '"') break;
    if (*s->p != '\\') return fail(s);
    s->p++;
    char decoded[4];
    size_t n = escape(s, decoded);
    if (!n) return fail(s);
    if (out) buffer_append(out, decoded, n);
  }
  s->p++;
  return true;
}

/* A string that stands for itself, as nearly all do. False where it does not: nothing is read. */
static inline bool read_plain_string(struct json_scan *s, struct bytes *ret_text) {
  const char *start = s->p + 1;
  const char *stop = start + json_run_of_ascii(start, s->end);
  if (stop == s->end || *stop != '"') return false;
  s->p = stop + 1;
  *ret_text = (struct bytes){start, (size_t)(stop - start)};
  return true;
}

/* A string from its opening quote on; `out` may be NULL. */
static inline bool read_string(struct json_scan *s, struct buffer *out) {
  struct bytes text;
  if (!read_plain_string(s, &text)) return read_rich_string(s, out);
  if (out && text.len) buffer_append_bytes(out, text);
  return true;
}

/* ---- numbers ---- */

struct number {
  bool negative, real;
  struct bytes whole; /* digits before the point */
};

static inline size_t digits(struct json_scan *s) {
  const char *start = s->p;
  while (s->p < s->end && *s->p >= '0' && *s->p <= '9') s->p++;
  return (size_t)(s->p - start);
}

/* False beyond int64. */
static bool int_value(const struct number *n, int64_t *ret_value) {
  uint64_t magnitude = 0;
  for (size_t i = 0; i < n->whole.len; i++)
    if (__builtin_mul_overflow(magnitude, 10, &magnitude) ||
        __builtin_add_overflow(magnitude, (uint64_t)(n->whole.ptr[i] - '0'), &magnitude))
      return false;
  if (magnitude > (uint64_t)INT64_MAX + n->negative) return false;
  *ret_value = n->negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
  return true;
}

/* What follows the 'e', held within bounds that no value reaches. */
static long exponent_value(const char *p, const char *end) {
  bool negative = *p == '-';
  long value = 0;
  for (p += *p == '-' || *p == '+'; p < end; p++)
    if (value < 10000000) value = value * 10 + (*p - '0');
  return negative ? -value : value;
}

/* The value of a real, correctly rounded, however long its text is. */
static double real_value(const char *start, const char *end) {
  char text[NUMBER_DIGITS + 64];
  size_t n = 0, kept = 0;
  long scale = 0;
  bool after_point = false, sticky = false;
  const char *p = start;
  if (*p == '-') text[n++] = *p++;
  for (; p < end && *p != 'e' && *p != 'E'; p++) {
    if (*p == '.') {
      after_point = true;
      continue;
    }
    if (kept == 0 && *p == '0') {
      scale -= after_point;
    } else if (kept < NUMBER_DIGITS) {
      text[n++] = *p;
      kept++;
      scale -= after_point;
    } else {
      sticky |= *p != '0';
      scale += !after_point;
    }
  }
  if (!kept) return *start == '-' ? -0.0 : 0.0;
  if (sticky) {
    text[n++] = '1';
    scale--;
  }
  long exponent = p < end ? exponent_value(p + 1, end) : 0;
  snprintf(text + n, sizeof text - n, "e%ld", exponent + scale);
  return strtod(text, NULL);
}

static bool read_number(struct json_scan *s, struct number *ret_number) {
  const char *start = s->p;
  struct number n = {.negative = *start == '-'};
  int64_t value;
  if (n.negative) s->p++;
  n.whole.ptr = s->p;
  n.whole.len = digits(s);
  if (n.whole.len == 0 || (n.whole.len > 1 && *n.whole.ptr == '0')) return fail(s);
  bool big = n.whole.len > 300;
  if (s->p < s->end && *s->p == '.') {
    n.real = true;
    s->p++;
    if (!digits(s)) return fail(s);
  }
  if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
    n.real = big = true;
    s->p++;
    if (s->p < s->end && (*s->p == '+' || *s->p == '-')) s->p++;
    if (!digits(s)) return fail(s);
  }
  if (!n.real && n.whole.len > 18 && !int_value(&n, &value)) return fail(s); /* 10^18 fits */
  if (n.real && big && !isfinite(real_value(start, s->p))) return fail(s);
  *ret_number = n;
  return true;
}

static inline bool read_word(struct json_scan *s, const char *word) {
  size_t len = strlen(word);
  if ((size_t)(s->end - s->p) < len || memcmp(s->p, word, len) != 0) return fail(s);
  s->p += len;
  return true;
}

/* ---- containers ---- */

static bool enter(struct json_scan *s, bool object) {
  if (s->depth == JSON_DEPTH_MAX) return fail(s);
  uint64_t bit = UINT64_C(1) << s->depth++;
  s->objects = object ? s->objects | bit : s->objects & ~bit;
  s->begun &= ~bit;
  s->p++;
  return true;
}

/* To the next member or item of the innermost container, or out of it with false. */
static inline bool advance(struct json_scan *s, char closing) {
  if (s->failed || !s->depth) return false;
  uint64_t bit = UINT64_C(1) << (s->depth - 1);
  skip_space(s);
  if (s->p == s->end) return fail(s);
  if (*s->p == closing) {
    s->p++;
    s->depth--;
    return false;
  }
  if (s->begun & bit) {
    if (*s->p != ',') return fail(s);
    s->p++;
    skip_space(s);
    if (s->p == s->end) return fail(s);
  }
  s->begun |= bit;
  return true;
}

bool json_scan_member(struct json_scan *s) {
  if (!advance(s, '}')) return false;
  if (*s->p != '"') return fail(s);
  const char *start = s->p + 1;
  s->key_escaped = !read_plain_string(s, &s->key);
  if (s->key_escaped) {
    if (!read_rich_string(s, NULL)) return false;
    s->key = (struct bytes){start, (size_t)(s->p - start) - 1};
  }
  skip_space(s);
  if (s->p == s->end || *s->p != ':') return fail(s);
  s->p++;
  skip_space(s);
  return true;
}

bool json_scan_item(struct json_scan *s) {
  return advance(s, ']');
}

bool json_scan_escaped_key_is(const struct json_scan *s, const char *name) {
  struct json_scan inner = {.p = s->key.ptr - 1, .end = s->key.ptr + s->key.len + 1};
  BUFFER_LATER struct buffer decoded;
  buffer_init(&decoded, 256); /* rare enough to allocate: nobody escapes a key */
  return read_string(&inner, &decoded) && !decoded.overflow &&
         bytes_equal(buffer_bytes(&decoded), bytes_of(name));
}

/* Consumes a value that holds no others. */
static bool skip_scalar(struct json_scan *s, enum json_scan_type type) {
  struct number number;
  switch (type) {
    case JSON_SCAN_STRING: return read_string(s, NULL);
    case JSON_SCAN_NUMBER: return read_number(s, &number);
    case JSON_SCAN_BOOL: return read_word(s, *s->p == 't' ? "true" : "false");
    case JSON_SCAN_NULL: return read_word(s, "null");
    case JSON_SCAN_NONE:
    case JSON_SCAN_OBJECT:
    case JSON_SCAN_ARRAY: break;
  }
  return fail(s);
}

bool json_scan_skip(struct json_scan *s) {
  unsigned floor = s->depth;
  do {
    enum json_scan_type type = peek(s);
    if (type == JSON_SCAN_OBJECT || type == JSON_SCAN_ARRAY) {
      if (!enter(s, type == JSON_SCAN_OBJECT)) return false;
    } else if (!skip_scalar(s, type)) {
      return false;
    }
    /* Out of every container that ends here, up to the next value within ours. */
    while (s->depth > floor) {
      bool object = s->objects >> (s->depth - 1) & 1;
      if (object ? json_scan_member(s) : json_scan_item(s)) break;
      if (s->failed) return false;
    }
  } while (s->depth > floor);
  return true;
}

bool json_scan_object(struct json_scan *s) {
  if (peek(s) == JSON_SCAN_OBJECT) return enter(s, true);
  json_scan_skip(s);
  return false;
}

bool json_scan_array(struct json_scan *s) {
  if (peek(s) == JSON_SCAN_ARRAY) return enter(s, false);
  json_scan_skip(s);
  return false;
}

bool json_scan_string(struct json_scan *s, struct buffer *out) {
  if (peek(s) == JSON_SCAN_STRING) return read_string(s, out);
  json_scan_skip(s);
  return false;
}

bool json_scan_int(struct json_scan *s, int64_t *ret_value) {
  struct number n;
  if (peek(s) != JSON_SCAN_NUMBER) {
    json_scan_skip(s);
    return false;
  }
  return read_number(s, &n) && !n.real && int_value(&n, ret_value);
}

bool json_scan_real(struct json_scan *s, double *ret_value) {
  struct number n;
  const char *start = s->p;
  if (peek(s) != JSON_SCAN_NUMBER) {
    json_scan_skip(s);
    return false;
  }
  if (!read_number(s, &n)) return false;
  *ret_value = real_value(start, s->p);
  return true;
}

bool json_scan_bool(struct json_scan *s, bool *ret_value) {
  if (peek(s) != JSON_SCAN_BOOL) {
    json_scan_skip(s);
    return false;
  }
  bool value = *s->p == 't';
  if (!skip_scalar(s, JSON_SCAN_BOOL)) return false;
  *ret_value = value;
  return true;
}

bool json_scan_raw(struct json_scan *s, struct bytes *ret_raw) {
  const char *start = s->p;
  if (!json_scan_skip(s)) return false;
  *ret_raw = (struct bytes){start, (size_t)(s->p - start)};
  return true;
}
