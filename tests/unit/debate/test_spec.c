/* Requests for a debate, field by field: every range at its ends, every alias, every refusal. */
#include "debate/spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static const struct debate_spec_limits limits = {.max_question_chars = 10, .max_context_bytes = 8};

static enum status parse(const char *fields, struct debate_spec *ret_spec, struct error *err) {
  char text[4096];
  snprintf(text, sizeof text, "{\"task\":\"t\"%s%s}", *fields ? "," : "", fields);
  JSON_LATER json_t *body = NULL;
  struct error why = {0};
  if (json_parse(bytes_of(text), &body, &why)) fail_msg("%s: %s", why.message, text);
  return debate_spec_parse(body, &limits, ret_spec, err);
}

static struct debate_spec accept(const char *fields) {
  struct debate_spec spec;
  struct error err = {0};
  if (parse(fields, &spec, &err)) fail_msg("refused: %s: %s", fields, err.message);
  return spec;
}

static void refuse(const char *fields, const char *field, const char *says) {
  struct debate_spec spec;
  struct error err = {0};
  if (parse(fields, &spec, &err) != STATUS_INVALID) fail_msg("not refused: %s", fields);
  if (strcmp(err.field, field) != 0) fail_msg("%s: names \"%s\"", fields, err.field);
  if (!strstr(err.message, says)) fail_msg("%s: says \"%s\"", fields, err.message);
}

static void test_defaults(void **state) {
  (void)state;
  struct debate_spec spec = accept("");
  assert_string_equal(spec.task, "t");
  assert_null(spec.context);
  assert_null(spec.metadata);
  assert_int_equal(spec.agent_count, 0);
  assert_int_equal(spec.mode, MODE_DEBATE);
  assert_int_equal(spec.rule, RULE_MAJORITY);
  assert_int_equal(spec.topology, -1);
  assert_int_equal(spec.rounds, -1);
  assert_int_equal(spec.threshold_ppm, 600000);
  assert_true(spec.fast_path);
  assert_int_equal(spec.quorum, 0);
  assert_int_equal(spec.samples, 5);
  assert_int_equal(spec.deadline_ms, -1);
  assert_int_equal(spec.turn_timeout_ms, -1);
  assert_int_equal(spec.budget_usd_micro, -1);
  assert_int_equal(spec.budget_tokens, -1);
  assert_false(spec.seed_given);
  debate_spec_done(&spec);
  /* null is not given, and what is not ours is let pass */
  spec = accept(
      "\"rounds\":null,\"agents\":null,\"mode\":null,\"seed\":null,\"dry\":7,"
      "\"enable_voting\":\"x\",\"protocol\":{},\"anything\":[]");
  assert_int_equal(spec.rounds, -1);
  debate_spec_done(&spec);
}

static void check_body(const char *text, const char *field, const char *says) {
  JSON_LATER json_t *body = NULL;
  assert_int_equal(json_parse(bytes_of(text), &body, NULL), STATUS_OK);
  struct debate_spec spec;
  struct error err = {0};
  assert_int_equal(debate_spec_parse(body, &limits, &spec, &err), STATUS_INVALID);
  assert_string_equal(err.field, field);
  if (!strstr(err.message, says)) fail_msg("%s: says \"%s\"", text, err.message);
}

static void test_question(void **state) {
  (void)state;
  check_body("[]", "", "JSON object");
  check_body("\"task\"", "", "JSON object");
  check_body("{}", "task", "required");
  check_body("{\"task\":null}", "task", "required");
  check_body("{\"task\":5}", "task", "task must be a text");
  check_body("{\"question\":[]}", "question", "question must be a text");
  check_body("{\"task\":\" \\n\\u00a0\"}", "task", "empty");
  check_body("{\"question\":\"12345678901\"}", "question", "at most 10 characters");
  struct debate_spec spec = accept("\"question\":\"other\"");
  assert_string_equal(spec.task, "t");
  debate_spec_done(&spec);
  JSON_LATER json_t *body = json_pack("{s:s}", "question",
                                      "  \xe2\x82\xac\xe2\x82\xac"
                                      "34567890 ");
  assert_int_equal(debate_spec_parse(body, &limits, &spec, NULL), STATUS_OK);
  assert_string_equal(spec.task,
                      "\xe2\x82\xac\xe2\x82\xac"
                      "34567890"); /* 10 characters */
  debate_spec_done(&spec);
}

