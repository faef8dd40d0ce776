/* Asking a provider: one turn's question in, one whole answer or one typed failure out.
 *
 * The owner (the runner) describes the question; this module asks, and decides alone what follows a
 * failure: again after a time, through another binding, or nothing (retry.h), under the breaker and
 * the pacing of the service (service.h) and within the turn's time. Loop thread only.
 *
 *   ask_start -> (its turn at the gate) ops.attempt_start -> (owner makes it durable) ask_proceed
 *             -> ops.token ... -> ops.attempt_end for an attempt that another follows, and from the
 *             gate again -> ops.done, once, last
 *
 * `1 + max_retries` bounds the attempts at one binding. ops.done without an attempt before it, or
 * after an ops.attempt_end, says why no (further) attempt could be made.
 *
 * Every attempt reserves its upper bound in the budget before it is announced, and waits while only
 * what others have reserved stands in the way (budgets.h).
 *
 * Where the operator wants hedges, one is announced beside the first attempt when that takes longer
 * than its model's answers do: another ops.attempt_start and ask_proceed. The first whole answer
 * ends the turn and cuts the other (ask_result.beside); of two that fail, the last decides what
 * follows. A hedge does not count against `1 + max_retries`, and waits for nothing: what the gate,
 * the breaker or the budget do not grant at once is not sent.
 */
#ifndef ARAGORA_PROVIDER_ASK_H
#define ARAGORA_PROVIDER_ASK_H

#include "base/clock.h"
#include "base/log.h"
#include "base/outcome.h"
#include "io/http_client.h"
#include "io/loop.h"
#include "provider/provider.h"

struct ask;

/* Disjoint counters, as prices are by kind (vendors count cached and reasoning tokens in or beside
 * the others); -1 where the vendor said nothing, and for the output of an answer that broke off,
 * which no vendor counts to the end. */
struct ask_usage {
  int64_t input; /* uncached input tokens */
  int64_t cache_read;
  int64_t cache_write;
  int64_t output;    /* reasoning included */
  int64_t reasoning; /* part of output */
};

/* All texts, and the binding, are borrowed until ops.done is called, or ask_cancel. */
struct ask_spec {
  const struct agent_binding *binding;
  uint64_t debate_key;     /* any number that is the debate's own: turns at the gate are fair */
  const char *agent;       /* the agent's name, for the log and the demo agents */
  int agent_index;         /* its place in the panel, for the demo agents */
  struct bytes system;     /* stable over the whole debate */
  struct bytes prefix;     /* first part of the user message: stable for the debate */
  struct bytes prompt;     /* rest of the user message: this turn's own */
  const char *schema_name; /* "proposal", "critique", "revision", "ballot", "judgment" */
  struct bytes schema;     /* JSON schema of the reply (draft 2020-12 subset) */
  int64_t max_output_tokens;
  int64_t timeout_ms;     /* the turn's whole time, from ask_start */
  struct budget *budget;  /* what its attempts are paid from, open until then; NULL = nothing */
  struct log_context log; /* for the server's log */
  const char *turn;       /* " */
};

struct ask_attempt {
  int number; /* 1, 2, ... within this ask */
  bool hedge; /* beside one under way, which has not ended */
  const char *provider;
  const char *model;
  int64_t prompt_bytes;       /* of system, prefix and prompt */
  int64_t reserved_tokens;    /* an upper bound: see attempt_bound */
  int64_t reserved_usd_micro; /* -1 = price unknown */
  int64_t day;                /* in which it is booked, days since 1970-01-01 UTC */
};

struct ask_result {
  int attempt;
  enum outcome outcome;   /* never OUTCOME_MALFORMED for a whole answer: the caller parses it */
  bool truncated;         /* the vendor stopped at the output limit */
  struct bytes text;      /* the whole answer; empty unless OUTCOME_OK */
  const char *provider;   /* who answered */
  const char *model;      /* as the vendor named it, else as asked */
  int upstream_status;    /* HTTP status, 0 = none arrived */
  const char *detail;     /* the provider's own words, secrets scrubbed, one line, or "" */
  const char *request_id; /* the vendor's, or "" */
  struct ask_usage usage;
  int64_t cost_usd_micro; /* -1 = unknown */
  /* What the attempt is booked at in the budget and the log: what was used; where that is not
   * known, what was reserved; nothing where it never left or was refused with an HTTP status. */
  struct ledger_amounts booked; /* money -1 = unknown */
  bool unsent;                  /* nothing of the request reached the provider */
  bool exhausted;  /* OUTCOME_BUDGET: a budget is used up, and `detail` says which; otherwise it is
                      the price that is unknown and must not be */
  int64_t ttft_ms; /* to the first content, -1 = none came */
  int64_t latency_ms;     /* from the attempt's start to its end */
  int64_t retry_after_ms; /* what the vendor asked for, -1 = nothing */
  bool fallback;          /* another binding than the one asked for */
  const char *next;       /* what follows and why, a few words for the log, or "" */
  /* ops.done: the end of the other attempt under way, which this one cut; else NULL. */
  const struct ask_result *beside;
};

struct ask_ops {
  void (*attempt_start)(void *ctx, const struct ask_attempt *attempt);
  /* Text that arrived since the last call; one call a read, not one a token. */
  void (*token)(void *ctx, int attempt, struct bytes text);
  /* What was shown of this attempt is withdrawn. */
  void (*token_reset)(void *ctx, int attempt);
  void (*attempt_end)(void *ctx, const struct ask_result *result);
  /* The last callback; the ask is freed when it returns. */
  void (*done)(void *ctx, const struct ask_result *result);
};

/* No callback runs before it returns. */
MUST_CHECK enum status ask_start(struct provider *provider, const struct ask_spec *spec,
                                 const struct ask_ops *ops, void *ctx, struct ask **ret_ask,
                                 struct error *err);
/* The attempt of that number, announced by ops.attempt_start, is durable: the request may leave. */
void ask_proceed(struct ask *ask, int attempt);

/* What attempts that were announced and have not ended are booked at when they are cut: their
 * reserve once ask_proceed was called, otherwise nothing. */
struct ask_owed {
  struct ledger_amounts open;  /* the first one, or the hedge that was left */
  struct ledger_amounts hedge; /* one beside that */
};
/* Closes its sockets at once; no callback follows; the ask is freed, at the latest when the
 * callback of this very ask returns from within which it may be called. Usage is unknown:
 * what was announced and has not ended is booked at what is returned. Within ops.done it does
 * nothing. */
struct ask_owed ask_cancel(struct ask *ask);

#endif
