/* Answer keys in one normal form, so that equal answers are one position. Where folding might make
 * two different answers equal ("3.10" and "3.1", "[0,1]" and "(0,1)", "5!" and "5"), nothing is
 * folded: a position too many costs a round, a false agreement costs the right answer. */
#include "base/utf8.h"
#include "debate/blank.h"
#include "debate/reply.h"

#include <stdlib.h>
#include <strings.h>

enum { WORK_MAX = 4 * REPLY_KEY_MAX };

struct work {
  char ptr[2 * WORK_MAX + 8]; /* ".5" grows to "0.5" */
  size_t len;
};

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (unsigned char)c >= 0x80;
}

static bool is_alnum(char c) {
  return is_digit(c) || is_letter(c);
}

static struct bytes work_bytes(const struct work *w) {
  return (struct bytes){w->ptr, w->len};
}

static void work_keep(struct work *w, size_t from, size_t to) {
  memmove(w->ptr, w->ptr + from, to - from);
  w->len = to - from;
}

/* ---- 1: lower case, single spaces, no quotation marks ---- */

/* Lower case of the two-byte letters of Latin-1, Greek and Cyrillic (Unicode 15, simple mapping);
 * other scripts have none or stay as they are. */
static unsigned lower_code(unsigned code) {
  if (code >= 0xc0 && code <= 0xde && code != 0xd7) return code + 0x20;
  if (code >= 0x391 && code <= 0x3a9 && code != 0x3a2) return code + 0x20;
  if (code >= 0x410 && code <= 0x42f) return code + 0x20;
  if (code >= 0x400 && code <= 0x40f) return code + 0x50;
  return code;
}

static bool is_quote(const char *p, size_t n) {
  if (n == 1) return *p == '"' || *p == '\'' || *p == '`';
  /* U+2018..201F, U+00AB, U+00BB */
  if (n == 3) return p[0] == '\xe2' && p[1] == '\x80' && p[2] >= '\x98' && p[2] <= '\x9f';
  return n == 2 && p[0] == '\xc2' && (p[1] == '\xab' || p[1] == '\xbb');
}

static bool is_minus(const char *p, size_t n) { /* U+2010, U+2011, U+2212 */
  return n == 3 && (memcmp(p, "\xe2\x80\x90", 3) == 0 || memcmp(p, "\xe2\x80\x91", 3) == 0 ||
                    memcmp(p, "\xe2\x88\x92", 3) == 0);
}

static void append_lower(struct work *w, const char *p, size_t n) {
  char c = *p;
  if (n == 1) {
    w->ptr[w->len++] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
  } else if (n == 2) {
    unsigned code = lower_code(((unsigned)p[0] & 0x1f) << 6 | ((unsigned)p[1] & 0x3f));
    w->ptr[w->len++] = (char)(0xc0 | code >> 6);
    w->ptr[w->len++] = (char)(0x80 | (code & 0x3f));
  } else {
    memcpy(w->ptr + w->len, p, n);
    w->len += n;
  }
}

static bool read_lower(struct bytes text, struct work *w) {
  w->len = 0;
  for (size_t i = 0; i < text.len;) {
    const char *p = text.ptr + i;
    size_t n = utf8_char_length(p, text.len - i);
    size_t blank = blank_length(p, text.len - i);
    if (!n || w->len + n > WORK_MAX) return false;
    if (blank || (unsigned char)*p < 0x20 || *p == 0x7f) {
      if (w->len && w->ptr[w->len - 1] != ' ') w->ptr[w->len++] = ' ';
      n = blank ? blank : n;
    } else if (is_minus(p, n)) {
      w->ptr[w->len++] = '-';
    } else if (!is_quote(p, n)) {
      append_lower(w, p, n);
    }
    i += n;
  }
  return true;
}

/* ---- 2: what stands around it ---- */

static bool all_alnum(const char *p, size_t len) {
  for (size_t i = 0; i < len; i++)
    if (!is_alnum(p[i])) return false;
  return len > 0;
}

/* "(b)", "[b]", "{b}", "$x$": only around letters and digits; "(0,1)" is not "[0,1]". Emphasis goes
 * in pairs only: "A*" is an algorithm. */
