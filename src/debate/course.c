#include "debate/course.h"

#include "debate/outward.h"
#include "debate/result.h"
#include "debate/standing.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { FOLLOWUPS_MAX = 20, POINTS_MAX = 100, SEVERITY_HIGH_PPM = 700000 };

static json_t *stop_reason(const struct debate *d) {
  const char *reason = stop_reason_names[d->stop_reason];
  return json_text_or_null(*reason ? reason : NULL);
}

static json_t *head(struct maker *m, const char *id) {
  json_t *out = json_object();
  maker_put(m, out, "debate_id", json_text(bytes_of(id)));
  return out;
}

/* ---- convergence ---- */

/* Null before all first answers are in. */
static json_t *convergence_status(const struct debate *d, const struct standing *now, int since) {
  int first = standing_at_first(d);
  if (now->positions.count == 0 || d->phase == PHASE_PROPOSE) return json_null();
  if (since >= 0) return json_string("converged");
  return json_string(now->positions.count < first   ? "refining"
                     : now->positions.count > first ? "diverging"
                                                    : "");
}

json_t *course_convergence(const struct debate *d, const char *id) {
  struct maker m = {false};
  struct standing now;
  standing_now(d, &now);
  bool early = d->phase <= PHASE_PROPOSE;
  int since = early ? -1 : standing_converged_in(d, &now);
  int64_t share = early ? -1 : standing_share_ppm(d, &now);
  json_t *out = head(&m, id);
  maker_put(&m, out, "convergence_reached", early ? json_null() : json_boolean(since >= 0));
  maker_put(&m, out, "convergence_round", json_int_or_null(since));
  maker_put(&m, out, "convergence_status", convergence_status(d, &now, since));
  maker_put(&m, out, "similarity_score", outward_millionths(share));
  maker_put(&m, out, "convergence_similarity", outward_millionths(share));
  maker_put(&m, out, "consensus_reached",
            json_boolean(json_get_bool(d->consensus, "reached", false)));
  maker_put(&m, out, "share", outward_member(d->consensus, "share_ppm"));
  maker_put(&m, out, "stop_reason", stop_reason(d));
  maker_put(&m, out, "rounds_used", json_integer(d->round));
  maker_put(&m, out, "key_agreements", standing_shared_texts(&m, d, &now));
  maker_put(&m, out, "remaining_disagreements", standing_other_texts(&m, d, &now));
  maker_put(&m, out, "rounds", standing_rounds(&m, d));
  return maker_done(&m, out);
}

/* ---- criticism ---- */

static const char *text_or(const char *text, const char *fallback) {
  return text && *text ? text : fallback;
}

/* What an item is about, in its critic's words. */
static const char *item_text(const struct item *item) {
  return text_or(item->problem, text_or(item->claim, ""));
}

static int by_severity(const void *a, const void *b) {
  const struct item *left = *(const struct item *const *)a;
  const struct item *right = *(const struct item *const *)b;
  if (left->severity_ppm != right->severity_ppm)
    return left->severity_ppm < right->severity_ppm ? 1 : -1;
  return left < right ? -1 : left > right; /* both in the one array: the order of the log */
}

/* The items that were never answered, and with `rejected` those too, the most severe first; freed
 * by the caller. NULL when memory is short or there are none. */
static const struct item **unsettled(struct maker *m, const struct debate *d, bool rejected,
                                     size_t *ret_count) {
  *ret_count = 0;
  if (d->item_count == 0) return NULL;
  const struct item **items = malloc((size_t)d->item_count * sizeof *items);
  if (!items) m->failed = true;
  for (int i = 0; items && i < d->item_count; i++) {
    const struct item *item = &d->items[i];
    bool counts = item->state == ITEM_OPEN || (rejected && item->state == ITEM_REJECTED);
    if (counts && *item_text(item)) items[(*ret_count)++] = item;
  }
  if (items) qsort(items, *ret_count, sizeof *items, by_severity);
  return items;
}

/* ---- impasse ---- */

static bool at_impasse(const struct debate *d, const struct standing *now) {
  return d->end && strcmp(json_get_text(d->end, "outcome", ""), "no_consensus") == 0 &&
         now->positions.count > 1 && d->stop_reason == STOP_NO_CHANGE;
}

/* The same claim of the same agent was criticised in two rounds. */
static bool critiques_repeat(const struct debate *d) {
  for (int i = 0; i < d->item_count; i++) {
    const struct item *late = &d->items[i];
    for (int j = 0; j < i && late->claim && *late->claim; j++) {
      const struct item *early = &d->items[j];
      if (early->target == late->target && early->round != late->round && early->claim &&
          strcasecmp(early->claim, late->claim) == 0)
        return true;
    }
  }
  return false;
}

static bool has_severe_item(const struct debate *d) {
  for (int i = 0; i < d->item_count; i++)
    if (d->items[i].severity_ppm > SEVERITY_HIGH_PPM) return true;
  return false;
}

