#include "provider/ask.h"

#include "base/utf8.h"
#include "provider/demo.h"
#include "provider/retry_after.h"
#include "provider/wire.h"

#include <stdio.h>
#include <stdlib.h>

enum {
  ERROR_BODY_MAX = 64 * 1024, /* kept of an error's body; the rest is read and dropped */
  REQUEST_ID_MAX = 127,
  MODEL_MAX = 127,
  /* After the format's own terminator the connection should end by itself; a server that holds it
   * open does not hold the answer back longer than this. */
  GRACE_AFTER_END_MS = 250,
  /* A token of four bytes comes in an event of some 250; with that much room for every byte of the
   * longest answer, only comments without end can reach the limit. */
  BODY_BYTES_PER_ANSWER_BYTE = 64,
};

struct provider {
  struct loop *loop;
  struct provider_options options;
  struct http_client *http;
};

enum ask_state {
  ASK_ANNOUNCING, /* ours; the attempt will be announced in the next turn of the loop */
  ASK_WAITING,    /* the owner's: it makes the attempt durable, then calls ask_proceed */
  ASK_RUNNING,    /* the HTTP client's or the demo's: a callback of theirs goes on */
  ASK_FAILED,     /* ours; it could not start, and says so in the next turn of the loop */
  ASK_ENDING,     /* ops.done is running; freed when it returns */
};

struct ask {
  enum ask_state state;
  struct provider *provider;
  struct ask_spec spec; /* its texts are borrowed */
  const struct ask_ops *ops;
  void *ctx;
  struct loop_timer *step;  /* announce or fail, in a turn of its own */
  struct loop_timer *total; /* the turn's deadline */
  struct loop_timer *idle;
  const struct wire *wire;
  struct wire_decoder *decoder;
  struct wire_reply reply;
  struct http_call *call;
  struct demo_run *demo;
  size_t text_taken; /* of reply.text: shown through ops.token */
  bool fed;          /* every piece so far was accepted */
  int64_t started_ms, content_ms, ttft_ms;
  int status_code;
  struct buffer error_body;
  int64_t retry_after_ms;
  char request_id[REQUEST_ID_MAX + 1];
  const char *failure; /* why it could not start */
};

/* ---- the provider module ---- */

enum status provider_create(struct loop *loop, const struct provider_options *options,
                            struct provider **ret_provider, struct error *err) {
  struct provider *provider = calloc(1, sizeof *provider);
  if (!provider) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  provider->loop = loop;
  provider->options = *options;
  struct http_client_limits limits = {options->connections_per_host, options->max_queued};
  enum status status = http_client_create(loop, limits, &provider->http, err);
  if (status)
    free(provider);
  else
    *ret_provider = provider;
  return status;
}

void provider_destroy(struct provider *provider) {
  if (!provider) return;
  http_client_destroy(provider->http);
  free(provider);
}

/* ---- money ---- */

/* Micro-dollars for so many tokens at a price per million, rounded up. */
static int64_t price_of(int64_t tokens_in, int64_t tokens_out, const struct agent_binding *b) {
  if (b->price_input_usd_micro < 0 || b->price_output_usd_micro < 0) return -1;
  if (b->price_input_usd_micro == 0 && b->price_output_usd_micro == 0) return 0;
  if (tokens_in < 0 || tokens_out < 0) return -1;
  __extension__ typedef __int128 wide;
  wide sum =
      (wide)tokens_in * b->price_input_usd_micro + (wide)tokens_out * b->price_output_usd_micro;
  wide micro = (sum + 999999) / 1000000;
  return micro > INT64_MAX ? INT64_MAX : (int64_t)micro;
}

/* Cached input is counted at the full price: an upper bound, as the discounts are not in the table.
 */
static int64_t cost_of(const struct ask *ask) {
  const struct ask_usage *u = &ask->reply.usage;
  if (ask->reply.cost_usd_micro >= 0) return ask->reply.cost_usd_micro;
  int64_t in = u->input;
  if (in >= 0 && u->cache_read > 0 && __builtin_add_overflow(in, u->cache_read, &in)) return -1;
  if (in >= 0 && u->cache_write > 0 && __builtin_add_overflow(in, u->cache_write, &in)) return -1;
  return price_of(in, u->output, ask->spec.binding);
}

/* ---- the end ---- */

static int64_t now_ms(const struct ask *ask) {
  return (int64_t)loop_now_ms(ask->provider->loop);
}

