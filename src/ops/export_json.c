#include "ops/export_json.h"

#include "ops/log_line.h"

#include <stdlib.h>

enum {
  REAL_DIGITS = 15
}; /* every decimal of up to 15 digits survives a double and comes back short */

static int take_text(const char *text, size_t len, void *ctx) {
  return buffer_append(ctx, text, len) ? 0 : -1;
}

void export_json_object(struct buffer *out, const json_t *object) {
  if (json_dump_callback(object, take_text, out, JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS)))
    out->overflow = true;
}

void export_json_begin(struct buffer *out, const char *exported_at) {
  buffer_printf(out, "{\"exported_at\":\"%s\",\"format\":\"json\",\"debates\":[", exported_at);
}

void export_json_between(struct buffer *out, bool first) {
  buffer_append_text(out, first ? "\n" : ",\n");
}

void export_json_end(struct buffer *out, uint64_t count) {
  buffer_printf(out, "\n],\"count\":%llu}\n", (unsigned long long)count);
}

struct log {
  struct buffer *out;
  uint64_t last_seq;
  bool first;
  bool doubtful; /* the log could not be folded: its data may be no JSON */
};

static bool append_event(void *ctx, const struct store_event *event) {
  struct log *log = ctx;
  struct store_event copy = *event;
  json_t *data = NULL;
  if (event->seq > log->last_seq) return false;
  if (log->doubtful && event->data.ptr) {
    if (json_parse(event->data, &data, NULL)) copy.data = BYTES_LITERAL("null");
    json_decref(data);
  }
  buffer_append_text(log->out, log->first ? "" : ",");
  log->first = false;
  log_line_append(log->out, &copy);
  return !log->out->overflow;
}

/* Takes back the closing brace, so that members can follow. */
static void reopen(struct buffer *out) {
  if (out->len && !out->overflow) out->ptr[--out->len] = '\0';
}

enum status export_json_debate(struct buffer *out, struct store *store, const struct principal *who,
                               const json_t *object, uint64_t last_seq, struct error *err) {
  struct log log = {out, last_seq, true, json_object_get(object, "export_error") != NULL};
  export_json_object(out, object);
  reopen(out);
  buffer_append_text(out, ",\"log\":[");
  enum status s =
      store_read_events(store, who, json_get_text(object, "id", ""), 0, 0, append_event, &log, err);
  buffer_append_text(out, "]}");
  return s;
}

enum status export_json_wrap(struct buffer *out, const char *file_name, struct error *err) {
  FREE_LATER char *whole = out->overflow ? NULL : bytes_dup(buffer_bytes(out));
  if (!whole) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  struct bytes data = {whole, out->len};
  reopen(out);
  buffer_append_text(out, ",\"format\":\"json\",\"filename\":");
  buffer_append_json_string(out, bytes_of(file_name));
  buffer_append_text(out, ",\"data\":");
  buffer_append_json_string(out, data);
  buffer_append_text(out, "}\n");
  return STATUS_OK;
}
