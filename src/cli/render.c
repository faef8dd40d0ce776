#include "cli/render_state.h"

#include "base/figure.h"
#include "cli/text.h"

#include <stdio.h>
#include <stdlib.h>

enum { SEVERITY_HIGH_PPM = 700000, SEVERITY_MEDIUM_PPM = 400000, WORDS_MAX = 4096 };

/* A line of the page itself, dim. */
static void render_note(struct render *r, const char *text) {
  page_newline(&r->page);
  page_plain_text(
      &r->page,
      &(struct page_text){.lead = "   ", .hang = 3, .style = PAGE_DIM, .text = bytes_of(text)});
}

/* Opens a section unless it is open. Every block starts with a blank line, but not under a
 * heading. */
static void section(struct render *r, const char *kind, int round) {
  static const struct {
    const char *kind, *title;
  } titles[] = {{"proposal", "Proposals"},
                {"critique", "Critique"},
                {"revision", "Revision"},
                {"ballot", "Vote"},
                {"judgment", "Judgment"}};
  const char *name = kind;
  for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
    if (strcmp(titles[i].kind, kind) == 0) name = titles[i].title;
  bool numbered = strcmp(kind, "critique") == 0 || strcmp(kind, "revision") == 0;
  char title[RENDER_TITLE_SIZE];
  if (numbered)
    snprintf(title, sizeof title, "Round %d · %.32s", round, name);
  else
    snprintf(title, sizeof title, "%.48s", name);
  if (strcmp(title, r->title) == 0) {
    page_newline(&r->page);
    return;
  }
  memcpy(r->title, title, sizeof title);
  page_heading(&r->page, title);
}

/* ---- the head ---- */

static void append_settings(struct render *r, struct buffer *line, const json_t *data) {
  const char *mode = json_get_text(data, "mode", "debate");
  const char *rule = json_get_text(data, "consensus", "");
  int64_t rounds = json_get_int(data, "rounds", json_get_int(data, "max_rounds", -1));
  buffer_printf(line, "%d agent%s", r->cast.panel, r->cast.panel == 1 ? "" : "s");
  if (strcmp(mode, "debate") != 0) buffer_printf(line, " · mode %s", mode);
  if (rounds == 0) buffer_append_text(line, " · no rounds");
  if (strcmp(mode, "debate") == 0 && rounds > 0)
    buffer_printf(line, " · at most %lld round%s", (long long)rounds, rounds == 1 ? "" : "s");
  if (*rule) buffer_printf(line, " · %s", rule);
  if (strcmp(rule, "majority") == 0 || strcmp(rule, "weighted") == 0) {
    buffer_append_text(line, " of at least ");
    figure_append_percent(line, figure_ppm(data, "threshold"));
  }
  if (r->options.verbose && *json_get_text(data, "seed", ""))
    buffer_printf(line, " · seed %s", json_get_text(data, "seed", ""));
}

static void render_head(struct render *r, const json_t *data) {
  BUFFER_LATER struct buffer line;
  buffer_init(&line, WORDS_MAX);
  FREE_LATER char *task = render_text(r, data, "task");
  page_plain_text(&r->page, &(struct page_text){.style = PAGE_BOLD, .text = bytes_of(task)});
  append_settings(r, &line, data);
  FREE_LATER char *settings = text_clean(buffer_bytes(&line));
  page_plain_text(&r->page, &(struct page_text){.style = PAGE_DIM, .text = bytes_of(settings)});
  page_newline(&r->page);
  for (int i = 0; i < r->cast.count; i++) {
    const struct cast_member *m = &r->cast.members[i];
    struct page_gutter g = render_gutter_of(r, m->name);
    buffer_clear(&line);
    buffer_append_text(&line, m->demo ? "demo agent, scripted: no model is asked" : m->model);
    if (!m->demo && *m->provider) buffer_printf(&line, " (%s)", m->provider);
    if (i >= r->cast.panel) buffer_append_text(&line, ", judge");
    page_gutter_text(
        &r->page, &g,
        &(struct page_text){.style = PAGE_DIM,
                            .text = line.len ? buffer_bytes(&line) : BYTES_LITERAL("agent")});
  }
}

/* ---- critiques ---- */

static const char *severity_word(int64_t ppm) {
  return ppm >= SEVERITY_HIGH_PPM ? "high" : ppm >= SEVERITY_MEDIUM_PPM ? "medium" : "low";
}

