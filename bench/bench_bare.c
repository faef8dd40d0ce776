/* What a request costs the kernel alone: two threads that answer whatever a connection sends with
 * one and the same response, a recv and a send a request, nothing read, nothing known. Beside it a
 * figure of the server is one of this machine in this minute.
 *
 *   bench_bare PORT BYTES     listens on loopback until it is killed; BYTES a response, head
 * included
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { THREADS = 2, READ_SIZE = 4096, EVENTS = 64, BACKLOG = 128 };

static int listener;
static char *response;
static size_t response_len;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void take(int epoll) {
  int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return; /* the other thread was quicker */
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) die("epoll_ctl");
}

/* A request of the driver comes in one piece, and a response fits the socket's buffer. */
static void answer(int fd) {
  char request[READ_SIZE];
  if (recv(fd, request, sizeof request, 0) <= 0) {
    close(fd);
  } else if (send(fd, response, response_len, MSG_NOSIGNAL) != (ssize_t)response_len) {
    die("send");
  }
}

static void *serve(void *unused) {
  (void)unused;
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.fd = listener};
  if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event)) die("epoll");
  for (;;) {
    struct epoll_event events[EVENTS];
    int count = epoll_wait(epoll, events, EVENTS, -1);
    for (int i = 0; i < count; i++) {
      if (events[i].data.fd == listener) {
        take(epoll);
      } else {
        answer(events[i].data.fd);
      }
    }
  }
  return NULL;
}

static void make_response(size_t bytes) {
  char head[100];
  size_t content = bytes;
  int head_len = 0;
  /* The length of the head depends on that of the content by a digit at most. */
  for (int i = 0; i < 2; i++) {
    head_len =
        snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", content);
    content = bytes > (size_t)head_len ? bytes - (size_t)head_len : 0;
  }
  head_len = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", content);
  response_len = (size_t)head_len + content;
  response = malloc(response_len);
  if (!response) die("malloc");
  memset(response, 'x', response_len);
  memcpy(response, head, (size_t)head_len);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  int on = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  make_response((size_t)atol(argv[2]));
  listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ||
      bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, BACKLOG))
    die("listen");
  pthread_t other;
  for (int i = 1; i < THREADS; i++)
    if (pthread_create(&other, NULL, serve, NULL)) die("pthread_create");
  serve(NULL);
}
