#include "ops/export_md.h"

#include "base/figure.h"
#include "ops/markdown.h"

static const char *text_at(const json_t *object, const char *key) {
  return json_get_text(object, key, "");
}

static void put_inline(struct buffer *out, const char *text) {
  markdown_inline(out, bytes_of(text));
}

static void put_heading(struct buffer *out, int level, const char *text) {
  buffer_printf(out, "%.*s ", level, "######");
  put_inline(out, text);
  buffer_append_text(out, "\n\n");
}

static void put_names(struct buffer *out, const json_t *names) {
  for (size_t i = 0; i < json_array_size(names); i++) {
    if (i) buffer_append_text(out, ", ");
    markdown_inline(out, json_bytes(json_array_get(names, i)));
  }
}

static void put_percent(struct buffer *out, const json_t *object, const char *key) {
  int64_t ppm = figure_ppm(object, key);
  if (ppm >= 0)
    figure_append_percent(out, ppm);
  else
    buffer_append_text(out, "–");
}

/* Headings of one debate alone begin at 1, of several one lower: `level` is that of its title. */

/* ---- what was decided ---- */

static void put_status(struct buffer *out, const json_t *d) {
  const char *outcome = text_at(d, "outcome");
  bool reached = json_get_bool(d, "consensus_reached", false);
  buffer_append_text(out, reached ? "**✓ Consensus reached**" : "**⚠ No consensus**");
  buffer_append_text(out, " (");
  put_inline(out, *outcome ? outcome : text_at(d, "status"));
  if (json_get_bool(d, "degraded", false)) buffer_append_text(out, ", degraded");
  if (json_get_bool(d, "demo", false)) buffer_append_text(out, ", demo agents");
  buffer_append_text(out, "), ");
  put_inline(out, text_at(d, "created_at"));
  buffer_append_text(out, "\n\n");
}

static void put_notices(struct buffer *out, const json_t *d) {
  static const char *const keys[] = {"agent", "turn", "cause", "detail"};
  const json_t *rows = json_object_get(d, "degradations");
  if (*text_at(d, "error")) {
    buffer_append_text(out, "Failed:\n\n");
    markdown_quote(out, bytes_of(text_at(d, "error")));
  }
  for (size_t i = 0; i < json_array_size(rows); i++) {
    const json_t *row = json_array_get(rows, i);
    const char *between = "- ⚠ ";
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
      if (!*text_at(row, keys[k])) continue;
      buffer_append_text(out, between);
      put_inline(out, text_at(row, keys[k]));
      between = " · ";
    }
    buffer_append_char(out, '\n');
  }
  if (json_array_size(rows)) buffer_append_char(out, '\n');
}

static void put_verdict(struct buffer *out, const json_t *d, int level) {
  const json_t *c = json_object_get(d, "consensus");
  const json_t *dissent = json_object_get(d, "dissent");
  const char *answer = text_at(d, "final_answer");
  bool reached = json_get_bool(d, "consensus_reached", false);
  put_heading(out, level + 1, reached || !*answer ? "Verdict" : "Best answer, no consensus");
  markdown_quote(out, bytes_of(*answer ? answer : "No answer yet."));
  if (json_is_object(c)) {
    buffer_append_text(out, "Rule ");
    put_inline(out, text_at(c, "rule"));
    buffer_append_text(out, ", agreement ");
    put_percent(out, c, "share");
    buffer_append_text(out, " (threshold ");
    put_percent(out, c, "threshold");
    buffer_append_text(out, "). Supported by ");
    put_names(out, json_object_get(c, "supporting_agents"));
    buffer_append_text(out, ".\n\n");
  }
  for (size_t i = 0; i < json_array_size(dissent); i++) {
    const json_t *row = json_array_get(dissent, i);
    buffer_append_text(out, "Dissent of ");
    put_inline(out, text_at(row, "agent"));
    buffer_append_text(out, ":\n\n");
    markdown_quote(out, bytes_of(text_at(row, "answer")));
  }
}

/* ---- tables ---- */

static void put_cell(struct buffer *out, const char *text) {
  buffer_append_text(out, " ");
  put_inline(out, text);
  buffer_append_text(out, " |");
}

