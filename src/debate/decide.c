/* All scores of one decision share one denominator, so positions are compared by their numerators
 * and thresholds by cross-multiplication. The largest product is 15 agents x 2e6 ppm x 14 places x
 * 1e6 = 4.2e14, far inside 64 bits. */
#include "debate/decide.h"

#include <limits.h>

const char *const strength_names[] = {"", "unanimous", "strong", "medium", "weak", "tie"};

struct tally {
  const struct decide_input *in;
  int64_t first[DEBATE_MEMBERS_MAX]; /* weighted first choices */
  int64_t borda[DEBATE_MEMBERS_MAX]; /* sum of w x (k - 1 - place); 1 x w for k = 1 */
  int64_t valid_weight;              /* of the ballots */
  int64_t panel_weight;
  int64_t borda_den;
  bool ranked; /* ballots rank all positions (votes), not only their first (samples) */
};

static int holder_count(uint32_t holders) {
  return __builtin_popcount(holders);
}

static void tally_ballot(struct tally *t, int voter, const int *ranking, int count) {
  int64_t w = t->in->weights_ppm[voter];
  t->valid_weight += w;
  t->first[ranking[0]] += w;
  for (int place = 0; place < count; place++)
    t->borda[ranking[place]] += t->in->k == 1 ? w : w * (t->in->k - 1 - place);
}

static struct tally tally_make(const struct decide_input *in) {
  struct tally t = {.in = in};
  for (int i = 0; i < in->n; i++) t.panel_weight += in->weights_ppm[i];
  if (in->basis == DECIDE_BY_HOLDERS || in->basis == DECIDE_BY_SAMPLES) {
    for (int p = 0; p < in->k; p++)
      for (int i = 0; i < in->n; i++)
        if (in->positions[p].holders >> i & 1) tally_ballot(&t, i, &p, 1);
    t.ranked = in->k == 1;
  } else {
    for (int b = 0; b < in->ballot_count; b++)
      tally_ballot(&t, in->ballots[b].voter, in->ballots[b].ranking, in->k);
    t.ranked = in->ballot_count > 0;
  }
  t.borda_den = t.valid_weight * (in->k > 1 ? in->k - 1 : 1);
  return t;
}

/* Keeps of `set` the members with the highest value. */
static uint32_t keep_highest(uint32_t set, int k, const int64_t *value) {
  int64_t top = INT64_MIN;
  for (int p = 0; p < k; p++)
    if (set >> p & 1 && value[p] > top) top = value[p];
  uint32_t kept = 0;
  for (int p = 0; p < k; p++)
    if (set >> p & 1 && value[p] == top) kept |= 1u << p;
  return kept;
}

static int place_of(const struct decide_ballot *ballot, int position) {
  int place = 0;
  while (ballot->ranking[place] != position) place++;
  return place;
}

static bool beats(const struct decide_input *in, int a, int b) {
  int64_t balance = 0;
  for (int i = 0; i < in->ballot_count; i++) {
    int64_t w = in->weights_ppm[in->ballots[i].voter];
    balance += place_of(&in->ballots[i], a) < place_of(&in->ballots[i], b) ? w : -w;
  }
  return balance > 0;
}

static uint32_t keep_pairwise_winner(const struct decide_input *in, uint32_t set) {
  for (int a = 0; a < in->k; a++) {
    if (!(set >> a & 1)) continue;
    bool all = true;
    for (int b = 0; b < in->k && all; b++)
      if (b != a && set >> b & 1) all = beats(in, a, b);
    if (all) return 1u << a;
  }
  return set;
}

static uint32_t keep_outsiders_choice(const struct decide_input *in, uint32_t set) {
  uint32_t insiders = 0;
  for (int p = 0; p < in->k; p++)
    if (set >> p & 1) insiders |= in->positions[p].holders;
  int64_t first[DEBATE_MEMBERS_MAX] = {0};
  for (int i = 0; i < in->ballot_count; i++) {
    int voter = in->ballots[i].voter;
    if (!(insiders >> voter & 1)) first[in->ballots[i].ranking[0]] += in->weights_ppm[voter];
  }
  return keep_highest(set, in->k, first);
}

static uint32_t keep_held_longest(const struct decide_input *in, uint32_t set) {
  int64_t value[DEBATE_MEMBERS_MAX];
  for (int p = 0; p < in->k; p++) value[p] = -in->positions[p].since;
  return keep_highest(set, in->k, value);
}

static bool single(uint32_t set) {
  return (set & (set - 1)) == 0;
}

/* Of samples, the lowest number: with one left out, not always the first position. */
static int first_held(const struct decide_input *in, uint32_t set) {
  int first = __builtin_ctz(set);
  for (int p = first + 1; p < in->k; p++)
    if (set >> p & 1 &&
        __builtin_ctz(in->positions[p].holders) < __builtin_ctz(in->positions[first].holders))
      first = p;
  return first;
}