static json_t *disagreement_points(struct maker *m, const struct debate *d) {
  size_t count;
  const struct item **items = unsettled(m, d, true, &count);
  json_t *out = json_array();
  for (size_t i = 0; i < count && i < POINTS_MAX; i++)
    maker_add(m, out, json_text(bytes_of(item_text(items[i]))));
  free(items);
  return out;
}

json_t *course_impasse(const struct debate *d, const char *id) {
  struct maker m = {false};
  struct standing now;
  standing_now(d, &now);
  bool stuck = at_impasse(d, &now);
  json_t *indicators = json_object();
  maker_put(&m, indicators, "repeated_critiques", json_boolean(critiques_repeat(d)));
  maker_put(&m, indicators, "no_convergence",
            d->end ? json_boolean(now.positions.count > 1) : json_null());
  maker_put(&m, indicators, "high_severity_critiques", json_boolean(has_severe_item(d)));
  json_t *out = head(&m, id);
  maker_put(&m, out, "has_impasse", d->end ? json_boolean(stuck) : json_null());
  maker_put(&m, out, "is_impasse", d->end ? json_boolean(stuck) : json_null());
  maker_put(&m, out, "impasse_round", json_int_or_null(stuck ? d->round : -1));
  maker_put(&m, out, "indicators", indicators);
  maker_put(&m, out, "positions", json_integer(now.positions.count));
  maker_put(&m, out, "stop_reason", stop_reason(d));
  maker_put(&m, out, "disagreement_points", disagreement_points(&m, d));
  maker_put(&m, out, "suggested_resolution", json_null());
  return maker_done(&m, out);
}

/* ---- summary ---- */

/* The claims that came with the text which stands for the best position. */
static json_t *key_points(const struct debate *d) {
  const json_t *best = NULL;
  const json_t *positions = json_object_get(d->consensus, "positions");
  const char *id = json_get_text(d->consensus, "best", "");
  for (size_t i = 0; i < json_array_size(positions); i++)
    if (strcmp(json_get_text(json_array_get(positions, i), "id", ""), id) == 0)
      best = json_array_get(positions, i);
  const char *speaker = json_get_text(best, "speaker", "");
  const char *text = json_get_text(best, "text", "");
  for (size_t i = 0; best && i < d->history_count; i++) {
    const struct event *ev = &d->history[i];
    if (ev->kind == EVENT_AGENT_MESSAGE && ev->agent && strcmp(ev->agent, speaker) == 0 &&
        strcmp(json_get_text(ev->data, "answer", ""), text) == 0 &&
        json_is_array(json_object_get(ev->data, "key_claims")))
      return outward_member(ev->data, "key_claims");
  }
  return json_array();
}

static const char *plural(int count) {
  return count == 1 ? "" : "s";
}

static const char *const how_ended[][2] = {
    {"consensus", "consensus"},
    {"fast_path", "all first answers agreed"},
    {"no_consensus", "no consensus"},
    {"failed", "failed"},
    {"cancelled", "cancelled"},
    {"deadline", "ended by its deadline"},
    {"budget_exhausted", "ended by its budget"},
};

static const char *ended_how(const struct debate *d) {
  const char *outcome = debate_outcome(d);
  for (size_t i = 0; outcome && i < sizeof how_ended / sizeof *how_ended; i++)
    if (strcmp(how_ended[i][0], outcome) == 0) return how_ended[i][1];
  return outcome ? outcome : "not ended";
}

/* "consensus by majority with 0.75 of the first choices: 4 agents, 2 rounds" */
static void append_one_liner(struct buffer *out, const struct debate *d) {
  int64_t share = json_get_int(d->consensus, "share_ppm", -1);
  bool reached = json_get_bool(d->consensus, "reached", false);
  int agents = d->config.member_count;
  buffer_printf(out, "%s", ended_how(d));
  if (reached) buffer_printf(out, " by %s", json_get_text(d->consensus, "rule", ""));
  if (share >= 0) {
    buffer_append_text(out, reached ? " with a share of " : ", leading share ");
    outward_append_millionths(out, share);
  }
  buffer_printf(out, ": %d agent%s, %d round%s", agents, plural(agents), d->round,
                plural(d->round));
}

static json_t *caveats(struct maker *m, const struct debate *d) {
  json_t *out = json_array();
  for (int i = 0; i < d->degradation_count; i++) {
    const struct degradation *row = &d->degradations[i];
    BUFFER_LATER struct buffer text;
    buffer_init(&text, SIZE_MAX / 4);
    buffer_printf(&text, "%s: %s", *row->agent ? row->agent : "debate", row->cause);
    if (*row->detail) buffer_printf(&text, " (%s)", row->detail);
    maker_add(m, out, text.overflow ? NULL : json_text(buffer_bytes(&text)));
  }
  return out;
}

static json_t *duration(const struct debate *d) {
  int64_t ms = json_get_int(d->end, "elapsed_ms", -1);
  return ms < 0 ? json_null() : json_real((double)ms / 1e3);
}

