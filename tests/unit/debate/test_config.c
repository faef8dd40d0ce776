/* The resolved configuration: what debate_start holds, and what it refuses. */
#include "driver.h"

#include <stdio.h>
#include <stdlib.h>

static json_t *sample(void) {
  struct debate_config c = driver_judged(3, 2);
  c.context = strdup("what is known");
  c.seed = UINT64_MAX;
  c.budget_usd_micro = 1500000;
  c.members[1].demo = c.demo = true;
  c.judges[1].in_panel = true;
  json_t *data = debate_config_to_json(&c);
  debate_config_done(&c);
  assert_non_null(data);
  return data;
}

static void test_there_and_back(void **state) {
  JSON_LATER json_t *data = sample();
  struct debate_config c;
  struct error err;
  assert_int_equal(debate_config_from_json(data, &c, &err), STATUS_OK);
  assert_true(c.seed == UINT64_MAX);
  assert_string_equal(json_get_text(data, "seed", ""), "18446744073709551615");
  assert_string_equal(c.context, "what is known");
  assert_int_equal(c.budget_usd_micro, 1500000);
  assert_int_equal(c.budget_tokens, -1);
  assert_true(c.members[1].demo && !c.members[0].demo);
  assert_true(c.judges[1].in_panel && !c.judges[0].in_panel);
  JSON_LATER json_t *again = debate_config_to_json(&c);
  assert_true(json_equal(data, again));
  FREE_LATER char *canonical = json_canonical_dup(data);
  assert_non_null(canonical); /* no number but integers */
  /* Where it was not asked for it is not there: as in logs that are older than it. */
  assert_null(json_object_get(data, "allow_unknown_price"));
  c.allow_unknown_price = true;
  JSON_LATER json_t *allowed = debate_config_to_json(&c);
  debate_config_done(&c);
  assert_int_equal(debate_config_from_json(allowed, &c, &err), STATUS_OK);
  assert_true(c.allow_unknown_price);
  debate_config_done(&c);
}

static void refused(json_t *data, const char *key, json_t *value, enum status want) {
  JSON_LATER json_t *copy = json_copy(data);
  struct debate_config c;
  struct error err = {0};
  if (value)
    json_object_set_new(copy, key, value);
  else
    json_object_del(copy, key);
  enum status s = debate_config_from_json(copy, &c, &err);
  if (s != want) fail_msg("%s gives %s", key, status_name(s));
  if (s == STATUS_CORRUPT && !strstr(err.message, key))
    fail_msg("%s is not named in: %s", key, err.message);
}

static void test_what_is_refused(void **state) {
  JSON_LATER json_t *data = sample();
  static const char *const needed[] = {"v",
                                       "task",
                                       "mode",
                                       "consensus",
                                       "topology",
                                       "rounds",
                                       "quorum",
                                       "threshold_ppm",
                                       "deadline_ms",
                                       "turn_timeout_ms",
                                       "seed",
                                       "nonce",
                                       "agents",
                                       "budget_usd_micro",
                                       "budget_tokens",
                                       "context_bytes",
                                       "max_output_tokens"};
  for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
    refused(data, needed[i], NULL, STATUS_CORRUPT);
  refused(data, "mode", json_string("duel"), STATUS_CORRUPT);
  refused(data, "rounds", json_integer(11), STATUS_CORRUPT);
  refused(data, "rounds", json_string("2"), STATUS_CORRUPT);
  refused(data, "quorum", json_integer(0), STATUS_CORRUPT);
  refused(data, "threshold_ppm", json_integer(PPM + 1), STATUS_CORRUPT);
  refused(data, "seed", json_string("18446744073709551616"), STATUS_CORRUPT);
  refused(data, "seed", json_string("-1"), STATUS_CORRUPT);
  refused(data, "seed", json_string(""), STATUS_CORRUPT);
  refused(data, "nonce", json_string("short"), STATUS_CORRUPT);
  refused(data, "agents", json_array(), STATUS_CORRUPT);
  refused(data, "agents", json_pack("[{s:s}]", "name", "a"), STATUS_CORRUPT);
  refused(data, "judges", json_pack("[{s:s}]", "name", "a"), STATUS_CORRUPT);
  refused(data, "v", json_integer(LOG_VERSION + 1), STATUS_UNSUPPORTED);
  refused(data, "engine", json_integer(ENGINE_VERSION + 1), STATUS_UNSUPPORTED);
  refused(data, "rules", json_integer(RULES_VERSION + 1), STATUS_UNSUPPORTED);
  refused(data, "prompts", json_integer(PROMPTS_VERSION + 1), STATUS_UNSUPPORTED);
}

static void test_unknown_fields_are_ignored(void **state) {
  JSON_LATER json_t *data = sample();
  struct debate_config c;
  json_object_set_new(data, "of_a_later_version", json_integer(1));
  assert_int_equal(debate_config_from_json(data, &c, NULL), STATUS_OK);
  debate_config_done(&c);
}

static void test_too_many_agents(void **state) {
  JSON_LATER json_t *data = sample();
  struct debate_config c;
  json_t *agents = json_object_get(data, "agents");
  while (json_array_size(agents) <= DEBATE_MEMBERS_MAX)
    json_array_append(agents, json_array_get(agents, 0));
  assert_int_equal(debate_config_from_json(data, &c, NULL), STATUS_CORRUPT);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_there_and_back),
      cmocka_unit_test(test_what_is_refused),
      cmocka_unit_test(test_unknown_fields_are_ignored),
      cmocka_unit_test(test_too_many_agents),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
