/* Answer keys in one normal form, so that equal answers are one position. Where folding might make
 * two different answers equal ("3.10" and "3.1", "[0,1]" and "(0,1)", "n!" and "n", "f'" and "f",
 * "B-D" and "B, D", "5 mW" and "5 MW"), nothing is folded: a position too many costs a round, a
 * false agreement costs the right answer. */
#include "base/utf8.h"
#include "debate/blank.h"
#include "debate/reply.h"

#include <stdlib.h>
#include <strings.h>

enum { WORK_MAX = 4 * REPLY_KEY_MAX };
enum { UNIT_MAX = 4 }; /* characters of "MBit"; "5 Million" is five million */
enum { WORD_MIN = 3 }; /* letters; shorter ones may be variables: "ad-bc", "kn!" */

struct work {
  char ptr[2 * WORK_MAX + 8]; /* ".5" grows to "0.5", "a,b" to "a, b" */
  size_t len;
};

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static bool is_plain_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_letter(char c) {
  return is_plain_letter(c) || (unsigned char)c >= 0x80;
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

static size_t plain_letters_at(struct bytes text, size_t at) {
  size_t n = 0;
  while (at + n < text.len && is_plain_letter(text.ptr[at + n])) n++;
  return n;
}

static size_t plain_letters_before(struct bytes text, size_t at) {
  size_t n = 0;
  while (n < at && is_plain_letter(text.ptr[at - n - 1])) n++;
  return n;
}

/* ---- 1: single spaces, one apostrophe, one minus ---- */

static bool is_apostrophe(const char *p, size_t n) { /* U+2019 */
  return n == 3 && memcmp(p, "\xe2\x80\x99", 3) == 0;
}

static bool is_minus(const char *p, size_t n) { /* U+2010, U+2011, U+2212 */
  return n == 3 && (memcmp(p, "\xe2\x80\x90", 3) == 0 || memcmp(p, "\xe2\x80\x91", 3) == 0 ||
                    memcmp(p, "\xe2\x88\x92", 3) == 0);
}

static bool read_plain(struct bytes text, struct work *w) {
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
    } else if (is_apostrophe(p, n)) {
      w->ptr[w->len++] = '\'';
    } else {
      memcpy(w->ptr + w->len, p, n);
      w->len += n;
    }
    i += n;
  }
  return true;
}

/* ---- 2: lower case ---- */

/* Lower case of the two-byte letters of Latin-1, Greek and Cyrillic (Unicode 15, simple mapping);
 * other scripts have none or stay as they are. */
static unsigned lower_code(unsigned code) {
  if (code >= 0xc0 && code <= 0xde && code != 0xd7) return code + 0x20;
  if (code >= 0x391 && code <= 0x3a9 && code != 0x3a2) return code + 0x20;
  if (code >= 0x410 && code <= 0x42f) return code + 0x20;
  if (code >= 0x400 && code <= 0x40f) return code + 0x50;
  return code;
}

static void lower_word(char *p, size_t len) {
  for (size_t i = 0; i < len; i++) {
    if (p[i] >= 'A' && p[i] <= 'Z') {
      p[i] = (char)(p[i] + ('a' - 'A'));
    } else if (((unsigned char)p[i] & 0xe0) == 0xc0) {
      unsigned code = lower_code(((unsigned)p[i] & 0x1f) << 6 | ((unsigned)p[i + 1] & 0x3f));
      p[i] = (char)(0xc0 | code >> 6);
      p[i + 1] = (char)(0x80 | (code & 0x3f));
    }
  }
}

/* Whether the word from `from` to `to` would be another one in lower case: a unit behind a number
 * ("5 mW" is not "5 MW", nor "10 Mb" "10 MB"), however written, since which case is the usual one
 * is not known here, and the name of a function ("O(n)" is not "o(n)", nor "F(x)" "f(x)"). */
static bool case_tells(struct bytes text, size_t from, size_t to) {
  size_t chars = 0;
  for (size_t i = from; i < to; i++) chars += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
  size_t before = from && text.ptr[from - 1] == ' ' ? from - 1 : from;
  if (before && is_digit(text.ptr[before - 1])) return chars <= UNIT_MAX;
  return chars == 1 && to < text.len && text.ptr[to] == '(';
}

static void lower_words(struct work *w) {
  for (size_t from = 0; from < w->len;) {
    size_t to = from;
    while (to < w->len && is_letter(w->ptr[to])) to++;
    if (!case_tells(work_bytes(w), from, to)) lower_word(w->ptr + from, to - from);
    from = to > from ? to : from + 1;
  }
}

