/* Requests as each vendor wants them, the classes of errors, and secrets that do not get out. */
#include "base/json.h"
#include "provider/retry_after.h"
#include "provider/vendor_schema.h"
#include "provider/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#define SCHEMA                                                                                     \
  "{\"type\":\"object\",\"properties\":{\"minimum\":{\"type\":\"number\",\"minimum\":0},"          \
  "\"list\":{\"type\":\"array\",\"maxItems\":3,\"items\":{\"type\":\"string\",\"enum\":[\"a\"]}}}" \
  ","                                                                                              \
  "\"required\":[\"minimum\"],\"additionalProperties\":false}"

static char *body_of(struct agent_binding *binding, const char *url, const char *header) {
  struct ask_spec spec = {.binding = binding,
                          .system = BYTES_LITERAL("sys"),
                          .prefix = BYTES_LITERAL("pre"),
                          .prompt = BYTES_LITERAL("say \"hi\"\n"),
                          .schema_name = "ballot",
                          .schema = BYTES_LITERAL(SCHEMA),
                          .max_output_tokens = 500};
  struct wire_request r;
  assert_int_equal(wire_of(binding->wire)->build(&spec, &r), STATUS_OK);
  assert_string_equal(r.url.ptr, url);
  bool found = !header;
  for (int i = 0; r.headers[i]; i++) found |= header && strcmp(r.headers[i], header) == 0;
  if (!found) fail_msg("no header %s", header);
  json_t *json = NULL;
  assert_int_equal(json_parse(buffer_bytes(&r.body), &json, NULL), STATUS_OK);
  json_decref(json);
  char *body = buffer_steal(&r.body);
  wire_request_done(&r);
  return body;
}

static void test_anthropic_request(void **state) {
  (void)state;
  struct agent_binding b = {
      .model = "m", .wire = WIRE_ANTHROPIC, .base_url = "http://h/v1", .key = "k"};
  FREE_LATER char *body = body_of(&b, "http://h/v1/messages", "x-api-key: k");
  assert_string_equal(
      body,
      "{\"model\":\"m\",\"max_tokens\":500,\"stream\":true,\"system\":[{\"type\":\"text\",\"text\":"
      "\"sys\",\"cache_control\":{\"type\":\"ephemeral\"}}],\"messages\":[{\"role\":\"user\","
      "\"content\":[{\"type\":\"text\",\"text\":\"pre\",\"cache_control\":{\"type\":\"ephemeral\"}}"
      ","
      "{\"type\":\"text\",\"text\":\"say "
      "\\\"hi\\\"\\n\"}]}],\"output_config\":{\"format\":{\"type\":"
      "\"json_schema\",\"schema\":{\"type\":\"object\",\"properties\":{\"minimum\":{\"type\":"
      "\"number\"},\"list\":{\"type\":\"array\",\"items\":{\"type\":\"string\",\"enum\":[\"a\"]}}},"
      "\"required\":[\"minimum\"],\"additionalProperties\":false}}}}");
}

static void test_openai_requests(void **state) {
  (void)state;
  struct agent_binding b = {.provider = "openai",
                            .model = "m",
                            .wire = WIRE_OPENAI,
                            .base_url = "http://h/v1",
                            .key = "k"};
  FREE_LATER char *body = body_of(&b, "http://h/v1/chat/completions", "authorization: Bearer k");
  assert_string_equal(
      body,
      "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"sys\"},{\"role\":\"user\","
      "\"content\":\"pre\\n\\nsay \\\"hi\\\"\\n\"}],\"max_completion_tokens\":500,\"stream\":true,"
      "\"stream_options\":{\"include_usage\":true,\"include_obfuscation\":false},"
      "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"ballot\","
      "\"strict\":"
      "true,\"schema\":" SCHEMA "}}}");
  b.provider = "mistral";
  b.quirks = QUIRK_MAX_TOKENS_OLD_NAME | QUIRK_NO_STREAM_OPTIONS | QUIRK_NO_JSON_SCHEMA |
             QUIRK_OPENROUTER_HEADERS;
  b.output_tokens_max = 100;
  FREE_LATER char *other =
      body_of(&b, "http://h/v1/chat/completions", "x-openrouter-title: Aragora");
  assert_non_null(strstr(other, "\"max_tokens\":100"));
  assert_null(strstr(other, "stream_options"));
  assert_null(strstr(other, "response_format"));
}

