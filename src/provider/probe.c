#include "provider/probe.h"

#include "io/http_client.h"
#include "io/libcurl.h"
#include "provider/probe_body.h"
#include "provider/wire_parts.h"

#include <stdio.h>
#include <stdlib.h>

enum {
  BODY_MAX = 8 << 20, /* OpenRouter lists some hundreds of models with a page of text each */
  ERROR_BODY_MAX = 64 * 1024, /* kept of an error's, as by attempt.c: it is parsed in one go */
  CALLS_PER_HOST = 4,
  STEPS_MAX = 2,
};

enum question { ASK_MODEL, ASK_LIST, ASK_KEY, ASK_BALANCE };

static const char *const question_names[] = {[ASK_MODEL] = "GET /models/{id}",
                                             [ASK_LIST] = "GET /models",
                                             [ASK_KEY] = "GET /key, GET /models",
                                             [ASK_BALANCE] = "GET /models, GET /user/balance"};

struct checking { /* one agent */
  struct probe *probe;
  const struct agent_binding *binding;
  enum question questions[STEPS_MAX];
  int question_count, at;
  struct http_call *call; /* NULL between and after its requests */
  struct buffer body;
  int status_code;
  int64_t started_ms;
  bool over;
};

struct probe {
  struct loop *loop;
  struct http_client *http;
  struct probe_limits limits;
  struct checking *checking;
  struct probe_result *results;
  size_t count, open;
  struct loop_task end; /* tells the owner, when no call is on the stack */
  probe_done_fn *done;
  void *ctx;
};

const char *probe_verdict_name(enum probe_verdict verdict) {
  static const char *const names[] = {[PROBE_NOT_CHECKED] = "not_checked",
                                      [PROBE_OK] = "ok",
                                      [PROBE_NO_KEY] = "no_key",
                                      [PROBE_KEY_REFUSED] = "key_refused",
                                      [PROBE_MODEL_UNKNOWN] = "model_unknown",
                                      [PROBE_NO_CREDIT] = "no_credit",
                                      [PROBE_CONTEXT_TOO_SMALL] = "context_too_small",
                                      [PROBE_UNREACHABLE] = "unreachable"};
  return names[verdict];
}

static void probe_free(struct probe *p) {
  for (size_t i = 0; p->checking && i < p->count; i++) buffer_done(&p->checking[i].body);
  loop_defer_cancel(p->loop, &p->end);
  http_client_destroy(p->http);
  free(p->checking);
  free(p->results);
  free(p);
}

void probe_cancel(struct probe *p) {
  if (!p) return;
  for (size_t i = 0; i < p->count; i++)
    if (p->checking[i].call) http_call_cancel(p->checking[i].call);
  probe_free(p);
}

/* ---- results ---- */

static struct probe_result *result_of(const struct checking *c) {
  return &c->probe->results[c - c->probe->checking];
}

static void on_end(void *arg) {
  struct probe *p = arg;
  p->done(p->ctx, p->results, p->count);
  probe_free(p);
}

/* `detail` may be NULL; it has been scrubbed when it is the vendor's. */
static void finish(struct checking *c, enum probe_verdict verdict, const char *detail) {
  struct probe_result *r = result_of(c);
  struct probe *p = c->probe;
  if (c->over) return;
  c->over = true;
  r->verdict = verdict;
  snprintf(r->detail, sizeof r->detail, "%s", detail ? detail : "");
  buffer_done(&c->body);
  if (c->question_count) r->latency_ms = (int64_t)loop_now_ms(p->loop) - c->started_ms;
  if (--p->open == 0) loop_defer(p->loop, &p->end, on_end, p);
}

static void finish_ok(struct checking *c) {
  char detail[160];
  int64_t has = result_of(c)->context_tokens, wanted = c->binding->context_tokens;
  if (has < 0 || has >= wanted) {
    finish(c, PROBE_OK, NULL);
    return;
  }
  snprintf(detail, sizeof detail,
           "the model takes %lld tokens, the table of agents says %lld (context_tokens)",
           (long long)has, (long long)wanted);
  finish(c, PROBE_CONTEXT_TOO_SMALL, detail);
}

/* Key or model, where the error refuses either. */
static enum probe_verdict refusal_of(const struct checking *c, enum outcome outcome,
                                     const char *words) {
  bool asked_model = c->questions[c->at] == ASK_MODEL;
  if (!probe_error_is_vendors(c->status_code, buffer_bytes(&c->body))) return PROBE_NOT_CHECKED;
  if (outcome == OUTCOME_AUTH && !probe_words_lack_scope(words)) return PROBE_KEY_REFUSED;
  if (c->status_code == 404 && asked_model && probe_words_name_model(words))
    return PROBE_MODEL_UNKNOWN;
  return PROBE_NOT_CHECKED;
}

