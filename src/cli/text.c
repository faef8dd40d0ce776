#include "cli/text.h"

#include "base/utf8.h"

#include <stdlib.h>
#include <wchar.h>

enum { ESC = 0x1b, BEL = 0x07, DEL = 0x7f, SEQUENCE_MAX = 4096, TAB_COLUMNS = 4 };

static uint32_t decode(const char *p, size_t len) {
  const unsigned char *u = (const unsigned char *)p;
  switch (len) {
    case 1: return u[0];
    case 2: return (u[0] & 0x1fu) << 6 | (u[1] & 0x3fu);
    case 3: return (u[0] & 0x0fu) << 12 | (u[1] & 0x3fu) << 6 | (u[2] & 0x3fu);
    default:
      return (u[0] & 0x07u) << 18 | (u[1] & 0x3fu) << 12 | (u[2] & 0x3fu) << 6 | (u[3] & 0x3fu);
  }
}

/* ---- cleaning ---- */

/* Length of a control sequence's parameters and final byte (ECMA-48 5.4), 0 when it is none. */
static size_t csi_length(const char *p, size_t len) {
  for (size_t i = 0; i < len && i < SEQUENCE_MAX; i++) {
    unsigned char c = (unsigned char)p[i];
    if (c >= 0x40 && c <= 0x7e) return i + 1;
    if (c < 0x20 || c > 0x3f) return 0;
  }
  return 0;
}

/* Length of a control string up to and with its terminator, BEL or ESC \ (ECMA-48 5.6), 0 when it
 * has none: the text behind a lone opener is shown rather than swallowed. */
static size_t control_string_length(const char *p, size_t len) {
  for (size_t i = 0; i < len && i < SEQUENCE_MAX; i++) {
    if (p[i] == BEL) return i + 1;
    if (p[i] == ESC && i + 1 < len && p[i + 1] == '\\') return i + 2;
    if (p[i] == '\n') return 0;
  }
  return 0;
}

/* Bytes of the escape sequence at p, which points at ESC; at least 1. */
static size_t escape_length(const char *p, size_t len) {
  if (len < 2) return 1;
  if (p[1] == '[') return 2 + csi_length(p + 2, len - 2);
  if (memchr("]PX^_", p[1], 5)) return 2 + control_string_length(p + 2, len - 2);
  size_t i = 1;
  while (i < len && (unsigned char)p[i] >= 0x20 && (unsigned char)p[i] <= 0x2f) i++;
  return i < len && (unsigned char)p[i] >= 0x30 && (unsigned char)p[i] <= 0x7e ? i + 1 : 1;
}

/* What a terminal obeys or what turns the reading direction of what follows (UAX 9 section 2). */
static bool is_dangerous(uint32_t c) {
  return c < 0x20 || (c >= DEL && c <= 0x9f) || (c >= 0x202a && c <= 0x202e) ||
         (c >= 0x2066 && c <= 0x2069) || c == 0x200e || c == 0x200f || c == 0x061c || c == 0x2028 ||
         c == 0x2029 || c == 0xfeff;
}

/* Appends what stands for the character at p and returns how many bytes were used. */
static size_t clean_one(struct buffer *out, const char *p, size_t left) {
  size_t len = utf8_char_length(p, left);
  if (len == 0) {
    buffer_append_text(out, "\xef\xbf\xbd");
    return 1;
  }
  uint32_t c = decode(p, len);
  if (c == ESC) return escape_length(p, left);
  if (c == '\r') {
    if (left < 2 || p[1] != '\n') buffer_append_char(out, '\n');
    return 1;
  }
  if (c == '\t')
    buffer_append(out, "    ", TAB_COLUMNS);
  else if (c == '\n' || !is_dangerous(c))
    buffer_append(out, p, len);
  return len;
}

char *text_clean(struct bytes text) {
  struct buffer out;
  buffer_init(&out, TAB_COLUMNS * text.len + 1); /* a tab is what grows most */
  for (size_t i = 0; i < text.len;) i += clean_one(&out, text.ptr + i, text.len - i);
  char *clean = buffer_steal(&out);
  if (!clean) buffer_done(&out);
  return clean;
}

/* ---- measuring ---- */

static size_t columns_of(uint32_t c) {
  int width = wcwidth((wchar_t)c);
  return width < 0 ? 0 : (size_t)width;
}

size_t text_columns(struct bytes text) {
  size_t columns = 0;
  for (size_t i = 0; i < text.len;) {
    size_t len = utf8_char_length(text.ptr + i, text.len - i);
    if (len == 0) len = 1;
    columns += columns_of(decode(text.ptr + i, len));
    i += len;
  }
  return columns;
}

/* Bytes of the longest prefix that takes at most `columns`. */
static size_t fit(struct bytes text, size_t columns) {
  size_t used = 0, i = 0;
  while (i < text.len) {
    size_t len = utf8_char_length(text.ptr + i, text.len - i);
    if (len == 0) len = 1;
    size_t width = columns_of(decode(text.ptr + i, len));
    if (used + width > columns) break;
    used += width;
    i += len;
  }
  return i;
}

