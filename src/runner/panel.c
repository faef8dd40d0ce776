#include "runner/panel.h"

#include "provider/attempt.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

enum { CONTEXT_BYTES_MIN = 4096, CONTEXT_BYTES_MAX = 1024 * 1024 };

struct seat { /* a place in the panel before it has a name */
  const struct agent_binding *binding;
  struct bytes role;
};

/* "openai-api", then "openai-api_2", ...: names are unique in a debate. */
static void name_agent(const struct debate_agent *earlier, int count, const char *type,
                       char out[ID_AGENT_MAX_TEXT]) {
  char base[ID_AGENT_MAX_TEXT];
  snprintf(base, sizeof base, "%.28s", type);
  for (char *p = base; *p; p++)
    if (!id_valid((struct bytes){p, 1}, 1)) *p = '-';
  for (int number = 1;; number++) {
    if (number == 1)
      snprintf(out, ID_AGENT_MAX_TEXT, "%s", base);
    else
      snprintf(out, ID_AGENT_MAX_TEXT, "%.28s_%u", base, (unsigned)number % 100);
    bool taken = false;
    for (int i = 0; i < count; i++) taken = taken || strcmp(earlier[i].name, out) == 0;
    if (!taken) return;
  }
}

static enum status fill_agent(const struct seat *seat, const struct debate_agent *earlier,
                              int count, struct debate_agent *agent) {
  char name[ID_AGENT_MAX_TEXT];
  name_agent(earlier, count, seat->binding->type, name);
  agent->weight_ppm = PPM;
  agent->demo = seat->binding->wire == WIRE_DEMO;
  enum status s = bytes_replace(&agent->name, bytes_of(name));
  if (!s) s = bytes_replace(&agent->type, bytes_of(seat->binding->type));
  if (!s) s = bytes_replace(&agent->provider, bytes_of(seat->binding->provider));
  if (!s) s = bytes_replace(&agent->model, bytes_of(seat->binding->model));
  if (!s) s = bytes_replace(&agent->role, seat->role);
  return s;
}

static enum status find_agent(const struct agent_table *agents, struct bytes text,
                              const char *field, struct seat *ret_seat, struct error *err) {
  const char *colon = memchr(text.ptr, ':', text.len);
  struct bytes type = {text.ptr, colon ? (size_t)(colon - text.ptr) : text.len};
  struct bytes role = {colon ? colon + 1 : "", colon ? text.len - type.len - 1 : 0};
  const struct agent_binding *binding = agents_find(agents, type);
  if (!binding) {
    BUFFER_LATER struct buffer known;
    buffer_init(&known, 240);
    for (size_t i = 0; i < agents->count && !known.overflow; i++)
      buffer_printf(&known, "%s%s", i ? ", " : "", agents->agents[i].type);
    return error_set(err, STATUS_INVALID, field, "unknown agent \"%.*s\"; allowed: %s",
                     (int)(type.len < 40 ? type.len : 40), type.ptr, known.len ? known.ptr : "");
  }
  if (!binding->available)
    return error_set(err, STATUS_INVALID, field, "agent %s cannot be asked: set %s", binding->type,
                     binding->key_variable ? binding->key_variable : "its host variable");
  *ret_seat = (struct seat){binding, role};
  return STATUS_OK;
}

static enum status seats_from_names(const struct agent_table *agents, char *const *names, int count,
                                    struct seat *seats, struct error *err) {
  for (int i = 0; i < count; i++) {
    char field[24];
    snprintf(field, sizeof field, "agents[%d]", i);
    enum status s = find_agent(agents, bytes_of(names[i]), field, &seats[i], err);
    if (s) return s;
  }
  return STATUS_OK;
}

/* ARAGORA_DEFAULT_AGENTS, a comma list. */
static enum status seats_from_option(const struct agent_table *agents, const char *list,
                                     struct seat *seats, int *ret_count, struct error *err) {
  int count = 0;
  for (const char *p = list; *p;) {
    size_t length = strcspn(p, ",");
    struct bytes name = {p, length};
    while (name.len && name.ptr[0] == ' ') name = (struct bytes){name.ptr + 1, name.len - 1};
    while (name.len && name.ptr[name.len - 1] == ' ') name.len--;
    if (count == DEBATE_AGENTS_MAX)
      return error_set(err, STATUS_INVALID, "ARAGORA_DEFAULT_AGENTS", "more than %d agents",
                       DEBATE_AGENTS_MAX);
    enum status s = name.len
                        ? find_agent(agents, name, "ARAGORA_DEFAULT_AGENTS", &seats[count++], err)
                        : STATUS_OK;
    if (s) return s;
    p += length + (p[length] == ',');
  }
  if (count < DEBATE_AGENTS_MIN)
    return error_set(err, STATUS_INVALID, "ARAGORA_DEFAULT_AGENTS", "at least 2 agents");
  *ret_count = count;
  return STATUS_OK;
}

