#include "http/ws_sink.h"

#include "base/log.h"
#include "base/metrics.h"
#include "http/request.h"
#include "http/server_state.h"
#include "http/throttle.h"
#include "http/websocket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include <utlist.h>

enum {
  WS_BATCH_FRAMES = 64,          /* in one writev, and taken from sources at once */
  WS_BATCH_BYTES = 64 << 10,     /* " */
  WS_ROUNDS = 4,                 /* batches of one connection before the others have their turn */
  WS_READ_BYTES = 16 << 10,      /* in one recv */
  WS_CONTROL_BYTES_MAX = 4096,   /* of pongs not sent yet; further pings go unanswered */
  WS_CLOSE_WAIT_MS = 1000,       /* for the peer's close after ours */
  WS_ENDING_WAIT_MS = 500,       /* for what is ready at a stop; the rest of SERVER_WS_WAIT_MS is
                                    the close's */
  WS_PONG_WAIT_MS = 10000,       /* a peer that takes longer is gone */
  WS_ATTACHMENTS_MAX = 64,       /* sources of one connection */
  WS_QUEUE_KEPT = 16,            /* slots of an empty queue that stay allocated */
  WS_WARNING_INTERVAL_MS = 1000, /* between two warnings about the rate of messages */
  WS_BURST = 2,                  /* messages at once, in multiples of the rate a second */
};

enum ws_state {
  WS_ADMITTED, /* the request's; no socket yet */
  WS_OPEN,     /* the loop's */
  WS_ENDING,   /* the server stops: what the queue and the sources have goes out, then a close */
  WS_CLOSING,  /* our close frame is queued or sent; waits for the peer, at most WS_CLOSE_WAIT_MS */
  WS_CLOSED,   /* the handle is closing; freed when that is done */
};

enum ws_list { WS_LIST_NONE, WS_LIST_TO_PING, WS_LIST_TO_JUDGE };

struct ws_attachment {
  struct ws_attachment *next, *prev;
  struct frame_source source;
  uint64_t last_seq; /* of what was queued */
  bool over;         /* the last frame of its debate was */
  char tag[];
};

struct http_websocket {
  struct http_websocket *next, *prev;             /* table->open */
  struct http_websocket *beat_next, *beat_prev;   /* to_ping or to_judge */
  struct http_websocket *ready_next, *ready_prev; /* table->ready */
  bool is_ready;                                  /* in table->ready; guarded by table->lock */
  struct http_server *server;
  enum ws_state state;
  enum ws_list list;
  int fd;
  uv_poll_t poll;
  struct websocket protocol;
  void *ctx;
  bool admitted, opened, writing, close_sent, hang_up;
  int64_t beat_ms;      /* when the next ping, or the pong, is due */
  int64_t wrote_ms;     /* last write of frames, for those that go alone */
  int64_t allowance;    /* thousandths of messages the client may send now */
  int64_t allowance_ms; /* when that was counted */
  int64_t warned_ms;
  struct loop_timer *alone_timer, *close_timer;
  struct ws_attachment *sources; /* the next to be polled first */
  size_t source_count;
  struct frame *alone;            /* polled; goes out as a write of its own */
  struct ws_attachment *alone_of; /* where it came from, while that is attached */
  struct frame **queue;           /* references, oldest first */
  size_t queue_count, queue_cap, queue_bytes;
  size_t head_sent;      /* bytes of queue[0], its header included, that are out */
  struct buffer control; /* pongs and pings, and at the end the close frame; whole frames */
  struct bytes early;    /* until opened; for free() */
  char peer[ADDRESS_SIZE];
  int64_t opened_ms;
  char *request_id;     /* of the handshake, for the log; NULL when memory was short */
  struct caller caller; /* whose connection it counts as */
};

static const struct websocket_ops ws_protocol_ops;
static void ws_flush(struct http_websocket *ws);
static void ws_terminate(struct http_websocket *ws);
static bool ws_queue_push(struct http_websocket *ws, struct frame *f);
static bool ws_is_streaming(const struct http_websocket *ws);

void ws_table_init(struct ws_table *t) {
  pthread_mutex_init(&t->lock, NULL);
}

void ws_table_done(struct ws_table *t) {
  pthread_mutex_destroy(&t->lock);
}

