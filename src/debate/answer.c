/* An attempt's result as the events that record it. */
#include "debate/attempt_note.h"
#include "debate/maker.h"
#include "debate/topology.h"

#include <stdio.h>
#include <stdlib.h>

json_t *debate_fact_data(const char *reason) {
  return json_pack("{s:o}", "reason", json_text_or_null(reason));
}

/* What a label stands for, as the log names it. */
static const char *target_name(const struct debate *d, const struct turn *t, int target) {
  static const char *const positions[DEBATE_MEMBERS_MAX] = {"p0",  "p1",  "p2",  "p3",  "p4",
                                                            "p5",  "p6",  "p7",  "p8",  "p9",
                                                            "p10", "p11", "p12", "p13", "p14"};
  bool by_position = t->kind == TURN_BALLOT || t->kind == TURN_JUDGMENT;
  return by_position ? positions[target] : d->config.members[target].name;
}

static json_t *label_target(const struct debate *d, const struct turn *t, int target) {
  return json_string(target_name(d, t, target));
}

static const char *clean(struct attempt_note *note, const char *text) {
  return attempt_note_text(note, bytes_of(text)).ptr;
}

static enum status add_note(const struct debate *d, const struct turn *t, struct attempt_note *note,
                            struct drafts *drafts) {
  return drafts_add_note(drafts, note->event, t->round, debate_turn_agent(d, t)->name, note);
}

enum status debate_begin_attempt(const struct debate *d, int turn,
                                 const struct attempt_begin *begin, struct drafts *drafts) {
  const struct turn *t = &d->turns[turn];
  int labels[DEBATE_MEMBERS_MAX];
  struct attempt_note *note = attempt_note_create(EVENT_ATTEMPT_START, d, t);
  if (!note) return STATUS_NOMEM;
  note->number = t->attempts + 1;
  note->repair = t->bad_reply != NULL;
  note->hedge = begin->hedge;
  note->provider = clean(note, begin->provider);
  note->model = clean(note, begin->model);
  note->reserved_tokens = attempt_note_bounded(begin->reserved_tokens);
  note->reserved_usd_micro = attempt_note_bounded(begin->reserved_usd_micro);
  note->prompt_bytes = attempt_note_bounded(begin->prompt_bytes);
  note->label_count = topology_labels(d, t, labels);
  for (int i = 0; i < note->label_count; i++) note->labels[i] = target_name(d, t, labels[i]);
  return add_note(d, t, note, drafts);
}

static void take_usage(struct attempt_note *note, const struct attempt_result *r) {
  note->input = attempt_note_bounded(r->input);
  note->cache_read = attempt_note_bounded(r->cache_read);
  note->cache_write = attempt_note_bounded(r->cache_write);
  note->output = attempt_note_bounded(r->output);
  note->reasoning = attempt_note_bounded(r->reasoning);
  note->tokens = attempt_note_bounded(r->booked_tokens);
  note->cost_usd_micro = attempt_note_bounded(r->booked_usd_micro);
}

static enum status add_attempt_end(const struct debate *d, const struct turn *t,
                                   const struct attempt_result *r, enum outcome outcome,
                                   const char *reply_error, struct drafts *drafts) {
  struct attempt_note *note = attempt_note_create(EVENT_ATTEMPT_END, d, t);
  if (!note) return STATUS_NOMEM;
  note->number = r->attempt ? r->attempt : t->open_number;
  note->outcome = outcome;
  note->provider = clean(note, r->provider);
  note->model = clean(note, r->model);
  note->fallback = r->fallback;
  note->truncated = r->truncated;
  note->upstream_status = r->upstream_status;
  note->detail = clean(note, r->detail);
  note->request_id = clean(note, r->request_id);
  note->ttft_ms = attempt_note_bounded(r->ttft_ms);
  note->latency_ms = attempt_note_bounded(r->latency_ms);
  take_usage(note, r);
  if (reply_error) {
    note->reply = attempt_note_copy(note, r->text);
    note->reply_error = attempt_note_copy(note, bytes_of(reply_error)).ptr;
  }
  return add_note(d, t, note, drafts);
}

static enum status add_agent_error(const struct debate *d, const struct turn *t,
                                   enum outcome outcome, const char *detail, int upstream_status,
                                   const char *provider, const char *model, struct drafts *drafts) {
  char id[TURN_ID_SIZE];
  debate_turn_id(d, t, id);
  return drafts_add(drafts, EVENT_AGENT_ERROR, t->round, debate_turn_agent(d, t)->name,
                    json_pack("{s:s, s:s, s:s, s:o, s:o, s:i, s:o, s:o}", "turn", id, "kind",
                              turn_kind_names[t->kind], "outcome", outcome_name(outcome), "detail",
                              json_text(bytes_of(detail)), "upstream_status",
                              upstream_status ? json_integer(upstream_status) : json_null(),
                              "attempts", t->attempts, "provider", json_text(bytes_of(provider)),
                              "model", json_text(bytes_of(model))));
}

