#include "debate/config.h"

#include "debate/maker.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

const char *const mode_names[MODE_COUNT + 1] = {"debate", "vote", "self_consistency", "single",
                                                NULL};
const char *const rule_names[RULE_COUNT + 1] = {
    "majority", "supermajority", "unanimous", "weighted", "judge", "none", "any", NULL};
const char *const topology_names[TOPOLOGY_COUNT + 1] = {"all", "ring", "star", "random", NULL};

static void agent_done(struct debate_agent *agent) {
  free(agent->name);
  free(agent->type);
  free(agent->provider);
  free(agent->model);
  free(agent->role);
}

void debate_config_done(struct debate_config *config) {
  free(config->task);
  free(config->context);
  free(config->parent_id);
  for (int i = 0; i < config->member_count; i++) agent_done(&config->members[i]);
  for (int i = 0; i < config->judge_count; i++) agent_done(&config->judges[i]);
  *config = (struct debate_config){0};
}

static json_t *agent_to_json(const struct debate_agent *a, bool judge) {
  json_t *out = json_pack("{s:s, s:s, s:s, s:s, s:b}", "name", a->name, "type", a->type, "provider",
                          a->provider, "model", a->model, "demo", a->demo);
  struct maker m = {false};
  if (judge) {
    maker_put(&m, out, "in_panel", json_boolean(a->in_panel));
  } else {
    maker_put(&m, out, "role", json_text(bytes_of(a->role)));
    maker_put(&m, out, "weight_ppm", json_integer(a->weight_ppm));
  }
  return maker_done(&m, out);
}

static json_t *parent_to_json(const struct debate_config *c) {
  return json_pack("{s:o, s:o, s:i, s:o}", "debate_id", json_text(bytes_of(c->parent_id)),
                   "branch_point", json_int_or_null(c->branch_point), "inherited", c->inherited,
                   "head_hash", json_text_or_null(*c->parent_hash ? c->parent_hash : NULL));
}

json_t *debate_config_to_json(const struct debate_config *c) {
  char seed[24];
  snprintf(seed, sizeof seed, "%" PRIu64, c->seed);
  struct maker m = {false};
  json_t *agents = json_array();
  for (int i = 0; i < c->member_count; i++)
    maker_add(&m, agents, agent_to_json(&c->members[i], false));
  json_t *judges = json_array();
  for (int i = 0; i < c->judge_count; i++)
    maker_add(&m, judges, agent_to_json(&c->judges[i], true));
  json_t *out = json_pack(
      "{s:i, s:i, s:i, s:i, s:o, s:o, s:s, s:s, s:s, s:i, s:I, s:b, s:i, s:I, s:I, s:o, s:o, s:I,"
      " s:I, s:s, s:s, s:b, s:o, s:o}",
      "v", LOG_VERSION, "engine", c->engine_version, "rules", c->rules_version, "prompts",
      c->prompts_version, "task", json_text(bytes_of(c->task)), "context",
      json_text_or_null(c->context), "mode", mode_names[c->mode], "consensus", rule_names[c->rule],
      "topology", topology_names[c->topology], "rounds", c->rounds, "threshold_ppm",
      (json_int_t)c->threshold_ppm, "fast_path", c->fast_path, "quorum", c->quorum, "deadline_ms",
      (json_int_t)c->deadline_ms, "turn_timeout_ms", (json_int_t)c->turn_timeout_ms,
      "budget_usd_micro", json_int_or_null(c->budget_usd_micro), "budget_tokens",
      json_int_or_null(c->budget_tokens), "max_output_tokens", (json_int_t)c->max_output_tokens,
      "context_bytes", (json_int_t)c->context_bytes, "seed", seed, "nonce", c->nonce, "demo",
      c->demo, "agents", agents, "judges", judges);
  if (c->allow_unknown_price) maker_put(&m, out, "allow_unknown_price", json_true());
  if (c->parent_id) maker_put(&m, out, "parent", parent_to_json(c));
  return maker_done(&m, out);
}

