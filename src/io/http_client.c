/* libcurl 7.88's multi_socket interface on our loop. What it needs to be told, and why:
 *
 * - CAPATH is NULL with CAINFO kept: with a directory set, OpenSSL's store is not shared between
 *   connections and each one parses the bundle again, 20 times the CPU (measured here).
 * - Its timer callback is one-shot and may name 0 ms: never drive curl from inside it.
 * - Nothing of the multi interface may be called from a transfer's callback, so a call that starts
 *   or ends there waits until curl has returned (`inside`).
 * - It is told no time for the whole: with one, each transfer stands in curl's tree of timers,
 * which is then changed twice at every read of any of them. One timer of the loop keeps it for a
 * call.
 * - It looks for a free connection along all that are open to the host, each time a transfer begins
 *   (Curl_conncache's bundle), which with 3,000 of them costs more than the transfer. So there are
 *   several of its multi handles, each with connections of its own; calls go to the first with
 * room.
 */
#include "io/http_client.h"

#include "io/libcurl.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <utlist.h>

enum {
  IDLE_EASY_MAX = 256, /* easy handles kept for reuse, about 6 KB each */
  EVENTS_AT_ONCE = 128,
  CONNECT_SLACK_MS = 250,
  HOST_MAX = 280, /* scheme, name of at most 253 bytes, port */
  POOL_CALLS = 256,
  POOLS_MAX = 64, /* beyond them they become larger */
};

/* With 32 KiB most answers of a burst take one read, which saves two system calls each; thousands
 * of calls that wait would pay for it in memory. */
enum { LARGE_BUFFERS_MAX = 128 };

enum call_state {
  CALL_QUEUED,  /* in its host's queue; no easy handle yet */
  CALL_RUNNING, /* in its host's running list; curl holds the easy handle */
  CALL_DOOMED, /* cancelled inside a callback of curl's: as RUNNING, but freed once curl returned */
  CALL_ENDING, /* out of every list; freed when ops.done returns */
};

struct pool {
  struct http_client *client;
  CURLM *multi;
  struct loop_timer *timer; /* curl's */
  uint32_t index;
};

struct host {
  struct host *next;
  struct http_call *queue, *running;
  size_t running_count;
  size_t running_in[POOLS_MAX]; /* of them, by pool */
  char name[HOST_MAX];
};

struct http_call {
  enum call_state state;
  struct http_client *client;
  struct host *host;
  struct pool *pool;             /* NULL until it is in curl */
  struct http_call *prev, *next; /* of the host's queue or running list */
  struct http_call *fresh_next;
  bool fresh; /* in the client's fresh list */
  CURL *easy;
  struct curl_slist *headers;
  char *url;
  struct buffer body;
  char method[8];
  int64_t connect_timeout_ms, total_timeout_ms;
  struct loop_timer *clock; /* of the next of the two; NULL = not in curl */
  int64_t launched_ms;
  size_t max_body_bytes, body_bytes;
  const struct http_call_ops *ops;
  void *ctx;
  int64_t created_us, queued_us;
  bool head_seen, too_large, stopped, redirected;
  char error[CURL_ERROR_SIZE];
};

struct http_client {
  struct loop *loop;
  struct http_client_limits limits;
  size_t running;                /* calls, of all hosts */
  struct pool *pools[POOLS_MAX]; /* made when they are needed, in this order */
  size_t pools_max, per_pool;    /* of them; calls of one host to each */
  struct loop_timer *later;      /* launches what waits, in a turn of its own */
  /* curl's sockets have an epoll of their own, and libuv watches that one descriptor: curl adds and
   * drops a kept connection's socket on every transfer, which costs two system calls this way and
   * six through a uv_poll_t. */
  int epoll_fd;
  uv_poll_t *watch;
  struct host *hosts;      /* as many as there are base URLs: a list will do */
  struct http_call *fresh; /* read from in this turn, and ops.read_end not yet called */
  size_t queued;
  CURL *idle_easy[IDLE_EASY_MAX];
  size_t idle_easy_count;
  char *ca_file;   /* or NULL: curl's own */
  bool inside;     /* curl is on the stack */
  bool after_work; /* doomed calls or new starts wait for curl to return */
};

