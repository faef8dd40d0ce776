#include "http/router.h"

#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

static int list, create, show, export_row, event, root;

static struct router *make(void) {
  struct router *r = NULL;
  assert_int_equal(router_create(&r, NULL), STATUS_OK);
  assert_int_equal(router_add(r, "GET", "/api/debates", &list, NULL), STATUS_OK);
  assert_int_equal(router_add(r, "POST", "/api/debates", &create, NULL), STATUS_OK);
  assert_int_equal(router_add(r, "GET", "/api/debates/{id}", &show, NULL), STATUS_OK);
  assert_int_equal(router_add(r, "GET", "/api/debates/export", &export_row, NULL), STATUS_OK);
  assert_int_equal(router_add(r, "DELETE", "/api/debates/{id}/events/{seq}", &event, NULL),
                   STATUS_OK);
  assert_int_equal(router_add(r, "GET", "/", &root, NULL), STATUS_OK);
  return r;
}

static void expect(const struct router *r, const char *method, const char *path, const void *row) {
  struct router_match m;
  assert_true(router_match(r, bytes_of(path), &m));
  assert_ptr_equal(router_row(&m, method), row);
}

static void test_matches(void **state) {
  struct router *r = make();
  expect(r, "GET", "/api/debates", &list);
  expect(r, "HEAD", "/api/debates", &list);
  expect(r, "POST", "/api/debates", &create);
  expect(r, "PUT", "/api/debates", NULL);
  expect(r, "GET", "/api/debates/export", &export_row);
  expect(r, "GET", "/api/debates/exports", &show);
  /* the literal does not lead on, the parameter does */
  expect(r, "DELETE", "/api/debates/export/events/7", &event);
  expect(r, "GET", "/", &root);
  router_destroy(r);
}

static void test_params(void **state) {
  struct router *r = make();
  struct router_match m;
  assert_true(router_match(r, BYTES_LITERAL("/api/debates/d-1/events/7"), &m));
  assert_int_equal(m.param_count, 2);
  assert_true(bytes_equal(m.param_names[0], BYTES_LITERAL("id")));
  assert_true(bytes_equal(m.params[0], BYTES_LITERAL("d-1")));
  assert_true(bytes_equal(m.param_names[1], BYTES_LITERAL("seq")));
  assert_true(bytes_equal(m.params[1], BYTES_LITERAL("7")));
  router_destroy(r);
}

static void test_no_match(void **state) {
  struct router *r = make();
  struct router_match m;
  static const char *const paths[] = {
      "",
      "api/debates",
      "/api",
      "/api/",
      "/api/debates/",
      "/api/debates//events/1",
      "//",
      "*",
      "/api/debatesx",
      "/API/debates",
      "/api/debates/a/b",
      "/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a",
  };
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
    assert_false(router_match(r, bytes_of(paths[i]), &m));
  }
  router_destroy(r);
}

static void test_allow(void **state) {
  struct router *r = make();
  struct router_match m;
  char allow[ROUTER_ALLOW_SIZE];
  assert_true(router_match(r, BYTES_LITERAL("/api/debates"), &m));
  router_allow(&m, allow);
  assert_string_equal(allow, "GET, HEAD, POST, OPTIONS");
  router_destroy(r);
}

static void test_table_faults(void **state) {
  struct router *r = make();
  struct error err;
  assert_int_equal(router_add(r, "GET", "/api/debates/{name}", &list, &err), STATUS_CONFLICT);
  assert_int_equal(router_add(r, "BREW", "/pot", &list, &err), STATUS_INVALID);
  assert_int_equal(router_add(r, "GET", "pot", &list, &err), STATUS_INVALID);
  router_destroy(r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_matches),      cmocka_unit_test(test_params),
      cmocka_unit_test(test_no_match),     cmocka_unit_test(test_allow),
      cmocka_unit_test(test_table_faults),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
