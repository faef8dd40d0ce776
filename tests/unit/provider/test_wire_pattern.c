/* A pattern reads what a full reading would have read, or nothing. */
#include "provider/wire_pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#define NAME BYTES_LITERAL("delta")

/* Learns from a record whose words are its last "w"; the record's memory is gone afterwards. */
static void learn(struct wire_pattern *pattern, const char *record) {
  FREE_LATER char *copy = strdup(record);
  assert_non_null(copy);
  wire_pattern_learn(pattern, NAME, bytes_of(copy), (struct bytes){strstr(copy, "\"w\""), 3});
}

/* What the pattern makes of a record, behind "before "; NULL when it does not fit. */
static const char *read_as(const struct wire_pattern *pattern, struct bytes name,
                           const char *record) {
  static char words[64];
  BUFFER_LATER struct buffer out;
  buffer_init(&out, 60);
  buffer_append_text(&out, "before ");
  bool fits = wire_pattern_read(pattern, name, bytes_of(record), &out);
  if (!fits) assert_string_equal(out.ptr, "before ");
  snprintf(words, sizeof words, "%s", out.ptr + strlen("before "));
  return fits ? words : NULL;
}

static void test_reads_words(void **state) {
  (void)state;
  struct wire_pattern p;
  wire_pattern_init(&p);
  assert_null(read_as(&p, NAME, "{\"t\":\"w\",\"n\":1}"));
  learn(&p, "{\"t\":\"w\",\"n\":1}");
  assert_string_equal(read_as(&p, NAME, "{\"t\":\"w\",\"n\":1}"), "w");
  assert_string_equal(read_as(&p, NAME, "{\"t\":\"\",\"n\":1}"), "");
  assert_string_equal(read_as(&p, NAME, "{\"t\":\"a \\\"b\\\"\\u00e9\",\"n\":1}"),
                      "a \"b\"\xc3\xa9");
  assert_string_equal(read_as(&p, NAME, "{\"t\": \"x\" ,\"n\":1}"), "x"); /* JSON's white space */
  wire_pattern_forget(&p);
  assert_null(read_as(&p, NAME, "{\"t\":\"w\",\"n\":1}"));
  wire_pattern_done(&p);
}

static void test_leaves_what_does_not_fit(void **state) {
  (void)state;
  static const char *const others[] = {
      "",
      "{\"t\":\"w\",\"n\":2}",
      "{\"u\":\"w\",\"n\":1}",
      "{\"t\":\"w\",\"n\":1",
      "{\"t\":null,\"n\":1}",
      "{\"t\":7,\"n\":1}",
      "{\"t\":,\"n\":1}",
      "{\"t\":\"w\",\"x\":\"y\",\"n\":1}", /* another member between */
      "{\"t\":\"w\",\"n\":1},\"n\":1}",    /* the tail twice */
      "{\"t\":\"w\\\",\"n\":1}",           /* its closing quote is escaped */
      "{\"t\":\"\xff\",\"n\":1}",
      "{\"t\":\"a\nb\",\"n\":1}",
      "{\"t\":\"\\ud800\",\"n\":1}",
  };
  struct wire_pattern p;
  wire_pattern_init(&p);
  learn(&p, "{\"t\":\"w\",\"n\":1}");
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    assert_null(read_as(&p, NAME, others[i]));
  assert_null(read_as(&p, BYTES_LITERAL("other"), "{\"t\":\"w\",\"n\":1}"));
  assert_string_equal(read_as(&p, NAME, "{\"t\":\"w\",\"n\":1}"), "w");
  wire_pattern_done(&p);
}

static void test_keeps_no_large_record(void **state) {
  (void)state;
  char record[2100];
  struct wire_pattern p;
  wire_pattern_init(&p);
  learn(&p, "{\"t\":\"w\"}");
  memset(record, ' ', sizeof record);
  memcpy(record, "{\"t\":\"w\"", 8);
  memcpy(record + sizeof record - 2, "}", 2);
  learn(&p, record);
  assert_null(read_as(&p, NAME, record));
  assert_null(read_as(&p, NAME, "{\"t\":\"w\"}"));
  learn(&p, "{\"t\":\"w\"}"); /* and learns again */
  assert_string_equal(read_as(&p, NAME, "{\"t\":\"v\"}"), "v");
  wire_pattern_done(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_reads_words),
      cmocka_unit_test(test_leaves_what_does_not_fit),
      cmocka_unit_test(test_keeps_no_large_record),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
