/* Text of models on its way to a terminal, and the choice of colours. */
#include "base/figure.h"
#include "cli/terminal.h"
#include "cli/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static void check_clean(struct bytes in, const char *want) {
  FREE_LATER char *out = text_clean(in);
  assert_non_null(out);
  assert_string_equal(out, want);
}

static void test_removes_what_a_terminal_obeys(void **state) {
  (void)state;
  static const struct {
    const char *in, *want;
  } rows[] = {
      {"plain\ntext", "plain\ntext"},
      {"\x1b[31mred\x1b[0m", "red"},
      {"\x1b[2J\x1b[1;1Hgone", "gone"},
      {"a\x1b]0;title\x07"
       "b",
       "ab"},
      {"a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\b", "alinkb"},
      {"a\x1bPq#0\x1b\\b", "ab"},
      {"a\x1b(Bb", "ab"},
      {"a\x1b"
       "7b\x1b"
       "cc",
       "abc"},
      {"a\x1b", "a"},
      {"a\x1b[", "a"},
      {"a\x1b]never ends", "anever ends"}, /* nothing readable is swallowed */
      {"a\x1b]no end\nline", "ano end\nline"},
      {"a\x1b[31\nb", "a31\nb"},
      {"bell\x07 back\x08space\x7f", "bell backspace"},
      {"c1\xc2\x9b"
       "31m",
       "c131m"}, /* U+009B is CSI in one character */
      {"one\r\ntwo\rthree", "one\ntwo\nthree"},
      {"a\tb", "a    b"},
      {"\xe2\x80\xaetxt.exe", "txt.exe"}, /* right-to-left override */
      {"\xe2\x81\xa6x\xe2\x81\xa9", "x"}, /* isolates */
      {"bad\xff\xc3(", "bad\xef\xbf\xbd\xef\xbf\xbd("},
      {"größe 漢字 🎉", "größe 漢字 🎉"},
      {"", ""},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    check_clean(bytes_of(rows[i].in), rows[i].want);
  check_clean((struct bytes){"a\0b", 3}, "ab");
}

/* Every byte pair and every cut of a sequence: nothing dangerous is left and nothing crashes. */
static void test_nothing_dangerous_is_left(void **state) {
  (void)state;
  char in[8] = "\x1b[3;4mx";
  for (int a = 0; a < 256; a++) {
    for (int b = 0; b < 256; b++) {
      in[1] = (char)a;
      in[3] = (char)b;
      for (size_t len = 0; len <= 7; len++) {
        FREE_LATER char *out = text_clean((struct bytes){in, len});
        for (const unsigned char *p = (unsigned char *)out; *p; p++) {
          assert_true(*p >= 0x20 || *p == '\n');
          assert_true(*p != 0x7f);
          assert_false(*p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f);
        }
      }
    }
  }
}

static void check_wrap(const char *in, size_t columns, const char *want) {
  struct text_wrap wrap;
  BUFFER_LATER struct buffer out;
  struct bytes line;
  size_t indent;
  buffer_init(&out, 1 << 16);
  text_wrap_init(&wrap, bytes_of(in));
  while (text_wrap_next(&wrap, columns, &line, &indent)) {
    buffer_printf(&out, "%*s%.*s|", (int)indent, "", (int)line.len, line.ptr);
    assert_true(indent + text_columns(line) <= columns);
  }
  assert_string_equal(out.ptr ? out.ptr : "", want);
}

static void test_wraps_at_columns(void **state) {
  (void)state;
  check_wrap("one two three", 20, "one two three|");
  check_wrap("one two three", 13, "one two three|");
  check_wrap("one two three", 12, "one two|three|");
  check_wrap("one two three", 7, "one two|three|");
  check_wrap("one  two", 4, "one|two|");
  check_wrap("abcdefghij", 4, "abcd|efgh|ij|");
  check_wrap("x abcdefghij", 4, "x|abcd|efgh|ij|");
  check_wrap("para\n\nnext", 10, "para||next|");
  check_wrap("\n\nends\n\n", 10, "ends|");
  check_wrap("", 10, "");
  check_wrap("- a list item", 8, "- a list|  item|");
  check_wrap("12. numbered item", 12, "12. numbered|    item|");
  check_wrap("3 agents and more", 12, "3 agents and|more|"); /* a number is no bullet */
  check_wrap("  code line here", 11, "  code line|  here|");
  check_wrap("漢字漢字漢字", 5, "漢字|漢字|漢字|");
  check_wrap("ab漢字", 4, "ab漢|字|");
  check_wrap("größer grün", 6, "größer|grün|");
}

static void check_line(const char *in, size_t columns, const char *want) {
  BUFFER_LATER struct buffer out;
  buffer_init(&out, 1024);
  size_t used = text_append_line(&out, bytes_of(in), columns);
  assert_string_equal(out.ptr ? out.ptr : "", want);
  assert_int_equal(used, text_columns(buffer_bytes(&out)));
}

static void test_one_line(void **state) {
  (void)state;
  check_line("one\n two", 20, "one two");
  check_line("one two", 7, "one two");
  check_line("one two", 6, "one t…");
  check_line("one two", 5, "one…");
  check_line("漢字漢字", 5, "漢字…");
  check_line("漢字漢字", 6, "漢字…");
  check_line("", 6, "");
}

static void test_colours(void **state) {
  (void)state;
  static const struct {
    struct terminal_wish wish;
    bool want;
  } rows[] = {
      {{false, NULL, NULL, "xterm", true}, true}, {{false, NULL, NULL, "xterm", false}, false},
      {{true, NULL, "1", "xterm", true}, false},  {{false, "1", NULL, "xterm", true}, false},
      {{false, "", NULL, "xterm", true}, true},   {{false, "1", "1", "xterm", true}, false},
      {{false, NULL, "1", "xterm", false}, true}, {{false, NULL, "0", "xterm", false}, false},
      {{false, NULL, NULL, "dumb", true}, false}, {{false, NULL, "1", "dumb", true}, true},
      {{false, NULL, NULL, NULL, true}, true},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (terminal_wants_colour(&rows[i].wish) != rows[i].want) fail_msg("row %zu", i);
}

static void check_figure(void (*append)(struct buffer *, int64_t), int64_t value,
                         const char *want) {
  BUFFER_LATER struct buffer out;
  buffer_init(&out, 128);
  append(&out, value);
  assert_string_equal(out.ptr, want);
}

static void test_figures(void **state) {
  (void)state;
  check_figure(figure_append_percent, 666666, "66 %"); /* never up: 999999 is not all */
  check_figure(figure_append_percent, 999999, "99 %");
  check_figure(figure_append_percent, 1000000, "100 %");
  check_figure(figure_append_share, 720000, "0.72");
  check_figure(figure_append_share, 1000000, "1.00");
  check_figure(figure_append_count, 0, "0");
  check_figure(figure_append_count, 999, "999");
  check_figure(figure_append_count, 1234567, "1,234,567");
  check_figure(figure_append_money, -1, "price unknown");
  check_figure(figure_append_money, 0, "$0");
  check_figure(figure_append_money, 99, "< $0.0001");
  check_figure(figure_append_money, 48210, "$0.0482");
  check_figure(figure_append_money, 12345678, "$12.34");
  check_figure(figure_append_duration, 340, "340 ms");
  check_figure(figure_append_duration, 12399, "12.3 s");
  check_figure(figure_append_duration, 245000, "4 min 05 s");
  check_figure(figure_append_ago, 59999, "just now");
  check_figure(figure_append_ago, 300000, "5 min ago");
  check_figure(figure_append_ago, 7200000, "2 h ago");
  check_figure(figure_append_ago, 172800000, "2 days ago");
}

static void test_reads_numbers_of_the_wire(void **state) {
  (void)state;
  JSON_LATER json_t *o = json_loads(
      "{\"share\":0.6,\"all\":1,\"cost_usd\":0.048210,"
      "\"word\":\"low\",\"none\":null,\"less\":-1}",
      0, NULL);
  assert_int_equal(figure_ppm(o, "share"), 600000);
  assert_int_equal(figure_ppm(o, "all"), 1000000);
  assert_int_equal(figure_ppm(o, "word"), -1);
  assert_int_equal(figure_ppm(o, "none"), -1);
  assert_int_equal(figure_ppm(o, "less"), -1);
  assert_int_equal(figure_ppm(o, "absent"), -1);
  assert_int_equal(figure_usd_micro(o, "cost_usd"), 48210);
}

static int setup(void **state) {
  (void)state;
  terminal_use_utf8();
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_removes_what_a_terminal_obeys),
      cmocka_unit_test(test_nothing_dangerous_is_left),
      cmocka_unit_test(test_wraps_at_columns),
      cmocka_unit_test(test_one_line),
      cmocka_unit_test(test_colours),
      cmocka_unit_test(test_figures),
      cmocka_unit_test(test_reads_numbers_of_the_wire),
  };
  return cmocka_run_group_tests(tests, setup, NULL);
}
