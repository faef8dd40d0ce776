#include "fake/peer.h"

#include "fake/plan.h"

#include <stdlib.h>

enum peer_state {
  PEER_READING, /* waits for a whole request */
  PEER_WAITING, /* has one, which stands in `in` until its latency is over */
  PEER_PLAYING, /* the plan has steps left; a timer or a write of ours brings the next */
  PEER_HOLDING, /* the plan is over and nothing may follow: until the client goes */
  PEER_CLOSING, /* the loop has it; freed by on_closed */
};

struct peer {
  uv_tcp_t tcp;
  uv_write_t write;
  struct peer_host *host;
  struct peer *next, *previous; /* the server's */
  enum peer_state state;
  struct buffer in;
  size_t need;    /* bytes of the request that is coming in, 0 = not known yet */
  bool continued; /* 100 Continue was sent for it */
  bool waited;    /* the request at the front of `in` has */
  bool writing;
  bool early; /* the client left within an answer */
  struct plan plan;
  size_t sent, step;
  uint64_t start_ms, delay_ms; /* delay_ms: by the pauses of repeats and single writes */
  struct loop_timer *timer;
};

static void play(struct peer *peer);

struct peer **peer_next(struct peer *peer) {
  return &peer->next;
}

struct peer **peer_previous(struct peer *peer) {
  return &peer->previous;
}

/* ---- the end ---- */

static void on_closed(uv_handle_t *handle) {
  struct peer *peer = handle->data;
  peer->host->closed(peer->host->ctx, peer, peer->early);
  buffer_done(&peer->in);
  plan_done(&peer->plan);
  free(peer);
}

static void close_with(struct peer *peer, bool reset) {
  if (peer->state == PEER_CLOSING) return;
  peer->state = PEER_CLOSING;
  loop_timer_cancel(peer->timer);
  peer->timer = NULL;
  if (reset && uv_tcp_close_reset(&peer->tcp, on_closed) == 0) return;
  uv_close((uv_handle_t *)&peer->tcp, on_closed);
}

void peer_close(struct peer *peer) {
  close_with(peer, false);
}

/* The client left, or the way to it broke. */
static void lose(struct peer *peer) {
  if (peer->state == PEER_WAITING || peer->state == PEER_PLAYING || peer->state == PEER_HOLDING)
    peer->early = true;
  peer_close(peer);
}

/* ---- answers ---- */

/* The usual answer: at once and in one write, from the server's buffers. What the kernel does not
 * take becomes a plan. True when all of it went out. */
static bool send_at_once(struct peer *peer, struct outbound *o) {
  outbound_head(o, false, true);
  bool body = o->chunked && o->body.len;
  const struct bytes pieces[] = {
      buffer_bytes(&o->head), buffer_bytes(&o->body),
      o->chunked ? body ? BYTES_LITERAL("\r\n0\r\n\r\n") : BYTES_LITERAL("0\r\n\r\n")
                 : (struct bytes){0}};
  uv_buf_t bufs[3];
  size_t total = 0;
  for (int i = 0; i < 3; i++) {
    bufs[i] = uv_buf_init((char *)(uintptr_t)pieces[i].ptr, (unsigned)pieces[i].len);
    total += pieces[i].len;
  }
  int n = uv_try_write((uv_stream_t *)&peer->tcp, bufs, 3);
  size_t sent = n > 0 ? (size_t)n : 0;
  peer->host->sent(peer->host->ctx, sent);
  if (sent == total) return true;
  if ((n < 0 && n != UV_EAGAIN) || !plan_rest(&peer->plan, pieces, 3, sent, o->end))
    peer_close(peer);
  return false;
}

static void start_plan(struct peer *peer) {
  peer->state = PEER_PLAYING;
  peer->sent = peer->step = 0;
  peer->delay_ms = 0;
  peer->start_ms = loop_now_ms(peer->host->loop);
  play(peer);
}

static bool is_plain(const struct outbound *o) {
  return !o->silent && !o->unfinished && !o->latency_ms && !o->record_rate && !o->write_max &&
         (o->end == OUTBOUND_KEEP || o->end == OUTBOUND_CLOSE);
}

