/* Claims on the accounts of debates, principals, days and the process: who waits, who passes whom,
 * and what a new day changes. On a loop of its own that runs one turn at a time. */
#include "provider/budgets.h"

#include "base/metrics.h"

#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#define NOON  1764072000000 /* 2025-11-25T12:00:00Z */
#define TODAY (NOON / BUDGET_DAY_MS)
enum { HOUR_MS = 3600000, CLAIMS = 8 };

static int64_t wall_ms;
static struct loop *loop;
static struct budgets *budgets;
static struct budget_claim claims[CLAIMS];
static int went[CLAIMS]; /* in which order */
static int goes;

static int64_t read_wall(void *ctx) {
  (void)ctx;
  return wall_ms;
}
static const struct clock fake_clock = {read_wall, NULL, NULL};
static const struct principal ann = {"local", "ann", false, false, NULL};
static const struct principal bob = {"local", "bob", false, false, NULL};

static void open_all(struct budgets_options options) {
  wall_ms = NOON;
  goes = 0;
  memset(went, 0, sizeof went);
  memset(claims, 0, sizeof claims);
  options.clock = &fake_clock;
  assert_int_equal(loop_create(&loop, NULL), STATUS_OK);
  assert_int_equal(budgets_create(loop, &options, &budgets, NULL), STATUS_OK);
}

static void close_all(void) {
  for (int i = 0; i < CLAIMS; i++) budget_release(&claims[i]);
  budgets_destroy(budgets);
  loop_destroy(loop);
}

static void open_debate(struct budget *budget, const char *id, const struct principal *who,
                        int64_t tokens) {
  const struct ledger_caps caps = {tokens, -1, false};
  const struct ledger_amounts spent = {0, 0};
  assert_int_equal(budget_open(budgets, id, who, &caps, &spent, budget), STATUS_OK);
}

static void on_go(void *ctx) {
  went[(struct budget_claim *)ctx - claims] = ++goes;
}

static enum budget_answer claim_tokens(struct budget *budget, int i, int64_t tokens) {
  char words[BUDGET_WORDS_SIZE];
  claims[i].go = on_go;
  claims[i].ctx = &claims[i];
  return budget_claim(budget, &claims[i], tokens, 0, words);
}

static void stop(void *arg) {
  loop_stop(arg);
}

static void turn(void) {
  loop_timer_start(loop, 0, stop, loop);
  loop_run(loop);
}

static struct budgets_view look(void) {
  struct budgets_view view;
  budgets_look(budgets, &view);
  return view;
}

/* ---- waiting ---- */

static void test_waits_until_it_fits(void **state) {
  (void)state;
  struct budget d;
  open_all((struct budgets_options){.day = {0, 0}});
  open_debate(&d, "d", &ann, 150);
  assert_int_equal(claim_tokens(&d, 0, 100), BUDGET_HELD);
  assert_int_equal(claim_tokens(&d, 1, 100), BUDGET_WAITING);
  assert_int_equal(claim_tokens(&d, 2, 100), BUDGET_WAITING);
  assert_int_equal(look().waiting, 2);
  budget_settle(&claims[0], 10, 0);
  assert_int_equal(goes, 0); /* not in the middle of somebody's callback */
  turn();
  assert_int_equal(went[1], 1);
  assert_int_equal(claims[1].state, CLAIM_HELD);
  assert_int_equal(claims[2].state, CLAIM_WAITING);
  budget_settle(&claims[1], 41, 0); /* 51 of 150: 99 are left for a hundred */
  turn();
  assert_int_equal(went[2], 2);
  assert_int_equal(claims[2].state, CLAIM_NONE);
  assert_int_equal(claim_tokens(&d, 2, 100), BUDGET_EXHAUSTED);
  assert_int_equal(claim_tokens(&d, 2, 99), BUDGET_HELD);
  assert_int_equal(look().waiting, 0);
  budget_close(&d);
  close_all();
}

