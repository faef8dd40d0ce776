#include "debate/reply_lines.h"

#include "debate/blank.h"

#include <stdlib.h>
#include <strings.h>

enum { LINES_MAX = 1024 };

enum label {
  LABEL_ANSWER,
  LABEL_ANSWER_KEY,
  LABEL_KEY_CLAIM,
  LABEL_CONFIDENCE,
  LABEL_STANCE,
  LABEL_ITEM,
  LABEL_ITEMS,
  LABEL_TARGET,
  LABEL_CLAIM,
  LABEL_PROBLEM,
  LABEL_SEVERITY,
  LABEL_WHY,
  LABEL_FIX,
  LABEL_RANKING,
  LABEL_SCORES,
  LABEL_VERDICT,
  LABEL_REASON,
  LABEL_COUNT
};

#define IN(kind)  (1u << TURN_##kind)
#define ANSWERING (IN(PROPOSAL) | IN(REVISION))
#define RANKING   (IN(BALLOT) | IN(JUDGMENT))

static const struct {
  const char *word;
  const char *key; /* the JSON field */
  unsigned kinds;
  bool numbered;   /* "ITEM 2:", "SCORES A:" */
  bool many_lines; /* the value goes on until the next label */
} labels[LABEL_COUNT] = {
    [LABEL_ANSWER] = {"ANSWER", "answer", ANSWERING, false, true},
    [LABEL_ANSWER_KEY] = {"ANSWER_KEY", "answer_key", ANSWERING, false, false},
    [LABEL_KEY_CLAIM] = {"KEY_CLAIM", "key_claims", ANSWERING, false, false},
    [LABEL_CONFIDENCE] = {"CONFIDENCE", "confidence", ANSWERING | IN(BALLOT), false, false},
    [LABEL_STANCE] = {"STANCE", "stance", IN(REVISION), false, false},
    [LABEL_ITEM] = {"ITEM", "responses", IN(REVISION), true, true},
    [LABEL_ITEMS] = {"ITEMS", "items", IN(CRITIQUE), false, false},
    [LABEL_TARGET] = {"TARGET", "target", IN(CRITIQUE), false, false},
    [LABEL_CLAIM] = {"CLAIM", "claim", IN(CRITIQUE), false, true},
    [LABEL_PROBLEM] = {"PROBLEM", "problem", IN(CRITIQUE), false, true},
    [LABEL_SEVERITY] = {"SEVERITY", "severity", IN(CRITIQUE), false, false},
    [LABEL_WHY] = {"WHY", "why", IN(CRITIQUE), false, true},
    [LABEL_FIX] = {"FIX", "fix", IN(CRITIQUE), false, true},
    [LABEL_RANKING] = {"RANKING", "ranking", IN(BALLOT), false, false},
    [LABEL_SCORES] = {"SCORES", "scores", IN(JUDGMENT), true, false},
    [LABEL_VERDICT] = {"VERDICT", "verdict", IN(JUDGMENT), false, false},
    [LABEL_REASON] = {"REASON", "reason", RANKING, false, true},
};

struct line {
  enum label label;
  struct bytes number; /* "2", "A" */
  struct bytes value;
};

struct lines {
  struct line *of;
  size_t count;
};

/* ---- splitting ---- */

static struct bytes skip(struct bytes text, const char *set) {
  while (text.len && strchr(set, *text.ptr)) {
    text.ptr++;
    text.len--;
  }
  return text;
}

/* Whether `row` begins with a label of the kind; emphasis around it is let pass. */
static bool label_line(enum turn_kind kind, struct bytes row, struct line *ret_line) {
  row = skip(row, " \t*");
  for (int i = 0; i < LABEL_COUNT; i++) {
    size_t n = strlen(labels[i].word);
    if (!(labels[i].kinds >> kind & 1) || row.len <= n) continue;
    if (memcmp(row.ptr, labels[i].word, n) != 0) continue;
    struct bytes rest = {row.ptr + n, row.len - n};
    const char *colon = memchr(rest.ptr, ':', rest.len);
    if (!colon) continue;
    struct bytes number = {rest.ptr, (size_t)(colon - rest.ptr)};
    while (number.len && number.ptr[number.len - 1] == '*') number.len--;
    number = blank_trim(number);
    if (labels[i].numbered ? !number.len || number.len > 12 : number.len) continue;
    struct bytes value = {colon + 1, rest.len - (size_t)(colon + 1 - rest.ptr)};
    *ret_line = (struct line){(enum label)i, number, skip(value, " \t*")};
    return true;
  }
  return false;
}

static bool split(enum turn_kind kind, struct bytes text, struct lines *lines) {
  while (text.len) {
    const char *end = memchr(text.ptr, '\n', text.len);
    struct bytes row = {text.ptr, end ? (size_t)(end - text.ptr) : text.len};
    struct line line;
    if (label_line(kind, row, &line)) {
      if (lines->count == LINES_MAX) return false;
      lines->of[lines->count++] = line;
    } else if (lines->count && labels[lines->of[lines->count - 1].label].many_lines) {
      struct bytes *value = &lines->of[lines->count - 1].value;
      value->len = (size_t)(row.ptr + row.len - value->ptr);
    }
    size_t used = row.len + (end ? 1 : 0);
    text = (struct bytes){text.ptr + used, text.len - used};
  }
  return true;
}