static enum status corrupt(struct error *err, const char *field) {
  return error_set(err, STATUS_CORRUPT, field, "debate_start: bad or missing %s", field);
}

static enum status read_name(const json_t *data, const char *key, const char *const *names,
                             int *ret_index, struct error *err) {
  const char *text = json_get_text(data, key, "");
  for (int i = 0; names[i]; i++)
    if (strcmp(names[i], text) == 0) {
      *ret_index = i;
      return STATUS_OK;
    }
  return corrupt(err, key);
}

static bool read_text(const json_t *object, const char *key, char **ret_text) {
  const json_t *value = json_object_get(object, key);
  if (!json_is_string(value)) return false;
  *ret_text = bytes_dup(json_bytes(value));
  return *ret_text != NULL;
}

static bool read_parent(const json_t *parent, struct debate_config *c) {
  c->branch_point = (int)json_get_int(parent, "branch_point", -1);
  c->inherited = (int)json_get_int(parent, "inherited", 0);
  snprintf(c->parent_hash, sizeof c->parent_hash, "%s", json_get_text(parent, "head_hash", ""));
  return read_text(parent, "debate_id", &c->parent_id) && c->inherited >= 0;
}

static bool read_agent(const json_t *data, bool judge, struct debate_agent *a) {
  if (!read_text(data, "name", &a->name) || !read_text(data, "type", &a->type) ||
      !read_text(data, "provider", &a->provider) || !read_text(data, "model", &a->model))
    return false;
  a->demo = json_get_bool(data, "demo", false);
  if (judge) {
    a->in_panel = json_get_bool(data, "in_panel", false);
    return true;
  }
  a->weight_ppm = json_get_int(data, "weight_ppm", -1);
  return read_text(data, "role", &a->role) && a->weight_ppm >= 0 && a->weight_ppm <= 4 * PPM;
}

static enum status read_agents(const json_t *data, struct debate_config *c, struct error *err) {
  const json_t *agents = json_object_get(data, "agents");
  size_t n = json_array_size(agents);
  if (n < 1 || n > DEBATE_MEMBERS_MAX) return corrupt(err, "agents");
  for (size_t i = 0; i < n; i++) {
    c->member_count++; /* first, so that a partial one is freed */
    if (!read_agent(json_array_get(agents, i), false, &c->members[i]))
      return corrupt(err, "agents");
  }
  const json_t *judges = json_object_get(data, "judges");
  size_t j = json_array_size(judges);
  if (j > DEBATE_JUDGES_MAX) return corrupt(err, "judges");
  for (size_t i = 0; i < j; i++) {
    c->judge_count++;
    if (!read_agent(json_array_get(judges, i), true, &c->judges[i])) return corrupt(err, "judges");
  }
  return STATUS_OK;
}

static enum status read_seed(const char *text, uint64_t *ret_seed, struct error *err) {
  if (!*text || strlen(text) > 20) return corrupt(err, "seed");
  uint64_t seed = 0;
  for (const char *p = text; *p; p++) {
    if (*p < '0' || *p > '9') return corrupt(err, "seed");
    if (__builtin_mul_overflow(seed, 10u, &seed) ||
        __builtin_add_overflow(seed, (uint64_t)(*p - '0'), &seed))
      return corrupt(err, "seed");
  }
  *ret_seed = seed;
  return STATUS_OK;
}

struct number { /* a row of the numbers that debate_start must hold */
  const char *key;
  int64_t min, max;
  size_t offset;
  bool wide, nullable;
};