/* --- on the way in --- */

struct http_websocket *ws_create(struct http_request *r) {
  struct http_websocket *ws = calloc(1, sizeof *ws);
  if (!ws) return NULL;
  ws->server = r->server;
  ws->fd = -1;
  memcpy(ws->peer, r->peer, sizeof ws->peer);
  ws->request_id = bytes_dup(bytes_of(r->id));
  ws->caller = caller_of_address(&r->address);
  buffer_init(&ws->control, WS_CONTROL_BYTES_MAX);
  websocket_init(&ws->protocol, (size_t)r->server->options.ws_max_message_bytes, &ws_protocol_ops,
                 ws);
  return ws;
}

void ws_set_context(struct http_websocket *ws, void *ctx) {
  ws->ctx = ctx;
  ws->admitted = true;
}

/* The last step of a connection, whatever became of it. */
static void ws_free(struct http_websocket *ws) {
  struct http_server *server = ws->server;
  if (ws->admitted) server->ws_ops->close(ws, ws->ctx);
  throttle_leave_websocket(server, &ws->caller);
  websocket_done(&ws->protocol);
  buffer_done(&ws->control);
  free((char *)ws->early.ptr);
  free(ws->request_id);
  free(ws);
}

static void ws_abandoned(void *arg) {
  ws_free(arg);
}

void ws_abandon(struct http_websocket *ws) {
  loop_post(ws->server->loop, ws_abandoned, ws);
}

/* --- what the log says --- */

/* "WebSocket" and "error" on one line are what the runbook looks for. */
static void ws_say_error(const struct http_websocket *ws, enum log_level level, const char *error) {
  /* The source's tag is its debate. */
  const struct log_context context = {ws->request_id, ws->sources ? ws->sources->tag : NULL};
  struct log_quoted quoted;
  log_line(level, "http", &context, "WebSocket error=%s peer=%s open_ms=%lld",
           log_quote(&quoted, error), ws->peer, (long long)(server_now_ms() - ws->opened_ms));
}

/* The peer is gone without a close frame: a network, a proxy's timeout, a closed laptop. */
static void ws_say_lost(const struct http_websocket *ws, int error) {
  if (!ws_is_streaming(ws)) return;
  ws_say_error(ws, LOG_LEVEL_INFO,
               error ? strerrordesc_np(error) : "the peer ended it without a close frame");
}

/* --- heartbeats --- */

static void ws_unlist(struct http_websocket *ws) {
  struct ws_table *t = &ws->server->ws;
  if (ws->list == WS_LIST_TO_PING) DL_DELETE2(t->to_ping, ws, beat_prev, beat_next);
  if (ws->list == WS_LIST_TO_JUDGE) DL_DELETE2(t->to_judge, ws, beat_prev, beat_next);
  ws->list = WS_LIST_NONE;
}

/* Every wait on a list is equally long, so that appending keeps it sorted. */
static void ws_list_to_ping(struct http_websocket *ws, int64_t now_ms) {
  ws_unlist(ws);
  if (ws->server->options.ws_heartbeat_s <= 0) return;
  ws->beat_ms = now_ms + ws->server->options.ws_heartbeat_s * 1000;
  DL_APPEND2(ws->server->ws.to_ping, ws, beat_prev, beat_next);
  ws->list = WS_LIST_TO_PING;
}

static void ws_append_control(struct http_websocket *ws, enum websocket_opcode opcode,
                              struct bytes payload) {
  uint8_t header[WEBSOCKET_HEADER_MAX];
  size_t n = websocket_header(opcode, payload.len, header);
  if (!buffer_reserve(&ws->control, n + payload.len)) {
    ws->control.overflow = false; /* only the latest pong matters (RFC 6455 section 5.5.3) */
    return;
  }
  buffer_append(&ws->control, header, n);
  buffer_append_bytes(&ws->control, payload);
}

static void ws_ping(struct http_websocket *ws, int64_t now_ms) {
  ws_unlist(ws);
  ws->beat_ms = now_ms + WS_PONG_WAIT_MS;
  DL_APPEND2(ws->server->ws.to_judge, ws, beat_prev, beat_next);
  ws->list = WS_LIST_TO_JUDGE;
  ws_append_control(ws, WEBSOCKET_PING, (struct bytes){0});
  ws_flush(ws);
}

