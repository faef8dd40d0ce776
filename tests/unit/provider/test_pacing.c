/* Who goes when. How it comes out over many debates stands in test_pacing_fairness.c. */
#include "base/prng.h"
#include "provider/pacing.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static const struct pacing_result succeeded = {PACING_SUCCEEDED, -1};
static const struct pacing_result other = {PACING_OTHER, -1};

static struct pacing_result throttled(int64_t retry_after_ms) {
  return (struct pacing_result){PACING_THROTTLED, retry_after_ms};
}

static struct pacing_gate *gate_of(int concurrency) {
  struct pacing_options options = {concurrency, 100};
  struct pacing_gate *gate = NULL;
  assert_int_equal(pacing_create(&options, &gate), STATUS_OK);
  return gate;
}

static void enter(struct pacing_gate *gate, uint64_t debate_key, struct pacing_waiter *w,
                  int64_t now_ms) {
  assert_int_equal(pacing_enter(gate, debate_key, w, 0, now_ms), STATUS_OK);
}

static void enter_goes(struct pacing_gate *gate, struct pacing_waiter *w, int64_t now_ms) {
  enter(gate, 1, w, now_ms);
  assert_int_equal(w->state, PACING_GOING);
}

static void assert_next(struct pacing_gate *gate, int64_t now_ms, struct pacing_waiter *want) {
  int64_t wake_ms;
  assert_ptr_equal(pacing_next(gate, now_ms, &wake_ms), want);
  if (want) assert_int_equal(want->state, PACING_GOING);
}

/* Nobody may go, and nobody will before `want_wake_ms`. */
static void assert_none_until(struct pacing_gate *gate, int64_t now_ms, int64_t want_wake_ms) {
  int64_t wake_ms = -2;
  assert_null(pacing_next(gate, now_ms, &wake_ms));
  assert_int_equal(wake_ms, want_wake_ms);
}

static void assert_stats(const struct pacing_gate *gate, int in_flight, int allowed,
                         size_t waiting) {
  struct pacing_stats s = pacing_stats_of(gate, 0);
  assert_int_equal(s.in_flight, in_flight);
  assert_int_equal(s.allowed, allowed);
  assert_int_equal(s.waiting, waiting);
}

/* ---- concurrency and turns ---- */

static void test_as_many_as_configured(void **state) {
  struct pacing_gate *gate = gate_of(2);
  struct pacing_waiter w[3] = {0};
  enter_goes(gate, &w[0], 10);
  enter_goes(gate, &w[1], 11);
  enter(gate, 1, &w[2], 12);
  assert_int_equal(w[2].state, PACING_WAITING);
  assert_int_equal(w[2].started_ms, -1);
  assert_none_until(gate, 12, -1);
  assert_stats(gate, 2, 2, 1);
  pacing_leave(gate, &w[0], &succeeded, 40);
  assert_int_equal(w[0].state, PACING_OUT);
  assert_next(gate, 42, &w[2]);
  assert_int_equal(w[2].entered_ms, 12);
  assert_int_equal(w[2].started_ms, 42);
  assert_none_until(gate, 42, -1);
  assert_stats(gate, 2, 2, 0);
  assert_int_equal(pacing_stats_of(gate, 0).configured, 2);
  pacing_leave(gate, &w[0], &succeeded, 43); /* was out */
  assert_stats(gate, 2, 2, 0);
  pacing_destroy(gate);
}

static void test_who_comes_does_not_pass_those_who_wait(void **state) {
  struct pacing_gate *gate = gate_of(1);
  struct pacing_waiter a = {0}, b = {0}, c = {0};
  enter_goes(gate, &a, 0);
  enter(gate, 2, &b, 0);
  pacing_leave(gate, &a, &succeeded, 1);
  enter(gate, 3, &c, 1); /* there is room, but b has not been called yet */
  assert_int_equal(c.state, PACING_WAITING);
  assert_next(gate, 1, &b);
  pacing_destroy(gate);
}

static void test_debates_take_turns(void **state) {
  struct pacing_gate *gate = gate_of(1);
  struct pacing_waiter first = {0}, a[4] = {0}, b[2] = {0}, c[1] = {0};
  enter_goes(gate, &first, 0);
  for (int i = 0; i < 4; i++) enter(gate, 7, &a[i], 0);
  for (int i = 0; i < 2; i++) enter(gate, 8, &b[i], 0);
  enter(gate, 9, &c[0], 0);
  struct pacing_waiter *const want[] = {&a[0], &b[0], &c[0], &a[1], &b[1], &a[2], &a[3]};
  struct pacing_waiter *going = &first;
  for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
    pacing_leave(gate, going, &succeeded, 1);
    assert_next(gate, 1, want[i]);
    going = want[i];
  }
  pacing_leave(gate, going, &succeeded, 1);
  assert_none_until(gate, 1, -1);
  assert_stats(gate, 0, 1, 0);
  pacing_destroy(gate);
}

