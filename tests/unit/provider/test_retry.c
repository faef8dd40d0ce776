/* The retry policy: every outcome with every header that matters, and what holds for any facts. */
#include "provider/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static const struct retry_facts plain = {.outcome = OUTCOME_OVERLOADED,
                                         .status_code = 503,
                                         .retry_after_ms = -1,
                                         .attempts = 1,
                                         .max_retries = 3,
                                         .left_ms = 60000};

static struct retry_decision decide(const struct retry_facts *facts) {
  struct prng chance = prng_for(1, 0, 0, 0);
  return retry_decide(facts, &chance);
}

/* ---- outcomes and headers ---- */

enum column {
  PLAIN,       /* nothing said, no fallback */
  AFTER_2S,    /* Retry-After: 2 */
  AFTER_10H,   /* Retry-After beyond the deadline */
  SAID_NO,     /* x-should-retry: false */
  SAID_YES,    /* x-should-retry: true */
  NO_AFTER_2S, /* both, and they disagree */
  LAST,        /* the fourth attempt */
  YES_LAST,    /* a vendor's wish does not lift our bound */
  COLUMN_COUNT,
};

static void apply(enum column column, struct retry_facts *f) {
  if (column == AFTER_2S || column == NO_AFTER_2S) f->retry_after_ms = 2000;
  if (column == AFTER_10H) f->retry_after_ms = 36000000;
  if (column == SAID_NO || column == NO_AFTER_2S) f->advice = RETRY_ADVICE_NO;
  if (column == SAID_YES || column == YES_LAST) f->advice = RETRY_ADVICE_YES;
  if (column == LAST || column == YES_LAST) f->attempts = 4;
}

/* Again, Wait, Openrouter, Chain, Give up: one letter a column, in the order of the enum, for the
 * four sets of fallbacks. */
static const char letters[] = {[RETRY_AGAIN] = 'A',
                               [RETRY_WAIT] = 'W',
                               [RETRY_OPENROUTER] = 'O',
                               [RETRY_CHAIN] = 'C',
                               [RETRY_GIVE_UP] = 'G'};
static const struct row {
  enum outcome outcome;
  int status_code;
  const char *none, *openrouter, *chain, *both;
} rows[] = {
    {OUTCOME_RATE_LIMITED, 429, "AWGGAGGG", "OOOOOOOO", "AWCCACCC", "OOOOOOOO"},
    {OUTCOME_RATE_LIMITED, 200, "AWGGAGGG", "OOOOOOOO", "AWCCACCC", "OOOOOOOO"},
    {OUTCOME_QUOTA, 429, "GGGGGGGG", "OOOOOOOO", "CCCCCCCC", "OOOOOOOO"},
    {OUTCOME_QUOTA, 402, "GGGGGGGG", "OOOOOOOO", "CCCCCCCC", "OOOOOOOO"},
    {OUTCOME_OVERLOADED, 529, "AWGGAGGG", "AWGGAGGG", "AWCCACCC", "AWCCACCC"},
    {OUTCOME_OVERLOADED, 408, "AWGGAGGG", "AWGGAGGG", "AWCCACCC", "AWCCACCC"},
    {OUTCOME_UNAVAILABLE, 0, "AWGGAGGG", "AWGGAGGG", "AWCCACCC", "AWCCACCC"},
    {OUTCOME_TIMEOUT, 200, "AWGGAGGG", "AWGGAGGG", "AWCCACCC", "AWCCACCC"},
    {OUTCOME_EMPTY, 200, "AWGGAGGG", "AWGGAGGG", "AWCCACCC", "AWCCACCC"},
    {OUTCOME_MALFORMED, 200, "AWGGAGGG", "AWGGAGGG", "AWCCACCC", "AWCCACCC"},
    {OUTCOME_AUTH, 401, "GGGGGGGG", "GGGGGGGG", "CCCCCCCC", "CCCCCCCC"},
    {OUTCOME_AUTH, 400, "GGGGGGGG", "GGGGGGGG", "CCCCCCCC", "CCCCCCCC"},
    {OUTCOME_INVALID_REQUEST, 422, "GGGGAGGG", "GGGGAGGG", "CCCCACCC", "CCCCACCC"},
    {OUTCOME_INVALID_REQUEST, 404, "GGGGAGGG", "GGGGAGGG", "CCCCACCC", "CCCCACCC"},
    {OUTCOME_INVALID_REQUEST, 200, "GGGGGGGG", "GGGGGGGG", "CCCCCCCC", "CCCCCCCC"},
    {OUTCOME_REFUSED, 200, "GGGGGGGG", "GGGGGGGG", "GGGGGGGG", "GGGGGGGG"},
    {OUTCOME_REFUSED, 403, "GGGGGGGG", "GGGGGGGG", "GGGGGGGG", "GGGGGGGG"},
    {OUTCOME_OK, 200, "GGGGGGGG", "GGGGGGGG", "GGGGGGGG", "GGGGGGGG"},
    {OUTCOME_CANCELLED, 0, "GGGGGGGG", "GGGGGGGG", "GGGGGGGG", "GGGGGGGG"},
    {OUTCOME_BUDGET, 0, "GGGGGGGG", "GGGGGGGG", "GGGGGGGG", "GGGGGGGG"},
    {OUTCOME_UNKNOWN, 0, "GGGGGGGG", "GGGGGGGG", "GGGGGGGG", "GGGGGGGG"},
    {(enum outcome)99, 400, "GGGGGGGG", "GGGGGGGG", "GGGGGGGG", "GGGGGGGG"},
};

