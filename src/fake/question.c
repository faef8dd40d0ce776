#include "fake/question.h"

#include "base/json_scan.h"
#include "fake/worded.h"

#include <stdlib.h>

void question_init(struct question *q) {
  *q = (struct question){0};
  buffer_init(&q->model, 1024);
  buffer_init(&q->fault, 64);
  buffer_init(&q->prompt, INBOUND_BODY_MAX);
  buffer_init(&q->system, INBOUND_BODY_MAX);
  buffer_init(&q->kind, 256);
  buffer_init(&q->worded, 64 * 1024);
}

void question_done(struct question *q) {
  buffer_done(&q->model);
  buffer_done(&q->fault);
  buffer_done(&q->prompt);
  buffer_done(&q->system);
  buffer_done(&q->kind);
  buffer_done(&q->worded);
}

static void clear(struct question *q) {
  enum { KEPT_BYTES = 1024 * 1024 };
  struct buffer *all[] = {&q->model, &q->fault, &q->prompt, &q->system, &q->kind, &q->worded};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    if (all[i]->cap > KEPT_BYTES) buffer_done(all[i]); /* one huge request is not the rule */
    buffer_clear(all[i]);
  }
  q->stream = q->wants_usage = q->listed = false;
  q->schema = (struct bytes){0};
}

/* ---- paths ---- */

int question_format_of(struct bytes path) {
  if (bytes_ends_with(path, BYTES_LITERAL("/messages"))) return QUESTION_ANTHROPIC;
  if (bytes_ends_with(path, BYTES_LITERAL("/api/v1/chat/completions"))) return QUESTION_OPENROUTER;
  if (bytes_ends_with(path, BYTES_LITERAL("/chat/completions"))) return QUESTION_OPENAI;
  if (bytes_ends_with(path, BYTES_LITERAL(":streamGenerateContent")) ||
      bytes_ends_with(path, BYTES_LITERAL(":generateContent")))
    return QUESTION_GEMINI;
  return bytes_ends_with(path, BYTES_LITERAL("/api/chat")) ? QUESTION_OLLAMA : -1;
}

const char *question_format_name(enum question_format format) {
  static const char *const names[] = {"anthropic", "openai", "openrouter", "gemini", "ollama"};
  return names[format];
}

/* ".../models/{model}:method", the model possibly percent-encoded. */
static void read_path_model(struct question *q, struct bytes path) {
  const char *colon = memrchr(path.ptr, ':', path.len);
  const char *slash = memrchr(path.ptr, '/', (size_t)(colon - path.ptr));
  for (const char *p = slash + 1; p < colon; p++) {
    int high = *p == '%' && colon - p > 2 ? bytes_hex_value(p[1]) : -1;
    int low = high >= 0 ? bytes_hex_value(p[2]) : -1;
    if (low > 0 || (low == 0 && high > 0))
      p += 2;
    else
      low = -1;
    buffer_append_char(&q->model, low < 0 ? *p : (char)(high << 4 | low));
  }
}

/* ---- the words ---- */

static void append_text(struct json_scan *s, struct buffer *out) {
  if (out->len && out->ptr[out->len - 1] != '\n') buffer_append_char(out, '\n');
  json_scan_string(s, out);
}

/* A text; a list of texts or of {text}; {text}; {parts}; {content}: whatever holds words. */
static void append_words(struct json_scan *s, struct buffer *out) {
  switch (json_scan_peek(s)) {
    case JSON_SCAN_STRING: append_text(s, out); return;
    case JSON_SCAN_ARRAY:
      json_scan_array(s);
      while (json_scan_item(s)) append_words(s, out); /* depth is capped by the scanner */
      return;
    case JSON_SCAN_OBJECT:
      json_scan_object(s);
      while (json_scan_member(s)) {
        if (json_scan_key_is(s, "text") || json_scan_key_is(s, "content") ||
            json_scan_key_is(s, "parts"))
          append_words(s, out);
        else
          json_scan_skip(s);
      }
      return;
    default: json_scan_skip(s);
  }
}

/* ---- what else a body says ---- */

static void take_object(struct json_scan *s, struct bytes *schema) {
  struct bytes raw;
  bool object = json_scan_peek(s) == JSON_SCAN_OBJECT;
  if (json_scan_raw(s, &raw) && object) *schema = raw;
}

static void read_json_schema(struct json_scan *s, struct question *q) {
  if (!json_scan_object(s)) return;
  while (json_scan_member(s)) {
    if (json_scan_key_is(s, "name"))
      json_scan_string(s, &q->kind);
    else if (json_scan_key_is(s, "schema"))
      take_object(s, &q->schema);
    else
      json_scan_skip(s);
  }
}

/* response_format {json_schema {name, schema}}, format {schema}: one function for both. */
static void read_format(struct json_scan *s, struct question *q) {
  if (!json_scan_object(s)) return;
  while (json_scan_member(s)) {
    if (json_scan_key_is(s, "json_schema"))
      read_json_schema(s, q);
    else if (json_scan_key_is(s, "schema"))
      take_object(s, &q->schema);
    else
      json_scan_skip(s);
  }
}

static void read_output_config(struct json_scan *s, struct question *q) {
  if (!json_scan_object(s)) return;
  while (json_scan_member(s)) {
    if (json_scan_key_is(s, "format"))
      read_format(s, q);
    else
      json_scan_skip(s);
  }
}

static void read_generation_config(struct json_scan *s, struct question *q) {
  if (!json_scan_object(s)) return;
  while (json_scan_member(s)) {
    if (json_scan_key_is(s, "responseSchema") || json_scan_key_is(s, "responseJsonSchema"))
      take_object(s, &q->schema);
    else
      json_scan_skip(s);
  }
}

