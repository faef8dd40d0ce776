#include "api/health_words.h"

#include <ctype.h>
#include <stdio.h>

/* A word with a slash in it is one, but for these two of SQLite and strerror(3). */
static bool is_place(struct bytes word) {
  return memchr(word.ptr, '/', word.len) && !bytes_equal(word, BYTES_LITERAL("I/O")) &&
         !bytes_equal(word, BYTES_LITERAL("Input/output"));
}

static bool is_mark(char c) {
  return strchr(":;,.\"')(", c) != NULL;
}

void health_words(const char *message, char out[HEALTH_WORDS_SIZE]) {
  BUFFER_LATER struct buffer text;
  buffer_init(&text, HEALTH_WORDS_SIZE);
  for (const char *p = message; *p;) {
    size_t blanks = strspn(p, " \"'(");
    buffer_append(&text, p, blanks);
    p += blanks;
    struct bytes word = {p, strcspn(p, " ")};
    p += word.len;
    size_t marks = 0;
    while (marks < word.len && is_mark(word.ptr[word.len - marks - 1])) marks++;
    struct bytes place = {word.ptr, word.len - marks};
    if (is_place(place)) {
      buffer_append_text(&text, "...");
      word = (struct bytes){place.ptr + place.len, marks};
    }
    buffer_append_bytes(&text, word);
  }
  snprintf(out, HEALTH_WORDS_SIZE, "%s", text.ptr ? text.ptr : "");
}

json_t *health_words_json(const char *message) {
  char words[HEALTH_WORDS_SIZE];
  health_words(message, words);
  return json_text(bytes_of(words));
}