/* Stops everything that could call back. */
static void stop(struct ask *ask) {
  loop_timer_cancel(ask->step);
  loop_timer_cancel(ask->total);
  loop_timer_cancel(ask->idle);
  ask->step = ask->total = ask->idle = NULL;
  if (ask->call) http_call_cancel(ask->call);
  ask->call = NULL;
  demo_cancel(ask->demo);
  ask->demo = NULL;
}

static void ask_free(struct ask *ask) {
  wire_decoder_destroy(ask->decoder);
  wire_reply_done(&ask->reply);
  buffer_done(&ask->error_body);
  free(ask);
}

/* The vendor's name of a model is its own text: it is shown, so it is made showable. */
static void clean_model(struct ask *ask) {
  char *raw = ask->reply.model;
  if (!raw) return;
  ask->reply.model = utf8_clean((struct bytes){raw, utf8_prefix(bytes_of(raw), MODEL_MAX)});
  free(raw);
}

static void ask_end(struct ask *ask, enum outcome outcome, const char *detail) {
  stop(ask);
  ask->state = ASK_ENDING;
  clean_model(ask);
  FREE_LATER char *words = utf8_clean(bytes_of(detail));
  if (words) {
    for (char *p = words; *p; p++)
      if (*p == '\n' || *p == '\t') *p = ' ';
    wire_scrub(words, ask->spec.binding->key);
    words[utf8_prefix(bytes_of(words), 300)] = '\0';
  }
  struct ask_result result = {
      .attempt = 1,
      .outcome = outcome,
      .truncated = ask->reply.truncated,
      .text = outcome == OUTCOME_OK ? buffer_bytes(&ask->reply.text) : (struct bytes){0},
      .provider = ask->spec.binding->provider,
      .model = ask->reply.model ? ask->reply.model : ask->spec.binding->model,
      .upstream_status = ask->status_code,
      .detail = words ? words : "",
      .request_id = ask->request_id,
      .usage = ask->reply.usage,
      .cost_usd_micro = cost_of(ask),
      .ttft_ms = ask->ttft_ms,
      .latency_ms = ask->started_ms >= 0 ? now_ms(ask) - ask->started_ms : 0,
      .retry_after_ms = ask->retry_after_ms,
  };
  ask->ops->done(ask->ctx, &result);
  ask_free(ask);
}

/* ---- answers over HTTP ---- */

static void take_header(struct ask *ask, struct http_call *call, const char *name) {
  const char *value = http_call_header(call, name);
  if (!value || ask->request_id[0]) return;
  size_t n = 0;
  for (; n < REQUEST_ID_MAX && value[n] > 0x20 && value[n] < 0x7f; n++)
    ask->request_id[n] = value[n];
  ask->request_id[n] = '\0';
}

static void on_head(void *ctx, struct http_call *call, int status_code) {
  struct ask *ask = ctx;
  ask->status_code = status_code;
  take_header(ask, call, "request-id");      /* Anthropic */
  take_header(ask, call, "x-request-id");    /* OpenAI and others */
  take_header(ask, call, "x-generation-id"); /* OpenRouter */
  if (status_code < 300) return;
  ask->retry_after_ms =
      retry_after_parse(http_call_header(call, "retry-after-ms"),
                        http_call_header(call, "retry-after"), clock_wall_ms(&clock_system));
}

static bool on_data(void *ctx, struct bytes piece) {
  struct ask *ask = ctx;
  if (ask->status_code >= 300) {
    size_t room = ERROR_BODY_MAX - ask->error_body.len;
    buffer_append(&ask->error_body, piece.ptr, piece.len < room ? piece.len : room);
    return true;
  }
  ask->fed = wire_decoder_feed(ask->decoder, piece);
  return ask->fed && !ask->reply.error;
}

static void on_idle(void *arg);

static void on_read_end(void *ctx) {
  struct ask *ask = ctx;
  if (ask->status_code >= 300) return;
  if (ask->reply.content) {
    ask->reply.content = false;
    ask->content_ms = now_ms(ask);
  }
  if (ask->reply.terminated) {
    loop_timer_cancel(ask->idle);
    ask->idle = loop_timer_start(ask->provider->loop, GRACE_AFTER_END_MS, on_idle, ask);
  }
  if (ask->reply.text.len == ask->text_taken || ask->reply.error) return;
  struct bytes fresh = {ask->reply.text.ptr + ask->text_taken,
                        ask->reply.text.len - ask->text_taken};
  if (ask->ttft_ms < 0) ask->ttft_ms = now_ms(ask) - ask->started_ms;
  ask->text_taken = ask->reply.text.len;
  ask->ops->token(ask->ctx, 1, fresh); /* last: the owner may cancel in it */
}

