/* OpenAI Chat Completions, and OpenRouter, which has costs, comments and errors of its own.
 * Sources: the official SDKs' types (2026). Without stream_options.include_usage the counts stand
 * in the last chunk, as Mistral and DeepSeek send them. */
#include "fake/vendor.h"

#include <inttypes.h>

enum { COST_NANO_PER_TOKEN = 1000 }; /* a dollar a million tokens */

static bool is_openrouter(const struct vendor_reply *r) {
  return r->question->format == QUESTION_OPENROUTER;
}

static void append_usage(const struct vendor_reply *r, struct buffer *out) {
  bool wrong = r->fault == FAULT_USAGE_WRONG;
  int64_t input = wrong ? -7 : (int64_t)r->question->input_words;
  int64_t output = wrong ? INT64_C(4611686018427387904) : r->output_tokens;
  int64_t reasoning = r->fault == FAULT_THINKING_FIRST ? VENDOR_THOUGHT_TOKENS : 0;
  int64_t total = wrong ? -1 : input + output;
  buffer_append_text(out, ",\"usage\":{\"prompt_tokens\":");
  buffer_append_int(out, input);
  buffer_append_text(out, ",\"completion_tokens\":");
  buffer_append_int(out, output);
  buffer_append_text(out, ",\"total_tokens\":");
  buffer_append_int(out, total);
  buffer_printf(out,
                ",\"prompt_tokens_details\":{\"cached_tokens\":%d},"
                "\"completion_tokens_details\":{\"reasoning_tokens\":%" PRId64 "}",
                wrong ? 999999 : 0, reasoning);
  if (is_openrouter(r)) {
    int64_t nano = wrong ? -1000 : total * COST_NANO_PER_TOKEN;
    buffer_printf(out, ",\"cost\":%s%" PRId64 ".%09" PRId64, nano < 0 ? "-" : "",
                  (nano < 0 ? -nano : nano) / 1000000000, (nano < 0 ? -nano : nano) % 1000000000);
  }
  buffer_append_char(out, '}');
}

static void append_head(const struct vendor_reply *r, const char *object, struct buffer *out) {
  buffer_printf(out,
                "{\"id\":\"chatcmpl-fake%" PRIu64 "\",\"object\":\"%s\",\"created\":%" PRId64
                ",\"model\":",
                r->number, object, r->wall_s);
  buffer_append_json_string(out, buffer_bytes(&r->question->model));
}

struct chunks {
  const struct vendor_reply *reply;
  struct buffer *out;
  struct buffer head; /* what begins every chunk, up to `"delta":` */
  const char *tail;   /* what ends it, from behind the choices */
};

static void begin_chunk(struct chunks *c, const char *delta) {
  buffer_append_bytes(c->out, buffer_bytes(&c->head));
  buffer_append_text(c->out, delta);
}

static void end_chunk(struct chunks *c, const char *finish) {
  buffer_append_text(c->out, finish ? ",\"finish_reason\":\"" : ",\"finish_reason\":null");
  if (finish) {
    buffer_append_text(c->out, finish);
    buffer_append_char(c->out, '"');
  }
  buffer_append_text(c->out, "}]");
  buffer_append_text(c->out, c->tail);
}

static void append_thinking(struct chunks *c) {
  bool list = c->reply->fault == FAULT_ARRAY_CONTENT;
  begin_chunk(c, list ? "{\"content\":[{\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\","
                        "\"text\":"
                      : "{\"reasoning_content\":");
  buffer_append_json_string(c->out, bytes_of(vendor_thought));
  buffer_append_text(c->out, list ? "}]}]}" : "}");
  end_chunk(c, NULL);
}

static void append_text(struct chunks *c) {
  bool list = c->reply->fault == FAULT_ARRAY_CONTENT;
  struct bytes rest = c->reply->text;
  for (struct bytes token; (token = vendor_next_token(&rest)).len;) {
    begin_chunk(c, list ? "{\"content\":[{\"type\":\"text\",\"text\":" : "{\"content\":");
    buffer_append_json_string(c->out, token);
    buffer_append_text(c->out, list ? "}]}" : "}");
    end_chunk(c, NULL);
  }
}

static const char *finish_of(const struct vendor_reply *r) {
  return r->fault == FAULT_TRUNCATED ? "length" : "stop";
}

static void append_end(struct chunks *c) {
  const struct vendor_reply *r = c->reply;
  bool counted = r->fault != FAULT_USAGE_MISSING;
  bool apart = r->question->wants_usage;
  begin_chunk(c, "{}");
  if (counted && !apart) {
    buffer_printf(c->out, ",\"finish_reason\":\"%s\"}]", finish_of(r));
    append_usage(r, c->out);
    buffer_append_text(c->out, "}\n\n");
  } else {
    end_chunk(c, finish_of(r));
  }
  if (counted && apart) {
    buffer_append_text(c->out, "data: ");
    append_head(r, "chat.completion.chunk", c->out);
    buffer_append_text(c->out, ",\"choices\":[]");
    append_usage(r, c->out);
    buffer_append_text(c->out, "}\n\n");
  }
  buffer_append_text(c->out, "data: [DONE]\n\n");
}

