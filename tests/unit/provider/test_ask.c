/* Asking, against a loopback server: the happy stream, and every way in which one can fail. */
#include "provider/ask.h"

#include "../io/tiny_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static const char happy[] =
    "event: message_start\ndata: "
    "{\"type\":\"message_start\",\"message\":{\"model\":\"claude-x\",\"usage\":"
    "{\"input_tokens\":1000,\"cache_read_input_tokens\":200,\"output_tokens\":1}}}\n\n"
    "data: "
    "{\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello\"}}\n\n"
    "data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\" "
    "you\"}}\n\n"
    "data: "
    "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_"
    "tokens\":"
    "50}}\n\n"
    "data: {\"type\":\"message_stop\"}\n\n";

static struct loop *loop;
static struct provider *provider;
static struct tiny_server *server;
static struct agent_binding binding;
static char base_url[64];

enum cancel_at { NEVER, AT_START, AT_WAIT, AT_TOKEN };

struct run {
  const char *how; /* what the server does */
  enum cancel_at cancel_at;
  bool hold; /* do not proceed */
  struct ask *ask;
  int starts, tokens, dones;
  struct ask_attempt attempt;
  struct buffer shown;
  struct ask_result result;
  char text[2000], detail[400], model[80], request_id[80];
  char request[4000];
};

static void cancel(struct run *run) {
  ask_cancel(run->ask);
  run->ask = NULL;
  if (run->cancel_at != AT_TOKEN) loop_stop(loop); /* else when the server saw it */
}

static void on_start(void *ctx, const struct ask_attempt *attempt) {
  struct run *run = ctx;
  run->starts++;
  run->attempt = *attempt;
  if (run->cancel_at == AT_START)
    cancel(run);
  else if (!run->hold)
    ask_proceed(run->ask, attempt->number);
}

static void on_token(void *ctx, int attempt, struct bytes text) {
  struct run *run = ctx;
  assert_int_equal(attempt, 1);
  run->tokens++;
  buffer_append_bytes(&run->shown, text);
  if (run->cancel_at == AT_TOKEN) cancel(run);
}

static void on_other(void *ctx, const struct ask_result *result) {
  (void)ctx;
  (void)result;
  fail();
}

static void on_reset(void *ctx, int attempt) {
  (void)ctx;
  (void)attempt;
  fail();
}

static void on_done(void *ctx, const struct ask_result *result) {
  struct run *run = ctx;
  run->dones++;
  run->result = *result;
  snprintf(run->text, sizeof run->text, "%.*s", (int)result->text.len,
           result->text.ptr ? result->text.ptr : "");
  snprintf(run->detail, sizeof run->detail, "%s", result->detail);
  snprintf(run->model, sizeof run->model, "%s", result->model);
  snprintf(run->request_id, sizeof run->request_id, "%s", result->request_id);
  loop_stop(loop);
}

static const struct ask_ops ops = {on_start, on_token, on_reset, on_other, on_done};

static const char head[] =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nrequest-id: req_7\r\n"
    "transfer-encoding: chunked\r\n\r\n";

/* An answer whose every name has the key in it. */
static const char echo_head[] =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
    "request-id: of/top-secret-key/7\r\nx-request-id: sk-abcdef123\r\n"
    "transfer-encoding: chunked\r\n\r\n";
static const char echo[] =
    "data: {\"type\":\"message_start\",\"message\":{\"model\":\"m/top-secret-key\"}}\n\n"
    "data: "
    "{\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n"
    "data: {\"type\":\"message_stop\"}\n\n";

static void send_chunk(struct tiny_peer *peer, struct bytes data) {
  char size[32];
  snprintf(size, sizeof size, "%zx\r\n", data.len);
  tiny_send(peer, bytes_of(size));
  tiny_send(peer, data);
  tiny_send(peer, BYTES_LITERAL("\r\n"));
}

static struct loop_timer *ping_timer;

/* Comments for ever, far more often than the idle time. */
static void ping(void *arg) {
  send_chunk(arg, BYTES_LITERAL(": ping\n\n"));
  ping_timer = loop_timer_start(loop, 10, ping, arg);
}

static void stop_pings(void *ctx) {
  (void)ctx;
  loop_timer_cancel(ping_timer);
  ping_timer = NULL;
}

