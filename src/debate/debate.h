/* A debate's state: a fold over its log, and what the log asks for next.
 *
 *   debate_apply(state, event)   the fold: the only function that changes the state
 *   debate_next(state)           which turns to ask, which events to append
 *   debate_answer(...)           an attempt's result as the events that record it
 *
 * No clock, no I/O, no randomness but the seed: the same log gives the same state, byte for byte.
 * Running, resuming, replaying and simulating are this code with another source of events.
 * Not thread-safe; one owner at a time (the loop for running debates, a pool thread for reads).
 */
#ifndef ARAGORA_DEBATE_DEBATE_H
#define ARAGORA_DEBATE_DEBATE_H

#include "base/outcome.h"
#include "debate/decide.h"
#include "debate/event.h"
#include "debate/prompt.h"
#include "debate/reply.h"

enum phase {
  PHASE_NEW,      /* before debate_start */
  PHASE_PROPOSE,  /* turns of round 0 */
  PHASE_CRITIQUE, /* turns of round `round` */
  PHASE_REVISE,
  PHASE_STOP, /* a step is complete: next appends round_start, stop, or error */
  PHASE_VOTE,
  PHASE_JUDGE,
  PHASE_DECIDE, /* next appends consensus, or error */
  PHASE_REPORT, /* next appends debate_end */
  PHASE_ENDED,
};
extern const char *const phase_names[];

enum turn_status {
  TURN_OPEN, /* not answered; attempts may be under way */
  TURN_OK,
  TURN_FAILED,
};

enum fact { FACT_NONE, FACT_CANCELLED, FACT_DEADLINE, FACT_BUDGET };
enum stop_reason {
  STOP_NONE,
  STOP_AGREEMENT, /* fast path */
  STOP_ONE_POSITION,
  STOP_NO_CHANGE,
  STOP_ROUNDS_DONE,
  STOP_NOT_NEEDED, /* modes without rounds */
  STOP_CANCELLED,
  STOP_DEADLINE,
  STOP_BUDGET,
};
extern const char *const stop_reason_names[];

enum { TURN_ID_SIZE = 64, ITEM_ID_SIZE = 24, TURN_UNKNOWN_MAX = 5 };
enum { ITEM_SEVERITY_ASK_PPM = 300000 }; /* an open item from here on asks for a revision */

/* An attempt between its start and its end in the log. */
struct open_attempt {
  int number; /* 0 = there is none */
  int64_t reserved_tokens, reserved_usd_micro;
};

/* One question to one agent and its whole answer, or its typed failure. */
struct turn {
  enum turn_kind kind;
  enum turn_status status;
  enum outcome outcome; /* of the turn, once it is not open */
  int member;           /* index into config.members; for judgments into config.judges */
  int round;
  bool repaired, truncated;
  uint32_t targets_seen; /* critique: targets whose event is in */
  char *bad_reply;       /* set after an attempt that did not parse: the next one is the repair */
  char *bad_reply_error;
  int attempts;                                /* started, hedges among them */
  int hedges;                                  /* of them: second ones beside a slow first */
  int unknowns;                                /* attempts that a crash cut, hedges apart */
  bool attempt_open;                           /* an attempt_start without its end */
  int open_number;                             /* of the open attempt */
  int64_t reserved_tokens, reserved_usd_micro; /* of the open attempt */
  struct open_attempt hedge; /* beside that; where that ends first, it takes its place */
  /* who answered, as logged by attempt_end; owned */
  char *provider, *model, *detail;
  int upstream_status;
  int64_t tokens_in, tokens_out; /* summed over attempts; -1 = nothing known */
  int64_t cost_usd_micro;        /* summed; -1 = unknown */
  int64_t ttft_ms, latency_ms;   /* of the last attempt; -1 = unknown */
};

struct scrub;

struct item {            /* of a critique */
  char id[ITEM_ID_SIZE]; /* "1.0.2.3": round, critic, target, number */
  int critic, target, round;
  char *claim, *problem, *why, *fix;
  int64_t severity_ppm;
  enum { ITEM_OPEN, ITEM_ACCEPTED, ITEM_REJECTED } state;
  char *reason; /* the target's */
};

