#include "provider/scripted_reply.h"

#include "base/json.h"
#include "base/utf8.h"
#include "provider/scripted_voice.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { QUESTION_MAX = 160, KEY_MAX = 40, QUOTE_MAX = 120, ENUM_MAX = 200, GRAVE_PPM = 600000 };

struct maker {
  const struct scripted_options *options;
  const struct scripted_voice *voice;
  struct bytes prompt;
  char question[QUESTION_MAX + 1]; /* one line, without its question mark */
  char keys[2][KEY_MAX + 1];
  char own_key[KEY_MAX + 1]; /* of "Your current answer"; "" = none shown */
  bool revision, changes;
  const char *cursor; /* the label or item that the object being made is about, or NULL */
};

const char *scripted_persona_name(int persona) {
  return scripted_voices[(unsigned)persona % SCRIPTED_PERSONAS].name;
}

/* ---- what the prompt says ---- */

/* What follows `mark` at the beginning of a line; empty when it is not there. */
static struct bytes after_line(struct bytes text, const char *mark) {
  if (!text.len) return text;
  size_t len = strlen(mark);
  const char *p = text.ptr;
  const char *end = text.ptr + text.len;
  while (p && (p = memmem(p, (size_t)(end - p), mark, len))) {
    if (p == text.ptr || p[-1] == '\n') return (struct bytes){p + len, (size_t)(end - p) - len};
    p += len;
  }
  return (struct bytes){NULL, 0};
}

/* The text between the fence lines that follow the heading of `label`. */
static struct bytes quoted(struct bytes prompt, const char *label) {
  char heading[ENUM_MAX + 8];
  snprintf(heading, sizeof heading, "### %s", label);
  struct bytes rest = after_line(prompt, heading);
  if (!rest.len) { /* "Response A" alone may head it too */
    rest = after_line(prompt, label);
  }
  struct bytes inside = after_line(rest, "<<<<< ");
  if (!inside.len) return bytes_until(rest, BYTES_LITERAL("\n\n"));
  struct bytes line = bytes_until(inside, BYTES_LITERAL("\n"));
  inside = (struct bytes){line.ptr + line.len, inside.len - line.len};
  return bytes_until(inside, BYTES_LITERAL("\n>>>>>"));
}

/* One line of at most `max` bytes: runs of white space become one space. */
static void one_line(struct bytes text, size_t max, char *out) {
  size_t n = 0;
  text.len = text.len ? utf8_prefix(text, max * 2) : 0;
  for (size_t i = 0; i < text.len && n < max; i++) {
    char c = text.ptr[i];
    if ((unsigned char)c <= ' ' || c == '"') c = c == '"' ? '\'' : ' ';
    if (c == ' ' && (n == 0 || out[n - 1] == ' ')) continue;
    out[n++] = c;
  }
  n = utf8_prefix((struct bytes){out, n}, n);
  while (n > 0 && ((unsigned char)out[n - 1] & 0xc0) == 0x80 && !utf8_valid((struct bytes){out, n}))
    n--;
  while (n > 0 && !utf8_valid((struct bytes){out, n})) n--;
  while (n > 0 && (out[n - 1] == ' ' || out[n - 1] == '?')) n--;
  out[n] = '\0';
}

static bool begins_with_word(const char *text, const char *const *words) {
  struct bytes first = {text, strcspn(text, " ")};
  for (; *words; words++)
    if (bytes_equal_nocase(first, bytes_of(*words))) return true;
  return false;
}

/* The word that ends, or begins, at `at`: letters and digits in lower case. */
static void take_word(const char *from, const char *to, char out[KEY_MAX + 1]) {
  size_t n = 0;
  for (const char *p = from; p < to && n < KEY_MAX; p++)
    if (isalnum((unsigned char)*p)) out[n++] = (char)tolower((unsigned char)*p);
  out[n] = '\0';
}

