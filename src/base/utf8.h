/* UTF-8 (RFC 3629): no surrogates, no overlong forms, nothing above U+10FFFF. Any thread. */
#ifndef ARAGORA_BASE_UTF8_H
#define ARAGORA_BASE_UTF8_H

#include "base/bytes.h"

/* Length in bytes of the valid character at p (1..4), or 0 when there is none within `len`. */
size_t utf8_char_length(const char *p, size_t len);

bool utf8_valid(struct bytes text);

/* Characters of a valid text. */
size_t utf8_count(struct bytes text);

/* The longest prefix of at most `max` bytes that does not cut a character. */
size_t utf8_prefix(struct bytes text, size_t max);

/* True when the text is printing ASCII, newlines and tabs alone: utf8_clean would change nothing.
 */
bool utf8_plain(struct bytes text);

/* A NUL-terminated copy for free() in which every invalid sequence, and every control character
 * but newline and tab, has become U+FFFD. NULL when memory is short. */
char *utf8_clean(struct bytes text);

#endif
