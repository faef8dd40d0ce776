#include "debate/speech.h"

#include "base/clock.h"
#include "base/id.h"
#include "debate/outward.h"

#include <stdio.h>

enum { MESSAGE_ID_SIZE = TURN_ID_SIZE + ID_AGENT_MAX_TEXT };

json_t *speech_time(int64_t ms) {
  char iso[CLOCK_ISO_SIZE];
  if (ms <= 0) return json_null();
  clock_format_iso(ms, iso);
  return json_string(iso);
}

static json_t *text_of(const struct event *ev, const char *key) {
  return json_text_or_null(json_get_text(ev->data, key, NULL));
}

/* Unique within the debate, and the same in every view of it. */
static json_t *message_id(const struct event *ev) {
  char id[MESSAGE_ID_SIZE];
  const char *turn = json_get_text(ev->data, "turn", "");
  if (ev->kind == EVENT_CRITIQUE)
    snprintf(id, sizeof id, "%s.%s", turn, json_get_text(ev->data, "target", ""));
  else
    snprintf(id, sizeof id, "%s", turn);
  return json_text(bytes_of(id));
}

/* What every speech has: who, when, where in the log. */
static json_t *speech_head(struct maker *m, const struct event *ev) {
  json_t *out = json_object();
  maker_put(m, out, "message_id", message_id(ev));
  maker_put(m, out, "seq", json_integer((json_int_t)ev->seq));
  maker_put(m, out, "round", json_int_or_null(ev->round));
  maker_put(m, out, "timestamp", speech_time(ev->ts_ms));
  maker_put(m, out, "agent", json_text_or_null(ev->agent));
  maker_put(m, out, "agent_id", json_text_or_null(ev->agent));
  return out;
}

static void put_marks(struct maker *m, json_t *out, const struct event *ev) {
  if (json_get_bool(ev->data, "inherited", false)) maker_put(m, out, "inherited", json_true());
  maker_put(m, out, "repaired", outward_member(ev->data, "repaired"));
  maker_put(m, out, "truncated", outward_member(ev->data, "truncated"));
}

static const struct turn *find_turn(const struct debate *d, const struct event *ev) {
  const char *id = json_get_text(ev->data, "turn", "");
  char have[TURN_ID_SIZE];
  for (int i = 0; i < d->turn_count; i++) {
    debate_turn_id(d, &d->turns[i], have);
    if (strcmp(have, id) == 0) return &d->turns[i];
  }
  return NULL;
}

static void put_binding(struct maker *m, json_t *out, const struct debate *d,
                        const struct event *ev) {
  const struct turn *turn = find_turn(d, ev);
  maker_put(m, out, "provider", json_text_or_null(turn ? turn->provider : NULL));
  maker_put(m, out, "model", json_text_or_null(turn ? turn->model : NULL));
}

json_t *speech_message(struct maker *m, const struct debate *d, const struct event *ev) {
  const char *kind = json_get_text(ev->data, "kind", "");
  const char *key = json_get_text(ev->data, "answer_key", "");
  bool judgment = strcmp(kind, "judgment") == 0;
  json_t *out = speech_head(m, ev);
  maker_put(m, out, "role", json_string(judgment ? "judge" : "proposer"));
  maker_put(m, out, "message_type", json_text(bytes_of(judgment ? "synthesis" : kind)));
  maker_put(m, out, "kind", json_text(bytes_of(kind)));
  maker_put(m, out, "content", text_of(ev, "answer"));
  maker_put(m, out, "position", json_text_or_null(*key ? key : NULL));
  maker_put(m, out, "key_claims", outward_member(ev->data, "key_claims"));
  maker_put(m, out, "confidence", outward_member(ev->data, "confidence_ppm"));
  if (strcmp(kind, "revision") == 0) {
    maker_put(m, out, "stance", text_of(ev, "stance"));
    maker_put(m, out, "changed", outward_member(ev->data, "changed"));
    maker_put(m, out, "because", text_of(ev, "because"));
    maker_put(m, out, "responses", outward_member(ev->data, "responses"));
  }
  if (judgment) {
    maker_put(m, out, "choice", text_of(ev, "choice"));
    maker_put(m, out, "scores", outward_member(ev->data, "scores"));
  }
  put_marks(m, out, ev);
  put_binding(m, out, d, ev);
  return out;
}

