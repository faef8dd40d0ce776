#include "base/json_tree.h"

#include "base/json_scan.h"

static json_t *read_value(struct json_scan *s, struct buffer *text);

static bool read_member(struct json_scan *s, struct buffer *text, json_t *object) {
  const struct bytes key = s->key;
  if (s->key_escaped || json_object_getn(object, key.ptr, key.len)) return false;
  return json_object_setn_new_nocheck(object, key.ptr, key.len, read_value(s, text)) == 0;
}

static json_t *read_object(struct json_scan *s, struct buffer *text) {
  json_t *object = json_object();
  bool ok = object && json_scan_object(s);
  while (ok && json_scan_member(s)) ok = read_member(s, text, object);
  if (ok) return object;
  json_decref(object);
  return NULL;
}

static json_t *read_array(struct json_scan *s, struct buffer *text) {
  json_t *array = json_array();
  bool ok = array && json_scan_array(s);
  while (ok && json_scan_item(s)) ok = json_array_append_new(array, read_value(s, text)) == 0;
  if (ok) return array;
  json_decref(array);
  return NULL;
}

static json_t *read_number(struct json_scan *s) {
  const struct json_scan before = *s;
  int64_t whole;
  double real;
  if (json_scan_int(s, &whole)) return json_integer(whole);
  *s = before;
  return json_scan_real(s, &real) ? json_real(real) : NULL;
}

static json_t *read_string(struct json_scan *s, struct buffer *text) {
  buffer_clear(text);
  if (!json_scan_string(s, text) || !buffer_reserve(text, 0)) return NULL;
  return json_stringn_nocheck(text->ptr, text->len);
}

/* The value that comes next. The scanner bounds the depth. */
static json_t *read_value(struct json_scan *s, struct buffer *text) {
  bool truth;
  switch (json_scan_peek(s)) {
    case JSON_SCAN_OBJECT: return read_object(s, text);
    case JSON_SCAN_ARRAY: return read_array(s, text);
    case JSON_SCAN_STRING: return read_string(s, text);
    case JSON_SCAN_NUMBER: return read_number(s);
    case JSON_SCAN_BOOL: return json_scan_bool(s, &truth) ? json_boolean(truth) : NULL;
    case JSON_SCAN_NULL: return json_scan_skip(s) ? json_null() : NULL;
    case JSON_SCAN_NONE: break;
  }
  return NULL;
}

json_t *json_tree_read(struct bytes text) {
  struct json_scan s;
  BUFFER_LATER struct buffer string;
  buffer_init(&string, text.len);
  json_scan_begin(&s, text);
  json_t *value = read_value(&s, &string);
  if (value && json_scan_end(&s)) return value;
  json_decref(value);
  return NULL;
}
