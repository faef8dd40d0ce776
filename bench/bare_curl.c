#include "bare_curl.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { AT_ONCE_MAX = 64, BODY_MAX = 1 << 20 };

struct transfer {
  CURL *easy;
  struct buffer body;
};

struct bare_curl {
  struct loop *loop;
  CURLM *multi;
  struct curl_slist *headers;
  struct loop_timer *timer;
  int epoll_fd;
  uv_poll_t watch;
  struct transfer transfers[AT_ONCE_MAX];
  size_t at_once;
  long to_start, running;
  const struct transfer *last;
};

static void must(bool ok, const char *what) {
  if (ok) return;
  fprintf(stderr, "bare_curl: %s failed\n", what);
  exit(1);
}

static size_t on_body(char *data, size_t size, size_t n, void *arg) {
  struct transfer *t = arg;
  return buffer_append(&t->body, data, size * n) ? size * n : CURL_WRITEFUNC_ERROR;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known) {
  struct bare_curl *bare = arg;
  struct epoll_event event = {.data.fd = fd};
  if (what == CURL_POLL_REMOVE) {
    epoll_ctl(bare->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    curl_multi_assign(bare->multi, fd, NULL);
    return 0;
  }
  if (what & CURL_POLL_IN) event.events |= EPOLLIN;
  if (what & CURL_POLL_OUT) event.events |= EPOLLOUT;
  must(epoll_ctl(bare->epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) == 0, "epoll");
  curl_multi_assign(bare->multi, fd, bare);
  return 0;
}

static void on_timer(void *arg);

static int on_curl_timer(CURLM *multi, long timeout_ms, void *arg) {
  struct bare_curl *bare = arg;
  loop_timer_cancel(bare->timer);
  bare->timer = NULL;
  if (timeout_ms >= 0)
    bare->timer = loop_timer_start(bare->loop, (uint64_t)timeout_ms, on_timer, bare);
  return 0;
}

static void start(struct bare_curl *bare, struct transfer *t) {
  buffer_clear(&t->body);
  bare->to_start--;
  bare->running++;
  must(curl_multi_add_handle(bare->multi, t->easy) == CURLM_OK, "curl_multi_add_handle");
}

static void take_ends(struct bare_curl *bare) {
  CURLMsg *message;
  int left;
  while ((message = curl_multi_info_read(bare->multi, &left))) {
    CURL *easy = message->easy_handle;
    CURLcode code = message->data.result;
    struct transfer *t = NULL;
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &t);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    must(code == CURLE_OK && status == 200, "a call");
    curl_multi_remove_handle(bare->multi, easy);
    bare->running--;
    bare->last = t;
    if (bare->to_start > 0) start(bare, t);
  }
  if (!bare->running) loop_stop(bare->loop);
}

static void drive(struct bare_curl *bare, curl_socket_t fd, int bits) {
  int running;
  curl_multi_socket_action(bare->multi, fd, bits, &running);
}

static void on_timer(void *arg) {
  struct bare_curl *bare = arg;
  bare->timer = NULL;
  drive(bare, CURL_SOCKET_TIMEOUT, 0);
  take_ends(bare);
}

static void on_readable(uv_poll_t *watch, int status, int uv_events) {
  struct bare_curl *bare = watch->data;
  struct epoll_event events[AT_ONCE_MAX];
  int n = epoll_wait(bare->epoll_fd, events, AT_ONCE_MAX, 0);
  for (int i = 0; i < n; i++) {
    int bits = 0;
    if (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) bits |= CURL_CSELECT_IN;
    if (events[i].events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) bits |= CURL_CSELECT_OUT;
    drive(bare, events[i].data.fd, bits);
  }
  take_ends(bare);
}

static void aim(struct bare_curl *bare, struct transfer *t, const struct wire_request *request) {
  buffer_init(&t->body, BODY_MAX);
  t->easy = curl_easy_init();
  must(t->easy, "curl_easy_init");
  curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(t->easy, CURLOPT_URL, request->url.ptr);
  curl_easy_setopt(t->easy, CURLOPT_POST, 1L);
  curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, request->body.ptr);
  curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
  curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, bare->headers);
  curl_easy_setopt(t->easy, CURLOPT_BUFFERSIZE, 8192L);
  curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
  curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
}

static void watch(struct bare_curl *bare) {
  bare->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  must(bare->epoll_fd >= 0, "epoll_create1");
  must(uv_poll_init(loop_uv(bare->loop), &bare->watch, bare->epoll_fd) == 0, "uv_poll_init");
  bare->watch.data = bare;
  must(uv_poll_start(&bare->watch, UV_READABLE, on_readable) == 0, "uv_poll_start");
}

struct bare_curl *bare_curl_create(struct loop *loop, const struct wire_request *request,
                                   size_t at_once) {
  struct bare_curl *bare = calloc(1, sizeof *bare);
  must(bare && at_once > 0 && at_once <= AT_ONCE_MAX, "calloc");
  bare->loop = loop;
  bare->at_once = at_once;
  bare->multi = curl_multi_init();
  must(bare->multi, "curl_multi_init");
  curl_multi_setopt(bare->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(bare->multi, CURLMOPT_SOCKETDATA, bare);
  curl_multi_setopt(bare->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
  curl_multi_setopt(bare->multi, CURLMOPT_TIMERDATA, bare);
  for (char *const *h = request->headers; *h; h++)
    bare->headers = curl_slist_append(bare->headers, *h);
  watch(bare);
  for (size_t i = 0; i < at_once; i++) aim(bare, &bare->transfers[i], request);
  return bare;
}

static void free_bare(uv_handle_t *handle) {
  free(handle->data);
}

void bare_curl_destroy(struct bare_curl *bare) {
  for (size_t i = 0; i < bare->at_once; i++) {
    curl_easy_cleanup(bare->transfers[i].easy);
    buffer_done(&bare->transfers[i].body);
  }
  curl_multi_cleanup(bare->multi);
  curl_slist_free_all(bare->headers);
  loop_timer_cancel(bare->timer);
  uv_poll_stop(&bare->watch);
  close(bare->epoll_fd);
  uv_close((uv_handle_t *)&bare->watch, free_bare);
}

void bare_curl_run(struct bare_curl *bare, long calls) {
  bare->to_start = calls;
  for (size_t i = 0; i < bare->at_once && bare->to_start > 0; i++) start(bare, &bare->transfers[i]);
  loop_run(bare->loop);
}

struct bytes bare_curl_body(const struct bare_curl *bare) {
  return buffer_bytes(&bare->last->body);
}
