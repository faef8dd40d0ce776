/* Anthropic answers 400 to numeric, length and array bounds ("For 'integer' type, property
 * 'minimum' is not supported"); its SDKs' transform_schema takes them out. The Gemini API's Schema
 * message knows no additionalProperties and no $schema, and refuses unknown fields. */
#include "provider/vendor_schema.h"

#include "base/json_scan.h"

#include <ctype.h>

static const char *const anthropic_dropped[] = {
    "minimum",   "maximum",  "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength",
    "maxLength", "minItems", "maxItems",         "uniqueItems",      "pattern",    "$schema",
    NULL};
const struct schema_dialect schema_anthropic = {anthropic_dropped, false};

static const char *const gemini_dropped[] = {
    "additionalProperties", "$schema",    "$id",   "uniqueItems", "exclusiveMinimum",
    "exclusiveMaximum",     "multipleOf", "const", NULL};
const struct schema_dialect schema_gemini = {gemini_dropped, true};

struct copy {
  struct json_scan s;
  struct buffer *out;
  const struct schema_dialect *dialect;
};

static void copy_schema(struct copy *c);

static void append_raw(struct copy *c) {
  struct bytes raw;
  if (json_scan_raw(&c->s, &raw)) buffer_append_bytes(c->out, raw);
}

static void append_key(struct copy *c, bool *first) {
  if (!*first) buffer_append_char(c->out, ',');
  *first = false;
  buffer_append_char(c->out, '"');
  buffer_append_bytes(c->out, c->s.key);
  buffer_append_text(c->out, "\":");
}

static void append_type(struct copy *c) {
  struct bytes raw;
  if (!json_scan_raw(&c->s, &raw)) return;
  for (size_t i = 0; i < raw.len; i++)
    buffer_append_char(c->out, (char)toupper((unsigned char)raw.ptr[i]));
}

/* Name -> schema: a property may be called "minimum", so names are not keywords. */
static void copy_properties(struct copy *c) {
  bool first = true;
  buffer_append_char(c->out, '{');
  if (json_scan_object(&c->s))
    while (json_scan_member(&c->s)) {
      append_key(c, &first);
      copy_schema(c);
    }
  buffer_append_char(c->out, '}');
}

static void copy_alternatives(struct copy *c) {
  bool first = true;
  buffer_append_char(c->out, '[');
  if (json_scan_array(&c->s))
    while (json_scan_item(&c->s)) {
      if (!first) buffer_append_char(c->out, ',');
      first = false;
      copy_schema(c);
    }
  buffer_append_char(c->out, ']');
}

static bool is_dropped(const struct copy *c) {
  for (const char *const *word = c->dialect->dropped; *word; word++)
    if (json_scan_key_is(&c->s, *word)) return true;
  return false;
}

static void copy_keyword(struct copy *c, bool *first) {
  if (is_dropped(c)) {
    json_scan_skip(&c->s);
    return;
  }
  append_key(c, first);
  if (json_scan_key_is(&c->s, "properties"))
    copy_properties(c);
  else if (json_scan_key_is(&c->s, "items"))
    copy_schema(c);
  else if (json_scan_key_is(&c->s, "anyOf"))
    copy_alternatives(c);
  else if (c->dialect->upper_types && json_scan_key_is(&c->s, "type"))
    append_type(c);
  else
    append_raw(c);
}

/* Recursion is bounded by the scanner's depth. */
static void copy_schema(struct copy *c) {
  if (json_scan_peek(&c->s) != JSON_SCAN_OBJECT) {
    append_raw(c);
    return;
  }
  bool first = true;
  buffer_append_char(c->out, '{');
  if (json_scan_object(&c->s))
    while (json_scan_member(&c->s)) copy_keyword(c, &first);
  buffer_append_char(c->out, '}');
}

bool vendor_schema_append(struct buffer *out, struct bytes schema,
                          const struct schema_dialect *dialect) {
  struct copy c = {.out = out, .dialect = dialect};
  json_scan_begin(&c.s, schema);
  copy_schema(&c);
  return json_scan_end(&c.s) && !out->overflow;
}