void ws_tick(struct http_server *server, int64_t now_ms) {
  struct ws_table *t = &server->ws;
  while (t->to_judge && t->to_judge->beat_ms <= now_ms) {
    t->errors++;
    ws_say_error(t->to_judge, LOG_LEVEL_WARNING, "no answer to a ping");
    ws_terminate(t->to_judge);
  }
  while (t->to_ping && t->to_ping->beat_ms <= now_ms) ws_ping(t->to_ping, now_ms);
}

/* --- the end --- */

/* With table->lock held. */
static void ws_unready(struct ws_table *t, struct http_websocket *ws) {
  DL_DELETE2(t->ready, ws, ready_prev, ready_next);
  ws->is_ready = false;
  t->ready_count--;
}

static void ws_forget_ready(struct http_websocket *ws) {
  struct ws_table *t = &ws->server->ws;
  pthread_mutex_lock(&t->lock);
  if (ws->is_ready) ws_unready(t, ws);
  pthread_mutex_unlock(&t->lock);
}

static void ws_drop_source(struct http_websocket *ws, struct ws_attachment *a) {
  DL_DELETE(ws->sources, a);
  ws->source_count--;
  if (ws->alone_of == a) ws->alone_of = NULL;
  a->source.ops->close(a->source.source);
  free(a);
}

/* Nothing but what is queued goes out any more. */
static void ws_drop_sources(struct http_websocket *ws) {
  while (ws->sources) ws_drop_source(ws, ws->sources);
  ws_forget_ready(ws);
  frame_unref(ws->alone);
  ws->alone = NULL;
  loop_timer_cancel(ws->alone_timer);
  ws->alone_timer = NULL;
}

static void ws_drop_queue(struct http_websocket *ws) {
  for (size_t i = 0; i < ws->queue_count; i++) frame_unref(ws->queue[i]);
  free(ws->queue);
  ws->queue = NULL;
  ws->queue_count = ws->queue_cap = ws->queue_bytes = ws->head_sent = 0;
}

static void ws_on_closed(uv_handle_t *handle) {
  struct http_websocket *ws = handle->data;
  struct http_server *server = ws->server;
  DL_DELETE(server->ws.open, ws);
  server->ws.count--;
  ws_free(ws);
  if (server->ws.count > 0) return;
  pthread_mutex_lock(&server->lock);
  pthread_cond_broadcast(&server->changed);
  pthread_mutex_unlock(&server->lock);
}

/* Closes the socket at once. The memory stays until the loop is done with the handle. */
static void ws_terminate(struct http_websocket *ws) {
  if (ws->state == WS_CLOSED) return;
  ws->state = WS_CLOSED;
  ws->protocol.over = true;
  ws_drop_sources(ws);
  ws_drop_queue(ws);
  ws_unlist(ws);
  loop_timer_cancel(ws->close_timer);
  ws->close_timer = NULL;
  ws->server->ws.active--;
  metric_add(METRIC_WS_CONNECTIONS, NULL, -1);
  uv_poll_stop(&ws->poll);
  uv_close((uv_handle_t *)&ws->poll, ws_on_closed);
  close(ws->fd);
  ws->fd = -1;
}

static void ws_close_waited(void *arg) {
  struct http_websocket *ws = arg;
  ws->close_timer = NULL;
  ws_terminate(ws);
}

/* The sources are still polled, and no close frame is queued. */
static bool ws_is_streaming(const struct http_websocket *ws) {
  return ws->state == WS_OPEN || ws->state == WS_ENDING;
}

/* Queues a close frame behind what is queued already. `hang_up`: the peer's close will not come,
 * or has come; the socket is shut once ours is out. */
