#include "provider/budgets.h"

#include "base/log.h"
#include "base/metrics.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A table that cannot grow refuses the entry instead of ending the process. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include <utlist.h>

enum { ACCOUNTS_MAX = 1 << 20, DAY_CHARS = 10 };

struct key_cap {
  int64_t usd_micro;
  UT_hash_handle hh;
  char id[];
};

struct budgets {
  struct loop *loop;
  const struct clock *clock;
  struct ledger *ledger;
  struct ledger_caps caps[BUDGET_SCOPES]; /* of a debate: none */
  struct budget_claim *line;              /* those that wait, in the order of asking; utlist */
  int waiting[BUDGET_SCOPES];             /* by the account that keeps them waiting */
  _Atomic size_t in_line;                 /* for those who look */
  uint64_t looks;
  struct loop_task look;
  pthread_mutex_t keys_lock;
  struct key_cap *keys; /* those that have one */
};

static const char *const scope_names[BUDGET_SCOPES] = {"debate", "principal", "day", "process",
                                                       "key"};

const char *budget_scope_name(enum budget_scope scope) {
  return scope_names[scope];
}

/* ---- life ---- */

static struct ledger_caps caps_of(struct budget_cap cap, bool allow_unknown_price) {
  return (struct ledger_caps){cap.tokens > 0 ? cap.tokens : -1,
                              cap.usd_micro > 0 ? cap.usd_micro : -1, allow_unknown_price};
}

enum status budgets_create(struct loop *loop, const struct budgets_options *o,
                           struct budgets **ret_budgets, struct error *err) {
  struct budgets *b = calloc(1, sizeof *b);
  enum status s = b ? ledger_create(ACCOUNTS_MAX, &b->ledger) : STATUS_NOMEM;
  if (!s) {
    pthread_mutex_init(&b->keys_lock, NULL);
    b->loop = loop;
    b->clock = o->clock ? o->clock : &clock_system;
    b->caps[BUDGET_DEBATE] = (struct ledger_caps){-1, -1, false};
    b->caps[BUDGET_PRINCIPAL] = caps_of(o->principal_day, o->allow_unknown_price);
    b->caps[BUDGET_DAY] = caps_of(o->day, o->allow_unknown_price);
    b->caps[BUDGET_PROCESS] = caps_of(o->process, o->allow_unknown_price);
    s = ledger_open(b->ledger, scope_names[BUDGET_PROCESS], &b->caps[BUDGET_PROCESS], NULL);
  }
  if (s) {
    budgets_destroy(b);
    return error_set(err, s, NULL, "out of memory");
  }
  *ret_budgets = b;
  return STATUS_OK;
}

void budgets_destroy(struct budgets *b) {
  if (!b) return;
  if (b->loop) {
    loop_defer_cancel(b->loop, &b->look);
    pthread_mutex_destroy(&b->keys_lock);
  }
  struct key_cap *cap, *next;
  HASH_ITER(hh, b->keys, cap, next) {
    HASH_DEL(b->keys, cap);
    free(cap);
  }
  ledger_destroy(b->ledger);
  free(b);
}

/* ---- accounts of a day ---- */

int64_t budgets_today(const struct budgets *b) {
  return clock_wall_ms(b->clock) / BUDGET_DAY_MS;
}

/* False when the name does not fit: cut short it would be another's. */
static bool principal_key(const char *day_key, const struct principal *who,
                          char key[LEDGER_KEY_SIZE]) {
  int n = snprintf(key, LEDGER_KEY_SIZE, "%s:%s/%s", day_key, who->tenant_id, who->owner_id);
  return n < LEDGER_KEY_SIZE;
}

static void make_day_key(int64_t day, char key[LEDGER_DAY_KEY_SIZE]) {
  char iso[CLOCK_ISO_SIZE];
  clock_format_iso(day * BUDGET_DAY_MS, iso);
  snprintf(key, LEDGER_DAY_KEY_SIZE, "day:%.*s", DAY_CHARS, iso);
}

static bool key_key(const char *day_key, const char *key_id, char key[LEDGER_KEY_SIZE]) {
  if (!key_id) {
    key[0] = '\0';
    return true;
  }
  return snprintf(key, LEDGER_KEY_SIZE, "%s#%s", day_key, key_id) < LEDGER_KEY_SIZE;
}

