/* The load driver of the benchmarks: one thread, epoll, plain sockets on loopback, so that what it
 * costs itself stays far below what it measures. The server's own cost is read from
 * /proc/PID/stat (user + system) around the work.
 *
 *   bench_drive debates PORT PID COUNT AT_ONCE BODY   starts debates, each with one subscriber that
 *                                                     reads its events to debate_end
 *   bench_drive http PORT PID CONNECTIONS SECONDS PATH
 *   bench_drive paced PORT PID RATE SECONDS METHOD PATH BODY [HEADER]
 *                                                     RATE requests a second, however long the
 *                                                     answers take; times count from when due
 *   bench_drive ws PORT PID CONNECTIONS PATH          connects; idle memory
 *   bench_drive fanout PORT PID SUBSCRIBERS BODY      all subscribe to one debate's WebSocket
 *   bench_drive launch PORT COMMAND...                starts it; time to its first healthy answer
 *   bench_drive stop PID                              SIGTERM; time until it is gone
 *
 * Prints one line of `key=value` figures.
 */
#include "base/bytes.h"
#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
  READ_SIZE = 65536,
  INPUT_MAX = 1 << 20,
  LATENCIES_MAX = 1 << 21,
  PACED_CLIENTS = 16,
  PACED_LATE_US = 10000000, /* for the last answers */
};

enum work { WORK_POST, WORK_EVENTS, WORK_HTTP, WORK_PACED, WORK_WS };

struct client {
  int fd;
  enum work work;
  struct buffer in;
  size_t sent;
  char *out; /* request under way, owned */
  size_t out_len;
  int64_t started_us;
  bool open;     /* ws: the 101 came */
  long messages; /* ws: frames seen */
  bool busy;     /* paced: an answer is awaited */
};

static int epoll;
static int port;
static int pid;
static const char *body;
static long to_start, running, done_count, failed, bytes_in;
static int64_t *latencies;
static long latency_count;
static long statuses[600]; /* paced: answers by status */

static void die(const char *what) {
  perror(what);
  exit(1);
}

static int64_t now_us(void) {
  return clock_mono_us(&clock_system);
}

/* CPU of the server so far, in microseconds. */
static double server_cpu_us(void) {
  char path[64];
  char text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  FILE *f = fopen(path, "r");
  if (!f) die(path);
  size_t n = fread(text, 1, sizeof text - 1, f);
  fclose(f);
  text[n] = '\0';
  char *p = strrchr(text, ')') + 2;
  unsigned long user = 0;
  unsigned long kernel = 0;
  for (int field = 3; field < 14; field++) p = strchr(p, ' ') + 1;
  if (sscanf(p, "%lu %lu", &user, &kernel) != 2) die("stat");
  return (double)(user + kernel) * 1e6 / (double)sysconf(_SC_CLK_TCK);
}

/* A value of /proc/PID/status in KiB: "VmHWM", "VmRSS", "RssAnon". */
static long server_kib(const char *key) {
  char path[64];
  char line[256];
  long value = -1;
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  FILE *f = fopen(path, "r");
  if (!f) die(path);
  while (fgets(line, sizeof line, f))
    if (strncmp(line, key, strlen(key)) == 0) value = atol(line + strlen(key) + 1);
  fclose(f);
  return value;
}

static struct client *client_open(enum work work) {
  struct client *c = calloc(1, sizeof *c);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  int on = 1;
  if (!c) die("calloc");
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  c->work = work;
  buffer_init(&c->in, INPUT_MAX);
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (c->fd < 0) die("socket");
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(c->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS)
    die("connect");
  struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &ev)) die("epoll_ctl");
  c->started_us = now_us();
  return c;
}

static void client_close(struct client *c) {
  close(c->fd);
  buffer_done(&c->in);
  free(c->out);
  free(c);
}

