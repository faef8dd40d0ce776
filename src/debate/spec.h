/* A request for a debate: what a caller asked for, checked field by field, not yet resolved
 * against the agents that exist. Pure; any thread.
 */
#ifndef ARAGORA_DEBATE_SPEC_H
#define ARAGORA_DEBATE_SPEC_H

#include "debate/config.h"

struct debate_spec {
  char *task;
  char *context;                   /* NULL = none */
  char *metadata;                  /* the caller's JSON text, kept beside the log, or NULL */
  char *agents[DEBATE_AGENTS_MAX]; /* "type" or "type:role", as given */
  int agent_count;                 /* 0 = the default panel */
  enum mode mode;
  enum rule rule;
  int topology; /* enum topology, -1 = by panel size */
  int rounds;   /* -1 = default */
  int64_t threshold_ppm;
  bool fast_path;
  int quorum;              /* 0 = default */
  int samples;             /* self_consistency */
  int64_t deadline_ms;     /* -1 = default */
  int64_t turn_timeout_ms; /* -1 = default */
  int64_t budget_usd_micro;
  int64_t budget_tokens;
  bool allow_unknown_price;
  bool seed_given;
  uint64_t seed;
  char *request_id; /* under which it came, for the server's log; set by the caller, NULL = none */
  bool dry_run;     /* nothing is to be started: only what it would cost is asked */
};

struct debate_spec_limits {
  int64_t max_question_chars;
  int64_t max_context_bytes;
};

/* A spec with every default, for callers that fill it by hand. */
void debate_spec_init(struct debate_spec *spec);
void debate_spec_done(struct debate_spec *spec);

/* Reads the body of POST /api/debates: `task` or `question`; `agents` as a list or a comma string;
 * `rounds` or `max_rounds`; numbers where numbers belong (a number in a string is refused).
 * Unknown fields are ignored. STATUS_INVALID names the field and says what is allowed. */
MUST_CHECK enum status debate_spec_parse(const json_t *body,
                                         const struct debate_spec_limits *limits,
                                         struct debate_spec *ret_spec, struct error *err);

#endif
