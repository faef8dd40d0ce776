/* What the wire formats share: pieces of requests, and readings of values that several vendors
 * send. Used by wire.c and wire_*.c alone.
 */
#ifndef ARAGORA_PROVIDER_WIRE_PARTS_H
#define ARAGORA_PROVIDER_WIRE_PARTS_H

#include "base/json_scan.h"
#include "provider/wire.h"

extern const struct wire wire_anthropic, wire_openai, wire_gemini, wire_ollama;

enum { WIRE_BODY_MAX = 16 << 20 };

void wire_request_init(struct wire_request *request);
/* False when memory is short or the headers are full. */
bool wire_request_header(struct wire_request *request, const char *format, ...) PRINTF_LIKE(2, 3);
/* STATUS_NOMEM when an append failed. */
enum status wire_request_check(const struct wire_request *request, bool headers_ok);
/* The output limit: the question's, within what the model can give. */
int64_t wire_output_limit(const struct ask_spec *spec);

/* Reads of one value at the scanner, which is consumed whatever it is. */
bool wire_scan_is(struct json_scan *s, const char *word);  /* is that string */
void wire_scan_count(struct json_scan *s, int64_t *count); /* only 0 to a billion is taken */
/* Appends the string to the text; an addition counts as content. */
void wire_scan_text(struct json_scan *s, struct wire_reply *reply);
/* A non-empty string counts as content, its words are dropped: thinking. */
void wire_scan_thinking(struct json_scan *s, struct wire_reply *reply);
void wire_scan_model(struct json_scan *s, struct wire_reply *reply);
/* An error record's `error`, object or string: fills error, error_code, error_outcome. */
void wire_scan_error(struct json_scan *s, struct wire_reply *reply);
void wire_reply_fail(struct wire_reply *reply, enum outcome outcome, const char *code,
                     const char *words);

/* Class of an error by its HTTP status (0 = an error record under 200) and its words. */
enum outcome wire_class(int status_code, const char *code, const char *words);

#endif
