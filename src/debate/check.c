#include "debate/check.h"

#include "base/sha256.h"
#include "debate/maker.h"

#include <stdio.h>
#include <stdlib.h>

struct check {
  struct debate *debate;
  uint8_t head[CHAIN_HASH_SIZE];
  struct check_result result;
  bool bad;
};

struct check *check_create(void) {
  struct check *c = calloc(1, sizeof *c);
  if (c) c->debate = debate_create(true);
  if (c && !c->debate) {
    free(c);
    return NULL;
  }
  return c;
}

void check_destroy(struct check *c) {
  if (!c) return;
  debate_destroy(c->debate);
  free(c);
}

const struct debate *check_state(const struct check *c) {
  return c->debate;
}

static bool wrong(struct check *c, const struct check_line *line, const char *problem) {
  c->bad = true;
  c->result.bad_seq = line->seq ? line->seq : c->result.events + 1;
  snprintf(c->result.problem, sizeof c->result.problem, "%s", problem);
  return false;
}

static bool check_chain(struct check *c, const struct check_line *line) {
  uint8_t want[CHAIN_HASH_SIZE];
  if (line->seq != c->result.events + 1) return wrong(c, line, "sequence number out of order");
  if (line->data.ptr) {
    chain_digest(line->salt, line->data, want);
    if (memcmp(want, line->digest, sizeof want) != 0)
      return wrong(c, line, "data does not match its digest");
  }
  chain_extend(c->head, line->seq, line->type, line->ts_ms, line->round, line->agent, line->digest,
               want);
  if (memcmp(want, line->hash, sizeof want) != 0)
    return wrong(c, line, "hash does not follow from the event before");
  memcpy(c->head, want, sizeof want);
  return true;
}

/* Events that the engine makes from the state alone, so that they can be made again. */
static bool made_by_engine(enum event_kind kind) {
  return kind == EVENT_ROUND_START || kind == EVENT_STOP || kind == EVENT_CONSENSUS ||
         kind == EVENT_ERROR || kind == EVENT_DEBATE_END;
}

static bool check_engine(struct check *c, const struct check_line *line, enum event_kind kind) {
  struct commands commands;
  if (debate_next(c->debate, &commands)) return wrong(c, line, "the state gives no next step");
  const struct draft *said = commands.append.items;
  bool same = commands.append.count == 1 && said->kind == kind && said->round == line->round &&
              !line->agent == !said->agent &&
              (!said->agent || strcmp(line->agent, said->agent) == 0);
  if (same) {
    FREE_LATER char *again = json_canonical_dup(said->data);
    same = again && bytes_equal(bytes_of(again), line->data);
  }
  commands_done(&commands);
  return same ? true : wrong(c, line, "the engine says something else at this point");
}

static bool check_fold(struct check *c, const struct check_line *line) {
  json_t *data = NULL;
  struct error err = {0};
  if (json_parse(line->data, &data, &err)) return wrong(c, line, "data is not JSON");
  FREE_LATER char *canonical = json_canonical_dup(data);
  bool ok = canonical && bytes_equal(bytes_of(canonical), line->data);
  if (!ok) wrong(c, line, "data is not in canonical form");
  enum event_kind kind = event_kind_parse(line->type);
  if (ok && made_by_engine(kind)) ok = check_engine(c, line, kind);
  struct event event = {line->seq, kind, line->ts_ms, line->round, line->agent, data};
  enum status s = ok ? debate_apply(c->debate, &event, &err) : STATUS_OK;
  if (s == STATUS_UNSUPPORTED || c->debate->unsupported)
    c->result.unsupported = true;
  else if (s)
    ok = wrong(c, line, err.message);
  json_decref(data);
  return ok;
}

bool check_feed(struct check *c, const struct check_line *line) {
  if (c->bad || !check_chain(c, line)) return false;
  c->result.events++;
  c->result.ended = strcmp(line->type, "debate_end") == 0;
  if (!line->data.ptr) c->result.deleted = true;
  if (c->result.deleted || c->result.unsupported) return true;
  return check_fold(c, line);
}

