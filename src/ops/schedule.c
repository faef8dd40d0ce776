#include "ops/schedule.h"

enum { MINUTE_MS = 60 * 1000 };
enum {
  RETRY_FIRST_MS = 10 * MINUTE_MS, /* after a failure, doubled by each further one */
  RETRY_MAX_MS = 6 * 60 * MINUTE_MS,
  BASE_DELAY_MS = MINUTE_MS, /* whoever ended the last chain may write once more */
  BASE_APART_MS = 10 * MINUTE_MS,
};

static int64_t later(int64_t a, int64_t b) {
  return a > b ? a : b;
}

/* What is said to have been after now was now. */
static int64_t past_of(int64_t ms, int64_t now_ms) {
  return ms > now_ms ? now_ms : ms;
}

static int64_t retry_ms(const struct schedule_past *past, int64_t now_ms) {
  int64_t wait = RETRY_FIRST_MS;
  if (past->failures <= 0 || past->last_failure_ms < 0) return 0;
  for (int64_t i = 1; i < past->failures && wait < RETRY_MAX_MS; i++) wait *= 2;
  return past_of(past->last_failure_ms, now_ms) + (wait < RETRY_MAX_MS ? wait : RETRY_MAX_MS);
}

/* From the last one, never within the delay, never before a failure was waited out. */
static int64_t due(int64_t last_ms, int64_t every_ms, int64_t earliest_ms, int64_t now_ms) {
  if (last_ms < 0) return earliest_ms;
  return later(past_of(last_ms, now_ms) + every_ms, earliest_ms);
}

static int64_t base_due(const struct schedule_policy *policy, const struct schedule_past *past,
                        int64_t now_ms) {
  int64_t delay = policy->delay_ms < BASE_DELAY_MS ? policy->delay_ms : BASE_DELAY_MS;
  int64_t at = past_of(past->base_wanted_ms, now_ms) + delay;
  if (past->last_base_ms >= 0 && policy->delay_ms > 0)
    at = later(at, past_of(past->last_base_ms, now_ms) + BASE_APART_MS);
  return later(at, retry_ms(past, now_ms));
}

/* Those that are due are offered in the order of what they count for: the first stays. */
static void offer(struct schedule_next *best, enum schedule_act act, int64_t at_ms,
                  int64_t now_ms) {
  bool taken = best->act != SCHEDULE_NOTHING && (best->at_ms <= now_ms || at_ms >= best->at_ms);
  if (!taken) *best = (struct schedule_next){act, at_ms};
}

struct schedule_next schedule_decide(const struct schedule_policy *policy,
                                     const struct schedule_past *past, int64_t now_ms) {
  struct schedule_next best = {SCHEDULE_NOTHING, INT64_MAX};
  int64_t started = past_of(past->started_ms, now_ms);
  int64_t earliest = later(started + policy->delay_ms, retry_ms(past, now_ms));
  if (policy->full_ms > 0)
    offer(&best, SCHEDULE_FULL, due(past->last_full_ms, policy->full_ms, earliest, now_ms), now_ms);
  if (policy->hot_ms > 0)
    offer(&best, SCHEDULE_HOT, due(past->last_backup_ms, policy->hot_ms, earliest, now_ms), now_ms);
  if (past->base_wanted_ms >= 0 && policy->hot_ms > 0)
    offer(&best, SCHEDULE_BASE, base_due(policy, past, now_ms), now_ms);
  if (policy->checkpoint_ms > 0)
    offer(&best, SCHEDULE_CHECKPOINT,
          due(past->last_checkpoint_ms, policy->checkpoint_ms, started + policy->checkpoint_ms,
              now_ms),
          now_ms);
  if (policy->expiry_ms > 0)
    offer(&best, SCHEDULE_EXPIRY,
          due(past->last_expiry_ms, policy->expiry_ms, started + policy->delay_ms, now_ms), now_ms);
  return best;
}