static void test_who_comes_now_stands_behind(void **state) {
  (void)state;
  struct budget a, b;
  open_all((struct budgets_options){.process = {100, 0}});
  open_debate(&a, "a", &ann, -1);
  open_debate(&b, "b", &bob, -1);
  assert_int_equal(claim_tokens(&a, 0, 60), BUDGET_HELD);
  assert_int_equal(claim_tokens(&a, 1, 90), BUDGET_WAITING);
  assert_int_equal(claim_tokens(&b, 2, 10),
                   BUDGET_WAITING); /* it would fit, but it is not its turn */
  turn();
  assert_int_equal(goes, 0);
  budget_settle(&claims[0], 0, 0);
  turn();
  assert_int_equal(went[1], 1);
  assert_int_equal(went[2], 2);
  close_all();
}

static void test_others_are_not_held_up(void **state) {
  (void)state;
  struct budget a, b, c;
  open_all((struct budgets_options){.principal_day = {1000, 0}});
  open_debate(&a, "a", &ann, 100);
  open_debate(&b, "b", &ann, 500);
  open_debate(&c, "c", &bob, 100);
  assert_int_equal(claim_tokens(&a, 0, 100), BUDGET_HELD);
  assert_int_equal(claim_tokens(&a, 1, 50), BUDGET_WAITING); /* for its own account */
  assert_int_equal(claim_tokens(&b, 2, 500), BUDGET_HELD);   /* another debate's is free */
  assert_int_equal(claim_tokens(&b, 3, 10), BUDGET_WAITING); /* for its own again */
  assert_int_equal(claim_tokens(&c, 4, 100), BUDGET_HELD);
  budget_settle(&claims[2], 0, 0);
  turn();
  assert_int_equal(went[3], 1); /* though one of another debate came first, and waits on */
  assert_int_equal(claims[1].state, CLAIM_WAITING);
  budget_release(&claims[0]);
  turn();
  assert_int_equal(claims[1].state, CLAIM_HELD);
  close_all();
}

static void test_principals_wait_apart(void **state) {
  (void)state;
  struct budget a, b;
  open_all((struct budgets_options){.principal_day = {100, 0}});
  open_debate(&a, "a", &ann, -1);
  open_debate(&b, "b", &bob, -1);
  assert_int_equal(claim_tokens(&a, 0, 100), BUDGET_HELD);
  assert_int_equal(claim_tokens(&a, 1, 100), BUDGET_WAITING);
  assert_int_equal(claim_tokens(&b, 2, 100), BUDGET_HELD);
  assert_int_equal(claim_tokens(&b, 3, 60), BUDGET_WAITING);
  assert_int_equal(claim_tokens(&a, 4, 1), BUDGET_WAITING);
  assert_int_equal(claim_tokens(&b, 5, 60), BUDGET_WAITING);
  budget_settle(&claims[2], 0, 0);
  turn();
  assert_int_equal(went[3], 1);
  assert_int_equal(goes, 1);
  close_all();
}

static void test_leaving_the_line_lets_others_go(void **state) {
  (void)state;
  struct budget a;
  open_all((struct budgets_options){.day = {100, 0}});
  open_debate(&a, "a", &ann, -1);
  assert_int_equal(claim_tokens(&a, 0, 60), BUDGET_HELD);
  assert_int_equal(claim_tokens(&a, 1, 90), BUDGET_WAITING);
  assert_int_equal(claim_tokens(&a, 2, 40), BUDGET_WAITING);
  budget_release(&claims[1]);
  turn();
  assert_int_equal(went[1], 0);
  assert_int_equal(went[2], 1);
  assert_int_equal(look().today.reserved.tokens, 100);
  close_all();
}

/* Every order of three calls' claims and ends, with every kind of end, at a cap of seven. An end
 * finds its call held, waiting or refused; between two steps the loop takes a turn. */
