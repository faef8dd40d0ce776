/* What the log asks for next. Everything here is decided by the state alone. */
#include "debate/maker.h"
#include "debate/result.h"
#include "debate/topology.h"

#include <stdlib.h>

void commands_done(struct commands *commands) {
  drafts_done(&commands->append);
}

/* The fast path: every member has a valid proposal, and all have the same non-empty key, so there
 * is nothing to debate. */
static bool agreement(const struct debate *d) {
  bool applies = d->config.fast_path && d->config.rule != RULE_JUDGE &&
                 d->config.rule != RULE_NONE &&
                 (d->config.mode == MODE_DEBATE || d->config.mode == MODE_VOTE);
  if (!applies || result_valid_count(d) != d->config.member_count) return false;
  const char *key = d->members[0].key;
  for (int i = 0; i < d->config.member_count; i++)
    if (strcmp(d->members[i].key, key) != 0) return false;
  return *key != '\0';
}

/* Why no further round begins after a complete step; STOP_NONE when one does. */
static enum stop_reason stop_test(const struct debate *d) {
  if (d->fact == FACT_CANCELLED) return STOP_CANCELLED;
  if (d->fact == FACT_DEADLINE) return STOP_DEADLINE;
  if (d->fact == FACT_BUDGET) return STOP_BUDGET;
  if (d->config.mode == MODE_SINGLE || d->config.mode == MODE_SELF_CONSISTENCY)
    return STOP_NOT_NEEDED;
  if (d->round == 0 && agreement(d)) return STOP_AGREEMENT;
  if (d->config.mode == MODE_VOTE) return STOP_NOT_NEEDED;
  if (d->round > 0) {
    struct positions positions;
    debate_positions(d, &positions);
    if (positions.count <= 1) return STOP_ONE_POSITION;
    if (!d->changed_in_round) return STOP_NO_CHANGE;
  }
  return d->round >= d->config.rounds ? STOP_ROUNDS_DONE : STOP_NONE;
}

static enum status append_round_start(const struct debate *d, struct drafts *drafts) {
  struct maker m = {false};
  json_t *agents = json_array();
  for (int i = 0; i < d->config.member_count; i++)
    if (d->members[i].valid) maker_add(&m, agents, json_string(d->config.members[i].name));
  json_t *data = json_pack("{s:s, s:o}", "phase", "critique", "agents", agents);
  return drafts_add(drafts, EVENT_ROUND_START, d->round + 1, NULL, maker_done(&m, data));
}

static enum status next_after_step(const struct debate *d, struct drafts *drafts) {
  if (!d->fact && d->round == 0 && result_valid_count(d) < result_quorum(d))
    return drafts_add(drafts, EVENT_ERROR, -1, NULL, result_error(d));
  enum stop_reason reason = stop_test(d);
  if (reason == STOP_NONE) return append_round_start(d, drafts);
  return drafts_add(drafts, EVENT_STOP, d->round, NULL,
                    json_pack("{s:s}", "reason", stop_reason_names[reason]));
}

static enum status next_decide(const struct debate *d, struct drafts *drafts) {
  if (result_valid_count(d) > 0)
    return drafts_add(drafts, EVENT_CONSENSUS, d->round, NULL, result_consensus(d));
  if (d->fact == FACT_CANCELLED)
    return drafts_add(drafts, EVENT_DEBATE_END, d->round, NULL, result_end(d));
  return drafts_add(drafts, EVENT_ERROR, -1, NULL, result_error(d));
}

static enum status next_turns(const struct debate *d, struct commands *commands) {
  for (int i = d->step_first; i < d->turn_count; i++) {
    const struct turn *t = &d->turns[i];
    if (t->status != TURN_OPEN) continue;
    if (t->unknowns >= TURN_UNKNOWN_MAX && !t->attempt_open)
      return debate_fail_turn(d, i, OUTCOME_UNAVAILABLE, "cut by a crash in every attempt",
                              &commands->append);
  }
  for (int i = d->step_first; i < d->turn_count; i++)
    if (d->turns[i].status == TURN_OPEN) commands->asks[commands->ask_count++] = i;
  return STATUS_OK;
}

enum status debate_next(const struct debate *d, struct commands *ret_commands) {
  struct commands commands = {0};
  enum status s = STATUS_OK;
  switch (d->phase) {
    case PHASE_PROPOSE:
    case PHASE_CRITIQUE:
    case PHASE_REVISE:
    case PHASE_VOTE:
    case PHASE_JUDGE:
      if (d->fact)
        commands.cut = true;
      else
        s = next_turns(d, &commands);
      break;
    case PHASE_STOP: s = next_after_step(d, &commands.append); break;
    case PHASE_DECIDE: s = next_decide(d, &commands.append); break;
    case PHASE_REPORT:
      s = drafts_add(&commands.append, EVENT_DEBATE_END, d->round, NULL, result_end(d));
      break;
    case PHASE_NEW:
    case PHASE_ENDED: break;
  }
  if (s)
    commands_done(&commands);
  else
    *ret_commands = commands;
  return s;
}

enum status debate_prompt(const struct debate *d, int turn, struct prompt *ret_prompt) {
  const struct turn *t = &d->turns[turn];
  const char *responses[DEBATE_MEMBERS_MAX];
  int labels[DEBATE_MEMBERS_MAX];
  int count = topology_labels(d, t, labels);
  struct positions positions;
  debate_positions(d, &positions);
  bool by_position = t->kind == TURN_BALLOT || t->kind == TURN_JUDGMENT;
  for (int i = 0; i < count; i++)
    responses[i] = d->members[by_position ? positions.speaker[labels[i]] : labels[i]].text;
  struct prompt_input in = {
      .kind = t->kind,
      .round = t->round,
      .task = d->config.task,
      .context = d->config.context,
      .nonce = d->config.nonce,
      .role = t->kind == TURN_JUDGMENT ? "" : d->config.members[t->member].role,
      .responses = responses,
      .response_count = count,
      .context_bytes = (size_t)d->config.context_bytes,
      .scrub = d->scrub,
      .bad_reply = t->bad_reply,
      .bad_reply_error = t->bad_reply_error};
  if (t->kind != TURN_REVISION) return prompt_build(&in, ret_prompt);
  in.own_answer = d->members[t->member].text;
  in.own_key = d->members[t->member].key;
  int open[PROMPT_ITEMS_MAX];
  in.item_count = topology_open_items(d, t->member, open);
  struct prompt_item *items = calloc((size_t)in.item_count + 1, sizeof *items);
  if (!items) return STATUS_NOMEM;
  for (int i = 0; i < in.item_count; i++) {
    const struct item *item = &d->items[open[i]];
    items[i] =
        (struct prompt_item){item->claim, item->problem, item->why, item->fix, item->severity_ppm};
  }
  in.items = items;
  enum status s = prompt_build(&in, ret_prompt);
  free(items);
  return s;
}
