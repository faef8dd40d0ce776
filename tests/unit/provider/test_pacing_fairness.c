/* The gate over minutes of simulated time: many debates before one provider, with seeds. */
#include "base/prng.h"
#include "provider/pacing.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

enum { DEBATES_MAX = 41, CALLS_MAX = 600 };

/* What the provider at the other end is like. */
struct vendor {
  int capacity; /* calls at once; one more is a 429 */
  int service_min_ms, service_max_ms;
  int refused_ppm;         /* 429s for no reason of ours */
  int retry_after_max_ms;  /* with every other of these a delay up to it */
  int requests_per_minute; /* a token bucket, told in the headers; 0 = none */
  double bucket;
  int64_t bucket_at_ms;
};

struct call {
  struct pacing_waiter waiter;
  int debate;
  int64_t ends_ms;
  struct pacing_result result;
  struct pacing_rates rates; /* as of its arrival */
};

struct simulation {
  struct pacing_gate *gate;
  struct vendor vendor;
  struct prng g;
  struct call calls[CALLS_MAX];
  int count, debates;
  int64_t now_ms, wake_ms;
  int in_flight, in_flight_max, allowed_max;
  int succeeded, throttled;
  int served[DEBATES_MAX];
  int waiting[DEBATES_MAX];
  /* Calls of each other debate that went while this one waited for its next. */
  int passed[DEBATES_MAX][DEBATES_MAX];
};

/* The vendor's bucket, in the manner of Anthropic's and OpenAI's headers: what remains, and the
 * time until it is full. */
static bool vendor_counts(struct vendor *v, int64_t now_ms, struct pacing_rates *rates) {
  *rates = (struct pacing_rates){{-1, -1, -1}, {-1, -1, -1}};
  if (!v->requests_per_minute) return true;
  double per_ms = v->requests_per_minute / 60000.0;
  v->bucket += per_ms * (double)(now_ms - v->bucket_at_ms);
  if (v->bucket > v->requests_per_minute) v->bucket = v->requests_per_minute;
  v->bucket_at_ms = now_ms;
  bool there = v->bucket >= 1;
  if (there) v->bucket -= 1;
  rates->requests.limit = v->requests_per_minute;
  rates->requests.remaining = (int64_t)v->bucket;
  rates->requests.reset_ms = (int64_t)((v->requests_per_minute - v->bucket) / per_ms) + 1;
  return there;
}

static void send_call(struct simulation *s, struct call *c) {
  struct vendor *v = &s->vendor;
  uint32_t spread = (uint32_t)(v->service_max_ms - v->service_min_ms + 1);
  bool counted = vendor_counts(v, s->now_ms, &c->rates);
  s->in_flight++;
  bool refused = (int)prng_below(&s->g, 1000000) < v->refused_ppm;
  c->ends_ms = s->now_ms + v->service_min_ms + prng_below(&s->g, spread);
  c->result = (struct pacing_result){PACING_SUCCEEDED, -1};
  if (counted && !refused && s->in_flight <= v->capacity) return;
  c->ends_ms = s->now_ms + 20;
  c->result.end = PACING_THROTTLED;
  if (v->retry_after_max_ms && prng_below(&s->g, 2))
    c->result.retry_after_ms = prng_below(&s->g, (uint32_t)v->retry_after_max_ms);
}

/* A debate is passed by each other one once at most while it waits for its next call. */
static void count_turn(struct simulation *s, int went) {
  for (int d = 0; d < s->debates; d++) {
    if (d == went) continue;
    if (s->waiting[d] == 0) {
      memset(s->passed[d], 0, sizeof s->passed[d]);
    } else {
      assert_true(++s->passed[d][went] <= 1);
    }
  }
  memset(s->passed[went], 0, sizeof s->passed[went]);
}

