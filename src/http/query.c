#include "http/query.h"

#include "base/utf8.h"

#include <stdlib.h>
#include <strings.h>

/* The byte of an escape at `p` of `len` bytes, or -1. */
static int query_escape(const char *p, size_t len) {
  if (len < 3) return -1;
  int high = bytes_hex_value(p[1]);
  int low = bytes_hex_value(p[2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

struct bytes query_target_authority(struct bytes target) {
  static const char *const schemes[] = {"http://", "https://"};
  for (size_t i = 0; i < 2; i++) {
    size_t n = strlen(schemes[i]), end = n;
    if (target.len <= n || strncasecmp(target.ptr, schemes[i], n) != 0) continue;
    while (end < target.len && target.ptr[end] != '/' && target.ptr[end] != '?') end++;
    return (struct bytes){target.ptr + n, end - n};
  }
  return (struct bytes){0};
}

static struct bytes skip_authority(struct bytes target) {
  struct bytes authority = query_target_authority(target);
  if (!authority.ptr) return target;
  const char *rest = authority.ptr + authority.len;
  size_t len = target.len - (size_t)(rest - target.ptr);
  if (len == 0 || *rest == '?') return BYTES_LITERAL("/");
  return (struct bytes){rest, len};
}

bool query_split_target(struct bytes target, struct bytes *ret_path, struct bytes *ret_query) {
  if (bytes_equal(target, BYTES_LITERAL("*"))) {
    *ret_path = target;
    *ret_query = (struct bytes){0};
    return true;
  }
  target = skip_authority(target);
  if (target.len == 0 || target.ptr[0] != '/') return false;
  const char *mark = memchr(target.ptr, '?', target.len);
  size_t n = mark ? (size_t)(mark - target.ptr) : target.len;
  *ret_path = (struct bytes){target.ptr, n};
  *ret_query = mark ? (struct bytes){mark + 1, target.len - n - 1} : (struct bytes){0};
  return true;
}

bool query_decode_path(struct bytes path, char *out) {
  size_t n = 0;
  for (size_t i = 0; i < path.len; i++) {
    unsigned char c = (unsigned char)path.ptr[i];
    if (c == '%') {
      int byte = query_escape(path.ptr + i, path.len - i);
      if (byte < 0) return false;
      if (byte != '/') {
        c = (unsigned char)byte;
        i += 2;
      }
    }
    if (c < 0x20 || c == 0x7f) return false;
    out[n++] = (char)c;
  }
  out[n] = '\0';
  return utf8_valid((struct bytes){out, n});
}

/* Decodes one component; false on a broken escape, a NUL or invalid UTF-8. */
static bool query_decode(struct bytes text, char *out) {
  size_t n = 0;
  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];
    if (c == '+') c = ' ';
    if (c == '%') {
      int byte = query_escape(text.ptr + i, text.len - i);
      if (byte <= 0) return false;
      c = (char)byte;
      i += 2;
    }
    if (c == '\0') return false;
    out[n++] = c;
  }
  out[n] = '\0';
  return utf8_valid((struct bytes){out, n});
}

char *query_find(struct bytes query, const char *name) {
  while (query.len > 0) {
    const char *end = memchr(query.ptr, '&', query.len);
    size_t len = end ? (size_t)(end - query.ptr) : query.len;
    const char *equals = memchr(query.ptr, '=', len);
    size_t name_len = equals ? (size_t)(equals - query.ptr) : len;
    char *out = malloc(len + 1);
    if (!out) return NULL;
    if (query_decode((struct bytes){query.ptr, name_len}, out) && strcmp(out, name) == 0) {
      struct bytes value = {query.ptr + len, 0};
      if (equals) value = (struct bytes){equals + 1, len - name_len - 1};
      if (query_decode(value, out)) return out;
      free(out);
      return NULL;
    }
    free(out);
    if (!end) break;
    query = (struct bytes){end + 1, query.len - len - 1};
  }
  return NULL;
}
