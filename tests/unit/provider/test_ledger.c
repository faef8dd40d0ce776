/* What an account grants, books and counts. The races and the model of it stand in
 * test_ledger_race.c and test_ledger_model.c. */
#include "provider/ledger.h"

#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static const char *const chain[] = {"debate:d1", "principal:p", "day:2026-11-24", "process"};
enum { CHAIN = 4 };
static const struct ledger_caps no_caps = {-1, -1, false};

static struct ledger *ledger_of_chain(void) {
  struct ledger *ledger = NULL;
  assert_int_equal(ledger_create(100, &ledger), STATUS_OK);
  for (int i = 0; i < CHAIN; i++)
    assert_int_equal(ledger_open(ledger, chain[i], &no_caps, NULL), STATUS_OK);
  return ledger;
}

static void set_caps(struct ledger *ledger, const char *key, int64_t tokens, int64_t usd_micro,
                     bool allow_unknown_price) {
  struct ledger_caps caps = {tokens, usd_micro, allow_unknown_price};
  bool created = true;
  assert_int_equal(ledger_open(ledger, key, &caps, &created), STATUS_OK);
  assert_false(created);
}

/* One call's; usd_micro -1 = nobody knows what it cost. */
static enum status book(struct ledger *ledger, const char *key, int64_t tokens, int64_t usd_micro) {
  const struct ledger_amounts sum = {tokens, usd_micro == -1 ? 0 : usd_micro};
  return ledger_book(ledger, key, &sum, usd_micro == -1);
}

static struct ledger_view view_of(struct ledger *ledger, const char *key) {
  struct ledger_view view;
  assert_int_equal(ledger_view(ledger, key, &view), STATUS_OK);
  assert_string_equal(view.key, key);
  return view;
}

static void assert_sums(struct ledger *ledger, const char *key, int64_t committed_tokens,
                        int64_t committed_usd_micro, int64_t reserved_tokens,
                        int64_t reserved_usd_micro) {
  struct ledger_view v = view_of(ledger, key);
  assert_int_equal(v.committed.tokens, committed_tokens);
  assert_int_equal(v.committed.usd_micro, committed_usd_micro);
  assert_int_equal(v.reserved.tokens, reserved_tokens);
  assert_int_equal(v.reserved.usd_micro, reserved_usd_micro);
}

static enum status reserve(struct ledger *ledger, int64_t tokens, int64_t usd_micro,
                           struct ledger_reservation *r, struct ledger_refusal *refusal) {
  return ledger_reserve(ledger, chain, CHAIN, tokens, usd_micro, r, refusal);
}

static void test_a_reserve_stands_in_the_whole_chain_until_it_is_settled(void **state) {
  struct ledger *ledger = ledger_of_chain();
  struct ledger_reservation r = {0};
  assert_int_equal(reserve(ledger, 1000, 70, &r, NULL), STATUS_OK);
  for (int i = 0; i < CHAIN; i++) assert_sums(ledger, chain[i], 0, 0, 1000, 70);
  ledger_settle(&r, 400, 30);
  for (int i = 0; i < CHAIN; i++) {
    assert_sums(ledger, chain[i], 400, 30, 0, 0);
    assert_int_equal(view_of(ledger, chain[i]).overshoots, 0);
  }
  ledger_destroy(ledger);
}

static void test_ends(void **state) {
  struct ledger *ledger = ledger_of_chain();
  struct ledger_reservation r = {0};
  assert_int_equal(reserve(ledger, 10, 5, &r, NULL), STATUS_OK);
  ledger_release(&r);
  assert_sums(ledger, "process", 0, 0, 0, 0);
  assert_int_equal(reserve(ledger, 10, 5, &r, NULL), STATUS_OK);
  ledger_settle(&r, -1, -1);
  assert_sums(ledger, "process", 10, 5, 0, 0);
  assert_int_equal(reserve(ledger, 10, 5, &r, NULL), STATUS_OK);
  ledger_settle(&r, 3, -1); /* tokens told, money not */
  assert_sums(ledger, "process", 13, 10, 0, 0);
  assert_int_equal(reserve(ledger, 10, 5, &r, NULL), STATUS_OK);
  ledger_settle(&r, -1, 2);
  assert_sums(ledger, "process", 23, 12, 0, 0);
  ledger_destroy(ledger);
}

