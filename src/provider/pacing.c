#include "provider/pacing.h"

#include <math.h>
#include <stdlib.h>
#include <utlist.h>

enum {
  TABLE_BITS = 12, /* of debates that wait: 32 KiB a gate, two or three a place at 10,000 */
  MINUTE_MS = 60000,
};

static const double rounding = 1e-6; /* of milliseconds: 58 in 58,000 ms is one a second */

/* A token bucket: `level` of `limit` at `at_ms`, refilled by `per_ms`. */
struct bucket {
  bool known; /* else it lets everything pass */
  double limit, level, per_ms;
  int64_t at_ms;
};

struct pacing_gate {
  struct pacing_options options;
  int allowed;
  int in_flight;
  int successes; /* towards one more allowed */
  int64_t not_before_ms;
  uint64_t sent, tokens_sent; /* calls that went, and their tokens */
  uint64_t halved_at;         /* `sent` at the last halving */
  uint64_t rates_from;        /* the order of the call that told the rates */
  struct bucket requests, tokens;
  size_t waiting;
  struct pacing_waiter *turn;                           /* whose turn it is: its debate's first */
  struct pacing_waiter *table[(size_t)1 << TABLE_BITS]; /* debates' first waiters, by key */
};

enum status pacing_create(const struct pacing_options *options, struct pacing_gate **ret_gate) {
  if (options->concurrency < 1) return STATUS_INVALID;
  struct pacing_gate *gate = calloc(1, sizeof *gate);
  if (!gate) return STATUS_NOMEM;
  gate->options = *options;
  gate->allowed = options->concurrency;
  gate->not_before_ms = INT64_MIN;
  *ret_gate = gate;
  return STATUS_OK;
}

void pacing_destroy(struct pacing_gate *gate) {
  free(gate);
}

/* ---- rates ---- */

static void bucket_refill(struct bucket *b, int64_t now_ms) {
  b->level = fmin(b->limit, b->level + b->per_ms * (double)(now_ms - b->at_ms));
  b->at_ms = now_ms;
}

/* More than the bucket ever holds goes when it is full. */
static double bucket_need(const struct bucket *b, int64_t amount) {
  return fmin((double)amount, b->limit);
}

/* Milliseconds until `amount` is in it; 0 = now. */
static int64_t bucket_wait_ms(struct bucket *b, int64_t amount, int64_t now_ms) {
  if (!b->known) return 0;
  bucket_refill(b, now_ms);
  double missing = bucket_need(b, amount) - b->level;
  double wait = ceil(missing / b->per_ms - rounding);
  if (wait <= 0) return 0;
  return wait < PACING_DELAY_MAX_MS ? (int64_t)wait : PACING_DELAY_MAX_MS;
}

static void bucket_take(struct bucket *b, int64_t amount) {
  if (b->known) b->level -= bucket_need(b, amount);
}

static void bucket_learn(struct bucket *b, const struct pacing_rate *rate, uint64_t sent_since,
                         int64_t now_ms) {
  if (rate->limit <= 0) return;
  if (b->known) bucket_refill(b, now_ms);
  double limit = (double)rate->limit;
  double level = b->known ? fmin(b->level, limit) : limit;
  double per_ms = limit / MINUTE_MS;
  if (rate->remaining >= 0) {
    double remaining = fmin((double)rate->remaining, limit);
    level = fmax(remaining - (double)sent_since, 0);
    if (rate->reset_ms > 0 && remaining < limit)
      per_ms = (limit - remaining) / (double)rate->reset_ms;
  }
  *b = (struct bucket){true, limit, level, per_ms, now_ms};
}

void pacing_rates_note(struct pacing_gate *gate, const struct pacing_waiter *waiter,
                       const struct pacing_rates *rates, int64_t now_ms) {
  if (waiter->order < gate->rates_from) return;
  gate->rates_from = waiter->order;
  bucket_learn(&gate->requests, &rates->requests, gate->sent - waiter->order, now_ms);
  bucket_learn(&gate->tokens, &rates->tokens, gate->tokens_sent - waiter->tokens_sent, now_ms);
}

/* ---- going ---- */

/* True when a call of so many tokens may go now; else *ret_wake_ms as pacing_next says. */
static bool may_go(struct pacing_gate *gate, int64_t tokens, int64_t now_ms, int64_t *ret_wake_ms) {
  *ret_wake_ms = -1;
  if (gate->in_flight >= gate->allowed) return false;
  int64_t requests_ms = bucket_wait_ms(&gate->requests, 1, now_ms);
  int64_t tokens_ms = bucket_wait_ms(&gate->tokens, tokens, now_ms);
  int64_t from_ms = now_ms + (requests_ms > tokens_ms ? requests_ms : tokens_ms);
  if (from_ms < gate->not_before_ms) from_ms = gate->not_before_ms;
  if (from_ms <= now_ms) return true;
  *ret_wake_ms = from_ms;
  return false;
}

static void go(struct pacing_gate *gate, struct pacing_waiter *waiter, int64_t now_ms) {
  bucket_take(&gate->requests, 1);
  bucket_take(&gate->tokens, waiter->tokens);
  gate->in_flight++;
  waiter->order = ++gate->sent;
  waiter->tokens_sent = gate->tokens_sent += (uint64_t)waiter->tokens;
  waiter->started_ms = now_ms;
  waiter->state = PACING_GOING;
}

