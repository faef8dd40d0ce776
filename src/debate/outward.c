#include "debate/outward.h"

#include <stdlib.h>

enum unit { UNIT_NONE, UNIT_MILLIONTHS, UNIT_SEVERITY };

enum { NAME_MAX = 64 };

/* What a field of the log is called outside, and in which unit. `*ret_name` is not terminated. */
static enum unit translate(struct bytes key, struct bytes *ret_name) {
  *ret_name = key;
  if (bytes_ends_with(key, BYTES_LITERAL("_ppm"))) {
    if (bytes_equal(key, BYTES_LITERAL("severity_ppm"))) {
      *ret_name = BYTES_LITERAL("severity_score");
      return UNIT_SEVERITY;
    }
    if (bytes_equal(key, BYTES_LITERAL("first_ppm")))
      *ret_name = BYTES_LITERAL("first_choice_share");
    else
      ret_name->len -= 4;
    return UNIT_MILLIONTHS;
  }
  if (bytes_ends_with(key, BYTES_LITERAL("_usd_micro"))) {
    ret_name->len -= 6;
    return UNIT_MILLIONTHS;
  }
  return UNIT_NONE;
}

/* Live clients know three words, not the log's numbers. */
const char *outward_severity(int64_t severity_ppm) {
  return severity_ppm < 400000 ? "low" : severity_ppm < 700000 ? "medium" : "high";
}

int64_t outward_worst(const json_t *items) {
  int64_t worst = -1;
  for (size_t i = 0; i < json_array_size(items); i++) {
    int64_t severity = json_get_int(json_array_get(items, i), "severity_ppm", -1);
    if (severity > worst) worst = severity;
  }
  return worst;
}

/* ---- as text ---- */

void outward_append_millionths(struct buffer *out, int64_t value) {
  uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
  if (value < 0) buffer_append_char(out, '-');
  buffer_append_int(out, (int64_t)(rest / 1000000));
  uint64_t fraction = rest % 1000000;
  if (!fraction) return;
  char digits[7];
  size_t count = 6;
  digits[0] = '.';
  for (size_t i = 6; i > 0; i--, fraction /= 10) digits[i] = (char)('0' + fraction % 10);
  while (digits[count] == '0') count--;
  buffer_append(out, digits, count + 1);
}

static void append_array(struct buffer *out, const json_t *array) {
  buffer_append_char(out, '[');
  for (size_t i = 0; i < json_array_size(array); i++) {
    if (i) buffer_append_char(out, ',');
    outward_append(out, json_array_get(array, i));
  }
  buffer_append_char(out, ']');
}

static void append_member(struct buffer *out, struct bytes key, const json_t *value) {
  struct bytes name;
  enum unit unit = translate(key, &name);
  if (!json_is_integer(value)) {
    if (unit == UNIT_SEVERITY) buffer_append_text(out, "\"severity\":null,");
    unit = UNIT_NONE;
  }
  if (unit == UNIT_SEVERITY) {
    buffer_append_text(out, "\"severity\":\"");
    buffer_append_text(out, outward_severity(json_integer_value(value)));
    buffer_append_text(out, "\",");
  }
  buffer_append_json_string(out, name);
  buffer_append_char(out, ':');
  if (unit == UNIT_NONE)
    outward_append(out, value);
  else
    outward_append_millionths(out, json_integer_value(value));
}

static bool listed(const char *const *names, const char *name) {
  for (; names && *names; names++)
    if (strcmp(*names, name) == 0) return true;
  return false;
}

void outward_append_members(struct buffer *out, const json_t *object, const char *const *skip) {
  const char *key;
  size_t len;
  json_t *value;
  json_object_keylen_foreach((json_t *)object, key, len, value) {
    if (listed(skip, key)) continue;
    buffer_append_char(out, ',');
    append_member(out, (struct bytes){key, len}, value);
  }
}

