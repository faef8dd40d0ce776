#include "provider/attempt.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "provider/demo.h"
#include "provider/retry_after.h"
#include "provider/wire.h"
#include "provider/wire_parts.h"

#include <stdio.h>
#include <stdlib.h>

enum {
  ERROR_BODY_MAX = 64 * 1024, /* kept of an error's body; the rest is read and dropped */
  REQUEST_ID_MAX = 127,
  MODEL_MAX = 127,
  DETAIL_MAX = 300,
  /* After the format's own terminator the connection should end by itself; a server that holds it
   * open does not hold the answer back longer than this. */
  GRACE_AFTER_END_MS = 250,
  /* Marks between messages, and instructions that a vendor adds of its own: Anthropic bills a text
   * that explains the format where a schema is given (its page "Structured outputs"). */
  UNSEEN_TOKENS = 1024,
  /* A token of four bytes comes in an event of some 250; with that much room for every byte of the
   * longest answer, only comments without end can reach the limit. */
  BODY_BYTES_PER_ANSWER_BYTE = 64,
};

enum attempt_state {
  ATTEMPT_RUNNING, /* the HTTP client's or the demo's: a callback of theirs goes on */
  ATTEMPT_ENDING,  /* ops.done is running; freed when it returns */
};

struct attempt {
  enum attempt_state state;
  struct loop *loop;
  struct attempt_limits limits;
  struct ask_spec spec; /* its texts are borrowed */
  const struct attempt_ops *ops;
  void *ctx;
  struct loop_timer *idle;
  const struct wire *wire;
  struct wire_decoder *decoder;
  struct wire_reply reply;
  struct http_call *call;
  struct demo_run *demo;
  size_t text_taken; /* of reply.text: shown through ops.token */
  bool fed;          /* every piece so far was accepted */
  bool unsent;       /* it ended before a connection stood */
  int64_t started_ms, content_ms, ttft_ms;
  int status_code;
  struct buffer error_body;
  int64_t retry_after_ms;
  enum retry_advice advice;
  char request_id[REQUEST_ID_MAX + 1];
};

/* ---- money ---- */

int64_t attempt_price(int64_t tokens_in, int64_t tokens_out, const struct agent_binding *b) {
  if (b->price_input_usd_micro < 0 || b->price_output_usd_micro < 0) return -1;
  if (b->price_input_usd_micro == 0 && b->price_output_usd_micro == 0) return 0;
  if (tokens_in < 0 || tokens_out < 0) return -1;
  __extension__ typedef __int128 wide;
  wide sum =
      (wide)tokens_in * b->price_input_usd_micro + (wide)tokens_out * b->price_output_usd_micro;
  wide micro = (sum + 999999) / 1000000;
  return micro > INT64_MAX ? INT64_MAX : (int64_t)micro;
}

/* What is written to Anthropic's cache for five minutes costs a quarter more (its page "Prompt
 * caching"); nobody else charges for that. */
static int64_t write_tokens(int64_t tokens, const struct agent_binding *b) {
  return b->wire == WIRE_ANTHROPIC ? tokens + (tokens + 3) / 4 : tokens;
}

struct ledger_amounts attempt_bound(const struct ask_spec *spec) {
  int64_t in =
      (int64_t)(spec->system.len + spec->prefix.len + spec->prompt.len + spec->schema.len) +
      UNSEEN_TOKENS;
  int64_t out = wire_output_limit(spec);
  return (struct ledger_amounts){
      in + out, attempt_price(write_tokens(in, spec->binding), out, spec->binding)};
}

/* Cached input is counted at the full price: an upper bound, as the discounts are not in the table.
 */
static int64_t cost_of(const struct attempt *a) {
  const struct ask_usage *u = &a->reply.usage;
  if (a->reply.cost_usd_micro >= 0) return a->reply.cost_usd_micro;
  int64_t in = u->input;
  if (in >= 0 && u->cache_read > 0 && __builtin_add_overflow(in, u->cache_read, &in)) return -1;
  int64_t written = u->cache_write > 0 ? write_tokens(u->cache_write, a->spec.binding) : 0;
  if (in >= 0 && __builtin_add_overflow(in, written, &in)) return -1;
  return attempt_price(in, u->output, a->spec.binding);
}

/* ---- the end ---- */

static int64_t now_ms(const struct attempt *a) {
  return (int64_t)loop_now_ms(a->loop);
}

/* Stops everything that could call back. */
static void stop(struct attempt *a) {
  loop_timer_cancel(a->idle);
  a->idle = NULL;
  if (a->call) http_call_cancel(a->call);
  a->call = NULL;
  demo_cancel(a->demo);
  a->demo = NULL;
}