static void ws_begin_close(struct http_websocket *ws, int code, const char *reason, bool hang_up) {
  if (!ws_is_streaming(ws)) {
    ws->hang_up = ws->hang_up || hang_up;
    return;
  }
  uint8_t payload[WEBSOCKET_CONTROL_MAX];
  size_t len = 0;
  if (code > 0) {
    size_t n = reason ? strlen(reason) : 0;
    if (n > sizeof payload - 2) n = sizeof payload - 2;
    payload[0] = (uint8_t)(code >> 8);
    payload[1] = (uint8_t)code;
    if (n > 0) memcpy(payload + 2, reason, n);
    len = n + 2;
  }
  ws->state = WS_CLOSING;
  ws->hang_up = hang_up;
  ws_drop_sources(ws);
  ws_unlist(ws);
  websocket_stop(&ws->protocol);
  ws->control.max = WS_CONTROL_BYTES_MAX + 2 + WEBSOCKET_CONTROL_MAX;
  ws_append_control(ws, WEBSOCKET_CLOSE, (struct bytes){(const char *)payload, len});
  loop_timer_cancel(ws->close_timer);
  ws->close_timer = loop_timer_start(ws->server->loop, WS_CLOSE_WAIT_MS, ws_close_waited, ws);
}

void http_ws_close(struct http_websocket *ws, int code, const char *reason) {
  ws_begin_close(ws, code, reason, false);
  ws_flush(ws);
}

static void ws_begin_going_away(struct http_websocket *ws) {
  char reason[WEBSOCKET_CONTROL_MAX - 1] = "server is shutting down";
  const struct http_ws_ops *ops = ws->server->ws_ops;
  struct frame *last = ops->farewell ? ops->farewell(ws, ws->ctx, reason, sizeof reason) : NULL;
  if (last && !ws_queue_push(ws, last)) frame_unref(last);
  ws_begin_close(ws, 1001, reason, false);
}

static void ws_ending_waited(void *arg) {
  struct http_websocket *ws = arg;
  ws->close_timer = NULL;
  ws_begin_going_away(ws);
  ws_flush(ws);
}

/* The server stops. The client is heard no more; ws_gather closes once nothing is left to send. */
static void ws_end(struct http_websocket *ws) {
  if (ws->state != WS_OPEN) return;
  ws->state = WS_ENDING;
  websocket_stop(&ws->protocol);
  ws->close_timer = loop_timer_start(ws->server->loop, WS_ENDING_WAIT_MS, ws_ending_waited, ws);
  ws_flush(ws);
}

void ws_close_all(struct http_server *server, bool force) {
  struct http_websocket *ws, *next;
  DL_FOREACH_SAFE(server->ws.open, ws, next) {
    if (force) {
      ws_terminate(ws);
    } else {
      ws_end(ws);
    }
  }
}

/* --- writing --- */

static bool ws_queue_push(struct http_websocket *ws, struct frame *f) {
  if (ws->queue_count == ws->queue_cap) {
    size_t cap = ws->queue_cap ? ws->queue_cap * 2 : 8;
    struct frame **grown = realloc(ws->queue, cap * sizeof *grown);
    if (!grown) return false;
    ws->queue = grown;
    ws->queue_cap = cap;
  }
  ws->queue[ws->queue_count++] = f;
  ws->queue_bytes += f->len;
  return true;
}

static void ws_note_progress(struct ws_attachment *a, const struct frame *f) {
  if (!a) return;
  if (f->seq > 0) a->last_seq = f->seq;
  a->over = f->last;
}

/* Polls the sources in turn until none has a frame or the batch is full. */
static void ws_collect(struct http_websocket *ws) {
  size_t idle = 0;
  while (!ws->alone && ws->sources && idle < ws->source_count &&
         ws->queue_count < WS_BATCH_FRAMES && ws->queue_bytes < WS_BATCH_BYTES) {
    struct ws_attachment *a = ws->sources;
    struct frame *f = NULL;
    enum frame_poll p = a->source.ops->poll(a->source.source, &f);
    if (p == FRAME_END) {
      ws_drop_source(ws, a);
      continue;
    }
    if (p == FRAME_WAIT) {
      idle++;
      /* To the end of the line: no source starves the others. */
      DL_DELETE(ws->sources, a);
      DL_APPEND(ws->sources, a);
      continue;
    }
    idle = 0;
    if (f->alone) {
      ws->alone = f;
      ws->alone_of = a;
    } else if (ws_queue_push(ws, f)) {
      ws_note_progress(a, f);
    } else {
      frame_unref(f);
      ws_terminate(ws);
      return;
    }
  }
}