static void test_a_reservation_ends_once(void **state) {
  struct ledger *ledger = ledger_of_chain();
  struct ledger_reservation r = {0};
  ledger_settle(&r, 5, 5); /* never reserved */
  assert_int_equal(reserve(ledger, 10, 5, &r, NULL), STATUS_OK);
  assert_int_equal(reserve(ledger, 10, 5, &r, NULL), STATUS_INVALID); /* is held */
  assert_sums(ledger, "process", 0, 0, 10, 5);
  ledger_settle(&r, 4, 4);
  ledger_settle(&r, 4, 4);
  ledger_settle(&r, -1, -1);
  ledger_release(&r);
  assert_sums(ledger, "process", 4, 4, 0, 0);
  ledger_destroy(ledger);
}

static void test_each_account_of_the_chain_can_refuse(void **state) {
  for (int i = 0; i < CHAIN; i++) {
    struct ledger *ledger = ledger_of_chain();
    struct ledger_reservation r = {0}, other = {0};
    struct ledger_refusal refusal;
    set_caps(ledger, chain[i], 100, -1, false);
    assert_int_equal(reserve(ledger, 60, 0, &r, NULL), STATUS_OK);
    assert_int_equal(reserve(ledger, 41, 0, &other, &refusal), STATUS_DENIED);
    assert_int_equal(refusal.reason, LEDGER_TOKENS_SHORT);
    assert_string_equal(refusal.account, chain[i]);
    assert_int_equal(refusal.asked, 41);
    assert_int_equal(refusal.left, 40);
    assert_true(refusal.may_fit_later);
    for (int j = 0; j < CHAIN; j++) { /* a refusal leaves no trace but its count */
      assert_sums(ledger, chain[j], 0, 0, 60, 0);
      assert_int_equal(view_of(ledger, chain[j]).refused, i == j);
    }
    ledger_settle(&other, -1, -1);
    assert_sums(ledger, chain[i], 0, 0, 60, 0);
    assert_int_equal(reserve(ledger, 40, 0, &other, &refusal), STATUS_OK);
    ledger_settle(&r, -1, -1);
    ledger_settle(&other, -1, -1);
    assert_int_equal(reserve(ledger, 1, 0, &r, &refusal), STATUS_DENIED);
    assert_false(refusal.may_fit_later);
    assert_int_equal(refusal.left, 0);
    assert_int_equal(reserve(ledger, 0, 0, &r, NULL), STATUS_OK);
    ledger_destroy(ledger);
  }
}

static void test_the_first_of_the_chain_is_named(void **state) {
  struct ledger *ledger = ledger_of_chain();
  struct ledger_reservation r = {0};
  struct ledger_refusal refusal;
  set_caps(ledger, "process", 5, -1, false);
  set_caps(ledger, "principal:p", -1, 5, false);
  assert_int_equal(reserve(ledger, 6, 6, &r, &refusal), STATUS_DENIED);
  assert_string_equal(refusal.account, "principal:p");
  assert_int_equal(refusal.reason, LEDGER_MONEY_SHORT);
  assert_int_equal(refusal.asked, 6);
  assert_int_equal(refusal.left, 5);
  assert_int_equal(view_of(ledger, "process").refused, 0);
  ledger_destroy(ledger);
}

