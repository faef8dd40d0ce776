#include "http/sse_sink.h"

#include "base/metrics.h"
#include "http/respond.h"

#include <inttypes.h>
#include <stdlib.h>
#include <utlist.h>

enum {
  SSE_BLOCK_BYTES = 1024, /* allocated by libmicrohttpd, and used for HTTP/1.0 alone: chunks of 1.1
                             are read into the connection's own memory */
  SSE_BATCH = 64,         /* streams woken while the server's lock is let go once */
};

static const char sse_hello[] = "retry: 1000\n\n";
static const char sse_comment[] = ": keep-alive\n\n";
/* A browser's EventSource reconnects by itself, after the time given here, with Last-Event-ID. */
static const char sse_farewell[] = ": the server stops; resume with Last-Event-ID\nretry: 2000\n\n";

enum sse_state {
  SSE_RUNNING,   /* the HTTP thread reads or sends */
  SSE_WOKEN,     /* woken since the last read began */
  SSE_SUSPENDED, /* parked; the one who takes it out of this state resumes it */
};

struct sse_sink {
  struct sse_sink *next, *prev; /* server->streams, guarded by server->lock */
  int64_t heartbeat_at_ms;      /* " */
  atomic_int refs;              /* the response, and each who wakes it without being the source */
  atomic_int state;
  atomic_bool heartbeat_due, ending;
  atomic_bool pausing; /* a timer for the frame that waits is on its way */
  struct http_server *server;
  struct MHD_Connection *mhd;

  /* HTTP thread */
  struct frame_source source;
  struct frame *next_frame; /* polled, not begun: it waits for its own write */
  struct frame *frame;      /* its text goes out now; NULL for hello and comment */
  struct bytes parts[3];    /* what is left of the text */
  char id_line[48];
  int64_t wrote_ms; /* when the last write had left, at the latest; 0 = none yet */
  bool wrote;       /* the last read gave bytes */
  bool over;        /* the source ended */
  bool farewell;    /* the last words of a stream that the server's stop cuts are out */
};

static void sse_unref(struct sse_sink *s) {
  if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1) free(s);
}

static void sse_wake(void *arg) {
  struct sse_sink *s = arg;
  if (atomic_exchange(&s->state, SSE_WOKEN) == SSE_SUSPENDED) MHD_resume_connection(s->mhd);
}

/* --- the pause before a frame that must be a write of its own --- */

struct sse_pause {
  struct sse_sink *sink;
  int64_t until_ms;
};

static void sse_pause_over(void *arg) {
  struct sse_sink *s = arg;
  struct http_server *server = s->server;
  /* Before the wake: the loop counts in whole, cached milliseconds, so that a timer may fire a
   * little early, and the reader must then be free to set another. */
  atomic_store(&s->pausing, false);
  sse_wake(s);
  sse_unref(s);
  pthread_mutex_lock(&server->lock);
  server->pauses--;
  pthread_cond_broadcast(&server->changed);
  pthread_mutex_unlock(&server->lock);
}

static void sse_pause_begin(void *arg) {
  struct sse_pause *p = arg;
  int64_t left = p->until_ms - server_now_ms();
  loop_timer_start(p->sink->server->loop, left > 0 ? (uint64_t)left : 0, sse_pause_over, p->sink);
  free(p);
}

static bool sse_pause(struct sse_sink *s, int64_t until_ms) {
  struct sse_pause *p = malloc(sizeof *p);
  if (!p) return false;
  *p = (struct sse_pause){s, until_ms};
  atomic_store(&s->pausing, true);
  atomic_fetch_add(&s->refs, 1);
  pthread_mutex_lock(&s->server->lock);
  s->server->pauses++;
  pthread_mutex_unlock(&s->server->lock);
  loop_post(s->server->loop, sse_pause_begin, p);
  return true;
}

/* --- reading, on the HTTP thread --- */

static size_t sse_copy(struct sse_sink *s, char *buf, size_t max) {
  size_t n = 0;
  for (int i = 0; i < 3 && n < max; i++) {
    struct bytes *part = &s->parts[i];
    size_t len = part->len < max - n ? part->len : max - n;
    if (len == 0) continue;
    memcpy(buf + n, part->ptr, len);
    part->ptr += len;
    part->len -= len;
    n += len;
  }
  return n;
}

