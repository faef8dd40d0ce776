/* Whole debates through the engine: every mode, every rule, and what may go wrong in between. */
#include "driver.h"

#include <stdio.h>
#include <stdlib.h>

static struct debate_config vote_of(int n, enum rule rule) {
  struct debate_config c = driver_config(n);
  c.mode = MODE_VOTE;
  c.rule = rule;
  return c;
}

static void play_vote(struct driver *r, int n, enum rule rule, const char *script) {
  struct debate_config c = vote_of(n, rule);
  driver_play(r, &c, script);
}

/* ---- rules ---- */

static void test_majority_of_three(void **state) {
  struct driver r;
  play_vote(&r, 3, RULE_MAJORITY, "0p1 a; 0p2 a; 0p3 b; 0v1 ab; 0v2 ab; 0v3 ba");
  driver_expect_types(&r,
                      "debate_start agent_message agent_message agent_message stop vote vote vote "
                      "consensus debate_end");
  driver_expect(&r, "stop", "{\"reason\":\"not_needed\"}");
  driver_expect(
      &r, "consensus",
      "{\"rule\":\"majority\",\"basis\":\"vote\",\"reached\":true,\"quorum_met\":true,"
      "\"winner\":\"p0\",\"best\":\"p0\",\"conclusion\":\"the answer is a\",\"answer_key\":\"a\","
      "\"share_ppm\":666666,\"margin_ppm\":333333,\"strength\":\"medium\",\"self_first\":3,"
      "\"supporting_agents\":[\"agent-1\",\"agent-2\"],"
      "\"dissent\":[{\"agent\":\"agent-3\",\"answer\":\"the answer is b\",\"answer_key\":\"b\"}],"
      "\"leave_one_out\":[{\"agent\":\"agent-1\",\"flips\":true},{\"agent\":\"agent-2\",\"flips\":"
      "true},{\"agent\":\"agent-3\",\"flips\":false}],"
      "\"round0\":{\"positions\":[{\"key\":\"a\",\"holders\":[\"agent-1\",\"agent-2\"],"
      "\"share_ppm\":666666},{\"key\":\"b\",\"holders\":[\"agent-3\"],\"share_ppm\":333333}],"
      "\"leader\":\"a\",\"share_ppm\":666666,\"changed_by_debate\":false,\"reason\":null},"
      "\"judge\":null,\"judge_in_panel\":false,\"judge_failed\":false}");
  driver_expect(&r, "debate_end",
                "{\"outcome\":\"consensus\",\"status\":\"completed\",\"degraded\":false,"
                "\"degradations\":[],\"stop_reason\":\"not_needed\",\"rounds\":0,\"attempts\":6,"
                "\"tokens_in\":720,\"tokens_out\":300,\"cost_usd_micro\":1800}");
  driver_done(&r);
}

static void test_two_agents(void **state) {
  struct driver r;
  play_vote(&r, 2, RULE_MAJORITY, "0p2 b; 0v1 ab; 0v2 ba");
  driver_expect(&r, "consensus",
                "{\"reached\":false,\"best\":\"p0\",\"winner\":null,\"share_ppm\":500000,"
                "\"margin_ppm\":0,\"strength\":\"tie\",\"leave_one_out\":[{\"agent\":\"agent-1\","
                "\"flips\":null},{\"agent\":\"agent-2\",\"flips\":null}]}");
  driver_expect(&r, "debate_end", "{\"outcome\":\"no_consensus\",\"status\":\"completed\"}");
  driver_done(&r);
  play_vote(&r, 2, RULE_UNANIMOUS, "0p2 b; 0v1 ab; 0v2 ab");
  driver_expect(&r, "consensus",
                "{\"reached\":true,\"winner\":\"p0\",\"strength\":\"unanimous\",\"self_first\":1,"
                "\"supporting_agents\":[\"agent-1\",\"agent-2\"],\"dissent\":[]}");
  driver_done(&r);
  /* One ballot of two is no quorum, and that degrades. */
  play_vote(&r, 2, RULE_ANY, "0p2 b; 0v1 ab; 0v2 !timeout");
  driver_expect(&r, "consensus",
                "{\"reached\":false,\"quorum_met\":false,\"share_ppm\":null,\"strength\":\"\"}");
  driver_expect(
      &r, "debate_end",
      "{\"outcome\":\"no_consensus\",\"degraded\":true,\"degradations\":["
      "{\"agent\":\"agent-2\",\"turn\":\"0.ballot.agent-2\",\"cause\":\"timeout\",\"detail\":"
      "\"the provider's own words\"},{\"agent\":\"\",\"turn\":\"\",\"cause\":\"ballot_quorum\","
      "\"detail\":\"too few valid ballots for a decision\"}]}");
  driver_done(&r);
}

