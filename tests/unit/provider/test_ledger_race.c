/* Ten thousand calls from several threads race for a budget that pays for a hundred, while another
 * thread looks on. Meant for the thread sanitizer too. What a call does is drawn from its number,
 * so only the order is left to chance. A hedge is a second call for the same turn: a reservation of
 * its own, settled or cancelled apart. */
#include "base/prng.h"
#include "provider/ledger.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

enum {
  CALLS = 10000,
  PAID = 100, /* calls that the budget pays for */
  THREADS = 6,
  HELD_EACH = 5, /* calls that a thread has under way at once */
  LOOK_EVERY = 500,
  DEBATES = 16,
  PRINCIPALS = 4,
  COST_TOKENS = 1000,
  COST_USD_MICRO = 250,
};
#define DAY  "day:2026-11-24"
#define SEED 20261124

enum billing { AT_RESERVE, BELOW_RESERVE, MIXED };

struct race {
  struct ledger *ledger;
  enum billing billing;
  pthread_barrier_t start;
  atomic_int next_call;
  atomic_int tried, made, sent, released;
  atomic_llong booked_tokens, booked_usd_micro; /* what the calls know that they booked */
  atomic_bool over;
  atomic_int samples, faults;
};

struct held_call {
  struct ledger_reservation reservation;
  struct ledger_reservation hedge; /* its loser is cancelled */
  struct prng g;
};

static bool within(const struct ledger_view *v) {
  return (v->caps.tokens < 0 || v->committed.tokens + v->reserved.tokens <= v->caps.tokens) &&
         (v->caps.usd_micro < 0 ||
          v->committed.usd_micro + v->reserved.usd_micro <= v->caps.usd_micro) &&
         v->reserved.tokens >= 0 && v->reserved.usd_micro >= 0 && v->overshoots == 0;
}

static void sample(struct race *race) {
  struct ledger_view views[DEBATES + PRINCIPALS + 2];
  size_t count = ledger_views(race->ledger, "", views, sizeof views / sizeof *views);
  for (size_t i = 0; i < count; i++)
    if (!within(&views[i])) race->faults++;
  race->samples++;
}

static void *sampler_thread(void *arg) {
  struct race *race = arg;
  pthread_barrier_wait(&race->start);
  while (!race->over) sample(race);
  return NULL;
}

static void book(struct race *race, int64_t tokens, int64_t usd_micro) {
  race->sent++;
  race->booked_tokens += tokens;
  race->booked_usd_micro += usd_micro;
}

static void end_below(struct race *race, struct held_call *call) {
  int64_t tokens = prng_below(&call->g, COST_TOKENS + 1);
  int64_t usd_micro = prng_below(&call->g, COST_USD_MICRO + 1);
  book(race, tokens, usd_micro); /* before: once it is settled another call may be made */
  ledger_settle(&call->reservation, tokens, usd_micro);
}

/* Whose answer came first: the other one was sent and is cancelled, or had not left yet. */
static void end_hedge(struct race *race, struct held_call *call) {
  if (call->hedge.state != LEDGER_HELD) return;
  if (prng_below(&call->g, 2)) {
    race->released++;
    ledger_release(&call->hedge);
    return;
  }
  book(race, COST_TOKENS, COST_USD_MICRO);
  ledger_settle(&call->hedge, -1, -1);
}

static void end_mixed(struct race *race, struct held_call *call) {
  switch (prng_below(&call->g, 4)) {
    case 0:
      race->released++;
      ledger_release(&call->reservation);
      break;
    case 1: /* cancelled */
      book(race, COST_TOKENS, COST_USD_MICRO);
      ledger_settle(&call->reservation, -1, -1);
      break;
    case 2: /* the vendor did not say */
      book(race, COST_TOKENS, COST_USD_MICRO);
      ledger_settle(&call->reservation, -1, -1);
      break;
    default: end_below(race, call);
  }
}

static void end_call(struct race *race, struct held_call *call) {
  end_hedge(race, call);
  if (call->reservation.state != LEDGER_HELD) return;
  if (race->billing == MIXED) {
    end_mixed(race, call);
  } else if (race->billing == BELOW_RESERVE) {
    end_below(race, call);
  } else {
    book(race, COST_TOKENS, COST_USD_MICRO);
    ledger_settle(&call->reservation, COST_TOKENS, COST_USD_MICRO);
  }
}

static void reserve(struct race *race, const char *const chain[4], struct ledger_reservation *r) {
  race->tried++;
  enum status s = ledger_reserve(race->ledger, chain, 4, COST_TOKENS, COST_USD_MICRO, r, NULL);
  if (s == STATUS_OK) race->made++;
  if (s != STATUS_OK && s != STATUS_DENIED) race->faults++;
}

static void make_call(struct race *race, int number, struct held_call *call) {
  char debate[32], principal[32];
  snprintf(debate, sizeof debate, "debate:%d", number % DEBATES);
  snprintf(principal, sizeof principal, "principal:%d", number % DEBATES % PRINCIPALS);
  const char *const chain[] = {debate, principal, DAY, "process"};
  *call = (struct held_call){.g = prng_for(SEED, (uint64_t)race->billing, (uint64_t)number, 0)};
  reserve(race, chain, &call->reservation);
  bool hedged = race->billing == MIXED && call->reservation.state == LEDGER_HELD && number % 3 == 0;
  if (hedged) reserve(race, chain, &call->hedge);
}

/* However few processors there are, somebody looks on while calls are under way. */
static void wait_for_a_look(struct race *race) {
  int before = race->samples;
  while (race->samples == before) sched_yield();
}

