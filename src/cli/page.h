/* A page of a terminal: headings, blocks of text behind an agent's name, and a box.
 * Appends to a buffer, whose overflow is checked once at the end; lines never end in spaces.
 */
#ifndef ARAGORA_CLI_PAGE_H
#define ARAGORA_CLI_PAGE_H

#include "base/bytes.h"

enum page_style { PAGE_PLAIN, PAGE_BOLD, PAGE_DIM, PAGE_GOOD, PAGE_WARN, PAGE_BAD, PAGE_AGENT };
/* PAGE_AGENT + n is the colour of the n-th agent of a panel. */

struct page {
  struct buffer *out;
  size_t width;
  bool colour;
};

/* The text in a style; clean text only. */
void page_styled(struct page *p, int style, struct bytes text);
void page_newline(struct page *p);

/* A cell of a table's row, of any text: made clean, cut to `columns`, padded unless it is the row's
 * last. */
void page_cell(struct page *p, int style, const char *text, size_t columns, bool last);

/* "── Round 1 · critique ─────", a blank line before it. */
void page_heading(struct page *p, const char *title);

/* Lines behind a name: `name │ text`, the name on the first of them only. */
struct page_gutter {
  const char *name; /* NULL once it was written */
  int style;
  size_t columns; /* width of the names' column */
};

/* A paragraph: `lead` in front of its first line, `hang` columns in front of the others. */
struct page_text {
  const char *lead; /* or NULL */
  int lead_style;
  size_t hang;
  int style;
  struct bytes text; /* clean */
};
void page_gutter_text(struct page *p, struct page_gutter *g, const struct page_text *text);
/* The same without a gutter. */
void page_plain_text(struct page *p, const struct page_text *text);

void page_box_top(struct page *p, int style, const char *title);
void page_box_text(struct page *p, int style, const struct page_text *text);
void page_box_blank(struct page *p, int style);
void page_box_bottom(struct page *p, int style);

#endif
