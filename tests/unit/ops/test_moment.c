#include "ops/moment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_forms(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int64_t ms;
  } good[] = {
      {"2026-11-29T14:23:14Z", 1795962194000},
      {"2026-11-29t14:23:14z", 1795962194000},
      {"2026-11-29 14:23:14Z", 1795962194000},
      {"2026-11-29 14:23:14", 1795962194000},
      {"2026-11-29T14:23:14", 1795962194000},
      {"2026-11-29T15:23:14+01:00", 1795962194000},
      {"2026-11-29T04:53:14-09:30", 1795962194000},
      {"2026-11-29T14:23:14.5Z", 1795962194500},
      {"2026-11-29T14:23:14.1239999Z", 1795962194123},
      {"1795962194", 1795962194000},
      {"0", 0},
      {"2024-02-29T00:00:00Z", 1709164800000},
      {"1970-01-01T00:00:00Z", 0},
  };
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    int64_t ms = -1;
    struct error err = {0};
    if (moment_parse(good[i].text, &ms, &err)) fail_msg("%s", err.message);
    assert_int_equal(ms, good[i].ms);
  }
}

static void test_what_is_none(void **state) {
  (void)state;
  static const char *const bad[] = {
      "",
      "now",
      "-1",
      "1e9",
      "17959621940000000",
      "2026-11-29",
      "2026-11-29T14:23Z",
      "2026-11-29T14:23:14+0100",
      "2026-11-29T14:23:14+24:00",
      "2026-11-29T14:23:14 ",
      "2026-11-29T14:23:14.Z",
      "2026-02-30T00:00:00Z",
      "2025-02-29T00:00:00Z",
      "2026-11-29T24:00:00Z",
      "2026-11-29T14:60:00Z",
      "2026-11-29T14:23:60Z",
      "2026-13-01T00:00:00Z",
      "2026-00-01T00:00:00Z",
      "1969-12-31T23:59:59Z",
      "1970-01-01T00:00:00+01:00",
      "20261129T142314Z",
      "2026-11-29x14:23:14",
      "+2026-11-29T14:23:14Z",
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    int64_t ms = 7;
    struct error err = {0};
    if (moment_parse(bad[i], &ms, &err) != STATUS_INVALID) fail_msg("\"%s\" was taken", bad[i]);
    assert_int_equal(ms, 7);
    assert_non_null(strstr(err.message, "Unix seconds"));
  }
}

static void test_stamps(void **state) {
  (void)state;
  char stamp[MOMENT_STAMP_SIZE];
  int64_t ms = 0;
  moment_stamp(1795962194999, stamp);
  assert_string_equal(stamp, "20261129T142314Z");
  assert_true(moment_parse_stamp(bytes_of(stamp), &ms));
  assert_int_equal(ms, 1795962194000);
  static const char *const bad[] = {"",
                                    "20261129T142314",
                                    "20261129T142314ZZ",
                                    "20261329T142314Z",
                                    "2026x129T142314Z",
                                    "20261129 142314Z",
                                    "20261131T142314Z"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_false(moment_parse_stamp(bytes_of(bad[i]), &ms));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forms),
      cmocka_unit_test(test_what_is_none),
      cmocka_unit_test(test_stamps),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
