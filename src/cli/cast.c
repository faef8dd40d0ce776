#include "cli/cast.h"

#include "cli/page.h"
#include "cli/text.h"

#include <stdlib.h>

enum { COLUMNS_MIN = 6, COLUMNS_MAX = 20 };

void cast_done(struct cast *cast) {
  for (int i = 0; i < cast->count; i++) {
    free(cast->members[i].name);
    free(cast->members[i].model);
    free(cast->members[i].provider);
  }
  *cast = (struct cast){0};
}

static char *clean_member(const json_t *row, const char *key) {
  return text_clean(bytes_of(json_get_text(row, key, "")));
}

static enum status add(struct cast *cast, const json_t *row) {
  const char *name = json_is_string(row) ? json_string_value(row) : json_get_text(row, "name", "");
  if (cast->count == CAST_MAX || cast_find(cast, name) >= 0) return STATUS_OK;
  struct cast_member *m = &cast->members[cast->count++];
  *m = (struct cast_member){text_clean(bytes_of(name)), clean_member(row, "model"),
                            clean_member(row, "provider"), json_get_bool(row, "demo", false)};
  if (!m->name || !m->model || !m->provider) return STATUS_NOMEM;
  size_t columns = text_columns(bytes_of(m->name));
  if (columns > cast->columns) cast->columns = columns < COLUMNS_MAX ? columns : COLUMNS_MAX;
  return STATUS_OK;
}

enum status cast_read(struct cast *cast, const json_t *data) {
  cast_done(cast);
  cast->columns = COLUMNS_MIN;
  const json_t *agents = json_object_get(data, "panel");
  if (!json_is_array(agents)) agents = json_object_get(data, "agents"); /* mere names */
  const json_t *row;
  size_t i;
  json_array_foreach(agents, i, row) if (add(cast, row)) return STATUS_NOMEM;
  cast->panel = cast->count;
  json_array_foreach(json_object_get(data, "judges"), i,
                     row) if (add(cast, row)) return STATUS_NOMEM;
  return STATUS_OK;
}

int cast_find(const struct cast *cast, const char *name) {
  for (int i = 0; i < cast->count; i++)
    if (strcmp(cast->members[i].name, name) == 0) return i;
  return -1;
}

int cast_style(const struct cast *cast, const char *name) {
  int place = cast_find(cast, name);
  return place < 0 ? PAGE_BOLD : PAGE_AGENT + place;
}
