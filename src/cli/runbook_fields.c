/* Fields of a JSON answer, by the notation of runbook.h. */
#include "cli/runbook.h"

#include <stdio.h>

enum { FIELD_MAX = 128 };

static bool has_type(const json_t *value, struct bytes type) {
  static const char *const names[] = {"object", "array", "text", "number",
                                      "number", "bool",  "bool"};
  if (!value) return false;
  if (bytes_equal(type, BYTES_LITERAL("any"))) return true;
  size_t kind = (size_t)json_typeof(value); /* JSON_OBJECT is 0 */
  return kind < sizeof names / sizeof *names && bytes_equal(bytes_of(names[kind]), type);
}

/* The field `path` of the value, of every entry where it says so. */
static bool holds(const json_t *value, struct bytes path, struct bytes type) {
  size_t len = 0;
  while (len < path.len && !strchr(".[{", path.ptr[len])) len++;
  const json_t *member = len ? json_object_getn(value, path.ptr, len) : value;
  struct bytes rest = {path.ptr + len, path.len - len};
  if (!rest.len) return has_type(member, type);
  bool entries = rest.ptr[0] == '[', values = rest.ptr[0] == '{';
  size_t skip = entries || values ? 2 : 0; /* "[]" or "{}" */
  if (rest.len > skip && rest.ptr[skip] == '.') skip++;
  rest = (struct bytes){rest.ptr + skip, rest.len - skip};
  if (entries) {
    for (size_t i = 0; i < json_array_size(member); i++)
      if (!holds(json_array_get(member, i), rest, type)) return false;
    return json_is_array(member);
  }
  if (values) {
    const char *key;
    json_t *each;
    json_object_foreach((json_t *)member, key, each) if (!holds(each, rest, type)) return false;
    return json_is_object(member);
  }
  return holds(member, rest, type);
}

bool runbook_fields_hold(const json_t *value, const char *fields, char why[RUNBOOK_WHY_SIZE]) {
  for (const char *at = fields; *at;) {
    size_t len = strcspn(at, " "), name = strcspn(at, ":");
    struct bytes path = {at, name}, type = {at + name + 1, len > name ? len - name - 1 : 0};
    if (!holds(value, path, type)) {
      snprintf(why, RUNBOOK_WHY_SIZE, "%.*s is not %.*s",
               (int)(name < FIELD_MAX ? name : FIELD_MAX), at, (int)type.len, type.ptr);
      return false;
    }
    at += len + strspn(at + len, " ");
  }
  return true;
}
