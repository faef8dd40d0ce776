#include "ops/csv.h"

#include "ops/wary_text.h"

#include <stdio.h>

enum { NUMBER_SIZE = 40, FIELD_MAX = 1 << 30 };

static void separate(struct csv *csv) {
  if (csv->inside) buffer_append_char(csv->out, ',');
  csv->inside = true;
}

/* Whether a spreadsheet computes a cell that begins so. */
static bool is_formula(struct bytes text) {
  static const char *const wide[] = {"\xef\xbc\x9d", "\xef\xbc\x8b", "\xef\xbc\x8d",
                                     "\xef\xbc\xa0"}; /* full-width = + - @ */
  if (!text.len) return false;
  if (memchr("=+-@\t\r\n\0", text.ptr[0], 8)) return true;
  for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
    if (text.len >= 3 && memcmp(text.ptr, wide[i], 3) == 0) return true;
  return false;
}

static bool needs_quotes(struct bytes text) {
  for (size_t i = 0; i < text.len; i++)
    if (strchr(",\"\r\n", text.ptr[i])) return true; /* NUL too */
  return text.len && (text.ptr[0] == ' ' || text.ptr[text.len - 1] == ' ');
}

void csv_text(struct csv *csv, struct bytes text) {
  struct buffer *out = csv->out;
  bool quoted = needs_quotes(text);
  struct wary_text t;
  separate(csv);
  if (quoted) buffer_append_char(out, '"');
  if (is_formula(text)) buffer_append_char(out, '\'');
  wary_text_init(&t, text);
  while (wary_text_next(&t)) {
    if (t.piece.ptr[0] == '"') buffer_append_char(out, '"');
    buffer_append_bytes(out, t.piece);
  }
  if (quoted) buffer_append_char(out, '"');
}

void csv_int(struct csv *csv, int64_t value) {
  separate(csv);
  buffer_append_int(csv->out, value);
}

static void csv_texts(struct csv *csv, const json_t *list) {
  BUFFER_LATER struct buffer joined;
  buffer_init(&joined, FIELD_MAX);
  for (size_t i = 0; i < json_array_size(list); i++) {
    if (i) buffer_append_text(&joined, "; ");
    buffer_append_bytes(&joined, json_bytes(json_array_get(list, i)));
  }
  if (joined.overflow) csv->out->overflow = true;
  csv_text(csv, buffer_bytes(&joined));
}

void csv_value(struct csv *csv, const json_t *value) {
  char number[NUMBER_SIZE];
  if (json_is_string(value)) {
    csv_text(csv, json_bytes(value));
  } else if (json_is_array(value)) {
    csv_texts(csv, value);
  } else if (json_is_integer(value)) {
    csv_int(csv, json_integer_value(value));
  } else {
    separate(csv);
    if (json_is_boolean(value))
      buffer_append_text(csv->out, json_is_true(value) ? "true" : "false");
    if (!json_is_real(value)) return;
    snprintf(number, sizeof number, "%.15g", json_real_value(value));
    buffer_append_text(csv->out, number);
  }
}

void csv_end(struct csv *csv) {
  buffer_append_text(csv->out, "\r\n");
  csv->inside = false;
}

void csv_line(struct csv *csv, const char *const *texts) {
  for (; *texts; texts++) csv_text(csv, bytes_of(*texts));
  csv_end(csv);
}
