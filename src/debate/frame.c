/* An event as the frame that live clients read (docs/api.md). */
#include "base/clock.h"
#include "debate/attempt_note.h"
#include "debate/outward.h"
#include "debate/view.h"

/* One function a kind that has more to say than its own data; each writes `,"name":value` pairs and
 * names in *ret_skip the fields of the event that it wrote itself. */
typedef void kind_writer(struct buffer *out, const struct event *event,
                         const char *const **ret_skip);

static void put_name(struct buffer *out, const char *name) {
  buffer_append(out, ",\"", 2);
  buffer_append_text(out, name);
  buffer_append(out, "\":", 2);
}

static void put_text(struct buffer *out, const char *name, const char *text) {
  put_name(out, name);
  if (text)
    buffer_append_json_string(out, bytes_of(text));
  else
    buffer_append_text(out, "null");
}

static void put_value(struct buffer *out, const char *name, const json_t *data, const char *key) {
  put_name(out, name);
  outward_append(out, json_object_get(data, key));
}

/* A number of millionths under a name without its unit. */
static void put_millionths(struct buffer *out, const char *name, const json_t *data,
                           const char *key) {
  const json_t *value = json_object_get(data, key);
  put_name(out, name);
  if (json_is_integer(value))
    outward_append_millionths(out, json_integer_value(value));
  else
    buffer_append_text(out, "null");
}

static void put_bool(struct buffer *out, const char *name, bool value) {
  put_name(out, name);
  buffer_append_text(out, value ? "true" : "false");
}

/* A list made of one text of each object of a list: names of agents, problems of items. */
static void put_texts(struct buffer *out, const char *name, const json_t *rows, const char *key) {
  bool first = true;
  put_name(out, name);
  buffer_append_char(out, '[');
  for (size_t i = 0; i < json_array_size(rows); i++) {
    const char *text = json_get_text(json_array_get(rows, i), key, "");
    if (!*text) continue;
    if (!first) buffer_append_char(out, ',');
    first = false;
    buffer_append_json_string(out, bytes_of(text));
  }
  buffer_append_char(out, ']');
}

static void write_start(struct buffer *out, const struct event *ev, const char *const **ret_skip) {
  static const char *const skip[] = {"agents", "nonce", NULL};
  const json_t *agents = json_object_get(ev->data, "agents");
  put_texts(out, "agents", agents, "name");
  put_name(out, "panel");
  outward_append(out, agents);
  put_value(out, "max_rounds", ev->data, "rounds");
  put_millionths(out, "consensus_threshold", ev->data, "threshold_ppm");
  put_name(out, "protocol");
  buffer_append_text(out, "{\"type\":");
  outward_append(out, json_object_get(ev->data, "consensus"));
  put_value(out, "mode", ev->data, "mode");
  put_value(out, "topology", ev->data, "topology");
  const char *rule = json_get_text(ev->data, "consensus", "");
  put_bool(out, "voting_enabled", strcmp(rule, "none") != 0);
  put_bool(out, "user_participation", false);
  buffer_append_char(out, '}');
  *ret_skip = skip;
}

static void write_round_start(struct buffer *out, const struct event *ev,
                              const char *const **ret_skip) {
  put_value(out, "agents_participating", ev->data, "agents");
}

static void put_message_id(struct buffer *out, const struct event *ev) {
  put_text(out, "message_id", json_get_text(ev->data, "turn", NULL));
}

static void write_message(struct buffer *out, const struct event *ev,
                          const char *const **ret_skip) {
  const char *kind = json_get_text(ev->data, "kind", "");
  bool judgment = strcmp(kind, "judgment") == 0;
  put_message_id(out, ev);
  put_text(out, "role", judgment ? "judge" : "proposer");
  put_text(out, "message_type", judgment ? "synthesis" : kind);
  put_value(out, "content", ev->data, "answer");
  const char *key = json_get_text(ev->data, "answer_key", "");
  put_text(out, "position", *key ? key : NULL);
  put_value(out, "arguments", ev->data, "key_claims");
}