static void keys_of_alternatives(struct maker *m) {
  static const char *const no_names[] = {"not", "no", "a", "an", "the", "to", "more", "less", NULL};
  const char *at = strcasestr(m->question, " or ");
  if (!at) return;
  const char *before = at;
  while (before > m->question && before[-1] != ' ') before--;
  const char *after = at + 4;
  if (begins_with_word(after, (const char *const[]){"a", "an", "the", "to", NULL}))
    after += strcspn(after, " ") + 1;
  char first[KEY_MAX + 1], second[KEY_MAX + 1];
  take_word(before, at, first);
  take_word(after, after + strcspn(after, " ,.;"), second);
  if (!*first || !*second || strcmp(first, second) == 0 || begins_with_word(first, no_names) ||
      begins_with_word(second, no_names))
    return;
  memcpy(m->keys[0], first, sizeof first);
  memcpy(m->keys[1], second, sizeof second);
}

static void find_keys(struct maker *m) {
  static const char *const asks_yes_or_no[] = {
      "is",    "are",  "was",   "were", "do",   "does", "did", "can",   "could", "should",
      "would", "will", "shall", "has",  "have", "had",  "may", "might", "must",  NULL};
  bool closed = begins_with_word(m->question, asks_yes_or_no);
  snprintf(m->keys[0], sizeof m->keys[0], "%s", closed ? "yes" : "begin");
  snprintf(m->keys[1], sizeof m->keys[1], "%s", closed ? "no" : "wait");
  keys_of_alternatives(m);
}

/* "Severity: serious (0.60)" of an item, in ppm. */
static int64_t severity_of(struct bytes item) {
  struct bytes line = after_line(item, "Severity: ");
  const char *open = line.len ? memchr(line.ptr, '(', line.len) : NULL;
  char digits[16] = "";
  for (size_t n = 0; open && ++open < line.ptr + line.len && n + 1 < sizeof digits &&
                     (isdigit((unsigned char)*open) || *open == '.');
       n++)
    digits[n] = *open;
  return (int64_t)(strtod(digits, NULL) * 1e6 + 0.5);
}

static bool grave_item_shown(const struct maker *m) {
  char label[16];
  for (int i = 1; i <= 200; i++) {
    snprintf(label, sizeof label, "### Item %d\n", i);
    struct bytes item = after_line(m->prompt, label);
    if (!item.len) return false;
    if (severity_of(bytes_until(item, BYTES_LITERAL("\n>>>>>"))) >= GRAVE_PPM) return true;
  }
  return false;
}

static const char *own_side(const struct maker *m) {
  return m->keys[m->voice->side];
}

static void read_prompt(struct maker *m) {
  struct bytes question =
      bytes_until(after_line(m->prompt, "## Question\n"), BYTES_LITERAL("\n## "));
  one_line(question.len ? question : BYTES_LITERAL("the question asked"), QUESTION_MAX,
           m->question);
  find_keys(m);
  struct bytes key = bytes_until(after_line(m->prompt, "Its answer_key: "), BYTES_LITERAL("\n"));
  one_line(key, KEY_MAX, m->own_key);
}

static void decide_change(struct maker *m) {
  switch (m->options->change) {
    case SCRIPTED_CHANGE_ALWAYS: m->changes = true; break;
    case SCRIPTED_CHANGE_NEVER: break;
    case SCRIPTED_CHANGE_AS_CRITIQUED:
      m->changes = m->voice->open && strcmp(m->own_key, own_side(m)) == 0 && grave_item_shown(m);
      break;
  }
}

/* The key that the reply takes. */
static const char *key_now(const struct maker *m) {
  if (m->options->answer_key) return m->options->answer_key;
  if (!m->revision) return own_side(m);
  const char *current = *m->own_key ? m->own_key : own_side(m);
  if (!m->changes) return current;
  return strcmp(current, m->keys[0]) == 0 ? m->keys[1] : m->keys[0];
}

/* A key in words: an open question has no short answer that a script could know. */
static const char *phrase_of(const char *key) {
  if (strcmp(key, "begin") == 0) return "to begin with a small first step";
  if (strcmp(key, "wait") == 0) return "to wait for better evidence";
  return key;
}

/* ---- texts ---- */

static size_t count_words(const char *text) {
  size_t words = 0;
  for (const char *p = text; *p; p++) words += *p != ' ' && (p == text || p[-1] == ' ');
  return words;
}

