/* Text of unknown origin on its way to a terminal: made harmless, measured in columns, wrapped.
 *
 * Models write what ends up on the operator's screen, and a terminal obeys escape sequences; so no
 * text of a debate is shown before it went through text_clean. Columns are wcwidth's, hence the
 * process needs a UTF-8 locale for characters (terminal_use_utf8). Pure otherwise; main thread.
 */
#ifndef ARAGORA_CLI_TEXT_H
#define ARAGORA_CLI_TEXT_H

#include "base/bytes.h"

/* A NUL-terminated copy for free(): escape sequences, control characters (but newline) and
 * direction overrides removed, tabs as spaces, line ends as \n, broken UTF-8 as U+FFFD. NULL when
 * memory is short. */
char *text_clean(struct bytes text);

/* Columns that a clean text without newlines takes. */
size_t text_columns(struct bytes text);

/* Appends the text on one line, newlines as spaces, at most `columns` wide, cut with "…". Returns
 * the columns it took. */
size_t text_append_line(struct buffer *out, struct bytes text, size_t columns);

/* Cuts a clean text into lines: at spaces, between wide characters, and within words that are
 * longer than a line. What hangs under a list's bullet is indented like its first line. */
struct text_wrap {
  struct bytes rest;
  size_t hang;   /* columns in front of a paragraph's further lines */
  bool inside;   /* the next line continues a paragraph */
  bool finished; /* no line is left */
};
void text_wrap_init(struct text_wrap *w, struct bytes text);
/* The next line, at most `columns` wide with its *ret_indent (spaces to put in front of it). False
 * after the last. */
bool text_wrap_next(struct text_wrap *w, size_t columns, struct bytes *ret_line,
                    size_t *ret_indent);

#endif