/* What an error says about the agent. Only a plain refusal is held against key or model: a vendor
 * that is overloaded or busy has not said that either is wrong. */
static void finish_error(struct checking *c) {
  FREE_LATER char *detail = NULL;
  enum outcome outcome =
      wire_classify_error(c->status_code, buffer_bytes(&c->body), c->binding->key, &detail);
  enum probe_verdict verdict = refusal_of(c, outcome, detail ? detail : "");
  if (outcome == OUTCOME_QUOTA) verdict = PROBE_NO_CREDIT;
  if (outcome == OUTCOME_OVERLOADED || outcome == OUTCOME_UNAVAILABLE) verdict = PROBE_UNREACHABLE;
  result_of(c)->refused = verdict == PROBE_KEY_REFUSED || verdict == PROBE_MODEL_UNKNOWN;
  finish(c, verdict, detail);
}

static void ask(struct checking *c);

static void next(struct checking *c) {
  if (++c->at < c->question_count)
    ask(c);
  else
    finish_ok(c);
}

/* A 200 answer. */
static void read_answer(struct checking *c) {
  struct bytes body = buffer_bytes(&c->body);
  struct probe_result *r = result_of(c);
  bool found = true, spent = false, readable = false;
  switch (c->questions[c->at]) {
    case ASK_MODEL: readable = probe_body_model(body, &r->context_tokens); break;
    case ASK_LIST:
      readable = probe_body_list(body, c->binding->model, &found, &r->context_tokens);
      break;
    case ASK_KEY: readable = probe_body_key(body, &spent); break;
    case ASK_BALANCE: readable = probe_body_balance(body, &spent); break;
  }
  if (!readable)
    finish(c, PROBE_NOT_CHECKED, "the answer is not of the form that was expected");
  else if (!found)
    finish(c, PROBE_MODEL_UNKNOWN, "the model is not in the provider's list");
  else if (spent)
    finish(c, PROBE_NO_CREDIT, "nothing is left of the key's credit");
  else
    next(c);
}

/* ---- requests ---- */

static void on_head(void *ctx, struct http_call *call, int status_code) {
  struct checking *c = ctx;
  (void)call;
  c->status_code = status_code;
}

static bool on_data(void *ctx, struct bytes piece) {
  struct checking *c = ctx;
  if (c->status_code / 100 != 2) {
    size_t room = ERROR_BODY_MAX - c->body.len;
    buffer_append(&c->body, piece.ptr, piece.len < room ? piece.len : room);
    return true;
  }
  return buffer_append_bytes(&c->body, piece);
}

static void on_done(void *ctx, struct http_call *call, enum http_call_end end, const char *detail) {
  struct checking *c = ctx;
  (void)call;
  c->call = NULL;
  if (end == HTTP_CALL_TOO_LARGE || end == HTTP_CALL_STOPPED)
    finish(c, PROBE_NOT_CHECKED, "the answer is too long");
  else if (end != HTTP_CALL_COMPLETE)
    finish(c, PROBE_UNREACHABLE, detail);
  else if (c->status_code / 100 == 2)
    read_answer(c);
  else
    finish_error(c);
}

static const struct http_call_ops call_ops = {on_head, on_data, NULL, on_done};

/* As in the requests for a text (wire_anthropic.c, wire_gemini.c). */
static const char *version_of(const struct agent_binding *b) {
  if (strstr(b->base_url, "/v1")) return "";
  return b->wire == WIRE_GEMINI ? "/v1beta" : b->wire == WIRE_ANTHROPIC ? "/v1" : "";
}

static void append_url(struct buffer *url, const struct checking *c) {
  const struct agent_binding *b = c->binding;
  buffer_append_text(url, b->base_url);
  switch (c->questions[c->at]) {
    case ASK_MODEL:
      if (b->wire == WIRE_OLLAMA)
        buffer_append_text(url, "/api/show");
      else
        buffer_printf(url, "%s/models/%s", version_of(b), b->model);
      break;
    case ASK_LIST: buffer_append_text(url, "/models"); break;
    case ASK_KEY: buffer_append_text(url, "/key"); break;
    case ASK_BALANCE: buffer_append_text(url, "/user/balance"); break;
  }
}

static bool append_headers(struct wire_request *r, const struct agent_binding *b) {
  const char *key = b->key ? b->key : "";
  if (!wire_request_header(r, "accept: application/json")) return false;
  switch (b->wire) {
    case WIRE_ANTHROPIC:
      return wire_request_header(r, "x-api-key: %s", key) &&
             wire_request_header(r, "anthropic-version: 2023-06-01");
    case WIRE_GEMINI: return wire_request_header(r, "x-goog-api-key: %s", key);
    case WIRE_OLLAMA: return wire_request_header(r, "content-type: application/json");
    default: return !*key || wire_request_header(r, "authorization: Bearer %s", key);
  }
}

