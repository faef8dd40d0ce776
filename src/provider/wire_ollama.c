/* Ollama's native chat. Source: its SDK and API page (2026).
 *
 * NDJSON: {model, message{content, thinking}, done: false} ... {done: true, done_reason,
 * prompt_eval_count, eval_count}; an error is a line {"error": "text"}. The context defaults to
 * 4096 tokens and what is longer is cut without a word, so num_ctx is always sent; it is the
 * binding's own figure, never fitted to a request, since another value makes the server load the
 * model again. */
#include "provider/wire_parts.h"

#include <stdlib.h>

static void append_body(struct buffer *b, const struct ask_spec *spec) {
  buffer_append_text(b, "{\"model\":");
  buffer_append_json_string(b, bytes_of(spec->binding->model));
  buffer_append_text(b, ",\"messages\":[");
  if (spec->system.len) {
    buffer_append_text(b, "{\"role\":\"system\",\"content\":");
    buffer_append_json_string(b, spec->system);
    buffer_append_text(b, "},");
  }
  BUFFER_LATER struct buffer user;
  buffer_init(&user, WIRE_BODY_MAX);
  buffer_append_bytes(&user, spec->prefix);
  if (user.len && spec->prompt.len && user.ptr[user.len - 1] != '\n')
    buffer_append_text(&user, "\n\n");
  if (!buffer_append_bytes(&user, spec->prompt)) b->overflow = true;
  buffer_append_text(b, "{\"role\":\"user\",\"content\":");
  buffer_append_json_string(b, buffer_bytes(&user));
  buffer_append_text(b, "}],\"stream\":true");
  if (spec->schema.len && !(spec->binding->quirks & QUIRK_NO_JSON_SCHEMA)) {
    buffer_append_text(b, ",\"format\":");
    buffer_append_bytes(b, spec->schema);
  }
  buffer_append_text(b, ",\"options\":{\"num_predict\":");
  buffer_append_int(b, wire_output_limit(spec));
  if (spec->binding->context_tokens > 0) {
    buffer_append_text(b, ",\"num_ctx\":");
    buffer_append_int(b, spec->binding->context_tokens);
  }
  buffer_append_text(b, "}}");
}

static enum status build(const struct ask_spec *spec, struct wire_request *ret_request) {
  struct wire_request r;
  wire_request_init(&r);
  buffer_printf(&r.url, "%s/api/chat", spec->binding->base_url);
  bool ok = wire_request_header(&r, "content-type: application/json");
  if (spec->binding->key)
    ok = ok && wire_request_header(&r, "authorization: Bearer %s", spec->binding->key);
  append_body(&r.body, spec);
  enum status status = wire_request_check(&r, ok);
  if (status)
    wire_request_done(&r);
  else
    *ret_request = r;
  return status;
}

static void read_message(struct json_scan *s, struct wire_reply *reply) {
  if (!json_scan_object(s)) return;
  while (json_scan_member(s)) {
    if (json_scan_key_is(s, "content"))
      wire_scan_text(s, reply);
    else if (json_scan_key_is(s, "thinking"))
      wire_scan_thinking(s, reply);
    else
      json_scan_skip(s);
  }
}

static bool record(struct wire_reply *reply, struct bytes event_name, struct bytes data) {
  struct json_scan s;
  json_scan_begin(&s, data);
  if (json_scan_object(&s))
    while (json_scan_member(&s)) {
      if (json_scan_key_is(&s, "message"))
        read_message(&s, reply);
      else if (json_scan_key_is(&s, "model"))
        wire_scan_model(&s, reply);
      else if (json_scan_key_is(&s, "done"))
        json_scan_bool(&s, &reply->terminated);
      else if (json_scan_key_is(&s, "done_reason"))
        reply->truncated |= wire_scan_is(&s, "length");
      else if (json_scan_key_is(&s, "prompt_eval_count"))
        wire_scan_count(&s, &reply->usage.input);
      else if (json_scan_key_is(&s, "eval_count"))
        wire_scan_count(&s, &reply->usage.output);
      else if (json_scan_key_is(&s, "error"))
        wire_scan_error(&s, reply);
      else
        json_scan_skip(&s);
    }
  return json_scan_end(&s);
}

static bool may_end(const struct wire_reply *reply) {
  return reply->terminated; /* done: true, and nothing else */
}

const struct wire wire_ollama = {"ollama", build, record, may_end, true};
