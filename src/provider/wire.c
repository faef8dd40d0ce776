#include "provider/wire.h"

#include "base/json.h"
#include "base/utf8.h"
#include "io/ndjson.h"
#include "io/sse.h"
#include "provider/wire_parts.h"
#include "provider/wire_pattern.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum { DETAIL_MAX = 300, WORDS_MAX = 4096 };

const struct wire *wire_of(enum wire_format format) {
  switch (format) {
    case WIRE_ANTHROPIC: return &wire_anthropic;
    case WIRE_OPENAI: return &wire_openai;
    case WIRE_GEMINI: return &wire_gemini;
    case WIRE_OLLAMA: return &wire_ollama;
    case WIRE_DEMO: break;
  }
  return NULL;
}

/* ---- requests ---- */

void wire_request_init(struct wire_request *request) {
  *request = (struct wire_request){0};
  buffer_init(&request->url, 2048);
  buffer_init(&request->body, WIRE_BODY_MAX);
}

void wire_request_done(struct wire_request *request) {
  buffer_done(&request->url);
  buffer_done(&request->body);
  for (size_t i = 0; i < sizeof request->headers / sizeof *request->headers; i++) {
    free(request->headers[i]);
    request->headers[i] = NULL;
  }
}

bool wire_request_header(struct wire_request *request, const char *format, ...) {
  size_t n = 0;
  while (request->headers[n]) n++;
  if (n + 1 >= sizeof request->headers / sizeof *request->headers) return false;
  va_list args;
  va_start(args, format);
  int len = vasprintf(&request->headers[n], format, args);
  va_end(args);
  if (len < 0) request->headers[n] = NULL;
  return len >= 0;
}

enum status wire_request_check(const struct wire_request *request, bool headers_ok) {
  return headers_ok && !request->url.overflow && !request->body.overflow ? STATUS_OK : STATUS_NOMEM;
}

int64_t wire_output_limit(const struct ask_spec *spec) {
  int64_t limit = spec->binding->output_tokens_max;
  return limit > 0 && limit < spec->max_output_tokens ? limit : spec->max_output_tokens;
}

/* ---- replies ---- */

void wire_reply_init(struct wire_reply *reply, size_t max_answer_bytes) {
  *reply = (struct wire_reply){.usage = {-1, -1, -1, -1, -1}, .cost_usd_micro = -1};
  buffer_init(&reply->text, max_answer_bytes);
}

void wire_reply_done(struct wire_reply *reply) {
  buffer_done(&reply->text);
  free(reply->model);
  free(reply->error);
  free(reply->error_code);
  reply->model = reply->error = reply->error_code = NULL;
}

bool wire_scan_is(struct json_scan *s, const char *word) {
  struct bytes raw;
  size_t len = strlen(word);
  if (!json_scan_raw(s, &raw)) return false;
  return raw.len == len + 2 && raw.ptr[0] == '"' && memcmp(raw.ptr + 1, word, len) == 0;
}

/* More tokens than any answer has: nonsense, and sums of it would leave an int64. */
enum { COUNT_MAX = 1000000000 };

void wire_scan_count(struct json_scan *s, int64_t *count) {
  int64_t value;
  if (json_scan_int(s, &value) && value >= 0 && value <= COUNT_MAX) *count = value;
}

void wire_scan_text(struct json_scan *s, struct wire_reply *reply) {
  size_t before = reply->text.len;
  const char *start = s->p;
  json_scan_string(s, &reply->text);
  if (reply->text.len == before) return;
  reply->content = true;
  reply->words = (struct bytes){start, (size_t)(s->p - start)};
  reply->words_count++;
}

void wire_scan_thinking(struct json_scan *s, struct wire_reply *reply) {
  struct bytes raw;
  bool string = json_scan_peek(s) == JSON_SCAN_STRING;
  if (json_scan_raw(s, &raw) && string && raw.len > 2) reply->content = true;
}

