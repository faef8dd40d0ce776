/* What the fake provider says in each of the four wire formats: exact bytes where they are stable,
 * the client's own decoders, and the schema that was asked for. */
#include "fixture.h"

#include "base/json.h"
#include "debate/prompt.h"
#include "debate/scrub.h"
#include "provider/wire.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#define HELLO_SCRIPT "{\"rules\":[{\"reply\":\"Hello, w\\u00f6rld\"}]}"

static const char *const paths[] = {
    [WIRE_ANTHROPIC] = "/v1/messages",
    [WIRE_OPENAI] = "/v1/chat/completions",
    [WIRE_GEMINI] = "/v1beta/models/m:streamGenerateContent?alt=sse",
    [WIRE_OLLAMA] = "/api/chat",
};
static const enum wire_format formats[] = {WIRE_ANTHROPIC, WIRE_OPENAI, WIRE_GEMINI, WIRE_OLLAMA};

static void start(void) {
  fixture_start(&FAKE_OPTIONS_DEFAULT);
}

static void check_ask(const char *path, const char *body, const char *expected_head,
                      const char *expected_body) {
  struct response r = fixture_ask(path, "", body);
  assert_string_equal(r.head.ptr, expected_head);
  assert_string_equal(r.body.ptr, expected_body);
  assert_true(r.whole);
  response_done(&r);
}

static void test_anthropic(void **state) {
  (void)state;
  start();
  fixture_script(HELLO_SCRIPT);
  check_ask(
      "/v1/messages",
      "{\"model\":\"claude\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"one "
      "two\"}],"
      "\"system\":[{\"type\":\"text\",\"text\":\"three\"}]}",
      "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
      "request-id: req_fake1\r\ntransfer-encoding: chunked\r\n\r\n",
      "event: message_start\n"
      "data: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_fake1\",\"type\":\"message\","
      "\"role\":\"assistant\",\"model\":\"claude\",\"content\":[],\"stop_reason\":null,"
      "\"stop_sequence\":null,\"usage\":{\"input_tokens\":3,\"cache_creation_input_tokens\":0,"
      "\"cache_read_input_tokens\":0,\"output_tokens\":1}}}\n\n"
      "event: ping\ndata: {\"type\":\"ping\"}\n\n"
      "event: content_block_start\n"
      "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\","
      "\"text\":\"\"}}\n\n"
      "event: content_block_delta\n"
      "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\","
      "\"text\":\"Hello,\"}}\n\n"
      "event: content_block_delta\n"
      "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\","
      "\"text\":\" wörld\"}}\n\n"
      "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
      "event: message_delta\n"
      "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\","
      "\"stop_sequence\":null},\"usage\":{\"input_tokens\":3,\"cache_creation_input_tokens\":0,"
      "\"cache_read_input_tokens\":0,\"output_tokens\":2}}\n\n"
      "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
  check_ask(
      "/v1/messages",
      "{\"model\":\"claude\",\"messages\":[{\"role\":\"user\",\"content\":\"one two\"}]}",
      "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nrequest-id: req_fake2\r\n"
      "content-length: 273\r\n\r\n",
      "{\"id\":\"msg_fake2\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude\","
      "\"content\":[{\"type\":\"text\",\"text\":\"Hello, wörld\"}],\"stop_reason\":"
      "\"end_turn\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":2,"
      "\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":2}}");
  fixture_stop();
}

/* The chunks hold the time: what comes before and after it is compared. */
static void check_without_created(struct buffer *body) {
  for (char *p; (p = strstr(body->ptr, "\"created\":1"));) {
    size_t digits = strspn(p + 10, "0123456789");
    size_t at = (size_t)(p - body->ptr) + 10;
    memmove(p + 10, p + 10 + digits, body->len - at - digits + 1);
    body->len -= digits;
  }
}