static void check_row(const struct row *row, bool openrouter, bool chain, const char *want) {
  char got[COLUMN_COUNT + 1] = "";
  for (int column = 0; column < COLUMN_COUNT; column++) {
    struct retry_facts f = plain;
    f.outcome = row->outcome;
    f.status_code = row->status_code;
    f.openrouter = openrouter;
    f.chain = chain;
    apply((enum column)column, &f);
    struct retry_decision d = decide(&f);
    got[column] = letters[d.action];
    assert_non_null(d.reason);
    if (d.action == RETRY_WAIT) assert_int_equal(d.delay_ms, 2000); /* the vendor's, exactly */
    if (d.action >= RETRY_OPENROUTER) assert_int_equal(d.delay_ms, 0);
    f.left_ms = 0;
    assert_int_equal(decide(&f).action, RETRY_GIVE_UP);
  }
  if (strcmp(got, want) != 0)
    fail_msg("%s %d, openrouter %d, chain %d: %s, not %s", outcome_name(row->outcome),
             row->status_code, openrouter, chain, got, want);
}

static void test_every_outcome_and_header(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    check_row(&rows[i], false, false, rows[i].none);
    check_row(&rows[i], true, false, rows[i].openrouter);
    check_row(&rows[i], false, true, rows[i].chain);
    check_row(&rows[i], true, true, rows[i].both);
  }
}

/* ---- edges ---- */

static void test_the_named_delay_and_the_deadline(void **state) {
  (void)state;
  struct retry_facts f = plain;
  f.retry_after_ms = 60000;
  assert_int_equal(decide(&f).action, RETRY_GIVE_UP); /* it would start when time is over */
  f.retry_after_ms = 59999;
  assert_int_equal(decide(&f).action, RETRY_WAIT);
  f.left_ms = 59999;
  f.chain = true;
  assert_int_equal(decide(&f).action, RETRY_CHAIN);
  f.retry_after_ms = INT64_MAX;
  assert_int_equal(decide(&f).action, RETRY_CHAIN);
  f.retry_after_ms = 0; /* names no time: ours, lest it be asked again at once */
  assert_int_equal(decide(&f).action, RETRY_AGAIN);
  f.left_ms = INT64_MIN;
  assert_int_equal(decide(&f).action, RETRY_GIVE_UP);
}

