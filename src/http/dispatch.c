#include "http/dispatch.h"

#include "http/handshake.h"
#include "http/respond.h"
#include "http/throttle.h"

#include <fcntl.h>
#include <stdio.h>

enum { DISPATCH_ALLOW_LINE = ROUTER_ALLOW_SIZE + 8 };

static void dispatch_options(struct http_request *r) {
  char allow[ROUTER_ALLOW_SIZE] = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
  char line[DISPATCH_ALLOW_LINE];
  if (r->match.node && !r->ws_route) router_allow(&r->match, allow);
  snprintf(line, sizeof line, "Allow: %s", allow);
  const char *headers[] = {
      line,
      "Access-Control-Allow-Methods: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
      // NOLINTNEXTLINE(bugprone-suspicious-missing-comma): one header on two lines
      "Access-Control-Allow-Headers: Content-Type, X-Filename, Authorization, X-Request-ID, "
      "X-Trace-ID, "
      "Idempotency-Key, Last-Event-ID",
      "Access-Control-Max-Age: 86400",
      NULL,
  };
  http_respond(r, 204, NULL, (struct bytes){0}, headers);
}

static void dispatch_not_allowed(struct http_request *r) {
  char allow[ROUTER_ALLOW_SIZE];
  char line[DISPATCH_ALLOW_LINE];
  router_allow(&r->match, allow);
  snprintf(line, sizeof line, "Allow: %s", allow);
  const char *headers[] = {line, NULL};
  respond_error(r, 405, "METHOD_NOT_ALLOWED", NULL, "Method not allowed", headers);
}

static void dispatch_busy(struct http_request *r, const char *message) {
  static const char *const headers[] = {"Retry-After: 1", NULL};
  respond_error(r, 503, "SERVICE_UNAVAILABLE", NULL, message, headers);
}

/* --- who calls --- */

/* The gate is not asked about probes, nor about what no row answers. */
static bool dispatch_is_gated(const struct http_request *r) {
  if (!r->server->options.gate || r->early_status) return false;
  return r->ws_route || (r->route && !r->route->cheap);
}

static bool dispatch_is_allowed(struct http_request *r) {
  const struct http_server *s = r->server;
  return s->options.gate->authorize(r, s->app, http_request_permission(r));
}

/* On the pool: finds out now who could not be known without blocking. False when it answered. */
static bool dispatch_knows_caller(struct http_request *r) {
  const struct http_server *s = r->server;
  if (r->caller.state != HTTP_CALLER_LATER) return true;
  r->caller = s->options.gate->identify(r, s->app, true);
  return dispatch_is_allowed(r);
}

/* --- WebSockets --- */

static void ws_refuse_version(struct http_request *r, const char *message) {
  static const char *const headers[] = {"Sec-WebSocket-Version: 13", "Upgrade: websocket",
                                        "Connection: Upgrade", NULL};
  r->close = false;
  respond_error(r, 426, "UPGRADE_REQUIRED", NULL, message, headers);
}

/* After the 101: libmicrohttpd gives its socket away. Closing its side frees the connection's
 * memory (16 KiB and more) and only its descriptor: the duplicate keeps the socket. */
static void ws_on_upgrade(void *cls, struct MHD_Connection *mhd, void *request_cls,
                          const char *extra, size_t extra_len, MHD_socket sock,
                          struct MHD_UpgradeResponseHandle *handle) {
  struct http_request *r = cls;
  int fd = fcntl(sock, F_DUPFD_CLOEXEC, 3);
  if (fd >= 0) {
    ws_hand_over(r->websocket, fd, (struct bytes){extra, extra_len});
    r->websocket = NULL; /* else request_unref's owner abandons it */
  }
  MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
}

static void ws_accept(struct http_request *r) {
  char accept[HANDSHAKE_ACCEPT_SIZE];
  const char *key = http_request_header(r, "Sec-WebSocket-Key");
  struct MHD_Response *response =
      handshake_accept(key, accept) ? MHD_create_response_for_upgrade(ws_on_upgrade, r) : NULL;
  if (response && (MHD_add_response_header(response, "Upgrade", "websocket") != MHD_YES ||
                   MHD_add_response_header(response, "Sec-WebSocket-Accept", accept) != MHD_YES ||
                   MHD_add_response_header(response, "X-Request-ID", r->id) != MHD_YES)) {
    MHD_destroy_response(response);
    response = NULL;
  }
  respond_send(r, 101, response);
}

