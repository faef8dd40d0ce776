#include "world.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

int64_t now_ms(void) {
  return clock_mono_us(&clock_system) / 1000;
}

struct http_options world_options(void) {
  return (struct http_options){
      .workers = 2,
      .max_connections = 200,
      .max_body_bytes = 1000,
      .allowed_origins = "*",
      .ws_max_message_bytes = 4096,
      .ws_heartbeat_s = 30,
      .ws_send_buffer_bytes = 64 << 10,
      .sse_heartbeat_s = 15,
  };
}

static void *run_loop(void *arg) {
  loop_run(arg);
  return NULL;
}

void world_start(struct world *w, const struct http_options *options,
                 const struct http_route *routes, size_t route_count,
                 const struct http_ws_route *ws_routes, size_t ws_route_count,
                 const struct http_ws_ops *ws_ops, void *app) {
  *w = (struct world){0};
  struct error err = {0};
  assert_int_equal(loop_create(&w->loop, &err), STATUS_OK);
  assert_int_equal(pool_create(2, 16, &w->pool, &err), STATUS_OK);
  pthread_create(&w->loop_thread, NULL, run_loop, w->loop);
  assert_int_equal(http_server_create(w->loop, w->pool, options, routes, route_count, ws_routes,
                                      ws_route_count, ws_ops, app, &w->server, &err),
                   STATUS_OK);
  struct ports ports;
  if (ports_bind(&ports, NULL, 0, -1, &err) || http_server_start(w->server, &ports, &err))
    fail_msg("%s", err.message);
  w->port = http_server_port(w->server);
  w->ws_port = http_server_ws_port(w->server);
}

int64_t world_stop(struct world *w, int64_t grace_ms) {
  int64_t begun = now_ms();
  http_server_stop(w->server, grace_ms);
  int64_t took = now_ms() - begun;
  pool_destroy(w->pool);
  loop_stop(w->loop);
  pthread_join(w->loop_thread, NULL);
  http_server_destroy(w->server);
  loop_destroy(w->loop);
  return took;
}

/* --- the client --- */

