#include "tiny_server.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

struct tiny_server {
  uv_tcp_t listener;
  struct loop *loop;
  tiny_answer_fn *answer;
  void *ctx;
  void (*closed)(void *ctx);
  struct tiny_peer *peers;
  int port, connections, open, requests;
};

struct tiny_peer {
  uv_tcp_t tcp;
  struct tiny_server *server;
  struct tiny_peer *next;
  struct buffer in;
  bool closing;
};

struct write {
  uv_write_t req;
  struct tiny_peer *peer;
  bool close_after;
  char data[];
};

static void on_closed(uv_handle_t *handle) {
  struct tiny_peer *peer = handle->data;
  struct tiny_server *server = peer->server;
  if (server) {
    for (struct tiny_peer **p = &server->peers; *p; p = &(*p)->next)
      if (*p == peer) {
        *p = peer->next;
        break;
      }
    server->open--;
    if (server->closed) server->closed(server->ctx);
  }
  buffer_done(&peer->in);
  free(peer);
}

static void peer_close(struct tiny_peer *peer) {
  if (peer->closing) return;
  peer->closing = true;
  uv_close((uv_handle_t *)&peer->tcp, on_closed);
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf) {
  (void)handle;
  static char space[65536];
  (void)size;
  *buf = uv_buf_init(space, sizeof space);
}

/* Length of the first whole request in `in`, or 0. */
static size_t request_length(const struct buffer *in) {
  const char *end = in->len ? strstr(in->ptr, "\r\n\r\n") : NULL;
  if (!end) return 0;
  size_t head = (size_t)(end - in->ptr) + 4;
  const char *length = strcasestr(in->ptr, "\r\ncontent-length:");
  size_t body = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
  return in->len >= head + body ? head + body : 0;
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
  struct tiny_peer *peer = stream->data;
  if (n < 0) {
    peer_close(peer);
    return;
  }
  if (!buffer_append(&peer->in, buf->base, (size_t)n)) abort();
  for (size_t len; !peer->closing && (len = request_length(&peer->in));) {
    peer->server->requests++;
    peer->server->answer(peer->server->ctx, peer, (struct bytes){peer->in.ptr, len},
                         peer->server->requests);
    buffer_consume(&peer->in, len);
  }
}

static void on_connection(uv_stream_t *listener, int status) {
  struct tiny_server *server = listener->data;
  if (status) return;
  struct tiny_peer *peer = calloc(1, sizeof *peer);
  if (!peer) abort();
  peer->server = server;
  buffer_init(&peer->in, 16 << 20);
  uv_tcp_init(loop_uv(server->loop), &peer->tcp);
  peer->tcp.data = peer;
  uv_accept(listener, (uv_stream_t *)&peer->tcp);
  uv_tcp_nodelay(&peer->tcp, 1);
  peer->next = server->peers;
  server->peers = peer;
  server->connections++;
  server->open++;
  uv_read_start((uv_stream_t *)&peer->tcp, on_alloc, on_read);
}

struct tiny_server *tiny_server_start(struct loop *loop, tiny_answer_fn *answer, void *ctx) {
  struct tiny_server *server = calloc(1, sizeof *server);
  if (!server) abort();
  server->loop = loop;
  server->answer = answer;
  server->ctx = ctx;
  uv_tcp_init(loop_uv(loop), &server->listener);
  server->listener.data = server;
  struct sockaddr_in address;
  uv_ip4_addr("127.0.0.1", 0, &address);
  if (uv_tcp_bind(&server->listener, (const struct sockaddr *)&address, 0) ||
      uv_listen((uv_stream_t *)&server->listener, 512, on_connection))
    abort();
  int len = sizeof address;
  uv_tcp_getsockname(&server->listener, (struct sockaddr *)&address, &len);
  server->port = ntohs(address.sin_port);
  return server;
}

static void on_listener_closed(uv_handle_t *handle) {
  free(handle->data);
}

void tiny_server_stop(struct tiny_server *server) {
  for (struct tiny_peer *peer = server->peers; peer; peer = peer->next) {
    peer->server = NULL;
    peer_close(peer);
  }
  uv_close((uv_handle_t *)&server->listener, on_listener_closed);
}

int tiny_server_port(const struct tiny_server *server) {
  return server->port;
}

int tiny_server_connections(const struct tiny_server *server) {
  return server->connections;
}

int tiny_server_open(const struct tiny_server *server) {
  return server->open;
}

void tiny_server_on_close(struct tiny_server *server, void (*closed)(void *ctx)) {
  server->closed = closed;
}

static void on_written(uv_write_t *req, int status) {
  struct write *w = (struct write *)req;
  if (w->close_after && status != UV_ECANCELED) peer_close(w->peer);
  free(w);
}

static void send_bytes(struct tiny_peer *peer, struct bytes data, bool close_after) {
  if (peer->closing) return;
  struct write *w = malloc(sizeof *w + data.len);
  if (!w) abort();
  w->peer = peer;
  w->close_after = close_after;
  if (data.len) memcpy(w->data, data.ptr, data.len);
  uv_buf_t buf = uv_buf_init(w->data, (unsigned)data.len);
  if (uv_write(&w->req, (uv_stream_t *)&peer->tcp, &buf, 1, on_written)) free(w);
}

void tiny_send(struct tiny_peer *peer, struct bytes data) {
  send_bytes(peer, data, false);
}

void tiny_send_body(struct tiny_peer *peer, int status, const char *extra_head, struct bytes body) {
  BUFFER_LATER struct buffer b;
  buffer_init(&b, 16 << 20);
  buffer_printf(&b, "HTTP/1.1 %d X\r\ncontent-length: %zu\r\n%s\r\n", status, body.len,
                extra_head ? extra_head : "");
  buffer_append_bytes(&b, body);
  send_bytes(peer, buffer_bytes(&b), false);
}

void tiny_close(struct tiny_peer *peer) {
  send_bytes(peer, (struct bytes){0}, true);
}

void tiny_reset(struct tiny_peer *peer) {
  if (peer->closing) return;
  peer->closing = true;
  uv_tcp_close_reset(&peer->tcp, on_closed);
}