/* ---- 3: what stands around it ---- */

static bool all_of(struct bytes text, bool (*is_one)(char)) {
  for (size_t i = 0; i < text.len; i++)
    if (!is_one(text.ptr[i])) return false;
  return text.len > 0;
}

/* "(b)", "[b]": the letter of an option, or a word; "(5)" may be a negative number, "[5]" a list,
 * "(0,1)" is not "[0,1]". "$x$" is how formulas are marked. Emphasis goes in pairs only: "A*" is an
 * algorithm; "__init__" is a name. */
static bool strip_pair(struct work *w) {
  if (w->len < 3) return false;
  char first = w->ptr[0];
  char last = w->ptr[w->len - 1];
  struct bytes inside = {w->ptr + 1, w->len - 2};
  bool label = (first == '(' && last == ')') || (first == '[' && last == ']');
  bool pair = (first == '*' && last == '*') || (label && all_of(inside, is_letter)) ||
              (first == '$' && last == '$' && all_of(inside, is_alnum));
  if (pair) work_keep(w, 1, w->len - 1);
  return pair;
}

/* Quotation marks around the whole; elsewhere they mean something: f'(x), 6' 2", it's. */
static bool strip_quotes(struct work *w) {
  static const char *const pairs[][2] = {{"\"", "\""},
                                         {"'", "'"},
                                         {"`", "`"},
                                         {"\xe2\x80\x98", "'"}, /* the right one became ' */
                                         {"\xe2\x80\x9c", "\xe2\x80\x9d"}, /* U+201C, U+201D */
                                         {"\xe2\x80\x9e", "\xe2\x80\x9c"}, /* U+201E, U+201C */
                                         {"\xc2\xab", "\xc2\xbb"}};
  struct bytes text = work_bytes(w);
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    struct bytes open = bytes_of(pairs[i][0]);
    struct bytes close = bytes_of(pairs[i][1]);
    if (text.len <= open.len + close.len || memcmp(text.ptr, open.ptr, open.len) != 0 ||
        !bytes_ends_with(text, close))
      continue;
    size_t inside = text.len - open.len - close.len;
    if (memmem(text.ptr + open.len, inside, close.ptr, close.len)) continue; /* "a" or "b" */
    work_keep(w, open.len, open.len + inside);
    return true;
  }
  return false;
}

static bool is_word_or_space(char c) {
  return is_plain_letter(c) || c == ' ';
}

/* "Yes!" is "yes", but "5!" is 120, and "n!", "2^n!" and "int!" of "5 int!" are not for us to know:
 * words and nothing else may exclaim. */
static bool exclaims(const struct work *w, size_t from, size_t to) {
  while (to > from && w->ptr[to - 1] == '!') to--;
  struct bytes words = {w->ptr + from, to - from};
  return all_of(words, is_word_or_space) && plain_letters_before(words, words.len) >= WORD_MIN;
}

