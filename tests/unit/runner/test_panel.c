/* A request for a debate resolved against a table of agents. */
#include "runner/panel.h"

#include "base/options_load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
  struct options options;
  struct agent_binding rows[6];
  struct agent_table table;
  struct debate_spec spec;
  struct debate_config config;
  struct error err;
};

static struct agent_binding row(const char *type, const char *provider, const char *model) {
  return (struct agent_binding){.type = type,
                                .provider = provider,
                                .model = model,
                                .wire = WIRE_OPENAI,
                                .key = "k",
                                .key_variable = "ACME_API_KEY",
                                .context_tokens = 200000,
                                .price_input_usd_micro = 100,
                                .price_output_usd_micro = 100,
                                .available = true,
                                .seat = true};
}

static int setup(void **state) {
  struct fixture *f = calloc(1, sizeof *f);
  struct error err;
  if (!f || options_init(&f->options, &err)) return -1;
  f->rows[0] = row("acme-api", "acme", "acme-large");
  f->rows[1] = row("bolt-api", "bolt", "bolt-1");
  f->rows[2] = row("corp-api", "corp", "corp-2");
  f->rows[3] = row("dyne-api", "dyne", "dyne-3");
  f->rows[3].available = false;
  f->rows[3].key = NULL;
  f->rows[3].key_variable = "DYNE_API_KEY";
  f->rows[4] = row("demo", "demo", "demo-1");
  f->rows[4].wire = WIRE_DEMO;
  f->rows[4].key = f->rows[4].key_variable = NULL;
  f->rows[4].price_input_usd_micro = f->rows[4].price_output_usd_micro = 0;
  f->table = (struct agent_table){f->rows, 5, NULL, NULL};
  debate_spec_init(&f->spec);
  f->spec.task = bytes_dup(BYTES_LITERAL("Should we adopt it?"));
  *state = f;
  return 0;
}

static int teardown(void **state) {
  struct fixture *f = *state;
  debate_spec_done(&f->spec);
  debate_config_done(&f->config);
  options_done(&f->options);
  free(f);
  return 0;
}

static void name(struct fixture *f, const char *agent) {
  f->spec.agents[f->spec.agent_count++] = bytes_dup(bytes_of(agent));
}

static void resolve(struct fixture *f) {
  debate_config_done(&f->config);
  f->config = (struct debate_config){0};
  if (panel_resolve(&f->table, &f->options, &f->spec, &f->config, &f->err))
    fail_msg("%s: %s", f->err.field, f->err.message);
}

/* The request is refused, the field is named, and the message says `hint`. */
static void refuse(struct fixture *f, const char *field, const char *hint) {
  f->err = (struct error){0};
  assert_int_equal(panel_resolve(&f->table, &f->options, &f->spec, &f->config, &f->err),
                   STATUS_INVALID);
  assert_string_equal(f->err.field, field);
  if (!strstr(f->err.message, hint)) fail_msg("\"%s\" lacks \"%s\"", f->err.message, hint);
}

static void names_are_unique(void **state) {
  struct fixture *f = *state;
  name(f, "acme-api");
  name(f, "ACME-api:sceptic");
  name(f, "bolt-api");
  name(f, "acme-api");
  resolve(f);
  const struct debate_config *c = &f->config;
  assert_int_equal(c->member_count, 4);
  assert_string_equal(c->members[0].name, "acme-api");
  assert_string_equal(c->members[1].name, "acme-api_2");
  assert_string_equal(c->members[1].type, "acme-api");
  assert_string_equal(c->members[1].role, "sceptic");
  assert_string_equal(c->members[3].name, "acme-api_3");
  for (int i = 0; i < 4; i++) {
    assert_int_equal(c->members[i].weight_ppm, PPM);
    assert_true(id_valid(bytes_of(c->members[i].name), ID_AGENT_MAX));
  }
  assert_int_equal(c->quorum, 3);
  assert_int_equal(c->topology, TOPOLOGY_RING);
  assert_int_equal(c->rounds, f->options.default_rounds);
  assert_int_equal(c->deadline_ms, f->options.debate_timeout_s * 1000);
  assert_int_equal(c->context_bytes, 200000);
  assert_int_equal(strlen(c->nonce), 32);
  assert_false(c->demo);
}

static void long_types_stay_names(void **state) {
  struct fixture *f = *state;
  f->rows[0].type = "a.very.long.type.of.an.agent.that.goes.on";
  name(f, f->rows[0].type);
  name(f, f->rows[0].type);
  resolve(f);
  assert_true(id_valid(bytes_of(f->config.members[0].name), ID_AGENT_MAX));
  assert_true(id_valid(bytes_of(f->config.members[1].name), ID_AGENT_MAX));
  assert_string_not_equal(f->config.members[0].name, f->config.members[1].name);
}

static void unknown_agents(void **state) {
  struct fixture *f = *state;
  name(f, "acme-api");
  name(f, "nobody:x");
  refuse(f, "agents[1]", "unknown agent \"nobody\"; allowed: acme-api, bolt-api, corp-api");
}