static void test_texts(void **state) {
  (void)state;
  struct debate_spec spec = accept("\"context\":\" 12345678 \",\"metadata\":{\"b\":1,\"a\":[0.5]}");
  assert_string_equal(spec.context, "12345678");
  assert_string_equal(spec.metadata, "{\"b\":1,\"a\":[0.5]}");
  debate_spec_done(&spec);
  spec = accept("\"context\":\" \\n\",\"metadata\":{}");
  assert_null(spec.context);
  assert_string_equal(spec.metadata, "{}");
  debate_spec_done(&spec);
  refuse("\"context\":\"123456789\"", "context", "at most 8 bytes");
  refuse("\"context\":{}", "context", "text");
  refuse("\"metadata\":[]", "metadata", "object");
  refuse("\"metadata\":\"{}\"", "metadata", "object");
}

static void test_metadata_is_capped(void **state) {
  (void)state;
  enum { FRAME = sizeof "{\"k\":\"\"}" - 1 };
  for (size_t size = 16 * 1024; size <= 16 * 1024 + 1; size++) {
    FREE_LATER char *text = calloc(1, size);
    assert_non_null(text);
    memset(text, 'x', size - FRAME);
    JSON_LATER json_t *body = json_pack("{s:s, s:{s:s}}", "task", "t", "metadata", "k", text);
    struct debate_spec spec;
    struct error err = {0};
    enum status s = debate_spec_parse(body, &limits, &spec, &err);
    assert_int_equal(s, size == 16 * 1024 ? STATUS_OK : STATUS_INVALID);
    if (!s) debate_spec_done(&spec);
    if (s) assert_string_equal(err.field, "metadata");
  }
}

static void check_agents(const char *fields, const char *want) {
  struct debate_spec spec = accept(fields);
  BUFFER_LATER struct buffer got;
  buffer_init(&got, 4096);
  for (int i = 0; i < spec.agent_count; i++) buffer_printf(&got, "%s|", spec.agents[i]);
  assert_string_equal(got.ptr ? got.ptr : "", want);
  debate_spec_done(&spec);
}

static void test_agents(void **state) {
  (void)state;
  check_agents("\"agents\":[\"demo\",\" openai-api : a critic \",\"x.y_z-1:\"]",
               "demo|openai-api:a critic|x.y_z-1|");
  check_agents("\"agents\":\"demo, demo:sceptic ,grok\"", "demo|demo:sceptic|grok|");
  check_agents("\"agents\":[\"demo:a:b\",\"demo:\xc3\xa9\"]", "demo:a:b|demo:\xc3\xa9|");
  check_agents("\"agents\":\"a,b,c,d,e,f,g,h,i,j\"", "a|b|c|d|e|f|g|h|i|j|");
  check_agents("\"mode\":\"single\",\"agents\":\"demo\"", "demo|");
  check_agents("\"mode\":\"self_consistency\",\"agents\":[\"demo:x\"]", "demo:x|");
  check_agents("\"mode\":\"single\"", "");
}

