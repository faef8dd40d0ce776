#include "http/request.h"

#include "base/clock.h"
#include "base/prng.h"
#include "http/handshake.h"
#include "http/query.h"
#include "http/raw_head.h"

#include <sodium.h>
#include <stdlib.h>
#include <strings.h>

/* "req-" and 12 hexadecimal digits. Not a secret: a generator a thread, seeded once, spares a
 * system call a request. */
static void request_make_id(char *out) {
  static _Thread_local struct prng generator;
  static _Thread_local bool seeded;
  if (!seeded) {
    randombytes_buf(&generator, sizeof generator);
    seeded = true;
  }
  uint64_t bits = prng_next(&generator);
  memcpy(out, "req-", 4);
  for (int i = 0; i < 12; i++) out[4 + i] = "0123456789abcdef"[bits >> (4 * i) & 15];
  out[16] = '\0';
}

struct http_request *request_create(struct http_server *server, struct http_connection *connection,
                                    struct MHD_Connection *mhd, const char *target) {
  size_t len = strlen(target);
  struct http_request *r = calloc(1, sizeof *r + 3 * (len + 1));
  if (!r) return NULL;
  r->server = server;
  r->mhd = mhd;
  atomic_init(&r->refs, 1);
  atomic_init(&r->state, REQUEST_RUNNING);
  r->started_us = clock_mono_us(&clock_system);
  r->version = 1;
  r->on_ws_port = connection->on_ws_port;
  r->address = connection->address;
  memcpy(r->peer, connection->peer, sizeof r->peer);
  memcpy(r->raw, target, len + 1);
  r->target = target;
  r->path = r->raw;
  request_make_id(r->id);
  buffer_init(&r->body, server->options.max_body_bytes);
  return r;
}

struct http_request *request_ref(struct http_request *r) {
  atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
  return r;
}

void request_unref(struct http_request *r) {
  if (!r || atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) != 1) return;
  while (r->texts) {
    struct request_text *t = r->texts;
    r->texts = t->next;
    free(t->text);
    free(t);
  }
  free(r->headers);
  buffer_done(&r->body);
  free(r->caller.owned);
  free(r);
}

void request_refuse(struct http_request *r, int status, const char *code, const char *message) {
  if (r->early_status) return;
  r->early_status = status;
  r->early_code = code;
  r->early_message = message;
}

/* --- the head --- */

struct head {
  int hosts, lengths, encodings, start_keys, credentials, forwards, count;
  const char *host, *origin, *id, *length, *encoding, *forwarded, *real_ip, *trace;
  bool upgrade, to_websocket; /* of Connection and Upgrade, on whichever of their lines */
  bool broken;
  struct raw_head raw;
  bool well_ended, old_version, bad_method;
};

/* A field name is a token (RFC 9110 section 5.6.2). */
static bool head_is_token(const char *text, size_t len) {
  static const char others[] = "!#$%&'*+-.^_`|~";
  for (size_t i = 0; i < len; i++) {
    char c = text[i];
    bool letter = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (!letter && (c == '\0' || !strchr(others, c))) return false;
  }
  return len > 0;
}

static bool head_has_controls(const char *text, size_t len) {
  for (size_t i = 0; i < len; i++) {
    unsigned char c = (unsigned char)text[i];
    if ((c < 0x20 && c != '\t') || c == 0x7f) return true;
  }
  return false;
}