static json_t *critique_text(const struct event *ev) {
  BUFFER_LATER struct buffer text;
  buffer_init(&text, SIZE_MAX / 4);
  outward_append_critique(&text, json_object_get(ev->data, "items"));
  return text.overflow ? NULL : json_text(buffer_bytes(&text));
}

/* An item with what its target said to it. */
static json_t *item_object(struct maker *m, const struct debate *d, const json_t *item) {
  static const char *const state_names[] = {"open", "accepted", "rejected"};
  json_t *out = outward_copy(item);
  const char *id = json_get_text(item, "id", "");
  for (int i = 0; i < d->item_count; i++) {
    if (strcmp(d->items[i].id, id) != 0) continue;
    maker_put(m, out, "state", json_string(state_names[d->items[i].state]));
    maker_put(m, out, "reason", json_text_or_null(d->items[i].reason));
    break;
  }
  return out;
}

static json_t *texts_of(struct maker *m, const json_t *items, const char *key) {
  json_t *out = json_array();
  for (size_t i = 0; i < json_array_size(items); i++) {
    const char *text = json_get_text(json_array_get(items, i), key, "");
    if (*text) maker_add(m, out, json_text(bytes_of(text)));
  }
  return out;
}

static void put_severity(struct maker *m, json_t *out, const json_t *items) {
  int64_t worst = outward_worst(items);
  maker_put(m, out, "severity", json_text_or_null(worst < 0 ? NULL : outward_severity(worst)));
  maker_put(m, out, "severity_score", outward_millionths(worst));
}

json_t *speech_critique(struct maker *m, const struct debate *d, const struct event *ev) {
  const json_t *items = json_object_get(ev->data, "items");
  json_t *out = speech_head(m, ev);
  maker_put(m, out, "critic_id", json_text_or_null(ev->agent));
  maker_put(m, out, "target", text_of(ev, "target"));
  maker_put(m, out, "target_agent", text_of(ev, "target"));
  maker_put(m, out, "target_agent_id", text_of(ev, "target"));
  put_severity(m, out, items);
  maker_put(m, out, "content", critique_text(ev));
  json_t *rows = json_array();
  for (size_t i = 0; i < json_array_size(items); i++)
    maker_add(m, rows, item_object(m, d, json_array_get(items, i)));
  maker_put(m, out, "items", rows);
  maker_put(m, out, "issues", texts_of(m, items, "problem"));
  maker_put(m, out, "suggestions", texts_of(m, items, "fix"));
  put_marks(m, out, ev);
  put_binding(m, out, d, ev);
  return out;
}

json_t *speech_critique_message(struct maker *m, const struct event *ev) {
  json_t *out = speech_head(m, ev);
  maker_put(m, out, "role", json_string("critic"));
  maker_put(m, out, "message_type", json_string("critique"));
  maker_put(m, out, "kind", json_string("critique"));
  maker_put(m, out, "target", text_of(ev, "target"));
  put_severity(m, out, json_object_get(ev->data, "items"));
  maker_put(m, out, "content", critique_text(ev));
  put_marks(m, out, ev);
  return out;
}

json_t *speech_ballot(struct maker *m, const struct event *ev) {
  const json_t *ranking = json_object_get(ev->data, "ranking");
  json_t *out = speech_head(m, ev);
  maker_put(m, out, "voter_id", json_text_or_null(ev->agent));
  maker_put(m, out, "choice", outward_copy(json_array_get(ranking, 0)));
  maker_put(m, out, "ranking", outward_copy(ranking));
  maker_put(m, out, "own", text_of(ev, "own"));
  maker_put(m, out, "self_first", outward_member(ev->data, "self_first"));
  maker_put(m, out, "confidence", outward_member(ev->data, "confidence_ppm"));
  put_marks(m, out, ev);
  return out;
}
