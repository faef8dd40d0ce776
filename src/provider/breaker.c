#include "provider/breaker.h"

#include "base/utf8.h"

enum { FAILURES_MAX = 1000000 }; /* counting on would tell nobody anything */

static const int64_t never = INT64_MIN;

static int64_t max_of(int64_t a, int64_t b) {
  return a > b ? a : b;
}

static int64_t clamp(int64_t value, int64_t low, int64_t high) {
  return value < low ? low : value > high ? high : value;
}

const char *breaker_state_name(enum breaker_state state) {
  switch (state) {
    case BREAKER_CLOSED: return "closed";
    case BREAKER_HALF_OPEN: return "half_open";
    case BREAKER_OPEN: return "open";
  }
  return "closed";
}

void breaker_init(struct breaker *b, struct breaker_limits limits) {
  *b = (struct breaker){
      .limits = limits,
      .generation = 1,
      .cooldown_ms = limits.cooldown_ms,
      .opened_ms = never,
      .cooling_until_ms = never,
      .last_failure_ms = never,
      .last_success_ms = never,
      .last_asked_ms = never,
  };
}

static int64_t left_of(int64_t until_ms, int64_t now_ms) {
  return until_ms > now_ms ? until_ms - now_ms : 0;
}

static int64_t cooldown_left(const struct breaker *b, int64_t now_ms) {
  return b->state == BREAKER_OPEN ? left_of(b->opened_ms + b->cooldown_ms, now_ms) : 0;
}

/* ---- changes of state; each makes the permits that are out stale ---- */

static enum breaker_change open_now(struct breaker *b, int64_t now_ms) {
  b->state = BREAKER_OPEN;
  b->trial = false;
  b->generation++;
  b->opened_ms = now_ms;
  return BREAKER_OPENED;
}

static enum breaker_change close_now(struct breaker *b) {
  b->state = BREAKER_CLOSED;
  b->trial = false;
  b->generation++;
  b->failures = 0;
  b->cooldown_ms = b->limits.cooldown_ms;
  b->opened_ms = never;
  return BREAKER_RECLOSED;
}

static void give_trial(struct breaker *b, bool out) {
  b->trial = out;
  b->generation++;
}

/* ---- before an attempt ---- */

static struct breaker_admission refuse(enum breaker_answer answer, int64_t wait_ms) {
  return (struct breaker_admission){answer, BREAKER_SAME, wait_ms};
}

struct breaker_admission breaker_admit(struct breaker *b, int64_t now_ms,
                                       struct breaker_permit *ret_permit) {
  *ret_permit = (struct breaker_permit){0};
  b->last_asked_ms = now_ms;
  int64_t open_ms = cooldown_left(b, now_ms);
  int64_t cooling_ms = left_of(b->cooling_until_ms, now_ms);
  if (open_ms) return refuse(BREAKER_REFUSED_OPEN, max_of(open_ms, cooling_ms));
  if (cooling_ms) return refuse(BREAKER_REFUSED_COOLING, cooling_ms);
  if (b->trial) return refuse(BREAKER_REFUSED_TRIAL, BREAKER_TRIAL_WAIT_MS);

  struct breaker_admission admission = {BREAKER_ADMITTED, BREAKER_SAME, 0};
  if (b->state != BREAKER_CLOSED) {
    admission.answer = BREAKER_TRIAL;
    admission.change = b->state == BREAKER_OPEN ? BREAKER_HALF_OPENED : BREAKER_SAME;
    b->state = BREAKER_HALF_OPEN;
    give_trial(b, true);
  }
  ret_permit->generation = b->generation;
  return admission;
}

/* ---- after an attempt ---- */

enum breaker_verdict breaker_verdict_of(enum outcome outcome) {
  switch (outcome) {
    case OUTCOME_OK:
    case OUTCOME_REFUSED: return BREAKER_SUCCESS;
    case OUTCOME_TIMEOUT:
    case OUTCOME_OVERLOADED:
    case OUTCOME_EMPTY:
    case OUTCOME_MALFORMED:
    case OUTCOME_UNAVAILABLE: return BREAKER_FAILURE;
    case OUTCOME_AUTH:
    case OUTCOME_INVALID_REQUEST: return BREAKER_MISCONFIGURED;
    case OUTCOME_RATE_LIMITED:
    case OUTCOME_QUOTA: return BREAKER_RATE_LIMITED;
    case OUTCOME_CANCELLED:
    case OUTCOME_BUDGET:
    case OUTCOME_UNKNOWN: break;
  }
  return BREAKER_NEUTRAL;
}

