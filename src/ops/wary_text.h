/* Text of unknown origin on its way into a file that people open: a character at a time, with what
 * must not come through as it is.
 *
 * What models wrote ends in spreadsheets, browsers and terminals. Control characters become U+FFFD
 * there (but newline and tab), as does broken UTF-8; line ends become \n. The characters that turn
 * the direction of text around, so that it reads otherwise than it is written (CVE-2021-42574), are
 * shown by their number: U+202A..202E and U+2066..2069. Pure; any thread.
 */
#ifndef ARAGORA_OPS_WARY_TEXT_H
#define ARAGORA_OPS_WARY_TEXT_H

#include "base/bytes.h"

enum { WARY_DIRECTION_SIZE = 9 }; /* "[U+202E]" and its NUL */

struct wary_text {
  struct bytes rest;
  struct bytes piece; /* the character read last, or what stands for it; valid until the next */
  char direction[WARY_DIRECTION_SIZE];
};

void wary_text_init(struct wary_text *t, struct bytes text);
/* The next character as t->piece; false after the last. */
bool wary_text_next(struct wary_text *t);

/* Appends all of it. */
void wary_text_append(struct buffer *out, struct bytes text);

#endif
