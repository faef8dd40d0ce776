/* Event streams and WebSockets over real sockets. */
#include "world.h"

#include "http/websocket.h"

#include <poll.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define HOST "Host: localhost\r\n"
#define UPGRADE                                               \
  "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n" \
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static struct world world;
static struct script *script;       /* of the next stream */
static struct frame_source endless; /* of the next WebSocket */

static struct {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  struct http_websocket *ws; /* the last that opened */
  int opened, closed, admitted;
  bool hold; /* admission waits */
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void events(struct http_request *r, void *app) {
  http_respond_events(r, script_source(script));
}

static void hello(struct http_request *r, void *app) {
  http_respond(r, 200, "text/plain", BYTES_LITERAL("hello"), NULL);
}

static const struct http_route routes[] = {
    {"GET", "/events", events, .cheap = false},
    {"GET", "/hello", hello, .cheap = true},
};

/* --- what the WebSocket application does --- */

static int admit(struct http_request *r, void *app, void **ret_ctx, struct error *err) {
  pthread_mutex_lock(&seen.lock);
  while (seen.hold) pthread_cond_wait(&seen.changed, &seen.lock);
  seen.admitted++;
  pthread_mutex_unlock(&seen.lock);
  const char *id = http_request_param(r, "id");
  if (id && strcmp(id, "unknown") == 0) {
    error_set(err, STATUS_NOT_FOUND, "id", "no such debate");
    return 404;
  }
  *ret_ctx = &seen;
  return 101;
}

static void on_open(struct http_websocket *ws, void *ctx) {
  pthread_mutex_lock(&seen.lock);
  seen.ws = ws;
  seen.opened++;
  pthread_cond_broadcast(&seen.changed);
  pthread_mutex_unlock(&seen.lock);
  if (script) http_ws_attach(ws, script_source(script), "main");
  if (endless.ops) http_ws_attach(ws, endless, "endless");
}

static void on_message(struct http_websocket *ws, void *ctx, struct bytes text) {
  if (bytes_equal(text, BYTES_LITERAL("close me"))) {
    http_ws_send(ws, BYTES_LITERAL("last words"));
    http_ws_close(ws, 4001, "as you wish");
    return;
  }
  if (bytes_equal(text, BYTES_LITERAL("detach"))) {
    bool first = http_ws_detach(ws, "main");
    bool again = http_ws_detach(ws, "main");
    http_ws_send(ws, first && !again ? BYTES_LITERAL("detached") : BYTES_LITERAL("?"));
    return;
  }
  http_ws_send(ws, text);
}

static void on_binary(struct http_websocket *ws, void *ctx) {
  http_ws_send(ws, BYTES_LITERAL("no bytes"));
}

static void on_close(struct http_websocket *ws, void *ctx) {
  pthread_mutex_lock(&seen.lock);
  seen.closed++;
  pthread_cond_broadcast(&seen.changed);
  pthread_mutex_unlock(&seen.lock);
}

/* Says how far the source "main" is, where there is one. */
static struct frame *farewell(struct http_websocket *ws, void *ctx, char *reason, size_t size) {
  uint64_t seq;
  if (!script || !http_ws_progress(ws, "main", &seq)) return NULL;
  snprintf(reason, size, "resume since=%llu", (unsigned long long)seq);
  return frame_create(BYTES_LITERAL("farewell"), 0, false, false);
}

static const struct http_ws_ops ws_ops = {admit,     on_open,  on_message,
                                          on_binary, on_close, farewell};
static const struct http_ws_route ws_routes[] = {
    {"/ws", .any_on_ws_port = true},
    {"/ws/debates/{id}", .pool = true},
};

static void start_with(struct http_options options) {
  seen.opened = seen.closed = seen.admitted = 0;
  world_start(&world, &options, routes, 2, ws_routes, 2, &ws_ops, NULL);
}

static void start(void) {
  start_with(world_options());
}

static void wait_for(const int *count, int n) {
  pthread_mutex_lock(&seen.lock);
  while (*count < n) pthread_cond_wait(&seen.changed, &seen.lock);
  pthread_mutex_unlock(&seen.lock);
}

/* --- event streams --- */

/* Reads until `text` has come; answers when, in milliseconds. Chunk framing is left in. */
static int64_t read_until(int fd, struct buffer *b, const char *text) {
  char piece[4096];
  while (!b->ptr || !strstr(b->ptr, text)) {
    ssize_t n = recv(fd, piece, sizeof piece, 0);
    if (n <= 0) fail_msg("ended before %s", text);
    assert_true(buffer_append(b, piece, (size_t)n));
  }
  return now_ms();
}

static void test_event_stream(void **state) {
  start();
  script = script_create();
  struct buffer got;
  buffer_init(&got, 1 << 20);
  int fd = client_connect(world.port);
  client_send(fd, "GET /events HTTP/1.1\r\n" HOST "\r\n");
  read_until(fd, &got, "retry: 1000\n\n");
  assert_non_null(strstr(got.ptr, "Content-Type: text/event-stream\r\n"));
  assert_non_null(strstr(got.ptr, "Cache-Control: no-cache\r\n"));
  assert_non_null(strstr(got.ptr, "X-Accel-Buffering: no\r\n"));
  script_push(script, "{\"n\":1}", 7, false);
  read_until(fd, &got, "id: 7\ndata: {\"n\":1}\n\n");
  script_push(script, "{\"live\":1}", 0, false);
  read_until(fd, &got, "\ndata: {\"live\":1}\n\n");
  assert_null(strstr(got.ptr, "event:"));
  assert_null(strstr(got.ptr, "id: 0"));
  script_end(script);
  read_until(fd, &got, "\r\n0\r\n\r\n");
  script_destroy(script);
  close(fd);
  buffer_done(&got);
  world_stop(&world, 1000);
}

/* Frames far larger than one write, and thousands of them. */
static void test_much(void **state) {
  start();
  script = script_create();
  enum { LONG = 50000, MANY = 5000 };
  char *big = malloc(LONG + 1);
  memset(big, 'x', LONG);
  big[LONG] = '\0';
  script_push(script, big, 1, false);
  for (int i = 2; i <= MANY; i++) script_push(script, "{}", (uint64_t)i, false);
  script_push(script, big, MANY + 1, true);
  script_end(script);
  struct reply r = client_ask(world.port, "GET /events HTTP/1.1\r\n" HOST "\r\n");
  const char *at = r.body + strlen("retry: 1000\n\n");
  for (int i = 1; i <= MANY + 1; i++) {
    char line[64];
    int n = snprintf(line, sizeof line, "id: %d\ndata: ", i);
    assert_memory_equal(at, line, (size_t)n);
    at += n;
    const char *json = i == 1 || i == MANY + 1 ? big : "{}";
    assert_memory_equal(at, json, strlen(json));
    at += strlen(json);
    assert_memory_equal(at, "\n\n", 2);
    at += 2;
  }
  assert_string_equal(at, "");
  reply_done(&r);
  free(big);
  script_destroy(script);
  world_stop(&world, 1000);
}

static void test_frames_that_go_alone(void **state) {
  start();
  script = script_create();
  script_push(script, "{\"a\":1}", 1, false);
  script_push(script, "{\"error\":1}", 2, true);
  script_push(script, "{\"end\":1}", 3, true);
  script_end(script);
  struct buffer got;
  buffer_init(&got, 1 << 16);
  int64_t begun = now_ms();
  int fd = client_connect(world.port);
  client_send(fd, "GET /events HTTP/1.1\r\n" HOST "\r\n");
  read_until(fd, &got, "\r\n0\r\n\r\n");
  /* How late this thread reads can only lengthen the whole; each write is a chunk of its own. */
  assert_true(now_ms() - begun >= 2 * FRAME_ALONE_DELAY_MS);
  assert_non_null(strstr(got.ptr, "\r\nid: 2\ndata: {\"error\":1}\n\n\r\n"));
  assert_non_null(strstr(got.ptr, "\r\nid: 3\ndata: {\"end\":1}\n\n\r\n"));
  script_destroy(script);
  close(fd);
  buffer_done(&got);
  world_stop(&world, 1000);
}

/* Timers count in whole milliseconds and fire a little early now and then: each of a row of frames
 * must still go out, long before a heartbeat would wake the stream. */
static void test_a_row_that_goes_alone(void **state) {
  enum { ROW = 40 };
  start();
  script = script_create();
  for (int i = 1; i <= ROW; i++) script_push(script, "{}", (uint64_t)i, true);
  script_end(script);
  int64_t begun = now_ms();
  struct reply r = client_ask(world.port, "GET /events HTTP/1.1\r\n" HOST "\r\n");
  int64_t took = now_ms() - begun;
  assert_non_null(strstr(r.body, "id: 40\n"));
  assert_true(took >= (ROW - 1) * FRAME_ALONE_DELAY_MS);
  assert_true(took < 8000);
  reply_done(&r);
  script_destroy(script);
  world_stop(&world, 1000);
}

static void test_heartbeat_finds_the_client_gone(void **state) {
  struct http_options options = world_options();
  options.sse_heartbeat_s = 1;
  start_with(options);
  script = script_create();
  struct buffer got;
  buffer_init(&got, 1 << 16);
  int fd = client_connect(world.port);
  client_send(fd, "GET /events HTTP/1.1\r\n" HOST "\r\n");
  read_until(fd, &got, ": keep-alive\n\n");
  close(fd);
  script_wait_closed(script);
  script_destroy(script);
  buffer_done(&got);
  world_stop(&world, 1000);
}

static void test_head_of_a_stream(void **state) {
  start();
  script = script_create();
  struct reply r = client_ask(world.port, "HEAD /events HTTP/1.1\r\n" HOST "\r\n");
  assert_string_equal(reply_header(&r, "Content-Type"), "text/event-stream");
  reply_done(&r);
  script_destroy(script);
  world_stop(&world, 1000);
}

static void test_stop_with_open_streams(void **state) {
  start();
  script = script_create();
  struct buffer got;
  buffer_init(&got, 1 << 16);
  int fd = client_connect(world.port);
  client_send(fd, "GET /events HTTP/1.1\r\n" HOST "\r\n");
  read_until(fd, &got, "retry: 1000\n\n");
  assert_true(world_stop(&world, 10000) < 500);
  read_until(fd, &got, ": the server stops; resume with Last-Event-ID\nretry: 2000\n\n");
  read_until(fd, &got, "\r\n0\r\n\r\n");
  assert_true(client_sees_end(fd));
  script_destroy(script);
  close(fd);
  buffer_done(&got);
}

/* What the source had when the stop came is sent, the frames that wait for their own write
 * included, before the stream ends in the usual way. */
static void test_stop_sends_what_is_ready(void **state) {
  start();
  script = script_create();
  script_push(script, "{}", 1, false);
  for (uint64_t seq = 2; seq <= 5; seq++) script_push(script, "{}", seq, true);
  struct buffer got;
  buffer_init(&got, 1 << 16);
  int fd = client_connect(world.port);
  client_send(fd, "GET /events HTTP/1.1\r\n" HOST "\r\n");
  read_until(fd, &got, "id: 1\n");
  assert_true(world_stop(&world, 10000) < 5000);
  read_until(fd, &got, "\r\nid: 5\ndata: {}\n\n\r\n");
  read_until(fd, &got, "\r\n0\r\n\r\n");
  script_destroy(script);
  close(fd);
  buffer_done(&got);
}

/* --- WebSockets --- */

static int ws_connect_to(int port, const char *path) {
  char request[512];
  snprintf(request, sizeof request,
           "GET %s HTTP/1.1\r\n" HOST UPGRADE
           "Sec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n",
           path);
  int fd = client_connect(port);
  client_send(fd, request);
  struct reply r = client_read(fd, true);
  assert_int_equal(r.status, 101);
  assert_string_equal(reply_header(&r, "Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  assert_null(reply_header(&r, "Sec-WebSocket-Extensions"));
  reply_done(&r);
  return fd;
}

static int ws_connect(void) {
  return ws_connect_to(world.port, "/ws");
}

static void ws_put(int fd, int first, const void *payload, size_t len) {
  uint8_t head[WEBSOCKET_HEADER_MAX];
  size_t n = websocket_header(WEBSOCKET_TEXT, len, head);
  head[0] = (uint8_t)first;
  head[1] |= 0x80;
  struct buffer b;
  buffer_init(&b, 1 << 20);
  buffer_append(&b, head, n);
  buffer_append(&b, "\1\2\3\4", 4);
  for (size_t i = 0; i < len; i++) {
    buffer_append_char(&b, (char)(((const char *)payload)[i] ^ (char)(1 + (i & 3))));
  }
  client_send_bytes(fd, b.ptr, b.len);
  buffer_done(&b);
}

static void ws_say(int fd, const char *text) {
  ws_put(fd, 0x81, text, strlen(text));
}

/* One frame of the server; answers its first byte, 0 at the end of the connection. */
static int ws_get(int fd, struct buffer *payload) {
  uint8_t head[WEBSOCKET_HEADER_MAX];
  buffer_clear(payload);
  if (!client_read_bytes(fd, head, 2)) return 0;
  assert_int_equal(head[1] & 0x80, 0);
  uint64_t len = head[1];
  int more = len == 126 ? 2 : len == 127 ? 8 : 0;
  if (more) {
    assert_true(client_read_bytes(fd, head + 2, (size_t)more));
    len = 0;
    for (int i = 0; i < more; i++) len = len << 8 | head[2 + i];
  }
  assert_true(buffer_reserve(payload, len));
  assert_true(client_read_bytes(fd, payload->ptr, len));
  payload->len = len;
  payload->ptr[len] = '\0';
  return head[0];
}

static struct buffer got;

static void expect_text(int fd, const char *text) {
  assert_int_equal(ws_get(fd, &got), 0x81);
  assert_string_equal(got.ptr, text);
}

static void expect_close(int fd, int code) {
  assert_int_equal(ws_get(fd, &got), 0x88);
  if (code == 0) {
    assert_int_equal(got.len, 0);
  } else {
    assert_true(got.len >= 2);
    assert_int_equal((uint8_t)got.ptr[0] << 8 | (uint8_t)got.ptr[1], code);
  }
}

static void expect_handshake(int port, const char *request, int status) {
  struct reply r = client_ask(port, request);
  assert_int_equal(r.status, status);
  assert_non_null(strstr(r.body, "\"code\""));
  reply_done(&r);
}

static void test_handshakes(void **state) {
  script = NULL;
  start();
  expect_handshake(world.port,
                   "GET /ws HTTP/1.1\r\n" HOST UPGRADE "Sec-WebSocket-Version: 8\r\n\r\n", 426);
  expect_handshake(world.port, "GET /ws HTTP/1.1\r\n" HOST UPGRADE "\r\n", 426);
  expect_handshake(world.port, "GET /ws HTTP/1.1\r\n" HOST "\r\n", 426);
  expect_handshake(world.port,
                   "GET /ws HTTP/1.1\r\n" HOST
                   "Connection: upgrade\r\nUpgrade: websocket\r\n"
                   "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n\r\n",
                   400);
  expect_handshake(world.port,
                   "POST /ws HTTP/1.1\r\n" HOST UPGRADE "Sec-WebSocket-Version: 13\r\n\r\n", 400);
  expect_handshake(world.port,
                   "GET /elsewhere HTTP/1.1\r\n" HOST UPGRADE "Sec-WebSocket-Version: 13\r\n\r\n",
                   404);
  expect_handshake(
      world.port,
      "GET /ws/debates/unknown HTTP/1.1\r\n" HOST UPGRADE "Sec-WebSocket-Version: 13\r\n\r\n", 404);
  wait_for(&seen.admitted, 1);
  assert_int_equal(seen.opened, 0);
  /* an ordinary path with the upgrade refused is served as HTTP */
  struct reply r = client_ask(
      world.port, "GET /hello HTTP/1.1\r\n" HOST UPGRADE "Sec-WebSocket-Version: 13\r\n\r\n");
  assert_int_equal(r.status, 200);
  reply_done(&r);
  static const char *const anywhere[] = {"/", "/ws", "/ws/debates/d-1", "/what/ever"};
  for (int i = 0; i < 4; i++) {
    int fd = ws_connect_to(world.ws_port, anywhere[i]);
    ws_say(fd, "hi");
    expect_text(fd, "hi");
    close(fd);
  }
  wait_for(&seen.closed, 4);
  world_stop(&world, 1000);
  assert_int_equal(seen.opened, 4);
  assert_int_equal(seen.closed, 4);
}

static void test_echo(void **state) {
  script = NULL;
  start();
  int fd = ws_connect();
  ws_say(fd, "one");
  expect_text(fd, "one");
  ws_put(fd, 0x01, "two ", 4);
  ws_put(fd, 0x89, "?", 1);
  ws_put(fd, 0x80, "halves", 6);
  assert_int_equal(ws_get(fd, &got), 0x8a);
  assert_string_equal(got.ptr, "?");
  expect_text(fd, "two halves");
  ws_put(fd, 0x82, "\xff", 1);
  expect_text(fd, "no bytes");
  char big[4097];
  memset(big, 'x', sizeof big - 1);
  big[sizeof big - 1] = '\0';
  ws_say(fd, big);
  expect_text(fd, big);
  struct http_ws_stats stats = http_ws_stats(world.server);
  assert_int_equal(stats.active, 1);
  assert_int_equal(stats.total, 1);
  assert_int_equal(stats.messages_in, 4);
  /* bytes that come with the handshake */
  ws_put(fd, 0x88, "\x03\xe8", 2);
  expect_close(fd, 1000);
  assert_int_equal(ws_get(fd, &got), 0);
  close(fd);
  wait_for(&seen.closed, 1);
  world_stop(&world, 1000);
}

static void test_early_bytes(void **state) {
  script = NULL;
  start();
  int fd = client_connect(world.port);
  struct buffer b;
  buffer_init(&b, 4096);
  buffer_append_text(&b, "GET /ws HTTP/1.1\r\n" HOST UPGRADE "Sec-WebSocket-Version: 13\r\n\r\n");
  buffer_append(&b, "\x81\x82\0\0\0\0hi", 8);
  client_send_bytes(fd, b.ptr, b.len);
  buffer_done(&b);
  struct reply r = client_read(fd, true);
  assert_int_equal(r.status, 101);
  reply_done(&r);
  expect_text(fd, "hi");
  close(fd);
  world_stop(&world, 1000);
}

static void test_closes(void **state) {
  script = NULL;
  start();
  static const struct {
    const char *bytes;
    size_t len;
    int code;
  } cases[] = {
      {"\x81\x01x", 3, 1002},                   /* not masked */
      {"\xc1\x81\0\0\0\0x", 7, 1002},           /* a reserved bit */
      {"\x83\x81\0\0\0\0x", 7, 1002},           /* a reserved opcode */
      {"\x80\x81\0\0\0\0x", 7, 1002},           /* a continuation of nothing */
      {"\x89\xfe\x00\x7e\0\0\0\0", 8, 1002},    /* a ping too long */
      {"\x81\x81\0\0\0\0\xff", 7, 1007},        /* not UTF-8 */
      {"\x81\xfe\x20\x00\0\0\0\0xx", 10, 1009}, /* 8 KiB announced */
      {"\x88\x82\0\0\0\0\x03\xe8", 8, 1000},    /* an echo */
      {"\x88\x80\0\0\0\0", 6, 0},               /* of nothing */
      {"\x88\x82\0\0\0\0\x03\xed", 8, 1002},    /* 1005 in a frame */
      {"\x88\x83\0\0\0\0\x03\xe8\xff", 9, 1007},
  };
  int64_t begun = now_ms();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    int fd = ws_connect();
    client_send_bytes(fd, cases[i].bytes, cases[i].len);
    expect_close(fd, cases[i].code);
    assert_int_equal(ws_get(fd, &got), 0);
    close(fd);
  }
  /* ended by the close itself, not by the second's wait for a peer that does not answer */
  assert_true(now_ms() - begun < 6000);
  int fd = ws_connect();
  ws_say(fd, "close me");
  expect_text(fd, "last words");
  expect_close(fd, 4001);
  assert_string_equal(got.ptr + 2, "as you wish");
  ws_put(fd, 0x88, "\x0f\xa1", 2);
  assert_int_equal(ws_get(fd, &got), 0);
  close(fd);
  wait_for(&seen.closed, 12);
  world_stop(&world, 1000);
}

static void test_streaming(void **state) {
  script = script_create();
  start();
  int fd = ws_connect_to(world.port, "/ws/debates/d-1");
  for (int i = 1; i <= 1000; i++) {
    char json[32];
    snprintf(json, sizeof json, "{\"seq\":%d}", i);
    script_push(script, json, (uint64_t)i, false);
  }
  for (int i = 1; i <= 1000; i++) {
    char json[32];
    snprintf(json, sizeof json, "{\"seq\":%d}", i);
    expect_text(fd, json);
  }
  ws_say(fd, "detach");
  expect_text(fd, "detached");
  script_destroy(script);
  script = NULL;
  close(fd);
  world_stop(&world, 1000);
}

static void test_ws_frames_that_go_alone(void **state) {
  script = script_create();
  script_push(script, "a", 1, false);
  script_push(script, "b", 2, false);
  script_push(script, "error", 3, true);
  script_push(script, "end", 4, true);
  script_push(script, "after", 0, false);
  start();
  int64_t begun = now_ms();
  int fd = ws_connect();
  expect_text(fd, "a");
  expect_text(fd, "b");
  expect_text(fd, "error");
  expect_text(fd, "end");
  assert_true(now_ms() - begun >= 2 * FRAME_ALONE_DELAY_MS);
  expect_text(fd, "after"); /* and the connection stays */
  ws_say(fd, "still there");
  expect_text(fd, "still there");
  close(fd);
  script_destroy(script);
  script = NULL;
  world_stop(&world, 1000);
}

/* One who does not read: the source is left alone once the socket is full, and nothing is lost. */
static void test_slow_reader(void **state) {
  enum { MANY = 15000 };
  script = script_create();
  char json[1024];
  memset(json, 'x', sizeof json - 1);
  json[sizeof json - 1] = '\0';
  for (int i = 1; i <= MANY; i++) script_push(script, json, (uint64_t)i, false);
  start();
  int fd = ws_connect();
  wait_for(&seen.opened, 1);
  int polls = -1;
  while (polls != script_polls(script)) { /* until it stands still */
    polls = script_polls(script);
    poll(NULL, 0, 100);
  }
  assert_true(polls < MANY);
  for (int i = 1; i <= MANY; i++) expect_text(fd, json);
  close(fd);
  script_destroy(script);
  script = NULL;
  world_stop(&world, 1000);
}

static void test_limits(void **state) {
  script = NULL;
  struct http_options options = world_options();
  options.ws_connections_per_address = 2;
  options.ws_messages_per_second = 5;
  start_with(options);
  int a = ws_connect();
  int b = ws_connect();
  expect_handshake(world.port,
                   "GET /ws HTTP/1.1\r\n" HOST UPGRADE "Sec-WebSocket-Version: 13\r\n\r\n", 429);
  close(b);
  wait_for(&seen.closed, 1);
  b = ws_connect();
  for (int i = 0; i < 30; i++) ws_say(a, "x");
  int echoed = 0;
  for (;;) {
    assert_int_equal(ws_get(a, &got), 0x81);
    if (strcmp(got.ptr, "x") != 0) break;
    echoed++;
  }
  assert_in_range(echoed, 10, 29);
  assert_non_null(strstr(got.ptr, "\"type\":\"warning\""));
  assert_non_null(strstr(got.ptr, "RATE_LIMITED"));
  close(a);
  close(b);
  world_stop(&world, 1000);
}

static void *answer_close(void *arg) {
  int fd = *(int *)arg;
  expect_close(fd, 1001);
  assert_string_equal(got.ptr + 2, "server is shutting down");
  ws_put(fd, 0x88, "\x03\xe9", 2);
  assert_int_equal(ws_get(fd, &got), 0);
  return NULL;
}

static void test_stop_closes_websockets(void **state) {
  script = NULL;
  start();
  int fd = ws_connect();
  wait_for(&seen.opened, 1);
  pthread_t t;
  pthread_create(&t, NULL, answer_close, &fd);
  int64_t took = world_stop(&world, 10000);
  pthread_join(t, NULL);
  assert_true(took < 800);
  assert_int_equal(seen.closed, 1);
  close(fd);
}

static void *stop_world(void *arg) {
  *(int64_t *)arg = world_stop(&world, 10000);
  return NULL;
}

/* As test_stop_sends_what_is_ready. */
static void test_stop_sends_a_websocket_what_is_ready(void **state) {
  script = script_create();
  script_push(script, "a", 1, false);
  script_push(script, "error", 2, true);
  script_push(script, "after", 3, false);
  script_push(script, "end", 4, true);
  start();
  int64_t took = 0;
  pthread_t t;
  int fd = ws_connect();
  expect_text(fd, "a");
  pthread_create(&t, NULL, stop_world, &took);
  expect_text(fd, "error");
  expect_text(fd, "after");
  expect_text(fd, "end");
  expect_text(fd, "farewell");
  expect_close(fd, 1001);
  assert_string_equal(got.ptr + 2, "resume since=4");
  ws_put(fd, 0x88, "\x03\xe9", 2);
  assert_int_equal(ws_get(fd, &got), 0);
  pthread_join(t, NULL);
  assert_true(took < 800); /* it did not wait for its limit */
  script_destroy(script);
  script = NULL;
  close(fd);
}

static enum frame_poll endless_poll(void *source, struct frame **ret_frame) {
  *ret_frame = frame_create(BYTES_LITERAL("more"), 0, false, false);
  return FRAME_READY;
}

static void endless_set_wake(void *source, void (*wake)(void *arg), void *arg) {
}

static void endless_close(void *source) {
  *(int *)source += 1;
}

static const struct frame_source_ops endless_ops = {endless_poll, endless_set_wake, endless_close};

/* Neither a source that always has a frame nor a client that goes on asking holds the stop. */
static void test_stop_with_an_endless_source(void **state) {
  int closed = 0;
  endless = (struct frame_source){&endless_ops, &closed};
  script = NULL;
  start();
  int64_t took = 0;
  pthread_t t;
  int fd = ws_connect();
  expect_text(fd, "more");
  pthread_create(&t, NULL, stop_world, &took);
  int first;
  do {
    first = ws_get(fd, &got);
  } while (first == 0x81);
  assert_int_equal(first, 0x88);
  assert_int_equal((uint8_t)got.ptr[0] << 8 | (uint8_t)got.ptr[1], 1001);
  ws_put(fd, 0x88, "\x03\xe9", 2);
  pthread_join(t, NULL);
  assert_true(took < 3000);
  assert_int_equal(closed, 1);
  endless = (struct frame_source){0};
  close(fd);
}

/* Nor does one that reads nothing. */
static void test_stop_with_an_endless_source_and_a_deaf_websocket(void **state) {
  int closed = 0;
  endless = (struct frame_source){&endless_ops, &closed};
  script = NULL;
  start();
  int fd = ws_connect();
  expect_text(fd, "more");
  assert_true(world_stop(&world, 10000) < 3000);
  assert_int_equal(closed, 1);
  endless = (struct frame_source){0};
  close(fd);
}

static void test_stop_with_a_deaf_websocket(void **state) {
  script = script_create();
  start();
  int fd = ws_connect();
  wait_for(&seen.opened, 1);
  assert_true(world_stop(&world, 10000) < 3000);
  script_destroy(script);
  script = NULL;
  assert_int_equal(seen.closed, 1);
  close(fd);
}

/* The client leaves while it is being admitted, or the server stops: told once, leaked never. */
static void test_left_before_open(void **state) {
  script = NULL;
  start();
  seen.hold = true;
  int fd = client_connect(world.port);
  client_send(fd,
              "GET /ws/debates/d HTTP/1.1\r\n" HOST UPGRADE "Sec-WebSocket-Version: 13\r\n\r\n");
  http_server_stop(world.server, 50);
  pthread_mutex_lock(&seen.lock);
  seen.hold = false;
  pthread_cond_broadcast(&seen.changed);
  pthread_mutex_unlock(&seen.lock);
  pool_destroy(world.pool);
  loop_stop(world.loop);
  pthread_join(world.loop_thread, NULL);
  assert_int_equal(seen.closed, seen.admitted);
  http_server_destroy(world.server);
  loop_destroy(world.loop);
  assert_int_equal(seen.opened, 0);
  close(fd);
}

static int setup(void **state) {
  buffer_init(&got, 1 << 20);
  buffer_append_text(&got, "");
  return 0;
}

static int teardown(void **state) {
  buffer_done(&got);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_event_stream),
      cmocka_unit_test(test_much),
      cmocka_unit_test(test_frames_that_go_alone),
      cmocka_unit_test(test_a_row_that_goes_alone),
      cmocka_unit_test(test_heartbeat_finds_the_client_gone),
      cmocka_unit_test(test_head_of_a_stream),
      cmocka_unit_test(test_stop_with_open_streams),
      cmocka_unit_test(test_stop_sends_what_is_ready),
      cmocka_unit_test(test_handshakes),
      cmocka_unit_test(test_echo),
      cmocka_unit_test(test_early_bytes),
      cmocka_unit_test(test_closes),
      cmocka_unit_test(test_streaming),
      cmocka_unit_test(test_ws_frames_that_go_alone),
      cmocka_unit_test(test_slow_reader),
      cmocka_unit_test(test_limits),
      cmocka_unit_test(test_stop_closes_websockets),
      cmocka_unit_test(test_stop_sends_a_websocket_what_is_ready),
      cmocka_unit_test(test_stop_with_an_endless_source),
      cmocka_unit_test(test_stop_with_an_endless_source_and_a_deaf_websocket),
      cmocka_unit_test(test_stop_with_a_deaf_websocket),
      cmocka_unit_test(test_left_before_open),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
