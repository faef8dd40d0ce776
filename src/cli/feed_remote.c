/* An event stream of a server (text/event-stream). A connection that breaks is made anew from the
 * last seq that arrived, so no frame is lost and none comes twice. */
#include "base/clock.h"
#include "cli/feed.h"
#include "cli/interrupt.h"
#include "cli/remote.h"
#include "io/sse.h"

#include <stdio.h>
#include <stdlib.h>

enum {
  RETRY_FIRST_MS = 500,
  RETRY_MAX_MS = 8000,
  RETRIES_MAX = 10,   /* in a row, without a frame between */
  SILENCE_MAX_S = 60, /* the server sends a comment far more often (--sse-heartbeat) */
  REFUSAL_MAX = 65536,
  POLL_MAX_MS = 1000,
};

struct waiting { /* a frame that has arrived */
  struct waiting *next;
  size_t len;
  char json[];
};

struct remote_feed {
  struct feed feed;
  struct remote *remote;
  char *id;
  CURLM *multi;
  CURL *easy; /* NULL while no connection is wanted */
  struct curl_slist *headers;
  struct sse_decoder decoder;
  struct buffer refusal; /* body of an answer that is no stream */
  char detail[CURL_ERROR_SIZE];
  struct waiting *first, **last;
  uint64_t last_seq;
  bool ended; /* debate_end has arrived */
  int retries;
  int64_t retry_at_us;
};

static bool take_event(void *ctx, struct bytes name, struct bytes data) {
  struct remote_feed *f = ctx;
  JSON_LATER json_t *frame = NULL;
  struct error err;
  if (json_parse(data, &frame, &err)) return true; /* not ours; the next may be */
  int64_t seq = json_get_int(frame, "seq", 0);
  if (seq > 0 && (uint64_t)seq <= f->last_seq) return true;
  struct waiting *w = malloc(sizeof *w + data.len);
  if (!w) return false;
  w->next = NULL;
  w->len = data.len;
  memcpy(w->json, data.ptr, data.len);
  *f->last = w;
  f->last = &w->next;
  f->retries = 0;
  if (seq > 0) f->last_seq = (uint64_t)seq;
  f->ended = f->ended || strcmp(json_get_text(frame, "type", ""), "debate_end") == 0;
  return true;
}

static size_t take_body(char *data, size_t size, size_t count, void *ctx) {
  struct remote_feed *f = ctx;
  struct bytes piece = {data, size * count};
  long http_status = 0;
  curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &http_status);
  bool ok = http_status == 200 ? sse_decoder_feed(&f->decoder, piece)
                               : buffer_append_bytes(&f->refusal, piece);
  return ok ? piece.len : 0;
}

static void disconnect(struct remote_feed *f) {
  if (f->easy) {
    curl_multi_remove_handle(f->multi, f->easy);
    curl_easy_cleanup(f->easy);
    sse_decoder_done(&f->decoder);
  }
  f->easy = NULL;
  curl_slist_free_all(f->headers);
  f->headers = NULL;
  buffer_clear(&f->refusal);
}

static bool set_headers(struct remote_feed *f) {
  char resume[64];
  snprintf(resume, sizeof resume, "Last-Event-ID: %llu", (unsigned long long)f->last_seq);
  const char *own[] = {"Accept: text/event-stream", f->last_seq ? resume : NULL};
  for (struct curl_slist *h = f->remote->headers; h; h = h->next) {
    struct curl_slist *more = curl_slist_append(f->headers, h->data);
    if (!more) return false;
    f->headers = more;
  }
  for (size_t i = 0; i < 2 && own[i]; i++) {
    struct curl_slist *more = curl_slist_append(f->headers, own[i]);
    if (!more) return false;
    f->headers = more;
  }
  return true;
}

