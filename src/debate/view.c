#include "debate/view.h"

#include "debate/chain.h"
#include "debate/outward.h"
#include "debate/speech.h"

#include <inttypes.h>
#include <stdio.h>

enum { ERROR_TEXT_MAX = 1024 };

/* ---- what was decided ---- */

static json_t *consensus_texts(struct maker *m, const json_t *rows, const char *key) {
  json_t *out = json_array();
  for (size_t i = 0; i < json_array_size(rows); i++)
    maker_add(m, out, outward_member(json_array_get(rows, i), key));
  return out;
}

static json_t *consensus_object(struct maker *m, const json_t *c) {
  if (!c) return json_null();
  bool shared = json_is_integer(json_object_get(c, "share_ppm"));
  json_t *out = json_object();
  maker_put(m, out, "reached", outward_member(c, "reached"));
  maker_put(m, out, "rule", outward_member(c, "rule"));
  maker_put(m, out, "threshold", outward_member(c, "threshold_ppm"));
  maker_put(m, out, "basis", outward_member(c, "basis"));
  maker_put(m, out, "quorum_met", outward_member(c, "quorum_met"));
  maker_put(m, out, "position", outward_member(c, "best"));
  maker_put(m, out, "winner", outward_member(c, "winner"));
  maker_put(m, out, "conclusion", outward_member(c, "conclusion"));
  maker_put(m, out, "final_answer", outward_member(c, "conclusion"));
  maker_put(m, out, "answer_key", outward_member(c, "answer_key"));
  maker_put(m, out, "share", outward_member(c, "share_ppm"));
  maker_put(m, out, "margin", outward_member(c, "margin_ppm"));
  maker_put(m, out, "strength", outward_member(c, "strength"));
  maker_put(m, out, "confidence", outward_member(c, "share_ppm"));
  maker_put(m, out, "confidence_basis", json_text_or_null(shared ? "agreement" : NULL));
  maker_put(m, out, "agreement", outward_member(c, "share_ppm"));
  maker_put(m, out, "supporting_agents", outward_member(c, "supporting_agents"));
  maker_put(m, out, "dissenting_agents",
            consensus_texts(m, json_object_get(c, "dissent"), "agent"));
  maker_put(m, out, "self_first", outward_member(c, "self_first"));
  maker_put(m, out, "judge", outward_member(c, "judge"));
  maker_put(m, out, "judge_in_panel", outward_member(c, "judge_in_panel"));
  maker_put(m, out, "judge_failed", outward_member(c, "judge_failed"));
  return out;
}

static json_t *position_object(struct maker *m, const json_t *p) {
  json_t *out = json_object();
  maker_put(m, out, "id", outward_member(p, "id"));
  maker_put(m, out, "key", outward_member(p, "key"));
  maker_put(m, out, "text", outward_member(p, "text"));
  maker_put(m, out, "speaker", outward_member(p, "speaker"));
  maker_put(m, out, "holders", outward_member(p, "holders"));
  maker_put(m, out, "first_choices", outward_member(p, "first_choices"));
  maker_put(m, out, "first_choice_share", outward_member(p, "first_ppm"));
  maker_put(m, out, "borda", outward_member(p, "borda_ppm"));
  maker_put(m, out, "since", outward_member(p, "since"));
  return out;
}

static json_t *positions_array(struct maker *m, const json_t *c) {
  const json_t *rows = json_object_get(c, "positions");
  json_t *out = json_array();
  for (size_t i = 0; i < json_array_size(rows); i++)
    maker_add(m, out, position_object(m, json_array_get(rows, i)));
  return out;
}

static void put_decision(struct maker *m, json_t *out, const struct debate *d) {
  const json_t *c = d->consensus;
  bool shared = json_is_integer(json_object_get(c, "share_ppm"));
  maker_put(m, out, "final_answer", outward_member(c, "conclusion"));
  maker_put(m, out, "conclusion", outward_member(c, "conclusion"));
  maker_put(m, out, "consensus_reached", json_boolean(json_get_bool(c, "reached", false)));
  maker_put(m, out, "consensus_strength", outward_member(c, "strength"));
  maker_put(m, out, "winner", outward_member(c, "winner"));
  maker_put(m, out, "confidence", outward_member(c, "share_ppm"));
  maker_put(m, out, "confidence_basis", json_text_or_null(shared ? "agreement" : NULL));
  maker_put(m, out, "agreement", outward_member(c, "share_ppm"));
  maker_put(m, out, "consensus", consensus_object(m, c));
  maker_put(m, out, "positions", positions_array(m, c));
  maker_put(m, out, "dissent", c ? outward_member(c, "dissent") : json_array());
}