static enum status default_seats(const struct agent_table *agents, const struct options *options,
                                 struct seat *seats, int *ret_count, struct error *err) {
  if (options->default_agents)
    return seats_from_option(agents, options->default_agents, seats, ret_count, err);
  const struct agent_binding *panel[DEBATE_AGENTS_MAX];
  bool demo = false;
  size_t count = agents_default_panel(agents, panel, DEBATE_AGENTS_MAX, &demo);
  if (demo && options->env && strcmp(options->env, "production") == 0)
    return error_set(err, STATUS_INVALID, "agents",
                     "no provider key is set, and demo agents are not a default in production: set "
                     "ANTHROPIC_API_KEY, OPENAI_API_KEY or another key, or name the agents");
  for (size_t i = 0; i < count; i++) seats[i] = (struct seat){panel[i], {"", 0}};
  *ret_count = (int)count;
  return STATUS_OK;
}

int panel_quorum(int seats) {
  return seats / 2 + 1 > 2 ? seats / 2 + 1 : 2;
}

enum status panel_default(const struct agent_table *agents, const struct options *options,
                          const struct agent_binding **out, int *ret_count, struct error *err) {
  struct seat seats[DEBATE_AGENTS_MAX];
  enum status s = default_seats(agents, options, seats, ret_count, err);
  for (int i = 0; !s && i < *ret_count; i++) out[i] = seats[i].binding;
  return s;
}

static enum status choose_seats(const struct agent_table *agents, const struct options *options,
                                const struct debate_spec *spec, struct seat *seats, int *ret_count,
                                struct error *err) {
  int count = spec->agent_count;
  enum status s = count ? seats_from_names(agents, spec->agents, count, seats, err)
                        : default_seats(agents, options, seats, &count, err);
  if (s) return s;
  if (spec->mode == MODE_SINGLE) count = 1;
  if (spec->mode == MODE_SELF_CONSISTENCY) {
    count = spec->samples;
    for (int i = 1; i < count; i++) seats[i] = seats[0];
  }
  *ret_count = count;
  return STATUS_OK;
}

static bool in_panel(const struct seat *seats, int count, const struct agent_binding *binding) {
  for (int i = 0; i < count; i++)
    if (strcmp(seats[i].binding->provider, binding->provider) == 0 &&
        strcmp(seats[i].binding->model, binding->model) == 0)
      return true;
  return false;
}

static enum status add_judge(struct debate_config *c, const struct seat *seat, bool panel_member) {
  struct debate_agent *judge = &c->judges[c->judge_count];
  enum status s = fill_agent(seat, c->judges, c->judge_count, judge);
  judge->in_panel = panel_member;
  c->judge_count++;
  return s;
}

/* A budget in money that is closed to calls whose price nobody knows: the field that it is named
 * after, or NULL. */
static const char *closed_to_unpriced(const struct options *o, const struct debate_config *c) {
  if (c->budget_usd_micro >= 0 && !c->allow_unknown_price) return "budget_usd";
  bool capped = o->principal_daily_budget_usd_micro > 0 || o->daily_budget_usd_micro > 0 ||
                o->process_budget_usd_micro > 0;
  return capped && !o->caps_allow_unknown_price ? "agents" : NULL;
}

/* Outsiders first, for they judge no answer of their own; then fresh calls to panel members. In a
 * panel of two without an outsider either judge would be a party, so it votes. */