static enum status reconnect(struct remote_feed *f, struct error *err) {
  BUFFER_LATER struct buffer url;
  buffer_init(&url, 16384);
  buffer_printf(&url, "%s/api/debates/%s/events", f->remote->base, f->id);
  disconnect(f);
  f->easy = curl_easy_init();
  if (f->easy) sse_decoder_init(&f->decoder, FEED_FRAME_MAX, take_event, f);
  if (!f->easy || url.overflow || !set_headers(f)) {
    disconnect(f);
    return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  }
  f->detail[0] = 0;
  curl_easy_setopt(f->easy, CURLOPT_URL, url.ptr);
  curl_easy_setopt(f->easy, CURLOPT_HTTPHEADER, f->headers);
  curl_easy_setopt(f->easy, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(f->easy, CURLOPT_WRITEDATA, f);
  curl_easy_setopt(f->easy, CURLOPT_ERRORBUFFER, f->detail);
  curl_easy_setopt(f->easy, CURLOPT_CONNECTTIMEOUT_MS, 5000L);
  curl_easy_setopt(f->easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(f->easy, CURLOPT_LOW_SPEED_TIME, (long)SILENCE_MAX_S);
  curl_easy_setopt(f->easy, CURLOPT_NOSIGNAL, 1L);
  curl_multi_add_handle(f->multi, f->easy);
  return STATUS_OK;
}

/* The connection is over, one way or another. FEED_NOTHING when another is to be tried, the first
 * time in a row FEED_LOST. */
static enum feed_answer connection_over(struct remote_feed *f, CURLcode code, struct error *err) {
  long http_status = 0;
  curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &http_status);
  bool stopped = code == CURLE_OK && http_status == 204; /* nothing follows what we have */
  if (f->ended || stopped) {
    f->ended = true;
    disconnect(f);
    return FEED_NOTHING;
  }
  curl_off_t limited_s = 0;
  if (http_status == 429) curl_easy_getinfo(f->easy, CURLINFO_RETRY_AFTER, &limited_s);
  if (http_status >= 400 && http_status < 500 && limited_s <= 0) {
    remote_refusal(f->remote, http_status, buffer_bytes(&f->refusal), err);
    disconnect(f);
    return FEED_FAILED;
  }
  error_set(err, STATUS_UNAVAILABLE, NULL, "lost %s: %s", f->remote->base,
            *f->detail           ? f->detail
            : code               ? curl_easy_strerror(code)
            : http_status == 200 ? "the stream ended too early"
                                 : "it answers with an error");
  disconnect(f);
  if (++f->retries > RETRIES_MAX) return FEED_FAILED;
  int64_t delay_ms = RETRY_FIRST_MS << (f->retries - 1 < 5 ? f->retries - 1 : 5);
  if (delay_ms > RETRY_MAX_MS) delay_ms = RETRY_MAX_MS;
  if (limited_s > 0) delay_ms = (int64_t)limited_s * 1000;
  f->retry_at_us = clock_mono_us(&clock_system) + delay_ms * 1000;
  return f->retries == 1 ? FEED_LOST : FEED_NOTHING;
}

static enum feed_answer turn(struct remote_feed *f, struct error *err) {
  int running, left;
  curl_multi_perform(f->multi, &running);
  for (CURLMsg *m; (m = curl_multi_info_read(f->multi, &left));)
    if (m->msg == CURLMSG_DONE) return connection_over(f, m->data.result, err);
  return FEED_NOTHING;
}

static enum feed_answer pop(struct remote_feed *f, struct buffer *frame, struct error *err) {
  struct waiting *w = f->first;
  bool ok = buffer_append(frame, w->json, w->len);
  f->first = w->next;
  if (!f->first) f->last = &f->first;
  free(w);
  if (ok) return FEED_FRAME;
  error_set(err, STATUS_NOMEM, NULL, "out of memory");
  return FEED_FAILED;
}

static enum feed_answer next(struct feed *feed, int timeout_ms, struct buffer *frame,
                             struct error *err) {
  struct remote_feed *f = (struct remote_feed *)feed;
  buffer_clear(frame);
  if (f->first) return pop(f, frame, err);
  if (f->ended) return FEED_END;
  if (!f->easy && clock_mono_us(&clock_system) >= f->retry_at_us && reconnect(f, err))
    return FEED_FAILED;
  enum feed_answer answer = f->easy ? turn(f, err) : FEED_NOTHING;
  if (answer != FEED_NOTHING) return answer;
  if (f->first) return pop(f, frame, err);
  if (f->ended) return FEED_END;
  struct curl_waitfd interrupted = {interrupt_fd(), CURL_WAIT_POLLIN, 0};
  if (timeout_ms < 0 || timeout_ms > POLL_MAX_MS) timeout_ms = POLL_MAX_MS;
  int64_t retry_ms = (f->retry_at_us - clock_mono_us(&clock_system)) / 1000 + 1;
  if (!f->easy && retry_ms < timeout_ms) timeout_ms = retry_ms > 0 ? (int)retry_ms : 0;
  curl_multi_poll(f->multi, &interrupted, interrupted.fd >= 0 ? 1 : 0, timeout_ms, NULL);
  if (interrupted.revents) return FEED_INTERRUPTED;
  answer = f->easy ? turn(f, err) : FEED_NOTHING;
  return answer == FEED_NOTHING && f->first ? pop(f, frame, err) : answer;
}

static void close_feed(struct feed *feed) {
  struct remote_feed *f = (struct remote_feed *)feed;
  disconnect(f);
  if (f->multi) curl_multi_cleanup(f->multi);
  while (f->first) {
    struct waiting *w = f->first;
    f->first = w->next;
    free(w);
  }
  buffer_done(&f->refusal);
  free(f->id);
  free(f);
}

enum status feed_open_remote(struct remote *remote, const char *debate_id, struct feed **ret_feed,
                             struct error *err) {
  struct remote_feed *f = calloc(1, sizeof *f);
  if (!f) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  f->feed = (struct feed){next, close_feed};
  f->remote = remote;
  f->last = &f->first;
  buffer_init(&f->refusal, REFUSAL_MAX);
  f->id = strdup(debate_id);
  f->multi = curl_multi_init();
  if (!f->id || !f->multi) {
    close_feed(&f->feed);
    return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  }
  *ret_feed = &f->feed;
  return STATUS_OK;
}
