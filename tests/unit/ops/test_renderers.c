/* The renderers on the golden logs: what they make stands in tests/golden/exports. `--write DIR`
 * writes it anew, to be read before it is kept. */
#include "ops/export_csv.h"
#include "ops/export_html.h"
#include "ops/export_md.h"
#include "ops/proof.h"

#include "debate/view.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#define EXPORTED_AT "2026-11-29T12:00:00.000Z"

/* Plays a log of tests/logs/v1 and gives the debate object. */
static json_t *debate_of(const char *name) {
  char path[512];
  snprintf(path, sizeof path, "%s/logs/v1/%s.jsonl", getenv("ARAGORA_TEST_DATA"), name);
  FILE *file = fopen(path, "r");
  if (!file) fail_msg("%s: %s", path, strerror(errno));
  struct check *check = check_create();
  struct check_result result;
  char *text = NULL;
  size_t cap = 0;
  while (getline(&text, &cap, file) > 0) {
    struct check_line line;
    struct error err = {0};
    char *data;
    json_t *event = json_loads(text, 0, NULL);
    if (proof_event_read(event, &line, &data, &err)) fail_msg("%s", err.message);
    assert_true(check_feed(check, &line));
    free(data);
    json_decref(event);
  }
  free(text);
  fclose(file);
  check_finish(check, &result);
  struct view_extra extra = {.id = "abc234", .slug = "which-one", .head_hash = result.head_hash};
  json_t *debate = view_debate(check_state(check), &extra);
  assert_non_null(debate);
  check_destroy(check);
  return debate;
}

/* Somebody's text in every place that takes one. */
static void put_everywhere(json_t *value, const char *text) {
  static const char *const places[] = {
      "task", "context", "final_answer", "content", "answer",   "claim", "problem", "why",
      "fix",  "reason",  "detail",       "key",     "position", "model", "error",   "text"};
  const char *key;
  json_t *member;
  size_t at;
  if (json_is_object(value)) {
    json_object_foreach(value, key, member) put_everywhere(member, text);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
      if (json_object_get(value, places[i]))
        json_object_set_new(value, places[i], json_string(text));
  }
  json_array_foreach(value, at, member) {
    if (json_is_string(member)) continue;
    put_everywhere(member, text);
  }
}

static void render(const char *format, const json_t *debate, struct buffer *out) {
  if (strcmp(format, "html") == 0) {
    export_html_begin(out, debate, EXPORTED_AT);
    export_html_debate(out, debate, true);
    export_html_end(out, -1, EXPORTED_AT);
  } else if (strcmp(format, "md") == 0) {
    export_md_debate(out, debate, true);
    export_md_end(out, -1, EXPORTED_AT);
  } else {
    for (enum export_table t = EXPORT_SUMMARY; t < EXPORT_TABLES; t++) {
      export_csv_head(out, t, true);
      export_csv_debate(out, t, true, debate);
    }
  }
  assert_false(out->overflow);
}

static const char *const formats[] = {"csv", "html", "md"};
static const char *const logs[] = {"judge_failover", "degraded", "failed"};

static void golden_path(const char *dir, const char *name, const char *format, char *out,
                        size_t size) {
  snprintf(out, size, "%s/%s.%s", dir, name, format);
}

static void check_golden(const char *dir, const char *name, const char *format, bool write) {
  char path[600];
  struct buffer made, want;
  json_t *debate = debate_of(name);
  buffer_init(&made, 1 << 24);
  buffer_init(&want, 1 << 24);
  render(format, debate, &made);
  golden_path(dir, name, format, path, sizeof path);
  FILE *file = fopen(path, write ? "w" : "r");
  if (!file) fail_msg("%s: %s", path, strerror(errno));
  char piece[4096];
  size_t n;
  if (write)
    fwrite(made.ptr, 1, made.len, file);
  else
    while ((n = fread(piece, 1, sizeof piece, file)) > 0) buffer_append(&want, piece, n);
  fclose(file);
  if (!write && !bytes_equal(buffer_bytes(&made), buffer_bytes(&want)))
    fail_msg("%s is not what is made now:\n%s", path, made.ptr);
  buffer_done(&made);
  buffer_done(&want);
  json_decref(debate);
}

static void check_all(const char *dir, bool write) {
  for (size_t l = 0; l < sizeof logs / sizeof *logs; l++)
    for (size_t f = 0; f < sizeof formats / sizeof *formats; f++)
      check_golden(dir, logs[l], formats[f], write);
}

static void test_golden(void **state) {
  (void)state;
  char dir[512];
  snprintf(dir, sizeof dir, "%s/golden/exports", getenv("ARAGORA_TEST_DATA"));
  check_all(dir, false);
}

