#include "provider/agents.h"

#include "base/id.h"
#include "base/json.h"
#include "base/secret.h"
#include "provider/agents_builtin.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum {
  FILE_BYTES_MAX = 64 * 1024,
  FILE_ROWS_MAX = 200,
  STORAGE_BYTES = 256 * 1024, /* reserved once, so that pointers into it stay; touched as needed */
  PANEL_ONE_EACH_MAX = 4,
  PANEL_MIN = 3,
  PANEL_DEMO = 4,
};

static const char *const wire_names[WIRE_COUNT] = {"anthropic", "openai", "gemini", "ollama",
                                                   "demo"};

const char *wire_name(enum wire_format wire) {
  return (unsigned)wire < WIRE_COUNT ? wire_names[wire] : "unknown";
}

struct builder {
  struct agent_table *table;
  size_t room; /* rows allocated */
  struct buffer storage;
  bool file_base_url[256]; /* this row's base_url came from the file, which has the last word */
  const char *second_key[256];
  const struct agent_builtin *builtin[256];
};

/* Appends to the storage; the answer stays valid as long as the table. NULL when it is full. */
static char *keep(struct builder *b, const char *text) {
  size_t at = b->storage.len;
  if (b->storage.max - at <= strlen(text)) return NULL;
  buffer_append(&b->storage, text, strlen(text) + 1);
  return b->storage.overflow ? NULL : b->storage.ptr + at;
}

static enum status full(struct error *err) {
  return error_set(err, STATUS_TOO_LARGE, NULL, "the agent table is too large");
}

static void add_builtin(struct builder *b, const struct agent_builtin *row) {
  size_t i = b->table->count++;
  b->builtin[i] = row;
  b->second_key[i] = row->key_variables[1];
  b->table->agents[i] = (struct agent_binding){
      .type = row->type,
      .provider = row->provider,
      .model = row->model,
      .wire = row->wire,
      .base_url = row->base_url,
      .key_variable = row->key_variables[0],
      .quirks = row->quirks,
      .context_tokens = row->context_tokens,
      .output_tokens_max = row->output_tokens_max,
      .price_input_usd_micro = row->price_input_usd_micro,
      .price_output_usd_micro = row->price_output_usd_micro,
      .openrouter_model = row->openrouter_model,
      .local = row->local_port != 0,
      .seat = row->seat,
  };
}

/* ---- the file ---- */

static enum status bad(struct error *err, size_t row, const char *key, const char *why) {
  char field[64];
  snprintf(field, sizeof field, "agents[%zu].%s", row, key);
  return error_set(err, STATUS_INVALID, field, "%s", why);
}

static enum status set_text(struct builder *b, const json_t *value, const char **field, size_t row,
                            const char *key, struct error *err) {
  if (!json_is_string(value) || !json_string_length(value))
    return bad(err, row, key, "must be a non-empty text");
  for (const char *p = json_string_value(value); *p; p++)
    if ((unsigned char)*p < 0x21 || *p == 0x7f) return bad(err, row, key, "must not have spaces");
  *field = keep(b, json_string_value(value));
  return *field ? STATUS_OK : full(err);
}

static enum status set_wire(const json_t *value, enum wire_format *wire, size_t row,
                            struct error *err) {
  for (int i = 0; json_is_string(value) && i < WIRE_COUNT; i++)
    if (strcasecmp(json_string_value(value), wire_names[i]) == 0) {
      *wire = (enum wire_format)i;
      return STATUS_OK;
    }
  return bad(err, row, "wire", "must be one of anthropic, openai, gemini, ollama, demo");
}

static enum status set_quirks(const json_t *value, unsigned *quirks, size_t row,
                              struct error *err) {
  static const char *const names[] = {"max_tokens_old_name", "no_stream_options", "no_json_schema",
                                      "openrouter_headers"};
  unsigned set = 0;
  size_t i;
  json_t *item;
  if (!json_is_array(value)) return bad(err, row, "quirks", "must be a list");
  json_array_foreach((json_t *)value, i, item) {
    size_t q = 0;
    while (q < 4 && (!json_is_string(item) || strcmp(json_string_value(item), names[q]) != 0)) q++;
    if (q == 4)
      return bad(
          err, row, "quirks",
          "knows max_tokens_old_name, no_stream_options, no_json_schema, openrouter_headers");
    set |= 1u << q;
  }
  *quirks = set;
  return STATUS_OK;
}

