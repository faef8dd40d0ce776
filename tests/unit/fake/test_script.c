/* Scripts: what their reader refuses, which requests their rules match, and the ways to a fault
 * before them; the counts; and how an answer is spread over writes and time. */
#include "fixture.h"

#include "base/json.h"
#include "fake/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#define PATH "/v1/chat/completions"
#define ASK(model, words)                                                                          \
  "{\"model\":\"" model "\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"" words \
  "\"}]}"

static void test_refused_scripts(void **state) {
  (void)state;
  static const struct {
    const char *text, *field;
  } cases[] = {
      {"[]", "rules"},
      {"{}", "rules"},
      {"{\"rules\":{}}", "rules"},
      {"{\"rules\":[],\"more\":1}", "rules"},
      {"{\"rules\":[1]}", "rules[0].match"},
      {"{\"rules\":[{},{\"faults\":\"cut\"}]}", "rules[1].faults"},
      {"{\"rules\":[{\"fault\":\"nope\"}]}", "rules[0].fault"},
      {"{\"rules\":[{\"fault\":1}]}", "rules[0].fault"},
      {"{\"rules\":[{\"match\":{\"nth\":-1}}]}", "rules[0].nth"},
      {"{\"rules\":[{\"match\":{\"nth\":1.5}}]}", "rules[0].nth"},
      {"{\"rules\":[{\"match\":{\"fault\":\"cut\"}}]}", "rules[0].fault"},
      {"{\"rules\":[{\"match\":3}]}", "rules[0].match"},
      {"{\"rules\":[{\"latency_ms\":86400001}]}", "rules[0].latency_ms"},
      {"{\"rules\":[{\"reply\":null}]}", "rules[0].reply"},
      {"{\"rules\":[{\"echo_key\":1}]}", "rules[0].echo_key"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct script *script;
    struct error err;
    assert_int_equal(script_parse(bytes_of(cases[i].text), &script, &err), STATUS_INVALID);
    assert_string_equal(err.field, cases[i].field);
  }
}

static void test_too_many_rules(void **state) {
  (void)state;
  struct script *script;
  BUFFER_LATER struct buffer b;
  buffer_init(&b, 1 << 20);
  buffer_append_text(&b, "{\"rules\":[{}");
  for (int i = 1; i < SCRIPT_RULES_MAX; i++) buffer_append_text(&b, ",{}");
  size_t len = b.len;
  buffer_append_text(&b, "]}");
  assert_int_equal(script_parse(buffer_bytes(&b), &script, NULL), STATUS_OK);
  assert_int_equal(script_rule_count(script), SCRIPT_RULES_MAX);
  script_destroy(script);
  b.len = len;
  buffer_append_text(&b, ",{}]}");
  assert_int_equal(script_parse(buffer_bytes(&b), &script, NULL), STATUS_TOO_LARGE);
}

static int status_of(const char *path, const char *extra, const char *body) {
  struct response r = fixture_ask(path, extra, body);
  int status = r.status;
  response_done(&r);
  return status;
}

static void test_matching(void **state) {
  (void)state;
  fixture_start(&FAKE_OPTIONS_DEFAULT);
  fixture_script(
      "{\"rules\":["
      "{\"match\":{\"model\":\"a\"},\"fault\":\"status-500\",\"times\":1},"
      "{\"match\":{\"model\":\"b\",\"nth\":2},\"fault\":\"status-502\"},"
      "{\"match\":{\"model\":\"c\",\"every\":3},\"fault\":\"status-503\"},"
      "{\"match\":{\"prompt_contains\":\"needle\"},\"fault\":\"status-504\"},"
      "{\"match\":{\"path\":\"/api/v1/\"},\"fault\":\"status-529\"},"
      "{\"match\":{\"kind\":\"\",\"model\":\"d\"},\"fault\":\"status-401\"},"
      "{\"match\":{\"kind\":\"proposal\"},\"fault\":\"status-402\"}]}");
  assert_int_equal(status_of(PATH, "", ASK("a", "q")), 500);
  assert_int_equal(status_of(PATH, "", ASK("a", "q")), 200);
  for (int i = 1; i <= 4; i++)
    assert_int_equal(status_of(PATH, "", ASK("b", "q")), i == 2 ? 502 : 200);
  for (int i = 1; i <= 7; i++)
    assert_int_equal(status_of(PATH, "", ASK("c", "q")), i % 3 ? 200 : 503);
  assert_int_equal(status_of(PATH, "", ASK("x", "hay needle hay")), 504);
  assert_int_equal(status_of("/api" PATH, "", ASK("x", "q")), 529);
  assert_int_equal(status_of(PATH, "", ASK("d", "q")), 401);
  assert_int_equal(status_of(PATH, "",
                             "{\"model\":\"d\",\"messages\":[{\"content\":\"q\"}],"
                             "\"response_format\":{\"json_schema\":{\"schema\":{\"type\":"
                             "\"object\",\"properties\":{\"answer\":{\"type\":\"string\"}}}}}}"),
                   402);
  /* The nearer says more: header, model's suffix, script. */
  assert_int_equal(status_of(PATH, "", ASK("x@status-404", "needle")), 404);
  assert_int_equal(status_of(PATH, "x-fake-fault: status-409\r\n", ASK("x@status-404", "needle")),
                   409);
  assert_int_equal(status_of(PATH, "x-fake-fault: none\r\n", ASK("x", "needle")), 200);
  fixture_script("{\"rules\":[]}");
  assert_int_equal(status_of(PATH, "", ASK("x", "needle")), 200);
  fixture_stop();
}

static void expect_echo(const char *path, const char *header) {
  struct response r = fixture_ask(path, header, ASK("m", "hello"));
  assert_string_equal(response_header(&r, "x-request-id"), "req_sk-123");
  assert_string_equal(response_header(&r, "request-id"), "req_sk-123");
  if (r.status != 200) assert_non_null(strstr(r.body.ptr, "provided: sk-123."));
  response_done(&r);
}

static void test_echo_key(void **state) {
  (void)state;
  fixture_start(&FAKE_OPTIONS_DEFAULT);
  fixture_script(
      "{\"rules\":[{\"echo_key\":true,\"fault\":\"status-401\",\"times\":2},"
      "{\"echo_key\":true}]}");
  expect_echo(PATH, "Authorization: bearer sk-123\r\n");
  expect_echo(PATH, "X-Goog-Api-Key: sk-123\r\n");
  expect_echo(PATH, "x-api-key: sk-123\r\n");
  fixture_script("{\"rules\":[{\"echo_key\":true,\"fault\":\"error-mid\"}]}");
  struct response r = fixture_ask(PATH, "x-api-key: sk-123\r\n", ASK("m", "hello"));
  assert_int_equal(r.status, 200);
  assert_non_null(strstr(r.body.ptr, "provided: sk-123."));
  response_done(&r);
  fixture_stop();
}

static void test_fault_of_all(void **state) {
  (void)state;
  struct fake_options options = FAKE_OPTIONS_DEFAULT;
  options.fault = fault_find(BYTES_LITERAL("status-503"));
  assert_non_null(options.fault);
  fixture_start(&options);
  assert_int_equal(status_of(PATH, "", ASK("x", "q")), 503);
  assert_int_equal(status_of("/_fake/script", "", "{\"rules\":7}"), 400);
  fixture_stop();
}

static void test_bad_requests(void **state) {
  (void)state;
  fixture_start(&FAKE_OPTIONS_DEFAULT);
  assert_int_equal(status_of(PATH, "", "nonsense"), 400);
  assert_int_equal(status_of(PATH, "", "{\"model\":\"m\"}"), 400);
  assert_int_equal(status_of(PATH, "", "{\"messages\":[{\"content\":\"q\"}]}"), 400);
  assert_int_equal(status_of("/v1/nothing", "", "{}"), 404);
  int fd = fixture_connect();
  fixture_send(fd, BYTES_LITERAL("GET / HTTP/1.1\nHost: x\n\n"));
  struct response r = fixture_read(fd, SIZE_MAX);
  assert_int_equal(r.status, 400);
  assert_string_equal(response_header(&r, "connection"), "close");
  response_done(&r);
  close(fd);
  fixture_stop();
}

static json_t *get_json(const char *path) {
  char request[100];
  json_t *value = NULL;
  int fd = fixture_connect();
  snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
  fixture_send(fd, bytes_of(request));
  struct response r = fixture_read(fd, SIZE_MAX);
  assert_int_equal(r.status, 200);
  assert_int_equal(json_parse(buffer_bytes(&r.body), &value, NULL), STATUS_OK);
  response_done(&r);
  close(fd);
  return value;
}

static void test_counts(void **state) {
  (void)state;
  fixture_start(&FAKE_OPTIONS_DEFAULT);
  for (int i = 0; i < 3; i++) status_of(PATH, "", ASK("x", "q"));
  status_of(PATH, "", ASK("x@status-529", "q"));
  status_of("/v1/messages", "", ASK("x@reset", "q"));
  JSON_LATER json_t *stats = get_json("/_fake/stats");
  const json_t *answers = json_object_get(stats, "answers");
  assert_int_equal(json_get_int(json_object_get(answers, "openai"), "200", 0), 3);
  assert_int_equal(json_get_int(json_object_get(answers, "openai"), "529", 0), 1);
  assert_int_equal(json_get_int(json_object_get(answers, "anthropic"), "0", 0), 1);
  assert_int_equal(json_get_int(json_object_get(stats, "faults"), "status-529", 0), 1);
  assert_int_equal(json_get_int(json_object_get(stats, "faults"), "reset", 0), 1);
  assert_int_equal(json_get_int(stats, "requests", 0), 5);
  assert_int_equal(json_get_int(json_object_get(stats, "connections"), "accepted", 0), 6);
  JSON_LATER json_t *models = get_json("/v1/models");
  assert_true(json_is_array(json_object_get(models, "data")));
  JSON_LATER json_t *tags = get_json("/api/tags");
  assert_true(json_is_array(json_object_get(tags, "models")));
  fixture_stop();
}

static void test_who_left(void **state) {
  (void)state;
  static const char *const faults[] = {"stall-head", "stall-text", "comments", "endless"};
  fixture_start(&FAKE_OPTIONS_DEFAULT);
  for (int i = 0; i < 4; i++) {
    char extra[60];
    snprintf(extra, sizeof extra, "x-fake-fault: %s\r\n", faults[i]);
    int fd = fixture_connect();
    fixture_post(fd, PATH, extra, ASK("m", "q"));
    status_of(PATH, "", ASK("m", "q")); /* answered after the other was read */
    close(fd);
    for (int64_t early = 0; early != i + 1;) { /* each look is a turn of the server's loop */
      JSON_LATER json_t *stats = get_json("/_fake/stats");
      early = json_get_int(json_object_get(stats, "connections"), "closed_early", -1);
      assert_in_range(early, i, i + 1);
    }
  }
  fixture_stop();
}

/* ---- connections ---- */

static void test_keep_alive(void **state) {
  (void)state;
  fixture_start(&FAKE_OPTIONS_DEFAULT);
  int fd = fixture_connect();
  for (int i = 0; i < 50; i++) {
    fixture_post(fd, PATH, i == 49 ? "connection: close\r\n" : "", ASK("x", "q"));
    struct response r = fixture_read(fd, SIZE_MAX);
    assert_int_equal(r.status, 200);
    assert_true(r.whole);
    response_done(&r);
  }
  char byte;
  assert_int_equal(recv(fd, &byte, 1, 0), 0);
  close(fd);
  fixture_stop();
}

/* Several requests in one write, some of whose answers take time, come back in their order. */
static void test_pipelined(void **state) {
  (void)state;
  enum { REQUESTS = 6 };
  fixture_start(&FAKE_OPTIONS_DEFAULT);
  fixture_script(
      "{\"rules\":[{\"match\":{\"every\":2},\"latency_ms\":1,\"reply\":\"slow\"},"
      "{\"reply\":\"fast\"}]}");
  static const char body[] = "{\"model\":\"m\",\"messages\":[{\"content\":\"q\"}]}";
  BUFFER_LATER struct buffer b;
  BUFFER_LATER struct buffer got;
  buffer_init(&b, 1 << 20);
  buffer_init(&got, 1 << 20);
  for (int i = 0; i < REQUESTS; i++)
    buffer_printf(&b, "POST " PATH " HTTP/1.1\r\nhost: x\r\n%scontent-length: %zu\r\n\r\n%s",
                  i == REQUESTS - 1 ? "connection: close\r\n" : "", sizeof body - 1, body);
  int fd = fixture_connect();
  fixture_send(fd, buffer_bytes(&b));
  char piece[4096];
  for (ssize_t n; (n = recv(fd, piece, sizeof piece, 0)) > 0;)
    buffer_append(&got, piece, (size_t)n);
  const char *p = got.ptr;
  for (int i = 1; i <= REQUESTS; i++) {
    char id[40];
    snprintf(id, sizeof id, "x-request-id: req_fake%d\r\n", i);
    p = strstr(p, id);
    assert_non_null(p);
    const char *content = strstr(p, "\"content\":\"");
    assert_non_null(content);
    assert_memory_equal(content + 11, i % 2 ? "fast" : "slow", 4);
  }
  close(fd);
  fixture_stop();
}

static void test_cut_requests(void **state) {
  (void)state;
  fixture_start(&FAKE_OPTIONS_DEFAULT);
  static const char request[] = "POST " PATH
                                " HTTP/1.1\r\nhost: x\r\ncontent-length: 45\r\n\r\n"
                                "{\"model\":\"m\",\"messages\":[{\"content\":\"q\"}]}   ";
  int fd = fixture_connect();
  for (size_t i = 0; i < sizeof request - 1; i++) fixture_send(fd, (struct bytes){request + i, 1});
  struct response r = fixture_read(fd, SIZE_MAX);
  assert_int_equal(r.status, 200);
  response_done(&r);
  /* A shorter one after it is not taken for a part of something as long. */
  fixture_send(fd, BYTES_LITERAL("GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n"));
  r = fixture_read(fd, SIZE_MAX);
  assert_int_equal(r.status, 200);
  response_done(&r);
  close(fd);
  fixture_stop();
}

static void test_expect_continue(void **state) {
  (void)state;
  fixture_start(&FAKE_OPTIONS_DEFAULT);
  int fd = fixture_connect();
  char line[64] = "";
  fixture_send(fd, BYTES_LITERAL("POST " PATH " HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n"
                                 "content-length: 42\r\n\r\n"));
  assert_int_equal(recv(fd, line, 25, MSG_WAITALL), 25);
  assert_string_equal(line, "HTTP/1.1 100 Continue\r\n\r\n");
  fixture_send(fd, BYTES_LITERAL("{\"model\":\"m\",\"messages\":[{\"content\":\"q\"}]}"));
  struct response r = fixture_read(fd, SIZE_MAX);
  assert_int_equal(r.status, 200);
  response_done(&r);
  close(fd);
  fixture_stop();
}

static void test_http_1_0(void **state) {
  (void)state;
  fixture_start(&FAKE_OPTIONS_DEFAULT);
  int fd = fixture_connect();
  static const char body[] = ASK("m", "q");
  char head[100];
  snprintf(head, sizeof head, "POST " PATH " HTTP/1.0\r\ncontent-length: %zu\r\n\r\n",
           sizeof body - 1);
  fixture_send(fd, bytes_of(head));
  fixture_send(fd, bytes_of(body));
  struct response r = fixture_read(fd, SIZE_MAX);
  assert_int_equal(r.status, 200);
  assert_null(response_header(&r, "transfer-encoding"));
  assert_true(r.whole);
  assert_non_null(strstr(r.body.ptr, "data: [DONE]\n\n"));
  response_done(&r);
  close(fd);
  fixture_stop();
}

/* A script whose one rule answers with so many words. */
static void set_long_reply(int words) {
  BUFFER_LATER struct buffer b;
  buffer_init(&b, 2 << 20);
  buffer_append_text(&b, "{\"rules\":[{\"match\":{\"model\":\"m\"},\"reply\":\"");
  for (int i = 0; i < words; i++) buffer_append_text(&b, "a ");
  buffer_append_text(&b, "\"}]}");
  fixture_script(b.ptr);
}

/* More than the kernel takes at once: the rest follows as the reader gets on, and the server has
 * served another one meanwhile. */
static void test_slow_reader(void **state) {
  (void)state;
  enum { LONG_REPLY_WORDS = 60000 };
  fixture_start(&FAKE_OPTIONS_DEFAULT);
  set_long_reply(LONG_REPLY_WORDS);
  int fd = fixture_connect();
  fixture_post(fd, PATH, "", ASK("m", "q"));
  assert_int_equal(status_of(PATH, "", ASK("other", "r")), 200);
  struct response r = fixture_read(fd, SIZE_MAX);
  static const char mark[] = "\"content\":\"";
  const char *p = r.body.ptr;
  const char *end = p + r.body.len;
  int count = 0;
  while ((p = memmem(p, (size_t)(end - p), mark, sizeof mark - 1))) count++, p++;
  assert_int_equal(count, LONG_REPLY_WORDS + 2); /* the role's, and the blank at the end */
  assert_true(r.whole);
  response_done(&r);
  close(fd);
  fixture_stop();
}

static void test_too_long(void **state) {
  (void)state;
  fixture_start(&FAKE_OPTIONS_DEFAULT);
  set_long_reply(450000);
  struct response r = fixture_ask(PATH, "", ASK("m", "q"));
  assert_int_equal(r.status, 500);
  assert_non_null(strstr(r.body.ptr, "too large"));
  response_done(&r);
  fixture_stop();
}

static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void test_latency_and_rate(void **state) {
  (void)state;
  struct fake_options options = FAKE_OPTIONS_DEFAULT;
  options.latency_ms = 60;
  options.token_rate = 200;
  fixture_start(&options);
  fixture_script("{\"rules\":[{\"reply\":\"a b c d e f g h i j\"}]}");
  int64_t start = now_ms();
  struct response r = fixture_ask(PATH, "", ASK("m", "q"));
  /* Ten words and the records before and after: 13 records, 5 ms apart. */
  assert_true(now_ms() - start >= 60 + 12 * 5);
  assert_true(r.reads > 3);
  response_done(&r);
  start = now_ms();
  r = fixture_ask(PATH, "", "{\"model\":\"m\",\"messages\":[{\"content\":\"q\"}]}");
  assert_true(now_ms() - start >= 60 + 10 * 5);
  response_done(&r);
  fixture_script("{\"rules\":[{\"reply\":\"a\",\"latency_ms\":0,\"token_rate\":0}]}");
  r = fixture_ask(PATH, "", ASK("m", "q"));
  assert_int_equal(r.reads, 1); /* one write */
  response_done(&r);
  fixture_stop();
}

static int64_t stat_of(const char *group, const char *name) {
  JSON_LATER json_t *stats = get_json("/_fake/stats");
  return json_get_int(group ? json_object_get(stats, group) : stats, name, -1);
}

/* With no script to look at, a request waits for its latency and not its answer. */
static void test_requests_wait(void **state) {
  (void)state;
  struct fake_options options = FAKE_OPTIONS_DEFAULT;
  options.latency_ms = 60;
  fixture_start(&options);
  int64_t start = now_ms();
  int fd = fixture_connect();
  fixture_post(fd, PATH, "", ASK("m", "q"));
  fixture_post(fd, PATH, "", ASK("m@status-529", "q")); /* while the first one waits, mostly */
  while (stat_of(NULL, "requests") < 1) continue;
  struct response r = fixture_read(fd, SIZE_MAX);
  assert_int_equal(r.status, 200);
  assert_true(now_ms() - start >= 60);
  response_done(&r);
  r = fixture_read(fd, SIZE_MAX);
  assert_int_equal(r.status, 529);
  assert_true(now_ms() - start >= 2 * 60);
  response_done(&r);
  assert_int_equal(stat_of(NULL, "requests"), 2);
  fixture_post(fd, PATH, "", ASK("m", "q"));
  while (stat_of(NULL, "requests") < 3) continue;
  close(fd);
  while (stat_of("connections", "closed_early") < 1) continue;
  fixture_stop();
}

static void test_pieces(void **state) {
  (void)state;
  struct fake_options options = FAKE_OPTIONS_DEFAULT;
  options.write_bytes = 7;
  fixture_start(&options);
  struct response r = fixture_ask(PATH, "", ASK("m", "q"));
  assert_true(r.whole);
  assert_non_null(strstr(r.body.ptr, "data: [DONE]\n\n"));
  response_done(&r);
  fixture_stop();
}

/* Stopping with answers under way frees everything; a sanitizer looks. */
static void test_stop_in_the_middle(void **state) {
  (void)state;
  static const char *const faults[] = {"x-fake-fault: stall-text\r\n", "x-fake-fault: comments\r\n",
                                       "x-fake-fault: drip\r\n", "x-fake-fault: endless\r\n"};
  int fds[4];
  fixture_start(&FAKE_OPTIONS_DEFAULT);
  for (int i = 0; i < 4; i++) {
    fds[i] = fixture_connect();
    fixture_post(fds[i], PATH, faults[i], ASK("m", "q"));
  }
  status_of(PATH, "", ASK("m", "q"));
  fixture_stop();
  for (int i = 0; i < 4; i++) close(fds[i]);
}

static void test_address_taken(void **state) {
  (void)state;
  struct loop *loop;
  struct fake_server *first, *second;
  struct error err;
  struct fake_options options = FAKE_OPTIONS_DEFAULT;
  assert_int_equal(loop_create(&loop, NULL), STATUS_OK);
  assert_int_equal(fake_server_create(loop, &options, &first, &err), STATUS_OK);
  options.port = fake_server_port(first);
  assert_int_equal(fake_server_create(loop, &options, &second, &err), STATUS_IO);
  options.host = "localhost";
  assert_int_equal(fake_server_create(loop, &options, &second, &err), STATUS_INVALID);
  fake_server_destroy(first);
  loop_destroy(loop);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_refused_scripts),
                                     cmocka_unit_test(test_too_many_rules),
                                     cmocka_unit_test(test_echo_key),
                                     cmocka_unit_test(test_matching),
                                     cmocka_unit_test(test_fault_of_all),
                                     cmocka_unit_test(test_bad_requests),
                                     cmocka_unit_test(test_counts),
                                     cmocka_unit_test(test_who_left),
                                     cmocka_unit_test(test_keep_alive),
                                     cmocka_unit_test(test_pipelined),
                                     cmocka_unit_test(test_cut_requests),
                                     cmocka_unit_test(test_expect_continue),
                                     cmocka_unit_test(test_http_1_0),
                                     cmocka_unit_test(test_slow_reader),
                                     cmocka_unit_test(test_too_long),
                                     cmocka_unit_test(test_latency_and_rate),
                                     cmocka_unit_test(test_requests_wait),
                                     cmocka_unit_test(test_pieces),
                                     cmocka_unit_test(test_stop_in_the_middle),
                                     cmocka_unit_test(test_address_taken)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
