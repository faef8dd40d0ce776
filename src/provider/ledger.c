#include "provider/ledger.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A table that cannot grow refuses the entry instead of ending the process. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define DAY_PREFIX "day:"
enum { DAY_MS = 86400000 };

enum account_state {
  ACCOUNT_OPEN,    /* reservations are made in it */
  ACCOUNT_LEAVING, /* dropped; freed when the last reservation in it ends */
};

struct ledger_account {
  UT_hash_handle hh;
  enum account_state state;
  size_t holds;            /* reservations that have not ended */
  struct ledger_view view; /* the sums themselves */
};

struct ledger {
  pthread_mutex_t lock; /* guards everything below, and every reservation */
  size_t max_accounts;
  struct ledger_account *accounts;
};

enum status ledger_create(size_t max_accounts, struct ledger **ret_ledger) {
  struct ledger *ledger = calloc(1, sizeof *ledger);
  if (!ledger) return STATUS_NOMEM;
  pthread_mutex_init(&ledger->lock, NULL);
  ledger->max_accounts = max_accounts;
  *ret_ledger = ledger;
  return STATUS_OK;
}

/* ---- accounts; the functions without ledger_ run under the lock ---- */

static struct ledger_account *account_find(struct ledger *ledger, const char *key) {
  struct ledger_account *account = NULL;
  HASH_FIND_STR(ledger->accounts, key, account);
  return account;
}

static void account_free(struct ledger *ledger, struct ledger_account *account) {
  // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): it is in the table, so there is one
  HASH_DEL(ledger->accounts, account);
  free(account);
}

static void account_free_if_left(struct ledger *ledger, struct ledger_account *account) {
  if (account->state == ACCOUNT_LEAVING && account->holds == 0) account_free(ledger, account);
}

static void account_drop(struct ledger *ledger, struct ledger_account *account) {
  account->state = ACCOUNT_LEAVING;
  account_free_if_left(ledger, account);
}

static enum status account_create(struct ledger *ledger, const char *key,
                                  struct ledger_account **ret_account) {
  if (HASH_COUNT(ledger->accounts) >= ledger->max_accounts) return STATUS_FULL;
  struct ledger_account *account = calloc(1, sizeof *account);
  if (!account) return STATUS_NOMEM;
  snprintf(account->view.key, sizeof account->view.key, "%s", key);
  HASH_ADD_STR(ledger->accounts, view.key, account);
  if (!account->hh.tbl) {
    free(account);
    return STATUS_NOMEM;
  }
  *ret_account = account;
  return STATUS_OK;
}

void ledger_destroy(struct ledger *ledger) {
  if (!ledger) return;
  struct ledger_account *account, *next;
  HASH_ITER(hh, ledger->accounts, account, next) account_free(ledger, account);
  pthread_mutex_destroy(&ledger->lock);
  free(ledger);
}

enum status ledger_open(struct ledger *ledger, const char *key, const struct ledger_caps *caps,
                        bool *ret_created) {
  size_t len = strlen(key);
  if (len == 0 || len >= LEDGER_KEY_SIZE) return STATUS_INVALID;
  if (caps->tokens < -1 || caps->usd_micro < -1) return STATUS_INVALID;
  pthread_mutex_lock(&ledger->lock);
  struct ledger_account *account = account_find(ledger, key);
  bool created = !account;
  enum status s = account ? STATUS_OK : account_create(ledger, key, &account);
  if (!s) {
    account->state = ACCOUNT_OPEN;
    account->view.caps = *caps;
    if (ret_created) *ret_created = created;
  }
  pthread_mutex_unlock(&ledger->lock);
  return s;
}

void ledger_drop(struct ledger *ledger, const char *key) {
  pthread_mutex_lock(&ledger->lock);
  struct ledger_account *account = account_find(ledger, key);
  if (account) account_drop(ledger, account);
  pthread_mutex_unlock(&ledger->lock);
}

/* ---- days ---- */

static void day_key(int64_t wall_ms, char key[LEDGER_DAY_KEY_SIZE]) {
  char iso[CLOCK_ISO_SIZE];
  clock_format_iso(wall_ms, iso);
  snprintf(key, LEDGER_DAY_KEY_SIZE, DAY_PREFIX "%.10s", iso);
}

static void drop_days_before(struct ledger *ledger, const char *key) {
  pthread_mutex_lock(&ledger->lock);
  struct ledger_account *account, *next;
  HASH_ITER(hh, ledger->accounts, account, next) {
    const char *other = account->view.key;
    bool day = strncmp(other, DAY_PREFIX, strlen(DAY_PREFIX)) == 0;
    if (day && strcmp(other, key) < 0) account_drop(ledger, account);
  }
  pthread_mutex_unlock(&ledger->lock);
}

