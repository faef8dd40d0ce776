/* Hostile texts on their way into spreadsheets, pages and Markdown. */
#include "ops/csv.h"
#include "ops/html.h"
#include "ops/log_line.h"
#include "ops/markdown.h"
#include "ops/wary_text.h"

#include "debate/event.h"
#include "debate/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static struct buffer out;

static void expect(const char *want) {
  assert_false(out.overflow);
  assert_string_equal(out.ptr ? out.ptr : "", want);
  buffer_clear(&out);
}

static void cell(struct bytes text, const char *want) {
  struct csv csv = {&out, false};
  csv_text(&csv, text);
  expect(want);
}

static void test_csv_quotes(void **state) {
  (void)state;
  cell(BYTES_LITERAL(""), "");
  cell(BYTES_LITERAL("plain"), "plain");
  cell(BYTES_LITERAL("a,b"), "\"a,b\"");
  cell(BYTES_LITERAL("say \"no\""), "\"say \"\"no\"\"\"");
  cell(BYTES_LITERAL("one\r\ntwo\rthree"), "\"one\ntwo\nthree\"");
  cell(BYTES_LITERAL(" padded"), "\" padded\"");
}

/* ASVS 1.2.10: = + - @ TAB NUL, and CR; LF and the full-width ones of OWASP's page on CSV
 * injection.
 */
static void test_csv_defuses_formulas(void **state) {
  (void)state;
  cell(BYTES_LITERAL("=1+1"), "'=1+1");
  cell(BYTES_LITERAL("+1"), "'+1");
  cell(BYTES_LITERAL("-2+3"), "'-2+3");
  cell(BYTES_LITERAL("@SUM(A1)"), "'@SUM(A1)");
  cell(BYTES_LITERAL("\t=1"), "'\t=1");
  cell(BYTES_LITERAL("\r=1"), "\"'\n=1\"");
  cell(BYTES_LITERAL("\n=1"), "\"'\n=1\"");
  cell(BYTES_LITERAL("\0=1"), "\"'\xef\xbf\xbd=1\"");
  cell(BYTES_LITERAL("\xef\xbc\x9d"
                     "1"),
       "'\xef\xbc\x9d"
       "1");
  cell(BYTES_LITERAL("=HYPERLINK(\"http://x\",\"y\")"),
       "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\"");
  cell(BYTES_LITERAL("1=1"), "1=1");
}

static void test_csv_values(void **state) {
  (void)state;
  struct csv csv = {&out, false};
  json_t *list = json_pack("[s,s]", "=a", "b");
  csv_value(&csv, list);
  csv_value(&csv, json_null());
  csv_value(&csv, NULL);
  csv_value(&csv, json_true());
  json_t *real = json_real(0.033), *integer = json_integer(-7);
  csv_value(&csv, real);
  csv_value(&csv, integer);
  csv_end(&csv);
  json_decref(list);
  json_decref(real);
  json_decref(integer);
  expect("'=a; b,,,true,0.033,-7\r\n");
}

static void test_wary_text(void **state) {
  (void)state;
  wary_text_append(&out, BYTES_LITERAL("a\x1b[31mb\x7f\xc2\x9b\tc\nd"));
  expect("a\xef\xbf\xbd[31mb\xef\xbf\xbd\xef\xbf\xbd\tc\nd");
  wary_text_append(&out, BYTES_LITERAL("broken \xff\xc3 \xe2\x82"));
  expect("broken \xef\xbf\xbd\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd");
  wary_text_append(&out, BYTES_LITERAL("user\xe2\x80\xae nimda\xe2\x81\xa6\xe2\x81\xa9"));
  expect("user[U+202E] nimda[U+2066][U+2069]");
  wary_text_append(&out,
                   BYTES_LITERAL("\xd8\xb3\xd9\x84\xd8\xa7\xd9\x85 \xe2\x80\x8f \xf0\x9f\x98\x80"));
  expect("\xd8\xb3\xd9\x84\xd8\xa7\xd9\x85 \xe2\x80\x8f \xf0\x9f\x98\x80");
}