static enum breaker_change unmark(struct breaker *b) {
  if (!b->misconfigured[0]) return BREAKER_SAME;
  b->misconfigured[0] = '\0';
  return BREAKER_UNMARKED;
}

static enum breaker_change mark(struct breaker *b, const char *reason) {
  if (!reason || !*reason) reason = "misconfigured";
  size_t len = utf8_prefix(bytes_of(reason), BREAKER_REASON_SIZE - 1);
  struct bytes now = {reason, len};
  if (bytes_equal(now, bytes_of(b->misconfigured))) return BREAKER_SAME;
  memcpy(b->misconfigured, reason, len);
  b->misconfigured[len] = '\0';
  return BREAKER_MARKED;
}

static enum breaker_change succeed(struct breaker *b) {
  enum breaker_change change = unmark(b);
  b->failures = 0;
  return b->state == BREAKER_CLOSED ? change : close_now(b);
}

static enum breaker_change fail(struct breaker *b, int64_t now_ms) {
  if (b->failures < FAILURES_MAX) b->failures++;
  if (b->state == BREAKER_CLOSED)
    return b->failures >= b->limits.threshold ? open_now(b, now_ms) : BREAKER_SAME;
  int64_t most = max_of(b->limits.cooldown_max_ms, b->limits.cooldown_ms);
  b->cooldown_ms = b->cooldown_ms > most / 2 ? most : b->cooldown_ms * 2;
  return open_now(b, now_ms);
}

/* The longest wait that was asked for holds: a shorter one may be an older answer. */
static enum breaker_change cool(struct breaker *b, int64_t now_ms, int64_t retry_after_ms) {
  if (retry_after_ms <= 0) return BREAKER_SAME;
  int64_t until_ms = now_ms + clamp(retry_after_ms, 0, BREAKER_COOLING_MAX_MS);
  if (until_ms <= b->cooling_until_ms) return BREAKER_SAME;
  b->cooling_until_ms = until_ms;
  return BREAKER_COOLING;
}

enum breaker_change breaker_report(struct breaker *b, int64_t now_ms, struct breaker_permit *permit,
                                   const struct breaker_report *report) {
  if (!permit->generation) return BREAKER_SAME;
  bool fresh = permit->generation == b->generation;
  permit->generation = 0;
  enum breaker_verdict verdict = report->verdict;
  if (verdict == BREAKER_SUCCESS) b->last_success_ms = now_ms;
  if (verdict == BREAKER_FAILURE) b->last_failure_ms = now_ms;
  if (!fresh)
    return verdict == BREAKER_RATE_LIMITED ? cool(b, now_ms, report->retry_after_ms) : BREAKER_SAME;

  if (verdict == BREAKER_SUCCESS) return succeed(b);
  if (verdict == BREAKER_FAILURE) return fail(b, now_ms);
  if (b->trial) give_trial(b, false);
  if (verdict == BREAKER_MISCONFIGURED) return mark(b, report->reason);
  if (verdict == BREAKER_RATE_LIMITED) return cool(b, now_ms, report->retry_after_ms);
  return BREAKER_SAME;
}

enum breaker_change breaker_reset(struct breaker *b) {
  enum breaker_change change = unmark(b);
  if (b->cooling_until_ms != never) change = BREAKER_UNMARKED;
  b->cooling_until_ms = never;
  if (b->state != BREAKER_CLOSED) change = BREAKER_RECLOSED;
  close_now(b);
  return change;
}

/* ---- for people and programs ---- */

static int64_t ago(int64_t then_ms, int64_t now_ms) {
  return then_ms == never ? -1 : max_of(now_ms - then_ms, 0);
}

