/* Cancelled, out of time, out of money: in every phase, before and after every answer. */
#include "driver.h"

#include <stdio.h>
#include <stdlib.h>

static const struct {
  enum event_kind kind;
  const char *outcome, *reason, *code;
} facts[] = {{EVENT_CANCEL_REQUESTED, "cancelled", "cancelled", NULL},
             {EVENT_DEADLINE_REACHED, "deadline", "deadline", "DEADLINE"},
             {EVENT_BUDGET_EXHAUSTED, "budget_exhausted", "budget", "BUDGET_EXHAUSTED"}};

static const char script[] =
    "0p1 a; 0p2 b; 0p3 b; 1c1 2:0.9,3:0.9; 1c2 1:0.9; 1r1 accept changed c; 1r2 reject held; "
    "1r3 accept changed b; 2c2 1:0.5; 2r1 reject held; 2v1 ab";

/* What is after the fact: nothing that was said, no new attempt, nothing reached. */
static void check_after(const struct driver *r, size_t fact_at) {
  for (size_t i = fact_at + 1; i < r->count; i++) {
    const char *type = r->lines[i].line.type;
    assert_string_not_equal(type, "agent_message");
    assert_string_not_equal(type, "critique");
    assert_string_not_equal(type, "vote");
    assert_string_not_equal(type, "attempt_start");
    assert_string_not_equal(type, "round_start");
  }
  int open = 0;
  for (size_t i = 0; i < r->count; i++) {
    open += strcmp(r->lines[i].line.type, "attempt_start") == 0;
    open -= strcmp(r->lines[i].line.type, "attempt_end") == 0;
  }
  assert_int_equal(open, 0);
}

static void check_end(const struct driver *r, int f, bool answered) {
  char want[128];
  bool cancelled = facts[f].kind == EVENT_CANCEL_REQUESTED;
  snprintf(want, sizeof want, "{\"outcome\":\"%s\",\"status\":\"%s\"}", facts[f].outcome,
           cancelled  ? "cancelled"
           : answered ? "completed"
                      : "failed");
  driver_expect(r, "debate_end", want);
  assert_int_equal(driver_events(r, "error"), !cancelled && !answered);
  assert_int_equal(driver_events(r, "consensus"), answered);
  if (driver_events(r, "error")) {
    snprintf(want, sizeof want, "{\"code\":\"%s\"}", facts[f].code);
    driver_expect(r, "error", want);
  }
  if (answered)
    driver_expect(r, "consensus", "{\"reached\":false,\"winner\":null,\"basis\":\"none\"}");
}

/* The fact after every single step of the debate. */
static void play_with_fact(int f, bool late, enum rule rule) {
  bool more = true;
  for (int steps = 0; more; steps++) {
    struct driver r;
    struct debate_config c = driver_judged(3, 2);
    c.rule = rule;
    driver_begin(&r, &c, script);
    for (int i = 0; i < steps && more; i++) more = driver_step(&r);
    if (!more) {
      driver_done(&r);
      break;
    }
    bool decided = r.d->phase >= PHASE_DECIDE;
    size_t at = r.count;
    if (r.d->phase == PHASE_ENDED) {
      driver_done(&r);
      break;
    }
    bool stopped = r.d->stop_reason != STOP_NONE;
    driver_fact(&r, facts[f].kind, late);
    driver_run(&r);
    if (decided) {
      driver_expect(&r, "debate_end", "{\"outcome\":\"consensus\"}");
    } else {
      check_after(&r, at);
      check_end(&r, f, result_valid_count(r.d) > 0);
      char want[64];
      snprintf(want, sizeof want, "{\"reason\":\"%s\"}", facts[f].reason);
      if (!stopped) driver_expect(&r, "stop", want);
    }
    driver_done(&r);
  }
}

static void test_cancel(void **state) {
  play_with_fact(0, false, RULE_ANY);
  play_with_fact(0, true, RULE_ANY);
  play_with_fact(0, true, RULE_JUDGE);
}

static void test_deadline(void **state) {
  play_with_fact(1, false, RULE_ANY);
  play_with_fact(1, true, RULE_ANY);
  play_with_fact(1, false, RULE_JUDGE);
}

static void test_budget(void **state) {
  play_with_fact(2, false, RULE_ANY);
  play_with_fact(2, true, RULE_ANY);
}