static int64_t now_us(void) {
  return (int64_t)(uv_hrtime() / 1000);
}

/* ---- callbacks from curl ---- */

static size_t on_body(char *data, size_t size, size_t n, void *arg) {
  struct http_call *call = arg;
  size_t len = size * n;
  if (call->state == CALL_DOOMED || call->redirected) return CURL_WRITEFUNC_ERROR;
  if (len > call->max_body_bytes - call->body_bytes) {
    call->too_large = true;
    return CURL_WRITEFUNC_ERROR;
  }
  call->body_bytes += len;
  if (!call->fresh && call->ops->read_end) {
    call->fresh = true;
    LL_PREPEND2(call->client->fresh, call, fresh_next);
  }
  bool go_on = call->ops->data(call->ctx, (struct bytes){data, len});
  if (call->state == CALL_DOOMED) return CURL_WRITEFUNC_ERROR;
  if (!go_on) call->stopped = true;
  return go_on ? len : CURL_WRITEFUNC_ERROR;
}

static size_t on_header(char *data, size_t size, size_t n, void *arg) {
  struct http_call *call = arg;
  size_t len = size * n;
  if (call->head_seen || len > 2 || (len && data[0] != '\r' && data[0] != '\n')) return len;
  long status = 0;
  curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
  if (status < 200) return len; /* 100 Continue and the like: the real head follows */
  call->head_seen = true;
  if (status >= 300 && status < 400) {
    call->redirected = true;
    return CURL_WRITEFUNC_ERROR;
  }
  if (call->state != CALL_DOOMED) call->ops->head(call->ctx, call, (int)status);
  return call->state == CALL_DOOMED ? CURL_WRITEFUNC_ERROR : len;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known) {
  (void)easy;
  struct pool *pool = arg;
  int epoll_fd = pool->client->epoll_fd;
  if (what == CURL_POLL_REMOVE) {
    epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    curl_multi_assign(pool->multi, fd, NULL);
    return 0;
  }
  struct epoll_event event = {.data.u64 = (uint64_t)pool->index << 32 | (uint32_t)fd};
  if (what & CURL_POLL_IN) event.events |= EPOLLIN;
  if (what & CURL_POLL_OUT) event.events |= EPOLLOUT;
  if (epoll_ctl(epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) != 0) return -1;
  curl_multi_assign(pool->multi, fd, pool);
  return 0;
}

static void on_timer(void *arg);

static int on_curl_timer(CURLM *multi, long timeout_ms, void *arg) {
  (void)multi;
  struct pool *pool = arg;
  loop_timer_cancel(pool->timer);
  pool->timer = NULL;
  if (timeout_ms >= 0)
    pool->timer = loop_timer_start(pool->client->loop, (uint64_t)timeout_ms, on_timer, pool);
  return 0;
}

/* ---- easy handles ---- */

static CURL *easy_create(struct http_client *client) {
  CURL *easy = curl_easy_init();
  if (!easy) return NULL;
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
  if (client->ca_file) curl_easy_setopt(easy, CURLOPT_CAINFO, client->ca_file);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
  curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, NULL);
  curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  return easy;
}

static CURL *easy_take(struct http_client *client) {
  return client->idle_easy_count ? client->idle_easy[--client->idle_easy_count]
                                 : easy_create(client);
}

static void easy_give(struct http_client *client, CURL *easy) {
  /* The next call sets everything that the last one set; these two would dangle meanwhile. */
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, NULL);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, NULL);
  if (client->idle_easy_count < IDLE_EASY_MAX)
    client->idle_easy[client->idle_easy_count++] = easy;
  else
    curl_easy_cleanup(easy);
}

