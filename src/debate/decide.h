/* Deciding: from positions and ballots to a decision, in integers. Worked examples for two, three
 * and four agents stand in docs/internals/deciding.md and are the tests. Pure; any thread.
 */
#ifndef ARAGORA_DEBATE_DECIDE_H
#define ARAGORA_DEBATE_DECIDE_H

#include "debate/config.h"

struct decide_position {
  uint32_t holders; /* bit i: agent i holds it */
  int since;        /* earliest round from which one agent has held it without a break */
};

struct decide_ballot {
  int voter;                       /* agent */
  int ranking[DEBATE_MEMBERS_MAX]; /* all k positions, best first */
};

enum decide_basis {
  DECIDE_BY_VOTE,     /* ballots were asked for */
  DECIDE_BY_HOLDERS,  /* one position left, or the fast path: each holder is a ballot for it */
  DECIDE_BY_JUDGE,    /* `chosen` */
  DECIDE_BY_SAMPLES,  /* self_consistency: each sample is a ballot for its own position */
  DECIDE_BEST_SO_FAR, /* stopped by a fact: the best answer so far, nothing reached */
  DECIDE_NOTHING,     /* rule none, single */
};

struct decide_input {
  int n; /* panel */
  int64_t weights_ppm[DEBATE_MEMBERS_MAX];
  int held_since[DEBATE_MEMBERS_MAX]; /* of each agent: round since which it holds its position */
  int k;                              /* positions, in order of their first holder */
  struct decide_position positions[DEBATE_MEMBERS_MAX];
  int ballot_count; /* valid ones */
  struct decide_ballot ballots[DEBATE_MEMBERS_MAX];
  enum decide_basis basis;
  int chosen; /* the judge's position */
  enum rule rule;
  int64_t threshold_ppm;
  int quorum; /* 0 = do not check (leave-one-out) */
};

enum strength {
  STRENGTH_NONE,
  STRENGTH_UNANIMOUS,
  STRENGTH_STRONG,
  STRENGTH_MEDIUM,
  STRENGTH_WEAK,
  STRENGTH_TIE
};
extern const char *const strength_names[]; /* "" for STRENGTH_NONE */

struct decision {
  bool reached;
  bool quorum_met; /* of ballots, where a vote was held */
  int winner;      /* the decided position, -1 = none */
  int best;        /* what is reported: the winner, else the best answer so far; -1 = no position */
  enum strength strength;
  int64_t share_ppm;                     /* a(best), rounded down; -1 = null */
  int64_t margin_ppm;                    /* of the rule's score; -1 = null */
  int64_t first_ppm[DEBATE_MEMBERS_MAX]; /* weighted first choices over valid ballots; -1 = null */
  int64_t borda_ppm[DEBATE_MEMBERS_MAX]; /* -1 = null */
  int first_choices[DEBATE_MEMBERS_MAX]; /* ballots, unweighted */
};

void decide(const struct decide_input *input, struct decision *ret_decision);

/* For each agent: 1 the decided position differs without it ("no decision" included), 0 it does
 * not, -1 null. */
void decide_leave_one_out(const struct decide_input *input, const struct decision *decision,
                          int ret_flips[DEBATE_MEMBERS_MAX]);

/* Weights from recorded outcomes: 1 for n <= 3; from 4 on
 * clamp(1 + 4 x (0.25 - Brier), 0.5, 2) for agents with at least 10 outcomes, else 1; then no agent
 * above a third of the sum. In ppm. */
void decide_weights(int n, const int64_t brier_ppm[], const int outcomes[], int64_t ret_weights[]);

#endif