static void answer_stream(struct tiny_peer *peer, const char *how) {
  struct bytes whole = bytes_of(happy);
  bool part = strcmp(how, "cut") == 0 || strcmp(how, "stall") == 0 || strcmp(how, "reset") == 0 ||
              strcmp(how, "comments") == 0;
  if (part) whole.len = (size_t)(strstr(happy, "data: {\"type\":\"message_delta") - happy);
  if (strcmp(how, "garbage") == 0) whole = BYTES_LITERAL("data: {\"type\":,}\n\n");
  if (strcmp(how, "error") == 0)
    whole = BYTES_LITERAL(
        "data: "
        "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"}}\n\n");
  if (strcmp(how, "echo") == 0) whole = bytes_of(echo);
  tiny_send(peer, bytes_of(strcmp(how, "echo") == 0 ? echo_head : head));
  send_chunk(peer, whole);
  if (strcmp(how, "comments") == 0) ping(peer);
  if (strcmp(how, "cut") == 0 || strcmp(how, "happy") == 0 || strcmp(how, "garbage") == 0 ||
      strcmp(how, "echo") == 0)
    tiny_send(peer, BYTES_LITERAL("0\r\n\r\n"));
  if (strcmp(how, "reset") == 0) tiny_close(peer);
}

static void answer(void *ctx, struct tiny_peer *peer, struct bytes request, int number) {
  struct run *run = ctx;
  (void)number;
  snprintf(run->request, sizeof run->request, "%.*s", (int)request.len, request.ptr);
  if (strcmp(run->how, "silent") == 0) return;
  if (strcmp(run->how, "500") == 0)
    tiny_send_body(peer, 500, NULL,
                   BYTES_LITERAL("{\"error\":{\"message\":\"boom sk-abcdef1234567\"}}"));
  else if (strcmp(run->how, "429") == 0)
    tiny_send_body(peer, 429, "retry-after: 1.5\r\n",
                   BYTES_LITERAL("{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\","
                                 "\"message\":\"slow down\"}}"));
  else if (strcmp(run->how, "401") == 0)
    tiny_send_body(peer, 401, NULL,
                   BYTES_LITERAL("{\"error\":{\"message\":\"bad key top-secret-key\"}}"));
  else
    answer_stream(peer, run->how);
}

static void stop_loop(void *ctx) {
  (void)ctx;
  loop_stop(loop);
}

static void open_all(struct run *run, int64_t idle_ms) {
  const struct provider_options options = {.connections_per_host = 4,
                                           .max_queued = 4,
                                           .connect_timeout_ms = 1000,
                                           .idle_timeout_ms = idle_ms,
                                           .max_answer_bytes = 10000};
  assert_int_equal(loop_create(&loop, NULL), STATUS_OK);
  assert_int_equal(provider_create(loop, &options, &provider, NULL), STATUS_OK);
  server = tiny_server_start(loop, answer, run);
  tiny_server_on_close(server, stop_pings);
  snprintf(base_url, sizeof base_url, "http://127.0.0.1:%d", tiny_server_port(server));
  binding = (struct agent_binding){.type = "anthropic-api",
                                   .provider = "anthropic",
                                   .model = "claude-asked",
                                   .wire = WIRE_ANTHROPIC,
                                   .base_url = base_url,
                                   .key = "top-secret-key",
                                   .output_tokens_max = 800,
                                   .price_input_usd_micro = 2000000,
                                   .price_output_usd_micro = 10000000,
                                   .available = true};
}

static void close_all(struct run *run) {
  stop_pings(NULL);
  buffer_done(&run->shown);
  provider_destroy(provider);
  if (server) tiny_server_stop(server);
  loop_destroy(loop);
}

static void begin(struct run *run, const char *how, int64_t timeout_ms) {
  run->how = how;
  buffer_init(&run->shown, 1 << 20);
  struct ask_spec spec = {
      .binding = &binding,
      .agent = "a",
      .system = BYTES_LITERAL("You debate."),
      .prefix = BYTES_LITERAL("## Question\nIs it?"),
      .prompt = BYTES_LITERAL("Answer."),
      .schema_name = "proposal",
      .schema =
          BYTES_LITERAL("{\"type\":\"object\",\"properties\":{\"answer\":{\"type\":\"string\"}}}"),
      .max_output_tokens = 1000,
      .timeout_ms = timeout_ms,
  };
  assert_int_equal(ask_start(provider, &spec, &ops, run, &run->ask, NULL), STATUS_OK);
  assert_int_equal(run->starts + run->dones, 0);
}

