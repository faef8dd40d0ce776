/* A pull scanner over one JSON text: one pass, no allocation, no tree. For the records of a token
 * stream, of which there are thousands a second and of each of which we want two or three values;
 * everything else parses with json.h.
 *
 *   struct json_scan s;
 *   json_scan_begin(&s, text);
 *   if (json_scan_object(&s))
 *     while (json_scan_member(&s))
 *       if (json_scan_key_is(&s, "text")) json_scan_string(&s, &out);
 *       else json_scan_skip(&s);
 *   bool good = json_scan_end(&s);
 *
 * Every value that is reached must be consumed, by any of the reading functions. An error is
 * sticky: afterwards every function answers false and loops end, so only json_scan_end is checked.
 * What was read before an error was found further on must be thrown away then.
 *
 * Accepts and rejects what json_parse does (RFC 8259, strict UTF-8, no \u0000, no lone surrogate,
 * integers within int64, finite reals, JSON_DEPTH_MAX), with two differences: duplicate keys are
 * not noticed, and a NUL byte right after a number is refused, which jansson drops (it pushes the
 * byte back into a buffer where NUL means empty). fuzz_json_scan holds the two together.
 */
#ifndef ARAGORA_BASE_JSON_SCAN_H
#define ARAGORA_BASE_JSON_SCAN_H

#include "base/bytes.h"

struct json_scan {
  const char *p, *end;
  struct bytes key; /* raw bytes of the last member's key, escapes not decoded */
  uint64_t objects; /* bit d: the container at depth d is an object */
  uint64_t begun;   /* bit d: it has had a member or an item */
  unsigned depth;
  bool key_escaped; /* the key is not plain ASCII: compare it decoded */
  bool failed;
};

enum json_scan_type {
  JSON_SCAN_NONE, /* no value here, or an error */
  JSON_SCAN_OBJECT,
  JSON_SCAN_ARRAY,
  JSON_SCAN_STRING,
  JSON_SCAN_NUMBER,
  JSON_SCAN_BOOL,
  JSON_SCAN_NULL,
};

void json_scan_begin(struct json_scan *s, struct bytes text);
/* True when the text was one whole valid JSON value and all of it was consumed. */
bool json_scan_end(struct json_scan *s);

/* Type of the value that comes next, judged by its first byte. */
enum json_scan_type json_scan_peek(struct json_scan *s);

/* Enters an object or an array. Another type of value is skipped, and the answer is false. */
bool json_scan_object(struct json_scan *s);
bool json_scan_array(struct json_scan *s);
/* The next member (its key is read, its value is next) or item; false at the end, which leaves the
 * container. */
bool json_scan_member(struct json_scan *s);
bool json_scan_item(struct json_scan *s);
bool json_scan_escaped_key_is(const struct json_scan *s, const char *name);
/* Inline, so that the length of a literal name is known to the compiler: a record's keys are
 * compared some twenty times. */
static inline bool json_scan_key_is(const struct json_scan *s, const char *name) {
  if (s->key_escaped) return json_scan_escaped_key_is(s, name);
  return s->key.len == strlen(name) && memcmp(s->key.ptr, name, s->key.len) == 0;
}

/* Appends the decoded string. Another type is skipped, with false. Whether `out` had room is for
 * the caller to see from its overflow mark. */
bool json_scan_string(struct json_scan *s, struct buffer *out);
/* An integer. Another type, reals included, is skipped, with false. */
bool json_scan_int(struct json_scan *s, int64_t *ret_value);
/* Any number. Another type is skipped, with false. */
bool json_scan_real(struct json_scan *s, double *ret_value);
bool json_scan_bool(struct json_scan *s, bool *ret_value);
/* Consumes the value, whatever it is. */
bool json_scan_skip(struct json_scan *s);
/* As json_scan_skip; the value's own bytes, which stay the text's. */
bool json_scan_raw(struct json_scan *s, struct bytes *ret_raw);

#endif
