/* The simulation: the engine with scripted agents, a scripted clock and a hostile world.
 *
 *   sim_world.c   plays the runner: appends, folds, asks, delivers answers, kills, facts
 *   sim_agents.c  what agents reply: by agent, kind and round, well or badly, from the seed
 *   sim_judge.c   reads the finished log without the engine and says what must never be
 *   simulation.c  seeds, modes and the report
 *
 * Everything is drawn from one seed; `simulation --seed N -v` replays a failure.
 */
#ifndef ARAGORA_SIM_H
#define ARAGORA_SIM_H

#include "base/prng.h"
#include "debate/chain.h"
#include "debate/check.h"
#include "debate/result.h"
#include "debate/topology.h"

/* Every honest answer carries this and its author's place in the panel ("#2": a name would be
 * scrubbed from what others read), so that the judge can tell whose text it is. */
#define SIM_ANSWER_MARK "honest answer of "
/* What providers and broken agents say; it must never be an answer, a critique or a ballot. */
#define SIM_ERROR_MARK "upstream-error-text"

/* What an attempt reserves, by its number in the turn. */
#define SIM_RESERVED_TOKENS(attempt)    (1000 + 7 * (attempt))
#define SIM_RESERVED_USD_MICRO(attempt) (90 + (attempt))

/* How hostile the world is. */
enum sim_mood {
  SIM_CALM,    /* every reply well-formed, nothing fails */
  SIM_ROUGH,   /* garbage, silence, floods, failures */
  SIM_HOSTILE, /* and facts, and deaths without mercy */
};

struct sim_options {
  uint64_t seed;
  enum sim_mood mood;
  uint64_t order_seed; /* order and time of arrival; differing ones must give the same decision */
  int kill_at;         /* the process dies after this many events, -1 = never */
  bool kills;          /* and again at random */
  int die_at;          /* the process dies at this boundary, counted from 1; 0 = never */
  int die_again;       /* and so many boundaries later again; 0 = no */
  bool verbose;
};

struct sim_line { /* a stored event */
  struct check_line line;
  char *data;
  char *agent;
  const char *type;
};

struct sim_log {
  struct sim_line *lines;
  size_t count, cap;
};

struct sim_counts { /* as the judge read them off the log */
  int unknowns;     /* attempts that a death cut */
  int resumed;      /* turns asked again because of that */
};

struct sim_run {
  struct sim_log log;
  char head_hash[2 * CHAIN_HASH_SIZE + 1];
  char *content;     /* what was asked, said, voted and decided, in an order of its own; or NULL */
  bool decided;      /* there is a consensus event */
  char problem[400]; /* "" when nothing was wrong */
  int kills, prompts;
  int boundaries; /* where it may die: before and after each write, and after each send */
  int sent;       /* requests that left */
  int unsent;     /* attempts whose start was on disk when a death kept them from being sent */
  struct sim_counts counts;
  char **asked; /* every prompt as its turn and hash */
  size_t asked_count, asked_cap;
};

/* Runs one debate to its end. */
void sim_play(const struct sim_options *options, struct sim_run *ret_run);
void sim_run_done(struct sim_run *run);

/* A whole reply for free(), and how the attempt ended. */
struct sim_reply {
  enum outcome outcome;
  char *text; /* "" unless OUTCOME_OK */
  bool truncated;
  bool garbage; /* no reply to what was asked: nothing of it may be used */
};
/* `asked` counts how often this turn was asked, 0 first: a repair is another throw of the dice. */
struct sim_reply sim_reply_make(const struct sim_options *options, const struct debate *debate,
                                int turn, int asked, const struct prompt *prompt);
/* Whose answer stands under Response `label` in a prompt, by its mark; "" when it cannot be told.
 */
void sim_author_of_label(const struct prompt *prompt, const char *nonce, int label, char out[64]);

/* Problems of one prompt (fences, names, labels) into `problem`; "" when none. */
void sim_judge_prompt(const struct debate *debate, int turn, const struct prompt *prompt,
                      char problem[400]);
/* Problems of a finished log, found without the engine. */
void sim_judge_log(const struct sim_log *log, struct sim_counts *ret_counts, char problem[400]);

#endif
