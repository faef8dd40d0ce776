/* The HTTP client against a loopback server: how calls end, the queue above curl, cancelling. */
#include "io/http_client.h"

#include "tiny_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static struct loop *loop;
static struct http_client *client;
static struct tiny_server *server;
static char url[64];

struct result {
  int heads, status, dones, pieces, read_ends;
  enum http_call_end end;
  struct buffer body;
  char detail[200];
  char header[64];
  char sent_to[16];
  bool refuse_data;
  bool cancel_in_data, cancel_in_head, cancel_in_read_end;
  struct http_call *call;
  int *left; /* stops the loop at 0 */
};

static void finish(struct result *r) {
  if (!r->left || --*r->left <= 0) loop_stop(loop);
}

static void on_head(void *ctx, struct http_call *call, int status_code) {
  struct result *r = ctx;
  r->heads++;
  r->status = status_code;
  const char *id = http_call_header(call, "X-Request-Id");
  if (id) snprintf(r->header, sizeof r->header, "%s", id);
  if (r->cancel_in_head) {
    http_call_cancel(call);
    finish(r);
  }
}

static bool on_data(void *ctx, struct bytes piece) {
  struct result *r = ctx;
  r->pieces++;
  buffer_append_bytes(&r->body, piece);
  if (r->cancel_in_data) {
    http_call_cancel(r->call);
    finish(r);
  }
  return !r->refuse_data;
}

static void on_done(void *ctx, struct http_call *call, enum http_call_end end, const char *detail) {
  struct result *r = ctx;
  r->dones++;
  r->end = end;
  snprintf(r->detail, sizeof r->detail, "%s", detail);
  const char *id = http_call_header(call, "x-request-id");
  if (id) assert_string_equal(id, r->header);
  finish(r);
}

static void on_read_end(void *ctx) {
  struct result *r = ctx;
  r->read_ends++;
  assert_int_equal(r->dones, 0);
  if (r->cancel_in_read_end) {
    http_call_cancel(r->call);
    finish(r);
  }
}

static const struct http_call_ops ops = {on_head, on_data, on_read_end, on_done};

static void result_init(struct result *r) {
  *r = (struct result){0};
  buffer_init(&r->body, 1 << 20);
}

static enum status start_timed(struct result *r, const char *where, int64_t connect_ms,
                               int64_t total_ms) {
  static const char *const headers[] = {"x-test: yes", NULL};
  struct http_call_spec spec = {
      .method = "POST",
      .url = where,
      .headers = headers,
      .body = BYTES_LITERAL("hello"),
      .connect_timeout_ms = connect_ms,
      .total_timeout_ms = total_ms,
      .max_body_bytes = 1000,
      .ops = &ops,
      .ctx = r,
  };
  return http_call_start(client, &spec, &r->call, NULL);
}

static enum status start_call(struct result *r, const char *where, int64_t total_ms) {
  return start_timed(r, where, 2000, total_ms);
}

static void run_one(struct result *r, const char *where, int64_t total_ms) {
  result_init(r);
  assert_int_equal(start_call(r, where, total_ms), STATUS_OK);
  assert_int_equal(r->dones, 0);
  loop_run(loop);
}

static void open_all(tiny_answer_fn *answer, void *ctx, size_t per_host, size_t queued) {
  assert_int_equal(loop_create(&loop, NULL), STATUS_OK);
  struct http_client_limits limits = {per_host, queued};
  assert_int_equal(http_client_create(loop, limits, &client, NULL), STATUS_OK);
  server = tiny_server_start(loop, answer, ctx);
  snprintf(url, sizeof url, "http://127.0.0.1:%d/v1/x", tiny_server_port(server));
}

static void close_all(void) {
  http_client_destroy(client);
  tiny_server_stop(server);
  loop_destroy(loop);
}

static void answer_hello(void *ctx, struct tiny_peer *peer, struct bytes request, int number) {
  (void)number;
  if (ctx) snprintf(ctx, 400, "%.*s", (int)request.len, request.ptr);
  tiny_send_body(peer, 200, "X-Request-ID: abc\r\n", BYTES_LITERAL("world"));
}

static void test_a_call_and_its_connection_again(void **state) {
  (void)state;
  char request[400];
  open_all(answer_hello, request, 4, 4);
  for (int i = 0; i < 5; i++) {
    struct result r;
    run_one(&r, url, 5000);
    assert_int_equal(r.end, HTTP_CALL_COMPLETE);
    assert_int_equal(r.heads, 1);
    assert_int_equal(r.status, 200);
    assert_int_equal(r.dones, 1);
    assert_string_equal(r.body.ptr, "world");
    assert_string_equal(r.header, "abc");
    buffer_done(&r.body);
  }
  assert_int_equal(tiny_server_connections(server), 1);
  assert_ptr_equal(strstr(request, "POST /v1/x HTTP/1.1\r\n"), request);
  assert_non_null(strstr(request, "x-test: yes\r\n"));
  assert_non_null(strstr(request, "\r\n\r\nhello"));
  assert_null(strcasestr(request, "accept-encoding"));
  close_all();
}