static void test_four_agents(void **state) {
  struct driver r;
  /* The first choices name a, the rankings c: 5 of 8 against 4. */
  const char *script = "0p2 a; 0p3 b; 0p4 c; 0v1 acb; 0v2 acb; 0v3 bca; 0v4 cba";
  play_vote(&r, 4, RULE_WEIGHTED, script);
  driver_expect(&r, "consensus",
                "{\"reached\":true,\"winner\":\"p2\",\"share_ppm\":250000,\"margin_ppm\":125000,"
                "\"strength\":\"weak\"}");
  driver_done(&r);
  play_vote(&r, 4, RULE_ANY, script);
  driver_expect(&r, "consensus",
                "{\"reached\":true,\"winner\":\"p0\",\"share_ppm\":500000,\"margin_ppm\":250000}");
  driver_done(&r);
  struct debate_config c = vote_of(4, RULE_MAJORITY);
  c.members[0].weight_ppm = 1500000;
  c.threshold_ppm = 500000;
  driver_play(&r, &c, "0p2 b; 0p3 a; 0p4 b; 0v1 ab; 0v2 ba; 0v3 ab; 0v4 ba");
  driver_expect(&r, "consensus",
                "{\"reached\":true,\"winner\":\"p0\",\"share_ppm\":555555,\"margin_ppm\":111111}");
  driver_done(&r);
}