static enum MHD_Result head_on_value(void *cls, enum MHD_ValueKind kind, const char *key,
                                     size_t key_len, const char *value, size_t value_len) {
  struct head *h = cls;
  struct bytes name = {key, key_len};
  raw_head_field(&h->raw, name, (struct bytes){value, value_len});
  if (!value) value = "";
  if (++h->count > REQUEST_HEADERS_MAX || !head_is_token(key, key_len) ||
      head_has_controls(value, value_len)) {
    h->broken = true;
    return MHD_NO;
  }
  /* By first letter: most headers are none of these. */
  switch (key[0] | 0x20) {
    case 'a': h->credentials += bytes_equal_nocase(name, BYTES_LITERAL("Authorization")); break;
    case 'h':
      if (bytes_equal_nocase(name, BYTES_LITERAL("Host"))) h->host = h->hosts++ ? h->host : value;
      break;
    case 'i': h->start_keys += bytes_equal_nocase(name, BYTES_LITERAL("Idempotency-Key")); break;
    case 'o':
      if (bytes_equal_nocase(name, BYTES_LITERAL("Origin"))) h->origin = value;
      break;
    case 'u':
      if (bytes_equal_nocase(name, BYTES_LITERAL("Upgrade")))
        h->to_websocket = h->to_websocket || handshake_list_has(value, "websocket");
      break;
    case 'c':
      if (bytes_equal_nocase(name, BYTES_LITERAL("Connection")))
        h->upgrade = h->upgrade || handshake_list_has(value, "upgrade");
      if (bytes_equal_nocase(name, BYTES_LITERAL("Content-Length"))) {
        h->length = value;
        h->lengths++;
      }
      break;
    case 't':
      if (bytes_equal_nocase(name, BYTES_LITERAL("Transfer-Encoding"))) {
        h->encoding = value;
        h->encodings++;
      }
      break;
    case 'x':
      if (bytes_equal_nocase(name, BYTES_LITERAL("X-Request-ID"))) h->id = value;
      if (bytes_equal_nocase(name, BYTES_LITERAL("X-Trace-ID"))) h->trace = value;
      if (bytes_equal_nocase(name, BYTES_LITERAL("X-Forwarded-For"))) {
        h->forwarded = value;
        h->forwards++;
      }
      if (bytes_equal_nocase(name, BYTES_LITERAL("X-Real-IP"))) h->real_ip = value;
      break;
    default: break;
  }
  return MHD_YES;
}