static void append_object(struct buffer *out, const json_t *object) {
  const char *key;
  size_t len;
  json_t *value;
  bool first = true;
  buffer_append_char(out, '{');
  json_object_keylen_foreach((json_t *)object, key, len, value) {
    if (!first) buffer_append_char(out, ',');
    first = false;
    append_member(out, (struct bytes){key, len}, value);
  }
  buffer_append_char(out, '}');
}

void outward_append(struct buffer *out, const json_t *value) {
  if (!value) {
    buffer_append_text(out, "null");
    return;
  }
  switch (json_typeof(value)) {
    case JSON_OBJECT: append_object(out, value); break;
    case JSON_ARRAY: append_array(out, value); break;
    case JSON_STRING: buffer_append_json_string(out, json_bytes(value)); break;
    case JSON_INTEGER: buffer_append_int(out, json_integer_value(value)); break;
    case JSON_TRUE: buffer_append_text(out, "true"); break;
    case JSON_FALSE: buffer_append_text(out, "false"); break;
    case JSON_NULL: buffer_append_text(out, "null"); break;
    case JSON_REAL:
    default: out->overflow = true; /* the log holds none */
  }
}

/* ---- as values ---- */

json_t *outward_millionths(int64_t value) {
  return value < 0 ? json_null() : json_real((double)value / 1e6);
}

static json_t *copy_array(const json_t *array) {
  json_t *out = json_array();
  for (size_t i = 0; out && i < json_array_size(array); i++) {
    if (!json_array_append_new(out, outward_copy(json_array_get(array, i)))) continue;
    json_decref(out);
    out = NULL;
  }
  return out;
}

static bool copy_member(json_t *out, const char *key, const json_t *value) {
  struct bytes name;
  enum unit unit = translate(bytes_of(key), &name);
  char text[NAME_MAX];
  if (name.len >= sizeof text) return json_object_set_new(out, key, outward_copy(value)) == 0;
  memcpy(text, name.ptr, name.len);
  text[name.len] = '\0';
  bool number = json_is_integer(value);
  if (unit == UNIT_SEVERITY) {
    const char *word = number ? outward_severity(json_integer_value(value)) : NULL;
    if (json_object_set_new(out, "severity", json_text_or_null(word))) return false;
  }
  json_t *copy = unit != UNIT_NONE && number ? json_real((double)json_integer_value(value) / 1e6)
                                             : outward_copy(value);
  return json_object_set_new(out, text, copy) == 0;
}

static json_t *copy_object(const json_t *object) {
  json_t *out = json_object();
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)object, key, value) {
    if (!out || copy_member(out, key, value)) continue;
    json_decref(out);
    return NULL;
  }
  return out;
}

json_t *outward_copy(const json_t *value) {
  if (!value) return json_null();
  if (json_is_object(value)) return copy_object(value);
  if (json_is_array(value)) return copy_array(value);
  return json_deep_copy(value); /* texts are not shared: the log's object stays the log's */
}

json_t *outward_member(const json_t *object, const char *key) {
  const json_t *value = json_object_get(object, key);
  struct bytes name;
  if (json_is_integer(value) && translate(bytes_of(key), &name) != UNIT_NONE)
    return json_real((double)json_integer_value(value) / 1e6);
  return outward_copy(value);
}

/* ---- a critique as one text ---- */

static void append_part(struct buffer *out, const char *label, const char *text) {
  if (!*text) return;
  buffer_append_text(out, label);
  buffer_append_text(out, text);
}

void outward_append_critique(struct buffer *out, const json_t *items) {
  size_t count = json_array_size(items);
  for (size_t i = 0; i < count; i++) {
    const json_t *item = json_array_get(items, i);
    if (i) buffer_append_char(out, '\n');
    if (count > 1) buffer_printf(out, "%zu. ", i + 1);
    const char *claim = json_get_text(item, "claim", "");
    append_part(out, "", claim);
    append_part(out, *claim ? ": " : "", json_get_text(item, "problem", ""));
    append_part(out, " Why: ", json_get_text(item, "why", ""));
    append_part(out, " Fix: ", json_get_text(item, "fix", ""));
  }
}
