#include "debate/attempt_note.h"

#include "debate/scrub.h"
#include "debate/topology.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* As all integers of a log; sums of times stay far from the end of int64_t. */
static const int64_t TIME_MAX_MS = (int64_t)1 << 53;

const char *const phase_names[] = {"new",  "propose", "critique", "revise", "stop",
                                   "vote", "judge",   "decide",   "report", "ended"};
const char *const stop_reason_names[] = {"",          "agreement",   "one_position",
                                         "no_change", "rounds_done", "not_needed",
                                         "cancelled", "deadline",    "budget"};

struct debate *debate_create(bool keep_history) {
  struct debate *d = calloc(1, sizeof *d);
  if (!d) return NULL;
  d->keep_history = keep_history;
  d->judge_choice = -1;
  d->judge_used = -1;
  return d;
}

static void turn_done(struct turn *t) {
  free(t->bad_reply);
  free(t->bad_reply_error);
  free(t->provider);
  free(t->model);
  free(t->detail);
}

static void item_done(struct item *item) {
  free(item->claim);
  free(item->problem);
  free(item->why);
  free(item->fix);
  free(item->reason);
}

void debate_destroy(struct debate *d) {
  if (!d) return;
  for (int i = 0; i < DEBATE_MEMBERS_MAX; i++) {
    free(d->members[i].text);
    free(d->members[i].key);
    free(d->members[i].first_text);
    free(d->members[i].first_key);
    free(d->members[i].next_text);
    free(d->members[i].next_key);
  }
  for (int i = 0; i < d->turn_count; i++) turn_done(&d->turns[i]);
  for (int i = 0; i < d->item_count; i++) item_done(&d->items[i]);
  for (int i = 0; i < d->degradation_count; i++) {
    free(d->degradations[i].agent);
    free(d->degradations[i].cause);
    free(d->degradations[i].detail);
  }
  free(d->fact_reason);
  for (size_t i = 0; i < d->history_count; i++) json_decref(d->history[i].data);
  free(d->turns);
  free(d->items);
  free(d->trajectory);
  free(d->degradations);
  free(d->history);
  json_decref(d->consensus);
  json_decref(d->end);
  json_decref(d->error);
  if (d->scrub) scrub_done(d->scrub);
  free(d->scrub);
  debate_config_done(&d->config);
  free(d);
}

/* ---- small services of the fold ---- */

/* Room for one more of `size` bytes in a growing array. */
static bool grow(void *array, int count, int *cap, size_t size) {
  if (count < *cap) return true;
  int next = *cap ? *cap * 2 : 8;
  void *old;
  memcpy(&old, array, sizeof old);
  void *grown = realloc(old, (size_t)next * size);
  if (!grown) return false;
  memcpy(array, &grown, sizeof grown); /* which owns it now */
  *cap = next;
  // cppcheck-suppress memleak
  return true;
}

static enum status corrupt(const struct event *ev, struct error *err, const char *why) {
  return error_set(err, STATUS_CORRUPT, NULL, "event %llu (%s): %s", (unsigned long long)ev->seq,
                   event_kind_name(ev->kind), why);
}

/* The text under `key`, "" where there is none. */
static enum status read_text(char **field, const json_t *data, const char *key) {
  return bytes_replace(field, bytes_of(json_get_text(data, key, "")));
}

const struct debate_agent *debate_turn_agent(const struct debate *d, const struct turn *turn) {
  return turn->kind == TURN_JUDGMENT ? &d->config.judges[turn->member]
                                     : &d->config.members[turn->member];
}

/* What of `text` there is room for. Ids of turns are made some ten times for each turn: snprintf
 * shows in the load. */
static char *put_text(char *at, const char *end, const char *text) {
  while (*text && at < end) *at++ = *text++;
  return at;
}

void debate_turn_id(const struct debate *d, const struct turn *turn, char out[TURN_ID_SIZE]) {
  char *end = out + TURN_ID_SIZE - 1;
  char round[BYTES_INT_SIZE];
  bytes_from_int(turn->round, round);
  char *at = put_text(out, end, round);
  at = put_text(at, end, ".");
  at = put_text(at, end, turn_kind_names[turn->kind]);
  at = put_text(at, end, ".");
  at = put_text(at, end, debate_turn_agent(d, turn)->name);
  *at = '\0';
}

static int member_index(const struct debate *d, const char *name) {
  for (int i = 0; name && i < d->config.member_count; i++)
    if (strcmp(d->config.members[i].name, name) == 0) return i;
  return -1;
}