/* A string, or a number as its digits; NULL for anything else. */
static char *scan_dup(struct json_scan *s) {
  BUFFER_LATER struct buffer b;
  buffer_init(&b, 4096);
  int64_t number;
  if (json_scan_peek(s) == JSON_SCAN_NUMBER)
    return json_scan_int(s, &number) && buffer_append_int(&b, number) ? buffer_steal(&b) : NULL;
  /* A text over the limit is no great loss: the code and the status remain. */
  return json_scan_string(s, &b) ? buffer_steal(&b) : NULL;
}

void wire_scan_model(struct json_scan *s, struct wire_reply *reply) {
  if (reply->model || json_scan_peek(s) != JSON_SCAN_STRING)
    json_scan_skip(s);
  else
    reply->model = scan_dup(s);
}

void wire_reply_fail(struct wire_reply *reply, enum outcome outcome, const char *code,
                     const char *words) {
  if (reply->error) return;
  reply->error = strdup(words && *words ? words : "the provider reported an error");
  if (!reply->error_code && code && *code) reply->error_code = strdup(code);
  reply->error_outcome = outcome;
}

void wire_scan_error(struct json_scan *s, struct wire_reply *reply) {
  FREE_LATER char *words = NULL;
  FREE_LATER char *code = NULL;
  FREE_LATER char *type = NULL;
  if (json_scan_peek(s) == JSON_SCAN_NULL) {
    json_scan_skip(s);
    return;
  }
  if (json_scan_peek(s) == JSON_SCAN_STRING) {
    words = scan_dup(s);
  } else if (json_scan_object(s)) {
    while (json_scan_member(s)) {
      char **field = json_scan_key_is(s, "message")                                 ? &words
                     : json_scan_key_is(s, "code")                                  ? &code
                     : json_scan_key_is(s, "type") || json_scan_key_is(s, "status") ? &type
                                                                                    : NULL;
      if (field && !*field)
        *field = scan_dup(s);
      else
        json_scan_skip(s);
    }
  }
  /* OpenRouter's code is the HTTP status that would have been; others' is a word. */
  int status = code && isdigit((unsigned char)code[0]) ? atoi(code) : 0;
  const char *name = type && (!code || status) ? type : code;
  wire_reply_fail(reply, wire_class(status, name ? name : "", words ? words : ""), name, words);
}

/* ---- framing ---- */

enum framing {
  FRAMING_UNKNOWN, /* only white space so far */
  FRAMING_STREAM,  /* as the wire format says */
  FRAMING_WHOLE,   /* one JSON body: the server did not stream */
};

struct wire_decoder {
  const struct wire *wire;
  struct wire_reply *reply;
  enum framing framing;
  struct sse_decoder sse;
  struct ndjson_decoder lines;
  struct buffer whole;
  struct wire_pattern pattern;
  bool failed;
};

static bool brought_only_words(const struct wire_reply *before, const struct wire_reply *r) {
  return r->words_count == 1 && memcmp(&r->usage, &before->usage, sizeof r->usage) == 0 &&
         r->cost_usd_micro == before->cost_usd_micro && r->model == before->model && !r->error &&
         r->error_code == before->error_code && r->truncated == before->truncated &&
         r->refused == before->refused && r->finished == before->finished && !r->terminated;
}

static bool read_record(struct wire_decoder *d, struct bytes name, struct bytes data) {
  struct wire_reply *reply = d->reply;
  const struct wire_reply before = *reply;
  reply->words_count = 0;
  if (!d->wire->record(reply, name, data)) return false;
  if (brought_only_words(&before, reply))
    wire_pattern_learn(&d->pattern, name, data, reply->words);
  else
    wire_pattern_forget(&d->pattern);
  return true;
}

static bool take_record(struct wire_decoder *d, struct bytes name, struct bytes data) {
  struct wire_reply *reply = d->reply;
  /* What a vendor sends after its terminator or an error is not part of the answer. */
  if (reply->terminated || reply->error) return true;
  size_t before = reply->text.len;
  if (wire_pattern_read(&d->pattern, name, data, &reply->text))
    reply->content |= reply->text.len > before;
  else if (!read_record(d, name, data))
    return false;
  return !reply->text.overflow;
}

