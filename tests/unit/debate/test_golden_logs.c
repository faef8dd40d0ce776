/* Golden logs: debates of every version of the log, recorded once, refolded for ever.
 *
 * tests/logs/v1/NAME.jsonl is a log as `events.jsonl` exports it; tests/logs/v1/EXPECTED says what
 * came of it when it was recorded. An old log never changes. When one no longer refolds to what it
 * was, the engine is wrong, or ENGINE_VERSION has to rise and the old engine to stay.
 *
 *   unit_debate_golden_logs --write DIR    plays the debates below and writes those that DIR does
 *                                          not have; what is there is never written again
 */
#include "driver.h"
#include "golden.h"

#include "debate/view.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- the debates of version 1 ---- */

struct story {
  const char *name, *script;
  int members, judges;
  enum mode mode;
  enum rule rule;
  enum topology topology;
  bool fast_path;
  enum event_kind fact; /* EVENT_DEBATE_START, 0, = none */
  size_t at;            /* events before the fact, or before a crash; 0 = none */
};

static const char two_rounds[] =
    "0p1 a; 0p2 b; 0p3 c; 0p4 =in my own words; 1c1 2:0.9,4:0.4; 1c2 1:0.7,3:0.2; 1c3 2:0.5; "
    "1r1 reject held; 1r2 accept changed a; 1r4 accept changed =in other words; 2c3 4:0.8; "
    "2r4 accept held; 2v1 abc; 2v2 abc; 2v3 bca; 2v4 acb";

static const struct story stories[] = {
    {"majority", two_rounds, .members = 4, .rule = RULE_MAJORITY, .topology = TOPOLOGY_RING},
    {"supermajority", two_rounds, .members = 4, .rule = RULE_SUPERMAJORITY},
    {"unanimous", "0p2 b; 0v1 ba; 0v2 ba; 0v3 ba", .members = 3, .mode = MODE_VOTE,
     .rule = RULE_UNANIMOUS},
    {"weighted", two_rounds, .members = 4, .rule = RULE_WEIGHTED, .topology = TOPOLOGY_STAR},
    {"any_tie", "0p2 b; 1c1 2:0.9; 1r2 accept changed c; 2v1 ab; 2v2 ba", .members = 2,
     .rule = RULE_ANY},
    {"none", "0p3 b", .members = 3, .mode = MODE_VOTE, .rule = RULE_NONE},
    {"judge_failover", "0p3 b; 1j1 !overloaded; 1j2 ?; 1j2 b", .members = 3, .judges = 3,
     .rule = RULE_JUDGE},
    {"judge_failed", "0p3 b; 1j1 !refused; 1j2 !timeout; 1v3 ab", .members = 3, .judges = 2,
     .rule = RULE_JUDGE},
    {"fast_path", "", .members = 3, .rule = RULE_MAJORITY, .fast_path = true},
    {"failed", "0p1 !auth; 0p2 !rate_limited; 0p3 a", .members = 3, .rule = RULE_MAJORITY},
    {"cancelled", two_rounds, .members = 4, .rule = RULE_MAJORITY, .topology = TOPOLOGY_RANDOM,
     .fact = EVENT_CANCEL_REQUESTED, .at = 24},
    {"deadline", two_rounds, .members = 4, .rule = RULE_MAJORITY, .fact = EVENT_DEADLINE_REACHED,
     .at = 70},
    {"budget", two_rounds, .members = 4, .rule = RULE_MAJORITY, .fact = EVENT_BUDGET_EXHAUSTED,
     .at = 4},
    {"resumed", two_rounds, .members = 4, .rule = RULE_MAJORITY, .at = 20},
    {"self_consistency", "0p1 a; 0p2 b; 0p3 b; 0p4 !timeout; 0p5 a", .members = 5,
     .mode = MODE_SELF_CONSISTENCY, .rule = RULE_MAJORITY},
    {"single", "0p1 ^=one long answer", .members = 1, .mode = MODE_SINGLE, .rule = RULE_MAJORITY},
    {"degraded",
     "0p1 ?; 0p1 &a; 0p2 ^b; 0p3 @b; 0p4 !quota; 1c1 ~timeout; 1c1 2:0.9; 1c2 !refused; "
     "1r2 !empty; 1v1 ?; 1v1 ?",
     .members = 4, .rule = RULE_MAJORITY},
};

