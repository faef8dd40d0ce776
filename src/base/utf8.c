#include "base/utf8.h"

#include <stdlib.h>

size_t utf8_char_length(const char *p, size_t len) {
  if (!len) return 0;
  const unsigned char *u = (const unsigned char *)p;
  if (u[0] < 0x80) return 1;
  size_t need;
  unsigned low = 0x80;
  unsigned high = 0xbf;
  if (u[0] >= 0xc2 && u[0] <= 0xdf) {
    need = 2;
  } else if (u[0] >= 0xe0 && u[0] <= 0xef) {
    need = 3;
    if (u[0] == 0xe0) low = 0xa0;
    if (u[0] == 0xed) high = 0x9f;
  } else if (u[0] >= 0xf0 && u[0] <= 0xf4) {
    need = 4;
    if (u[0] == 0xf0) low = 0x90;
    if (u[0] == 0xf4) high = 0x8f;
  } else {
    return 0;
  }
  if (len < need || u[1] < low || u[1] > high) return 0;
  for (size_t i = 2; i < need; i++)
    if (u[i] < 0x80 || u[i] > 0xbf) return 0;
  return need;
}

bool utf8_valid(struct bytes text) {
  size_t i = 0;
  while (i < text.len) {
    if ((unsigned char)text.ptr[i] < 0x80) {
      i++;
      continue;
    }
    size_t n = utf8_char_length(text.ptr + i, text.len - i);
    if (!n) return false;
    i += n;
  }
  return true;
}

size_t utf8_count(struct bytes text) {
  size_t count = 0;
  for (size_t i = 0; i < text.len; i++)
    if (((unsigned char)text.ptr[i] & 0xc0) != 0x80) count++;
  return count;
}

size_t utf8_prefix(struct bytes text, size_t max) {
  if (text.len <= max) return text.len;
  size_t n = max;
  while (n > 0 && ((unsigned char)text.ptr[n] & 0xc0) == 0x80) n--;
  return n;
}

/* Printing ASCII, newline and tab: what utf8_clean keeps without a second look. */
static size_t clean_run(const char *p, const char *end) {
  const char *start = p;
  while (p < end && ((*p >= 0x20 && *p < 0x7f) || *p == '\n' || *p == '\t')) p++;
  return (size_t)(p - start);
}

bool utf8_plain(struct bytes text) {
  return !text.len || clean_run(text.ptr, text.ptr + text.len) == text.len;
}

char *utf8_clean(struct bytes text) {
  struct buffer out;
  buffer_init(&out, text.len * 3 + 1);
  size_t i = 0;
  if (!buffer_reserve(&out, text.len)) return NULL;
  while (i < text.len) {
    size_t run = clean_run(text.ptr + i, text.ptr + text.len);
    buffer_append(&out, text.ptr + i, run);
    i += run;
    if (i == text.len) break;
    unsigned char c = (unsigned char)text.ptr[i];
    size_t n = utf8_char_length(text.ptr + i, text.len - i);
    bool control =
        c < 0x20 || c == 0x7f || (n == 2 && c == 0xc2 && (unsigned char)text.ptr[i + 1] < 0xa0);
    if (n && !control)
      buffer_append(&out, text.ptr + i, n);
    else
      buffer_append(&out, "\xef\xbf\xbd", 3);
    i += n ? n : 1;
  }
  return buffer_steal(&out);
}
