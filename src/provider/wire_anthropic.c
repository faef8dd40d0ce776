/* Anthropic Messages. Sources: the official SDK's types (2026) and docs.anthropic.com.
 *
 * Events: message_start {message{model, usage}}, content_block_start, content_block_delta
 * {delta{type, text | thinking | ...}}, content_block_stop, message_delta {delta{stop_reason},
 * usage, cumulative}, message_stop; ping and error at any time. Thinking blocks may come before the
 * text and are dropped; only blocks of text count. input_tokens excludes what the cache served.
 * The text is keyed by what holds it (delta.text, content_block.text), since the order of an
 * object's keys is nobody's promise. Newer models refuse sampling parameters: none are sent. */
#include "provider/vendor_schema.h"
#include "provider/wire_parts.h"

#include <stdlib.h>

static void append_block(struct buffer *b, struct bytes text, bool cached, bool *first) {
  if (!text.len) return; /* an empty text block is a 400 */
  if (!*first) buffer_append_char(b, ',');
  *first = false;
  buffer_append_text(b, "{\"type\":\"text\",\"text\":");
  buffer_append_json_string(b, text);
  if (cached) buffer_append_text(b, ",\"cache_control\":{\"type\":\"ephemeral\"}");
  buffer_append_char(b, '}');
}

