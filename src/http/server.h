/* The transport: listeners, router, responses, event streams and WebSockets. Knows no debates.
 *
 * libmicrohttpd on `workers` threads of its own, at most one a processor; WebSockets live on the
 * loop. A handler runs on an HTTP thread and must not block, unless its route says `pool`, then on
 * the handler pool. Either way it answers exactly once, now or later, from any thread, by one of
 * the http_respond functions.
 */
#ifndef ARAGORA_HTTP_SERVER_H
#define ARAGORA_HTTP_SERVER_H

#include "base/bytes.h"
#include "http/ports.h"
#include "io/frame.h"
#include "io/loop.h"
#include "io/pool.h"

#include <jansson.h>

struct http_server;
struct http_request;

typedef void http_handler(struct http_request *request, void *app);

/* A row of the one table of routes. `path` may hold {name} segments. HEAD is answered from GET,
 * OPTIONS and 405 (with Allow) from the table. /api/v1/x and /api/v2/x are /api/x. */
struct http_route {
  const char *method;
  const char *path;
  http_handler *handle;
  bool pool;  /* runs on the handler pool: it may block */
  bool cheap; /* probe: not in the access log, exempt from limits; answered inline unless
                 `pool` is set too */
  const char *permission; /* what the gate asks for; a `cheap` route is open to everybody */
  const char *summary;    /* one line, for the documentation */
};

/* Who calls, as the gate found out. */
enum http_caller_state {
  HTTP_CALLER_OPEN,    /* nobody knows, and nobody asks */
  HTTP_CALLER_KNOWN,   /* limits on callers count by `limit_key`, in place of the address */
  HTTP_CALLER_UNKNOWN, /* a credential is wanted, and none that is good came */
  HTTP_CALLER_LATER,   /* to find out may block: asked again on the pool */
};
enum { HTTP_LIMIT_KEY_SIZE = 16 };
struct http_caller {
  enum http_caller_state state;
  const void *identity; /* the gate's own, for http_request_caller */
  void *owned;          /* freed with the request, or NULL: what `identity` lies in */
  uint8_t limit_key[HTTP_LIMIT_KEY_SIZE];
};

/* Asked before a handler or the admission of a WebSocket runs. */
struct http_gate {
  /* HTTP thread with `may_block` false, and then must not; or the pool. */
  struct http_caller (*identify)(struct http_request *request, void *app, bool may_block);
  /* Whether the caller, who was found out, may what the route asks for: else it has answered. The
   * same threads. */
  bool (*authorize)(struct http_request *request, void *app, const char *permission);
};

struct http_options {
  size_t workers;
  size_t max_connections;
  size_t max_body_bytes;
  int head_timeout_s; /* a request's head must be whole by then, however it drips; 0 = 30 */
  int body_timeout_s; /* and then its body; 0 = 120 */
  int send_timeout_s; /* see http_respond_stream; 0 = 60 */
  const char *allowed_origins; /* "*" or a comma list (CORS) */
  bool guard_local;            /* no credential is configured: Host must be localhost, 127.0.0.1 or
                                  [::1], an Origin must be loopback; else 403 */
  /* Asked on an HTTP thread where no row has the path and the method, before the 404 and the 405:
   * true when it answered; NULL = nobody. */
  bool (*unrouted)(struct http_request *request, void *app);
  /* What follows this in a path ("/shared/") is a secret: no log has it, and no answer under it may
   * be kept, or named to others as where somebody comes from; NULL = none is. */
  const char *secret_after;
  const struct http_gate *gate; /* NULL = everybody may everything */
  int64_t rate_limit_requests;  /* to /api, of one caller in a window; 0 = no limit */
  int64_t rate_limit_window_s;
  int64_t rate_limit_callers;  /* remembered, here and for WebSockets; 0 = 16,384 */
  const char *trusted_proxies; /* see proxies_init; NULL = this machine */
  int64_t ws_max_message_bytes, ws_connections_per_minute, ws_connections_per_address;
  int64_t ws_messages_per_second, ws_heartbeat_s, ws_send_buffer_bytes, sse_heartbeat_s;
};