static void easy_aim(CURL *easy, struct http_call *call) {
  bool tls = strncasecmp(call->url, "https:", 6) == 0;
  bool post = strcmp(call->method, "GET") != 0;
  call->error[0] = '\0';
  curl_easy_setopt(easy, CURLOPT_URL, call->url);
  if (post) {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body.ptr ? call->body.ptr : "");
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len);
  } else {
    curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
  }
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST,
                   post && strcmp(call->method, "POST") != 0 ? call->method : NULL);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
  /* Without TLS there is no HTTP/2 to wait for, and waiting would serialise the first connects. */
  curl_easy_setopt(easy, CURLOPT_PIPEWAIT, tls ? 1L : 0L);
  /* Of several addresses curl gives each but the last half of what is left. Our own clock is first
   * to end it all, but for a connection that curl makes anew on a request it sends again. */
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                   (long)call->connect_timeout_ms + CONNECT_SLACK_MS);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error);
}

/* ---- pools ---- */

static struct pool *pool_open(struct http_client *client, size_t index) {
  struct pool *pool = calloc(1, sizeof *pool);
  CURLM *multi = pool ? curl_multi_init() : NULL;
  if (!multi) {
    free(pool);
    return NULL;
  }
  *pool = (struct pool){.client = client, .multi = multi, .index = (uint32_t)index};
  long per_host = (long)client->per_pool;
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, pool);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, pool);
  curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, per_host);
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, per_host * 4);
  return pool;
}

static void pool_close(struct pool *pool) {
  if (!pool) return;
  curl_multi_cleanup(pool->multi);
  loop_timer_cancel(pool->timer);
  free(pool);
}

/* The first with room for one more call to the host, which has less than its most in curl; NULL
 * when memory is short. */
static struct pool *pool_for(struct http_client *client, const struct host *host) {
  size_t i = 0;
  while (host->running_in[i] >= client->per_pool) i++;
  if (!client->pools[i]) client->pools[i] = pool_open(client, i);
  return client->pools[i];
}

/* ---- the life of a call ---- */

static void call_free(struct http_call *call) {
  curl_slist_free_all(call->headers);
  free(call->url);
  buffer_done(&call->body);
  free(call);
}

/* Out of curl and of the running list. The easy handle stays with the call, for its headers. */
static void call_withdraw(struct http_call *call) {
  if (call->fresh) LL_DELETE2(call->client->fresh, call, fresh_next);
  call->fresh = false;
  loop_timer_cancel(call->clock);
  call->clock = NULL;
  curl_multi_remove_handle(call->pool->multi, call->easy);
  DL_DELETE(call->host->running, call);
  call->host->running_count--;
  call->host->running_in[call->pool->index]--;
  call->client->running--;
}

static void call_release(struct http_call *call) {
  if (call->easy) {
    curl_easy_setopt(call->easy, CURLOPT_ERRORBUFFER, NULL);
    easy_give(call->client, call->easy);
  }
  call_free(call);
}

static void call_end(struct http_call *call, enum http_call_end end, const char *detail) {
  call->state = CALL_ENDING;
  call->ops->done(call->ctx, call, end, detail);
  call_release(call);
}

static void on_clock(void *arg);

static void set_clock(struct http_call *call, int64_t at_ms) {
  int64_t left = call->launched_ms + at_ms - (int64_t)loop_now_ms(call->client->loop);
  call->clock = loop_timer_start(call->client->loop, left > 0 ? (uint64_t)left : 0, on_clock, call);
}

/* From no list into curl. */
static bool call_launch(struct http_call *call) {
  struct http_client *client = call->client;
  call->pool = pool_for(client, call->host);
  call->easy = call->pool ? easy_take(client) : NULL;
  if (!call->easy) return false;
  easy_aim(call->easy, call);
  curl_easy_setopt(call->easy, CURLOPT_BUFFERSIZE,
                   client->running < LARGE_BUFFERS_MAX ? 32768L : 8192L);
  if (curl_multi_add_handle(call->pool->multi, call->easy) != CURLM_OK) return false;
  call->state = CALL_RUNNING;
  call->queued_us = now_us() - call->created_us;
  call->launched_ms = (int64_t)loop_now_ms(client->loop);
  set_clock(call, call->connect_timeout_ms < call->total_timeout_ms ? call->connect_timeout_ms
                                                                    : call->total_timeout_ms);
  DL_APPEND(call->host->running, call);
  call->host->running_count++;
  call->host->running_in[call->pool->index]++;
  client->running++;
  return true;
}

