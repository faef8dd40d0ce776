/* Scripted replies answer the prompts that the engine really writes, and the engine's strict
 * reading takes them; the voices differ, and one of them can be persuaded. */
#include "base/json.h"
#include "debate/prompt.h"
#include "debate/reply.h"
#include "debate/scrub.h"
#include "provider/scripted_reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static const char question[] = "Should a small team move its service to microservices?";
static struct scrub no_names;

static struct prompt_input input_of(enum turn_kind kind) {
  if (!no_names.names) assert_int_equal(scrub_init(&no_names, NULL, question, NULL), STATUS_OK);
  return (struct prompt_input){.kind = kind,
                               .task = question,
                               .nonce = "0123456789abcdef0123456789abcdef",
                               .role = "",
                               .own_key = "",
                               .context_bytes = 100000,
                               .scrub = &no_names};
}

static char *reply_text(const struct prompt_input *in, const struct scripted_options *options,
                        bool named) {
  struct prompt p;
  BUFFER_LATER struct buffer all;
  char *text = NULL;
  assert_int_equal(prompt_build(in, &p), STATUS_OK);
  buffer_init(&all, 1 << 20);
  buffer_printf(&all, "%s\n\n%s\n\n%s", p.system, p.prefix, p.text);
  assert_int_equal(scripted_reply_make(named ? turn_kind_names[in->kind] : NULL, bytes_of(p.schema),
                                       buffer_bytes(&all), options, &text),
                   STATUS_OK);
  prompt_done(&p);
  return text;
}

static struct reply ask(const struct prompt_input *in, const struct scripted_options *options) {
  struct reply reply;
  struct error err = {0};
  struct reply_form form = {in->kind, in->response_count, in->item_count};
  FREE_LATER char *text = reply_text(in, options, true);
  FREE_LATER char *unnamed = reply_text(in, options, false);
  assert_string_equal(text, unnamed);
  if (reply_parse(&form, bytes_of(text), false, &reply, &err))
    fail_msg("%s in %s", err.message, text);
  return reply;
}

static struct scripted_options voice(int persona) {
  struct scripted_options options = SCRIPTED_OPTIONS_DEFAULT;
  options.persona = persona;
  options.label = "[demo] ";
  return options;
}

static void test_proposals(void **state) {
  (void)state;
  struct prompt_input in = input_of(TURN_PROPOSAL);
  struct reply r[SCRIPTED_PERSONAS];
  int yes = 0, no = 0;
  for (int i = 0; i < SCRIPTED_PERSONAS; i++) {
    struct scripted_options options = voice(i);
    r[i] = ask(&in, &options);
    assert_ptr_equal(strstr(r[i].answer, "[demo] "), r[i].answer);
    assert_non_null(strstr(r[i].answer, "microservices"));
    assert_true(r[i].claim_count >= 2);
    assert_true(r[i].confidence_ppm > 0 && r[i].confidence_ppm < 1000000);
    yes += strcmp(r[i].key, "yes") == 0;
    no += strcmp(r[i].key, "no") == 0;
    for (int k = 0; k < i; k++) assert_string_not_equal(r[i].answer, r[k].answer);
  }
  assert_true(yes > 0 && no > 0 && yes + no == SCRIPTED_PERSONAS);
  for (int i = 0; i < SCRIPTED_PERSONAS; i++) reply_done(&r[i]);
}

