#include "fake/catalog.h"

#include "base/json_scan.h"
#include "fake/damage.h"
#include "provider/agents_builtin.h"

#include <inttypes.h>

enum { MODEL_MAX = 256, FAKE_CONTEXT_TOKENS = 2000000 };

static const char fake_model[] = "fake-1";

static bool is_known(struct bytes model) {
  if (bytes_equal(model, bytes_of(fake_model))) return true;
  for (size_t i = 0; i < agents_builtin_count; i++)
    if (bytes_equal(model, bytes_of(agents_builtin[i].model))) return true;
  return false;
}

/* What follows `mark` in the path; len 0 when it is not there. */
static struct bytes after(struct bytes path, const char *mark) {
  const char *p = memmem(path.ptr, path.len, mark, strlen(mark));
  if (!p) return (struct bytes){0};
  p += strlen(mark);
  return (struct bytes){p, (size_t)(path.ptr + path.len - p)};
}

static const struct vendor *vendor_at(const struct inbound *request) {
  struct bytes path = request->path;
  if (after(path, "/v1beta/").len) return &vendor_gemini;
  if (bytes_equal(request->method, BYTES_LITERAL("POST"))) return &vendor_ollama;
  if (after(path, "/api/v1/").len) return &vendor_openrouter;
  return after(path, "/models/").len ? &vendor_anthropic : &vendor_openai;
}

static const struct fault *fault_of(const struct inbound *request, const struct fault *usual) {
  const char *at = request->key.len ? memrchr(request->key.ptr, '@', request->key.len) : NULL;
  if (!at) return usual;
  const char *end = request->key.ptr + request->key.len;
  const struct fault *own = fault_find((struct bytes){at + 1, (size_t)(end - at) - 1});
  return own ? own : usual;
}

static void append_row(struct buffer *out, const char *model, bool gemini, bool first) {
  buffer_printf(out, "%s{\"%s\":\"%s%s\",\"object\":\"model\",\"type\":\"model\"}",
                first ? "" : ",", gemini ? "name" : "id", gemini ? "models/" : "", model);
}

static void answer_list(struct outbound *o, bool gemini) {
  buffer_append_text(&o->body, gemini ? "{\"models\":[" : "{\"object\":\"list\",\"data\":[");
  append_row(&o->body, fake_model, gemini, true);
  for (size_t i = 0; i < agents_builtin_count; i++)
    append_row(&o->body, agents_builtin[i].model, gemini, false);
  buffer_append_text(&o->body, "]}\n");
}

static void answer_unknown(const struct vendor *vendor, struct outbound *o) {
  struct vendor_error error = {.status = 404};
  o->status = 404;
  vendor->error(&error, &o->body);
}

static void answer_model(const struct vendor *vendor, struct bytes model, struct outbound *o) {
  if (!is_known(model)) {
    answer_unknown(vendor, o);
    return;
  }
  buffer_append_text(&o->body, vendor == &vendor_gemini ? "{\"name\":" : "{\"id\":");
  buffer_append_json_string(&o->body, model);
  buffer_printf(&o->body, ",\"%s\":%d}\n",
                vendor == &vendor_gemini ? "inputTokenLimit" : "max_input_tokens",
                FAKE_CONTEXT_TOKENS);
}

static void answer_show(struct bytes body, struct outbound *o) {
  BUFFER_LATER struct buffer model;
  struct json_scan s;
  buffer_init(&model, MODEL_MAX);
  json_scan_begin(&s, body);
  if (json_scan_object(&s))
    while (json_scan_member(&s)) {
      if (json_scan_key_is(&s, "model"))
        json_scan_string(&s, &model);
      else
        json_scan_skip(&s);
    }
  if (!is_known(buffer_bytes(&model)))
    answer_unknown(&vendor_ollama, o);
  else
    buffer_printf(&o->body, "{\"model_info\":{\"fake.context_length\":%d}}\n", FAKE_CONTEXT_TOKENS);
}

/* OpenRouter and DeepSeek tell an empty purse with a 200. */
static bool answer_credit(struct bytes path, bool spent, struct outbound *o) {
  if (bytes_ends_with(path, BYTES_LITERAL("/api/v1/key")))
    buffer_printf(&o->body, "{\"data\":{\"label\":\"fake\",\"limit\":10,\"limit_remaining\":%s}}\n",
                  spent ? "0" : "7.25");
  else if (bytes_ends_with(path, BYTES_LITERAL("/user/balance")))
    buffer_printf(&o->body, "{\"is_available\":%s,\"balance_infos\":[]}\n",
                  spent ? "false" : "true");
  else
    return false;
  return true;
}

static bool answer_get(const struct inbound *request, struct outbound *o) {
  struct bytes path = request->path;
  bool gemini = vendor_at(request) == &vendor_gemini;
  struct bytes model = after(path, "/models/");
  if (bytes_ends_with(path, BYTES_LITERAL("/models")))
    answer_list(o, gemini);
  else if (bytes_ends_with(path, BYTES_LITERAL("/api/tags")))
    buffer_append_text(&o->body,
                       "{\"models\":[{\"name\":\"fake-1:latest\",\"model\":\"fake-1:latest\","
                       "\"size\":1}]}\n");
  else if (model.len)
    answer_model(vendor_at(request), model, o);
  else
    return false;
  return true;
}

bool catalog_answer(const struct inbound *request, const struct fault *usual, struct outbound *o) {
  const struct fault *fault = fault_of(request, usual);
  bool post = bytes_equal(request->method, BYTES_LITERAL("POST"));
  bool show = bytes_ends_with(request->path, BYTES_LITERAL("/api/show"));
  if (post != show) return false;
  o->status = 200;
  o->content_type = "application/json";
  if (!post && answer_credit(request->path, fault->quota, o)) {
    if (fault->quota || fault->kind == FAULT_NONE) return true;
    buffer_clear(&o->body);
  } else if (fault->quota && vendor_at(request) == &vendor_openai) {
    /* A list of models is shown to whoever has a key. */
    return answer_get(request, o);
  }
  if (fault->kind != FAULT_NONE && damage_instead(fault, vendor_at(request), 1, 0, NULL, o))
    return true;
  if (!post) return answer_get(request, o);
  answer_show(request->body, o);
  return true;
}
