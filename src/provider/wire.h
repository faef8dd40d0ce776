/* A wire format: builds a request and decodes the bytes of its answer. No sockets, no time, no
 * policy; tested on recorded bytes.
 *
 * One file each: wire_anthropic.c, wire_openai.c, wire_gemini.c, wire_ollama.c. The facts and their
 * sources stand in the head of each file.
 */
#ifndef ARAGORA_PROVIDER_WIRE_H
#define ARAGORA_PROVIDER_WIRE_H

#include "base/bytes.h"
#include "provider/ask.h"

struct wire_request {
  struct buffer url;
  struct buffer body;
  char *headers[10]; /* "Name: value", NULL-terminated; owned */
};

void wire_request_done(struct wire_request *request);

/* What has been decoded so far. The text grows; the caller takes what is new by `text_taken`. */
struct wire_reply {
  struct buffer text; /* text blocks only, never thinking */
  struct ask_usage usage;
  int64_t cost_usd_micro;     /* as the vendor booked it (OpenRouter), -1 = it did not say */
  char *model;                /* as the vendor named it, or NULL */
  char *error;                /* the vendor's own words of an error record, or NULL */
  char *error_code;           /* its type or code, or NULL */
  enum outcome error_outcome; /* class of an error record that came under HTTP 200 */
  bool truncated, refused;
  bool content;    /* a content event came since the caller last cleared this: re-arms idle */
  bool finished;   /* a finish reason came: the text is whole, its terminator may follow */
  bool terminated; /* the format's own terminator came: the answer is whole */
  /* Of the record that is being read, for the decoder: */
  struct bytes words; /* the last string that was taken as text, in the record, with its quotes */
  int words_count;    /* strings that were, empty ones apart */
};

struct wire_decoder; /* framing state: SSE, NDJSON, or a whole body */

struct wire {
  const char *name;
  MUST_CHECK enum status (*build)(const struct ask_spec *spec, struct wire_request *ret_request);
  /* One SSE event's data, or one NDJSON line. False stops the stream: the record is malformed. */
  bool (*record)(struct wire_reply *reply, struct bytes event_name, struct bytes data);
  /* True when the body may end now and be whole (Gemini: EOF after a finishReason). */
  bool (*may_end)(const struct wire_reply *reply);
  bool ndjson; /* framing: lines, not server-sent events */
};

const struct wire *wire_of(enum wire_format format); /* NULL for WIRE_DEMO */

void wire_reply_init(struct wire_reply *reply, size_t max_answer_bytes);
void wire_reply_done(struct wire_reply *reply);

struct wire_decoder *wire_decoder_create(const struct wire *wire, struct wire_reply *reply,
                                         size_t max_record_bytes);
void wire_decoder_destroy(struct wire_decoder *decoder);
/* Bytes of a 2xx body, in any pieces. False: malformed or over a limit. */
bool wire_decoder_feed(struct wire_decoder *decoder, struct bytes piece);
/* The body ended. True when the answer is whole. */
bool wire_decoder_finish(struct wire_decoder *decoder);

/* How a 2xx answer ended: `fed` is whether every feed was accepted, `whole` what finish said. */
enum outcome wire_reply_outcome(const struct wire_reply *reply, bool fed, bool whole);

/* Class of a non-2xx answer, with the vendor's words of its body (capped, scrubbed of `secret`) in
 * ret_detail, which is allocated. Sources: docs/internals/providers.md and each vendor's error
 * page. */
enum outcome wire_classify_error(int status_code, struct bytes body, const char *secret,
                                 char **ret_detail);

/* The delay that an error's body asks for (google.rpc.RetryInfo), in milliseconds; -1 = none. */
int64_t wire_error_retry_ms(struct bytes body);

/* Removes the secret and anything that looks like a key (sk-..., Bearer ..., AIza...) from a text,
 * in place. */
void wire_scrub(char *text, const char *secret);

#endif