/* The id stands behind the day. */
static const char *id_of_key(const char *key) {
  return key + LEDGER_DAY_KEY_SIZE;
}

static struct ledger_caps caps_of_key(struct budgets *b, const char *key_id) {
  struct key_cap *found;
  pthread_mutex_lock(&b->keys_lock);
  HASH_FIND_STR(b->keys, key_id, found);
  const struct budget_cap cap = {0, found ? found->usd_micro : 0};
  pthread_mutex_unlock(&b->keys_lock);
  return caps_of(cap, b->caps[BUDGET_PRINCIPAL].allow_unknown_price);
}

static enum status open_key(struct budgets *b, const char *key) {
  if (!*key) return STATUS_OK;
  const struct ledger_caps caps = caps_of_key(b, id_of_key(key));
  return ledger_open(b->ledger, key, &caps, NULL);
}

/* Takes or forgets the cap. */
static bool put_cap(struct budgets *b, const char *key_id, int64_t usd_micro) {
  struct key_cap *cap;
  size_t len = strlen(key_id);
  HASH_FIND(hh, b->keys, key_id, len, cap);
  if (!cap && usd_micro > 0) {
    cap = calloc(1, sizeof *cap + len + 1);
    if (!cap) return false;
    memcpy(cap->id, key_id, len);
    HASH_ADD(hh, b->keys, id[0], len, cap);
    if (!cap->hh.tbl) {
      free(cap);
      return false;
    }
  }
  if (cap) cap->usd_micro = usd_micro;
  if (cap && usd_micro <= 0) {
    HASH_DEL(b->keys, cap);
    free(cap);
  }
  return true;
}

enum status budgets_cap_key(struct budgets *b, const char *key_id, int64_t usd_micro_per_day) {
  char day_key[LEDGER_DAY_KEY_SIZE], key[LEDGER_KEY_SIZE];
  struct ledger_view view;
  make_day_key(budgets_today(b), day_key);
  if (!key_key(day_key, key_id, key)) return STATUS_INVALID;
  pthread_mutex_lock(&b->keys_lock);
  bool put = put_cap(b, key_id, usd_micro_per_day);
  pthread_mutex_unlock(&b->keys_lock);
  if (!put) return STATUS_NOMEM;
  /* Debates of it that run today count against the new one too. */
  return ledger_view(b->ledger, key, &view) ? STATUS_OK : open_key(b, key);
}

/* The day's account is opened last: opening a new one drops those of days gone by. */
static enum status open_day(struct budgets *b, int64_t day, const char *principal,
                            char day_key[LEDGER_DAY_KEY_SIZE]) {
  enum status s =
      ledger_open_day(b->ledger, day * BUDGET_DAY_MS, &b->caps[BUDGET_DAY], day_key, NULL);
  if (!s) s = ledger_open(b->ledger, principal, &b->caps[BUDGET_PRINCIPAL], NULL);
  return s;
}

enum status budgets_restore(struct budgets *b, int64_t day, const struct principal *who,
                            const struct ledger_amounts *spent, int64_t unpriced) {
  char day_key[LEDGER_DAY_KEY_SIZE], principal[LEDGER_KEY_SIZE];
  make_day_key(day, day_key);
  if (!principal_key(day_key, who, principal)) return STATUS_INVALID;
  enum status s = open_day(b, day, principal, day_key);
  if (!s) s = ledger_book(b->ledger, principal, spent, unpriced);
  if (!s) s = ledger_book(b->ledger, day_key, spent, unpriced);
  return s;
}

enum status budgets_restore_key(struct budgets *b, int64_t day, const char *key_id,
                                const struct ledger_amounts *spent, int64_t unpriced) {
  char day_key[LEDGER_DAY_KEY_SIZE], key[LEDGER_KEY_SIZE];
  make_day_key(day, day_key);
  if (!key_key(day_key, key_id, key)) return STATUS_INVALID;
  enum status s =
      ledger_open_day(b->ledger, day * BUDGET_DAY_MS, &b->caps[BUDGET_DAY], day_key, NULL);
  if (!s) s = open_key(b, key);
  return s ? s : ledger_book(b->ledger, key, spent, unpriced);
}

