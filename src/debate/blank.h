/* Blank characters: what a person sees as nothing. An answer of these alone is empty. Pure. */
#ifndef ARAGORA_DEBATE_BLANK_H
#define ARAGORA_DEBATE_BLANK_H

#include "base/bytes.h"

/* Bytes of the blank character at p, or 0 when it is none: ASCII white space and Unicode's spaces,
 * separators, zero-width characters and the byte order mark. */
size_t blank_length(const char *p, size_t len);

/* `text` without blanks at either end; borrows. */
struct bytes blank_trim(struct bytes text);

#endif
