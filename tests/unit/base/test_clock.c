/* Times as text, and a clock that does not run backwards. */
#include "base/clock.h"

#include <string.h>
#include <time.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static void check(int64_t wall_ms, const char *want) {
  char text[CLOCK_ISO_SIZE];
  clock_format_iso(wall_ms, text);
  assert_string_equal(text, want);
}

static void test_iso(void **state) {
  (void)state;
  check(0, "1970-01-01T00:00:00.000Z");
  check(951827696789, "2000-02-29T12:34:56.789Z"); /* a leap day */
  check(1795473432345, "2026-11-23T22:37:12.345Z");
  check(253402300799999, "9999-12-31T23:59:59.999Z");
}

static void test_iso_stays_in_its_bounds(void **state) {
  (void)state;
  check(-1, "1970-01-01T00:00:00.000Z");
  check(INT64_MAX, "9999-12-31T23:59:59.999Z");
}

static void test_iso_ignores_the_time_zone(void **state) {
  (void)state;
  setenv("TZ", "America/New_York", 1);
  tzset();
  check(0, "1970-01-01T00:00:00.000Z");
  unsetenv("TZ");
  tzset();
}

static void parse(const char *text, int64_t want_ms, bool want_date) {
  int64_t ms = -1;
  bool date = !want_date;
  if (!clock_parse_iso(text, &ms, &date)) fail_msg("%s", text);
  assert_int_equal(ms, want_ms);
  assert_int_equal(date, want_date);
}

static void test_parses_what_it_prints_and_people_write(void **state) {
  (void)state;
  parse("2026-11-23T22:37:12.345Z", 1795473432345, false);
  parse("2026-11-23 22:37:12.345678", 1795473432345, false);
  parse("2026-11-23T22:37", 1795473420000, false);
  parse("2026-11-23T23:37:12+01:00", 1795473432000, false);
  parse("2026-11-23T23:37:12 01:00", 1795473432000, false); /* a '+' that was in a URL */
  parse("2026-11-23T17:07:12-05:30", 1795473432000, false);
  parse("2000-02-29", 951782400000, true);
  static const char *const wrong[] = {"",
                                      "2026",
                                      "2026-13-01",
                                      "2026-02-30",
                                      "2026-00-10",
                                      "2026-01-00",
                                      "2026-11-23T",
                                      "2026-11-23T24:00",
                                      "2026-11-23T22:60",
                                      "2026-11-23T22:00:60",
                                      "1969-12-31",
                                      "2026-11-23T2:00",
                                      "2026-11-23T22:00x",
                                      "2026-11-23T22:00:00.",
                                      "2026-11-23T22:00+1",
                                      "+026-11-23",
                                      "2026-11-23T22:00:00Zx"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    int64_t ms;
    bool date;
    if (clock_parse_iso(wrong[i], &ms, &date)) fail_msg("%s", wrong[i]);
  }
}

static void test_system_clock(void **state) {
  (void)state;
  int64_t wall = clock_wall_ms(&clock_system);
  assert_true(llabs(wall / 1000 - (int64_t)time(NULL)) <= 2);
  int64_t before = clock_mono_us(&clock_system);
  for (int i = 0; i < 1000; i++) {
    int64_t now = clock_mono_us(&clock_system);
    assert_true(now >= before);
    before = now;
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_iso),
      cmocka_unit_test(test_iso_stays_in_its_bounds),
      cmocka_unit_test(test_iso_ignores_the_time_zone),
      cmocka_unit_test(test_parses_what_it_prints_and_people_write),
      cmocka_unit_test(test_system_clock),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