static void test_agents_refused(void **state) {
  (void)state;
  refuse("\"agents\":[]", "agents", "at least 2 agents");
  refuse("\"agents\":\"\"", "agents", "at least 2 agents");
  refuse("\"agents\":\"demo\"", "agents", "at least 2 agents");
  refuse("\"agents\":[\"demo\"],\"mode\":\"vote\"", "agents", "at least 2 agents");
  refuse("\"agents\":\"a,b,c,d,e,f,g,h,i,j,k\"", "agents", "at most 10");
  refuse("\"agents\":\"a,b\",\"mode\":\"single\"", "agents", "mode single takes exactly one");
  refuse("\"agents\":[],\"mode\":\"single\"", "agents", "exactly one");
  refuse("\"agents\":\"a,b\",\"mode\":\"self_consistency\"", "agents", "exactly one");
  refuse("\"agents\":7", "agents", "list");
  refuse("\"agents\":{}", "agents", "list");
  refuse("\"agents\":[\"a\",1]", "agents", "list of texts");
  refuse("\"agents\":\"a,,b\"", "agents[1]", "letters, digits");
  refuse("\"agents\":[\"a\",\"\"]", "agents[1]", "letters, digits");
  refuse("\"agents\":[\"a b\",\"c\"]", "agents[0]", "letters, digits");
  refuse("\"agents\":[\"a\",\"../b\"]", "agents[1]", "letters, digits");
  refuse("\"agents\":[\"a\",\":critic\"]", "agents[1]", "letters, digits");
  refuse("\"agents\":[\"a\",\"\xc3\xa9\"]", "agents[1]", "letters, digits");
  refuse("\"agents\":[\"a\",\"abcdefghijklmnopqrstuvwxyz0123456\"]", "agents[1]", "1 to 32");
  refuse("\"agents\":[\"a\",\"b:x\\ny\"]", "agents[1]", "role");
  refuse("\"agents\":[\"a\",\"b:x\\u2028y\"]", "agents[1]", "role");
  refuse("\"agents\":[\"a\",\"b:x\\u0090y\"]", "agents[1]", "role");
  refuse(
      "\"agents\":[\"a\",\"b:"
      "12345678901234567890123456789012345678901234567890123456789012345\"]",
      "agents[1]", "64");
}

static void test_choices(void **state) {
  (void)state;
  struct debate_spec spec =
      accept("\"mode\":\"vote\",\"consensus\":\"unanimous\",\"topology\":\"random\"");
  assert_int_equal(spec.mode, MODE_VOTE);
  assert_int_equal(spec.rule, RULE_UNANIMOUS);
  assert_int_equal(spec.topology, TOPOLOGY_RANDOM);
  debate_spec_done(&spec);
  refuse("\"consensus\":\"hybrid\"", "consensus",
         "must be one of: majority, supermajority, unanimous, weighted, judge, none, any");
  refuse("\"consensus\":\"Majority\"", "consensus", "one of");
  refuse("\"consensus\":true", "consensus", "one of");
  refuse("\"mode\":\"\"", "mode", "debate, vote, self_consistency, single");
  refuse("\"topology\":\"mesh\"", "topology", "all, ring, star, random");
}

#define RANGE(field, low, high, below, above)                                  \
  debate_spec_done(&(struct debate_spec[]){accept("\"" field "\":" low)}[0]);  \
  debate_spec_done(&(struct debate_spec[]){accept("\"" field "\":" high)}[0]); \
  refuse("\"" field "\":" below, field, field " must be");                     \
  refuse("\"" field "\":" above, field, field " must be");                     \
  refuse("\"" field "\":\"" low "\"", field, field " must be");                \
  refuse("\"" field "\":[" low "]", field, field " must be");                  \
  refuse("\"" field "\":true", field, field " must be")

static void test_ranges(void **state) {
  (void)state;
  RANGE("rounds", "0", "10", "-1", "11");
  RANGE("max_rounds", "0", "10", "-1", "11");
  RANGE("samples", "3", "15", "2", "16");
  RANGE("quorum", "2", "10", "1", "11");
  RANGE("consensus_threshold", "0.5", "1", "0.4999999", "1.0000001");
  RANGE("threshold", "0.5", "1.0", "0", "60");
  RANGE("deadline_seconds", "5", "86400", "4.999", "86401");
  RANGE("turn_timeout_seconds", "1", "600", "0", "600.001");
  RANGE("budget_usd", "0.000001", "1000000", "0", "1000000.1");
  RANGE("budget_tokens", "1", "1000000000000", "0", "1000000000001");
  refuse("\"rounds\":2.0", "rounds", "whole number");
  refuse("\"rounds\":9007199254740993", "rounds", "0 to 10");
  refuse("\"budget_usd\":-1", "budget_usd", "above 0");
  refuse("\"budget_tokens\":-5", "budget_tokens", "whole number");
  refuse("\"fast_path\":1", "fast_path", "true or false");
  refuse("\"quorum\":4,\"agents\":\"a,b,c\"", "quorum", "from 2 to 3");
}