static const char *stance_name(const struct step_of_trajectory *step) {
  if (step->stance == STANCE_HELD) return "held";
  return step->stance == STANCE_CHANGED ? "changed" : "failed";
}

static json_t *trajectory_array(struct maker *m, const struct debate *d) {
  json_t *out = json_array();
  for (int i = 0; i < d->trajectory_count; i++) {
    const struct step_of_trajectory *step = &d->trajectory[i];
    json_t *row = json_object();
    maker_put(m, row, "agent", json_text(bytes_of(d->config.members[step->member].name)));
    maker_put(m, row, "round", json_integer(step->round));
    maker_put(m, row, "stance", json_string(stance_name(step)));
    maker_put(m, row, "because", json_text_or_null(*step->because ? step->because : NULL));
    maker_add(m, out, row);
  }
  return out;
}

/* ---- what was said ---- */

static json_t *ballots_array(struct maker *m, const struct debate *d) {
  json_t *out = json_array();
  for (size_t i = 0; i < d->history_count; i++)
    if (d->history[i].kind == EVENT_VOTE) maker_add(m, out, speech_ballot(m, &d->history[i]));
  return out;
}

static json_t *critiques_array(struct maker *m, const struct debate *d, int round) {
  json_t *out = json_array();
  for (size_t i = 0; i < d->history_count; i++) {
    const struct event *ev = &d->history[i];
    if (ev->kind != EVENT_CRITIQUE || (round >= 0 && ev->round != round)) continue;
    maker_add(m, out, speech_critique(m, d, ev));
  }
  return out;
}

static json_t *round_messages(struct maker *m, const struct debate *d, int round) {
  json_t *out = json_array();
  for (size_t i = 0; i < d->history_count; i++) {
    const struct event *ev = &d->history[i];
    if (ev->kind == EVENT_AGENT_MESSAGE && ev->round == round)
      maker_add(m, out, speech_message(m, d, ev));
  }
  return out;
}

static json_t *rounds_array(struct maker *m, const struct debate *d) {
  json_t *out = json_array();
  for (int round = 0; d->phase != PHASE_NEW && round <= d->round; round++) {
    json_t *row = json_object();
    maker_put(m, row, "round_number", json_integer(round));
    maker_put(m, row, "number", json_integer(round));
    maker_put(m, row, "round", json_integer(round));
    maker_put(m, row, "messages", round_messages(m, d, round));
    maker_put(m, row, "critiques", critiques_array(m, d, round));
    maker_add(m, out, row);
  }
  return out;
}

static bool is_message(const struct event *ev) {
  return ev->kind == EVENT_AGENT_MESSAGE || ev->kind == EVENT_CRITIQUE;
}

/* Messages and critiques in the order of the log; `*ret_total` counts all of them. */
static json_t *messages_array(struct maker *m, const struct debate *d, size_t limit, size_t offset,
                              size_t *ret_total) {
  json_t *out = json_array();
  size_t index = 0;
  for (size_t i = 0; i < d->history_count; i++) {
    const struct event *ev = &d->history[i];
    if (!is_message(ev)) continue;
    size_t at = index++;
    if (at < offset || at - offset >= limit) continue;
    json_t *row =
        ev->kind == EVENT_CRITIQUE ? speech_critique_message(m, ev) : speech_message(m, d, ev);
    maker_put(m, row, "index", json_integer((json_int_t)at));
    maker_add(m, out, row);
  }
  *ret_total = index;
  return out;
}

/* ---- how it went ---- */

