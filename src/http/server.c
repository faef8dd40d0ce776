#include "http/server.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/processors.h"
#include "http/dispatch.h"
#include "http/respond.h"
#include "http/server_state.h"
#include "http/sse_sink.h"
#include "http/stream_sink.h"
#include "http/throttle.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <utlist.h>

enum {
  SERVER_TICK_MS = 1000,
  SERVER_FLUSH_MS = 1000, /* at a stop, for answers that are written already */
  SERVER_WS_WAIT_MS = 1000,
};

int64_t server_now_ms(void) {
  return clock_mono_us(&clock_system) / 1000;
}

/* --- once a second, on the loop, while there is a connection --- */

static void server_tick(void *arg);

static void server_tick_again(void *arg) {
  struct http_server *s = arg;
  if (atomic_load(&s->stopping)) return;
  s->tick = loop_timer_start(s->loop, SERVER_TICK_MS, server_tick, s);
}

void server_start_ticking(struct http_server *server) {
  if (server->ticking) return;
  server->ticking = true;
  loop_post(server->loop, server_tick_again, server);
}

static void server_tick(void *arg) {
  struct http_server *s = arg;
  s->tick = NULL;
  int64_t now_ms = server_now_ms();
  int now_s = connection_now_s();
  struct http_connection *c;
  sse_tick(s, now_ms);
  ws_tick(s, now_ms);
  pthread_mutex_lock(&s->lock);
  DL_FOREACH(s->connections, c) connection_look(c, now_s, s->options.head_timeout_s);
  s->ticking = s->connections || s->ws.count > 0;
  bool again = s->ticking;
  pthread_mutex_unlock(&s->lock);
  if (again) server_tick_again(s);
}

/* --- connections --- */

static struct address server_peer(const struct sockaddr *a) {
  struct address peer = {.bytes = {[10] = 0xff, [11] = 0xff}};
  if (a->sa_family == AF_INET) {
    memcpy(peer.bytes + 12, &((const struct sockaddr_in *)a)->sin_addr, 4);
  } else {
    memcpy(peer.bytes, &((const struct sockaddr_in6 *)a)->sin6_addr, sizeof peer.bytes);
  }
  return peer;
}

static struct http_connection *connection_create(struct http_server *s,
                                                 struct MHD_Connection *mhd) {
  const union MHD_ConnectionInfo *fd =
      MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
  const union MHD_ConnectionInfo *peer =
      MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  struct http_connection *c = fd && peer ? calloc(1, sizeof *c) : NULL;
  if (!c) return NULL;
  c->fd = fd->connect_fd;
  c->address = server_peer(peer->client_addr);
  address_format(&c->address, c->peer);
  struct sockaddr_in6 own = {0}; /* or sockaddr_in, where the port has the same place */
  socklen_t len = sizeof own;
  if (http_server_ws_port(s) != 0 && getsockname(c->fd, (struct sockaddr *)&own, &len) == 0) {
    c->on_ws_port = ntohs(own.sin6_port) == http_server_ws_port(s);
  }
  connection_set_deadline(c, s->options.head_timeout_s);
  return c;
}

static void server_on_connection(void *cls, struct MHD_Connection *mhd, void **socket_context,
                                 enum MHD_ConnectionNotificationCode code) {
  struct http_server *s = cls;
  if (code == MHD_CONNECTION_NOTIFY_STARTED) {
    struct http_connection *c = connection_create(s, mhd);
    *socket_context = c;
    if (!c) return;
    pthread_mutex_lock(&s->lock);
    DL_APPEND(s->connections, c);
    server_start_ticking(s);
    pthread_mutex_unlock(&s->lock);
    return;
  }
  struct http_connection *c = *socket_context;
  atomic_fetch_sub(&s->open, 1);
  if (!c) return;
  pthread_mutex_lock(&s->lock);
  DL_DELETE(s->connections, c);
  pthread_mutex_unlock(&s->lock);
  free(c);
}

static struct http_connection *server_connection(struct MHD_Connection *mhd) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  return info ? info->socket_context : NULL;
}

/* --- requests --- */

static void *server_on_target(void *cls, const char *target, struct MHD_Connection *mhd) {
  struct http_server *s = cls;
  struct http_connection *c = server_connection(mhd);
  struct http_request *r = c ? request_create(s, c, mhd, target) : NULL;
  if (c) connection_begin_head(c, s->options.head_timeout_s);
  if (r) atomic_fetch_add(&s->in_flight, 1);
  return r;
}