size_t text_append_line(struct buffer *out, struct bytes text, size_t columns) {
  struct buffer line;
  buffer_init(&line, text.len + 4);
  bool space = true; /* runs of white space become one space, none stands in front */
  for (size_t i = 0; i < text.len; i++) {
    bool is_space = text.ptr[i] == '\n' || text.ptr[i] == ' ';
    if (!is_space) buffer_append_char(&line, text.ptr[i]);
    if (is_space && !space) buffer_append_char(&line, ' ');
    space = is_space;
  }
  while (line.len && line.ptr[line.len - 1] == ' ') line.len--;
  struct bytes whole = buffer_bytes(&line);
  size_t used = text_columns(whole);
  if (used > columns && columns > 0) {
    whole.len = fit(whole, columns - 1);
    while (whole.len && whole.ptr[whole.len - 1] == ' ') whole.len--;
    used = text_columns(whole) + 1;
    buffer_append_bytes(out, whole);
    buffer_append_text(out, "…");
  } else {
    buffer_append_bytes(out, whole);
  }
  buffer_done(&line);
  return used;
}

/* ---- wrapping ---- */

void text_wrap_init(struct text_wrap *w, struct bytes text) {
  while (text.len && (text.ptr[text.len - 1] == '\n' || text.ptr[text.len - 1] == ' ')) text.len--;
  while (text.len && text.ptr[0] == '\n') text.ptr++, text.len--;
  *w = (struct text_wrap){.rest = text, .finished = text.len == 0};
}

/* Leading spaces and a list's bullet ("- ", "12. "): where its further lines begin. */
static size_t hang_of(struct bytes line) {
  size_t i = 0;
  while (i < line.len && line.ptr[i] == ' ') i++;
  size_t mark = i;
  if (i < line.len && memchr("-*+>", line.ptr[i], 4)) {
    mark = i + 1;
  } else {
    while (mark < line.len && line.ptr[mark] >= '0' && line.ptr[mark] <= '9') mark++;
    bool numbered = mark > i && mark - i <= 3 && mark < line.len &&
                    (line.ptr[mark] == '.' || line.ptr[mark] == ')');
    mark = numbered ? mark + 1 : i;
  }
  return mark > i && mark < line.len && line.ptr[mark] == ' ' ? mark + 1 : i;
}

/* Where the line that starts at text ends, when at most `columns` fit: *ret_next is where the next
 * one starts, *ret_newline whether a newline ended it. */
static size_t line_end(struct bytes text, size_t columns, size_t *ret_next, bool *ret_newline) {
  size_t used = 0, space_end = 0, space_next = 0, i = 0;
  bool seen = false; /* something but spaces stands before i */
  *ret_newline = false;
  while (i < text.len) {
    if (text.ptr[i] == '\n') {
      *ret_newline = true;
      *ret_next = i + 1;
      return i;
    }
    size_t len = utf8_char_length(text.ptr + i, text.len - i);
    if (len == 0) len = 1;
    size_t width = columns_of(decode(text.ptr + i, len));
    if (text.ptr[i] == ' ' && seen) space_end = i, space_next = i + 1;
    if (width == 2 && seen && used + width <= columns) space_end = space_next = i;
    if (used + width > columns && i > 0) {
      bool break_here = text.ptr[i] == ' ' || space_end == 0;
      *ret_next = break_here ? i : space_next;
      return break_here ? i : space_end;
    }
    used += width;
    seen = seen || text.ptr[i] != ' ';
    i += len;
    if (width == 2 && used <= columns) space_end = space_next = i;
  }
  *ret_next = i;
  return i;
}

bool text_wrap_next(struct text_wrap *w, size_t columns, struct bytes *ret_line,
                    size_t *ret_indent) {
  if (w->finished) return false;
  if (w->inside) {
    while (w->rest.len && *w->rest.ptr == ' ') w->rest.ptr++, w->rest.len--;
  } else {
    const char *newline = w->rest.len ? memchr(w->rest.ptr, '\n', w->rest.len) : NULL;
    struct bytes line = {w->rest.ptr, newline ? (size_t)(newline - w->rest.ptr) : w->rest.len};
    w->hang = hang_of(line);
    if (w->hang > columns / 2) w->hang = 0;
  }
  *ret_indent = w->inside ? w->hang : 0;
  size_t next;
  bool newline;
  size_t end = line_end(w->rest, columns - *ret_indent, &next, &newline);
  *ret_line = (struct bytes){w->rest.ptr, end};
  while (ret_line->len && ret_line->ptr[ret_line->len - 1] == ' ') ret_line->len--;
  if (ret_line->len == 0) *ret_indent = 0;
  w->rest = (struct bytes){w->rest.ptr + next, w->rest.len - next};
  w->inside = !newline;
  w->finished = w->rest.len == 0;
  return true;
}