/* Under each rule: two of three hold the one position that is left, the third has no proposal. */
static void test_one_position_under_each_rule(void **state) {
  static const struct {
    enum rule rule;
    const char *consensus, *outcome;
  } cases[] = {
      {RULE_MAJORITY, "{\"reached\":true,\"share_ppm\":1000000,\"basis\":\"holders\"}",
       "consensus"},
      {RULE_SUPERMAJORITY, "{\"reached\":true,\"share_ppm\":666666}", "consensus"},
      {RULE_UNANIMOUS, "{\"reached\":false,\"best\":\"p0\",\"share_ppm\":666666}", "no_consensus"},
      {RULE_WEIGHTED, "{\"reached\":true,\"share_ppm\":1000000}", "consensus"},
      {RULE_ANY, "{\"reached\":true,\"share_ppm\":1000000}", "consensus"},
      {RULE_JUDGE,
       "{\"reached\":true,\"share_ppm\":666666,\"margin_ppm\":null,\"strength\":\"\","
       "\"basis\":\"holders\",\"judge\":null}",
       "consensus"},
      {RULE_NONE,
       "{\"reached\":false,\"best\":null,\"conclusion\":null,\"share_ppm\":null,"
       "\"margin_ppm\":null,\"basis\":\"none\"}",
       "no_consensus"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct driver r;
    char end[64];
    struct debate_config c = driver_judged(3, 1);
    c.rule = cases[i].rule;
    driver_play(&r, &c, "0p3 !refused; 1c1 2:0.9; 1r2 accept held");
    assert_int_equal(driver_events(&r, "vote"), 0);
    driver_expect(&r, "stop", "{\"reason\":\"one_position\"}");
    driver_expect(&r, "consensus", cases[i].consensus);
    driver_expect(
        &r, "consensus",
        "{\"leave_one_out\":[{\"agent\":\"agent-1\",\"flips\":null},"
        "{\"agent\":\"agent-2\",\"flips\":null},{\"agent\":\"agent-3\",\"flips\":null}]}");
    snprintf(end, sizeof end, "{\"outcome\":\"%s\",\"degraded\":true}", cases[i].outcome);
    driver_expect(&r, "debate_end", end);
    driver_done(&r);
  }
}

static void test_a_missing_ballot_is_no_yes(void **state) {
  struct driver r;
  play_vote(&r, 3, RULE_MAJORITY, "0p2 b; 0p3 b; 0v1 !refused; 0v2 ba; 0v3 ba");
  driver_expect(
      &r, "consensus",
      "{\"reached\":true,\"winner\":\"p1\",\"share_ppm\":1000000,\"strength\":\"strong\"}");
  driver_expect(&r, "debate_end", "{\"degraded\":true}");
  driver_done(&r);
  play_vote(&r, 3, RULE_UNANIMOUS, "0p2 b; 0p3 b; 0v1 !refused; 0v2 ba; 0v3 ba");
  driver_expect(&r, "consensus", "{\"reached\":false,\"best\":\"p1\",\"share_ppm\":666666}");
  driver_done(&r);
}

/* ---- modes ---- */

static void test_single(void **state) {
  struct driver r;
  struct debate_config c = driver_config(1);
  c.mode = MODE_SINGLE;
  driver_play(&r, &c, "0p1 a");
  driver_expect_types(&r, "debate_start agent_message stop consensus debate_end");
  driver_expect(&r, "consensus",
                "{\"reached\":false,\"best\":\"p0\",\"winner\":null,\"conclusion\":"
                "\"the answer is a\",\"share_ppm\":null,\"margin_ppm\":null,\"basis\":\"none\"}");
  driver_expect(&r, "debate_end", "{\"outcome\":\"no_consensus\",\"status\":\"completed\"}");
  driver_done(&r);
  c = driver_config(1);
  c.mode = MODE_SINGLE;
  driver_play(&r, &c, "0p1 !auth");
  driver_expect_types(&r, "debate_start agent_error error debate_end");
  driver_done(&r);
}

static void test_self_consistency(void **state) {
  struct driver r;
  struct debate_config c = driver_config(5);
  c.mode = MODE_SELF_CONSISTENCY;
  driver_play(&r, &c, "0p1 a; 0p2 b; 0p3 b; 0p4 a; 0p5 c");
  driver_expect(&r, "consensus",
                "{\"basis\":\"samples\",\"reached\":true,\"winner\":\"p0\",\"share_ppm\":400000,"
                "\"margin_ppm\":0,\"strength\":\"weak\",\"rule\":\"majority\"}");
  driver_expect(&r, "debate_end", "{\"outcome\":\"consensus\"}");
  driver_done(&r);
  /* Without sample 1 there is a tie of samples 2 and 3, which goes to b. */
  c = driver_config(3);
  c.mode = MODE_SELF_CONSISTENCY;
  c.fast_path = true;
  driver_play(&r, &c, "0p1 a; 0p2 b; 0p3 a");
  driver_expect(
      &r, "consensus",
      "{\"winner\":\"p0\",\"leave_one_out\":[{\"agent\":\"agent-1\",\"flips\":true},"
      "{\"agent\":\"agent-2\",\"flips\":false},{\"agent\":\"agent-3\",\"flips\":false}]}");
  driver_done(&r);
  /* No quorum is asked for. */
  c = driver_config(5);
  c.mode = MODE_SELF_CONSISTENCY;
  c.fast_path = true;
  driver_play(&r, &c, "0p1 !timeout; 0p2 !timeout; 0p3 b; 0p4 !timeout; 0p5 !empty");
  driver_expect(&r, "consensus", "{\"reached\":true,\"answer_key\":\"b\"}");
  driver_expect(&r, "debate_end", "{\"outcome\":\"consensus\",\"degraded\":true}");
  driver_done(&r);
}

static void test_none_reports_all(void **state) {
  struct driver r;
  struct debate_config c = vote_of(3, RULE_NONE);
  c.fast_path = true;
  driver_play(&r, &c, "");
  driver_expect_types(
      &r, "debate_start agent_message agent_message agent_message stop consensus debate_end");
  driver_expect(&r, "debate_end", "{\"outcome\":\"no_consensus\"}");
  assert_int_equal(json_array_size(json_object_get(driver_event(&r, "consensus", 0), "positions")),
                   1);
  driver_done(&r);
}

static void test_no_rounds(void **state) {
  struct driver r;
  struct debate_config c = driver_config(3);
  c.rounds = 0;
  driver_play(&r, &c, "0p2 b; 0p3 b; 0v1 ba");
  driver_expect(&r, "stop", "{\"reason\":\"rounds_done\"}");
  driver_expect(&r, "consensus", "{\"reached\":true,\"winner\":\"p1\",\"strength\":\"unanimous\"}");
  driver_done(&r);
}

static void test_fast_path(void **state) {
  struct driver r;
  struct debate_config c = driver_config(3);
  c.fast_path = true;
  driver_play(&r, &c, "0p1 b; 0p2 b; 0p3 b");
  driver_expect(&r, "stop", "{\"reason\":\"agreement\"}");
  driver_expect(&r, "consensus",
                "{\"basis\":\"holders\",\"reached\":true,\"share_ppm\":1000000,"
                "\"strength\":\"unanimous\"}");
  driver_expect(&r, "debate_end", "{\"outcome\":\"fast_path\",\"status\":\"completed\"}");
  driver_done(&r);
  /* Not with a member missing, not without keys, not with a differing one. */
  static const char *const scripts[] = {"0p3 !timeout", "0p1 =same; 0p2 =same; 0p3 =same", "0p3 b"};
  for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
    c = driver_config(3);
    c.fast_path = true;
    driver_play(&r, &c, scripts[i]);
    assert_int_equal(driver_events(&r, "round_start"), 1);
    assert_string_not_equal(json_get_text(driver_event(&r, "debate_end", 0), "outcome", ""),
                            "fast_path");
    driver_done(&r);
  }
}

/* ---- rounds ---- */

