/* OpenAI Chat Completions, and the family that speaks it: OpenRouter, xAI, Mistral, DeepSeek, Kimi,
 * LM Studio, vLLM. Sources: the official SDK's types (2026), OpenRouter's and Mistral's SDKs,
 * DeepSeek's pages.
 *
 * Chunks {model, choices[{delta{content, refusal, reasoning_content}, finish_reason}], usage}, then
 * one with empty choices and the usage, then [DONE]. Mistral's content may be an array of chunks.
 * An error may come as a chunk while HTTP stays 200. prompt_tokens includes what the cache served,
 * completion_tokens includes reasoning. OpenRouter books `cost` in dollars. */
#include "provider/wire_parts.h"

#include <math.h>
#include <stdlib.h>

static void append_message(struct buffer *b, const char *role, struct bytes first,
                           struct bytes second) {
  buffer_append_text(b, "{\"role\":\"");
  buffer_append_text(b, role);
  buffer_append_text(b, "\",\"content\":");
  if (first.len && second.len) {
    /* One string: not every member of the family takes an array. The prefix stays a prefix. */
    BUFFER_LATER struct buffer joined;
    buffer_init(&joined, WIRE_BODY_MAX);
    buffer_reserve(&joined, first.len + second.len + 2);
    buffer_append_bytes(&joined, first);
    if (first.ptr[first.len - 1] != '\n') buffer_append_text(&joined, "\n\n");
    if (!buffer_append_bytes(&joined, second)) b->overflow = true;
    buffer_append_json_string(b, buffer_bytes(&joined));
  } else {
    buffer_append_json_string(b, first.len ? first : second);
  }
  buffer_append_char(b, '}');
}

static void append_body(struct buffer *b, const struct ask_spec *spec) {
  const struct agent_binding *binding = spec->binding;
  buffer_append_text(b, "{\"model\":");
  buffer_append_json_string(b, bytes_of(binding->model));
  buffer_append_text(b, ",\"messages\":[");
  if (spec->system.len) {
    append_message(b, "system", spec->system, (struct bytes){0});
    buffer_append_char(b, ',');
  }
  append_message(b, "user", spec->prefix, spec->prompt);
  bool old = binding->quirks & QUIRK_MAX_TOKENS_OLD_NAME;
  buffer_append_text(b, old ? "],\"max_tokens\":" : "],\"max_completion_tokens\":");
  buffer_append_int(b, wire_output_limit(spec));
  buffer_append_text(b, ",\"stream\":true");
  if (!(binding->quirks & QUIRK_NO_STREAM_OPTIONS)) {
    /* Without it OpenAI pads every chunk; others do not know it. */
    bool openai = strcmp(binding->provider, "openai") == 0;
    buffer_append_text(b, ",\"stream_options\":{\"include_usage\":true");
    buffer_append_text(b, openai ? ",\"include_obfuscation\":false}" : "}");
  }
  if (spec->schema.len && !(binding->quirks & QUIRK_NO_JSON_SCHEMA)) {
    buffer_append_text(b,
                       ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":");
    buffer_append_json_string(b, bytes_of(spec->schema_name ? spec->schema_name : "reply"));
    buffer_append_text(b, ",\"strict\":true,\"schema\":");
    buffer_append_bytes(b, spec->schema);
    buffer_append_text(b, "}}");
  }
  buffer_append_char(b, '}');
}

static enum status build(const struct ask_spec *spec, struct wire_request *ret_request) {
  const struct agent_binding *binding = spec->binding;
  struct wire_request r;
  wire_request_init(&r);
  buffer_printf(&r.url, "%s/chat/completions", binding->base_url);
  bool ok = wire_request_header(&r, "content-type: application/json") &&
            wire_request_header(&r, "accept: text/event-stream");
  if (binding->key) ok = ok && wire_request_header(&r, "authorization: Bearer %s", binding->key);
  if (binding->quirks & QUIRK_OPENROUTER_HEADERS)
    ok = ok && wire_request_header(&r, "http-referer: https://aragora.ai") &&
         wire_request_header(&r, "x-openrouter-title: Aragora");
  append_body(&r.body, spec);
  enum status status = wire_request_check(&r, ok);
  if (status)
    wire_request_done(&r);
  else
    *ret_request = r;
  return status;
}

struct counts { /* as the family sends them */
  int64_t prompt, completion, cached, cache_write, reasoning;
};

static void read_details(struct json_scan *s, struct counts *c) {
  if (!json_scan_object(s)) return;
  while (json_scan_member(s)) {
    if (json_scan_key_is(s, "cached_tokens"))
      wire_scan_count(s, &c->cached);
    else if (json_scan_key_is(s, "cache_write_tokens"))
      wire_scan_count(s, &c->cache_write);
    else if (json_scan_key_is(s, "reasoning_tokens"))
      wire_scan_count(s, &c->reasoning);
    else
      json_scan_skip(s);
  }
}

static void take_counts(const struct counts *c, struct ask_usage *usage) {
  if (c->completion >= 0) usage->output = c->completion;
  if (c->reasoning >= 0) usage->reasoning = c->reasoning;
  if (c->cached >= 0) usage->cache_read = c->cached;
  if (c->cache_write >= 0) usage->cache_write = c->cache_write;
  if (c->prompt < 0) return;
  int64_t cached = c->cached > 0 ? c->cached : 0;
  int64_t written = c->cache_write > 0 ? c->cache_write : 0;
  bool sane = cached <= c->prompt && written <= c->prompt - cached;
  usage->input = sane ? c->prompt - cached - written : c->prompt;
}

