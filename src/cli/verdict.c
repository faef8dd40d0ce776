/* The box at the end: what did not go as it should first, then what came out, who stands behind it,
 * who does not, and what it cost. */
#include "base/figure.h"
#include "cli/render_state.h"
#include "cli/text.h"

#include <stdio.h>
#include <stdlib.h>

enum { LINE_MAX_BYTES = 65536, LABEL_COLUMNS = 9, DEGRADATIONS_MAX = 12 };

struct verdict {
  struct render *r;
  int style; /* of the frame */
  struct buffer line;
};

static void box_lead(struct verdict *v, const char *lead, int lead_style, size_t hang, int style,
                     const char *text) {
  FREE_LATER char *clean = text_clean(bytes_of(text));
  if (!clean) v->r->page.out->overflow = true;
  page_box_text(&v->r->page, v->style,
                &(struct page_text){lead, lead_style, hang, style, bytes_of(clean)});
}

/* The collected line behind a label: "Support  a, b". Empties it. */
static void box_labelled(struct verdict *v, const char *label, int style) {
  char lead[64];
  snprintf(lead, sizeof lead, "%-*s", LABEL_COLUMNS, label);
  if (v->line.len) box_lead(v, lead, PAGE_DIM, LABEL_COLUMNS, style, v->line.ptr);
  buffer_clear(&v->line);
}

static void box_line(struct verdict *v, int style) {
  if (v->line.len) box_lead(v, NULL, PAGE_PLAIN, 0, style, v->line.ptr);
  buffer_clear(&v->line);
}

/* ---- what went wrong, first ---- */

static void box_degradation(struct verdict *v, const json_t *row) {
  static const struct {
    const char *cause, *words;
  } causes[] = {{"truncated", "an answer was cut at its limit"},
                {"repaired", "a reply had to be asked for twice"},
                {"fallback", "another provider answered"},
                {"judge_failed", "the judge failed"},
                {"ballot_quorum", "too few ballots"}};
  const char *cause = json_get_text(row, "cause", "unknown");
  const char *words = cause;
  for (size_t i = 0; i < sizeof causes / sizeof *causes; i++)
    if (strcmp(causes[i].cause, cause) == 0) words = causes[i].words;
  const char *agent = json_get_text(row, "agent", "");
  const char *turn = json_get_text(row, "turn", "");
  const char *detail = json_get_text(row, "detail", "");
  if (*agent) buffer_printf(&v->line, "%s: ", agent);
  buffer_printf(&v->line, "%s", words);
  if (*turn) buffer_printf(&v->line, " (%s)", turn);
  if (*detail) buffer_printf(&v->line, ": %.500s", detail);
  box_lead(v, "! ", PAGE_WARN, 2, PAGE_WARN, v->line.ptr ? v->line.ptr : "");
  buffer_clear(&v->line);
}

/* A lost proposal of a failed debate is told once, as a cause of the failure. */
static bool is_told_as_cause(const struct verdict *v, const json_t *row) {
  const json_t *cause;
  size_t i;
  json_array_foreach(json_object_get(v->r->error, "causes"), i, cause) {
    if (strcmp(json_get_text(cause, "agent", "-"), json_get_text(row, "agent", "")) == 0 &&
        strcmp(json_get_text(cause, "outcome", "-"), json_get_text(row, "cause", "")) == 0)
      return true;
  }
  return false;
}

static void box_degradations(struct verdict *v) {
  const json_t *row;
  size_t i, count = 0;
  json_array_foreach(json_object_get(v->r->end, "degradations"), i, row) {
    if (is_told_as_cause(v, row)) continue;
    if (count++ == 0)
      box_lead(v, NULL, PAGE_PLAIN, 0, PAGE_BOLD, "Degraded: not everything went as it should");
    if (count <= DEGRADATIONS_MAX) box_degradation(v, row);
  }
  if (count > DEGRADATIONS_MAX) {
    buffer_printf(&v->line, "and %zu more", count - DEGRADATIONS_MAX);
    box_line(v, PAGE_WARN);
  }
  if (count) page_box_blank(&v->r->page, v->style);
}