static void test_an_unknown_price_against_a_cap_in_money(void **state) {
  struct ledger *ledger = ledger_of_chain();
  struct ledger_reservation r = {0};
  struct ledger_refusal refusal;
  set_caps(ledger, "debate:d1", -1, 100, false);
  assert_int_equal(book(ledger, "debate:d1", 0, 30), STATUS_OK);
  assert_int_equal(reserve(ledger, 1, -1, &r, &refusal), STATUS_DENIED);
  assert_int_equal(refusal.reason, LEDGER_PRICE_UNKNOWN);
  assert_string_equal(refusal.account, "debate:d1");
  assert_int_equal(refusal.asked, -1);
  assert_int_equal(refusal.left, 70);
  assert_false(refusal.may_fit_later);
  assert_int_equal(view_of(ledger, "debate:d1").refused, 1);
  assert_sums(ledger, "process", 0, 0, 0, 0);
  set_caps(ledger, "debate:d1", -1, 100, true);
  assert_int_equal(reserve(ledger, 1, -1, &r, &refusal), STATUS_OK);
  ledger_settle(&r, 1, -1);
  assert_sums(ledger, "debate:d1", 1, 30, 0, 0);
  assert_int_equal(view_of(ledger, "debate:d1").unpriced, 1);
  /* A vendor that names the cost makes it known; there was no reserve that it could exceed. */
  assert_int_equal(reserve(ledger, 1, -1, &r, &refusal), STATUS_OK);
  ledger_settle(&r, 1, 50);
  assert_sums(ledger, "debate:d1", 2, 80, 0, 0);
  assert_int_equal(view_of(ledger, "debate:d1").unpriced, 1);
  assert_int_equal(view_of(ledger, "debate:d1").overshoots, 0);
  ledger_destroy(ledger);
}

static void test_an_unknown_price_without_a_cap_in_money(void **state) {
  struct ledger *ledger = ledger_of_chain();
  struct ledger_reservation r = {0};
  set_caps(ledger, "process", 100, -1, false);
  assert_int_equal(reserve(ledger, 50, -1, &r, NULL), STATUS_OK);
  assert_sums(ledger, "process", 0, 0, 50, 0);
  ledger_settle(&r, -1, -1);
  assert_sums(ledger, "process", 50, 0, 0, 0);
  assert_int_equal(view_of(ledger, "process").unpriced, 1);
  assert_int_equal(reserve(ledger, 50, -1, &r, NULL), STATUS_OK);
  ledger_release(&r);
  assert_int_equal(view_of(ledger, "process").unpriced, 1);
  ledger_destroy(ledger);
}

static void test_an_overshoot_is_booked_and_counted(void **state) {
  struct ledger *ledger = ledger_of_chain();
  struct ledger_reservation r = {0};
  struct ledger_refusal refusal;
  set_caps(ledger, "process", 100, 100, false);
  assert_int_equal(reserve(ledger, 90, 90, &r, NULL), STATUS_OK);
  ledger_settle(&r, 120, 80);
  struct ledger_view v = view_of(ledger, "process");
  assert_int_equal(v.committed.tokens, 120);
  assert_int_equal(v.committed.usd_micro, 80);
  assert_int_equal(v.overshoots, 1);
  assert_int_equal(v.overshoot.tokens, 30);
  assert_int_equal(v.overshoot.usd_micro, 0);
  assert_int_equal(reserve(ledger, 1, 1, &r, &refusal), STATUS_DENIED);
  assert_int_equal(refusal.left, 0);
  assert_false(refusal.may_fit_later);
  set_caps(ledger, "process", 200, 100, false);
  assert_int_equal(reserve(ledger, 10, 20, &r, NULL), STATUS_OK);
  ledger_settle(&r, 10, 27);
  v = view_of(ledger, "process");
  assert_int_equal(v.overshoots, 2);
  assert_int_equal(v.overshoot.tokens, 30);
  assert_int_equal(v.overshoot.usd_micro, 7);
  assert_int_equal(v.committed.usd_micro, 107);
  ledger_destroy(ledger);
}