static const char *words_of(const struct ask *ask, enum outcome outcome) {
  if (ask->reply.error) return ask->reply.error;
  switch (outcome) {
    case OUTCOME_MALFORMED:
      return ask->reply.text.overflow ? "the answer is longer than allowed"
                                      : "the provider sent bytes that are not of its format";
    case OUTCOME_UNAVAILABLE: return "the stream ended before its terminator";
    case OUTCOME_EMPTY: return "the answer has no text";
    case OUTCOME_REFUSED: return "the provider refused to answer";
    default: return "";
  }
}

static void end_by_stream(struct ask *ask, bool whole) {
  enum outcome outcome = wire_reply_outcome(&ask->reply, ask->fed, whole);
  ask_end(ask, outcome, words_of(ask, outcome));
}

static void end_by_status(struct ask *ask) {
  FREE_LATER char *detail = NULL;
  struct bytes body = buffer_bytes(&ask->error_body);
  enum outcome outcome =
      wire_classify_error(ask->status_code, body, ask->spec.binding->key, &detail);
  if (ask->retry_after_ms < 0) ask->retry_after_ms = wire_error_retry_ms(body);
  ask_end(ask, outcome, detail ? detail : "");
}

static void on_done(void *ctx, struct http_call *call, enum http_call_end end, const char *detail) {
  struct ask *ask = ctx;
  (void)call;
  ask->call = NULL; /* freed when this returns */
  if (ask->status_code >= 400) {
    end_by_status(ask);
    return;
  }
  switch (end) {
    case HTTP_CALL_COMPLETE:
      end_by_stream(ask, ask->fed && wire_decoder_finish(ask->decoder));
      break;
    case HTTP_CALL_STOPPED: end_by_stream(ask, false); break;
    case HTTP_CALL_TIMEOUT: ask_end(ask, OUTCOME_TIMEOUT, detail); break;
    case HTTP_CALL_TOO_LARGE: ask_end(ask, OUTCOME_MALFORMED, detail); break;
    case HTTP_CALL_DNS:
    case HTTP_CALL_CONNECT:
    case HTTP_CALL_TLS:
    case HTTP_CALL_RESET:
    case HTTP_CALL_PROTOCOL:
      if (ask->reply.terminated)
        end_by_stream(ask, true); /* it broke after the answer was whole */
      else
        ask_end(ask, OUTCOME_UNAVAILABLE, detail);
      break;
  }
}

static const struct http_call_ops call_ops = {on_head, on_data, on_read_end, on_done};

/* ---- the clocks ---- */

/* Armed once and moved only when it fires: moving it at every read would cost more than it is
 * worth. */
static void on_idle(void *arg) {
  struct ask *ask = arg;
  ask->idle = NULL;
  if (ask->reply.terminated) {
    end_by_stream(ask, true);
    return;
  }
  int64_t limit = ask->provider->options.idle_timeout_ms;
  int64_t since = ask->content_ms;
  if (ask->call && http_call_waiting(ask->call)) {
    since = now_ms(ask); /* in our own queue: the vendor is not to blame */
  } else if (ask->call) {
    int64_t sent = ask->started_ms + http_call_queued_us(ask->call) / 1000;
    since = sent > since ? sent : since;
  }
  int64_t left = since + limit - now_ms(ask);
  if (left > 0) {
    ask->idle = loop_timer_start(ask->provider->loop, (uint64_t)left, on_idle, ask);
    return;
  }
  char words[80];
  snprintf(words, sizeof words, "no content for %lld ms", (long long)limit);
  ask_end(ask, OUTCOME_TIMEOUT, words);
}

static void on_total(void *arg) {
  struct ask *ask = arg;
  ask->total = NULL;
  if (ask->reply.terminated) {
    end_by_stream(ask, true);
    return;
  }
  char words[80];
  snprintf(words, sizeof words, "not finished after %lld ms", (long long)ask->spec.timeout_ms);
  ask_end(ask, OUTCOME_TIMEOUT, words);
}

/* ---- the start ---- */

static void on_failed(void *arg) {
  struct ask *ask = arg;
  ask->step = NULL;
  ask_end(ask, OUTCOME_UNAVAILABLE, ask->failure);
}

/* ask_proceed may be called within a callback of ours, so the end comes in a turn of its own. */
static void fail_later(struct ask *ask, const char *why) {
  ask->state = ASK_FAILED;
  ask->failure = why;
  ask->step = loop_timer_start(ask->provider->loop, 0, on_failed, ask);
}

static void on_demo_token(void *ctx, struct bytes text) {
  struct ask *ask = ctx;
  if (ask->ttft_ms < 0) ask->ttft_ms = now_ms(ask) - ask->started_ms;
  ask->ops->token(ask->ctx, 1, text);
}