static void test_openai(void **state) {
  (void)state;
  start();
  fixture_script(HELLO_SCRIPT);
#define CHUNK                                                                               \
  "data: "                                                                                  \
  "{\"id\":\"chatcmpl-fake1\",\"object\":\"chat.completion.chunk\",\"created\":,\"model\":" \
  "\"gpt\",\"choices\":["
#define NO_USAGE "],\"usage\":null}\n\n"
  struct response r = fixture_ask(
      "/v1/chat/completions", "",
      "{\"model\":\"gpt\",\"stream\":true,\"stream_options\":{\"include_usage\":true},"
      "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"one two\"}]}]}");
  check_without_created(&r.body);
  assert_string_equal(
      r.body.ptr, CHUNK
      "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":"
      "null}" NO_USAGE CHUNK
      "{\"index\":0,\"delta\":{\"content\":\"Hello,\"},\"finish_reason\":null}" NO_USAGE CHUNK
      "{\"index\":0,\"delta\":{\"content\":\" wörld\"},\"finish_reason\":null}" NO_USAGE CHUNK
      "{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}" NO_USAGE CHUNK
      "],\"usage\":{\"prompt_tokens\":2,\"completion_tokens\":2,\"total_tokens\":4,"
      "\"prompt_tokens_details\":{\"cached_tokens\":0},\"completion_tokens_details\":"
      "{\"reasoning_tokens\":0}}}\n\n"
      "data: [DONE]\n\n");
  response_done(&r);
  /* Without stream_options the counts stand in the last chunk; OpenRouter adds what it cost. */
  r = fixture_ask(
      "/api/v1/chat/completions", "",
      "{\"model\":\"a/b\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"one "
      "two\"}]}");
  assert_ptr_equal(strstr(r.body.ptr, ": OPENROUTER PROCESSING\n\ndata: {"), r.body.ptr);
  assert_non_null(
      strstr(r.body.ptr, "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":2,"));
  assert_non_null(strstr(r.body.ptr, ",\"cost\":0.000004000}}\n\ndata: [DONE]\n\n"));
  assert_string_equal(response_header(&r, "x-generation-id"), "gen-fake2");
  response_done(&r);
  fixture_stop();
}

static void test_gemini(void **state) {
  (void)state;
  static const char body[] =
      "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"one two\"}]}]}";
  start();
  fixture_script(HELLO_SCRIPT);
#define ORIGIN ",\"modelVersion\":\"gemini-3\",\"responseId\":\"fake%d\"}"
#define USAGE0 "\"usageMetadata\":{\"promptTokenCount\":2,\"totalTokenCount\":2}"
#define PART(text, finish)                                                                        \
  "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"" text "\"}],\"role\":\"model\"}" finish \
  ",\"index\":0}],"
#define LAST                                                                                  \
  PART("", ",\"finishReason\":\"STOP\"")                                                      \
  "\"usageMetadata\":{\"promptTokenCount\":2,\"candidatesTokenCount\":2,\"totalTokenCount\":" \
  "4}" ORIGIN
  char expected[2048];
  snprintf(expected, sizeof expected,
           "data: " PART("Hello,", "") USAGE0 ORIGIN "\n\ndata: " PART(" wörld", "") USAGE0 ORIGIN
           "\n\ndata: " LAST "\n\n",
           1, 1, 1);
  check_ask("/v1beta/models/gemini%2D3:streamGenerateContent?alt=sse", body,
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            "transfer-encoding: chunked\r\n\r\n",
            expected);
  snprintf(expected, sizeof expected,
           "[" PART("Hello,", "") USAGE0 ORIGIN ",\r\n" PART(" wörld", "") USAGE0 ORIGIN
           ",\r\n" LAST "]",
           2, 2, 2);
  check_ask("/v1beta/models/gemini-3:streamGenerateContent", body,
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
            "transfer-encoding: chunked\r\n\r\n",
            expected);
  struct response r = fixture_ask("/v1beta/models/gemini-3:generateContent", "", body);
  assert_non_null(strstr(r.body.ptr, "\"parts\":[{\"text\":\"Hello, wörld\"}]"));
  response_done(&r);
  fixture_stop();
}

static void test_ollama(void **state) {
  (void)state;
  start();
  fixture_script(HELLO_SCRIPT);
  struct response r = fixture_ask(
      "/api/chat", "",
      "{\"model\":\"llama\",\"messages\":[{\"role\":\"user\",\"content\":\"one two\"}]}");
  assert_string_equal(response_header(&r, "content-type"), "application/x-ndjson");
  int lines = 0;
  for (char *line = r.body.ptr, *end; (end = strchr(line, '\n')); line = end + 1) {
    JSON_LATER json_t *record = NULL;
    assert_int_equal(json_parse((struct bytes){line, (size_t)(end - line)}, &record, NULL),
                     STATUS_OK);
    bool last = end[1] == '\0';
    assert_int_equal(json_get_bool(record, "done", false), last);
    if (last) {
      assert_string_equal(json_get_text(record, "done_reason", ""), "stop");
      assert_int_equal(json_get_int(record, "prompt_eval_count", -1), 2);
      assert_int_equal(json_get_int(record, "eval_count", -1), 2);
    }
    lines++;
  }
  assert_int_equal(lines, 3);
  response_done(&r);
  r = fixture_ask("/api/chat", "",
                  "{\"model\":\"llama\",\"stream\":false,\"messages\":[{\"role\":\"user\","
                  "\"content\":\"one two\"}]}");
  assert_string_equal(response_header(&r, "content-type"), "application/json");
  assert_non_null(strstr(r.body.ptr, "\"content\":\"Hello, wörld\"},\"done\":true"));
  response_done(&r);
  fixture_stop();
}

/* ---- the client's own requests, decoders and schemas ---- */

/* The requests of the real client for a turn. */
static void send_turn(enum wire_format format, const struct prompt *prompt, const char *name,
                      int fd) {
  struct agent_binding binding = {
      .type = "t", .provider = "p", .model = "m", .base_url = "", .wire = format};
  struct ask_spec spec = {.binding = &binding,
                          .system = bytes_of(prompt->system),
                          .prefix = bytes_of(prompt->prefix),
                          .prompt = bytes_of(prompt->text),
                          .schema = bytes_of(prompt->schema),
                          .schema_name = name};
  struct wire_request request;
  assert_int_equal(wire_of(format)->build(&spec, &request), STATUS_OK);
  fixture_post(fd, paths[format], "", request.body.ptr);
  wire_request_done(&request);
}

static char *decode(enum wire_format format, const struct response *r,
                    struct ask_usage *ret_usage) {
  struct wire_reply reply;
  wire_reply_init(&reply, 1 << 20);
  struct wire_decoder *d = wire_decoder_create(wire_of(format), &reply, 1 << 20);
  assert_non_null(d);
  bool fed = wire_decoder_feed(d, buffer_bytes(&r->body));
  bool whole = wire_decoder_finish(d);
  assert_int_equal(wire_reply_outcome(&reply, fed, whole), OUTCOME_OK);
  char *text = bytes_dup(buffer_bytes(&reply.text));
  *ret_usage = reply.usage;
  wire_decoder_destroy(d);
  wire_reply_done(&reply);
  return text;
}

/* A small validator: types, enumerations, required, additionalProperties, in any nesting. */
static bool obeys(const json_t *value, const json_t *schema) {
  const char *type = json_get_text(schema, "type", "");
  const json_t *choices = json_object_get(schema, "enum");
  size_t i;
  json_t *item;
  const char *key;
  if (json_is_array(choices)) {
    bool found = false;
    json_array_foreach((json_t *)choices, i, item) found |= json_equal(item, value);
    if (!found) return false;
  }
  if (strcmp(type, "string") == 0) return json_is_string(value);
  if (strcmp(type, "number") == 0) return json_is_number(value);
  if (strcmp(type, "array") == 0) {
    if (!json_is_array(value)) return false;
    json_array_foreach((json_t *)value, i,
                       item) if (!obeys(item, json_object_get(schema, "items"))) return false;
    return true;
  }
  const json_t *properties = json_object_get(schema, "properties");
  if (strcmp(type, "object") != 0 || !json_is_object(value)) return false;
  json_array_foreach(json_object_get(schema, "required"), i,
                     item) if (!json_object_get(value, json_string_value(item))) return false;
  json_object_foreach((json_t *)value, key,
                      item) if (!json_object_get(properties, key) ||
                                !obeys(item, json_object_get(properties, key))) return false;
  return true;
}

static void build_prompt(enum turn_kind kind, struct prompt *ret_prompt) {
  static const char *const responses[] = {"The first.", "The second.", "The third."};
  static const struct prompt_item items[] = {{"a", "b", "c", "d", 700000},
                                             {"e", "f", "g", "h", 100000}};
  static struct scrub no_names;
  bool labels = kind != TURN_PROPOSAL;
  bool revises = kind == TURN_REVISION;
  if (!no_names.names) assert_int_equal(scrub_init(&no_names, NULL, "", NULL), STATUS_OK);
  struct prompt_input in = {.kind = kind,
                            .task = "Should we do it?",
                            .nonce = "00ff00ff00ff00ff",
                            .role = "",
                            .own_answer = revises ? "My own answer." : NULL,
                            .own_key = revises ? "yes" : "",
                            .responses = responses,
                            .response_count = labels ? 3 : 0,
                            .items = items,
                            .item_count = revises ? 2 : 0,
                            .context_bytes = 10000,
                            .scrub = &no_names};
  assert_int_equal(prompt_build(&in, ret_prompt), STATUS_OK);
}

static void check_turn(enum wire_format format, enum turn_kind kind, bool worded) {
  struct prompt prompt;
  struct ask_usage usage;
  JSON_LATER json_t *schema = NULL;
  JSON_LATER json_t *value = NULL;
  build_prompt(kind, &prompt);
  assert_int_equal(json_parse(bytes_of(prompt.schema), &schema, NULL), STATUS_OK);
  int fd = fixture_connect();
  if (worded) prompt.schema[0] = '\0';
  send_turn(format, &prompt, turn_kind_names[kind], fd);
  struct response r = fixture_read(fd, SIZE_MAX);
  close(fd);
  assert_int_equal(r.status, 200);
  FREE_LATER char *text = decode(format, &r, &usage);
  assert_int_equal(json_parse(bytes_of(text), &value, NULL), STATUS_OK);
  if (!obeys(value, schema))
    fail_msg("%s, %s: %s", wire_of(format)->name, turn_kind_names[kind], text);
  assert_true(usage.input > 100 && usage.output > 5);
  response_done(&r);
  prompt_done(&prompt);
}

static void test_replies_obey_the_schema(void **state) {
  (void)state;
  start();
  for (size_t f = 0; f < sizeof formats / sizeof *formats; f++)
    for (int kind = 0; kind < TURN_KIND_COUNT; kind++)
      check_turn(formats[f], (enum turn_kind)kind, false);
  fixture_stop();
}

/* Vendors without structured replies are asked in words. */
static void test_replies_obey_the_words(void **state) {
  (void)state;
  start();
  for (int kind = 0; kind < TURN_KIND_COUNT; kind++)
    check_turn(WIRE_OPENAI, (enum turn_kind)kind, true);
  fixture_stop();
}

/* ---- personas ---- */

static json_t *ask_json(enum turn_kind kind, const char *own_answer) {
  struct prompt prompt;
  struct ask_usage usage;
  json_t *value = NULL;
  build_prompt(kind, &prompt);
  if (own_answer) { /* in place of the one that it was built with */
    struct buffer text;
    const char *at = strstr(prompt.text, "My own answer.");
    assert_non_null(at);
    buffer_init(&text, 1 << 20);
    buffer_append(&text, prompt.text, (size_t)(at - prompt.text));
    buffer_append_text(&text, own_answer);
    buffer_append_text(&text, at + strlen("My own answer."));
    free(prompt.text);
    prompt.text = buffer_steal(&text);
  }
  int fd = fixture_connect();
  send_turn(WIRE_OPENAI, &prompt, turn_kind_names[kind], fd);
  struct response r = fixture_read(fd, SIZE_MAX);
  close(fd);
  FREE_LATER char *text = decode(WIRE_OPENAI, &r, &usage);
  assert_int_equal(json_parse(bytes_of(text), &value, NULL), STATUS_OK);
  response_done(&r);
  prompt_done(&prompt);
  return value;
}

static int persona_of(const char *answer) {
  for (int i = 0; i < SCRIPTED_PERSONAS; i++)
    if (strstr(answer, scripted_persona_name(i))) return i;
  fail_msg("no persona in: %s", answer);
  return -1;
}

static void test_personas(void **state) {
  (void)state;
  struct fake_options options = FAKE_OPTIONS_DEFAULT;
  options.change = SCRIPTED_CHANGE_ALWAYS;
  fixture_start(&options);
  int seen = 0;
  for (int i = 0; i < SCRIPTED_PERSONAS; i++) {
    JSON_LATER json_t *proposal = ask_json(TURN_PROPOSAL, NULL);
    const char *answer = json_get_text(proposal, "answer", "");
    int persona = persona_of(answer);
    seen |= 1 << persona;
    JSON_LATER json_t *revision = ask_json(TURN_REVISION, answer);
    assert_int_equal(persona_of(json_get_text(revision, "answer", "")), persona);
    /* A revision of the revision finds its author too. */
    JSON_LATER json_t *again = ask_json(TURN_REVISION, json_get_text(revision, "answer", ""));
    assert_int_equal(persona_of(json_get_text(again, "answer", "")), persona);
  }
  assert_int_equal(seen, (1 << SCRIPTED_PERSONAS) - 1);
  fixture_stop();
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_anthropic),
                                     cmocka_unit_test(test_openai),
                                     cmocka_unit_test(test_gemini),
                                     cmocka_unit_test(test_ollama),
                                     cmocka_unit_test(test_replies_obey_the_schema),
                                     cmocka_unit_test(test_replies_obey_the_words),
                                     cmocka_unit_test(test_personas)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
