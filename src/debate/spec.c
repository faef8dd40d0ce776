#include "debate/spec.h"

#include "base/utf8.h"
#include "debate/blank.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
  TYPE_MAX = 32,
  ROLE_CHARS_MAX = 64,
  METADATA_BYTES_MAX = 16 * 1024,
  SAMPLES_DEFAULT = 5,
  DEADLINE_S_MIN = 5,
  DEADLINE_S_MAX = 86400,
  TURN_TIMEOUT_S_MIN = 1,
  TURN_TIMEOUT_S_MAX = 600,
  BUDGET_USD_MAX = 1000000,
};
static const int64_t BUDGET_TOKENS_MAX = 1000000000000;
static const int64_t THRESHOLD_DEFAULT_PPM = 600000;

void debate_spec_init(struct debate_spec *spec) {
  *spec = (struct debate_spec){.mode = MODE_DEBATE,
                               .rule = RULE_MAJORITY,
                               .topology = -1,
                               .rounds = -1,
                               .threshold_ppm = THRESHOLD_DEFAULT_PPM,
                               .fast_path = true,
                               .samples = SAMPLES_DEFAULT,
                               .deadline_ms = -1,
                               .turn_timeout_ms = -1,
                               .budget_usd_micro = -1,
                               .budget_tokens = -1};
}

void debate_spec_done(struct debate_spec *spec) {
  free(spec->task);
  free(spec->context);
  free(spec->metadata);
  free(spec->request_id);
  for (int i = 0; i < spec->agent_count; i++) free(spec->agents[i]);
  *spec = (struct debate_spec){0};
}

/* ---- one value ---- */

/* The value under `key`, or under `alias`; null counts as not given. *ret_name is the one found. */
static const json_t *given(const json_t *body, const char *key, const char *alias,
                           const char **ret_name) {
  const char *const names[] = {key, alias};
  for (size_t i = 0; i < 2; i++) {
    const json_t *value = names[i] ? json_object_get(body, names[i]) : NULL;
    if (!value || json_is_null(value)) continue;
    *ret_name = names[i];
    return value;
  }
  return NULL;
}

static enum status read_whole(const json_t *body, const char *key, const char *alias, int64_t min,
                              int64_t max, int64_t *field, struct error *err) {
  const char *name;
  const json_t *value = given(body, key, alias, &name);
  if (!value) return STATUS_OK;
  if (!json_is_integer(value) || json_integer_value(value) < min || json_integer_value(value) > max)
    return error_set(err, STATUS_INVALID, name, "%s must be a whole number from %lld to %lld", name,
                     (long long)min, (long long)max);
  *field = json_integer_value(value);
  return STATUS_OK;
}

static enum status read_small(const json_t *body, const char *key, const char *alias, int min,
                              int max, int *field, struct error *err) {
  int64_t number = *field;
  enum status s = read_whole(body, key, alias, min, max, &number, err);
  if (!s) *field = (int)number;
  return s;
}

/* Seconds, fractions allowed, into milliseconds. */
static enum status read_seconds(const json_t *body, const char *key, int min, int max,
                                int64_t *field_ms, struct error *err) {
  const char *name;
  const json_t *value = given(body, key, NULL, &name);
  if (!value) return STATUS_OK;
  double seconds = json_number_value(value); /* 0 for other types */
  if (!json_is_number(value) || !(seconds >= min && seconds <= max))
    return error_set(err, STATUS_INVALID, name, "%s must be a number from %d to %d", name, min,
                     max);
  *field_ms = llround(seconds * 1000);
  return STATUS_OK;
}

static enum status read_choice(const json_t *body, const char *key, const char *const *names,
                               int *field, struct error *err) {
  const char *name;
  const json_t *value = given(body, key, NULL, &name);
  if (!value) return STATUS_OK;
  for (int i = 0; json_is_string(value) && names[i]; i++)
    if (strcmp(json_string_value(value), names[i]) == 0) {
      *field = i;
      return STATUS_OK;
    }
  BUFFER_LATER struct buffer allowed;
  buffer_init(&allowed, 200);
  for (int i = 0; names[i]; i++) buffer_printf(&allowed, "%s%s", i ? ", " : "", names[i]);
  return error_set(err, STATUS_INVALID, name, "%s must be one of: %s", name,
                   allowed.ptr ? allowed.ptr : "");
}