static void client_flush(struct client *c) {
  while (c->out && c->sent < c->out_len) {
    ssize_t n = send(c->fd, c->out + c->sent, c->out_len - c->sent, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == ENOTCONN)) return;
    if (n < 0) die("send");
    c->sent += (size_t)n;
  }
}

static void client_send(struct client *c, char *text) {
  free(c->out);
  c->out = text;
  c->out_len = strlen(text);
  c->sent = 0;
  client_flush(c);
}

static char *request(const char *method, const char *path, const char *extra, const char *payload) {
  char *text;
  if (asprintf(&text,
               "%s %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Type: application/json\r\n"
               "Content-Length: %zu\r\n\r\n%s",
               method, path, extra, payload ? strlen(payload) : 0, payload ? payload : "") < 0)
    die("asprintf");
  return text;
}

static void start_post(void) {
  to_start--;
  running++;
  client_send(client_open(WORK_POST), request("POST", "/api/debates", "", body));
}

/* A whole response with Content-Length is in the buffer: its body, or NULL. */
static char *whole_body(struct client *c, size_t *ret_total) {
  char *head_end = c->in.len ? strstr(c->in.ptr, "\r\n\r\n") : NULL;
  if (!head_end) return NULL;
  char *length = strcasestr(c->in.ptr, "content-length:");
  if (!length || length > head_end) return NULL;
  size_t total = (size_t)(head_end + 4 - c->in.ptr) + (size_t)atol(length + 15);
  if (c->in.len < total) return NULL;
  *ret_total = total;
  return head_end + 4;
}

static void debate_over(bool ok) {
  running--;
  done_count++;
  if (!ok) failed++;
  if (to_start > 0) start_post();
}

/* Once the answer is there the client reads the events of its debate. */
static void on_post(struct client *c) {
  size_t total;
  char *text = whole_body(c, &total);
  if (!text) return;
  char *id = strstr(text, "\"debate_id\"");
  char path[200] = "";
  if (id) {
    id = strchr(id + 11, '"') + 1;
    snprintf(path, sizeof path, "/api/debates/%.*s/events", (int)strcspn(id, "\""), id);
  } else {
    fprintf(stderr, "bench_drive: refused: %.200s\n", text);
  }
  if (!path[0]) {
    client_close(c);
    debate_over(false);
    return;
  }
  /* On the same connection, as any client of HTTP/1.1 does (RFC 9112, section 9.3). */
  buffer_consume(&c->in, total);
  c->work = WORK_EVENTS;
  client_send(c, request("GET", path, "Accept: text/event-stream\r\n", NULL));
}

static void note_latency(int64_t us) {
  if (latency_count < LATENCIES_MAX) latencies[latency_count++] = us;
}

static bool on_events(struct client *c, bool eof) {
  bool end = c->in.len && strstr(c->in.ptr, "\"type\":\"debate_end\"");
  if (!end && !eof) {
    /* Only a tail is kept: a marker may be cut between two reads. */
    if (c->in.len > 64) buffer_consume(&c->in, c->in.len - 64);
    return false;
  }
  note_latency(now_us() - c->started_us);
  client_close(c);
  debate_over(end);
  return true;
}

static void on_http(struct client *c, const char *path) {
  size_t total;
  while (whole_body(c, &total)) {
    buffer_consume(&c->in, total);
    note_latency(now_us() - c->started_us);
    done_count++;
    c->started_us = now_us();
    client_send(c, request("GET", path, "", NULL));
  }
}

static void on_paced(struct client *c) {
  size_t total;
  if (!whole_body(c, &total)) return;
  int status = atoi(c->in.ptr + sizeof "HTTP/1.1");
  if (status < 0 || status >= 600) die("no status");
  statuses[status]++;
  if (status >= 500) failed++;
  buffer_consume(&c->in, total);
  note_latency(now_us() - c->started_us);
  done_count++;
  c->busy = false;
}