static void test_values(void **state) {
  (void)state;
  struct debate_spec spec = accept(
      "\"rounds\":3,\"max_rounds\":5,\"consensus_threshold\":0.7,\"fast_path\":false,\"quorum\":2,"
      "\"samples\":7,\"deadline_seconds\":12.5,\"turn_timeout_seconds\":1.0005,"
      "\"budget_tokens\":5000,\"allow_unknown_price\":true");
  assert_int_equal(spec.rounds, 3);
  assert_int_equal(spec.threshold_ppm, 700000);
  assert_false(spec.fast_path);
  assert_int_equal(spec.quorum, 2);
  assert_int_equal(spec.samples, 7);
  assert_int_equal(spec.deadline_ms, 12500);
  assert_int_equal(spec.turn_timeout_ms, 1001);
  assert_int_equal(spec.budget_tokens, 5000);
  assert_true(spec.allow_unknown_price);
  debate_spec_done(&spec);
}

static void check_money(const char *written, int64_t micro) {
  char fields[64];
  snprintf(fields, sizeof fields, "\"budget_usd\":%s", written);
  struct debate_spec spec = accept(fields);
  assert_int_equal(spec.budget_usd_micro, micro);
  debate_spec_done(&spec);
}

static void test_money_is_exact(void **state) {
  (void)state;
  refuse("\"allow_unknown_price\":1", "allow_unknown_price", "true or false");
  check_money("0.1", 100000);
  check_money("0.29", 290000);
  check_money("1.005", 1005000);
  check_money("4.35", 4350000);
  check_money("2", 2000000);
  check_money("0.000001", 1);
  check_money("999999.999999", 999999999999);
  refuse("\"budget_usd\":0.0000001", "budget_usd", "six decimals");
  refuse("\"budget_usd\":0.1234567", "budget_usd", "six decimals");
  refuse("\"budget_usd\":1.0000005", "budget_usd", "six decimals");
}

static void check_seed(const char *written, uint64_t seed) {
  char fields[64];
  snprintf(fields, sizeof fields, "\"seed\":%s", written);
  struct debate_spec spec = accept(fields);
  assert_true(spec.seed_given);
  assert_true(spec.seed == seed);
  debate_spec_done(&spec);
}

static void test_seed(void **state) {
  (void)state;
  check_seed("\"0\"", 0);
  check_seed("\"007\"", 7);
  check_seed("42", 42);
  check_seed("9223372036854775807", INT64_MAX);
  check_seed("\"18446744073709551615\"", UINT64_MAX);
  static const char *const bad[] = {"\"18446744073709551616\"",
                                    "\"99999999999999999999\"",
                                    "\"\"",
                                    "\"-1\"",
                                    "-1",
                                    "\"0x10\"",
                                    "\" 1\"",
                                    "1.5",
                                    "true",
                                    "\"000000000000000000001\"",
                                    "[1]"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    char fields[64];
    snprintf(fields, sizeof fields, "\"seed\":%s", bad[i]);
    refuse(fields, "seed", "18446744073709551615");
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_defaults), cmocka_unit_test(test_question),
      cmocka_unit_test(test_texts),    cmocka_unit_test(test_metadata_is_capped),
      cmocka_unit_test(test_agents),   cmocka_unit_test(test_agents_refused),
      cmocka_unit_test(test_choices),  cmocka_unit_test(test_ranges),
      cmocka_unit_test(test_values),   cmocka_unit_test(test_money_is_exact),
      cmocka_unit_test(test_seed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
