#include "debate/reply_fields.h"

#include "base/utf8.h"
#include "debate/blank.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

struct reading {
  const struct reply_form *form;
  bool lenient;
  struct reply *reply;
  struct error *err;
};

static enum status refuse(const struct reading *r, const char *text) {
  return error_set(r->err, STATUS_INVALID, NULL, "%s", text);
}

/* ---- one value ---- */

/* Clean, trimmed, with plain line ends; NULL when memory is short. */
static char *clean_dup(struct bytes text) {
  if (utf8_plain(text)) return bytes_dup(blank_trim(text)); /* nearly always */
  FREE_LATER char *plain = malloc(text.len + 1);
  if (!plain) return NULL;
  size_t n = 0;
  for (size_t i = 0; i < text.len; i++)
    if (text.ptr[i] != '\r') plain[n++] = text.ptr[i];
  FREE_LATER char *clean = utf8_clean((struct bytes){plain, n});
  return clean ? bytes_dup(blank_trim(bytes_of(clean))) : NULL;
}

/* A text; leniently also a number or a truth value, as text. False when it is of another type;
 * *ret_text is NULL when memory is short. */
static bool read_text(const json_t *value, bool lenient, char **ret_text) {
  char digits[40] = "";
  if (json_is_string(value)) {
    *ret_text = clean_dup(json_bytes(value));
    return true;
  }
  if (!lenient) return false;
  if (json_is_integer(value))
    snprintf(digits, sizeof digits, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
  else if (json_is_real(value))
    snprintf(digits, sizeof digits, "%.15g", json_real_value(value));
  else if (json_is_boolean(value))
    snprintf(digits, sizeof digits, "%s", json_is_true(value) ? "true" : "false");
  else if (value && !json_is_null(value))
    return false;
  *ret_text = bytes_dup(bytes_of(digits));
  return true;
}

enum presence { REQUIRED, OPTIONAL };

/* The text under `key` into *field, "" where it is optional and missing. */
static enum status read_field(const struct reading *r, const json_t *object, const char *key,
                              enum presence presence, char **field) {
  const json_t *value = json_object_get(object, key);
  bool missing = !value || json_is_null(value);
  if (missing && (presence == OPTIONAL || r->lenient))
    *field = bytes_dup(bytes_of(""));
  else if (!read_text(value, r->lenient, field))
    return error_set(r->err, STATUS_INVALID, key, "\"%s\" must be a text", key);
  return *field ? STATUS_OK : STATUS_NOMEM;
}

/* A number in a text, as JSON writes one; a percent sign divides. */
static bool number_in_text(struct bytes text, double *ret_number) {
  text = blank_trim(text);
  double unit = 1;
  if (text.len && text.ptr[text.len - 1] == '%') {
    text.len--;
    unit = 0.01;
  }
  if (!text.len || text.len > 32 || (*text.ptr != '-' && (*text.ptr < '0' || *text.ptr > '9')))
    return false;
  JSON_LATER json_t *value = json_loadb(text.ptr, text.len, JSON_DECODE_ANY, NULL);
  if (!json_is_number(value)) return false;
  *ret_number = json_number_value(value) * unit;
  return true;
}

/* A number of 0..1 in ppm, rounded; with `percent` also one above 10 and up to 100, which can only
 * be a percentage: an 8 may be one out of ten as well. */
static bool read_ppm(const json_t *value, bool lenient, bool percent, int64_t *ret_ppm) {
  double number;
  if (json_is_number(value))
    number = json_number_value(value);
  else if (!lenient || !json_is_string(value) || !number_in_text(json_bytes(value), &number))
    return false;
  if (percent && number > 10 && number <= 100) number /= 100;
  if (!(number >= 0 && number <= 1)) return false;
  *ret_ppm = llround(number * PPM);
  return true;
}

/* -1 when it is missing; leniently also when it makes no sense. */
static enum status read_confidence(const struct reading *r, const json_t *object) {
  const json_t *value = json_object_get(object, "confidence");
  r->reply->confidence_ppm = -1;
  if (!value || json_is_null(value) ||
      read_ppm(value, r->lenient, true, &r->reply->confidence_ppm) || r->lenient)
    return STATUS_OK;
  return refuse(r, "\"confidence\" must be a number from 0 to 1");
}

/* ---- proposal and revision ---- */

static enum status add_claim(const struct reading *r, const json_t *value) {
  struct reply *reply = r->reply;
  char *claim = NULL;
  if (!read_text(value, r->lenient, &claim))
    return r->lenient ? STATUS_OK : refuse(r, "\"key_claims\" must be a list of texts");
  if (!claim) return STATUS_NOMEM;
  if (*claim && reply->claim_count < REPLY_CLAIMS_MAX)
    reply->claims[reply->claim_count++] = claim;
  else
    free(claim);
  return STATUS_OK;
}

static enum status read_claims(const struct reading *r, const json_t *object) {
  const json_t *claims = json_object_get(object, "key_claims");
  if (!claims || json_is_null(claims)) return STATUS_OK;
  if (r->lenient && !json_is_array(claims)) return add_claim(r, claims);
  if (!json_is_array(claims)) return refuse(r, "\"key_claims\" must be a list of texts");
  for (size_t i = 0; i < json_array_size(claims); i++) {
    enum status s = add_claim(r, json_array_get(claims, i));
    if (s) return s;
  }
  return STATUS_OK;
}

static enum status read_key(const struct reading *r, const json_t *object, enum presence presence) {
  FREE_LATER char *raw = NULL;
  char key[REPLY_KEY_MAX + 1];
  enum status s = read_field(r, object, "answer_key", presence, &raw);
  if (s) return s;
  reply_normalise_key(bytes_of(raw), key);
  r->reply->key = bytes_dup(bytes_of(key));
  return r->reply->key ? STATUS_OK : STATUS_NOMEM;
}

/* Answer, key, claims and confidence; `needed`: the answer may not be empty. */
static enum status read_answer(const struct reading *r, const json_t *object, bool needed) {
  struct reply *reply = r->reply;
  enum presence presence = needed ? REQUIRED : OPTIONAL;
  enum status s = read_field(r, object, "answer", presence, &reply->answer);
  if (s) return s;
  if (!*reply->answer) {
    if (needed) return refuse(r, "\"answer\" is empty");
    free(reply->answer);
    reply->answer = NULL;
  }
  s = read_key(r, object, presence);
  if (!s) s = read_claims(r, object);
  return s ? s : read_confidence(r, object);
}

static bool text_is(const json_t *value, const char *word) {
  struct bytes text = blank_trim(json_is_string(value) ? json_bytes(value) : (struct bytes){"", 0});
  return bytes_equal_nocase(text, bytes_of(word));
}

/* "Item 3", "3"; leniently the integer. The index, or -1. */
static int item_index(const json_t *value, bool lenient, int items) {
  if (lenient && json_is_integer(value)) {
    json_int_t n = json_integer_value(value);
    return n >= 1 && n <= items ? (int)n - 1 : -1;
  }
  if (!json_is_string(value)) return -1;
  struct bytes text = blank_trim(json_bytes(value));
  if (text.len > 4 && strncasecmp(text.ptr, "item", 4) == 0)
    text = blank_trim((struct bytes){text.ptr + 4, text.len - 4});
  if (!text.len || text.len > 4) return -1;
  int n = 0;
  for (size_t i = 0; i < text.len; i++) {
    if (text.ptr[i] < '0' || text.ptr[i] > '9') return -1;
    n = n * 10 + (text.ptr[i] - '0');
  }
  return n >= 1 && n <= items ? n - 1 : -1;
}

static enum status read_verdict(const struct reading *r, const json_t *row, bool *seen) {
  const json_t *verdict = json_object_get(row, "verdict");
  bool accept = text_is(verdict, "accept") || (r->lenient && text_is(verdict, "accepted"));
  bool reject = text_is(verdict, "reject") || (r->lenient && text_is(verdict, "rejected"));
  int item = item_index(json_object_get(row, "item"), r->lenient, r->form->items);
  if (!accept && !reject)
    return r->lenient
               ? STATUS_OK
               : refuse(r, "each of \"responses\" needs a \"verdict\", \"accept\" or \"reject\"");
  if (item < 0 || seen[item]) return STATUS_OK;
  struct reply_verdict *v = &r->reply->verdicts[r->reply->verdict_count];
  *v = (struct reply_verdict){.item = item, .accept = accept};
  enum status s = read_field(r, row, "reason", OPTIONAL, &v->reason);
  if (s == STATUS_INVALID && r->lenient) return STATUS_OK;
  if (s) return s;
  seen[item] = true;
  r->reply->verdict_count++;
  return STATUS_OK;
}

static enum status read_verdicts(const struct reading *r, const json_t *object) {
  const json_t *rows = json_object_get(object, "responses");
  if (!json_is_array(rows)) {
    bool fine = r->lenient || (r->form->items == 0 && !rows);
    return fine ? STATUS_OK : refuse(r, "\"responses\" must be a list");
  }
  FREE_LATER bool *seen = calloc((size_t)r->form->items + 1, sizeof *seen);
  r->reply->verdicts = calloc((size_t)r->form->items + 1, sizeof *r->reply->verdicts);
  if (!seen || !r->reply->verdicts) return STATUS_NOMEM;
  for (size_t i = 0; i < json_array_size(rows); i++) {
    enum status s = read_verdict(r, json_array_get(rows, i), seen);
    if (s) return s;
  }
  return STATUS_OK;
}

static enum status read_revision(const struct reading *r, const json_t *object) {
  const json_t *stance = json_object_get(object, "stance");
  r->reply->changed = text_is(stance, "changed");
  if (!r->reply->changed && !text_is(stance, "held"))
    return refuse(r, "\"stance\" must be \"held\" or \"changed\"");
  enum status s = read_answer(r, object, r->reply->changed);
  return s ? s : read_verdicts(r, object);
}

/* ---- critique ---- */

static void item_done(struct reply_item *item) {
  free(item->claim);
  free(item->problem);
  free(item->why);
  free(item->fix);
}

static enum status fill_item(const struct reading *r, const json_t *row, struct reply_item *item) {
  if (!read_ppm(json_object_get(row, "severity"), r->lenient, false, &item->severity_ppm))
    return refuse(r, "\"severity\" must be a number from 0 to 1");
  enum status s = read_field(r, row, "problem", REQUIRED, &item->problem);
  if (!s && !*item->problem) return refuse(r, "\"problem\" is empty");
  if (!s) s = read_field(r, row, "claim", OPTIONAL, &item->claim);
  if (!s) s = read_field(r, row, "why", OPTIONAL, &item->why);
  if (!s) s = read_field(r, row, "fix", OPTIONAL, &item->fix);
  return s;
}

static enum status read_item(const struct reading *r, const json_t *row, int *counts) {
  struct reply *reply = r->reply;
  const json_t *target = json_object_get(row, "target");
  if (!json_is_string(target)) {
    reply->dropped_items++;
    return r->lenient ? STATUS_OK
                      : refuse(r, "each item needs a \"target\", such as \"Response A\"");
  }
  int label = reply_label_index(json_bytes(target), r->form->labels);
  if (label < 0) return STATUS_OK;
  if (counts[label] == DEBATE_ITEMS_MAX) {
    reply->dropped_items++;
    return STATUS_OK;
  }
  struct reply_item item = {.label = label};
  enum status s = fill_item(r, row, &item);
  if (!s) {
    counts[label]++;
    reply->reply_items[reply->reply_item_count++] = item;
    return STATUS_OK;
  }
  item_done(&item);
  if (s != STATUS_INVALID || !r->lenient) return s;
  reply->dropped_items++;
  return STATUS_OK;
}

static enum status read_critique(const struct reading *r, const json_t *object) {
  const json_t *items = json_object_get(object, "items");
  if (!json_is_array(items)) return refuse(r, "\"items\" must be a list");
  int counts[DEBATE_MEMBERS_MAX] = {0};
  r->reply->reply_items =
      calloc((size_t)r->form->labels * DEBATE_ITEMS_MAX + 1, sizeof *r->reply->reply_items);
  if (!r->reply->reply_items) return STATUS_NOMEM;
  for (size_t i = 0; i < json_array_size(items); i++) {
    enum status s = read_item(r, json_array_get(items, i), counts);
    if (s) return s;
  }
  return STATUS_OK;
}

/* ---- ballot and judgment ---- */

static enum status read_ballot(const struct reading *r, const json_t *object) {
  const json_t *ranking = json_object_get(object, "ranking");
  int labels = r->form->labels;
  bool seen[DEBATE_MEMBERS_MAX] = {false};
  bool whole = json_is_array(ranking) && json_array_size(ranking) == (size_t)labels;
  for (int i = 0; i < labels && whole; i++) {
    const json_t *value = json_array_get(ranking, (size_t)i);
    int label = json_is_string(value) ? reply_label_index(json_bytes(value), labels) : -1;
    whole = label >= 0 && !seen[label];
    if (!whole) break;
    seen[label] = true;
    r->reply->ranking[r->reply->ranking_count++] = label;
  }
  if (!whole)
    return error_set(r->err, STATUS_INVALID, "ranking",
                     "\"ranking\" must list each of Response A to Response %c exactly once, and "
                     "nothing else",
                     'A' + labels - 1);
  return read_confidence(r, object);
}

static enum status read_score_row(const struct reading *r, const json_t *row, bool *seen) {
  const json_t *response = json_object_get(row, "response");
  int label =
      json_is_string(response) ? reply_label_index(json_bytes(response), r->form->labels) : -1;
  if (label < 0 || seen[label])
    return refuse(r, "\"scores\" must have one entry for each response shown, and no other");
  seen[label] = true;
  for (int i = 0; i < SCORE_COUNT; i++) {
    int64_t *score = &r->reply->scores_ppm[label][i];
    if (!read_ppm(json_object_get(row, score_names[i]), r->lenient, false, score) && !r->lenient)
      return error_set(r->err, STATUS_INVALID, score_names[i],
                       "\"%s\" must be a number from 0 to 1", score_names[i]);
  }
  return STATUS_OK;
}

static enum status read_scores(const struct reading *r, const json_t *object) {
  const json_t *scores = json_object_get(object, "scores");
  bool seen[DEBATE_MEMBERS_MAX] = {false};
  size_t rows = json_array_size(scores);
  for (int i = 0; i < DEBATE_MEMBERS_MAX; i++)
    for (int k = 0; k < SCORE_COUNT; k++) r->reply->scores_ppm[i][k] = -1;
  if (!r->lenient && rows != (size_t)r->form->labels)
    return refuse(r, "\"scores\" must have one entry for each response shown, and no other");
  for (size_t i = 0; i < rows; i++) {
    enum status s = read_score_row(r, json_array_get(scores, i), seen);
    if (s) return s;
  }
  return STATUS_OK;
}

static enum status read_judgment(const struct reading *r, const json_t *object) {
  struct reply *reply = r->reply;
  const json_t *verdict = json_object_get(object, "verdict");
  reply->confidence_ppm = -1;
  reply->choice =
      json_is_string(verdict) ? reply_label_index(json_bytes(verdict), r->form->labels) : -1;
  if (reply->choice < 0)
    return refuse(r, "\"verdict\" must be the label of one of the responses shown");
  enum status s = read_scores(r, object);
  if (!s) s = read_field(r, object, "reason", OPTIONAL, &reply->answer);
  if (!s && !*reply->answer) {
    free(reply->answer);
    reply->answer = NULL;
  }
  return s;
}

enum status reply_fields_read(const struct reply_form *form, const json_t *object, bool lenient,
                              struct reply *ret_reply, struct error *err) {
  *ret_reply = (struct reply){.kind = form->kind, .lenient = lenient, .confidence_ppm = -1};
  struct reading r = {form, lenient, ret_reply, err};
  switch (form->kind) {
    case TURN_PROPOSAL: return read_answer(&r, object, true);
    case TURN_CRITIQUE: return read_critique(&r, object);
    case TURN_REVISION: return read_revision(&r, object);
    case TURN_BALLOT: return read_ballot(&r, object);
    case TURN_JUDGMENT: return read_judgment(&r, object);
  }
  return STATUS_INTERNAL;
}