static void test_a_round_that_changes_a_mind(void **state) {
  struct driver r;
  struct debate_config c = driver_config(3);
  driver_play(&r, &c,
              "0p1 a; 0p2 a; 0p3 b; 1c1 3:0.9; 1c2 3:0.4; 1c3 1:0.2; 1r3 accept changed a; "
              "2c1 none");
  driver_expect_types(&r,
                      "debate_start agent_message agent_message agent_message round_start "
                      "critique critique critique critique critique critique agent_message stop "
                      "consensus debate_end");
  driver_expect(&r, "round_start",
                "{\"phase\":\"critique\",\"agents\":[\"agent-1\",\"agent-2\",\"agent-3\"]}");
  driver_expect(&r, "agent_message",
                "{\"kind\":\"revision\",\"turn\":\"1.revision.agent-3\",\"stance\":\"changed\","
                "\"changed\":true,\"because\":\"1.0.2.0\",\"answer\":\"the answer is a\","
                "\"responses\":[{\"item\":\"1.0.2.0\",\"accept\":true,\"reason\":\"r\"},"
                "{\"item\":\"1.1.2.0\",\"accept\":true,\"reason\":\"r\"}]}");
  driver_expect(&r, "stop", "{\"reason\":\"one_position\"}");
  driver_expect(&r, "consensus",
                "{\"reached\":true,\"strength\":\"unanimous\",\"round0\":{\"positions\":["
                "{\"key\":\"a\",\"holders\":[\"agent-1\",\"agent-2\"],\"share_ppm\":666666},"
                "{\"key\":\"b\",\"holders\":[\"agent-3\"],\"share_ppm\":333333}],\"leader\":\"a\","
                "\"share_ppm\":666666,\"changed_by_debate\":false,\"reason\":null}}");
  assert_int_equal(r.d->members[2].key_since, 1);
  assert_int_equal(r.d->trajectory_count, 1);
  assert_int_equal(r.d->trajectory[0].stance, STANCE_CHANGED);
  driver_done(&r);
}

static void test_no_change_stops(void **state) {
  struct driver r;
  struct debate_config c = driver_config(3);
  /* agent-3 words the same answer anew: no change, but a newer text. */
  driver_play(&r, &c, "0p3 b; 1c1 3:0.9; 1r3 reject changed b; 0v3 ab");
  driver_expect(&r, "stop", "{\"reason\":\"no_change\"}");
  driver_expect(&r, "agent_message", "{\"stance\":\"changed\",\"changed\":false,\"because\":null}");
  assert_int_equal(r.d->trajectory[0].stance, STANCE_HELD);
  assert_int_equal(r.d->members[2].key_since, 0);
  driver_done(&r);
}

/* Held is held: the old text and key stay, whatever the reply says. */
static void test_held_keeps_the_answer(void **state) {
  struct driver r;
  struct debate_config c = driver_config(2);
  driver_play(&r, &c, "0p2 b; 1c1 2:0.9; 1r2 reject held");
  driver_expect(&r, "agent_message",
                "{\"answer\":\"the answer is b\",\"answer_key\":\"b\",\"stance\":\"held\","
                "\"changed\":false}");
  assert_string_equal(r.d->members[1].key, "b");
  driver_done(&r);
}

static void test_held_longest_breaks_the_tie(void **state) {
  struct driver r;
  struct debate_config c = driver_config(2);
  c.rule = RULE_ANY;
  c.rounds = 1;
  /* agent-1 moves to c in round 1; agent-2 has held b since round 0. */
  driver_play(&r, &c, "0p1 a; 0p2 b; 1c2 1:0.9; 1r1 accept changed c; 1v1 ab; 1v2 ba");
  driver_expect(&r, "consensus", "{\"reached\":true,\"winner\":\"p1\",\"answer_key\":\"b\"}");
  driver_done(&r);
}

/* Who comes back to an answer has not held it in between. */
static void test_held_without_a_break(void **state) {
  struct driver r;
  struct debate_config c = driver_config(3);
  driver_play(&r, &c,
              "0p2 b; 0p3 c; 1c2 1:0.9; 1r1 accept changed d; 2c2 1:0.9; 2r1 accept changed a");
  assert_int_equal(r.d->round, 2);
  assert_int_equal(r.d->members[0].key_since, 2);
  driver_expect(&r, "stop", "{\"reason\":\"rounds_done\"}");
  driver_done(&r);
}