static bool on_event(void *ctx, struct bytes name, struct bytes data) {
  return take_record(ctx, name, data);
}

static bool on_line(void *ctx, struct bytes line) {
  return take_record(ctx, (struct bytes){0}, line);
}

struct wire_decoder *wire_decoder_create(const struct wire *wire, struct wire_reply *reply,
                                         size_t max_record_bytes) {
  struct wire_decoder *d = calloc(1, sizeof *d);
  if (!d) return NULL;
  d->wire = wire;
  d->reply = reply;
  sse_decoder_init(&d->sse, max_record_bytes, on_event, d);
  ndjson_decoder_init(&d->lines, max_record_bytes, on_line, d);
  buffer_init(&d->whole, max_record_bytes);
  wire_pattern_init(&d->pattern);
  return d;
}

void wire_decoder_destroy(struct wire_decoder *d) {
  if (!d) return;
  sse_decoder_done(&d->sse);
  ndjson_decoder_done(&d->lines);
  buffer_done(&d->whole);
  wire_pattern_done(&d->pattern);
  free(d);
}

static struct bytes after_white_space(struct bytes piece) {
  while (piece.len && strchr(" \t\r\n", *piece.ptr) && *piece.ptr)
    piece = (struct bytes){piece.ptr + 1, piece.len - 1};
  return piece;
}

/* Some servers answer a request for a stream with one body, after blank lines while they were busy
 * (DeepSeek); no event stream begins with a bracket. White space is JSON's (RFC 8259 section 2): a
 * form feed before a body makes it malformed, wherever the pieces were cut. */
static enum framing framing_of(const struct wire_decoder *d, struct bytes piece) {
  if (d->wire->ndjson) return FRAMING_STREAM;
  struct bytes text = after_white_space(piece);
  if (!text.len) return FRAMING_UNKNOWN;
  return *text.ptr == '{' || *text.ptr == '[' ? FRAMING_WHOLE : FRAMING_STREAM;
}

bool wire_decoder_feed(struct wire_decoder *d, struct bytes piece) {
  if (d->failed) return false;
  if (d->framing == FRAMING_UNKNOWN) d->framing = framing_of(d, piece);
  bool ok = true;
  if (d->framing == FRAMING_WHOLE) /* begins with its bracket, in whichever piece that came */
    ok = buffer_append_bytes(&d->whole, d->whole.len ? piece : after_white_space(piece));
  else /* white space too: a space is part of its line, wherever the pieces were cut */
    ok = d->wire->ndjson ? ndjson_decoder_feed(&d->lines, piece) : sse_decoder_feed(&d->sse, piece);
  d->failed = !ok;
  return ok;
}

bool wire_decoder_finish(struct wire_decoder *d) {
  if (d->failed) return false;
  if (d->framing == FRAMING_WHOLE) {
    if (!take_record(d, (struct bytes){0}, buffer_bytes(&d->whole))) return false;
  } else if (d->wire->ndjson) {
    if (!ndjson_decoder_flush(&d->lines)) return false;
  } else if (!sse_decoder_flush(&d->sse)) {
    return false;
  }
  if (d->reply->error) return false;
  return d->reply->terminated || d->wire->may_end(d->reply);
}

enum outcome wire_reply_outcome(const struct wire_reply *reply, bool fed, bool whole) {
  if (reply->error) return reply->error_outcome;
  if (!fed) return OUTCOME_MALFORMED;
  if (reply->refused && whole) return OUTCOME_REFUSED;
  if (!whole) return OUTCOME_UNAVAILABLE;
  for (size_t i = 0; i < reply->text.len; i++)
    if (!isspace((unsigned char)reply->text.ptr[i])) return OUTCOME_OK;
  return OUTCOME_EMPTY;
}

/* ---- errors ---- */

static bool has_any(const char *text, const char *const *words) {
  for (; *words; words++)
    if (strcasestr(text, *words)) return true;
  return false;
}

/* The vendor's money is gone, or a spending limit of ours is reached: waiting does not help.
 * OpenAI: insufficient_quota, credit_balance_exhausted; Anthropic: a 400 "credit balance is too
 * low", "specified API usage limits"; DeepSeek: "Insufficient Balance". */