/* ---- one label's value as JSON ---- */

static json_t *text_value(struct bytes value) {
  value = blank_trim(value);
  return json_stringn(value.len ? value.ptr : "", value.len);
}

/* The texts between any of the characters of `separators`. */
static json_t *list_value(struct bytes value, const char *separators) {
  json_t *list = json_array();
  size_t from = 0;
  for (size_t i = 0; i <= value.len; i++) {
    if (i < value.len && !strchr(separators, value.ptr[i])) continue;
    json_array_append_new(list, text_value((struct bytes){value.ptr + from, i - from}));
    from = i + 1;
  }
  return list;
}

/* "accept - because ..." */
static json_t *verdict_value(const struct line *line) {
  struct bytes value = blank_trim(line->value);
  size_t n = 0;
  while (n < value.len && ((value.ptr[n] | 0x20) >= 'a' && (value.ptr[n] | 0x20) <= 'z')) n++;
  struct bytes reason = skip((struct bytes){value.ptr + n, value.len - n}, " \t-:,.*");
  struct bytes verdict = {value.ptr, n};
  return json_pack("{s:o, s:o, s:o}", "item", text_value(line->number), "verdict",
                   text_value(verdict), "reason", text_value(reason));
}

/* "0.9, 0.8, 0.7, 0.1", in the order of score_names. */
static json_t *scores_value(const struct line *line) {
  JSON_LATER json_t *numbers = list_value(line->value, ",");
  json_t *row = json_pack("{s:o}", "response", text_value(line->number));
  if (json_array_size(numbers) != SCORE_COUNT) return row;
  for (size_t i = 0; i < SCORE_COUNT; i++)
    json_object_set(row, score_names[i], json_array_get(numbers, i));
  return row;
}

/* ---- the whole ---- */

/* False when the field was there before: which one is meant cannot be known. */
static bool set_once(json_t *object, const char *key, json_t *value) {
  bool fresh = !json_object_get(object, key);
  return json_object_set_new(object, key, value) == 0 && fresh;
}

static bool append_to(json_t *object, const char *key, json_t *value) {
  json_t *list = json_object_get(object, key);
  if (!list) {
    list = json_array();
    if (json_object_set_new(object, key, list)) {
      json_decref(value);
      return false;
    }
  }
  return json_array_append_new(list, value) == 0;
}

static bool says_none(struct bytes value) {
  value = blank_trim(value);
  return bytes_equal(value, BYTES_LITERAL("0")) || bytes_equal(value, BYTES_LITERAL("none"));
}

static bool add_line(json_t *object, const struct line *line) {
  const char *key = labels[line->label].key;
  json_t *items;
  switch (line->label) {
    case LABEL_KEY_CLAIM: return append_to(object, key, text_value(line->value));
    case LABEL_ITEM: return append_to(object, key, verdict_value(line));
    case LABEL_SCORES: return append_to(object, key, scores_value(line));
    case LABEL_RANKING: return set_once(object, key, list_value(line->value, ">,"));
    case LABEL_ITEMS: return !says_none(line->value) || set_once(object, key, json_array());
    case LABEL_TARGET:
      if (!append_to(object, "items", json_object())) return false;
      __attribute__((fallthrough));
    case LABEL_CLAIM:
    case LABEL_PROBLEM:
    case LABEL_SEVERITY:
    case LABEL_WHY:
    case LABEL_FIX:
      items = json_object_get(object, "items");
      if (!json_array_size(items)) return false; /* of no item */
      return set_once(json_array_get(items, json_array_size(items) - 1), key,
                      text_value(line->value));
    default: return set_once(object, key, text_value(line->value));
  }
}

/* Prose may happen to hold one label; an answer has two of its own. */
static bool is_whole(enum turn_kind kind, const json_t *object) {
  switch (kind) {
    case TURN_PROPOSAL:
      return json_object_get(object, "answer") &&
             (json_object_get(object, "answer_key") || json_object_get(object, "confidence"));
    case TURN_CRITIQUE: return json_object_get(object, "items") != NULL;
    case TURN_REVISION: return json_object_get(object, "stance") != NULL;
    case TURN_BALLOT: return json_object_get(object, "ranking") != NULL;
    case TURN_JUDGMENT:
      return json_object_get(object, "verdict") && json_object_get(object, "scores");
  }
  return false;
}

json_t *reply_lines_read(const struct reply_form *form, struct bytes text) {
  struct lines lines = {.of = calloc(LINES_MAX, sizeof *lines.of)};
  json_t *object = json_object();
  bool good = lines.of && object && split(form->kind, text, &lines) && lines.count;
  for (size_t i = 0; i < lines.count && good; i++) good = add_line(object, &lines.of[i]);
  free(lines.of);
  if (good && is_whole(form->kind, object)) return object;
  json_decref(object);
  return NULL;
}