/* ---- queues ---- */

/* Where the debate's first waiter hangs. Multiplicative hashing by 2^64 over the golden ratio
 * (Knuth, TAOCP 3, 6.4): keys may be addresses or small numbers. */
static struct pacing_waiter **place_of(struct pacing_gate *gate, uint64_t debate_key) {
  return &gate->table[debate_key * 0x9e3779b97f4a7c15u >> (64 - TABLE_BITS)];
}

static struct pacing_waiter *first_of(struct pacing_waiter *const *place, uint64_t debate_key) {
  struct pacing_waiter *first = *place;
  while (first && first->debate_key != debate_key) first = first->hash_next;
  return first;
}

static void queue_append(struct pacing_gate *gate, struct pacing_waiter *waiter) {
  struct pacing_waiter **place = place_of(gate, waiter->debate_key);
  struct pacing_waiter *first = first_of(place, waiter->debate_key);
  if (!first) {
    LL_PREPEND2(*place, waiter, hash_next);
    CDL_APPEND2(gate->turn, waiter, turn_prev, turn_next);
  }
  DL_APPEND2(first, waiter, prev, next);
  waiter->state = PACING_WAITING;
  gate->waiting++;
}

/* Behind the first of a debate the next takes over its place in turn. */
static void queue_remove(struct pacing_gate *gate, struct pacing_waiter *waiter) {
  struct pacing_waiter **place = place_of(gate, waiter->debate_key);
  struct pacing_waiter *first = first_of(place, waiter->debate_key);
  bool was_first = first == waiter;
  DL_DELETE2(first, waiter, prev, next);
  gate->waiting--;
  if (!was_first) return;
  LL_DELETE2(*place, waiter, hash_next);
  if (first) {
    LL_PREPEND2(*place, first, hash_next);
    CDL_REPLACE_ELEM2(gate->turn, waiter, first, turn_prev, turn_next);
  } else {
    CDL_DELETE2(gate->turn, waiter, turn_prev, turn_next);
  }
}

/* ---- the gate ---- */

enum status pacing_enter(struct pacing_gate *gate, uint64_t debate_key,
                         struct pacing_waiter *waiter, int64_t estimated_tokens, int64_t now_ms) {
  int64_t wake_ms;
  int64_t tokens = estimated_tokens > 0 ? estimated_tokens : 0;
  bool goes = !gate->turn && may_go(gate, tokens, now_ms, &wake_ms);
  if (!goes && gate->waiting >= gate->options.max_waiting) return STATUS_FULL;
  *waiter = (struct pacing_waiter){
      .entered_ms = now_ms, .started_ms = -1, .debate_key = debate_key, .tokens = tokens};
  if (goes)
    go(gate, waiter, now_ms);
  else
    queue_append(gate, waiter);
  return STATUS_OK;
}

struct pacing_waiter *pacing_next(struct pacing_gate *gate, int64_t now_ms, int64_t *ret_wake_ms) {
  struct pacing_waiter *waiter = gate->turn;
  *ret_wake_ms = -1;
  if (!waiter || !may_go(gate, waiter->tokens, now_ms, ret_wake_ms)) return NULL;
  gate->turn = waiter->turn_next; /* its debate is the last in turn now */
  queue_remove(gate, waiter);
  go(gate, waiter, now_ms);
  return waiter;
}

static void learn_throttled(struct pacing_gate *gate, bool stale, int64_t retry_after_ms,
                            int64_t now_ms) {
  int64_t delay = retry_after_ms < PACING_DELAY_MAX_MS ? retry_after_ms : PACING_DELAY_MAX_MS;
  if (delay > 0 && now_ms + delay > gate->not_before_ms) gate->not_before_ms = now_ms + delay;
  if (stale) return;
  gate->allowed = gate->allowed > 1 ? gate->allowed / 2 : 1;
  gate->successes = 0;
  gate->halved_at = gate->sent;
}

static void learn_succeeded(struct pacing_gate *gate, bool stale) {
  if (stale || gate->allowed == gate->options.concurrency) return;
  if (++gate->successes < gate->allowed) return;
  gate->allowed++;
  gate->successes = 0;
}

void pacing_leave(struct pacing_gate *gate, struct pacing_waiter *waiter,
                  const struct pacing_result *result, int64_t now_ms) {
  if (waiter->state != PACING_GOING) return;
  bool stale = waiter->order <= gate->halved_at;
  waiter->state = PACING_OUT;
  gate->in_flight--;
  if (result->end == PACING_THROTTLED)
    learn_throttled(gate, stale, result->retry_after_ms, now_ms);
  else if (result->end == PACING_SUCCEEDED)
    learn_succeeded(gate, stale);
}

void pacing_cancel(struct pacing_gate *gate, struct pacing_waiter *waiter) {
  if (waiter->state == PACING_WAITING) queue_remove(gate, waiter);
  if (waiter->state == PACING_GOING) gate->in_flight--;
  waiter->state = PACING_OUT;
}

struct pacing_stats pacing_stats_of(const struct pacing_gate *gate, int64_t now_ms) {
  return (struct pacing_stats){
      .in_flight = gate->in_flight,
      .allowed = gate->allowed,
      .configured = gate->options.concurrency,
      .waiting = gate->waiting,
      .not_before_ms = gate->not_before_ms > now_ms ? gate->not_before_ms : -1};
}