static const char *const quota_words[] = {"insufficient_quota",
                                          "insufficient balance",
                                          "credit_balance",
                                          "credit balance",
                                          "billing_error",
                                          "usage limits",
                                          "spend limit",
                                          "spending limit",
                                          "PerDay",
                                          "payment required",
                                          NULL};
/* Only where the status is 403: with these words it is about money, not about the key. */
static const char *const quota_words_403[] = {"quota", "billing", "exceeded", "rate_limit", NULL};
static const char *const refusal_words[] = {"content_policy", "content_filter", "moderation",
                                            "flagged", NULL};
static const char *const key_words[] = {"api key", "api_key", "apikey", NULL};

static enum outcome class_of_words(const char *code, const char *words) {
  static const struct {
    const char *word;
    enum outcome outcome;
  } rows[] = {
      {"overloaded", OUTCOME_OVERLOADED},
      {"api_error", OUTCOME_OVERLOADED},
      {"server_error", OUTCOME_OVERLOADED},
      {"timeout_error", OUTCOME_OVERLOADED},
      {"UNAVAILABLE", OUTCOME_OVERLOADED},
      {"INTERNAL", OUTCOME_OVERLOADED},
      {"DEADLINE_EXCEEDED", OUTCOME_OVERLOADED},
      {"rate_limit", OUTCOME_RATE_LIMITED},
      {"slow_down", OUTCOME_RATE_LIMITED},
      {"RESOURCE_EXHAUSTED", OUTCOME_RATE_LIMITED},
      {"authentication", OUTCOME_AUTH},
      {"permission", OUTCOME_AUTH},
      {"invalid_request", OUTCOME_INVALID_REQUEST},
      {"not_found", OUTCOME_INVALID_REQUEST},
      {"too_large", OUTCOME_INVALID_REQUEST},
      {"INVALID_ARGUMENT", OUTCOME_INVALID_REQUEST},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (strcasestr(code, rows[i].word)) return rows[i].outcome;
  return strcasestr(words, "overloaded") ? OUTCOME_OVERLOADED : OUTCOME_UNAVAILABLE;
}

enum outcome wire_class(int status_code, const char *code, const char *words) {
  if (status_code == 402 ||
      (status_code < 500 && (has_any(code, quota_words) || has_any(words, quota_words))))
    return OUTCOME_QUOTA;
  switch (status_code) {
    case 0: return class_of_words(code, words);
    case 400:
    case 403:
      if (has_any(code, refusal_words) || has_any(words, refusal_words)) return OUTCOME_REFUSED;
      if (status_code == 400) /* xAI and Gemini answer 400 to a bad key */
        return has_any(code, key_words) || has_any(words, key_words) ? OUTCOME_AUTH
                                                                     : OUTCOME_INVALID_REQUEST;
      if (has_any(code, quota_words_403) || has_any(words, quota_words_403)) return OUTCOME_QUOTA;
      return OUTCOME_AUTH;
    case 401: return OUTCOME_AUTH;
    case 408:
    case 409: return OUTCOME_OVERLOADED;
    case 429: return OUTCOME_RATE_LIMITED;
    default: return status_code >= 500 ? OUTCOME_OVERLOADED : OUTCOME_INVALID_REQUEST;
  }
}

struct error_words {
  const char *words, *code;
  char number[24];
};

static const char *text_of(const json_t *object, const char *key) {
  return json_get_text(object, key, "");
}

/* The shapes: {"error":{"message","type"|"code"|"status"}}, the same in a one-element array
 * (Gemini), {"error":"text","code"} (xAI, Ollama), {"message","type"} (Mistral), {"detail":[..]}
 * (422 of Mistral). */
static void read_error(const json_t *body, struct error_words *w) {
  if (json_is_array(body)) body = json_array_get(body, 0);
  const json_t *error = json_object_get(body, "error");
  const json_t *detail = json_object_get(body, "detail");
  const json_t *from = json_is_object(error) ? error : body;
  w->words = json_is_string(error) ? json_string_value(error) : text_of(from, "message");
  if (!*w->words && json_is_string(detail)) w->words = json_string_value(detail);
  if (!*w->words) w->words = text_of(json_array_get(detail, 0), "msg");
  w->code = text_of(from, "code");
  if (!*w->code) w->code = text_of(from, "type");
  if (!*w->code || strcmp(w->code, "error") == 0) w->code = text_of(from, "status");
}

static char *detail_of(const char *words, const char *code, int status_code) {
  BUFFER_LATER struct buffer b;
  buffer_init(&b, 8192);
  if (*words)
    buffer_append(&b, words, strnlen(words, WORDS_MAX));
  else
    buffer_printf(&b, "HTTP %d without a readable error", status_code);
  if (*code) buffer_printf(&b, " (%.100s)", code);
  char *clean = utf8_clean(buffer_bytes(&b));
  if (!clean) return NULL;
  for (char *p = clean; *p; p++)
    if (*p == '\n' || *p == '\t') *p = ' ';
  return clean;
}

enum outcome wire_classify_error(int status_code, struct bytes body, const char *secret,
                                 char **ret_detail) {
  JSON_LATER json_t *json = NULL;
  struct error_words w = {.words = "", .code = ""};
  FREE_LATER char *plain = NULL;
  if (json_parse(body, &json, NULL) == STATUS_OK && (json_is_object(json) || json_is_array(json))) {
    read_error(json, &w);
  } else if (body.len && body.ptr[0] != '<') {
    plain = bytes_dup((struct bytes){body.ptr, utf8_prefix(body, WORDS_MAX)});
    if (plain) w.words = plain;
  }
  enum outcome outcome = wire_class(status_code, w.code, w.words);
  /* Gemini says the same words for a minute's limit and for a day's: the quota's name tells. */
  if (status_code == 429 && body.len && memmem(body.ptr, body.len, "PerDay", 6))
    outcome = OUTCOME_QUOTA;
  char *detail = detail_of(w.words, w.code, status_code);
  if (detail) {
    wire_scrub(detail, secret);
    detail[utf8_prefix(bytes_of(detail), DETAIL_MAX)] = '\0';
  }
  *ret_detail = detail;
  return outcome;
}

int64_t wire_error_retry_ms(struct bytes body) {
  static const char name[] = "\"retryDelay\"";
  const char *p = body.len ? memmem(body.ptr, body.len, name, sizeof name - 1) : NULL;
  if (!p) return -1;
  char text[32] = "";
  p += sizeof name - 1;
  const char *end = body.ptr + body.len;
  while (p < end && (*p == ' ' || *p == ':' || *p == '"')) p++;
  for (size_t n = 0; p < end && n + 1 < sizeof text && (isdigit((unsigned char)*p) || *p == '.');
       n++)
    text[n] = *p++;
  double seconds = strtod(text, NULL);
  return text[0] && seconds >= 0 && seconds < 1e9 ? (int64_t)(seconds * 1000) : -1;
}

/* ---- secrets ---- */

static bool is_key_char(char c) {
  return isalnum((unsigned char)c) || c == '-' || c == '_' || c == '.' || c == '~' || c == '+' ||
         c == '/' || c == '=' || c == '*';
}

static void star_key_after(char *p) {
  size_t n = 0;
  while (p[n] && is_key_char(p[n])) n++;
  if (n >= 6) memset(p, '*', n);
}

void wire_scrub(char *text, const char *secret) {
  static const char *const marks[] = {"sk-", "xai-", "AIza", "gsk_", "Bearer ", "key="};
  size_t secret_len = secret ? strlen(secret) : 0;
  if (secret_len >= 4)
    for (char *p = text; (p = strstr(p, secret));) memset(p, '*', secret_len);
  for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
    for (char *p = text; (p = strcasestr(p, marks[i]));) {
      bool inside_word = p > text && isalnum((unsigned char)p[-1]); /* "risk-averse" is no key */
      p += strlen(marks[i]);
      if (!inside_word) star_key_after(p);
    }
}
