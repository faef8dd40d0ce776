/* The resolved configuration of one debate: everything that decides, as debate_start logs it.
 *
 * A resumed or replayed debate uses this copy and nothing else. No key, URL or price is in it.
 */
#ifndef ARAGORA_DEBATE_CONFIG_H
#define ARAGORA_DEBATE_CONFIG_H

#include "debate/event.h"

enum {
  DEBATE_AGENTS_MIN = 2,
  DEBATE_AGENTS_MAX = 10,  /* that a caller may name */
  DEBATE_MEMBERS_MAX = 15, /* agents, or samples of one agent */
  DEBATE_JUDGES_MAX = 3,   /* the first and two failovers */
  DEBATE_ROUNDS_MAX = 10,
  DEBATE_SAMPLES_MIN = 3,
  DEBATE_ITEMS_MAX = 12, /* items of one critic for one target in one round; more are dropped */
  PPM = 1000000,
};

enum mode { MODE_DEBATE, MODE_VOTE, MODE_SELF_CONSISTENCY, MODE_SINGLE, MODE_COUNT };
enum rule {
  RULE_MAJORITY,
  RULE_SUPERMAJORITY,
  RULE_UNANIMOUS,
  RULE_WEIGHTED,
  RULE_JUDGE,
  RULE_NONE,
  RULE_ANY,
  RULE_COUNT
};
enum topology { TOPOLOGY_ALL, TOPOLOGY_RING, TOPOLOGY_STAR, TOPOLOGY_RANDOM, TOPOLOGY_COUNT };

extern const char *const mode_names[MODE_COUNT + 1];         /* NULL-terminated */
extern const char *const rule_names[RULE_COUNT + 1];         /* NULL-terminated */
extern const char *const topology_names[TOPOLOGY_COUNT + 1]; /* NULL-terminated */

struct debate_agent {
  char *name; /* unique in the debate */
  char *type;
  char *provider;
  char *model;
  char *role; /* "" = none; free text a caller gave after the colon */
  int64_t weight_ppm;
  bool demo;
  bool in_panel; /* judges only: a fresh call to a panel member */
};

struct debate_config {
  char *task;
  char *context; /* NULL = none */
  enum mode mode;
  enum rule rule;
  enum topology topology;
  int rounds;
  int64_t threshold_ppm;
  bool fast_path;
  int quorum;
  int64_t deadline_ms; /* running time of the whole debate */
  int64_t turn_timeout_ms;
  int64_t budget_usd_micro; /* -1 = none */
  int64_t budget_tokens;    /* -1 = none */
  bool allow_unknown_price; /* the budget in money lets calls pass whose price nobody knows */
  int64_t max_output_tokens;
  int64_t context_bytes; /* other agents' texts in one prompt, at most */
  uint64_t seed;
  char nonce[33]; /* hexadecimal; independent of the seed */
  bool demo;      /* a demo agent takes part */
  struct debate_agent members[DEBATE_MEMBERS_MAX];
  int member_count; /* n */
  struct debate_agent judges[DEBATE_JUDGES_MAX];
  int judge_count;
  char *parent_id;      /* the debate that this one came from; NULL = none */
  int branch_point;     /* the last round that was taken over from it; -1 = none was */
  int inherited;        /* how many events after debate_start were */
  char parent_hash[65]; /* of the last of them in the parent's log; "" = none */
  int engine_version, rules_version, prompts_version;
};

void debate_config_done(struct debate_config *config);
/* The data of debate_start; NULL when memory is short. */
json_t *debate_config_to_json(const struct debate_config *config);
/* STATUS_CORRUPT names the field; STATUS_UNSUPPORTED for a newer engine or log version. */
MUST_CHECK enum status debate_config_from_json(const json_t *data, struct debate_config *ret_config,
                                               struct error *err);

#endif
