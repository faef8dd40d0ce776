#include "ops/markdown.h"

#include "ops/wary_text.h"

/* Where a character stands, which decides whether it means something. */
struct place {
  bool line_start; /* nothing but blanks before it on its line */
  bool number;     /* nothing but blanks and digits */
  bool empty;      /* nothing at all */
  int ws;          /* how many w stand right before it */
};

/* CommonMark 0.31 section 2.4: any ASCII punctuation may be escaped with a backslash. Those that
 * begin something wherever they stand; ~ $ | are GitHub's. */
static bool is_active(char c) {
  return c && strchr("\\`*_[]<&|~$#", c);
}

/* Lists, rulers, the underline of a heading, an ordered list's dot. */
static bool is_active_here(const struct place *place, char c) {
  if (place->line_start && c && strchr("+-=>", c)) return true;
  return place->number && (c == '.' || c == ')');
}

/* GitHub makes links of bare addresses: http://, www. */
static bool begins_link(const struct wary_text *t, const struct place *place, char c) {
  if (c == ':') return t->rest.len >= 2 && memcmp(t->rest.ptr, "//", 2) == 0;
  return c == '.' && place->ws >= 3;
}

static void step(struct place *place, char c) {
  bool digit = c >= '0' && c <= '9';
  place->number = (place->line_start || place->number) && digit;
  place->line_start = place->line_start && c == ' ';
  place->ws = c == 'w' || c == 'W' ? place->ws + 1 : 0;
  place->empty = false;
}

static void append_char(struct buffer *out, const struct wary_text *t, struct place *place) {
  char c = t->piece.ptr[0];
  /* Four blanks at a line's start would be code, in which nothing can be escaped. */
  if ((c == ' ' || c == '\t') && place->line_start) {
    for (int i = c == ' ' ? 1 : 4; i > 0; i--) buffer_append_text(out, "\xc2\xa0");
    return;
  }
  if (is_active(c) || is_active_here(place, c) || begins_link(t, place, c))
    buffer_append_char(out, '\\');
  buffer_append_bytes(out, t->piece);
  step(place, c);
}

static const struct place first_place = {true, false, true, 0};

void markdown_inline(struct buffer *out, struct bytes text) {
  struct wary_text t;
  struct place place = first_place;
  wary_text_init(&t, text);
  while (wary_text_next(&t)) {
    if (t.piece.ptr[0] != '\n') {
      append_char(out, &t, &place);
      continue;
    }
    buffer_append_char(out, ' ');
    step(&place, ' ');
  }
}

void markdown_quote(struct buffer *out, struct bytes text) {
  struct wary_text t;
  struct place place = first_place;
  wary_text_init(&t, text);
  buffer_append_text(out, "> ");
  while (wary_text_next(&t)) {
    if (t.piece.ptr[0] != '\n') {
      append_char(out, &t, &place);
      continue;
    }
    /* Two blanks keep the line's end; after an empty line they would mean nothing. */
    buffer_append_text(out, place.empty ? "\n> " : "  \n> ");
    place = first_place;
  }
  buffer_append_text(out, "\n\n");
}