/* The tie rules in their order, each on what the one before left. -1 when a tie remains. */
static int break_tie(const struct tally *t, uint32_t set) {
  const struct decide_input *in = t->in;
  if (!single(set) && in->basis == DECIDE_BY_SAMPLES) return first_held(in, set);
  if (!single(set)) set = keep_pairwise_winner(in, set);
  if (!single(set) && in->rule != RULE_WEIGHTED) set = keep_highest(set, in->k, t->borda);
  if (!single(set)) set = keep_outsiders_choice(in, set);
  if (!single(set)) set = keep_held_longest(in, set);
  return single(set) ? __builtin_ctz(set) : -1;
}

/* Where no rule decided: the best by Borda when ranked ballots count, then most holders, then held
 * longest, then panel order. */
static int best_so_far(const struct tally *t, bool ballots_count) {
  const struct decide_input *in = t->in;
  if (in->k == 0) return -1;
  uint32_t set = (1u << in->k) - 1;
  if (ballots_count && t->ranked) set = keep_highest(set, in->k, t->borda);
  int64_t holders[DEBATE_MEMBERS_MAX] = {0};
  for (int p = 0; p < in->k; p++) holders[p] = holder_count(in->positions[p].holders);
  set = keep_highest(set, in->k, holders);
  set = keep_held_longest(in, set);
  return __builtin_ctz(set);
}

static int64_t ppm(int64_t numerator, int64_t denominator) {
  return denominator > 0 ? numerator * PPM / denominator : -1;
}

static bool at_least(int64_t numerator, int64_t denominator, int64_t threshold_ppm) {
  return denominator > 0 && numerator * PPM >= threshold_ppm * denominator;
}

/* Denominator of a(c): the ballots, or the whole panel where a missing ballot is not a yes. */
static int64_t share_base(const struct tally *t) {
  bool panel = t->in->rule == RULE_SUPERMAJORITY || t->in->rule == RULE_UNANIMOUS;
  return panel ? t->panel_weight : t->valid_weight;
}

static bool rule_met(const struct tally *t, int leader) {
  int64_t a = t->first[leader];
  int64_t base = share_base(t);
  int64_t threshold = t->in->threshold_ppm;
  switch (t->in->rule) {
    case RULE_MAJORITY: return 2 * a > base && at_least(a, base, threshold);
    case RULE_SUPERMAJORITY: return 3 * a >= 2 * base && at_least(a, base, threshold);
    case RULE_UNANIMOUS: return a == base;
    case RULE_WEIGHTED: return at_least(t->borda[leader], t->borda_den, threshold);
    case RULE_ANY: return true;
    case RULE_JUDGE:
    case RULE_NONE:
    default: return false;
  }
}

static enum strength strength_of(const struct tally *t, int winner, int64_t margin,
                                 int64_t denominator) {
  if (t->first[winner] == t->panel_weight) return STRENGTH_UNANIMOUS;
  if (2 * margin >= denominator) return STRENGTH_STRONG;
  return 5 * margin >= denominator ? STRENGTH_MEDIUM : STRENGTH_WEAK;
}

static void decide_by_ballots(const struct tally *t, struct decision *d) {
  const struct decide_input *in = t->in;
  bool weighted = in->rule == RULE_WEIGHTED;
  const int64_t *score = weighted ? t->borda : t->first;
  int64_t denominator = weighted ? t->borda_den : share_base(t);
  uint32_t lead = keep_highest((1u << in->k) - 1, in->k, score);
  int leader = break_tie(t, lead);
  int64_t first = score[__builtin_ctz(lead)];
  int64_t second = single(lead) ? 0 : first;
  for (int p = 0; p < in->k && single(lead); p++)
    if (!(lead >> p & 1) && score[p] > second) second = score[p];
  d->margin_ppm = ppm(first - second, denominator);
  if (leader < 0) {
    d->strength = STRENGTH_TIE;
    return;
  }
  if (!rule_met(t, leader)) return;
  d->reached = true;
  d->winner = leader;
  d->strength = strength_of(t, leader, first - second, denominator);
}

static void fill_scores(const struct tally *t, struct decision *d) {
  const struct decide_input *in = t->in;
  for (int p = 0; p < DEBATE_MEMBERS_MAX; p++) {
    bool counted = p < in->k && t->valid_weight > 0;
    d->first_ppm[p] = counted ? ppm(t->first[p], t->valid_weight) : -1;
    d->borda_ppm[p] = counted && t->ranked ? ppm(t->borda[p], t->borda_den) : -1;
    d->first_choices[p] = 0;
  }
  if (in->basis == DECIDE_BY_HOLDERS || in->basis == DECIDE_BY_SAMPLES) {
    for (int p = 0; p < in->k; p++) d->first_choices[p] = holder_count(in->positions[p].holders);
  } else {
    for (int b = 0; b < in->ballot_count; b++) d->first_choices[in->ballots[b].ranking[0]]++;
  }
}