static bool append_body(struct buffer *b, const struct ask_spec *spec) {
  bool first = true;
  bool ok = true;
  buffer_append_text(b, "{\"model\":");
  buffer_append_json_string(b, bytes_of(spec->binding->model));
  buffer_append_text(b, ",\"max_tokens\":");
  buffer_append_int(b, wire_output_limit(spec));
  buffer_append_text(b, ",\"stream\":true,");
  if (spec->system.len) {
    buffer_append_text(b, "\"system\":[");
    append_block(b, spec->system, true, &first);
    buffer_append_text(b, "],");
  }
  first = true;
  buffer_append_text(b, "\"messages\":[{\"role\":\"user\",\"content\":[");
  append_block(b, spec->prefix, true, &first);
  append_block(b, spec->prompt, false, &first);
  buffer_append_text(b, "]}]");
  if (spec->schema.len && !(spec->binding->quirks & QUIRK_NO_JSON_SCHEMA)) {
    buffer_append_text(b, ",\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":");
    ok = vendor_schema_append(b, spec->schema, &schema_anthropic);
    buffer_append_text(b, "}}");
  }
  buffer_append_char(b, '}');
  return ok;
}

static enum status build(const struct ask_spec *spec, struct wire_request *ret_request) {
  struct wire_request r;
  wire_request_init(&r);
  const char *base = spec->binding->base_url;
  /* The vendor's own variable has no version in it; ours may. */
  bool has_version = bytes_ends_with(bytes_of(base), BYTES_LITERAL("/v1"));
  buffer_printf(&r.url, "%s%s/messages", base, has_version ? "" : "/v1");
  bool ok = wire_request_header(&r, "content-type: application/json") &&
            wire_request_header(&r, "accept: text/event-stream") &&
            wire_request_header(&r, "anthropic-version: 2023-06-01") &&
            wire_request_header(&r, "x-api-key: %s", spec->binding->key ? spec->binding->key : "");
  bool schema_ok = append_body(&r.body, spec);
  enum status status = wire_request_check(&r, ok);
  if (!status && !schema_ok) status = STATUS_INVALID;
  if (status)
    wire_request_done(&r);
  else
    *ret_request = r;
  return status;
}

static void read_output_details(struct json_scan *s, struct ask_usage *usage) {
  if (!json_scan_object(s)) return;
  while (json_scan_member(s)) {
    if (json_scan_key_is(s, "thinking_tokens"))
      wire_scan_count(s, &usage->reasoning);
    else
      json_scan_skip(s);
  }
}

static void read_usage(struct json_scan *s, struct ask_usage *usage) {
  if (!json_scan_object(s)) return;
  while (json_scan_member(s)) {
    if (json_scan_key_is(s, "input_tokens")) {
      wire_scan_count(s, &usage->input);
    } else if (json_scan_key_is(s, "cache_read_input_tokens")) {
      wire_scan_count(s, &usage->cache_read);
    } else if (json_scan_key_is(s, "cache_creation_input_tokens")) {
      wire_scan_count(s, &usage->cache_write);
    } else if (json_scan_key_is(s, "output_tokens")) {
      wire_scan_count(s, &usage->output);
    } else if (json_scan_key_is(s, "output_tokens_details")) {
      read_output_details(s, usage);
    } else {
      json_scan_skip(s);
    }
  }
}

static void read_stop(struct json_scan *s, struct wire_reply *reply) {
  struct bytes raw;
  bool given = json_scan_peek(s) == JSON_SCAN_STRING;
  if (!json_scan_raw(s, &raw) || !given) return;
  reply->finished = true;
  reply->refused |= bytes_equal(raw, BYTES_LITERAL("\"refusal\""));
  reply->truncated |= bytes_equal(raw, BYTES_LITERAL("\"max_tokens\"")) ||
                      bytes_equal(raw, BYTES_LITERAL("\"model_context_window_exceeded\""));
}

/* A content block or a delta. */
static void read_block(struct json_scan *s, struct wire_reply *reply) {
  if (!json_scan_object(s)) return;
  while (json_scan_member(s)) {
    if (json_scan_key_is(s, "text"))
      wire_scan_text(s, reply);
    else if (json_scan_key_is(s, "thinking") || json_scan_key_is(s, "signature"))
      wire_scan_thinking(s, reply);
    else if (json_scan_key_is(s, "stop_reason"))
      read_stop(s, reply);
    else
      json_scan_skip(s);
  }
}

static void read_blocks(struct json_scan *s, struct wire_reply *reply) {
  if (json_scan_array(s))
    while (json_scan_item(s)) read_block(s, reply);
}

/* The message of message_start, whose content is empty. */
static void read_message(struct json_scan *s, struct wire_reply *reply) {
  if (!json_scan_object(s)) return;
  while (json_scan_member(s)) {
    if (json_scan_key_is(s, "model"))
      wire_scan_model(s, reply);
    else if (json_scan_key_is(s, "usage"))
      read_usage(s, &reply->usage);
    else
      json_scan_skip(s);
  }
}

static void read_type(struct json_scan *s, bool *stop, bool *whole) {
  struct bytes raw;
  if (!json_scan_raw(s, &raw)) return;
  *stop = bytes_equal(raw, BYTES_LITERAL("\"message_stop\""));
  *whole = bytes_equal(raw, BYTES_LITERAL("\"message\"")); /* the server did not stream */
}

static bool record(struct wire_reply *reply, struct bytes event_name, struct bytes data) {
  struct json_scan s;
  bool stop = false, whole = false;
  json_scan_begin(&s, data);
  if (json_scan_object(&s))
    while (json_scan_member(&s)) {
      if (json_scan_key_is(&s, "type"))
        read_type(&s, &stop, &whole);
      else if (json_scan_key_is(&s, "delta") || json_scan_key_is(&s, "content_block"))
        read_block(&s, reply);
      else if (json_scan_key_is(&s, "message"))
        read_message(&s, reply);
      else if (json_scan_key_is(&s, "content"))
        read_blocks(&s, reply);
      else if (json_scan_key_is(&s, "stop_reason"))
        read_stop(&s, reply);
      else if (json_scan_key_is(&s, "usage"))
        read_usage(&s, &reply->usage);
      else if (json_scan_key_is(&s, "model"))
        wire_scan_model(&s, reply);
      else if (json_scan_key_is(&s, "error"))
        wire_scan_error(&s, reply);
      else
        json_scan_skip(&s);
    }
  if (stop || (whole && reply->finished)) reply->terminated = true;
  return json_scan_end(&s);
}

static bool may_end(const struct wire_reply *reply) {
  return reply->terminated; /* message_stop, and nothing else */
}

const struct wire wire_anthropic = {"anthropic", build, record, may_end, false};
