#include "cli/words.h"

/* One in small letters that stands first, or behind a "|" or a "[". */
static bool is_offered(struct bytes word, bool first) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyz-";
  if (!first || !word.len || *word.ptr == '-') return false;
  if (bytes_equal(word, BYTES_LITERAL("flags"))) return false;
  for (size_t i = 0; i < word.len; i++)
    if (!memchr(letters, word.ptr[i], sizeof letters - 1)) return false;
  return true;
}

void words_of_usage(const struct command *command, struct buffer *out) {
  const char *p = command->usage + strcspn(command->usage, " ");
  bool first = true;
  while (*p) {
    size_t marks = strspn(p, " []|");
    for (size_t i = 0; i < marks; i++) first = first || p[i] == '|' || p[i] == '[';
    p += marks;
    struct bytes word = {p, strcspn(p, " []|")};
    if (is_offered(word, first)) {
      if (out->len) buffer_append_char(out, ' ');
      buffer_append_bytes(out, word);
    }
    first = false;
    p += word.len;
  }
}