static void write_critique(struct buffer *out, const struct event *ev,
                           const char *const **ret_skip) {
  const json_t *items = json_object_get(ev->data, "items");
  const char *target = json_get_text(ev->data, "target", NULL);
  int64_t worst = outward_worst(items);
  BUFFER_LATER struct buffer id;
  BUFFER_LATER struct buffer content;
  buffer_init(&id, 512);
  buffer_init(&content, out->max);
  buffer_append_text(&id, json_get_text(ev->data, "turn", ""));
  buffer_append_char(&id, '.');
  buffer_append_text(&id, target ? target : "");
  outward_append_critique(&content, items);
  if (id.overflow || content.overflow) out->overflow = true;
  put_name(out, "message_id");
  buffer_append_json_string(out, buffer_bytes(&id));
  put_text(out, "role", "critic");
  put_text(out, "critic_id", ev->agent);
  put_text(out, "target_agent_id", target);
  put_text(out, "target_agent", target);
  put_name(out, "target_round");
  buffer_append_int(out, ev->round < 0 ? 0 : ev->round);
  put_name(out, "content");
  buffer_append_json_string(out, buffer_bytes(&content));
  put_texts(out, "issues", items, "problem");
  put_texts(out, "suggestions", items, "fix");
  put_text(out, "severity", worst < 0 ? NULL : outward_severity(worst));
  put_name(out, "severity_score");
  if (worst < 0)
    buffer_append_text(out, "null");
  else
    outward_append_millionths(out, worst);
}

/* Each position's place on the ballot as 1 (best) to 0 (last): what Borda counts. */
static void put_places(struct buffer *out, const json_t *ranking) {
  size_t count = json_array_size(ranking);
  put_name(out, "votes");
  buffer_append_char(out, '{');
  for (size_t i = 0; i < count; i++) {
    if (i) buffer_append_char(out, ',');
    outward_append(out, json_array_get(ranking, i));
    buffer_append_char(out, ':');
    outward_append_millionths(
        out, count > 1 ? (int64_t)((count - 1 - i) * 1000000 / (count - 1)) : 1000000);
  }
  buffer_append_char(out, '}');
}

static void write_vote(struct buffer *out, const struct event *ev, const char *const **ret_skip) {
  const json_t *ranking = json_object_get(ev->data, "ranking");
  put_message_id(out, ev);
  put_text(out, "voter", ev->agent);
  put_text(out, "voter_id", ev->agent);
  put_text(out, "voter_type", "agent");
  put_name(out, "vote");
  outward_append(out, json_array_get(ranking, 0));
  put_name(out, "choice");
  outward_append(out, json_array_get(ranking, 0));
  put_places(out, ranking);
}

static void write_consensus(struct buffer *out, const struct event *ev,
                            const char *const **ret_skip) {
  bool shared = json_is_integer(json_object_get(ev->data, "share_ppm"));
  put_value(out, "consensus_reached", ev->data, "reached");
  put_value(out, "answer", ev->data, "conclusion");
  put_value(out, "final_answer", ev->data, "conclusion");
  put_millionths(out, "confidence", ev->data, "share_ppm");
  put_millionths(out, "agreement", ev->data, "share_ppm");
  put_text(out, "confidence_basis", shared ? "agreement" : NULL);
  put_value(out, "convergence_type", ev->data, "strength");
  put_texts(out, "dissenting_agents", json_object_get(ev->data, "dissent"), "agent");
}

static void put_seconds(struct buffer *out, const char *name, const json_t *data, const char *key) {
  int64_t ms = json_get_int(data, key, -1);
  put_name(out, name);
  if (ms < 0)
    buffer_append_text(out, "null");
  else
    outward_append_millionths(out, ms * 1000);
}

