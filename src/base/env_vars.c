#include "base/env_vars.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char **before;

static enum status remember(struct error *err) {
  size_t count = 0;
  if (before) return STATUS_OK;
  while (environ && environ[count]) count++;
  before = calloc(count + 1, sizeof *before);
  if (!before) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  if (count) memcpy(before, environ, count * sizeof *before);
  return STATUS_OK;
}

char *const *env_vars_before(void) {
  return before ? before : environ;
}

/* -1 when it did not come from the file. */
static ptrdiff_t find(const struct env_vars *v, const char *name) {
  for (size_t i = v->count; i-- > 0;)
    if (strcmp(v->list[i].name, name) == 0) return (ptrdiff_t)i;
  return -1;
}

int env_vars_line(const struct env_vars *v, const char *name) {
  ptrdiff_t at = find(v, name);
  return at < 0 ? 0 : v->list[at].line;
}

static bool process_has(const struct env_vars *v, const char *name) {
  const char *value = getenv(name);
  return value && *value && find(v, name) < 0;
}

/* NAME for NAME_FILE and the reverse. */
static void other_of(const char *name, char *out, size_t size) {
  const struct bytes suffix = BYTES_LITERAL("_FILE");
  struct bytes text = bytes_of(name);
  if (bytes_ends_with(text, suffix))
    snprintf(out, size, "%.*s", (int)(text.len - suffix.len), name);
  else
    snprintf(out, size, "%s%s", name, suffix.ptr);
}

/* The place of the name in the list, made where there is none. */
static enum status place(struct env_vars *v, const char *name, ptrdiff_t *ret_at,
                         struct error *err) {
  ptrdiff_t at = find(v, name);
  if (at < 0 && v->count == ENV_VARS_MAX)
    return error_set(err, STATUS_TOO_LARGE, NULL, "more than %d variables", ENV_VARS_MAX);
  if (at < 0) {
    void *list = realloc(v->list, (v->count + 1) * sizeof *v->list);
    if (!list) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
    v->list = list;
    at = (ptrdiff_t)v->count++;
    snprintf(v->list[at].name, sizeof v->list[at].name, "%s", name);
  }
  *ret_at = at;
  return STATUS_OK;
}

enum status env_vars_take(struct env_vars *v, const struct env_file *f, struct error *err) {
  char name[ENV_NAME_MAX + 1], other[ENV_NAME_MAX + 8];
  ptrdiff_t at = 0;
  if (f->name.len > ENV_NAME_MAX)
    return error_set(err, STATUS_INVALID, NULL, "the name is longer than %d bytes", ENV_NAME_MAX);
  snprintf(name, sizeof name, "%.*s", (int)f->name.len, f->name.ptr);
  other_of(name, other, sizeof other);
  if (process_has(v, name) || process_has(v, other)) return STATUS_OK;
  enum status s = remember(err);
  if (!s) s = place(v, name, &at, err);
  if (s) return s;
  v->list[at].line = f->line;
  if (setenv(name, f->value.ptr ? f->value.ptr : "", 1))
    return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  return STATUS_OK;
}

void env_vars_done(struct env_vars *v) {
  free(v->list);
  *v = (struct env_vars){0};
}
