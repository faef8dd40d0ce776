#include "debate/attempt_note.h"

#include "base/utf8.h"
#include "debate/outward.h"

#include <stdlib.h>

/* ---- life ---- */

struct attempt_note *attempt_note_create(enum event_kind event, const struct debate *debate,
                                         const struct turn *turn) {
  struct attempt_note *note = calloc(1, sizeof *note);
  if (!note) return NULL;
  note->event = event;
  debate_turn_id(debate, turn, note->id);
  note->turn = note->id;
  note->kind = turn_kind_names[turn->kind];
  return note;
}

void attempt_note_free(struct attempt_note *note) {
  if (!note) return;
  for (int i = 0; i < note->owned_count; i++) free(note->owned[i]);
  free(note);
}

static struct bytes own(struct attempt_note *note, char *text, size_t len) {
  if (!text) {
    note->failed = true;
    return BYTES_LITERAL("");
  }
  note->owned[note->owned_count++] = text;
  return (struct bytes){text, len};
}

struct bytes attempt_note_text(struct attempt_note *note, struct bytes text) {
  return utf8_valid(text) ? text : attempt_note_copy(note, text);
}

struct bytes attempt_note_copy(struct attempt_note *note, struct bytes text) {
  if (utf8_valid(text)) return own(note, bytes_dup(text), text.len);
  char *clean = utf8_clean(text);
  return own(note, clean, clean ? strlen(clean) : 0);
}

/* ---- reading ---- */

int64_t attempt_note_bounded(int64_t value) {
  const int64_t most = 1000000000000;
  if (value < -1) return -1;
  return value < most ? value : most;
}

static int64_t read_number(const json_t *data, const char *key, int64_t fallback) {
  return attempt_note_bounded(json_get_int(data, key, fallback));
}

static void read_start(const json_t *data, struct attempt_note *note) {
  note->hedge = json_get_bool(data, "hedge", false);
  note->reserved_tokens = read_number(data, "reserved_tokens", 0);
  note->reserved_usd_micro = read_number(data, "reserved_usd_micro", -1);
}

static void read_end(const json_t *data, struct attempt_note *note) {
  const json_t *usage = json_object_get(data, "usage");
  note->outcome = outcome_parse(json_get_text(data, "outcome", ""));
  note->fallback = json_get_bool(data, "fallback", false);
  note->upstream_status = json_get_int(data, "upstream_status", 0);
  note->detail = json_get_text(data, "detail", "");
  note->reply = json_bytes(json_object_get(data, "reply"));
  note->reply_error = json_get_text(data, "reply_error", "");
  note->input = read_number(usage, "input", -1);
  note->cache_read = read_number(usage, "cache_read", -1);
  note->cache_write = read_number(usage, "cache_write", -1);
  note->output = read_number(usage, "output", -1);
  note->tokens = read_number(data, "tokens", 0);
  note->cost_usd_micro = read_number(data, "cost_usd_micro", -1);
  note->ttft_ms = read_number(data, "ttft_ms", -1);
  note->latency_ms = read_number(data, "latency_ms", -1);
}

void attempt_note_read(enum event_kind event, const json_t *data, struct attempt_note *ret_note) {
  *ret_note = (struct attempt_note){.event = event};
  ret_note->turn = json_get_text(data, "turn", "");
  ret_note->number = json_get_int(data, "attempt", 0);
  ret_note->provider = json_get_text(data, "provider", "");
  ret_note->model = json_get_text(data, "model", "");
  if (event == EVENT_ATTEMPT_START)
    read_start(data, ret_note);
  else
    read_end(data, ret_note);
}

/* ---- writing: keys in the order of the canonical form ---- */

/* Behind a comma; the length is the compiler's to count. */
#define PUT_KEY(out, key)          buffer_append(out, ",\"" key "\":", sizeof(",\"" key "\":") - 1)
#define PUT_TEXT(out, key, text)   (PUT_KEY(out, key), buffer_append_json_string(out, bytes_of(text)))
#define PUT_BOOL(out, key, value)  (PUT_KEY(out, key), put_bool(out, value))
#define PUT_KNOWN(out, key, value) (PUT_KEY(out, key), put_known(out, value))
/* Micro-dollars, which are dollars outside, and lose the end of their name. */
#define PUT_USD(out, key, value, outward)                      \
  ((outward) ? PUT_KEY(out, key) : PUT_KEY(out, key "_micro"), \
   (outward) && (value) >= 0 ? outward_append_millionths(out, value) : put_known(out, value))