static void put_agents(struct buffer *out, const json_t *d, int level) {
  static const char *const groups[] = {"panel", "judges"};
  put_heading(out, level + 1, "Who answered");
  buffer_append_text(out, "| Agent | Provider | Model | Role |\n| --- | --- | --- | --- |\n");
  for (size_t g = 0; g < 2; g++) {
    const json_t *rows = json_object_get(d, groups[g]);
    for (size_t i = 0; i < json_array_size(rows); i++) {
      const json_t *a = json_array_get(rows, i);
      buffer_append_char(out, '|');
      put_cell(out, text_at(a, "name"));
      put_cell(out, text_at(a, "provider"));
      put_cell(out, text_at(a, "model"));
      put_cell(out, g ? "judge" : text_at(a, "role"));
      buffer_append_char(out, '\n');
    }
  }
  buffer_append_char(out, '\n');
}

static void put_positions(struct buffer *out, const json_t *d, int level) {
  const json_t *rows = json_object_get(d, "positions");
  if (!json_array_size(rows)) return;
  put_heading(out, level + 1, "Positions");
  buffer_append_text(out,
                     "|  | Position | Held by | First choices | Borda |\n"
                     "| --- | --- | --- | ---: | ---: |\n");
  for (size_t i = 0; i < json_array_size(rows); i++) {
    const json_t *p = json_array_get(rows, i);
    buffer_append_char(out, '|');
    put_cell(out, text_at(p, "id"));
    put_cell(out, *text_at(p, "key") ? text_at(p, "key") : "(no key)");
    buffer_append_char(out, ' ');
    put_names(out, json_object_get(p, "holders"));
    buffer_append_text(out, " | ");
    put_percent(out, p, "first_choice_share");
    buffer_append_text(out, " | ");
    put_percent(out, p, "borda");
    buffer_append_text(out, " |\n");
  }
  buffer_append_char(out, '\n');
}

static void put_ballots(struct buffer *out, const json_t *d, int level) {
  const json_t *rows = json_object_get(d, "ballots");
  if (!json_array_size(rows)) return;
  put_heading(out, level + 1, "Ballots");
  for (size_t i = 0; i < json_array_size(rows); i++) {
    const json_t *b = json_array_get(rows, i);
    buffer_append_text(out, "- **");
    put_inline(out, text_at(b, "agent"));
    buffer_append_text(out, "**: ");
    put_names(out, json_object_get(b, "ranking"));
    buffer_append_text(out, ", best first\n");
  }
  buffer_append_char(out, '\n');
}

/* ---- what was said ---- */

static void put_source(struct buffer *out, const json_t *row) {
  buffer_append_text(out, "From ");
  put_inline(out, text_at(row, "provider"));
  buffer_append_text(out, " / ");
  put_inline(out, text_at(row, "model"));
  if (figure_ppm(row, "confidence") >= 0) {
    buffer_append_text(out, ", says it is ");
    put_percent(out, row, "confidence");
    buffer_append_text(out, " sure");
  }
  if (*text_at(row, "position")) {
    buffer_append_text(out, ", position ");
    put_inline(out, text_at(row, "position"));
  }
  buffer_append_text(out, ".\n\n");
}

static void put_message(struct buffer *out, const json_t *row, int level) {
  const json_t *claims = json_object_get(row, "key_claims");
  buffer_printf(out, "%.*s ", level + 2, "######");
  put_inline(out, text_at(row, "agent"));
  buffer_append_text(out, " (");
  put_inline(out, text_at(row, "kind"));
  if (*text_at(row, "stance")) buffer_append_text(out, ", ");
  put_inline(out, text_at(row, "stance"));
  buffer_printf(out, ") - Round %lld\n\n", (long long)json_get_int(row, "round", 0));
  markdown_quote(out, bytes_of(text_at(row, "content")));
  for (size_t i = 0; i < json_array_size(claims); i++) {
    buffer_append_text(out, "- ");
    markdown_inline(out, json_bytes(json_array_get(claims, i)));
    buffer_append_char(out, '\n');
  }
  if (json_array_size(claims)) buffer_append_char(out, '\n');
  put_source(out, row);
}