struct member {                 /* an agent's standing */
  bool valid;                   /* has a valid proposal */
  char *text;                   /* its answer now */
  char *key;                    /* "" = none */
  int text_since;               /* round of its text */
  int key_since;                /* round since which it has held its position without a break */
  char *first_text, *first_key; /* sealed in round 0 */
  /* a revision waits here until its step is complete: a step is a barrier, and the order in which
   * its answers arrive must change nothing */
  char *next_text, *next_key;
  bool next_changed;
  int64_t confidence_ppm; /* as last stated; -1 = never */
};

struct step_of_trajectory {
  int member, round;
  enum { STANCE_HELD, STANCE_CHANGED, STANCE_FAILED } stance;
  char because[ITEM_ID_SIZE]; /* the accepted item of highest severity, "" = none */
};

struct vote { /* a valid ballot */
  int member;
  int ranking[DEBATE_MEMBERS_MAX]; /* positions */
  int64_t confidence_ppm;
};

struct degradation {
  int order; /* step, then turn: not the order of arrival */
  char *agent;
  char turn[TURN_ID_SIZE];
  char *cause; /* an outcome's name, or "truncated", "repaired", "fallback", "judge_failed", ... */
  char *detail;
};

struct positions {
  int count; /* k */
  struct decide_position of[DEBATE_MEMBERS_MAX];
  int speaker[DEBATE_MEMBERS_MAX];   /* whose text stands for it: held longest, then panel order */
  int of_member[DEBATE_MEMBERS_MAX]; /* position of each member, -1 = none */
};

struct debate {
  bool keep_history; /* views fold with it; running debates without, to stay small */
  struct debate_config config;
  struct scrub *scrub; /* the names in it that quotes must not show; NULL before the start,
                           and with history, which asks nobody */
  enum phase phase;
  int round;
  enum fact fact;
  char *fact_reason; /* as the fact gave it, or NULL */
  enum stop_reason stop_reason;
  struct member members[DEBATE_MEMBERS_MAX];
  struct turn *turns; /* of the current step; of all steps with history */
  int turn_count, turn_cap;
  int step_first;  /* first turn of the current step */
  int step_number; /* 1, 2, ... */
  struct item *items;
  int item_count, item_cap;
  struct step_of_trajectory *trajectory;
  int trajectory_count, trajectory_cap;
  struct vote votes[DEBATE_MEMBERS_MAX];
  int vote_count;
  bool vote_held;        /* ballots were asked for */
  bool changed_in_round; /* an answer changed in the current round */
  int judge_next;        /* index of the judge that is asked or asked next */
  int judge_choice;      /* position, -1 = none */
  int judge_used;        /* index of the judge whose verdict counts, -1 = none */
  struct degradation *degradations;
  int degradation_count, degradation_cap;
  uint64_t last_seq;
  int64_t started_ms, last_ms, ended_ms;
  int64_t elapsed_ms; /* running time up to `elapsed_from_ms`; downtime not counted */
  int64_t elapsed_from_ms;
  int attempts, resumes;
  int64_t tokens_in, tokens_out, cost_usd_micro; /* of the whole debate; cost -1 = unknown */
  int64_t committed_tokens; /* booked, and reserved by open attempts: what a budget counts */
  int64_t committed_usd_micro;
  json_t *consensus; /* data of the consensus event, or NULL */
  json_t *end;       /* data of debate_end, or NULL */
  json_t *error;     /* data of error, or NULL */
  bool unsupported;  /* an unknown kind was met: readable, not resumable */
  /* with history: every event that has a message, critique or vote, in order; references */
  struct event *history;
  size_t history_count, history_cap;
};

struct debate *debate_create(bool keep_history); /* NULL when memory is short */
void debate_destroy(struct debate *debate);      /* NULL is fine */

/* STATUS_CORRUPT when the event does not fit the state (the message names seq and why): the state
 * is then unusable. */
MUST_CHECK enum status debate_apply(struct debate *debate, const struct event *event,
                                    struct error *err);

