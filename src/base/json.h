/* JSON: jansson, a few helpers, and the canonical writer that the log's hash chain stands on.
 * Any thread; a json_t belongs to one thread at a time.
 */
#ifndef ARAGORA_BASE_JSON_H
#define ARAGORA_BASE_JSON_H

#include "base/bytes.h"

#include <jansson.h>

/* Parses exactly one JSON text (RFC 8259): strict UTF-8, no duplicate keys, no NUL in strings,
 * bounded depth (jansson's 2048 is cut to JSON_DEPTH_MAX beforehand, without recursion).
 * STATUS_INVALID with line and column in *err. */
enum { JSON_DEPTH_MAX = 64 };
MUST_CHECK enum status json_parse(struct bytes text, json_t **ret_value, struct error *err);

/* Appends the canonical form: RFC 8785 restricted to objects with ASCII keys, arrays, strings,
 * booleans, null and integers within +-2^53. A real number, a larger integer or a non-ASCII key is
 * STATUS_INVALID: the log holds none. */
MUST_CHECK enum status json_append_canonical(struct buffer *out, const json_t *value);

/* The canonical form as an allocated text, or NULL (see above). */
char *json_canonical_dup(const json_t *value);

/* Typed reads that never fail: the value under `key`, or the fallback when it is absent or of
 * another type. The text stays owned by `object`. */
const char *json_get_text(const json_t *object, const char *key, const char *fallback);
int64_t json_get_int(const json_t *object, const char *key, int64_t fallback);
bool json_get_bool(const json_t *object, const char *key, bool fallback);

/* The text of a JSON string, which owns it; empty for any other value and for NULL. */
static inline struct bytes json_bytes(const json_t *string) {
  return (struct bytes){json_string_value(string), json_string_length(string)};
}

/* A JSON string of any bytes: invalid UTF-8 and controls become U+FFFD. */
json_t *json_text(struct bytes text);
/* The text, or JSON null when it is NULL. */
json_t *json_text_or_null(const char *text);
/* An integer, or JSON null when it is negative (our mark for "unknown"). */
json_t *json_int_or_null(int64_t value);
/* Unix milliseconds as ISO 8601 text in UTC, or JSON null when they are negative. */
json_t *json_time_or_null(int64_t ms);

void cleanup_json(json_t **value);
#define JSON_LATER __attribute__((cleanup(cleanup_json)))

#endif
