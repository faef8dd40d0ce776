/* The worked examples of docs/internals/deciding.md, read from that page. */
#include "debate/decide.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

/* The value after "name=" up to the next blank, or NULL. */
static const char *value_of(const char *line, const char *name, char out[256]) {
  char key[32];
  snprintf(key, sizeof key, " %s=", name);
  const char *at = strstr(line, key);
  if (!at) return NULL;
  at += strlen(key);
  size_t n = strcspn(at, " \n");
  assert_true(n < 256);
  memcpy(out, at, n);
  out[n] = '\0';
  return out;
}

static void read_list(const char *text, int64_t *out, int n) {
  for (int i = 0; i < n; i++) {
    char *end;
    out[i] = strtoll(text, &end, 10);
    text = *end == ',' ? end + 1 : end;
  }
}

static void read_positions(const char *held, const char *since, struct decide_input *in) {
  for (int i = 0; i < in->n; i++) {
    in->held_since[i] = since ? since[i] - '0' : 0;
    if (held[i] == '-') continue;
    int p = held[i] - 'a';
    if (p >= in->k) {
      in->k = p + 1;
      in->positions[p] = (struct decide_position){0, INT_MAX};
    }
    in->positions[p].holders |= 1u << i;
    if (in->held_since[i] < in->positions[p].since) in->positions[p].since = in->held_since[i];
  }
}

static void read_ballots(const char *text, struct decide_input *in) {
  while (*text) {
    struct decide_ballot *b = &in->ballots[in->ballot_count++];
    b->voter = *text - '1';
    assert_int_equal(text[1], ':');
    text += 2;
    for (int i = 0; i < in->k; i++) b->ranking[i] = *text++ - 'a';
    if (*text == ',') text++;
  }
}

static void read_rule(const char *text, struct decide_input *in) {
  for (int i = 0; rule_names[i]; i++) {
    size_t n = strlen(rule_names[i]);
    if (strncmp(rule_names[i], text, n) == 0 && text[n] == '@') {
      in->rule = (enum rule)i;
      in->threshold_ppm = atoll(text + n + 1);
      return;
    }
  }
  fail_msg("no such rule: %s", text);
}

static void read_basis(const char *text, struct decide_input *in) {
  if (strcmp(text, "holders") == 0) in->basis = DECIDE_BY_HOLDERS;
  if (strcmp(text, "samples") == 0) in->basis = DECIDE_BY_SAMPLES;
  if (strcmp(text, "facts") == 0) in->basis = DECIDE_BEST_SO_FAR;
  if (strcmp(text, "none") == 0) in->basis = DECIDE_NOTHING;
  if (strncmp(text, "judge:", 6) == 0) {
    in->basis = DECIDE_BY_JUDGE;
    in->chosen = text[6] - 'a';
  }
}

static struct decide_input read_input(const char *line) {
  char value[256];
  char since[256];
  struct decide_input in = {.basis = DECIDE_BY_VOTE};
  in.n = atoi(value_of(line, "n", value));
  for (int i = 0; i < in.n; i++) in.weights_ppm[i] = PPM;
  if (value_of(line, "w", value)) read_list(value, in.weights_ppm, in.n);
  in.quorum = in.n / 2 + 1 > 2 ? in.n / 2 + 1 : 2;
  if (value_of(line, "quorum", value)) in.quorum = atoi(value);
  const char *when = value_of(line, "since", since);
  read_positions(value_of(line, "held", value), when, &in);
  if (value_of(line, "ballots", value)) read_ballots(value, &in);
  if (value_of(line, "basis", value)) read_basis(value, &in);
  read_rule(value_of(line, "rule", value), &in);
  return in;
}

static void check_position(const char *line, const char *name, int got) {
  char value[256];
  if (!value_of(line, name, value)) return;
  int want = value[0] == '-' ? -1 : value[0] - 'a';
  if (want != got) fail_msg("%s is %d in: %s", name, got, line);
}

static void check_ppm(const char *line, const char *name, int64_t got) {
  char value[256];
  if (!value_of(line, name, value)) return;
  int64_t want = value[0] == '-' ? -1 : atoll(value);
  if (want != got) fail_msg("%s is %lld in: %s", name, (long long)got, line);
}

