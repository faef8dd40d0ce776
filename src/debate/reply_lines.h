/* The labelled lines that a repair prompt offers beside JSON ("ANSWER: ...", "RANKING: B > A").
 * Used by reply.c alone. Pure. */
#ifndef ARAGORA_DEBATE_REPLY_LINES_H
#define ARAGORA_DEBATE_REPLY_LINES_H

#include "base/json.h"
#include "debate/reply.h"

/* The lines as the JSON object that they stand for, its numbers still texts; NULL when `text` does
 * not have the labels of the kind, in capitals and at the beginning of lines, or has one twice. */
json_t *reply_lines_read(const struct reply_form *form, struct bytes text);

#endif
