/* The one policy that decides what follows an attempt: again here, elsewhere, or nothing.
 *
 * Pure: time is passed in as what is left of it, chance as a generator that the caller seeded;
 * loop thread only. An adapter never retries by itself.
 *
 * Which outcome may do what stands in one table (retry.c). The sources of the rules: the vendors'
 * SDKs of 2026 for the headers and their order (retry-after-ms, Retry-After; x-should-retry wins
 * over the status), and for the backoff "full jitter" of M. Brooker, "Exponential Backoff And
 * Jitter", AWS Architecture Blog, 2015.
 */
#ifndef ARAGORA_PROVIDER_RETRY_H
#define ARAGORA_PROVIDER_RETRY_H

#include "base/outcome.h"
#include "base/prng.h"

#include <stdbool.h>
#include <stdint.h>

enum {
  RETRY_BACKOFF_FIRST_MS = 500,
  RETRY_BACKOFF_MAX_MS = 8000,
};

/* The header x-should-retry, which OpenAI and Anthropic send; NO also where we know it ourselves.
 */
enum retry_advice { RETRY_ADVICE_NONE, RETRY_ADVICE_YES, RETRY_ADVICE_NO };
/* Of "true" and "false" in any case; of anything else, and of NULL, RETRY_ADVICE_NONE. */
enum retry_advice retry_advice_parse(const char *value);

/* What is known when an attempt has ended. A start that was refused asks the same question: as
 * OUTCOME_RATE_LIMITED with the breaker's wait when the binding cools down, as OUTCOME_UNAVAILABLE
 * with RETRY_ADVICE_NO when its breaker is open. So does a certificate that is not trusted. */
struct retry_facts {
  enum outcome outcome;   /* a 429 about money is OUTCOME_QUOTA, one about pace
                             OUTCOME_RATE_LIMITED: wire_classify_error tells them apart */
  int status_code;        /* HTTP, 0 = none arrived */
  int64_t retry_after_ms; /* what the vendor asked for; -1 = nothing; 0 names no time either */
  enum retry_advice advice;
  int attempts;    /* made at this binding in this turn, this one included */
  int max_retries; /* 1 + max_retries bounds them */
  int64_t left_ms; /* of the turn's deadline */
  bool openrouter; /* the same question can go through OpenRouter: key set, not tried yet */
  bool chain;      /* the table names another binding that was not tried yet */
};

enum retry_action {
  RETRY_AGAIN,      /* here, after a backoff of ours */
  RETRY_WAIT,       /* here, after the time that the vendor named */
  RETRY_OPENROUTER, /* fall back, at once */
  RETRY_CHAIN,      /* fall back, at once */
  RETRY_GIVE_UP,    /* the outcome stands */
};

const char *retry_action_name(enum retry_action action); /* "again", "wait", "openrouter", ... */

struct retry_decision {
  enum retry_action action;
  int64_t delay_ms;   /* before the next attempt, always < left_ms; 0 unless AGAIN or WAIT */
  const char *reason; /* a few words for the log; static */
};

/* Draws from `chance` only for RETRY_AGAIN's delay. */
struct retry_decision retry_decide(const struct retry_facts *facts, struct prng *chance);

/* Uniform in 0..min(RETRY_BACKOFF_FIRST_MS * 2^(attempts - 1), RETRY_BACKOFF_MAX_MS), both ends
 * included: the delay after so many attempts (below 1 counts as 1). */
int64_t retry_backoff_ms(int attempts, struct prng *chance);

#endif
