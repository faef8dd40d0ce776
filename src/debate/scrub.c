#include "debate/scrub.h"

#include "debate/prompt.h"

#include <stdlib.h>
#include <strings.h>

/* A version and the words before a name are looked at this far and no further: linear time. */
enum { NAME_MIN = 2, NAMES_MAX = 1024, INTRODUCTION_MAX = 48, VERSION_MAX = 64 };
static const char STAND_IN[] = "[an agent]";

/* Vendors and families of models. Exact models come with the debate's own names. */
static const char *const families[] = {
    "anthropic", "chatgpt",    "codestral", "deepmind",  "deepseek", "gpt",      "grok",
    "lm studio", "magistral",  "minimax",   "ministral", "mixtral",  "nemotron", "ollama",
    "openai",    "openrouter", "pixtral",   "qwen",      "qwq",      "xai",      NULL};

/* Families that are words or people's names besides: "Claude Shannon", "Gemini follows Taurus".
 * They always go with a version ("Claude 4") and where an agent introduces itself; alone they go
 * where a name of the debate's own holds one, since only there they can give somebody away. */
static const char *const words[] = {"bard",     "claude",     "cohere", "copilot", "gemini",
                                    "gemma",    "glm",        "kimi",   "llama",   "mistral",
                                    "moonshot", "perplexity", NULL};

/* Companies that answers speak about for good reasons: to take "Google" out of an answer about
 * search engines would change what it says. They go where an agent introduces itself. */
static const char *const companies[] = {"alibaba",   "amazon", "google",  "meta",
                                        "microsoft", "nvidia", "tencent", NULL};

/* Words of a model's name that follow the family after a space. */
static const char *const tiers[] = {"flash", "haiku", "instruct", "lite",  "max",   "mini", "nano",
                                    "opus",  "pro",   "sonnet",   "turbo", "ultra", NULL};

/* What stands before a name when somebody introduces himself with it; then it goes even if the
 * question uses it. "as" counts at the start of a sentence and with a comma behind the name. */
static const char *const introductions[] = {
    "i am", "i'm", "i\xe2\x80\x99m", "i,", "my name is", "speaking as", NULL};

/* "a language model, trained by", "I was made by" */
static const char *const makers[] = {"built", "created", "developed", "made", "trained", NULL};
static const char *const made[] = {"i was",
                                   "i am",
                                   "i'm",
                                   "ai",
                                   "language model",
                                   "assistant",
                                   "i\xe2\x80\x99m",
                                   "ai,",
                                   "language model,",
                                   "assistant,",
                                   NULL};