/* Decides about a WebSocket upgrade and owns its messages. All on the loop thread but `admit`. */
struct http_websocket;
struct http_ws_ops {
  /* HTTP thread, or the pool where the route says so, before the 101. `path` and query through the
   * request. Returns 101 to accept, with *ret_ctx for the connection, or an HTTP error status
   * having filled *err. */
  int (*admit)(struct http_request *request, void *app, void **ret_ctx, struct error *err);
  void (*open)(struct http_websocket *ws, void *ctx);
  /* One whole text message of the client, valid UTF-8. */
  void (*message)(struct http_websocket *ws, void *ctx, struct bytes text);
  /* A message of bytes, which nobody has a use for. */
  void (*binary)(struct http_websocket *ws, void *ctx);
  /* The connection is gone; the last callback, also for one that was admitted and left before
   * `open`. */
  void (*close)(struct http_websocket *ws, void *ctx);
  /* The server stops, and all that was ready has been queued: may change the close frame's reason,
   * and answers a message (a reference) to go out before it, or NULL. May be NULL. */
  struct frame *(*farewell)(struct http_websocket *ws, void *ctx, char *reason, size_t size);
};

struct http_ws_route {
  const char *path;    /* "/ws/debates/{id}" */
  bool any_on_ws_port; /* also every unmatched path on the second port */
  bool pool;           /* `admit` runs on the handler pool: it may block */
  const char *permission;
};

MUST_CHECK enum status http_server_create(struct loop *loop, struct pool *pool,
                                          const struct http_options *options,
                                          const struct http_route *routes, size_t route_count,
                                          const struct http_ws_route *ws_routes,
                                          size_t ws_route_count, const struct http_ws_ops *ws_ops,
                                          void *app, struct http_server **ret_server,
                                          struct error *err);
/* Listens on what was bound, and takes the sockets over; where that fails (see ports_listen) they
 * stay the caller's. */
MUST_CHECK enum status http_server_start(struct http_server *server, struct ports *ports,
                                         struct error *err);
/* Stops accepting; closes WebSockets with 1001, and streams, once what was ready for them is sent,
 * the former within a second; waits for responses in flight at most `grace_ms`; joins the threads.
 * Not on the loop thread; the loop must still run. */
void http_server_stop(struct http_server *server, int64_t grace_ms);
/* After the pool and the loop were stopped: a handler that outlasted the grace may still run there,
 * and the end of a connection that it admitted is told on the loop. */
void http_server_destroy(struct http_server *server);
int http_server_port(const struct http_server *server);
int http_server_ws_port(const struct http_server *server); /* 0 = none */

/* --- the request; valid until it was answered --- */
const char *http_request_id(const struct http_request *request); /* X-Request-ID, made or echoed */
const char *http_request_method(const struct http_request *request);
const char *http_request_path(const struct http_request *request); /* decoded */
/* The same as a log may have it: of one with a secret in it, what its route looks like. */
const char *http_request_shown_path(const struct http_request *request);
const char *http_request_param(const struct http_request *request, const char *name);
const char *http_request_query(const struct http_request *request, const char *name); /* or NULL */
const char *http_request_header(const struct http_request *request, const char *name);
struct bytes http_request_body(const struct http_request *request); /* whole, within the limit */
/* The client's address without port: the forwarded one where a trusted proxy brought it. */
const char *http_request_peer(const struct http_request *request);
bool http_request_on_ws_port(const struct http_request *request);
/* The gate's identity of the caller; NULL = it was not asked. */
const void *http_request_caller(const struct http_request *request);
/* It asks for an upgrade to a path that WebSockets have. */
bool http_request_is_websocket(const struct http_request *request);
/* What its route asks for; NULL = no row has it. */
const char *http_request_permission(const struct http_request *request);

/* --- answers --- */

/* Extra headers: "Name: value" texts, NULL-terminated, copied; may be NULL. */
void http_respond(struct http_request *request, int status_code, const char *content_type,
                  struct bytes body, const char *const *headers);
