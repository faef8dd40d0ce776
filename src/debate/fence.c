#include "debate/fence.h"

#include "base/sha256.h"
#include "base/utf8.h"
#include "debate/prompt.h"

#include <ctype.h>
#include <strings.h>

void fence_marker_of(struct bytes text, char ret_marker[FENCE_MARKER_SIZE]) {
  uint8_t hash[SHA256_SIZE];
  sha256_of(text, hash);
  bytes_to_hex(hash, (FENCE_MARKER_SIZE - 1) / 2, ret_marker);
}

static char other_case(char c) {
  return (char)(isalpha((unsigned char)c) ? c ^ 0x20 : c);
}

/* Whether `text` holds the marker, in either case: looked at a marker's length apart, as a byte
 * that is in no marker ends none of the places before it. */
static bool holds(struct bytes text, const char *marker, size_t size) {
  bool of_marker[256] = {false};
  for (size_t i = 0; i < size; i++)
    of_marker[(unsigned char)marker[i]] = of_marker[(unsigned char)other_case(marker[i])] = true;
  for (size_t end = size; end <= text.len;) {
    bool may_be = of_marker[(unsigned char)text.ptr[end - 1]];
    if (may_be && strncasecmp(text.ptr + end - size, marker, size) == 0) return true;
    end += may_be ? 1 : size;
  }
  return false;
}

void fence_append_without(struct buffer *out, const char *marker, struct bytes text) {
  size_t size = strlen(marker);
  size_t start = out->len;
  if (!size || !holds(text, marker, size)) {
    buffer_append_bytes(out, text);
    return;
  }
  if (!buffer_reserve(out, text.len)) return;
  char last = marker[size - 1];
  char other = other_case(last);
  /* What is written so far is a stack: a marker is popped when its last byte arrives, so the bytes
   * around it meet before the next one is looked at, and none can be left over. */
  for (size_t i = 0; i < text.len; i++) {
    char c = out->ptr[out->len++] = text.ptr[i];
    if ((c == last || c == other) && out->len - start >= size &&
        strncasecmp(out->ptr + out->len - size, marker, size) == 0)
      out->len -= size;
  }
  out->ptr[out->len] = '\0';
}

static void append_mark(struct buffer *out, const char *arrows, const char *nonce) {
  buffer_append_text(out, arrows);
  buffer_append_text(out, nonce);
  buffer_append_char(out, '\n');
}

void prompt_append_fenced(struct buffer *out, const char *nonce, const char *label,
                          const char *text, size_t max) {
  struct bytes whole = bytes_of(text ? text : "");
  struct bytes shown = {whole.ptr, utf8_prefix(whole, max)};
  bool cut = shown.len < whole.len;
  if (label && *label) {
    buffer_append_text(out, "### ");
    buffer_append_text(out, label);
    buffer_append_char(out, cut ? ' ' : '\n');
  }
  if (cut) buffer_printf(out, "(shortened: the first %zu of %zu bytes)\n", shown.len, whole.len);
  append_mark(out, "<<<<< ", nonce);
  fence_append_without(out, nonce, shown);
  append_mark(out, "\n>>>>> ", nonce);
}