void check_finish(struct check *c, struct check_result *ret_result) {
  bytes_to_hex(c->head, sizeof c->head, c->result.head_hash);
  if (!c->bad && c->result.events == 0) {
    c->bad = true;
    snprintf(c->result.problem, sizeof c->result.problem, "the log is empty");
  }
  c->result.ok = !c->bad;
  if (!c->bad && !c->result.deleted && !c->result.unsupported)
    check_state_hash(c->debate, c->result.state_hash);
  *ret_result = c->result;
}

/* ---- the dump ---- */

/* Frozen: the golden logs have its hash. The configuration is not in it, as it is the first event.
 */

static json_t *dump_member(const struct member *m) {
  return json_pack("{s:b, s:o, s:o, s:i, s:i, s:o, s:o, s:o, s:o, s:b, s:I}", "valid", m->valid,
                   "text", json_text_or_null(m->text), "key", json_text_or_null(m->key),
                   "text_since", m->text_since, "key_since", m->key_since, "first_text",
                   json_text_or_null(m->first_text), "first_key", json_text_or_null(m->first_key),
                   "next_text", json_text_or_null(m->next_text), "next_key",
                   json_text_or_null(m->next_key), "next_changed", m->next_changed, "confidence",
                   (json_int_t)m->confidence_ppm);
}

/* Only where there was one: the states of earlier logs stay what they are. */
static void put_hedge(struct maker *m, json_t *out, const struct turn *t) {
  if (!t->hedges) return;
  maker_put(m, out, "hedge",
            json_pack("{s:i, s:i, s:i, s:I, s:I}", "count", t->hedges, "first", t->open_number,
                      "number", t->hedge.number, "tokens", (json_int_t)t->hedge.reserved_tokens,
                      "usd_micro", (json_int_t)t->hedge.reserved_usd_micro));
}

static json_t *dump_turn(struct maker *m, const struct debate *d, const struct turn *t) {
  char id[TURN_ID_SIZE];
  debate_turn_id(d, t, id);
  json_t *out = json_pack(
      "{s:s, s:i, s:i, s:b, s:b, s:i, s:i, s:i, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:i, s:o,"
      " s:o, s:o, s:o, s:o}",
      "id", id, "status", t->status, "outcome", t->outcome, "repaired", t->repaired, "truncated",
      t->truncated, "targets_seen", (int)t->targets_seen, "attempts", t->attempts, "unknowns",
      t->unknowns, "open", t->attempt_open, "reserved_tokens", (json_int_t)t->reserved_tokens,
      "reserved_usd_micro", (json_int_t)t->reserved_usd_micro, "in", (json_int_t)t->tokens_in,
      "out", (json_int_t)t->tokens_out, "cost", (json_int_t)t->cost_usd_micro, "ttft",
      (json_int_t)t->ttft_ms, "latency", (json_int_t)t->latency_ms, "upstream_status",
      t->upstream_status, "provider", json_text_or_null(t->provider), "model",
      json_text_or_null(t->model), "detail", json_text_or_null(t->detail), "bad_reply",
      json_text_or_null(t->bad_reply), "bad_reply_error", json_text_or_null(t->bad_reply_error));
  put_hedge(m, out, t);
  return out;
}

static json_t *dump_item(const struct item *item) {
  return json_pack("{s:s, s:i, s:i, s:i, s:I, s:o, s:o, s:o, s:o, s:o}", "id", item->id, "critic",
                   item->critic, "target", item->target, "state", (int)item->state, "severity",
                   (json_int_t)item->severity_ppm, "claim", json_text_or_null(item->claim),
                   "problem", json_text_or_null(item->problem), "why", json_text_or_null(item->why),
                   "fix", json_text_or_null(item->fix), "reason", json_text_or_null(item->reason));
}