static bool sse_text_left(const struct sse_sink *s) {
  return s->parts[0].len + s->parts[1].len + s->parts[2].len > 0;
}

static void sse_begin_text(struct sse_sink *s, const char *text, size_t len) {
  s->parts[0] = (struct bytes){text, len};
  s->parts[1] = s->parts[2] = (struct bytes){0};
}

static void sse_begin_frame(struct sse_sink *s, struct frame *f) {
  int n = f->seq > 0 ? snprintf(s->id_line, sizeof s->id_line, "id: %" PRIu64 "\ndata: ", f->seq)
                     : snprintf(s->id_line, sizeof s->id_line, "data: ");
  s->frame = f;
  s->parts[0] = (struct bytes){s->id_line, (size_t)n};
  s->parts[1] = (struct bytes){f->json, f->len};
  s->parts[2] = BYTES_LITERAL("\n\n");
}

static void sse_end_frame(struct sse_sink *s) {
  frame_unref(s->frame);
  s->frame = NULL;
}

/* True when the frame that waits may go into a write that has `n` bytes already. */
static bool sse_may_begin(struct sse_sink *s, size_t n, int64_t now_ms) {
  if (!s->next_frame->alone) return true;
  if (n > 0) return false;
  int64_t due_ms = s->wrote_ms + SERVER_ALONE_WAIT_MS;
  if (s->wrote_ms == 0 || now_ms >= due_ms) return true;
  if (atomic_load(&s->pausing)) return false;
  return !sse_pause(s, due_ms); /* without memory for a timer it goes at once */
}

/* Fills one write. */
static size_t sse_fill(struct sse_sink *s, char *buf, size_t max) {
  int64_t now_ms = server_now_ms();
  if (s->wrote) s->wrote_ms = now_ms;
  size_t n = 0;
  for (;;) {
    n += sse_copy(s, buf + n, max - n);
    if (sse_text_left(s)) return n;
    bool was_alone = s->frame && s->frame->alone;
    sse_end_frame(s);
    if (was_alone) return n;
    if (!s->next_frame && !s->over) {
      s->over = s->source.ops->poll(s->source.source, &s->next_frame) == FRAME_END;
    }
    if (!s->next_frame || !sse_may_begin(s, n, now_ms)) break;
    sse_begin_frame(s, s->next_frame);
    s->next_frame = NULL;
  }
  if (n == 0 && !s->over && atomic_exchange(&s->heartbeat_due, false)) {
    sse_begin_text(s, sse_comment, sizeof sse_comment - 1);
    n = sse_copy(s, buf, max);
  }
  return n;
}

/* The source could go on, but the server stops. */
static ssize_t sse_say_farewell(struct sse_sink *s, char *buf, size_t max) {
  s->farewell = true;
  sse_begin_text(s, sse_farewell, sizeof sse_farewell - 1);
  return (ssize_t)sse_copy(s, buf, max);
}

static ssize_t sse_read(void *cls, uint64_t pos, char *buf, size_t max) {
  struct sse_sink *s = cls;
  atomic_store(&s->state, SSE_RUNNING);
  /* Before the source is polled: what it had when the end came is still sent, the frame that waits
   * for its own write included. */
  bool ending = atomic_load(&s->ending);
  size_t n = sse_fill(s, buf, max);
  s->wrote = n > 0;
  if (n > 0) return (ssize_t)n;
  if (ending && !s->over && !s->farewell && !s->next_frame) return sse_say_farewell(s, buf, max);
  if ((s->over || ending) && !s->next_frame) return MHD_CONTENT_READER_END_OF_STREAM;
  MHD_suspend_connection(s->mhd);
  int running = SSE_RUNNING;
  if (!atomic_compare_exchange_strong(&s->state, &running, SSE_SUSPENDED)) {
    MHD_resume_connection(s->mhd); /* woken while it parked */
  }
  return 0;
}

static void sse_close(void *cls) {
  struct sse_sink *s = cls;
  struct http_server *server = s->server;
  pthread_mutex_lock(&server->lock);
  DL_DELETE(server->streams, s);
  pthread_mutex_unlock(&server->lock);
  s->source.ops->close(s->source.source);
  frame_unref(s->frame);
  frame_unref(s->next_frame);
  metric_add(METRIC_SSE_STREAMS, NULL, -1);
  sse_unref(s);
}