static void test_gemini_request(void **state) {
  (void)state;
  struct agent_binding b = {.model = "m", .wire = WIRE_GEMINI, .base_url = "http://h", .key = "k"};
  FREE_LATER char *body =
      body_of(&b, "http://h/v1beta/models/m:streamGenerateContent?alt=sse", "x-goog-api-key: k");
  assert_string_equal(
      body,
      "{\"systemInstruction\":{\"parts\":[{\"text\":\"sys\"}]},\"contents\":[{\"role\":\"user\","
      "\"parts\":[{\"text\":\"pre\"},{\"text\":\"say \\\"hi\\\"\\n\"}]}],\"generationConfig\":{"
      "\"maxOutputTokens\":500,\"responseMimeType\":\"application/json\",\"responseSchema\":{"
      "\"type\":\"OBJECT\",\"properties\":{\"minimum\":{\"type\":\"NUMBER\",\"minimum\":0},"
      "\"list\":{"
      "\"type\":\"ARRAY\",\"maxItems\":3,\"items\":{\"type\":\"STRING\",\"enum\":[\"a\"]}}},"
      "\"required\":[\"minimum\"]}}}");
}

static void test_ollama_request(void **state) {
  (void)state;
  struct agent_binding b = {
      .model = "m", .wire = WIRE_OLLAMA, .base_url = "http://h", .context_tokens = 8192};
  FREE_LATER char *body = body_of(&b, "http://h/api/chat", NULL);
  assert_non_null(strstr(body, "\"format\":" SCHEMA));
  assert_non_null(strstr(body, "\"options\":{\"num_predict\":500,\"num_ctx\":8192}"));
  assert_non_null(strstr(body, "\"stream\":true"));
}

static void test_bad_schema(void **state) {
  (void)state;
  BUFFER_LATER struct buffer out;
  buffer_init(&out, 1000);
  assert_false(vendor_schema_append(&out, BYTES_LITERAL("{\"type\":"), &schema_gemini));
}

static const struct {
  int status;
  const char *body;
  enum outcome outcome;
} errors[] = {
    {400, "{\"error\":{\"message\":\"bad field\",\"type\":\"invalid_request_error\"}}",
     OUTCOME_INVALID_REQUEST},
    {400, "{\"error\":{\"message\":\"Your credit balance is too low\"}}", OUTCOME_QUOTA},
    {400, "{\"error\":{\"message\":\"You have reached your specified API usage limits.\"}}",
     OUTCOME_QUOTA},
    {400, "{\"code\":\"x\",\"error\":\"Incorrect API key provided\"}", OUTCOME_AUTH},
    {400,
     "[{\"error\":{\"code\":400,\"message\":\"API key not "
     "valid.\",\"status\":\"INVALID_ARGUMENT\"}}]",
     OUTCOME_AUTH},
    {400, "{\"error\":{\"code\":\"content_policy_violation\",\"message\":\"no\"}}",
     OUTCOME_REFUSED},
    {401, "", OUTCOME_AUTH},
    {402, "", OUTCOME_QUOTA},
    {403, "{\"error\":{\"message\":\"no permission\"}}", OUTCOME_AUTH},
    {403, "{\"error\":{\"message\":\"quota exceeded\"}}", OUTCOME_QUOTA},
    {403, "{\"error\":{\"message\":\"flagged by moderation\"}}", OUTCOME_REFUSED},
    {404, "{\"error\":\"model 'x' not found\"}", OUTCOME_INVALID_REQUEST},
    {408, "", OUTCOME_OVERLOADED},
    {409, "", OUTCOME_OVERLOADED},
    {413, "", OUTCOME_INVALID_REQUEST},
    {422, "{\"detail\":[{\"loc\":[\"body\"],\"msg\":\"field required\",\"type\":\"missing\"}]}",
     OUTCOME_INVALID_REQUEST},
    {429, "{\"error\":{\"message\":\"Rate limit\",\"code\":\"rate_limit_exceeded\"}}",
     OUTCOME_RATE_LIMITED},
    {429,
     "{\"error\":{\"message\":\"You exceeded your current "
     "quota\",\"code\":\"insufficient_quota\"}}",
     OUTCOME_QUOTA},
    {429,
     "{\"error\":{\"status\":\"RESOURCE_EXHAUSTED\",\"message\":\"You exceeded your current quota, "
     "please check your plan and billing details\",\"details\":[{\"violations\":[{\"quotaId\":"
     "\"GenerateRequestsPerMinute\"}]},{\"retryDelay\":\"46s\"}]}}",
     OUTCOME_RATE_LIMITED},
    {429,
     "{\"error\":{\"status\":\"RESOURCE_EXHAUSTED\",\"message\":\"m\",\"details\":[{\"violations\":"
     "[{\"quotaId\":\"GenerateRequestsPerDay\"}]}]}}",
     OUTCOME_QUOTA},
    {500, "<html>oops</html>", OUTCOME_OVERLOADED},
    {502, "", OUTCOME_OVERLOADED},
    {503, "not json", OUTCOME_OVERLOADED},
    {504, "\xff\xfe\n", OUTCOME_OVERLOADED},
    {529,
     "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}",
     OUTCOME_OVERLOADED},
};