static void attempt_free(struct attempt *a) {
  wire_decoder_destroy(a->decoder);
  wire_reply_done(&a->reply);
  buffer_done(&a->error_body);
  free(a);
}

/* The vendor's name of a model is its own text: it is shown, so it is made showable. The key is
 * taken out before anything is cut: half of one is no longer known for what it is. */
static void clean_model(struct attempt *a) {
  char *raw = a->reply.model;
  if (!raw) return;
  wire_scrub(raw, a->spec.binding->key);
  a->reply.model = utf8_clean((struct bytes){raw, utf8_prefix(bytes_of(raw), MODEL_MAX)});
  free(raw);
}

/* One line that may be shown: allocated, NULL when memory is short. */
static char *showable(const struct attempt *a, const char *detail) {
  char *words = utf8_clean(bytes_of(detail));
  if (!words) return NULL;
  for (char *p = words; *p; p++)
    if (*p == '\n' || *p == '\t') *p = ' ';
  wire_scrub(words, a->spec.binding->key);
  words[utf8_prefix(bytes_of(words), DETAIL_MAX)] = '\0';
  return words;
}

/* What a stream counts before its end is less than what is billed: Anthropic begins with one output
 * token, Gemini counts as it goes. */
static void forget_partial_usage(struct attempt *a, enum outcome outcome) {
  if (outcome == OUTCOME_OK || outcome == OUTCOME_EMPTY || outcome == OUTCOME_REFUSED) return;
  a->reply.usage.output = a->reply.usage.reasoning = -1;
}

static void attempt_end(struct attempt *a, enum outcome outcome, const char *detail) {
  a->unsent |= a->call && http_call_waiting(a->call);
  stop(a);
  a->state = ATTEMPT_ENDING;
  forget_partial_usage(a, outcome);
  clean_model(a);
  FREE_LATER char *words = showable(a, detail);
  struct ask_result result = {
      .outcome = outcome,
      .truncated = a->reply.truncated,
      .text = outcome == OUTCOME_OK ? buffer_bytes(&a->reply.text) : (struct bytes){0},
      .provider = a->spec.binding->provider,
      .model = a->reply.model ? a->reply.model : a->spec.binding->model,
      .upstream_status = a->status_code,
      .detail = words ? words : "",
      .request_id = a->request_id,
      .usage = a->reply.usage,
      .cost_usd_micro = cost_of(a),
      .unsent = a->unsent,
      .ttft_ms = a->ttft_ms,
      .latency_ms = now_ms(a) - a->started_ms,
      .retry_after_ms = a->retry_after_ms,
  };
  a->ops->done(a->ctx, &result, a->advice);
  attempt_free(a);
}

/* ---- answers over HTTP ---- */

static void take_header(struct attempt *a, struct http_call *call, const char *name) {
  const char *value = http_call_header(call, name);
  const char *key = a->spec.binding->key;
  if (!value || a->request_id[0]) return;
  if (key && strstr(value, key)) return; /* a proxy that names requests by who sent them */
  size_t n = 0;
  for (; n < REQUEST_ID_MAX && value[n] > 0x20 && value[n] < 0x7f; n++) a->request_id[n] = value[n];
  a->request_id[n] = '\0';
  wire_scrub(a->request_id, NULL);
}

static const char *find_header(void *call, const char *name) {
  return http_call_header(call, name);
}

static void on_head(void *ctx, struct http_call *call, int status_code) {
  struct attempt *a = ctx;
  a->status_code = status_code;
  take_header(a, call, "request-id");      /* Anthropic */
  take_header(a, call, "x-request-id");    /* OpenAI and others */
  take_header(a, call, "x-generation-id"); /* OpenRouter */
  int64_t wall_ms = clock_wall_ms(&clock_system);
  if (status_code >= 300) {
    a->advice = retry_advice_parse(http_call_header(call, "x-should-retry"));
    a->retry_after_ms = retry_after_parse(http_call_header(call, "retry-after-ms"),
                                          http_call_header(call, "retry-after"), wall_ms);
  }
  struct rate_headers rates;
  rate_headers_read(find_header, call, wall_ms, &rates);
  a->ops->rates(a->ctx, &rates);
}

static bool on_data(void *ctx, struct bytes piece) {
  struct attempt *a = ctx;
  if (a->status_code >= 300) {
    size_t room = ERROR_BODY_MAX - a->error_body.len;
    buffer_append(&a->error_body, piece.ptr, piece.len < room ? piece.len : room);
    return true;
  }
  a->fed = wire_decoder_feed(a->decoder, piece);
  return a->fed && !a->reply.error;
}