static enum status make_request(const struct checking *c, struct wire_request *ret_request) {
  struct wire_request r;
  wire_request_init(&r);
  append_url(&r.url, c);
  bool ok = append_headers(&r, c->binding);
  if (c->binding->wire == WIRE_OLLAMA) {
    buffer_append_text(&r.body, "{\"model\":");
    buffer_append_json_string(&r.body, bytes_of(c->binding->model));
    buffer_append_char(&r.body, '}');
  }
  enum status s = wire_request_check(&r, ok);
  if (s)
    wire_request_done(&r);
  else
    *ret_request = r;
  return s;
}

static void ask(struct checking *c) {
  struct probe *p = c->probe;
  struct wire_request request;
  struct error err = {0};
  buffer_clear(&c->body);
  c->status_code = 0;
  enum status s = make_request(c, &request);
  if (!s) {
    struct http_call_spec spec = {.method = c->binding->wire == WIRE_OLLAMA ? "POST" : "GET",
                                  .url = request.url.ptr,
                                  .headers = (const char *const *)request.headers,
                                  .body = buffer_bytes(&request.body),
                                  .connect_timeout_ms = p->limits.connect_timeout_ms,
                                  .total_timeout_ms = p->limits.total_timeout_ms,
                                  .max_body_bytes = BODY_MAX,
                                  .ops = &call_ops,
                                  .ctx = c};
    s = http_call_start(p->http, &spec, &c->call, &err);
    wire_request_done(&request);
  }
  if (s) finish(c, PROBE_NOT_CHECKED, "the request could not be made");
}

/* ---- the plan ---- */

static void plan(struct checking *c) {
  const struct agent_binding *b = c->binding;
  bool family = b->wire == WIRE_OPENAI;
  if (!family) {
    c->questions[c->question_count++] = ASK_MODEL;
    return;
  }
  /* OpenRouter's list is open to all: only /key says whether the key is good. */
  if (strcmp(b->provider, "openrouter") == 0) c->questions[c->question_count++] = ASK_KEY;
  c->questions[c->question_count++] = ASK_LIST;
  if (strcmp(b->provider, "deepseek") == 0) c->questions[c->question_count++] = ASK_BALANCE;
}

static const char *how_of(const struct checking *c) {
  if (c->binding->wire == WIRE_OLLAMA) return "POST /api/show";
  for (int i = 0; i < c->question_count; i++)
    if (c->questions[i] == ASK_KEY || c->questions[i] == ASK_BALANCE)
      return question_names[c->questions[i]];
  return question_names[c->questions[0]];
}

static void begin(struct checking *c) {
  const struct agent_binding *b = c->binding;
  char detail[160];
  c->started_ms = (int64_t)loop_now_ms(c->probe->loop);
  if (b->wire == WIRE_DEMO) {
    finish(c, PROBE_OK, "built in");
  } else if (!b->available && b->key_variable) {
    snprintf(detail, sizeof detail, "%s is not set", b->key_variable);
    finish(c, PROBE_NO_KEY, detail);
  } else if (!b->available || !b->base_url) {
    finish(c, PROBE_NOT_CHECKED, "its server is not configured");
  } else {
    plan(c);
    result_of(c)->how = how_of(c);
    ask(c);
  }
}

enum status probe_start(struct loop *loop, const struct probe_limits *limits,
                        const struct agent_binding *const *agents, size_t count,
                        probe_done_fn *done, void *ctx, struct probe **ret_probe,
                        struct error *err) {
  struct probe *p = calloc(1, sizeof *p);
  if (!p) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  *p = (struct probe){
      .loop = loop, .limits = *limits, .count = count, .open = count + 1, .done = done, .ctx = ctx};
  p->checking = calloc(count + 1, sizeof *p->checking);
  p->results = calloc(count + 1, sizeof *p->results);
  struct http_client_limits http = {CALLS_PER_HOST, count + 1};
  enum status s = STATUS_NOMEM;
  if (!p->checking || !p->results)
    error_set(err, STATUS_NOMEM, NULL, "out of memory");
  else
    s = libcurl_load(err);
  if (!s) s = http_client_create(loop, http, &p->http, err);
  if (!p->checking || !p->results || s) {
    probe_free(p);
    return s;
  }
  for (size_t i = 0; i < count; i++) {
    p->checking[i] = (struct checking){.probe = p, .binding = agents[i]};
    p->results[i] = (struct probe_result){.how = "", .latency_ms = -1, .context_tokens = -1};
    buffer_init(&p->checking[i].body, BODY_MAX);
  }
  for (size_t i = 0; i < count; i++) begin(&p->checking[i]);
  if (--p->open == 0) loop_defer(loop, &p->end, on_end, p);
  *ret_probe = p;
  return STATUS_OK;
}