static void test_errors(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
    FREE_LATER char *detail = NULL;
    enum outcome outcome =
        wire_classify_error(errors[i].status, bytes_of(errors[i].body), NULL, &detail);
    if (outcome != errors[i].outcome)
      print_error("%d %s: %s\n", errors[i].status, errors[i].body, outcome_name(outcome));
    assert_int_equal(outcome, errors[i].outcome);
    assert_non_null(detail);
    assert_true(detail[0] != '\0' && !strchr(detail, '\n'));
  }
  assert_int_equal(wire_error_retry_ms(bytes_of(errors[18].body)), 46000);
  assert_int_equal(wire_error_retry_ms(BYTES_LITERAL("{}")), -1);
  assert_int_equal(wire_error_retry_ms(BYTES_LITERAL("\"retryDelay\": \"")), -1);
}

/* Chunks that look like the one before are read for their words alone; one that brings more is read
 * whole, and so is the next, though it looks like an earlier one. */
static void test_openai_chunks_that_look_alike(void **state) {
  (void)state;
  static const char body[] =
      "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"
      "data: {\"id\":\"c\",\"model\":\"m\",\"choices\": [{\"delta\":{\"content\":\"b\"}}]}\n\n"
      "data: {\"id\":\"d\",\"model\":\"n\",\"choices\":[{\"delta\":{\"content\":\"c\"}}]}\n\n"
      "data: {\"usage\":{\"prompt_tokens\":5},\"choices\":[{\"delta\":{\"content\":\"d\"}}]}\n\n"
      "data: {\"usage\":{\"prompt_tokens\":7}}\n\n"
      "data: {\"usage\":{\"prompt_tokens\":5},\"choices\":[{\"delta\":{\"content\":\"e\"},"
      "\"finish_reason\":\"stop\"}]}\n\n"
      "data: [DONE]\n\n";
  struct wire_reply reply;
  wire_reply_init(&reply, 100);
  struct wire_decoder *decoder = wire_decoder_create(wire_of(WIRE_OPENAI), &reply, 1000);
  assert_non_null(decoder);
  assert_true(wire_decoder_feed(decoder, BYTES_LITERAL(body)));
  assert_true(wire_decoder_finish(decoder));
  assert_string_equal(reply.text.ptr, "abcde");
  assert_string_equal(reply.model, "m");
  assert_int_equal(reply.usage.input, 5);
  wire_decoder_destroy(decoder);
  wire_reply_done(&reply);
}

/* A line that begins with a space has no field that is known (WHATWG HTML, section 9.2.6), also
 * when the space came alone; before a body that is no stream, white space means nothing. */
static void test_white_space_before_a_body(void **state) {
  (void)state;
  static const struct {
    const char *first, *rest;
    bool whole;
  } rows[] = {
      {"\n", "data: [DONE]\n\n", true},
      {" ", "data: [DONE]\n\n", false},
      {"\n ", "\ndata: [DONE]\n\n", true},
      {" \n ", "{\"choices\":[{\"finish_reason\":\"stop\"}]}", true},
      {"\f", "{\"choices\":[{\"finish_reason\":\"stop\"}]}", false},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct wire_reply reply;
    wire_reply_init(&reply, 100);
    struct wire_decoder *decoder = wire_decoder_create(wire_of(WIRE_OPENAI), &reply, 1000);
    assert_non_null(decoder);
    assert_true(wire_decoder_feed(decoder, bytes_of(rows[i].first)));
    assert_true(wire_decoder_feed(decoder, bytes_of(rows[i].rest)));
    assert_int_equal(wire_decoder_finish(decoder), rows[i].whole);
    wire_decoder_destroy(decoder);
    wire_reply_done(&reply);
  }
}

