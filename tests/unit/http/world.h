/* A real server on free ports with a loop of its own, and a raw client, for the tests here. */
#ifndef ARAGORA_TESTS_HTTP_WORLD_H
#define ARAGORA_TESTS_HTTP_WORLD_H

#include "http/server.h"

#include <pthread.h>

struct world {
  struct loop *loop;
  pthread_t loop_thread;
  struct pool *pool;
  struct http_server *server;
  int port, ws_port;
};

struct http_options world_options(void);
void world_start(struct world *w, const struct http_options *options,
                 const struct http_route *routes, size_t route_count,
                 const struct http_ws_route *ws_routes, size_t ws_route_count,
                 const struct http_ws_ops *ws_ops, void *app);
/* Answers how long the server took to stop, in milliseconds. */
int64_t world_stop(struct world *w, int64_t grace_ms);

int64_t now_ms(void);

/* --- the client; reads fail the test after ten seconds --- */
int client_connect(int port);
void client_send(int fd, const char *text);
void client_send_bytes(int fd, const void *data, size_t len);

struct reply {
  int status;
  char *head; /* NUL-terminated */
  char *body; /* NUL-terminated, without the chunk framing; empty for a stream */
  size_t len;
  bool closed; /* the server ended the connection where it is not told by a length */
};
/* Reads one response; `no_body` for HEAD. */
struct reply client_read(int fd, bool no_body);
void reply_done(struct reply *r);
/* The value of a header, or NULL; valid until the next call. */
const char *reply_header(const struct reply *r, const char *name);
/* Connects, sends, reads, closes. */
struct reply client_ask(int port, const char *request);
/* True when the server ends the connection; what comes before is dropped. */
bool client_sees_end(int fd);
/* Exactly `len` bytes; false at the end of the connection. */
bool client_read_bytes(int fd, void *out, size_t len);

/* --- a source that a test fills --- */
struct script;
struct script *script_create(void);
struct frame_source script_source(struct script *s);
/* Any thread. */
void script_push(struct script *s, const char *json, uint64_t seq, bool alone);
void script_end(struct script *s);
/* Waits until the sink closed it. */
void script_wait_closed(struct script *s);
int script_polls(struct script *s);
/* After it was closed. */
void script_destroy(struct script *s);

#endif