static const char *request_method_label(const struct http_request *r) {
  static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (strcmp(r->method, known[i]) == 0) return known[i];
  }
  return "other";
}

/* The answer is decided: one line of the log and the two series. */
static void request_account(const struct http_request *r) {
  int64_t us = clock_mono_us(&clock_system) - r->started_us;
  const char *endpoint = "unmatched";
  if (r->route) endpoint = r->route->path;
  if (r->ws_route) endpoint = r->ws_route->path;
  char status[12];
  snprintf(status, sizeof status, "%d", r->status);
  const char *const labels[] = {request_method_label(r), endpoint, status};
  metric_add(METRIC_HTTP_REQUESTS, labels, 1);
  metric_observe_us(METRIC_HTTP_DURATION, labels, us);
  /* Probes come every few seconds for ever: they are for who looks closely. */
  enum log_level level = r->route && r->route->cheap ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
  if (!log_enabled(level)) return;
  struct log_context context = {r->id, NULL};
  struct log_quoted path;
  log_line(level, "http", &context, "%s method=%s path=%s status=%d duration_ms=%lld.%03lld",
           r->ws_route ? "WebSocket" : "request", labels[0],
           log_quote(&path, http_request_shown_path(r)), r->status, (long long)(us / 1000),
           (long long)(us % 1000));
}

/* Sends what was answered. HTTP thread. */
static enum MHD_Result request_queue(struct http_request *r) {
  r->phase = REQUEST_SENT;
  request_account(r);
  if (!r->response) return MHD_NO;
  enum MHD_Result result = MHD_queue_response(r->mhd, (unsigned)r->status, r->response);
  if (!r->lent) MHD_destroy_response(r->response);
  r->response = NULL;
  return result;
}

static void server_unpark(struct http_request *r) {
  pthread_mutex_lock(&r->server->lock);
  if (r->next || r->prev) {
    // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): in the list, so prev is one of it
    DL_DELETE(r->server->suspended, r);
    r->next = r->prev = NULL;
    if (atomic_load(&r->server->stopping)) pthread_cond_broadcast(&r->server->changed);
  }
  pthread_mutex_unlock(&r->server->lock);
}

/* The handler has not answered yet: the connection waits without a thread. */
static void request_park(struct http_request *r) {
  pthread_mutex_lock(&r->server->lock);
  DL_APPEND(r->server->suspended, r);
  pthread_mutex_unlock(&r->server->lock);
  MHD_suspend_connection(r->mhd);
  int running = REQUEST_RUNNING;
  if (!atomic_compare_exchange_strong(&r->state, &running, REQUEST_SUSPENDED)) {
    MHD_resume_connection(r->mhd); /* answered while it parked */
  }
}

/* A request given up at shutdown is still answered. Its handler may yet call respond, which drops
 * what it brings, so that this answer must not touch what respond_send writes. */
static enum MHD_Result request_queue_abandoned(struct http_request *r) {
  static const char body[] =
      "{\"error\":\"The server is shutting down\",\"code\":\"SERVICE_UNAVAILABLE\"}";
  struct MHD_Response *response =
      MHD_create_response_from_buffer(sizeof body - 1, (void *)body, MHD_RESPMEM_PERSISTENT);
  r->phase = REQUEST_SENT;
  if (!response) return MHD_NO;
  static const char *const headers[] = {"Retry-After: 5", "Connection: close", NULL};
  respond_add_headers(r, response, "application/json", headers);
  enum MHD_Result result = MHD_queue_response(r->mhd, 503, response);
  MHD_destroy_response(response);
  return result;
}

static enum MHD_Result request_continue(struct http_request *r) {
  switch (atomic_load(&r->state)) {
    case REQUEST_ANSWERED: server_unpark(r); return request_queue(r);
    case REQUEST_ABANDONED: server_unpark(r); return request_queue_abandoned(r);
    default: return MHD_YES;
  }
}