static size_t count_of(const char *text, const char *what) {
  size_t count = 0;
  for (const char *p = text; (p = strstr(p, what)); p++) count++;
  return count;
}

/* However it is written, a text adds no tag, no attribute and no line of its own. */
static void test_html_holds_no_markup_of_others(void **state) {
  (void)state;
  static const char *const texts[] = {
      "<script>alert(1)</script>",
      "\"><img src=x onerror=alert(1)>",
      "'\" onmouseover=alert(1) x='",
      "</style></title></details><iframe src=javascript:alert(1)>",
      "<!--",
      "]]><svg/onload=alert(1)>",
      "&lt;script&gt;",
      "\xe2\x80\xae<b>",
  };
  struct buffer plain, hostile;
  buffer_init(&plain, 1 << 24);
  buffer_init(&hostile, 1 << 24);
  json_t *debate = debate_of("degraded");
  put_everywhere(debate, "plain");
  render("html", debate, &plain);
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    buffer_clear(&hostile);
    put_everywhere(debate, texts[i]);
    render("html", debate, &hostile);
    assert_int_equal(count_of(hostile.ptr, "<"), count_of(plain.ptr, "<"));
    assert_int_equal(count_of(hostile.ptr, ">"), count_of(plain.ptr, ">"));
    assert_int_equal(count_of(hostile.ptr, "\""), count_of(plain.ptr, "\""));
    assert_int_equal(count_of(hostile.ptr, "'"), count_of(plain.ptr, "'"));
  }
  json_decref(debate);
  buffer_done(&plain);
  buffer_done(&hostile);
}

static void test_csv_has_no_formula(void **state) {
  (void)state;
  static const char *const texts[] = {"=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", "\t=1"};
  struct buffer out;
  buffer_init(&out, 1 << 24);
  json_t *debate = debate_of("degraded");
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    buffer_clear(&out);
    put_everywhere(debate, texts[i]);
    render("csv", debate, &out);
    char field[3] = {',', texts[i][0], '\0'}, quoted[4] = {',', '"', texts[i][0], '\0'};
    assert_null(strstr(out.ptr, field));
    assert_null(strstr(out.ptr, quoted));
    assert_true(strstr(out.ptr, ",'") || strstr(out.ptr, ",\"'"));
  }
  json_decref(debate);
  buffer_done(&out);
}

/* Outside of quotes only what is ours may begin a line with a mark. */
static void test_md_text_stays_in_its_quote(void **state) {
  (void)state;
  struct buffer plain, hostile;
  buffer_init(&plain, 1 << 24);
  buffer_init(&hostile, 1 << 24);
  json_t *debate = debate_of("degraded");
  put_everywhere(debate, "plain");
  render("md", debate, &plain);
  put_everywhere(debate, "one\n# two\n```\n---\n\n[a]: http://x\n| a | b |\n<script>");
  render("md", debate, &hostile);
  assert_int_equal(count_of(hostile.ptr, "\n# "), count_of(plain.ptr, "\n# "));
  assert_int_equal(count_of(hostile.ptr, "\n## "), count_of(plain.ptr, "\n## "));
  assert_int_equal(count_of(hostile.ptr, "```"), 0);
  assert_int_equal(count_of(hostile.ptr, "\n|"), count_of(plain.ptr, "\n|"));
  assert_int_equal(count_of(hostile.ptr, "\n---"), count_of(plain.ptr, "\n---"));
  assert_int_equal(count_of(hostile.ptr, "<script"), count_of(hostile.ptr, "\\<script"));
  json_decref(debate);
  buffer_done(&plain);
  buffer_done(&hostile);
}

static void test_huge_text(void **state) {
  (void)state;
  size_t len = 4 << 20;
  char *text = malloc(len + 1);
  struct buffer out;
  memset(text, '<', len);
  text[len] = '\0';
  buffer_init(&out, SIZE_MAX / 4);
  json_t *debate = debate_of("failed");
  json_object_set_new(debate, "task", json_string(text));
  for (size_t f = 0; f < sizeof formats / sizeof *formats; f++) {
    buffer_clear(&out);
    render(formats[f], debate, &out);
    assert_true(out.len > len);
  }
  json_decref(debate);
  buffer_done(&out);
  free(text);
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "--write") == 0) {
    check_all(argv[2], true);
    return 0;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_golden),
      cmocka_unit_test(test_html_holds_no_markup_of_others),
      cmocka_unit_test(test_csv_has_no_formula),
      cmocka_unit_test(test_md_text_stays_in_its_quote),
      cmocka_unit_test(test_huge_text),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