static void answer(struct peer *peer, bool old) {
  struct outbound *o = peer->host->outbound;
  if (is_plain(o) && !old && !outbound_failed(o)) {
    bool all = send_at_once(peer, o);
    if (all && o->end == OUTBOUND_CLOSE) peer_close(peer);
    if (!all && peer->state == PEER_READING) start_plan(peer);
    return;
  }
  if (plan_make(&peer->plan, o, old))
    start_plan(peer);
  else
    peer_close(peer); /* memory is short */
}

static void send_continue(struct peer *peer) {
  static char words[] = "HTTP/1.1 100 Continue\r\n\r\n";
  uv_buf_t buf = uv_buf_init(words, sizeof words - 1);
  peer->continued = true;
  /* It is a courtesy: a client that does not get it sends its body anyway, after a second. */
  (void)uv_try_write((uv_stream_t *)&peer->tcp, &buf, 1);
}

static void on_waited(void *arg);

/* Answers whole requests at the front of `data`, which may be the peer's own buffer, until one
 * takes time. Returns the bytes used; those of a request that waits are not. */
static size_t take_requests(struct peer *peer, struct bytes data) {
  size_t used = 0;
  while (peer->state == PEER_READING && used < data.len && data.len - used >= peer->need) {
    struct inbound request;
    int status;
    struct outbound *o = peer->host->outbound;
    outbound_clear(o);
    switch (inbound_parse((struct bytes){data.ptr + used, data.len - used}, &request, &status)) {
      case INBOUND_MORE:
        peer->need = request.total_bytes;
        if (request.expects_continue && !peer->continued) send_continue(peer);
        return used;
      case INBOUND_BAD:
        peer->host->refuse(peer->host->ctx, status);
        o->end = OUTBOUND_CLOSE;
        answer(peer, false);
        return data.len;
      case INBOUND_WHOLE: break;
    }
    uint64_t wait_ms = peer->waited ? 0 : peer->host->wait_ms(peer->host->ctx, &request);
    if (wait_ms) {
      peer->state = PEER_WAITING;
      peer->timer = loop_timer_start(peer->host->loop, wait_ms, on_waited, peer);
      return used;
    }
    used += request.total_bytes;
    peer->need = 0;
    peer->continued = false;
    peer->host->answer(peer->host->ctx, &request, peer->waited);
    peer->waited = false;
    if (request.close && o->end == OUTBOUND_KEEP) o->end = OUTBOUND_CLOSE;
    answer(peer, request.old);
  }
  return used;
}

static void take_kept(struct peer *peer) {
  peer->state = PEER_READING;
  size_t used = take_requests(peer, buffer_bytes(&peer->in));
  buffer_consume(&peer->in, used);
  if (!peer->in.len) buffer_done(&peer->in);
}

static void on_waited(void *arg) {
  struct peer *peer = arg;
  peer->timer = NULL;
  peer->waited = true;
  take_kept(peer);
}

/* ---- playing ---- */

static void on_due(void *arg) {
  struct peer *peer = arg;
  peer->timer = NULL;
  play(peer);
}

static void finish(struct peer *peer) {
  switch (peer->plan.end) {
    case OUTBOUND_CLOSE: peer_close(peer); return;
    case OUTBOUND_RESET: close_with(peer, true); return;
    case OUTBOUND_HOLD: peer->state = PEER_HOLDING; return;
    case OUTBOUND_REPEAT: return; /* never ends by itself */
    case OUTBOUND_KEEP: break;
  }
  plan_done(&peer->plan); /* most connections have nothing to play most of the time */
  take_kept(peer);
}

static void on_written(uv_write_t *req, int status) {
  struct peer *peer = req->data;
  peer->writing = false;
  if (peer->state != PEER_PLAYING) return;
  if (status < 0) {
    lose(peer);
    return;
  }
  if (peer->plan.write_ms && peer->sent < peer->plan.bytes.len)
    peer->timer = loop_timer_start(peer->host->loop, peer->plan.write_ms, on_due, peer);
  else
    play(peer);
}