static int severity_style(int64_t ppm) {
  return ppm >= SEVERITY_HIGH_PPM ? PAGE_BAD : ppm >= SEVERITY_MEDIUM_PPM ? PAGE_WARN : PAGE_DIM;
}

static void render_item(struct render *r, struct page_gutter *g, const json_t *item) {
  int64_t severity = figure_ppm(item, "severity_score");
  char lead[64];
  BUFFER_LATER struct buffer share;
  buffer_init(&share, 32);
  figure_append_share(&share, severity < 0 ? 0 : severity);
  snprintf(lead, sizeof lead, "● %s %s  ", severity_word(severity), share.ptr ? share.ptr : "");
  const char *claim = json_get_text(item, "claim", "");
  const char *problem = json_get_text(item, "problem", "");
  render_gutter(r, g, lead, severity_style(severity), PAGE_PLAIN, *problem ? problem : claim);
  if (*claim && *problem) render_gutter(r, g, "  on: ", PAGE_DIM, PAGE_DIM, claim);
  if (*json_get_text(item, "why", ""))
    render_gutter(r, g, "  why: ", PAGE_DIM, PAGE_PLAIN, json_get_text(item, "why", ""));
  if (*json_get_text(item, "fix", ""))
    render_gutter(r, g, "  fix: ", PAGE_GOOD, PAGE_PLAIN, json_get_text(item, "fix", ""));
}

static void render_critique(struct render *r, const json_t *frame) {
  const json_t *data = json_object_get(frame, "data");
  struct page_gutter g = render_gutter_of(r, json_get_text(frame, "agent", "?"));
  const json_t *items = json_object_get(data, "items");
  const json_t *item;
  size_t i;
  json_array_foreach(items, i, item) render_item(r, &g, item);
  if (json_array_size(items) == 0 && *json_get_text(data, "content", ""))
    render_gutter(r, &g, NULL, PAGE_PLAIN, PAGE_PLAIN, json_get_text(data, "content", ""));
  else if (json_array_size(items) == 0)
    render_gutter(r, &g, NULL, PAGE_PLAIN, PAGE_DIM, "no objection");
}

static const char *target_of(const json_t *frame) {
  const json_t *data = json_object_get(frame, "data");
  return json_get_text(data, "target", json_get_text(data, "target_agent_id", "?"));
}

/* All critiques about `target`, and taken out of the list. */
static void render_target(struct render *r, const char *target) {
  const json_t *first = json_array_get(r->critiques, 0);
  section(r, "critique", (int)json_get_int(first, "round", 0));
  FREE_LATER char *clean = text_clean(bytes_of(target));
  page_styled(&r->page, PAGE_DIM, BYTES_LITERAL("to "));
  page_styled(&r->page, cast_style(&r->cast, target), bytes_of(clean));
  page_newline(&r->page);
  for (size_t i = 0; i < json_array_size(r->critiques);) {
    const json_t *frame = json_array_get(r->critiques, i);
    if (strcmp(target_of(frame), target) != 0) {
      i++;
      continue;
    }
    render_critique(r, frame);
    json_array_remove(r->critiques, i);
  }
}

/* Under their targets, in the order of the panel. */
static void flush_critiques(struct render *r) {
  for (int i = 0; i < r->cast.count && json_array_size(r->critiques); i++) {
    size_t j;
    const json_t *frame;
    json_array_foreach(r->critiques, j, frame) {
      if (strcmp(target_of(frame), r->cast.members[i].name) != 0) continue;
      render_target(r, r->cast.members[i].name);
      break;
    }
  }
  while (json_array_size(r->critiques)) {
    FREE_LATER char *target = strdup(target_of(json_array_get(r->critiques, 0)));
    if (!target) return;
    render_target(r, target);
  }
}

/* ---- answers ---- */

static void append_answer_facts(struct buffer *line, const json_t *data) {
  const char *key = json_get_text(data, "answer_key", "");
  int64_t confidence = figure_ppm(data, "confidence");
  if (*key) buffer_printf(line, "in short: %s", key);
  if (confidence >= 0) {
    buffer_append_text(line, line->len ? " · says it is " : "says it is ");
    figure_append_percent(line, confidence);
    buffer_append_text(line, " sure");
  }
  if (json_get_bool(data, "truncated", false)) buffer_append_text(line, " · cut at its limit");
  if (json_get_bool(data, "repaired", false)) buffer_append_text(line, " · asked twice");
}

