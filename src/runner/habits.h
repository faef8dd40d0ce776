/* What past debates were like: how long prompts and replies of a model were, how many tokens its
 * provider counted for them, and how far debates went. Read from the logs of the last debates of a
 * principal, so that nothing is written for it while debates run.
 *
 * Sums and nothing else: no text of a debate is kept. Filled by one thread, then read by any.
 */
#ifndef ARAGORA_RUNNER_HABITS_H
#define ARAGORA_RUNNER_HABITS_H

#include "debate/debate.h"
#include "store/store.h"

enum { HABITS_MODELS_MAX = 32, HABITS_DEBATES_MAX = 200, HABITS_NAME_SIZE = 128 };

struct habit { /* of a model at one kind of turn; whole answers whose tokens were counted */
  int64_t turns;
  int64_t prompt_bytes, tokens_in;
  int64_t things; /* that replies were about, as rehearsal_call has them */
  int64_t things_squared, things_tokens_out;
  int64_t tokens_out;
  int64_t failed_tokens; /* in and out, of attempts that gave no answer */
};

struct model_habits {
  char provider[HABITS_NAME_SIZE], model[HABITS_NAME_SIZE];
  struct habit of[TURN_KIND_COUNT];
  int64_t answers, answer_bytes;
  int64_t critiques, items, item_bytes; /* critiques: one of a critic for one target */
};

struct course_habit { /* how far a debate went */
  uint64_t panel;     /* hash of its providers and models */
  int members;
  enum mode mode;
  enum topology topology;
  int rounds, rounds_max;
  bool early;    /* stopped before its last round, because nothing was left to debate */
  int positions; /* at the end */
};

struct habits {
  struct model_habits models[HABITS_MODELS_MAX];
  int model_count;
  struct course_habit courses[HABITS_DEBATES_MAX];
  int course_count;
  int64_t turns; /* of all models and kinds */
};

/* The providers and models of a panel, whatever their order. */
uint64_t habits_panel(const struct debate_config *config);
/* NULL when the model has not answered. Names are compared as far as they are kept. */
const struct model_habits *habits_find(const struct habits *habits, const char *provider,
                                       const char *model);

/* Adds the log of one debate, as store_read_events gives it; habits_debate_end keeps its course
 * when it ended. */
struct habits_log;
MUST_CHECK enum status habits_debate_begin(struct habits *habits, struct habits_log **ret_log);
/* False when it is of no use any more. */
bool habits_add_event(struct habits_log *log, const struct store_event *event);
void habits_debate_end(struct habits_log *log);

/* The last `debates` (at most HABITS_DEBATES_MAX) that completed and that the principal may see.
 * Blocks. */
MUST_CHECK enum status habits_read(struct store *store, const struct principal *who, int debates,
                                   struct habits *ret_habits, struct error *err);

#endif