static void test_a_refused_start(void **state) {
  (void)state;
  struct retry_facts f = plain; /* cooling down for 5 s; nothing was tried */
  f.outcome = OUTCOME_RATE_LIMITED;
  f.status_code = 0;
  f.attempts = 0;
  f.retry_after_ms = 5000;
  assert_int_equal(decide(&f).action, RETRY_WAIT);
  f.openrouter = true;
  assert_int_equal(decide(&f).action, RETRY_OPENROUTER);
  f.outcome = OUTCOME_UNAVAILABLE; /* its breaker is open: calls stop at once */
  f.advice = RETRY_ADVICE_NO;
  assert_int_equal(decide(&f).action, RETRY_GIVE_UP);
  f.chain = true;
  assert_int_equal(decide(&f).action, RETRY_CHAIN);
}

static void test_bound_of_attempts(void **state) {
  (void)state;
  for (int max_retries = 0; max_retries <= 5; max_retries++) {
    struct retry_facts f = plain;
    f.max_retries = max_retries;
    f.attempts = 1;
    while (decide(&f).action == RETRY_AGAIN) f.attempts++;
    assert_int_equal(f.attempts, 1 + max_retries);
  }
}

static void test_advice(void **state) {
  (void)state;
  assert_int_equal(retry_advice_parse("true"), RETRY_ADVICE_YES);
  assert_int_equal(retry_advice_parse("False"), RETRY_ADVICE_NO);
  static const char *const odd[] = {NULL, "", "1", "yes", "truee", " true", "0"};
  for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
    assert_int_equal(retry_advice_parse(odd[i]), RETRY_ADVICE_NONE);
}

static void test_reasons(void **state) {
  (void)state;
  struct retry_facts f = plain;
  assert_string_equal(decide(&f).reason, "the provider is overloaded");
  f.advice = RETRY_ADVICE_NO;
  assert_string_equal(decide(&f).reason, "the provider says not to retry");
  f.outcome = OUTCOME_AUTH; /* not for the header's sake */
  assert_string_equal(decide(&f).reason, "the key is not accepted");
  f = plain;
  f.attempts = 4;
  assert_string_equal(decide(&f).reason, "no retries left here");
  f = plain;
  f.retry_after_ms = 99999;
  assert_string_equal(decide(&f).reason, "the provider asks for a wait beyond the deadline");
  f = plain;
  f.left_ms = 1;
  assert_string_equal(decide(&f).reason, "no time left for a retry here");
  f.left_ms = 0;
  assert_string_equal(decide(&f).reason, "the deadline is over");
}

/* ---- chance ---- */

/* Both ends are reached and the middle is the mean: uniform, not only bounded. */
static void test_backoff_is_full_jitter(void **state) {
  (void)state;
  static const struct {
    int attempts;
    int64_t most;
  } steps[] = {{-7, 500}, {0, 500},  {1, 500},  {2, 1000},      {3, 2000},
               {4, 4000}, {5, 8000}, {6, 8000}, {1000000, 8000}};
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
    enum { DRAWS = 100000 };
    struct prng chance = prng_for(42, i, 0, 0);
    int64_t least = INT64_MAX, most = -1, sum = 0;
    for (int n = 0; n < DRAWS; n++) {
      int64_t delay = retry_backoff_ms(steps[i].attempts, &chance);
      if (delay < least) least = delay;
      if (delay > most) most = delay;
      sum += delay;
    }
    assert_int_equal(least, 0);
    assert_int_equal(most, steps[i].most);
    /* The mean's standard deviation is most / sqrt(12 * DRAWS), 0.1 % of most: five of them. */
    assert_in_range(sum / DRAWS, steps[i].most * 495 / 1000, steps[i].most * 505 / 1000);
  }
}

