#include "http/connection.h"

#include <linux/tcp.h> /* the C library's own lacks tcpi_bytes_received */
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>

enum { AWAITED = 1 }; /* the bit of `heads` */

int connection_now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
  return (int)t.tv_sec;
}

/* 0 where the kernel does not tell. */
static uint64_t bytes_received(int fd) {
  struct tcp_info info = {0};
  socklen_t len = sizeof info;
  return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) ? 0 : info.tcpi_bytes_received;
}

void connection_set_deadline(struct http_connection *c, int seconds) {
  atomic_store_explicit(&c->deadline_s, seconds > 0 ? connection_now_s() + seconds : 0,
                        memory_order_relaxed);
}

void connection_await_head(struct http_connection *c, int head_timeout_s) {
  connection_set_deadline(c, CONNECTION_IDLE_TIMEOUT_S + head_timeout_s);
  unsigned heads = atomic_load_explicit(&c->heads, memory_order_relaxed);
  atomic_store_explicit(&c->heads, (heads | AWAITED) + 2, memory_order_release);
}

/* True unless another thread was first. */
static bool head_begins(struct http_connection *c) {
  return atomic_fetch_and(&c->heads, ~(unsigned)AWAITED) & AWAITED;
}

void connection_begin_head(struct http_connection *c, int head_timeout_s) {
  int latest = connection_now_s() + head_timeout_s;
  if (!head_begins(c)) return;
  if (atomic_load_explicit(&c->deadline_s, memory_order_relaxed) > latest)
    atomic_store_explicit(&c->deadline_s, latest, memory_order_relaxed);
}

/* Whether bytes of the head that is awaited have come since an earlier look. */
static bool sees_head(struct http_connection *c) {
  unsigned heads = atomic_load_explicit(&c->heads, memory_order_acquire);
  if (!(heads & AWAITED)) return false;
  uint64_t received = bytes_received(c->fd);
  bool more = heads == c->looked_at && received > c->received;
  c->looked_at = heads;
  c->received = received;
  return more && atomic_compare_exchange_strong(&c->heads, &heads, heads & ~(unsigned)AWAITED);
}

void connection_look(struct http_connection *c, int now_s, int head_timeout_s) {
  int deadline_s = atomic_load_explicit(&c->deadline_s, memory_order_relaxed);
  if (sees_head(c)) {
    /* Unless the HTTP thread has come further and set another. */
    atomic_compare_exchange_strong(&c->deadline_s, &deadline_s, now_s + head_timeout_s);
    return;
  }
  if (deadline_s != 0 && now_s >= deadline_s) shutdown(c->fd, SHUT_RDWR);
}