/* After midnight the keys change in place: all hold the date behind "day:". */
static enum status keep_day(struct budget *budget) {
  struct budgets *b = budget->budgets;
  int64_t day = budgets_today(b);
  if (day == budget->day) return STATUS_OK;
  make_day_key(day, budget->day_key);
  memcpy(budget->principal, budget->day_key, LEDGER_DAY_KEY_SIZE - 1);
  if (*budget->key) memcpy(budget->key, budget->day_key, LEDGER_DAY_KEY_SIZE - 1);
  enum status s = open_day(b, day, budget->principal, budget->day_key);
  if (!s) s = open_key(b, budget->key);
  if (!s) budget->day = day;
  return s;
}

/* ---- a debate ---- */

enum status budget_open(struct budgets *b, const char *debate_id, const struct principal *who,
                        const struct ledger_caps *caps, const struct ledger_amounts *spent,
                        struct budget *ret_budget) {
  struct budget budget = {.budgets = b,
                          .day = budgets_today(b),
                          .capped_usd = caps->usd_micro >= 0,
                          .unknown_price_allowed = caps->allow_unknown_price};
  make_day_key(budget.day, budget.day_key);
  int n = snprintf(budget.debate, sizeof budget.debate, "debate:%s", debate_id);
  if (n >= LEDGER_KEY_SIZE || !principal_key(budget.day_key, who, budget.principal) ||
      !key_key(budget.day_key, who->key_id, budget.key))
    return STATUS_INVALID;
  enum status s = open_day(b, budget.day, budget.principal, budget.day_key);
  if (!s) s = open_key(b, budget.key);
  if (!s) s = ledger_open(b->ledger, budget.debate, caps, NULL);
  if (s) return s;
  s = ledger_book(b->ledger, budget.debate, spent, 0);
  if (s)
    ledger_drop(b->ledger, budget.debate);
  else
    *ret_budget = budget;
  return s;
}

void budget_close(struct budget *budget) {
  if (budget->budgets) ledger_drop(budget->budgets->ledger, budget->debate);
  *budget = (struct budget){0};
}

static bool refuses_unknown(const struct ledger_caps *caps) {
  return caps->usd_micro >= 0 && !caps->allow_unknown_price;
}

bool budget_refuses_unknown_price(const struct budget *budget) {
  if (budget->capped_usd && !budget->unknown_price_allowed) return true;
  for (int scope = BUDGET_PRINCIPAL; scope < BUDGET_KEY; scope++)
    if (refuses_unknown(&budget->budgets->caps[scope])) return true;
  if (!*budget->key) return false;
  const struct ledger_caps caps = caps_of_key(budget->budgets, id_of_key(budget->key));
  return refuses_unknown(&caps);
}

/* ---- words ---- */

enum { AMOUNT_SIZE = 40 };

static void print_amount(int64_t amount, bool money, char out[AMOUNT_SIZE]) {
  if (money)
    snprintf(out, AMOUNT_SIZE, "$%lld.%06lld", (long long)(amount / 1000000),
             (long long)(amount % 1000000));
  else
    snprintf(out, AMOUNT_SIZE, "%lld tokens", (long long)amount);
}

static const char *const owners[BUDGET_SCOPES] = {"debate's budget", "principal's cap for the day",
                                                  "cap for the day", "cap of this server process",
                                                  "API key's cap for the day"};

static void print_refusal(const struct ledger_refusal *r, enum budget_scope scope, char *out,
                          size_t size) {
  char asked[AMOUNT_SIZE], left[AMOUNT_SIZE], cap[AMOUNT_SIZE];
  bool money = r->reason != LEDGER_TOKENS_SHORT;
  print_amount(r->cap, money, cap);
  if (r->reason == LEDGER_PRICE_UNKNOWN) {
    snprintf(out, size, "the %s is %s, and a price that nobody knows is not allowed for it",
             owners[scope], cap);
    return;
  }
  print_amount(r->asked, money, asked);
  print_amount(r->left, money, left);
  snprintf(out, size, "the %s of %s is used up: a call may take %s, %s are left", owners[scope],
           cap, asked, left);
}