static void goes(struct simulation *s, struct call *c) {
  struct pacing_stats stats = pacing_stats_of(s->gate, s->now_ms);
  assert_true(stats.in_flight <= stats.allowed && stats.allowed <= stats.configured);
  assert_int_equal(stats.not_before_ms, -1);
  assert_int_equal(stats.in_flight, s->in_flight + 1);
  assert_int_equal(c->waiter.started_ms, s->now_ms);
  if (stats.in_flight > s->in_flight_max) s->in_flight_max = stats.in_flight;
  send_call(s, c);
}

static void enter(struct simulation *s, struct call *c) {
  assert_int_equal(pacing_enter(s->gate, (uint64_t)c->debate, &c->waiter, 1, s->now_ms), STATUS_OK);
  if (c->waiter.state == PACING_GOING)
    goes(s, c);
  else
    s->waiting[c->debate]++;
}

static void leave(struct simulation *s, struct call *c) {
  s->in_flight--;
  if (c->result.end == PACING_SUCCEEDED) {
    s->succeeded++;
    s->served[c->debate]++;
  } else {
    s->throttled++;
  }
  pacing_rates_note(s->gate, &c->waiter, &c->rates, s->now_ms);
  pacing_leave(s->gate, &c->waiter, &c->result, s->now_ms);
  enter(s, c); /* the debate wants another one at once */
}

/* `due`: something happened that may let one go. Else nobody may go before the time it gave. */
static void pump(struct simulation *s, bool due) {
  bool woken = s->wake_ms >= 0 && s->now_ms >= s->wake_ms;
  struct pacing_waiter *w;
  for (bool first = true; (w = pacing_next(s->gate, s->now_ms, &s->wake_ms)); first = false) {
    struct call *c = (struct call *)w;
    assert_true(due || woken || !first);
    s->waiting[c->debate]--;
    count_turn(s, c->debate);
    goes(s, c);
  }
  if (s->wake_ms >= 0) assert_true(s->wake_ms > s->now_ms);
}

static void run_until(struct simulation *s, int64_t until_ms) {
  for (; s->now_ms < until_ms; s->now_ms++) {
    bool due = false;
    for (int i = 0; i < s->count; i++) {
      struct call *c = &s->calls[i];
      if (c->waiter.state != PACING_GOING || c->ends_ms > s->now_ms) continue;
      leave(s, c);
      due = true;
    }
    pump(s, due);
    int allowed = pacing_stats_of(s->gate, s->now_ms).allowed;
    if (allowed > s->allowed_max) s->allowed_max = allowed;
  }
}

static struct simulation *simulation_of(int concurrency, const struct vendor *vendor,
                                        uint64_t seed) {
  struct pacing_options options = {concurrency, CALLS_MAX};
  struct simulation *s = calloc(1, sizeof *s);
  assert_non_null(s);
  assert_int_equal(pacing_create(&options, &s->gate), STATUS_OK);
  s->vendor = *vendor;
  s->vendor.bucket = vendor->requests_per_minute;
  s->wake_ms = -1;
  s->g = prng_for(seed, 0, 0, 0);
  return s;
}

static void simulation_free(struct simulation *s) {
  pacing_destroy(s->gate);
  free(s);
}

/* A debate with `calls` calls at the gate at any time. */
static void add_debate(struct simulation *s, int calls) {
  for (int i = 0; i < calls; i++) {
    struct call *c = &s->calls[s->count++];
    c->debate = s->debates;
  }
  s->debates++;
}

static void enter_all(struct simulation *s) {
  for (int i = 0; i < s->count; i++) enter(s, &s->calls[i]);
}

/* Jain's index, (sum x)^2 / (n sum x^2): 1 when all have the same, 1/n when one has it all
 * (R. Jain, D. Chiu, W. Hawe, DEC-TR-301, 1984). */
static double fairness_of(const int *x, int n) {
  double sum = 0, squares = 0;
  for (int i = 0; i < n; i++) {
    sum += x[i];
    squares += (double)x[i] * x[i];
  }
  return sum * sum / (n * squares);
}