/* The same for an event of an attempt whose data is a note and no tree: `data` is not looked at. */
struct attempt_note;
MUST_CHECK enum status debate_apply_note(struct debate *debate, const struct event *event,
                                         const struct attempt_note *note, struct error *err);

struct commands {
  struct drafts append;         /* at most one event; append it, apply it, ask again */
  int asks[DEBATE_MEMBERS_MAX]; /* open turns of the current step, by index, when nothing is to be
                                   appended first. The runner skips those it is already asking. */
  int ask_count;
  bool cut; /* a fact ended the debate: open attempts are to be cut and ended */
};
void commands_done(struct commands *commands);
MUST_CHECK enum status debate_next(const struct debate *debate, struct commands *ret_commands);

/* "1.critique.openai-api" */
void debate_turn_id(const struct debate *debate, const struct turn *turn, char out[TURN_ID_SIZE]);
/* The agent that a turn asks: a member or a judge. */
const struct debate_agent *debate_turn_agent(const struct debate *debate, const struct turn *turn);
/* The question of an open turn. */
MUST_CHECK enum status debate_prompt(const struct debate *debate, int turn,
                                     struct prompt *ret_prompt);

/* What the runner knows of an attempt that is about to leave. */
struct attempt_begin {
  const char *provider, *model;
  int64_t reserved_tokens, reserved_usd_micro; /* -1 = unknown */
  bool hedge; /* beside the open attempt, of which there must be one, and no other hedge */
  int64_t prompt_bytes; /* 0 = not known */
};
MUST_CHECK enum status debate_begin_attempt(const struct debate *debate, int turn,
                                            const struct attempt_begin *begin,
                                            struct drafts *drafts);

/* And of one that ended. */
struct attempt_result {
  int attempt;          /* its number: the open attempt's or the hedge's; 0 = the open one's */
  enum outcome outcome; /* OUTCOME_OK with a text, or the failure */
  bool final;           /* the policy tries no further: a failure ends the turn */
  bool truncated;
  bool fallback; /* another binding than asked for answered */
  struct bytes text;
  const char *provider, *model, *detail, *request_id; /* never NULL */
  int upstream_status;
  int64_t input, cache_read, cache_write, output, reasoning; /* tokens, -1 = unknown */
  int64_t booked_tokens;       /* what the budget is charged: the provider's to say */
  int64_t booked_usd_micro;    /* -1 = unknown */
  int64_t ttft_ms, latency_ms; /* -1 = unknown */
};
/* The drafts borrow the names, detail and request_id, here and of attempt_begin; not the text.
 * attempt_end and, when the turn ended with it, its content events or agent_error; after a first
 * reply that does not parse only attempt_end with the raw reply, and the turn stays open. After a
 * fact nothing of a late answer is used. A result that ends the turn comes behind that of the other
 * attempt under way, added to the same drafts. Append the drafts in one transaction. On failure the
 * drafts are emptied, here and in debate_close_unknown. */
MUST_CHECK enum status debate_answer(const struct debate *debate, int turn,
                                     const struct attempt_result *result, struct drafts *drafts);
/* For each attempt that a crash left open: attempt_end {unknown} at its reserve. */
MUST_CHECK enum status debate_close_unknown(const struct debate *debate, struct drafts *drafts);
/* A turn that cannot be asked at all (its agent is gone from the table). */
MUST_CHECK enum status debate_fail_turn(const struct debate *debate, int turn, enum outcome outcome,
                                        const char *detail, struct drafts *drafts);

/* The data of facts from outside. */
json_t *debate_fact_data(const char *reason); /* {"reason": ...}, null for NULL */

/* That a fallback answered the turn of this id in the agent's stead, or NULL. The state's. */
const struct degradation *debate_fallback(const struct debate *debate, const char *turn);

void debate_positions(const struct debate *debate, struct positions *ret_positions);
/* Steps that may still be asked, this one included; for shares of the time that is left. */
int debate_steps_left(const struct debate *debate);
/* The status of the wire: pending, running, completed, failed, cancelled. */
const char *debate_status(const struct debate *debate);
/* outcome of debate_end, or NULL while it runs. */
const char *debate_outcome(const struct debate *debate);

#endif
