#include "debate/result.h"

#include "debate/maker.h"

#include <stdio.h>

static const char *const basis_names[] = {"vote", "holders", "judge", "samples", "none", "none"};

int result_valid_count(const struct debate *d) {
  int count = 0;
  for (int i = 0; i < d->config.member_count; i++) count += d->members[i].valid;
  return count;
}

int result_quorum(const struct debate *d) {
  bool baseline = d->config.mode == MODE_SINGLE || d->config.mode == MODE_SELF_CONSISTENCY;
  return baseline ? 1 : d->config.quorum;
}

static enum decide_basis basis_of(const struct debate *d, int positions) {
  if (d->fact) return DECIDE_BEST_SO_FAR;
  if (d->config.mode == MODE_SELF_CONSISTENCY) return DECIDE_BY_SAMPLES;
  if (d->config.mode == MODE_SINGLE || d->config.rule == RULE_NONE) return DECIDE_NOTHING;
  if (d->judge_choice >= 0) return DECIDE_BY_JUDGE;
  /* With one position left a judge has nothing to choose: it stands, by the judge's figures. */
  if (d->config.rule == RULE_JUDGE && positions == 1) return DECIDE_BY_JUDGE;
  return d->vote_held && positions > 1 ? DECIDE_BY_VOTE : DECIDE_BY_HOLDERS;
}

/* The rule that decide() counts by: a judge who failed leaves the vote by majority, a panel of two
 * without an outsider votes, and samples take the leader without a threshold. */
static enum rule effective_rule(const struct debate *d, enum decide_basis basis) {
  if (basis == DECIDE_BY_SAMPLES) return RULE_ANY;
  if (d->config.rule == RULE_JUDGE && basis == DECIDE_BY_VOTE) return RULE_MAJORITY;
  return d->config.rule;
}

void result_input(const struct debate *d, struct decide_input *ret_input) {
  struct decide_input in = {.n = d->config.member_count};
  struct positions positions;
  debate_positions(d, &positions);
  in.k = positions.count;
  memcpy(in.positions, positions.of, sizeof in.positions);
  for (int i = 0; i < in.n; i++) {
    in.weights_ppm[i] = d->config.members[i].weight_ppm;
    in.held_since[i] = d->members[i].key_since;
  }
  in.basis = basis_of(d, positions.count);
  in.rule = effective_rule(d, in.basis);
  in.chosen = d->judge_choice < 0 ? 0 : d->judge_choice;
  in.threshold_ppm = d->config.threshold_ppm;
  in.quorum = result_quorum(d);
  for (int b = 0; b < d->vote_count; b++) {
    in.ballots[b].voter = d->votes[b].member;
    memcpy(in.ballots[b].ranking, d->votes[b].ranking, sizeof in.ballots[b].ranking);
    in.ballot_count++;
  }
  *ret_input = in;
}

static json_t *position_name(int position) {
  char name[16];
  if (position < 0) return json_null();
  snprintf(name, sizeof name, "p%d", position);
  return json_string(name);
}

static json_t *holder_names(struct maker *m, const struct debate *d, uint32_t holders) {
  json_t *names = json_array();
  for (int i = 0; i < d->config.member_count; i++)
    if (holders >> i & 1) maker_add(m, names, json_string(d->config.members[i].name));
  return names;
}

static json_t *positions_json(struct maker *m, const struct debate *d,
                              const struct positions *positions, const struct decision *decision) {
  json_t *out = json_array();
  for (int p = 0; p < positions->count; p++) {
    const struct member *speaker = &d->members[positions->speaker[p]];
    json_t *row = json_pack(
        "{s:o, s:o, s:o, s:s, s:o, s:i, s:o, s:o, s:i}", "id", position_name(p), "key",
        json_text(bytes_of(speaker->key)), "text", json_text(bytes_of(speaker->text)), "speaker",
        d->config.members[positions->speaker[p]].name, "holders",
        holder_names(m, d, positions->of[p].holders), "first_choices", decision->first_choices[p],
        "first_ppm", json_int_or_null(decision->first_ppm[p]), "borda_ppm",
        json_int_or_null(decision->borda_ppm[p]), "since", positions->of[p].since);
    maker_add(m, out, row);
  }
  return out;
}

/* Agents that hold the position or ranked it first. */
static uint32_t supporters(const struct debate *d, const struct positions *positions, int best) {
  uint32_t set = best >= 0 ? positions->of[best].holders : 0;
  for (int b = 0; b < d->vote_count; b++)
    if (d->votes[b].ranking[0] == best) set |= 1u << d->votes[b].member;
  return set;
}