static enum status set_count(const json_t *value, int64_t *field, size_t row, const char *key,
                             struct error *err) {
  if (!json_is_integer(value) || json_integer_value(value) < 1 ||
      json_integer_value(value) > 100000000)
    return bad(err, row, key, "must be a whole number from 1 to 100000000");
  *field = json_integer_value(value);
  return STATUS_OK;
}

/* Dollars a million tokens; null = unknown. */
static enum status set_price(const json_t *value, int64_t *field, size_t row, const char *key,
                             struct error *err) {
  double usd = json_number_value(value);
  if (json_is_null(value)) {
    *field = -1;
    return STATUS_OK;
  }
  if (!json_is_number(value) || !(usd >= 0) || usd > 100000)
    return bad(err, row, key, "must be a number of dollars from 0 to 100000, or null");
  *field = llround(usd * 1e6);
  return STATUS_OK;
}

/* A list of agent types; that each of them exists is seen when all rows are read. */
static enum status set_fallback(struct builder *b, const json_t *value, const char **field,
                                size_t row, struct error *err) {
  BUFFER_LATER struct buffer types;
  buffer_init(&types, 1024);
  size_t i;
  json_t *item;
  if (!json_is_array(value)) return bad(err, row, "fallback", "must be a list of agent types");
  json_array_foreach((json_t *)value, i, item) {
    struct bytes type = json_bytes(item);
    if (!id_valid(type, ID_AGENT_MAX)) return bad(err, row, "fallback", "must name agent types");
    if (i) buffer_append_char(&types, ',');
    buffer_append_bytes(&types, type);
  }
  if (types.overflow) return bad(err, row, "fallback", "is too long");
  *field = keep(b, types.ptr ? types.ptr : "");
  return *field ? STATUS_OK : full(err);
}

static enum status set_field(struct builder *b, size_t index, const char *key, const json_t *value,
                             size_t row, struct error *err) {
  struct agent_binding *a = &b->table->agents[index];
  if (strcmp(key, "type") == 0) return STATUS_OK;
  if (strcmp(key, "provider") == 0) return set_text(b, value, &a->provider, row, key, err);
  if (strcmp(key, "model") == 0) {
    b->builtin[index] =
        NULL; /* a model variable of a local server, or OpenRouter, no longer apply */
    a->openrouter_model = NULL;
    return set_text(b, value, &a->model, row, key, err);
  }
  if (strcmp(key, "wire") == 0) return set_wire(value, &a->wire, row, err);
  if (strcmp(key, "base_url") == 0) {
    b->file_base_url[index] = true;
    return set_text(b, value, &a->base_url, row, key, err);
  }
  if (strcmp(key, "key_variable") == 0) {
    b->second_key[index] = NULL;
    a->key_variable = NULL;
    return json_is_null(value) ? STATUS_OK : set_text(b, value, &a->key_variable, row, key, err);
  }
  if (strcmp(key, "quirks") == 0) return set_quirks(value, &a->quirks, row, err);
  if (strcmp(key, "price_input_usd") == 0)
    return set_price(value, &a->price_input_usd_micro, row, key, err);
  if (strcmp(key, "price_output_usd") == 0)
    return set_price(value, &a->price_output_usd_micro, row, key, err);
  if (strcmp(key, "openrouter_model") == 0)
    return set_text(b, value, &a->openrouter_model, row, key, err);
  if (strcmp(key, "fallback") == 0) return set_fallback(b, value, &a->fallback, row, err);
  if (strcmp(key, "context_tokens") == 0)
    return set_count(value, &a->context_tokens, row, key, err);
  if (strcmp(key, "output_tokens_max") == 0)
    return set_count(value, &a->output_tokens_max, row, key, err);
  return bad(err, row, key, "is not a field of an agent");
}

static enum status check_row(const struct agent_binding *a, size_t row, struct error *err) {
  if (a->wire == WIRE_DEMO) return STATUS_OK;
  if (!a->provider) return bad(err, row, "provider", "is missing");
  if (!a->model) return bad(err, row, "model", "is missing");
  if (a->local && !a->base_url) return STATUS_OK; /* the environment may name the host */
  if (!a->base_url) return bad(err, row, "base_url", "is missing");
  if (strncmp(a->base_url, "http://", 7) != 0 && strncmp(a->base_url, "https://", 8) != 0)
    return bad(err, row, "base_url", "must begin with http:// or https://");
  return STATUS_OK;
}