/* ---- the line ---- */

static void set_scope(struct budget_claim *claim, enum budget_scope scope) {
  struct budgets *b = claim->budget->budgets;
  b->waiting[claim->scope]--;
  if (claim->scope == BUDGET_DEBATE) claim->budget->waiting--;
  b->waiting[scope]++;
  if (scope == BUDGET_DEBATE) claim->budget->waiting++;
  claim->scope = scope;
}

static void stand_in_line(struct budget_claim *claim, enum budget_scope scope) {
  struct budgets *b = claim->budget->budgets;
  claim->state = CLAIM_WAITING;
  claim->scope = scope;
  b->waiting[scope]++;
  if (scope == BUDGET_DEBATE) claim->budget->waiting++;
  b->in_line++;
  DL_APPEND(b->line, claim);
}

static void leave_line(struct budget_claim *claim) {
  struct budgets *b = claim->budget->budgets;
  claim->state = CLAIM_NONE;
  b->waiting[claim->scope]--;
  if (claim->scope == BUDGET_DEBATE) claim->budget->waiting--;
  b->in_line--;
  DL_DELETE(b->line, claim);
}

/* The other waits for the principal's or the key's account that this one needs too. */
static bool waits_for_ours(const struct budget_claim *other, const struct budget *budget) {
  if (other->scope == BUDGET_PRINCIPAL)
    return strcmp(other->budget->principal, budget->principal) == 0;
  return other->scope == BUDGET_KEY && strcmp(other->budget->key, budget->key) == 0;
}

/* Whose turn it is at an account is a matter of the line: who comes now stands behind those that
 * wait there. BUDGET_SCOPES = nobody does. */
static enum budget_scope scope_of_line(const struct budget *budget) {
  const struct budgets *b = budget->budgets;
  if (b->waiting[BUDGET_PROCESS]) return BUDGET_PROCESS;
  if (b->waiting[BUDGET_DAY]) return BUDGET_DAY;
  if (budget->waiting) return BUDGET_DEBATE;
  bool shared = b->waiting[BUDGET_PRINCIPAL] || b->waiting[BUDGET_KEY];
  const struct budget_claim *other = shared ? b->line : NULL;
  for (; other; other = other->next)
    if (waits_for_ours(other, budget)) return other->scope;
  return BUDGET_SCOPES;
}

/* ---- claiming ---- */

/* STATUS_DENIED with the refusal, else an error. */
static enum status reserve(struct budget_claim *claim, struct ledger_refusal *refusal) {
  struct budget *budget = claim->budget;
  enum status s = keep_day(budget);
  if (s) return s;
  const char *const chain[BUDGET_SCOPES] = {budget->debate, budget->principal, budget->day_key,
                                            scope_names[BUDGET_PROCESS], budget->key};
  size_t count = *budget->key ? BUDGET_SCOPES : BUDGET_KEY;
  s = ledger_reserve(budget->budgets->ledger, chain, count, claim->tokens, claim->usd_micro,
                     &claim->reservation, refusal);
  if (s) return s;
  claim->day = budget->day;
  claim->state = CLAIM_HELD;
  return STATUS_OK;
}

static enum budget_answer refuse(const struct ledger_refusal *refusal,
                                 char words[BUDGET_WORDS_SIZE]) {
  enum budget_scope scope = (enum budget_scope)refusal->index;
  print_refusal(refusal, scope, words, BUDGET_WORDS_SIZE);
  metric_add(METRIC_BUDGET_REFUSALS, (const char *const[]){scope_names[scope]}, 1);
  return refusal->reason == LEDGER_PRICE_UNKNOWN ? BUDGET_PRICE_UNKNOWN : BUDGET_EXHAUSTED;
}

