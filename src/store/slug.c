#include "base/clock.h"
#include "store/store.h"

#include <stdio.h>

enum { WORDS_MAX = 4, WORD_MAX = 20, ID_PART = 6, DATE_SIZE = 10 };

/* Words that say nothing about what is asked. */
static const char *const stop_words[] = {
    "a",     "about", "an",   "and",   "any",  "are",   "as",    "at",    "be",     "been",
    "but",   "by",    "can",  "could", "did",  "do",    "does",  "for",   "from",   "had",
    "has",   "have",  "he",   "her",   "his",  "how",   "i",     "if",    "in",     "into",
    "is",    "it",    "its",  "may",   "me",   "might", "more",  "most",  "must",   "my",
    "no",    "not",   "of",   "on",    "or",   "our",   "shall", "she",   "should", "so",
    "than",  "that",  "the",  "their", "them", "then",  "there", "these", "they",   "this",
    "those", "to",    "too",  "us",    "was",  "we",    "were",  "what",  "when",   "where",
    "which", "who",   "whom", "whose", "why",  "will",  "with",  "would", "you",    "your",
};

static bool is_stop_word(const char *word) {
  for (size_t i = 0; i < sizeof stop_words / sizeof *stop_words; i++)
    if (strcmp(word, stop_words[i]) == 0) return true;
  return false;
}

static bool is_word_char(unsigned char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;
}

/* Reads the next word from *text: lower case, apostrophes dropped, cut at WORD_MAX. Empty for one
 * that is not plain ASCII: half a word would be worse than none. False at the end of the text. */
static bool next_word(struct bytes *text, char out[WORD_MAX + 1]) {
  size_t i = 0, n = 0;
  bool ascii = true;
  while (i < text->len && !is_word_char((unsigned char)text->ptr[i])) i++;
  if (i == text->len) return false;
  for (; i < text->len; i++) {
    unsigned char c = (unsigned char)text->ptr[i];
    if (c == '\'') continue;
    if (!is_word_char(c)) break;
    ascii = ascii && c < 0x80;
    if (n < WORD_MAX) out[n++] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
  }
  out[ascii ? n : 0] = '\0';
  text->ptr += i;
  text->len -= i;
  return true;
}

void store_make_slug(struct bytes task, int64_t created_ms, const char *id, char *out,
                     size_t size) {
  char date[CLOCK_ISO_SIZE], tail[1 + DATE_SIZE + 1 + ID_PART + 1], word[WORD_MAX + 1];
  clock_format_iso(created_ms, date);
  int tail_len = snprintf(tail, sizeof tail, "%.*s-%.*s", DATE_SIZE, date, ID_PART, id);
  size_t len = 0, room = size > (size_t)tail_len + 1 ? size - (size_t)tail_len - 1 : 0;
  for (int words = 0; words < WORDS_MAX && next_word(&task, word);) {
    size_t n = strlen(word);
    if (n == 0 || is_stop_word(word)) continue;
    if (len + n + 1 > room) break;
    memcpy(out + len, word, n);
    len += n;
    out[len++] = '-';
    words++;
  }
  if (size > 0) snprintf(out + len, size - len, "%s", tail);
}