#define NUMBER_INT(field, low, high) \
  { #field, low, high, offsetof(struct debate_config, field), false, false }
#define NUMBER_WIDE(field, low, high) \
  { #field, low, high, offsetof(struct debate_config, field), true, false }
#define NUMBER_OR_NULL(field) \
  { #field, 1, INT64_MAX, offsetof(struct debate_config, field), true, true }

static const struct number numbers[] = {
    NUMBER_INT(rounds, 0, DEBATE_ROUNDS_MAX),
    NUMBER_INT(quorum, 1, DEBATE_MEMBERS_MAX),
    NUMBER_WIDE(threshold_ppm, 0, PPM),
    NUMBER_WIDE(deadline_ms, 1, INT64_MAX),
    NUMBER_WIDE(turn_timeout_ms, 1, INT64_MAX),
    NUMBER_WIDE(max_output_tokens, 1, INT64_MAX),
    NUMBER_WIDE(context_bytes, 1, INT64_MAX),
    NUMBER_OR_NULL(budget_usd_micro),
    NUMBER_OR_NULL(budget_tokens),
};

static enum status read_numbers(const json_t *data, struct debate_config *c, struct error *err) {
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    const struct number *n = &numbers[i];
    int64_t value = json_get_int(data, n->key, -1);
    bool null = json_is_null(json_object_get(data, n->key));
    if (!(n->nullable && null) && (value < n->min || value > n->max)) return corrupt(err, n->key);
    char *field = (char *)c + n->offset;
    int narrow = (int)value;
    if (n->wide)
      memcpy(field, &value, sizeof value);
    else
      memcpy(field, &narrow, sizeof narrow);
  }
  return STATUS_OK;
}

static enum status read_versions(const json_t *data, struct debate_config *c, struct error *err) {
  c->engine_version = (int)json_get_int(data, "engine", 0);
  c->rules_version = (int)json_get_int(data, "rules", 0);
  c->prompts_version = (int)json_get_int(data, "prompts", 0);
  int64_t log = json_get_int(data, "v", 0);
  if (log < 1 || c->engine_version < 1 || c->rules_version < 1 || c->prompts_version < 1)
    return corrupt(err, "v");
  if (log > LOG_VERSION || c->engine_version > ENGINE_VERSION || c->rules_version > RULES_VERSION ||
      c->prompts_version > PROMPTS_VERSION)
    return error_set(err, STATUS_UNSUPPORTED, "v", "the log was written by a newer version");
  return STATUS_OK;
}

static enum status read_config(const json_t *data, struct debate_config *c, struct error *err) {
  int mode = 0;
  int rule = 0;
  int topology = 0;
  enum status s = read_versions(data, c, err);
  if (!s) s = read_name(data, "mode", mode_names, &mode, err);
  if (!s) s = read_name(data, "consensus", rule_names, &rule, err);
  if (!s) s = read_name(data, "topology", topology_names, &topology, err);
  if (!s) s = read_seed(json_get_text(data, "seed", ""), &c->seed, err);
  if (!s) s = read_numbers(data, c, err);
  if (!s) s = read_agents(data, c, err);
  if (s) return s;
  c->mode = (enum mode)mode;
  c->rule = (enum rule)rule;
  c->topology = (enum topology)topology;
  c->fast_path = json_get_bool(data, "fast_path", false);
  c->demo = json_get_bool(data, "demo", false);
  c->allow_unknown_price = json_get_bool(data, "allow_unknown_price", false);
  const char *nonce = json_get_text(data, "nonce", "");
  if (strlen(nonce) != sizeof c->nonce - 1) return corrupt(err, "nonce");
  memcpy(c->nonce, nonce, sizeof c->nonce);
  const json_t *parent = json_object_get(data, "parent");
  if (parent && !read_parent(parent, c)) return corrupt(err, "parent");
  if (!read_text(data, "task", &c->task)) return corrupt(err, "task");
  if (json_is_string(json_object_get(data, "context")) && !read_text(data, "context", &c->context))
    return corrupt(err, "context");
  return STATUS_OK;
}

enum status debate_config_from_json(const json_t *data, struct debate_config *ret_config,
                                    struct error *err) {
  struct debate_config c = {0};
  enum status s = read_config(data, &c, err);
  if (s)
    debate_config_done(&c);
  else
    *ret_config = c;
  return s;
}