enum budget_answer budget_claim(struct budget *budget, struct budget_claim *claim, int64_t tokens,
                                int64_t usd_micro, char words[BUDGET_WORDS_SIZE]) {
  struct ledger_refusal refusal = {0};
  claim->budgets = budget->budgets;
  claim->budget = budget;
  claim->tokens = tokens;
  claim->usd_micro = usd_micro;
  enum budget_scope taken = scope_of_line(budget);
  if (taken != BUDGET_SCOPES) {
    stand_in_line(claim, taken);
    return BUDGET_WAITING;
  }
  enum status s = reserve(claim, &refusal);
  if (!s) return BUDGET_HELD;
  if (s == STATUS_DENIED && refusal.may_fit_later) {
    stand_in_line(claim, (enum budget_scope)refusal.index);
    return BUDGET_WAITING;
  }
  if (s == STATUS_DENIED) return refuse(&refusal, words);
  snprintf(words, BUDGET_WORDS_SIZE, "the accounts of the budget cannot be kept: %s",
           status_name(s));
  return BUDGET_FAILED;
}

/* ---- one look at the line ---- */

struct look {
  uint64_t number;
  struct budget_claim *shared; /* those that a principal's or a key's account keeps waiting */
};

/* An earlier one waits for an account of this claim's. */
static bool stands_behind(const struct look *look, const struct budget_claim *claim) {
  if (claim->budget->seen_in == look->number) return true;
  for (const struct budget_claim *p = look->shared; p; p = p->next_seen)
    if (waits_for_ours(p, claim->budget)) return true;
  return false;
}

static void note_waiting(struct look *look, struct budget_claim *claim) {
  if (claim->scope == BUDGET_DEBATE) claim->budget->seen_in = look->number;
  if (claim->scope != BUDGET_PRINCIPAL && claim->scope != BUDGET_KEY) return;
  claim->next_seen = look->shared;
  look->shared = claim;
}

/* False when nobody behind it needs to try: all share the account that it waits for. */
static bool try(struct look *look, struct budget_claim *claim) {
  struct ledger_refusal refusal = {0};
  if (stands_behind(look, claim)) return true;
  enum status s = reserve(claim, &refusal);
  if (s == STATUS_DENIED && refusal.may_fit_later) {
    set_scope(claim, (enum budget_scope)refusal.index);
    note_waiting(look, claim);
    return claim->scope != BUDGET_DAY && claim->scope != BUDGET_PROCESS;
  }
  leave_line(claim);
  if (!s) claim->state = CLAIM_HELD;
  claim->go(claim->ctx);
  return true;
}

static void look_at_line(void *arg) {
  struct budgets *b = arg;
  struct look look = {.number = ++b->looks};
  struct budget_claim *claim, *next;
  DL_FOREACH_SAFE(b->line, claim, next)
  if (!try(&look, claim)) break;
}

/* Something was given back. In the middle of a callback is no place to call others. */
static void look_later(struct budgets *b) {
  if (b->line) loop_defer(b->loop, &b->look, look_at_line, b);
}

/* ---- ending ---- */

void budget_settle(struct budget_claim *claim, int64_t tokens, int64_t usd_micro) {
  if (claim->state != CLAIM_HELD) return;
  struct budgets *b = claim->budgets;
  claim->state = CLAIM_NONE;
  ledger_settle(&claim->reservation, tokens, usd_micro);
  if (tokens > claim->tokens || (claim->usd_micro >= 0 && usd_micro > claim->usd_micro)) {
    metric_add(METRIC_BUDGET_OVERSHOOTS, NULL, 1);
    log_warning("provider", NULL,
                "budget=overshot tokens=%lld claimed_tokens=%lld usd_micro=%lld "
                "claimed_usd_micro=%lld",
                (long long)tokens, (long long)claim->tokens, (long long)usd_micro,
                (long long)claim->usd_micro);
  }
  look_later(b);
}

void budget_release(struct budget_claim *claim) {
  if (claim->state == CLAIM_NONE) return;
  struct budgets *b = claim->budgets;
  if (claim->state == CLAIM_WAITING) leave_line(claim);
  claim->state = CLAIM_NONE;
  ledger_release(&claim->reservation);
  look_later(b); /* who left the line may have kept others waiting */
}

/* ---- for people and programs ---- */

static struct ledger_view view_of(struct budgets *b, const char *key, enum budget_scope scope) {
  struct ledger_view view = {.caps = b->caps[scope]};
  if (ledger_view(b->ledger, key, &view)) snprintf(view.key, sizeof view.key, "%s", key);
  return view;
}

