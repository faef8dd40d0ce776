#include "http/connection.h"

#include <linux/tcp.h> /* the C library's own lacks tcpi_bytes_received */
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>

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

void connection_end_request(struct http_connection *c) {
  connection_set_deadline(c, 0);
  atomic_store_explicit(&c->received, bytes_received(c->fd), memory_order_relaxed);
}

void connection_await_head(struct http_connection *c, int head_timeout_s) {
  connection_set_deadline(c, CONNECTION_IDLE_TIMEOUT_S + head_timeout_s);
  atomic_store_explicit(&c->awaits_head, true, memory_order_release);
}

void connection_begin_head(struct http_connection *c, int head_timeout_s) {
  int latest = connection_now_s() + head_timeout_s;
  if (!atomic_exchange(&c->awaits_head, false)) return;
  if (atomic_load_explicit(&c->deadline_s, memory_order_relaxed) > latest)
    atomic_store_explicit(&c->deadline_s, latest, memory_order_relaxed);
}

void connection_look(struct http_connection *c, int now_s, int head_timeout_s) {
  int deadline_s = atomic_load_explicit(&c->deadline_s, memory_order_relaxed);
  if (atomic_load_explicit(&c->awaits_head, memory_order_acquire) &&
      bytes_received(c->fd) > atomic_load_explicit(&c->received, memory_order_relaxed)) {
    atomic_store(&c->awaits_head, false);
    /* Unless the HTTP thread has come further and set another. */
    atomic_compare_exchange_strong(&c->deadline_s, &deadline_s, now_s + head_timeout_s);
    return;
  }
  if (deadline_s != 0 && now_s >= deadline_s) shutdown(c->fd, SHUT_RDWR);
}