static void write_end(struct buffer *out, const struct event *ev, const char *const **ret_skip) {
  const char *outcome = json_get_text(ev->data, "outcome", "");
  put_bool(out, "consensus_reached",
           strcmp(outcome, "consensus") == 0 || strcmp(outcome, "fast_path") == 0);
  put_value(out, "total_rounds", ev->data, "rounds");
  put_seconds(out, "duration", ev->data, "elapsed_ms");
  put_seconds(out, "duration_seconds", ev->data, "elapsed_ms");
}

static void write_error(struct buffer *out, const struct event *ev, const char *const **ret_skip) {
  put_value(out, "error", ev->data, "message");
  put_text(out, "severity", "fatal");
  put_bool(out, "recoverable", false);
}

static void write_agent_error(struct buffer *out, const struct event *ev,
                              const char *const **ret_skip) {
  put_message_id(out, ev);
  put_value(out, "error", ev->data, "detail");
}

static kind_writer *const writers[EVENT_UNKNOWN + 1] = {
    [EVENT_DEBATE_START] = write_start,
    [EVENT_ROUND_START] = write_round_start,
    [EVENT_AGENT_MESSAGE] = write_message,
    [EVENT_CRITIQUE] = write_critique,
    [EVENT_VOTE] = write_vote,
    [EVENT_AGENT_ERROR] = write_agent_error,
    [EVENT_CONSENSUS] = write_consensus,
    [EVENT_ERROR] = write_error,
    [EVENT_DEBATE_END] = write_end,
};

static void write_round(struct buffer *out, int round) {
  put_name(out, "round");
  if (round < 0)
    buffer_append_text(out, "null");
  else
    buffer_append_int(out, round);
}

static void write_head(struct buffer *out, const char *debate_id, const struct event *ev,
                       uint64_t agent_seq) {
  char iso[CLOCK_ISO_SIZE];
  clock_format_iso(ev->ts_ms, iso);
  buffer_append_text(out, "{\"type\":\"");
  buffer_append_text(out, event_kind_name(ev->kind));
  buffer_append_char(out, '"');
  put_text(out, "debate_id", debate_id);
  put_text(out, "loop_id", debate_id);
  put_text(out, "timestamp", iso);
  put_name(out, "ts");
  outward_append_millionths(out, ev->ts_ms * 1000);
  put_name(out, "seq");
  buffer_append_int(out, (int64_t)ev->seq);
  put_name(out, "agent_seq");
  buffer_append_int(out, (int64_t)agent_seq);
  write_round(out, ev->round);
  put_text(out, "agent", ev->agent);
}

/* Up to where the event's own fields begin. */
static void open_frame(const char *debate_id, const struct event *event, uint64_t agent_seq,
                       struct buffer *out) {
  write_head(out, debate_id, event, agent_seq);
  buffer_append_text(out, ",\"data\":{\"debate_id\":");
  buffer_append_json_string(out, bytes_of(debate_id));
  if (event->agent) {
    put_text(out, "agent", event->agent);
    put_text(out, "agent_id", event->agent);
  }
  /* debate_end has a count of its own under this name; from there on there is a replay */
  if (event->kind == EVENT_DEBATE_END)
    put_text(out, "replay_id", debate_id);
  else if (event->round >= 0)
    write_round(out, event->round);
}

static enum status close_frame(struct buffer *out) {
  buffer_append_text(out, "}}");
  return out->overflow ? STATUS_NOMEM : STATUS_OK;
}

enum status view_frame(const char *debate_id, const struct event *event, uint64_t agent_seq,
                       struct buffer *out) {
  const char *const *skip = NULL;
  open_frame(debate_id, event, agent_seq, out);
  kind_writer *write = writers[event->kind <= EVENT_UNKNOWN ? event->kind : EVENT_UNKNOWN];
  if (write) write(out, event, &skip);
  outward_append_members(out, event->data, skip);
  return close_frame(out);
}

enum status view_note_frame(const char *debate_id, const struct event *event,
                            const struct attempt_note *note, uint64_t agent_seq,
                            struct buffer *out) {
  open_frame(debate_id, event, agent_seq, out);
  attempt_note_append_outward(out, note);
  return close_frame(out);
}