static void missing_keys(void **state) {
  struct fixture *f = *state;
  name(f, "dyne-api");
  name(f, "acme-api");
  refuse(f, "agents[0]", "set DYNE_API_KEY");
}

static void default_panels(void **state) {
  struct fixture *f = *state;
  resolve(f);
  assert_int_equal(f->config.member_count, 3);
  assert_string_equal(f->config.members[2].name, "corp-api");
  f->options.default_agents = bytes_dup(BYTES_LITERAL(" bolt-api:judge , acme-api,"));
  resolve(f);
  assert_int_equal(f->config.member_count, 2);
  assert_string_equal(f->config.members[0].name, "bolt-api");
  assert_string_equal(f->config.members[0].role, "judge");
  assert_int_equal(f->config.quorum, 2);
  snprintf(f->options.default_agents, 10, "bolt-api");
  refuse(f, "ARAGORA_DEFAULT_AGENTS", "at least 2");
}

static void no_key_at_all(void **state) {
  struct fixture *f = *state;
  for (int i = 0; i < 3; i++) {
    f->rows[i].available = false;
    f->rows[i].key = NULL;
  }
  resolve(f);
  assert_int_equal(f->config.member_count, 4);
  assert_true(f->config.demo);
  assert_string_equal(f->config.members[3].name, "demo_4");
  free(f->options.env);
  f->options.env = bytes_dup(BYTES_LITERAL("production"));
  refuse(f, "agents", "ANTHROPIC_API_KEY");
  for (int i = 0; i < 3; i++) name(f, "demo"); /* named is meant */
  resolve(f);
  assert_int_equal(f->config.member_count, 3);
}

static void judges(void **state) {
  struct fixture *f = *state;
  f->spec.rule = RULE_JUDGE;
  name(f, "acme-api");
  name(f, "acme-api");
  name(f, "bolt-api");
  resolve(f);
  const struct debate_config *c = &f->config;
  /* corp is outside; then fresh calls to the panel; never demo agents, never without a key */
  assert_int_equal(c->judge_count, 3);
  assert_string_equal(c->judges[0].type, "corp-api");
  assert_false(c->judges[0].in_panel);
  assert_string_equal(c->judges[1].type, "acme-api");
  assert_true(c->judges[1].in_panel);
  assert_string_equal(c->judges[2].name, "acme-api_2");
}

static void judges_of_two(void **state) {
  struct fixture *f = *state;
  f->spec.rule = RULE_JUDGE;
  f->rows[2].available = false;
  name(f, "acme-api");
  name(f, "bolt-api");
  resolve(f);
  assert_int_equal(f->config.judge_count, 0); /* they vote */
}

static void judges_within_a_budget(void **state) {
  struct fixture *f = *state;
  f->spec.rule = RULE_JUDGE;
  f->spec.budget_usd_micro = 1000000;
  f->rows[2].price_output_usd_micro = -1;
  name(f, "acme-api");
  name(f, "bolt-api");
  name(f, "acme-api");
  resolve(f);
  assert_true(f->config.judge_count > 0);
  assert_true(f->config.judges[0].in_panel);
}

static void baselines(void **state) {
  struct fixture *f = *state;
  f->spec.mode = MODE_SELF_CONSISTENCY;
  f->spec.samples = DEBATE_MEMBERS_MAX;
  name(f, "bolt-api:calm");
  name(f, "acme-api");
  resolve(f);
  assert_int_equal(f->config.member_count, DEBATE_MEMBERS_MAX);
  assert_string_equal(f->config.members[14].name, "bolt-api_15");
  assert_string_equal(f->config.members[14].role, "calm");
  assert_int_equal(f->config.quorum, 1);
  assert_int_equal(f->config.rounds, 0);
  f->spec.mode = MODE_SINGLE;
  resolve(f);
  assert_int_equal(f->config.member_count, 1);
  assert_int_equal(f->config.quorum, 1);
  /* They take no quorum: one that is given means nothing, whatever their size. */
  f->spec.quorum = 4;
  resolve(f);
  assert_int_equal(f->config.quorum, 1);
  f->spec.mode = MODE_SELF_CONSISTENCY;
  f->spec.samples = DEBATE_SAMPLES_MIN;
  resolve(f);
  assert_int_equal(f->config.quorum, 1);
}

static void quorum(void **state) {
  struct fixture *f = *state;
  name(f, "acme-api");
  name(f, "bolt-api");
  name(f, "corp-api");
  resolve(f);
  assert_int_equal(f->config.quorum, 2);
  f->spec.quorum = 3;
  resolve(f);
  assert_int_equal(f->config.quorum, 3);
  f->spec.quorum = 4;
  refuse(f, "quorum", "quorum must be 2 to 3, the size of the panel");
}