static enum status read_threshold(const json_t *body, int64_t *field_ppm, struct error *err) {
  const char *name;
  const json_t *value = given(body, "consensus_threshold", "threshold", &name);
  if (!value) return STATUS_OK;
  double number = json_number_value(value);
  if (!json_is_number(value) || !(number >= 0.5 && number <= 1))
    return error_set(err, STATUS_INVALID, name, "%s must be a number from 0.5 to 1", name);
  *field_ppm = llround(number * PPM);
  return STATUS_OK;
}

static enum status read_flag(const json_t *body, const char *key, bool *field, struct error *err) {
  const char *name;
  const json_t *value = given(body, key, NULL, &name);
  if (!value) return STATUS_OK;
  if (!json_is_boolean(value))
    return error_set(err, STATUS_INVALID, name, "%s must be true or false", name);
  *field = json_is_true(value);
  return STATUS_OK;
}

/* Micro-dollars, exactly: what has more than six decimals is refused, never rounded. A double holds
 * six decimals of a million to within 1e-4 of a micro-dollar, so 1e-3 tells the two apart. */
static enum status read_budget_usd(const json_t *body, int64_t *field, struct error *err) {
  const char *name;
  const json_t *value = given(body, "budget_usd", NULL, &name);
  if (!value) return STATUS_OK;
  double micro = json_number_value(value) * 1e6;
  bool in_range = json_is_number(value) && micro > 0 && micro <= BUDGET_USD_MAX * 1e6;
  if (!in_range || llround(micro) < 1 || fabs(micro - (double)llround(micro)) > 1e-3)
    return error_set(err, STATUS_INVALID, name,
                     "budget_usd must be a number above 0 and up to %d, with at most six decimals",
                     BUDGET_USD_MAX);
  *field = llround(micro);
  return STATUS_OK;
}

static bool parse_seed(const json_t *value, uint64_t *ret_seed) {
  if (json_is_integer(value)) {
    *ret_seed = (uint64_t)json_integer_value(value);
    return json_integer_value(value) >= 0;
  }
  const char *text = json_string_value(value);
  if (!text || !*text || strlen(text) > 20) return false;
  uint64_t seed = 0;
  for (; *text; text++) {
    if (*text < '0' || *text > '9' || __builtin_mul_overflow(seed, 10u, &seed) ||
        __builtin_add_overflow(seed, (uint64_t)(*text - '0'), &seed))
      return false;
  }
  *ret_seed = seed;
  return true;
}

static enum status read_seed(const json_t *body, struct debate_spec *spec, struct error *err) {
  const char *name;
  const json_t *value = given(body, "seed", NULL, &name);
  if (!value) return STATUS_OK;
  if (!parse_seed(value, &spec->seed))
    return error_set(err, STATUS_INVALID, name,
                     "seed must be a decimal text from \"0\" to \"18446744073709551615\"");
  spec->seed_given = true;
  return STATUS_OK;
}

/* ---- texts ---- */

static enum status read_task(const json_t *body, const struct debate_spec_limits *limits,
                             struct debate_spec *spec, struct error *err) {
  const char *name = "task";
  const json_t *value = given(body, "task", "question", &name);
  if (!value) return error_set(err, STATUS_INVALID, name, "question or task field is required");
  if (!json_is_string(value))
    return error_set(err, STATUS_INVALID, name, "%s must be a text", name);
  struct bytes task = blank_trim(json_bytes(value));
  if (!task.len) return error_set(err, STATUS_INVALID, name, "%s must not be empty", name);
  if (utf8_count(task) > (size_t)limits->max_question_chars)
    return error_set(err, STATUS_INVALID, name, "%s must be at most %lld characters long", name,
                     (long long)limits->max_question_chars);
  spec->task = bytes_dup(task);
  return spec->task ? STATUS_OK : STATUS_NOMEM;
}

static enum status read_context(const json_t *body, const struct debate_spec_limits *limits,
                                struct debate_spec *spec, struct error *err) {
  const char *name;
  const json_t *value = given(body, "context", NULL, &name);
  if (!value) return STATUS_OK;
  if (!json_is_string(value)) return error_set(err, STATUS_INVALID, name, "context must be a text");
  struct bytes context = blank_trim(json_bytes(value));
  if (context.len > (size_t)limits->max_context_bytes)
    return error_set(err, STATUS_INVALID, name, "context must be at most %lld bytes long",
                     (long long)limits->max_context_bytes);
  if (!context.len) return STATUS_OK;
  spec->context = bytes_dup(context);
  return spec->context ? STATUS_OK : STATUS_NOMEM;
}

