/* Requests and answers over real sockets. */
#include "world.h"

#include "base/json.h"
#include "base/metrics.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define HOST "Host: localhost\r\n"

/* What handlers and the test share. */
static struct {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  struct http_request *held; /* of /api/held, to be answered by the test */
  bool hold_pool, in_pool;   /* /api/slow waits in the pool while hold_pool */
  struct http_shared *shared;
} app = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void hello(struct http_request *r, void *ctx) {
  http_respond(r, 200, "text/plain", BYTES_LITERAL("hello"), NULL);
}

static void show_shared(struct http_request *r, void *ctx) {
  http_respond_shared(r, 200, http_shared_ref(app.shared));
}

static const char *or_none(const char *text) {
  return text ? text : "(none)";
}

static void echo(struct http_request *r, void *ctx) {
  struct bytes body = http_request_body(r);
  http_respond_json(
      r, 201,
      json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:b}", "id",
                or_none(http_request_param(r, "id")), "q", or_none(http_request_query(r, "q")),
                "header", or_none(http_request_header(r, "x-thing")), "peer", http_request_peer(r),
                "path", http_request_path(r), "method", http_request_method(r), "body",
                json_text(body), "ws_port", http_request_on_ws_port(r)));
}

static void *answer_later(void *arg) {
  echo(arg, NULL);
  return NULL;
}

/* Answered by another thread: sometimes before the handler returns, sometimes after. */
static void later(struct http_request *r, void *ctx) {
  pthread_t t;
  pthread_create(&t, NULL, answer_later, r);
  pthread_detach(t);
}

static void held(struct http_request *r, void *ctx) {
  pthread_mutex_lock(&app.lock);
  app.held = r;
  pthread_cond_broadcast(&app.changed);
  pthread_mutex_unlock(&app.lock);
}

static void slow(struct http_request *r, void *ctx) {
  pthread_mutex_lock(&app.lock);
  app.in_pool = true;
  pthread_cond_broadcast(&app.changed);
  while (app.hold_pool) pthread_cond_wait(&app.changed, &app.lock);
  pthread_mutex_unlock(&app.lock);
  /* what it asked for is still there, whatever became of the connection */
  assert_string_equal(http_request_header(r, "Host"), "localhost");
  http_respond_error(r, 418, "TEAPOT", "pot", "short and \"stout\"");
}

static void own_headers(struct http_request *r, void *ctx) {
  static const char *const headers[] = {"Content-Security-Policy: default-src 'none'",
                                        "Set-Cookie: a=1", "Set-Cookie: b=2", NULL};
  http_respond(r, 200, "text/html", BYTES_LITERAL("<p>"), headers);
}

static const struct http_route routes[] = {
    {"GET", "/hello", hello, .cheap = true},
    {"GET", "/shared", show_shared, .cheap = true},
    {"GET", "/api/items/{id}", echo, .cheap = false},
    {"POST", "/api/items/{id}", echo, .cheap = false},
    {"DELETE", "/api/items/{id}", echo, .cheap = false},
    {"GET", "/api/later/{id}", later, .cheap = false},
    {"POST", "/api/pool/{id}", echo, .pool = true},
    {"GET", "/api/held", held, .cheap = false},
    {"GET", "/api/slow", slow, .pool = true},
    {"GET", "/page", own_headers, .cheap = false},
};

static struct world world;

static void start_with(struct http_options options) {
  world_start(&world, &options, routes, sizeof routes / sizeof *routes, NULL, 0, NULL, NULL);
}

static int setup(void **state) {
  app.shared = http_shared_create(BYTES_LITERAL("{\"ok\":true}"), "application/json");
  start_with(world_options());
  return 0;
}

static int teardown(void **state) {
  int64_t took = world_stop(&world, 1000);
  assert_true(took < 1000);
  http_shared_unref(app.shared);
  return 0;
}

static void expect_error(struct reply *r, int status, const char *code) {
  assert_int_equal(r->status, status);
  json_t *body = NULL;
  assert_int_equal(json_parse((struct bytes){r->body, r->len}, &body, NULL), STATUS_OK);
  assert_string_equal(json_get_text(body, "code", ""), code);
  assert_true(strlen(json_get_text(body, "error", "")) > 0);
  assert_string_equal(json_get_text(body, "request_id", ""), reply_header(r, "X-Request-ID"));
  assert_string_equal(reply_header(r, "Content-Type"), "application/json");
  json_decref(body);
  reply_done(r);
}