static void budgets_of_the_server(void **state) {
  struct fixture *f = *state;
  f->options.debate_budget_usd_micro = 2000000;
  f->options.max_debate_budget_usd_micro = 5000000;
  f->options.max_debate_budget_tokens = 9000;
  resolve(f); /* names none: the default, and where there is none the limit */
  assert_int_equal(f->config.budget_usd_micro, 2000000);
  assert_int_equal(f->config.budget_tokens, 9000);
  f->spec.budget_usd_micro = 5000000;
  f->spec.budget_tokens = 8999;
  resolve(f);
  assert_int_equal(f->config.budget_usd_micro, 5000000);
  assert_int_equal(f->config.budget_tokens, 8999);
  f->spec.budget_tokens = 9001;
  refuse(f, "budget_tokens", "at most 9000");
  f->spec.budget_tokens = -1;
  f->spec.budget_usd_micro = 5000001;
  refuse(f, "budget_usd", "at most 5.000000");
}

static void caps_need_prices(void **state) {
  struct fixture *f = *state;
  f->rows[1].price_output_usd_micro = -1;
  f->options.daily_budget_tokens = 1;
  resolve(f);
  f->options.daily_budget_usd_micro = 1;
  refuse(f, "agents", "bolt-api (bolt-1)");
  f->spec.allow_unknown_price = true; /* of the debate's own budget: it has none */
  refuse(f, "agents", "--caps-allow-unknown-price");
  f->options.caps_allow_unknown_price = true;
  resolve(f);
  f->spec.allow_unknown_price = false;
  f->spec.budget_usd_micro = 1;
  refuse(f, "budget_usd", "allow_unknown_price");
  f->spec.allow_unknown_price = true;
  resolve(f);
  assert_true(f->config.allow_unknown_price);
}

static void the_least_call(void **state) {
  struct fixture *f = *state;
  f->rows[2].output_tokens_max = 500;
  f->rows[1].price_output_usd_micro = f->rows[1].price_input_usd_micro = 1000000;
  f->rows[0].price_output_usd_micro = f->rows[0].price_input_usd_micro = 2000000;
  f->rows[2].price_output_usd_micro = f->rows[2].price_input_usd_micro = 9000000;
  resolve(f);
  struct ledger_amounts least = panel_least_call(&f->table, &f->config);
  assert_int_equal(least.tokens, 1024 + 500);
  assert_int_equal(least.usd_micro, 1024 + 8192);
}

static void budget_needs_prices(void **state) {
  struct fixture *f = *state;
  f->rows[1].price_input_usd_micro = -1;
  name(f, "acme-api");
  name(f, "bolt-api");
  resolve(f); /* no budget, no question */
  f->spec.budget_usd_micro = 1;
  refuse(f, "budget_usd", "bolt-api (bolt-1)");
}

static void context_of_the_smallest(void **state) {
  struct fixture *f = *state;
  f->rows[1].context_tokens = 32000;
  name(f, "acme-api");
  name(f, "bolt-api");
  resolve(f);
  assert_int_equal(f->config.context_bytes, 32000);
  f->rows[1].context_tokens = 10;
  resolve(f);
  assert_int_equal(f->config.context_bytes, 4096);
}

static void seeds(void **state) {
  struct fixture *f = *state;
  f->spec.seed = 42;
  f->spec.seed_given = true;
  resolve(f);
  assert_int_equal(f->config.seed, 42);
  char nonce[33];
  memcpy(nonce, f->config.nonce, sizeof nonce);
  f->spec.seed_given = false;
  resolve(f);
  uint64_t seed = f->config.seed;
  assert_string_not_equal(f->config.nonce, nonce);
  resolve(f);
  assert_int_not_equal(f->config.seed, seed);
}

static void bindings_of_a_log(void **state) {
  struct fixture *f = *state;
  struct agent_binding b;
  struct debate_agent agent = {
      .type = (char *)"acme-api", .provider = (char *)"acme", .model = (char *)"acme-small"};
  assert_true(panel_binding(&f->table, &agent, &b));
  assert_string_equal(b.model, "acme-small"); /* the debate's own, not today's */
  assert_string_equal(b.key, "k");
  f->rows[5] = row("acme-api", "acme", "acme-small");
  f->rows[5].key = "other";
  f->table.count = 6;
  assert_true(panel_binding(&f->table, &agent, &b));
  assert_string_equal(b.key, "other");
  agent.provider = (char *)"bolt"; /* today the type is somebody else's */
  assert_false(panel_binding(&f->table, &agent, &b));
  agent.type = (char *)"dyne-api";
  assert_false(panel_binding(&f->table, &agent, &b));
  agent.type = (char *)"gone-api";
  assert_false(panel_binding(&f->table, &agent, &b));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(names_are_unique),
      CASE(long_types_stay_names),
      CASE(unknown_agents),
      CASE(missing_keys),
      CASE(default_panels),
      CASE(no_key_at_all),
      CASE(judges),
      CASE(judges_of_two),
      CASE(judges_within_a_budget),
      CASE(baselines),
      CASE(quorum),
      CASE(budgets_of_the_server),
      CASE(caps_need_prices),
      CASE(the_least_call),
      CASE(budget_needs_prices),
      CASE(context_of_the_smallest),
      CASE(seeds),
      CASE(bindings_of_a_log),
  };
  return cmocka_run_group_tests_name("panel", tests, NULL, NULL);
}
