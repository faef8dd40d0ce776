#include "fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
// clang-format off
#include <cmocka.h>
// clang-format on

enum { PATIENCE_MS = 20000 };

static struct loop *loop;
static struct fake_server *server;
static pthread_t thread;
static int port;

static void *run(void *arg) {
  loop_run(arg);
  return NULL;
}

void fixture_start(const struct fake_options *options) {
  struct error err;
  assert_int_equal(loop_create(&loop, NULL), STATUS_OK);
  if (fake_server_create(loop, options, &server, &err)) fail_msg("%s", err.message);
  port = fake_server_port(server);
  assert_int_equal(pthread_create(&thread, NULL, run, loop), 0);
}

void fixture_stop(void) {
  loop_stop(loop);
  pthread_join(thread, NULL);
  fake_server_destroy(server);
  loop_destroy(loop);
}

int fixture_connect(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int one = 1;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  assert_true(fd >= 0);
  assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

void fixture_send(int fd, struct bytes data) {
  while (data.len) {
    ssize_t n = send(fd, data.ptr, data.len, MSG_NOSIGNAL);
    assert_true(n > 0);
    data.ptr += n;
    data.len -= (size_t)n;
  }
}

void fixture_post(int fd, const char *path, const char *extra, const char *body) {
  BUFFER_LATER struct buffer b;
  buffer_init(&b, 16 << 20);
  buffer_printf(&b, "POST %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %zu\r\n\r\n", path, extra,
                strlen(body));
  buffer_append_text(&b, body);
  fixture_send(fd, buffer_bytes(&b));
}

/* ---- reading ---- */

struct reader {
  int fd;
  struct response *r;
  struct buffer in;
  bool ended;
};

static bool more(struct reader *reader) {
  char piece[65536];
  struct pollfd p = {reader->fd, POLLIN, 0};
  if (reader->ended) return false;
  assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
  ssize_t n = recv(reader->fd, piece, sizeof piece, 0);
  reader->r->reset = n < 0 && errno == ECONNRESET;
  reader->ended = n <= 0;
  if (reader->ended) return false;
  reader->r->reads++;
  assert_true(buffer_append(&reader->in, piece, (size_t)n));
  return true;
}

static void read_exactly(struct reader *reader, size_t len, size_t body_max, bool *ret_whole) {
  struct buffer *body = &reader->r->body;
  while (reader->in.len < len && body->len + reader->in.len < body_max && more(reader)) continue;
  size_t n = reader->in.len < len ? reader->in.len : len;
  assert_true(buffer_append(body, reader->in.ptr, n));
  buffer_consume(&reader->in, n);
  *ret_whole = n == len;
}

static void read_chunks(struct reader *reader, size_t body_max) {
  struct response *r = reader->r;
  for (bool whole = true; whole && r->body.len < body_max;) {
    char *line;
    while (!(line = reader->in.len ? strstr(reader->in.ptr, "\r\n") : NULL))
      if (!more(reader)) return;
    char *digits_end;
    size_t len = strtoul(reader->in.ptr, &digits_end, 16);
    assert_ptr_equal(digits_end, line);
    buffer_consume(&reader->in, (size_t)(line - reader->in.ptr) + 2);
    if (len) read_exactly(reader, len, body_max, &whole);
    if (!whole) return;
    while (reader->in.len < 2)
      if (!more(reader)) return;
    assert_memory_equal(reader->in.ptr, "\r\n", 2);
    buffer_consume(&reader->in, 2);
    r->whole = len == 0;
    if (r->whole) return;
  }
}

struct response fixture_read(int fd, size_t body_max) {
  struct response r = {0};
  struct reader reader = {.fd = fd, .r = &r};
  buffer_init(&r.head, 64 << 10);
  buffer_init(&r.body, 64 << 20);
  buffer_init(&reader.in, 64 << 20);
  char *end;
  while (!(end = reader.in.len ? strstr(reader.in.ptr, "\r\n\r\n") : NULL))
    if (!more(&reader)) goto out;
  size_t head = (size_t)(end - reader.in.ptr) + 4;
  buffer_append(&r.head, reader.in.ptr, head);
  buffer_consume(&reader.in, head);
  r.status = (int)strtol(r.head.ptr + 9, NULL, 10);
  const char *length = response_header(&r, "content-length");
  if (response_header(&r, "transfer-encoding")) {
    read_chunks(&reader, body_max);
  } else if (length) {
    read_exactly(&reader, strtoul(length, NULL, 10), body_max, &r.whole);
  } else {
    while (r.body.len + reader.in.len < body_max && more(&reader)) continue;
    buffer_append_bytes(&r.body, buffer_bytes(&reader.in));
    buffer_clear(&reader.in);
    r.whole = reader.ended;
  }
  /* What came of the next response cannot be given back; pipelining has its own test. */
  if (r.whole) assert_int_equal(reader.in.len, 0);
out:
  buffer_done(&reader.in);
  return r;
}

void response_done(struct response *r) {
  buffer_done(&r->head);
  buffer_done(&r->body);
}

const char *response_header(const struct response *r, const char *name) {
  static char value[256];
  char line[80];
  snprintf(line, sizeof line, "\r\n%s: ", name);
  const char *p = r->head.len ? strcasestr(r->head.ptr, line) : NULL;
  if (!p) return NULL;
  p += strlen(line);
  snprintf(value, sizeof value, "%.*s", (int)strcspn(p, "\r"), p);
  return value;
}

struct response fixture_ask(const char *path, const char *extra, const char *body) {
  int fd = fixture_connect();
  fixture_post(fd, path, extra, body);
  struct response r = fixture_read(fd, SIZE_MAX);
  close(fd);
  return r;
}

void fixture_script(const char *script) {
  struct response r = fixture_ask("/_fake/script", "", script);
  if (r.status != 200) fail_msg("%s", r.body.ptr);
  response_done(&r);
}