static void test_restoring_books_over_a_cap(void **state) {
  struct ledger *ledger = ledger_of_chain();
  struct ledger_reservation r = {0};
  set_caps(ledger, "process", 100, 100, false);
  assert_int_equal(book(ledger, "process", 60, 130), STATUS_OK);
  assert_int_equal(book(ledger, "process", 30, -1), STATUS_OK);
  assert_sums(ledger, "process", 90, 130, 0, 0);
  assert_int_equal(view_of(ledger, "process").unpriced, 1);
  assert_int_equal(view_of(ledger, "process").overshoots, 0);
  assert_int_equal(reserve(ledger, 10, 0, &r, NULL), STATUS_DENIED);
  set_caps(ledger, "process", 100, 130, false);
  assert_int_equal(reserve(ledger, 10, 0, &r, NULL), STATUS_OK);
  assert_int_equal(book(ledger, "nobody", 1, 1), STATUS_NOT_FOUND);
  assert_int_equal(book(ledger, "process", -1, 1), STATUS_INVALID);
  assert_int_equal(book(ledger, "process", 1, -2), STATUS_INVALID);
  ledger_destroy(ledger);
}

static void test_sums_do_not_overflow(void **state) {
  struct ledger *ledger = ledger_of_chain();
  struct ledger_reservation a = {0}, b = {0};
  struct ledger_refusal refusal;
  assert_int_equal(reserve(ledger, INT64_MAX, INT64_MAX, &a, NULL), STATUS_OK);
  assert_int_equal(reserve(ledger, 1, 0, &b, &refusal), STATUS_DENIED); /* no cap, but no room */
  assert_int_equal(refusal.left, 0);
  assert_int_equal(book(ledger, "process", INT64_MAX, INT64_MAX), STATUS_OK);
  assert_int_equal(reserve(ledger, INT64_MAX, 0, &b, &refusal), STATUS_DENIED);
  ledger_settle(&a, -1, -1);
  assert_sums(ledger, "process", INT64_MAX, INT64_MAX, 0, 0);
  assert_int_equal(reserve(ledger, 0, 0, &a, NULL), STATUS_OK);
  ledger_settle(&a, INT64_MAX, INT64_MAX);
  assert_int_equal(reserve(ledger, 0, 0, &a, NULL), STATUS_OK);
  ledger_settle(&a, INT64_MAX, INT64_MAX);
  struct ledger_view v = view_of(ledger, "process");
  assert_int_equal(v.overshoot.tokens, INT64_MAX);
  assert_int_equal(v.overshoots, 2);
  ledger_destroy(ledger);
}

static void test_what_is_invalid(void **state) {
  struct ledger *ledger = ledger_of_chain();
  struct ledger_reservation r = {0};
  const char *const twice[] = {"process", "debate:d1", "process"};
  const char *const unknown[] = {"process", "debate:d2"};
  const char *const many[] = {"a", "b", "c", "d", "e", "f", "g"};
  struct ledger_caps low = {-2, -1, false};
  char key[LEDGER_KEY_SIZE + 1];
  assert_int_equal(reserve(ledger, -1, 0, &r, NULL), STATUS_INVALID);
  assert_int_equal(reserve(ledger, 0, -2, &r, NULL), STATUS_INVALID);
  assert_int_equal(ledger_reserve(ledger, twice, 3, 1, 1, &r, NULL), STATUS_INVALID);
  assert_int_equal(ledger_reserve(ledger, many, 7, 1, 1, &r, NULL), STATUS_INVALID);
  assert_int_equal(ledger_reserve(ledger, unknown, 2, 1, 1, &r, NULL), STATUS_NOT_FOUND);
  assert_sums(ledger, "process", 0, 0, 0, 0);
  assert_int_equal(ledger_open(ledger, "x", &low, NULL), STATUS_INVALID);
  assert_int_equal(ledger_open(ledger, "", &no_caps, NULL), STATUS_INVALID);
  memset(key, 'k', sizeof key);
  key[LEDGER_KEY_SIZE] = '\0';
  assert_int_equal(ledger_open(ledger, key, &no_caps, NULL), STATUS_INVALID);
  key[LEDGER_KEY_SIZE - 1] = '\0';
  assert_int_equal(ledger_open(ledger, key, &no_caps, NULL), STATUS_OK);
  view_of(ledger, key);
  ledger_destroy(ledger);
  ledger_destroy(NULL);
}

/* ---- accounts that come and go ---- */

