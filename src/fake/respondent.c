#include "fake/respondent.h"

#include "base/clock.h"
#include "base/json_scan.h"
#include "fake/catalog.h"
#include "fake/damage.h"
#include "fake/persona.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct respondent {
  struct fake_options options;
  struct script *script;
  struct personas personas;
  struct question question;
  struct buffer scratch;
  struct buffer words; /* of an error that repeats the key */
  struct tally tally;
  uint64_t last_number; /* of an answer of a model */
};

enum status respondent_create(const struct fake_options *options,
                              struct respondent **ret_respondent, struct error *err) {
  struct respondent *r = calloc(1, sizeof *r);
  if (!r) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  r->options = *options;
  r->personas.seed = options->seed;
  question_init(&r->question);
  buffer_init(&r->scratch, OUTBOUND_BODY_MAX);
  buffer_init(&r->words, 2 * INBOUND_HEAD_MAX);
  *ret_respondent = r;
  return STATUS_OK;
}

void respondent_destroy(struct respondent *r) {
  if (!r) return;
  script_destroy(r->script);
  question_done(&r->question);
  buffer_done(&r->scratch);
  buffer_done(&r->words);
  free(r);
}

void respondent_set_script(struct respondent *r, struct script *script) {
  script_destroy(r->script);
  r->script = script;
}

struct tally *respondent_tally(struct respondent *r) {
  return &r->tally;
}

/* ---- what is not a question to a model ---- */

static void answer_json(struct outbound *o, int status, const char *body) {
  o->status = status;
  o->content_type = "application/json";
  buffer_append_text(&o->body, body);
}

static void answer_message(struct outbound *o, int status, const char *message) {
  answer_json(o, status, "{\"error\":{\"type\":\"invalid_request_error\",\"message\":");
  buffer_append_json_string(&o->body, bytes_of(message));
  buffer_append_text(&o->body, "}}\n");
}

static void answer_get(struct respondent *r, const struct inbound *request, struct outbound *o) {
  if (bytes_equal(request->path, BYTES_LITERAL("/_fake/stats"))) {
    answer_json(o, 200, "");
    tally_append_json(&r->tally, script_rule_count(r->script), &o->body);
  } else if (!catalog_answer(request, r->options.fault, o)) {
    answer_message(o, 404, "no such path");
  }
}

static void take_script(struct respondent *r, struct bytes text, struct outbound *o) {
  struct script *script;
  struct error err;
  if (script_parse(text, &script, &err)) {
    answer_message(o, 400, err.message);
    return;
  }
  respondent_set_script(r, script);
  answer_json(o, 200, "");
  buffer_printf(&o->body, "{\"rules\":%d}\n", script_rule_count(script));
}

/* ---- questions ---- */

struct call { /* one answer in the making */
  struct respondent *r;
  const struct vendor *vendor;
  const struct fault *fault;
  const struct script_rule *rule; /* or NULL */
  const char *words;              /* of an error; NULL = the vendor's usual ones */
  struct outbound *o;
  uint64_t number;
  int64_t wall_s;
  bool waited; /* its latency is over */
};

static bool choose_fault(struct call *c, const struct inbound *request) {
  const struct question *q = &c->r->question;
  struct bytes name = request->fault.len ? request->fault : buffer_bytes(&q->fault);
  c->rule = script_find(c->r->script, request->path, q);
  c->fault = c->rule && c->rule->fault ? c->rule->fault : c->r->options.fault;
  if (name.len) c->fault = fault_find(name);
  return c->fault != NULL;
}

static void choose_times(struct call *c) {
  const struct fake_options *options = &c->r->options;
  bool own_latency = c->rule && c->rule->latency_ms >= 0;
  bool own_rate = c->rule && c->rule->token_rate >= 0;
  c->o->latency_ms = own_latency ? (uint64_t)c->rule->latency_ms : options->latency_ms;
  if (c->waited)
    c->o->latency_ms -=
        options->latency_ms < c->o->latency_ms ? options->latency_ms : c->o->latency_ms;
  c->o->record_rate = own_rate ? c->rule->token_rate : options->token_rate;
  c->o->write_max = options->write_bytes;
}