static enum status choose_judges(const struct agent_table *agents, const struct options *options,
                                 const struct seat *seats, int count, struct debate_config *c) {
  enum status s = STATUS_OK;
  for (size_t i = 0; i < agents->count && c->judge_count < DEBATE_JUDGES_MAX && !s; i++) {
    const struct agent_binding *b = &agents->agents[i];
    struct seat seat = {b, {"", 0}};
    bool outsider = b->available && b->wire != WIRE_DEMO && !in_panel(seats, count, b);
    /* One without a price could never be asked within a budget in money. */
    if (outsider && (agent_is_priced(b) || !closed_to_unpriced(options, c)))
      s = add_judge(c, &seat, false);
  }
  for (int i = 0; i < count && count > 2 && c->judge_count < DEBATE_JUDGES_MAX && !s; i++)
    s = add_judge(c, &seats[i], true);
  return s;
}

static enum status fill_limits(const struct options *options, const struct debate_spec *spec,
                               const struct seat *seats, int count, struct debate_config *c,
                               struct error *err) {
  bool baseline = spec->mode == MODE_SINGLE || spec->mode == MODE_SELF_CONSISTENCY;
  if (!baseline && spec->quorum > count)
    return error_set(err, STATUS_INVALID, "quorum", "quorum must be 2 to %d, the size of the panel",
                     count);
  c->quorum = baseline ? 1 : spec->quorum ? spec->quorum : panel_quorum(count);
  c->max_output_tokens = options->max_output_tokens;
  c->context_bytes = CONTEXT_BYTES_MAX;
  for (int i = 0; i < count; i++) {
    const struct agent_binding *b = seats[i].binding;
    /* Half of the context for other agents' texts, at the cautious two bytes a token. */
    if (b->context_tokens > 0 && b->context_tokens < c->context_bytes)
      c->context_bytes = b->context_tokens;
    const char *closed = agent_is_priced(b) ? NULL : closed_to_unpriced(options, c);
    if (closed)
      return error_set(
          err, STATUS_INVALID, closed,
          "the price of %s (%s) is unknown, so %s in money cannot be kept; %s allows it", b->type,
          b->model, *closed == 'b' ? "a budget" : "the server's cap",
          *closed == 'b' ? "allow_unknown_price" : "--caps-allow-unknown-price");
  }
  if (c->context_bytes < CONTEXT_BYTES_MIN) c->context_bytes = CONTEXT_BYTES_MIN;
  return STATUS_OK;
}

static void fill_settings(const struct options *options, const struct debate_spec *spec, int count,
                          struct debate_config *c) {
  c->mode = spec->mode;
  c->rule = spec->rule;
  c->topology = spec->topology >= 0 ? (enum topology)spec->topology
                : count <= 3        ? TOPOLOGY_ALL
                                    : TOPOLOGY_RING;
  c->rounds = spec->rounds >= 0 ? spec->rounds : (int)options->default_rounds;
  if (spec->mode != MODE_DEBATE) c->rounds = 0;
  c->threshold_ppm = spec->threshold_ppm;
  c->fast_path = spec->fast_path;
  c->deadline_ms = spec->deadline_ms > 0 ? spec->deadline_ms : options->debate_timeout_s * 1000;
  c->turn_timeout_ms =
      spec->turn_timeout_ms > 0 ? spec->turn_timeout_ms : options->agent_timeout_s * 1000;
  c->engine_version = ENGINE_VERSION;
  c->rules_version = RULES_VERSION;
  c->prompts_version = PROMPTS_VERSION;
  uint8_t nonce[16];
  randombytes_buf(nonce, sizeof nonce);
  bytes_to_hex(nonce, sizeof nonce, c->nonce);
  c->seed = spec->seed;
  if (!spec->seed_given) randombytes_buf(&c->seed, sizeof c->seed);
}

/* What the caller asked for, else the server's default, within the server's limit. */
static enum status fill_budget(int64_t asked, int64_t fallback, int64_t limit, const char *field,
                               int64_t *ret_budget, struct error *err) {
  bool money = strcmp(field, "budget_usd") == 0;
  if (asked >= 0 && limit > 0 && asked > limit && money)
    return error_set(err, STATUS_INVALID, field, "%s must be at most %lld.%06lld here", field,
                     (long long)(limit / 1000000), (long long)(limit % 1000000));
  if (asked >= 0 && limit > 0 && asked > limit)
    return error_set(err, STATUS_INVALID, field, "%s must be at most %lld here", field,
                     (long long)limit);
  int64_t budget = asked >= 0 ? asked : fallback > 0 ? fallback : limit > 0 ? limit : -1;
  *ret_budget = limit > 0 && budget > limit ? limit : budget;
  return STATUS_OK;
}

