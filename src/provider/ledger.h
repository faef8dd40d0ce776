/* Budgets that cannot be overrun: what is spent and what may still be spent, in tokens and in
 * micro-dollars.
 *
 * An account has a key ("debate:ID", "principal:ID", "day:2026-11-24", "process"), a cap in either
 * unit or none, what was committed and what is reserved. Before an attempt its upper bound is
 * reserved in a chain of accounts, in all of them or in none; afterwards the actual takes its
 * place. So
 *
 *     committed + reserved <= cap
 *
 * holds in every account at every moment, but for three things that are counted or asked for: a
 * vendor bills more than the reserve (`overshoot`), an account allows prices that nobody knows
 * (`unpriced`), or a cap is set below what was spent already. After these nothing more is granted
 * until it fits again.
 *
 * One mutex makes every function here one step; the order of the steps is all that threads can
 * change. Any thread. Amounts that would pass INT64_MAX stay there.
 */
#ifndef ARAGORA_PROVIDER_LEDGER_H
#define ARAGORA_PROVIDER_LEDGER_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct ledger;
struct ledger_account;

enum {
  LEDGER_KEY_SIZE = 192, /* of a key with its NUL */
  LEDGER_CHAIN_MAX = 6,  /* accounts in one reservation */
  LEDGER_DAY_KEY_SIZE = 15,
};

struct ledger_amounts {
  int64_t tokens;
  int64_t usd_micro;
};

struct ledger_caps {
  int64_t tokens;           /* -1 = none */
  int64_t usd_micro;        /* -1 = none */
  bool allow_unknown_price; /* a cap in money lets calls pass whose price nobody knows */
};

enum ledger_refusal_reason {
  LEDGER_TOKENS_SHORT,
  LEDGER_MONEY_SHORT,
  LEDGER_PRICE_UNKNOWN, /* the account has a cap in money and does not allow it */
};

struct ledger_refusal {
  enum ledger_refusal_reason reason;
  char account[LEDGER_KEY_SIZE]; /* the first of the chain that refused */
  size_t index;                  /* its place in the chain */
  int64_t cap;                   /* in the reason's unit */
  int64_t asked;                 /* in the same unit; -1 when the price is unknown */
  int64_t left;                  /* that could have been reserved, in the same unit */
  bool may_fit_later;            /* only what others have reserved stands in the way */
};

enum ledger_reservation_state {
  LEDGER_EMPTY, /* the caller's: nothing is reserved, or it has ended */
  LEDGER_HELD,  /* the ledger's: must be settled or released */
};

/* In the caller's memory, which stays where it is while it is held; all zero is an empty one. */
struct ledger_reservation {
  enum ledger_reservation_state state; /* guarded by the ledger's mutex */
  struct ledger *ledger;
  struct ledger_account *accounts[LEDGER_CHAIN_MAX];
  size_t count;
  int64_t tokens;
  int64_t usd_micro; /* -1 = unknown */
};

/* An account as it was at one moment. */
struct ledger_view {
  char key[LEDGER_KEY_SIZE];
  struct ledger_caps caps;
  struct ledger_amounts committed;
  struct ledger_amounts reserved;
  struct ledger_amounts overshoot; /* billed beyond the reserves; part of committed */
  int64_t overshoots;              /* calls that were */
  int64_t unpriced;                /* calls whose cost is in no sum: nobody knows it */
  int64_t refused;                 /* reservations that this account refused */
};

MUST_CHECK enum status ledger_create(size_t max_accounts, struct ledger **ret_ledger);
/* What is held is forgotten with it; no reservation is touched afterwards. NULL is fine. */
void ledger_destroy(struct ledger *ledger);

/* Makes the account, or gives the one that is there these caps. *ret_created (may be NULL) is true
 * for a new one, which begins at 0: then ledger_book what is known to be spent. STATUS_INVALID for
 * a key that is empty or too long, or a cap below -1; STATUS_FULL when there are too many. */
MUST_CHECK enum status ledger_open(struct ledger *ledger, const char *key,
                                   const struct ledger_caps *caps, bool *ret_created);
/* The same for the day of `wall_ms` (Unix time), whose key is written to `key` in every case. A day
 * ends at midnight UTC. What was reserved before is settled in the day it was reserved in: the
 * reservation holds its accounts. Opening a new day drops those before yesterday; yesterday stays,
 * so that a clock which is set back over midnight finds its sums. */
MUST_CHECK enum status ledger_open_day(struct ledger *ledger, int64_t wall_ms,
                                       const struct ledger_caps *caps,
                                       char key[LEDGER_DAY_KEY_SIZE], bool *ret_created);
/* Nothing more is reserved in it, and it is forgotten once nothing is: at once, or when its last
 * reservation ends. Opened again before that, it goes on with its sums. Unknown keys are fine. */
void ledger_drop(struct ledger *ledger, const char *key);

/* Commits what was spent before (restored from the log after a restart), whatever the cap says: the
 * sum of calls of which `unpriced` are in no sum of money. STATUS_NOT_FOUND; STATUS_INVALID for
 * less than nothing. */
MUST_CHECK enum status ledger_book(struct ledger *ledger, const char *key,
                                   const struct ledger_amounts *sum, int64_t unpriced);

/* Reserves an upper bound in every account of the chain or, on any other answer than STATUS_OK, in
 * none. STATUS_DENIED when one of them refuses: *refusal (may be NULL) says which and why.
 * STATUS_NOT_FOUND when an account is not there or dropped; STATUS_INVALID for a chain that is too
 * long or names an account twice, tokens below 0, money below -1, or a reservation that is held. */
MUST_CHECK enum status ledger_reserve(struct ledger *ledger, const char *const keys[], size_t count,
                                      int64_t tokens, int64_t usd_micro,
                                      struct ledger_reservation *reservation,
                                      struct ledger_refusal *refusal);

/* Each ends a reservation; the first wins, on one that has ended they do nothing. */

/* The call was made and this is what it took. -1 = nobody will say (cancelled, or lost in a crash):
 * the reserve is booked. More than the reserve is booked as it is and counted as an overshoot. */
void ledger_settle(struct ledger_reservation *reservation, int64_t tokens, int64_t usd_micro);
/* The request was never sent. */
void ledger_release(struct ledger_reservation *reservation);

/* STATUS_NOT_FOUND. An account that is dropped but not yet forgotten can still be seen. */
MUST_CHECK enum status ledger_view(struct ledger *ledger, const char *key,
                                   struct ledger_view *ret_view);
/* The accounts whose keys begin with `prefix` as of one moment, the oldest first, at most `max` of
 * them; returns how many there are. */
size_t ledger_views(struct ledger *ledger, const char *prefix, struct ledger_view *views,
                    size_t max);

#endif
