/* From a JSON object to a struct reply, field by field. Used by reply.c alone. Pure. */
#ifndef ARAGORA_DEBATE_REPLY_FIELDS_H
#define ARAGORA_DEBATE_REPLY_FIELDS_H

#include "base/json.h"
#include "debate/reply.h"

/* What decides (answer, key, ranking, verdict, scores, severity, stance) has to be there and of its
 * type; what only explains (claims, confidence, reasons) may be missing, but not of another type.
 * Unknown fields are ignored. With `lenient`, a number may be a text and the other way round, and
 * what is not usable is left out where the rest stands without it. On STATUS_INVALID *ret_reply is
 * partly filled and the caller's to free in every case. */
MUST_CHECK enum status reply_fields_read(const struct reply_form *form, const json_t *object,
                                         bool lenient, struct reply *ret_reply, struct error *err);

#endif
