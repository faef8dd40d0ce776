#include "http/ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct ports bound(int port, int ws_port) {
  struct ports ports;
  struct error err = {0};
  if (ports_bind(&ports, "127.0.0.1", port, ws_port, &err)) fail_msg("%s", err.message);
  return ports;
}

/* 0, or the errno of who tries. */
static int try_to_connect(int port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_true(fd >= 0);
  int result = connect(fd, (struct sockaddr *)&a, sizeof a) == 0 ? 0 : errno;
  close(fd);
  return result;
}

static void assert_in_use(const struct error *err, int port) {
  char expected[64];
  snprintf(expected, sizeof expected, "port %d is in use", port);
  assert_string_equal(err->message, expected);
  assert_string_equal(err->field, "port");
}

static void test_nobody_connects_before_it_listens(void **state) {
  struct ports ports = bound(0, 0);
  struct error err = {0};
  assert_int_equal(ports.count, 1);
  assert_true(ports.all[0].number > 0);
  assert_int_equal(try_to_connect(ports.all[0].number), ECONNREFUSED);
  assert_int_equal(ports_listen(&ports, &err), STATUS_OK);
  assert_int_equal(try_to_connect(ports.all[0].number), 0);
  ports_close(&ports);
}

static void test_one_that_is_listened_on_is_in_use(void **state) {
  struct ports first = bound(0, 0), second;
  struct error err = {0};
  assert_int_equal(ports_listen(&first, &err), STATUS_OK);
  assert_int_equal(ports_bind(&second, NULL, first.all[0].number, 0, &err), STATUS_IO);
  assert_in_use(&err, first.all[0].number);
  assert_int_equal(second.count, 0);
  ports_close(&first);
}

/* The first port was had, and is let go again. */
static void test_all_or_none(void **state) {
  struct ports taken = bound(0, 0), idle = bound(0, 0), both;
  struct error err = {0};
  int free_port = idle.all[0].number;
  ports_close(&idle);
  assert_int_equal(ports_listen(&taken, &err), STATUS_OK);
  assert_int_equal(ports_bind(&both, "127.0.0.1", free_port, taken.all[0].number, &err), STATUS_IO);
  assert_in_use(&err, taken.all[0].number);
  assert_int_equal(both.count, 0);
  struct ports again = bound(free_port, 0);
  assert_int_equal(ports_listen(&again, &err), STATUS_OK);
  ports_close(&again);
  ports_close(&taken);
}

/* Two that start in the same moment: both bind, one listens. */
static void test_the_second_to_listen_is_told(void **state) {
  struct ports first = bound(0, 0);
  struct ports second = bound(first.all[0].number, 0);
  struct error err = {0};
  assert_int_equal(ports_listen(&first, &err), STATUS_OK);
  assert_int_equal(ports_listen(&second, &err), STATUS_IO);
  assert_in_use(&err, first.all[0].number);
  ports_close(&second);
  ports_close(&first);
}

static void test_both_loopbacks_have_one_number(void **state) {
  struct ports ports;
  struct error err = {0};
  if (ports_bind(&ports, NULL, 0, -1, &err)) fail_msg("%s", err.message);
  int number[2] = {0};
  for (size_t i = 0; i < ports.count; i++) {
    int *of_kind = &number[ports.all[i].is_ws];
    if (*of_kind) assert_int_equal(ports.all[i].number, *of_kind);
    *of_kind = ports.all[i].number;
  }
  assert_true(number[0] && number[1] && number[0] != number[1]);
  ports_close(&ports);
}

static void test_a_host_that_cannot_be(void **state) {
  struct ports ports;
  struct error err = {0};
  assert_int_equal(ports_bind(&ports, "example", 0, 0, &err), STATUS_INVALID);
  assert_string_equal(err.message, "example is no IPv4 or IPv6 address");
  assert_string_equal(err.field, "host");
  /* RFC 5737: for documentation, on no machine */
  assert_int_equal(ports_bind(&ports, "192.0.2.1", 0, 0, &err), STATUS_UNSUPPORTED);
  assert_string_equal(err.message, "this machine has no address 192.0.2.1");
  if (ports_bind(&ports, "localhost", 0, 0, &err)) fail_msg("%s", err.message);
  assert_int_equal(ports.count, 1);
  ports_close(&ports);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_nobody_connects_before_it_listens),
      cmocka_unit_test(test_one_that_is_listened_on_is_in_use),
      cmocka_unit_test(test_all_or_none),
      cmocka_unit_test(test_the_second_to_listen_is_told),
      cmocka_unit_test(test_both_loopbacks_have_one_number),
      cmocka_unit_test(test_a_host_that_cannot_be),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
