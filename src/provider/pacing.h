/* How many calls a provider gets at once and how fast, shared by all debates and fair between them.
 *
 * A gate stands before one provider (or one of its models, as the owner likes). It lets a call go
 * while all of these allow it:
 *
 *   - calls in flight: at most `concurrency`, less while the provider shows that it is too much
 *     (AIMD: additive increase, multiplicative decrease; D.-M. Chiu, R. Jain, "Analysis of the
 *     increase and decrease algorithms for congestion avoidance in computer networks", Computer
 *     Networks and ISDN Systems 17, 1989: of the linear controls it is the one that converges to a
 *     fair and efficient share). A 429 or an overload halves it, down to 1; as many successes as it
 *     allows add one, up to `concurrency`. The calls of one flight say it together: results of
 * calls that began before the last halving change nothing, as in TCP (V. Jacobson, "Congestion
 *     avoidance and control", SIGCOMM 1988).
 *   - the requests and tokens a minute that the vendor's headers told: a token bucket each.
 *   - the time before which the vendor does not want to be asked.
 *
 * What may not go waits in a queue of its debate. The debates are served in turn, one call each
 * (J. Nagle, RFC 970, 1985), so that a debate waits at most for one call of each other debate
 * before its next one, however many they have. The next in turn is never passed over for a smaller
 * one.
 *
 * Nothing is allocated after pacing_create: queues run through the waiters. Every function but
 * pacing_create and pacing_destroy takes constant time (a debate is found by hash). One thread: the
 * loop's. No clock: `now_ms` is monotonic and never decreases.
 *
 *   pacing_enter -> goes, or waits -> pacing_next gives it -> (call runs) -> pacing_leave
 *
 * After each pacing_leave and pacing_rates_note, after a pacing_cancel, after a pacing_enter that
 * waits, and at the time that it asked for, the owner calls pacing_next until it gives nobody.
 */
#ifndef ARAGORA_PROVIDER_PACING_H
#define ARAGORA_PROVIDER_PACING_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct pacing_gate;

struct pacing_options {
  int concurrency;    /* calls in flight, at least 1 */
  size_t max_waiting; /* further ones are refused */
};

enum { PACING_DELAY_MAX_MS = 86400000 }; /* a vendor that asks for more is asked once a day */

enum pacing_state {
  PACING_OUT,     /* the owner's: not in the gate */
  PACING_WAITING, /* the gate's queue holds it */
  PACING_GOING,   /* counted as in flight, until pacing_leave */
};

/* One call at the gate. In the owner's memory, which stays where it is until the state is
 * PACING_OUT again; all zero is outside. */
struct pacing_waiter {
  enum pacing_state state;
  int64_t entered_ms;
  int64_t started_ms; /* may go since; -1 while it waits. Less entered_ms: the queueing time */

  /* The gate's own. */
  uint64_t debate_key;
  int64_t tokens;
  uint64_t order;                              /* its number among the calls that went */
  uint64_t tokens_sent;                        /* of all calls up to this one */
  struct pacing_waiter *prev, *next;           /* its debate's queue; utlist */
  struct pacing_waiter *turn_prev, *turn_next; /* of a debate's first: the debates in turn */
  struct pacing_waiter *hash_next;             /* " */
};

enum pacing_end {
  PACING_SUCCEEDED, /* the provider served it */
  PACING_THROTTLED, /* 429 or overload: too much at once */
  PACING_OTHER,     /* anything else, a cancel too; says nothing about the limit */
};

struct pacing_result {
  enum pacing_end end;
  int64_t retry_after_ms; /* what the vendor asked for with PACING_THROTTLED, -1 = nothing */
};

/* What a vendor's rate headers say of one of its limits; -1 = not said. */
struct pacing_rate {
  int64_t limit;
  int64_t remaining;
  int64_t reset_ms; /* from now until it has all of `limit` again */
};

struct pacing_rates {
  struct pacing_rate requests;
  struct pacing_rate tokens;
};

struct pacing_stats {
  int in_flight;
  int allowed;    /* in flight, now */
  int configured; /* in flight, at most */
  size_t waiting;
  int64_t not_before_ms; /* -1 = no such time, or past */
};

MUST_CHECK enum status pacing_create(const struct pacing_options *options,
                                     struct pacing_gate **ret_gate);
/* Waiters still in it are forgotten. NULL is fine. */
void pacing_destroy(struct pacing_gate *gate);

/* Brings a waiter (PACING_OUT) to the gate: on STATUS_OK it is PACING_GOING or PACING_WAITING.
 * STATUS_FULL when it would have to wait and too many do. `debate_key` is any number that is the
 * debate's own. `estimated_tokens` is what the vendor will count, as well as it can be guessed. */
MUST_CHECK enum status pacing_enter(struct pacing_gate *gate, uint64_t debate_key,
                                    struct pacing_waiter *waiter, int64_t estimated_tokens,
                                    int64_t now_ms);
/* The next that may go, PACING_GOING already; or NULL, and then *ret_wake_ms is when to ask again:
 * -1 when no time will change the answer, only something that happens here. */
struct pacing_waiter *pacing_next(struct pacing_gate *gate, int64_t now_ms, int64_t *ret_wake_ms);
/* A call that was PACING_GOING is over. On any other it does nothing. */
void pacing_leave(struct pacing_gate *gate, struct pacing_waiter *waiter,
                  const struct pacing_result *result, int64_t now_ms);
/* Takes it out of the queue; one in flight leaves as PACING_OTHER; one outside stays there. */
void pacing_cancel(struct pacing_gate *gate, struct pacing_waiter *waiter);

/* What the head of a call's response said about the rates. The call is in flight or has just left:
 * what went after it is subtracted from what remained. The rate of refilling is what is missing
 * over the time until the reset, whatever window the vendor counts in; when there is no such time,
 * the limit is taken as that of a minute. A limit that is not said, or not above 0, leaves what is
 * known. Answers that are older than what is known are passed over. */
void pacing_rates_note(struct pacing_gate *gate, const struct pacing_waiter *waiter,
                       const struct pacing_rates *rates, int64_t now_ms);

struct pacing_stats pacing_stats_of(const struct pacing_gate *gate, int64_t now_ms);

#endif