/* More of the body. False ends the connection: it is far over the limit. */
static bool request_take_body(struct http_request *r, const char *data, size_t len) {
  if (r->early_status || !buffer_append(&r->body, data, len)) {
    request_refuse(r, 413, "PAYLOAD_TOO_LARGE", "Content too large");
    buffer_done(&r->body);
    r->drained += len;
  }
  return r->drained <= r->server->options.max_body_bytes + REQUEST_DRAIN_MAX;
}

static enum MHD_Result request_dispatch(struct http_request *r) {
  r->phase = REQUEST_DISPATCHED;
  struct http_connection *c = server_connection(r->mhd);
  if (c) connection_set_deadline(c, 0);
  dispatch(r);
  if (atomic_load(&r->state) == REQUEST_ANSWERED) return request_queue(r);
  request_park(r);
  return MHD_YES;
}

static enum MHD_Result server_on_request(void *cls, struct MHD_Connection *mhd, const char *url,
                                         const char *method, const char *version,
                                         const char *upload_data, size_t *upload_data_size,
                                         void **request_cls) {
  struct http_request *r = *request_cls;
  struct http_connection *c = server_connection(mhd);
  if (!r) return MHD_NO;
  switch (r->phase) {
    case REQUEST_HEAD:
      r->phase = REQUEST_BODY;
      if (c) connection_set_deadline(c, r->server->options.body_timeout_s);
      request_read_head(r, method, version);
      /* An answer before the body ends the connection, so only a body that is far too long, or
       * whose end cannot be trusted, is not read first. */
      return r->early_status && r->close ? request_dispatch(r) : MHD_YES;
    case REQUEST_BODY:
      if (*upload_data_size == 0) return request_dispatch(r);
      if (!request_take_body(r, upload_data, *upload_data_size)) return MHD_NO;
      *upload_data_size = 0;
      return MHD_YES;
    case REQUEST_DISPATCHED: return request_continue(r);
    case REQUEST_SENT: break;
  }
  return MHD_NO;
}

static void server_on_completed(void *cls, struct MHD_Connection *mhd, void **request_cls,
                                enum MHD_RequestTerminationCode code) {
  struct http_server *s = cls;
  struct http_request *r = *request_cls;
  if (!r) return;
  *request_cls = NULL;
  struct http_connection *c = server_connection(mhd);
  if (c) connection_await_head(c, s->options.head_timeout_s);
  if (r->streams && code == MHD_REQUEST_TERMINATED_COMPLETED_OK)
    MHD_set_connection_option(mhd, MHD_CONNECTION_OPTION_TIMEOUT,
                              (unsigned)CONNECTION_IDLE_TIMEOUT_S);
  server_unpark(r);
  if (atomic_load(&r->state) == REQUEST_ANSWERED) respond_drop(r);
  request_unref(r);
  if (atomic_fetch_sub(&s->in_flight, 1) == 1 && atomic_load(&s->stopping)) {
    pthread_mutex_lock(&s->lock);
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
  }
}

/* --- creating --- */

static enum status server_add_routes(struct http_server *s, const struct http_route *routes,
                                     size_t route_count, const struct http_ws_route *ws_routes,
                                     size_t ws_route_count, struct error *err) {
  enum status status = router_create(&s->routes, err);
  if (!status) status = router_create(&s->ws_routes, err);
  for (size_t i = 0; !status && i < route_count; i++) {
    status = router_add(s->routes, routes[i].method, routes[i].path, &routes[i], err);
  }
  for (size_t i = 0; !status && i < ws_route_count; i++) {
    status = router_add(s->ws_routes, "GET", ws_routes[i].path, &ws_routes[i], err);
    if (ws_routes[i].any_on_ws_port) s->ws_any = &ws_routes[i];
  }
  return status;
}