/* The turn of the current step that an event is about, and whose agent and round it bears. */
static struct turn *find_turn_named(struct debate *d, const struct event *ev, const char *id) {
  char have[TURN_ID_SIZE];
  for (int i = d->step_first; i < d->turn_count; i++) {
    struct turn *t = &d->turns[i];
    debate_turn_id(d, t, have);
    if (strcmp(have, id) != 0) continue;
    bool its = ev->agent && strcmp(ev->agent, debate_turn_agent(d, t)->name) == 0;
    return its && ev->round == t->round ? t : NULL;
  }
  return NULL;
}

static struct turn *find_turn(struct debate *d, const struct event *ev) {
  return find_turn_named(d, ev, json_get_text(ev->data, "turn", ""));
}

static enum status degrade(struct debate *d, const struct turn *t, const char *cause,
                           const char *detail) {
  if (!grow(&d->degradations, d->degradation_count, &d->degradation_cap, sizeof *d->degradations))
    return STATUS_NOMEM;
  struct degradation row = {.order = d->step_number << 8 | (int)(t - d->turns - d->step_first)};
  debate_turn_id(d, t, row.turn);
  row.agent = bytes_dup(bytes_of(debate_turn_agent(d, t)->name));
  row.cause = bytes_dup(bytes_of(cause));
  row.detail = bytes_dup(bytes_of(detail));
  int at = d->degradation_count++;
  for (; at > 0 && d->degradations[at - 1].order > row.order; at--)
    d->degradations[at] = d->degradations[at - 1];
  d->degradations[at] = row;
  return row.agent && row.cause && row.detail ? STATUS_OK : STATUS_NOMEM;
}

/* ---- steps: which turns a phase asks ---- */

static enum status open_turn(struct debate *d, enum turn_kind kind, int member) {
  if (!grow(&d->turns, d->turn_count, &d->turn_cap, sizeof *d->turns)) return STATUS_NOMEM;
  d->turns[d->turn_count++] = (struct turn){.kind = kind,
                                            .member = member,
                                            .round = d->round,
                                            .tokens_in = -1,
                                            .tokens_out = -1,
                                            .ttft_ms = -1,
                                            .latency_ms = -1};
  return STATUS_OK;
}

static void begin_step(struct debate *d, enum phase phase) {
  d->phase = phase;
  if (!d->keep_history) {
    for (int i = 0; i < d->turn_count; i++) turn_done(&d->turns[i]);
    d->turn_count = 0;
  }
  d->step_first = d->turn_count;
  d->step_number++;
}

static bool asks_for_revision(const struct debate *d, int member) {
  for (int i = 0; i < d->item_count; i++) {
    const struct item *item = &d->items[i];
    if (item->target == member && item->state == ITEM_OPEN &&
        item->severity_ppm >= ITEM_SEVERITY_ASK_PPM)
      return true;
  }
  return false;
}

/* Opens a turn of `kind` for every member that the step asks. */
static enum status open_step(struct debate *d, enum phase phase, enum turn_kind kind) {
  begin_step(d, phase);
  for (int i = 0; i < d->config.member_count; i++) {
    bool asked = kind == TURN_PROPOSAL || d->members[i].valid;
    if (kind == TURN_CRITIQUE) asked = asked && topology_targets(d, i, d->round) != 0;
    if (kind == TURN_REVISION) asked = asked && asks_for_revision(d, i);
    if (!asked) continue;
    enum status s = open_turn(d, kind, i);
    if (s) return s;
  }
  return STATUS_OK;
}

static bool step_complete(const struct debate *d) {
  for (int i = d->step_first; i < d->turn_count; i++)
    if (d->turns[i].status == TURN_OPEN) return false;
  return true;
}

static bool attempt_open(const struct debate *d) {
  for (int i = d->step_first; i < d->turn_count; i++)
    if (d->turns[i].attempt_open) return true;
  return false;
}

static enum outcome fact_outcome(enum fact fact) {
  if (fact == FACT_DEADLINE) return OUTCOME_TIMEOUT;
  return fact == FACT_BUDGET ? OUTCOME_BUDGET : OUTCOME_CANCELLED;
}

/* The revise step is over: what was revised stands from here on. */
static void adopt_revisions(struct debate *d) {
  for (int i = 0; i < d->config.member_count; i++) {
    struct member *m = &d->members[i];
    if (!m->next_text) continue;
    if (strcmp(m->next_text, m->text) != 0) m->text_since = d->round;
    if (m->next_changed) {
      m->key_since = d->round;
      d->changed_in_round = true;
    }
    free(m->text);
    free(m->key);
    m->text = m->next_text;
    m->key = m->next_key;
    m->next_text = m->next_key = NULL;
    m->next_changed = false;
  }
}