enum status debate_fail_turn(const struct debate *d, int turn, enum outcome outcome,
                             const char *detail, struct drafts *drafts) {
  const struct turn *t = &d->turns[turn];
  const struct debate_agent *agent = debate_turn_agent(d, t);
  return add_agent_error(d, t, outcome, detail, 0, agent->provider, agent->model, drafts);
}

static enum status close_unknown(const struct debate *d, const struct turn *t,
                                 const struct open_attempt *open, struct drafts *drafts) {
  const struct debate_agent *agent = debate_turn_agent(d, t);
  const struct attempt_result r = {.attempt = open->number,
                                   .outcome = OUTCOME_UNKNOWN,
                                   .provider = agent->provider,
                                   .model = agent->model,
                                   .detail = "the process ended before the attempt did",
                                   .request_id = "",
                                   .input = -1,
                                   .cache_read = -1,
                                   .cache_write = -1,
                                   .output = -1,
                                   .reasoning = -1,
                                   .booked_tokens = open->reserved_tokens,
                                   .booked_usd_micro = open->reserved_usd_micro,
                                   .ttft_ms = -1,
                                   .latency_ms = -1};
  return add_attempt_end(d, t, &r, OUTCOME_UNKNOWN, NULL, drafts);
}

enum status debate_close_unknown(const struct debate *d, struct drafts *drafts) {
  for (int i = d->step_first; i < d->turn_count; i++) {
    const struct turn *t = &d->turns[i];
    enum status s = STATUS_OK;
    if (t->hedge.number) s = close_unknown(d, t, &t->hedge, drafts);
    const struct open_attempt open = {t->open_number, t->reserved_tokens, t->reserved_usd_micro};
    if (!s && t->attempt_open) s = close_unknown(d, t, &open, drafts);
    if (s) {
      drafts_done(drafts);
      return s;
    }
  }
  return STATUS_OK;
}

/* ---- the content of a whole answer ---- */

/* The fields that every content event has. */
static json_t *content_head(struct maker *m, const struct debate *d, const struct turn *t,
                            const struct reply *reply, const struct attempt_result *r) {
  char id[TURN_ID_SIZE];
  debate_turn_id(d, t, id);
  json_t *data = json_object();
  maker_put(m, data, "turn", json_string(id));
  maker_put(m, data, "repaired", json_boolean(t->bad_reply != NULL || reply->lenient));
  maker_put(m, data, "truncated", json_boolean(r->truncated));
  return data;
}

static void put_answer(struct maker *m, json_t *data, const struct reply *reply) {
  json_t *claims = json_array();
  for (int i = 0; i < reply->claim_count; i++)
    maker_add(m, claims, json_text(bytes_of(reply->claims[i])));
  maker_put(m, data, "answer", json_text(bytes_of(reply->answer ? reply->answer : "")));
  maker_put(m, data, "answer_key", json_text(bytes_of(reply->key ? reply->key : "")));
  maker_put(m, data, "key_claims", claims);
  maker_put(m, data, "confidence_ppm", json_int_or_null(reply->confidence_ppm));
}

static enum status add_proposal(const struct debate *d, const struct turn *t,
                                const struct reply *reply, const struct attempt_result *r,
                                struct drafts *drafts) {
  struct maker m = {false};
  json_t *data = content_head(&m, d, t, reply, r);
  maker_put(&m, data, "kind", json_string("proposal"));
  put_answer(&m, data, reply);
  return drafts_add(drafts, EVENT_AGENT_MESSAGE, t->round, debate_turn_agent(d, t)->name,
                    maker_done(&m, data));
}

/* An answer changed when both keys are non-empty and differ, and where either is empty, when the
 * reply says `changed`: keys are compared because an agent may call a rewording a change. On `held`
 * the old text and key stay. */
static bool counts_as_changed(const struct member *m, const struct reply *reply) {
  if (!reply->changed) return false;
  bool keyed = *m->key && reply->key && *reply->key;
  return keyed ? strcmp(m->key, reply->key) != 0 : true;
}