static void answer_badly(void *ctx, struct tiny_peer *peer, struct bytes request, int number) {
  (void)request;
  (void)number;
  const char *how = ctx;
  if (strcmp(how, "500") == 0) {
    tiny_send_body(peer, 500, NULL, BYTES_LITERAL("broken"));
  } else if (strcmp(how, "redirect") == 0) {
    tiny_send_body(peer, 302, "Location: http://127.0.0.1:1/\r\n", BYTES_LITERAL(""));
  } else if (strcmp(how, "cut") == 0) {
    tiny_send(peer, BYTES_LITERAL("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome"));
    tiny_close(peer);
  } else if (strcmp(how, "reset") == 0) {
    tiny_reset(peer);
  } else if (strcmp(how, "large") == 0) {
    static char zeros[4000];
    tiny_send_body(peer, 200, NULL, (struct bytes){zeros, sizeof zeros});
  } else if (strcmp(how, "not-http") == 0) {
    tiny_send(peer, BYTES_LITERAL("220 mail.example ESMTP\r\n\r\n"));
    tiny_close(peer);
  } else if (strcmp(how, "stall") == 0) {
    tiny_send(peer, BYTES_LITERAL("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome"));
  } else if (strcmp(how, "continue") == 0) {
    tiny_send(peer, BYTES_LITERAL("HTTP/1.1 100 Continue\r\n\r\n"));
    tiny_send_body(peer, 200, NULL, BYTES_LITERAL("after"));
  } else if (strcmp(how, "gzip") == 0) {
    tiny_send_body(peer, 200, "content-encoding: gzip\r\n", BYTES_LITERAL("\x1f\x8b bomb"));
  }
}

static void end_as(const char *how, enum http_call_end end, const char *body) {
  struct result r;
  open_all(answer_badly, (void *)(uintptr_t)how, 4, 4);
  run_one(&r, url, strcmp(how, "stall") == 0 ? 100 : 5000);
  if (r.end != end) print_error("%s: end %d (%s)\n", how, r.end, r.detail);
  assert_int_equal(r.end, end);
  assert_int_equal(r.dones, 1);
  if (end != HTTP_CALL_COMPLETE) assert_true(r.detail[0] != '\0');
  if (body) assert_string_equal(r.body.ptr, body);
  buffer_done(&r.body);
  close_all();
}

static void test_ends(void **state) {
  (void)state;
  end_as("500", HTTP_CALL_COMPLETE, "broken");
  end_as("continue", HTTP_CALL_COMPLETE, "after");
  end_as("gzip", HTTP_CALL_COMPLETE, "\x1f\x8b bomb"); /* never asked for, never unpacked */
  end_as("redirect", HTTP_CALL_PROTOCOL, NULL);
  end_as("cut", HTTP_CALL_RESET, "some");
  end_as("reset", HTTP_CALL_RESET, NULL);
  end_as("large", HTTP_CALL_TOO_LARGE, NULL);
  end_as("not-http", HTTP_CALL_PROTOCOL, NULL);
  end_as("stall", HTTP_CALL_TIMEOUT, "some");
}

/* A server that takes the connection and says nothing to the handshake. */
static void test_not_connected_in_time(void **state) {
  (void)state;
  char secure[64];
  struct result r;
  open_all(answer_badly, (void *)(uintptr_t) "stall", 4, 4);
  snprintf(secure, sizeof secure, "https://127.0.0.1:%d/", tiny_server_port(server));
  result_init(&r);
  assert_int_equal(start_timed(&r, secure, 30, 60000), STATUS_OK);
  loop_run(loop);
  assert_int_equal(r.end, HTTP_CALL_CONNECT);
  assert_int_equal(strncmp(r.detail, "not connected after ", 20), 0);
  buffer_done(&r.body);
  close_all();
}

/* Connected, a call has its whole time; and when that is over, the next in the queue has the place.
 */