static enum status note_stance(struct debate *d, int member, int stance, const char *because) {
  if (!grow(&d->trajectory, d->trajectory_count, &d->trajectory_cap, sizeof *d->trajectory))
    return STATUS_NOMEM;
  struct step_of_trajectory step = {.member = member, .round = d->round};
  step.stance = stance;
  snprintf(step.because, sizeof step.because, "%s", because ? because : "");
  int at = d->trajectory_count++;
  for (; at > 0 && d->trajectory[at - 1].round == d->round && d->trajectory[at - 1].member > member;
       at--)
    d->trajectory[at] = d->trajectory[at - 1];
  d->trajectory[at] = step;
  return STATUS_OK;
}

/* A fact ended the debate: once no attempt is open, the turns that have no answer are over. */
static enum status settle_fact(struct debate *d) {
  if (attempt_open(d)) return STATUS_OK;
  for (int i = d->step_first; i < d->turn_count; i++) {
    struct turn *t = &d->turns[i];
    if (t->status != TURN_OPEN) continue;
    t->status = TURN_FAILED;
    t->outcome = fact_outcome(d->fact);
    enum status s =
        t->kind == TURN_REVISION ? note_stance(d, t->member, STANCE_FAILED, "") : STATUS_OK;
    if (s) return s;
  }
  if (d->phase == PHASE_REVISE) adopt_revisions(d);
  d->phase = d->stop_reason == STOP_NONE ? PHASE_STOP : PHASE_DECIDE;
  return STATUS_OK;
}

/* Moves to the next phase where no event has to be appended in between. */
static enum status settle(struct debate *d) {
  if (d->phase == PHASE_NEW || d->phase >= PHASE_DECIDE) return STATUS_OK;
  if (d->fact) return settle_fact(d);
  if (!step_complete(d)) return STATUS_OK;
  switch (d->phase) {
    case PHASE_PROPOSE: d->phase = PHASE_STOP; return STATUS_OK;
    case PHASE_REVISE:
      adopt_revisions(d);
      d->phase = PHASE_STOP;
      return STATUS_OK;
    case PHASE_CRITIQUE: {
      enum status s = open_step(d, PHASE_REVISE, TURN_REVISION);
      if (!s && step_complete(d)) d->phase = PHASE_STOP;
      return s;
    }
    case PHASE_VOTE: d->phase = PHASE_DECIDE; return STATUS_OK;
    case PHASE_JUDGE:
      if (d->judge_choice >= 0) {
        d->phase = PHASE_DECIDE;
        return STATUS_OK;
      }
      if (d->judge_next < d->config.judge_count) return open_turn(d, TURN_JUDGMENT, d->judge_next);
      d->vote_held = true;
      return open_step(d, PHASE_VOTE, TURN_BALLOT);
    default: return STATUS_OK;
  }
}

void debate_positions(const struct debate *d, struct positions *ret) {
  struct positions p = {0};
  for (int i = 0; i < d->config.member_count; i++) {
    p.of_member[i] = -1;
    const struct member *m = &d->members[i];
    if (!m->valid) continue;
    int at = -1;
    for (int j = 0; j < i && at < 0 && *m->key; j++)
      if (d->members[j].valid && strcmp(d->members[j].key, m->key) == 0) at = p.of_member[j];
    if (at < 0) {
      at = p.count++;
      p.of[at] = (struct decide_position){0, INT_MAX};
      p.speaker[at] = i;
    }
    p.of_member[i] = at;
    p.of[at].holders |= 1u << i;
    if (m->key_since < p.of[at].since) p.of[at].since = m->key_since;
    if (m->text_since < d->members[p.speaker[at]].text_since) p.speaker[at] = i;
  }
  *ret = p;
}

int debate_steps_left(const struct debate *d) {
  bool votes = d->config.mode == MODE_DEBATE || d->config.mode == MODE_VOTE;
  int vote = votes && d->config.rule != RULE_NONE ? 1 : 0;
  int rounds = d->config.mode == MODE_DEBATE ? d->config.rounds : 0;
  switch (d->phase) {
    case PHASE_NEW:
    case PHASE_PROPOSE: return 1 + 2 * rounds + vote;
    case PHASE_CRITIQUE: return 2 + 2 * (rounds - d->round) + vote;
    case PHASE_REVISE: return 1 + 2 * (rounds - d->round) + vote;
    case PHASE_JUDGE: return d->config.judge_count - d->judge_next + 1;
    default: return 1;
  }
}

const struct degradation *debate_fallback(const struct debate *d, const char *turn) {
  for (int i = 0; i < d->degradation_count; i++) {
    const struct degradation *row = &d->degradations[i];
    if (strcmp(row->cause, "fallback") == 0 && strcmp(row->turn, turn) == 0) return row;
  }
  return NULL;
}

