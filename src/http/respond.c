#include "http/respond.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

enum { RESPOND_NAME_MAX = 64, RESPOND_ERROR_MAX = 8192 };

/* The same as the earlier server's, on every answer; a page brings its own Content-Security-Policy
 * and Referrer-Policy. */
static const char *const respond_security[][2] = {
    {"X-Frame-Options", "DENY"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-XSS-Protection", "1; mode=block"},
    {"Content-Security-Policy",
     "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
     "img-src 'self' data: https:; connect-src 'self' wss: https:; font-src 'self' data:; "
     "frame-ancestors 'none'"},
    {"Strict-Transport-Security", "max-age=31536000; includeSubDomains"},
    {"X-API-Supported-Versions", "v1,v2"},
};

static bool respond_is_replaced(const char *const *extra, const char *name) {
  size_t n = strlen(name);
  for (; extra && *extra; extra++) {
    if (strncasecmp(*extra, name, n) == 0 && (*extra)[n] == ':') return true;
  }
  return false;
}

struct header_writer {
  struct MHD_Response *response;
  const char *const *extra;
  bool ok;
};

static void respond_header(struct header_writer *w, const char *name, const char *value) {
  if (respond_is_replaced(w->extra, name)) return;
  w->ok = MHD_add_response_header(w->response, name, value) == MHD_YES && w->ok;
}

static void respond_extra(struct header_writer *w) {
  for (const char *const *line = w->extra; line && *line; line++) {
    const char *colon = strchr(*line, ':');
    char name[RESPOND_NAME_MAX];
    size_t n = colon ? (size_t)(colon - *line) : 0;
    if (n == 0 || n >= sizeof name) {
      w->ok = false;
      return;
    }
    memcpy(name, *line, n);
    name[n] = '\0';
    const char *value = colon + 1 + strspn(colon + 1, " ");
    w->ok = MHD_add_response_header(w->response, name, value) == MHD_YES && w->ok;
  }
}

static void respond_policy(struct header_writer *w, bool secret) {
  for (size_t i = 0; i < sizeof respond_security / sizeof *respond_security; i++) {
    respond_header(w, respond_security[i][0], respond_security[i][1]);
  }
  respond_header(w, "Referrer-Policy", secret ? "no-referrer" : "strict-origin-when-cross-origin");
  if (secret) respond_header(w, "Cache-Control", "no-store");
}

static void respond_cors(struct header_writer *w, const struct http_request *r) {
  if (!r->server->guard.any_origin) respond_header(w, "Vary", "Origin");
  if (!r->cors_origin) return;
  respond_header(w, "Access-Control-Allow-Origin", r->cors_origin);
  respond_header(
      w, "Access-Control-Expose-Headers",
      "X-Request-ID, X-Trace-ID, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, "
      "RateLimit, RateLimit-Policy, Retry-After, Idempotent-Replayed");
}

/* Both families of names: the customary ones, and draft-ietf-httpapi-ratelimit-headers-10. */
static void respond_rate(struct header_writer *w, const struct http_request *r) {
  char text[64];
  if (!r->rated) return;
  long long remaining = r->rate.remaining, reset_s = (r->rate.reset_ms + 999) / 1000;
  snprintf(text, sizeof text, "%lld", (long long)r->server->options.rate_limit_requests);
  respond_header(w, "X-RateLimit-Limit", text);
  snprintf(text, sizeof text, "%lld", remaining);
  respond_header(w, "X-RateLimit-Remaining", text);
  snprintf(text, sizeof text, "%lld", (long long)time(NULL) + reset_s);
  respond_header(w, "X-RateLimit-Reset", text);
  respond_header(w, "RateLimit-Policy", r->server->rate_policy);
  snprintf(text, sizeof text, "\"requests\";r=%lld;t=%lld", remaining, reset_s);
  respond_header(w, "RateLimit", text);
}

bool respond_add_headers(const struct http_request *r, struct MHD_Response *response,
                         const char *content_type, const char *const *extra) {
  struct header_writer w = {response, extra, true};
  if (content_type) respond_header(&w, "Content-Type", content_type);
  respond_policy(&w, request_is_secret(r));
  respond_header(&w, "X-API-Version", r->version == 1 ? "v1" : "v2");
  respond_cors(&w, r);
  respond_rate(&w, r);
  respond_extra(&w);
  respond_header(&w, "X-Request-ID", r->id);
  /* The earlier server's name of it; whoever traces anything does not trace probes. */
  if (!r->route || !r->route->cheap) respond_header(&w, "X-Trace-ID", r->id);
  if (r->close) respond_header(&w, "Connection", "close");
  return w.ok;
}

void respond_drop(struct http_request *r) {
  if (r->response && !r->lent) MHD_destroy_response(r->response);
  if (r->lent) shared_give_back(r->shared, r->lent);
  if (r->websocket) ws_abandon(r->websocket);
  r->response = NULL;
  r->lent = NULL;
  r->websocket = NULL;
}

void respond_send(struct http_request *r, int status, struct MHD_Response *response) {
  r->status = status;
  r->response = response;
  int was = REQUEST_RUNNING;
  if (!atomic_compare_exchange_strong(&r->state, &was, REQUEST_ANSWERED)) {
    int parked = REQUEST_SUSPENDED;
    if (atomic_compare_exchange_strong(&r->state, &parked, REQUEST_ANSWERED)) {
      /* Parked connections are never freed, and only the one who leaves SUSPENDED resumes. */
      MHD_resume_connection(r->mhd);
    } else {
      respond_drop(r); /* abandoned at shutdown */
    }
  }
  request_unref(r);
}

static void respond_buffer(struct http_request *r, int status, const char *content_type, char *body,
                           size_t len, enum MHD_ResponseMemoryMode mode, const char *const *extra) {
  struct MHD_Response *response = MHD_create_response_from_buffer(len, body, mode);
  if (!response && mode == MHD_RESPMEM_MUST_FREE) free(body);
  if (response && !respond_add_headers(r, response, content_type, extra)) {
    MHD_destroy_response(response);
    response = NULL;
  }
  respond_send(r, status, response);
}

void http_respond(struct http_request *request, int status_code, const char *content_type,
                  struct bytes body, const char *const *headers) {
  respond_buffer(request, status_code, content_type, (char *)body.ptr, body.len,
                 body.len > 0 ? MHD_RESPMEM_MUST_COPY : MHD_RESPMEM_PERSISTENT, headers);
}

void http_respond_json(struct http_request *request, int status_code, json_t *body) {
  char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
  json_decref(body);
  if (!text) {
    respond_error(request, 500, "INTERNAL_ERROR", NULL, "An error occurred", NULL);
    return;
  }
  respond_buffer(request, status_code, "application/json", text, strlen(text),
                 MHD_RESPMEM_MUST_FREE, NULL);
}

/* The fields that every error has, without its end. */
static void respond_begin_error(struct buffer *b, const struct http_request *r, const char *code,
                                const char *message) {
  buffer_init(b, RESPOND_ERROR_MAX);
  buffer_append_text(b, "{\"error\":");
  buffer_append_json_string(b, bytes_of(message));
  buffer_append_text(b, ",\"code\":");
  buffer_append_json_string(b, bytes_of(code));
  buffer_append_text(b, ",\"request_id\":");
  buffer_append_json_string(b, bytes_of(r->id));
}

static void respond_end_error(struct buffer *b, struct http_request *r, int status,
                              const char *const *extra) {
  buffer_append_char(b, '}');
  size_t len = b->len;
  char *text = buffer_steal(b);
  buffer_done(b);
  if (text) {
    respond_buffer(r, status, "application/json", text, len, MHD_RESPMEM_MUST_FREE, extra);
  } else {
    respond_send(r, 500, NULL);
  }
}

void respond_error(struct http_request *r, int status, const char *code, const char *field,
                   const char *message, const char *const *extra) {
  struct buffer b;
  respond_begin_error(&b, r, code, message);
  if (field && field[0]) {
    buffer_append_text(&b, ",\"field\":");
    buffer_append_json_string(&b, bytes_of(field));
  }
  respond_end_error(&b, r, status, extra);
}

void respond_rate_limited(struct http_request *r, const char *message, int retry_after_s,
                          int64_t limit) {
  struct buffer b;
  char text[96];
  respond_begin_error(&b, r, "RATE_LIMITED", message);
  snprintf(text, sizeof text, ",\"retry_after\":%d,\"limit\":%lld", retry_after_s,
           (long long)limit);
  buffer_append_text(&b, text);
  snprintf(text, sizeof text, "Retry-After: %d", retry_after_s);
  const char *headers[] = {text, NULL};
  respond_end_error(&b, r, 429, headers);
}

void http_respond_error(struct http_request *request, int status_code, const char *code,
                        const char *field, const char *message) {
  respond_error(request, status_code, code, field, message, NULL);
}

const char *respond_code_of(int status) {
  switch (status) {
    case 400: return "INVALID_REQUEST";
    case 401: return "UNAUTHORIZED";
    case 403: return "FORBIDDEN";
    case 404: return "NOT_FOUND";
    case 409: return "CONFLICT";
    case 429: return "RATE_LIMITED";
    case 503: return "SERVICE_UNAVAILABLE";
    default: return "INTERNAL_ERROR";
  }
}
