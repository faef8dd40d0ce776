#include "ops/export_html_rounds.h"

#include "base/figure.h"
#include "ops/html.h"

#include <stdio.h>

static const char *text_at(const json_t *object, const char *key) {
  return json_get_text(object, key, "");
}

static void put_speaker(struct buffer *out, const json_t *row, const char *what) {
  html_open(out, "h3", NULL);
  html_text(out, bytes_of(text_at(row, "agent")));
  buffer_append_text(out, " · ");
  html_text(out, bytes_of(what));
  html_close(out, "h3");
}

static void put_source(struct buffer *out, const json_t *row) {
  html_open(out, "p", "soft");
  html_text(out, bytes_of(text_at(row, "provider")));
  if (*text_at(row, "model")) {
    buffer_append_text(out, " / ");
    html_text(out, bytes_of(text_at(row, "model")));
  }
  if (figure_ppm(row, "confidence") >= 0) {
    buffer_append_text(out, " · says it is ");
    html_percent(out, row, "confidence");
    buffer_append_text(out, " sure");
  }
  if (*text_at(row, "position")) {
    buffer_append_text(out, " · position ");
    html_text(out, bytes_of(text_at(row, "position")));
  }
  if (json_get_bool(row, "repaired", false)) buffer_append_text(out, " · repaired");
  if (json_get_bool(row, "truncated", false)) buffer_append_text(out, " · cut at its limit");
  html_close(out, "p");
}

static void put_texts(struct buffer *out, const char *label, const json_t *texts) {
  if (!json_array_size(texts)) return;
  html_open(out, "p", "soft");
  html_text(out, bytes_of(label));
  html_close(out, "p");
  html_open(out, "ul", NULL);
  for (size_t i = 0; i < json_array_size(texts); i++) {
    html_open_auto(out, "li", "text");
    html_text(out, json_bytes(json_array_get(texts, i)));
    html_close(out, "li");
  }
  html_close(out, "ul");
}

static void put_responses(struct buffer *out, const json_t *rows) {
  if (!json_array_size(rows)) return;
  html_open(out, "ul", NULL);
  for (size_t i = 0; i < json_array_size(rows); i++) {
    const json_t *r = json_array_get(rows, i);
    html_open_auto(out, "li", "text");
    html_text(out, bytes_of(json_get_bool(r, "accept", false) ? "Accepts " : "Rejects "));
    html_text(out, bytes_of(text_at(r, "item")));
    if (*text_at(r, "reason")) buffer_append_text(out, ": ");
    html_text(out, bytes_of(text_at(r, "reason")));
    html_close(out, "li");
  }
  html_close(out, "ul");
}

static void put_message(struct buffer *out, const json_t *row) {
  char what[96];
  const char *stance = text_at(row, "stance");
  snprintf(what, sizeof what, "%.40s%s%.40s", text_at(row, "kind"), *stance ? ", " : "", stance);
  html_open(out, "article", "card long");
  put_speaker(out, row, what);
  html_block(out, "text", text_at(row, "content"));
  put_texts(out, "Key claims", json_object_get(row, "key_claims"));
  put_responses(out, json_object_get(row, "responses"));
  put_source(out, row);
  html_close(out, "article");
}

static void put_item(struct buffer *out, const json_t *item) {
  static const struct {
    const char *label, *key;
  } parts[] = {{"", "problem"}, {"Why: ", "why"}, {"Fix: ", "fix"}, {"Answer: ", "reason"}};
  html_open_auto(out, "li", "text");
  if (*text_at(item, "claim")) {
    buffer_append_text(out, "<q>");
    html_text(out, bytes_of(text_at(item, "claim")));
    buffer_append_text(out, "</q>\n");
  }
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    if (!*text_at(item, parts[i].key)) continue;
    if (i) buffer_append_char(out, '\n');
    html_text(out, bytes_of(parts[i].label));
    html_text(out, bytes_of(text_at(item, parts[i].key)));
  }
  buffer_append_text(out, " <span class=\"soft\">(");
  html_text(out, bytes_of(text_at(item, "severity")));
  if (*text_at(item, "state")) buffer_append_text(out, ", ");
  html_text(out, bytes_of(text_at(item, "state")));
  buffer_append_text(out, ")</span>");
  html_close(out, "li");
}

static void put_critique(struct buffer *out, const json_t *row) {
  const json_t *items = json_object_get(row, "items");
  html_open(out, "article", "card long critique");
  html_open(out, "h3", NULL);
  html_text(out, bytes_of(text_at(row, "agent")));
  buffer_append_text(out, " on ");
  html_text(out, bytes_of(text_at(row, "target")));
  html_close(out, "h3");
  if (json_array_size(items)) {
    html_open(out, "ul", NULL);
    for (size_t i = 0; i < json_array_size(items); i++) put_item(out, json_array_get(items, i));
    html_close(out, "ul");
  } else {
    html_block(out, "text soft", "No objection.");
  }
  put_source(out, row);
  html_close(out, "article");
}

void export_html_rounds(struct buffer *out, const json_t *d) {
  const json_t *rounds = json_object_get(d, "rounds");
  for (size_t i = 0; i < json_array_size(rounds); i++) {
    const json_t *round = json_array_get(rounds, i);
    const json_t *said = json_object_get(round, "messages");
    const json_t *critiques = json_object_get(round, "critiques");
    if (!json_array_size(said) && !json_array_size(critiques)) continue;
    html_open(out, "h2", NULL);
    if (json_get_int(round, "round", 0) == 0)
      buffer_append_text(out, "First answers");
    else
      buffer_printf(out, "Round %lld", (long long)json_get_int(round, "round", 0));
    html_close(out, "h2");
    for (size_t k = 0; k < json_array_size(critiques); k++)
      put_critique(out, json_array_get(critiques, k));
    for (size_t k = 0; k < json_array_size(said); k++) put_message(out, json_array_get(said, k));
  }
}