enum { CALLS = 3, STEPS = 2 * CALLS, ENDS = 3 };
static const int64_t asked[CALLS] = {5, 4, 3};

struct story {
  int order[STEPS], left[CALLS];
  bool begun[CALLS];
  int64_t came[CALLS]; /* the step of its claim */
};

static void end_claim(int call, int kind) {
  if (kind == 0)
    budget_settle(&claims[call], 1, 0);
  else if (kind == 1)
    budget_settle(&claims[call], -1, -1);
  budget_release(&claims[call]); /* the third kind, and who still waits */
}

static void assert_invariant(const struct story *s) {
  struct ledger_view v = look().process;
  int64_t held = 0;
  for (int i = 0; i < CALLS; i++) held += claims[i].state == CLAIM_HELD ? asked[i] : 0;
  assert_int_equal(v.reserved.tokens, held);
  assert_true(v.committed.tokens + v.reserved.tokens <= 7);
  assert_int_equal(v.overshoots, 0);
  int first = -1;
  for (int i = 0; i < CALLS; i++)
    if (claims[i].state == CLAIM_WAITING && (first < 0 || s->came[i] < s->came[first])) first = i;
  /* Nobody waits in vain: the first in the line does not fit now, and may later. */
  if (first < 0) return;
  assert_true(v.committed.tokens + v.reserved.tokens + asked[first] > 7);
  assert_true(v.committed.tokens + asked[first] <= 7);
}

static void play(struct story *s, int kinds) {
  struct budget d;
  const int kind[CALLS] = {kinds % ENDS, kinds / ENDS % ENDS, kinds / ENDS / ENDS};
  memset(s->begun, 0, sizeof s->begun);
  open_all((struct budgets_options){.process = {7, 0}});
  open_debate(&d, "d", &ann, -1);
  for (int i = 0; i < STEPS; i++) {
    int call = s->order[i];
    if (s->begun[call]) {
      end_claim(call, kind[call]);
    } else {
      s->came[call] = i;
      claim_tokens(&d, call, asked[call]);
    }
    s->begun[call] = true;
    turn();
    assert_invariant(s);
  }
  assert_int_equal(look().waiting, 0);
  assert_int_equal(look().process.reserved.tokens, 0);
  budget_close(&d);
  close_all();
}

static int play_all(struct story *s, int step) {
  int played = 0;
  for (int kinds = 0; step == STEPS && kinds < ENDS * ENDS * ENDS; kinds++, played++)
    play(s, kinds);
  for (int call = 0; step < STEPS && call < CALLS; call++) {
    if (s->left[call] == 0) continue;
    s->left[call]--;
    s->order[step] = call;
    played += play_all(s, step + 1);
    s->left[call]++;
  }
  return played;
}

static void test_every_interleaving(void **state) {
  (void)state;
  struct story story = {.left = {2, 2, 2}};
  assert_int_equal(play_all(&story, 0), 90 * 27);
}

/* ---- refusals ---- */

static void test_words_name_the_account(void **state) {
  (void)state;
  struct budget d;
  char words[BUDGET_WORDS_SIZE];
  int64_t before = metric_get(METRIC_BUDGET_REFUSALS, (const char *const[]){"day"});
  open_all((struct budgets_options){.day = {0, 5500000}});
  open_debate(&d, "d", &ann, 1000);
  assert_int_equal(budget_claim(&d, &claims[0], 1001, 0, words), BUDGET_EXHAUSTED);
  assert_string_equal(words,
                      "the debate's budget of 1000 tokens is used up: a call may take 1001 "
                      "tokens, 1000 tokens are left");
  assert_int_equal(budget_claim(&d, &claims[0], 1, 5500001, words), BUDGET_EXHAUSTED);
  assert_string_equal(words,
                      "the cap for the day of $5.500000 is used up: a call may take "
                      "$5.500001, $5.500000 are left");
  assert_int_equal(budget_claim(&d, &claims[0], 1, -1, words), BUDGET_PRICE_UNKNOWN);
  assert_non_null(strstr(words, "the cap for the day is $5.500000"));
  assert_true(budget_refuses_unknown_price(&d));
  assert_int_equal(metric_get(METRIC_BUDGET_REFUSALS, (const char *const[]){"day"}), before + 2);
  close_all();
  open_all((struct budgets_options){.day = {0, 5500000}, .allow_unknown_price = true});
  open_debate(&d, "d", &ann, 1000);
  assert_false(budget_refuses_unknown_price(&d));
  assert_int_equal(budget_claim(&d, &claims[0], 1, -1, words), BUDGET_HELD);
  budget_settle(&claims[0], 1, -1);
  assert_int_equal(look().today.unpriced, 1);
  close_all();
}