static void test_the_time_of_each(void **state) {
  (void)state;
  struct result first, second;
  open_all(answer_badly, (void *)(uintptr_t) "stall", 1, 4);
  result_init(&first);
  result_init(&second);
  int left = 2;
  first.left = second.left = &left;
  uint64_t began_ms = loop_now_ms(loop);
  assert_int_equal(start_timed(&first, url, 20, 120), STATUS_OK);
  assert_int_equal(start_timed(&second, url, 20, 120), STATUS_OK);
  loop_run(loop);
  assert_true(loop_now_ms(loop) - began_ms >= 240);
  assert_int_equal(first.end, HTTP_CALL_TIMEOUT);
  assert_int_equal(second.end, HTTP_CALL_TIMEOUT);
  assert_string_equal(second.body.ptr, "some");
  assert_int_equal(strncmp(first.detail, "not finished after ", 19), 0);
  buffer_done(&first.body);
  buffer_done(&second.body);
  close_all();
}

static void test_no_server(void **state) {
  (void)state;
  struct result r;
  open_all(answer_hello, NULL, 4, 4);
  run_one(&r, "http://127.0.0.1:1/", 5000);
  assert_int_equal(r.end, HTTP_CALL_CONNECT);
  run_one(&r, "http://no-such-host.invalid/", 5000);
  assert_int_equal(r.end, HTTP_CALL_DNS);
  run_one(&r, "file:///etc/passwd", 5000);
  assert_int_equal(r.end, HTTP_CALL_PROTOCOL);
  result_init(&r);
  assert_int_equal(start_call(&r, "nonsense", 5000), STATUS_INVALID);
  close_all();
}

static void test_tls_is_verified(void **state) {
  (void)state;
  struct result r;
  open_all(answer_hello, NULL, 4, 4);
  char tls_url[64];
  snprintf(tls_url, sizeof tls_url, "https://127.0.0.1:%d/", tiny_server_port(server));
  run_one(&r, tls_url, 500); /* a plain server: no handshake, never a plain request */
  assert_true(r.end == HTTP_CALL_TLS || r.end == HTTP_CALL_RESET || r.end == HTTP_CALL_CONNECT);
  assert_int_equal(r.heads, 0);
  close_all();
}

static void test_stopped_by_the_data_callback(void **state) {
  (void)state;
  struct result r;
  open_all(answer_hello, NULL, 4, 4);
  result_init(&r);
  r.refuse_data = true;
  assert_int_equal(start_call(&r, url, 5000), STATUS_OK);
  loop_run(loop);
  assert_int_equal(r.end, HTTP_CALL_STOPPED);
  buffer_done(&r.body);
  close_all();
}

static struct tiny_peer *held[512];
static int held_count, held_most;
static struct loop_timer *release_timer;

static void release_held(void *arg) {
  (void)arg;
  release_timer = NULL;
  int n = held_count;
  held_count = 0;
  for (int i = 0; i < n; i++) tiny_send_body(held[i], 200, NULL, BYTES_LITERAL("late"));
}

static void answer_held(void *ctx, struct tiny_peer *peer, struct bytes request, int number) {
  (void)ctx;
  (void)request;
  (void)number;
  held[held_count++] = peer;
  if (held_count > held_most) held_most = held_count;
  if (!release_timer) release_timer = loop_timer_start(loop, 5, release_held, NULL);
}

static void test_the_queue_above_curl(void **state) {
  (void)state;
  enum { CALLS = 20, PER_HOST = 3 };
  struct result r[CALLS];
  int left = CALLS;
  held_count = held_most = 0;
  open_all(answer_held, NULL, PER_HOST, CALLS - PER_HOST);
  for (int i = 0; i < CALLS; i++) {
    result_init(&r[i]);
    r[i].left = &left;
    assert_int_equal(start_call(&r[i], url, 5000), STATUS_OK);
  }
  struct result refused;
  result_init(&refused);
  assert_int_equal(start_call(&refused, url, 5000), STATUS_FULL);
  loop_run(loop);
  for (int i = 0; i < CALLS; i++) {
    assert_int_equal(r[i].end, HTTP_CALL_COMPLETE);
    assert_int_equal(r[i].dones, 1);
    assert_string_equal(r[i].body.ptr, "late");
    buffer_done(&r[i].body);
  }
  assert_int_equal(held_most, PER_HOST);
  assert_int_equal(tiny_server_connections(server), PER_HOST);
  close_all();
}

/* All at once, and the second time over the connections of the first. */
static void test_hundreds_to_one_host(void **state) {
  (void)state;
  enum { CALLS = 300, AGAIN = 2 };
  static struct result r[CALLS];
  open_all(answer_held, NULL, CALLS, 0);
  for (int round = 0; round < AGAIN; round++) {
    int left = CALLS;
    held_count = held_most = 0;
    for (int i = 0; i < CALLS; i++) {
      result_init(&r[i]);
      r[i].left = &left;
      assert_int_equal(start_call(&r[i], url, 20000), STATUS_OK);
    }
    loop_run(loop);
    for (int i = 0; i < CALLS; i++) {
      assert_int_equal(r[i].end, HTTP_CALL_COMPLETE);
      assert_string_equal(r[i].body.ptr, "late");
      buffer_done(&r[i].body);
    }
    assert_int_equal(tiny_server_connections(server), CALLS);
  }
  close_all();
}