static void write_until(struct peer *peer, size_t end) {
  uv_buf_t buf = uv_buf_init(peer->plan.bytes.ptr + peer->sent, (unsigned)(end - peer->sent));
  /* Always with a callback, so that two writes never happen in one turn of the loop: else the
   * bytes that must travel alone would be sent together, and an endless answer would not see
   * whether its reader keeps up. */
  peer->write.data = peer;
  peer->writing = true;
  peer->host->sent(peer->host->ctx, end - peer->sent);
  peer->sent = end;
  if (uv_write(&peer->write, (uv_stream_t *)&peer->tcp, &buf, 1, on_written)) peer_close(peer);
}

/* Steps that are due, all together unless single writes are asked for. */
static size_t due_end(struct peer *peer, uint64_t now_ms) {
  size_t end = peer->sent;
  size_t count = plan_step_count(&peer->plan);
  while (peer->step < count) {
    const struct plan_step *step = plan_step_at(&peer->plan, peer->step);
    if (peer->start_ms + peer->delay_ms + step->due_ms > now_ms) break;
    end = step->end;
    if (peer->plan.write_max && end - peer->sent > peer->plan.write_max)
      return peer->sent + peer->plan.write_max;
    peer->step++;
  }
  return end;
}

static void rewind_to_repeat(struct peer *peer) {
  peer->sent = peer->plan.repeat_from;
  peer->step = plan_step_count(&peer->plan) - 1;
  peer->delay_ms += peer->plan.repeat_ms;
}

static void play(struct peer *peer) {
  if (peer->state != PEER_PLAYING || peer->writing || peer->timer) return;
  size_t count = plan_step_count(&peer->plan);
  bool repeats = peer->plan.end == OUTBOUND_REPEAT && peer->plan.repeat_from < peer->plan.bytes.len;
  if (peer->step == count && repeats) rewind_to_repeat(peer);
  uint64_t now_ms = loop_now_ms(peer->host->loop);
  size_t end = due_end(peer, now_ms);
  if (end > peer->sent) {
    write_until(peer, end);
  } else if (peer->step < count) {
    uint64_t due = peer->start_ms + peer->delay_ms + plan_step_at(&peer->plan, peer->step)->due_ms;
    peer->timer = loop_timer_start(peer->host->loop, due - now_ms, on_due, peer);
  } else {
    finish(peer);
  }
}

/* ---- reading ---- */

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf) {
  (void)size;
  struct peer *peer = handle->data;
  *buf = uv_buf_init(peer->host->read_space, (unsigned)peer->host->read_size);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
  struct peer *peer = stream->data;
  if (n == 0 || peer->state == PEER_CLOSING) return;
  if (n < 0) {
    lose(peer);
    return;
  }
  struct bytes data = {buf->base, (size_t)n};
  bool kept = peer->in.len > 0;
  if (kept) {
    if (!buffer_append_bytes(&peer->in, data)) {
      peer_close(peer);
      return;
    }
    data = buffer_bytes(&peer->in);
  }
  size_t used = take_requests(peer, data);
  if (kept)
    buffer_consume(&peer->in, used);
  else if (used < data.len && !buffer_append(&peer->in, data.ptr + used, data.len - used))
    peer_close(peer);
  if (!peer->in.len) buffer_done(&peer->in);
}

/* One that the server never got to know. */
static void on_rejected(uv_handle_t *handle) {
  free(handle->data);
}

struct peer *peer_accept(struct peer_host *host, uv_stream_t *listener) {
  struct peer *peer = calloc(1, sizeof *peer);
  if (!peer) return NULL;
  peer->host = host;
  buffer_init(&peer->in, INBOUND_BODY_MAX + 2 * INBOUND_HEAD_MAX);
  plan_init(&peer->plan);
  if (uv_tcp_init(loop_uv(host->loop), &peer->tcp)) {
    free(peer);
    return NULL;
  }
  peer->tcp.data = peer;
  if (uv_accept(listener, (uv_stream_t *)&peer->tcp) ||
      uv_read_start((uv_stream_t *)&peer->tcp, on_alloc, on_read)) {
    uv_close((uv_handle_t *)&peer->tcp, on_rejected);
    return NULL;
  }
  uv_tcp_nodelay(&peer->tcp, 1);
  return peer;
}
