/* What another debate takes over from a log, and what it makes of it. */
#include "debate/branch.h"
#include "driver.h"

/* The debate that goes on from the end of a round of `parent`. */
static void begin_fork(struct driver *fork, const struct driver *parent, int round,
                       const char *script) {
  struct branch *branch = branch_create(round);
  struct debate_config config, copy;
  struct drafts inherited;
  struct error err = {0};
  assert_non_null(branch);
  for (size_t i = 0; i < parent->count; i++) {
    const struct check_line *l = &parent->lines[i].line;
    struct event ev = {l->seq,   event_kind_parse(l->type), l->ts_ms, l->round,
                       l->agent, parent->lines[i].data};
    assert_int_equal(branch_feed(branch, &ev, l->hash, &err), STATUS_OK);
  }
  assert_int_equal(branch_take(branch, "parent", &config, &inherited, &err), STATUS_OK);
  branch_destroy(branch);
  JSON_LATER json_t *start = debate_config_to_json(&config);
  assert_int_equal(debate_config_from_json(start, &copy, &err), STATUS_OK);
  driver_begin(fork, &copy, script);
  driver_append(fork, &inherited);
  debate_config_done(&config); /* whose names the drafts had */
}

static void expect_same_degradations(const struct debate *a, const struct debate *b) {
  assert_int_equal(a->degradation_count, b->degradation_count);
  for (int i = 0; i < a->degradation_count; i++) {
    assert_string_equal(a->degradations[i].agent, b->degradations[i].agent);
    assert_string_equal(a->degradations[i].turn, b->degradations[i].turn);
    assert_string_equal(a->degradations[i].cause, b->degradations[i].cause);
    assert_string_equal(a->degradations[i].detail, b->degradations[i].detail);
  }
}

/* Every degradation of what was said is one of the fork's too, and of a fork of that. */
static void test_degradations_are_inherited(void **state) {
  static const char script[] =
      "0p1 a; 0p2 @^b; 0p3 ?; 0p3 @c; 0p4 !timeout; 1c1 @2:0.9,3:0.8; 1c2 ^1:0.4; "
      "1r2 @accept changed d; 1r3 !refused; 1v1 abc; 1v2 bac; 1v3 cab";
  struct driver parent, fork, again;
  struct debate_config c = driver_config(4);
  c.rounds = 1;
  driver_play(&parent, &c, script);
  assert_int_equal(parent.d->degradation_count, 9);
  begin_fork(&fork, &parent, 1, script);
  driver_run(&fork);
  expect_same_degradations(parent.d, fork.d);
  driver_expect(&fork, "debate_end", "{\"degraded\":true}");
  begin_fork(&again, &fork, 1, script);
  driver_run(&again);
  expect_same_degradations(parent.d, again.d);
  driver_done(&again);
  driver_done(&fork);
  driver_done(&parent);
}

/* A turn of the agent's own is not marked, nor is one that is asked anew. */
static void test_fallback_is_its_turns_alone(void **state) {
  struct driver parent, fork;
  struct debate_config c = driver_config(3);
  c.rounds = 1;
  driver_play(&parent, &c, "0p1 a; 0p2 @b; 0p3 c; 1c1 @2:0.9");
  assert_non_null(debate_fallback(parent.d, "1.critique.agent-1"));
  begin_fork(&fork, &parent, 0, "1c1 2:0.9");
  driver_run(&fork);
  const struct degradation *row = debate_fallback(fork.d, "0.proposal.agent-2");
  assert_non_null(row);
  assert_string_equal(row->detail, "other other-2 answered instead");
  assert_null(debate_fallback(fork.d, "0.proposal.agent-1"));
  assert_null(debate_fallback(fork.d, "1.critique.agent-1"));
  assert_int_equal(fork.d->degradation_count, 1);
  for (int i = 0; i < 3; i++) {
    const json_t *said = driver_event(&fork, "agent_message", i);
    assert_true(json_get_bool(said, "inherited", false));
    assert_int_equal(json_object_get(said, "fallback_detail") != NULL, i == 1);
  }
  driver_done(&fork);
  driver_done(&parent);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_degradations_are_inherited),
      cmocka_unit_test(test_fallback_is_its_turns_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
