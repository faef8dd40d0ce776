/* Rehearsed courses: how many calls they have, and that their prompts are those of a real debate.
 */
#include "debate/rehearsal.h"

#include "driver.h"

struct seen {
  int calls[TURN_KIND_COUNT], repairs, things[TURN_KIND_COUNT];
  size_t bytes[TURN_KIND_COUNT];
};

static void note(void *ctx, const struct rehearsal_call *call) {
  struct seen *seen = ctx;
  seen->calls[call->kind]++;
  seen->repairs += call->repair;
  seen->things[call->kind] += call->things;
  seen->bytes[call->kind] += call->prompt_bytes;
}

static struct rehearsal_script script_of(int rounds, int positions) {
  struct rehearsal_script s = {.rounds = rounds,
                               .positions = positions,
                               .items = 1,
                               .item_bytes = 80,
                               .bad_reply_bytes = 50};
  for (int i = 0; i < DEBATE_MEMBERS_MAX; i++) s.answer_bytes[i] = 100;
  return s;
}

static struct seen rehearse(struct debate_config config, const struct rehearsal_script *script) {
  struct seen seen = {0};
  assert_int_equal(rehearse_debate(&config, script, note, &seen), STATUS_OK);
  debate_config_done(&config);
  return seen;
}

static void expect(const struct seen *s, int proposals, int critiques, int revisions, int ballots,
                   int judgments) {
  assert_int_equal(s->calls[TURN_PROPOSAL], proposals);
  assert_int_equal(s->calls[TURN_CRITIQUE], critiques);
  assert_int_equal(s->calls[TURN_REVISION], revisions);
  assert_int_equal(s->calls[TURN_BALLOT], ballots);
  assert_int_equal(s->calls[TURN_JUDGMENT], judgments);
}

static void all_rounds_and_a_vote(void **state) {
  for (int rounds = 0; rounds <= DEBATE_ROUNDS_MAX; rounds++) {
    struct rehearsal_script script = script_of(rounds, 3);
    struct seen seen = rehearse(driver_config(3), &script);
    expect(&seen, 3, 3 * rounds, 3 * rounds, 3, 0);
    assert_int_equal(seen.things[TURN_CRITIQUE], 6 * rounds);
    assert_int_equal(seen.things[TURN_REVISION], 6 * rounds);
    assert_int_equal(seen.things[TURN_BALLOT], 9);
  }
  (void)state;
}

static void fewer_positions_make_shorter_ballots(void **state) {
  struct rehearsal_script three = script_of(1, 3), two = script_of(1, 2);
  struct seen a = rehearse(driver_config(3), &three), b = rehearse(driver_config(3), &two);
  expect(&b, 3, 3, 3, 3, 0);
  assert_int_equal(b.things[TURN_BALLOT], 6);
  assert_true(b.bytes[TURN_BALLOT] < a.bytes[TURN_BALLOT]);
  (void)state;
}

static void agreement_needs_no_vote(void **state) {
  struct rehearsal_script script = script_of(2, 3);
  script.agree = true;
  struct seen seen = rehearse(driver_config(3), &script);
  expect(&seen, 3, 6, 6, 0, 0);
  script = script_of(0, 3);
  script.agree = true;
  seen = rehearse(driver_config(3), &script);
  expect(&seen, 3, 0, 0, 0, 0);
  (void)state;
}

static void the_shortest_course(void **state) {
  struct rehearsal_script script = script_of(1, 3);
  script.agree = script.early = true;
  script.items = 0;
  struct seen seen = rehearse(driver_config(3), &script);
  expect(&seen, 3, 3, 0, 0, 0);
  (void)state;
}

static void repairs_double_the_calls(void **state) {
  struct rehearsal_script script = script_of(1, 3);
  script.repair = true;
  struct seen seen = rehearse(driver_config(3), &script);
  expect(&seen, 6, 6, 6, 6, 0);
  assert_int_equal(seen.repairs, 12);
  (void)state;
}

static void a_judge_is_asked_once(void **state) {
  struct rehearsal_script script = script_of(1, 3);
  struct seen seen = rehearse(driver_judged(3, 2), &script);
  expect(&seen, 3, 3, 3, 0, 1);
  (void)state;
}

/* The first prompts of a real debate hold nothing that was made up. */
static void prompts_are_the_engines(void **state) {
  struct debate_config config = driver_config(3);
  struct rehearsal_script script = script_of(0, 3);
  struct seen seen = {0};
  struct driver r;
  assert_int_equal(rehearse_debate(&config, &script, note, &seen), STATUS_OK);
  driver_begin(&r, &config, "");
  size_t bytes = 0;
  for (int i = 0; i < 3; i++) {
    struct prompt p;
    assert_int_equal(debate_prompt(r.d, i, &p), STATUS_OK);
    bytes += strlen(p.system) + strlen(p.prefix) + strlen(p.text);
    prompt_done(&p);
  }
  assert_int_equal(seen.bytes[TURN_PROPOSAL], bytes);
  driver_done(&r);
  (void)state;
}

/* The context is added by its length: within a few bytes of quoting it. */
static void a_context_is_counted(void **state) {
  char context[5001];
  memset(context, 'x', sizeof context - 1);
  context[sizeof context - 1] = '\0';
  struct debate_config config = driver_config(2);
  struct rehearsal_script script = script_of(0, 2);
  struct seen seen = {0};
  struct driver r;
  config.context = strdup(context);
  assert_int_equal(rehearse_debate(&config, &script, note, &seen), STATUS_OK);
  driver_begin(&r, &config, "");
  struct prompt p;
  assert_int_equal(debate_prompt(r.d, 0, &p), STATUS_OK);
  size_t real = strlen(p.system) + strlen(p.prefix) + strlen(p.text);
  prompt_done(&p);
  assert_in_range(seen.bytes[TURN_PROPOSAL] / 2, real - 60, real + 60);
  driver_done(&r);
  (void)state;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_rounds_and_a_vote),
      cmocka_unit_test(fewer_positions_make_shorter_ballots),
      cmocka_unit_test(agreement_needs_no_vote),
      cmocka_unit_test(the_shortest_course),
      cmocka_unit_test(repairs_double_the_calls),
      cmocka_unit_test(a_judge_is_asked_once),
      cmocka_unit_test(prompts_are_the_engines),
      cmocka_unit_test(a_context_is_counted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