static struct run run_once(const char *how, int64_t timeout_ms, int64_t idle_ms) {
  struct run run = {0};
  open_all(&run, idle_ms);
  begin(&run, how, timeout_ms);
  loop_run(loop);
  close_all(&run);
  assert_int_equal(run.starts, 1);
  assert_int_equal(run.dones, 1);
  assert_null(strstr(run.detail, "top-secret"));
  return run;
}

static void test_happy(void **state) {
  (void)state;
  struct run run = {0};
  open_all(&run, 1000);
  begin(&run, "happy", 5000);
  loop_run(loop);
  assert_int_equal(run.result.outcome, OUTCOME_OK);
  assert_string_equal(run.text, "Hello you");
  assert_string_equal(run.shown.ptr, "Hello you");
  assert_int_equal(run.tokens, 1); /* one call a read, not one a token */
  assert_string_equal(run.model, "claude-x");
  assert_string_equal(run.request_id, "req_7");
  assert_int_equal(run.result.upstream_status, 200);
  assert_int_equal(run.result.usage.input, 1000);
  assert_int_equal(run.result.usage.cache_read, 200);
  assert_int_equal(run.result.usage.output, 50);
  assert_int_equal(run.result.cost_usd_micro, 1200 * 2 + 50 * 10);
  assert_true(run.result.ttft_ms >= 0 && run.result.latency_ms >= run.result.ttft_ms);
  /* The texts, the schema, what may stand around them, and the limit of the model. */
  const int64_t in = 11 + 18 + 7 + 59 + 1024;
  assert_int_equal(run.attempt.reserved_tokens, in + 800);
  assert_int_equal(run.attempt.reserved_usd_micro, (in + (in + 3) / 4) * 2 + 800 * 10);
  assert_int_equal(run.result.booked.tokens, 1250);
  assert_int_equal(run.result.booked.usd_micro, run.result.cost_usd_micro);
  assert_non_null(strstr(run.request, "POST /v1/messages HTTP/1.1\r\n"));
  assert_non_null(strstr(run.request, "x-api-key: top-secret-key\r\n"));
  assert_non_null(strstr(run.request, "\"max_tokens\":800"));
  assert_non_null(strstr(run.request, "\"output_config\":{\"format\":{\"type\":\"json_schema\""));
  assert_null(strstr(run.request, "temperature"));
  close_all(&run);
}

static void test_the_key_in_names(void **state) {
  (void)state;
  struct run run = run_once("echo", 5000, 5000);
  assert_int_equal(run.result.outcome, OUTCOME_OK);
  assert_string_equal(run.model, "m/**************");
  assert_string_equal(run.request_id, "sk-*********"); /* of the next header that has one */
}

