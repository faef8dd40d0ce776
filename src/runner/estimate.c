#include "runner/estimate.h"

#include "debate/rehearsal.h"
#include "runner/panel.h"

#include <math.h>
#include <stdlib.h>

/* The table, for a model without a past: English text at four bytes a token, and replies as long as
 * our own prompts ask for. Tokens of a reply grow with what it is about. */
enum {
  BYTES_PER_TOKEN = 4,
  ANSWER_BYTES = 1600,
  ITEM_BYTES = 480,
  ITEMS_PER_TARGET = 2,
};
static const struct {
  double tokens, tokens_per_thing;
} table[TURN_KIND_COUNT] = {
    [TURN_PROPOSAL] = {450, 0}, [TURN_CRITIQUE] = {20, 130}, [TURN_REVISION] = {350, 50},
    [TURN_BALLOT] = {80, 8},    [TURN_JUDGMENT] = {100, 40},
};

/* Longer texts are not played through, whatever the output limit allows: a rehearsal of the largest
 * debate would take seconds. Eight thousand tokens, the option's default. */
enum { TEXT_BYTES_MAX = 32 * 1024 };
/* Courses rarer than one in a thousand are left out. */
static const double share_min = 0.001;

struct estimator {
  const struct agent_table *agents;
  const struct debate_config *config;
  const struct habits *habits;
};

struct sum { /* of one rehearsal, or of several with weights */
  const struct estimator *e;
  double weight;
  bool at_limit; /* replies are as long as they may be */
  bool failures; /* count as often as they happened */
  double calls[TURN_KIND_COUNT];
  double tokens_in, tokens_out, usd_micro;
  bool unpriced;
};

/* ---- tokens of a call ---- */

static const struct habit *habit_of(const struct habits *habits, const struct debate_agent *agent,
                                    enum turn_kind kind) {
  const struct model_habits *m = habits_find(habits, agent->provider, agent->model);
  return m && m->of[kind].turns ? &m->of[kind] : NULL;
}

static double tokens_in_of(const struct habit *h, double prompt_bytes) {
  if (!h || !h->prompt_bytes) return prompt_bytes / BYTES_PER_TOKEN;
  return prompt_bytes * (double)h->tokens_in / (double)h->prompt_bytes;
}

/* The regression of tokens on things, drawn to the table's slope (scaled to how much this model
 * says) by as much as two further turns would draw: turns that were all about as many things say
 * nothing about the slope. */
static double tokens_out_of(const struct habit *h, enum turn_kind kind, double things) {
  enum { PRIOR_TURNS = 2 };
  double prior = table[kind].tokens_per_thing;
  if (!h) return table[kind].tokens + prior * things;
  double n = (double)h->turns;
  double mean = (double)h->tokens_out / n;
  double mean_things = (double)h->things / n;
  prior *= mean / (table[kind].tokens + prior * mean_things);
  double xx = (double)h->things_squared - n * mean_things * mean_things;
  double xy = (double)h->things_tokens_out - n * mean_things * mean;
  double slope = (xy + PRIOR_TURNS * prior) / (xx + PRIOR_TURNS);
  double tokens = mean + slope * (things - mean_things);
  return tokens > 1 ? tokens : 1;
}

static double failed_share(const struct habit *h) {
  return h ? (double)h->failed_tokens / (double)(h->tokens_in + h->tokens_out) : 0;
}

static int64_t limit_of(const struct estimator *e, const struct agent_binding *binding) {
  int64_t limit = e->config->max_output_tokens;
  bool lower = binding && binding->output_tokens_max > 0 && binding->output_tokens_max < limit;
  return lower ? binding->output_tokens_max : limit;
}

static void add_call(void *ctx, const struct rehearsal_call *call) {
  struct sum *sum = ctx;
  struct agent_binding binding;
  bool found = panel_binding(sum->e->agents, call->agent, &binding);
  const struct habit *h = habit_of(sum->e->habits, call->agent, call->kind);
  double in = tokens_in_of(h, (double)call->prompt_bytes);
  double out = sum->at_limit ? (double)limit_of(sum->e, found ? &binding : NULL)
                             : tokens_out_of(h, call->kind, call->things);
  double weight = sum->weight * (1 + (sum->failures ? failed_share(h) : 0));
  sum->calls[call->kind] += sum->weight;
  sum->tokens_in += weight * in;
  sum->tokens_out += weight * out;
  if (!found || binding.price_input_usd_micro < 0 || binding.price_output_usd_micro < 0)
    sum->unpriced = true;
  else
    sum->usd_micro += weight *
                      (in * (double)binding.price_input_usd_micro +
                       out * (double)binding.price_output_usd_micro) /
                      1e6;
}

static struct estimate_course course_of(const struct sum *sum) {
  struct estimate_course c = {.tokens_in = llround(sum->tokens_in),
                              .tokens_out = llround(sum->tokens_out),
                              .cost_usd_micro = sum->unpriced ? -1 : llround(sum->usd_micro)};
  for (int i = 0; i < TURN_KIND_COUNT; i++) c.calls[i] = llround(sum->calls[i]);
  return c;
}

