/* The log's data as the outside reads it: one rule for frames, for the debate object and for
 * everything made of them. Pure; any thread.
 *
 *   name_ppm: 600000         name: 0.6
 *   name_usd_micro: 12000    name_usd: 0.012
 *   severity_ppm: 600000     severity: "medium", severity_score: 0.6
 *   first_ppm: 600000        first_choice_share: 0.6
 *
 * Everything else, names of fields and null included, stays as it is.
 */
#ifndef ARAGORA_DEBATE_OUTWARD_H
#define ARAGORA_DEBATE_OUTWARD_H

#include "base/json.h"

/* Appends the value as compact JSON. A real number or a failed append marks `out` as overflown. */
void outward_append(struct buffer *out, const json_t *value);
/* Appends `,"key":value` for every member of the object but those named in `skip`, which ends with
 * NULL and may be NULL itself. */
void outward_append_members(struct buffer *out, const json_t *object, const char *const *skip);
/* Appends millionths as a decimal number: 600000 is 0.6. */
void outward_append_millionths(struct buffer *out, int64_t value);

/* The same as a value; NULL when memory is short. */
json_t *outward_copy(const json_t *value);
/* The member `key` of a log object, under no name; null when it is absent. */
json_t *outward_member(const json_t *object, const char *key);
/* Millionths as a number; null when negative (unknown). */
json_t *outward_millionths(int64_t value);

/* "low", "medium" or "high": below 0.4, below 0.7, the rest. */
const char *outward_severity(int64_t severity_ppm);
/* The highest severity of a critique's items in ppm, or -1 when there are none. */
int64_t outward_worst(const json_t *items);
/* A critique's items as text, a line each, for clients that read one text. */
void outward_append_critique(struct buffer *out, const json_t *items);

#endif