static void render_answer(struct render *r, struct page_gutter *g, const json_t *data) {
  const char *answer = json_get_text(data, "answer", json_get_text(data, "content", ""));
  render_gutter(r, g, NULL, PAGE_PLAIN, PAGE_PLAIN, answer);
  const json_t *claim;
  size_t i;
  if (r->options.verbose) {
    json_array_foreach(json_object_get(data, "key_claims"), i, claim)
        render_gutter(r, g, "· ", PAGE_DIM, PAGE_DIM, json_string_value(claim));
  }
  BUFFER_LATER struct buffer line;
  buffer_init(&line, WORDS_MAX);
  append_answer_facts(&line, data);
  if (line.len) render_gutter(r, g, NULL, PAGE_PLAIN, PAGE_DIM, line.ptr);
}

/* The critic of an item "round.critic.target.number", or "". */
static const char *critic_of(const struct render *r, const char *item) {
  int round, critic;
  if (sscanf(item, "%d.%d.", &round, &critic) != 2) return "";
  return critic >= 0 && critic < r->cast.panel ? r->cast.members[critic].name : "";
}

static void render_responses(struct render *r, struct page_gutter *g, const json_t *responses) {
  const json_t *row;
  size_t i;
  json_array_foreach(responses, i, row) {
    bool accept = json_get_bool(row, "accept", false);
    BUFFER_LATER struct buffer lead;
    buffer_init(&lead, 256);
    buffer_printf(&lead, "%s %s: ", accept ? "✓ accepts" : "✗ rejects",
                  critic_of(r, json_get_text(row, "item", "")));
    render_gutter(r, g, lead.ptr, accept ? PAGE_GOOD : PAGE_WARN, PAGE_PLAIN,
                  json_get_text(row, "reason", ""));
  }
}

static void render_revision(struct render *r, struct page_gutter *g, const json_t *data) {
  const char *stance = json_get_text(data, "stance", "");
  bool changed = json_get_bool(data, "changed", strcmp(stance, "held") != 0);
  bool reworded = !changed && strcmp(stance, "changed") == 0;
  render_responses(r, g, json_object_get(data, "responses"));
  if (changed || reworded) {
    render_gutter(r, g, NULL, PAGE_PLAIN, PAGE_BOLD,
                  changed ? "changes its answer:" : "words its answer anew:");
    render_answer(r, g, data);
  } else {
    render_gutter(r, g, NULL, PAGE_PLAIN, PAGE_DIM, "holds its answer");
  }
}

static void render_message(struct render *r, const json_t *frame) {
  const json_t *data = json_object_get(frame, "data");
  const char *kind = json_get_text(data, "kind", json_get_text(data, "message_type", "proposal"));
  struct page_gutter g = render_gutter_of(r, json_get_text(frame, "agent", "?"));
  if (strcmp(kind, "judgment") == 0) {
    json_array_append(r->ballots, (json_t *)frame);
    return;
  }
  section(r, kind, (int)json_get_int(frame, "round", 0));
  if (strcmp(kind, "revision") == 0)
    render_revision(r, &g, data);
  else
    render_answer(r, &g, data);
}

/* ---- what went wrong, and marks ---- */

static void render_agent_error(struct render *r, const json_t *frame) {
  const json_t *data = json_object_get(frame, "data");
  const char *kind = json_get_text(data, "kind", "answer");
  const char *detail = json_get_text(data, "detail", "");
  int64_t attempts = json_get_int(data, "attempts", 0);
  int64_t status = json_get_int(data, "upstream_status", 0);
  struct page_gutter g = render_gutter_of(r, json_get_text(frame, "agent", "?"));
  BUFFER_LATER struct buffer line;
  buffer_init(&line, WORDS_MAX);
  buffer_printf(&line, "no %s: %s", kind, json_get_text(data, "outcome", "unknown"));
  if (status) buffer_printf(&line, " (HTTP %lld)", (long long)status);
  if (attempts > 1) buffer_printf(&line, ", %lld attempts", (long long)attempts);
  if (*detail) buffer_printf(&line, ": %.1000s", detail);
  section(r, kind, (int)json_get_int(frame, "round", 0));
  render_gutter(r, &g, "✗ ", PAGE_BAD, PAGE_PLAIN, line.ptr);
}