static bool strip_pair(struct work *w) {
  static const char pairs[] = "()[]{}$$";
  if (w->len < 3) return false;
  char first = w->ptr[0];
  char last = w->ptr[w->len - 1];
  bool pair = first == last && (first == '*' || first == '_');
  bool plain = all_alnum(w->ptr + 1, w->len - 2);
  for (size_t i = 0; i < sizeof pairs - 1 && plain; i += 2)
    pair = pair || (first == pairs[i] && last == pairs[i + 1]);
  if (pair) work_keep(w, 1, w->len - 1);
  return pair;
}

/* "Yes!" is "yes", but "5!" is 120. */
static bool exclaims(const struct work *w, size_t to) {
  while (to > 0 && w->ptr[to - 1] == '!') to--;
  return to > 0 && is_letter(w->ptr[to - 1]);
}

static bool strip_ends(struct work *w) {
  size_t from = 0;
  size_t to = w->len;
  while (from < to && strchr(" ,;:?", w->ptr[from])) from++;
  while (to > from) {
    char c = w->ptr[to - 1];
    bool loose = strchr(" .,;:?", c) || (c == '!' && exclaims(w, to));
    bool letter_only = c == ')' && to - from == 2 && is_alnum(w->ptr[from]); /* "b)" */
    if (!loose && !letter_only) break;
    to--;
  }
  bool changed = to - from != w->len;
  work_keep(w, from, to);
  return changed;
}

static bool strip_prefix(struct work *w, const char *prefix) {
  size_t n = strlen(prefix);
  if (w->len <= n || memcmp(w->ptr, prefix, n) != 0) return false;
  work_keep(w, n, w->len);
  return true;
}

/* "option b", "choice 3": the name of an option; "option value" is something else. */
static bool strip_option(struct work *w) {
  static const char *const words[] = {"option ", "choice ", "answer "};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    size_t n = strlen(words[i]);
    if (w->len <= n || memcmp(w->ptr, words[i], n) != 0) continue;
    size_t rest = w->len - n;
    const char *p = w->ptr + n;
    if (*p == '(' || *p == '[') p++, rest--;
    if (rest && (p[rest - 1] == ')' || p[rest - 1] == ']')) rest--;
    bool number = rest > 0 && rest <= 3;
    for (size_t k = 0; k < rest && number; k++) number = is_digit(p[k]);
    if (!number && !(rest == 1 && p[0] >= 'a' && p[0] <= 'z')) continue;
    work_keep(w, (size_t)(p - w->ptr), (size_t)(p - w->ptr) + rest);
    return true;
  }
  return false;
}

static void strip(struct work *w) {
  while (strip_ends(w) || strip_pair(w) || strip_prefix(w, "the answer is ") ||
         strip_prefix(w, "the answer is: ") || strip_prefix(w, "answer is ") ||
         strip_prefix(w, "answer: ") || strip_option(w))
    ;
}

/* ---- 3: numbers ---- */

static size_t digits_at(struct bytes text, size_t at) {
  size_t n = 0;
  while (at + n < text.len && is_digit(text.ptr[at + n])) n++;
  return n;
}

/* Bytes of the number at the start of `text`; 0 when it is none. Appends it without the commas that
 * set thousands apart, if `grouped` allows such, and without a fraction of zeros: "1,000.0" is
 * "1000". Other zeros stay, since 3.10 may be a version. */
static size_t append_number(struct bytes text, bool grouped, struct work *out) {
  size_t whole = digits_at(text, 0);
  if (!whole) return 0;
  size_t at = whole;
  memcpy(out->ptr + out->len, text.ptr, whole);
  out->len += whole;
  grouped = grouped && whole <= 3 && text.ptr[0] != '0';
  while (grouped && at < text.len && text.ptr[at] == ',' && digits_at(text, at + 1) == 3) {
    memcpy(out->ptr + out->len, text.ptr + at + 1, 3);
    out->len += 3;
    at += 4;
  }
  if (at + 1 >= text.len || text.ptr[at] != '.' || !is_digit(text.ptr[at + 1])) return at;
  size_t fraction = digits_at(text, at + 1);
  size_t end = at + 1 + fraction;
  bool zeros = end == text.len || text.ptr[end] != '.'; /* 1.0.2 is no number */
  for (size_t i = at + 1; i < end && zeros; i++) zeros = text.ptr[i] == '0';
  if (!zeros) {
    memcpy(out->ptr + out->len, text.ptr + at, end - at);
    out->len += end - at;
  }
  return end;
}