/* Cuts to `words` words, ended with a stop. */
static void cut_words(struct buffer *b, size_t words) {
  size_t seen = 0;
  for (size_t i = 0; i < b->len; i++)
    if (b->ptr[i] == ' ' && ++seen == words) {
      b->len = i;
      b->ptr[i] = '\0';
      if (b->ptr[i - 1] == ',' || b->ptr[i - 1] == ';') b->ptr[i - 1] = '.';
      if (b->ptr[i - 1] != '.' && b->ptr[i - 1] != '\'') buffer_append_char(b, '.');
      return;
    }
}

static json_t *make_answer(const struct maker *m) {
  BUFFER_LATER struct buffer b;
  buffer_init(&b, 4 << 20);
  buffer_append_text(&b, m->options->label ? m->options->label : "");
  buffer_printf(&b, "On the question \"%s\" my answer is %s.", m->question, phrase_of(key_now(m)));
  if (m->changes) buffer_append_text(&b, " A criticism of what I said first made me change it.");
  buffer_printf(&b, " I look at it as %s would.", m->voice->name);
  size_t wanted = m->options->words > 0 ? (size_t)m->options->words : 0;
  if (wanted > SCRIPTED_WORDS_MAX) wanted = SCRIPTED_WORDS_MAX;
  size_t words = count_words(b.ptr ? b.ptr : "");
  for (int i = 0; wanted ? words < wanted : i < VOICE_SENTENCES; i++) {
    const char *sentence = m->voice->sentences[i % VOICE_SENTENCES];
    buffer_append_char(&b, ' ');
    if (!buffer_append_text(&b, sentence)) break;
    words += count_words(sentence);
  }
  if (wanted && b.ptr) cut_words(&b, wanted);
  return json_text(buffer_bytes(&b));
}

/* The first sentence of the response that a critique is about. */
static json_t *make_quote(const struct maker *m) {
  char line[QUOTE_MAX + 1];
  struct bytes text = m->cursor ? quoted(m->prompt, m->cursor) : (struct bytes){0};
  while (text.len && isspace((unsigned char)*text.ptr))
    text = (struct bytes){text.ptr + 1, text.len - 1};
  if (text.len > 7 && memcmp(text.ptr, "[demo] ", 7) == 0)
    text = (struct bytes){text.ptr + 7, text.len - 7};
  one_line(bytes_until(text, BYTES_LITERAL(". ")), QUOTE_MAX, line);
  return json_text(bytes_of(*line ? line : "The response as a whole."));
}

/* ---- values by name and by type ---- */

static json_t *make_value(struct maker *m, const char *name, const json_t *schema, int depth);

static json_t *number_of(const json_t *schema, int64_t ppm) {
  const json_t *max = json_object_get(schema, "maximum");
  const json_t *min = json_object_get(schema, "minimum");
  bool integer = strcmp(json_get_text(schema, "type", ""), "integer") == 0;
  double top = json_is_number(max) ? json_number_value(max) : integer ? 1e6 : 1;
  double bottom = json_is_number(min) ? json_number_value(min) : 0;
  double value = bottom + (top - bottom) * (double)ppm / 1e6;
  return integer ? json_integer((json_int_t)llround(value)) : json_real(value);
}

static uint32_t hash_text(const char *text, uint32_t h) {
  for (; *text; text++) h = (h ^ (unsigned char)*text) * 16777619u; /* FNV-1a */
  return h;
}

static bool holds_key(const struct maker *m, const char *label, const char *key) {
  char phrase[KEY_MAX + 64];
  snprintf(phrase, sizeof phrase, "my answer is %s.", phrase_of(key));
  struct bytes text = quoted(m->prompt, label);
  return text.len && memmem(text.ptr, text.len, phrase, strlen(phrase)) != NULL;
}