static void test_a_debate_that_comes_back_is_last(void **state) {
  struct pacing_gate *gate = gate_of(1);
  struct pacing_waiter first = {0}, a = {0}, b = {0}, again = {0};
  enter_goes(gate, &first, 0);
  enter(gate, 1, &a, 0);
  enter(gate, 2, &b, 0);
  pacing_leave(gate, &first, &succeeded, 1);
  assert_next(gate, 1, &a);
  enter(gate, 1, &again, 1);
  pacing_leave(gate, &a, &succeeded, 2);
  assert_next(gate, 2, &b);
  pacing_leave(gate, &b, &succeeded, 3);
  assert_next(gate, 3, &again);
  pacing_destroy(gate);
}

/* More debates than the table has places: some share one. */
static void test_thousands_of_debates(void **state) {
  enum { MANY = 10000 };
  struct pacing_options options = {1, 2 * MANY};
  struct pacing_gate *gate = NULL;
  struct pacing_waiter going = {0}, (*w)[2] = calloc(MANY, sizeof *w);
  assert_non_null(w);
  assert_int_equal(pacing_create(&options, &gate), STATUS_OK);
  enter_goes(gate, &going, 0);
  for (int i = 0; i < 2 * MANY; i++) enter(gate, (uint64_t)(i % MANY), &w[i % MANY][i / MANY], 0);
  for (int i = 0; i < MANY; i += 3) pacing_cancel(gate, &w[i][0]);
  pacing_leave(gate, &going, &succeeded, 0);
  for (int i = 0; i < 2 * MANY; i++) {
    bool cancelled = i % MANY % 3 == 0; /* whose second call is its first now */
    if (cancelled && i >= MANY) continue;
    struct pacing_waiter *want = &w[i % MANY][cancelled ? 1 : i / MANY];
    assert_next(gate, 0, want);
    pacing_leave(gate, want, &succeeded, 0);
  }
  assert_stats(gate, 0, 1, 0);
  pacing_destroy(gate);
  free(w);
}

static void test_bounded(void **state) {
  struct pacing_options options = {1, 2};
  struct pacing_gate *gate = NULL;
  struct pacing_waiter w[4] = {0};
  assert_int_equal(pacing_create(&options, &gate), STATUS_OK);
  for (int i = 0; i < 3; i++) enter(gate, 1, &w[i], 0);
  assert_int_equal(pacing_enter(gate, 2, &w[3], 0, 0), STATUS_FULL);
  assert_int_equal(w[3].state, PACING_OUT);
  pacing_cancel(gate, &w[1]);
  enter(gate, 2, &w[3], 0);
  assert_stats(gate, 1, 1, 2);
  pacing_destroy(gate);
  options.concurrency = 0;
  assert_int_equal(pacing_create(&options, &gate), STATUS_INVALID);
  pacing_destroy(NULL);
}

static void test_cancelled_wherever_it_stands(void **state) {
  struct pacing_gate *gate = gate_of(1);
  struct pacing_waiter going = {0}, a[3] = {0}, b = {0};
  enter_goes(gate, &going, 0);
  for (int i = 0; i < 3; i++) enter(gate, 7, &a[i], 0);
  enter(gate, 8, &b, 0);
  pacing_cancel(gate, &a[0]); /* the first: the next takes its turn */
  pacing_cancel(gate, &a[2]); /* the last */
  pacing_cancel(gate, &a[2]); /* outside */
  enter(gate, 7, &a[2], 0);
  assert_stats(gate, 1, 1, 3);
  pacing_cancel(gate, &going); /* in flight */
  assert_stats(gate, 0, 1, 3);
  assert_next(gate, 1, &a[1]);
  pacing_cancel(gate, &a[1]);
  assert_next(gate, 1, &b);
  pacing_cancel(gate, &b);
  pacing_cancel(gate, &a[2]); /* the only one */
  assert_none_until(gate, 1, -1);
  assert_stats(gate, 0, 1, 0);
  enter_goes(gate, &a[0], 2);
  pacing_destroy(gate);
}