static void put_bool(struct buffer *out, bool value) {
  if (value)
    buffer_append(out, "true", 4);
  else
    buffer_append(out, "false", 5);
}

static void put_known(struct buffer *out, int64_t value) {
  if (value < 0)
    buffer_append(out, "null", 4);
  else
    buffer_append_int(out, value);
}

static void put_number(struct buffer *out, const struct attempt_note *note, bool outward) {
  buffer_append(out, outward ? ",\"attempt\":" : "{\"attempt\":", sizeof "{\"attempt\":" - 1);
  buffer_append_int(out, note->number);
}

static void put_labels(struct buffer *out, const struct attempt_note *note) {
  PUT_KEY(out, "labels");
  buffer_append_char(out, '[');
  for (int i = 0; i < note->label_count; i++) {
    if (i) buffer_append_char(out, ',');
    buffer_append_json_string(out, bytes_of(note->labels[i]));
  }
  buffer_append_char(out, ']');
}

static void put_start(struct buffer *out, const struct attempt_note *note, bool outward) {
  put_number(out, note, outward);
  if (note->hedge) PUT_BOOL(out, "hedge", true);
  PUT_TEXT(out, "kind", note->kind);
  put_labels(out, note);
  PUT_TEXT(out, "model", note->model);
  if (note->prompt_bytes > 0) PUT_KNOWN(out, "prompt_bytes", note->prompt_bytes);
  PUT_TEXT(out, "provider", note->provider);
  PUT_BOOL(out, "repair", note->repair);
  PUT_KEY(out, "reserved_tokens");
  buffer_append_int(out, note->reserved_tokens);
  PUT_USD(out, "reserved_usd", note->reserved_usd_micro, outward);
  PUT_TEXT(out, "turn", note->turn);
}

static void put_usage(struct buffer *out, const struct attempt_note *note) {
  buffer_append_text(out, ",\"usage\":{\"cache_read\":");
  put_known(out, note->cache_read);
  PUT_KNOWN(out, "cache_write", note->cache_write);
  PUT_KNOWN(out, "input", note->input);
  PUT_KNOWN(out, "output", note->output);
  PUT_KNOWN(out, "reasoning", note->reasoning);
  buffer_append_char(out, '}');
}

static void put_end(struct buffer *out, const struct attempt_note *note, bool outward) {
  put_number(out, note, outward);
  PUT_USD(out, "cost_usd", note->cost_usd_micro, outward);
  PUT_TEXT(out, "detail", note->detail);
  PUT_BOOL(out, "fallback", note->fallback);
  PUT_TEXT(out, "kind", note->kind);
  PUT_KNOWN(out, "latency_ms", note->latency_ms);
  PUT_TEXT(out, "model", note->model);
  PUT_TEXT(out, "outcome", outcome_name(note->outcome));
  PUT_TEXT(out, "provider", note->provider);
  if (note->reply.ptr) {
    PUT_KEY(out, "reply");
    buffer_append_json_string(out, note->reply);
    PUT_TEXT(out, "reply_error", note->reply_error);
  }
  PUT_TEXT(out, "request_id", note->request_id);
  PUT_KEY(out, "tokens");
  buffer_append_int(out, note->tokens);
  PUT_BOOL(out, "truncated", note->truncated);
  PUT_KNOWN(out, "ttft_ms", note->ttft_ms);
  PUT_TEXT(out, "turn", note->turn);
  PUT_KNOWN(out, "upstream_status", note->upstream_status ? note->upstream_status : -1);
  put_usage(out, note);
}

static void put_members(struct buffer *out, const struct attempt_note *note, bool outward) {
  if (note->event == EVENT_ATTEMPT_START)
    put_start(out, note, outward);
  else
    put_end(out, note, outward);
}

void attempt_note_append(struct buffer *out, const struct attempt_note *note) {
  put_members(out, note, false);
  buffer_append_char(out, '}');
}

void attempt_note_append_outward(struct buffer *out, const struct attempt_note *note) {
  put_members(out, note, true);
}