void decide(const struct decide_input *in, struct decision *ret_decision) {
  struct decision d = {
      .quorum_met = true, .winner = -1, .best = -1, .share_ppm = -1, .margin_ppm = -1};
  struct tally t = tally_make(in);
  fill_scores(&t, &d);
  bool voted = in->basis == DECIDE_BY_VOTE || in->basis == DECIDE_BEST_SO_FAR;
  if (voted) d.quorum_met = in->ballot_count >= in->quorum;
  switch (in->basis) {
    case DECIDE_BY_VOTE:
      if (d.quorum_met && in->k > 0 && t.valid_weight > 0) decide_by_ballots(&t, &d);
      break;
    case DECIDE_BY_HOLDERS:
    case DECIDE_BY_SAMPLES:
      if (in->k > 0) decide_by_ballots(&t, &d);
      break;
    case DECIDE_BY_JUDGE:
      d.reached = true;
      d.winner = in->chosen;
      break;
    case DECIDE_BEST_SO_FAR:
    case DECIDE_NOTHING: break;
  }
  if (in->basis == DECIDE_NOTHING)
    d.best = in->k == 1 && in->n == 1 ? 0 : -1; /* `single` has its one answer */
  else
    d.best = d.reached ? d.winner : best_so_far(&t, d.quorum_met && in->ballot_count > 0);
  if (in->basis == DECIDE_BY_JUDGE)
    d.share_ppm = ppm(holder_count(in->positions[in->chosen].holders), in->n);
  else if (d.best >= 0 && in->basis != DECIDE_NOTHING && d.quorum_met && t.valid_weight > 0)
    d.share_ppm = ppm(t.first[d.best], share_base(&t));
  *ret_decision = d;
}

/* The input without agent `gone`: positions that only it held are struck from all ballots. */
static struct decide_input without(const struct decide_input *in, int gone, int *old_of_new) {
  struct decide_input out = *in;
  int new_of_old[DEBATE_MEMBERS_MAX];
  out.k = 0;
  for (int p = 0; p < in->k; p++) {
    uint32_t holders = in->positions[p].holders & ~(1u << gone);
    new_of_old[p] = holders ? out.k : -1;
    if (!holders) continue;
    old_of_new[out.k] = p;
    out.positions[out.k] = (struct decide_position){holders, INT_MAX};
    for (int i = 0; i < in->n; i++)
      if (holders >> i & 1 && in->held_since[i] < out.positions[out.k].since)
        out.positions[out.k].since = in->held_since[i];
    out.k++;
  }
  out.ballot_count = 0;
  for (int b = 0; b < in->ballot_count; b++) {
    if (in->ballots[b].voter == gone) continue;
    struct decide_ballot *ballot = &out.ballots[out.ballot_count++];
    ballot->voter = in->ballots[b].voter;
    int count = 0;
    for (int place = 0; place < in->k; place++) {
      int p = new_of_old[in->ballots[b].ranking[place]];
      if (p >= 0) ballot->ranking[count++] = p;
    }
  }
  out.weights_ppm[gone] = 0; /* and thereby gone from the panel's weight */
  out.quorum = 0;
  return out;
}

void decide_leave_one_out(const struct decide_input *in, const struct decision *decision,
                          int ret_flips[DEBATE_MEMBERS_MAX]) {
  bool ballots =
      (in->basis == DECIDE_BY_VOTE && in->ballot_count > 0) || in->basis == DECIDE_BY_SAMPLES;
  for (int i = 0; i < in->n; i++) {
    ret_flips[i] = -1;
    if (!ballots || !decision->reached || in->n <= 2) continue;
    int old_of_new[DEBATE_MEMBERS_MAX];
    struct decide_input less = without(in, i, old_of_new);
    struct decision other;
    decide(&less, &other);
    int winner = other.reached ? old_of_new[other.winner] : -1;
    ret_flips[i] = winner != decision->winner;
  }
}

static int largest_of(int n, const int64_t w[], uint32_t except) {
  int largest = -1;
  for (int i = 0; i < n; i++)
    if (!(except >> i & 1) && (largest < 0 || w[i] > w[largest])) largest = i;
  return largest;
}

static bool none_above_a_third(int n, const int64_t w[]) {
  int64_t sum = 0;
  for (int i = 0; i < n; i++) sum += w[i];
  for (int i = 0; i < n; i++)
    if (3 * w[i] > sum) return false;
  return true;
}

void decide_weights(int n, const int64_t brier_ppm[], const int outcomes[], int64_t ret_weights[]) {
  for (int i = 0; i < n; i++) {
    int64_t w = PPM;
    if (n > 3 && outcomes[i] >= 10) w = PPM + 4 * (PPM / 4 - brier_ppm[i]);
    ret_weights[i] = w < PPM / 2 ? PPM / 2 : w > 2 * PPM ? 2 * PPM : w;
  }
  if (n <= 3) return;
  int64_t capped[DEBATE_MEMBERS_MAX];
  for (int c = 0; c <= 2; c++) {
    uint32_t top = 0;
    for (int j = 0; j < c; j++) top |= 1u << largest_of(n, ret_weights, top);
    int64_t rest = 0;
    for (int i = 0; i < n; i++)
      if (!(top >> i & 1)) rest += ret_weights[i];
    for (int i = 0; i < n; i++) capped[i] = top >> i & 1 ? rest / (3 - c) : ret_weights[i];
    if (none_above_a_third(n, capped)) break;
  }
  for (int i = 0; i < n; i++) ret_weights[i] = capped[i];
}