static json_t *turn_object(struct maker *m, const struct debate *d, const struct turn *t) {
  char id[TURN_ID_SIZE];
  debate_turn_id(d, t, id);
  bool open = t->status == TURN_OPEN;
  json_t *out = json_object();
  maker_put(m, out, "turn", json_text(bytes_of(id)));
  maker_put(m, out, "agent", json_text(bytes_of(debate_turn_agent(d, t)->name)));
  maker_put(m, out, "kind", json_string(turn_kind_names[t->kind]));
  maker_put(m, out, "round", json_integer(t->round));
  maker_put(m, out, "outcome", json_text_or_null(open ? NULL : outcome_name(t->outcome)));
  maker_put(m, out, "provider", json_text_or_null(t->provider));
  maker_put(m, out, "model", json_text_or_null(t->model));
  maker_put(m, out, "attempts", json_integer(t->attempts));
  maker_put(m, out, "hedges", json_integer(t->hedges));
  maker_put(m, out, "tokens_in", json_int_or_null(t->tokens_in));
  maker_put(m, out, "tokens_out", json_int_or_null(t->tokens_out));
  maker_put(m, out, "cost_usd", outward_millionths(t->cost_usd_micro));
  maker_put(m, out, "ttft_ms", json_int_or_null(t->ttft_ms));
  maker_put(m, out, "latency_ms", json_int_or_null(t->latency_ms));
  maker_put(m, out, "repaired", json_boolean(t->repaired));
  maker_put(m, out, "truncated", json_boolean(t->truncated));
  if (t->status != TURN_FAILED) return out;
  int status = t->upstream_status;
  maker_put(m, out, "upstream_status", status ? json_integer(status) : json_null());
  maker_put(m, out, "detail", json_text_or_null(t->detail));
  return out;
}

static json_t *turns_array(struct maker *m, const struct debate *d) {
  json_t *out = json_array();
  for (int i = 0; i < d->turn_count; i++) maker_add(m, out, turn_object(m, d, &d->turns[i]));
  return out;
}

static json_t *usage_object(struct maker *m, const struct debate *d) {
  json_t *out = json_object();
  maker_put(m, out, "tokens_in", json_integer(d->tokens_in));
  maker_put(m, out, "tokens_out", json_integer(d->tokens_out));
  maker_put(m, out, "total_tokens", json_integer(d->tokens_in + d->tokens_out));
  maker_put(m, out, "cost_usd", outward_millionths(d->cost_usd_micro));
  maker_put(m, out, "attempts", json_integer(d->attempts));
  return out;
}

/* Before the log is closed the degradations are those of the state so far. */
static json_t *degradations_array(struct maker *m, const struct debate *d) {
  if (d->end) return outward_member(d->end, "degradations");
  json_t *out = json_array();
  for (int i = 0; i < d->degradation_count; i++) {
    const struct degradation *row = &d->degradations[i];
    json_t *object = json_object();
    maker_put(m, object, "agent", json_text(bytes_of(row->agent)));
    maker_put(m, object, "turn", json_text(bytes_of(row->turn)));
    maker_put(m, object, "cause", json_text(bytes_of(row->cause)));
    maker_put(m, object, "detail", json_text(bytes_of(row->detail)));
    maker_add(m, out, object);
  }
  return out;
}

/* ---- what was asked for ---- */

static json_t *agent_object(struct maker *m, const struct debate_agent *a, bool judge) {
  json_t *out = json_object();
  maker_put(m, out, "name", json_text(bytes_of(a->name)));
  maker_put(m, out, "type", json_text(bytes_of(a->type)));
  maker_put(m, out, "provider", json_text(bytes_of(a->provider)));
  maker_put(m, out, "model", json_text(bytes_of(a->model)));
  if (judge) {
    maker_put(m, out, "in_panel", json_boolean(a->in_panel));
  } else {
    maker_put(m, out, "role", json_text_or_null(a->role && *a->role ? a->role : NULL));
    maker_put(m, out, "weight", outward_millionths(a->weight_ppm));
  }
  maker_put(m, out, "demo", json_boolean(a->demo));
  return out;
}

static void put_panel(struct maker *m, json_t *out, const struct debate_config *c) {
  json_t *names = json_array();
  json_t *panel = json_array();
  json_t *judges = json_array();
  for (int i = 0; i < c->member_count; i++) {
    maker_add(m, names, json_text(bytes_of(c->members[i].name)));
    maker_add(m, panel, agent_object(m, &c->members[i], false));
  }
  for (int i = 0; i < c->judge_count; i++)
    maker_add(m, judges, agent_object(m, &c->judges[i], true));
  maker_put(m, out, "agents", names);
  maker_put(m, out, "panel", panel);
  maker_put(m, out, "judges", judges);
}