static json_t *revision_responses(struct maker *m, const struct debate *d, const struct turn *t,
                                  const struct reply *reply, const char **ret_because) {
  int open[PROMPT_ITEMS_MAX];
  int count = topology_open_items(d, t->member, open);
  json_t *out = json_array();
  int64_t heaviest = -1;
  *ret_because = NULL;
  for (int i = 0; i < reply->verdict_count; i++) {
    const struct reply_verdict *v = &reply->verdicts[i];
    if (v->item < 0 || v->item >= count) continue;
    const struct item *item = &d->items[open[v->item]];
    json_t *response = json_object();
    maker_put(m, response, "item", json_string(item->id));
    maker_put(m, response, "accept", json_boolean(v->accept));
    maker_put(m, response, "reason", json_text(bytes_of(v->reason ? v->reason : "")));
    maker_add(m, out, response);
    if (v->accept && item->severity_ppm > heaviest) {
      heaviest = item->severity_ppm;
      *ret_because = item->id;
    }
  }
  return out;
}

static enum status add_revision(const struct debate *d, const struct turn *t,
                                const struct reply *reply, const struct attempt_result *r,
                                struct drafts *drafts) {
  const struct member *old = &d->members[t->member];
  const char *because;
  struct maker m = {false};
  json_t *responses = revision_responses(&m, d, t, reply, &because);
  json_t *data = content_head(&m, d, t, reply, r);
  bool changed = counts_as_changed(old, reply);
  maker_put(&m, data, "kind", json_string("revision"));
  put_answer(&m, data, reply);
  if (!reply->changed) {
    maker_put(&m, data, "answer", json_text(bytes_of(old->text)));
    maker_put(&m, data, "answer_key", json_text(bytes_of(old->key)));
  }
  maker_put(&m, data, "stance", json_string(reply->changed ? "changed" : "held"));
  maker_put(&m, data, "changed", json_boolean(changed));
  maker_put(&m, data, "because", json_text_or_null(changed ? because : NULL));
  maker_put(&m, data, "responses", responses);
  return drafts_add(drafts, EVENT_AGENT_MESSAGE, t->round, debate_turn_agent(d, t)->name,
                    maker_done(&m, data));
}

static json_t *critique_items(struct maker *m, const struct turn *t, const struct reply *reply,
                              int label, int target) {
  json_t *items = json_array();
  int number = 0;
  for (int i = 0; i < reply->reply_item_count; i++) {
    const struct reply_item *item = &reply->reply_items[i];
    if (item->label != label) continue;
    char id[ITEM_ID_SIZE];
    snprintf(id, sizeof id, "%d.%d.%d.%d", t->round, t->member, target, number++);
    json_t *entry = json_object();
    maker_put(m, entry, "id", json_string(id));
    maker_put(m, entry, "claim", json_text(bytes_of(item->claim)));
    maker_put(m, entry, "problem", json_text(bytes_of(item->problem)));
    maker_put(m, entry, "severity_ppm", json_integer(item->severity_ppm));
    maker_put(m, entry, "why", json_text(bytes_of(item->why)));
    maker_put(m, entry, "fix", json_text(bytes_of(item->fix)));
    maker_add(m, items, entry);
  }
  return items;
}

/* One event a target, in panel order, so that every item sits with the author it is about. */
static enum status add_critiques(const struct debate *d, const struct turn *t,
                                 const struct reply *reply, const struct attempt_result *r,
                                 struct drafts *drafts) {
  int labels[DEBATE_MEMBERS_MAX];
  int count = topology_labels(d, t, labels);
  for (int target = 0; target < d->config.member_count; target++) {
    for (int label = 0; label < count; label++) {
      if (labels[label] != target) continue;
      struct maker m = {false};
      json_t *data = content_head(&m, d, t, reply, r);
      maker_put(&m, data, "target", json_string(d->config.members[target].name));
      maker_put(&m, data, "items", critique_items(&m, t, reply, label, target));
      maker_put(&m, data, "dropped", json_integer(reply->dropped_items));
      enum status s = drafts_add(drafts, EVENT_CRITIQUE, t->round, debate_turn_agent(d, t)->name,
                                 maker_done(&m, data));
      if (s) return s;
    }
  }
  return STATUS_OK;
}