static enum status add_file_row(struct builder *b, const json_t *object, size_t row,
                                struct error *err) {
  struct agent_table *t = b->table;
  const char *type = json_get_text(object, "type", "");
  if (!id_valid(bytes_of(type), ID_AGENT_MAX))
    return bad(err, row, "type", "must be 1 to 32 letters, digits, - or _");
  size_t index = 0;
  while (index < t->count && strcasecmp(t->agents[index].type, type) != 0) index++;
  if (index == t->count) {
    if (index == b->room) return full(err);
    char *kept = keep(b, type);
    if (!kept) return full(err);
    t->agents[t->count++] = (struct agent_binding){.type = kept,
                                                   .wire = WIRE_OPENAI,
                                                   .context_tokens = 32768,
                                                   .output_tokens_max = 8192,
                                                   .price_input_usd_micro = -1,
                                                   .price_output_usd_micro = -1,
                                                   .seat = true};
  }
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)object, key, value) {
    enum status status = set_field(b, index, key, value, row, err);
    if (status) return status;
  }
  return check_row(&t->agents[index], row, err);
}

static enum status read_file(const char *path, struct buffer *out, struct error *err) {
  FILE *f = fopen(path, "re");
  if (!f) return error_set(err, STATUS_IO, NULL, "cannot read %s: %s", path, strerror(errno));
  char piece[4096];
  for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;) buffer_append(out, piece, n);
  fclose(f);
  if (out->overflow)
    return error_set(err, STATUS_TOO_LARGE, NULL, "%s is larger than %d bytes", path,
                     FILE_BYTES_MAX);
  return STATUS_OK;
}

static enum status add_file(struct builder *b, const char *path, struct error *err) {
  BUFFER_LATER struct buffer text;
  buffer_init(&text, FILE_BYTES_MAX);
  enum status status = read_file(path, &text, err);
  if (status) return status;
  JSON_LATER json_t *json = NULL;
  status = json_parse(buffer_bytes(&text), &json, err);
  if (status) return status;
  const json_t *rows = json_object_get(json, "agents");
  if (!json_is_array(rows))
    return error_set(err, STATUS_INVALID, "agents", "must be a list of agents");
  size_t i;
  json_t *row;
  json_array_foreach((json_t *)rows, i, row) {
    if (!json_is_object(row)) return bad(err, i, "type", "each agent is an object");
    status = add_file_row(b, row, i, err);
    if (status) return status;
  }
  return STATUS_OK;
}

static enum status check_fallbacks(const struct agent_table *table, struct error *err) {
  for (size_t i = 0; i < table->count; i++) {
    struct bytes rest = bytes_of(table->agents[i].fallback);
    while (rest.len) {
      struct bytes type = bytes_until(rest, BYTES_LITERAL(","));
      const struct agent_binding *to = agents_find(table, type);
      if (!to || to == &table->agents[i])
        return error_set(err, STATUS_INVALID, "fallback", "%s cannot fall back to \"%.*s\"",
                         table->agents[i].type, (int)type.len, type.ptr);
      size_t taken = type.len + (type.len < rest.len);
      rest = (struct bytes){rest.ptr + taken, rest.len - taken};
    }
  }
  return STATUS_OK;
}

/* ---- the environment ---- */

static const char *variable(const char *name) {
  const char *value = name ? getenv(name) : NULL;
  return value && *value ? value : NULL;
}

/* A control character in a key or an URL would end its header line. */
static enum status check_variable(const char *name, const char *value, struct error *err) {
  for (const char *p = value; *p; p++)
    if ((unsigned char)*p <= 0x20 || *p == 0x7f)
      return error_set(err, STATUS_INVALID, name, "has a space or a control character");
  return STATUS_OK;
}

/* "host", "host:port" or an URL, as Ollama reads its own variable. */
static void append_host(struct buffer *url, const char *host, int port, const char *path) {
  const char *scheme = strstr(host, "://");
  const char *authority = scheme ? scheme + 3 : host;
  size_t len = strcspn(authority, "/");
  const char *bracket = memchr(authority, ']', len);
  const char *from = bracket ? bracket : authority;
  bool has_port = memchr(from, ':', len - (size_t)(from - authority)) != NULL;
  bool has_path = authority[len] == '/' && authority[len + 1];
  buffer_printf(url, "%s%.*s", scheme ? "" : "http://", (int)(authority - host + (ptrdiff_t)len),
                host);
  if (!has_port && !scheme) buffer_printf(url, ":%d", port);
  buffer_append_text(url, has_path ? authority + len : path);
}