static json_t *settings_object(struct maker *m, const struct debate_config *c) {
  json_t *out = json_object();
  maker_put(m, out, "mode", json_string(mode_names[c->mode]));
  maker_put(m, out, "consensus", json_string(rule_names[c->rule]));
  maker_put(m, out, "consensus_threshold", outward_millionths(c->threshold_ppm));
  maker_put(m, out, "topology", json_string(topology_names[c->topology]));
  maker_put(m, out, "max_rounds", json_integer(c->rounds));
  maker_put(m, out, "fast_path", json_boolean(c->fast_path));
  maker_put(m, out, "quorum", json_integer(c->quorum));
  maker_put(m, out, "deadline_seconds", json_real((double)c->deadline_ms / 1e3));
  maker_put(m, out, "turn_timeout_seconds", json_real((double)c->turn_timeout_ms / 1e3));
  maker_put(m, out, "budget_usd", outward_millionths(c->budget_usd_micro));
  maker_put(m, out, "budget_tokens", json_int_or_null(c->budget_tokens));
  maker_put(m, out, "allow_unknown_price", json_boolean(c->allow_unknown_price));
  maker_put(m, out, "max_output_tokens", json_integer(c->max_output_tokens));
  maker_put(m, out, "engine_version", json_integer(c->engine_version));
  maker_put(m, out, "rules_version", json_integer(c->rules_version));
  maker_put(m, out, "prompts_version", json_integer(c->prompts_version));
  return out;
}

static json_t *metadata_value(const char *text) {
  json_t *value;
  if (text && json_parse(bytes_of(text), &value, NULL) == STATUS_OK) return value;
  return json_object();
}

/* ---- the whole ---- */

/* Which budget it was is the fact's to say, whose reason a log keeps beside the error. */
static json_t *error_text(const struct debate *d) {
  if (!d->error) return json_null();
  if (d->fact != FACT_BUDGET || !d->fact_reason) return outward_member(d->error, "message");
  BUFFER_LATER struct buffer text;
  buffer_init(&text, ERROR_TEXT_MAX);
  buffer_printf(&text, "%s: %s", json_get_text(d->error, "message", ""), d->fact_reason);
  return json_text(buffer_bytes(&text));
}

static void put_state(struct maker *m, json_t *out, const struct debate *d,
                      const struct view_extra *extra) {
  const char *status = d->end || !extra->status ? debate_status(d) : extra->status;
  bool degraded = d->end ? json_get_bool(d->end, "degraded", false) : d->degradation_count > 0;
  maker_put(m, out, "id", json_text(bytes_of(extra->id)));
  maker_put(m, out, "debate_id", json_text(bytes_of(extra->id)));
  maker_put(m, out, "slug", json_text_or_null(extra->slug));
  maker_put(m, out, "status", json_text(bytes_of(status)));
  maker_put(m, out, "outcome", json_text_or_null(debate_outcome(d)));
  maker_put(m, out, "degraded", json_boolean(degraded));
  maker_put(m, out, "degradations", degradations_array(m, d));
  maker_put(m, out, "error", error_text(d));
  maker_put(m, out, "error_code", d->error ? outward_member(d->error, "code") : json_null());
  maker_put(m, out, "causes", d->error ? outward_member(d->error, "causes") : json_array());
  maker_put(m, out, "demo", json_boolean(d->config.demo));
}

static void put_times(struct maker *m, json_t *out, const struct debate *d) {
  int64_t ms = json_get_int(d->end, "elapsed_ms", -1);
  maker_put(m, out, "created_at", speech_time(d->started_ms));
  maker_put(m, out, "updated_at", speech_time(d->last_ms));
  maker_put(m, out, "completed_at", speech_time(d->ended_ms));
  maker_put(m, out, "duration_seconds", ms < 0 ? json_null() : json_real((double)ms / 1e3));
}