static enum status read_metadata(const json_t *body, struct debate_spec *spec, struct error *err) {
  const char *name;
  const json_t *value = given(body, "metadata", NULL, &name);
  if (!value) return STATUS_OK;
  if (!json_is_object(value))
    return error_set(err, STATUS_INVALID, name, "metadata must be a JSON object");
  spec->metadata = json_dumps(value, JSON_COMPACT);
  if (!spec->metadata) return STATUS_NOMEM;
  if (strlen(spec->metadata) > METADATA_BYTES_MAX)
    return error_set(err, STATUS_INVALID, name, "metadata must be at most %d bytes of JSON",
                     METADATA_BYTES_MAX);
  return STATUS_OK;
}

/* ---- agents ---- */

static bool type_valid(struct bytes type) {
  if (!type.len || type.len > TYPE_MAX) return false;
  for (size_t i = 0; i < type.len; i++) {
    char c = type.ptr[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && !(c >= '0' && c <= '9') && c != '_' && c != '.' && c != '-') return false;
  }
  return true;
}

static bool role_valid(struct bytes role) {
  if (!utf8_valid(role) || utf8_count(role) > ROLE_CHARS_MAX) return false;
  for (size_t i = 0; i < role.len; i++) {
    unsigned char c = (unsigned char)role.ptr[i];
    unsigned char next = i + 1 < role.len ? (unsigned char)role.ptr[i + 1] : 0;
    if (c < 0x20 || c == 0x7f || (c == 0xc2 && next < 0xa0)) return false;
    /* line and paragraph separators, U+2028 and U+2029 */
    if (role.len - i >= 3 && memcmp(role.ptr + i, "\xe2\x80", 2) == 0 &&
        (role.ptr[i + 2] == '\xa8' || role.ptr[i + 2] == '\xa9'))
      return false;
  }
  return true;
}

static enum status add_agent(struct bytes text, int index, struct debate_spec *spec,
                             struct error *err) {
  char field[32];
  snprintf(field, sizeof field, "agents[%d]", index);
  if (spec->agent_count == DEBATE_AGENTS_MAX)
    return error_set(err, STATUS_INVALID, "agents", "agents: at most %d agents", DEBATE_AGENTS_MAX);
  text = blank_trim(text);
  const char *colon = text.len ? memchr(text.ptr, ':', text.len) : NULL;
  struct bytes type = {text.ptr, colon ? (size_t)(colon - text.ptr) : text.len};
  struct bytes role = {"", 0};
  if (colon) role = blank_trim((struct bytes){colon + 1, text.len - type.len - 1});
  type = blank_trim(type);
  if (!type_valid(type))
    return error_set(err, STATUS_INVALID, field,
                     "%s must be \"type\" or \"type:role\", the type 1 to %d letters, digits, "
                     "'_', '.' or '-'",
                     field, TYPE_MAX);
  if (!role_valid(role))
    return error_set(err, STATUS_INVALID, field,
                     "%s: the role must be at most %d printable characters long", field,
                     ROLE_CHARS_MAX);
  BUFFER_LATER struct buffer agent;
  buffer_init(&agent, SIZE_MAX / 4);
  buffer_append_bytes(&agent, type);
  if (role.len) buffer_append_char(&agent, ':');
  buffer_append_bytes(&agent, role);
  spec->agents[spec->agent_count] = buffer_steal(&agent);
  if (!spec->agents[spec->agent_count]) return STATUS_NOMEM;
  spec->agent_count++;
  return STATUS_OK;
}

/* "a, b:role, c" */
static enum status add_agents_of_text(struct bytes text, struct debate_spec *spec,
                                      struct error *err) {
  size_t from = 0;
  int index = 0;
  for (size_t i = 0; i <= text.len; i++) {
    if (i < text.len && text.ptr[i] != ',') continue;
    enum status s = add_agent((struct bytes){text.ptr + from, i - from}, index++, spec, err);
    if (s) return s;
    from = i + 1;
  }
  return STATUS_OK;
}

static enum status add_agents_of_list(const json_t *list, struct debate_spec *spec,
                                      struct error *err) {
  for (size_t i = 0; i < json_array_size(list); i++) {
    const json_t *value = json_array_get(list, i);
    if (!json_is_string(value))
      return error_set(err, STATUS_INVALID, "agents",
                       "agents must be a list of texts, or one text with commas");
    enum status s = add_agent(json_bytes(value), (int)i, spec, err);
    if (s) return s;
  }
  return STATUS_OK;
}