static void test_open_items_stay_open(void **state) {
  struct driver r;
  struct debate_config c = driver_config(3);
  /* agent-2's revision fails, so its item of round 1 is asked again in round 2; agent-3's item is
   * below what asks for a revision. */
  driver_play(&r, &c,
              "0p2 b; 0p3 c; 1c1 2:0.9,3:0.29; 1c2 1:0.5; 1r1 accept changed d; 1r2 !timeout; "
              "2r2 accept held");
  assert_int_equal(driver_events(&r, "round_start"), 2);
  assert_int_equal(r.d->trajectory_count, 3);
  assert_int_equal(r.d->trajectory[1].stance, STANCE_FAILED);
  assert_int_equal(r.d->trajectory[2].stance, STANCE_HELD);
  assert_int_equal(r.d->trajectory[2].round, 2);
  assert_string_equal(r.d->members[1].key, "b");
  driver_expect(&r, "agent_message",
                "{\"turn\":\"2.revision.agent-2\",\"responses\":[{\"item\":\"1.0.1.0\",\"accept\":"
                "true,\"reason\":\"r\"}]}");
  driver_done(&r);
}

/* Answers without a key are positions of their own, and round 0 cannot be counted. */
static void test_answers_without_keys(void **state) {
  struct driver r;
  play_vote(&r, 3, RULE_MAJORITY, "0p1 =x; 0p2 =x; 0p3 =x; 0v1 abc; 0v2 abc; 0v3 abc");
  driver_expect(&r, "consensus",
                "{\"reached\":true,\"winner\":\"p0\",\"answer_key\":\"\",\"round0\":{\"positions\":"
                "[],\"leader\":null,\"share_ppm\":null,\"changed_by_debate\":null,\"reason\":"
                "\"answers without a key cannot be counted\"}}");
  driver_done(&r);
}

/* ---- the judge ---- */

static void test_judge(void **state) {
  struct driver r;
  struct debate_config c = driver_judged(3, 1);
  driver_play(&r, &c, "0p3 b; 1j1 b");
  driver_expect(&r, "consensus",
                "{\"rule\":\"judge\",\"basis\":\"judge\",\"reached\":true,\"winner\":\"p1\","
                "\"share_ppm\":333333,\"margin_ppm\":null,\"strength\":\"\",\"judge\":\"judge-1\","
                "\"judge_in_panel\":false,\"judge_failed\":false,\"self_first\":0,"
                "\"supporting_agents\":[\"agent-3\"]}");
  driver_expect(&r, "debate_end", "{\"outcome\":\"consensus\",\"degraded\":false}");
  assert_int_equal(driver_events(&r, "vote"), 0);
  driver_done(&r);
}

static void test_judge_failover_then_vote(void **state) {
  struct driver r;
  struct debate_config c = driver_judged(3, 3);
  c.judges[1].in_panel = true;
  driver_play(&r, &c, "0p3 b; 1j1 !overloaded; 1j2 b");
  driver_expect(&r, "consensus",
                "{\"basis\":\"judge\",\"winner\":\"p1\",\"judge\":\"judge-2\",\"judge_in_panel\":"
                "true,\"judge_failed\":false}");
  driver_expect(&r, "debate_end", "{\"degraded\":true}");
  driver_done(&r);
  c = driver_judged(3, 3);
  driver_play(&r, &c, "0p3 b; 1j1 !overloaded; 1j2 ?; 1j2 ?; 1j3 !refused; 1v3 ba");
  driver_expect(&r, "consensus",
                "{\"rule\":\"judge\",\"basis\":\"vote\",\"reached\":true,\"winner\":\"p0\","
                "\"share_ppm\":666666,\"judge\":null,\"judge_failed\":true}");
  assert_int_equal(driver_events(&r, "vote"), 3);
  assert_int_equal(driver_events(&r, "agent_error"), 3);
  driver_done(&r);
}

static void test_two_without_an_outsider_vote(void **state) {
  struct driver r;
  struct debate_config c = driver_judged(2, 0);
  driver_play(&r, &c, "0p2 b; 1v1 ab; 1v2 ab");
  driver_expect(&r, "consensus",
                "{\"rule\":\"judge\",\"basis\":\"vote\",\"reached\":true,\"winner\":\"p0\","
                "\"judge_failed\":false}");
  driver_expect(&r, "debate_end", "{\"degraded\":false}");
  driver_done(&r);
}

/* ---- what goes wrong ---- */