const char *debate_status(const struct debate *d) {
  if (d->end) return json_get_text(d->end, "status", "failed");
  return d->phase == PHASE_NEW ? "pending" : "running";
}

const char *debate_outcome(const struct debate *d) {
  return d->end ? json_get_text(d->end, "outcome", NULL) : NULL;
}

/* ---- the fold, kind by kind ---- */

static enum status prepare_scrub(struct debate *d) {
  d->scrub = calloc(1, sizeof *d->scrub);
  return d->scrub ? scrub_init_debate(d->scrub, &d->config) : STATUS_NOMEM;
}

static enum status apply_start(struct debate *d, const struct event *ev, struct error *err) {
  if (d->phase != PHASE_NEW) return corrupt(ev, err, "a second start");
  enum status s = debate_config_from_json(ev->data, &d->config, err);
  if (s) return s;
  if (!d->keep_history) s = prepare_scrub(d);
  if (s) return s;
  d->started_ms = d->elapsed_from_ms = ev->ts_ms;
  for (int i = 0; i < d->config.member_count; i++) d->members[i].confidence_ppm = -1;
  return open_step(d, PHASE_PROPOSE, TURN_PROPOSAL);
}

static enum status apply_round_start(struct debate *d, const struct event *ev, struct error *err) {
  if (d->phase != PHASE_STOP || d->fact || ev->round != d->round + 1)
    return corrupt(ev, err, "no round begins here");
  d->round = ev->round;
  d->changed_in_round = false;
  return open_step(d, PHASE_CRITIQUE, TURN_CRITIQUE);
}

static enum status apply_attempt_start(struct debate *d, const struct event *ev,
                                       const struct attempt_note *note, struct error *err) {
  struct turn *t = find_turn_named(d, ev, note->turn);
  bool hedge = note->hedge;
  if (!t || t->status != TURN_OPEN || t->attempt_open != hedge || t->hedge.number || d->fact)
    return corrupt(ev, err, "no such open turn");
  if (note->number != t->attempts + 1) return corrupt(ev, err, "attempts out of order");
  int64_t tokens = note->reserved_tokens;
  int64_t usd_micro = note->reserved_usd_micro;
  t->attempts++;
  d->attempts++;
  d->committed_tokens += tokens;
  if (usd_micro > 0) d->committed_usd_micro += usd_micro;
  if (hedge) {
    t->hedges++;
    t->hedge = (struct open_attempt){t->attempts, tokens, usd_micro};
    return STATUS_OK;
  }
  t->attempt_open = true;
  t->open_number = t->attempts;
  t->reserved_tokens = tokens;
  t->reserved_usd_micro = usd_micro;
  return STATUS_OK;
}

static void add_known(int64_t *sum, int64_t value) {
  if (value < 0) return;
  *sum = (*sum < 0 ? 0 : *sum) + value;
}

/* What an attempt used, into its turn and the debate, in place of what it had reserved; an unknown
 * price makes the sum unknown. */
static void book_usage(struct debate *d, struct turn *t, const struct attempt_note *note,
                       const struct open_attempt *ended) {
  int64_t in = -1;
  int64_t out = note->output;
  int64_t cost = note->cost_usd_micro;
  add_known(&in, note->input);
  add_known(&in, note->cache_read);
  add_known(&in, note->cache_write);
  add_known(&t->tokens_in, in);
  add_known(&t->tokens_out, out);
  d->tokens_in += in < 0 ? 0 : in;
  d->tokens_out += out < 0 ? 0 : out;
  d->committed_tokens += note->tokens - ended->reserved_tokens;
  d->committed_usd_micro += (cost > 0 ? cost : 0);
  if (ended->reserved_usd_micro > 0) d->committed_usd_micro -= ended->reserved_usd_micro;
  if (t->cost_usd_micro >= 0) t->cost_usd_micro = cost < 0 ? -1 : t->cost_usd_micro + cost;
  if (d->cost_usd_micro >= 0) d->cost_usd_micro = cost < 0 ? -1 : d->cost_usd_micro + cost;
}

/* Takes the attempt of that number out of the turn. False when it has none. */
static bool close_attempt(struct turn *t, int64_t number, struct open_attempt *ret_ended) {
  if (!t->attempt_open || !number || (number != t->open_number && number != t->hedge.number))
    return false;
  if (number == t->hedge.number) {
    *ret_ended = t->hedge;
    t->hedge = (struct open_attempt){0};
    return true;
  }
  *ret_ended = (struct open_attempt){t->open_number, t->reserved_tokens, t->reserved_usd_micro};
  t->attempt_open = t->hedge.number;
  if (!t->attempt_open) return true;
  t->open_number = t->hedge.number;
  t->reserved_tokens = t->hedge.reserved_tokens;
  t->reserved_usd_micro = t->hedge.reserved_usd_micro;
  t->hedge = (struct open_attempt){0};
  return true;
}

