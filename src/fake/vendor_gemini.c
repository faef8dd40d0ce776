/* Gemini generateContent. Source: the official SDK's types (2026). Every event is a whole response;
 * there is no terminator but the finish reason and the end of the body. */
#include "fake/vendor.h"

#include <inttypes.h>

static void append_usage(const struct vendor_reply *r, bool last, struct buffer *out) {
  bool wrong = r->fault == FAULT_USAGE_WRONG;
  int64_t thoughts = r->fault == FAULT_THINKING_FIRST ? VENDOR_THOUGHT_TOKENS : 0;
  int64_t input = wrong ? -7 : (int64_t)r->question->input_words;
  int64_t output = !last ? 0 : wrong ? INT64_C(4611686018427387904) : r->output_tokens - thoughts;
  if (r->fault == FAULT_USAGE_MISSING) return;
  buffer_append_text(out, ",\"usageMetadata\":{\"promptTokenCount\":");
  buffer_append_int(out, input);
  if (last) {
    buffer_append_text(out, ",\"candidatesTokenCount\":");
    buffer_append_int(out, output);
  }
  if (thoughts) buffer_printf(out, ",\"thoughtsTokenCount\":%" PRId64, thoughts);
  if (wrong) buffer_append_text(out, ",\"cachedContentTokenCount\":999999");
  buffer_append_text(out, ",\"totalTokenCount\":");
  buffer_append_int(out, wrong ? -1 : input + output + thoughts);
  buffer_append_char(out, '}');
}

struct responses {
  const struct vendor_reply *reply;
  struct buffer *out;
  struct buffer tail; /* what ends every response but the last */
};

static void append_origin(const struct vendor_reply *r, struct buffer *out) {
  buffer_append_text(out, ",\"modelVersion\":");
  buffer_append_json_string(out, buffer_bytes(&r->question->model));
  buffer_printf(out, ",\"responseId\":\"fake%" PRIu64 "\"", r->number);
  if (r->fault == FAULT_OBFUSCATION) buffer_append_text(out, ",\"obfuscation\":\"aZ3kQ9xR\"");
}

static void append_text(struct responses *rs) {
  static const char before[] = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":";
  struct bytes rest = rs->reply->text;
  for (struct bytes token; (token = vendor_next_token(&rest)).len;) {
    buffer_append(rs->out, before, sizeof before - 1);
    if (rs->reply->fault == FAULT_ARRAY_CONTENT) buffer_append_text(rs->out, "\"\"},{\"text\":");
    buffer_append_json_string(rs->out, token);
    buffer_append_text(rs->out, "}],\"role\":\"model\"},\"index\":0}]");
    buffer_append_bytes(rs->out, buffer_bytes(&rs->tail));
  }
}

static void append_blocked(const struct vendor_reply *r, struct buffer *out) {
  buffer_append_text(out, "{\"promptFeedback\":{\"blockReason\":\"SAFETY\"}");
  append_usage(r, true, out);
  append_origin(r, out);
  buffer_append_char(out, '}');
}

static const char *finish_of(const struct vendor_reply *r) {
  return r->fault == FAULT_TRUNCATED ? "MAX_TOKENS" : "STOP";
}

static void append_events(struct responses *rs) {
  const struct vendor_reply *r = rs->reply;
  struct buffer *out = rs->out;
  if (r->fault == FAULT_THINKING_FIRST) {
    buffer_printf(out,
                  "data: {\"candidates\":[{\"content\":{\"parts\":[{\"thought\":true,"
                  "\"text\":\"%s\"}],\"role\":\"model\"},\"index\":0}]",
                  vendor_thought);
    buffer_append_bytes(out, buffer_bytes(&rs->tail));
  }
  append_text(rs);
  buffer_printf(out,
                "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":"
                "\"model\"},\"finishReason\":\"%s\",\"index\":0}]",
                finish_of(r));
  append_usage(r, true, out);
  append_origin(r, out);
  buffer_append_text(out, "}\n\n");
}

static void stream(const struct vendor_reply *r, struct buffer *out) {
  struct responses rs = {.reply = r, .out = out};
  if (r->fault == FAULT_REFUSAL) {
    buffer_append_text(out, "data: ");
    append_blocked(r, out);
    buffer_append_text(out, "\n\n");
    return;
  }
  buffer_init(&rs.tail, 8192);
  append_usage(r, false, &rs.tail);
  append_origin(r, &rs.tail);
  buffer_append_text(&rs.tail, "}\n\n");
  append_events(&rs);
  if (rs.tail.overflow) out->overflow = true;
  buffer_done(&rs.tail);
}

static void whole(const struct vendor_reply *r, struct buffer *out) {
  if (r->fault == FAULT_REFUSAL) {
    append_blocked(r, out);
    return;
  }
  buffer_append_text(out, "{\"candidates\":[{\"content\":{\"parts\":[");
  if (r->fault == FAULT_THINKING_FIRST)
    buffer_printf(out, "{\"thought\":true,\"text\":\"%s\"},", vendor_thought);
  if (r->fault == FAULT_ARRAY_CONTENT) buffer_append_text(out, "{\"text\":\"\"},");
  buffer_append_text(out, "{\"text\":");
  buffer_append_json_string(out, r->text);
  buffer_printf(out, "}],\"role\":\"model\"},\"finishReason\":\"%s\",\"index\":0}]", finish_of(r));
  append_usage(r, true, out);
  append_origin(r, out);
  buffer_append_char(out, '}');
}

static const char *status_of(const struct vendor_error *e) {
  switch (e->status) {
    case 401: return "UNAUTHENTICATED";
    case 402:
    case 429: return "RESOURCE_EXHAUSTED";
    case 403: return "PERMISSION_DENIED";
    case 404: return "NOT_FOUND";
    case 409: return "ABORTED";
    case 500: return "INTERNAL";
    case 502:
    case 503:
    case 529: return "UNAVAILABLE";
    case 408:
    case 504: return "DEADLINE_EXCEEDED";
    default: return "INVALID_ARGUMENT";
  }
}

static void error(const struct vendor_error *e, struct buffer *out) {
  buffer_printf(out, "{\"error\":{\"code\":%d,\"message\":", e->status);
  buffer_append_json_string(out, bytes_of(vendor_words_of(e)));
  buffer_printf(out, ",\"status\":\"%s\",\"details\":[", status_of(e));
  if (e->quota)
    buffer_append_text(out,
                       "{\"@type\":\"type.googleapis.com/google.rpc.QuotaFailure\",\"violations\":"
                       "[{\"quotaId\":\"GenerateRequestsPerDayPerProjectPerModel\"}]}");
  if (e->retry_s)
    buffer_printf(out,
                  "%s{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":"
                  "\"%" PRId64 "s\"}",
                  e->quota ? "," : "", e->retry_s);
  buffer_append_text(out, "]}}");
}

static void error_record(const struct vendor_error *e, struct buffer *out) {
  buffer_append_text(out, "data: ");
  error(e, out);
  buffer_append_text(out, "\n\n");
}

const struct vendor vendor_gemini = {"text/event-stream", NULL, false, stream, whole, error,
                                     error_record};
