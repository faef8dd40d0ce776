#include "http/listener.h"

#include "base/log.h"
#include "http/server_state.h"

#include <errno.h>
#include <unistd.h>

enum {
  LISTENER_BATCH = 256,             /* connections accepted in one turn of the loop */
  LISTENER_REST_MS = 100,           /* pause while descriptors or memory are short */
  LISTENER_COMPLAIN_MS = 10 * 1000, /* of which the log speaks no more often than this */
};

static void listener_on_ready(uv_poll_t *poll, int status, int events);

static void listener_resume(void *arg) {
  struct listener *l = arg;
  l->rest = NULL;
  uv_poll_start(&l->poll, UV_READABLE, listener_on_ready);
}

/* Out of descriptors or memory: the connection stays in the backlog, and the socket stays
 * readable, so that polling on would spin. */
static void listener_pause(struct listener *l) {
  uint64_t now_ms = loop_now_ms(l->server->loop);
  if (!l->complained_ms || now_ms - l->complained_ms >= LISTENER_COMPLAIN_MS) {
    log_warning("http", NULL, "accept failed error=%s connections wait, tried again every %d ms",
                strerrordesc_np(errno), LISTENER_REST_MS);
    l->complained_ms = now_ms;
  }
  uv_poll_stop(&l->poll);
  l->rest = loop_timer_start(l->server->loop, LISTENER_REST_MS, listener_resume, l);
}

/* Over max_connections it is closed. libmicrohttpd's own limit must never be met: it is each
 * thread's share, and a thread that finds it exceeded by what waits for it (0.9.75,
 * new_connection_process_) keeps a mutex for ever. */
static void listener_hand_over(struct http_server *s, int fd, struct sockaddr *peer,
                               socklen_t len) {
  if (atomic_fetch_add(&s->open, 1) >= (int)server_most_connections(s)) {
    atomic_fetch_sub(&s->open, 1);
    close(fd);
    return;
  }
  if (MHD_add_connection(s->daemon, fd, peer, len) != MHD_YES) atomic_fetch_sub(&s->open, 1);
}

static void listener_on_ready(uv_poll_t *poll, int status, int events) {
  struct listener *l = poll->data;
  for (int i = 0; i < LISTENER_BATCH; i++) {
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;
    int fd = accept4(l->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      listener_hand_over(l->server, fd, (struct sockaddr *)&peer, len);
      continue;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      listener_pause(l);
    }
    /* Whatever else there is belongs to one connection that is gone already. */
    if (errno != ECONNABORTED && errno != EINTR) return;
  }
}

void listener_start(struct listener *l) {
  if (uv_poll_init_socket(loop_uv(l->server->loop), &l->poll, l->fd) != 0) return;
  l->poll.data = l;
  l->polling = true;
  uv_poll_start(&l->poll, UV_READABLE, listener_on_ready);
}

static void listener_on_closed(uv_handle_t *handle) {
  struct listener *l = handle->data;
  l->polling = false;
}

void listener_stop(struct listener *l) {
  loop_timer_cancel(l->rest);
  l->rest = NULL;
  if (l->polling) {
    uv_poll_stop(&l->poll);
    uv_close((uv_handle_t *)&l->poll, listener_on_closed);
  }
  if (l->fd >= 0) close(l->fd);
  l->fd = -1;
}