static enum status take_texts(struct turn *t, const struct attempt_note *note) {
  enum status s = bytes_replace(&t->provider, bytes_of(note->provider));
  if (!s) s = bytes_replace(&t->model, bytes_of(note->model));
  if (!s) s = bytes_replace(&t->detail, bytes_of(note->detail));
  if (s || !note->reply.ptr) return s;
  s = bytes_replace(&t->bad_reply, bytes_until(note->reply, (struct bytes){"", 1}));
  return s ? s : bytes_replace(&t->bad_reply_error, bytes_of(note->reply_error));
}

static enum status apply_attempt_end(struct debate *d, const struct event *ev,
                                     const struct attempt_note *note, struct error *err) {
  struct turn *t = find_turn_named(d, ev, note->turn);
  struct open_attempt ended;
  bool beside = t && t->hedge.number;
  if (!t || !close_attempt(t, note->number, &ended))
    return corrupt(ev, err, "no such open attempt");
  if (note->outcome == OUTCOME_UNKNOWN && !beside) t->unknowns++; /* one a crash, whatever it cut */
  book_usage(d, t, note, &ended);
  t->ttft_ms = note->ttft_ms;
  t->latency_ms = note->latency_ms;
  t->upstream_status = (int)note->upstream_status;
  enum status s = take_texts(t, note);
  if (!s && note->outcome == OUTCOME_OK && !d->fact && note->fallback) {
    char detail[256];
    snprintf(detail, sizeof detail, "%s %s answered instead", t->provider, t->model);
    s = degrade(d, t, "fallback", detail);
  }
  return s;
}

static enum status apply_note(struct debate *d, const struct event *ev,
                              const struct attempt_note *note, struct error *err) {
  return ev->kind == EVENT_ATTEMPT_START ? apply_attempt_start(d, ev, note, err)
                                         : apply_attempt_end(d, ev, note, err);
}

static enum status apply_attempt(struct debate *d, const struct event *ev, struct error *err) {
  struct attempt_note note;
  attempt_note_read(ev->kind, ev->data, &note);
  return apply_note(d, ev, &note, err);
}

/* The turn that a content event answers, marked as answered. */
static struct turn *answered_turn(struct debate *d, const struct event *ev, enum turn_kind kind) {
  struct turn *t = find_turn(d, ev);
  if (!t || t->status == TURN_FAILED || t->kind != kind || t->attempt_open || d->fact) return NULL;
  return t;
}

static enum status mark_quality(struct debate *d, struct turn *t, const struct event *ev) {
  bool repaired = json_get_bool(ev->data, "repaired", false);
  bool truncated = json_get_bool(ev->data, "truncated", false);
  /* Of what is inherited, whose attempt_end stands in another log. */
  const char *fallback = json_get_text(ev->data, "fallback_detail", NULL);
  enum status s = fallback ? degrade(d, t, "fallback", fallback) : STATUS_OK;
  if (!s && repaired && !t->repaired)
    s = degrade(d, t, "repaired", "the first reply did not parse");
  if (!s && truncated && !t->truncated)
    s = degrade(d, t, "truncated", "the reply was cut at the output limit");
  t->repaired = repaired;
  t->truncated = truncated;
  t->status = TURN_OK;
  t->outcome = OUTCOME_OK;
  return s;
}

static enum status apply_proposal(struct debate *d, const struct event *ev, struct turn *t) {
  struct member *m = &d->members[t->member];
  const char *text = json_get_text(ev->data, "answer", "");
  const char *key = json_get_text(ev->data, "answer_key", "");
  enum status s = bytes_replace(&m->text, bytes_of(text));
  if (!s) s = bytes_replace(&m->key, bytes_of(key));
  if (!s) s = bytes_replace(&m->first_text, bytes_of(text));
  if (!s) s = bytes_replace(&m->first_key, bytes_of(key));
  if (s) return s;
  m->valid = true;
  m->confidence_ppm = json_get_int(ev->data, "confidence_ppm", -1);
  return mark_quality(d, t, ev);
}

static enum status answer_items(struct debate *d, int member, const json_t *responses) {
  size_t i;
  json_t *response;
  json_array_foreach(responses, i, response) {
    const char *id = json_get_text(response, "item", "");
    for (int j = 0; j < d->item_count; j++) {
      struct item *item = &d->items[j];
      if (item->target != member || item->state != ITEM_OPEN || strcmp(item->id, id) != 0) continue;
      item->state = json_get_bool(response, "accept", false) ? ITEM_ACCEPTED : ITEM_REJECTED;
      enum status s = read_text(&item->reason, response, "reason");
      if (s) return s;
    }
  }
  return STATUS_OK;
}

