#include "http/throttle.h"

#include "base/log.h"
#include "base/metrics.h"
#include "http/respond.h"

#include <stdio.h>

enum { THROTTLE_WS_WINDOW_MS = 60000, THROTTLE_WS_RETRY_S = 5 };

enum status throttle_init(struct http_server *server, struct error *err) {
  const struct http_options *o = &server->options;
  int64_t kept = o->rate_limit_callers > 0 ? o->rate_limit_callers : THROTTLE_CALLERS;
  struct caller_limits_options ws = {o->ws_connections_per_minute, o->ws_connections_per_address,
                                     THROTTLE_WS_WINDOW_MS, kept};
  enum status status = caller_limits_create(&ws, &server->ws_limits);
  if (!status && o->rate_limit_requests > 0) {
    struct caller_limits_options requests = {o->rate_limit_requests, 0,
                                             o->rate_limit_window_s * 1000, kept};
    status = caller_limits_create(&requests, &server->request_limits);
    snprintf(server->rate_policy, sizeof server->rate_policy, "\"requests\";q=%lld;w=%lld",
             (long long)o->rate_limit_requests, (long long)o->rate_limit_window_s);
  }
  return status ? error_set(err, status, NULL, "out of memory") : STATUS_OK;
}

void throttle_done(struct http_server *server) {
  caller_limits_destroy(server->ws_limits);
  caller_limits_destroy(server->request_limits);
}

static struct caller throttle_caller(const struct http_request *r) {
  return r->caller.state == HTTP_CALLER_KNOWN ? caller_of_credential(r->caller.limit_key)
                                              : caller_of_address(&r->address);
}

/* One line a caller and window, so that whoever hammers the server does not fill the disk. */
static void throttle_tell(const struct http_request *r, const struct caller *caller,
                          const char *type, const struct caller_standing *standing,
                          int retry_after_s) {
  const char *endpoint = r->ws_route ? r->ws_route->path : r->route ? r->route->path : "unmatched";
  const char *const labels[] = {endpoint, type};
  metric_add(METRIC_RATE_LIMIT_HITS, labels, 1);
  if (!standing->first) return;
  char name[CALLER_NAME_SIZE];
  caller_format(caller, name);
  struct log_context context = {r->id, NULL};
  log_warning("http", &context,
              "rate_limit exceeded status=429 caller=%s address=%s limit_type=%s endpoint=\"%s\" "
              "retry_after_s=%d",
              name, r->peer, type, endpoint, retry_after_s);
}

static int throttle_wait_s(const struct caller_standing *standing) {
  return (int)((standing->reset_ms + 999) / 1000);
}

/* A WebSocket has limits of its own; one that is refused for want of a credential is counted here,
 * so that nobody tries tokens without end. */
static bool throttle_counts(const struct http_request *r) {
  if (!r->server->request_limits || strcmp(r->method, "OPTIONS") == 0) return false;
  if (r->ws_route) return r->caller.state == HTTP_CALLER_UNKNOWN;
  if (r->route && r->route->cheap) return false;
  return strncmp(r->path, "/api/", 5) == 0;
}

bool throttle_admit(struct http_request *r) {
  if (!throttle_counts(r)) return true;
  struct caller caller = throttle_caller(r);
  r->rated = true;
  if (caller_limits_take(r->server->request_limits, &caller, server_now_ms(), &r->rate) ==
      STATUS_OK) {
    return true;
  }
  int wait_s = throttle_wait_s(&r->rate);
  throttle_tell(r, &caller, caller.by_token ? "token" : "address", &r->rate, wait_s);
  respond_rate_limited(r, "Rate limit exceeded. Please try again later.", wait_s,
                       r->server->options.rate_limit_requests);
  return false;
}

bool throttle_admit_websocket(struct http_request *r) {
  const struct http_options *o = &r->server->options;
  struct caller caller = caller_of_address(&r->address);
  struct caller_standing standing;
  if (caller_limits_enter(r->server->ws_limits, &caller, server_now_ms(), &standing) == STATUS_OK) {
    return true;
  }
  int wait_s = standing.over_window ? throttle_wait_s(&standing) : THROTTLE_WS_RETRY_S;
  throttle_tell(r, &caller, "websocket", &standing, wait_s);
  respond_rate_limited(
      r, "Too many WebSocket connections from this address", wait_s,
      standing.over_window ? o->ws_connections_per_minute : o->ws_connections_per_address);
  return false;
}

void throttle_leave_websocket(struct http_server *server, const struct caller *caller) {
  caller_limits_leave(server->ws_limits, caller);
}

/* --- for an operator --- */

size_t http_limits(const struct http_request *request, struct http_limit out[HTTP_LIMITS_MAX]) {
  const struct http_server *s = request->server;
  const struct http_options *o = &s->options;
  int64_t now_ms = server_now_ms();
  size_t n = 0;
  if (s->request_limits) {
    struct caller caller = throttle_caller(request);
    struct caller_standing standing = caller_limits_look(s->request_limits, &caller, now_ms);
    struct caller_limits_totals total = caller_limits_total(s->request_limits);
    out[n++] = (struct http_limit){"/api/*",           "requests",        o->rate_limit_requests,
                                   standing.remaining, standing.reset_ms, o->rate_limit_window_s,
                                   total.callers,      total.refused};
  }
  struct caller caller = caller_of_address(&request->address);
  struct caller_standing standing = caller_limits_look(s->ws_limits, &caller, now_ms);
  struct caller_limits_totals total = caller_limits_total(s->ws_limits);
  if (o->ws_connections_per_minute > 0) {
    out[n++] = (struct http_limit){"/ws",
                                   "websocket_connections",
                                   o->ws_connections_per_minute,
                                   standing.remaining,
                                   standing.reset_ms,
                                   THROTTLE_WS_WINDOW_MS / 1000,
                                   total.callers,
                                   total.refused};
  }
  if (o->ws_connections_per_address > 0) {
    int64_t left = o->ws_connections_per_address - standing.open;
    out[n++] = (struct http_limit){"/ws",
                                   "websocket_connections_at_once",
                                   o->ws_connections_per_address,
                                   left > 0 ? left : 0,
                                   0,
                                   0,
                                   total.callers,
                                   total.refused};
  }
  return n;
}

static size_t throttle_refused(struct caller_limits *limits, const char *type, int64_t now_ms,
                               struct http_refused *out, size_t max) {
  struct caller_refused refused[HTTP_REFUSED_MAX];
  size_t n = limits ? caller_limits_refused(limits, now_ms, refused, max) : 0;
  for (size_t i = 0; i < n; i++) {
    caller_format(&refused[i].caller, out[i].caller);
    out[i].type = type;
    out[i].refused = refused[i].refused;
    out[i].reset_ms = refused[i].reset_ms;
  }
  return n;
}

size_t http_refused(const struct http_request *request, struct http_refused out[HTTP_REFUSED_MAX]) {
  const struct http_server *s = request->server;
  int64_t now_ms = server_now_ms();
  size_t n = throttle_refused(s->request_limits, "requests", now_ms, out, HTTP_REFUSED_MAX);
  return n + throttle_refused(s->ws_limits, "websocket_connections", now_ms, out + n,
                              HTTP_REFUSED_MAX - n);
}
