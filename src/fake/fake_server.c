#include "fake/fake_server.h"

#include "fake/peer.h"
#include "fake/respondent.h"

#include <arpa/inet.h>
#include <stdlib.h>

enum { READ_BYTES = 64 * 1024, BACKLOG = 4096 };

struct fake_server {
  uv_tcp_t listener;
  struct loop *loop;
  struct respondent *respondent;
  struct outbound outbound;
  struct peer_host host;
  struct peer *peers;
  size_t handles; /* that the loop still holds: the listener and the peers */
  bool closing;   /* freed when the last of them is closed */
  int port;
  char read_space[READ_BYTES];
};

static uint64_t wait_ms(void *ctx, const struct inbound *request) {
  struct fake_server *server = ctx;
  uint64_t ms = respondent_wait_ms(server->respondent, request);
  respondent_tally(server->respondent)->requests += ms > 0;
  return ms;
}

static void answer(void *ctx, const struct inbound *request, bool waited) {
  struct fake_server *server = ctx;
  respondent_answer(server->respondent, request, waited, &server->outbound);
}

static void refuse(void *ctx, int status) {
  struct fake_server *server = ctx;
  respondent_refuse(server->respondent, status, &server->outbound);
}

static void count_sent(void *ctx, size_t bytes) {
  struct fake_server *server = ctx;
  respondent_tally(server->respondent)->bytes_sent += bytes;
}

static void drop_handle(struct fake_server *server) {
  if (--server->handles || !server->closing) return;
  respondent_destroy(server->respondent);
  outbound_done(&server->outbound);
  free(server);
}

static void forget_peer(void *ctx, struct peer *peer, bool early) {
  struct fake_server *server = ctx;
  struct tally *tally = respondent_tally(server->respondent);
  struct peer *next = *peer_next(peer);
  struct peer *previous = *peer_previous(peer);
  if (previous)
    *peer_next(previous) = next;
  else
    server->peers = next;
  if (next) *peer_previous(next) = previous;
  tally->open--;
  tally->closed_early += early;
  drop_handle(server);
}

static void on_connection(uv_stream_t *listener, int status) {
  struct fake_server *server = listener->data;
  struct tally *tally = respondent_tally(server->respondent);
  if (status || server->closing) return;
  struct peer *peer = peer_accept(&server->host, listener);
  if (!peer) {
    tally->refused++;
    return;
  }
  *peer_next(peer) = server->peers;
  if (server->peers) *peer_previous(server->peers) = peer;
  server->peers = peer;
  server->handles++;
  tally->accepted++;
  if (++tally->open > tally->open_peak) tally->open_peak = tally->open;
  if (tally->open <= FAKE_PEERS_MAX) return;
  tally->refused++;
  peer_close(peer);
}

static int open_listener(struct fake_server *server, const struct sockaddr *address) {
  int e = uv_tcp_bind(&server->listener, address, 0);
  if (!e) e = uv_listen((uv_stream_t *)&server->listener, BACKLOG, on_connection);
  struct sockaddr_storage bound;
  int size = sizeof bound;
  if (!e) e = uv_tcp_getsockname(&server->listener, (struct sockaddr *)&bound, &size);
  if (e) return e;
  server->port = ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                                   : ((struct sockaddr_in *)&bound)->sin_port);
  return 0;
}

static enum status read_address(const struct fake_options *options, struct sockaddr_storage *ret,
                                struct error *err) {
  if (uv_ip4_addr(options->host, options->port, (struct sockaddr_in *)ret) &&
      uv_ip6_addr(options->host, options->port, (struct sockaddr_in6 *)ret))
    return error_set(err, STATUS_INVALID, "host", "\"%.64s\" is not a numeric address",
                     options->host);
  return STATUS_OK;
}

static void on_listener_closed(uv_handle_t *handle) {
  drop_handle(handle->data);
}

enum status fake_server_create(struct loop *loop, const struct fake_options *options,
                               struct fake_server **ret_server, struct error *err) {
  struct sockaddr_storage address = {0};
  enum status s = read_address(options, &address, err);
  if (s) return s;
  struct fake_server *server = calloc(1, sizeof *server);
  if (!server) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  s = respondent_create(options, &server->respondent, err);
  int e = s ? 0 : uv_tcp_init(loop_uv(loop), &server->listener);
  if (s || e) {
    respondent_destroy(server->respondent);
    free(server);
    return s ? s : error_set(err, STATUS_IO, NULL, "socket: %s", uv_strerror(e));
  }
  server->listener.data = server;
  server->loop = loop;
  server->handles = 1;
  outbound_init(&server->outbound);
  server->host = (struct peer_host){
      .loop = loop,
      .outbound = &server->outbound,
      .read_space = server->read_space,
      .read_size = sizeof server->read_space,
      .ctx = server,
      .wait_ms = wait_ms,
      .answer = answer,
      .refuse = refuse,
      .sent = count_sent,
      .closed = forget_peer,
  };
  e = open_listener(server, (const struct sockaddr *)&address);
  if (e) {
    fake_server_destroy(server);
    return error_set(err, STATUS_IO, "port", "cannot listen on %s port %d: %s", options->host,
                     options->port, uv_strerror(e));
  }
  *ret_server = server;
  return STATUS_OK;
}

int fake_server_port(const struct fake_server *server) {
  return server->port;
}

void fake_server_set_script(struct fake_server *server, struct script *script) {
  respondent_set_script(server->respondent, script);
}

void fake_server_destroy(struct fake_server *server) {
  if (!server) return;
  server->closing = true;
  for (struct peer *peer = server->peers; peer; peer = *peer_next(peer)) peer_close(peer);
  uv_close((uv_handle_t *)&server->listener, on_listener_closed);
}