/* ---- the learnt limit ---- */

static void fly(struct pacing_gate *gate, int count, const struct pacing_result *result) {
  for (int i = 0; i < count; i++) {
    struct pacing_waiter w = {0};
    enter_goes(gate, &w, 0);
    pacing_leave(gate, &w, result, 0);
  }
}

static void test_a_flight_halves_once(void **state) {
  struct pacing_gate *gate = gate_of(8);
  struct pacing_waiter w[8] = {0}, late = {0};
  struct pacing_result no = throttled(-1);
  for (int i = 0; i < 8; i++) enter_goes(gate, &w[i], 0);
  enter(gate, 1, &late, 0);
  for (int i = 0; i < 5; i++) pacing_leave(gate, &w[i], &no, 0);
  assert_stats(gate, 3, 4, 1);
  assert_next(gate, 0, &late); /* began after the halving: its word counts */
  pacing_leave(gate, &late, &no, 0);
  assert_stats(gate, 3, 2, 0);
  for (int i = 5; i < 8; i++) pacing_leave(gate, &w[i], &no, 0);
  assert_stats(gate, 0, 2, 0);
  fly(gate, 3, &no);
  assert_stats(gate, 0, 1, 0); /* and never less */
  pacing_destroy(gate);
}

static void test_more_in_flight_than_allowed_drains_first(void **state) {
  struct pacing_gate *gate = gate_of(4);
  struct pacing_waiter w[4] = {0}, next = {0};
  struct pacing_result no = throttled(-1);
  for (int i = 0; i < 4; i++) enter_goes(gate, &w[i], 0);
  enter(gate, 2, &next, 0);
  pacing_leave(gate, &w[0], &no, 0); /* 2 are allowed, 3 in flight */
  assert_none_until(gate, 0, -1);
  pacing_leave(gate, &w[1], &succeeded, 0);
  assert_none_until(gate, 0, -1);
  pacing_leave(gate, &w[2], &succeeded, 0);
  assert_next(gate, 0, &next);
  pacing_destroy(gate);
}

static void test_a_window_of_successes_adds_one(void **state) {
  struct pacing_gate *gate = gate_of(8);
  struct pacing_result no = throttled(-1);
  fly(gate, 1, &no);
  for (int allowed = 4; allowed < 8; allowed++) {
    fly(gate, allowed - 1, &succeeded);
    fly(gate, 5, &other);
    assert_stats(gate, 0, allowed, 0);
    fly(gate, 1, &succeeded);
    assert_stats(gate, 0, allowed + 1, 0);
  }
  fly(gate, 100, &succeeded);
  assert_stats(gate, 0, 8, 0); /* as configured, and no more */
  pacing_destroy(gate);
}

static void test_what_began_before_the_halving_adds_nothing(void **state) {
  struct pacing_gate *gate = gate_of(8);
  struct pacing_waiter w[8] = {0};
  struct pacing_result no = throttled(-1);
  for (int i = 0; i < 8; i++) enter_goes(gate, &w[i], 0);
  pacing_leave(gate, &w[0], &no, 0);
  for (int i = 1; i < 8; i++) pacing_leave(gate, &w[i], &succeeded, 0);
  assert_stats(gate, 0, 4, 0);
  fly(gate, 3, &succeeded);
  fly(gate, 1, &no); /* the window begins anew */
  fly(gate, 1, &succeeded);
  assert_stats(gate, 0, 2, 0);
  pacing_destroy(gate);
}

/* ---- not before ---- */

static void test_not_before_what_the_vendor_asked_for(void **state) {
  struct pacing_gate *gate = gate_of(4);
  struct pacing_waiter a = {0}, b = {0}, c = {0};
  enter_goes(gate, &a, 1000);
  enter_goes(gate, &b, 1000);
  struct pacing_result no = throttled(3000), sooner = throttled(100);
  pacing_leave(gate, &a, &no, 1000);
  pacing_leave(gate, &b, &sooner, 1001);
  assert_int_equal(pacing_stats_of(gate, 1001).not_before_ms, 4000);
  enter(gate, 1, &c, 1002);
  assert_int_equal(c.state, PACING_WAITING);
  assert_none_until(gate, 1002, 4000);
  assert_none_until(gate, 3999, 4000);
  assert_int_equal(pacing_stats_of(gate, 4000).not_before_ms, -1);
  assert_next(gate, 4000, &c);
  assert_none_until(gate, 4000, -1); /* nobody waits */
  pacing_destroy(gate);
}

