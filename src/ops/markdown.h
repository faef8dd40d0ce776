/* Somebody's text in Markdown, as text. Pure; any thread. */
#ifndef ARAGORA_OPS_MARKDOWN_H
#define ARAGORA_OPS_MARKDOWN_H

#include "base/bytes.h"

/* On one line: line ends become blanks. Fit for a heading, a list and a table's cell. */
void markdown_inline(struct buffer *out, struct bytes text);
/* As a quote: each line behind "> ", with a blank line after the last. */
void markdown_quote(struct buffer *out, struct bytes text);

#endif