void breaker_look(const struct breaker *b, int64_t now_ms, struct breaker_view *ret_view) {
  int64_t open_ms = cooldown_left(b, now_ms);
  *ret_view = (struct breaker_view){
      .state = b->state == BREAKER_OPEN && !open_ms ? BREAKER_HALF_OPEN : b->state,
      .trial = b->trial,
      .failures = b->failures,
      .threshold = b->limits.threshold,
      .cooldown_ms = b->cooldown_ms,
      .cooldown_remaining_ms = open_ms,
      .open_for_ms = b->state == BREAKER_CLOSED ? 0 : max_of(ago(b->opened_ms, now_ms), 0),
      .cooling_remaining_ms = left_of(b->cooling_until_ms, now_ms),
      .last_failure_ago_ms = ago(b->last_failure_ms, now_ms),
      .last_success_ago_ms = ago(b->last_success_ms, now_ms),
      .last_asked_ago_ms = ago(b->last_asked_ms, now_ms),
      .misconfigured = b->misconfigured,
  };
}

/* ---- over a restart ---- */

/* From one clock to the other and back. A year is longer than any of these times matters, and so
 * far from the ends of int64_t that no sum of two leaves it. */
static const int64_t age_max_ms = INT64_C(366) * 24 * 3600 * 1000;
static const int64_t wall_max_ms = INT64_C(253402300799999); /* the end of the year 9999 */

static int64_t to_wall(int64_t then_ms, int64_t now_ms, int64_t wall_ms) {
  return then_ms == never ? -1 : max_of(wall_ms - (now_ms - then_ms), 0);
}

static int64_t from_wall(int64_t then_wall_ms, int64_t now_ms, int64_t wall_ms) {
  if (then_wall_ms < 0 || then_wall_ms > wall_max_ms) return never;
  return now_ms - clamp(wall_ms - then_wall_ms, 0, age_max_ms);
}

void breaker_save(const struct breaker *b, int64_t now_ms, int64_t wall_ms,
                  struct breaker_snapshot *ret_snapshot) {
  *ret_snapshot = (struct breaker_snapshot){
      .state = b->state,
      .failures = b->failures,
      .cooldown_ms = b->cooldown_ms,
      .opened_wall_ms = to_wall(b->opened_ms, now_ms, wall_ms),
      .cooling_until_wall_ms = to_wall(b->cooling_until_ms, now_ms, wall_ms),
      .last_failure_wall_ms = to_wall(b->last_failure_ms, now_ms, wall_ms),
      .last_success_wall_ms = to_wall(b->last_success_ms, now_ms, wall_ms),
  };
  memcpy(ret_snapshot->misconfigured, b->misconfigured, sizeof b->misconfigured);
}

static void restore_opening(struct breaker *b, int64_t now_ms, int64_t wall_ms,
                            const struct breaker_snapshot *s) {
  int64_t most = max_of(b->limits.cooldown_max_ms, b->limits.cooldown_ms);
  b->state = (enum breaker_state)s->state;
  b->failures = (int)clamp(s->failures, b->limits.threshold, FAILURES_MAX);
  b->cooldown_ms = clamp(s->cooldown_ms, b->limits.cooldown_ms, most);
  b->opened_ms = from_wall(s->opened_wall_ms, now_ms, wall_ms);
  if (b->opened_ms == never) b->opened_ms = now_ms;
}

void breaker_restore(struct breaker *b, struct breaker_limits limits, int64_t now_ms,
                     int64_t wall_ms, const struct breaker_snapshot *s) {
  breaker_init(b, limits);
  if (s->state == BREAKER_OPEN || s->state == BREAKER_HALF_OPEN)
    restore_opening(b, now_ms, wall_ms, s);
  else
    b->failures = (int)clamp(s->failures, 0, limits.threshold - 1);
  int64_t until_wall_ms = clamp(s->cooling_until_wall_ms, 0, wall_max_ms);
  int64_t cooling_ms = clamp(until_wall_ms - wall_ms, 0, BREAKER_COOLING_MAX_MS);
  if (cooling_ms) b->cooling_until_ms = now_ms + cooling_ms;
  b->last_failure_ms = from_wall(s->last_failure_wall_ms, now_ms, wall_ms);
  b->last_success_ms = from_wall(s->last_success_wall_ms, now_ms, wall_ms);
  struct bytes reason = {s->misconfigured, strnlen(s->misconfigured, BREAKER_REASON_SIZE)};
  reason.len = utf8_prefix(reason, BREAKER_REASON_SIZE - 1);
  memcpy(b->misconfigured, reason.ptr, reason.len); /* the rest is zero */
}