/* Takes the reference of `body`. */
void http_respond_json(struct http_request *request, int status_code, json_t *body);
/* A body shared by many responses (cached health): its reference is taken; see http_shared. */
struct http_shared;
struct http_shared *http_shared_create(struct bytes body, const char *content_type);
struct http_shared *http_shared_ref(struct http_shared *shared);
void http_shared_unref(struct http_shared *shared);
void http_respond_shared(struct http_request *request, int status_code, struct http_shared *shared);
/* {"error": message, "code": code, "request_id": id, "field"?: field} */
void http_respond_error(struct http_request *request, int status_code, const char *code,
                        const char *field, const char *message);

/* A body that is made while it is sent. */
enum http_piece {
  HTTP_PIECE_MORE,
  HTTP_PIECE_LAST,  /* what was appended ends the body */
  HTTP_PIECE_FAILED /* it cannot be made whole: the connection is cut, which the client sees */
};
enum { HTTP_PIECE_BYTES = 64 << 10 }; /* a piece ends with the append that reaches this */
struct http_producer {
  void *ctx;
  /* Appends to the piece; on the pool, never twice at once. Called only when what it gave before
   * has been sent. */
  enum http_piece (*next)(void *ctx, struct buffer *piece);
  void (*close)(
      void *ctx); /* the last call: the body was sent, or the client is gone; HTTP thread */
};
/* Sends `first`, whose content is taken, then, unless it is the `last`, what the producer makes.
 * Owns the producer from here on. A client that takes nothing for send_timeout_s is cut. `headers`
 * as for http_respond. */
void http_respond_stream(struct http_request *request, int status_code, const char *content_type,
                         const char *const *headers, struct buffer *first, bool last,
                         struct http_producer producer);

/* text/event-stream: id: the seq, data: the frame, a comment every sse_heartbeat_s. Owns the source
 * from here on. */
void http_respond_events(struct http_request *request, struct frame_source source);

/* --- WebSockets; loop thread --- */

/* One text frame. Over ws_send_buffer_bytes unsent it is refused (false) and the caller stops until
 * `writable`; see http_ws_attach for the usual way. */
bool http_ws_send(struct http_websocket *ws, struct bytes text);
/* Streams a source's frames, each as one message, `alone` ones as writes of their own. Several may
 * be attached; each is closed with the connection. The tag finds it again. */
void http_ws_attach(struct http_websocket *ws, struct frame_source source, const char *tag);
/* True when a source with that tag was attached; it is closed. */
bool http_ws_detach(struct http_websocket *ws, const char *tag);
/* True when a source with that tag is attached and its last frame (frame.h) was not queued yet;
 * *ret_seq is the last seq that was, 0 = none. */
bool http_ws_progress(const struct http_websocket *ws, const char *tag, uint64_t *ret_seq);
void http_ws_close(struct http_websocket *ws, int code, const char *reason);

struct http_ws_stats {
  int64_t active, total, messages_in, messages_out, errors;
};
struct http_ws_stats http_ws_stats(const struct http_server *server);

/* --- limits on callers; any thread, while the request is being handled --- */

struct http_limit {
  const char *endpoint, *type;
  int64_t limit;
  int64_t remaining, reset_ms; /* for the caller of the request; reset_ms from now */
  int64_t window_s;            /* 0 = of what is held at once */
  int64_t callers, refused;    /* of all: remembered now, and refused since the start */
};
enum { HTTP_LIMITS_MAX = 3, HTTP_REFUSED_MAX = 100 };
/* The limits that are on. */
size_t http_limits(const struct http_request *request, struct http_limit out[HTTP_LIMITS_MAX]);

struct http_refused {
  char caller[64]; /* an address, an IPv6 network, or "token" */
  const char *type;
  int64_t refused, reset_ms; /* in the window they are in, and until it ends */
};
/* Callers who are being turned away now. */
size_t http_refused(const struct http_request *request, struct http_refused out[HTTP_REFUSED_MAX]);

#endif
