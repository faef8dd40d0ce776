/* The environment file, by the rules of systemd.exec(5), EnvironmentFile=. */
#include "base/env_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

enum { VALUE_MAX = 64 };

/* All of a text as "NAME=value@line;", errors as "!line;". */
static void expect(const char *text, const char *expected) {
  struct env_file f = {.rest = bytes_of(text)};
  struct error err;
  struct buffer out;
  enum status s;
  buffer_init(&f.value, VALUE_MAX);
  buffer_init(&out, 4096);
  while ((s = env_file_next(&f, &err)) != STATUS_NOT_FOUND) {
    if (s == STATUS_OK)
      buffer_printf(&out, "%.*s=%s@%d;", (int)f.name.len, f.name.ptr,
                    f.value.ptr ? f.value.ptr : "", f.line);
    else
      buffer_printf(&out, "!%d;", f.line);
  }
  assert_string_equal(out.ptr ? out.ptr : "", expected);
  buffer_done(&f.value);
  buffer_done(&out);
}

static void test_plain_values(void **state) {
  (void)state;
  expect("", "");
  expect("A=1\nB=2", "A=1@1;B=2@2;");
  expect("A = 1 \r\n  B=\t2 3\t\n", "A=1@1;B=2 3@2;");
  expect("A=\nB=", "A=@1;B=@2;");
  expect("A=x=y\n", "A=x=y@1;");
  expect("A=a#b # c\n", "A=a#b # c@1;"); /* a comment only at the beginning of a line */
  expect("A=it's \"so\"\n", "A=it's \"so\"@1;");
}

static void test_what_is_nothing(void **state) {
  (void)state;
  expect("# A=1\n; B=2\n\n   \nno assignment\nC=3\n", "C=3@6;");
  expect("# goes on \\\nA=1\n", "A=1@2;");
}

static void test_backslashes(void **state) {
  (void)state;
  expect("A=a\\\\b\\nc\\ \n", "A=a\\bnc @1;");
  expect("A=one \\\ntwo\nB=3\n", "A=one two@1;B=3@3;");
  expect("A=x\\", "A=x\\@1;");
}

static void test_quotation_marks(void **state) {
  (void)state;
  expect("A='a \\ \"b\" $c '  \nB=1\n", "A=a \\ \"b\" $c @1;B=1@2;");
  expect("A=\" a\\\"b\\\\c\\$d\\`e\\n \"\n", "A= a\"b\\c$d`e\\n @1;");
  expect("A='one\ntwo'\nB=1\n", "A=one\ntwo@1;B=1@3;");
  expect("A=\"one\\\ntwo\"\nB=1\n", "A=onetwo@1;B=1@3;");
  expect("A='a''b' \"c\"d e\n", "A=abcd e@1;");
}

static void test_what_is_wrong(void **state) {
  (void)state;
  expect("export A=1\nB=2\n", "!1;B=2@2;");
  expect("1A=1\n=2\nA-B=3\nC=4\n", "!1;!2;!3;C=4@4;");
  expect("A='open\nB=2\n", "!1;");
  expect("A=\"open\\", "!1;");
}

static void test_a_value_that_is_too_long(void **state) {
  (void)state;
  char text[2 * VALUE_MAX + 16] = "A=";
  memset(text + 2, 'x', 2 * VALUE_MAX);
  strcpy(text + 2 + 2 * VALUE_MAX, "\nB=2\n");
  expect(text, "!1;B=2@2;");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_plain_values),  cmocka_unit_test(test_what_is_nothing),
      cmocka_unit_test(test_backslashes),   cmocka_unit_test(test_quotation_marks),
      cmocka_unit_test(test_what_is_wrong), cmocka_unit_test(test_a_value_that_is_too_long),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