int client_connect(int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in a = {.sin_family = AF_INET,
                          .sin_port = htons((uint16_t)port),
                          .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
  struct timeval limit = {10, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

void client_send_bytes(int fd, const void *data, size_t len) {
  assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), len);
}

void client_send(int fd, const char *text) {
  client_send_bytes(fd, text, strlen(text));
}

bool client_read_bytes(int fd, void *out, size_t len) {
  size_t n = 0;
  while (n < len) {
    ssize_t got = recv(fd, (char *)out + n, len - n, 0);
    if (got < 0) fail_msg("the server is silent");
    if (got == 0) return false;
    n += (size_t)got;
  }
  return true;
}

bool client_sees_end(int fd) {
  char drop[4096];
  for (;;) {
    ssize_t n = recv(fd, drop, sizeof drop, 0);
    if (n == 0) return true;
    if (n < 0) return false;
  }
}

static char *read_line(int fd) {
  struct buffer b;
  buffer_init(&b, 8192);
  char c = 0;
  while (b.len < 2 || memcmp(b.ptr + b.len - 2, "\r\n", 2) != 0) {
    if (!client_read_bytes(fd, &c, 1)) fail_msg("the connection ended in a line");
    assert_true(buffer_append_char(&b, c));
  }
  b.ptr[b.len - 2] = '\0';
  return buffer_steal(&b);
}

static void read_counted(int fd, struct buffer *b, size_t n) {
  assert_true(buffer_reserve(b, n));
  assert_true(client_read_bytes(fd, b->ptr + b->len, n));
  b->len += n;
  b->ptr[b->len] = '\0';
}

static void read_chunks(int fd, struct buffer *b) {
  for (;;) {
    char *line = read_line(fd);
    size_t n = strtoul(line, NULL, 16);
    free(line);
    if (n > 0) read_counted(fd, b, n);
    free(read_line(fd));
    if (n == 0) return;
  }
}

struct reply client_read(int fd, bool no_body) {
  struct reply r = {0};
  struct buffer head, body;
  buffer_init(&head, 1 << 16);
  buffer_init(&body, 1 << 24);
  for (;;) {
    char *line = read_line(fd);
    bool end = line[0] == '\0';
    buffer_append_text(&head, line);
    buffer_append_text(&head, "\r\n");
    free(line);
    if (end) break;
  }
  r.head = buffer_steal(&head);
  assert_int_equal(sscanf(r.head, "HTTP/1.1 %d", &r.status), 1);
  const char *length = reply_header(&r, "Content-Length");
  size_t n = length ? strtoul(length, NULL, 10) : 0;
  bool chunked = reply_header(&r, "Transfer-Encoding") != NULL;
  if (!no_body && n > 0) read_counted(fd, &body, n);
  if (!no_body && chunked) read_chunks(fd, &body);
  r.len = body.len;
  r.body = buffer_steal(&body);
  return r;
}

void reply_done(struct reply *r) {
  free(r->head);
  free(r->body);
}

const char *reply_header(const struct reply *r, const char *name) {
  static char value[2048];
  size_t n = strlen(name);
  for (const char *line = r->head; line; line = strstr(line, "\r\n")) {
    if (line[0] == '\r') line += 2;
    if (strncasecmp(line, name, n) != 0 || line[n] != ':') continue;
    const char *from = line + n + 1 + strspn(line + n + 1, " ");
    size_t len = strcspn(from, "\r");
    assert_true(len < sizeof value);
    memcpy(value, from, len);
    value[len] = '\0';
    return value;
  }
  return NULL;
}

struct reply client_ask(int port, const char *request) {
  int fd = client_connect(port);
  client_send(fd, request);
  struct reply r = client_read(fd, strncmp(request, "HEAD", 4) == 0);
  close(fd);
  return r;
}

/* --- the script --- */

enum { SCRIPT_MAX = 20000 };

struct script {
  pthread_mutex_t lock, wake_lock;
  pthread_cond_t changed;
  struct frame *frames[SCRIPT_MAX];
  size_t at, count;
  void (*wake)(void *arg);
  void *wake_arg;
  bool ended;
  int closed, polls;
};

struct script *script_create(void) {
  struct script *s = calloc(1, sizeof *s);
  pthread_mutex_init(&s->lock, NULL);
  pthread_mutex_init(&s->wake_lock, NULL);
  pthread_cond_init(&s->changed, NULL);
  return s;
}

static enum frame_poll script_poll(void *source, struct frame **ret_frame) {
  struct script *s = source;
  pthread_mutex_lock(&s->lock);
  s->polls++;
  enum frame_poll p = s->ended ? FRAME_END : FRAME_WAIT;
  if (s->at < s->count) {
    *ret_frame = s->frames[s->at++];
    p = FRAME_READY;
  }
  pthread_mutex_unlock(&s->lock);
  return p;
}

static void script_set_wake(void *source, void (*wake)(void *arg), void *arg) {
  struct script *s = source;
  pthread_mutex_lock(&s->wake_lock);
  s->wake = wake;
  s->wake_arg = arg;
  pthread_mutex_unlock(&s->wake_lock);
}

static void script_close(void *source) {
  struct script *s = source;
  script_set_wake(s, NULL, NULL);
  pthread_mutex_lock(&s->lock);
  s->closed++;
  pthread_cond_broadcast(&s->changed);
  pthread_mutex_unlock(&s->lock);
}

static const struct frame_source_ops script_ops = {script_poll, script_set_wake, script_close};

struct frame_source script_source(struct script *s) {
  return (struct frame_source){&script_ops, s};
}

static void script_ring(struct script *s) {
  pthread_mutex_lock(&s->wake_lock);
  if (s->wake) s->wake(s->wake_arg);
  pthread_mutex_unlock(&s->wake_lock);
}

void script_push(struct script *s, const char *json, uint64_t seq, bool alone) {
  pthread_mutex_lock(&s->lock);
  assert_true(s->count < SCRIPT_MAX);
  s->frames[s->count++] = frame_create(bytes_of(json), seq, alone, false);
  pthread_mutex_unlock(&s->lock);
  script_ring(s);
}

void script_end(struct script *s) {
  pthread_mutex_lock(&s->lock);
  s->ended = true;
  pthread_mutex_unlock(&s->lock);
  script_ring(s);
}

void script_wait_closed(struct script *s) {
  pthread_mutex_lock(&s->lock);
  while (!s->closed) pthread_cond_wait(&s->changed, &s->lock);
  assert_int_equal(s->closed, 1);
  pthread_mutex_unlock(&s->lock);
}

int script_polls(struct script *s) {
  pthread_mutex_lock(&s->lock);
  int n = s->polls;
  pthread_mutex_unlock(&s->lock);
  return n;
}

void script_destroy(struct script *s) {
  script_wait_closed(s);
  while (s->at < s->count) frame_unref(s->frames[s->at++]);
  pthread_mutex_destroy(&s->lock);
  pthread_mutex_destroy(&s->wake_lock);
  pthread_cond_destroy(&s->changed);
  free(s);
}