static void test_dropped_at_once_when_nothing_is_held(void **state) {
  struct ledger *ledger = ledger_of_chain();
  struct ledger_view view;
  bool created = false;
  assert_int_equal(book(ledger, "debate:d1", 10, 10), STATUS_OK);
  ledger_drop(ledger, "debate:d1");
  ledger_drop(ledger, "debate:d1");
  assert_int_equal(ledger_view(ledger, "debate:d1", &view), STATUS_NOT_FOUND);
  assert_int_equal(ledger_open(ledger, "debate:d1", &no_caps, &created), STATUS_OK);
  assert_true(created);
  assert_sums(ledger, "debate:d1", 0, 0, 0, 0);
  ledger_destroy(ledger);
}

static void test_dropped_with_its_last_reservation(void **state) {
  struct ledger *ledger = ledger_of_chain();
  struct ledger_reservation a = {0}, b = {0}, c = {0};
  struct ledger_view view;
  assert_int_equal(reserve(ledger, 10, 10, &a, NULL), STATUS_OK);
  assert_int_equal(reserve(ledger, 10, 10, &b, NULL), STATUS_OK);
  ledger_drop(ledger, "debate:d1");
  assert_int_equal(reserve(ledger, 1, 1, &c, NULL), STATUS_NOT_FOUND);
  ledger_settle(&a, 7, 7);
  assert_sums(ledger, "debate:d1", 7, 7, 10, 10);
  ledger_release(&b);
  assert_int_equal(ledger_view(ledger, "debate:d1", &view), STATUS_NOT_FOUND);
  assert_sums(ledger, "process", 7, 7, 0, 0);
  ledger_destroy(ledger);
}

static void test_opened_again_before_it_left(void **state) {
  struct ledger *ledger = ledger_of_chain();
  struct ledger_reservation a = {0};
  assert_int_equal(reserve(ledger, 10, 10, &a, NULL), STATUS_OK);
  ledger_drop(ledger, "debate:d1");
  set_caps(ledger, "debate:d1", 50, -1, false);
  ledger_settle(&a, -1, -1);
  assert_sums(ledger, "debate:d1", 10, 10, 0, 0);
  assert_int_equal(reserve(ledger, 41, 0, &a, NULL), STATUS_DENIED);
  assert_int_equal(reserve(ledger, 40, 0, &a, NULL), STATUS_OK);
  ledger_destroy(ledger);
}

static void test_bounded(void **state) {
  struct ledger *ledger = NULL;
  char key[32];
  assert_int_equal(ledger_create(3, &ledger), STATUS_OK);
  for (int i = 0; i < 3; i++) {
    snprintf(key, sizeof key, "debate:%d", i);
    assert_int_equal(ledger_open(ledger, key, &no_caps, NULL), STATUS_OK);
  }
  assert_int_equal(ledger_open(ledger, "process", &no_caps, NULL), STATUS_FULL);
  assert_int_equal(ledger_open(ledger, "debate:1", &no_caps, NULL), STATUS_OK);
  struct ledger_view views[4];
  assert_int_equal(ledger_views(ledger, "", views, 2), 3);
  assert_int_equal(ledger_views(ledger, "", views, 4), 3);
  assert_string_equal(views[0].key, "debate:0");
  assert_string_equal(views[2].key, "debate:2");
  ledger_drop(ledger, "debate:1");
  assert_int_equal(ledger_open(ledger, "process", &no_caps, NULL), STATUS_OK);
  assert_int_equal(ledger_views(ledger, "", views, 4), 3);
  assert_string_equal(views[1].key, "debate:2");
  ledger_destroy(ledger);
}

/* ---- days ---- */

#define MIDNIGHT 1764028800000 /* 2025-11-25T00:00:00Z */
enum { DAY_MS = 86400000 };