static void stop_loop(void *ctx) {
  (void)ctx;
  loop_stop(loop);
}

static void test_cancel_frees_the_place_and_the_connection(void **state) {
  (void)state;
  struct result running, queued, last;
  open_all(answer_badly, (void *)(uintptr_t) "stall", 1, 4);
  tiny_server_on_close(server, stop_loop);
  result_init(&running);
  result_init(&queued);
  result_init(&last);
  running.cancel_in_data = true;
  int never = 100;
  running.left = &never;
  assert_int_equal(start_call(&running, url, 5000), STATUS_OK);
  assert_int_equal(start_call(&queued, url, 5000), STATUS_OK);
  http_call_cancel(queued.call);
  loop_run(loop); /* until the server saw the connection close */
  assert_int_equal(running.dones, 0);
  assert_int_equal(queued.heads, 0);
  tiny_server_on_close(server, NULL);
  assert_int_equal(start_call(&last, url, 50), STATUS_OK);
  loop_run(loop);
  assert_int_equal(last.end, HTTP_CALL_TIMEOUT);
  buffer_done(&running.body);
  buffer_done(&last.body);
  close_all();
}

static void test_cancel_in_head_and_outside(void **state) {
  (void)state;
  struct result in_head, outside, waiting;
  open_all(answer_hello, NULL, 1, 4);
  result_init(&in_head);
  in_head.cancel_in_head = true;
  assert_int_equal(start_call(&in_head, url, 5000), STATUS_OK);
  loop_run(loop);
  assert_int_equal(in_head.dones, 0);
  assert_int_equal(in_head.body.len, 0);
  result_init(&outside);
  result_init(&waiting);
  assert_int_equal(start_call(&outside, url, 5000), STATUS_OK);
  assert_int_equal(start_call(&waiting, url, 5000), STATUS_OK);
  http_call_cancel(outside.call);
  loop_run(loop); /* the waiting one takes the place */
  assert_int_equal(waiting.end, HTTP_CALL_COMPLETE);
  assert_int_equal(outside.heads, 0);
  buffer_done(&waiting.body);
  close_all();
}

static void answer_chunks(void *ctx, struct tiny_peer *peer, struct bytes request, int number) {
  (void)ctx;
  (void)request;
  (void)number;
  tiny_send(peer, BYTES_LITERAL("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
                                "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n"));
}

static void test_one_read_end_a_read(void **state) {
  (void)state;
  struct result r;
  open_all(answer_chunks, NULL, 4, 4);
  run_one(&r, url, 5000);
  assert_int_equal(r.end, HTTP_CALL_COMPLETE);
  assert_string_equal(r.body.ptr, "abc");
  assert_int_equal(r.pieces, 3);
  assert_int_equal(r.read_ends, 1);
  buffer_done(&r.body);
  result_init(&r);
  r.cancel_in_read_end = true;
  assert_int_equal(start_call(&r, url, 5000), STATUS_OK);
  loop_run(loop);
  assert_int_equal(r.dones, 0);
  buffer_done(&r.body);
  close_all();
}

static void test_destroy_with_calls_left(void **state) {
  (void)state;
  struct result r[4];
  open_all(answer_hello, NULL, 2, 4);
  for (int i = 0; i < 4; i++) {
    result_init(&r[i]);
    assert_int_equal(start_call(&r[i], url, 5000), STATUS_OK);
  }
  close_all();
  for (int i = 0; i < 4; i++) assert_int_equal(r[i].dones, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_call_and_its_connection_again),
      cmocka_unit_test(test_ends),
      cmocka_unit_test(test_not_connected_in_time),
      cmocka_unit_test(test_the_time_of_each),
      cmocka_unit_test(test_no_server),
      cmocka_unit_test(test_tls_is_verified),
      cmocka_unit_test(test_stopped_by_the_data_callback),
      cmocka_unit_test(test_the_queue_above_curl),
      cmocka_unit_test(test_hundreds_to_one_host),
      cmocka_unit_test(test_cancel_frees_the_place_and_the_connection),
      cmocka_unit_test(test_cancel_in_head_and_outside),
      cmocka_unit_test(test_one_read_end_a_read),
      cmocka_unit_test(test_destroy_with_calls_left),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
