/* Bodies that many responses share, and the prepared responses that make a probe cheap: building
 * one costs a dozen allocations, most of it for headers that never change. A prepared response is
 * lent to one request at a time, because its X-Request-ID is that request's. */
#include "http/respond.h"

#include <stdlib.h>

enum { SHARED_KEPT_MAX = 64 }; /* prepared responses kept; the further ones are made anew */

struct shared_response {
  struct shared_response *next;
  struct MHD_Response *response;
  char id[REQUEST_ID_MAX + 1]; /* the X-Request-ID that it carries */
};

struct http_shared {
  atomic_int refs;
  char *body;
  size_t len;
  char *content_type;
  pthread_mutex_t lock; /* guards idle, idle_count, server */
  struct shared_response *idle;
  size_t idle_count;
  const struct http_server *server; /* whose headers the prepared responses carry */
};

struct http_shared *http_shared_create(struct bytes body, const char *content_type) {
  struct http_shared *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  atomic_init(&s->refs, 1);
  pthread_mutex_init(&s->lock, NULL);
  s->len = body.len;
  s->body = bytes_dup(body);
  s->content_type = bytes_dup(bytes_of(content_type));
  if (s->body && s->content_type) return s;
  http_shared_unref(s);
  return NULL;
}

struct http_shared *http_shared_ref(struct http_shared *shared) {
  atomic_fetch_add_explicit(&shared->refs, 1, memory_order_relaxed);
  return shared;
}

static void shared_response_free(struct shared_response *lent) {
  MHD_destroy_response(lent->response);
  free(lent);
}

void http_shared_unref(struct http_shared *shared) {
  if (!shared || atomic_fetch_sub_explicit(&shared->refs, 1, memory_order_acq_rel) != 1) return;
  while (shared->idle) {
    struct shared_response *lent = shared->idle;
    shared->idle = lent->next;
    shared_response_free(lent);
  }
  pthread_mutex_destroy(&shared->lock);
  free(shared->body);
  free(shared->content_type);
  free(shared);
}

static struct shared_response *shared_prepare(struct http_shared *s, const struct http_request *r) {
  struct shared_response *lent = calloc(1, sizeof *lent);
  if (!lent) return NULL;
  lent->response = MHD_create_response_from_buffer(s->len, s->body, MHD_RESPMEM_PERSISTENT);
  if (lent->response && respond_add_headers(r, lent->response, s->content_type, NULL)) {
    memcpy(lent->id, r->id, sizeof lent->id);
    return lent;
  }
  if (lent->response) MHD_destroy_response(lent->response);
  free(lent);
  return NULL;
}

static bool shared_set_id(struct shared_response *lent, const struct http_request *r) {
  return MHD_del_response_header(lent->response, "X-Request-ID", lent->id) == MHD_YES &&
         MHD_add_response_header(lent->response, "X-Request-ID", r->id) == MHD_YES;
}

/* An idle response made to carry this request's id, or a new one. */
static struct shared_response *shared_take(struct http_shared *s, const struct http_request *r) {
  pthread_mutex_lock(&s->lock);
  if (!s->server) s->server = r->server;
  struct shared_response *lent = s->server == r->server ? s->idle : NULL;
  if (lent) {
    s->idle = lent->next;
    s->idle_count--;
  }
  pthread_mutex_unlock(&s->lock);
  if (!lent) return shared_prepare(s, r);
  if (shared_set_id(lent, r)) {
    memcpy(lent->id, r->id, strlen(r->id) + 1);
    return lent;
  }
  shared_response_free(lent);
  return NULL;
}

void shared_give_back(struct http_shared *shared, struct shared_response *lent) {
  pthread_mutex_lock(&shared->lock);
  bool keep = shared->idle_count < SHARED_KEPT_MAX;
  if (keep) {
    lent->next = shared->idle;
    shared->idle = lent;
    shared->idle_count++;
  }
  pthread_mutex_unlock(&shared->lock);
  if (!keep) shared_response_free(lent);
  http_shared_unref(shared);
}

void http_respond_shared(struct http_request *request, int status_code,
                         struct http_shared *shared) {
  /* Whatever makes this response's headers differ from the next one's takes the long way: what is
   * no probe is counted, and its headers say what this caller has left. */
  bool plain = request->server->guard.any_origin && request->version == 1 && !request->close &&
               request->route->cheap && !request->route->pool;
  struct shared_response *lent = plain ? shared_take(shared, request) : NULL;
  if (!lent) {
    http_respond(request, status_code, shared->content_type,
                 (struct bytes){shared->body, shared->len}, NULL);
    http_shared_unref(shared);
    return;
  }
  request->shared = shared;
  request->lent = lent;
  respond_send(request, status_code, lent->response);
}