static enum status take_base_url(struct builder *b, size_t index, struct error *err) {
  struct agent_binding *a = &b->table->agents[index];
  const struct agent_builtin *row = NULL;
  for (size_t i = 0; i < agents_builtin_count; i++)
    if (agents_builtin[i].type == a->type) row = &agents_builtin[i];
  const char *value = row && !b->file_base_url[index] ? variable(row->base_variable) : NULL;
  const char *from = value ? value : a->base_url;
  if (!from) return STATUS_OK;
  if (value) {
    enum status status = check_variable(row->base_variable, value, err);
    if (status) return status;
  }
  BUFFER_LATER struct buffer url;
  buffer_init(&url, 1024);
  if (value && row->local_port)
    append_host(&url, value, row->local_port, row->local_path);
  else
    buffer_append_text(&url, from);
  while (url.len && url.ptr[url.len - 1] == '/') url.ptr[--url.len] = '\0';
  if (value && strncmp(url.ptr, "http://", 7) != 0 && strncmp(url.ptr, "https://", 8) != 0)
    return error_set(err, STATUS_INVALID, row->base_variable,
                     "must begin with http:// or https://");
  a->base_url = url.overflow ? NULL : keep(b, url.ptr ? url.ptr : "");
  return a->base_url ? STATUS_OK : full(err);
}

static enum status keep_key(struct builder *b, struct agent_binding *a, const char *name,
                            struct error *err) {
  char *secret = NULL;
  enum status status = secret_read(name, &secret, err);
  if (!status && secret) status = check_variable(name, secret, err);
  if (!status && secret) {
    a->key = keep(b, secret);
    if (!a->key) status = full(err);
  }
  secret_free(secret);
  return status;
}

static enum status take_key(struct builder *b, size_t index, struct error *err) {
  struct agent_binding *a = &b->table->agents[index];
  enum status status = a->key_variable ? keep_key(b, a, a->key_variable, err) : STATUS_OK;
  if (!status && !a->key && b->second_key[index])
    status = keep_key(b, a, b->second_key[index], err);
  return status;
}

/* A vendor without its own key is reached through OpenRouter, where that has one. */
static void reroute(struct builder *b, size_t index) {
  struct agent_binding *a = &b->table->agents[index];
  const struct agent_builtin *row = b->builtin[index];
  if (a->key || !row || !row->reroute || b->file_base_url[index]) return;
  const struct agent_binding *via = agents_find(b->table, BYTES_LITERAL("openrouter"));
  if (!via || !via->key) return;
  a->provider = via->provider;
  a->model = row->openrouter_model;
  a->wire = via->wire;
  a->base_url = via->base_url;
  a->key = via->key;
  a->key_variable = via->key_variable;
  a->quirks = via->quirks;
  a->output_tokens_max = via->output_tokens_max;
  a->price_input_usd_micro = a->price_output_usd_micro = -1;
  a->seat = false;
}

static enum status take_environment(struct builder *b, struct error *err) {
  for (size_t i = 0; i < b->table->count; i++) {
    enum status status = take_base_url(b, i, err);
    if (!status) status = take_key(b, i, err);
    if (status) return status;
    const struct agent_builtin *row = b->builtin[i];
    const char *model = row ? variable(row->model_variable) : NULL;
    if (model) b->table->agents[i].model = keep(b, model);
    if (!b->table->agents[i].model) return full(err);
  }
  for (size_t i = 0; i < b->table->count; i++) reroute(b, i);
  for (size_t i = 0; i < b->table->count; i++) {
    struct agent_binding *a = &b->table->agents[i];
    a->available =
        a->wire == WIRE_DEMO || (a->local ? a->base_url != NULL : a->key || !a->key_variable);
  }
  return STATUS_OK;
}

/* ---- the table ---- */