/* How much the voice likes a response: its own position first, the rest by hash. */
static uint32_t liking(const struct maker *m, const char *label) {
  bool persuaded = m->voice->open && m->options->change == SCRIPTED_CHANGE_AS_CRITIQUED;
  const char *key =
      m->options->answer_key ? m->options->answer_key : m->keys[persuaded ? 0 : m->voice->side];
  uint32_t h = hash_text(m->question, hash_text(label, 2166136261u + (uint32_t)m->voice->side));
  return (h >> 1) | (holds_key(m, label, key) ? UINT32_C(1) << 31 : 0);
}

static const char *best_label(const struct maker *m, const json_t *labels) {
  const char *best = "";
  uint32_t best_liking = 0;
  size_t i;
  json_t *label;
  json_array_foreach((json_t *)labels, i, label) {
    const char *text = json_is_string(label) ? json_string_value(label) : "";
    uint32_t here = liking(m, text);
    if (i == 0 || here > best_liking) {
      best = text;
      best_liking = here;
    }
  }
  return best;
}

/* Every label once, the most liked first. */
static json_t *make_ranking(const struct maker *m, const json_t *labels) {
  json_t *left = json_copy((json_t *)labels);
  json_t *ranking = json_array();
  while (left && ranking && json_array_size(left) && json_array_size(ranking) < ENUM_MAX) {
    const char *best = best_label(m, left);
    json_array_append_new(ranking, json_string(best));
    for (size_t i = 0; i < json_array_size(left); i++)
      if (strcmp(json_string_value(json_array_get(left, i))
                     ? json_string_value(json_array_get(left, i))
                     : "",
                 best) == 0) {
        json_array_remove(left, i);
        break;
      }
  }
  json_decref(left);
  return ranking;
}

static bool accepts_item(const struct maker *m) {
  struct bytes item = m->cursor ? quoted(m->prompt, m->cursor) : (struct bytes){0};
  return m->changes &&
         (m->options->change == SCRIPTED_CHANGE_ALWAYS || severity_of(item) >= GRAVE_PPM);
}

static bool enum_has(const json_t *choices, const char *text) {
  size_t i;
  json_t *choice;
  json_array_foreach((json_t *)choices, i, choice) {
    if (json_is_string(choice) && strcmp(json_string_value(choice), text) == 0) return true;
  }
  return false;
}

static json_t *make_choice(const struct maker *m, const char *name, const json_t *choices) {
  const char *stance = m->changes ? "changed" : "held";
  const char *verdict = accepts_item(m) ? "accept" : "reject";
  if (m->cursor && enum_has(choices, m->cursor)) return json_string(m->cursor);
  if (strcmp(name, "stance") == 0 && enum_has(choices, stance)) return json_string(stance);
  if (strcmp(name, "verdict") == 0 && enum_has(choices, verdict)) return json_string(verdict);
  const json_t *first = json_array_get(choices, 0);
  return json_is_string(first) ? json_string(best_label(m, choices)) : json_deep_copy(first);
}

static json_t *make_text(const struct maker *m, const char *name) {
  const struct scripted_voice *v = m->voice;
  if (strcmp(name, "answer") == 0)
    return m->revision && !m->changes ? json_string("") : make_answer(m);
  if (strcmp(name, "answer_key") == 0) return json_text(bytes_of(key_now(m)));
  if (strcmp(name, "claim") == 0) return make_quote(m);
  if (strcmp(name, "problem") == 0) return json_string(v->problem);
  if (strcmp(name, "why") == 0) return json_string(v->why);
  if (strcmp(name, "fix") == 0) return json_string(v->fix);
  if (strcmp(name, "key_claims") == 0) return json_string(v->claims[0]);
  if (strcmp(name, "stance") == 0) return json_string(m->changes ? "changed" : "held");
  if (strcmp(name, "reason") == 0 && m->revision)
    return json_string(accepts_item(m) ? v->accepts : v->rejects);
  if (strcmp(name, "reason") == 0) return json_string(v->sentences[2]);
  if (m->cursor) return json_string(m->cursor);
  return json_string(v->sentences[0]);
}

static json_t *make_number(const struct maker *m, const char *name, const json_t *schema) {
  int64_t ppm = m->voice->confidence_ppm;
  if (strcmp(name, "severity") == 0)
    ppm = m->options->severity_ppm >= 0 ? m->options->severity_ppm : m->voice->severity_ppm;
  else if (m->cursor) /* a score of one response */
    ppm = 300000 + liking(m, m->cursor) / 8192 % 600000;
  return number_of(schema, ppm);
}