static void box_error(struct verdict *v) {
  if (!v->r->error) return;
  const json_t *cause;
  size_t i;
  box_lead(v, NULL, PAGE_PLAIN, 0, PAGE_BOLD,
           json_get_text(v->r->error, "message", "The debate failed"));
  json_array_foreach(json_object_get(v->r->error, "causes"), i, cause) {
    int64_t status = json_get_int(cause, "upstream_status", 0);
    buffer_printf(&v->line, "%s: %s", json_get_text(cause, "agent", "?"),
                  json_get_text(cause, "outcome", "unknown"));
    if (status) buffer_printf(&v->line, " (HTTP %lld)", (long long)status);
    if (*json_get_text(cause, "detail", ""))
      buffer_printf(&v->line, ": %.1000s", json_get_text(cause, "detail", ""));
    box_lead(v, "✗ ", PAGE_BAD, 2, PAGE_PLAIN, v->line.ptr ? v->line.ptr : "");
    buffer_clear(&v->line);
  }
  page_box_blank(&v->r->page, v->style);
}

/* ---- what came out ---- */

static void append_agreement(struct verdict *v, const json_t *c) {
  int64_t share = figure_ppm(c, "share");
  int64_t threshold = figure_ppm(c, "threshold");
  const char *rule = json_get_text(c, "rule", "");
  const char *strength = json_get_text(c, "strength", "");
  if (share < 0) return;
  figure_append_percent(&v->line, share);
  buffer_append_text(&v->line, " agree");
  bool counts = strcmp(rule, "any") != 0 && strcmp(rule, "judge") != 0;
  if (counts && threshold >= 0) {
    buffer_printf(&v->line, " (%s, at least ", rule);
    figure_append_percent(&v->line, threshold);
    buffer_append_char(&v->line, ')');
  }
  if (*strength) buffer_printf(&v->line, " · %s", strength);
}

/* Of the leading position's row, or NULL. */
static const json_t *best_position(const json_t *consensus) {
  const char *best = json_get_text(consensus, "best", "");
  const json_t *row;
  size_t i;
  json_array_foreach(json_object_get(consensus, "positions"), i,
                     row) if (strcmp(json_get_text(row, "id", "-"), best) == 0) return row;
  return NULL;
}

static void box_answer(struct verdict *v) {
  const json_t *c = v->r->consensus;
  const char *answer = json_get_text(c, "conclusion", "");
  const char *key = json_get_text(c, "answer_key", json_get_text(best_position(c), "key", ""));
  bool reached = json_get_bool(c, "reached", false);
  if (!*answer) return;
  bool single = strcmp(json_get_text(v->r->start, "mode", ""), "single") == 0;
  if (!reached && !single) box_lead(v, NULL, PAGE_PLAIN, 0, PAGE_DIM, "Best answer so far:");
  if (*key) box_lead(v, NULL, PAGE_PLAIN, 0, PAGE_BOLD, key);
  if (strcmp(key, answer) != 0) box_lead(v, NULL, PAGE_PLAIN, 0, PAGE_PLAIN, answer);
  page_box_blank(&v->r->page, v->style);
}

static void box_support(struct verdict *v) {
  const json_t *c = v->r->consensus;
  append_agreement(v, c);
  box_labelled(v, "Result", PAGE_PLAIN);
  const char *judge = json_get_text(c, "judge", "");
  if (*judge)
    buffer_printf(&v->line, "%s%s", judge,
                  json_get_bool(c, "judge_in_panel", false) ? ", itself of the panel" : "");
  box_labelled(v, "Judge", PAGE_PLAIN);
  const json_t *row;
  size_t i;
  json_array_foreach(json_object_get(c, "supporting_agents"), i, row) buffer_printf(
      &v->line, "%s%s", i ? ", " : "", json_is_string(row) ? json_string_value(row) : "?");
  box_labelled(v, "Support", PAGE_GOOD);
}

static void box_dissent(struct verdict *v) {
  const json_t *row;
  size_t i;
  json_array_foreach(json_object_get(v->r->consensus, "dissent"), i, row) {
    const char *key = json_get_text(row, "answer_key", "");
    const char *answer = json_get_text(row, "answer", "");
    BUFFER_LATER struct buffer words;
    buffer_init(&words, LINE_MAX_BYTES);
    text_append_line(&words, bytes_of(*key ? key : answer), 2 * v->r->page.width);
    buffer_printf(&v->line, "%s: %s", json_get_text(row, "agent", "?"), words.ptr ? words.ptr : "");
    box_labelled(v, i ? "" : "Dissent", PAGE_WARN);
  }
}

