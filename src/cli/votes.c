/* The section of the vote: what was chosen between, who ranked it how, and the judge. */
#include "base/figure.h"
#include "cli/render_state.h"
#include "cli/text.h"

#include <stdlib.h>

enum { LINE_MAX_BYTES = 16384 };

/* 'A' for "p0"; '?' for what names none. */
static char letter_of(const json_t *position_id) {
  const char *id = json_string_value(position_id);
  if (!id || id[0] != 'p' || id[1] < '0' || id[1] > '9') return '?';
  int place = atoi(id + 1);
  return place < 26 ? (char)('A' + place) : '?';
}

static void append_names(struct buffer *line, const json_t *names) {
  const json_t *name;
  size_t i;
  json_array_foreach(names, i, name) buffer_printf(
      line, "%s%s", i ? ", " : "", json_is_string(name) ? json_string_value(name) : "?");
}

static void append_score(struct buffer *line, const json_t *position) {
  int64_t first = figure_ppm(position, "first_choice_share");
  int64_t borda = figure_ppm(position, "borda");
  int64_t choices = json_get_int(position, "first_choices", 0);
  if (first >= 0) {
    buffer_printf(line, " · first choice of %lld (", (long long)choices);
    figure_append_percent(line, first);
    buffer_append_char(line, ')');
  }
  if (borda >= 0) {
    buffer_append_text(line, " · Borda ");
    figure_append_share(line, borda);
  }
}

static void render_position(struct render *r, const json_t *position) {
  BUFFER_LATER struct buffer line;
  buffer_init(&line, LINE_MAX_BYTES);
  char letter[8] = {letter_of(json_object_get(position, "id")), ' ', ' ', 0};
  FREE_LATER char *key = render_text(r, position, "key");
  FREE_LATER char *text = render_text(r, position, "text");
  text_append_line(&line, bytes_of(*key ? key : text), r->page.width - 3);
  page_plain_text(&r->page,
                  &(struct page_text){letter, PAGE_BOLD, 3, PAGE_PLAIN, buffer_bytes(&line)});
  buffer_clear(&line);
  buffer_append_text(&line, "held by ");
  append_names(&line, json_object_get(position, "holders"));
  append_score(&line, position);
  FREE_LATER char *clean = text_clean(buffer_bytes(&line));
  page_plain_text(&r->page, &(struct page_text){"   ", PAGE_PLAIN, 3, PAGE_DIM, bytes_of(clean)});
}

static void render_ballot(struct render *r, const json_t *frame, const json_t *data) {
  struct page_gutter g = render_gutter_of(r, json_get_text(frame, "agent", "?"));
  BUFFER_LATER struct buffer line;
  buffer_init(&line, LINE_MAX_BYTES);
  const json_t *id;
  size_t i;
  json_array_foreach(json_object_get(data, "ranking"), i, id)
      buffer_printf(&line, "%s%c", i ? " > " : "", letter_of(id));
  if (json_get_bool(data, "self_first", false)) buffer_append_text(&line, " · its own first");
  int64_t confidence = figure_ppm(data, "confidence");
  if (confidence >= 0) {
    buffer_append_text(&line, " · says it is ");
    figure_append_percent(&line, confidence);
    buffer_append_text(&line, " sure");
  }
  render_gutter(r, &g, NULL, PAGE_PLAIN, PAGE_PLAIN, line.ptr ? line.ptr : "?");
}

static void render_judgment(struct render *r, const json_t *frame, const json_t *data) {
  static const char *const criteria[] = {"correctness", "completeness", "evidence", "risk"};
  struct page_gutter g = render_gutter_of(r, json_get_text(frame, "agent", "?"));
  BUFFER_LATER struct buffer line;
  buffer_init(&line, LINE_MAX_BYTES);
  buffer_printf(&line, "chooses %c: ", letter_of(json_object_get(data, "choice")));
  const char *reason = json_get_text(data, "answer", json_get_text(data, "content", ""));
  render_gutter(r, &g, line.ptr, PAGE_BOLD, PAGE_PLAIN, reason);
  const json_t *score;
  size_t i;
  json_array_foreach(json_object_get(data, "scores"), i, score) {
    buffer_clear(&line);
    buffer_printf(&line, "%c", letter_of(json_object_get(score, "position")));
    for (size_t c = 0; c < sizeof criteria / sizeof *criteria; c++) {
      int64_t ppm = figure_ppm(score, criteria[c]);
      if (ppm < 0) continue;
      buffer_printf(&line, " · %s ", criteria[c]);
      figure_append_share(&line, ppm);
    }
    render_gutter(r, &g, NULL, PAGE_PLAIN, PAGE_DIM, line.ptr ? line.ptr : "");
  }
}

void votes_render(struct render *r) {
  const json_t *row;
  size_t i;
  json_array_foreach(json_object_get(r->consensus, "positions"), i, row) render_position(r, row);
  page_newline(&r->page);
  json_array_foreach(r->ballots, i, row) {
    const json_t *data = json_object_get(row, "data");
    if (strcmp(json_get_text(row, "type", ""), "vote") == 0)
      render_ballot(r, row, data);
    else
      render_judgment(r, row, data);
  }
  json_array_clear(r->ballots);
}