enum status http_server_create(struct loop *loop, struct pool *pool,
                               const struct http_options *options, const struct http_route *routes,
                               size_t route_count, const struct http_ws_route *ws_routes,
                               size_t ws_route_count, const struct http_ws_ops *ws_ops, void *app,
                               struct http_server **ret_server, struct error *err) {
  struct http_server *s = calloc(1, sizeof *s);
  if (!s) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  s->loop = loop;
  s->pool = pool;
  s->options = *options;
  if (s->options.head_timeout_s <= 0) s->options.head_timeout_s = SERVER_HEAD_TIMEOUT_S;
  if (s->options.send_timeout_s <= 0) s->options.send_timeout_s = CONNECTION_IDLE_TIMEOUT_S;
  if (s->options.body_timeout_s <= 0) s->options.body_timeout_s = SERVER_BODY_TIMEOUT_S;
  s->ws_ops = ws_ops;
  s->app = app;
  pthread_mutex_init(&s->lock, NULL);
  clock_cond_init(&s->changed);
  ws_table_init(&s->ws);
  for (size_t i = 0; i < PORTS_MAX; i++) s->listeners[i].fd = -1;
  enum status status = guard_init(&s->guard, options->allowed_origins, options->guard_local, err);
  if (!status) status = proxies_init(&s->proxies, options->trusted_proxies, err);
  if (!status) status = throttle_init(s, err);
  if (!status) {
    status = server_add_routes(s, routes, route_count, ws_routes, ws_route_count, err);
  }
  if (status) {
    http_server_destroy(s);
    return status;
  }
  *ret_server = s;
  return STATUS_OK;
}

void http_server_destroy(struct http_server *server) {
  if (!server) return;
  for (size_t i = 0; i < server->listener_count; i++) {
    if (server->listeners[i].fd >= 0) listener_stop(&server->listeners[i]);
  }
  router_destroy(server->routes);
  router_destroy(server->ws_routes);
  throttle_done(server);
  guard_done(&server->guard);
  ws_table_done(&server->ws);
  pthread_cond_destroy(&server->changed);
  pthread_mutex_destroy(&server->lock);
  free(server);
}

/* --- starting --- */

static void server_take(struct http_server *s, struct ports *ports) {
  for (size_t i = 0; i < ports->count; i++) {
    const struct port *p = &ports->all[i];
    s->listeners[i] =
        (struct listener){.fd = p->fd, .port = p->number, .is_ws = p->is_ws, .server = s};
  }
  s->listener_count = ports->count;
  ports->count = 0;
}

static void server_start_listeners(void *arg) {
  struct http_server *s = arg;
  for (size_t i = 0; i < s->listener_count; i++) listener_start(&s->listeners[i]);
}

/* They never wait, so that more of them than processors would only take turns: each wakes for fewer
 * connections at once. */
static unsigned count_threads(const struct http_server *s) {
  size_t workers = s->options.workers > 0 ? s->options.workers : 1;
  size_t processors = processors_online();
  return (unsigned)(workers < processors ? workers : processors);
}

size_t server_most_connections(const struct http_server *s) {
  return s->options.max_connections > 0 ? s->options.max_connections : 1024;
}

static bool server_start_daemon(struct http_server *s) {
  unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME |
                   MHD_ALLOW_UPGRADE | MHD_USE_NO_LISTEN_SOCKET;
  unsigned threads = count_threads(s);
  /* A thread takes a connection off its count a little after it has told of the end. */
  unsigned most = 2 * (unsigned)server_most_connections(s) * threads;
  /* Its stricter mode refuses a missing Host in its own words and with a broken body; everything
   * that mode refuses, request_read_head does. */
  s->daemon = MHD_start_daemon(
      flags, 0, NULL, NULL, server_on_request, s, MHD_OPTION_CONNECTION_LIMIT, most,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)SERVER_CONNECTION_MEMORY_BYTES,
      MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_IDLE_TIMEOUT_S,
      MHD_OPTION_NOTIFY_CONNECTION, server_on_connection, s, MHD_OPTION_NOTIFY_COMPLETED,
      server_on_completed, s, MHD_OPTION_URI_LOG_CALLBACK, server_on_target, s,
      threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, threads, MHD_OPTION_END);
  return s->daemon != NULL;
}

enum status http_server_start(struct http_server *server, struct ports *ports, struct error *err) {
  enum status status = ports_listen(ports, err);
  if (status) return status;
  server_take(server, ports);
  if (!server_start_daemon(server)) {
    return error_set(err, STATUS_IO, NULL, "cannot start the HTTP threads");
  }
  loop_post(server->loop, server_start_listeners, server);
  return STATUS_OK;
}

static int server_port_of(const struct http_server *s, bool is_ws) {
  for (size_t i = 0; i < s->listener_count; i++) {
    if (s->listeners[i].is_ws == is_ws) return s->listeners[i].port;
  }
  return 0;
}

int http_server_port(const struct http_server *server) {
  return server_port_of(server, false);
}

