/* The answer's own text, out of a structured reply that is still arriving.
 *
 * Agents reply in JSON; a person who watches wants the words. This follows the reply byte by byte
 * and gives out the decoded characters of the top-level "answer" as they come. What is shown this
 * way is provisional: the turn counts only when its whole reply was read (reply.h). Pure.
 */
#ifndef ARAGORA_DEBATE_LIVE_TEXT_H
#define ARAGORA_DEBATE_LIVE_TEXT_H

#include "base/bytes.h"

enum live_text_state {
  LIVE_TEXT_OUTSIDE, /* before the object */
  LIVE_TEXT_INSIDE,  /* between strings */
  LIVE_TEXT_STRING,  /* within one that is not given out */
  LIVE_TEXT_ANSWER,  /* within the answer */
  LIVE_TEXT_DONE,
};

struct live_text {
  enum live_text_state state;
  int depth;
  bool key;         /* the string under way, or expected next, is a key of the outer object */
  bool answer_next; /* the key just read is "answer" */
  bool escaped;     /* a backslash came */
  int hex_left;     /* digits of \uXXXX still to come */
  unsigned code;    /* of them so far */
  unsigned high;    /* a high surrogate that waits for its other half */
  char name[8];     /* of the key under way */
  size_t name_len;
};

/* A zeroed struct is a fresh one. Appends what `piece` adds to the answer; `piece` holds whole
 * UTF-8 characters. */
void live_text_feed(struct live_text *t, struct bytes piece, struct buffer *out);

#endif