static json_t *dissent_json(struct maker *m, const struct debate *d, uint32_t support) {
  json_t *out = json_array();
  for (int i = 0; i < d->config.member_count; i++) {
    const struct member *member = &d->members[i];
    if (!member->valid || support >> i & 1) continue;
    maker_add(m, out,
              json_pack("{s:s, s:o, s:o}", "agent", d->config.members[i].name, "answer",
                        json_text(bytes_of(member->text)), "answer_key",
                        json_text(bytes_of(member->key))));
  }
  return out;
}

/* The vote that the sealed first answers alone would have given: positions by key, and the share of
 * the largest. Answers without a key cannot be counted. */
static json_t *round0_json(struct maker *m, const struct debate *d, const char *winning_key) {
  int n = d->config.member_count;
  uint32_t holders[DEBATE_MEMBERS_MAX] = {0};
  int speaker[DEBATE_MEMBERS_MAX] = {0};
  int count = 0;
  int valid = 0;
  bool keyless = false;
  for (int i = 0; i < n; i++) {
    if (!d->members[i].valid) continue;
    valid++;
    if (!*d->members[i].first_key) keyless = true;
    int p = 0;
    while (p < count && strcmp(d->members[speaker[p]].first_key, d->members[i].first_key) != 0) p++;
    if (p == count) speaker[count++] = i;
    holders[p] |= 1u << i;
  }
  json_t *positions = json_array();
  int leader = -1;
  bool tied = false;
  for (int p = 0; p < count && !keyless; p++) {
    int size = __builtin_popcount(holders[p]);
    int most = leader < 0 ? 0 : __builtin_popcount(holders[leader]);
    tied = size == most ? true : size > most ? false : tied;
    if (size > most) leader = p;
    maker_add(
        m, positions,
        json_pack("{s:o, s:o, s:I}", "key", json_text(bytes_of(d->members[speaker[p]].first_key)),
                  "holders", holder_names(m, d, holders[p]), "share_ppm",
                  (json_int_t)size * PPM / valid));
  }
  bool led = leader >= 0 && !tied;
  const char *key = led ? d->members[speaker[leader]].first_key : NULL;
  const char *reason = keyless ? "answers without a key cannot be counted"
                       : led   ? NULL
                               : "no position leads";
  json_t *changed = key && winning_key ? json_boolean(strcmp(key, winning_key) != 0) : json_null();
  return json_pack("{s:o, s:o, s:o, s:o, s:o}", "positions", positions, "leader",
                   json_text_or_null(key), "share_ppm",
                   led ? json_integer((json_int_t)__builtin_popcount(holders[leader]) * PPM / valid)
                       : json_null(),
                   "changed_by_debate", changed, "reason", json_text_or_null(reason));
}

static json_t *leave_one_out_json(struct maker *m, const struct debate *d,
                                  const struct decide_input *in, const struct decision *decision) {
  int flips[DEBATE_MEMBERS_MAX];
  decide_leave_one_out(in, decision, flips);
  json_t *out = json_array();
  for (int i = 0; i < in->n; i++)
    maker_add(m, out,
              json_pack("{s:s, s:o}", "agent", d->config.members[i].name, "flips",
                        flips[i] < 0 ? json_null() : json_boolean(flips[i])));
  return out;
}

static int self_first_count(const struct debate *d, const struct positions *positions) {
  int count = 0;
  for (int b = 0; b < d->vote_count; b++)
    count += d->votes[b].ranking[0] == positions->of_member[d->votes[b].member];
  return count;
}

static json_t *consensus_json(struct maker *m, const struct debate *d) {
  struct decide_input in;
  struct decision decision;
  struct positions positions;
  result_input(d, &in);
  decide(&in, &decision);
  debate_positions(d, &positions);
  const struct member *speaker =
      decision.best >= 0 ? &d->members[positions.speaker[decision.best]] : NULL;
  const char *winning_key =
      decision.reached ? d->members[positions.speaker[decision.winner]].key : NULL;
  uint32_t support = supporters(d, &positions, decision.best);
  json_t *judge = json_null();
  bool judged = d->judge_used >= 0 && in.basis == DECIDE_BY_JUDGE;
  if (judged) judge = json_string(d->config.judges[d->judge_used].name);
  return json_pack(
      "{s:s, s:I, s:s, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:i,"
      " s:o, s:b, s:b}",
      "rule", rule_names[d->config.rule], "threshold_ppm", (json_int_t)d->config.threshold_ppm,
      "basis", basis_names[in.basis == DECIDE_BY_JUDGE && !judged ? DECIDE_BY_HOLDERS : in.basis],
      "reached", decision.reached, "quorum_met", decision.quorum_met, "winner",
      position_name(decision.winner), "best", position_name(decision.best), "conclusion",
      speaker ? json_text(bytes_of(speaker->text)) : json_null(), "answer_key",
      speaker ? json_text(bytes_of(speaker->key)) : json_null(), "share_ppm",
      json_int_or_null(decision.share_ppm), "margin_ppm", json_int_or_null(decision.margin_ppm),
      "strength", strength_names[decision.strength], "positions",
      positions_json(m, d, &positions, &decision), "supporting_agents", holder_names(m, d, support),
      "dissent", dissent_json(m, d, support), "round0", round0_json(m, d, winning_key),
      "leave_one_out", leave_one_out_json(m, d, &in, &decision), "self_first",
      self_first_count(d, &positions), "judge", judge, "judge_in_panel",
      judged && d->config.judges[d->judge_used].in_panel, "judge_failed",
      d->config.rule == RULE_JUDGE && d->config.judge_count > 0 && d->vote_held);
}