static void on_idle(void *arg);

static void on_read_end(void *ctx) {
  struct attempt *a = ctx;
  if (a->status_code >= 300) return;
  if (a->reply.content) {
    a->reply.content = false;
    a->content_ms = now_ms(a);
  }
  if (a->reply.terminated) {
    loop_timer_cancel(a->idle);
    a->idle = loop_timer_start(a->loop, GRACE_AFTER_END_MS, on_idle, a);
  }
  if (a->reply.text.len == a->text_taken || a->reply.error) return;
  struct bytes fresh = {a->reply.text.ptr + a->text_taken, a->reply.text.len - a->text_taken};
  if (a->ttft_ms < 0) a->ttft_ms = now_ms(a) - a->started_ms;
  a->text_taken = a->reply.text.len;
  a->ops->token(a->ctx, fresh); /* last: the owner may cancel in it */
}

static const char *words_of(const struct attempt *a, enum outcome outcome) {
  if (a->reply.error) return a->reply.error;
  switch (outcome) {
    case OUTCOME_MALFORMED:
      return a->reply.text.overflow ? "the answer is longer than allowed"
                                    : "the provider sent bytes that are not of its format";
    case OUTCOME_UNAVAILABLE: return "the stream ended before its terminator";
    case OUTCOME_EMPTY: return "the answer has no text";
    case OUTCOME_REFUSED: return "the provider refused to answer";
    default: return "";
  }
}

static void end_by_stream(struct attempt *a, bool whole) {
  enum outcome outcome = wire_reply_outcome(&a->reply, a->fed, whole);
  attempt_end(a, outcome, words_of(a, outcome));
}

static void end_by_status(struct attempt *a) {
  FREE_LATER char *detail = NULL;
  struct bytes body = buffer_bytes(&a->error_body);
  enum outcome outcome = wire_classify_error(a->status_code, body, a->spec.binding->key, &detail);
  if (a->retry_after_ms < 0) a->retry_after_ms = wire_error_retry_ms(body);
  attempt_end(a, outcome, detail ? detail : "");
}

static void on_done(void *ctx, struct http_call *call, enum http_call_end end, const char *detail) {
  struct attempt *a = ctx;
  (void)call;
  a->call = NULL; /* freed when this returns */
  a->unsent = end == HTTP_CALL_DNS || end == HTTP_CALL_CONNECT || end == HTTP_CALL_TLS ||
              end == HTTP_CALL_UNTRUSTED;
  if (a->status_code >= 400) {
    end_by_status(a);
    return;
  }
  switch (end) {
    case HTTP_CALL_COMPLETE: end_by_stream(a, a->fed && wire_decoder_finish(a->decoder)); break;
    case HTTP_CALL_STOPPED: end_by_stream(a, false); break;
    case HTTP_CALL_TIMEOUT: attempt_end(a, OUTCOME_TIMEOUT, detail); break;
    case HTTP_CALL_TOO_LARGE: attempt_end(a, OUTCOME_MALFORMED, detail); break;
    case HTTP_CALL_UNTRUSTED:
      a->advice = RETRY_ADVICE_NO; /* a second later it is the same certificate */
      attempt_end(a, OUTCOME_UNAVAILABLE, detail);
      break;
    case HTTP_CALL_DNS:
    case HTTP_CALL_CONNECT:
    case HTTP_CALL_TLS:
    case HTTP_CALL_RESET:
    case HTTP_CALL_PROTOCOL:
      if (a->reply.terminated)
        end_by_stream(a, true); /* it broke after the answer was whole */
      else
        attempt_end(a, OUTCOME_UNAVAILABLE, detail);
      break;
  }
}

static const struct http_call_ops call_ops = {on_head, on_data, on_read_end, on_done};

/* ---- the clocks ---- */

/* Armed once and moved only when it fires: moving it at every read would cost more than it is
 * worth. */
static void on_idle(void *arg) {
  struct attempt *a = arg;
  a->idle = NULL;
  if (a->reply.terminated) {
    end_by_stream(a, true);
    return;
  }
  int64_t limit = a->limits.idle_timeout_ms;
  int64_t since = a->content_ms;
  if (a->call && http_call_waiting(a->call)) {
    since = now_ms(a); /* in our own queue: the vendor is not to blame */
  } else if (a->call) {
    int64_t sent = a->started_ms + http_call_queued_us(a->call) / 1000;
    since = sent > since ? sent : since;
  }
  int64_t left = since + limit - now_ms(a);
  if (left > 0) {
    a->idle = loop_timer_start(a->loop, (uint64_t)left, on_idle, a);
    return;
  }
  char words[80];
  snprintf(words, sizeof words, "no content for %lld ms", (long long)limit);
  attempt_end(a, OUTCOME_TIMEOUT, words);
}