static void test_failures(void **state) {
  (void)state;
  static const struct {
    const char *how;
    enum outcome outcome;
    const char *detail;
  } rows[] = {
      {"cut", OUTCOME_UNAVAILABLE, "terminator"}, {"reset", OUTCOME_UNAVAILABLE, ""},
      {"error", OUTCOME_OVERLOADED, "busy"},      {"garbage", OUTCOME_MALFORMED, "format"},
      {"500", OUTCOME_OVERLOADED, "boom sk-***"}, {"401", OUTCOME_AUTH, "bad key ***"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct run run = run_once(rows[i].how, 5000, 5000);
    if (run.result.outcome != rows[i].outcome) print_error("%s: %s\n", rows[i].how, run.detail);
    assert_int_equal(run.result.outcome, rows[i].outcome);
    assert_non_null(strstr(run.detail, rows[i].detail));
    assert_string_equal(run.text, "");
  }
  struct run run = run_once("cut", 5000, 5000); /* it had counted one output token */
  assert_int_equal(run.result.usage.input, 1000);
  assert_int_equal(run.result.usage.output, -1);
  assert_int_equal(run.result.cost_usd_micro, -1);
  run = run_once("429", 5000, 5000);
  assert_int_equal(run.result.outcome, OUTCOME_RATE_LIMITED);
  assert_int_equal(run.result.retry_after_ms, 1500);
  assert_int_equal(run.result.upstream_status, 429);
}

static void test_clocks(void **state) {
  (void)state;
  struct run run = run_once("stall", 5000, 50);
  assert_int_equal(run.result.outcome, OUTCOME_TIMEOUT);
  assert_non_null(strstr(run.detail, "no content"));
  assert_int_equal(run.tokens, 1);
  run = run_once("comments", 1000, 50); /* comments are no content */
  assert_int_equal(run.result.outcome, OUTCOME_TIMEOUT);
  assert_non_null(strstr(run.detail, "no content"));
  run = run_once("silent", 5000, 50);
  assert_int_equal(run.result.outcome, OUTCOME_TIMEOUT);
  assert_int_equal(run.result.ttft_ms, -1);
  run = run_once("silent", 50, 5000);
  assert_int_equal(run.result.outcome, OUTCOME_TIMEOUT);
  assert_non_null(strstr(run.detail, "not finished"));
}

static void test_held_open_after_the_end(void **state) {
  (void)state;
  struct run run = run_once("held-open", 5000, 5000);
  assert_int_equal(run.result.outcome, OUTCOME_OK);
  assert_string_equal(run.text, "Hello you");
}

static void test_nobody_there(void **state) {
  (void)state;
  struct run run = {0};
  open_all(&run, 1000);
  snprintf(base_url, sizeof base_url, "http://127.0.0.1:1");
  begin(&run, "happy", 5000);
  loop_run(loop);
  assert_int_equal(run.result.outcome, OUTCOME_UNAVAILABLE);
  assert_int_equal(run.result.upstream_status, 0);
  assert_true(run.detail[0] != '\0');
  close_all(&run);
}

static void test_cancel(void **state) {
  (void)state;
  for (enum cancel_at at = AT_START; at <= AT_TOKEN; at++) {
    struct run run = {.cancel_at = at, .hold = at == AT_WAIT};
    open_all(&run, 5000);
    tiny_server_on_close(server, stop_loop);
    begin(&run, "stall", at == AT_WAIT ? 30 : 5000);
    if (at == AT_WAIT) {
      loop_run(loop); /* never proceeded: the turn's own time passes */
      assert_int_equal(run.result.outcome, OUTCOME_TIMEOUT);
      close_all(&run);
      continue;
    }
    loop_run(loop); /* at a token: until the server saw its connection close */
    assert_int_equal(run.dones, 0);
    assert_int_equal(run.starts, 1);
    close_all(&run);
  }
  struct run run = {0};
  open_all(&run, 5000);
  begin(&run, "happy", 5000);
  ask_cancel(run.ask);
  loop_timer_start(loop, 5, stop_loop, NULL);
  loop_run(loop);
  assert_int_equal(run.starts + run.dones, 0);
  close_all(&run);
}

static void run_demo(int64_t rate, struct run *run) {
  const struct provider_options options = {.connections_per_host = 1,
                                           .max_queued = 1,
                                           .connect_timeout_ms = 1000,
                                           .idle_timeout_ms = 1000,
                                           .max_answer_bytes = 100000,
                                           .demo_token_rate = rate};
  server = NULL;
  assert_int_equal(loop_create(&loop, NULL), STATUS_OK);
  assert_int_equal(provider_create(loop, &options, &provider, NULL), STATUS_OK);
  binding = (struct agent_binding){
      .type = "demo", .provider = "demo", .model = "demo", .wire = WIRE_DEMO, .available = true};
  begin(run, "", 60000);
  loop_run(loop);
  assert_int_equal(run->result.outcome, OUTCOME_OK);
  assert_string_equal(run->shown.ptr, run->text);
  assert_non_null(strstr(run->text, "[demo] On the question"));
  assert_int_equal(run->result.cost_usd_micro, 0);
  assert_true(run->result.usage.output > 20);
  close_all(run);
}

static void test_demo(void **state) {
  (void)state;
  struct run burst = {0}, paced = {0};
  run_demo(0, &burst);
  assert_int_equal(burst.tokens, 1);
  run_demo(1000, &paced);
  assert_true(paced.tokens > 1);
  assert_string_equal(burst.text, paced.text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_happy),        cmocka_unit_test(test_failures),
      cmocka_unit_test(test_clocks),       cmocka_unit_test(test_held_open_after_the_end),
      cmocka_unit_test(test_nobody_there), cmocka_unit_test(test_cancel),
      cmocka_unit_test(test_demo),         cmocka_unit_test(test_the_key_in_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