json_t *result_consensus(const struct debate *d) {
  struct maker m = {false};
  json_t *data = consensus_json(&m, d);
  return maker_done(&m, data);
}

json_t *result_error(const struct debate *d) {
  struct maker m = {false};
  json_t *causes = json_array();
  for (int i = d->step_first; i < d->turn_count; i++) {
    const struct turn *t = &d->turns[i];
    if (t->status != TURN_FAILED || t->kind != TURN_PROPOSAL) continue;
    maker_add(&m, causes,
              json_pack("{s:s, s:s, s:o, s:o}", "agent", debate_turn_agent(d, t)->name, "outcome",
                        outcome_name(t->outcome), "detail",
                        json_text(bytes_of(t->detail ? t->detail : "")), "upstream_status",
                        t->upstream_status ? json_integer(t->upstream_status) : json_null()));
  }
  int valid = result_valid_count(d);
  int need = result_quorum(d);
  char message[160];
  if (d->fact == FACT_DEADLINE)
    snprintf(message, sizeof message, "The deadline passed before any agent had answered");
  else if (d->fact == FACT_BUDGET)
    snprintf(message, sizeof message, "The budget was used up before any agent had answered");
  else
    snprintf(message, sizeof message, "%d of %d agents answered, %d are needed", valid,
             d->config.member_count, need);
  const char *code = d->fact == FACT_DEADLINE ? "DEADLINE"
                     : d->fact == FACT_BUDGET ? "BUDGET_EXHAUSTED"
                                              : "QUORUM_NOT_REACHED";
  json_t *data = json_pack("{s:s, s:s, s:o}", "code", code, "message", message, "causes", causes);
  return maker_done(&m, data);
}

static const char *end_outcome(const struct debate *d) {
  if (d->fact == FACT_CANCELLED) return "cancelled";
  if (d->fact == FACT_DEADLINE) return "deadline";
  if (d->fact == FACT_BUDGET) return "budget_exhausted";
  if (d->error) return "failed";
  if (d->stop_reason == STOP_AGREEMENT && json_get_bool(d->consensus, "reached", false))
    return "fast_path";
  return json_get_bool(d->consensus, "reached", false) ? "consensus" : "no_consensus";
}

static json_t *degradations_json(struct maker *m, const struct debate *d) {
  json_t *out = json_array();
  for (int i = 0; i < d->degradation_count; i++) {
    const struct degradation *row = &d->degradations[i];
    maker_add(m, out,
              json_pack("{s:s, s:s, s:s, s:o}", "agent", row->agent, "turn", row->turn, "cause",
                        row->cause, "detail", json_text(bytes_of(row->detail))));
  }
  /* Where a fact ended the debate no vote was held, or none that anything depends on. */
  if (d->consensus && !d->fact && !json_get_bool(d->consensus, "quorum_met", true))
    maker_add(m, out,
              json_pack("{s:s, s:s, s:s, s:s}", "agent", "", "turn", "", "cause", "ballot_quorum",
                        "detail", "too few valid ballots for a decision"));
  return out;
}

json_t *result_end(const struct debate *d) {
  const char *status = d->error ? "failed" : d->fact == FACT_CANCELLED ? "cancelled" : "completed";
  struct maker m = {false};
  json_t *degradations = degradations_json(&m, d);
  json_t *data = json_pack(
      "{s:s, s:s, s:b, s:o, s:s, s:i, s:i, s:I, s:I, s:o, s:I}", "outcome", end_outcome(d),
      "status", status, "degraded", (int)(json_array_size(degradations) > 0), "degradations",
      degradations, "stop_reason", stop_reason_names[d->stop_reason], "rounds", d->round,
      "attempts", d->attempts, "tokens_in", (json_int_t)d->tokens_in, "tokens_out",
      (json_int_t)d->tokens_out, "cost_usd_micro", json_int_or_null(d->cost_usd_micro),
      "elapsed_ms", (json_int_t)(d->elapsed_ms + d->last_ms - d->elapsed_from_ms));
  return maker_done(&m, data);
}