static enum status apply_revision(struct debate *d, const struct event *ev, struct turn *t) {
  struct member *m = &d->members[t->member];
  bool changed = json_get_bool(ev->data, "changed", false);
  bool says_changed = strcmp(json_get_text(ev->data, "stance", ""), "changed") == 0;
  enum status s = answer_items(d, t->member, json_object_get(ev->data, "responses"));
  if (!s && says_changed) s = read_text(&m->next_text, ev->data, "answer");
  if (!s && says_changed) s = read_text(&m->next_key, ev->data, "answer_key");
  if (s) return s;
  m->next_changed = says_changed && changed;
  int64_t confidence = json_get_int(ev->data, "confidence_ppm", -1);
  if (confidence >= 0) m->confidence_ppm = confidence;
  s = note_stance(d, t->member, m->next_changed ? STANCE_CHANGED : STANCE_HELD,
                  json_get_text(ev->data, "because", ""));
  return s ? s : mark_quality(d, t, ev);
}

/* "p0" to "p14", and nothing else. */
static int position_index(const char *id) {
  char name[16];
  for (int p = 0; id && p < DEBATE_MEMBERS_MAX; p++) {
    snprintf(name, sizeof name, "p%d", p);
    if (strcmp(id, name) == 0) return p;
  }
  return -1;
}

static enum status apply_message(struct debate *d, const struct event *ev, struct error *err) {
  const char *kind = json_get_text(ev->data, "kind", "");
  enum turn_kind wanted = strcmp(kind, "proposal") == 0   ? TURN_PROPOSAL
                          : strcmp(kind, "revision") == 0 ? TURN_REVISION
                                                          : TURN_JUDGMENT;
  struct turn *t = answered_turn(d, ev, wanted);
  if (!t || t->status != TURN_OPEN || strcmp(kind, turn_kind_names[wanted]) != 0)
    return corrupt(ev, err, "answers no open turn");
  if (wanted == TURN_PROPOSAL) return apply_proposal(d, ev, t);
  if (wanted == TURN_REVISION) return apply_revision(d, ev, t);
  struct positions positions;
  debate_positions(d, &positions);
  int choice = position_index(json_get_text(ev->data, "choice", NULL));
  if (choice < 0 || choice >= positions.count) return corrupt(ev, err, "chooses no position");
  d->judge_choice = choice;
  d->judge_used = t->member;
  return mark_quality(d, t, ev);
}

static enum status add_item(struct debate *d, const json_t *data, int critic, int target) {
  if (!grow(&d->items, d->item_count, &d->item_cap, sizeof *d->items)) return STATUS_NOMEM;
  struct item item = {.critic = critic, .target = target, .round = d->round};
  snprintf(item.id, sizeof item.id, "%s", json_get_text(data, "id", ""));
  item.severity_ppm = json_get_int(data, "severity_ppm", 0);
  enum status s = read_text(&item.claim, data, "claim");
  if (!s) s = read_text(&item.problem, data, "problem");
  if (!s) s = read_text(&item.why, data, "why");
  if (!s) s = read_text(&item.fix, data, "fix");
  int at = d->item_count++;
  for (; at > 0 && d->items[at - 1].round == d->round && d->items[at - 1].critic > critic; at--)
    d->items[at] = d->items[at - 1];
  d->items[at] = item;
  return s;
}

/* A critic's turn gives one event a target; the turn is answered when the last of them is in, so
 * that the step cannot end between two. */
static enum status apply_critique(struct debate *d, const struct event *ev, struct error *err) {
  struct turn *t = answered_turn(d, ev, TURN_CRITIQUE);
  int target = member_index(d, json_get_text(ev->data, "target", NULL));
  if (!t || t->status != TURN_OPEN || target < 0) return corrupt(ev, err, "answers no open turn");
  uint32_t asked = topology_targets(d, t->member, t->round);
  if (!(asked >> target & 1) || t->targets_seen >> target & 1)
    return corrupt(ev, err, "criticises somebody the critic was not asked about");
  size_t i;
  json_t *data;
  json_array_foreach(json_object_get(ev->data, "items"), i, data) {
    enum status s = add_item(d, data, t->member, target);
    if (s) return s;
  }
  t->targets_seen |= 1u << target;
  if (t->targets_seen == asked) return mark_quality(d, t, ev);
  return STATUS_OK;
}