/* ---- 4: punctuation inside ---- */

static void append_space(struct work *out) {
  if (out->len && out->ptr[out->len - 1] != ' ' && !strchr("=<>+*/^", out->ptr[out->len - 1]))
    out->ptr[out->len++] = ' ';
}

static void append_sign(struct work *out, char c) {
  if (strchr("=<>+*/^", c) && out->len && out->ptr[out->len - 1] == ' ') out->len--;
  out->ptr[out->len++] = c;
}

/* A mark that only joins or parts words counts as a space; between digits it means something. */
static bool is_filler(struct bytes text, size_t i) {
  char c = text.ptr[i];
  char before = i ? text.ptr[i - 1] : ' ';
  char after = i + 1 < text.len ? text.ptr[i + 1] : ' ';
  switch (c) {
    case ' ':
    case '_': return true;
    case '.': return is_letter(before) || !is_digit(after);
    case ',':
    case ':':
    case ';': return !is_digit(before) || !is_digit(after);
    case '-': return is_letter(before) && is_letter(after);
    case '?': return true;
    default: return false;
  }
}

static void fold(struct bytes text, struct work *out) {
  out->len = 0;
  for (size_t i = 0; i < text.len;) {
    char before = i ? text.ptr[i - 1] : ' ';
    struct bytes rest = {text.ptr + i, text.len - i};
    bool fresh = !is_alnum(before) && before != '.' && before != ',';
    bool listed = before == '(' || before == '[' || before == '{'; /* [1,200] is two numbers */
    size_t number = fresh ? append_number(rest, !listed, out) : 0;
    i += number ? number : 1;
    if (number) continue;
    if (is_filler(text, i - 1)) {
      append_space(out);
      continue;
    }
    if (*rest.ptr == '.' && !is_alnum(before)) append_sign(out, '0'); /* .5 */
    append_sign(out, *rest.ptr);
  }
  while (out->len && out->ptr[out->len - 1] == ' ') out->len--;
  /* "+5" is "5"; "50 %" is "50%" */
  if (out->len > 1 && out->ptr[0] == '+' && is_digit(out->ptr[1])) work_keep(out, 1, out->len);
  if (out->len > 2 && out->ptr[out->len - 1] == '%' && out->ptr[out->len - 2] == ' ')
    out->ptr[--out->len - 1] = '%';
}

static bool says_nothing(struct bytes key) {
  static const char *const nothing[] = {"none", "n/a",    "null",         "not applicable",
                                        "",     "no key", "no answer key"};
  for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
    if (bytes_equal(key, bytes_of(nothing[i]))) return true;
  for (size_t i = 0; i < key.len; i++)
    if (is_alnum(key.ptr[i])) return false;
  return true;
}

void reply_normalise_key(struct bytes text, char out[REPLY_KEY_MAX + 1]) {
  enum { PASSES_MAX = 8 };
  struct work key;
  struct work before;
  out[0] = '\0';
  if (!read_lower(blank_trim(text), &key)) return;
  /* Folding may lay open what stripping looks for ("option_b"): until nothing changes, so that a
   * normal form is its own. */
  for (int pass = 0; pass < PASSES_MAX && key.len <= WORK_MAX; pass++) {
    before = key;
    strip(&before);
    fold(work_bytes(&before), &key);
    if (bytes_equal(work_bytes(&before), work_bytes(&key))) break;
  }
  if (key.len > REPLY_KEY_MAX || says_nothing(work_bytes(&key))) return;
  memcpy(out, key.ptr, key.len);
  out[key.len] = '\0';
}

/* ---- labels ---- */

int reply_label_index(struct bytes text, int labels) {
  static const char word[] = "response";
  text = blank_trim(text);
  if (text.len > sizeof word && strncasecmp(text.ptr, word, sizeof word - 1) == 0) {
    struct bytes rest = {text.ptr + sizeof word - 1, text.len - (sizeof word - 1)};
    text = blank_trim(rest);
    if (text.len == rest.len) return -1;
  }
  if (text.len != 1) return -1;
  int index = *text.ptr >= 'a' && *text.ptr <= 'z' ? *text.ptr - 'a' : *text.ptr - 'A';
  return index >= 0 && index < labels ? index : -1;
}
