/* Where a page of the list of debates ended, as the opaque text that a client hands back. */
#ifndef ARAGORA_API_CURSOR_H
#define ARAGORA_API_CURSOR_H

#include "base/id.h"
#include "base/status.h"

#include <stdint.h>

enum { CURSOR_SIZE = 256 };

struct cursor {
  int64_t created_ms;
  char id[ID_DEBATE_MAX + 1];
};

/* False when the id is too long to be one. */
bool cursor_write(int64_t created_ms, const char *id, char ret_text[CURSOR_SIZE]);
/* STATUS_INVALID names the field "cursor". */
MUST_CHECK enum status cursor_read(const char *text, struct cursor *ret_cursor, struct error *err);

#endif