void budgets_look(struct budgets *b, struct budgets_view *ret_view) {
  char day_key[LEDGER_DAY_KEY_SIZE];
  int64_t day = budgets_today(b);
  make_day_key(day, day_key);
  *ret_view = (struct budgets_view){
      .day = day,
      .today = view_of(b, day_key, BUDGET_DAY),
      .process = view_of(b, scope_names[BUDGET_PROCESS], BUDGET_PROCESS),
      .principal_caps = b->caps[BUDGET_PRINCIPAL],
      .waiting = b->in_line,
  };
}

size_t budgets_principals(struct budgets *b, struct budgets_principal *principals, size_t max) {
  char prefix[LEDGER_DAY_KEY_SIZE + 1];
  make_day_key(budgets_today(b), prefix);
  prefix[LEDGER_DAY_KEY_SIZE - 1] = ':';
  prefix[LEDGER_DAY_KEY_SIZE] = '\0';
  struct ledger_view *views = calloc(max ? max : 1, sizeof *views);
  if (!views) return 0;
  size_t count = ledger_views(b->ledger, prefix, views, max);
  for (size_t i = 0; i < count && i < max; i++) {
    principals[i].view = views[i];
    principals[i].name = principals[i].view.key + strlen(prefix);
  }
  free(views);
  return count;
}

/* True when the account could pay for it once everything in it has been settled at nothing. */
static bool can_pay(const struct ledger_view *v, int64_t tokens, int64_t usd_micro,
                    struct ledger_refusal *refusal) {
  *refusal = (struct ledger_refusal){.reason = LEDGER_TOKENS_SHORT,
                                     .cap = v->caps.tokens,
                                     .asked = tokens,
                                     .left = v->caps.tokens - v->committed.tokens};
  if (v->caps.tokens >= 0 && refusal->left < tokens) return false;
  *refusal = (struct ledger_refusal){.reason = LEDGER_MONEY_SHORT,
                                     .cap = v->caps.usd_micro,
                                     .asked = usd_micro,
                                     .left = v->caps.usd_micro - v->committed.usd_micro};
  return v->caps.usd_micro < 0 || refusal->left >= usd_micro;
}

static enum status refuse_debate(const struct budgets *b, enum budget_scope scope,
                                 struct ledger_refusal *refusal, struct error *err) {
  char words[BUDGET_WORDS_SIZE];
  if (refusal->left < 0) refusal->left = 0;
  print_refusal(refusal, scope, words, sizeof words);
  metric_add(METRIC_BUDGET_REFUSALS, (const char *const[]){scope_names[scope]}, 1);
  error_set(err, STATUS_EXHAUSTED, NULL, "%s", words);
  int64_t ms = BUDGET_DAY_MS - clock_wall_ms(b->clock) % BUDGET_DAY_MS;
  if (scope != BUDGET_PROCESS) err->retry_after_s = (long)((ms + 999) / 1000);
  return STATUS_EXHAUSTED;
}

enum status budgets_admit(struct budgets *b, const struct principal *who, int64_t tokens,
                          int64_t usd_micro, struct error *err) {
  char day_key[LEDGER_DAY_KEY_SIZE], principal[LEDGER_KEY_SIZE], key[LEDGER_KEY_SIZE];
  make_day_key(budgets_today(b), day_key);
  if (!principal_key(day_key, who, principal) || !key_key(day_key, who->key_id, key))
    return error_set(err, STATUS_INVALID, NULL, "the principal's name is too long");
  const char *const chain[BUDGET_SCOPES] = {NULL, principal, day_key, scope_names[BUDGET_PROCESS],
                                            key};
  int scopes = *key ? BUDGET_SCOPES : BUDGET_KEY;
  for (int scope = BUDGET_PRINCIPAL; scope < scopes; scope++) {
    struct ledger_view view = view_of(b, chain[scope], (enum budget_scope)scope);
    if (scope == BUDGET_KEY) view.caps = caps_of_key(b, who->key_id);
    struct ledger_refusal refusal;
    if (!can_pay(&view, tokens, usd_micro < 0 ? 0 : usd_micro, &refusal))
      return refuse_debate(b, (enum budget_scope)scope, &refusal, err);
  }
  return STATUS_OK;
}