static unsigned char lower(char c) {
  return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static bool is_alnum(char c) {
  return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z');
}

/* Part of a word: letters, digits, underscores and the Latin letters beyond ASCII (U+00C0..U+024F
 * begin with these bytes). Other scripts set no spaces around a name, so they end a word. */
static bool word_before(struct bytes text, size_t at) {
  if (at == 0) return false;
  unsigned char c = (unsigned char)text.ptr[at - 1];
  if (c == ' ') return false;
  if (is_alnum((char)c) || c == '_') return true;
  return at >= 2 && c >= 0x80 && (unsigned char)text.ptr[at - 2] >= 0xc3 &&
         (unsigned char)text.ptr[at - 2] <= 0xc9;
}

static bool word_after(struct bytes text, size_t at) {
  if (at >= text.len) return false;
  unsigned char c = (unsigned char)text.ptr[at];
  return is_alnum((char)c) || c == '_' || (c >= 0xc3 && c <= 0xc9);
}

static bool name_at(const struct scrub_name *name, struct bytes text, size_t at) {
  size_t end = at + name->len;
  if (text.len - at < name->len || lower(text.ptr[at + 1]) != lower(name->text[1]) ||
      strncasecmp(text.ptr + at, name->text, name->len) != 0)
    return false;
  return !word_after(text, end) || (name->family && is_digit(text.ptr[end])); /* "Qwen3" */
}

/* ---- which names, and which of them the question uses ---- */

static bool begins_with_one(const char *name, const char *const *list) {
  unsigned char first = lower(name[0]);
  for (size_t i = 0; list[i]; i++)
    if ((unsigned char)list[i][0] == first && strncasecmp(name, list[i], strlen(list[i])) == 0)
      return true;
  return false;
}

static bool one_holds(const char *const *names, const char *word) {
  for (size_t i = 0; names && names[i] && i < NAMES_MAX; i++)
    if (strcasestr(names[i], word)) return true;
  return false;
}

/* Into the list of its first letter, the longest first. A name that stands there already keeps its
 * flags: companies before the debate's own providers. Two letters ("yi", "o3") are too often a word
 * or a symbol to go anywhere but from introductions. */
static void add_name(struct scrub *scrub, const char *text, struct scrub_name name) {
  size_t len = strlen(text);
  if (len < NAME_MIN) return;
  int16_t *link = &scrub->first[lower(text[0])];
  while (*link >= 0 && scrub->names[*link].len > len) link = &scrub->names[*link].next;
  for (int i = *link; i >= 0 && scrub->names[i].len == len; i = scrub->names[i].next)
    if (strcasecmp(scrub->names[i].text, text) == 0) return;
  name.text = text;
  name.len = len;
  name.mild = name.mild || len == NAME_MIN;
  name.next = *link;
  scrub->names[scrub->count] = name;
  *link = (int16_t)scrub->count++;
  scrub->begins[lower(text[0])] = true;
  if (lower(text[0]) >= 'a' && lower(text[0]) <= 'z') scrub->begins[lower(text[0]) ^ 0x20] = true;
}

static void spare_names_in(struct scrub *scrub, struct bytes text) {
  for (size_t at = 0; at < text.len; at++) {
    if (!scrub->begins[(unsigned char)text.ptr[at]] || word_before(text, at)) continue;
    for (int i = scrub->first[lower(text.ptr[at])]; i >= 0; i = scrub->names[i].next)
      if (name_at(&scrub->names[i], text, at)) scrub->names[i].mild = true;
  }
}

enum status scrub_init(struct scrub *scrub, const char *const *names, const char *task,
                       const char *context) {
  size_t count = sizeof families / sizeof *families + sizeof words / sizeof *words +
                 sizeof companies / sizeof *companies;
  for (size_t i = 0; names && names[i] && i < NAMES_MAX; i++) count++;
  *scrub = (struct scrub){.names = calloc(count, sizeof *scrub->names)};
  if (!scrub->names) return STATUS_NOMEM;
  for (size_t i = 0; i < 256; i++) scrub->first[i] = -1;
  for (size_t i = 0; companies[i]; i++)
    add_name(scrub, companies[i], (struct scrub_name){.mild = true});
  for (size_t i = 0; families[i]; i++)
    add_name(scrub, families[i], (struct scrub_name){.family = true});
  for (size_t i = 0; words[i]; i++)
    add_name(scrub, words[i],
             (struct scrub_name){.family = true, .word = !one_holds(names, words[i])});
  for (size_t i = 0; names && names[i] && i < NAMES_MAX; i++) {
    bool family = begins_with_one(names[i], families) || begins_with_one(names[i], words);
    add_name(scrub, names[i], (struct scrub_name){.family = family});
  }
  spare_names_in(scrub, bytes_of(task));
  spare_names_in(scrub, bytes_of(context));
  return STATUS_OK;
}

enum status scrub_init_debate(struct scrub *scrub, const struct debate_config *config) {
  const char *names[4 * DEBATE_MEMBERS_MAX + 1];
  int n = 0;
  for (int i = 0; i < config->member_count; i++) {
    const struct debate_agent *a = &config->members[i];
    /* "demo" labels what demo agents say and gives none of them away; their numbers would. */
    if (a->demo && strcmp(a->name, a->type) == 0) continue;
    names[n++] = a->name;
    if (a->demo) continue;
    names[n++] = a->type;
    names[n++] = a->model;
    names[n++] = a->provider;
  }
  names[n] = NULL;
  return scrub_init(scrub, names, config->task, config->context);
}

void scrub_done(struct scrub *scrub) {
  free(scrub->names);
  *scrub = (struct scrub){0};
}

/* ---- self-introductions ---- */

static bool ends_with(struct bytes text, const char *phrase) {
  size_t n = strlen(phrase);
  return text.len >= n && strncasecmp(text.ptr + text.len - n, phrase, n) == 0 &&
         !word_before(text, text.len - n);
}

static struct bytes without_spaces_behind(struct bytes text) {
  while (text.len && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\n')) text.len--;
  return text;
}

static bool sentence_starts(struct bytes before) {
  size_t spaces = before.len;
  before = without_spaces_behind(before);
  if (!before.len || memchr(before.ptr + before.len, '\n', spaces - before.len)) return true;
  return strchr(".!?:;\"'*>(", before.ptr[before.len - 1]) != NULL;
}

/* Whether `text` ends with one of the phrases; then *ret_rest is what stands before it. */
static bool ends_with_one(struct bytes text, const char *const *phrases, struct bytes *ret_rest) {
  for (size_t i = 0; phrases[i]; i++) {
    if (!ends_with(text, phrases[i])) continue;
    *ret_rest = without_spaces_behind((struct bytes){text.ptr, text.len - strlen(phrases[i])});
    return true;
  }
  return false;
}

static bool introduces(struct bytes text, size_t at, size_t end) {
  static const char *const by[] = {"by", NULL};
  size_t from = at > INTRODUCTION_MAX ? at - INTRODUCTION_MAX : 0;
  struct bytes before = without_spaces_behind((struct bytes){text.ptr + from, at - from});
  struct bytes rest;
  if (ends_with_one(before, introductions, &rest)) return true;
  if (ends_with_one(before, by, &rest) && ends_with_one(rest, makers, &rest) &&
      ends_with_one(rest, made, &rest))
    return true;
  if (!ends_with(before, "as") || end >= text.len || text.ptr[end] != ',') return false;
  before.len -= 2;
  return sentence_starts(before);
}

/* ---- taking them out ---- */

static size_t alnum_run(struct bytes text, size_t at) {
  size_t end = at;
  while (end < text.len && is_alnum(text.ptr[end])) end++;
  return end - at;
}

static bool tier_at(struct bytes text, size_t at, size_t len) {
  if (len && is_digit(text.ptr[at])) return true;
  for (size_t i = 0; tiers[i]; i++)
    if (bytes_equal_nocase((struct bytes){text.ptr + at, len}, bytes_of(tiers[i]))) return true;
  return false;
}

/* The end of a model's name that begins with a family: "-4.1-mini", " Opus 4.5", "-5.2 Pro". */
static size_t version_end(struct bytes text, size_t at) {
  if (text.len > at + VERSION_MAX) text.len = at + VERSION_MAX;
  at += alnum_run(text, at);
  while (at + 1 < text.len) {
    char sign = text.ptr[at];
    size_t run = alnum_run(text, at + 1);
    bool joined = (sign == '-' || sign == '_') && run > 0;
    bool decimal = (sign == '.' || sign == ':') && run > 0 && is_digit(text.ptr[at + 1]);
    bool spaced = sign == ' ' && tier_at(text, at + 1, run);
    if (!joined && !decimal && !spaced) break;
    at += 1 + run;
  }
  return at;
}

/* The end of the longest name at `at` that has to go, or 0. */
static size_t scrub_match(const struct scrub *scrub, struct bytes text, size_t at) {
  for (int i = scrub->first[lower(text.ptr[at])]; i >= 0; i = scrub->names[i].next) {
    const struct scrub_name *name = &scrub->names[i];
    if (!name_at(name, text, at)) continue;
    size_t end = at + name->len;
    if (name->family) end = version_end(text, end);
    bool stays = name->mild || (name->word && end == at + name->len);
    if (!stays || introduces(text, at, end)) return end;
  }
  return 0;
}

void scrub_append(const struct scrub *scrub, struct bytes text, struct buffer *out) {
  size_t copied = 0;
  for (size_t at = 0; at < text.len; at++) {
    if (!scrub->begins[(unsigned char)text.ptr[at]] || word_before(text, at)) continue;
    size_t end = scrub_match(scrub, text, at);
    if (!end) continue;
    /* "[demo]" becomes the stand-in, which has brackets of its own. */
    bool bracketed =
        at > copied && text.ptr[at - 1] == '[' && end < text.len && text.ptr[end] == ']';
    buffer_append(out, text.ptr + copied, at - copied - (bracketed ? 1 : 0));
    buffer_append_text(out, STAND_IN);
    copied = end + (bracketed ? 1 : 0);
    at = copied - 1;
  }
  buffer_append(out, text.ptr ? text.ptr + copied : NULL, text.len - copied);
}

char *prompt_scrub(const char *text, const char *const *names, const char *task,
                   const char *context) {
  struct scrub scrub;
  if (scrub_init(&scrub, names, task, context)) return NULL;
  BUFFER_LATER struct buffer out;
  buffer_init(&out, SIZE_MAX / 4);
  scrub_append(&scrub, bytes_of(text), &out);
  scrub_done(&scrub);
  return buffer_steal(&out);
}
