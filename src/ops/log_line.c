#include "ops/log_line.h"

#include "base/clock.h"

static void append_hex(struct buffer *out, const char *key, const uint8_t bytes[32]) {
  char text[65];
  bytes_to_hex(bytes, 32, text);
  buffer_append_text(out, key);
  buffer_append_char(out, '"');
  buffer_append(out, text, 64);
  buffer_append_char(out, '"');
}

void log_line_append(struct buffer *out, const struct store_event *event) {
  char iso[CLOCK_ISO_SIZE];
  bool deleted = !event->data.ptr;
  clock_format_iso(event->ts_ms, iso);
  buffer_append_text(out, "{\"seq\":");
  buffer_append_int(out, (int64_t)event->seq);
  buffer_append_text(out, ",\"type\":");
  buffer_append_json_string(out, bytes_of(event->type));
  buffer_append_text(out, ",\"ts\":");
  buffer_append_int(out, event->ts_ms);
  buffer_append_text(out, ",\"timestamp\":\"");
  buffer_append(out, iso, sizeof iso - 1);
  buffer_append_text(out, "\",\"round\":");
  if (event->round < 0)
    buffer_append_text(out, "null");
  else
    buffer_append_int(out, event->round);
  buffer_append_text(out, ",\"agent\":");
  if (event->agent)
    buffer_append_json_string(out, bytes_of(event->agent));
  else
    buffer_append_text(out, "null");
  buffer_append_text(out, ",\"data\":");
  if (deleted)
    buffer_append_text(out, "null");
  else
    buffer_append_bytes(out, event->data);
  if (deleted)
    buffer_append_text(out, ",\"salt\":null");
  else
    append_hex(out, ",\"salt\":", event->salt);
  append_hex(out, ",\"data_digest\":", event->digest);
  append_hex(out, ",\"hash\":", event->hash);
  buffer_append_char(out, '}');
}