struct ws_batch {
  struct iovec iov[2 * WS_BATCH_FRAMES + 1];
  uint8_t headers[WS_BATCH_FRAMES][WEBSOCKET_HEADER_MAX];
  int count;
  size_t control; /* bytes of control frames at its beginning */
};

static void ws_batch_add(struct ws_batch *b, const void *data, size_t len) {
  if (len > 0) b->iov[b->count++] = (struct iovec){(void *)data, len};
}

/* What goes out next: control frames first, but never inside a frame, and a close frame last. */
static void ws_batch_fill(struct http_websocket *ws, struct ws_batch *b) {
  b->count = 0;
  b->control = 0;
  bool closing = ws->state == WS_CLOSING;
  if (ws->head_sent == 0 && (!closing || ws->queue_count == 0)) {
    b->control = ws->control.len;
    ws_batch_add(b, ws->control.ptr, ws->control.len);
  }
  for (size_t i = 0; i < ws->queue_count && i < WS_BATCH_FRAMES; i++) {
    struct frame *f = ws->queue[i];
    size_t n = websocket_header(WEBSOCKET_TEXT, f->len, b->headers[i]);
    size_t skip = i == 0 ? ws->head_sent : 0;
    if (skip < n) ws_batch_add(b, b->headers[i] + skip, n - skip);
    size_t into = skip > n ? skip - n : 0;
    ws_batch_add(b, f->json + into, f->len - into);
  }
}

/* Books `sent` bytes of a batch. */
static void ws_batch_sent(struct http_websocket *ws, const struct ws_batch *b, size_t sent) {
  size_t control = sent < b->control ? sent : b->control;
  buffer_consume(&ws->control, control);
  sent -= control;
  size_t done = 0;
  while (sent > 0) {
    uint8_t header[WEBSOCKET_HEADER_MAX];
    struct frame *f = ws->queue[done];
    size_t left = websocket_header(WEBSOCKET_TEXT, f->len, header) + f->len - ws->head_sent;
    if (sent < left) {
      ws->head_sent += sent;
      break;
    }
    sent -= left;
    ws->head_sent = 0;
    ws->queue_bytes -= f->len;
    frame_unref(f);
    done++;
  }
  if (done == 0) return;
  ws->server->ws.messages_out += (long long)done;
  static const char *const out[] = {"out"};
  metric_add(METRIC_WS_MESSAGES, out, (int64_t)done);
  ws->queue_count -= done;
  memmove(ws->queue, ws->queue + done, ws->queue_count * sizeof *ws->queue);
  if (ws->queue_count == 0 && ws->queue_cap > WS_QUEUE_KEPT) ws_drop_queue(ws);
}

enum ws_write { WS_WROTE, WS_BLOCKED, WS_GONE };

static enum ws_write ws_write_batch(struct http_websocket *ws) {
  struct ws_batch b;
  ws_batch_fill(ws, &b);
  bool frames = ws->queue_count > 0;
  struct msghdr m = {.msg_iov = b.iov, .msg_iovlen = (size_t)b.count};
  ssize_t n = sendmsg(ws->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n < 0 && errno == EINTR) return WS_WROTE;
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return WS_BLOCKED;
  if (n < 0) {
    ws->server->ws.errors++;
    ws_say_lost(ws, errno);
    ws_terminate(ws);
    return WS_GONE;
  }
  ws_batch_sent(ws, &b, (size_t)n);
  /* The next frame that goes alone keeps its distance from the time this left us. */
  if (frames) ws->wrote_ms = server_now_ms();
  return WS_WROTE;
}

static void ws_alone_waited(void *arg) {
  struct http_websocket *ws = arg;
  ws->alone_timer = NULL;
  ws_flush(ws);
}

/* The queue is empty and a frame waits for its own write: queues it, or waits for its time. */
static void ws_begin_alone(struct http_websocket *ws) {
  int64_t left = ws->wrote_ms + SERVER_ALONE_WAIT_MS - server_now_ms();
  if (ws->wrote_ms > 0 && left > 0) {
    if (!ws->alone_timer) {
      ws->alone_timer = loop_timer_start(ws->server->loop, (uint64_t)left, ws_alone_waited, ws);
    }
    return;
  }
  struct frame *f = ws->alone;
  ws->alone = NULL;
  ws_note_progress(ws->alone_of, f);
  ws->alone_of = NULL;
  if (ws_queue_push(ws, f)) return;
  frame_unref(f);
  ws_terminate(ws);
}