/* ---- how long texts are ---- */

static size_t within(size_t bytes) {
  return bytes < TEXT_BYTES_MAX ? bytes : TEXT_BYTES_MAX;
}

static size_t answer_bytes_of(const struct estimator *e, const struct debate_agent *agent) {
  const struct model_habits *m = habits_find(e->habits, agent->provider, agent->model);
  return m && m->answers ? within((size_t)(m->answer_bytes / m->answers)) : ANSWER_BYTES;
}

/* Everybody's items stand in everybody's prompts, so one mean does for all. */
static void fill_items(const struct estimator *e, struct rehearsal_script *script) {
  int64_t critiques = 0, items = 0, bytes = 0;
  for (int i = 0; i < e->config->member_count; i++) {
    const struct debate_agent *a = &e->config->members[i];
    const struct model_habits *m = habits_find(e->habits, a->provider, a->model);
    if (!m) continue;
    critiques += m->critiques;
    items += m->items;
    bytes += m->item_bytes;
  }
  script->items = critiques ? (int)((items + critiques / 2) / critiques) : ITEMS_PER_TARGET;
  /* A debate goes on because somebody was criticised. */
  if (script->items < 1) script->items = 1;
  script->item_bytes = items ? within((size_t)(bytes / items)) : ITEM_BYTES;
}

static struct rehearsal_script usual_script(const struct estimator *e) {
  struct rehearsal_script script = {.positions = e->config->member_count};
  for (int i = 0; i < e->config->member_count; i++)
    script.answer_bytes[i] = answer_bytes_of(e, &e->config->members[i]);
  fill_items(e, &script);
  return script;
}

/* ---- the three courses ---- */

static bool has_fast_path(const struct debate_config *c) {
  return c->fast_path && c->rule != RULE_JUDGE && c->rule != RULE_NONE;
}

static enum status estimate_low(const struct estimator *e, struct estimate_course *ret_course) {
  struct sum sum = {.e = e, .weight = 1};
  struct rehearsal_script script = usual_script(e);
  script.agree = script.early = true;
  script.items = 0;
  script.rounds = has_fast_path(e->config) || e->config->rounds == 0 ? 0 : 1;
  enum status s = rehearse_debate(e->config, &script, add_call, &sum);
  if (!s) *ret_course = course_of(&sum);
  return s;
}

static enum status estimate_high(const struct estimator *e, struct estimate_course *ret_course) {
  struct sum sum = {.e = e, .weight = 1, .at_limit = true};
  int64_t bytes = limit_of(e, NULL) * BYTES_PER_TOKEN;
  size_t text = bytes < TEXT_BYTES_MAX ? (size_t)bytes : TEXT_BYTES_MAX;
  int others = e->config->member_count > 1 ? e->config->member_count - 1 : 1;
  struct rehearsal_script script = {.rounds = e->config->rounds,
                                    .positions = e->config->member_count,
                                    .repair = true,
                                    .items = ITEMS_PER_TARGET,
                                    .item_bytes = text / (size_t)(others * ITEMS_PER_TARGET),
                                    .bad_reply_bytes = text};
  for (int i = 0; i < e->config->member_count; i++) script.answer_bytes[i] = text;
  enum status s = rehearse_debate(e->config, &script, add_call, &sum);
  if (!s) *ret_course = course_of(&sum);
  return s;
}

/* ---- the ways a debate may go ---- */

/* How many answers are criticised in a round: a ring of three is all with all. */
static int critiques_of(enum topology topology, int members) {
  int others = members - 1;
  switch (topology) {
    case TOPOLOGY_RING: return members * (others < 2 ? others : 2);
    case TOPOLOGY_STAR: return 2 * others;
    case TOPOLOGY_RANDOM: return members * (others / 2 > 1 ? others / 2 : 1);
    case TOPOLOGY_ALL:
    default: return members * others;
  }
}

/* How much a past debate says about this one: the same panel more than the same size, and the same
 * amount of criticism more than either. */
static double likeness(const struct estimator *e, const struct course_habit *past) {
  const struct debate_config *c = e->config;
  if (past->mode != c->mode) return 0;
  double weight = 1;
  if (past->members == c->member_count) weight *= 10;
  if (past->panel == habits_panel(c)) weight *= 100;
  if (past->members == c->member_count &&
      critiques_of(past->topology, past->members) == critiques_of(c->topology, c->member_count))
    weight *= 100;
  return weight;
}

/* The round at which a past debate would have ended under this one's settings. */
static int end_of(const struct estimator *e, const struct course_habit *past) {
  bool later = past->early && past->rounds == 0 && !has_fast_path(e->config);
  return later && e->config->rounds > 0 ? 1 : past->rounds;
}

struct round_odds {
  double observed;        /* weight of the debates that came to the end of this round */
  double agreed, settled; /* of those, that ended there with one position, or with several */
  double positions;       /* weighted, at the end of debates that did not agree */
  double positions_weight;
};

