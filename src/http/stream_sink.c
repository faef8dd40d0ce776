#include "http/stream_sink.h"

#include "http/respond.h"

#include <stdlib.h>
#include <sys/socket.h>

enum {
  STREAM_BLOCK_BYTES = 16 << 10, /* read at once for HTTP/1.0; chunks of 1.1 fit the connection's
                                    memory */
  STREAM_RETRY_MS = 50,          /* when the pool's queue is full */
};

/* Who has the piece, and what follows it. */
enum stream_state {
  STREAM_SENDING, /* the HTTP thread; another piece may follow */
  STREAM_LAST,    /* the HTTP thread; nothing follows */
  STREAM_FAILED,  /* the HTTP thread; the connection is cut: something is missing */
  STREAM_MAKING,  /* the pool, or a timer that submits again; the HTTP thread is about to park */
  STREAM_PARKED,  /* the same; the one who takes it out of this state resumes the connection, which
                     cannot end before */
};

struct stream_sink {
  atomic_int state;
  struct http_server *server;
  struct MHD_Connection *mhd;
  struct http_producer producer;
  struct buffer piece;
  size_t sent;  /* of the piece; HTTP thread */
  bool timed;   /* the connection has the timeout of a body that is sent; HTTP thread */
  bool waiting; /* counted in server->bodies_waiting; HTTP thread */
};

/* --- making a piece, on the pool --- */

/* Gives the piece to the HTTP thread, and with it the sink. */
static void stream_made(struct stream_sink *s, enum stream_state state) {
  struct MHD_Connection *mhd = s->mhd;
  if (atomic_exchange(&s->state, state) == STREAM_PARKED) MHD_resume_connection(mhd);
}

static void stream_make(void *arg) {
  struct stream_sink *s = arg;
  enum http_piece answer = HTTP_PIECE_MORE;
  buffer_clear(&s->piece);
  while (answer == HTTP_PIECE_MORE && s->piece.len < HTTP_PIECE_BYTES) {
    answer = atomic_load(&s->server->cutting) ? HTTP_PIECE_FAILED
                                              : s->producer.next(s->producer.ctx, &s->piece);
  }
  stream_made(s, answer == HTTP_PIECE_MORE   ? STREAM_SENDING
                 : answer == HTTP_PIECE_LAST ? STREAM_LAST
                                             : STREAM_FAILED);
}

static void stream_submit(void *arg);

/* Loop thread. */
static void stream_submit_later(void *arg) {
  struct stream_sink *s = arg;
  if (!loop_timer_start(s->server->loop, STREAM_RETRY_MS, stream_submit, s))
    stream_made(s, STREAM_FAILED);
}

static void stream_submit(void *arg) {
  struct stream_sink *s = arg;
  enum status status = pool_submit(s->server->pool, stream_make, s);
  if (status == STATUS_FULL && !atomic_load(&s->server->cutting))
    loop_post(s->server->loop, stream_submit_later, s);
  else if (status)
    stream_made(s, STREAM_FAILED); /* the process ends */
}

/* --- sending, on the HTTP thread --- */

/* False once streams are cut: who waits is counted, so that the daemon is not stopped before. */
static bool stream_begin_wait(struct stream_sink *s) {
  struct http_server *server = s->server;
  pthread_mutex_lock(&server->lock);
  s->waiting = !atomic_load(&server->cutting);
  if (s->waiting) server->bodies_waiting++;
  pthread_mutex_unlock(&server->lock);
  return s->waiting;
}

static void stream_end_wait(struct stream_sink *s) {
  struct http_server *server = s->server;
  if (!s->waiting) return;
  s->waiting = false;
  pthread_mutex_lock(&server->lock);
  server->bodies_waiting--;
  pthread_cond_broadcast(&server->changed);
  pthread_mutex_unlock(&server->lock);
}

/* A client of HTTP/1.0 takes the end of the connection for the end of the body, so that only a
 * reset tells it that something is missing: connecting to nowhere sends one (connect(2),
 * AF_UNSPEC). */
static ssize_t stream_cut(struct stream_sink *s) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(s->mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
  const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
  if (info && connect(info->connect_fd, &nowhere, sizeof nowhere) < 0)
    shutdown(info->connect_fd, SHUT_RDWR); /* no TCP: then it at least ends at once */
  return MHD_CONTENT_READER_END_WITH_ERROR;
}

/* The piece has left: another one is asked for, and the connection waits for it. */
static ssize_t stream_wait(struct stream_sink *s) {
  if (!stream_begin_wait(s)) return stream_cut(s);
  s->sent = 0;
  atomic_store(&s->state, STREAM_MAKING);
  stream_submit(s);
  MHD_suspend_connection(s->mhd);
  int making = STREAM_MAKING;
  if (!atomic_compare_exchange_strong(&s->state, &making, STREAM_PARKED)) {
    MHD_resume_connection(s->mhd); /* made while it parked */
  }
  return 0;
}

static ssize_t stream_read(void *cls, uint64_t pos, char *buf, size_t max) {
  struct stream_sink *s = cls;
  stream_end_wait(s);
  if (!s->timed)
    MHD_set_connection_option(s->mhd, MHD_CONNECTION_OPTION_TIMEOUT,
                              (unsigned)s->server->options.send_timeout_s);
  s->timed = true;
  size_t left = s->piece.len - s->sent;
  if (left > 0) {
    size_t n = left < max ? left : max;
    memcpy(buf, s->piece.ptr + s->sent, n);
    s->sent += n;
    return (ssize_t)n;
  }
  int state = atomic_load(&s->state);
  if (state == STREAM_LAST) return MHD_CONTENT_READER_END_OF_STREAM;
  return state == STREAM_FAILED ? stream_cut(s) : stream_wait(s);
}

static void stream_close(void *cls) {
  struct stream_sink *s = cls;
  stream_end_wait(s);
  s->producer.close(s->producer.ctx);
  buffer_done(&s->piece);
  free(s);
}

void http_respond_stream(struct http_request *request, int status_code, const char *content_type,
                         const char *const *headers, struct buffer *first, bool last,
                         struct http_producer producer) {
  struct stream_sink *s = calloc(1, sizeof *s);
  struct MHD_Response *response =
      s ? MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES, stream_read, s,
                                            stream_close)
        : NULL;
  if (!response) {
    free(s);
    buffer_done(first);
    producer.close(producer.ctx);
    respond_error(request, 503, "SERVICE_UNAVAILABLE", NULL, "Out of memory", NULL);
    return;
  }
  atomic_init(&s->state, last ? STREAM_LAST : STREAM_SENDING);
  s->server = request->server;
  s->mhd = request->mhd;
  s->producer = producer;
  s->piece = *first;
  buffer_init(first, first->max);
  if (!respond_add_headers(request, response, content_type, headers)) {
    MHD_destroy_response(response); /* closes the producer */
    respond_error(request, 503, "SERVICE_UNAVAILABLE", NULL, "Out of memory", NULL);
    return;
  }
  request->streams = true;
  respond_send(request, status_code, response);
}

/* --- the end --- */

void stream_cut_all(struct http_server *server) {
  atomic_store(&server->cutting, true);
}

bool stream_none_waits(struct http_server *server) {
  return server->bodies_waiting == 0;
}