static void host_launch_queued(struct host *host, struct http_client *client) {
  while (host->queue && host->running_count < client->limits.max_per_host) {
    struct http_call *call = host->queue;
    DL_DELETE(host->queue, call);
    client->queued--;
    if (!call_launch(call)) call_end(call, HTTP_CALL_RESET, "out of memory");
  }
}

/* Once the connection, TLS included, is ready. */
static bool is_connected(const struct http_call *call) {
  curl_off_t pretransfer_us = 0;
  curl_easy_getinfo(call->easy, CURLINFO_PRETRANSFER_TIME_T, &pretransfer_us);
  return pretransfer_us > 0;
}

static void on_clock(void *arg) {
  struct http_call *call = arg;
  struct http_client *client = call->client;
  struct host *host = call->host;
  bool connected = is_connected(call);
  int64_t passed = (int64_t)loop_now_ms(client->loop) - call->launched_ms;
  call->clock = NULL;
  if (connected && passed < call->total_timeout_ms) {
    set_clock(call, call->total_timeout_ms);
    return;
  }
  char words[80];
  snprintf(words, sizeof words, "not %s after %lld ms", connected ? "finished" : "connected",
           (long long)passed);
  call_withdraw(call);
  call_end(call, connected ? HTTP_CALL_TIMEOUT : HTTP_CALL_CONNECT, words);
  host_launch_queued(host, client);
}

static enum http_call_end end_of(const struct http_call *call, CURLcode code) {
  if (call->redirected) return HTTP_CALL_PROTOCOL;
  if (call->too_large) return HTTP_CALL_TOO_LARGE;
  if (call->stopped) return HTTP_CALL_STOPPED;
  switch (code) {
    case CURLE_OK: return HTTP_CALL_COMPLETE;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY: return HTTP_CALL_DNS;
    case CURLE_COULDNT_CONNECT: return HTTP_CALL_CONNECT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER: return HTTP_CALL_TLS;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS: return HTTP_CALL_UNTRUSTED;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_WEIRD_SERVER_REPLY: return HTTP_CALL_PROTOCOL;
    case CURLE_OPERATION_TIMEDOUT:
      return is_connected(call) ? HTTP_CALL_TIMEOUT : HTTP_CALL_CONNECT;
    default: return HTTP_CALL_RESET;
  }
}

static const char *detail_of(const struct http_call *call, CURLcode code) {
  if (call->redirected) return "the server redirects; redirects are not followed";
  if (call->too_large) return "the response is larger than allowed";
  if (call->stopped) return "stopped";
  if (code == CURLE_OK) return "";
  return call->error[0] ? call->error : curl_easy_strerror(code);
}

/* ---- driving curl ---- */

static void reap_doomed(struct host *host) {
  struct http_call *call, *next;
  DL_FOREACH_SAFE(host->running, call, next) {
    if (call->state != CALL_DOOMED) continue;
    call_withdraw(call);
    call_release(call);
  }
}

static void deliver_ends_of(struct http_client *client, struct pool *pool) {
  CURLMsg *message;
  int left;
  while ((message = curl_multi_info_read(pool->multi, &left))) {
    if (message->msg != CURLMSG_DONE) continue;
    CURLcode code = message->data.result;
    struct http_call *call = NULL;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
    struct host *host = call->host;
    call_withdraw(call);
    call_end(call, end_of(call, code), detail_of(call, code));
    host_launch_queued(host, client);
  }
}

static void deliver_ends(struct http_client *client) {
  for (size_t i = 0; i < client->pools_max && client->pools[i]; i++)
    deliver_ends_of(client, client->pools[i]);
}

static void deliver_read_ends(struct http_client *client) {
  while (client->fresh) {
    struct http_call *call = client->fresh;
    LL_DELETE2(client->fresh, call, fresh_next);
    call->fresh = false;
    if (call->state == CALL_RUNNING) call->ops->read_end(call->ctx);
  }
}

