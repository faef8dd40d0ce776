/* Gemini generateContent. Sources: the official SDK's types (2026) and ai.google.dev.
 *
 * Every event is a whole GenerateContentResponse: candidates[0].content.parts[].text (parts with
 * thought: true are thinking), finishReason, promptFeedback.blockReason when there is no candidate,
 * usageMetadata (cumulative, the last counts), modelVersion. No [DONE]: the stream ends after a
 * finishReason. thoughtsTokenCount stands beside candidatesTokenCount, both are output. The key
 * goes into a header: in the URL it would leak into logs. */
#include "provider/vendor_schema.h"
#include "provider/wire_parts.h"

#include <stdlib.h>

static void append_part(struct buffer *b, struct bytes text, bool *first) {
  if (!text.len) return;
  buffer_append_text(b, *first ? "{\"text\":" : ",{\"text\":");
  *first = false;
  buffer_append_json_string(b, text);
  buffer_append_char(b, '}');
}

static bool append_body(struct buffer *b, const struct ask_spec *spec) {
  bool first = true;
  bool ok = true;
  buffer_append_char(b, '{');
  if (spec->system.len) {
    buffer_append_text(b, "\"systemInstruction\":{\"parts\":[");
    append_part(b, spec->system, &first);
    buffer_append_text(b, "]},");
  }
  first = true;
  buffer_append_text(b, "\"contents\":[{\"role\":\"user\",\"parts\":[");
  append_part(b, spec->prefix, &first);
  append_part(b, spec->prompt, &first);
  buffer_append_text(b, "]}],\"generationConfig\":{\"maxOutputTokens\":");
  buffer_append_int(b, wire_output_limit(spec));
  if (spec->schema.len && !(spec->binding->quirks & QUIRK_NO_JSON_SCHEMA)) {
    buffer_append_text(b, ",\"responseMimeType\":\"application/json\",\"responseSchema\":");
    ok = vendor_schema_append(b, spec->schema, &schema_gemini);
  }
  buffer_append_text(b, "}}");
  return ok;
}

static enum status build(const struct ask_spec *spec, struct wire_request *ret_request) {
  const struct agent_binding *binding = spec->binding;
  struct wire_request r;
  wire_request_init(&r);
  bool versioned = strstr(binding->base_url, "/v1") != NULL;
  buffer_printf(&r.url, "%s%s/models/%s:streamGenerateContent?alt=sse", binding->base_url,
                versioned ? "" : "/v1beta", binding->model);
  bool ok = wire_request_header(&r, "content-type: application/json") &&
            wire_request_header(&r, "accept: text/event-stream") &&
            wire_request_header(&r, "x-goog-api-key: %s", binding->key ? binding->key : "");
  bool schema_ok = append_body(&r.body, spec);
  enum status status = wire_request_check(&r, ok);
  if (!status && !schema_ok) status = STATUS_INVALID;
  if (status)
    wire_request_done(&r);
  else
    *ret_request = r;
  return status;
}

static void read_part(struct json_scan *s, struct wire_reply *reply) {
  size_t before = reply->text.len;
  bool thought = false;
  if (!json_scan_object(s)) return;
  while (json_scan_member(s)) {
    if (json_scan_key_is(s, "text"))
      wire_scan_text(s, reply);
    else if (json_scan_key_is(s, "thought"))
      json_scan_bool(s, &thought);
    else
      json_scan_skip(s);
  }
  if (thought && reply->text.len > before) { /* the mark may come after the text */
    reply->text.len = before;
    reply->text.ptr[before] = '\0';
  }
}

static void read_content(struct json_scan *s, struct wire_reply *reply) {
  if (!json_scan_object(s)) return;
  while (json_scan_member(s)) {
    if (!json_scan_key_is(s, "parts")) {
      json_scan_skip(s);
    } else if (json_scan_array(s)) {
      while (json_scan_item(s)) read_part(s, reply);
    }
  }
}

static bool is_one_of(struct bytes raw, const char *const *words) {
  for (; *words; words++)
    if (raw.len == strlen(*words) + 2 && memcmp(raw.ptr + 1, *words, raw.len - 2) == 0) return true;
  return false;
}