/* Forty debates with the same demand, and one with a hundred times as much, entered first. */
static void test_fair_among_equals_and_before_a_flood(void **state) {
  const struct vendor vendor = {.capacity = 1000,
                                .service_min_ms = 50,
                                .service_max_ms = 500,
                                .refused_ppm = 10000,
                                .retry_after_max_ms = 300};
  for (uint64_t seed = 1; seed <= 10; seed++) {
    struct simulation *s = simulation_of(8, &vendor, seed);
    add_debate(s, 400);
    for (int i = 0; i < 40; i++) add_debate(s, 4);
    enter_all(s);
    run_until(s, 120000);
    double fairness = fairness_of(s->served + 1, 40);
    int equals = 0;
    for (int i = 1; i < 41; i++) equals += s->served[i];
    assert_true(fairness >= 0.95);
    /* Eight calls went before anybody else had come. */
    assert_true(s->served[0] <= equals / 40 + 8 + 5);
    assert_true(s->throttled > 5);
    assert_true(s->in_flight_max <= 8);
    simulation_free(s);
  }
}

/* Alone, a debate has all of it. */
static void test_what_others_do_not_want_is_used(void **state) {
  const struct vendor vendor = {.capacity = 1000, .service_min_ms = 100, .service_max_ms = 100};
  struct simulation *s = simulation_of(8, &vendor, 1);
  add_debate(s, 100);
  add_debate(s, 1); /* one at a time: every other call at most */
  enter_all(s);
  run_until(s, 60000);
  assert_true(s->succeeded >= 8 * 600 - 16);
  assert_true(s->served[1] >= 250);
  simulation_free(s);
}

/* The vendor takes 5 at once where 16 are configured, and then takes all. */
static void test_a_limit_is_learnt_and_unlearnt(void **state) {
  const struct vendor vendor = {.capacity = 5, .service_min_ms = 100, .service_max_ms = 300};
  for (uint64_t seed = 1; seed <= 10; seed++) {
    struct simulation *s = simulation_of(16, &vendor, seed);
    for (int i = 0; i < 10; i++) add_debate(s, 5);
    enter_all(s);
    run_until(s, 5000);
    s->succeeded = s->throttled = s->allowed_max = 0;
    run_until(s, 65000);
    assert_true(s->allowed_max == 6); /* the sixth is refused at once */
    assert_true(s->succeeded > 5 * 60000 / 200 * 6 / 10);
    assert_true(s->throttled * 5 < s->succeeded);
    s->vendor.capacity = 1000;
    run_until(s, 65100); /* what it had refused before is back */
    s->throttled = 0;
    run_until(s, 75000);
    assert_int_equal(s->throttled, 0);
    assert_int_equal(pacing_stats_of(s->gate, s->now_ms).allowed, 16);
    simulation_free(s);
  }
}

/* Ten requests a second, told in the headers: they are used, and none is refused. */
static void test_a_rate_is_kept_without_a_refusal(void **state) {
  const struct vendor vendor = {
      .capacity = 1000, .service_min_ms = 100, .service_max_ms = 400, .requests_per_minute = 600};
  for (uint64_t seed = 1; seed <= 10; seed++) {
    struct simulation *s = simulation_of(64, &vendor, seed);
    for (int i = 0; i < 10; i++) add_debate(s, 20);
    enter_all(s);
    run_until(s, 60000); /* the bucket was full at first */
    s->succeeded = 0;
    run_until(s, 180000);
    assert_int_equal(s->throttled, 0);
    assert_true(s->succeeded > 1200 * 9 / 10);
    assert_true(fairness_of(s->served, 10) >= 0.95);
    simulation_free(s);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fair_among_equals_and_before_a_flood),
      cmocka_unit_test(test_what_others_do_not_want_is_used),
      cmocka_unit_test(test_a_limit_is_learnt_and_unlearnt),
      cmocka_unit_test(test_a_rate_is_kept_without_a_refusal),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