/* What had to wait while curl was on the stack. */
static void after_curl(struct http_client *client) {
  deliver_read_ends(client);
  if (client->after_work) {
    client->after_work = false;
    for (struct host *host = client->hosts; host; host = host->next) {
      reap_doomed(host);
      host_launch_queued(host, client);
    }
  }
  deliver_ends(client);
}

static void drive(struct pool *pool, curl_socket_t fd, int bits) {
  int running;
  pool->client->inside = true;
  curl_multi_socket_action(pool->multi, fd, bits, &running);
  pool->client->inside = false;
}

static void on_timer(void *arg) {
  struct pool *pool = arg;
  pool->timer = NULL;
  drive(pool, CURL_SOCKET_TIMEOUT, 0);
  after_curl(pool->client);
}

static void on_later(void *arg) {
  struct http_client *client = arg;
  client->later = NULL;
  client->after_work = true;
  after_curl(client);
}

static void on_readable(uv_poll_t *watch, int status, int uv_events) {
  (void)status;
  (void)uv_events;
  struct http_client *client = watch->data;
  struct epoll_event events[EVENTS_AT_ONCE];
  int n = epoll_wait(client->epoll_fd, events, EVENTS_AT_ONCE, 0);
  for (int i = 0; i < n; i++) {
    int bits = 0;
    /* An error or a hang-up is read from the socket itself: errno says more than a flag. */
    if (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) bits |= CURL_CSELECT_IN;
    if (events[i].events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) bits |= CURL_CSELECT_OUT;
    drive(client->pools[events[i].data.u64 >> 32], (curl_socket_t)(uint32_t)events[i].data.u64,
          bits);
  }
  after_curl(client);
}

/* ---- the client ---- */

/* The same variables as the curl tool and OpenSSL, which libcurl itself does not read. */
static char *ca_file_from_environment(void) {
  const char *file = getenv("CURL_CA_BUNDLE");
  if (!file || !*file) file = getenv("SSL_CERT_FILE");
  return file && *file ? strdup(file) : NULL;
}

static bool client_open_watch(struct http_client *client) {
  client->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (client->epoll_fd < 0) return false;
  client->watch = calloc(1, sizeof *client->watch);
  if (!client->watch) return false;
  if (uv_poll_init(loop_uv(client->loop), client->watch, client->epoll_fd) != 0) {
    free(client->watch);
    client->watch = NULL;
    return false;
  }
  client->watch->data = client;
  return uv_poll_start(client->watch, UV_READABLE, on_readable) == 0;
}

enum status http_client_create(struct loop *loop, struct http_client_limits limits,
                               struct http_client **ret_client, struct error *err) {
  if (!limits.max_per_host)
    return error_set(err, STATUS_INVALID, NULL, "at least one connection per host is needed");
  struct http_client *client = calloc(1, sizeof *client);
  if (!client) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  client->loop = loop;
  client->limits = limits;
  client->epoll_fd = -1;
  client->ca_file = ca_file_from_environment();
  client->pools_max = (limits.max_per_host - 1) / POOL_CALLS + 1;
  if (client->pools_max > POOLS_MAX) client->pools_max = POOLS_MAX;
  client->per_pool = (limits.max_per_host - 1) / client->pools_max + 1;
  if (!client_open_watch(client)) {
    http_client_destroy(client);
    return error_set(err, STATUS_IO, NULL, "the HTTP client cannot start");
  }
  *ret_client = client;
  return STATUS_OK;
}

static void free_watch(uv_handle_t *watch) {
  free(watch);
}

void http_client_destroy(struct http_client *client) {
  if (!client) return;
  while (client->hosts) {
    struct host *host = client->hosts;
    while (host->queue) http_call_cancel(host->queue);
    while (host->running) http_call_cancel(host->running);
    client->hosts = host->next;
    free(host);
  }
  for (size_t i = 0; i < client->idle_easy_count; i++) curl_easy_cleanup(client->idle_easy[i]);
  for (size_t i = 0; i < client->pools_max; i++) pool_close(client->pools[i]);
  loop_timer_cancel(client->later);
  if (client->watch) {
    uv_poll_stop(client->watch);
    uv_close((uv_handle_t *)client->watch, free_watch);
  }
  if (client->epoll_fd >= 0) close(client->epoll_fd);
  free(client->ca_file);
  free(client);
}