static void test_too_few_proposals(void **state) {
  struct driver r;
  struct debate_config c = driver_config(4);
  driver_play(&r, &c, "0p1 !auth; 0p2 a; 0p3 ?; 0p3 ?; 0p4 a");
  driver_expect(&r, "error",
                "{\"code\":\"QUORUM_NOT_REACHED\",\"message\":\"2 of 4 agents answered, 3 are "
                "needed\"}");
  const json_t *causes = json_object_get(driver_event(&r, "error", 0), "causes");
  assert_int_equal(json_array_size(causes), 2);
  assert_string_equal(json_get_text(json_array_get(causes, 0), "outcome", ""), "auth");
  assert_string_equal(json_get_text(json_array_get(causes, 0), "detail", ""),
                      "the provider's own words");
  assert_int_equal(json_get_int(json_array_get(causes, 0), "upstream_status", 0), 503);
  assert_string_equal(json_get_text(json_array_get(causes, 1), "outcome", ""), "malformed");
  driver_expect(&r, "debate_end",
                "{\"outcome\":\"failed\",\"status\":\"failed\",\"degraded\":true,"
                "\"stop_reason\":\"\"}");
  assert_int_equal(driver_events(&r, "consensus"), 0);
  driver_done(&r);
}

static void test_a_lost_agent_is_asked_no_more(void **state) {
  struct driver r;
  struct debate_config c = driver_config(4);
  driver_play(&r, &c, "0p2 !quota; 0p3 b; 0p4 c; 1v4 abc");
  for (size_t i = 0; i < r.count; i++) {
    const struct check_line *l = &r.lines[i].line;
    if (l->round > 0 && l->agent) assert_string_not_equal(l->agent, "agent-2");
  }
  driver_expect(&r, "round_start", "{\"agents\":[\"agent-1\",\"agent-3\",\"agent-4\"]}");
  driver_expect(&r, "consensus",
                "{\"reached\":true,\"share_ppm\":666666,\"supporting_agents\":[\"agent-1\","
                "\"agent-4\"],\"dissent\":[{\"agent\":\"agent-3\",\"answer\":\"the answer is b\","
                "\"answer_key\":\"b\"}]}");
  driver_done(&r);
}

static void test_repair_and_marks(void **state) {
  struct driver r;
  play_vote(&r, 3, RULE_MAJORITY,
            "0p1 ?; 0p1 a; 0p2 ^a; 0p3 @b; 0v1 ?; 0v1 &ab; 0v2 ?; 0v2 ~timeout; 0v2 ab");
  const json_t *end = driver_event(&r, "debate_end", 0);
  static const char *const want[][2] = {{"0.proposal.agent-1", "repaired"},
                                        {"0.proposal.agent-2", "truncated"},
                                        {"0.proposal.agent-3", "fallback"},
                                        {"0.ballot.agent-1", "repaired"},
                                        {"0.ballot.agent-2", "repaired"}};
  const json_t *rows = json_object_get(end, "degradations");
  assert_int_equal(json_array_size(rows), 5);
  for (size_t i = 0; i < 5; i++) {
    assert_string_equal(json_get_text(json_array_get(rows, i), "turn", ""), want[i][0]);
    assert_string_equal(json_get_text(json_array_get(rows, i), "cause", ""), want[i][1]);
  }
  const json_t *first = driver_event(&r, "attempt_end", 0);
  assert_string_equal(json_get_text(first, "outcome", ""), "malformed");
  assert_string_equal(json_get_text(first, "reply", ""), "I am sorry, I cannot say.");
  assert_true(json_get_bool(driver_event(&r, "attempt_start", 3), "repair", false));
  driver_done(&r);
}

/* A strict reading first: an answer within prose is not taken before a repair was asked for. */
static void test_prose_is_no_answer(void **state) {
  struct driver r;
  struct debate_config c = driver_config(2);
  driver_play(&r, &c, "0p1 &a; 0p1 ?; 0p2 b");
  assert_int_equal(driver_events(&r, "agent_message"), 1);
  driver_expect(&r, "agent_error", "{\"outcome\":\"malformed\",\"attempts\":2}");
  driver_done(&r);
}

static void test_truncated_critic(void **state) {
  struct driver r;
  struct debate_config c = driver_config(3);
  driver_play(&r, &c, "0p3 b; 1c1 ^3:0.8; 1r3 accept held");
  const json_t *rows = json_object_get(driver_event(&r, "debate_end", 0), "degradations");
  assert_int_equal(json_array_size(rows), 1); /* not one a target */
  assert_string_equal(json_get_text(json_array_get(rows, 0), "cause", ""), "truncated");
  assert_int_equal(driver_events(&r, "agent_message"), 4);
  driver_done(&r);
}

