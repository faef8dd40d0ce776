#include "debate/maker.h"

void maker_put(struct maker *m, json_t *object, const char *key, json_t *value) {
  if (json_object_set_new_nocheck(object, key, value)) m->failed = true;
}

void maker_add(struct maker *m, json_t *array, json_t *value) {
  if (json_array_append_new(array, value)) m->failed = true;
}

json_t *maker_done(const struct maker *m, json_t *value) {
  if (!m->failed) return value;
  json_decref(value);
  return NULL;
}
