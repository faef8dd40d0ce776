/* The ledger against a model of it, over every interleaving of three calls.
 *
 * Every function of the ledger is one step under one mutex, so what threads can do to it is to
 * order the steps of their calls. A call has two: it reserves, then it ends in one of four ways.
 * Three calls have 6! / 2!^3 = 90 orders, with 4^3 kinds of ends and a table of caps. The model
 * keeps no sums: it adds up the calls, each time anew. */
#include "provider/ledger.h"

#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

enum { CALLS = 3, STEPS = 2 * CALLS, ENDS = 4 };

/* Two calls of one debate, and one of another debate of the same principal. */
enum account { DEBATE_1, DEBATE_2, PRINCIPAL, PROCESS, ACCOUNTS };
static const char *const keys[ACCOUNTS] = {"debate:1", "debate:2", "principal:p", "process"};

static const struct call_spec {
  enum account debate;
  int64_t tokens, usd_micro;               /* reserved; money -1 = unknown */
  int64_t actual_tokens, actual_usd_micro; /* when it settles below */
} specs[CALLS] = {
    {DEBATE_1, 5, 40, 2, 11},
    {DEBATE_1, 4, 30, 4, 30},
    {DEBATE_2, 6, -1, 1, -1},
};

static const struct ledger_caps caps_of_cases[][ACCOUNTS] = {
    {{-1, -1, false}, {-1, -1, false}, {-1, -1, false}, {-1, -1, false}},
    {{-1, -1, false}, {-1, -1, false}, {-1, -1, false}, {10, -1, false}},
    {{8, -1, false}, {-1, -1, false}, {14, -1, false}, {11, -1, false}},
    {{-1, 60, false}, {-1, -1, false}, {-1, 40, true}, {-1, -1, false}},
    {{5, 40, false}, {6, 0, true}, {9, 100, true}, {-1, 70, true}},
    {{-1, -1, false}, {-1, 50, false}, {15, -1, false}, {-1, -1, false}},
    {{0, 0, false}, {0, 0, false}, {0, 0, false}, {0, 0, false}},
};

enum end { END_BELOW, END_RESERVE, END_UNKNOWN, END_RELEASE };
enum call_state { CALL_NEW, CALL_HELD, CALL_REFUSED, CALL_ENDED };

struct model {
  const struct ledger_caps *caps;
  enum call_state calls[CALLS];
  int64_t booked_tokens[CALLS], booked_usd_micro[CALLS]; /* money -1 = unknown */
  int64_t refused[ACCOUNTS];
};

static size_t chain_of(int call, enum account chain[3]) {
  chain[0] = specs[call].debate;
  chain[1] = PRINCIPAL;
  chain[2] = PROCESS;
  return 3;
}

static bool call_in(int call, enum account account) {
  return account == PRINCIPAL || account == PROCESS || account == specs[call].debate;
}

static int64_t known(int64_t amount) {
  return amount < 0 ? 0 : amount;
}

static struct ledger_view model_view(const struct model *m, enum account account) {
  struct ledger_view v = {.refused = m->refused[account], .caps = m->caps[account]};
  for (int i = 0; i < CALLS; i++) {
    if (!call_in(i, account)) continue;
    if (m->calls[i] == CALL_HELD) {
      v.reserved.tokens += specs[i].tokens;
      v.reserved.usd_micro += known(specs[i].usd_micro);
    } else if (m->calls[i] == CALL_ENDED) {
      v.committed.tokens += m->booked_tokens[i];
      v.committed.usd_micro += known(m->booked_usd_micro[i]);
      v.unpriced += m->booked_usd_micro[i] < 0;
    }
  }
  return v;
}

/* The status, and who refuses and why, by the words of the header. */
static enum status model_reserve(struct model *m, int call, enum account *ret_account,
                                 struct ledger_refusal *ret_refusal) {
  enum account chain[3];
  size_t count = chain_of(call, chain);
  for (size_t i = 0; i < count; i++) {
    struct ledger_view v = model_view(m, chain[i]);
    int64_t usd_micro = specs[call].usd_micro;
    bool tokens = v.caps.tokens >= 0 &&
                  v.committed.tokens + v.reserved.tokens + specs[call].tokens > v.caps.tokens;
    bool price = v.caps.usd_micro >= 0 && usd_micro < 0 && !v.caps.allow_unknown_price;
    bool money = v.caps.usd_micro >= 0 && usd_micro >= 0 &&
                 v.committed.usd_micro + v.reserved.usd_micro + usd_micro > v.caps.usd_micro;
    if (!tokens && !price && !money) continue;
    *ret_account = chain[i];
    ret_refusal->index = i;
    ret_refusal->reason = tokens  ? LEDGER_TOKENS_SHORT
                          : price ? LEDGER_PRICE_UNKNOWN
                                  : LEDGER_MONEY_SHORT;
    ret_refusal->may_fit_later = tokens  ? v.committed.tokens + specs[call].tokens <= v.caps.tokens
                                 : price ? false
                                         : v.committed.usd_micro + usd_micro <= v.caps.usd_micro;
    m->refused[chain[i]]++;
    m->calls[call] = CALL_REFUSED;
    return STATUS_DENIED;
  }
  m->calls[call] = CALL_HELD;
  return STATUS_OK;
}