static void test_a_delay_is_bounded_and_needs_a_429(void **state) {
  struct pacing_gate *gate = gate_of(4);
  struct pacing_waiter a = {0}, b = {0}, c = {0};
  struct pacing_result fine = {PACING_SUCCEEDED, 5000};
  struct pacing_result never = throttled(INT64_MAX), none = throttled(-1);
  enter_goes(gate, &a, 0);
  pacing_leave(gate, &a, &fine, 0);
  enter_goes(gate, &a, 0);
  pacing_leave(gate, &a, &none, 0);
  enter_goes(gate, &b, 0);
  pacing_leave(gate, &b, &never, 7);
  enter(gate, 1, &c, 7);
  assert_none_until(gate, 7, PACING_DELAY_MAX_MS + 7);
  pacing_destroy(gate);
}

/* ---- the vendor's rates ---- */

static void note(struct pacing_gate *gate, const struct pacing_waiter *w,
                 struct pacing_rate requests, struct pacing_rate tokens, int64_t now_ms) {
  struct pacing_rates rates = {requests, tokens};
  pacing_rates_note(gate, w, &rates, now_ms);
}

static const struct pacing_rate unsaid = {-1, -1, -1};

static void test_requests_a_minute(void **state) {
  struct pacing_gate *gate = gate_of(100);
  struct pacing_waiter w[5] = {0};
  enter_goes(gate, &w[0], 0);
  /* 60 a minute; 2 remain, the other 58 come back within 58 s: one a second. */
  note(gate, &w[0], (struct pacing_rate){60, 2, 58000}, unsaid, 0);
  enter_goes(gate, &w[1], 0);
  enter_goes(gate, &w[2], 0);
  enter(gate, 1, &w[3], 0);
  enter(gate, 1, &w[4], 0);
  assert_none_until(gate, 0, 1000);
  assert_none_until(gate, 999, 1000);
  assert_next(gate, 1000, &w[3]);
  assert_none_until(gate, 1000, 2000);
  assert_next(gate, 2000, &w[4]);
  pacing_destroy(gate);
}

static void test_the_bucket_is_not_deeper_than_the_limit(void **state) {
  struct pacing_gate *gate = gate_of(100);
  struct pacing_waiter w[7] = {0};
  enter_goes(gate, &w[0], 0);
  note(gate, &w[0], (struct pacing_rate){5, 0, 5000}, unsaid, 0);
  for (int i = 1; i < 6; i++) enter_goes(gate, &w[i], 1000000);
  enter(gate, 1, &w[6], 1000000);
  assert_none_until(gate, 1000000, 1001000);
  pacing_destroy(gate);
}

static void test_tokens_a_minute(void **state) {
  struct pacing_gate *gate = gate_of(100);
  struct pacing_waiter a = {0}, big = {0}, small = {0}, huge = {0};
  assert_int_equal(pacing_enter(gate, 1, &a, 500, 0), STATUS_OK);
  /* Without a reset the limit is a minute's: one a millisecond. */
  note(gate, &a, unsaid, (struct pacing_rate){60000, 1000, -1}, 0);
  assert_int_equal(pacing_enter(gate, 1, &big, 3000, 0), STATUS_OK);
  assert_int_equal(pacing_enter(gate, 2, &small, 10, 0), STATUS_OK);
  assert_int_equal(pacing_enter(gate, 3, &huge, 1000000, 0), STATUS_OK);
  assert_none_until(gate, 0, 2000);
  assert_none_until(gate, 1999, 2000); /* the small one does not pass the big one */
  assert_next(gate, 2000, &big);
  assert_next(gate, 2010, &small);
  assert_none_until(gate, 2010, 62010); /* more than the limit: when the bucket is full */
  assert_next(gate, 62010, &huge);
  pacing_destroy(gate);
}