static void test_html(void **state) {
  (void)state;
  html_text(&out, BYTES_LITERAL("</div><script>alert('x')</script> & \"q\""));
  expect("&lt;/div&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;q&quot;");
  html_block(&out, "text", "<img src=x onerror=alert(1)>");
  expect("<div dir=\"auto\" class=\"text\">&lt;img src=x onerror=alert(1)&gt;</div>\n");
}

static void quote(struct bytes text, const char *want) {
  markdown_quote(&out, text);
  expect(want);
}

static void test_markdown(void **state) {
  (void)state;
  quote(BYTES_LITERAL("plain text."), "> plain text.\n\n");
  quote(BYTES_LITERAL("# Verdict"), "> \\# Verdict\n\n");
  quote(BYTES_LITERAL("a\n---\n===\n> b"), "> a  \n> \\---  \n> \\===  \n> \\> b\n\n");
  quote(BYTES_LITERAL("- x\n+ y\n12. z\n1) w"), "> \\- x  \n> \\+ y  \n> 12\\. z  \n> 1\\) w\n\n");
  quote(BYTES_LITERAL("[x](javascript:alert(1)) ![p](//t)"),
        "> \\[x\\](javascript:alert(1)) !\\[p\\](//t)\n\n");
  quote(BYTES_LITERAL("<b>&lt;</b>"), "> \\<b>\\&lt;\\</b>\n\n");
  quote(BYTES_LITERAL("```\nx"), "> \\`\\`\\`  \n> x\n\n");
  quote(BYTES_LITERAL("see https://evil.example and www.evil.example"),
        "> see https\\://evil.example and www\\.evil.example\n\n");
  quote(BYTES_LITERAL("a\n\n    code"),
        "> a  \n> \n> \xc2\xa0\xc2\xa0\xc2\xa0\xc2\xa0"
        "code\n\n");
  quote(BYTES_LITERAL("a|b $x$ ~~y~~"), "> a\\|b \\$x\\$ \\~\\~y\\~\\~\n\n");
  markdown_inline(&out, BYTES_LITERAL("two\nlines | cell #"));
  expect("two lines \\| cell \\#");
}

/* The line is what view_event says of the same event. */
static void test_log_line(void **state) {
  (void)state;
  struct store_event stored = {.seq = 7,
                               .type = "vote",
                               .ts_ms = 1795473432345,
                               .round = 2,
                               .agent = "claude",
                               .data = BYTES_LITERAL("{\"a\":\"x\\\"y\",\"b\":[1,null]}")};
  memset(stored.salt, 0xab, 32);
  memset(stored.digest, 0x01, 32);
  memset(stored.hash, 0xfe, 32);
  for (int deleted = 0; deleted < 2; deleted++) {
    if (deleted) stored.data = (struct bytes){0};
    json_t *data = NULL, *line = NULL;
    assert_int_equal(json_parse(deleted ? BYTES_LITERAL("{}") : stored.data, &data, NULL), 0);
    struct event event = {
        7, EVENT_VOTE, stored.ts_ms, deleted ? -1 : 2, deleted ? NULL : "claude", data};
    stored.round = event.round;
    stored.agent = event.agent;
    json_t *want =
        view_event(&event, "vote", deleted ? NULL : stored.salt, stored.digest, stored.hash);
    log_line_append(&out, &stored);
    assert_int_equal(json_parse(buffer_bytes(&out), &line, NULL), 0);
    assert_true(json_equal(line, want));
    char *text = json_dumps(want, JSON_COMPACT);
    assert_string_equal(out.ptr, text);
    free(text);
    json_decref(line);
    json_decref(want);
    json_decref(data);
    buffer_clear(&out);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_csv_quotes), cmocka_unit_test(test_csv_defuses_formulas),
      cmocka_unit_test(test_csv_values), cmocka_unit_test(test_wary_text),
      cmocka_unit_test(test_html),       cmocka_unit_test(test_markdown),
      cmocka_unit_test(test_log_line),
  };
  buffer_init(&out, 1 << 20);
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  buffer_done(&out);
  return failed;
}