/* host [":" port] of RFC 9110 section 7.2, strictly enough that no two readers see two hosts. */
static bool head_host_valid(const char *host) {
  static const char chars[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%!$&'()*+;=:[]";
  if (host[strspn(host, chars)] != '\0') return false;
  const char *bracket = strrchr(host, ']');
  const char *colon = strchr(bracket ? bracket : host, ':');
  return !colon || colon[1 + strspn(colon + 1, "0123456789")] == '\0';
}

static bool request_id_valid(const char *id) {
  size_t n = strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
  return n > 0 && n <= REQUEST_ID_MAX && id[n] == '\0';
}

static enum MHD_Result head_join_forwarded(void *cls, enum MHD_ValueKind kind, const char *key,
                                           size_t key_len, const char *value, size_t value_len) {
  struct buffer *list = cls;
  struct bytes name = {key, key_len};
  if (!bytes_equal_nocase(name, BYTES_LITERAL("X-Forwarded-For"))) return MHD_YES;
  if (list->len > 0) buffer_append_char(list, ',');
  buffer_append(list, value, value_len);
  return MHD_YES;
}

/* Each proxy on the way may have added a line of its own: several are one list (RFC 9110 section
 * 5.3). Should memory be short, what the nearest one wrote counts. */
static void request_find_client(struct http_request *r, const struct head *h) {
  BUFFER_LATER struct buffer list;
  buffer_init(&list, SERVER_CONNECTION_MEMORY_BYTES);
  if (h->forwards > 1)
    MHD_get_connection_values_n(r->mhd, MHD_HEADER_KIND, head_join_forwarded, &list);
  const char *forwarded = list.len > 0 && !list.overflow ? list.ptr : h->forwarded;
  r->address = proxies_find_client(&r->server->proxies, &r->address, forwarded, h->real_ip);
  address_format(&r->address, r->peer);
}

/* Of a target that names a host too, that host is the one that counts (RFC 9112 section 3.2.2), and
 * a client says the same in both places. */
static bool head_names_two_hosts(const struct head *h, const char *target) {
  struct bytes authority = query_target_authority(bytes_of(target));
  return h->host && authority.ptr && !bytes_equal_nocase(authority, bytes_of(h->host));
}

static void request_check_framing(struct http_request *r, const struct head *h) {
  const char *bad = NULL;
  if (h->broken) bad = "A header is malformed";
  if (h->bad_method) bad = "The method is malformed";
  if (!h->well_ended) bad = "A line of the head is malformed";
  if (h->hosts > 1) bad = "More than one Host header";
  if (!h->host && !h->old_version) bad = "The Host header is missing";
  if (h->host && !head_host_valid(h->host)) bad = "The Host header is malformed";
  if (head_names_two_hosts(h, r->raw)) bad = "The Host header is not the host of the target";
  if (h->lengths > 1) bad = "More than one Content-Length header";
  if (h->credentials > 1) bad = "More than one Authorization header";
  if (h->start_keys > 1) bad = "More than one Idempotency-Key header";
  /* What two parsers may frame differently is refused (RFC 9112 section 6.1). */
  if (h->encodings > 1) bad = "More than one Transfer-Encoding header";
  if (h->encoding && h->length) bad = "Content-Length and Transfer-Encoding together";
  if (h->encoding && strcasecmp(h->encoding, "chunked") != 0) {
    bad = "Unknown Transfer-Encoding";
  }
  if (!bad) return;
  r->close = true;
  request_refuse(r, 400, "INVALID_REQUEST", bad);
}

static void request_check_length(struct http_request *r, const char *length) {
  if (!length) return;
  char *end = NULL;
  unsigned long long n = strtoull(length, &end, 10);
  if (n <= r->server->options.max_body_bytes) return;
  request_refuse(r, 413, "PAYLOAD_TOO_LARGE", "Content too large");
  /* Too long to read to its end: answered before it, which ends the connection. */
  if (n > r->server->options.max_body_bytes + REQUEST_DRAIN_MAX) r->close = true;
}

/* "/api/v2/x" is "/api/x"; any other number is reported as 2, as the
 * earlier server did, so that its clients find every path. */
static void request_strip_version(struct http_request *r) {
  if (strncmp(r->path, "/api/v", 6) != 0) return;
  char *digits = r->path + 6;
  size_t n = strspn(digits, "0123456789");
  if (n == 0 || digits[n] != '/') return;
  r->version = n == 1 && digits[0] == '1' ? 1 : 2;
  memmove(r->path + 5, digits + n + 1, strlen(digits + n + 1) + 1);
}

static bool request_read_target(struct http_request *r) {
  size_t len = strlen(r->raw);
  struct bytes path;
  if (strchr(r->raw, ' ') || head_has_controls(r->raw, len)) return false;
  if (!query_split_target((struct bytes){r->raw, len}, &path, &r->query)) return false;
  char *decoded = r->raw + len + 1;
  if (!query_decode_path(path, decoded)) return false;
  r->path = decoded;
  request_strip_version(r);
  return true;
}

/* The segments that matched a {name}, each with its own NUL. */
static void request_copy_params(struct http_request *r) {
  char *out = r->raw + 2 * (strlen(r->raw) + 1);
  for (size_t i = 0; i < r->match.param_count; i++) {
    struct bytes value = r->match.params[i];
    memcpy(out, value.ptr, value.len);
    out[value.len] = '\0';
    r->params[i] = out;
    out += value.len + 1;
  }
}

static void request_find_route(struct http_request *r) {
  const struct http_server *s = r->server;
  struct bytes path = bytes_of(r->path);
  if (r->wants_upgrade) {
    if (router_match(s->ws_routes, path, &r->match)) {
      r->ws_route = router_row(&r->match, "GET");
    } else if (r->on_ws_port) {
      r->ws_route = s->ws_any;
    }
  }
  if (!r->ws_route && router_match(s->routes, path, &r->match)) {
    r->route = router_row(&r->match, r->method);
  }
  if (r->match.node) request_copy_params(r);
}

/* HTTP/1.0 has no Host, and old load balancers ask so. A browser, whose page might have a rebound
 * name, always sends one. */
static bool request_is_old_probe(const struct http_request *r, const struct head *h) {
  return h->old_version && !h->host && !h->origin &&
         (strcmp(r->path, "/healthz") == 0 || strcmp(r->path, "/readyz") == 0);
}

static bool request_is_admitted(const struct http_request *r, const struct head *h) {
  const struct guard *guard = &r->server->guard;
  if (request_is_old_probe(r, h)) return true;
  return guard_admits(guard, h->host, h->origin) &&
         (!r->wants_upgrade || guard_admits_websocket(guard, h->host, h->origin));
}

void request_read_head(struct http_request *r, const char *method, const char *version) {
  struct head h = {0};
  raw_head_begin(&h.raw, method, (struct bytes){r->target, strlen(r->raw)}, version);
  MHD_get_connection_values_n(r->mhd, MHD_HEADER_KIND, head_on_value, &h);
  const union MHD_ConnectionInfo *size =
      MHD_get_connection_info(r->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
  h.well_ended = size && raw_head_end(&h.raw, method + size->header_size);
  h.old_version = strcmp(version, MHD_HTTP_VERSION_1_0) == 0;
  size_t method_len = strlen(method);
  h.bad_method = !head_is_token(method, method_len);
  if (method_len >= sizeof r->method || h.bad_method) {
    method = "OTHER";
    method_len = 5;
  }
  memcpy(r->method, method, method_len + 1);
  const char *id = h.id ? h.id : h.trace;
  if (id && request_id_valid(id)) memcpy(r->id, id, strlen(id) + 1);
  r->cors_origin = guard_cors_origin(&r->server->guard, h.origin);
  request_check_framing(r, &h);
  if (h.forwarded || h.real_ip) request_find_client(r, &h);
  if (!request_read_target(r)) {
    r->close = true;
    request_refuse(r, 400, "INVALID_REQUEST", "The request target is malformed");
    return;
  }
  request_check_length(r, h.length);
  r->wants_upgrade = h.to_websocket && h.upgrade;
  if (!request_is_admitted(r, &h)) {
    request_refuse(r, 403, "FORBIDDEN",
                   r->server->guard.local_only
                       ? "Without a credential this server answers on this machine only: set "
                         "ARAGORA_API_TOKEN, or start it with --allow-unauthenticated"
                       : "Origin not allowed");
  }
  request_find_route(r);
}

/* --- copies for handlers that answer later --- */

struct header_copy {
  size_t count, bytes;
  struct request_header *headers;
  char *out;
};

static enum MHD_Result header_measure(void *cls, enum MHD_ValueKind kind, const char *key,
                                      size_t key_len, const char *value, size_t value_len) {
  struct header_copy *c = cls;
  c->count++;
  c->bytes += key_len + value_len + 2;
  return MHD_YES;
}

static const char *header_put(struct header_copy *c, const char *text, size_t len) {
  char *at = c->out;
  if (len > 0) memcpy(at, text, len);
  at[len] = '\0';
  c->out += len + 1;
  return at;
}

static enum MHD_Result header_take(void *cls, enum MHD_ValueKind kind, const char *key,
                                   size_t key_len, const char *value, size_t value_len) {
  struct header_copy *c = cls;
  struct request_header *h = &c->headers[c->count++];
  h->name = header_put(c, key, key_len);
  h->value = header_put(c, value, value_len);
  return MHD_YES;
}

bool request_copy_headers(struct http_request *r) {
  struct header_copy c = {0};
  MHD_get_connection_values_n(r->mhd, MHD_HEADER_KIND, header_measure, &c);
  c.headers = malloc(c.count * sizeof *c.headers + c.bytes + 1);
  if (!c.headers) return false;
  c.out = (char *)(c.headers + c.count);
  c.count = 0;
  MHD_get_connection_values_n(r->mhd, MHD_HEADER_KIND, header_take, &c);
  r->headers = c.headers;
  r->header_count = c.count;
  return true;
}

/* --- what handlers ask --- */

const char *http_request_id(const struct http_request *request) {
  return request->id;
}

const char *http_request_method(const struct http_request *request) {
  return request->method;
}

const char *http_request_path(const struct http_request *request) {
  return request->path;
}

/* Wherever it stands: a path that could not be read is as it came, its version and all. */
bool request_is_secret(const struct http_request *r) {
  const char *after = r->server->options.secret_after;
  return after && strstr(r->path, after);
}

const char *http_request_shown_path(const struct http_request *request) {
  if (!request_is_secret(request)) return request->path;
  return request->route ? request->route->path : "(secret)";
}

const char *http_request_param(const struct http_request *request, const char *name) {
  const struct router_match *m = &request->match;
  for (size_t i = 0; i < m->param_count; i++) {
    if (bytes_equal(m->param_names[i], bytes_of(name))) return request->params[i];
  }
  return NULL;
}

const char *http_request_query(const struct http_request *request, const char *name) {
  char *text = query_find(request->query, name);
  if (!text) return NULL;
  struct request_text *t = malloc(sizeof *t);
  if (!t) {
    free(text);
    return NULL;
  }
  /* The list of what was handed out is no part of the request that a handler sees. */
  struct http_request *r = (struct http_request *)request;
  *t = (struct request_text){r->texts, text};
  r->texts = t;
  return text;
}

const char *http_request_header(const struct http_request *request, const char *name) {
  if (!request->headers) {
    return MHD_lookup_connection_value(request->mhd, MHD_HEADER_KIND, name);
  }
  for (size_t i = 0; i < request->header_count; i++) {
    if (strcasecmp(request->headers[i].name, name) == 0) return request->headers[i].value;
  }
  return NULL;
}

struct bytes http_request_body(const struct http_request *request) {
  return buffer_bytes(&request->body);
}

const char *http_request_peer(const struct http_request *request) {
  return request->peer;
}

bool http_request_on_ws_port(const struct http_request *request) {
  return request->on_ws_port;
}

const void *http_request_caller(const struct http_request *request) {
  return request->caller.identity;
}

bool http_request_is_websocket(const struct http_request *request) {
  return request->ws_route != NULL;
}

const char *http_request_permission(const struct http_request *request) {
  if (request->ws_route) return request->ws_route->permission;
  return request->route ? request->route->permission : NULL;
}