static void put_critique(struct buffer *out, const json_t *row) {
  static const struct {
    const char *label, *key;
  } parts[] = {{"", "claim"},
               {": ", "problem"},
               {" Why: ", "why"},
               {" Fix: ", "fix"},
               {" Answer: ", "reason"}};
  const json_t *items = json_object_get(row, "items");
  buffer_append_text(out, "**");
  put_inline(out, text_at(row, "agent"));
  buffer_append_text(out, " → ");
  put_inline(out, text_at(row, "target"));
  buffer_append_text(out, "** (severity: ");
  put_inline(out, *text_at(row, "severity") ? text_at(row, "severity") : "none");
  buffer_append_text(out, ")\n\n");
  for (size_t i = 0; i < json_array_size(items); i++) {
    const json_t *item = json_array_get(items, i);
    buffer_append_text(out, "- ");
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) {
      if (!*text_at(item, parts[k].key)) continue;
      buffer_append_text(out, parts[k].label);
      put_inline(out, text_at(item, parts[k].key));
    }
    buffer_append_text(out, " (");
    put_inline(out, text_at(item, "severity"));
    buffer_append_text(out, ")\n");
  }
  buffer_append_text(out, json_array_size(items) ? "\n" : "No objection.\n\n");
}

static void put_rounds(struct buffer *out, const json_t *d, int level) {
  const json_t *rounds = json_object_get(d, "rounds");
  for (size_t i = 0; i < json_array_size(rounds); i++) {
    const json_t *round = json_array_get(rounds, i);
    const json_t *said = json_object_get(round, "messages");
    const json_t *critiques = json_object_get(round, "critiques");
    int64_t number = json_get_int(round, "round", 0);
    if (!json_array_size(said) && !json_array_size(critiques)) continue;
    buffer_printf(out, "%.*s ", level + 1, "######");
    if (number)
      buffer_printf(out, "Round %lld\n\n", (long long)number);
    else
      buffer_append_text(out, "First answers\n\n");
    for (size_t k = 0; k < json_array_size(critiques); k++)
      put_critique(out, json_array_get(critiques, k));
    for (size_t k = 0; k < json_array_size(said); k++)
      put_message(out, json_array_get(said, k), level);
  }
}

/* ---- what it cost, and the proof ---- */

static void put_proof(struct buffer *out, const json_t *d, int level) {
  const json_t *usage = json_object_get(d, "usage");
  int64_t us = figure_ppm(d, "duration_seconds");
  put_heading(out, level + 1, "Cost and log");
  buffer_append_text(out, "- Cost: ");
  figure_append_money(out, figure_usd_micro(usage, "cost_usd"));
  buffer_append_text(out, ", ");
  figure_append_count(out, json_get_int(usage, "total_tokens", 0));
  buffer_append_text(out, " tokens in ");
  figure_append_count(out, json_get_int(usage, "attempts", 0));
  buffer_append_text(out, " calls");
  if (us >= 0) {
    buffer_append_text(out, ", ");
    figure_append_duration(out, us / 1000);
  }
  buffer_append_text(out, "\n- Debate: `");
  buffer_append_text(out, text_at(d, "id")); /* [A-Za-z0-9_-] */
  buffer_printf(out, "`\n- Events: %lld\n- Hash of the last event: `",
                (long long)json_get_int(d, "last_seq", 0));
  buffer_append_text(out, text_at(d, "head_hash"));
  buffer_append_text(out, "`\n\n");
}

void export_md_debate(struct buffer *out, const json_t *debate, bool alone) {
  int level = alone ? 1 : 2;
  put_heading(out, level, text_at(debate, "task"));
  put_status(out, debate);
  put_notices(out, debate);
  if (*text_at(debate, "context")) {
    put_heading(out, level + 1, "Context");
    markdown_quote(out, bytes_of(text_at(debate, "context")));
  }
  put_verdict(out, debate, level);
  put_agents(out, debate, level);
  put_positions(out, debate, level);
  put_rounds(out, debate, level);
  put_ballots(out, debate, level);
  put_proof(out, debate, level);
}

void export_md_unreadable(struct buffer *out, const json_t *row, const char *why) {
  put_heading(out, 2, text_at(row, "task"));
  buffer_append_text(out, "Its log cannot be shown:\n\n");
  markdown_quote(out, bytes_of(why));
  buffer_append_text(out, "- Debate: `");
  buffer_append_text(out, text_at(row, "id"));
  buffer_append_text(out, "`\n\n");
}

void export_md_begin(struct buffer *out, const char *exported_at) {
  buffer_append_text(out, "# Debates\n\nNewest first.\n\n");
}

void export_md_end(struct buffer *out, int64_t count, const char *exported_at) {
  buffer_append_text(out, "---\n\n");
  if (count >= 0) {
    figure_append_count(out, count);
    buffer_append_text(out, count == 1 ? " debate. " : " debates. ");
  }
  buffer_printf(out, "Exported from Aragora, %s\n", exported_at);
}
