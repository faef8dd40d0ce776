/* Ollama's native chat. Source: its API page (2026): a line of JSON for each piece, times in ns. */
#include "fake/vendor.h"

#include "base/clock.h"

#include <inttypes.h>

static void append_head(const struct vendor_reply *r, struct buffer *out) {
  char created[CLOCK_ISO_SIZE];
  clock_format_iso(r->wall_s * 1000, created);
  buffer_append_text(out, "{\"model\":");
  buffer_append_json_string(out, buffer_bytes(&r->question->model));
  buffer_printf(out, ",\"created_at\":\"%s\",\"message\":{\"role\":\"assistant\",", created);
  if (r->fault == FAULT_OBFUSCATION) buffer_append_text(out, "\"obfuscation\":\"aZ3kQ9xR\",");
}

static void append_end(const struct vendor_reply *r, struct buffer *out) {
  bool wrong = r->fault == FAULT_USAGE_WRONG;
  buffer_printf(out,
                "},\"done\":true,\"done_reason\":\"%s\",\"total_duration\":5000000,"
                "\"load_duration\":1000000",
                r->fault == FAULT_TRUNCATED ? "length" : "stop");
  if (r->fault != FAULT_USAGE_MISSING) {
    buffer_append_text(out, ",\"prompt_eval_count\":");
    buffer_append_int(out, wrong ? -7 : (int64_t)r->question->input_words);
    buffer_append_text(out, ",\"eval_count\":");
    buffer_append_int(out, wrong ? INT64_C(4611686018427387904) : r->output_tokens);
  }
  buffer_append_text(out, "}\n");
}

static void append_line(const struct buffer *head, const char *name, struct bytes text,
                        struct buffer *out) {
  buffer_append_bytes(out, buffer_bytes(head));
  buffer_append_text(out, name);
  buffer_append_json_string(out, text);
  buffer_append_text(out, "},\"done\":false}\n");
}

/* It has no refusal of its own: the model says so in words. */
static struct bytes text_of(const struct vendor_reply *r) {
  return r->fault == FAULT_REFUSAL ? bytes_of(vendor_refusal) : r->text;
}

static void stream(const struct vendor_reply *r, struct buffer *out) {
  BUFFER_LATER struct buffer head;
  struct bytes rest = text_of(r);
  buffer_init(&head, 8192);
  append_head(r, &head);
  if (head.overflow) out->overflow = true;
  if (r->fault == FAULT_THINKING_FIRST)
    append_line(&head, "\"content\":\"\",\"thinking\":", bytes_of(vendor_thought), out);
  for (struct bytes token; (token = vendor_next_token(&rest)).len;)
    append_line(&head, "\"content\":", token, out);
  buffer_append_bytes(out, buffer_bytes(&head));
  buffer_append_text(out, "\"content\":\"\"");
  append_end(r, out);
}

static void whole(const struct vendor_reply *r, struct buffer *out) {
  append_head(r, out);
  if (r->fault == FAULT_THINKING_FIRST) buffer_printf(out, "\"thinking\":\"%s\",", vendor_thought);
  buffer_append_text(out, "\"content\":");
  buffer_append_json_string(out, text_of(r));
  append_end(r, out);
}

static void error(const struct vendor_error *e, struct buffer *out) {
  buffer_append_text(out, "{\"error\":");
  buffer_append_json_string(out, bytes_of(vendor_words_of(e)));
  buffer_append_char(out, '}');
}

static void error_record(const struct vendor_error *e, struct buffer *out) {
  error(e, out);
  buffer_append_char(out, '\n');
}

const struct vendor vendor_ollama = {
    "application/x-ndjson", NULL, true, stream, whole, error, error_record};