/* Counts the server's frames (unmasked, RFC 6455 section 5.2). */
static void on_ws(struct client *c) {
  if (!c->open) {
    char *end = c->in.len ? strstr(c->in.ptr, "\r\n\r\n") : NULL;
    if (!end) return;
    if (strncmp(c->in.ptr, "HTTP/1.1 101", 12) != 0) {
      fprintf(stderr, "bench_drive: %.100s\n", c->in.ptr);
      failed++;
    }
    note_latency(now_us() - c->started_us);
    buffer_consume(&c->in, (size_t)(end + 4 - c->in.ptr));
    c->open = true;
    done_count++;
  }
  for (;;) {
    const unsigned char *p = (const unsigned char *)c->in.ptr;
    if (c->in.len < 2) return;
    size_t head = 2;
    size_t length = p[1] & 127;
    if (length == 126) {
      if (c->in.len < 4) return;
      length = (size_t)p[2] << 8 | p[3];
      head = 4;
    } else if (length == 127) {
      die("a frame beyond 64 KiB");
    }
    if (c->in.len < head + length) return;
    if (memmem(p + head, length, "\"type\":\"debate_end\"", 19)) running--;
    buffer_consume(&c->in, head + length);
    c->messages++;
  }
}

/* Reads what is there. False when the connection ended. */
static bool client_read(struct client *c) {
  static char piece[READ_SIZE];
  for (;;) {
    ssize_t n = recv(c->fd, piece, sizeof piece, 0);
    if (n < 0 && errno == EAGAIN) return true;
    if (n <= 0) return false;
    if (!buffer_append(&c->in, piece, (size_t)n)) die("a response beyond 1 MiB");
    bytes_in += n;
  }
}

static void handle(struct client *c, const char *path) {
  client_flush(c);
  bool open = client_read(c);
  switch (c->work) {
    case WORK_POST:
      on_post(c);
      if (!open) die("closed with its answer");
      break;
    case WORK_EVENTS: on_events(c, !open); break;
    case WORK_HTTP: on_http(c, path); break;
    case WORK_PACED:
      on_paced(c);
      if (!open) die("closed");
      break;
    case WORK_WS: on_ws(c); break;
  }
}

static void turn(const char *path, int timeout_ms) {
  struct epoll_event events[512];
  int n = epoll_wait(epoll, events, 512, timeout_ms);
  for (int i = 0; i < n; i++) handle(events[i].data.ptr, path);
}

static int compare(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a;
  int64_t y = *(const int64_t *)b;
  return x < y ? -1 : x > y;
}

static double latency_ms(double quantile) {
  if (!latency_count) return 0;
  return (double)latencies[(long)((double)(latency_count - 1) * quantile)] / 1e3;
}

static void print(double wall_us, double cpu_us) {
  struct rusage own;
  getrusage(RUSAGE_SELF, &own);
  double own_us = (double)(own.ru_utime.tv_sec + own.ru_stime.tv_sec) * 1e6 +
                  (double)(own.ru_utime.tv_usec + own.ru_stime.tv_usec);
  qsort(latencies, (size_t)latency_count, sizeof *latencies, compare);
  printf(
      "count=%ld failed=%ld wall_s=%.3f cpu_us=%.0f cpu_us_each=%.1f driver_cpu_us=%.0f "
      "p50_ms=%.3f p99_ms=%.3f max_ms=%.3f peak_kib=%ld rss_kib=%ld anon_kib=%ld bytes=%ld\n",
      done_count, failed, wall_us / 1e6, cpu_us, done_count ? cpu_us / (double)done_count : 0,
      own_us, latency_ms(0.5), latency_ms(0.99), latency_ms(1), server_kib("VmHWM"),
      server_kib("VmRSS"), server_kib("RssAnon"), bytes_in);
}

static void drive_debates(long count, long at_once) {
  to_start = count;
  for (long i = 0; i < at_once && to_start > 0; i++) start_post();
  while (done_count < count) turn("", 1000);
}

