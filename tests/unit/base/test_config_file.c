/* The configuration file's lines. */
#include "base/config_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

/* All of a text as "NAME=value@line;", errors as "!line;". */
static void expect(const char *text, const char *expected) {
  struct config_file f = {.rest = bytes_of(text)};
  struct error err;
  struct buffer out;
  enum status s;
  buffer_init(&out, 4096);
  while ((s = config_file_next(&f, &err)) != STATUS_NOT_FOUND) {
    if (s == STATUS_OK)
      buffer_printf(&out, "%.*s=%.*s@%d;", (int)f.name.len, f.name.ptr, (int)f.value.len,
                    f.value.ptr, f.line);
    else
      buffer_printf(&out, "!%d;", f.line);
  }
  assert_string_equal(out.ptr ? out.ptr : "", expected);
  buffer_done(&out);
}

static void test_settings(void **state) {
  (void)state;
  expect("", "");
  expect("# Server settings\nHTTP_PORT = 8080\n\nWORKERS=4", "HTTP_PORT=8080@2;WORKERS=4@4;");
  expect("  a-b\t=\tx y \r\nC=\n", "a-b=x y@1;C=@2;");
  expect("A = x=y\n", "A=x=y@1;");
}

static void test_comments(void **state) {
  (void)state;
  expect("A = 1 # one\nB = a#b\nC =# none\n", "A=1@1;B=a#b@2;C=@3;");
}

static void test_quotation_marks(void **state) {
  (void)state;
  expect("A = \" a # b \"\nB = 'say \"x\\'  # c\n", "A= a # b @1;B=say \"x\\@2;");
  expect("A = ''\n", "A=@1;");
}

static void test_what_is_wrong(void **state) {
  (void)state;
  expect("A\n= 1\nB = \"open\nC = 'a' b\nD = 1\n[section]\n", "!1;!2;!3;!4;D=1@5;!6;");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_settings),
      cmocka_unit_test(test_comments),
      cmocka_unit_test(test_quotation_marks),
      cmocka_unit_test(test_what_is_wrong),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