static json_t *dump_step(const struct step_of_trajectory *step) {
  return json_pack("{s:i, s:i, s:i, s:s}", "member", step->member, "round", step->round, "stance",
                   (int)step->stance, "because", step->because);
}

static json_t *dump_vote(struct maker *m, const struct vote *vote, int positions) {
  json_t *ranking = json_array();
  for (int p = 0; p < positions; p++) maker_add(m, ranking, json_integer(vote->ranking[p]));
  return json_pack("{s:i, s:o, s:I}", "member", vote->member, "ranking", ranking, "confidence",
                   (json_int_t)vote->confidence_ppm);
}

static json_t *dump_degradation(const struct degradation *row) {
  return json_pack("{s:s, s:s, s:s, s:o}", "agent", row->agent, "turn", row->turn, "cause",
                   row->cause, "detail", json_text(bytes_of(row->detail)));
}

static json_t *dump_lists(struct maker *m, const struct debate *d) {
  json_t *members = json_array();
  json_t *turns = json_array();
  json_t *items = json_array();
  json_t *trajectory = json_array();
  json_t *votes = json_array();
  json_t *degradations = json_array();
  struct positions positions;
  debate_positions(d, &positions);
  for (int i = 0; i < d->config.member_count; i++)
    maker_add(m, members, dump_member(&d->members[i]));
  for (int i = d->step_first; i < d->turn_count; i++)
    maker_add(m, turns, dump_turn(m, d, &d->turns[i]));
  for (int i = 0; i < d->item_count; i++) maker_add(m, items, dump_item(&d->items[i]));
  for (int i = 0; i < d->trajectory_count; i++)
    maker_add(m, trajectory, dump_step(&d->trajectory[i]));
  for (int i = 0; i < d->vote_count; i++)
    maker_add(m, votes, dump_vote(m, &d->votes[i], positions.count));
  for (int i = 0; i < d->degradation_count; i++)
    maker_add(m, degradations, dump_degradation(&d->degradations[i]));
  return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "members", members, "turns", turns, "items",
                   items, "trajectory", trajectory, "votes", votes, "degradations", degradations);
}

static json_t *dump(const struct debate *d) {
  struct maker m = {false};
  json_t *out = json_pack(
      "{s:s, s:i, s:i, s:s, s:i, s:i, s:i, s:i, s:b, s:b, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:I,"
      " s:I, s:I, s:I, s:I, s:o, s:O?, s:O?, s:O?}",
      "phase", phase_names[d->phase], "round", d->round, "fact", d->fact, "stop",
      stop_reason_names[d->stop_reason], "step", d->step_number, "judge_next", d->judge_next,
      "judge_choice", d->judge_choice, "judge_used", d->judge_used, "vote_held", d->vote_held,
      "changed_in_round", d->changed_in_round, "attempts", d->attempts, "resumes", d->resumes,
      "seq", (json_int_t)d->last_seq, "started", (json_int_t)d->started_ms, "last",
      (json_int_t)d->last_ms, "ended", (json_int_t)d->ended_ms, "elapsed",
      (json_int_t)d->elapsed_ms, "in", (json_int_t)d->tokens_in, "out", (json_int_t)d->tokens_out,
      "cost", (json_int_t)d->cost_usd_micro, "committed_tokens", (json_int_t)d->committed_tokens,
      "committed_usd_micro", (json_int_t)d->committed_usd_micro, "lists", dump_lists(&m, d),
      "consensus", d->consensus, "end", d->end, "error", d->error);
  return maker_done(&m, out);
}

bool check_state_hash(const struct debate *d, char ret_hex[2 * CHAIN_HASH_SIZE + 1]) {
  json_t *state = dump(d);
  FREE_LATER char *text = state ? json_canonical_dup(state) : NULL;
  json_decref(state);
  if (!text) return false;
  uint8_t hash[CHAIN_HASH_SIZE];
  sha256_of(bytes_of(text), hash);
  bytes_to_hex(hash, sizeof hash, ret_hex);
  return true;
}