static void drive_http(int connections, int seconds, const char *path) {
  for (int i = 0; i < connections; i++)
    client_send(client_open(WORK_HTTP), request("GET", path, "", NULL));
  int64_t end = now_us() + (int64_t)seconds * 1000000;
  while (now_us() < end) turn(path, 100);
}

/* Sends what is due as far as connections are free, and returns how much was. */
static long send_due(struct client **clients, const char *text, int64_t start, double gap_us,
                     long sent, long count) {
  for (int i = 0; i < PACED_CLIENTS && sent < count; i++) {
    int64_t due = start + (int64_t)((double)sent * gap_us);
    if (due > now_us()) break;
    if (clients[i]->busy) continue;
    char *copy = strdup(text);
    if (!copy) die("strdup");
    clients[i]->busy = true;
    clients[i]->started_us = due;
    client_send(clients[i], copy);
    sent++;
  }
  return sent;
}

static void drive_paced(long rate, long seconds, const char *text) {
  struct client *clients[PACED_CLIENTS];
  for (int i = 0; i < PACED_CLIENTS; i++) clients[i] = client_open(WORK_PACED);
  const double gap_us = 1e6 / (double)rate;
  const long count = rate * seconds;
  int64_t start = now_us();
  int64_t end = start + seconds * 1000000 + PACED_LATE_US;
  long sent = 0;
  while (done_count < count && now_us() < end) {
    sent = send_due(clients, text, start, gap_us, sent, count);
    int64_t wait_us = start + (int64_t)((double)sent * gap_us) - now_us();
    if (sent == count || wait_us < 0) wait_us = 1000;
    struct timespec wait = {wait_us / 1000000, wait_us % 1000000 * 1000};
    struct epoll_event events[PACED_CLIENTS];
    int n = epoll_pwait2(epoll, events, PACED_CLIENTS, &wait, NULL);
    for (int i = 0; i < n; i++) handle(events[i].data.ptr, "");
  }
  failed += count - done_count;
  for (int i = 0; i < 600; i++)
    if (statuses[i]) printf("status_%d=%ld ", i, statuses[i]);
}

static struct client *ws_open(const char *path) {
  struct client *c = client_open(WORK_WS);
  char *text;
  if (asprintf(&text,
               "GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
               path) < 0)
    die("asprintf");
  client_send(c, text);
  return c;
}

static void drive_ws(long count, const char *path) {
  for (long i = 0; i < count; i++) {
    ws_open(path);
    while (done_count <= i) turn("", 1000);
  }
}

/* The debate's id comes from POST; every subscriber counts to its debate_end. */
static void drive_fanout(long subscribers, long *ret_messages) {
  struct client **clients = calloc((size_t)subscribers, sizeof(struct client *));
  struct client *post = client_open(WORK_HTTP);
  size_t total;
  char *text = NULL;
  char path[200];
  if (!clients) die("calloc");
  client_send(post, request("POST", "/api/debates", "", body));
  while (!text) {
    struct epoll_event ev;
    if (epoll_wait(epoll, &ev, 1, 1000) > 0) {
      client_flush(post);
      client_read(post);
      text = whole_body(post, &total);
    }
  }
  char *id = strstr(text, "\"debate_id\"");
  if (!id) die("refused");
  id = strchr(id + 11, '"') + 1;
  snprintf(path, sizeof path, "/ws/debates/%.*s", (int)strcspn(id, "\""), id);
  running = subscribers;
  for (long i = 0; i < subscribers; i++) clients[i] = ws_open(path);
  while (running > 0 && !failed) turn("", 1000);
  *ret_messages = 0;
  for (long i = 0; i < subscribers; i++) *ret_messages += clients[i]->messages;
  free(clients);
}

/* One blocking GET /api/health; true when it was answered with 200. */
static bool healthy(void) {
  char answer[64] = "";
  const char ask[] = "GET /api/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool ok = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
            send(fd, ask, sizeof ask - 1, MSG_NOSIGNAL) > 0 && recv(fd, answer, 63, 0) > 12 &&
            strncmp(answer + 9, "200", 3) == 0;
  if (fd >= 0) close(fd);
  return ok;
}