static bool takes_one_agent(enum mode mode) {
  return mode == MODE_SELF_CONSISTENCY || mode == MODE_SINGLE;
}

static enum status read_agents(const json_t *body, struct debate_spec *spec, struct error *err) {
  const char *name;
  const json_t *value = given(body, "agents", NULL, &name);
  if (!value) return STATUS_OK;
  if (!json_is_array(value) && !json_is_string(value))
    return error_set(err, STATUS_INVALID, name,
                     "agents must be a list of texts, or one text with commas");
  enum status s = STATUS_OK;
  if (json_is_array(value))
    s = add_agents_of_list(value, spec, err);
  else if (blank_trim(json_bytes(value)).len)
    s = add_agents_of_text(json_bytes(value), spec, err);
  if (s) return s;
  if (takes_one_agent(spec->mode) && spec->agent_count != 1)
    return error_set(err, STATUS_INVALID, name, "agents: mode %s takes exactly one agent",
                     mode_names[spec->mode]);
  if (!takes_one_agent(spec->mode) && spec->agent_count < DEBATE_AGENTS_MIN)
    return error_set(err, STATUS_INVALID, name, "agents: at least %d agents are needed",
                     DEBATE_AGENTS_MIN);
  return STATUS_OK;
}

/* ---- the whole ---- */

/* After the agents: their number bounds the quorum. */
static enum status read_numbers(const json_t *body, struct debate_spec *spec, struct error *err) {
  bool counted = spec->agent_count > 1;
  int quorum_max = counted ? spec->agent_count : DEBATE_AGENTS_MAX;
  enum status s =
      read_small(body, "rounds", "max_rounds", 0, DEBATE_ROUNDS_MAX, &spec->rounds, err);
  if (!s) s = read_small(body, "quorum", NULL, 2, quorum_max, &spec->quorum, err);
  if (!s)
    s = read_small(body, "samples", NULL, DEBATE_SAMPLES_MIN, DEBATE_MEMBERS_MAX, &spec->samples,
                   err);
  if (!s) s = read_threshold(body, &spec->threshold_ppm, err);
  if (!s)
    s = read_seconds(body, "deadline_seconds", DEADLINE_S_MIN, DEADLINE_S_MAX, &spec->deadline_ms,
                     err);
  if (!s)
    s = read_seconds(body, "turn_timeout_seconds", TURN_TIMEOUT_S_MIN, TURN_TIMEOUT_S_MAX,
                     &spec->turn_timeout_ms, err);
  if (!s) s = read_budget_usd(body, &spec->budget_usd_micro, err);
  if (!s)
    s = read_whole(body, "budget_tokens", NULL, 1, BUDGET_TOKENS_MAX, &spec->budget_tokens, err);
  if (!s) s = read_flag(body, "allow_unknown_price", &spec->allow_unknown_price, err);
  return s ? s : read_seed(body, spec, err);
}

static enum status read_body(const json_t *body, const struct debate_spec_limits *limits,
                             struct debate_spec *spec, struct error *err) {
  int mode = (int)spec->mode;
  int rule = (int)spec->rule;
  enum status s = read_task(body, limits, spec, err);
  if (!s) s = read_context(body, limits, spec, err);
  if (!s) s = read_metadata(body, spec, err);
  if (!s) s = read_choice(body, "mode", mode_names, &mode, err);
  if (!s) s = read_choice(body, "consensus", rule_names, &rule, err);
  if (!s) s = read_choice(body, "topology", topology_names, &spec->topology, err);
  spec->mode = (enum mode)mode;
  spec->rule = (enum rule)rule;
  if (!s) s = read_flag(body, "fast_path", &spec->fast_path, err);
  if (!s) s = read_flag(body, "dry_run", &spec->dry_run, err);
  if (!s) s = read_agents(body, spec, err);
  return s ? s : read_numbers(body, spec, err);
}

enum status debate_spec_parse(const json_t *body, const struct debate_spec_limits *limits,
                              struct debate_spec *ret_spec, struct error *err) {
  if (!json_is_object(body))
    return error_set(err, STATUS_INVALID, NULL, "the body must be a JSON object");
  struct debate_spec spec;
  debate_spec_init(&spec);
  enum status s = read_body(body, limits, &spec, err);
  if (s)
    debate_spec_done(&spec);
  else
    *ret_spec = spec;
  return s;
}