enum status agents_load(const char *file, struct agent_table **ret_table, struct error *err) {
  struct builder *b = calloc(1, sizeof *b);
  struct agent_table *table = calloc(1, sizeof *table);
  enum status status = STATUS_NOMEM;
  if (!b || !table) goto out;
  b->table = table;
  b->room = agents_builtin_count + FILE_ROWS_MAX;
  if (b->room > sizeof b->builtin / sizeof *b->builtin)
    b->room = sizeof b->builtin / sizeof *b->builtin;
  table->agents = calloc(b->room, sizeof *table->agents);
  buffer_init(&b->storage, STORAGE_BYTES);
  if (!table->agents || !buffer_reserve(&b->storage, STORAGE_BYTES)) goto out;
  for (size_t i = 0; i < agents_builtin_count; i++) add_builtin(b, &agents_builtin[i]);
  status = file ? add_file(b, file, err) : STATUS_OK;
  if (!status) status = check_fallbacks(table, err);
  if (!status) status = take_environment(b, err);
out:
  if (table) table->storage = b ? b->storage.ptr : NULL;
  free(b);
  if (status)
    agents_free(table);
  else
    *ret_table = table;
  return status == STATUS_NOMEM ? error_set(err, status, NULL, "out of memory") : status;
}

void agents_free(struct agent_table *table) {
  while (table) {
    struct agent_table *former = table->former;
    free(table->agents);
    if (table->storage) explicit_bzero(table->storage, STORAGE_BYTES);
    free(table->storage);
    free(table);
    table = former;
  }
}

const struct agent_binding *agents_find(const struct agent_table *table, struct bytes type) {
  if (!type.len) return NULL;
  for (size_t i = 0; i < table->count; i++)
    if (bytes_equal_nocase(type, bytes_of(table->agents[i].type))) return &table->agents[i];
  for (size_t i = 0; i < agents_aliases_count; i++)
    if (bytes_equal_nocase(type, bytes_of(agents_aliases[i].alias)))
      return agents_find(table, bytes_of(agents_aliases[i].type));
  return NULL;
}

/* ---- the default panel ---- */

static bool is_openrouter(const struct agent_binding *a) {
  return strcmp(a->provider, "openrouter") == 0;
}

/* First rows of the providers that may sit, in table order. */
static size_t find_providers(const struct agent_table *table, const struct agent_binding **out,
                             size_t max) {
  bool other_key = false;
  for (size_t i = 0; i < table->count; i++) {
    const struct agent_binding *a = &table->agents[i];
    if (a->available && a->seat && a->key && !is_openrouter(a)) other_key = true;
  }
  size_t count = 0;
  for (size_t i = 0; i < table->count && count < max; i++) {
    const struct agent_binding *a = &table->agents[i];
    if (!a->available || !a->seat || a->wire == WIRE_DEMO || (is_openrouter(a) && other_key))
      continue;
    bool known = false;
    for (size_t k = 0; k < count; k++) known |= strcmp(out[k]->provider, a->provider) == 0;
    if (!known) out[count++] = a;
  }
  return count;
}

/* `wanted` rows of a provider: its models in turn, the first again when there are no others. */
static size_t take_rows(const struct agent_table *table, const struct agent_binding *first,
                        size_t wanted, const struct agent_binding **out) {
  size_t count = 0;
  for (size_t i = 0; i < table->count && count < wanted; i++) {
    const struct agent_binding *a = &table->agents[i];
    if (a->available && a->seat && strcmp(a->provider, first->provider) == 0) out[count++] = a;
  }
  while (count < wanted) out[count++] = first;
  return count;
}

size_t agents_default_panel(const struct agent_table *table, const struct agent_binding **out,
                            size_t max, bool *ret_demo) {
  const struct agent_binding *providers[PANEL_ONE_EACH_MAX];
  size_t count = max < 10 ? 0 : find_providers(table, providers, PANEL_ONE_EACH_MAX);
  *ret_demo = count == 0;
  if (max < PANEL_DEMO) return 0;
  if (count == 0) {
    for (size_t i = 0; i < PANEL_DEMO; i++) out[i] = agents_find(table, BYTES_LITERAL("demo"));
    return PANEL_DEMO;
  }
  if (count >= PANEL_MIN) {
    memcpy(out, providers, count * sizeof *out);
    return count;
  }
  size_t n = take_rows(table, providers[0], count == 1 ? 3 : 2, out);
  if (count == 2) out[n++] = providers[1];
  return n;
}
