#include "base/json.h"

#include "base/clock.h"
#include "base/utf8.h"

#include <stdlib.h>

enum { CANONICAL_FIRST_BYTES = 500 }; /* most events of a log fit, and need not grow in steps */

/* jansson recurses once a level; this pass does not, so that a hostile depth never meets a stack.
 */
static bool depth_within(struct bytes text, size_t max) {
  size_t depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];
    if (in_string) {
      if (c == '\\')
        i++;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > max) return false;
    } else if ((c == ']' || c == '}') && depth > 0) {
      depth--;
    }
  }
  return true;
}

enum status json_parse(struct bytes text, json_t **ret_value, struct error *err) {
  if (!depth_within(text, JSON_DEPTH_MAX))
    return error_set(err, STATUS_INVALID, NULL, "nested deeper than %d levels", JSON_DEPTH_MAX);
  json_error_t why;
  json_t *value = json_loadb(text.len ? text.ptr : "", text.len,
                             JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
  if (!value)
    return error_set(err, STATUS_INVALID, NULL, "%s (line %d, column %d)", why.text, why.line,
                     why.column);
  *ret_value = value;
  return STATUS_OK;
}

struct member {
  const char *key;
  size_t key_len;
  const json_t *value;
};

/* Objects of a log have few keys, mostly in order already: insertion beats qsort, which allocates.
 */
static void sort_members(struct member *members, size_t count) {
  for (size_t i = 1; i < count; i++) {
    struct member m = members[i];
    size_t at = i;
    for (; at > 0 && strcmp(members[at - 1].key, m.key) > 0; at--) members[at] = members[at - 1];
    members[at] = m;
  }
}

static int compare_members(const void *a, const void *b) {
  const struct member *x = a;
  const struct member *y = b;
  return strcmp(x->key, y->key);
}

static enum status append_member(struct buffer *out, const struct member *m) {
  for (size_t i = 0; i < m->key_len; i++)
    if ((unsigned char)m->key[i] > 0x7e) return STATUS_INVALID;
  buffer_append_json_string(out, (struct bytes){m->key, m->key_len});
  buffer_append_char(out, ':');
  return json_append_canonical(out, m->value);
}

static enum status append_object(struct buffer *out, const json_t *object) {
  size_t count = json_object_size(object);
  struct member few[32];
  FREE_LATER struct member *many = NULL;
  struct member *members = few;
  if (count > sizeof few / sizeof *few) {
    many = malloc(count * sizeof *many);
    if (!many) return STATUS_NOMEM;
    members = many;
  }
  size_t n = 0, len;
  const char *key;
  json_t *value;
  json_object_keylen_foreach((json_t *)object, key, len, value) members[n++] =
      (struct member){key, len, value};
  if (members == few)
    sort_members(members, n);
  else
    qsort(members, n, sizeof *members, compare_members);
  buffer_append_char(out, '{');
  for (size_t i = 0; i < n; i++) {
    if (i) buffer_append_char(out, ',');
    enum status s = append_member(out, &members[i]);
    if (s) return s;
  }
  buffer_append_char(out, '}');
  return STATUS_OK;
}

enum status json_append_canonical(struct buffer *out, const json_t *value) {
  const json_int_t exact = (json_int_t)1 << 53;
  switch (json_typeof(value)) {
    case JSON_OBJECT: {
      enum status s = append_object(out, value);
      if (s) return s;
      break;
    }
    case JSON_ARRAY: {
      buffer_append_char(out, '[');
      for (size_t i = 0; i < json_array_size(value); i++) {
        if (i) buffer_append_char(out, ',');
        enum status s = json_append_canonical(out, json_array_get(value, i));
        if (s) return s;
      }
      buffer_append_char(out, ']');
      break;
    }
    case JSON_STRING: buffer_append_json_string(out, json_bytes(value)); break;
    case JSON_INTEGER: {
      json_int_t n = json_integer_value(value);
      if (n > exact || n < -exact) return STATUS_INVALID;
      buffer_append_int(out, n);
      break;
    }
    case JSON_TRUE: buffer_append_text(out, "true"); break;
    case JSON_FALSE: buffer_append_text(out, "false"); break;
    case JSON_NULL: buffer_append_text(out, "null"); break;
    case JSON_REAL:
    default: return STATUS_INVALID;
  }
  return out->overflow ? STATUS_NOMEM : STATUS_OK;
}

char *json_canonical_dup(const json_t *value) {
  BUFFER_LATER struct buffer out;
  buffer_init(&out, SIZE_MAX / 4);
  buffer_reserve(&out, CANONICAL_FIRST_BYTES);
  if (json_append_canonical(&out, value)) return NULL;
  return buffer_steal(&out);
}

const char *json_get_text(const json_t *object, const char *key, const char *fallback) {
  const char *text = json_string_value(json_object_get(object, key));
  return text ? text : fallback;
}

int64_t json_get_int(const json_t *object, const char *key, int64_t fallback) {
  const json_t *value = json_object_get(object, key);
  return json_is_integer(value) ? json_integer_value(value) : fallback;
}

bool json_get_bool(const json_t *object, const char *key, bool fallback) {
  const json_t *value = json_object_get(object, key);
  return json_is_boolean(value) ? json_is_true(value) : fallback;
}

json_t *json_text(struct bytes text) {
  json_t *value = json_stringn(text.ptr ? text.ptr : "", text.len);
  if (value) return value;
  FREE_LATER char *clean = utf8_clean(text);
  return clean ? json_string(clean) : NULL;
}

json_t *json_text_or_null(const char *text) {
  return text ? json_text(bytes_of(text)) : json_null();
}

json_t *json_time_or_null(int64_t ms) {
  char iso[CLOCK_ISO_SIZE];
  if (ms < 0) return json_null();
  clock_format_iso(ms, iso);
  return json_string(iso);
}

json_t *json_int_or_null(int64_t value) {
  return value < 0 ? json_null() : json_integer(value);
}

void cleanup_json(json_t **value) {
  json_decref(*value);
}
