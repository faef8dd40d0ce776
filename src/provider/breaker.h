/* The circuit breaker of one binding: provider, model and the key behind it.
 *
 * Pure: `now_ms` is the loop's monotonic time, passed in; no allocation; loop thread only. The
 * owner asks before each attempt, keeps the permit with the attempt and reports every permit once,
 * also that of an attempt it cancels (BREAKER_NEUTRAL): nothing else gives a trial back.
 *
 *   closed --`threshold` failures in a row--> open --cooldown passes, somebody asks--> half-open
 *   half-open: one trial at a time; its success closes, its failure opens for a fresh cooldown,
 *   any other end gives the trial back and the next who asks gets it
 *
 * A permit is stale once the state has changed, a trial has begun or ended, or the breaker was
 * reset after it was given. What a stale attempt met is old news: it neither counts, nor opens,
 * closes, prolongs or marks anything, only the times of the last success and failure take note of
 * it. Except that a vendor's own "not before" holds whichever attempt brought it.
 */
#ifndef ARAGORA_PROVIDER_BREAKER_H
#define ARAGORA_PROVIDER_BREAKER_H

#include "base/outcome.h"

#include <stdbool.h>
#include <stdint.h>

/* The values are those of the gauge aragora_circuit_breaker_state. */
enum breaker_state {
  BREAKER_CLOSED = 0,
  BREAKER_HALF_OPEN = 1,
  BREAKER_OPEN = 2,
};
const char *breaker_state_name(enum breaker_state state); /* "closed", "half_open", "open" */

enum {
  BREAKER_THRESHOLD = 5,
  BREAKER_COOLDOWN_MS = 60 * 1000,
  BREAKER_COOLDOWN_MAX_MS = 600 * 1000, /* for an operator who wants growth */
  BREAKER_COOLING_MAX_MS = 3600 * 1000, /* a vendor's nonsense locks nobody out for longer */
  BREAKER_TRIAL_WAIT_MS = 1000,         /* look again after this, should nobody tell of its end */
  BREAKER_REASON_SIZE = 200,
};

struct breaker_limits {
  int threshold;           /* failed attempts in a row that open it, >= 1 */
  int64_t cooldown_ms;     /* >= 1 */
  int64_t cooldown_max_ms; /* each failed trial doubles the cooldown up to this; 0 = no growth */
};

/* Its fields are the module's own. */
struct breaker {
  struct breaker_limits limits;
  enum breaker_state state;
  bool trial;          /* half-open: the one trial is out */
  uint64_t generation; /* what a permit must carry not to be stale; never 0 */
  int failures;        /* in a row */
  int64_t cooldown_ms; /* of the present or the next opening */
  int64_t opened_ms;
  int64_t cooling_until_ms;
  int64_t last_failure_ms, last_success_ms, last_asked_ms;
  char misconfigured[BREAKER_REASON_SIZE]; /* "" = it is not */
};

void breaker_init(struct breaker *b, struct breaker_limits limits);

/* What changed, for the log, the counters and whoever persists. At most one at a time. */
enum breaker_change {
  BREAKER_SAME,
  BREAKER_OPENED, /* also again, after a failed trial */
  BREAKER_HALF_OPENED,
  BREAKER_RECLOSED,
  BREAKER_COOLING,  /* or cooling for longer than before */
  BREAKER_MARKED,   /* misconfigured, or for another reason than before */
  BREAKER_UNMARKED, /* no longer misconfigured, or by reset no longer cooling */
};

enum breaker_answer {
  BREAKER_ADMITTED,
  BREAKER_TRIAL,           /* admitted, as the one that finds out */
  BREAKER_REFUSED_OPEN,    /* wait_ms: until its cooldown is over */
  BREAKER_REFUSED_TRIAL,   /* a trial is out; wait_ms is only a guess */
  BREAKER_REFUSED_COOLING, /* rate limited; wait_ms: until the vendor's time has come */
};

struct breaker_permit {
  uint64_t generation; /* 0 = none: refused, or reported already */
};