/* The choices of the property that says what an item of a list is about, or NULL. */
static const json_t *subjects_of(const json_t *item_schema) {
  static const char *const names[] = {"target", "item", "response", "label", NULL};
  const json_t *properties = json_object_get(item_schema, "properties");
  for (const char *const *name = names; *name; name++) {
    const json_t *choices = json_object_get(json_object_get(properties, *name), "enum");
    if (json_array_size(choices) > 0) return choices;
  }
  return NULL;
}

static json_t *make_array(struct maker *m, const char *name, const json_t *schema, int depth) {
  const json_t *items = json_object_get(schema, "items");
  const json_t *choices = json_object_get(items, "enum");
  const json_t *subjects = subjects_of(items);
  if (choices) return make_ranking(m, choices);
  json_t *array = json_array();
  size_t min = (size_t)json_get_int(schema, "minItems", 0);
  size_t max = (size_t)json_get_int(schema, "maxItems", ENUM_MAX);
  if (max > ENUM_MAX) max = ENUM_MAX;
  size_t i;
  json_t *subject;
  if (subjects) {
    json_array_foreach((json_t *)subjects, i, subject) {
      if (json_array_size(array) >= max) break;
      m->cursor = json_string_value(subject);
      json_array_append_new(array, make_value(m, name, items, depth + 1));
    }
    m->cursor = NULL;
    return array;
  }
  size_t count = min > 2 ? min : 2;
  for (i = 0; i < count && i < max; i++)
    json_array_append_new(array, strcmp(name, "key_claims") == 0 && i < 2
                                     ? json_string(m->voice->claims[i])
                                     : make_value(m, name, items, depth + 1));
  return array;
}

static json_t *make_object(struct maker *m, const json_t *schema, int depth) {
  json_t *object = json_object();
  const char *key;
  json_t *property;
  json_object_foreach(json_object_get(schema, "properties"), key, property) {
    json_object_set_new(object, key, make_value(m, key, property, depth + 1));
  }
  return object;
}

static json_t *make_value(struct maker *m, const char *name, const json_t *schema, int depth) {
  const char *type = json_get_text(schema, "type", "string");
  const json_t *choices = json_object_get(schema, "enum");
  if (depth > JSON_DEPTH_MAX) return json_null();
  if (json_array_size(choices) > 0) return make_choice(m, name, choices);
  if (strcasecmp(type, "object") == 0) return make_object(m, schema, depth);
  if (strcasecmp(type, "array") == 0) return make_array(m, name, schema, depth);
  if (strcasecmp(type, "number") == 0 || strcasecmp(type, "integer") == 0)
    return make_number(m, name, schema);
  if (strcasecmp(type, "boolean") == 0) return json_true();
  if (strcasecmp(type, "null") == 0) return json_null();
  return make_text(m, name);
}

enum status scripted_reply_make(const char *schema_name, struct bytes schema, struct bytes prompt,
                                const struct scripted_options *options, char **ret_text) {
  JSON_LATER json_t *form = NULL;
  enum status status = json_parse(schema, &form, NULL);
  if (status || !json_is_object(form)) return STATUS_INVALID;
  struct maker m = {.options = options, .prompt = prompt};
  m.voice = &scripted_voices[(unsigned)options->persona % SCRIPTED_PERSONAS];
  const json_t *properties = json_object_get(form, "properties");
  m.revision = schema_name ? strcmp(schema_name, "revision") == 0
                           : json_object_get(properties, "stance") != NULL;
  read_prompt(&m);
  if (m.revision) decide_change(&m);
  JSON_LATER json_t *reply = make_value(&m, "", form, 0);
  char *text = json_dumps(reply, JSON_COMPACT | JSON_REAL_PRECISION(3) | JSON_ENCODE_ANY);
  if (!text) return STATUS_NOMEM;
  *ret_text = text;
  return STATUS_OK;
}