/* Degradations stand in panel order, whoever came first. */
static void test_order_of_arrival(void **state) {
  static const char script[] =
      "0p1 ^a; 0p2 @b; 0p3 !timeout; 0p4 c; 1c1 2:0.9,4:0.8; 1c2 1:0.7; 1c4 !refused; 1r1 accept "
      "changed b; 1r2 reject held; 1r4 !timeout; 1v4 ?; 1v4 !empty";
  struct driver a;
  struct driver b;
  struct debate_config c = driver_config(4);
  driver_play(&a, &c, script);
  c = driver_config(4);
  driver_begin(&b, &c, script);
  b.backwards = true;
  driver_run(&b);
  assert_true(json_equal(driver_event(&a, "consensus", 0), driver_event(&b, "consensus", 0)));
  assert_true(json_equal(json_object_get(driver_event(&a, "debate_end", 0), "degradations"),
                         json_object_get(driver_event(&b, "debate_end", 0), "degradations")));
  assert_int_equal(a.d->trajectory_count, b.d->trajectory_count);
  assert_memory_equal(a.d->trajectory, b.d->trajectory,
                      (size_t)a.d->trajectory_count * sizeof *a.d->trajectory);
  for (int i = 0; i < a.d->item_count; i++) assert_string_equal(a.d->items[i].id, b.d->items[i].id);
  driver_done(&a);
  driver_done(&b);
}

/* ---- money and tokens ---- */

static void test_sums(void **state) {
  struct driver r;
  struct debate_config c = vote_of(2, RULE_MAJORITY);
  /* Six attempts: four answered, two refused without usage, which cost nothing. */
  driver_play(&r, &c, "0p1 ~rate_limited; 0p1 a; 0p2 b; 0v1 ~overloaded; 0v1 ab");
  driver_expect(&r, "debate_end",
                "{\"attempts\":6,\"tokens_in\":480,\"tokens_out\":200,\"cost_usd_micro\":1200}");
  assert_int_equal(r.d->committed_tokens, 4 * 170);
  assert_int_equal(r.d->committed_usd_micro, 1200);
  driver_done(&r);
  /* Without prices nothing is known. */
  c = vote_of(2, RULE_MAJORITY);
  driver_begin(&r, &c, "0p2 b");
  r.reserved_usd_micro = r.cost_usd_micro = -1;
  driver_run(&r);
  driver_expect(&r, "debate_end", "{\"cost_usd_micro\":null}");
  driver_done(&r);
}

/* A vendor's figures are its own; the log's stay integers that it can hold. */
static void test_absurd_usage(void **state) {
  struct driver r;
  struct debate_config c = driver_config(2);
  struct drafts drafts = {0};
  driver_begin(&r, &c, "");
  driver_step(&r);
  struct attempt_result result = {.outcome = OUTCOME_OK,
                                  .final = true,
                                  .text = BYTES_LITERAL("{\"answer\":\"x\",\"answer_key\":\"x\","
                                                        "\"key_claims\":[],\"confidence\":0.5}"),
                                  .provider = "\xff\xfe",
                                  .model = "m",
                                  .detail = "\x80",
                                  .request_id = "",
                                  .input = INT64_MAX,
                                  .cache_read = INT64_MAX,
                                  .cache_write = INT64_MAX,
                                  .output = INT64_MAX,
                                  .reasoning = INT64_MAX,
                                  .booked_tokens = INT64_MAX,
                                  .booked_usd_micro = INT64_MAX,
                                  .ttft_ms = INT64_MAX,
                                  .latency_ms = INT64_MAX};
  assert_int_equal(debate_answer(r.d, 0, &result, &drafts), STATUS_OK);
  r.flights[0].used = false;
  driver_append(&r, &drafts);
  assert_true(r.d->members[0].valid);
  driver_run(&r);
  driver_done(&r);
}

/* ---- memory ---- */

static long allocations_left;

static void *failing_malloc(size_t size) {
  return allocations_left-- == 0 ? NULL : malloc(size);
}

/* One allocation of the JSON library fails: an error or the same event, never another one. */
static void check_every_allocation(struct driver *r, const char *script) {
  struct driver_flight *f = NULL;
  for (int i = 0; i < DEBATE_MEMBERS_MAX && !f; i++)
    if (r->flights[i].used) f = &r->flights[i];
  (void)script;
  struct commands whole;
  assert_int_equal(debate_next(r->d, &whole), STATUS_OK);
  bool failed = true;
  for (long n = 0; failed; n++) {
    struct commands commands;
    allocations_left = n;
    json_set_alloc_funcs(failing_malloc, free);
    enum status s = debate_next(r->d, &commands);
    json_set_alloc_funcs(malloc, free);
    failed = allocations_left < 0;
    if (s) {
      assert_int_equal(s, STATUS_NOMEM);
      continue;
    }
    assert_int_equal(commands.append.count, whole.append.count);
    if (commands.append.count)
      assert_true(json_equal(commands.append.items[0].data, whole.append.items[0].data));
    commands_done(&commands);
  }
  commands_done(&whole);
}

