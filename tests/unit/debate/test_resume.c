/* The process goes away after every event of a debate, and what comes back decides the same. */
#include "driver.h"

#include <stdio.h>
#include <stdlib.h>

static const char script[] =
    "0p1 a; 0p2 ?; 0p2 b; 0p3 !overloaded; 0p4 c; 1c1 2:0.9; 1c2 ?; 1c2 1:0.8,4:0.9; "
    "1c4 ~timeout; 1c4 2:0.5; 1r1 accept changed b; 1r2 reject held; 1r4 !refused; 2v2 ?; 2v2 ba";

static void play_whole(struct driver *r, enum rule rule) {
  struct debate_config c = driver_judged(4, 2);
  c.rule = rule;
  driver_play(r, &c, script);
}

/* Steps until the log has at least `events`, and dies there. */
static void play_with_crash(struct driver *r, enum rule rule, size_t events) {
  struct debate_config c = driver_judged(4, 2);
  c.rule = rule;
  driver_begin(r, &c, script);
  while (r->count < events && driver_step(r)) {
  }
  driver_crash(r);
  driver_run(r);
}

static int unknowns(const struct driver *r) {
  int count = 0;
  for (int i = 0; driver_event(r, "attempt_end", i); i++) {
    const json_t *data = driver_event(r, "attempt_end", i);
    if (strcmp(json_get_text(data, "outcome", ""), "unknown") != 0) continue;
    assert_int_equal(json_get_int(data, "tokens", 0), 1000);
    assert_int_equal(json_get_int(data, "cost_usd_micro", 0), 900);
    count++;
  }
  return count;
}

static void check_boundaries(enum rule rule) {
  struct driver whole;
  play_whole(&whole, rule);
  int some = 0;
  for (size_t at = 1; at <= whole.count; at++) {
    struct driver r;
    play_with_crash(&r, rule, at);
    if (!json_equal(driver_event(&whole, "consensus", 0), driver_event(&r, "consensus", 0)))
      fail_msg("a crash after event %zu gave another decision", at);
    assert_true(json_equal(json_object_get(driver_event(&whole, "debate_end", 0), "degradations"),
                           json_object_get(driver_event(&r, "debate_end", 0), "degradations")));
    int cut = unknowns(&r);
    some += cut;
    assert_int_equal(r.d->attempts, whole.d->attempts + cut);
    assert_int_equal(r.d->cost_usd_micro, whole.d->cost_usd_micro + 900 * cut);
    driver_done(&r);
  }
  assert_true(some > 20);
  driver_done(&whole);
}

static void test_every_boundary(void **state) {
  check_boundaries(RULE_MAJORITY);
  check_boundaries(RULE_JUDGE);
}

/* Downtime is not running time. */
static void test_elapsed(void **state) {
  struct driver r;
  struct debate_config c = driver_config(3);
  driver_begin(&r, &c, "");
  while (r.count < 6) driver_step(&r);
  int64_t before = r.d->last_ms - r.d->started_ms;
  driver_crash(&r);
  assert_int_equal(json_get_int(driver_event(&r, "resumed", 0), "elapsed_ms", -1), before);
  driver_crash(&r);
  driver_run(&r);
  assert_int_equal(r.d->resumes, 2);
  int64_t elapsed = json_get_int(driver_event(&r, "debate_end", 0), "elapsed_ms", -1);
  assert_true(elapsed < r.d->ended_ms - r.d->started_ms - 100000);
  assert_true(elapsed >= before);
  driver_done(&r);
}

/* The fifth attempt that a crash cut fails its turn; four do not, and are no retries. */
static void test_unknown_attempts(void **state) {
  for (int crashes = 4; crashes <= 5; crashes++) {
    struct driver r;
    struct debate_config c = driver_config(3);
    driver_begin(&r, &c, "0p2 b");
    for (int i = 0; i < crashes; i++) {
      assert_int_equal(driver_events(&r, "agent_message"), 0);
      driver_step(&r);
      driver_crash(&r);
    }
    driver_run(&r);
    assert_int_equal(unknowns(&r), 3 * crashes);
    if (crashes < 5) {
      assert_int_equal(driver_events(&r, "agent_error"), 0);
    } else {
      assert_int_equal(driver_events(&r, "agent_error"), 3);
      driver_expect(&r, "agent_error", "{\"outcome\":\"unavailable\",\"attempts\":5}");
      driver_expect(&r, "debate_end", "{\"outcome\":\"failed\"}");
    }
    driver_done(&r);
  }
}

/* A fact that the log has is not forgotten by a crash. */
static void test_a_fact_survives(void **state) {
  struct driver r;
  struct debate_config c = driver_config(3);
  struct drafts drafts = {0};
  driver_begin(&r, &c, "");
  assert_true(driver_run_to(&r, PHASE_CRITIQUE));
  driver_step(&r);
  assert_int_equal(drafts_add(&drafts, EVENT_CANCEL_REQUESTED, -1, NULL, debate_fact_data(NULL)),
                   STATUS_OK);
  driver_append(&r, &drafts);
  driver_crash(&r);
  driver_run(&r);
  driver_expect(&r, "debate_end", "{\"outcome\":\"cancelled\"}");
  driver_done(&r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_boundary),
      cmocka_unit_test(test_elapsed),
      cmocka_unit_test(test_unknown_attempts),
      cmocka_unit_test(test_a_fact_survives),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
