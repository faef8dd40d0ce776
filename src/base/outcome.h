/* How a turn, or one attempt of it, ended: the types are told apart in
 * docs/internals/providers.md. There is no other way for a turn to end, and no failure is ever
 * represented by text. */
#ifndef ARAGORA_BASE_OUTCOME_H
#define ARAGORA_BASE_OUTCOME_H

enum outcome {
  OUTCOME_OK,
  OUTCOME_TIMEOUT,
  OUTCOME_RATE_LIMITED,
  OUTCOME_OVERLOADED,
  OUTCOME_AUTH,
  OUTCOME_QUOTA,
  OUTCOME_INVALID_REQUEST,
  OUTCOME_REFUSED,
  OUTCOME_EMPTY,
  OUTCOME_MALFORMED,
  OUTCOME_UNAVAILABLE,
  OUTCOME_CANCELLED,
  OUTCOME_BUDGET,
  OUTCOME_UNKNOWN, /* attempts only: the process died between start and end */
};

/* "ok", "timeout", "rate_limited", ...; never NULL. */
const char *outcome_name(enum outcome outcome);
/* The inverse; OUTCOME_UNKNOWN for a text that names none. */
enum outcome outcome_parse(const char *name);

#endif