static void render_attempt_end(struct render *r, const json_t *frame) {
  const json_t *data = json_object_get(frame, "data");
  const json_t *usage = json_object_get(data, "usage");
  struct page_gutter g = render_gutter_of(r, json_get_text(frame, "agent", "?"));
  BUFFER_LATER struct buffer line;
  buffer_init(&line, WORDS_MAX);
  buffer_printf(&line, "%s, attempt %lld: %s", json_get_text(data, "kind", "turn"),
                (long long)json_get_int(data, "attempt", 1), json_get_text(data, "outcome", "?"));
  int64_t in = json_get_int(usage, "input", -1), out = json_get_int(usage, "output", -1);
  if (in >= 0 && out >= 0)
    buffer_printf(&line, " · %lld tokens in, %lld out", (long long)in, (long long)out);
  int64_t latency = json_get_int(data, "latency_ms", -1);
  if (latency >= 0) {
    buffer_append_text(&line, " · ");
    figure_append_duration(&line, latency);
  }
  if (*json_get_text(data, "detail", ""))
    buffer_printf(&line, " · %.500s", json_get_text(data, "detail", ""));
  section(r, json_get_text(data, "kind", "turn"), (int)json_get_int(frame, "round", 0));
  render_gutter(r, &g, NULL, PAGE_PLAIN, PAGE_DIM, line.ptr);
}