static bool strip_ends(struct work *w) {
  size_t from = 0;
  size_t to = w->len;
  while (from < to && strchr(" ,;", w->ptr[from])) from++;
  while (to > from) {
    char c = w->ptr[to - 1];
    bool dots = c == '.' && to - from > 1 && w->ptr[to - 2] == '.'; /* "0.333..." is a third */
    bool loose = (strchr(" .,;", c) && !dots) || (c == '!' && exclaims(w, from, to));
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
  while (strip_ends(w) || strip_pair(w) || strip_quotes(w) || strip_prefix(w, "the answer is ") ||
         strip_prefix(w, "the answer is: ") || strip_prefix(w, "answer is ") ||
         strip_prefix(w, "answer: ") || strip_option(w))
    ;
}

/* ---- 4: numbers ---- */

static size_t digits_at(struct bytes text, size_t at) {
  size_t n = 0;
  while (at + n < text.len && is_digit(text.ptr[at + n])) n++;
  return n;
}

/* Bytes of the digits at the start of `text` with the commas that set thousands apart: "1,000" of
 * "1,000.5". Those before the first comma alone where it does not: "1,000,12" is a list. */
static size_t grouped_digits(struct bytes text) {
  size_t whole = digits_at(text, 0);
  size_t at = whole;
  if (whole > 3 || text.ptr[0] == '0') return whole;
  while (at < text.len && text.ptr[at] == ',' && digits_at(text, at + 1) == 3) at += 4;
  bool list = at < text.len && text.ptr[at] == ',' && digits_at(text, at + 1);
  return list ? whole : at;
}

/* Bytes of the number at the start of `text`; 0 when it is none. Appends it without the commas that
 * set thousands apart, if `grouped` allows such, and without a fraction of zeros: "1,000.0" is
 * "1000". Other zeros stay, since 3.10 may be a version and 1.000 a thousand. */
static size_t append_number(struct bytes text, bool grouped, struct work *out) {
  if (!digits_at(text, 0)) return 0;
  size_t at = grouped ? grouped_digits(text) : digits_at(text, 0);
  for (size_t i = 0; i < at; i++)
    if (text.ptr[i] != ',') out->ptr[out->len++] = text.ptr[i];
  if (at + 1 >= text.len || text.ptr[at] != '.' || !is_digit(text.ptr[at + 1])) return at;
  size_t fraction = digits_at(text, at + 1);
  size_t end = at + 1 + fraction;
  bool version = end < text.len && text.ptr[end] == '.'; /* 1.0.2 is no number */
  bool zeros = fraction != 3 && !version;
  for (size_t i = at + 1; i < end && zeros; i++) zeros = text.ptr[i] == '0';
  if (!zeros) {
    memcpy(out->ptr + out->len, text.ptr + at, end - at);
    out->len += end - at;
  }
  return end;
}

/* ---- 5: punctuation inside ---- */

static void append_space(struct work *out) {
  if (out->len && out->ptr[out->len - 1] != ' ' && !strchr("=<>+*/^", out->ptr[out->len - 1]))
    out->ptr[out->len++] = ' ';
}

static void append_sign(struct work *out, char c) {
  if (strchr("=<>+*/^,:;", c) && out->len && out->ptr[out->len - 1] == ' ') out->len--;
  out->ptr[out->len++] = c;
}

/* A mark that counts as a space. What stands between a digit and something else never does, nor
 * what stands between short words: "x_1", "ad-bc", "B-D". */
static bool is_filler(struct bytes text, size_t i) {
  char before = i ? text.ptr[i - 1] : ' ';
  char after = i + 1 < text.len ? text.ptr[i + 1] : ' ';
  switch (text.ptr[i]) {
    case ' ': return true;
    case '.': /* "St. Louis", "node.js"; not ".net", "1..5", "5.x" */
      return before != '.' && after != '.' &&
             (!is_alnum(after) || (is_letter(before) && is_letter(after)));
    case '_':
    case '-': /* "long-term" */
      return plain_letters_before(text, i) >= WORD_MIN && plain_letters_at(text, i + 1) >= WORD_MIN;
    default: return false;
  }
}

/* A comma, colon or semicolon that is not inside a number has one space behind it and none before,
 * as people write it: "a,b" is "a, b", but "1,5" is not "1, 5". */
static bool parts_words(struct bytes text, size_t i) {
  bool inside = i && is_digit(text.ptr[i - 1]) && i + 1 < text.len && is_digit(text.ptr[i + 1]);
  return strchr(",:;", text.ptr[i]) && !inside;
}

static void fold_marks(struct bytes text, struct work *out) {
  int depth = 0; /* of brackets: [1,200] is two numbers */
  out->len = 0;
  for (size_t i = 0; i < text.len;) {
    char c = text.ptr[i];
    char before = i ? text.ptr[i - 1] : ' ';
    struct bytes rest = {text.ptr + i, text.len - i};
    bool fresh = !is_alnum(before) && before != '.' && before != ',';
    bool listed = depth > 0 || memchr(out->ptr, ',', out->len);
    size_t number = fresh ? append_number(rest, !listed, out) : 0;
    i += number ? number : 1;
    if (number) continue;
    if (is_filler(text, i - 1)) {
      append_space(out);
      continue;
    }
    bool bare = c == '.' && rest.len > 1 && is_digit(rest.ptr[1]); /* .5 */
    if (bare && !is_alnum(before) && before != '.') append_sign(out, '0');
    append_sign(out, c);
    if (parts_words(text, i - 1)) append_space(out);
    if (strchr("([{", c)) depth++;
    if (strchr(")]}", c) && depth > 0) depth--;
  }
}

static void fold(struct bytes text, struct work *out) {
  fold_marks(text, out);
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
  if (!read_plain(blank_trim(text), &key)) return;
  lower_words(&key);
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