enum status ledger_open_day(struct ledger *ledger, int64_t wall_ms, const struct ledger_caps *caps,
                            char key[LEDGER_DAY_KEY_SIZE], bool *ret_created) {
  bool created = false;
  day_key(wall_ms, key);
  enum status s = ledger_open(ledger, key, caps, &created);
  if (s) return s;
  if (created) {
    char yesterday[LEDGER_DAY_KEY_SIZE];
    day_key(wall_ms - DAY_MS, yesterday);
    drop_days_before(ledger, yesterday);
  }
  if (ret_created) *ret_created = created;
  return STATUS_OK;
}

/* ---- sums ---- */

static void add_capped(int64_t *sum, int64_t amount) {
  *sum = amount > INT64_MAX - *sum ? INT64_MAX : *sum + amount;
}

static void commit(struct ledger_view *view, int64_t tokens, int64_t usd_micro) {
  add_capped(&view->committed.tokens, tokens);
  if (usd_micro < 0)
    view->unpriced++;
  else
    add_capped(&view->committed.usd_micro, usd_micro);
}

enum status ledger_book(struct ledger *ledger, const char *key, const struct ledger_amounts *sum,
                        int64_t unpriced) {
  if (sum->tokens < 0 || sum->usd_micro < 0 || unpriced < 0) return STATUS_INVALID;
  pthread_mutex_lock(&ledger->lock);
  struct ledger_account *account = account_find(ledger, key);
  if (account) {
    commit(&account->view, sum->tokens, sum->usd_micro);
    add_capped(&account->view.unpriced, unpriced);
  }
  pthread_mutex_unlock(&ledger->lock);
  return account ? STATUS_OK : STATUS_NOT_FOUND;
}

/* ---- reserving ---- */

static int64_t reserved_money(const struct ledger_reservation *r) {
  return r->usd_micro < 0 ? 0 : r->usd_micro;
}

/* True when `amount` fits; else fills the refusal's figures. Beyond its cap an account refuses even
 * nothing. Nothing here overflows: all are >= 0, and a difference is taken only of a smaller one.
 */
static bool fits(int64_t cap, int64_t committed, int64_t reserved, int64_t amount,
                 struct ledger_refusal *refusal) {
  int64_t limit = cap < 0 ? INT64_MAX : cap;
  int64_t uncommitted = committed < limit ? limit - committed : 0;
  int64_t left = reserved < uncommitted ? uncommitted - reserved : 0;
  bool beyond = committed > limit;
  if (!beyond && reserved <= uncommitted && amount <= left) return true;
  refusal->cap = cap;
  refusal->asked = amount;
  refusal->left = left;
  refusal->may_fit_later = !beyond && amount <= uncommitted;
  return false;
}

static bool account_accepts(const struct ledger_account *account,
                            const struct ledger_reservation *r, struct ledger_refusal *refusal) {
  const struct ledger_view *v = &account->view;
  bool priced = r->usd_micro >= 0 || v->caps.usd_micro < 0 || v->caps.allow_unknown_price;
  if (!fits(v->caps.tokens, v->committed.tokens, v->reserved.tokens, r->tokens, refusal)) {
    refusal->reason = LEDGER_TOKENS_SHORT;
  } else if (!priced) {
    int64_t used = v->committed.usd_micro;
    add_capped(&used, v->reserved.usd_micro);
    refusal->reason = LEDGER_PRICE_UNKNOWN;
    refusal->cap = v->caps.usd_micro;
    refusal->asked = -1;
    refusal->left = used < v->caps.usd_micro ? v->caps.usd_micro - used : 0;
    refusal->may_fit_later = false;
  } else if (!fits(v->caps.usd_micro, v->committed.usd_micro, v->reserved.usd_micro,
                   reserved_money(r), refusal)) {
    refusal->reason = LEDGER_MONEY_SHORT;
  } else {
    return true;
  }
  memcpy(refusal->account, v->key, sizeof refusal->account);
  return false;
}

static enum status find_chain(struct ledger *ledger, const char *const keys[], size_t count,
                              struct ledger_account **accounts) {
  for (size_t i = 0; i < count; i++) {
    accounts[i] = account_find(ledger, keys[i]);
    if (!accounts[i] || accounts[i]->state != ACCOUNT_OPEN) return STATUS_NOT_FOUND;
    for (size_t j = 0; j < i; j++)
      if (accounts[j] == accounts[i]) return STATUS_INVALID;
  }
  return STATUS_OK;
}