static void test_a_day_ends_at_midnight_utc(void **state) {
  struct ledger *ledger = NULL;
  struct ledger_caps caps = {100, -1, false};
  struct ledger_reservation before = {0}, after = {0};
  char first[LEDGER_DAY_KEY_SIZE], second[LEDGER_DAY_KEY_SIZE];
  bool created = false;
  assert_int_equal(ledger_create(10, &ledger), STATUS_OK);
  assert_int_equal(ledger_open_day(ledger, MIDNIGHT - 1, &caps, first, &created), STATUS_OK);
  assert_true(created);
  assert_string_equal(first, "day:2025-11-24");
  const char *const keys[] = {first}, *const next[] = {second};
  assert_int_equal(ledger_reserve(ledger, keys, 1, 100, 0, &before, NULL), STATUS_OK);
  assert_int_equal(ledger_open_day(ledger, MIDNIGHT, &caps, second, &created), STATUS_OK);
  assert_true(created);
  assert_string_equal(second, "day:2025-11-25");
  assert_int_equal(ledger_open_day(ledger, MIDNIGHT + 1, &caps, second, &created), STATUS_OK);
  assert_false(created);
  assert_int_equal(ledger_reserve(ledger, next, 1, 100, 0, &after, NULL), STATUS_OK);
  ledger_settle(&before, 90, 0); /* in the day it was made in */
  assert_sums(ledger, first, 90, 0, 0, 0);
  assert_sums(ledger, second, 0, 0, 100, 0);
  ledger_destroy(ledger);
}

static void test_days_gone_by_are_dropped(void **state) {
  struct ledger *ledger = NULL;
  struct ledger_reservation held = {0};
  struct ledger_view view;
  char days[3][LEDGER_DAY_KEY_SIZE];
  assert_int_equal(ledger_create(10, &ledger), STATUS_OK);
  assert_int_equal(ledger_open(ledger, "dawn", &no_caps, NULL), STATUS_OK); /* no day */
  for (int i = 0; i < 2; i++)
    assert_int_equal(
        ledger_open_day(ledger, MIDNIGHT + (int64_t)i * DAY_MS, &no_caps, days[i], NULL),
        STATUS_OK);
  const char *const keys[] = {days[0]};
  assert_int_equal(ledger_reserve(ledger, keys, 1, 5, 5, &held, NULL), STATUS_OK);
  assert_int_equal(book(ledger, days[1], 7, 7), STATUS_OK);
  assert_int_equal(ledger_open_day(ledger, MIDNIGHT + 2LL * DAY_MS, &no_caps, days[2], NULL),
                   STATUS_OK);
  assert_sums(ledger, days[0], 0, 0, 5, 5); /* until its last reservation has ended */
  ledger_settle(&held, -1, -1);
  assert_int_equal(ledger_view(ledger, days[0], &view), STATUS_NOT_FOUND);
  view_of(ledger, "dawn");
  /* A clock set back over midnight finds what yesterday spent. */
  bool created = true;
  assert_int_equal(
      ledger_open_day(ledger, MIDNIGHT + 2LL * DAY_MS - 1, &no_caps, days[1], &created), STATUS_OK);
  assert_false(created);
  assert_sums(ledger, days[1], 7, 7, 0, 0);
  view_of(ledger, days[2]);
  ledger_destroy(ledger);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_reserve_stands_in_the_whole_chain_until_it_is_settled),
      cmocka_unit_test(test_ends),
      cmocka_unit_test(test_a_reservation_ends_once),
      cmocka_unit_test(test_each_account_of_the_chain_can_refuse),
      cmocka_unit_test(test_the_first_of_the_chain_is_named),
      cmocka_unit_test(test_an_unknown_price_against_a_cap_in_money),
      cmocka_unit_test(test_an_unknown_price_without_a_cap_in_money),
      cmocka_unit_test(test_an_overshoot_is_booked_and_counted),
      cmocka_unit_test(test_restoring_books_over_a_cap),
      cmocka_unit_test(test_sums_do_not_overflow),
      cmocka_unit_test(test_what_is_invalid),
      cmocka_unit_test(test_dropped_at_once_when_nothing_is_held),
      cmocka_unit_test(test_dropped_with_its_last_reservation),
      cmocka_unit_test(test_opened_again_before_it_left),
      cmocka_unit_test(test_bounded),
      cmocka_unit_test(test_a_day_ends_at_midnight_utc),
      cmocka_unit_test(test_days_gone_by_are_dropped),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