void attempt_expire(struct attempt *a) {
  if (a->state == ATTEMPT_ENDING) return;
  if (a->reply.terminated) {
    end_by_stream(a, true);
    return;
  }
  char words[80];
  snprintf(words, sizeof words, "not finished after %lld ms", (long long)a->spec.timeout_ms);
  attempt_end(a, OUTCOME_TIMEOUT, words);
}

bool attempt_unsent(const struct attempt *a) {
  return !a || a->unsent || (a->call && http_call_waiting(a->call));
}

bool attempt_is_whole(const struct attempt *a) {
  return a && a->reply.terminated;
}

/* ---- the start ---- */

static void on_demo_token(void *ctx, struct bytes text) {
  struct attempt *a = ctx;
  if (a->ttft_ms < 0) a->ttft_ms = now_ms(a) - a->started_ms;
  a->ops->token(a->ctx, text);
}

static void on_demo_done(void *ctx, const char *text, const struct ask_usage *usage) {
  struct attempt *a = ctx;
  a->demo = NULL; /* freed when this returns */
  if (!text || !buffer_append_text(&a->reply.text, text)) {
    attempt_end(a, OUTCOME_UNAVAILABLE, "out of memory");
    return;
  }
  a->reply.usage = *usage;
  attempt_end(a, OUTCOME_OK, "");
}

static const struct demo_ops demo_ops = {on_demo_token, on_demo_done};

static enum status start_call(struct attempt *a, struct http_client *http, int64_t left_ms) {
  const struct attempt_limits *o = &a->limits;
  struct wire_request request;
  enum status s = a->wire->build(&a->spec, &request);
  if (s) return s;
  struct http_call_spec spec = {
      .method = "POST",
      .url = request.url.ptr,
      .headers = (const char *const *)request.headers,
      .body = buffer_bytes(&request.body),
      .connect_timeout_ms = o->connect_timeout_ms < left_ms ? o->connect_timeout_ms : left_ms,
      .total_timeout_ms = left_ms + 1000, /* the owner's comes first; this one is a safety net */
      .max_body_bytes = o->max_answer_bytes * BODY_BYTES_PER_ANSWER_BYTE + ERROR_BODY_MAX * 4,
      .ops = &call_ops,
      .ctx = a,
  };
  s = http_call_start(http, &spec, &a->call, NULL);
  wire_request_done(&request);
  return s;
}

static enum status start_http(struct attempt *a, struct http_client *http, int64_t left_ms) {
  const struct agent_binding *b = a->spec.binding;
  a->wire = wire_of(b->wire);
  if (!a->wire || !b->base_url) return STATUS_INVALID;
  a->decoder =
      wire_decoder_create(a->wire, &a->reply, a->limits.max_answer_bytes * 2 + ERROR_BODY_MAX);
  enum status s = a->decoder ? start_call(a, http, left_ms) : STATUS_NOMEM;
  if (!s) a->idle = loop_timer_start(a->loop, (uint64_t)a->limits.idle_timeout_ms, on_idle, a);
  return s;
}

enum status attempt_start(struct loop *loop, struct http_client *http,
                          const struct attempt_limits *limits, const struct ask_spec *spec,
                          int64_t left_ms, const struct attempt_ops *ops, void *ctx,
                          struct attempt **ret_attempt) {
  struct attempt *a = calloc(1, sizeof *a);
  if (!a) return STATUS_NOMEM;
  a->state = ATTEMPT_RUNNING;
  a->loop = loop;
  a->limits = *limits;
  a->spec = *spec;
  a->ops = ops;
  a->ctx = ctx;
  a->fed = true;
  a->ttft_ms = a->retry_after_ms = -1;
  a->started_ms = a->content_ms = now_ms(a);
  wire_reply_init(&a->reply, limits->max_answer_bytes);
  buffer_init(&a->error_body, ERROR_BODY_MAX);
  enum status s = STATUS_OK;
  if (spec->binding->wire == WIRE_DEMO) {
    a->demo = demo_start(loop, &a->spec, limits->demo_token_rate, &demo_ops, a);
    if (!a->demo) s = STATUS_NOMEM;
  } else {
    s = start_http(a, http, left_ms);
  }
  if (s) {
    stop(a);
    attempt_free(a);
    return s;
  }
  *ret_attempt = a;
  return STATUS_OK;
}

void attempt_cancel(struct attempt *a) {
  if (!a || a->state == ATTEMPT_ENDING) return; /* within ops.done: it is freed anyway */
  stop(a);
  attempt_free(a);
}