static void read_stream_options(struct json_scan *s, struct question *q) {
  if (!json_scan_object(s)) return;
  while (json_scan_member(s)) {
    if (json_scan_key_is(s, "include_usage"))
      json_scan_bool(s, &q->wants_usage);
    else
      json_scan_skip(s);
  }
}

static void read_member(struct json_scan *s, struct question *q) {
  bool gemini = q->format == QUESTION_GEMINI;
  if (json_scan_key_is(s, "model") && !gemini)
    json_scan_string(s, &q->model);
  else if (json_scan_key_is(s, "stream") && !gemini)
    json_scan_bool(s, &q->stream);
  else if (json_scan_key_is(s, "system") || json_scan_key_is(s, "systemInstruction"))
    append_words(s, &q->system);
  else if (json_scan_key_is(s, "messages") || json_scan_key_is(s, "contents"))
    append_words(s, &q->prompt);
  else if (json_scan_key_is(s, "response_format"))
    read_format(s, q);
  else if (json_scan_key_is(s, "output_config"))
    read_output_config(s, q);
  else if (json_scan_key_is(s, "generationConfig"))
    read_generation_config(s, q);
  else if (json_scan_key_is(s, "format"))
    take_object(s, &q->schema);
  else if (json_scan_key_is(s, "stream_options"))
    read_stream_options(s, q);
  else
    json_scan_skip(s);
}

/* ---- what follows from it ---- */

static void split_model(struct question *q) {
  const char *at = q->model.len ? memrchr(q->model.ptr, '@', q->model.len) : NULL;
  if (!at) return;
  size_t n = (size_t)(at - q->model.ptr);
  buffer_append(&q->fault, at + 1, q->model.len - n - 1);
  q->model.len = n;
  q->model.ptr[n] = '\0';
}

/* Words of the system first, wherever the body has them. */
static void join_system(struct question *q) {
  if (!q->system.len) return;
  if (q->system.ptr[q->system.len - 1] != '\n') buffer_append_char(&q->system, '\n');
  buffer_append_bytes(&q->system, buffer_bytes(&q->prompt));
  struct buffer swap = q->system;
  q->system = q->prompt;
  q->prompt = swap;
}

static void recognise_kind(struct question *q) {
  static const char *const marks[][2] = {{"ranking", "ballot"},
                                         {"scores", "judgment"},
                                         {"responses", "revision"},
                                         {"items", "critique"},
                                         {"answer", "proposal"}};
  struct json_scan s;
  size_t best = sizeof marks / sizeof *marks;
  json_scan_begin(&s, q->schema);
  if (json_scan_object(&s))
    while (json_scan_member(&s)) {
      if (!json_scan_key_is(&s, "properties") || json_scan_peek(&s) != JSON_SCAN_OBJECT) {
        json_scan_skip(&s);
        continue;
      }
      json_scan_object(&s);
      while (json_scan_member(&s)) {
        for (size_t i = 0; i < best; i++)
          if (json_scan_key_is(&s, marks[i][0])) best = i;
        json_scan_skip(&s);
      }
    }
  if (best < sizeof marks / sizeof *marks) buffer_append_text(&q->kind, marks[best][1]);
}

/* Eight bytes a step: every prompt is counted. A byte is part of a word when it is above the space;
 * a word begins where the byte before is not. */
size_t question_count_words(struct bytes text) {
  const uint64_t ones = UINT64_C(0x0101010101010101);
  const uint64_t tops = UINT64_C(0x8080808080808080);
  uint64_t before = 0; /* top bit of the lowest byte: the byte before the next eight was a word's */
  size_t words = 0;
  for (size_t i = 0; i < text.len; i += 8) {
    uint64_t w = 0; /* zeros count as blanks */
    memcpy(&w, text.ptr + i, text.len - i < 8 ? text.len - i : 8);
    uint64_t in_word = (((w & ~tops) + ones * (0x7f - ' ')) | w) & tops;
    words += (size_t)__builtin_popcountll(in_word & ~(in_word << 8 | before));
    before = in_word >> 56;
  }
  return words;
}

enum status question_read(struct question *q, enum question_format format,
                          const struct inbound *request, struct error *err) {
  struct json_scan s;
  clear(q);
  q->format = format;
  if (format == QUESTION_OLLAMA) q->stream = true; /* its default */
  if (format == QUESTION_GEMINI) {
    read_path_model(q, request->path);
    q->stream = bytes_ends_with(request->path, BYTES_LITERAL(":streamGenerateContent"));
    q->listed = q->stream && !(request->query.len &&
                               memmem(request->query.ptr, request->query.len, "alt=sse", 7));
  }
  json_scan_begin(&s, request->body);
  if (json_scan_peek(&s) != JSON_SCAN_OBJECT)
    return error_set(err, STATUS_INVALID, NULL, "the body is not a JSON object");
  json_scan_object(&s);
  while (json_scan_member(&s)) read_member(&s, q);
  if (!json_scan_end(&s)) return error_set(err, STATUS_INVALID, NULL, "the body is not valid JSON");
  if (!q->model.len) return error_set(err, STATUS_INVALID, "model", "model: field required");
  split_model(q);
  join_system(q);
  if (!q->prompt.len) return error_set(err, STATUS_INVALID, "messages", "no message has any text");
  if (!q->schema.len && worded_schema(buffer_bytes(&q->prompt), &q->worded))
    q->schema = buffer_bytes(&q->worded);
  if (q->schema.len && !q->kind.len) recognise_kind(q);
  if (q->model.overflow || q->prompt.overflow || q->system.overflow || q->worded.overflow)
    return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  q->input_words = question_count_words(buffer_bytes(&q->prompt));
  return STATUS_OK;
}