/* ---- days ---- */

static void test_a_claim_is_booked_on_its_own_day(void **state) {
  (void)state;
  struct budget d;
  open_all((struct budgets_options){.principal_day = {100, 0}});
  open_debate(&d, "d", &ann, -1);
  assert_int_equal(claim_tokens(&d, 0, 100), BUDGET_HELD);
  assert_int_equal(claims[0].day, TODAY);
  assert_int_equal(claim_tokens(&d, 1, 100), BUDGET_WAITING);
  wall_ms = NOON + 12 * HOUR_MS;
  budget_settle(&claims[0], 100, 0);
  turn();
  assert_int_equal(claims[1].state, CLAIM_HELD); /* the new day has room of its own */
  assert_int_equal(claims[1].day, TODAY + 1);
  assert_int_equal(look().today.committed.tokens, 0);
  assert_int_equal(look().today.reserved.tokens, 100);
  assert_int_equal(look().process.committed.tokens, 100);
  struct budgets_principal one;
  assert_int_equal(budgets_principals(budgets, &one, 1), 1);
  assert_string_equal(one.name, "local/ann");
  assert_int_equal(one.view.reserved.tokens, 100);
  close_all();
}

static void test_restored(void **state) {
  (void)state;
  struct budget d;
  struct error err = {0};
  const struct ledger_amounts anns = {600, 10}, bobs = {300, 20};
  open_all((struct budgets_options){.principal_day = {1000, 0}, .day = {950, 0}});
  assert_int_equal(budgets_restore(budgets, TODAY, &ann, &anns, 2), STATUS_OK);
  assert_int_equal(budgets_restore(budgets, TODAY, &bob, &bobs, 0), STATUS_OK);
  assert_int_equal(budgets_restore(budgets, TODAY - 1, &bob, &anns, 0), STATUS_OK);
  assert_int_equal(look().today.committed.tokens, 900);
  assert_int_equal(look().today.committed.usd_micro, 30);
  assert_int_equal(look().today.unpriced, 2);
  assert_int_equal(look().process.committed.tokens, 0);
  open_debate(&d, "d", &ann, -1);
  assert_int_equal(claim_tokens(&d, 0, 51), BUDGET_EXHAUSTED);
  assert_int_equal(claim_tokens(&d, 0, 50), BUDGET_HELD);
  assert_int_equal(budgets_admit(budgets, &bob, 50, 0, &err), STATUS_OK); /* it may be released */
  assert_int_equal(budgets_admit(budgets, &bob, 51, 0, &err), STATUS_EXHAUSTED);
  assert_non_null(strstr(err.message, "the cap for the day of 950 tokens"));
  assert_int_equal(err.retry_after_s, 12 * 3600);
  wall_ms = NOON + 12 * HOUR_MS;
  assert_int_equal(budgets_admit(budgets, &bob, 950, 0, &err), STATUS_OK);
  close_all();
}