static void ws_poll_for(struct http_websocket *ws, bool writing);

/* True when there is something to write; takes it from the sources where it is not queued. */
static bool ws_gather(struct http_websocket *ws) {
  if (ws_is_streaming(ws) && ws->queue_count == 0 && !ws->alone) ws_collect(ws);
  if (ws->alone && ws->queue_count == 0) ws_begin_alone(ws);
  if (ws->state == WS_ENDING && ws->queue_count == 0 && !ws->alone) ws_begin_going_away(ws);
  return ws->state != WS_CLOSED && (ws->queue_count > 0 || ws->control.len > 0);
}

static void ws_after_close(struct http_websocket *ws) {
  ws->close_sent = true;
  /* The peer reads our close frame and ends; a hard close now could cost it the frame. */
  if (ws->hang_up) shutdown(ws->fd, SHUT_WR);
}

static void ws_mark_ready(struct http_websocket *ws);

static void ws_flush(struct http_websocket *ws) {
  if (!ws_is_streaming(ws) && ws->state != WS_CLOSING) return;
  enum ws_write result = WS_WROTE;
  int rounds = 0;
  while (rounds < WS_ROUNDS && result == WS_WROTE && ws_gather(ws)) {
    result = ws_write_batch(ws);
    rounds++;
  }
  if (ws->state == WS_CLOSED || result == WS_GONE) return;
  ws_poll_for(ws, result == WS_BLOCKED);
  if (result == WS_BLOCKED) return;
  if (rounds == WS_ROUNDS) {
    ws_mark_ready(ws);
  } else if (ws->state == WS_CLOSING) {
    ws_after_close(ws);
  }
}

bool http_ws_send(struct http_websocket *ws, struct bytes text) {
  if (ws->state != WS_OPEN) return false;
  if (ws->queue_bytes + text.len > (size_t)ws->server->options.ws_send_buffer_bytes) return false;
  struct frame *f = frame_create(text, 0, false, false);
  if (!f || !ws_queue_push(ws, f)) {
    frame_unref(f);
    return false;
  }
  /* One turn later, so that a row of answers is one write. */
  ws_mark_ready(ws);
  return true;
}

/* --- sources --- */

static void ws_drain_ready(void *arg) {
  struct http_server *server = arg;
  struct ws_table *t = &server->ws;
  pthread_mutex_lock(&t->lock);
  t->ready_posted = false;
  /* As many as are ready now: those that become ready meanwhile have posted another turn. */
  for (size_t left = t->ready_count; left > 0 && t->ready; left--) {
    struct http_websocket *ws = t->ready;
    ws_unready(t, ws);
    pthread_mutex_unlock(&t->lock);
    ws_flush(ws);
    pthread_mutex_lock(&t->lock);
  }
  pthread_mutex_unlock(&t->lock);
}

/* Any thread: the connection will be looked at in a turn of the loop. */
static void ws_mark_ready(struct http_websocket *ws) {
  struct ws_table *t = &ws->server->ws;
  pthread_mutex_lock(&t->lock);
  bool post = !t->ready_posted;
  if (!ws->is_ready) {
    DL_APPEND2(t->ready, ws, ready_prev, ready_next);
    ws->is_ready = true;
    t->ready_count++;
  }
  t->ready_posted = true;
  pthread_mutex_unlock(&t->lock);
  if (post) loop_post(ws->server->loop, ws_drain_ready, ws->server);
}

static void ws_wake(void *arg) {
  ws_mark_ready(arg);
}

void http_ws_attach(struct http_websocket *ws, struct frame_source source, const char *tag) {
  size_t len = strlen(tag);
  struct ws_attachment *a = ws->state == WS_OPEN && ws->source_count < WS_ATTACHMENTS_MAX
                                ? malloc(sizeof *a + len + 1)
                                : NULL;
  if (!a) {
    source.ops->close(source.source);
    return;
  }
  a->source = source;
  a->last_seq = 0;
  a->over = false;
  memcpy(a->tag, tag, len + 1);
  DL_PREPEND(ws->sources, a);
  ws->source_count++;
  source.ops->set_wake(source.source, ws_wake, ws);
  ws_mark_ready(ws);
}