static void put_course(struct maker *m, json_t *out, const struct debate *d) {
  size_t total;
  const char *reason = stop_reason_names[d->stop_reason];
  const json_t *c = d->consensus;
  maker_put(m, out, "stop_reason", json_text_or_null(*reason ? reason : NULL));
  maker_put(m, out, "stop_detail", json_text_or_null(d->fact_reason));
  maker_put(m, out, "rounds_used", json_integer(d->round));
  maker_put(m, out, "rounds", rounds_array(m, d));
  maker_put(m, out, "ballots", ballots_array(m, d));
  maker_put(m, out, "round0", outward_member(c, "round0"));
  maker_put(m, out, "leave_one_out", c ? outward_member(c, "leave_one_out") : json_array());
  maker_put(m, out, "trajectory", trajectory_array(m, d));
  maker_put(m, out, "messages", messages_array(m, d, SIZE_MAX, 0, &total));
  maker_put(m, out, "critiques", critiques_array(m, d, -1));
  maker_put(m, out, "votes", ballots_array(m, d));
  maker_put(m, out, "turns", turns_array(m, d));
  maker_put(m, out, "usage", usage_object(m, d));
}

json_t *view_debate(const struct debate *debate, const struct view_extra *extra) {
  const struct debate_config *c = &debate->config;
  struct maker m = {false};
  json_t *out = json_object();
  char seed[24];
  snprintf(seed, sizeof seed, "%" PRIu64, c->seed);
  put_state(&m, out, debate, extra);
  maker_put(&m, out, "task", json_text_or_null(c->task));
  maker_put(&m, out, "context", json_text_or_null(c->context));
  maker_put(&m, out, "parent_debate_id", json_text_or_null(c->parent_id));
  maker_put(&m, out, "branch_point", json_int_or_null(c->parent_id ? c->branch_point : -1));
  maker_put(&m, out, "inherited_events", json_integer(c->inherited));
  put_panel(&m, out, c);
  put_decision(&m, out, debate);
  put_times(&m, out, debate);
  put_course(&m, out, debate);
  maker_put(&m, out, "mode", json_string(mode_names[c->mode]));
  maker_put(&m, out, "settings", settings_object(&m, c));
  maker_put(&m, out, "seed", json_string(seed));
  maker_put(&m, out, "last_seq", json_integer((json_int_t)debate->last_seq));
  maker_put(&m, out, "head_hash", json_text_or_null(extra->head_hash));
  maker_put(&m, out, "is_public", json_boolean(extra->is_public));
  maker_put(&m, out, "metadata", metadata_value(extra->metadata));
  if (!m.failed) return out;
  json_decref(out);
  return NULL;
}

json_t *view_messages(const struct debate *debate, const char *id, size_t limit, size_t offset) {
  struct maker m = {false};
  size_t total = 0;
  json_t *messages = messages_array(&m, debate, limit, offset, &total);
  size_t shown = json_array_size(messages);
  json_t *out = json_object();
  maker_put(&m, out, "debate_id", json_text(bytes_of(id)));
  maker_put(&m, out, "messages", messages);
  maker_put(&m, out, "total", json_integer((json_int_t)total));
  maker_put(&m, out, "limit", json_integer((json_int_t)limit));
  maker_put(&m, out, "offset", json_integer((json_int_t)offset));
  maker_put(&m, out, "has_more", json_boolean(offset < total && total - offset > shown));
  if (!m.failed) return out;
  json_decref(out);
  return NULL;
}

static json_t *hex(const uint8_t bytes[CHAIN_HASH_SIZE]) {
  char text[2 * CHAIN_HASH_SIZE + 1];
  bytes_to_hex(bytes, CHAIN_HASH_SIZE, text);
  return json_string(text);
}

json_t *view_event(const struct event *event, const char *type, const uint8_t salt[32],
                   const uint8_t digest[32], const uint8_t hash[32]) {
  struct maker m = {false};
  json_t *out = json_object();
  maker_put(&m, out, "seq", json_integer((json_int_t)event->seq));
  maker_put(&m, out, "type", json_text(bytes_of(type)));
  maker_put(&m, out, "ts", json_integer(event->ts_ms));
  maker_put(&m, out, "timestamp", speech_time(event->ts_ms));
  maker_put(&m, out, "round", json_int_or_null(event->round));
  maker_put(&m, out, "agent", json_text_or_null(event->agent));
  maker_put(&m, out, "data", salt ? json_incref(event->data) : json_null());
  maker_put(&m, out, "salt", salt ? hex(salt) : json_null());
  maker_put(&m, out, "data_digest", hex(digest));
  maker_put(&m, out, "hash", hex(hash));
  if (!m.failed) return out;
  json_decref(out);
  return NULL;
}