static void read_usage(struct json_scan *s, struct wire_reply *reply) {
  struct counts c = {-1, -1, -1, -1, -1};
  double cost;
  if (!json_scan_object(s)) return;
  while (json_scan_member(s)) {
    if (json_scan_key_is(s, "prompt_tokens")) {
      wire_scan_count(s, &c.prompt);
    } else if (json_scan_key_is(s, "completion_tokens")) {
      wire_scan_count(s, &c.completion);
    } else if (json_scan_key_is(s, "prompt_tokens_details") ||
               json_scan_key_is(s, "completion_tokens_details")) {
      read_details(s, &c);
    } else if (json_scan_key_is(s, "prompt_cache_hit_tokens")) { /* DeepSeek */
      wire_scan_count(s, &c.cached);
    } else if (json_scan_key_is(s, "cost")) {
      if (json_scan_real(s, &cost) && cost >= 0 && cost < 1e6)
        reply->cost_usd_micro = (int64_t)ceil(cost * 1e6 - 1e-6);
    } else {
      json_scan_skip(s);
    }
  }
  take_counts(&c, &reply->usage);
}

/* A string; null; or Mistral's [{type: text, text}, {type: thinking, thinking: [...]}]. */
static void read_content(struct json_scan *s, struct wire_reply *reply) {
  if (json_scan_peek(s) != JSON_SCAN_ARRAY) {
    wire_scan_text(s, reply);
    return;
  }
  json_scan_array(s);
  while (json_scan_item(s)) {
    if (!json_scan_object(s)) continue;
    while (json_scan_member(s)) {
      if (json_scan_key_is(s, "text")) {
        wire_scan_text(s, reply);
      } else if (json_scan_key_is(s, "thinking")) {
        reply->content = true;
        json_scan_skip(s);
      } else {
        json_scan_skip(s);
      }
    }
  }
}

static void read_refusal(struct json_scan *s, struct wire_reply *reply) {
  struct bytes raw;
  bool string = json_scan_peek(s) == JSON_SCAN_STRING;
  if (json_scan_raw(s, &raw) && string && raw.len > 2) reply->refused = reply->content = true;
}

static void read_delta(struct json_scan *s, struct wire_reply *reply) {
  if (!json_scan_object(s)) return;
  while (json_scan_member(s)) {
    if (json_scan_key_is(s, "content"))
      read_content(s, reply);
    else if (json_scan_key_is(s, "refusal"))
      read_refusal(s, reply);
    else if (json_scan_key_is(s, "reasoning_content") || json_scan_key_is(s, "reasoning"))
      wire_scan_thinking(s, reply);
    else
      json_scan_skip(s);
  }
}

static void read_finish(struct json_scan *s, struct wire_reply *reply) {
  struct bytes raw;
  bool given = json_scan_peek(s) == JSON_SCAN_STRING;
  if (!json_scan_raw(s, &raw) || !given || raw.len == 2) return;
  if (bytes_equal(raw, BYTES_LITERAL("\"error\""))) {
    /* The chunk's `error` says more, if it has one. */
    if (!reply->error) wire_reply_fail(reply, OUTCOME_OVERLOADED, "error", NULL);
    return;
  }
  reply->finished = true;
  reply->refused |= bytes_equal(raw, BYTES_LITERAL("\"content_filter\""));
  reply->truncated |= bytes_equal(raw, BYTES_LITERAL("\"length\"")) ||
                      bytes_equal(raw, BYTES_LITERAL("\"model_length\""));
}

static void read_choice(struct json_scan *s, struct wire_reply *reply, struct json_scan *finish) {
  if (!json_scan_object(s)) return;
  while (json_scan_member(s)) {
    if (json_scan_key_is(s, "delta") || json_scan_key_is(s, "message")) {
      read_delta(s, reply);
    } else if (json_scan_key_is(s, "finish_reason")) {
      *finish = *s; /* read last: an `error` beside the choices has better words */
      json_scan_skip(s);
    } else {
      json_scan_skip(s);
    }
  }
}

static void read_choices(struct json_scan *s, struct wire_reply *reply, struct json_scan *finish) {
  bool first = true;
  if (!json_scan_array(s)) return;
  while (json_scan_item(s)) {
    if (first)
      read_choice(s, reply, finish);
    else
      json_scan_skip(s);
    first = false;
  }
}

static bool record(struct wire_reply *reply, struct bytes event_name, struct bytes data) {
  if (bytes_equal(data, BYTES_LITERAL("[DONE]"))) {
    reply->terminated = true;
    return true;
  }
  struct json_scan s;
  struct json_scan finish = {.failed = true};
  json_scan_begin(&s, data);
  if (json_scan_object(&s))
    while (json_scan_member(&s)) {
      if (json_scan_key_is(&s, "choices"))
        read_choices(&s, reply, &finish);
      else if (json_scan_key_is(&s, "model"))
        wire_scan_model(&s, reply);
      else if (json_scan_key_is(&s, "usage"))
        read_usage(&s, reply);
      else if (json_scan_key_is(&s, "error"))
        wire_scan_error(&s, reply);
      else
        json_scan_skip(&s);
    }
  if (!json_scan_end(&s)) return false;
  if (!finish.failed) read_finish(&finish, reply);
  return true;
}

/* Some of the family close without [DONE]; the finish reason says that the text is whole. */
static bool may_end(const struct wire_reply *reply) {
  return reply->finished;
}

const struct wire wire_openai = {"openai", build, record, may_end, false};