static enum status fill_budgets(const struct options *o, const struct debate_spec *spec,
                                struct debate_config *c, struct error *err) {
  c->allow_unknown_price = spec->allow_unknown_price;
  enum status s =
      fill_budget(spec->budget_usd_micro, o->debate_budget_usd_micro,
                  o->max_debate_budget_usd_micro, "budget_usd", &c->budget_usd_micro, err);
  return s ? s
           : fill_budget(spec->budget_tokens, o->debate_budget_tokens, o->max_debate_budget_tokens,
                         "budget_tokens", &c->budget_tokens, err);
}

static enum status build(const struct agent_table *agents, const struct options *options,
                         const struct debate_spec *spec, const struct seat *seats, int count,
                         struct debate_config *c, struct error *err) {
  fill_settings(options, spec, count, c);
  enum status s = fill_budgets(options, spec, c, err);
  if (!s) s = fill_limits(options, spec, seats, count, c, err);
  if (!s) s = bytes_replace(&c->task, bytes_of(spec->task));
  if (!s && spec->context) s = bytes_replace(&c->context, bytes_of(spec->context));
  for (int i = 0; i < count && !s; i++) {
    c->member_count++;
    s = fill_agent(&seats[i], c->members, i, &c->members[i]);
    c->demo = c->demo || c->members[i].demo;
  }
  if (!s && spec->rule == RULE_JUDGE) s = choose_judges(agents, options, seats, count, c);
  return s;
}

enum status panel_resolve(const struct agent_table *agents, const struct options *options,
                          const struct debate_spec *spec, struct debate_config *ret_config,
                          struct error *err) {
  struct seat seats[DEBATE_MEMBERS_MAX];
  int count = 0;
  enum status s = choose_seats(agents, options, spec, seats, &count, err);
  if (s) return s;
  struct debate_config c = {0};
  s = build(agents, options, spec, seats, count, &c, err);
  if (s)
    debate_config_done(&c);
  else
    *ret_config = c;
  return s;
}

/* The agent's row of today, whether or not it can be asked; NULL when there is none. */
static const struct agent_binding *row_of(const struct agent_table *agents,
                                          const struct debate_agent *agent) {
  const struct agent_binding *found = NULL;
  for (size_t i = 0; i < agents->count; i++) {
    const struct agent_binding *b = &agents->agents[i];
    if (strcmp(b->type, agent->type) != 0) continue;
    if (!found || strcmp(b->model, agent->model) == 0) found = b;
  }
  /* Under another provider a model's name means something else, or nothing. */
  return found && strcmp(found->provider, agent->provider) == 0 ? found : NULL;
}

bool panel_binding(const struct agent_table *agents, const struct debate_agent *agent,
                   struct agent_binding *ret_binding) {
  const struct agent_binding *found = row_of(agents, agent);
  if (!found || !found->available) return false;
  *ret_binding = *found;
  ret_binding->model = agent->model;
  return true;
}

const char *panel_absence(const struct agent_table *agents, const struct debate_agent *agent) {
  return row_of(agents, agent) ? "its key or its server's address is not set"
                               : "the agent is gone from the table";
}

const struct agent_binding *panel_unavailable(const struct agent_table *agents,
                                              const struct debate_config *c) {
  for (int i = 0; i < c->member_count + c->judge_count; i++) {
    bool judge = i >= c->member_count;
    const struct agent_binding *row =
        row_of(agents, judge ? &c->judges[i - c->member_count] : &c->members[i]);
    if (row && !row->available) return row;
  }
  return NULL;
}

struct ledger_amounts panel_least_call(const struct agent_table *agents,
                                       const struct debate_config *c) {
  struct ledger_amounts least = {INT64_MAX, INT64_MAX};
  for (int i = 0; i < c->member_count; i++) {
    struct agent_binding binding;
    if (!panel_binding(agents, &c->members[i], &binding)) continue;
    const struct ask_spec spec = {.binding = &binding, .max_output_tokens = c->max_output_tokens};
    struct ledger_amounts bound = attempt_bound(&spec);
    int64_t usd_micro = bound.usd_micro < 0 ? 0 : bound.usd_micro;
    if (bound.tokens < least.tokens) least.tokens = bound.tokens;
    if (usd_micro < least.usd_micro) least.usd_micro = usd_micro;
  }
  if (least.tokens == INT64_MAX) least = (struct ledger_amounts){0};
  return least;
}