static struct sse_sink *sse_create(struct http_request *r, struct frame_source source) {
  struct sse_sink *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  atomic_init(&s->refs, 1);
  atomic_init(&s->state, SSE_RUNNING);
  s->server = r->server;
  s->mhd = r->mhd;
  s->source = source;
  sse_begin_text(s, sse_hello, sizeof sse_hello - 1);
  return s;
}

/* From here on the stream is found by heartbeats and by the stop. */
static void sse_enlist(struct sse_sink *s) {
  struct http_server *server = s->server;
  s->source.ops->set_wake(s->source.source, sse_wake, s);
  metric_add(METRIC_SSE_STREAMS, NULL, 1);
  pthread_mutex_lock(&server->lock);
  s->heartbeat_at_ms = server_now_ms() + server->options.sse_heartbeat_s * 1000;
  DL_APPEND(server->streams, s);
  if (atomic_load(&server->stopping)) atomic_store(&s->ending, true);
  server_start_ticking(server);
  pthread_mutex_unlock(&server->lock);
}

void http_respond_events(struct http_request *request, struct frame_source source) {
  const char *cache =
      request_is_secret(request) ? "Cache-Control: no-store" : "Cache-Control: no-cache";
  const char *const headers[] = {cache, "X-Accel-Buffering: no", NULL};
  struct sse_sink *s = sse_create(request, source);
  struct MHD_Response *response = s ? MHD_create_response_from_callback(
                                          MHD_SIZE_UNKNOWN, SSE_BLOCK_BYTES, sse_read, s, sse_close)
                                    : NULL;
  if (!response) {
    free(s);
    source.ops->close(source.source);
    respond_error(request, 503, "SERVICE_UNAVAILABLE", NULL, "Out of memory", NULL);
    return;
  }
  sse_enlist(s);
  if (!respond_add_headers(request, response, "text/event-stream", headers)) {
    MHD_destroy_response(response); /* closes the source */
    respond_error(request, 503, "SERVICE_UNAVAILABLE", NULL, "Out of memory", NULL);
    return;
  }
  respond_send(request, 200, response);
}

/* --- heartbeats and the end --- */

/* Takes up to SSE_BATCH streams that are due, with a reference each. With server->lock held. */
static size_t sse_take_due(struct http_server *server, int64_t now_ms, struct sse_sink **out) {
  size_t n = 0;
  while (n < SSE_BATCH && server->streams && server->streams->heartbeat_at_ms <= now_ms) {
    struct sse_sink *s = server->streams;
    DL_DELETE(server->streams, s);
    s->heartbeat_at_ms = now_ms + server->options.sse_heartbeat_s * 1000;
    DL_APPEND(server->streams, s);
    atomic_fetch_add(&s->refs, 1);
    out[n++] = s;
  }
  return n;
}

void sse_tick(struct http_server *server, int64_t now_ms) {
  if (server->options.sse_heartbeat_s <= 0) return;
  struct sse_sink *due[SSE_BATCH];
  size_t n;
  do {
    pthread_mutex_lock(&server->lock);
    n = sse_take_due(server, now_ms, due);
    pthread_mutex_unlock(&server->lock);
    for (size_t i = 0; i < n; i++) {
      atomic_store(&due[i]->heartbeat_due, true);
      sse_wake(due[i]);
      sse_unref(due[i]);
    }
  } while (n == SSE_BATCH);
}

/* As sse_take_due, of those that have not been told to end. */
static size_t sse_take_open(struct http_server *server, struct sse_sink **out) {
  size_t n = 0;
  struct sse_sink *s;
  DL_FOREACH(server->streams, s) {
    if (n == SSE_BATCH) break;
    if (atomic_exchange(&s->ending, true)) continue;
    atomic_fetch_add(&s->refs, 1);
    out[n++] = s;
  }
  return n;
}

void sse_end_all(struct http_server *server) {
  struct sse_sink *open[SSE_BATCH];
  size_t n;
  do {
    pthread_mutex_lock(&server->lock);
    n = sse_take_open(server, open);
    pthread_mutex_unlock(&server->lock);
    for (size_t i = 0; i < n; i++) {
      sse_wake(open[i]);
      sse_unref(open[i]);
    }
  } while (n == SSE_BATCH);
}