static void play(const struct story *s, struct driver *r) {
  struct debate_config c = driver_judged(s->members, s->judges);
  c.mode = s->mode;
  c.rule = s->rule;
  c.topology = s->topology;
  c.fast_path = s->fast_path;
  if (s->members == 1) c.quorum = 1;
  if (s->judges > 1) c.judges[1].in_panel = true;
  if (s->members > 3) c.members[0].weight_ppm = 1250000;
  driver_begin(r, &c, s->script);
  while (r->count < s->at && driver_step(r)) {
  }
  if (s->at && s->fact)
    driver_fact(r, s->fact, true);
  else if (s->at)
    driver_crash(r);
  driver_run(r);
}

/* ---- recording ---- */

static void write_line(FILE *file, const struct check_line *l, json_t *data) {
  struct event ev = {l->seq, event_kind_parse(l->type), l->ts_ms, l->round, l->agent, data};
  JSON_LATER json_t *line = view_event(&ev, l->type, l->salt, l->digest, l->hash);
  assert_non_null(line);
  assert_int_equal(json_dumpf(line, file, JSON_COMPACT | JSON_SORT_KEYS), 0);
  assert_true(fputc('\n', file) != EOF);
}

static void record(const char *dir, const struct story *s) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s.jsonl", dir, s->name);
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
  if (fd < 0) {
    printf("# %s: %s\n", path, strerror(errno));
    return;
  }
  FILE *file = fdopen(fd, "w");
  assert_non_null(file);
  struct driver r;
  struct check_result result;
  play(s, &r);
  for (size_t i = 0; i < r.count; i++) write_line(file, &r.lines[i].line, r.lines[i].data);
  assert_int_equal(fclose(file), 0);
  driver_check(&r, &result);
  snprintf(path, sizeof path, "%s/EXPECTED", dir);
  FILE *expected = fopen(path, "a");
  assert_non_null(expected);
  fprintf(expected, "%s %llu %s %s %s\n", s->name, (unsigned long long)result.events,
          debate_outcome(r.d), result.head_hash, result.state_hash);
  assert_int_equal(fclose(expected), 0);
  printf("# %s: %llu events\n", s->name, (unsigned long long)result.events);
  driver_done(&r);
}

/* ---- refolding ---- */

static void check_golden(const char *dir, const char *expected) {
  char name[64];
  char outcome[64];
  char head[128];
  char state[128];
  char path[512];
  unsigned long long events;
  assert_int_equal(
      sscanf(expected, "%63s %llu %63s %127s %127s", name, &events, outcome, head, state), 5);
  snprintf(path, sizeof path, "%s/%s.jsonl", dir, name);
  struct check *check = check_create();
  struct check_result result;
  assert_non_null(check);
  golden_refold(path, check);
  check_finish(check, &result);
  if (!result.ok)
    fail_msg("%s: event %llu: %s", name, (unsigned long long)result.bad_seq, result.problem);
  assert_true(result.ended && !result.deleted && !result.unsupported);
  assert_int_equal(result.events, events);
  assert_string_equal(debate_outcome(check_state(check)), outcome);
  assert_string_equal(result.head_hash, head);
  if (strcmp(result.state_hash, state) != 0) fail_msg("%s refolds to another state", name);
  check_destroy(check);
}

static void check_version(const char *version, int at_least) {
  char dir[400];
  char path[512];
  snprintf(dir, sizeof dir, "%s/logs/%s", getenv("ARAGORA_TEST_DATA"), version);
  snprintf(path, sizeof path, "%s/EXPECTED", dir);
  FILE *file = fopen(path, "r");
  if (!file) fail_msg("%s: %s", path, strerror(errno));
  char *line = NULL;
  size_t cap = 0;
  int count = 0;
  while (getline(&line, &cap, file) > 0) {
    check_golden(dir, line);
    count++;
  }
  free(line);
  fclose(file);
  assert_true(count >= at_least);
}

static void test_version_1(void **state) {
  check_version("v1", 17);
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "--write") == 0) {
    for (size_t i = 0; i < sizeof stories / sizeof *stories; i++) record(argv[2], &stories[i]);
    return 0;
  }
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_version_1)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