static void hold(struct ledger_reservation *r) {
  for (size_t i = 0; i < r->count; i++) {
    struct ledger_account *account = r->accounts[i];
    account->holds++;
    account->view.reserved.tokens += r->tokens;
    account->view.reserved.usd_micro += reserved_money(r);
  }
  r->state = LEDGER_HELD;
}

/* Asks everybody, then takes: nothing has to be given back when one refuses. */
static enum status reserve(struct ledger_reservation *r, const char *const keys[],
                           struct ledger_refusal *refusal) {
  enum status s = find_chain(r->ledger, keys, r->count, r->accounts);
  if (s) return s;
  for (size_t i = 0; i < r->count; i++) {
    if (account_accepts(r->accounts[i], r, refusal)) continue;
    r->accounts[i]->view.refused++;
    refusal->index = i;
    return STATUS_DENIED;
  }
  hold(r);
  return STATUS_OK;
}

enum status ledger_reserve(struct ledger *ledger, const char *const keys[], size_t count,
                           int64_t tokens, int64_t usd_micro,
                           struct ledger_reservation *reservation, struct ledger_refusal *refusal) {
  struct ledger_reservation r = {
      .ledger = ledger, .count = count, .tokens = tokens, .usd_micro = usd_micro};
  struct ledger_refusal why = {0};
  if (count > LEDGER_CHAIN_MAX || tokens < 0 || usd_micro < -1) return STATUS_INVALID;
  pthread_mutex_lock(&ledger->lock);
  enum status s = reservation->state == LEDGER_EMPTY ? reserve(&r, keys, &why) : STATUS_INVALID;
  if (!s) *reservation = r;
  pthread_mutex_unlock(&ledger->lock);
  if (s == STATUS_DENIED && refusal) *refusal = why;
  return s;
}

/* ---- ending ---- */

static void settle(struct ledger_view *view, const struct ledger_reservation *r, int64_t tokens,
                   int64_t usd_micro) {
  int64_t more_tokens = tokens - r->tokens;
  int64_t more_usd_micro = r->usd_micro < 0 ? 0 : usd_micro - r->usd_micro;
  if (more_tokens > 0 || more_usd_micro > 0) view->overshoots++;
  if (more_tokens > 0) add_capped(&view->overshoot.tokens, more_tokens);
  if (more_usd_micro > 0) add_capped(&view->overshoot.usd_micro, more_usd_micro);
  commit(view, tokens, usd_micro);
}

/* Takes the reserve back out of every account and, when it was `sent`, commits the rest. */
static void end(struct ledger_reservation *r, bool sent, int64_t tokens, int64_t usd_micro) {
  if (tokens < 0) tokens = r->tokens;
  if (usd_micro < 0) usd_micro = r->usd_micro;
  for (size_t i = 0; i < r->count; i++) {
    struct ledger_account *account = r->accounts[i];
    account->view.reserved.tokens -= r->tokens;
    account->view.reserved.usd_micro -= reserved_money(r);
    if (sent) settle(&account->view, r, tokens, usd_micro);
    account->holds--;
    account_free_if_left(r->ledger, account);
  }
  r->state = LEDGER_EMPTY;
}

static void end_once(struct ledger_reservation *r, bool sent, int64_t tokens, int64_t usd_micro) {
  struct ledger *ledger = r->ledger;
  if (!ledger) return; /* nothing was ever reserved with it */
  pthread_mutex_lock(&ledger->lock);
  if (r->state == LEDGER_HELD) end(r, sent, tokens, usd_micro);
  pthread_mutex_unlock(&ledger->lock);
}

void ledger_settle(struct ledger_reservation *reservation, int64_t tokens, int64_t usd_micro) {
  end_once(reservation, true, tokens, usd_micro);
}

void ledger_release(struct ledger_reservation *reservation) {
  end_once(reservation, false, 0, 0);
}

/* ---- looking ---- */

enum status ledger_view(struct ledger *ledger, const char *key, struct ledger_view *ret_view) {
  pthread_mutex_lock(&ledger->lock);
  struct ledger_account *account = account_find(ledger, key);
  if (account) *ret_view = account->view;
  pthread_mutex_unlock(&ledger->lock);
  return account ? STATUS_OK : STATUS_NOT_FOUND;
}

size_t ledger_views(struct ledger *ledger, const char *prefix, struct ledger_view *views,
                    size_t max) {
  size_t count = 0, len = strlen(prefix);
  pthread_mutex_lock(&ledger->lock);
  for (struct ledger_account *a = ledger->accounts; a; a = a->hh.next) {
    if (strncmp(a->view.key, prefix, len) != 0) continue;
    if (count < max) views[count] = a->view;
    count++;
  }
  pthread_mutex_unlock(&ledger->lock);
  return count;
}