static void *caller_thread(void *arg) {
  struct race *race = arg;
  struct held_call calls[HELD_EACH] = {0};
  pthread_barrier_wait(&race->start);
  for (;;) {
    int number = race->next_call++;
    if (number >= CALLS) break;
    struct held_call *call = &calls[number % HELD_EACH];
    end_call(race, call);
    make_call(race, number, call);
    if (number % 7 == 0) sched_yield();
    if (number % LOOK_EVERY == 0) wait_for_a_look(race);
  }
  for (int i = 0; i < HELD_EACH; i++) end_call(race, &calls[i]);
  return NULL;
}

static void open_accounts(struct race *race, const struct ledger_caps *budget,
                          const char *budget_key) {
  const struct ledger_caps none = {-1, -1, false};
  char key[32];
  assert_int_equal(ledger_create(DEBATES + PRINCIPALS + 2, &race->ledger), STATUS_OK);
  for (int i = 0; i < DEBATES + PRINCIPALS; i++) {
    snprintf(key, sizeof key, i < DEBATES ? "debate:%d" : "principal:%d",
             i < DEBATES ? i : i - DEBATES);
    assert_int_equal(ledger_open(race->ledger, key, &none, NULL), STATUS_OK);
  }
  assert_int_equal(ledger_open(race->ledger, DAY, &none, NULL), STATUS_OK);
  assert_int_equal(ledger_open(race->ledger, "process", &none, NULL), STATUS_OK);
  assert_int_equal(ledger_open(race->ledger, budget_key, budget, NULL), STATUS_OK);
}

static void run(struct race *race) {
  pthread_t threads[THREADS], sampler;
  pthread_barrier_init(&race->start, NULL, THREADS + 1);
  assert_int_equal(pthread_create(&sampler, NULL, sampler_thread, race), 0);
  for (int i = 0; i < THREADS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, caller_thread, race), 0);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  race->over = true;
  pthread_join(sampler, NULL);
  pthread_barrier_destroy(&race->start);
}

/* The debates together, and the process, hold exactly what the calls booked. */
static void assert_settled(struct race *race) {
  struct ledger_view views[DEBATES + PRINCIPALS + 2];
  struct ledger_amounts debates = {0};
  sample(race);
  assert_int_equal(race->faults, 0);
  assert_true(race->samples > 1);
  assert_int_equal(race->made, race->sent + race->released);
  size_t count = ledger_views(race->ledger, "", views, sizeof views / sizeof *views);
  assert_int_equal(count, DEBATES + PRINCIPALS + 2);
  for (size_t i = 0; i < count; i++) {
    assert_int_equal(views[i].reserved.tokens, 0);
    assert_int_equal(views[i].reserved.usd_micro, 0);
    if (strncmp(views[i].key, "debate:", 7) != 0) continue;
    debates.tokens += views[i].committed.tokens;
    debates.usd_micro += views[i].committed.usd_micro;
  }
  struct ledger_view process;
  assert_int_equal(ledger_view(race->ledger, "process", &process), STATUS_OK);
  assert_int_equal(process.committed.tokens, race->booked_tokens);
  assert_int_equal(process.committed.usd_micro, race->booked_usd_micro);
  assert_int_equal(debates.tokens, race->booked_tokens);
  assert_int_equal(debates.usd_micro, race->booked_usd_micro);
}

static int64_t refused_by(struct race *race, const char *key) {
  struct ledger_view v;
  assert_int_equal(ledger_view(race->ledger, key, &v), STATUS_OK);
  return v.refused;
}

static void test_at_the_reserve_exactly_as_many_as_it_pays_for(void **state) {
  const struct ledger_caps budgets[] = {{(int64_t)PAID * COST_TOKENS, -1, false},
                                        {-1, (int64_t)PAID * COST_USD_MICRO, false}};
  const char *const keys[] = {"process", DAY};
  for (int i = 0; i < 4; i++) {
    struct race race = {.billing = AT_RESERVE};
    open_accounts(&race, &budgets[i % 2], keys[i / 2]);
    run(&race);
    assert_settled(&race);
    assert_int_equal(race.made, PAID);
    assert_int_equal(race.booked_tokens, PAID * COST_TOKENS);
    assert_int_equal(refused_by(&race, keys[i / 2]), CALLS - PAID);
    ledger_destroy(race.ledger);
  }
}

static void test_below_the_reserve_never_beyond_the_budget(void **state) {
  const struct ledger_caps budget = {(int64_t)PAID * COST_TOKENS, (int64_t)PAID * COST_USD_MICRO,
                                     false};
  for (int i = 0; i < 5; i++) {
    struct race race = {.billing = BELOW_RESERVE};
    open_accounts(&race, &budget, "process");
    run(&race);
    assert_settled(&race);
    assert_true(race.made >= PAID);
    assert_true(race.booked_tokens <= budget.tokens);
    assert_true(race.booked_usd_micro <= budget.usd_micro);
    assert_int_equal(refused_by(&race, "process"), CALLS - race.made);
    ledger_destroy(race.ledger);
  }
}

static void test_with_releases_cancels_and_unknowns(void **state) {
  const struct ledger_caps budget = {(int64_t)PAID * COST_TOKENS, (int64_t)PAID * COST_USD_MICRO,
                                     false};
  for (int i = 0; i < 5; i++) {
    struct race race = {.billing = MIXED};
    open_accounts(&race, &budget, "principal:1");
    run(&race);
    assert_settled(&race);
    assert_int_equal(refused_by(&race, "principal:1"), race.tried - race.made);
    /* The others' calls were not held up by a principal that has spent its budget. */
    assert_true(race.made >= CALLS - CALLS / PRINCIPALS + PAID);
    ledger_destroy(race.ledger);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_at_the_reserve_exactly_as_many_as_it_pays_for),
      cmocka_unit_test(test_below_the_reserve_never_beyond_the_budget),
      cmocka_unit_test(test_with_releases_cancels_and_unknowns),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
