/* The figures of a debate's course against golden logs, whose scripts are in test_golden_logs.c. */
#include "debate/course.h"

#include "golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

typedef json_t *course_fn(const struct debate *debate, const char *id);

static json_t *of_log(const char *name, course_fn *view) {
  char path[512];
  snprintf(path, sizeof path, "%s/logs/v1/%s.jsonl", getenv("ARAGORA_TEST_DATA"), name);
  struct check *check = check_create();
  assert_non_null(check);
  golden_refold(path, check);
  json_t *out = view(check_state(check), "d");
  check_destroy(check);
  assert_non_null(out);
  return out;
}

/* The answer has these members with these values, whatever else it has. */
static void expect(const char *name, course_fn *view, const char *want) {
  JSON_LATER json_t *have = of_log(name, view);
  JSON_LATER json_t *wanted = json_loads(want, 0, NULL);
  if (!wanted) fail_msg("%s is no JSON", want);
  const char *key;
  json_t *value;
  json_object_foreach(wanted, key, value) {
    const json_t *is = json_object_get(have, key);
    if (is && json_equal(is, value)) continue;
    FREE_LATER char *text = is ? json_dumps(is, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15)) : NULL;
    fail_msg("%s: %s is %s", name, key, text ? text : "absent");
  }
}

static void convergence_counts_holders_by_round(void **state) {
  expect("majority", course_convergence,
         "{\"debate_id\": \"d\", \"convergence_reached\": false, \"convergence_round\": null,"
         " \"convergence_status\": \"refining\", \"similarity_score\": 0.5,"
         " \"convergence_similarity\": 0.5, \"consensus_reached\": true, \"share\": 0.764705,"
         " \"stop_reason\": \"no_change\", \"rounds_used\": 2,"
         " \"key_agreements\": [\"the answer is a\"],"
         " \"remaining_disagreements\": [\"the answer is c\", \"in other words\"],"
         " \"rounds\": [{\"round\": 0, \"positions\": 4, \"share\": 0.25, \"changed\": 0},"
         "  {\"round\": 1, \"positions\": 3, \"share\": 0.5, \"changed\": 2},"
         "  {\"round\": 2, \"positions\": 3, \"share\": 0.5, \"changed\": 0}]}");
  expect("fast_path", course_convergence,
         "{\"convergence_reached\": true, \"convergence_round\": 0,"
         " \"convergence_status\": \"converged\", \"similarity_score\": 1.0,"
         " \"remaining_disagreements\": [], \"stop_reason\": \"agreement\"}");
  expect("failed", course_convergence,
         "{\"convergence_reached\": false, \"convergence_round\": null, \"share\": null,"
         " \"key_agreements\": []}");
}

static void an_impasse_is_an_end_without_consensus_where_nobody_moved(void **state) {
  expect("degraded", course_impasse,
         "{\"has_impasse\": true, \"is_impasse\": true, \"impasse_round\": 1, \"positions\": 2,"
         " \"stop_reason\": \"no_change\", \"suggested_resolution\": null}");
  expect("majority", course_impasse,
         "{\"has_impasse\": false, \"is_impasse\": false, \"impasse_round\": null,"
         " \"positions\": 3,"
         " \"indicators\": {\"repeated_critiques\": true, \"no_convergence\": true,"
         "  \"high_severity_critiques\": true}}");
  expect("none", course_impasse, "{\"has_impasse\": false, \"impasse_round\": null}");
  expect("fast_path", course_impasse,
         "{\"has_impasse\": false, \"disagreement_points\": [],"
         " \"indicators\": {\"repeated_critiques\": false, \"no_convergence\": false,"
         "  \"high_severity_critiques\": false}}");
}

static void a_summary_says_what_the_log_says(void **state) {
  expect("majority", course_summary,
         "{\"task\": \"Which one is it?\", \"consensus_reached\": true, \"confidence\": 0.764705,"
         " \"conclusion\": \"the answer is a\", \"key_points\": [\"because\"],"
         " \"summary\": \"consensus by majority with a share of 0.764705: 4 agents, 2 rounds\\n\\n"
         "the answer is a\"}");
  expect("failed", course_summary,
         "{\"consensus_reached\": false, \"conclusion\": null, \"key_points\": [],"
         " \"confidence\": null, \"summary\": \"failed: 3 agents, 0 rounds\"}");
}

static void follow_ups_are_what_was_left_open(void **state) {
  JSON_LATER json_t *v = of_log("majority", course_followups);
  const json_t *rows = json_object_get(v, "suggestions");
  assert_int_equal(json_array_size(rows), 3);
  assert_int_equal(json_get_int(v, "count", -1), 3);
  assert_string_equal(json_get_text(json_array_get(rows, 1), "crux", ""), "the answer is c");
  assert_string_equal(json_get_text(json_array_get(rows, 2), "crux", ""), "in other words");
  for (size_t i = 0; i < 3; i++)
    assert_string_equal(json_get_text(json_array_get(rows, i), "priority", ""), "low");
  expect("fast_path", course_followups, "{\"suggestions\": [], \"count\": 0}");
}

static void nothing_is_known_before_the_first_answers(void **state) {
  struct debate *d = debate_create(true);
  assert_non_null(d);
  JSON_LATER json_t *c = course_convergence(d, "d");
  assert_true(json_is_null(json_object_get(c, "convergence_reached")));
  assert_true(json_is_null(json_object_get(c, "similarity_score")));
  JSON_LATER json_t *i = course_impasse(d, "d");
  assert_true(json_is_null(json_object_get(i, "has_impasse")));
  JSON_LATER json_t *s = course_summary(d, "d");
  assert_true(json_is_null(json_object_get(s, "duration_seconds")));
  JSON_LATER json_t *f = course_followups(d, "d");
  assert_int_equal(json_get_int(f, "count", -1), 0);
  debate_destroy(d);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(convergence_counts_holders_by_round),
      cmocka_unit_test(an_impasse_is_an_end_without_consensus_where_nobody_moved),
      cmocka_unit_test(a_summary_says_what_the_log_says),
      cmocka_unit_test(follow_ups_are_what_was_left_open),
      cmocka_unit_test(nothing_is_known_before_the_first_answers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