static void test_admission(void **state) {
  (void)state;
  struct budget d;
  struct error err = {0};
  open_all((struct budgets_options){.principal_day = {0, 1000}, .process = {500, 0}});
  open_debate(&d, "d", &ann, -1);
  char words[BUDGET_WORDS_SIZE];
  assert_int_equal(budget_claim(&d, &claims[0], 100, 990, words), BUDGET_HELD);
  budget_settle(&claims[0], 100, 990);
  assert_int_equal(budgets_admit(budgets, &ann, 100, 11, &err), STATUS_EXHAUSTED);
  assert_non_null(strstr(err.message, "the principal's cap for the day of $0.001000"));
  assert_int_equal(budgets_admit(budgets, &bob, 100, 11, &err), STATUS_OK);
  assert_int_equal(budgets_admit(budgets, &bob, 401, 11, &err), STATUS_EXHAUSTED);
  assert_non_null(strstr(err.message, "cap of this server process"));
  assert_int_equal(err.retry_after_s, 0);
  close_all();
}

static void test_resumed_debates_go_on_with_their_sums(void **state) {
  (void)state;
  struct budget d;
  const struct ledger_caps caps = {1000, 500, false};
  const struct ledger_amounts spent = {800, 450};
  char words[BUDGET_WORDS_SIZE];
  open_all((struct budgets_options){.day = {100000, 0}});
  assert_int_equal(budget_open(budgets, "d", &ann, &caps, &spent, &d), STATUS_OK);
  assert_int_equal(budget_claim(&d, &claims[0], 201, 0, words), BUDGET_EXHAUSTED);
  assert_int_equal(budget_claim(&d, &claims[0], 200, 51, words), BUDGET_EXHAUSTED);
  assert_int_equal(budget_claim(&d, &claims[0], 200, 50, words), BUDGET_HELD);
  assert_int_equal(look().today.committed.tokens, 0); /* those come from what the store says */
  budget_close(&d);
  budget_settle(&claims[0], 200, 50);
  assert_int_equal(look().today.committed.tokens, 200);
  close_all();
}

static void test_names_too_long(void **state) {
  (void)state;
  char name[LEDGER_KEY_SIZE + 1];
  memset(name, 'n', sizeof name);
  name[LEDGER_KEY_SIZE] = '\0';
  const struct principal long_one = {"local", name, false, false, NULL};
  const struct ledger_caps caps = {-1, -1, false};
  const struct ledger_amounts nothing = {0, 0};
  struct budget d;
  struct error err;
  open_all((struct budgets_options){.day = {0, 0}});
  assert_int_equal(budget_open(budgets, "d", &long_one, &caps, &nothing, &d), STATUS_INVALID);
  assert_int_equal(budgets_admit(budgets, &long_one, 1, 1, &err), STATUS_INVALID);
  close_all();
}

/* ---- an API key's own cap ---- */

static enum budget_answer claim_money(struct budget *budget, int i, int64_t usd_micro,
                                      char words[BUDGET_WORDS_SIZE]) {
  claims[i].go = on_go;
  claims[i].ctx = &claims[i];
  return budget_claim(budget, &claims[i], 1, usd_micro, words);
}