/* A free request gets the answer alone, as text. */
static char *answer_alone(char *reply) {
  struct buffer text;
  struct json_scan s;
  buffer_init(&text, OUTBOUND_BODY_MAX);
  json_scan_begin(&s, bytes_of(reply));
  if (json_scan_object(&s))
    while (json_scan_member(&s)) {
      if (json_scan_key_is(&s, "answer"))
        json_scan_string(&s, &text);
      else
        json_scan_skip(&s);
    }
  free(reply);
  return buffer_steal(&text);
}

static enum status make_text(struct call *c, char **ret_text) {
  const struct bytes free_schema =
      BYTES_LITERAL("{\"type\":\"object\",\"properties\":{\"answer\":{\"type\":\"string\"}}}");
  const struct question *q = &c->r->question;
  struct bytes prompt = buffer_bytes(&q->prompt);
  struct scripted_options options = {
      .persona = personas_deal(&c->r->personas, buffer_bytes(&q->model), prompt),
      .words = c->r->options.words,
      .severity_ppm = c->r->options.severity_ppm,
      .change = c->r->options.change,
  };
  enum status s =
      scripted_reply_make(q->kind.len ? q->kind.ptr : NULL, q->schema.len ? q->schema : free_schema,
                          prompt, &options, ret_text);
  if (s) return s;
  /* Ballots and critiques have no answer to come back to. */
  if (bytes_equal(buffer_bytes(&q->kind), BYTES_LITERAL("proposal")) ||
      bytes_equal(buffer_bytes(&q->kind), BYTES_LITERAL("revision")))
    personas_remember(&c->r->personas, bytes_of(*ret_text), options.persona);
  if (!q->schema.len) *ret_text = answer_alone(*ret_text);
  return *ret_text ? STATUS_OK : STATUS_NOMEM;
}

/* "data: X", blank line, ... becomes [X,X]: Gemini without alt=sse. */
static void list_records(struct outbound *o) {
  struct buffer list;
  buffer_init(&list, o->body.max);
  buffer_append_char(&list, '[');
  for (size_t at = 0; at < o->body.len;) {
    size_t end = outbound_record_end(o, at);
    if (at) buffer_append_text(&list, ",\r\n");
    if (end - at > 8) buffer_append(&list, o->body.ptr + at + 6, end - at - 8);
    at = end;
  }
  buffer_append_char(&list, ']');
  if (list.overflow) o->body.overflow = true;
  struct buffer swap = o->body;
  o->body = list;
  o->body.overflow |= swap.overflow;
  buffer_done(&swap);
}

/* The text as the vendor words it, then what the fault does to that. */
static void word_answer(struct call *c, struct bytes text) {
  const struct question *q = &c->r->question;
  struct outbound *o = c->o;
  text = damage_text(c->fault, text, &c->r->scratch);
  struct vendor_reply reply = {
      .question = q,
      .text = text,
      .output_tokens = (int64_t)question_count_words(text),
      .number = c->number,
      .wall_s = c->wall_s,
      .fault = c->fault->kind,
  };
  if (c->fault->kind == FAULT_THINKING_FIRST) reply.output_tokens += VENDOR_THOUGHT_TOKENS;
  o->lines = c->vendor->lines;
  o->chunked = q->stream;
  o->content_type = q->stream && !q->listed ? c->vendor->stream_type : "application/json";
  if (q->stream)
    c->vendor->stream(&reply, &o->body);
  else
    c->vendor->whole(&reply, &o->body);
  if (q->listed) list_records(o);
  if (!q->stream && o->record_rate > 0) /* nothing to see until all of it is thought */
    o->latency_ms += (uint64_t)(reply.output_tokens * 1000 / o->record_rate);
  if (q->listed) o->record_rate = 0;
  damage_answer(c->fault, c->vendor, q->stream && !q->listed, c->number, c->words, o);
}

static void answer_fault(struct call *c, int status, const char *message) {
  struct vendor_error e = {.status = status, .text = message, .number = c->number};
  outbound_clear(c->o);
  c->o->status = status;
  c->o->content_type = "application/json";
  c->vendor->error(&e, &c->o->body);
}

static void put_id(struct call *c) {
  if (!c->vendor->id_header) return;
  buffer_append_text(&c->o->headers, c->vendor->id_header);
  buffer_append_int(&c->o->headers, (int64_t)c->number);
  buffer_append_text(&c->o->headers, "\r\n");
}