static void test_same_seed_same_delays(void **state) {
  (void)state;
  struct prng a = prng_for(9, 1, 2, 3), b = a;
  for (int i = 1; i < 20; i++) {
    struct retry_facts f = plain;
    f.max_retries = 20;
    f.attempts = i;
    assert_int_equal(retry_decide(&f, &a).delay_ms, retry_decide(&f, &b).delay_ms);
  }
  struct retry_facts f = plain;
  f.retry_after_ms = 10;
  struct prng before = a;
  retry_decide(&f, &a);
  assert_true(a.state == before.state); /* chance is not spent on what the vendor decided */
}

static struct retry_facts random_facts(struct prng *g) {
  static const int statuses[] = {0, 200, 400, 401, 404, 429, 500, 503, 529};
  struct retry_facts f = {
      .outcome = (enum outcome)prng_below(g, OUTCOME_UNKNOWN + 1),
      .status_code = statuses[prng_below(g, 9)],
      .retry_after_ms = prng_below(g, 2) ? -1 : (int64_t)prng_below(g, 100000),
      .advice = (enum retry_advice)prng_below(g, 3),
      .openrouter = prng_below(g, 4) == 0,
      .chain = prng_below(g, 4) == 0,
  };
  return f;
}

/* One turn at one binding on a fake clock: attempts that take time and fail in any way. */
static void play_turn(uint64_t seed) {
  struct prng g = prng_for(seed, 1, 0, 0), chance = prng_for(seed, 2, 0, 0);
  int64_t now_ms = 0, deadline_ms = (int64_t)prng_below(&g, 60000);
  int max_retries = (int)prng_below(&g, 5);
  for (int attempts = 1;; attempts++) {
    if (attempts > 1 + max_retries) fail_msg("seed %llu: too many", (unsigned long long)seed);
    now_ms += (int64_t)prng_below(&g, 5000);
    struct retry_facts f = random_facts(&g);
    f.attempts = attempts;
    f.max_retries = max_retries;
    f.left_ms = deadline_ms - now_ms;
    struct retry_decision d = retry_decide(&f, &chance);
    bool here = d.action == RETRY_AGAIN || d.action == RETRY_WAIT;
    bool late = now_ms + d.delay_ms >= deadline_ms && d.action != RETRY_GIVE_UP;
    bool wrong = (d.action == RETRY_OPENROUTER && !f.openrouter) ||
                 (d.action == RETRY_CHAIN && !f.chain) || (!here && d.delay_ms != 0) ||
                 d.delay_ms < 0 || (d.action == RETRY_AGAIN && d.delay_ms > RETRY_BACKOFF_MAX_MS) ||
                 (d.action == RETRY_WAIT && d.delay_ms != f.retry_after_ms) ||
                 (here && f.advice == RETRY_ADVICE_NO) ||
                 (here && (f.outcome == OUTCOME_AUTH || f.outcome == OUTCOME_QUOTA ||
                           f.outcome == OUTCOME_REFUSED || f.outcome == OUTCOME_OK));
    if (late || wrong)
      fail_msg("seed %llu, attempt %d: %s, action %d, delay %lld", (unsigned long long)seed,
               attempts, outcome_name(f.outcome), d.action, (long long)d.delay_ms);
    if (!here) return;
    now_ms += d.delay_ms;
  }
}

static void test_any_turn_keeps_its_bounds(void **state) {
  (void)state;
  for (uint64_t seed = 0; seed < 200000; seed++) play_turn(seed);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_outcome_and_header),
      cmocka_unit_test(test_the_named_delay_and_the_deadline),
      cmocka_unit_test(test_a_refused_start),
      cmocka_unit_test(test_bound_of_attempts),
      cmocka_unit_test(test_advice),
      cmocka_unit_test(test_reasons),
      cmocka_unit_test(test_backoff_is_full_jitter),
      cmocka_unit_test(test_same_seed_same_delays),
      cmocka_unit_test(test_any_turn_keeps_its_bounds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
