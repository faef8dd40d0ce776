/* What a debate would cost, from a past that the test makes up. */
#include "runner/estimate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
  struct agent_binding row;
  struct agent_table table;
  struct debate_config config;
  struct habits habits;
};

static int setup(void **state) {
  struct fixture *f = calloc(1, sizeof *f);
  if (!f) return -1;
  f->row = (struct agent_binding){.type = "acme-api",
                                  .provider = "acme",
                                  .model = "acme-large",
                                  .wire = WIRE_OPENAI,
                                  .price_input_usd_micro = 2000000,
                                  .price_output_usd_micro = 6000000,
                                  .available = true};
  f->table = (struct agent_table){&f->row, 1, NULL, NULL};
  struct debate_config *c = &f->config;
  *c = (struct debate_config){.rule = RULE_MAJORITY,
                              .rounds = 2,
                              .threshold_ppm = 600000,
                              .fast_path = true,
                              .quorum = 2,
                              .deadline_ms = 900000,
                              .turn_timeout_ms = 60000,
                              .budget_usd_micro = -1,
                              .budget_tokens = -1,
                              .max_output_tokens = 1000,
                              .context_bytes = 100000,
                              .seed = 1,
                              .nonce = "0123456789abcdef0123456789abcdef",
                              .member_count = 3,
                              .engine_version = ENGINE_VERSION,
                              .rules_version = RULES_VERSION,
                              .prompts_version = PROMPTS_VERSION};
  c->task = strdup("Should we adopt it?");
  for (int i = 0; i < 3; i++) {
    char name[] = "agent-0";
    name[6] = (char)('0' + i);
    c->members[i] = (struct debate_agent){strdup(name),   strdup("acme-api"),
                                          strdup("acme"), strdup("acme-large"),
                                          strdup(""),     PPM,
                                          false,          false};
  }
  *state = f;
  return 0;
}

static int teardown(void **state) {
  struct fixture *f = *state;
  debate_config_done(&f->config);
  free(f);
  return 0;
}

static struct estimate made(struct fixture *f) {
  struct estimate e;
  assert_int_equal(estimate_debate(&f->table, &f->config, &f->habits, &e), STATUS_OK);
  return e;
}

static void add_course(struct fixture *f, int rounds, bool early, int positions) {
  f->habits.courses[f->habits.course_count++] =
      (struct course_habit){.panel = habits_panel(&f->config),
                            .members = 3,
                            .rounds = rounds,
                            .rounds_max = 2,
                            .early = early,
                            .positions = positions};
}

static int64_t calls(const struct estimate_course *c) {
  int64_t sum = 0;
  for (int i = 0; i < TURN_KIND_COUNT; i++) sum += c->calls[i];
  return sum;
}

static void without_a_past_all_rounds_are_run(void **state) {
  struct estimate e = made(*state);
  assert_int_equal(calls(&e.low), 3);
  assert_int_equal(calls(&e.expected), 3 + 2 * 6 + 3);
  assert_int_equal(calls(&e.high), 2 * (3 + 2 * 6 + 3));
  assert_int_equal(e.high.tokens_out, 36 * 1000);
  assert_int_equal(e.past_turns, 0);
  assert_int_equal(e.low.tokens_out, 3 * 450);
}

static void the_past_says_how_far_it_goes(void **state) {
  struct fixture *f = *state;
  add_course(f, 0, true, 1); /* the fast path */
  add_course(f, 2, false, 3);
  struct estimate e = made(f);
  assert_int_equal(e.past_debates, 2);
  assert_in_range(calls(&e.expected), 10, 11); /* half of 3 and half of 18 */
  f->config.fast_path = false;
  e = made(f);
  assert_in_range(calls(&e.expected), 13, 15); /* half of 9 and half of 18, each kind rounded */
}

/* A debate of one round that was cut by its limit does not say that nobody goes on. */
static void a_limit_is_no_end(void **state) {
  struct fixture *f = *state;
  add_course(f, 1, false, 3);
  struct estimate e = made(f);
  assert_int_equal(calls(&e.expected), 18);
}

static void tokens_follow_the_models_past(void **state) {
  struct fixture *f = *state;
  struct model_habits *m = &f->habits.models[f->habits.model_count++];
  struct estimate before = made(f);
  strcpy(m->provider, "acme");
  strcpy(m->model, "acme-large");
  for (int i = 0; i < TURN_KIND_COUNT; i++)
    m->of[i] =
        (struct habit){.turns = 10, .prompt_bytes = 20000, .tokens_in = 10000, .tokens_out = 2000};
  struct estimate e = made(f);
  assert_int_equal(e.past_turns, 10 * TURN_KIND_COUNT);
  /* Two bytes a token instead of four. */
  assert_in_range(e.low.tokens_in, 2 * before.low.tokens_in - 2, 2 * before.low.tokens_in + 2);
  assert_int_equal(e.low.tokens_out, 3 * 200);
}

static void replies_grow_with_what_they_are_about(void **state) {
  struct fixture *f = *state;
  struct model_habits *m = &f->habits.models[f->habits.model_count++];
  strcpy(m->provider, "acme");
  strcpy(m->model, "acme-large");
  m->critiques = 100;
  m->items = 100;
  m->item_bytes = 8000;
  /* 50 tokens and 10 an item, of turns with one and with three. */
  m->of[TURN_CRITIQUE] = (struct habit){.turns = 200,
                                        .prompt_bytes = 200,
                                        .tokens_in = 50,
                                        .things = 400,
                                        .things_squared = 1000,
                                        .tokens_out = 14000,
                                        .things_tokens_out = 100 * 60 + 300 * 80};
  f->config.rounds = 1;
  struct estimate one = made(f);
  m->items = 200;
  struct estimate two = made(f);
  /* Three critics, two targets each: six items more, at ten tokens; revisions answer them, at the
   * table's fifty. */
  assert_in_range(two.expected.tokens_out - one.expected.tokens_out, 6 * 60 - 5, 6 * 60 + 5);
}

static void an_unknown_price_is_no_zero(void **state) {
  struct fixture *f = *state;
  struct estimate e = made(f);
  int64_t exact = e.low.tokens_in * 2 + e.low.tokens_out * 6;
  assert_in_range(e.low.cost_usd_micro, exact - 6, exact + 6);
  f->row.price_output_usd_micro = -1;
  e = made(f);
  assert_int_equal(e.low.cost_usd_micro, -1);
  assert_int_equal(e.expected.cost_usd_micro, -1);
  assert_int_equal(e.high.cost_usd_micro, -1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(without_a_past_all_rounds_are_run, setup, teardown),
      cmocka_unit_test_setup_teardown(the_past_says_how_far_it_goes, setup, teardown),
      cmocka_unit_test_setup_teardown(a_limit_is_no_end, setup, teardown),
      cmocka_unit_test_setup_teardown(tokens_follow_the_models_past, setup, teardown),
      cmocka_unit_test_setup_teardown(replies_grow_with_what_they_are_about, setup, teardown),
      cmocka_unit_test_setup_teardown(an_unknown_price_is_no_zero, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