static void ws_admit(void *arg) {
  struct http_request *r = arg;
  if (!dispatch_knows_caller(r)) return;
  struct error err = {0};
  void *ctx = NULL;
  int status = r->server->ws_ops->admit(r, r->server->app, &ctx, &err);
  if (status == 101) {
    ws_set_context(r->websocket, ctx);
    ws_accept(r);
    return;
  }
  ws_abandon(r->websocket);
  r->websocket = NULL;
  static const char *const challenge[] = {"WWW-Authenticate: Bearer", NULL};
  respond_error(r, status, respond_code_of(status), err.field,
                err.message[0] ? err.message : "WebSocket refused",
                status == 401 ? challenge : NULL);
}

/* The rules of the handshake (RFC 6455 section 4.2.1). True when they hold, else it answered. */
static bool ws_check_handshake(struct http_request *r) {
  const char *version = http_request_header(r, "Sec-WebSocket-Version");
  char accept[HANDSHAKE_ACCEPT_SIZE];
  if (strcmp(r->method, "GET") != 0) {
    respond_error(r, 400, "INVALID_REQUEST", NULL, "A WebSocket begins with GET", NULL);
  } else if (!version || strcmp(version, "13") != 0) {
    ws_refuse_version(r, "WebSocket version 13 is needed");
  } else if (!handshake_accept(http_request_header(r, "Sec-WebSocket-Key"), accept)) {
    respond_error(r, 400, "INVALID_REQUEST", NULL, "Sec-WebSocket-Key is malformed", NULL);
  } else {
    return true;
  }
  return false;
}

static bool ws_enter(struct http_request *r) {
  struct http_server *s = r->server;
  if (s->options.max_connections > 0 && (size_t)s->ws.active >= s->options.max_connections) {
    dispatch_busy(r, "Too many WebSocket connections");
    return false;
  }
  if (!throttle_admit_websocket(r)) return false;
  r->websocket = ws_create(r);
  if (r->websocket) return true;
  struct caller caller = caller_of_address(&r->address);
  throttle_leave_websocket(s, &caller);
  dispatch_busy(r, "Out of memory");
  return false;
}

static void dispatch_pooled(struct http_request *r, void (*fn)(void *arg)) {
  if (!request_copy_headers(r)) {
    dispatch_busy(r, "Out of memory");
  } else if (pool_submit(r->server->pool, fn, r) != STATUS_OK) {
    dispatch_busy(r, "The server is busy");
  }
}

static void dispatch_websocket(struct http_request *r) {
  if (atomic_load(&r->server->stopping)) {
    dispatch_busy(r, "The server is shutting down");
  } else if (ws_check_handshake(r) && ws_enter(r)) {
    if (r->ws_route->pool || r->caller.state == HTTP_CALLER_LATER) {
      dispatch_pooled(r, ws_admit);
    } else {
      ws_admit(r);
    }
  }
}

/* --- handlers --- */

static void run_handler(void *arg) {
  struct http_request *r = arg;
  if (dispatch_knows_caller(r)) r->route->handle(r, r->server->app);
}

static void dispatch_handler(struct http_request *r) {
  if (r->route->pool || r->caller.state == HTTP_CALLER_LATER) {
    dispatch_pooled(r, run_handler);
  } else if (r->route->cheap || request_copy_headers(r)) {
    run_handler(r);
  } else {
    dispatch_busy(r, "Out of memory");
  }
}

static void dispatch_without_row(struct http_request *r) {
  const struct http_server *s = r->server;
  if (s->options.unrouted && s->options.unrouted(r, s->app)) return;
  if (r->match.node) {
    dispatch_not_allowed(r);
    return;
  }
  struct router_match m;
  if (router_match(r->server->ws_routes, bytes_of(r->path), &m) ||
      (r->on_ws_port && r->server->ws_any)) {
    ws_refuse_version(r, "This path speaks WebSocket");
  } else {
    respond_error(r, 404, "NOT_FOUND", NULL, "No such resource", NULL);
  }
}

void dispatch(struct http_request *r) {
  request_ref(r);
  bool gated = dispatch_is_gated(r);
  if (gated) r->caller = r->server->options.gate->identify(r, r->server->app, false);
  if (!throttle_admit(r)) return;
  if (gated && r->caller.state != HTTP_CALLER_LATER && !dispatch_is_allowed(r)) return;
  if (r->early_status) {
    respond_error(r, r->early_status, r->early_code, NULL, r->early_message, NULL);
  } else if (r->ws_route) {
    dispatch_websocket(r);
  } else if (strcmp(r->method, "OPTIONS") == 0 && !r->route) {
    dispatch_options(r);
  } else if (!r->route) {
    dispatch_without_row(r);
  } else if (atomic_load(&r->server->stopping) && !r->route->cheap) {
    r->close = true;
    dispatch_busy(r, "The server is shutting down");
  } else {
    dispatch_handler(r);
  }
}