static void stream(const struct vendor_reply *r, struct buffer *out) {
  struct chunks c = {.reply = r, .out = out, .tail = "}\n\n"};
  if (r->question->wants_usage) c.tail = ",\"usage\":null}\n\n";
  if (r->fault == FAULT_OBFUSCATION) c.tail = ",\"obfuscation\":\"aZ3kQ9xR\"}\n\n";
  buffer_init(&c.head, 8192);
  buffer_append_text(&c.head, "data: ");
  append_head(r, "chat.completion.chunk", &c.head);
  buffer_append_text(&c.head, ",\"choices\":[{\"index\":0,\"delta\":");
  if (c.head.overflow) out->overflow = true;
  if (is_openrouter(r)) buffer_append_text(out, ": OPENROUTER PROCESSING\n\n");
  begin_chunk(&c, "{\"role\":\"assistant\",\"content\":\"\"}");
  end_chunk(&c, NULL);
  if (r->fault == FAULT_THINKING_FIRST || r->fault == FAULT_ARRAY_CONTENT) append_thinking(&c);
  if (r->fault == FAULT_REFUSAL) {
    begin_chunk(&c, "{\"refusal\":");
    buffer_append_json_string(out, bytes_of(vendor_refusal));
    buffer_append_char(out, '}');
    end_chunk(&c, NULL);
  }
  append_text(&c);
  append_end(&c);
  buffer_done(&c.head);
}

static void whole(const struct vendor_reply *r, struct buffer *out) {
  append_head(r, "chat.completion", out);
  buffer_append_text(out, ",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",");
  if (r->fault == FAULT_THINKING_FIRST)
    buffer_printf(out, "\"reasoning_content\":\"%s\",", vendor_thought);
  if (r->fault == FAULT_REFUSAL)
    buffer_printf(out, "\"refusal\":\"%s\",\"content\":null", vendor_refusal);
  else if (r->fault == FAULT_ARRAY_CONTENT)
    buffer_append_text(out, "\"content\":[{\"type\":\"text\",\"text\":");
  else
    buffer_append_text(out, "\"content\":");
  if (r->fault != FAULT_REFUSAL) buffer_append_json_string(out, r->text);
  if (r->fault == FAULT_ARRAY_CONTENT) buffer_append_text(out, "}]");
  buffer_printf(out, "},\"finish_reason\":\"%s\"}]", finish_of(r));
  if (r->fault != FAULT_USAGE_MISSING) append_usage(r, out);
  buffer_append_char(out, '}');
}

/* ---- errors ---- */

static void append_type(const struct vendor_error *e, struct buffer *out) {
  const char *type = e->status >= 500 ? "server_error" : "invalid_request_error";
  const char *code = NULL;
  if (e->status == 401) code = "invalid_api_key";
  if (e->status == 404) code = "model_not_found";
  if (e->status == 429) type = "requests", code = "rate_limit_exceeded";
  if (e->status == 503) code = "server_is_overloaded";
  if (e->quota) type = code = "insufficient_quota";
  buffer_printf(out, ",\"type\":\"%s\",\"param\":null,\"code\":%s%s%s", type, code ? "\"" : "",
                code ? code : "null", code ? "\"" : "");
}

static void error(const struct vendor_error *e, struct buffer *out) {
  if (e->status == 422) { /* Mistral's; OpenAI has no 422 of a stable form */
    buffer_append_text(out, "{\"detail\":[{\"loc\":[\"body\",\"messages\"],\"msg\":");
    buffer_append_json_string(out, bytes_of(vendor_words_of(e)));
    buffer_append_text(out, ",\"type\":\"value_error\"}]}");
    return;
  }
  buffer_append_text(out, "{\"error\":{\"message\":");
  buffer_append_json_string(out, bytes_of(vendor_words_of(e)));
  append_type(e, out);
  buffer_append_text(out, "}}");
}

static void error_record(const struct vendor_error *e, struct buffer *out) {
  buffer_append_text(out, "data: ");
  error(e, out);
  buffer_append_text(out, "\n\n");
}

static void append_router_error(const struct vendor_error *e, struct buffer *out) {
  buffer_printf(out, "\"error\":{\"code\":%d,\"message\":", e->status);
  buffer_append_json_string(out, bytes_of(vendor_words_of(e)));
  buffer_append_text(out, ",\"metadata\":{\"provider_name\":\"fake\"}}");
}

static void router_error(const struct vendor_error *e, struct buffer *out) {
  buffer_append_char(out, '{');
  append_router_error(e, out);
  buffer_append_char(out, '}');
}

static void router_error_record(const struct vendor_error *e, struct buffer *out) {
  buffer_printf(out, "data: {\"id\":\"gen-fake%" PRIu64 "\",", e->number);
  buffer_append_text(out,
                     "\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":"
                     "{\"content\":\"\"},\"finish_reason\":\"error\"}],");
  append_router_error(e, out);
  buffer_append_text(out, "}\n\n");
}

const struct vendor vendor_openai = {"text/event-stream; charset=utf-8",
                                     "x-request-id: req_fake",
                                     false,
                                     stream,
                                     whole,
                                     error,
                                     error_record};
const struct vendor vendor_openrouter = {
    "text/event-stream", "x-generation-id: gen-fake", false, stream, whole,
    router_error,        router_error_record};