/* As OpenAI does with a wrong key, but for its stars; and in every header that a client may keep.
 */
static void echo_key(struct call *c, struct bytes key) {
  struct outbound *o = c->o;
  struct buffer *words = &c->r->words;
  buffer_clear(words);
  buffer_printf(words, "Incorrect API key provided: %.*s. Find yours in the console.", (int)key.len,
                key.ptr);
  c->words = words->ptr;
  buffer_printf(&o->headers,
                "request-id: req_%.*s\r\nx-request-id: req_%.*s\r\nx-api-key: %.*s\r\n",
                (int)key.len, key.ptr, (int)key.len, key.ptr, (int)key.len, key.ptr);
}

static void answer_question(struct call *c, const struct inbound *request) {
  char *text = NULL;
  if (!choose_fault(c, request)) {
    c->fault = fault_none;
    answer_fault(c, 400, "fake-provider: no such fault");
    return;
  }
  choose_times(c);
  if (c->rule && c->rule->echo_key)
    echo_key(c, request->key);
  else
    put_id(c);
  if (damage_instead(c->fault, c->vendor, c->number, c->wall_s, c->words, c->o)) return;
  if (c->rule && c->rule->reply) {
    word_answer(c, bytes_of(c->rule->reply));
  } else {
    enum status s = make_text(c, &text);
    if (s)
      answer_fault(c, s == STATUS_INVALID ? 400 : 500, "fake-provider: the schema is of no use");
    else
      word_answer(c, bytes_of(text));
  }
  free(text);
  if (outbound_failed(c->o)) answer_fault(c, 500, "fake-provider: the answer is too large");
}

static void report(const struct call *c, const struct inbound *request) {
  const struct question *q = &c->r->question;
  if (c->r->options.quiet) return;
  fprintf(stderr, "%d %.*s %s %s %s\n", c->o->status, (int)request->path.len, request->path.ptr,
          q->model.len ? q->model.ptr : "-", q->kind.len ? q->kind.ptr : "-", c->fault->name);
}

static void answer_model(struct respondent *r, enum question_format format,
                         const struct inbound *request, bool waited, struct outbound *o) {
  struct error err;
  struct call c = {
      .r = r,
      .vendor = vendor_of(format),
      .fault = fault_none,
      .o = o,
      .number = ++r->last_number,
      .wall_s = clock_wall_ms(&clock_system) / 1000,
      .waited = waited,
  };
  if (question_read(&r->question, format, request, &err))
    answer_fault(&c, 400, err.message);
  else
    answer_question(&c, request);
  tally_answer(&r->tally, format, o->silent ? 0 : o->status, c.fault);
  report(&c, request);
}

static bool is_post(const struct inbound *request) {
  return bytes_equal(request->method, BYTES_LITERAL("POST"));
}

/* Looking at the counts does not change them. */
static bool is_looking(const struct inbound *request) {
  return request->path.len >= 7 && memcmp(request->path.ptr, "/_fake/", 7) == 0;
}

uint64_t respondent_wait_ms(const struct respondent *r, const struct inbound *request) {
  bool waits =
      !script_rule_count(r->script) && is_post(request) && question_format_of(request->path) >= 0;
  return waits ? r->options.latency_ms : 0;
}

void respondent_answer(struct respondent *r, const struct inbound *request, bool waited,
                       struct outbound *o) {
  bool post = is_post(request);
  bool get = bytes_equal(request->method, BYTES_LITERAL("GET"));
  int format = question_format_of(request->path);
  r->tally.requests += !waited && !is_looking(request);
  if (format >= 0 && post) {
    answer_model(r, (enum question_format)format, request, waited, o);
    return;
  }
  if (post && bytes_equal(request->path, BYTES_LITERAL("/_fake/script")))
    take_script(r, request->body, o);
  else if (get)
    answer_get(r, request, o);
  else if (post && catalog_answer(request, r->options.fault, o))
    ; /* Ollama's question about a model */
  else
    answer_message(o, post ? 404 : 405, post ? "no such path" : "method not allowed");
  if (!is_looking(request)) tally_answer(&r->tally, -1, o->status, fault_none);
}

void respondent_refuse(struct respondent *r, int status, struct outbound *o) {
  r->tally.bad_requests++;
  answer_message(o, status, "fake-provider: this is not an HTTP/1.1 request that it understands");
}