static json_t *summary_detail(struct maker *m, const struct debate *d, struct bytes one_liner) {
  struct standing now;
  standing_now(d, &now);
  json_t *out = json_object();
  maker_put(m, out, "one_liner", json_text(one_liner));
  maker_put(m, out, "key_points", key_points(d));
  maker_put(m, out, "agreement_areas", standing_shared_texts(m, d, &now));
  maker_put(m, out, "disagreement_areas", standing_other_texts(m, d, &now));
  maker_put(m, out, "confidence", outward_member(d->consensus, "share_ppm"));
  maker_put(m, out, "confidence_label", json_null());
  maker_put(m, out, "consensus_strength", outward_member(d->consensus, "strength"));
  maker_put(m, out, "next_steps", json_null());
  maker_put(m, out, "caveats", caveats(m, d));
  maker_put(m, out, "rounds_used", json_integer(d->round));
  maker_put(m, out, "agents_participated", json_integer(result_valid_count(d)));
  maker_put(m, out, "duration_seconds", duration(d));
  return out;
}

json_t *course_summary(const struct debate *d, const char *id) {
  struct maker m = {false};
  BUFFER_LATER struct buffer text;
  buffer_init(&text, SIZE_MAX / 4);
  append_one_liner(&text, d);
  json_t *out = head(&m, id);
  json_t *detail = text.overflow ? NULL : summary_detail(&m, d, buffer_bytes(&text));
  const char *conclusion = json_get_text(d->consensus, "conclusion", NULL);
  if (conclusion) buffer_printf(&text, "\n\n%s", conclusion);
  maker_put(&m, out, "task", json_text_or_null(d->config.task));
  maker_put(&m, out, "summary", text.overflow ? NULL : json_text(buffer_bytes(&text)));
  maker_put(&m, out, "key_points", key_points(d));
  maker_put(&m, out, "consensus_reached",
            json_boolean(json_get_bool(d->consensus, "reached", false)));
  maker_put(&m, out, "confidence", outward_member(d->consensus, "share_ppm"));
  maker_put(&m, out, "conclusion", json_text_or_null(conclusion));
  maker_put(&m, out, "duration_seconds", duration(d));
  maker_put(&m, out, "summary_detail", detail);
  return maker_done(&m, out);
}

/* ---- follow-ups ---- */

static json_t *suggestion(struct maker *m, const char *crux, const char *question,
                          int64_t weight_ppm, const char *reasoning) {
  BUFFER_LATER struct buffer text;
  buffer_init(&text, SIZE_MAX / 4);
  buffer_printf(&text, "%s: %s", question, crux);
  json_t *out = json_object();
  maker_put(m, out, "crux", json_text(bytes_of(crux)));
  maker_put(m, out, "suggested_question", text.overflow ? NULL : json_text(buffer_bytes(&text)));
  maker_put(m, out, "priority", json_string(outward_severity(weight_ppm)));
  maker_put(m, out, "reasoning", json_text_or_null(reasoning && *reasoning ? reasoning : NULL));
  return out;
}

static void add_unanswered(struct maker *m, json_t *out, const struct debate *d) {
  size_t count;
  const struct item **items = unsettled(m, d, false, &count);
  for (size_t i = 0; i < count && json_array_size(out) < FOLLOWUPS_MAX; i++)
    maker_add(m, out,
              suggestion(m, item_text(items[i]), "Does this criticism hold, which was not answered",
                         items[i]->severity_ppm, items[i]->why));
  free(items);
}

/* Positions that were not chosen, where one was: as weighty as the part of the panel that holds
 * them. */
static void add_dissent(struct maker *m, json_t *out, const struct debate *d) {
  const json_t *positions = json_object_get(d->consensus, "positions");
  const char *winner = json_get_text(d->consensus, "winner", NULL);
  for (size_t i = 0; winner && i < json_array_size(positions); i++) {
    const json_t *row = json_array_get(positions, i);
    size_t holders = json_array_size(json_object_get(row, "holders"));
    if (strcmp(json_get_text(row, "id", ""), winner) == 0) continue;
    if (json_array_size(out) == FOLLOWUPS_MAX) return;
    maker_add(m, out,
              suggestion(m, json_get_text(row, "text", ""),
                         "What speaks for the answer that was not chosen",
                         (int64_t)holders * PPM / d->config.member_count, NULL));
  }
}

json_t *course_followups(const struct debate *d, const char *id) {
  struct maker m = {false};
  json_t *suggestions = json_array();
  if (d->end) {
    add_unanswered(&m, suggestions, d);
    add_dissent(&m, suggestions, d);
  }
  json_t *out = head(&m, id);
  maker_put(&m, out, "count", json_integer((json_int_t)json_array_size(suggestions)));
  maker_put(&m, out, "suggestions", suggestions);
  return maker_done(&m, out);
}