/* Most holders, then held longest, then panel order; without a vote nobody was missing in one. */
static void test_best_so_far(void **state) {
  struct driver r;
  struct debate_config c = driver_config(3);
  driver_begin(&r, &c, script);
  assert_true(driver_run_to(&r, PHASE_CRITIQUE));
  driver_fact(&r, EVENT_CANCEL_REQUESTED, false);
  driver_run(&r);
  driver_expect(&r, "consensus",
                "{\"best\":\"p1\",\"conclusion\":\"the answer is b\",\"share_ppm\":null,"
                "\"strength\":\"\"}");
  driver_expect(&r, "debate_end", "{\"degraded\":false,\"stop_reason\":\"cancelled\"}");
  driver_done(&r);
  /* With a quorum of ballots, by Borda. */
  c = driver_config(3);
  c.mode = MODE_VOTE;
  driver_begin(&r, &c, "0p2 b; 0p3 b; 0v1 ab; 0v2 ab; 0v3 ba");
  assert_true(driver_run_to(&r, PHASE_VOTE));
  while (r.d->vote_count < 2) driver_step(&r);
  driver_fact(&r, EVENT_DEADLINE_REACHED, true);
  driver_run(&r);
  driver_expect(&r, "consensus", "{\"reached\":false,\"best\":\"p0\",\"share_ppm\":1000000}");
  driver_expect(&r, "debate_end", "{\"outcome\":\"deadline\",\"status\":\"completed\"}");
  driver_done(&r);
}

/* Fewer proposals than the quorum, but there is an answer: it is reported. */
static void test_deadline_below_the_quorum(void **state) {
  struct driver r;
  struct debate_config c = driver_config(4);
  driver_begin(&r, &c, "0p1 a; 0p2 !timeout");
  while (r.d->turns[1].status == TURN_OPEN) driver_step(&r);
  driver_fact(&r, EVENT_DEADLINE_REACHED, false);
  driver_run(&r);
  driver_expect(&r, "consensus", "{\"reached\":false,\"best\":\"p0\"}");
  driver_expect(&r, "debate_end",
                "{\"outcome\":\"deadline\",\"status\":\"completed\",\"degraded\":true}");
  driver_done(&r);
}

/* A revision that the fact cut is a failed one, never a held one; those that came in stand. */
static void test_cut_revision(void **state) {
  struct driver r;
  struct debate_config c = driver_config(3);
  driver_begin(&r, &c, script);
  assert_true(driver_run_to(&r, PHASE_REVISE));
  while (r.d->turns[r.d->step_first].status == TURN_OPEN) driver_step(&r);
  assert_string_equal(r.d->members[0].key, "a"); /* not before the step is over */
  driver_fact(&r, EVENT_CANCEL_REQUESTED, true);
  driver_run(&r);
  assert_string_equal(r.d->members[0].key, "c");
  assert_int_equal(r.d->trajectory_count, 3);
  assert_int_equal(r.d->trajectory[0].stance, STANCE_CHANGED);
  assert_int_equal(r.d->trajectory[1].stance, STANCE_FAILED);
  assert_int_equal(r.d->trajectory[2].stance, STANCE_FAILED);
  driver_done(&r);
}

/* The cut attempts are booked at their reserve, the late ones at their usage. */
static void test_booking(void **state) {
  struct driver r;
  struct debate_config c = driver_config(3);
  driver_begin(&r, &c, script);
  driver_step(&r);
  driver_fact(&r, EVENT_CANCEL_REQUESTED, false);
  driver_run(&r);
  driver_expect_types(&r, "debate_start cancel_requested stop debate_end");
  driver_expect(&r, "attempt_end",
                "{\"outcome\":\"cancelled\",\"tokens\":1000,\"cost_usd_micro\":900}");
  driver_expect(&r, "debate_end", "{\"cost_usd_micro\":2700,\"tokens_in\":0}");
  assert_int_equal(r.d->committed_tokens, 3000);
  driver_done(&r);
  c = driver_config(3);
  driver_begin(&r, &c, "0p3 @a");
  driver_step(&r);
  driver_fact(&r, EVENT_CANCEL_REQUESTED, true);
  driver_run(&r);
  driver_expect(&r, "attempt_end", "{\"outcome\":\"ok\",\"tokens\":170,\"cost_usd_micro\":300}");
  driver_expect(&r, "debate_end", "{\"cost_usd_micro\":900,\"degraded\":false}");
  driver_done(&r);
}

/* The first fact decides; a second one changes nothing. */
static void test_two_facts(void **state) {
  struct driver r;
  struct debate_config c = driver_config(3);
  driver_begin(&r, &c, script);
  assert_true(driver_run_to(&r, PHASE_CRITIQUE));
  driver_step(&r);
  struct drafts drafts = {0};
  assert_int_equal(drafts_add(&drafts, EVENT_DEADLINE_REACHED, -1, NULL, debate_fact_data(NULL)),
                   STATUS_OK);
  driver_append(&r, &drafts);
  driver_fact(&r, EVENT_CANCEL_REQUESTED, false);
  driver_run(&r);
  driver_expect(&r, "debate_end", "{\"outcome\":\"deadline\",\"status\":\"completed\"}");
  driver_done(&r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_cancel),
      cmocka_unit_test(test_deadline),
      cmocka_unit_test(test_budget),
      cmocka_unit_test(test_best_so_far),
      cmocka_unit_test(test_deadline_below_the_quorum),
      cmocka_unit_test(test_cut_revision),
      cmocka_unit_test(test_booking),
      cmocka_unit_test(test_two_facts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
