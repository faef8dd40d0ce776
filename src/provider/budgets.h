/* What calls are paid from: each debate's own account, its principal's and everybody's of the UTC
 * day, the process's, and where an API key started it, that one's of the day. A call claims its
 * upper bound in all of them before it is announced, and settles to what it took when it ends
 * (ledger.h says what holds in between).
 *
 * A claim that only what others hold keeps from fitting waits until something was settled, in the
 * order of asking among those that wait for the same account; the others pass it by.
 *
 * Loop thread only, but for budgets_look, budgets_principals and budgets_cap_key, which any thread
 * may call.
 */
#ifndef ARAGORA_PROVIDER_BUDGETS_H
#define ARAGORA_PROVIDER_BUDGETS_H

#include "base/clock.h"
#include "base/principal.h"
#include "io/loop.h"
#include "provider/ledger.h"

struct budgets;

enum budget_scope { /* in the order of the chain: the first that refuses is named */
                    BUDGET_DEBATE,
                    BUDGET_PRINCIPAL, /* of one day */
                    BUDGET_DAY,
                    BUDGET_PROCESS, /* since it started: a fuse */
                    BUDGET_KEY,     /* an API key's of one day; last, as not every debate has one */
                    BUDGET_SCOPES,
};
const char *budget_scope_name(
    enum budget_scope scope); /* "debate", "principal", "day", "process", "key" */

struct budget_cap {
  int64_t tokens, usd_micro; /* 0 = none */
};

struct budgets_options {
  struct budget_cap principal_day, day, process;
  bool allow_unknown_price;  /* these caps in money let calls pass whose price nobody knows */
  const struct clock *clock; /* for the day; NULL = the system's */
};

MUST_CHECK enum status budgets_create(struct loop *loop, const struct budgets_options *options,
                                      struct budgets **ret_budgets, struct error *err);
/* When no claim is under way any more. NULL is fine. */
void budgets_destroy(struct budgets *budgets);

enum { BUDGET_DAY_MS = 86400000 };
/* Days since 1970-01-01 UTC. */
int64_t budgets_today(const struct budgets *budgets);
/* Books what a principal spent on a day before this process started. */
MUST_CHECK enum status budgets_restore(struct budgets *budgets, int64_t day,
                                       const struct principal *who,
                                       const struct ledger_amounts *spent, int64_t unpriced);

/* The same of a key, whose principal's share is booked by budgets_restore. */
MUST_CHECK enum status budgets_restore_key(struct budgets *budgets, int64_t day, const char *key_id,
                                           const struct ledger_amounts *spent, int64_t unpriced);

/* What debates started with this key may cost in a day, from the next claim on; 0 = no cap of its
 * own. Keys without one need no call. STATUS_NOMEM; STATUS_INVALID for an id that is too long. */
MUST_CHECK enum status budgets_cap_key(struct budgets *budgets, const char *key_id,
                                       int64_t usd_micro_per_day);

/* ---- a debate ---- */

struct budget_claim;

/* One debate's way through the accounts, its keys made once (and anew after midnight). In the
 * debate's memory, where it stays while it is open; all zero is one that is not. */
struct budget {
  struct budgets *budgets; /* NULL = not open */
  int64_t day;             /* of the keys below */
  char debate[LEDGER_KEY_SIZE];
  char principal[LEDGER_KEY_SIZE]; /* "day:2026-11-24:TENANT/OWNER", so that it goes with its day */
  char day_key[LEDGER_DAY_KEY_SIZE];
  char key[LEDGER_KEY_SIZE]; /* "day:2026-11-24#ID"; "" = no API key's */
  bool unknown_price_allowed;
  bool capped_usd;  /* its own */
  int waiting;      /* claims that its own account keeps waiting */
  uint64_t seen_in; /* the look in which one of these came first */
};

/* `spent` is what its log has booked so far. STATUS_INVALID for a principal whose name is too long,
 * STATUS_FULL when there are too many accounts. */
MUST_CHECK enum status budget_open(struct budgets *budgets, const char *debate_id,
                                   const struct principal *who, const struct ledger_caps *caps,
                                   const struct ledger_amounts *spent, struct budget *ret_budget);
/* No claim of it waits any more; what is held is settled all the same. Fine for one that is not
 * open. */
void budget_close(struct budget *budget);

/* Why a call without a price is never made: an account of the chain has a cap in money and does not
 * allow it. */
bool budget_refuses_unknown_price(const struct budget *budget);

/* ---- a call ---- */

enum claim_state {
  CLAIM_NONE,    /* its owner's: nothing is held, nothing waits */
  CLAIM_WAITING, /* in the line, until `go` */
  CLAIM_HELD,    /* reserved, until it is settled or released */
};

/* In the call's memory; all zero is CLAIM_NONE. */
struct budget_claim {
  enum claim_state state;
  struct budgets *budgets;
  struct budget *budget; /* while it waits */
  int64_t day;           /* of a held one: in which it is booked, since 1970-01-01 UTC */
  struct ledger_reservation reservation;
  struct budget_claim *prev, *next; /* in the line; utlist */
  struct budget_claim *next_seen; /* of one look: accounts of several debates keep these waiting */
  enum budget_scope scope;        /* that keeps it waiting */
  int64_t tokens, usd_micro;
  /* It waits no longer: held now, or CLAIM_NONE when it can never fit. At the end of a turn of the
   * loop; must not claim, settle or call off at once. */
  void (*go)(void *ctx);
  void *ctx;
};

enum budget_answer {
  BUDGET_HELD,
  BUDGET_WAITING,       /* `go` comes */
  BUDGET_EXHAUSTED,     /* it cannot fit, whatever the others take */
  BUDGET_PRICE_UNKNOWN, /* an account does not allow it */
  BUDGET_FAILED,        /* memory is short, or there are too many accounts */
};

enum { BUDGET_WORDS_SIZE = 240 };
/* Claims an upper bound; usd_micro -1 = the price is unknown. For the last three answers `words`
 * says which account, what was asked, what is left. */
enum budget_answer budget_claim(struct budget *budget, struct budget_claim *claim, int64_t tokens,
                                int64_t usd_micro, char words[BUDGET_WORDS_SIZE]);
/* A call ended and took this much. -1 = not known: what was claimed is booked. */
void budget_settle(struct budget_claim *claim, int64_t tokens, int64_t usd_micro);
/* It was never sent, or waits no longer. Fine in any state. */
void budget_release(struct budget_claim *claim);

/* ---- for people and programs ---- */

/* STATUS_EXHAUSTED when the principal's, the day's or the process's account cannot pay for the
 * least that a call takes (usd_micro -1 = unknown), whatever is settled: the words name the cap,
 * retry_after_s is the time to midnight UTC, 0 for the process's. STATUS_INVALID for a principal
 * whose name is too long. */
MUST_CHECK enum status budgets_admit(struct budgets *budgets, const struct principal *who,
                                     int64_t tokens, int64_t usd_micro, struct error *err);

struct budgets_view {
  int64_t day;
  struct ledger_view today, process;
  struct ledger_caps principal_caps;
  size_t waiting; /* claims in the line; as of the loop's last turn */
};
void budgets_look(struct budgets *budgets, struct budgets_view *ret_view);

struct budgets_principal {
  const char *name; /* "TENANT/OWNER", in `view.key` */
  struct ledger_view view;
};
/* Today's accounts of principals, at most `max`; returns how many there are. Fills `name` too. */
size_t budgets_principals(struct budgets *budgets, struct budgets_principal *principals,
                          size_t max);

#endif