static void model_end(struct model *m, int call, enum end end) {
  if (m->calls[call] != CALL_HELD) return;
  m->calls[call] = end == END_RELEASE ? CALL_NEW : CALL_ENDED;
  m->booked_tokens[call] = end == END_BELOW ? specs[call].actual_tokens : specs[call].tokens;
  m->booked_usd_micro[call] =
      end == END_BELOW ? specs[call].actual_usd_micro : specs[call].usd_micro;
}

static void end_call(struct ledger_reservation *r, const struct call_spec *spec, enum end end) {
  switch (end) {
    case END_BELOW: ledger_settle(r, spec->actual_tokens, spec->actual_usd_micro); break;
    case END_RESERVE: ledger_settle(r, -1, -1); break;
    case END_UNKNOWN: ledger_settle(r, -1, -1); break;
    case END_RELEASE: ledger_release(r); break;
  }
}

static void assert_same(struct ledger *ledger, const struct model *m) {
  for (enum account a = 0; a < ACCOUNTS; a++) {
    struct ledger_view got, want = model_view(m, a);
    assert_int_equal(ledger_view(ledger, keys[a], &got), STATUS_OK);
    assert_int_equal(got.committed.tokens, want.committed.tokens);
    assert_int_equal(got.committed.usd_micro, want.committed.usd_micro);
    assert_int_equal(got.reserved.tokens, want.reserved.tokens);
    assert_int_equal(got.reserved.usd_micro, want.reserved.usd_micro);
    assert_int_equal(got.refused, want.refused);
    assert_int_equal(got.unpriced, want.unpriced);
    assert_int_equal(got.overshoots, 0);
    if (got.caps.tokens >= 0)
      assert_true(got.committed.tokens + got.reserved.tokens <= got.caps.tokens);
    if (got.caps.usd_micro >= 0)
      assert_true(got.committed.usd_micro + got.reserved.usd_micro <= got.caps.usd_micro);
  }
}

static void reserve_call(struct ledger *ledger, struct model *m, int call,
                         struct ledger_reservation *r) {
  enum account chain[3], refuser = ACCOUNTS;
  const char *names[3];
  struct ledger_refusal refusal, expected = {0};
  size_t count = chain_of(call, chain);
  for (size_t i = 0; i < count; i++) names[i] = keys[chain[i]];
  enum status want = model_reserve(m, call, &refuser, &expected);
  enum status got =
      ledger_reserve(ledger, names, count, specs[call].tokens, specs[call].usd_micro, r, &refusal);
  assert_int_equal(got, want);
  if (want == STATUS_OK) return;
  assert_string_equal(refusal.account, keys[refuser]);
  assert_int_equal(refusal.index, expected.index);
  assert_int_equal(refusal.reason, expected.reason);
  assert_int_equal(refusal.may_fit_later, expected.may_fit_later);
}

static void run(const struct ledger_caps *caps, const int order[STEPS],
                const enum end ends[CALLS]) {
  struct ledger *ledger = NULL;
  struct model m = {.caps = caps};
  struct ledger_reservation reservations[CALLS] = {0};
  bool begun[CALLS] = {false};
  assert_int_equal(ledger_create(ACCOUNTS, &ledger), STATUS_OK);
  for (enum account a = 0; a < ACCOUNTS; a++)
    assert_int_equal(ledger_open(ledger, keys[a], &caps[a], NULL), STATUS_OK);
  for (int i = 0; i < STEPS; i++) {
    int call = order[i];
    if (begun[call]) {
      end_call(&reservations[call], &specs[call], ends[call]);
      model_end(&m, call, ends[call]);
    } else {
      reserve_call(ledger, &m, call, &reservations[call]);
    }
    begun[call] = true;
    assert_same(ledger, &m);
  }
  for (enum account a = 0; a < ACCOUNTS; a++) {
    struct ledger_view v;
    assert_int_equal(ledger_view(ledger, keys[a], &v), STATUS_OK);
    assert_int_equal(v.reserved.tokens, 0);
    assert_int_equal(v.reserved.usd_micro, 0);
  }
  ledger_destroy(ledger);
}

struct enumeration {
  const struct ledger_caps *caps;
  int order[STEPS];
  int left[CALLS]; /* steps of each call */
  int runs;
};

static void run_all_ends(struct enumeration *e) {
  for (int code = 0; code < ENDS * ENDS * ENDS; code++) {
    enum end ends[CALLS] = {code % ENDS, code / ENDS % ENDS, code / ENDS / ENDS};
    run(e->caps, e->order, ends);
    e->runs++;
  }
}

static void run_all_orders(struct enumeration *e, int step) {
  if (step == STEPS) {
    run_all_ends(e);
    return;
  }
  for (int call = 0; call < CALLS; call++) {
    if (e->left[call] == 0) continue;
    e->left[call]--;
    e->order[step] = call;
    run_all_orders(e, step + 1);
    e->left[call]++;
  }
}

static void test_every_interleaving(void **state) {
  for (size_t i = 0; i < sizeof caps_of_cases / sizeof *caps_of_cases; i++) {
    struct enumeration e = {.caps = caps_of_cases[i], .left = {2, 2, 2}};
    run_all_orders(&e, 0);
    assert_int_equal(e.runs, 90 * 64);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_interleaving)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
