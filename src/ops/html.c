#include "ops/html.h"

#include "base/figure.h"
#include "ops/wary_text.h"

void html_text(struct buffer *out, struct bytes text) {
  struct wary_text t;
  wary_text_init(&t, text);
  while (wary_text_next(&t)) {
    switch (t.piece.ptr[0]) {
      case '<': buffer_append_text(out, "&lt;"); break;
      case '>': buffer_append_text(out, "&gt;"); break;
      case '&': buffer_append_text(out, "&amp;"); break;
      case '"': buffer_append_text(out, "&quot;"); break;
      case '\'': buffer_append_text(out, "&#39;"); break;
      default: buffer_append_bytes(out, t.piece);
    }
  }
}

void html_open(struct buffer *out, const char *tag, const char *class_name) {
  buffer_append_char(out, '<');
  buffer_append_text(out, tag);
  if (class_name) {
    buffer_append_text(out, " class=\"");
    buffer_append_text(out, class_name);
    buffer_append_char(out, '"');
  }
  buffer_append_char(out, '>');
}

void html_close(struct buffer *out, const char *tag) {
  buffer_append_text(out, "</");
  buffer_append_text(out, tag);
  buffer_append_text(out, ">\n");
}

void html_open_auto(struct buffer *out, const char *tag, const char *class_name) {
  buffer_append_char(out, '<');
  buffer_append_text(out, tag);
  buffer_append_text(out, " dir=\"auto\" class=\"");
  buffer_append_text(out, class_name);
  buffer_append_text(out, "\">");
}

void html_percent(struct buffer *out, const json_t *object, const char *key) {
  int64_t ppm = figure_ppm(object, key);
  if (ppm >= 0)
    figure_append_percent(out, ppm);
  else
    buffer_append_text(out, "–");
}

void html_block(struct buffer *out, const char *class_name, const char *text) {
  html_open_auto(out, "div", class_name);
  html_text(out, bytes_of(text));
  html_close(out, "div");
}