/* A count that cannot be is none: no sum over a debate may overflow by it. */
static void test_counts_that_cannot_be(void **state) {
  (void)state;
  static const struct {
    const char *count;
    int64_t want;
  } rows[] = {{"1000000000", 1000000000},
              {"1000000001", -1},
              {"4611686018427387904", -1},
              {"-1", -1},
              {"0", 0},
              {"\"7\"", -1}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct wire_reply reply;
    char body[200];
    wire_reply_init(&reply, 100);
    struct wire_decoder *decoder = wire_decoder_create(wire_of(WIRE_OPENAI), &reply, 1000);
    snprintf(body, sizeof body, "data: {\"choices\":[],\"usage\":{\"completion_tokens\":%s}}\n\n",
             rows[i].count);
    wire_decoder_feed(decoder, bytes_of(body));
    assert_int_equal(reply.usage.output, rows[i].want);
    wire_decoder_destroy(decoder);
    wire_reply_done(&reply);
  }
}

static void test_secrets(void **state) {
  (void)state;
  static const char *const rows[][2] = {
      {"key top-secret is bad", "key ********** is bad"},
      {"Incorrect key: sk-abc123XYZ_9.", "Incorrect key: sk-************"},
      {"Bearer abcdefgh, AIzaSyABCDEF", "Bearer ********, AIza********"},
      {"a risk-averse answer", "a risk-averse answer"},
      {"top-secrettop-secret", "********************"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char text[200];
    snprintf(text, sizeof text, "%s", rows[i][0]);
    wire_scrub(text, "top-secret");
    assert_string_equal(text, rows[i][1]);
  }
  char text[] = "nothing here";
  wire_scrub(text, NULL);
  wire_scrub(text, "");
  assert_string_equal(text, "nothing here");
}

/* Scrubbed before it is cut: of a key that lies across the cut nothing is left to be seen. */
static void test_a_secret_across_the_cut(void **state) {
  (void)state;
  for (int before = 270; before <= 300; before++) {
    char body[400];
    FREE_LATER char *detail = NULL;
    snprintf(body, sizeof body, "%0*d top-secret-of-mine", before, 0);
    (void)wire_classify_error(500, bytes_of(body), "top-secret-of-mine", &detail);
    assert_null(strstr(detail, "top"));
    snprintf(body, sizeof body, "{\"error\":\"%0*d top-secret-of-mine\"}", before, 0);
    free(detail);
    (void)wire_classify_error(500, bytes_of(body), "top-secret-of-mine", &detail);
    assert_null(strstr(detail, "top"));
  }
}

static void test_retry_after(void **state) {
  (void)state;
  const int64_t now = INT64_C(1700000000000); /* Tue, 14 Nov 2023 22:13:20 GMT */
  assert_int_equal(retry_after_parse(NULL, NULL, now), -1);
  assert_int_equal(retry_after_parse("250.5", "9", now), 250);
  assert_int_equal(retry_after_parse("soon", "2", now), 2000);
  assert_int_equal(retry_after_parse(NULL, "0.5", now), 500);
  assert_int_equal(retry_after_parse(NULL, "36000", now), 36000000);
  assert_int_equal(retry_after_parse(NULL, "-1", now), -1);
  assert_int_equal(retry_after_parse(NULL, "nan", now), -1);
  assert_int_equal(retry_after_parse(NULL, "1e300", now), INT64_C(1000000000000));
  assert_int_equal(retry_after_parse(NULL, "Tue, 14 Nov 2023 22:14:20 GMT", now), 60000);
  assert_int_equal(retry_after_parse(NULL, "Tue, 14 Nov 2023 22:00:00 GMT", now), 0);
  assert_int_equal(retry_after_parse(NULL, "later", now), -1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_anthropic_request),
      cmocka_unit_test(test_openai_requests),
      cmocka_unit_test(test_openai_chunks_that_look_alike),
      cmocka_unit_test(test_white_space_before_a_body),
      cmocka_unit_test(test_gemini_request),
      cmocka_unit_test(test_ollama_request),
      cmocka_unit_test(test_bad_schema),
      cmocka_unit_test(test_errors),
      cmocka_unit_test(test_counts_that_cannot_be),
      cmocka_unit_test(test_secrets),
      cmocka_unit_test(test_a_secret_across_the_cut),
      cmocka_unit_test(test_retry_after),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