static void check_decision(const char *line) {
  char value[256];
  struct decide_input in = read_input(line);
  struct decision d;
  decide(&in, &d);
  const char *result = strstr(line, "->") + 2;
  check_position(result, "win", d.reached ? d.winner : -1);
  check_position(result, "best", d.best);
  check_ppm(result, "share", d.share_ppm);
  check_ppm(result, "margin", d.margin_ppm);
  if (value_of(result, "strength", value)) {
    const char *got = *strength_names[d.strength] ? strength_names[d.strength] : "-";
    if (strcmp(got, value) != 0) fail_msg("strength is %s in: %s", got, line);
  }
  if (value_of(result, "loo", value)) {
    int flips[DEBATE_MEMBERS_MAX];
    decide_leave_one_out(&in, &d, flips);
    for (int i = 0; i < in.n; i++) {
      char got = flips[i] < 0 ? '-' : (char)('0' + flips[i]);
      if (got != value[i]) fail_msg("leave-one-out of agent %d is %c in: %s", i + 1, got, line);
    }
  }
}

static void check_weights(const char *line) {
  char value[256];
  int n = atoi(value_of(line, "n", value));
  int64_t brier[DEBATE_MEMBERS_MAX];
  int64_t wide[DEBATE_MEMBERS_MAX];
  int64_t want[DEBATE_MEMBERS_MAX];
  int64_t got[DEBATE_MEMBERS_MAX];
  int outcomes[DEBATE_MEMBERS_MAX];
  read_list(value_of(line, "brier", value), brier, n);
  read_list(value_of(line, "outcomes", value), wide, n);
  read_list(strstr(line, "-> ") + 3, want, n);
  for (int i = 0; i < n; i++) outcomes[i] = (int)wide[i];
  decide_weights(n, brier, outcomes, got);
  for (int i = 0; i < n; i++)
    if (got[i] != want[i]) fail_msg("weight %d is %lld in: %s", i + 1, (long long)got[i], line);
}

static int each_example(void (*check)(const char *line), const char *prefix) {
  char path[512];
  char line[512];
  snprintf(path, sizeof path, "%s/../docs/internals/deciding.md", getenv("ARAGORA_TEST_DATA"));
  FILE *page = fopen(path, "r");
  assert_non_null(page);
  int count = 0;
  while (fgets(line, sizeof line, page)) {
    if (strncmp(line, "    ", 4) != 0 || !strstr(line, "->")) continue;
    bool weights = strncmp(line + 4, "weights", 7) == 0;
    if (weights != (strcmp(prefix, "weights") == 0)) continue;
    check(line + 3); /* keeps one blank, so that the first name is found like the others */
    count++;
  }
  fclose(page);
  return count;
}

static void test_worked_examples(void **state) {
  (void)state;
  assert_true(each_example(check_decision, "n=") >= 40);
}

static void test_worked_weights(void **state) {
  (void)state;
  assert_true(each_example(check_weights, "weights") >= 5);
}

/* Whatever the ballots: shares within the panel, a winner only when the rule says so, and the same
 * decision when the agents' ballots come in another order. */
static void test_order_of_ballots_changes_nothing(void **state) {
  (void)state;
  struct decide_input in = {
      .n = 4, .k = 3, .basis = DECIDE_BY_VOTE, .quorum = 3, .threshold_ppm = 600000};
  static const int permutations[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                         {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  for (int i = 0; i < 4; i++) in.weights_ppm[i] = PPM;
  in.positions[0] = (struct decide_position){0x3, 0};
  in.positions[1] = (struct decide_position){0x4, 0};
  in.positions[2] = (struct decide_position){0x8, 0};
  in.ballot_count = 4;
  for (int code = 0; code < 6 * 6 * 6 * 6; code++) {
    for (int v = 0, c = code; v < 4; v++, c /= 6) {
      in.ballots[v].voter = v;
      memcpy(in.ballots[v].ranking, permutations[c % 6], sizeof permutations[0]);
    }
    struct decide_input reversed = in;
    for (int v = 0; v < 4; v++) reversed.ballots[v] = in.ballots[3 - v];
    for (int rule = 0; rule < RULE_COUNT; rule++) {
      if (rule == RULE_JUDGE) continue;
      in.rule = reversed.rule = (enum rule)rule;
      struct decision a;
      struct decision b;
      decide(&in, &a);
      decide(&reversed, &b);
      assert_memory_equal(&a, &b, sizeof a);
      assert_true(!a.reached || a.winner == a.best);
      if (rule == RULE_MAJORITY && a.reached) assert_true(2 * a.share_ppm >= PPM);
      if (rule == RULE_NONE) assert_false(a.reached);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_worked_examples),
      cmocka_unit_test(test_worked_weights),
      cmocka_unit_test(test_order_of_ballots_changes_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
