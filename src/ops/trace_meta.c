#include "ops/trace_meta.h"

#include "base/json_tree.h"
#include "debate/outward.h"
#include "ops/debate_row.h"

void trace_meta_init(struct trace_meta *m) {
  *m = (struct trace_meta){0};
}

void trace_meta_done(struct trace_meta *m) {
  json_decref(m->start);
  json_decref(m->consensus);
  *m = (struct trace_meta){0};
}

enum status trace_meta_take(struct trace_meta *m, const struct store_event *event,
                            struct error *err) {
  json_t **at = strcmp(event->type, "debate_start") == 0 ? &m->start
                : strcmp(event->type, "consensus") == 0  ? &m->consensus
                                                         : NULL;
  m->events = event->seq;
  memcpy(m->head, event->hash, sizeof m->head);
  if (!at || !event->data.ptr) return STATUS_OK;
  json_t *data = json_tree_read(event->data);
  if (!data && json_parse(event->data, &data, NULL))
    return error_set(err, STATUS_CORRUPT, NULL, "event %llu of a log is no JSON",
                     (unsigned long long)event->seq);
  json_decref(*at);
  *at = data;
  return STATUS_OK;
}

static json_t *agents_of(const struct trace_meta *m) {
  static const char *const keys[] = {"name", "type", "provider", "model", "role"};
  const json_t *from = json_object_get(m->start, "agents");
  json_t *out = json_array();
  for (size_t i = 0; i < json_array_size(from); i++) {
    json_t *agent = json_object();
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
      json_object_set_new(agent, keys[k],
                          json_deep_copy(json_object_get(json_array_get(from, i), keys[k])));
    json_array_append_new(out, agent);
  }
  return out;
}

/* First choices by position, under the position's key where it has one. */
static json_t *tally_of(const struct trace_meta *m) {
  const json_t *positions = json_object_get(m->consensus, "positions");
  json_t *out = json_object();
  for (size_t i = 0; i < json_array_size(positions); i++) {
    const json_t *p = json_array_get(positions, i);
    const char *key = json_get_text(p, "key", "");
    json_object_set_new(out, *key ? key : json_get_text(p, "id", "?"),
                        json_integer(json_get_int(p, "first_choices", 0)));
  }
  return out;
}

/* The three words of the earlier server; ours stands in debate_status. */
static const char *status_of(const struct store_debate *row) {
  if (row->completed_ms < 0) return "in_progress";
  return strcmp(row->status, "failed") == 0 ? "crashed" : "completed";
}

json_t *trace_meta_object(const struct trace_meta *m, const struct store_debate *row) {
  char head[65];
  bytes_to_hex(m->head, sizeof m->head, head);
  struct bytes task = bytes_of(row->task ? row->task : "");
  return json_pack(
      "{s:i, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:o, s:o, s:o, s:I, s:s, s:[]}",
      "schema_version", TRACE_META_VERSION, "debate_id", row->id, "slug",
      json_text_or_null(row->slug), "topic", json_text(task), "proposal", json_text(task), "agents",
      agents_of(m), "started_at", json_time_or_null(row->created_ms), "ended_at",
      json_time_or_null(row->completed_ms), "duration_ms", json_int_or_null(row->duration_ms),
      "status", status_of(row), "debate_status", row->status, "outcome",
      json_text_or_null(row->outcome), "final_verdict", outward_member(m->consensus, "conclusion"),
      "vote_tally", tally_of(m), "event_count", (json_int_t)m->events, "head_hash", head, "tags");
}
