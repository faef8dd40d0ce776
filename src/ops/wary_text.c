#include "ops/wary_text.h"

#include "base/utf8.h"

#include <stdio.h>

void wary_text_init(struct wary_text *t, struct bytes text) {
  *t = (struct wary_text){.rest = text};
}

static bool is_control(const unsigned char *u, size_t len) {
  if (len == 1) return (u[0] < 0x20 && u[0] != '\n' && u[0] != '\t') || u[0] == 0x7f;
  return len == 2 && u[0] == 0xc2 && u[1] < 0xa0;
}

/* The code of a character that changes the direction of what follows, or 0. */
static unsigned direction_of(const unsigned char *u, size_t len) {
  if (len != 3 || u[0] != 0xe2) return 0;
  if (u[1] == 0x80 && u[2] >= 0xaa && u[2] <= 0xae) return 0x2000u + (u[2] - 0x80u);
  if (u[1] == 0x81 && u[2] >= 0xa6 && u[2] <= 0xa9) return 0x2040u + (u[2] - 0x80u);
  return 0;
}

bool wary_text_next(struct wary_text *t) {
  if (!t->rest.len) return false;
  const unsigned char *u = (const unsigned char *)t->rest.ptr;
  size_t len = utf8_char_length(t->rest.ptr, t->rest.len);
  size_t used = len ? len : 1;
  unsigned direction = len ? direction_of(u, len) : 0;
  t->piece = (struct bytes){t->rest.ptr, len};
  if (u[0] == '\r') {
    if (t->rest.len > 1 && u[1] == '\n') used = 2;
    t->piece = BYTES_LITERAL("\n");
  } else if (!len || is_control(u, len)) {
    t->piece = BYTES_LITERAL("\xef\xbf\xbd");
  } else if (direction) {
    snprintf(t->direction, sizeof t->direction, "[U+%04X]", direction);
    t->piece = bytes_of(t->direction);
  }
  t->rest = (struct bytes){t->rest.ptr + used, t->rest.len - used};
  return true;
}

void wary_text_append(struct buffer *out, struct bytes text) {
  struct wary_text t;
  wary_text_init(&t, text);
  while (wary_text_next(&t)) buffer_append_bytes(out, t.piece);
}
