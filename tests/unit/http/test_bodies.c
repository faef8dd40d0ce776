/* Bodies that are made while they are sent, over real sockets. */
#include "world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define HOST "Host: localhost\r\n"

static struct world world;

/* A body of `pieces` pieces of `size` bytes, counted as they are made. */
static struct {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  int pieces, size;
  int fail_at; /* the piece that cannot be made; -1 = none */
  int first;   /* pieces that the answer begins with */
  int made, closed;
  bool hold; /* making waits */
} plan = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static enum http_piece make(void *ctx, struct buffer *piece) {
  pthread_mutex_lock(&plan.lock);
  while (plan.hold) pthread_cond_wait(&plan.changed, &plan.lock);
  int at = plan.made++;
  pthread_cond_broadcast(&plan.changed);
  pthread_mutex_unlock(&plan.lock);
  if (at == plan.fail_at) return HTTP_PIECE_FAILED;
  for (int i = 0; i < plan.size; i++) buffer_append_char(piece, (char)('a' + at % 26));
  return at + 1 == plan.pieces ? HTTP_PIECE_LAST : HTTP_PIECE_MORE;
}

static void closed(void *ctx) {
  pthread_mutex_lock(&plan.lock);
  plan.closed++;
  pthread_cond_broadcast(&plan.changed);
  pthread_mutex_unlock(&plan.lock);
}

static void body(struct http_request *r, void *app) {
  struct buffer first;
  bool last = false;
  buffer_init(&first, 1 << 24);
  for (int i = 0; i < plan.first; i++) last = make(NULL, &first) == HTTP_PIECE_LAST;
  http_respond_stream(r, 200, "text/plain", NULL, &first, last,
                      (struct http_producer){NULL, make, closed});
}

static const struct http_route routes[] = {{"GET", "/body", body, .pool = true}};

static void begin(int pieces, int size, int fail_at, int first) {
  struct http_options options = world_options();
  plan.pieces = pieces;
  plan.size = size;
  plan.fail_at = fail_at;
  plan.first = first;
  plan.made = plan.closed = 0;
  plan.hold = false;
  world_start(&world, &options, routes, 1, NULL, 0, NULL, NULL);
}

static void wait_closed(void) {
  pthread_mutex_lock(&plan.lock);
  while (!plan.closed) pthread_cond_wait(&plan.changed, &plan.lock);
  pthread_mutex_unlock(&plan.lock);
}

static void set_hold(bool hold) {
  pthread_mutex_lock(&plan.lock);
  plan.hold = hold;
  pthread_cond_broadcast(&plan.changed);
  pthread_mutex_unlock(&plan.lock);
}

/* Waits for what must not come: that so many pieces are made, within half a second. */
static bool makes_so_many(int pieces) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += (until.tv_nsec += 500000000) / 1000000000;
  until.tv_nsec %= 1000000000;
  pthread_mutex_lock(&plan.lock);
  while (plan.made < pieces && !pthread_cond_timedwait(&plan.changed, &plan.lock, &until)) continue;
  bool so_many = plan.made >= pieces;
  pthread_mutex_unlock(&plan.lock);
  return so_many;
}

static void check_whole(int pieces, int size, int first) {
  begin(pieces, size, -1, first);
  struct reply r = client_ask(world.port, "GET /body HTTP/1.1\r\n" HOST "\r\n");
  assert_int_equal(r.status, 200);
  assert_int_equal(r.len, (size_t)pieces * (size_t)size);
  for (int i = 0; i < pieces && size; i++)
    assert_int_equal(r.body[(size_t)i * (size_t)size], 'a' + i % 26);
  reply_done(&r);
  wait_closed();
  world_stop(&world, 1000);
  assert_int_equal(plan.made, pieces);
  assert_int_equal(plan.closed, 1);
}

static void test_comes_whole(void **state) {
  (void)state;
  check_whole(1, 10, 1);     /* all of it is there at once */
  check_whole(1000, 7, 1);   /* many small ones */
  check_whole(3, 300000, 0); /* longer than a piece */
  check_whole(40, 65536, 3);
}

static void test_head_makes_nothing(void **state) {
  (void)state;
  begin(5, 100000, -1, 1);
  struct reply r = client_ask(world.port, "HEAD /body HTTP/1.1\r\n" HOST "\r\n");
  assert_int_equal(r.status, 200);
  reply_done(&r);
  wait_closed();
  world_stop(&world, 1000);
  assert_int_equal(plan.made, 1);
}

/* 100 MB are not made for one who does not read: what is made fits the sockets' buffers. */
static void test_slow_reader_holds_back(void **state) {
  (void)state;
  begin(1600, 65536, -1, 1);
  int fd = client_connect(world.port);
  client_send(fd, "GET /body HTTP/1.1\r\n" HOST "\r\n");
  assert_true(makes_so_many(1));
  assert_false(makes_so_many(400));
  char some[1 << 16];
  assert_true(client_read_bytes(fd, some, sizeof some));
  close(fd);
  wait_closed();
  world_stop(&world, 1000);
  assert_true(plan.made < 1600);
}

static void test_client_gone_ends_it(void **state) {
  (void)state;
  begin(1 << 30, 65536, -1, 1);
  int fd = client_connect(world.port);
  client_send(fd, "GET /body HTTP/1.1\r\n" HOST "\r\n");
  char some[1 << 16];
  assert_true(client_read_bytes(fd, some, sizeof some));
  close(fd);
  wait_closed();
  world_stop(&world, 1000);
  assert_int_equal(plan.closed, 1);
}

/* The body must not end in a way that passes for a whole one. */
static void check_cut(const char *request) {
  begin(10, 70000, 4, 1);
  int fd = client_connect(world.port);
  client_send(fd, request);
  size_t len = 0;
  char some[65536];
  ssize_t n;
  struct buffer all;
  buffer_init(&all, 1 << 24);
  while ((n = recv(fd, some, sizeof some, 0)) > 0) {
    buffer_append(&all, some, (size_t)n);
    len += (size_t)n;
  }
  assert_int_equal(n, -1); /* a reset: of HTTP/1.0 a clean end would be a whole body */
  assert_int_equal(errno, ECONNRESET);
  assert_false(bytes_ends_with(buffer_bytes(&all), BYTES_LITERAL("0\r\n\r\n")));
  assert_true(len > 0);
  buffer_done(&all);
  close(fd);
  wait_closed();
  world_stop(&world, 1000);
}

static void test_failure_is_seen(void **state) {
  (void)state;
  check_cut("GET /body HTTP/1.1\r\n" HOST "\r\n");
  check_cut("GET /body HTTP/1.0\r\n" HOST "\r\n");
}

/* While a piece is being made the connection is parked; the stop waits for it, and then cuts. */
static void test_stop_cuts(void **state) {
  (void)state;
  begin(1 << 30, 1000, -1, 1);
  set_hold(true);
  plan.first = 0;
  int fd = client_connect(world.port);
  client_send(fd, "GET /body HTTP/1.1\r\n" HOST "\r\n");
  char head[15];
  assert_true(client_read_bytes(fd, head, sizeof head));
  set_hold(false);
  assert_true(world_stop(&world, 0) < 5000);
  close(fd);
  assert_int_equal(plan.closed, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_comes_whole),
      cmocka_unit_test(test_head_makes_nothing),
      cmocka_unit_test(test_slow_reader_holds_back),
      cmocka_unit_test(test_client_gone_ends_it),
      cmocka_unit_test(test_failure_is_seen),
      cmocka_unit_test(test_stop_cuts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