static void render_stop(struct render *r, const json_t *data) {
  static const struct {
    const char *reason, *words;
  } rows[] = {{"agreement", "All agents gave the same answer: no debate is needed."},
              {"one_position", "One position is left: no further round."},
              {"no_change", "No answer changed in this round: no further one."},
              {"cancelled", "Cancelled."},
              {"deadline", "The time is over."},
              {"budget", "The budget is used up."}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (strcmp(rows[i].reason, json_get_text(data, "reason", "")) == 0)
      render_note(r, rows[i].words);
}

/* ---- who is thinking ---- */

static void note_attempt(struct render *r, const json_t *frame, bool started) {
  const json_t *data = json_object_get(frame, "data");
  int place = cast_find(&r->cast, json_get_text(frame, "agent", ""));
  if (place >= 0) r->thinking[place] = started;
  if (!started) return;
  const char *kind = json_get_text(data, "kind", "");
  bool numbered = strcmp(kind, "critique") == 0 || strcmp(kind, "revision") == 0;
  if (numbered)
    snprintf(r->doing, sizeof r->doing, "round %lld, %.20s",
             (long long)json_get_int(frame, "round", 0), kind);
  else
    snprintf(r->doing, sizeof r->doing, "%.20s", kind);
}

void render_append_waiting(const struct render *r, int64_t elapsed_ms, struct buffer *out) {
  BUFFER_LATER struct buffer line;
  buffer_init(&line, WORDS_MAX);
  if (elapsed_ms < 60000)
    buffer_printf(&line, "%lld s", (long long)(elapsed_ms / 1000)); /* tenths would only flicker */
  else
    figure_append_duration(&line, elapsed_ms);
  buffer_append_text(&line, *r->doing ? " · " : " · starting");
  buffer_append_text(&line, r->doing);
  const char *between = " · waiting for ";
  for (int i = 0; i < r->cast.count; i++) {
    if (!r->thinking[i]) continue;
    buffer_printf(&line, "%s%s", between, r->cast.members[i].name);
    between = ", ";
  }
  FREE_LATER char *clean = text_clean(buffer_bytes(&line));
  text_append_line(out, bytes_of(clean), r->page.width - 1);
}

void render_append_phase(const struct render *r, struct buffer *out) {
  FREE_LATER char *clean = text_clean(bytes_of(r->doing));
  text_append_line(out, bytes_of(clean), r->page.width);
}

/* ---- frames ---- */

enum frame_kind {
  FRAME_START,
  FRAME_ATTEMPT_START,
  FRAME_ATTEMPT_END,
  FRAME_MESSAGE,
  FRAME_CRITIQUE,
  FRAME_VOTE,
  FRAME_AGENT_ERROR,
  FRAME_STOP,
  FRAME_CONSENSUS,
  FRAME_ERROR,
  FRAME_DEBATE_END,
  FRAME_RESUMED,
  FRAME_OTHER,
};

static enum frame_kind kind_of(const json_t *frame) {
  static const char *const names[] = {
      "debate_start", "attempt_start", "attempt_end", "agent_message", "critique",   "vote",
      "agent_error",  "stop",          "consensus",   "error",         "debate_end", "resumed"};
  const char *type = json_get_text(frame, "type", "");
  for (int i = 0; i < FRAME_OTHER; i++)
    if (strcmp(names[i], type) == 0) return (enum frame_kind)i;
  return FRAME_OTHER;
}

/* A step is over when something else than its own events comes. */
static bool ends_critiques(enum frame_kind kind, const json_t *data) {
  if (kind == FRAME_ATTEMPT_START || kind == FRAME_ATTEMPT_END || kind == FRAME_AGENT_ERROR)
    return strcmp(json_get_text(data, "kind", ""), "critique") != 0;
  return kind != FRAME_CRITIQUE && kind != FRAME_OTHER && kind != FRAME_RESUMED;
}

static void keep(json_t **slot, json_t *data) {
  json_decref(*slot);
  *slot = json_incref(data);
}

static void show(struct render *r, enum frame_kind kind, const json_t *frame, const json_t *data) {
  if (ends_critiques(kind, data)) flush_critiques(r);
  switch (kind) {
    case FRAME_START: render_head(r, data); break;
    case FRAME_ATTEMPT_END:
      if (r->options.verbose) render_attempt_end(r, frame);
      break;
    case FRAME_MESSAGE: render_message(r, frame); break;
    case FRAME_CRITIQUE: json_array_append(r->critiques, (json_t *)frame); break;
    case FRAME_VOTE: json_array_append(r->ballots, (json_t *)frame); break;
    case FRAME_AGENT_ERROR: render_agent_error(r, frame); break;
    case FRAME_STOP: render_stop(r, data); break;
    case FRAME_RESUMED: render_note(r, "Taken up again after the server had gone away."); break;
    case FRAME_CONSENSUS:
      if (json_array_size(r->ballots)) {
        section(r, "ballot", 0);
        votes_render(r);
      }
      break;
    default: break;
  }
}

enum status render_frame(struct render *r, const json_t *frame, struct buffer *out) {
  json_t *data = json_object_get(frame, "data");
  if (json_get_int(frame, "seq", 0) <= 0 || !json_is_object(data)) return STATUS_OK;
  enum frame_kind kind = kind_of(frame);
  r->page.out = out;
  if (kind == FRAME_START) {
    keep(&r->start, data);
    if (cast_read(&r->cast, data)) return STATUS_NOMEM;
    free(r->debate_id);
    r->debate_id = text_clean(bytes_of(json_get_text(frame, "debate_id", "")));
  }
  if (kind == FRAME_ATTEMPT_START || kind == FRAME_ATTEMPT_END)
    note_attempt(r, frame, kind == FRAME_ATTEMPT_START);
  if (kind == FRAME_CONSENSUS) keep(&r->consensus, data);
  if (kind == FRAME_ERROR) keep(&r->error, data);
  if (!r->options.verdict_only) show(r, kind, frame, data);
  if (kind == FRAME_DEBATE_END) {
    keep(&r->end, data);
    verdict_render(r);
  }
  r->page.out = NULL;
  return out->overflow ? STATUS_TOO_LARGE : STATUS_OK;
}

static bool is_route_failure(const json_t *cause) {
  const char *outcome = json_get_text(cause, "outcome", "");
  return !json_is_integer(json_object_get(cause, "upstream_status")) &&
         (strcmp(outcome, "unavailable") == 0 || strcmp(outcome, "timeout") == 0);
}

enum render_end render_end(const struct render *r) {
  if (!r->end) return RENDER_OPEN;
  const char *status = json_get_text(r->end, "status", "");
  if (strcmp(status, "cancelled") == 0) return RENDER_CANCELLED;
  if (strcmp(status, "failed") != 0)
    return json_get_bool(r->consensus, "reached", false) ? RENDER_REACHED : RENDER_UNDECIDED;
  const json_t *causes = json_object_get(r->error, "causes");
  const json_t *cause;
  size_t i;
  json_array_foreach(causes, i, cause) if (!is_route_failure(cause)) return RENDER_FAILED;
  return json_array_size(causes) ? RENDER_FAILED_ROUTE : RENDER_FAILED;
}
