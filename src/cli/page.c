#include "cli/page.h"

#include "cli/text.h"

/* SGR parameters (ECMA-48 8.3.117). Agents' colours are told apart on dark and on light grounds:
 * neither white nor black is among them. */
static const char *const base_styles[] = {"", "1", "2", "32", "33", "31"};
static const char *const agent_styles[] = {"36", "35", "34", "32", "33",
                                           "96", "95", "94", "92", "93"};

enum { LEAD_ROOM = 8 }; /* columns that a lead must leave to its text, or it gets its own line */

static const char *style_code(int style) {
  if (style < PAGE_AGENT) return base_styles[style];
  return agent_styles[(size_t)(style - PAGE_AGENT) % (sizeof agent_styles / sizeof *agent_styles)];
}

void page_styled(struct page *p, int style, struct bytes text) {
  bool coloured = p->colour && style != PAGE_PLAIN && text.len > 0;
  if (coloured) buffer_printf(p->out, "\x1b[%sm", style_code(style));
  buffer_append_bytes(p->out, text);
  if (coloured) buffer_append_text(p->out, "\x1b[0m");
}

static void page_spaces(struct page *p, size_t count) {
  while (count--) buffer_append_char(p->out, ' ');
}

void page_newline(struct page *p) {
  buffer_append_char(p->out, '\n');
}

void page_cell(struct page *p, int style, const char *text, size_t columns, bool last) {
  BUFFER_LATER struct buffer line;
  buffer_init(&line, 65536);
  FREE_LATER char *clean = text_clean(bytes_of(text));
  size_t used = text_append_line(&line, bytes_of(clean), columns);
  page_styled(p, style, buffer_bytes(&line));
  if (!last && used < columns + 2) page_spaces(p, columns + 2 - used);
}

static void page_rule(struct page *p, int style, size_t count, const char *first,
                      const char *last) {
  struct buffer rule;
  buffer_init(&rule, 4 * (count + 2));
  buffer_append_text(&rule, first);
  while (count--) buffer_append_text(&rule, "─");
  buffer_append_text(&rule, last);
  page_styled(p, style, buffer_bytes(&rule));
  buffer_done(&rule);
}

static size_t rest_of(size_t width, size_t used) {
  return width > used ? width - used : 0;
}

void page_heading(struct page *p, const char *title) {
  page_newline(p);
  page_rule(p, PAGE_DIM, 2, "", " ");
  page_styled(p, PAGE_BOLD, bytes_of(title));
  page_rule(p, PAGE_DIM, rest_of(p->width, 4 + text_columns(bytes_of(title))), " ", "");
  page_newline(p);
}

/* ---- paragraphs ---- */

/* Where a paragraph's lines stand: what is written in front of and behind each. */
struct margins {
  struct page_gutter *gutter; /* or NULL */
  bool boxed;
  int style; /* of the box */
};

static size_t margins_width(const struct page *p, const struct margins *m) {
  size_t taken = m->gutter ? m->gutter->columns + 3 : 0;
  if (m->boxed) taken += 4;
  size_t left = rest_of(p->width, taken);
  return left < 16 ? 16 : left; /* a line must hold something on any terminal */
}

static void margin_left(struct page *p, const struct margins *m, bool empty) {
  if (m->boxed) {
    page_styled(p, m->style, BYTES_LITERAL("│"));
    page_spaces(p, 1);
  }
  struct page_gutter *g = m->gutter;
  if (!g) return;
  size_t used = 0;
  if (g->name) {
    struct buffer name;
    buffer_init(&name, 4096);
    used = text_append_line(&name, bytes_of(g->name), g->columns);
    page_styled(p, g->style, buffer_bytes(&name));
    buffer_done(&name);
    g->name = NULL;
  }
  page_spaces(p, rest_of(g->columns, used) + 1);
  page_styled(p, g->style, BYTES_LITERAL("│"));
  if (!empty) page_spaces(p, 1);
}

static void margin_right(struct page *p, const struct margins *m, size_t used) {
  if (m->boxed) {
    page_spaces(p, rest_of(margins_width(p, m), used) + 1);
    page_styled(p, m->style, BYTES_LITERAL("│"));
  }
  page_newline(p);
}

static void paragraph(struct page *p, const struct margins *m, const struct page_text *t) {
  size_t width = margins_width(p, m);
  struct bytes lead = bytes_of(t->lead);
  size_t hang = t->hang < width / 2 ? t->hang : 0;
  if (text_columns(lead) + LEAD_ROOM > width) {
    paragraph(p, m, &(struct page_text){.style = t->lead_style, .text = lead});
    paragraph(p, m,
              &(struct page_text){.lead = "  ", .hang = 2, .style = t->style, .text = t->text});
    return;
  }
  struct text_wrap wrap;
  text_wrap_init(&wrap, t->text);
  struct bytes line = {NULL, 0};
  size_t indent = 0, taken = text_columns(lead);
  if (!text_wrap_next(&wrap, width - taken, &line, &indent) && !lead.len) return;
  for (bool first = true;; first = false) {
    size_t front = first ? taken : hang + indent;
    bool empty = line.len == 0 && (!first || lead.len == 0);
    margin_left(p, m, empty);
    if (first) page_styled(p, t->lead_style, lead);
    if (!first && !empty) page_spaces(p, front);
    page_styled(p, t->style, line);
    margin_right(p, m, empty ? 0 : front + text_columns(line));
    if (!text_wrap_next(&wrap, width - hang, &line, &indent)) return;
  }
}

void page_gutter_text(struct page *p, struct page_gutter *g, const struct page_text *text) {
  paragraph(p, &(struct margins){.gutter = g}, text);
}

void page_plain_text(struct page *p, const struct page_text *text) {
  paragraph(p, &(struct margins){0}, text);
}

/* ---- the box ---- */

void page_box_top(struct page *p, int style, const char *title) {
  page_rule(p, style, 1, "╭", " ");
  page_styled(p, PAGE_BOLD, bytes_of(title));
  page_rule(p, style, rest_of(p->width, 5 + text_columns(bytes_of(title))), " ", "╮");
  page_newline(p);
}

void page_box_text(struct page *p, int style, const struct page_text *text) {
  paragraph(p, &(struct margins){.boxed = true, .style = style}, text);
}

void page_box_blank(struct page *p, int style) {
  struct margins m = {.boxed = true, .style = style};
  margin_left(p, &m, true);
  margin_right(p, &m, 0);
}

void page_box_bottom(struct page *p, int style) {
  page_rule(p, style, rest_of(p->width, 2), "╰", "╯");
  page_newline(p);
}