/* Debates that ended at their own limit say nothing about what would have come after it: they are
 * counted where they were seen and not later (Kaplan and Meier, J. Amer. Stat. Assoc. 53, 1958). */
static struct round_odds odds_of(const struct estimator *e, int round) {
  struct round_odds odds = {0};
  for (int i = 0; i < e->habits->course_count; i++) {
    const struct course_habit *past = &e->habits->courses[i];
    double weight = likeness(e, past);
    int end = end_of(e, past);
    if (past->positions > 1) {
      odds.positions += weight * past->positions;
      odds.positions_weight += weight;
    }
    bool agreed = past->positions <= 1;
    bool last = round == e->config->rounds;
    bool in_sight = end > round || (end == round && (past->early || agreed || last));
    if (!in_sight) continue;
    odds.observed += weight;
    if (end == round && agreed) odds.agreed += weight;
    if (end == round && !agreed && past->early) odds.settled += weight;
  }
  return odds;
}

static int usual_positions(const struct estimator *e, const struct round_odds *odds) {
  int members = e->config->member_count;
  int usual =
      odds->positions_weight > 0 ? (int)lround(odds->positions / odds->positions_weight) : members;
  if (usual > members) usual = members;
  return usual < 2 && members > 1 ? 2 : usual;
}

static enum status add_course(struct sum *sum, const struct round_odds *odds, int round, bool agree,
                              double share) {
  if (share < share_min) return STATUS_OK;
  struct rehearsal_script script = usual_script(sum->e);
  script.rounds = round;
  script.agree = agree;
  script.positions = usual_positions(sum->e, odds);
  sum->weight = share;
  return rehearse_debate(sum->e->config, &script, add_call, sum);
}

static enum status estimate_expected(const struct estimator *e,
                                     struct estimate_course *ret_course) {
  struct sum sum = {.e = e, .failures = true};
  double left = 1; /* share of the debates that are still on */
  enum status s = STATUS_OK;
  for (int round = 0; round <= e->config->rounds && !s; round++) {
    struct round_odds odds = odds_of(e, round);
    double agreed = odds.observed > 0 ? left * odds.agreed / odds.observed : 0;
    double settled = odds.observed > 0 ? left * odds.settled / odds.observed : 0;
    if (round == e->config->rounds) settled = left - agreed;
    s = add_course(&sum, &odds, round, true, agreed);
    if (!s) s = add_course(&sum, &odds, round, false, settled);
    left -= agreed + settled;
  }
  if (!s) *ret_course = course_of(&sum);
  return s;
}

/* Each model once, however many seats it has. */
static void count_past(const struct estimator *e, struct estimate *estimate) {
  for (int i = 0; i < e->habits->model_count; i++) {
    const struct model_habits *m = &e->habits->models[i];
    bool here = false;
    for (int j = 0; j < e->config->member_count; j++)
      here = here || habits_find(e->habits, e->config->members[j].provider,
                                 e->config->members[j].model) == m;
    for (int k = 0; here && k < TURN_KIND_COUNT; k++) estimate->past_turns += m->of[k].turns;
  }
  for (int i = 0; i < e->habits->course_count; i++)
    estimate->past_debates += likeness(e, &e->habits->courses[i]) > 0;
}

enum status estimate_debate(const struct agent_table *agents, const struct debate_config *config,
                            const struct habits *habits, struct estimate *ret_estimate) {
  struct estimator e = {agents, config, habits};
  struct estimate estimate = {0};
  enum status s = estimate_low(&e, &estimate.low);
  if (!s) s = estimate_expected(&e, &estimate.expected);
  if (!s) s = estimate_high(&e, &estimate.high);
  if (s) return s;
  count_past(&e, &estimate);
  *ret_estimate = estimate;
  return STATUS_OK;
}

static enum status estimate_from_past(const struct agent_table *agents,
                                      const struct options *options, struct store *store,
                                      const struct principal *who,
                                      const struct debate_config *config, struct habits *habits,
                                      struct estimate *ret_estimate, struct error *err) {
  enum status s = STATUS_OK;
  if (store) s = habits_read(store, who, (int)options->estimate_debates, habits, err);
  if (s) return s;
  s = estimate_debate(agents, config, habits, ret_estimate);
  return s ? error_set(err, s, NULL, "the debate could not be rehearsed") : STATUS_OK;
}

enum status estimate_request(const struct agent_table *agents, const struct options *options,
                             struct store *store, const struct principal *who,
                             const struct debate_spec *spec, struct debate_config *ret_config,
                             struct estimate *ret_estimate, struct error *err) {
  struct debate_config config;
  enum status s = panel_resolve(agents, options, spec, &config, err);
  if (s) return s;
  struct habits *habits = calloc(1, sizeof *habits);
  s = habits ? estimate_from_past(agents, options, store, who, &config, habits, ret_estimate, err)
             : error_set(err, STATUS_NOMEM, NULL, "out of memory");
  free(habits);
  if (s)
    debate_config_done(&config);
  else
    *ret_config = config;
  return s;
}