static enum status apply_vote(struct debate *d, const struct event *ev, struct error *err) {
  struct turn *t = answered_turn(d, ev, TURN_BALLOT);
  if (!t || t->status != TURN_OPEN) return corrupt(ev, err, "answers no open turn");
  struct positions positions;
  debate_positions(d, &positions);
  const json_t *ranking = json_object_get(ev->data, "ranking");
  struct vote vote = {.member = t->member,
                      .confidence_ppm = json_get_int(ev->data, "confidence_ppm", -1)};
  uint32_t seen = 0;
  if (json_array_size(ranking) != (size_t)positions.count)
    return corrupt(ev, err, "does not rank every position");
  for (int i = 0; i < positions.count; i++) {
    int p = position_index(json_string_value(json_array_get(ranking, (size_t)i)));
    if (p < 0 || p >= positions.count || seen >> p & 1)
      return corrupt(ev, err, "ranks a position twice or one that was not offered");
    seen |= 1u << p;
    vote.ranking[i] = p;
  }
  int at = d->vote_count++;
  for (; at > 0 && d->votes[at - 1].member > vote.member; at--) d->votes[at] = d->votes[at - 1];
  d->votes[at] = vote;
  return mark_quality(d, t, ev);
}

static enum status apply_agent_error(struct debate *d, const struct event *ev, struct error *err) {
  struct turn *t = find_turn(d, ev);
  if (!t || t->status != TURN_OPEN || t->attempt_open) return corrupt(ev, err, "no such open turn");
  t->status = TURN_FAILED;
  t->outcome = outcome_parse(json_get_text(ev->data, "outcome", ""));
  enum status s = read_text(&t->detail, ev->data, "detail");
  if (!s && t->kind == TURN_REVISION) s = note_stance(d, t->member, STANCE_FAILED, "");
  if (t->kind == TURN_JUDGMENT) d->judge_next++;
  if (s) return s;
  return degrade(d, t, outcome_name(t->outcome), json_get_text(ev->data, "detail", ""));
}

static enum stop_reason stop_reason_parse(const char *name) {
  for (int i = STOP_AGREEMENT; i <= STOP_BUDGET; i++)
    if (strcmp(stop_reason_names[i], name) == 0) return (enum stop_reason)i;
  return STOP_NONE;
}

static enum status apply_stop(struct debate *d, const struct event *ev, struct error *err) {
  if (d->phase != PHASE_STOP) return corrupt(ev, err, "the debate does not stop here");
  d->stop_reason = stop_reason_parse(json_get_text(ev->data, "reason", ""));
  if (d->stop_reason == STOP_NONE) return corrupt(ev, err, "stops for no known reason");
  struct positions positions;
  debate_positions(d, &positions);
  bool voteless = d->config.mode == MODE_SINGLE || d->config.mode == MODE_SELF_CONSISTENCY ||
                  d->config.rule == RULE_NONE;
  if (d->fact || voteless || d->stop_reason == STOP_AGREEMENT || positions.count <= 1) {
    d->phase = PHASE_DECIDE;
    return STATUS_OK;
  }
  if (d->config.rule == RULE_JUDGE && d->config.judge_count > 0) {
    begin_step(d, PHASE_JUDGE);
    return open_turn(d, TURN_JUDGMENT, 0);
  }
  d->vote_held = true;
  return open_step(d, PHASE_VOTE, TURN_BALLOT);
}

static enum status apply_fact(struct debate *d, const struct event *ev, enum fact fact,
                              struct error *err) {
  if (d->phase == PHASE_NEW) return corrupt(ev, err, "before the start");
  /* A decision that stands is not undone by what comes later. */
  if (d->fact != FACT_NONE || d->phase >= PHASE_DECIDE) return STATUS_OK;
  d->fact = fact;
  const char *reason = json_get_text(ev->data, "reason", NULL);
  return reason ? bytes_replace(&d->fact_reason, bytes_of(reason)) : STATUS_OK;
}

static enum status apply_resumed(struct debate *d, const struct event *ev, struct error *err) {
  int64_t elapsed_ms = json_get_int(ev->data, "elapsed_ms", 0);
  if (attempt_open(d)) return corrupt(ev, err, "an attempt is still open");
  if (elapsed_ms < 0 || elapsed_ms > ev->ts_ms - d->started_ms)
    return corrupt(ev, err, "elapsed_ms is no part of the time since the start");
  d->elapsed_ms = elapsed_ms;
  d->elapsed_from_ms = ev->ts_ms;
  d->resumes++;
  return STATUS_OK;
}

