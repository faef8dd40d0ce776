/* How a vendor says things: the bodies of its answers and errors, as bytes. One file each:
 * vendor_anthropic.c, vendor_openai.c (and OpenRouter), vendor_gemini.c, vendor_ollama.c. Pure.
 *
 * A body of server-sent events has LF line ends; what is done to it for a fault is damage.c's.
 */
#ifndef ARAGORA_FAKE_VENDOR_H
#define ARAGORA_FAKE_VENDOR_H

#include "fake/fault.h"
#include "fake/question.h"

struct vendor_reply {
  const struct question *question;
  struct bytes text;
  int64_t output_tokens;
  uint64_t number;       /* of the request: makes ids */
  int64_t wall_s;        /* Unix time */
  enum fault_kind fault; /* those that change records: usage, thinking, refusal, ... */
};

struct vendor_error {
  int status;
  bool quota;       /* about credit, not speed */
  int64_t retry_s;  /* as the body says it (Gemini), 0 = not at all */
  const char *text; /* words, or NULL = the vendor's usual ones */
  uint64_t number;
};

struct vendor {
  const char *stream_type; /* content-type of a stream */
  const char *id_header;   /* response header with the request's id, or NULL */
  bool lines;              /* NDJSON: a record is a line */
  void (*stream)(const struct vendor_reply *reply, struct buffer *out);
  void (*whole)(const struct vendor_reply *reply, struct buffer *out);
  void (*error)(const struct vendor_error *error, struct buffer *out);
  /* The same as a record within a stream, framed. */
  void (*error_record)(const struct vendor_error *error, struct buffer *out);
};

const struct vendor *vendor_of(enum question_format format);
extern const struct vendor vendor_anthropic, vendor_openai, vendor_openrouter, vendor_gemini,
    vendor_ollama;

/* The next piece of *rest as a model would stream it, about a word with the blank before it; len 0
 * at the end. Never cuts a UTF-8 character. */
struct bytes vendor_next_token(struct bytes *rest);

extern const char vendor_thought[];  /* what FAULT_THINKING_FIRST thinks */
extern const char vendor_refusal[];  /* words of FAULT_REFUSAL */
enum { VENDOR_THOUGHT_TOKENS = 12 }; /* of it */
/* A plain name of a status: "rate limit exceeded", ...; never NULL. */
const char *vendor_words_of(const struct vendor_error *error);

#endif
