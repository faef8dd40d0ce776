#include "base/options_view.h"

#include <ctype.h>
#include <stdio.h>

enum { USD_MICRO = 1000000, TEXT_MAX = 1 << 16 };

static const char *const origin_names[] = {"default", "config", "env_file", "environment", "flag"};

static const void *field_of(const struct options *o, const struct option *row) {
  return (const char *)o + row->offset;
}

static const char *text_of(const struct options *o, const struct option *row) {
  return *(const char *const *)field_of(o, row);
}

bool options_view_has_secret(const struct options *o, const struct option *row) {
  return row->secret && text_of(o, row);
}

void options_view_name(const struct option *row, char out[OPTION_NAME_SIZE]) {
  const char *name = row->variable ? row->variable : row->flag + 2;
  if (strncmp(name, "ARAGORA_", 8) == 0) name += 8;
  snprintf(out, OPTION_NAME_SIZE, "%s", name);
  for (char *p = out; *p; p++) *p = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
}

/* An address may carry a name and a password: https://NAME:PASSWORD@host (RFC 3986, 3.2.1). A value
 * may list several, whatever stands between them. */
static void append_text(struct buffer *out, const char *text) {
  for (const char *scheme; (scheme = strstr(text, "://"));) {
    const char *host = scheme + 3;
    const char *at = memrchr(host, '@', strcspn(host, "/?# \t"));
    buffer_append(out, text, (size_t)(host - text));
    if (at) buffer_append_text(out, "...");
    text = at ? at : host;
  }
  buffer_append_text(out, text);
}

static void append_usd(struct buffer *out, int64_t micro) {
  int64_t rest = micro % USD_MICRO;
  int digits = 6;
  buffer_append_int(out, micro / USD_MICRO);
  for (; rest && rest % 10 == 0; digits--) rest /= 10;
  if (rest) buffer_printf(out, ".%0*lld", digits, (long long)rest);
}

void options_view_append(const struct options *o, const struct option *row, struct buffer *out) {
  const void *field = field_of(o, row);
  if (row->secret) return;
  switch (row->type) {
    case OPTION_BOOL: buffer_append_text(out, *(const bool *)field ? "true" : "false"); return;
    case OPTION_INT: buffer_append_int(out, *(const int64_t *)field); return;
    case OPTION_USD: append_usd(out, *(const int64_t *)field); return;
    case OPTION_TEXT:
      if (text_of(o, row)) append_text(out, text_of(o, row));
      return;
  }
}

static const char *file_of(const struct options *o, enum option_origin origin) {
  if (origin == OPTION_CONFIG) return o->config;
  return origin == OPTION_ENV_FILE ? o->env_file : NULL;
}

void options_view_append_source(const struct options *o, const struct option *row,
                                struct buffer *out) {
  struct option_source source = options_source(o, row);
  const char *file = file_of(o, source.origin);
  if (file)
    buffer_printf(out, "%s:%d", file, source.line);
  else
    buffer_append_text(out, origin_names[source.origin]);
  if (*source.name) buffer_printf(out, " %s", source.name);
}

static json_t *text_value(const struct options *o, const struct option *row) {
  BUFFER_LATER struct buffer text;
  buffer_init(&text, TEXT_MAX);
  if (row->secret || !text_of(o, row)) return json_null();
  append_text(&text, text_of(o, row));
  return text.overflow ? json_null() : json_text(buffer_bytes(&text));
}

static json_t *value_of(const struct options *o, const struct option *row) {
  const void *field = field_of(o, row);
  switch (row->type) {
    case OPTION_BOOL: return json_boolean(*(const bool *)field);
    case OPTION_INT: return json_integer(*(const int64_t *)field);
    case OPTION_USD: return json_real((double)*(const int64_t *)field / USD_MICRO);
    case OPTION_TEXT: return text_value(o, row);
  }
  return NULL;
}

static json_t *setting(const struct options *o, const struct option *row) {
  struct option_source source = options_source(o, row);
  json_t *out = json_pack("{s:o, s:s, s:o, s:o, s:o}", "value", value_of(o, row), "origin",
                          origin_names[source.origin], "name",
                          json_text_or_null(*source.name ? source.name : NULL), "file",
                          json_text_or_null(file_of(o, source.origin)), "line",
                          source.line ? json_integer(source.line) : json_null());
  if (out && row->secret) {
    json_object_set_new(out, "secret", json_true());
    json_object_set_new(out, "set", json_boolean(options_view_has_secret(o, row)));
  }
  return out;
}

json_t *options_view(const struct options *o) {
  json_t *settings = json_object();
  for (size_t i = 0; settings && i < option_table_size; i++) {
    const struct option *row = &option_table[i];
    char name[OPTION_NAME_SIZE];
    if (options_first(row) != row) continue;
    options_view_name(row, name);
    for (char *p = name; *p; p++) *p = (char)tolower((unsigned char)*p);
    if (json_object_set_new(settings, name, setting(o, row)) == 0) continue;
    json_decref(settings);
    settings = NULL;
  }
  return json_pack("{s:{s:o, s:o}, s:o}", "files", "config", json_text_or_null(o->config),
                   "env_file", json_text_or_null(o->env_file), "settings", settings);
}
