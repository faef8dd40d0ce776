/* Anthropic Messages. Source: the official SDK's types (2026). */
#include "fake/vendor.h"

#include <inttypes.h>
#include <stdio.h>

static void append_usage(const struct vendor_reply *r, struct buffer *out, bool start) {
  if (r->fault == FAULT_USAGE_MISSING) return;
  bool wrong = r->fault == FAULT_USAGE_WRONG;
  int64_t output = start ? 1 : wrong ? INT64_C(4611686018427387904) : r->output_tokens;
  buffer_append_text(out, ",\"usage\":{");
  buffer_append_text(out, "\"input_tokens\":");
  buffer_append_int(out, wrong ? -7 : (int64_t)r->question->input_words);
  buffer_append_text(out, ",\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,");
  buffer_append_text(out, "\"output_tokens\":");
  buffer_append_int(out, output);
  if (!start && r->fault == FAULT_THINKING_FIRST)
    buffer_printf(out, ",\"output_tokens_details\":{\"thinking_tokens\":%d}",
                  VENDOR_THOUGHT_TOKENS);
  buffer_append_char(out, '}');
}

static void append_head(const struct vendor_reply *r, struct buffer *out) {
  buffer_printf(out, "\"id\":\"msg_fake%" PRIu64 "\",\"type\":\"message\",\"role\":\"assistant\",",
                r->number);
  buffer_append_text(out, "\"model\":");
  buffer_append_json_string(out, buffer_bytes(&r->question->model));
}

static void append_event(struct buffer *out, const char *type, const char *rest) {
  buffer_append_text(out, "event: ");
  buffer_append_text(out, type);
  buffer_append_text(out, "\ndata: {\"type\":\"");
  buffer_append_text(out, type);
  buffer_append_char(out, '"');
  buffer_append_text(out, rest);
}

static void append_thinking(struct buffer *out) {
  append_event(out, "content_block_start",
               ",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\","
               "\"signature\":\"\"}}\n\n");
  append_event(out, "content_block_delta",
               ",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":");
  buffer_append_json_string(out, bytes_of(vendor_thought));
  buffer_append_text(out, "}}\n\n");
  append_event(out, "content_block_delta",
               ",\"index\":0,\"delta\":{\"type\":\"signature_delta\",\"signature\":\"ZmFrZQ==\"}}"
               "\n\n");
  append_event(out, "content_block_stop", ",\"index\":0}\n\n");
}

static void append_block(const struct vendor_reply *r, struct bytes text, int index,
                         struct buffer *out) {
  char start[128], delta[160];
  snprintf(start, sizeof start,
           ",\"index\":%d,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n", index);
  append_event(out, "content_block_start", start);
  int n = snprintf(delta, sizeof delta,
                   "event: content_block_delta\ndata: {\"type\":\"content_block_delta\","
                   "\"index\":%d,\"delta\":{\"type\":\"text_delta\",\"text\":",
                   index);
  for (struct bytes token; (token = vendor_next_token(&text)).len;) {
    buffer_append(out, delta, (size_t)n);
    buffer_append_json_string(out, token);
    if (r->fault == FAULT_OBFUSCATION)
      buffer_append_text(out, "},\"obfuscation\":\"q8Wn2\"}\n\n");
    else
      buffer_append(out, "}}\n\n", 4);
  }
  snprintf(start, sizeof start, ",\"index\":%d}\n\n", index);
  append_event(out, "content_block_stop", start);
}

static const char *stop_reason(const struct vendor_reply *r) {
  if (r->fault == FAULT_REFUSAL) return "refusal";
  return r->fault == FAULT_TRUNCATED ? "max_tokens" : "end_turn";
}

/* The text as two blocks when the fault asks for it; a second one may be empty of bytes. */
static struct bytes first_block(const struct vendor_reply *r) {
  struct bytes rest = r->text;
  if (r->fault != FAULT_ARRAY_CONTENT) return rest;
  vendor_next_token(&rest);
  return (struct bytes){r->text.ptr, r->text.len - rest.len};
}

static void stream(const struct vendor_reply *r, struct buffer *out) {
  struct bytes first = first_block(r);
  int index = 0;
  append_event(out, "message_start", ",\"message\":{");
  append_head(r, out);
  buffer_append_text(out, ",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null");
  append_usage(r, out, true);
  buffer_append_text(out, "}}\n\n");
  append_event(out, "ping", "}\n\n");
  if (r->fault == FAULT_THINKING_FIRST) {
    append_thinking(out);
    index++;
  }
  if (first.len) append_block(r, first, index++, out);
  if (first.len < r->text.len)
    append_block(r, (struct bytes){r->text.ptr + first.len, r->text.len - first.len}, index, out);
  append_event(out, "message_delta", ",\"delta\":{\"stop_reason\":\"");
  buffer_printf(out, "%s\",\"stop_sequence\":null}", stop_reason(r));
  append_usage(r, out, false);
  buffer_append_text(out, "}\n\n");
  append_event(out, "message_stop", "}\n\n");
}

static void append_whole_block(struct buffer *out, struct bytes text) {
  buffer_append_text(out, "{\"type\":\"text\",\"text\":");
  buffer_append_json_string(out, text);
  buffer_append_char(out, '}');
}

static void whole(const struct vendor_reply *r, struct buffer *out) {
  struct bytes first = first_block(r);
  buffer_append_char(out, '{');
  append_head(r, out);
  buffer_append_text(out, ",\"content\":[");
  if (r->fault == FAULT_THINKING_FIRST)
    buffer_printf(out, "{\"type\":\"thinking\",\"thinking\":\"%s\",\"signature\":\"ZmFrZQ==\"}%s",
                  vendor_thought, first.len ? "," : "");
  if (first.len) append_whole_block(out, first);
  if (first.len < r->text.len) {
    buffer_append_char(out, ',');
    append_whole_block(out, (struct bytes){r->text.ptr + first.len, r->text.len - first.len});
  }
  buffer_printf(out, "],\"stop_reason\":\"%s\",\"stop_sequence\":null", stop_reason(r));
  append_usage(r, out, false);
  buffer_append_char(out, '}');
}

static const char *error_type(const struct vendor_error *e) {
  switch (e->status) {
    case 401: return "authentication_error";
    case 402: return "billing_error";
    case 403: return "permission_error";
    case 404: return "not_found_error";
    case 409: return "conflict_error";
    case 413: return "request_too_large";
    case 429: return "rate_limit_error";
    case 500:
    case 502:
    case 503: return "api_error";
    case 408:
    case 504: return "timeout_error";
    case 529: return "overloaded_error";
    default: return "invalid_request_error";
  }
}

static void error(const struct vendor_error *e, struct buffer *out) {
  buffer_printf(out, "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":", error_type(e));
  buffer_append_json_string(out, bytes_of(vendor_words_of(e)));
  buffer_printf(out, "},\"request_id\":\"req_fake%" PRIu64 "\"}", e->number);
}

static void error_record(const struct vendor_error *e, struct buffer *out) {
  buffer_append_text(out, "event: error\ndata: ");
  error(e, out);
  buffer_append_text(out, "\n\n");
}

const struct vendor vendor_anthropic = {"text/event-stream; charset=utf-8",
                                        "request-id: req_fake",
                                        false,
                                        stream,
                                        whole,
                                        error,
                                        error_record};