static void test_memory_of_the_engines_events(void **state) {
  struct driver r;
  struct debate_config c = driver_config(3);
  driver_begin(&r, &c, "0p3 b; 1c1 3:0.9; 1r3 reject held");
  do {
    check_every_allocation(&r, NULL);
  } while (driver_step(&r));
  driver_done(&r);
  c = driver_config(3);
  driver_begin(&r, &c, "0p1 !auth; 0p2 !auth");
  do {
    check_every_allocation(&r, NULL);
  } while (driver_step(&r));
  driver_done(&r);
}

/* The same for what an attempt adds: critique, revision, ballot, judgment, proposal, failure. */
static void test_memory_of_answers(void **state) {
  static const struct {
    enum phase phase;
    const char *text;
  } cases[] = {
      {PHASE_PROPOSE,
       "{\"answer\":\"x\",\"answer_key\":\"x\",\"key_claims\":[\"c\"],\"confidence\":0.5}"},
      {PHASE_CRITIQUE,
       "{\"items\":[{\"target\":\"Response A\",\"claim\":\"c\",\"problem\":\"p\",\"severity\":0.9,"
       "\"why\":\"w\",\"fix\":\"f\"}]}"},
      {PHASE_REVISE,
       "{\"stance\":\"changed\",\"answer\":\"y\",\"answer_key\":\"y\",\"key_claims\":[],"
       "\"confidence\":0.5,\"responses\":[{\"item\":\"Item 1\",\"verdict\":\"accept\",\"reason\":"
       "\"r\"}]}"},
      {PHASE_VOTE,
       "{\"ranking\":[\"Response A\",\"Response B\",\"Response C\"],\"confidence\":0.5,"
       "\"reason\":\"r\"}"},
      {PHASE_VOTE, "prose"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct driver r;
    struct debate_config c = driver_config(3);
    driver_begin(&r, &c, "0p2 b; 0p3 c; 1c1 3:0.9,2:0.9; 1c2 1:0.9; 1r1 accept held");
    assert_true(driver_run_to(&r, cases[i].phase));
    driver_step(&r);
    struct attempt_result result = {.outcome = OUTCOME_OK,
                                    .final = true,
                                    .text = bytes_of(cases[i].text),
                                    .provider = "acme",
                                    .model = "acme-1",
                                    .detail = "",
                                    .request_id = ""};
    struct drafts whole = {0};
    int turn = r.flights[0].turn;
    assert_int_equal(debate_answer(r.d, turn, &result, &whole), STATUS_OK);
    bool failed = true;
    for (long n = 0; failed; n++) {
      struct drafts drafts = {0};
      allocations_left = n;
      json_set_alloc_funcs(failing_malloc, free);
      enum status s = debate_answer(r.d, turn, &result, &drafts);
      json_set_alloc_funcs(malloc, free);
      failed = allocations_left < 0;
      if (s) {
        assert_int_equal(drafts.count, 0);
        continue;
      }
      /* A reply that could not be read for want of memory counts as malformed at worst. */
      if (drafts.count == whole.count)
        for (size_t k = 1; k < whole.count; k++)
          assert_true(json_equal(drafts.items[k].data, whole.items[k].data));
      drafts_done(&drafts);
    }
    drafts_done(&whole);
    driver_run(&r);
    driver_done(&r);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_majority_of_three),
      cmocka_unit_test(test_two_agents),
      cmocka_unit_test(test_four_agents),
      cmocka_unit_test(test_one_position_under_each_rule),
      cmocka_unit_test(test_a_missing_ballot_is_no_yes),
      cmocka_unit_test(test_single),
      cmocka_unit_test(test_self_consistency),
      cmocka_unit_test(test_none_reports_all),
      cmocka_unit_test(test_no_rounds),
      cmocka_unit_test(test_fast_path),
      cmocka_unit_test(test_a_round_that_changes_a_mind),
      cmocka_unit_test(test_no_change_stops),
      cmocka_unit_test(test_held_keeps_the_answer),
      cmocka_unit_test(test_held_longest_breaks_the_tie),
      cmocka_unit_test(test_held_without_a_break),
      cmocka_unit_test(test_open_items_stay_open),
      cmocka_unit_test(test_answers_without_keys),
      cmocka_unit_test(test_judge),
      cmocka_unit_test(test_judge_failover_then_vote),
      cmocka_unit_test(test_two_without_an_outsider_vote),
      cmocka_unit_test(test_too_few_proposals),
      cmocka_unit_test(test_a_lost_agent_is_asked_no_more),
      cmocka_unit_test(test_repair_and_marks),
      cmocka_unit_test(test_prose_is_no_answer),
      cmocka_unit_test(test_truncated_critic),
      cmocka_unit_test(test_order_of_arrival),
      cmocka_unit_test(test_sums),
      cmocka_unit_test(test_absurd_usage),
      cmocka_unit_test(test_memory_of_the_engines_events),
      cmocka_unit_test(test_memory_of_answers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
