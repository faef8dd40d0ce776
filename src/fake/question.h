/* What a request to a model asks, read from any of the four wire formats.
 *
 * One question is reused for many requests: clear, read, use, clear. Loop thread.
 */
#ifndef ARAGORA_FAKE_QUESTION_H
#define ARAGORA_FAKE_QUESTION_H

#include "fake/inbound.h"

enum question_format {
  QUESTION_ANTHROPIC,
  QUESTION_OPENAI,
  QUESTION_OPENROUTER, /* OpenAI's, with comments, costs and errors of its own */
  QUESTION_GEMINI,
  QUESTION_OLLAMA,
};
enum { QUESTION_FORMATS = QUESTION_OLLAMA + 1 };

struct question {
  enum question_format format;
  bool stream;
  bool wants_usage;     /* OpenAI: stream_options.include_usage */
  bool listed;          /* Gemini without alt=sse: the stream is one JSON array */
  struct buffer model;  /* without the suffix */
  struct buffer fault;  /* "model@fault": the suffix, empty = none */
  struct buffer prompt; /* all words: system, then messages, in order */
  struct bytes
      schema; /* of the reply wanted, raw JSON in the request's body or in `worded`; len 0 = none */
  struct buffer kind; /* "proposal", "critique", ...: the schema's name or by its properties; "" */
  size_t input_words;
  struct buffer system, worded; /* scratch */
};

void question_init(struct question *q);
void question_done(struct question *q);

/* The format that is spoken under this path, or -1. A base URL may have any prefix. */
int question_format_of(struct bytes path);
/* "anthropic", "openai", ...; never NULL. */
const char *question_format_name(enum question_format format);

/* Reads a request; STATUS_INVALID with the words for a 400. */
MUST_CHECK enum status question_read(struct question *q, enum question_format format,
                                     const struct inbound *request, struct error *err);

/* Words as a reader would count them: runs of bytes above the space. */
size_t question_count_words(struct bytes text);

#endif
