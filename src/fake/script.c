#include "fake/script.h"

#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct script {
  int count;
  struct script_rule rules[];
};

void script_destroy(struct script *script) {
  if (!script) return;
  for (int i = 0; i < script->count; i++) {
    struct script_rule *r = &script->rules[i];
    free(r->path);
    free(r->model);
    free(r->kind);
    free(r->prompt_contains);
    free(r->reply);
  }
  free(script);
}

int script_rule_count(const struct script *script) {
  return script ? script->count : 0;
}

/* ---- reading ---- */

enum field_type { FIELD_TEXT, FIELD_COUNT, FIELD_SWITCH, FIELD_FAULT, FIELD_MATCH };

struct field {
  const char *name;
  enum field_type type;
  size_t offset;
  int64_t max;
};

#define AT(member) offsetof(struct script_rule, member)
static const struct field match_fields[] = {
    {"path", FIELD_TEXT, AT(path), 0},
    {"model", FIELD_TEXT, AT(model), 0},
    {"kind", FIELD_TEXT, AT(kind), 0},
    {"prompt_contains", FIELD_TEXT, AT(prompt_contains), 0},
    {"nth", FIELD_COUNT, AT(nth), INT32_MAX},
    {"every", FIELD_COUNT, AT(every), INT32_MAX},
    {NULL, 0, 0, 0},
};
static const struct field rule_fields[] = {
    {"match", FIELD_MATCH, 0, 0},
    {"fault", FIELD_FAULT, AT(fault), 0},
    {"latency_ms", FIELD_COUNT, AT(latency_ms), 24 * 3600 * 1000},
    {"token_rate", FIELD_COUNT, AT(token_rate), 1000000},
    {"reply", FIELD_TEXT, AT(reply), 0},
    {"echo_key", FIELD_SWITCH, AT(echo_key), 0},
    {"times", FIELD_COUNT, AT(times), INT32_MAX},
    {NULL, 0, 0, 0},
};

static enum status wrong(struct error *err, int rule, const char *name, const char *what) {
  char field[96];
  snprintf(field, sizeof field, "rules[%d].%.60s", rule, name);
  return error_set(err, STATUS_INVALID, field, "%s: %s", field, what);
}

static enum status read_fields(struct script_rule *rule, const struct field *fields, json_t *object,
                               int index, struct error *err);

static enum status read_value(struct script_rule *rule, const struct field *f, json_t *value,
                              int index, struct error *err) {
  char *at = (char *)rule + f->offset;
  const char *text = json_string_value(value);
  int64_t number = json_integer_value(value);
  switch (f->type) {
    case FIELD_TEXT:
      if (!text) return wrong(err, index, f->name, "must be a text");
      if (bytes_replace((char **)at, bytes_of(text)))
        return error_set(err, STATUS_NOMEM, NULL, "out of memory");
      return STATUS_OK;
    case FIELD_COUNT:
      if (!json_is_integer(value) || number < 0 || number > f->max)
        return wrong(err, index, f->name, "must be a whole number within its range");
      *(int64_t *)at = number;
      return STATUS_OK;
    case FIELD_SWITCH:
      if (!json_is_boolean(value)) return wrong(err, index, f->name, "must be true or false");
      *(bool *)at = json_is_true(value);
      return STATUS_OK;
    case FIELD_FAULT:
      if (!text) return wrong(err, index, f->name, "must be a text");
      rule->fault = fault_find(bytes_of(text));
      return rule->fault ? STATUS_OK : wrong(err, index, f->name, "no such fault");
    case FIELD_MATCH: return read_fields(rule, match_fields, value, index, err);
  }
  return STATUS_INTERNAL;
}

static enum status read_fields(struct script_rule *rule, const struct field *fields, json_t *object,
                               int index, struct error *err) {
  const char *key;
  json_t *value;
  if (!json_is_object(object)) return wrong(err, index, "match", "must be an object");
  json_object_foreach(object, key, value) {
    const struct field *f = fields;
    while (f->name && strcmp(f->name, key) != 0) f++;
    if (!f->name) return wrong(err, index, key, "unknown field");
    enum status s = read_value(rule, f, value, index, err);
    if (s) return s;
  }
  return STATUS_OK;
}

static enum status check_root(const json_t *root, struct error *err) {
  const json_t *rules = json_object_get(root, "rules");
  if (!json_is_array(rules) || json_object_size(root) != 1)
    return error_set(err, STATUS_INVALID, "rules", "a script is {\"rules\": [...]}");
  if (json_array_size(rules) > SCRIPT_RULES_MAX)
    return error_set(err, STATUS_TOO_LARGE, "rules", "at most %d rules", SCRIPT_RULES_MAX);
  return STATUS_OK;
}

enum status script_parse(struct bytes text, struct script **ret_script, struct error *err) {
  JSON_LATER json_t *root = NULL;
  if (text.len > SCRIPT_BYTES_MAX)
    return error_set(err, STATUS_TOO_LARGE, NULL, "at most %d bytes", SCRIPT_BYTES_MAX);
  enum status s = json_parse(text, &root, err);
  if (!s) s = check_root(root, err);
  if (s) return s;
  json_t *rules = json_object_get(root, "rules");
  size_t count = json_array_size(rules);
  struct script *script = calloc(1, sizeof *script + count * sizeof *script->rules);
  if (!script) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  for (size_t i = 0; i < count && !s; i++) {
    struct script_rule *rule = &script->rules[script->count++];
    rule->latency_ms = rule->token_rate = -1;
    s = read_fields(rule, rule_fields, json_array_get(rules, i), (int)i, err);
  }
  if (s)
    script_destroy(script);
  else
    *ret_script = script;
  return s;
}

/* ---- matching ---- */

static bool contains(struct bytes text, const char *part) {
  return !*part || (text.len && memmem(text.ptr, text.len, part, strlen(part)));
}

static bool matches(const struct script_rule *r, struct bytes path, const struct question *q) {
  return (!r->path || contains(path, r->path)) &&
         (!r->model || bytes_equal(bytes_of(r->model), buffer_bytes(&q->model))) &&
         (!r->kind || bytes_equal(bytes_of(r->kind), buffer_bytes(&q->kind))) &&
         (!r->prompt_contains || contains(buffer_bytes(&q->prompt), r->prompt_contains));
}

const struct script_rule *script_find(struct script *script, struct bytes path,
                                      const struct question *q) {
  for (int i = 0; i < script_rule_count(script); i++) {
    struct script_rule *r = &script->rules[i];
    if (!matches(r, path, q)) continue;
    r->matched++;
    bool due = (!r->nth || r->matched == r->nth) && (!r->every || r->matched % r->every == 0);
    if (!due || (r->times && r->applied >= r->times)) continue;
    r->applied++;
    return r;
  }
  return NULL;
}