static void ask_error(const char *request, int status, const char *code) {
  struct reply r = client_ask(world.port, request);
  expect_error(&r, status, code);
}

static void expect_echo(struct reply *r, const char *key, const char *value) {
  assert_int_equal(r->status, 201);
  json_t *body = NULL;
  assert_int_equal(json_parse((struct bytes){r->body, r->len}, &body, NULL), STATUS_OK);
  assert_string_equal(json_get_text(body, key, ""), value);
  json_decref(body);
}

static void test_answers(void **state) {
  struct reply r = client_ask(world.port, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
  assert_int_equal(r.status, 200);
  assert_string_equal(r.body, "hello");
  assert_string_equal(reply_header(&r, "Content-Length"), "5");
  assert_string_equal(reply_header(&r, "X-Frame-Options"), "DENY");
  assert_string_equal(reply_header(&r, "X-Content-Type-Options"), "nosniff");
  assert_string_equal(reply_header(&r, "X-API-Version"), "v1");
  assert_string_equal(reply_header(&r, "X-API-Supported-Versions"), "v1,v2");
  assert_string_equal(reply_header(&r, "Access-Control-Allow-Origin"), "*");
  assert_non_null(reply_header(&r, "Strict-Transport-Security"));
  assert_null(reply_header(&r, "Connection"));
  reply_done(&r);
}

static void test_kept_connection(void **state) {
  int fd = client_connect(world.port);
  for (int i = 0; i < 20; i++) {
    client_send(fd, i % 2 ? "GET /shared HTTP/1.1\r\n" HOST "\r\n"
                          : "GET /api/later/7?q=a%20b HTTP/1.1\r\n" HOST "\r\n");
    struct reply r = client_read(fd, false);
    if (i % 2) {
      assert_string_equal(r.body, "{\"ok\":true}");
    } else {
      expect_echo(&r, "q", "a b");
    }
    reply_done(&r);
  }
  /* pipelined */
  client_send(fd, "GET /hello HTTP/1.1\r\n" HOST "\r\nGET /api/items/x HTTP/1.1\r\n" HOST "\r\n");
  struct reply r = client_read(fd, false);
  assert_string_equal(r.body, "hello");
  reply_done(&r);
  r = client_read(fd, false);
  expect_echo(&r, "id", "x");
  reply_done(&r);
  close(fd);
}

static void test_what_a_handler_sees(void **state) {
  struct reply r = client_ask(world.port, "POST /api/pool/d%2D1?x=&q=%C3%A9 HTTP/1.1\r\n" HOST
                                          "X-Thing: one\r\nContent-Length: 4\r\n\r\nbody");
  expect_echo(&r, "id", "d-1");
  expect_echo(&r, "q", "\xc3\xa9");
  expect_echo(&r, "header", "one");
  expect_echo(&r, "peer", "127.0.0.1");
  expect_echo(&r, "body", "body");
  expect_echo(&r, "method", "POST");
  reply_done(&r);
  r = client_ask(world.port, "POST /api/v2/items/9 HTTP/1.1\r\n" HOST
                             "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n");
  expect_echo(&r, "path", "/api/items/9");
  expect_echo(&r, "body", "abc");
  assert_string_equal(reply_header(&r, "X-API-Version"), "v2");
  reply_done(&r);
  /* behind a proxy on this machine the last address it added counts */
  r = client_ask(world.port, "GET /api/items/1 HTTP/1.1\r\n" HOST
                             "X-Forwarded-For: 1.1.1.1, 203.0.113.9\r\n\r\n");
  expect_echo(&r, "peer", "203.0.113.9");
  reply_done(&r);
  /* each proxy may add a line of its own: 127.0.0.2 is one, and a client's own line is older */
  r = client_ask(world.port, "GET /api/items/1 HTTP/1.1\r\n" HOST
                             "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 203.0.113.9\r\n"
                             "X-Forwarded-For: 127.0.0.2\r\n\r\n");
  expect_echo(&r, "peer", "203.0.113.9");
  reply_done(&r);
  r = client_ask(world.port, "GET /api/items/1 HTTP/1.1\r\n" HOST "X-Forwarded-For: junk\r\n\r\n");
  expect_echo(&r, "peer", "127.0.0.1");
  reply_done(&r);
}

static void test_errors(void **state) {
  ask_error("GET /nothing HTTP/1.1\r\n" HOST "\r\n", 404, "NOT_FOUND");
  ask_error("GET /api/slow HTTP/1.1\r\n" HOST "\r\n", 418, "TEAPOT");
  struct reply r = client_ask(world.port, "PUT /api/items/1 HTTP/1.1\r\n" HOST "\r\n");
  assert_string_equal(reply_header(&r, "Allow"), "GET, HEAD, POST, DELETE, OPTIONS");
  expect_error(&r, 405, "METHOD_NOT_ALLOWED");
  ask_error("BREW /api/items/1 HTTP/1.1\r\n" HOST "\r\n", 405, "METHOD_NOT_ALLOWED");
  ask_error("AVERYLONGMETHODNAMEINDEED /hello HTTP/1.1\r\n" HOST "\r\n", 405, "METHOD_NOT_ALLOWED");
}

static void test_bad_requests(void **state) {
  static const char *const bad[] = {
      "GET /hello HTTP/1.1\r\n\r\n",
      "GET /hello HTTP/1.1\r\n" HOST "Host: other\r\n\r\n",
      "GET /hello HTTP/1.1\r\n" HOST "X: a\001b\r\n\r\n",
      "GET /hello HTTP/1.1\r\n" HOST "X : a\r\n\r\n",
      "GET /%00 HTTP/1.1\r\n" HOST "\r\n",
      "GET /%ff HTTP/1.1\r\n" HOST "\r\n",
      "GET hello HTTP/1.1\r\n" HOST "\r\n",
      "POST /hello HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 2\r\n\r\na",
      "POST /hello HTTP/1.1\r\n" HOST
      "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "POST /hello HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n",
      "POST /hello HTTP/1.1\r\n" HOST
      "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) ask_error(bad[i], 400, "INVALID_REQUEST");
  /* what frames ambiguously also ends the connection */
  int fd = client_connect(world.port);
  client_send(fd, bad[8]);
  struct reply r = client_read(fd, false);
  assert_string_equal(reply_header(&r, "Connection"), "close");
  expect_error(&r, 400, "INVALID_REQUEST");
  assert_true(client_sees_end(fd));
  close(fd);
}

static void test_body_too_large(void **state) {
  char request[4096];
  char body[1100];
  memset(body, 'x', sizeof body);
  body[sizeof body - 1] = '\0';
  snprintf(request, sizeof request,
           "POST /api/items/1 HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n%s", strlen(body),
           body);
  int fd = client_connect(world.port);
  client_send(fd, request);
  struct reply r = client_read(fd, false);
  expect_error(&r, 413, "PAYLOAD_TOO_LARGE");
  client_send(fd, "GET /hello HTTP/1.1\r\n" HOST "\r\n"); /* and the connection goes on */
  r = client_read(fd, false);
  assert_int_equal(r.status, 200);
  reply_done(&r);
  close(fd);
  snprintf(request, sizeof request,
           "POST /api/items/1 HTTP/1.1\r\n" HOST
           "Transfer-Encoding: chunked\r\n\r\n%zx\r\n%s\r\n0\r\n\r\n",
           strlen(body), body);
  ask_error(request, 413, "PAYLOAD_TOO_LARGE");
  /* refused from its head alone */
  ask_error("POST /api/items/1 HTTP/1.1\r\n" HOST
            "Expect: 100-continue\r\nContent-Length: 99999999999\r\n\r\n",
            413, "PAYLOAD_TOO_LARGE");
}

static void test_head_and_options(void **state) {
  struct reply r = client_ask(world.port, "HEAD /hello HTTP/1.1\r\n" HOST "\r\n");
  assert_int_equal(r.status, 200);
  assert_string_equal(reply_header(&r, "Content-Length"), "5");
  reply_done(&r);
  static const char *const paths[] = {"/api/items/1", "/anything", "*"};
  for (size_t i = 0; i < 3; i++) {
    char request[256];
    snprintf(request, sizeof request,
             "OPTIONS %s HTTP/1.1\r\n" HOST
             "Origin: http://localhost:3000\r\n"
             "Access-Control-Request-Method: POST\r\n\r\n",
             paths[i]);
    r = client_ask(world.port, request);
    assert_int_equal(r.status, 204);
    assert_string_equal(reply_header(&r, "Access-Control-Allow-Origin"), "*");
    assert_non_null(strstr(reply_header(&r, "Access-Control-Allow-Methods"), "DELETE"));
    assert_non_null(strstr(reply_header(&r, "Access-Control-Allow-Headers"), "Authorization"));
    reply_done(&r);
  }
}

static void test_request_ids(void **state) {
  struct reply a = client_ask(world.port, "GET /shared HTTP/1.1\r\n" HOST "\r\n");
  const char *id = reply_header(&a, "X-Request-ID");
  assert_int_equal(strlen(id), 16);
  assert_memory_equal(id, "req-", 4);
  char first[32];
  snprintf(first, sizeof first, "%s", id);
  struct reply b = client_ask(world.port, "GET /shared HTTP/1.1\r\n" HOST "\r\n");
  assert_string_not_equal(first, reply_header(&b, "X-Request-ID"));
  reply_done(&a);
  reply_done(&b);
  static const struct {
    const char *path, *sent;
    bool echoed;
  } cases[] = {{"/shared", "My.id_1-2", true},
               {"/hello", "trace-7", true},
               {"/nothing", "trace-8", true},
               {"/shared", "no spaces", false},
               {"/shared", "a\"b", false}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char request[256];
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n" HOST "X-Request-ID: %s\r\n\r\n",
             cases[i].path, cases[i].sent);
    struct reply r = client_ask(world.port, request);
    if (cases[i].echoed) {
      assert_string_equal(reply_header(&r, "X-Request-ID"), cases[i].sent);
    } else {
      assert_memory_equal(reply_header(&r, "X-Request-ID"), "req-", 4);
    }
    reply_done(&r);
  }
}

static void test_own_headers_win(void **state) {
  struct reply r = client_ask(world.port, "GET /page HTTP/1.1\r\n" HOST "\r\n");
  assert_string_equal(reply_header(&r, "Content-Security-Policy"), "default-src 'none'");
  assert_null(strstr(strstr(r.head, "Content-Security-Policy") + 1, "Content-Security-Policy"));
  assert_non_null(strstr(r.head, "Set-Cookie: a=1\r\n"));
  assert_non_null(strstr(r.head, "Set-Cookie: b=2\r\n"));
  reply_done(&r);
}

/* nginx as the runbook writes it sends this on every request. */
static void test_connection_upgrade_alone_is_http(void **state) {
  int fd = client_connect(world.port);
  for (int i = 0; i < 2; i++) {
    client_send(fd, "GET /hello HTTP/1.1\r\n" HOST "Connection: upgrade\r\n\r\n");
    struct reply r = client_read(fd, false);
    assert_int_equal(r.status, 200);
    reply_done(&r);
  }
  close(fd);
}

static void test_client_that_leaves(void **state) {
  app.held = NULL;
  int fd = client_connect(world.port);
  client_send(fd, "GET /api/held HTTP/1.1\r\n" HOST "\r\n");
  pthread_mutex_lock(&app.lock);
  while (!app.held) pthread_cond_wait(&app.changed, &app.lock);
  pthread_mutex_unlock(&app.lock);
  close(fd);
  http_respond(app.held, 200, "text/plain", BYTES_LITERAL("too late"), NULL);
  app.held = NULL;
}

static void test_metrics(void **state) {
  const char *const labels[] = {"GET", "/api/items/{id}", "201"};
  int64_t before = metric_get(METRIC_HTTP_REQUESTS, labels);
  struct reply r = client_ask(world.port, "GET /api/items/77 HTTP/1.1\r\n" HOST "\r\n");
  reply_done(&r);
  assert_int_equal(metric_get(METRIC_HTTP_REQUESTS, labels), before + 1);
}

static void test_ws_port_serves_too(void **state) {
  struct reply r = client_ask(world.ws_port, "GET /api/items/1 HTTP/1.1\r\n" HOST "\r\n");
  json_t *body = NULL;
  assert_int_equal(json_parse((struct bytes){r.body, r.len}, &body, NULL), STATUS_OK);
  assert_true(json_get_bool(body, "ws_port", false));
  json_decref(body);
  reply_done(&r);
}

/* --- servers of their own --- */

static void test_guard(void **state) {
  struct http_options options = world_options();
  options.guard_local = true;
  start_with(options);
  struct reply r = client_ask(world.port, "GET /hello HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  assert_non_null(strstr(r.body, "ARAGORA_API_TOKEN"));
  assert_non_null(strstr(r.body, "--allow-unauthenticated"));
  expect_error(&r, 403, "FORBIDDEN");
  ask_error("GET /hello HTTP/1.1\r\n" HOST "Origin: https://evil.example\r\n\r\n", 403,
            "FORBIDDEN");
  r = client_ask(world.port,
                 "GET /hello HTTP/1.1\r\nHost: [::1]:80\r\n"
                 "Origin: http://localhost:3000\r\n\r\n");
  assert_int_equal(r.status, 200);
  reply_done(&r);
  world_stop(&world, 1000);
}

static void test_cors_list(void **state) {
  struct http_options options = world_options();
  options.allowed_origins = "https://a.example, https://b.example";
  app.shared = http_shared_create(BYTES_LITERAL("{}"), "application/json");
  start_with(options);
  struct reply r =
      client_ask(world.port, "GET /shared HTTP/1.1\r\n" HOST "Origin: https://b.example\r\n\r\n");
  assert_string_equal(reply_header(&r, "Access-Control-Allow-Origin"), "https://b.example");
  assert_string_equal(reply_header(&r, "Vary"), "Origin");
  reply_done(&r);
  r = client_ask(world.port, "GET /shared HTTP/1.1\r\n" HOST "Origin: https://c.example\r\n\r\n");
  assert_int_equal(r.status, 200);
  assert_null(reply_header(&r, "Access-Control-Allow-Origin"));
  reply_done(&r);
  world_stop(&world, 1000);
  http_shared_unref(app.shared);
}

static void test_idle_stop_is_quick(void **state) {
  start_with(world_options());
  int fd = client_connect(world.port); /* a kept connection does not hold it up */
  client_send(fd, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
  struct reply r = client_read(fd, false);
  reply_done(&r);
  assert_true(world_stop(&world, 30000) < 100);
  close(fd);
}

/* A handler in the pool that outlasts the grace: the client is told, and its late answer is
 * dropped. */
static void test_stop_with_a_request_in_flight(void **state) {
  start_with(world_options());
  app.hold_pool = true;
  app.in_pool = false;
  int fd = client_connect(world.port);
  client_send(fd, "GET /api/slow HTTP/1.1\r\n" HOST "\r\n");
  pthread_mutex_lock(&app.lock);
  while (!app.in_pool) pthread_cond_wait(&app.changed, &app.lock);
  pthread_mutex_unlock(&app.lock);
  http_server_stop(world.server, 50);
  struct reply r = client_read(fd, false);
  assert_int_equal(r.status, 503);
  reply_done(&r);
  assert_true(client_sees_end(fd));
  close(fd);
  pthread_mutex_lock(&app.lock);
  app.hold_pool = false;
  pthread_cond_broadcast(&app.changed);
  pthread_mutex_unlock(&app.lock);
  pool_destroy(world.pool);
  loop_stop(world.loop);
  pthread_join(world.loop_thread, NULL);
  http_server_destroy(world.server);
  loop_destroy(world.loop);
}

/* One that is answered within the grace gets its answer. */
static void test_stop_waits_for_answers(void **state) {
  start_with(world_options());
  app.held = NULL;
  int fd = client_connect(world.port);
  client_send(fd, "GET /api/held HTTP/1.1\r\n" HOST "\r\n");
  pthread_mutex_lock(&app.lock);
  while (!app.held) pthread_cond_wait(&app.changed, &app.lock);
  pthread_mutex_unlock(&app.lock);
  pthread_t t;
  pthread_create(&t, NULL, answer_later, app.held);
  assert_true(world_stop(&world, 5000) < 4000);
  struct reply r = client_read(fd, false);
  assert_int_equal(r.status, 201);
  reply_done(&r);
  pthread_join(t, NULL);
  close(fd);
}

/* A head that drips: every byte resets an inactivity timeout, none resets ours. */
static void test_dripping_head_is_cut(void **state) {
  struct http_options options = world_options();
  options.head_timeout_s = 1;
  start_with(options);
  int fd = client_connect(world.port);
  int64_t begun = now_ms();
  client_send(fd, "GET /hello HTTP/1.1\r\n" HOST "X-Slow: ");
  struct pollfd end = {fd, POLLIN | POLLRDHUP, 0};
  while (poll(&end, 1, 50) == 0 && now_ms() - begun < 8000) send(fd, "a", 1, MSG_NOSIGNAL);
  assert_in_range(now_ms() - begun, 500, 4000);
  /* while one that is served keeps its connection */
  int kept = client_connect(world.port);
  client_send(kept, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
  struct reply r = client_read(kept, false);
  assert_int_equal(r.status, 200);
  reply_done(&r);
  close(kept);
  close(fd);
  world_stop(&world, 1000);
}

static double cpu_s(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
         (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* No descriptor is left to accept with: the server waits for one, it does not spin. */
static void test_out_of_descriptors(void **state) {
  start_with(world_options());
  enum { CLIENTS = 8 };
  int fds[CLIENTS];
  for (int i = 0; i < CLIENTS; i++) fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int next = dup(fds[0]); /* the lowest free one */
  close(next);
  struct rlimit old;
  getrlimit(RLIMIT_NOFILE, &old);
  struct rlimit low = {(rlim_t)next, old.rlim_max};
  setrlimit(RLIMIT_NOFILE, &low);
  struct sockaddr_in a = {.sin_family = AF_INET,
                          .sin_port = htons((uint16_t)world.port),
                          .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct timeval limit = {10, 0};
  for (int i = 0; i < CLIENTS; i++) {
    setsockopt(fds[i], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    assert_int_equal(connect(fds[i], (struct sockaddr *)&a, sizeof a), 0);
    client_send(fds[i], "GET /hello HTTP/1.1\r\n" HOST "\r\n");
  }
  double before = cpu_s();
  struct pollfd answer = {fds[0], POLLIN, 0};
  assert_int_equal(poll(&answer, 1, 400), 0);
  assert_true(cpu_s() - before < 0.2);
  setrlimit(RLIMIT_NOFILE, &old);
  for (int i = 0; i < CLIENTS; i++) {
    struct reply r = client_read(fds[i], false);
    assert_int_equal(r.status, 200);
    reply_done(&r);
    close(fds[i]);
  }
  world_stop(&world, 1000);
}

static void test_pool_full(void **state) {
  start_with(world_options());
  app.hold_pool = true;
  enum { MANY = 40 };
  int fds[MANY];
  for (int i = 0; i < MANY; i++) {
    fds[i] = client_connect(world.port);
    client_send(fds[i], "GET /api/slow HTTP/1.1\r\n" HOST "\r\n");
  }
  /* 2 run and 16 wait, or 16 in all when they came before a worker did; each of the others is
   * refused at once */
  for (int refused = 0; refused < MANY - 18; refused++) {
    struct pollfd waiting[MANY];
    for (int i = 0; i < MANY; i++) waiting[i] = (struct pollfd){fds[i], POLLIN, 0};
    assert_true(poll(waiting, MANY, 10000) > 0);
    int i = 0;
    while (!waiting[i].revents) i++;
    struct reply r = client_read(fds[i], false);
    assert_string_equal(reply_header(&r, "Retry-After"), "1");
    expect_error(&r, 503, "SERVICE_UNAVAILABLE");
    close(fds[i]);
    fds[i] = -1;
  }
  pthread_mutex_lock(&app.lock);
  app.hold_pool = false;
  pthread_cond_broadcast(&app.changed);
  pthread_mutex_unlock(&app.lock);
  int served = 0;
  for (int i = 0; i < MANY; i++) {
    if (fds[i] < 0) continue;
    struct reply r = client_read(fds[i], false);
    if (r.status == 418) served++;
    reply_done(&r);
    close(fds[i]);
  }
  assert_in_range(served, 16, 18);
  world_stop(&world, 1000);
}

int main(void) {
  const struct CMUnitTest together[] = {
      cmocka_unit_test(test_answers),
      cmocka_unit_test(test_kept_connection),
      cmocka_unit_test(test_what_a_handler_sees),
      cmocka_unit_test(test_errors),
      cmocka_unit_test(test_bad_requests),
      cmocka_unit_test(test_body_too_large),
      cmocka_unit_test(test_head_and_options),
      cmocka_unit_test(test_request_ids),
      cmocka_unit_test(test_own_headers_win),
      cmocka_unit_test(test_connection_upgrade_alone_is_http),
      cmocka_unit_test(test_client_that_leaves),
      cmocka_unit_test(test_metrics),
      cmocka_unit_test(test_ws_port_serves_too),
  };
  const struct CMUnitTest apart[] = {
      cmocka_unit_test(test_guard),
      cmocka_unit_test(test_cors_list),
      cmocka_unit_test(test_idle_stop_is_quick),
      cmocka_unit_test(test_stop_with_a_request_in_flight),
      cmocka_unit_test(test_stop_waits_for_answers),
      cmocka_unit_test(test_dripping_head_is_cut),
      cmocka_unit_test(test_out_of_descriptors),
      cmocka_unit_test(test_pool_full),
  };
  int failed = cmocka_run_group_tests(together, setup, teardown);
  return failed + cmocka_run_group_tests(apart, NULL, NULL);
}
