#include "api/unavailable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void expect(const char *method, const char *path, const char *feature) {
  const char *have = unavailable_feature(method, path);
  if (!feature) {
    if (have) fail_msg("%s %s: %s", method, path, have);
    return;
  }
  if (!have) fail_msg("%s %s is not in the table", method, path);
  assert_string_equal(have, feature);
}

static void a_path_stands_for_what_is_below_it(void **state) {
  expect("GET", "/api/memory", "Memory");
  expect("POST", "/api/memory/continuum/consolidate", "Memory");
  expect("GET", "/api/memory/", "Memory");
  expect("GET", "/api/memoryless", NULL);
  expect("GET", "/api", NULL);
  expect("GET", "/", NULL);
  expect("GET", "", NULL);
}

static void a_star_is_one_segment(void **state) {
  expect("GET", "/api/debates/d-1/citations", "Citations");
  expect("GET", "/api/debates/d-1/citations/3", "Citations");
  expect("GET", "/api/debates//citations", NULL);
  expect("GET", "/api/debates/d-1/x/citations", NULL);
  expect("GET", "/api/debates/d-1", NULL);
  expect("GET", "/api/tournaments", "Tournaments");
  expect("GET", "/api/tournaments/t/standings", "Tournaments");
}

static void a_row_may_be_for_one_method(void **state) {
  expect("PATCH", "/api/debates/d-1", "Changing a debate");
  expect("PUT", "/api/debates/d-1", NULL);
  expect("DELETE", "/api/replays/d-1", "Deleting a replay without its debate");
  expect("GET", "/api/replays/d-1", NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_path_stands_for_what_is_below_it),
      cmocka_unit_test(a_star_is_one_segment),
      cmocka_unit_test(a_row_may_be_for_one_method),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