static struct ws_attachment *ws_find_source(const struct http_websocket *ws, const char *tag) {
  struct ws_attachment *a;
  DL_FOREACH(ws->sources, a) {
    if (strcmp(a->tag, tag) == 0) return a;
  }
  return NULL;
}

bool http_ws_detach(struct http_websocket *ws, const char *tag) {
  struct ws_attachment *a = ws_find_source(ws, tag);
  if (a) ws_drop_source(ws, a);
  return a != NULL;
}

bool http_ws_progress(const struct http_websocket *ws, const char *tag, uint64_t *ret_seq) {
  const struct ws_attachment *a = ws_find_source(ws, tag);
  if (!a || a->over) return false;
  *ret_seq = a->last_seq;
  return true;
}

/* --- reading --- */

/* A token bucket: ws_messages_per_second on average, WS_BURST times that at once. */
static bool ws_allow_message(struct http_websocket *ws) {
  int64_t rate = ws->server->options.ws_messages_per_second;
  if (rate <= 0) return true;
  int64_t now_ms = server_now_ms();
  int64_t most = WS_BURST * rate * 1000;
  int64_t gained = now_ms - ws->allowance_ms > 10000 ? most : (now_ms - ws->allowance_ms) * rate;
  ws->allowance = ws->allowance + gained > most ? most : ws->allowance + gained;
  ws->allowance_ms = now_ms;
  if (ws->allowance >= 1000) {
    ws->allowance -= 1000;
    return true;
  }
  static const char *const labels[] = {"websocket", "websocket_messages"};
  metric_add(METRIC_RATE_LIMIT_HITS, labels, 1);
  if (now_ms - ws->warned_ms >= WS_WARNING_INTERVAL_MS) {
    ws->warned_ms = now_ms;
    char name[CALLER_NAME_SIZE];
    caller_format(&ws->caller, name);
    log_warning("http", NULL,
                "rate_limit exceeded caller=%s limit_type=websocket_messages limit=%lld", name,
                (long long)rate);
    http_ws_send(ws, BYTES_LITERAL("{\"type\":\"warning\",\"data\":{\"code\":\"RATE_LIMITED\","
                                   "\"message\":\"Message rate limit exceeded. Please slow "
                                   "down.\"}}"));
  }
  return false;
}

/* Counts a message; false when it is to be ignored. */
static bool ws_take_message(struct http_websocket *ws) {
  ws->server->ws.messages_in++;
  static const char *const in[] = {"in"};
  metric_add(METRIC_WS_MESSAGES, in, 1);
  return ws->state == WS_OPEN && ws_allow_message(ws);
}

static void ws_on_message(void *ctx, struct bytes text) {
  struct http_websocket *ws = ctx;
  if (ws_take_message(ws)) ws->server->ws_ops->message(ws, ws->ctx, text);
}

static void ws_on_binary(void *ctx) {
  struct http_websocket *ws = ctx;
  if (ws_take_message(ws)) ws->server->ws_ops->binary(ws, ws->ctx);
}

static void ws_on_ping(void *ctx, struct bytes payload) {
  struct http_websocket *ws = ctx;
  if (ws->state == WS_OPEN) ws_append_control(ws, WEBSOCKET_PONG, payload);
}

static void ws_on_pong(void *ctx) {
  struct http_websocket *ws = ctx;
  if (ws->list == WS_LIST_TO_JUDGE) ws_list_to_ping(ws, server_now_ms());
}

static void ws_on_close(void *ctx, int code) {
  struct http_websocket *ws = ctx;
  if (ws_is_streaming(ws)) {
    ws_begin_close(ws, code, NULL, true);
  } else if (ws->close_sent) {
    ws_terminate(ws); /* both closes are through: the server ends the connection first */
  } else {
    ws->hang_up = true;
  }
}

static void ws_on_fail(void *ctx, int code, const char *reason) {
  struct http_websocket *ws = ctx;
  ws->server->ws.errors++;
  ws_say_error(ws, LOG_LEVEL_WARNING, reason);
  ws_begin_close(ws, code, reason, true);
}