/* What a plain vote on the sealed first answers would have said. */
static void box_round0(struct verdict *v) {
  const json_t *before = json_object_get(v->r->consensus, "round0");
  const char *leader = json_get_text(before, "leader", "");
  int64_t share = figure_ppm(before, "share");
  if (!*leader || share < 0) return;
  buffer_printf(&v->line, "%.200s, ", leader);
  figure_append_percent(&v->line, share);
  const json_t *changed = json_object_get(before, "changed_by_debate");
  if (json_is_true(changed)) buffer_append_text(&v->line, ": the debate changed the answer");
  if (json_is_false(changed)) buffer_append_text(&v->line, ": the debate confirmed it");
  box_labelled(v, "At first", PAGE_PLAIN);
}

/* ---- what it cost ---- */

static void box_cost(struct verdict *v) {
  const json_t *end = v->r->end;
  int64_t in = json_get_int(end, "tokens_in", -1), out = json_get_int(end, "tokens_out", -1);
  int64_t elapsed = json_get_int(end, "elapsed_ms", -1);
  double seconds = json_number_value(json_object_get(end, "duration_seconds"));
  if (elapsed < 0 && seconds > 0 && seconds < 1e9) elapsed = (int64_t)(seconds * 1000);
  if (elapsed >= 0) figure_append_duration(&v->line, elapsed);
  if (in >= 0 && out >= 0) {
    buffer_append_text(&v->line, v->line.len ? " · " : "");
    figure_append_count(&v->line, in);
    buffer_append_text(&v->line, " tokens in, ");
    figure_append_count(&v->line, out);
    buffer_append_text(&v->line, " out");
  }
  buffer_append_text(&v->line, v->line.len ? " · " : "");
  figure_append_money(&v->line, figure_usd_micro(end, "cost_usd"));
  box_labelled(v, "Cost", PAGE_PLAIN);
  if (v->r->debate_id) buffer_append_text(&v->line, v->r->debate_id);
  box_labelled(v, "Debate", PAGE_PLAIN);
}

struct ending {
  const char *outcome, *title;
  int style;
};

static struct ending ending_of(const struct render *r) {
  static const struct ending endings[] = {
      {"consensus", "Consensus", PAGE_GOOD},
      {"fast_path", "Consensus without a debate", PAGE_GOOD},
      {"no_consensus", "No consensus", PAGE_WARN},
      {"failed", "Failed", PAGE_BAD},
      {"cancelled", "Cancelled", PAGE_WARN},
      {"deadline", "Out of time", PAGE_WARN},
      {"budget_exhausted", "Budget used up", PAGE_WARN},
  };
  const char *outcome = json_get_text(r->end, "outcome", json_get_text(r->end, "status", ""));
  bool single = strcmp(json_get_text(r->start, "mode", ""), "single") == 0;
  bool undecided = strcmp(json_get_text(r->start, "consensus", ""), "none") == 0;
  if (strcmp(outcome, "no_consensus") == 0 && single)
    return (struct ending){outcome, "Answer of one agent", PAGE_DIM};
  if (strcmp(outcome, "no_consensus") == 0 && undecided)
    return (struct ending){outcome, "Answers, no decision asked for", PAGE_DIM};
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
    if (strcmp(endings[i].outcome, outcome) == 0) return endings[i];
  return (struct ending){outcome, "Ended", PAGE_DIM};
}

void verdict_render(struct render *r) {
  struct ending ending = ending_of(r);
  struct verdict v = {.r = r, .style = ending.style};
  buffer_init(&v.line, LINE_MAX_BYTES);
  if (!r->options.verdict_only) page_newline(&r->page);
  page_box_top(&r->page, v.style, ending.title);
  box_degradations(&v);
  if (json_get_bool(r->start, "demo", false)) {
    box_lead(&v, NULL, PAGE_PLAIN, 0, PAGE_WARN,
             "Demo: scripted agents took part; what they say means nothing.");
    page_box_blank(&r->page, v.style);
  }
  box_error(&v);
  if (r->consensus) {
    box_answer(&v);
    box_support(&v);
    box_dissent(&v);
    box_round0(&v);
  }
  box_cost(&v);
  page_box_bottom(&r->page, v.style);
  if (v.line.overflow) r->page.out->overflow = true;
  buffer_done(&v.line);
}