int http_server_ws_port(const struct http_server *server) {
  return server_port_of(server, true);
}

/* --- stopping --- */

static bool server_loop_done(struct http_server *s) {
  return s->loop_done;
}

static bool server_ws_gone(struct http_server *s) {
  return s->ws.count == 0;
}

static bool server_requests_gone(struct http_server *s) {
  return atomic_load(&s->in_flight) == 0;
}

static bool server_nothing_parked(struct http_server *s) {
  return s->suspended == NULL;
}

static bool server_pauses_over(struct http_server *s) {
  return s->pauses == 0;
}

/* Waits for what `done` says, at most until `deadline_ms`. `done` runs under the lock. */
static void server_wait(struct http_server *s, bool (*done)(struct http_server *s),
                        int64_t deadline_ms) {
  struct timespec until = {deadline_ms / 1000, deadline_ms % 1000 * 1000000};
  pthread_mutex_lock(&s->lock);
  while (!done(s) && pthread_cond_timedwait(&s->changed, &s->lock, &until) == 0) continue;
  pthread_mutex_unlock(&s->lock);
}

static void server_signal_loop_done(struct http_server *s) {
  pthread_mutex_lock(&s->lock);
  s->loop_done = true;
  pthread_cond_broadcast(&s->changed);
  pthread_mutex_unlock(&s->lock);
}

static void server_stop_on_loop(void *arg) {
  struct http_server *s = arg;
  for (size_t i = 0; i < s->listener_count; i++) listener_stop(&s->listeners[i]);
  ws_close_all(s, false);
  server_signal_loop_done(s);
}

static void server_end_on_loop(void *arg) {
  struct http_server *s = arg;
  ws_close_all(s, true);
  loop_timer_cancel(s->tick);
  s->tick = NULL;
  server_signal_loop_done(s);
}

/* Runs fn on the loop and waits for it. */
static void server_on_loop(struct http_server *s, void (*fn)(void *arg)) {
  pthread_mutex_lock(&s->lock);
  s->loop_done = false;
  pthread_mutex_unlock(&s->lock);
  loop_post(s->loop, fn, s);
  server_wait(s, server_loop_done, INT64_MAX / 2000);
}

/* A reference to one parked request that has not been given up yet, or NULL. */
static struct http_request *server_take_parked(struct http_server *s) {
  struct http_request *r;
  pthread_mutex_lock(&s->lock);
  DL_FOREACH(s->suspended, r) {
    int parked = REQUEST_SUSPENDED;
    if (atomic_compare_exchange_strong(&r->state, &parked, REQUEST_ABANDONED)) {
      request_ref(r);
      break;
    }
  }
  pthread_mutex_unlock(&s->lock);
  return r;
}

static void server_abandon_parked(struct http_server *s) {
  struct http_request *r;
  while ((r = server_take_parked(s)) != NULL) {
    MHD_resume_connection(r->mhd);
    request_unref(r);
  }
}

void http_server_stop(struct http_server *server, int64_t grace_ms) {
  struct http_server *s = server;
  int64_t begun_ms = server_now_ms();
  atomic_store(&s->stopping, true);
  server_on_loop(s, server_stop_on_loop);
  sse_end_all(s);
  server_wait(s, server_requests_gone, begun_ms + grace_ms);
  stream_cut_all(s);
  server_abandon_parked(s);
  /* libmicrohttpd must not be stopped while a connection is parked. */
  server_wait(s, server_nothing_parked, server_now_ms() + SERVER_FLUSH_MS);
  server_wait(s, stream_none_waits, INT64_MAX / 2000); /* the pieces under way end */
  server_wait(s, server_requests_gone, server_now_ms() + SERVER_FLUSH_MS);
  if (s->daemon) MHD_stop_daemon(s->daemon);
  s->daemon = NULL;
  int64_t ws_deadline_ms = begun_ms + SERVER_WS_WAIT_MS;
  server_wait(s, server_ws_gone, ws_deadline_ms);
  server_on_loop(s, server_end_on_loop);
  server_wait(s, server_ws_gone, INT64_MAX / 2000);
  server_wait(s, server_pauses_over, INT64_MAX / 2000);
  /* Once more: nothing that was posted for the server runs after this. */
  server_on_loop(s, server_end_on_loop);
}
