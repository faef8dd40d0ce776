/* What an export is asked for, in words. */
#include "ops/export_query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static struct export_query good(struct export_words words) {
  struct export_query q;
  struct error err = {0};
  if (export_query_read(&words, &q, &err)) fail_msg("%s: %s", err.field, err.message);
  return q;
}

static void bad(struct export_words words, const char *field) {
  struct export_query q;
  struct error err = {0};
  assert_int_equal(export_query_read(&words, &q, &err), STATUS_INVALID);
  assert_string_equal(err.field, field);
  assert_true(strlen(err.message) > 10);
}

static void test_defaults(void **state) {
  (void)state;
  struct export_query q = good((struct export_words){0});
  assert_int_equal(q.format, EXPORT_JSON);
  assert_int_equal(q.table, EXPORT_FULL);
  assert_null(q.status);
  assert_int_equal(q.since_ms, -1);
  assert_int_equal(q.until_ms, -1);
  assert_int_equal(q.limit, 0);
  q = good((struct export_words){.format = "", .table = "", .status = "", .since = ""});
  assert_int_equal(q.format, EXPORT_JSON);
  assert_int_equal(good((struct export_words){.format = "csv"}).table, EXPORT_SUMMARY);
  assert_int_equal(good((struct export_words){.format = "markdown"}).format, EXPORT_MD);
}

static void test_times(void **state) {
  (void)state;
  struct export_query q = good((struct export_words){.since = "2026-11-23", .until = "2026-11-23"});
  assert_int_equal(q.since_ms, 1795392000000);
  assert_int_equal(q.until_ms, 1795392000000 + 86399999); /* the day is in it */
  q = good((struct export_words){.since = "2026-11-23T01:00:00+01:00", .until = "1795392000"});
  assert_int_equal(q.since_ms, 1795392000000);
  assert_int_equal(q.until_ms, 1795392000999);
  q = good((struct export_words){.since = "2026-11-23T00:00:00.250Z"});
  assert_int_equal(q.since_ms, 1795392000250);
}

static void test_mistakes(void **state) {
  (void)state;
  bad((struct export_words){.format = "pdf"}, "format");
  bad((struct export_words){.format = "JSON"}, "format");
  bad((struct export_words){.table = "votes"}, "table"); /* of JSON */
  bad((struct export_words){.format = "csv", .table = "full"}, "table");
  bad((struct export_words){.format = "html", .table = "summary"}, "table");
  bad((struct export_words){.status = "done"}, "status");
  bad((struct export_words){.since = "yesterday"}, "since");
  bad((struct export_words){.until = "2026-02-30"}, "until");
  bad((struct export_words){.until = "2026-11-23T25:00Z"}, "until");
  bad((struct export_words){.since = "2026-11-24", .until = "2026-11-23"}, "since");
  bad((struct export_words){.limit = "0"}, "limit");
  bad((struct export_words){.limit = "-1"}, "limit");
  bad((struct export_words){.limit = "ten"}, "limit");
  bad((struct export_words){.limit = "99999999999999999999"}, "limit");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_defaults),
      cmocka_unit_test(test_times),
      cmocka_unit_test(test_mistakes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