static enum status apply_report(struct debate *d, const struct event *ev, struct error *err) {
  if (ev->kind == EVENT_CONSENSUS && d->phase == PHASE_DECIDE) {
    d->consensus = json_incref(ev->data);
    d->phase = PHASE_REPORT;
  } else if (ev->kind == EVENT_ERROR && (d->phase == PHASE_DECIDE || d->phase == PHASE_STOP)) {
    d->error = json_incref(ev->data);
    d->phase = PHASE_REPORT;
  } else if (ev->kind == EVENT_DEBATE_END &&
             (d->phase == PHASE_REPORT || (d->phase == PHASE_DECIDE && d->fact))) {
    d->end = json_incref(ev->data);
    d->ended_ms = ev->ts_ms;
    d->phase = PHASE_ENDED;
  } else {
    return corrupt(ev, err, "out of place");
  }
  return STATUS_OK;
}

static enum status apply_kind(struct debate *d, const struct event *ev, struct error *err) {
  switch (ev->kind) {
    case EVENT_DEBATE_START: return apply_start(d, ev, err);
    case EVENT_ROUND_START: return apply_round_start(d, ev, err);
    case EVENT_ATTEMPT_START:
    case EVENT_ATTEMPT_END: return apply_attempt(d, ev, err);
    case EVENT_AGENT_MESSAGE: return apply_message(d, ev, err);
    case EVENT_CRITIQUE: return apply_critique(d, ev, err);
    case EVENT_VOTE: return apply_vote(d, ev, err);
    case EVENT_AGENT_ERROR: return apply_agent_error(d, ev, err);
    case EVENT_STOP: return apply_stop(d, ev, err);
    case EVENT_CONSENSUS:
    case EVENT_ERROR:
    case EVENT_DEBATE_END: return apply_report(d, ev, err);
    case EVENT_RESUMED: return apply_resumed(d, ev, err);
    case EVENT_CANCEL_REQUESTED: return apply_fact(d, ev, FACT_CANCELLED, err);
    case EVENT_DEADLINE_REACHED: return apply_fact(d, ev, FACT_DEADLINE, err);
    case EVENT_BUDGET_EXHAUSTED: return apply_fact(d, ev, FACT_BUDGET, err);
    case EVENT_UNKNOWN:
    default: d->unsupported = true; return STATUS_OK;
  }
}

/* The agent's name as the configuration spells it, which lives as long as the state. */
static const char *lasting_name(const struct debate *d, const char *name) {
  for (int i = 0; name && i < d->config.member_count; i++)
    if (strcmp(d->config.members[i].name, name) == 0) return d->config.members[i].name;
  for (int i = 0; name && i < d->config.judge_count; i++)
    if (strcmp(d->config.judges[i].name, name) == 0) return d->config.judges[i].name;
  return NULL;
}

static enum status keep(struct debate *d, const struct event *ev) {
  if (d->history_count == d->history_cap) {
    size_t cap = d->history_cap ? d->history_cap * 2 : 32;
    struct event *grown = realloc(d->history, cap * sizeof *grown);
    if (!grown) return STATUS_NOMEM;
    d->history = grown;
    d->history_cap = cap;
  }
  struct event *kept = &d->history[d->history_count++];
  *kept = *ev;
  kept->agent = lasting_name(d, ev->agent);
  json_incref(kept->data);
  return STATUS_OK;
}

static enum status check_place(const struct debate *d, const struct event *ev, struct error *err) {
  if (ev->seq != d->last_seq + 1) return corrupt(ev, err, "out of sequence");
  if (ev->ts_ms < d->last_ms) return corrupt(ev, err, "earlier than the one before");
  if (ev->ts_ms > TIME_MAX_MS) return corrupt(ev, err, "ts is beyond 2^53");
  if (d->phase == PHASE_ENDED) return corrupt(ev, err, "after the end");
  if (d->phase == PHASE_NEW && ev->kind != EVENT_DEBATE_START)
    return corrupt(ev, err, "before the start");
  return STATUS_OK;
}

static void advance(struct debate *d, const struct event *ev) {
  d->last_seq = ev->seq;
  d->last_ms = ev->ts_ms;
}

enum status debate_apply(struct debate *d, const struct event *ev, struct error *err) {
  enum status s = check_place(d, ev, err);
  if (s) return s;
  if (!json_is_object(ev->data)) return corrupt(ev, err, "data is no object");
  s = apply_kind(d, ev, err);
  if (s) return s;
  advance(d, ev);
  bool content =
      ev->kind == EVENT_AGENT_MESSAGE || ev->kind == EVENT_CRITIQUE || ev->kind == EVENT_VOTE;
  if (d->keep_history && content) s = keep(d, ev);
  return s ? s : settle(d);
}

enum status debate_apply_note(struct debate *d, const struct event *ev,
                              const struct attempt_note *note, struct error *err) {
  enum status s = check_place(d, ev, err);
  if (!s) s = apply_note(d, ev, note, err);
  if (s) return s;
  advance(d, ev);
  return settle(d);
}
