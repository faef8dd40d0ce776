#include "debate/blank.h"

static bool among(const char *p, unsigned char low, unsigned char high) {
  unsigned char c = (unsigned char)*p;
  return c >= low && c <= high;
}

size_t blank_length(const char *p, size_t len) {
  if (!len) return 0;
  if (*p == ' ' || among(p, '\t', '\r')) return 1;
  if (len >= 2 && p[0] == '\xc2' && (p[1] == '\x85' || p[1] == '\xa0' || p[1] == '\xad')) return 2;
  if (len < 3) return 0;
  if (p[0] == '\xe2' && p[1] == '\x80') /* U+2000..200F, U+2028..202F */
    return among(p + 2, 0x80, 0x8f) || among(p + 2, 0xa8, 0xaf) ? 3 : 0;
  if (p[0] == '\xe2' && p[1] == '\x81') return among(p + 2, 0x9f, 0xa4) ? 3 : 0; /* U+205F..2064 */
  if (memcmp(p, "\xe3\x80\x80", 3) == 0 || memcmp(p, "\xef\xbb\xbf", 3) == 0) return 3;
  return 0;
}

struct bytes blank_trim(struct bytes text) {
  size_t n;
  while ((n = blank_length(text.ptr, text.len)) > 0) {
    text.ptr += n;
    text.len -= n;
  }
  while (text.len) {
    /* A blank is at most three bytes long; back over continuation bytes to its first. */
    size_t start = text.len - 1;
    while (start > 0 && text.len - start < 3 && ((unsigned char)text.ptr[start] & 0xc0) == 0x80)
      start--;
    if (blank_length(text.ptr + start, text.len - start) != text.len - start) break;
    text.len = start;
  }
  return text;
}