/* A server that answers goes on loading what it needs later: until its memory is the same for 200
 * ms, or 5 s have passed. */
static void await_rest(void) {
  long before = -1;
  int64_t since = now_us(), until = since + 5000000;
  while (now_us() - since < 200000 && now_us() < until) {
    long now = server_kib("VmRSS");
    if (now != before) since = now_us();
    before = now;
    struct timespec pause = {0, 10000000};
    nanosleep(&pause, NULL);
  }
}

/* The program goes on after this one: bench/run stops it by the pid that is printed. */
static int launch(char **command) {
  int64_t start = now_us();
  pid = fork();
  if (pid < 0) die("fork");
  if (pid == 0) {
    /* The caller reads this program's output to its end; the server must not hold it open. */
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, STDOUT_FILENO) < 0) die("/dev/null");
    setsid();
    execv(command[0], command);
    die(command[0]);
  }
  while (!healthy()) {
    if (now_us() - start > 10000000) {
      fprintf(stderr, "bench_drive: no healthy answer in 10 s\n");
      return 1;
    }
    struct timespec pause = {0, 200000};
    nanosleep(&pause, NULL);
  }
  double start_ms = (double)(now_us() - start) / 1e3;
  await_rest();
  printf("pid=%d start_ms=%.1f rss_kib=%ld anon_kib=%ld\n", pid, start_ms, server_kib("VmRSS"),
         server_kib("RssAnon"));
  return 0;
}

static int stop(void) {
  int fd = (int)syscall(SYS_pidfd_open, pid, 0);
  if (fd < 0) die("pidfd_open");
  int64_t start = now_us();
  struct pollfd gone = {.fd = fd, .events = POLLIN};
  kill(pid, SIGTERM);
  int n = poll(&gone, 1, 60000);
  printf("stop_ms=%.1f\n", (double)(now_us() - start) / 1e3);
  return n == 1 ? 0 : 1;
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "stop") == 0) {
    pid = atoi(argv[2]);
    return stop();
  }
  if (argc >= 4 && strcmp(argv[1], "launch") == 0) {
    port = atoi(argv[2]);
    return launch(argv + 3);
  }
  if (argc < 5) {
    fprintf(stderr, "usage: bench_drive debates|http|paced|ws|fanout PORT PID ...\n");
    return 2;
  }
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  port = atoi(argv[2]);
  pid = atoi(argv[3]);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  latencies = malloc(LATENCIES_MAX * sizeof *latencies);
  if (epoll < 0 || !latencies) die("epoll");
  double cpu = server_cpu_us();
  int64_t start = now_us();
  long messages = -1;
  if (strcmp(argv[1], "debates") == 0 && argc == 7) {
    body = argv[6];
    drive_debates(atol(argv[4]), atol(argv[5]));
  } else if (strcmp(argv[1], "http") == 0 && argc == 7) {
    drive_http(atoi(argv[4]), atoi(argv[5]), argv[6]);
  } else if (strcmp(argv[1], "paced") == 0 && (argc == 9 || argc == 10)) {
    char extra[512] = "";
    if (argc == 10) snprintf(extra, sizeof extra, "%s\r\n", argv[9]);
    drive_paced(atol(argv[4]), atol(argv[5]), request(argv[6], argv[7], extra, argv[8]));
  } else if (strcmp(argv[1], "ws") == 0 && argc == 6) {
    drive_ws(atol(argv[4]), argv[5]);
  } else if (strcmp(argv[1], "fanout") == 0 && argc == 6) {
    body = argv[5];
    drive_fanout(atol(argv[4]), &messages);
    done_count = messages;
  } else {
    fprintf(stderr, "bench_drive: bad arguments\n");
    return 2;
  }
  print((double)(now_us() - start), server_cpu_us() - cpu);
  return failed > 0;
}