static struct host *host_of(struct http_client *client, const char *url) {
  const char *authority = strstr(url, "://");
  if (!authority) return NULL;
  size_t len = (size_t)(authority - url) + 3 + strcspn(authority + 3, "/?#");
  if (len >= HOST_MAX) return NULL;
  for (struct host *host = client->hosts; host; host = host->next)
    if (strncmp(host->name, url, len) == 0 && host->name[len] == '\0') return host;
  struct host *host = calloc(1, sizeof *host);
  if (!host) return NULL;
  memcpy(host->name, url, len);
  host->next = client->hosts;
  client->hosts = host;
  return host;
}

static bool add_header(struct http_call *call, const char *line) {
  struct curl_slist *grown = curl_slist_append(call->headers, line);
  if (grown) call->headers = grown;
  return grown != NULL;
}

static struct http_call *call_create(struct http_client *client,
                                     const struct http_call_spec *spec) {
  struct http_call *call = calloc(1, sizeof *call);
  if (!call) return NULL;
  call->client = client;
  call->connect_timeout_ms = spec->connect_timeout_ms;
  call->total_timeout_ms = spec->total_timeout_ms;
  call->max_body_bytes = spec->max_body_bytes;
  call->ops = spec->ops;
  call->ctx = spec->ctx;
  call->created_us = now_us();
  snprintf(call->method, sizeof call->method, "%s", spec->method);
  buffer_init(&call->body, spec->body.len);
  call->url = strdup(spec->url);
  bool ok = call->url && buffer_append_bytes(&call->body, spec->body);
  /* curl would announce bodies over 1 MiB with Expect and wait a second for the answer. */
  ok = ok && add_header(call, "Expect:");
  for (const char *const *h = spec->headers; ok && h && *h; h++) ok = add_header(call, *h);
  if (ok) return call;
  call_free(call);
  return NULL;
}

enum status http_call_start(struct http_client *client, const struct http_call_spec *spec,
                            struct http_call **ret_call, struct error *err) {
  enum status status = libcurl_load(err);
  if (status) return status;
  struct host *host = host_of(client, spec->url);
  if (!host) return error_set(err, STATUS_INVALID, NULL, "not a usable URL");
  bool may_run =
      !client->inside && !host->queue && host->running_count < client->limits.max_per_host;
  if (!may_run && client->queued >= client->limits.max_queued)
    return error_set(err, STATUS_FULL, NULL, "too many calls wait for %s", host->name);
  struct http_call *call = call_create(client, spec);
  if (!call) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  call->host = host;
  if (may_run) {
    if (!call_launch(call)) {
      call_release(call);
      return error_set(err, STATUS_NOMEM, NULL, "out of memory");
    }
  } else {
    call->state = CALL_QUEUED;
    DL_APPEND(host->queue, call);
    client->queued++;
    if (client->inside) client->after_work = true;
  }
  *ret_call = call;
  return STATUS_OK;
}

void http_call_cancel(struct http_call *call) {
  struct http_client *client = call->client;
  struct host *host = call->host;
  switch (call->state) {
    case CALL_QUEUED:
      DL_DELETE(host->queue, call);
      client->queued--;
      call_release(call);
      break;
    case CALL_RUNNING:
      if (client->inside) {
        call->state = CALL_DOOMED;
        client->after_work = true;
        break;
      }
      call_withdraw(call);
      call_release(call);
      /* A waiting call takes the place in a later turn: starting it here could call back. */
      if (host->queue && !client->later)
        client->later = loop_timer_start(client->loop, 0, on_later, client);
      break;
    case CALL_DOOMED:
    case CALL_ENDING: break;
  }
}

const char *http_call_header(struct http_call *call, const char *name) {
  struct curl_header *header;
  if (!call->easy || curl_easy_header(call->easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
    return NULL;
  return header->value;
}

bool http_call_waiting(const struct http_call *call) {
  return call->state == CALL_QUEUED;
}

int64_t http_call_queued_us(const struct http_call *call) {
  return call->queued_us;
}