static const struct websocket_ops ws_protocol_ops = {ws_on_message, ws_on_binary, ws_on_ping,
                                                     ws_on_pong,    ws_on_close,  ws_on_fail};

/* One read. False when there is nothing more for now. */
static bool ws_read_some(struct http_websocket *ws) {
  char buffer[WS_READ_BYTES];
  ssize_t n = recv(ws->fd, buffer, sizeof buffer, MSG_DONTWAIT);
  if (n < 0 && errno == EINTR) return true;
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
  if (n <= 0) {
    ws_say_lost(ws, n < 0 ? errno : 0);
    ws_terminate(ws);
    return false;
  }
  /* After its close, or ours with 1002 and the like, what comes is read only to be dropped: bytes
   * left in the socket would turn its end into a reset. */
  websocket_feed(&ws->protocol, (struct bytes){buffer, (size_t)n});
  return ws->state != WS_CLOSED && (size_t)n == sizeof buffer;
}

/* What libuv says of a socket in error is always EBADF; the socket says once what it is. */
static int ws_socket_error(const struct http_websocket *ws) {
  int error = 0;
  socklen_t size = sizeof error;
  bool known = getsockopt(ws->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error;
  return known ? error : ECONNRESET;
}

static void ws_on_event(uv_poll_t *poll, int status, int events) {
  struct http_websocket *ws = poll->data;
  if (status < 0) {
    ws_say_lost(ws, ws_socket_error(ws));
    ws_terminate(ws);
    return;
  }
  if (events & UV_READABLE) {
    for (int i = 0; i < WS_ROUNDS && ws->state != WS_CLOSED && ws_read_some(ws); i++) continue;
  }
  ws_flush(ws);
}

static void ws_poll_for(struct http_websocket *ws, bool writing) {
  if (ws->writing == writing) return;
  ws->writing = writing;
  uv_poll_start(&ws->poll, UV_READABLE | (writing ? UV_WRITABLE : 0), ws_on_event);
}

/* --- opening --- */

static void ws_set_socket_options(struct http_websocket *ws) {
  int on = 1;
  setsockopt(ws->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  /* Bounds what the kernel holds unsent for a slow reader: beyond it the socket is not writable
   * and the sources are left alone. */
  int most = (int)ws->server->options.ws_send_buffer_bytes;
  if (most > 0) setsockopt(ws->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &most, sizeof most);
}

static void ws_open(void *arg) {
  struct http_websocket *ws = arg;
  struct http_server *server = ws->server;
  if (uv_poll_init_socket(loop_uv(server->loop), &ws->poll, ws->fd) != 0) {
    close(ws->fd);
    ws_free(ws);
    return;
  }
  ws->poll.data = ws;
  ws->state = WS_OPEN;
  ws->allowance = WS_BURST * server->options.ws_messages_per_second * 1000;
  ws->allowance_ms = ws->opened_ms = server_now_ms();
  DL_APPEND(server->ws.open, ws);
  server->ws.count++;
  server->ws.active++;
  server->ws.total++;
  metric_add(METRIC_WS_CONNECTIONS, NULL, 1);
  ws_set_socket_options(ws);
  uv_poll_start(&ws->poll, UV_READABLE, ws_on_event);
  ws_list_to_ping(ws, ws->allowance_ms);
  pthread_mutex_lock(&server->lock);
  server_start_ticking(server);
  pthread_mutex_unlock(&server->lock);
  server->ws_ops->open(ws, ws->ctx);
  if (atomic_load(&server->stopping)) ws_end(ws);
  struct bytes early = ws->early;
  ws->early = (struct bytes){0};
  if (ws->state != WS_CLOSED) websocket_feed(&ws->protocol, early);
  free((char *)early.ptr);
  ws_flush(ws);
}

void ws_hand_over(struct http_websocket *ws, int fd, struct bytes early) {
  ws->fd = fd;
  if (early.len > 0) {
    ws->early.ptr = bytes_dup(early);
    ws->early.len = ws->early.ptr ? early.len : 0;
  }
  loop_post(ws->server->loop, ws_open, ws);
}

struct http_ws_stats http_ws_stats(const struct http_server *server) {
  const struct ws_table *t = &server->ws;
  return (struct http_ws_stats){t->active, t->total, t->messages_in, t->messages_out, t->errors};
}