static enum status add_vote(const struct debate *d, const struct turn *t, const struct reply *reply,
                            const struct attempt_result *r, struct drafts *drafts) {
  int labels[DEBATE_MEMBERS_MAX];
  topology_labels(d, t, labels);
  struct positions positions;
  debate_positions(d, &positions);
  int own = positions.of_member[t->member];
  struct maker m = {false};
  json_t *ranking = json_array();
  for (int i = 0; i < reply->ranking_count; i++)
    maker_add(&m, ranking, label_target(d, t, labels[reply->ranking[i]]));
  json_t *data = content_head(&m, d, t, reply, r);
  maker_put(&m, data, "ranking", ranking);
  maker_put(&m, data, "own", label_target(d, t, own));
  maker_put(&m, data, "self_first", json_boolean(labels[reply->ranking[0]] == own));
  maker_put(&m, data, "confidence_ppm", json_int_or_null(reply->confidence_ppm));
  return drafts_add(drafts, EVENT_VOTE, t->round, debate_turn_agent(d, t)->name,
                    maker_done(&m, data));
}

static enum status add_judgment(const struct debate *d, const struct turn *t,
                                const struct reply *reply, const struct attempt_result *r,
                                struct drafts *drafts) {
  int labels[DEBATE_MEMBERS_MAX];
  int count = topology_labels(d, t, labels);
  struct maker m = {false};
  json_t *scores = json_array();
  for (int i = 0; i < count; i++) {
    json_t *row = json_pack("{s:o}", "position", label_target(d, t, labels[i]));
    for (int s = 0; s < SCORE_COUNT; s++) {
      char name[32];
      snprintf(name, sizeof name, "%s_ppm", score_names[s]);
      maker_put(&m, row, name, json_int_or_null(reply->scores_ppm[i][s]));
    }
    maker_add(&m, scores, row);
  }
  json_t *data = content_head(&m, d, t, reply, r);
  maker_put(&m, data, "kind", json_string("judgment"));
  put_answer(&m, data, reply);
  maker_put(&m, data, "choice", label_target(d, t, labels[reply->choice]));
  maker_put(&m, data, "scores", scores);
  return drafts_add(drafts, EVENT_AGENT_MESSAGE, t->round, debate_turn_agent(d, t)->name,
                    maker_done(&m, data));
}

static enum status add_content(const struct debate *d, const struct turn *t,
                               const struct reply *reply, const struct attempt_result *r,
                               struct drafts *drafts) {
  switch (t->kind) {
    case TURN_PROPOSAL: return add_proposal(d, t, reply, r, drafts);
    case TURN_CRITIQUE: return add_critiques(d, t, reply, r, drafts);
    case TURN_REVISION: return add_revision(d, t, reply, r, drafts);
    case TURN_BALLOT: return add_vote(d, t, reply, r, drafts);
    case TURN_JUDGMENT:
    default: return add_judgment(d, t, reply, r, drafts);
  }
}

static enum status answer_whole(const struct debate *d, const struct turn *t,
                                const struct attempt_result *r, struct drafts *drafts) {
  struct reply_form form = {.kind = t->kind};
  int labels[DEBATE_MEMBERS_MAX];
  int open[PROMPT_ITEMS_MAX];
  form.labels = topology_labels(d, t, labels);
  if (t->kind == TURN_REVISION) form.items = topology_open_items(d, t->member, open);
  bool repair = t->bad_reply != NULL;
  struct reply reply;
  struct error why;
  enum status s = reply_parse(&form, r->text, false, &reply, &why);
  if (s == STATUS_INVALID && repair) s = reply_parse(&form, r->text, true, &reply, &why);
  if (s && s != STATUS_INVALID) return s;
  if (s == STATUS_INVALID) {
    s = add_attempt_end(d, t, r, OUTCOME_MALFORMED, why.message, drafts);
    if (s || !repair) return s;
    return add_agent_error(d, t, OUTCOME_MALFORMED, why.message, r->upstream_status, r->provider,
                           r->model, drafts);
  }
  s = add_attempt_end(d, t, r, OUTCOME_OK, NULL, drafts);
  if (!s) s = add_content(d, t, &reply, r, drafts);
  reply_done(&reply);
  return s;
}

static enum status record_answer(const struct debate *d, const struct turn *t,
                                 const struct attempt_result *r, struct drafts *drafts) {
  /* What arrives after a fact is recorded and booked, and not used. */
  if (d->fact) return add_attempt_end(d, t, r, r->outcome, NULL, drafts);
  if (r->outcome == OUTCOME_OK) return answer_whole(d, t, r, drafts);
  enum status s = add_attempt_end(d, t, r, r->outcome, NULL, drafts);
  if (s || !r->final) return s;
  return add_agent_error(d, t, r->outcome, r->detail, r->upstream_status, r->provider, r->model,
                         drafts);
}

enum status debate_answer(const struct debate *d, int turn, const struct attempt_result *r,
                          struct drafts *drafts) {
  enum status s = record_answer(d, &d->turns[turn], r, drafts);
  if (s) drafts_done(drafts);
  return s;
}