struct breaker_admission {
  enum breaker_answer answer;
  enum breaker_change change;
  int64_t wait_ms; /* refused: how long until it may be asked again, > 0; else 0 */
};

/* May an attempt start now? `ret_permit` is written always, with a void permit when refused. */
struct breaker_admission breaker_admit(struct breaker *b, int64_t now_ms,
                                       struct breaker_permit *ret_permit);

enum breaker_verdict {
  BREAKER_SUCCESS,       /* an answer, or a refusal by policy: the transport works */
  BREAKER_FAILURE,       /* no connection, 5xx, a broken stream, a stall, a malformed answer */
  BREAKER_NEUTRAL,       /* cancelled, our own budget: says nothing about the vendor */
  BREAKER_MISCONFIGURED, /* key or request refused: for a person to mend; calls go on */
  BREAKER_RATE_LIMITED,  /* with a time: refuses until then; without: as neutral */
};
/* The verdict on an attempt that ended so. OUTCOME_QUOTA is a limit of the account's: it does not
 * open, and cools down when the vendor names a time. */
enum breaker_verdict breaker_verdict_of(enum outcome outcome);

struct breaker_report {
  enum breaker_verdict verdict;
  int64_t retry_after_ms; /* BREAKER_RATE_LIMITED: what the vendor asked for; <= 0 = nothing */
  const char *reason;     /* BREAKER_MISCONFIGURED: secrets scrubbed, copied, cut; may be NULL */
};

/* The attempt has ended. Voids the permit; with a void permit it does nothing. */
enum breaker_change breaker_report(struct breaker *b, int64_t now_ms, struct breaker_permit *permit,
                                   const struct breaker_report *report);

/* By a person's wish: closed, nothing counted, not cooling, not marked; permits out are stale. */
enum breaker_change breaker_reset(struct breaker *b);

/* ---- for people and programs ---- */

struct breaker_view {
  enum breaker_state state; /* as of now: open with its cooldown over reads as half-open, though
                               BREAKER_HALF_OPENED is told only when somebody asks */
  bool trial;               /* the one trial is out */
  int failures;             /* in a row */
  int threshold;
  int64_t cooldown_ms;           /* length of the present or the next opening */
  int64_t cooldown_remaining_ms; /* > 0 exactly when the state is open */
  int64_t open_for_ms;           /* since it last opened; 0 = closed */
  int64_t cooling_remaining_ms;  /* rate limited until then; 0 = it is not */
  int64_t last_failure_ago_ms, last_success_ago_ms, last_asked_ago_ms; /* -1 = never */
  const char *misconfigured; /* the reason, or ""; borrowed until the next call */
};
void breaker_look(const struct breaker *b, int64_t now_ms, struct breaker_view *ret_view);

/* ---- over a restart ---- */

/* Times are Unix milliseconds, -1 = never; `state` is an enum breaker_state. */
struct breaker_snapshot {
  int64_t state;
  int64_t failures;
  int64_t cooldown_ms;
  int64_t opened_wall_ms;
  int64_t cooling_until_wall_ms;
  int64_t last_failure_wall_ms, last_success_wall_ms;
  char misconfigured[BREAKER_REASON_SIZE];
};

void breaker_save(const struct breaker *b, int64_t now_ms, int64_t wall_ms,
                  struct breaker_snapshot *ret_snapshot);
/* As breaker_init, then what the snapshot says. Time that passed in between counts: an opening
 * keeps what then remains of its cooldown. A trial that was out is gone. Any values do: what makes
 * no sense is taken for nothing, and a clock that went backwards makes nothing last longer than the
 * limits allow from now on. */
void breaker_restore(struct breaker *b, struct breaker_limits limits, int64_t now_ms,
                     int64_t wall_ms, const struct breaker_snapshot *snapshot);

/* Somebody who keeps snapshots is told of one; all is borrowed. */
typedef void breaker_keep_fn(void *ctx, const char *name, const struct breaker_snapshot *snapshot);

#endif