/* Two debates of one key share its cap; the owner's others, and other keys, do not. */
static void test_a_keys_cap_is_refused_before_the_call(void **state) {
  (void)state;
  struct budget one, two, other, free_one;
  char words[BUDGET_WORDS_SIZE] = "";
  struct error err = {0};
  const struct principal keyed = {"local", "ann", false, false, "ara_aaaaaaaa"};
  const struct principal uncapped = {"local", "ann", false, false, "ara_bbbbbbbb"};
  open_all((struct budgets_options){.day = {0, 0}});
  assert_int_equal(budgets_cap_key(budgets, "ara_aaaaaaaa", 100), STATUS_OK);
  open_debate(&one, "one", &keyed, -1);
  open_debate(&two, "two", &keyed, -1);
  open_debate(&other, "other", &ann, -1);
  open_debate(&free_one, "free", &uncapped, -1);
  assert_true(budget_refuses_unknown_price(&one));
  assert_false(budget_refuses_unknown_price(&other));
  assert_false(budget_refuses_unknown_price(&free_one));
  assert_int_equal(claim_money(&one, 0, 60, words), BUDGET_HELD);
  assert_int_equal(claim_money(&two, 1, 60, words), BUDGET_WAITING); /* 40 are left */
  assert_int_equal(claim_money(&other, 2, 1000, words), BUDGET_HELD);
  assert_int_equal(claim_money(&free_one, 3, 1000, words), BUDGET_HELD);
  budget_settle(&claims[0], 1, 30);
  turn();
  assert_int_equal(claims[1].state, CLAIM_HELD);
  budget_settle(&claims[1], 1, 60);
  assert_int_equal(claim_money(&one, 0, 20, words), BUDGET_EXHAUSTED);
  assert_non_null(strstr(words, "API key's cap for the day"));
  assert_int_equal(budgets_admit(budgets, &keyed, 1, 20, &err), STATUS_EXHAUSTED);
  assert_true(err.retry_after_s > 0);
  assert_int_equal(budgets_admit(budgets, &uncapped, 1, 20, &err), STATUS_OK);
  assert_int_equal(claim_money(&one, 0, 10, words), BUDGET_HELD);
  budget_settle(&claims[0], 1, 10);
  /* A cap that changes counts for what runs; the next day begins at nothing. */
  assert_int_equal(budgets_cap_key(budgets, "ara_aaaaaaaa", 150), STATUS_OK);
  assert_int_equal(claim_money(&one, 0, 50, words), BUDGET_HELD);
  budget_settle(&claims[0], 1, 50);
  assert_int_equal(claim_money(&one, 0, 1, words), BUDGET_EXHAUSTED);
  wall_ms += BUDGET_DAY_MS;
  assert_int_equal(claim_money(&one, 0, 150, words), BUDGET_HELD);
  budget_settle(&claims[0], 1, 0);
  budget_close(&one);
  budget_close(&two);
  budget_close(&other);
  budget_close(&free_one);
  close_all();
}

/* What it spent before the process started. */
static void test_a_keys_spending_is_restored(void **state) {
  (void)state;
  struct budget one;
  char words[BUDGET_WORDS_SIZE] = "";
  const struct principal keyed = {"local", "ann", false, false, "ara_aaaaaaaa"};
  const struct ledger_amounts spent = {1, 70};
  open_all((struct budgets_options){.day = {0, 0}});
  assert_int_equal(budgets_cap_key(budgets, "ara_aaaaaaaa", 100), STATUS_OK);
  assert_int_equal(budgets_restore_key(budgets, budgets_today(budgets), "ara_aaaaaaaa", &spent, 0),
                   STATUS_OK);
  open_debate(&one, "one", &keyed, -1);
  assert_int_equal(claim_money(&one, 0, 31, words), BUDGET_EXHAUSTED);
  assert_int_equal(claim_money(&one, 0, 30, words), BUDGET_HELD);
  budget_settle(&claims[0], 1, 0);
  budget_close(&one);
  close_all();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_waits_until_it_fits),
      cmocka_unit_test(test_who_comes_now_stands_behind),
      cmocka_unit_test(test_others_are_not_held_up),
      cmocka_unit_test(test_principals_wait_apart),
      cmocka_unit_test(test_leaving_the_line_lets_others_go),
      cmocka_unit_test(test_every_interleaving),
      cmocka_unit_test(test_words_name_the_account),
      cmocka_unit_test(test_a_claim_is_booked_on_its_own_day),
      cmocka_unit_test(test_restored),
      cmocka_unit_test(test_admission),
      cmocka_unit_test(test_resumed_debates_go_on_with_their_sums),
      cmocka_unit_test(test_names_too_long),
      cmocka_unit_test(test_a_keys_cap_is_refused_before_the_call),
      cmocka_unit_test(test_a_keys_spending_is_restored),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