static void on_demo_done(void *ctx, const char *text, const struct ask_usage *usage) {
  struct ask *ask = ctx;
  ask->demo = NULL; /* freed when this returns */
  if (!text || !buffer_append_text(&ask->reply.text, text)) {
    ask_end(ask, OUTCOME_UNAVAILABLE, "out of memory");
    return;
  }
  ask->reply.usage = *usage;
  ask_end(ask, OUTCOME_OK, "");
}

static const struct demo_ops demo_ops = {on_demo_token, on_demo_done};

static bool start_call(struct ask *ask) {
  const struct provider_options *o = &ask->provider->options;
  struct wire_request request;
  if (ask->wire->build(&ask->spec, &request)) return false;
  int64_t left = ask->spec.timeout_ms;
  struct http_call_spec spec = {
      .method = "POST",
      .url = request.url.ptr,
      .headers = (const char *const *)request.headers,
      .body = buffer_bytes(&request.body),
      .connect_timeout_ms = o->connect_timeout_ms < left ? o->connect_timeout_ms : left,
      .total_timeout_ms = left + 1000, /* ours comes first; this one is a safety net */
      .max_body_bytes = o->max_answer_bytes * BODY_BYTES_PER_ANSWER_BYTE + ERROR_BODY_MAX * 4,
      .ops = &call_ops,
      .ctx = ask,
  };
  enum status status = http_call_start(ask->provider->http, &spec, &ask->call, NULL);
  wire_request_done(&request);
  return status == STATUS_OK;
}

static bool start_http(struct ask *ask) {
  const struct provider_options *o = &ask->provider->options;
  ask->wire = wire_of(ask->spec.binding->wire);
  if (!ask->wire || !ask->spec.binding->base_url) return false;
  ask->decoder =
      wire_decoder_create(ask->wire, &ask->reply, o->max_answer_bytes * 2 + ERROR_BODY_MAX);
  if (!ask->decoder || !start_call(ask)) return false;
  ask->idle = loop_timer_start(ask->provider->loop, (uint64_t)o->idle_timeout_ms, on_idle, ask);
  return true;
}

void ask_proceed(struct ask *ask) {
  if (ask->state != ASK_WAITING) return;
  ask->state = ASK_RUNNING;
  ask->content_ms = now_ms(ask);
  if (ask->spec.binding->wire == WIRE_DEMO) {
    ask->demo = demo_start(ask->provider->loop, &ask->spec, ask->provider->options.demo_token_rate,
                           &demo_ops, ask);
    if (!ask->demo) fail_later(ask, "out of memory");
  } else if (!start_http(ask)) {
    fail_later(ask, "the request could not be sent: too many wait, or it is too large");
  }
}

static void on_announce(void *arg) {
  struct ask *ask = arg;
  ask->step = NULL;
  const struct ask_spec *spec = &ask->spec;
  int64_t prompt = (int64_t)(spec->system.len + spec->prefix.len + spec->prompt.len);
  struct ask_attempt attempt = {
      .number = 1,
      .provider = spec->binding->provider,
      .model = spec->binding->model,
      /* A token is never shorter than a byte. */
      .reserved_tokens = prompt + spec->max_output_tokens,
      .reserved_usd_micro = price_of(prompt, spec->max_output_tokens, spec->binding),
  };
  ask->state = ASK_WAITING;
  ask->started_ms = now_ms(ask);
  ask->ops->attempt_start(ask->ctx, &attempt);
}

enum status ask_start(struct provider *provider, const struct ask_spec *spec,
                      const struct ask_ops *ops, void *ctx, struct ask **ret_ask,
                      struct error *err) {
  struct ask *ask = calloc(1, sizeof *ask);
  if (!ask) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  ask->state = ASK_ANNOUNCING;
  ask->provider = provider;
  ask->spec = *spec;
  ask->ops = ops;
  ask->ctx = ctx;
  ask->fed = true;
  ask->started_ms = ask->ttft_ms = ask->retry_after_ms = -1;
  wire_reply_init(&ask->reply, provider->options.max_answer_bytes);
  buffer_init(&ask->error_body, ERROR_BODY_MAX);
  ask->step = loop_timer_start(provider->loop, 0, on_announce, ask);
  ask->total = loop_timer_start(
      provider->loop, (uint64_t)(spec->timeout_ms > 0 ? spec->timeout_ms : 1), on_total, ask);
  *ret_ask = ask;
  return STATUS_OK;
}

void ask_cancel(struct ask *ask) {
  if (ask->state == ASK_ENDING) return; /* within ops.done: it is freed anyway */
  stop(ask);
  ask_free(ask);
}