static void read_finish(struct json_scan *s, struct wire_reply *reply) {
  static const char *const refusals[] = {"SAFETY",
                                         "RECITATION",
                                         "LANGUAGE",
                                         "BLOCKLIST",
                                         "SPII",
                                         "NO_IMAGE",
                                         "IMAGE_SAFETY",
                                         "PROHIBITED_CONTENT",
                                         "IMAGE_PROHIBITED_CONTENT",
                                         NULL};
  static const char *const nothing[] = {"FINISH_REASON_UNSPECIFIED", "", NULL};
  struct bytes raw;
  bool given = json_scan_peek(s) == JSON_SCAN_STRING;
  if (!json_scan_raw(s, &raw) || !given || is_one_of(raw, nothing)) return;
  reply->finished = true;
  if (bytes_equal(raw, BYTES_LITERAL("\"MAX_TOKENS\""))) {
    reply->truncated = true;
  } else if (is_one_of(raw, refusals)) {
    reply->refused = true;
  } else if (!bytes_equal(raw, BYTES_LITERAL("\"STOP\""))) {
    char name[48];
    size_t len = raw.len - 2 < sizeof name - 1 ? raw.len - 2 : sizeof name - 1;
    memcpy(name, raw.ptr + 1, len);
    name[len] = '\0';
    wire_reply_fail(reply, OUTCOME_UNAVAILABLE, name, "the model stopped without finishing");
  }
}

static void read_candidate(struct json_scan *s, struct wire_reply *reply) {
  if (!json_scan_object(s)) return;
  while (json_scan_member(s)) {
    if (json_scan_key_is(s, "content"))
      read_content(s, reply);
    else if (json_scan_key_is(s, "finishReason"))
      read_finish(s, reply);
    else
      json_scan_skip(s);
  }
}

static void read_candidates(struct json_scan *s, struct wire_reply *reply) {
  bool first = true;
  if (!json_scan_array(s)) return;
  while (json_scan_item(s)) {
    if (first)
      read_candidate(s, reply);
    else
      json_scan_skip(s);
    first = false;
  }
}

/* Present and empty on good answers; only a blockReason means that the prompt was refused. */
static void read_feedback(struct json_scan *s, struct wire_reply *reply) {
  if (!json_scan_object(s)) return;
  while (json_scan_member(s)) {
    struct bytes raw;
    bool reason = json_scan_key_is(s, "blockReason") && json_scan_peek(s) == JSON_SCAN_STRING;
    if (!json_scan_raw(s, &raw) || !reason || raw.len == 2) continue;
    if (!bytes_equal(raw, BYTES_LITERAL("\"BLOCK_REASON_UNSPECIFIED\"")))
      reply->refused = reply->finished = true;
  }
}

static void read_usage(struct json_scan *s, struct ask_usage *usage) {
  int64_t prompt = -1, cached = -1, candidates = -1, thoughts = -1;
  if (!json_scan_object(s)) return;
  while (json_scan_member(s)) {
    if (json_scan_key_is(s, "promptTokenCount"))
      wire_scan_count(s, &prompt);
    else if (json_scan_key_is(s, "cachedContentTokenCount"))
      wire_scan_count(s, &cached);
    else if (json_scan_key_is(s, "candidatesTokenCount"))
      wire_scan_count(s, &candidates);
    else if (json_scan_key_is(s, "thoughtsTokenCount"))
      wire_scan_count(s, &thoughts);
    else
      json_scan_skip(s);
  }
  if (prompt >= 0) usage->input = cached > 0 && cached <= prompt ? prompt - cached : prompt;
  if (cached >= 0) usage->cache_read = cached;
  if (thoughts >= 0) usage->reasoning = thoughts;
  /* Early chunks may count thoughts alone; both stay far below what could overflow. */
  const int64_t sane = INT64_C(1) << 53;
  if (candidates >= 0 || thoughts >= 0)
    usage->output = (candidates > 0 && candidates < sane ? candidates : 0) +
                    (thoughts > 0 && thoughts < sane ? thoughts : 0);
}

static void read_response(struct json_scan *s, struct wire_reply *reply) {
  if (!json_scan_object(s)) return;
  while (json_scan_member(s)) {
    if (json_scan_key_is(s, "candidates"))
      read_candidates(s, reply);
    else if (json_scan_key_is(s, "promptFeedback"))
      read_feedback(s, reply);
    else if (json_scan_key_is(s, "usageMetadata"))
      read_usage(s, &reply->usage);
    else if (json_scan_key_is(s, "modelVersion"))
      wire_scan_model(s, reply);
    else if (json_scan_key_is(s, "error"))
      wire_scan_error(s, reply);
    else
      json_scan_skip(s);
  }
}

static bool record(struct wire_reply *reply, struct bytes event_name, struct bytes data) {
  struct json_scan s;
  json_scan_begin(&s, data);
  if (json_scan_peek(&s) ==
      JSON_SCAN_ARRAY) { /* without alt=sse, and errors: wrapped in an array */
    json_scan_array(&s);
    while (json_scan_item(&s)) read_response(&s, reply);
  } else {
    read_response(&s, reply);
  }
  return json_scan_end(&s);
}

static bool may_end(const struct wire_reply *reply) {
  return reply->finished;
}

const struct wire wire_gemini = {"gemini", build, record, may_end, false};