static void test_what_went_since_is_subtracted(void **state) {
  struct pacing_gate *gate = gate_of(100);
  struct pacing_waiter a = {0}, b = {0}, c = {0}, d = {0};
  assert_int_equal(pacing_enter(gate, 1, &a, 100, 0), STATUS_OK);
  assert_int_equal(pacing_enter(gate, 1, &b, 300, 0), STATUS_OK);
  assert_int_equal(pacing_enter(gate, 1, &c, 500, 0), STATUS_OK);
  pacing_leave(gate, &a, &succeeded, 0);
  /* When a was counted 900 remained; b and c have taken 800 of them. */
  note(gate, &a, unsaid, (struct pacing_rate){60000, 900, -1}, 0);
  assert_int_equal(pacing_enter(gate, 1, &d, 101, 0), STATUS_OK);
  assert_none_until(gate, 0, 1);
  pacing_cancel(gate, &d);
  /* c was counted later; what a said, coming late, is old. */
  note(gate, &c, unsaid, (struct pacing_rate){60000, 50, -1}, 0);
  note(gate, &b, unsaid, (struct pacing_rate){60000, 5000, -1}, 0);
  assert_int_equal(pacing_enter(gate, 1, &d, 101, 0), STATUS_OK);
  assert_none_until(gate, 0, 51);
  assert_next(gate, 51, &d);
  pacing_destroy(gate);
}

static void test_rates_that_say_nothing(void **state) {
  struct pacing_gate *gate = gate_of(100);
  struct pacing_waiter w[8] = {0};
  enter_goes(gate, &w[0], 0);
  note(gate, &w[0], (struct pacing_rate){0, 0, 1000}, (struct pacing_rate){-1, 0, 1000}, 0);
  enter_goes(gate, &w[1], 0);
  note(gate, &w[1], (struct pacing_rate){3, -1, -1}, unsaid, 0); /* what remains is not said */
  for (int i = 2; i < 5; i++) enter_goes(gate, &w[i], 0);
  enter(gate, 1, &w[5], 0);
  assert_none_until(gate, 0, 20000);
  note(gate, &w[4], (struct pacing_rate){-1, -1, -1}, unsaid, 0); /* what is known stays */
  assert_none_until(gate, 0, 20000);
  note(gate, &w[4], (struct pacing_rate){4, 1000, 0}, unsaid, 0); /* more than the limit */
  assert_next(gate, 0, &w[5]);
  for (int i = 0; i < 3; i++) enter_goes(gate, &w[6], 0);
  enter(gate, 1, &w[7], 0);
  assert_none_until(gate, 0, 15000);
  pacing_destroy(gate);
}

static void test_what_remains_is_kept_when_it_is_not_said_again(void **state) {
  struct pacing_gate *gate = gate_of(100);
  struct pacing_waiter a = {0}, b = {0}, c = {0};
  enter_goes(gate, &a, 0);
  note(gate, &a, (struct pacing_rate){60, 1, -1}, unsaid, 0);
  enter_goes(gate, &b, 0);
  note(gate, &b, (struct pacing_rate){120, -1, -1}, unsaid, 0);
  enter(gate, 1, &c, 0);
  assert_none_until(gate, 0, 500);
  pacing_destroy(gate);
}

static void test_a_reset_days_away_still_has_a_wake_time(void **state) {
  struct pacing_gate *gate = gate_of(100);
  struct pacing_waiter a = {0}, b = {0};
  enter_goes(gate, &a, 0);
  note(gate, &a, (struct pacing_rate){1, 0, INT64_MAX}, unsaid, 0);
  enter(gate, 1, &b, 0);
  assert_none_until(gate, 0, PACING_DELAY_MAX_MS);
  pacing_destroy(gate);
}

/* ---- against a plain model ---- */

enum { WAITERS = 60, DEBATES = 5, STEPS = 20000 };

/* Queues as arrays: who waits in which debate, and the debates in turn. */
struct model {
  int queue[DEBATES][WAITERS], length[DEBATES];
  int turn[DEBATES], turns;
};

static int take_at(int *items, int *count, int at) {
  int item = items[at];
  memmove(items + at, items + at + 1, (size_t)(*count - at - 1) * sizeof *items);
  (*count)--;
  return item;
}

static void model_enter(struct model *m, int debate, int waiter) {
  if (m->length[debate] == 0) m->turn[m->turns++] = debate;
  m->queue[debate][m->length[debate]++] = waiter;
}

static void model_cancel(struct model *m, int debate, int waiter) {
  for (int i = 0; i < m->length[debate]; i++)
    if (m->queue[debate][i] == waiter) take_at(m->queue[debate], &m->length[debate], i);
  if (m->length[debate] > 0) return;
  for (int i = 0; i < m->turns; i++)
    if (m->turn[i] == debate) take_at(m->turn, &m->turns, i);
}

static int model_next(struct model *m) {
  if (m->turns == 0) return -1;
  int debate = take_at(m->turn, &m->turns, 0);
  if (m->length[debate] > 1) m->turn[m->turns++] = debate;
  return take_at(m->queue[debate], &m->length[debate], 0);
}