static void test_keys_of_questions(void **state) {
  (void)state;
  static const struct {
    const char *question, *keys[2];
  } rows[] = {
      {"Is it raining?", {"yes", "no"}},
      {"Should we use a monolith or microservices?", {"monolith", "microservices"}},
      {"Build or buy?", {"build", "buy"}},
      {"Will it work or not?", {"yes", "no"}},
      {"How do we design a rate limiter?", {"begin", "wait"}},
      {"\xe2\x82\xac?", {"begin", "wait"}},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    for (int persona = 0; persona < 2; persona++) {
      struct prompt_input in = input_of(TURN_PROPOSAL);
      struct scripted_options options = voice(persona);
      in.task = rows[i].question;
      struct reply r = ask(&in, &options);
      assert_string_equal(r.key, rows[i].keys[persona]);
      reply_done(&r);
    }
}

static void test_critiques_name_every_response(void **state) {
  (void)state;
  const char *responses[] = {"[demo] On this my answer is yes. Because.", "No.", "Perhaps."};
  struct prompt_input in = input_of(TURN_CRITIQUE);
  in.responses = responses;
  in.response_count = 3;
  struct scripted_options options = voice(1);
  struct reply r = ask(&in, &options);
  assert_int_equal(r.reply_item_count, 3);
  for (int i = 0; i < 3; i++) assert_int_equal(r.reply_items[i].label, i);
  assert_int_equal(r.reply_items[0].severity_ppm, 700000);
  assert_string_equal(r.reply_items[0].claim, "On this my answer is yes");
  reply_done(&r);
  options.severity_ppm = 250000;
  r = ask(&in, &options);
  assert_int_equal(r.reply_items[2].severity_ppm, 250000);
  reply_done(&r);
}

static struct reply revise(int persona, const char *own_key, int64_t severity_ppm,
                           enum scripted_change change) {
  struct prompt_item items[] = {{"c", "p", "w", "f", 350000}, {"c", "p", "w", "f", severity_ppm}};
  struct prompt_input in = input_of(TURN_REVISION);
  struct scripted_options options = voice(persona);
  options.change = change;
  in.own_answer = "[demo] My own.";
  in.own_key = own_key;
  in.items = items;
  in.item_count = 2;
  return ask(&in, &options);
}

static void test_revisions(void **state) {
  (void)state;
  struct reply r = revise(0, "yes", 900000, SCRIPTED_CHANGE_AS_CRITIQUED);
  assert_false(r.changed);
  assert_int_equal(r.verdict_count, 2);
  assert_false(r.verdicts[1].accept);
  reply_done(&r);
  r = revise(3, "no", 900000, SCRIPTED_CHANGE_AS_CRITIQUED);
  assert_true(r.changed);
  assert_string_equal(r.key, "yes");
  assert_false(r.verdicts[0].accept);
  assert_true(r.verdicts[1].accept);
  reply_done(&r);
  r = revise(3, "no", 400000, SCRIPTED_CHANGE_AS_CRITIQUED);
  assert_false(r.changed);
  reply_done(&r);
  r = revise(3, "yes", 900000, SCRIPTED_CHANGE_AS_CRITIQUED); /* persuaded once is enough */
  assert_false(r.changed);
  reply_done(&r);
  r = revise(0, "no", 400000, SCRIPTED_CHANGE_ALWAYS);
  assert_true(r.changed);
  assert_string_equal(r.key, "yes");
  reply_done(&r);
  r = revise(3, "no", 900000, SCRIPTED_CHANGE_NEVER);
  assert_false(r.changed);
  reply_done(&r);
}

static void test_ballots_put_their_own_first(void **state) {
  (void)state;
  struct prompt_input proposal = input_of(TURN_PROPOSAL);
  struct scripted_options options = voice(0);
  struct reply yes = ask(&proposal, &options);
  options = voice(1);
  struct reply no = ask(&proposal, &options);
  const char *responses[] = {no.answer, yes.answer};
  struct prompt_input in = input_of(TURN_BALLOT);
  in.responses = responses;
  in.response_count = 2;
  for (int persona = 0; persona < SCRIPTED_PERSONAS; persona++) {
    options = voice(persona);
    struct reply ballot = ask(&in, &options);
    assert_int_equal(ballot.ranking_count, 2);
    assert_int_equal(ballot.ranking[0], persona == 1 ? 0 : 1);
    reply_done(&ballot);
    in.kind = TURN_JUDGMENT;
    struct reply judgment = ask(&in, &options);
    assert_int_equal(judgment.choice, persona == 1 ? 0 : 1);
    reply_done(&judgment);
    in.kind = TURN_BALLOT;
  }
  reply_done(&yes);
  reply_done(&no);
}

static void test_options(void **state) {
  (void)state;
  struct prompt_input in = input_of(TURN_PROPOSAL);
  struct scripted_options options = SCRIPTED_OPTIONS_DEFAULT;
  options.words = 64;
  options.answer_key = "42";
  struct reply r = ask(&in, &options);
  int words = 1;
  for (const char *p = r.answer; *p; p++) words += *p == ' ';
  assert_int_equal(words, 64);
  assert_string_equal(r.key, "42");
  assert_int_equal(strncmp(r.answer, "On the question", 15), 0);
  reply_done(&r);
}

static void test_unknown_schema(void **state) {
  (void)state;
  struct scripted_options options = SCRIPTED_OPTIONS_DEFAULT;
  char *text = NULL;
  struct bytes schema = BYTES_LITERAL(
      "{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\",\"minimum\":3,\"maximum\":"
      "9},"
      "\"b\":{\"type\":\"boolean\"},\"list\":{\"type\":\"array\",\"minItems\":3,\"items\":{"
      "\"type\":"
      "\"number\"}},\"confidence\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":1000000},"
      "\"x\":{\"type\":\"OBJECT\",\"properties\":{\"e\":{\"enum\":[\"p\",\"q\"]}}}}}");
  assert_int_equal(scripted_reply_make(NULL, schema, BYTES_LITERAL("no headings"), &options, &text),
                   STATUS_OK);
  JSON_LATER json_t *json = NULL;
  assert_int_equal(json_parse(bytes_of(text), &json, NULL), STATUS_OK);
  int64_t n = json_get_int(json, "n", -1);
  assert_true(n >= 3 && n <= 9);
  assert_int_equal(json_get_int(json, "confidence", -1), 800000);
  assert_int_equal(json_array_size(json_object_get(json, "list")), 3);
  assert_non_null(json_object_get(json_object_get(json, "x"), "e"));
  free(text);
  text = NULL;
  assert_int_equal(scripted_reply_make(NULL, BYTES_LITERAL("[]"), schema, &options, &text),
                   STATUS_INVALID);
  assert_null(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_proposals),
      cmocka_unit_test(test_keys_of_questions),
      cmocka_unit_test(test_critiques_name_every_response),
      cmocka_unit_test(test_revisions),
      cmocka_unit_test(test_ballots_put_their_own_first),
      cmocka_unit_test(test_options),
      cmocka_unit_test(test_unknown_schema),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