struct walk {
  struct pacing_gate *gate;
  struct model model;
  struct pacing_waiter waiters[WAITERS];
  int debate_of[WAITERS];
  int in_flight;
  size_t waiting;
};

static void walk_enter(struct walk *k, int i, struct prng *g) {
  int debate = k->debate_of[i] = (int)prng_below(g, DEBATES);
  bool goes = k->waiting == 0 && k->in_flight < pacing_stats_of(k->gate, 0).allowed;
  uint64_t keys[DEBATES] = {0, 1, 2, UINT64_MAX, (uint64_t)1 << 63};
  enter(k->gate, keys[debate], &k->waiters[i], 0);
  assert_int_equal(k->waiters[i].state, goes ? PACING_GOING : PACING_WAITING);
  if (goes) {
    k->in_flight++;
  } else {
    model_enter(&k->model, debate, i);
    k->waiting++;
  }
}

static void walk_out(struct walk *k, int i, struct prng *g) {
  struct pacing_waiter *w = &k->waiters[i];
  struct pacing_result result = {prng_below(g, 4) ? PACING_SUCCEEDED : PACING_THROTTLED, -1};
  if (w->state == PACING_WAITING) {
    model_cancel(&k->model, k->debate_of[i], i);
    pacing_cancel(k->gate, w);
    k->waiting--;
  } else {
    if (prng_below(g, 5))
      pacing_leave(k->gate, w, &result, 0);
    else
      pacing_cancel(k->gate, w);
    k->in_flight--;
  }
  assert_int_equal(w->state, PACING_OUT);
}

static void walk_next(struct walk *k) {
  int64_t wake_ms;
  bool room = k->in_flight < pacing_stats_of(k->gate, 0).allowed;
  int want = room ? model_next(&k->model) : -1;
  struct pacing_waiter *got = pacing_next(k->gate, 0, &wake_ms);
  assert_ptr_equal(got, want < 0 ? NULL : &k->waiters[want]);
  assert_int_equal(wake_ms, -1);
  if (!got) return;
  k->waiting--;
  k->in_flight++;
}

static void test_random_steps_against_the_model(void **state) {
  for (uint64_t seed = 1; seed <= 30; seed++) {
    struct prng g = prng_for(seed, 0, 0, 0);
    struct walk *k = calloc(1, sizeof *k);
    assert_non_null(k);
    k->gate = gate_of(6);
    for (int step = 0; step < STEPS; step++) {
      int i = (int)prng_below(&g, WAITERS);
      if (prng_below(&g, 3) == 0)
        walk_next(k);
      else if (k->waiters[i].state == PACING_OUT)
        walk_enter(k, i, &g);
      else if (prng_below(&g, 2))
        walk_out(k, i, &g);
      struct pacing_stats s = pacing_stats_of(k->gate, 0);
      assert_int_equal(s.in_flight, k->in_flight);
      assert_int_equal(s.waiting, k->waiting);
      assert_true(s.allowed >= 1 && s.allowed <= 6 && s.in_flight <= 6);
    }
    pacing_destroy(k->gate);
    free(k);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_as_many_as_configured),
      cmocka_unit_test(test_who_comes_does_not_pass_those_who_wait),
      cmocka_unit_test(test_debates_take_turns),
      cmocka_unit_test(test_a_debate_that_comes_back_is_last),
      cmocka_unit_test(test_thousands_of_debates),
      cmocka_unit_test(test_bounded),
      cmocka_unit_test(test_cancelled_wherever_it_stands),
      cmocka_unit_test(test_a_flight_halves_once),
      cmocka_unit_test(test_more_in_flight_than_allowed_drains_first),
      cmocka_unit_test(test_a_window_of_successes_adds_one),
      cmocka_unit_test(test_what_began_before_the_halving_adds_nothing),
      cmocka_unit_test(test_not_before_what_the_vendor_asked_for),
      cmocka_unit_test(test_a_delay_is_bounded_and_needs_a_429),
      cmocka_unit_test(test_requests_a_minute),
      cmocka_unit_test(test_the_bucket_is_not_deeper_than_the_limit),
      cmocka_unit_test(test_tokens_a_minute),
      cmocka_unit_test(test_what_went_since_is_subtracted),
      cmocka_unit_test(test_rates_that_say_nothing),
      cmocka_unit_test(test_what_remains_is_kept_when_it_is_not_said_again),
      cmocka_unit_test(test_a_reset_days_away_still_has_a_wake_time),
      cmocka_unit_test(test_random_steps_against_the_model),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
