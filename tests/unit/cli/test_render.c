/* Whole debates, frame by frame, against the pages they must give: tests/golden/cli/NAME.jsonl is
 * what comes over the wire, NAME.txt the page at 80 columns. With UPDATE_GOLDEN set the pages are
 * written instead of compared; read the difference before committing it. */
#include "cli/render.h"
#include "cli/terminal.h"
#include "cli/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

enum { PAGE_MAX = 1 << 20 };

static FILE *open_golden(const char *name, const char *ending, const char *mode) {
  char path[4096];
  const char *dir = getenv("ARAGORA_TEST_DATA");
  snprintf(path, sizeof path, "%s/golden/cli/%s%s", dir ? dir : "tests", name, ending);
  FILE *file = fopen(path, mode);
  if (!file) fail_msg("cannot open %s", path);
  return file;
}

static void read_all(FILE *file, struct buffer *out) {
  char piece[4096];
  size_t n;
  while ((n = fread(piece, 1, sizeof piece, file)) > 0) assert_true(buffer_append(out, piece, n));
  fclose(file);
}

/* Renders a recorded debate up to and with the frame `last` (0 = all). */
static enum render_end render_file(const char *name, const struct render_options *options,
                                   int64_t last, struct buffer *out, struct buffer *waiting) {
  struct render *r = render_create(options);
  assert_non_null(r);
  FILE *file = open_golden(name, ".jsonl", "r");
  char *line = NULL;
  size_t cap = 0;
  ssize_t len;
  while ((len = getline(&line, &cap, file)) > 0) {
    struct error err = {0};
    JSON_LATER json_t *frame = NULL;
    if (json_parse((struct bytes){line, (size_t)len - 1}, &frame, &err))
      fail_msg("%s", err.message);
    assert_int_equal(render_frame(r, frame, out), STATUS_OK);
    if (last && json_get_int(frame, "seq", 0) == last) break;
  }
  free(line);
  fclose(file);
  if (waiting) render_append_waiting(r, 12345, waiting);
  enum render_end end = render_end(r);
  render_destroy(r);
  return end;
}

static void check_page(const char *name, const char *page, const struct render_options *options) {
  BUFFER_LATER struct buffer out, want;
  buffer_init(&out, PAGE_MAX);
  buffer_init(&want, PAGE_MAX);
  render_file(name, options, 0, &out, NULL);
  if (getenv("UPDATE_GOLDEN")) {
    FILE *file = open_golden(page, ".txt", "w");
    fwrite(out.ptr, 1, out.len, file);
    fclose(file);
    return;
  }
  read_all(open_golden(page, ".txt", "r"), &want);
  assert_string_equal(out.ptr, want.ptr);
}

static const struct render_options plain = {.width = 80};

static void test_pages(void **state) {
  (void)state;
  check_page("agreed", "agreed", &plain);
  check_page("undecided", "undecided", &plain);
  check_page("failed", "failed", &plain);
  check_page("judged", "judged", &plain);
}

static void test_pages_of_other_kinds(void **state) {
  (void)state;
  check_page("agreed", "agreed-verbose", &(struct render_options){.width = 80, .verbose = true});
  check_page("agreed", "agreed-verdict",
             &(struct render_options){.width = 80, .verdict_only = true});
  check_page("undecided", "undecided-colour",
             &(struct render_options){.width = 80, .colour = true});
  check_page("judged", "judged-40", &(struct render_options){.width = 40});
}

/* No line is wider than the page, none ends in a space, and nothing is left that a terminal obeys,
 * whatever the width. */
static void test_every_line_fits(void **state) {
  (void)state;
  static const char *const names[] = {"agreed", "undecided", "failed", "judged"};
  for (size_t n = 0; n < 4; n++) {
    for (int width = 40; width <= 120; width += 1) {
      BUFFER_LATER struct buffer out;
      buffer_init(&out, PAGE_MAX);
      render_file(names[n], &(struct render_options){.width = width, .verbose = true}, 0, &out,
                  NULL);
      for (char *line = out.ptr, *end; (end = strchr(line, '\n')); line = end + 1) {
        struct bytes text = {line, (size_t)(end - line)};
        if (text_columns(text) > (size_t)width)
          fail_msg("%s at %d: too wide: %.*s", names[n], width, (int)text.len, text.ptr);
        if (text.len && text.ptr[text.len - 1] == ' ')
          fail_msg("%s at %d: ends in a space: %.*s", names[n], width, (int)text.len, text.ptr);
        assert_null(memchr(text.ptr ? text.ptr : "", 0x1b, text.len));
      }
    }
  }
}

static void test_how_it_ended(void **state) {
  (void)state;
  static const struct {
    const char *name;
    enum render_end end;
  } rows[] = {{"agreed", RENDER_REACHED},
              {"undecided", RENDER_UNDECIDED},
              {"failed", RENDER_FAILED},
              {"judged", RENDER_REACHED}};
  for (size_t i = 0; i < 4; i++) {
    BUFFER_LATER struct buffer out;
    buffer_init(&out, PAGE_MAX);
    assert_int_equal(render_file(rows[i].name, &plain, 0, &out, NULL), rows[i].end);
    buffer_clear(&out);
    assert_int_equal(render_file(rows[i].name, &plain, 2, &out, NULL), RENDER_OPEN);
  }
}

static void test_failure_of_the_route(void **state) {
  (void)state;
  static const char *const causes[] = {
      ("[{\"agent\":\"a\",\"outcome\":\"unavailable\",\"upstream_status\":null},"
       " {\"agent\":\"b\",\"outcome\":\"timeout\",\"upstream_status\":null}]"),
      ("[{\"agent\":\"a\",\"outcome\":\"unavailable\",\"upstream_status\":null},"
       " {\"agent\":\"b\",\"outcome\":\"timeout\",\"upstream_status\":504}]"),
      "[]",
  };
  static const enum render_end ends[] = {RENDER_FAILED_ROUTE, RENDER_FAILED, RENDER_FAILED};
  for (size_t i = 0; i < 3; i++) {
    BUFFER_LATER struct buffer out;
    buffer_init(&out, PAGE_MAX);
    struct render *r = render_create(&plain);
    JSON_LATER json_t *error = json_pack("{s:s, s:i, s:{s:o}}", "type", "error", "seq", 1, "data",
                                         "causes", json_loads(causes[i], 0, NULL));
    JSON_LATER json_t *end = json_pack("{s:s, s:i, s:{s:s, s:s}}", "type", "debate_end", "seq", 2,
                                       "data", "status", "failed", "outcome", "failed");
    assert_int_equal(render_frame(r, error, &out), STATUS_OK);
    assert_int_equal(render_frame(r, end, &out), STATUS_OK);
    assert_int_equal(render_end(r), ends[i]);
    render_destroy(r);
  }
}

static void test_says_who_is_asked(void **state) {
  (void)state;
  BUFFER_LATER struct buffer out, waiting;
  buffer_init(&out, PAGE_MAX);
  buffer_init(&waiting, PAGE_MAX);
  render_file("agreed", &plain, 4, &out, &waiting); /* three proposals asked for */
  assert_string_equal(waiting.ptr,
                      "12 s · proposal · waiting for anthropic-api, openai-api, gemini");
  buffer_clear(&waiting);
  render_file("agreed", &plain, 5, &out, &waiting); /* one is in */
  assert_string_equal(waiting.ptr, "12 s · proposal · waiting for anthropic-api, gemini");
}

/* Frames are another program's words: nothing of them may crash the page. */
static void test_survives_strange_frames(void **state) {
  (void)state;
  static const char *const types[] = {
      "debate_start", "attempt_start", "attempt_end", "agent_message", "critique",
      "vote",         "agent_error",   "stop",        "consensus",     "error",
      "debate_end",   "resumed",       "unheard_of"};
  static const char *const data[] = {
      "{}",
      "{\"panel\":[1,null,{\"name\":7}],\"judges\":{}}",
      "{\"items\":[1,{\"severity\":\"x\"},null],\"target\":5,\"kind\":\"judgment\"}",
      "{\"ranking\":[\"p99\",\"q\",3,null],\"kind\":\"revision\",\"responses\":[null,{}]}",
      ("{\"positions\":[null,3,{\"id\":\"p\"}],\"conclusion\":\"x\",\"dissent\":[3],"
       "\"supporting_agents\":[null],\"round0\":3}"),
      "{\"degradations\":[null,{}],\"causes\":[3],\"status\":\"failed\"}"};
  BUFFER_LATER struct buffer out;
  buffer_init(&out, PAGE_MAX);
  struct render *r = render_create(&(struct render_options){.width = 40, .verbose = true});
  int seq = 1;
  for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
    for (size_t d = 0; d < sizeof data / sizeof *data; d++) {
      JSON_LATER json_t *frame = json_pack("{s:s, s:i, s:o}", "type", types[t], "seq", seq++,
                                           "data", json_loads(data[d], 0, NULL));
      assert_int_equal(render_frame(r, frame, &out), STATUS_OK);
    }
  }
  JSON_LATER json_t *none = json_pack("{s:s}", "type", "pong");
  assert_int_equal(render_frame(r, none, &out), STATUS_OK);
  render_destroy(r);
}

static int setup(void **state) {
  (void)state;
  terminal_use_utf8();
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_pages),
      cmocka_unit_test(test_pages_of_other_kinds),
      cmocka_unit_test(test_every_line_fits),
      cmocka_unit_test(test_how_it_ended),
      cmocka_unit_test(test_failure_of_the_route),
      cmocka_unit_test(test_says_who_is_asked),
      cmocka_unit_test(test_survives_strange_frames),
  };
  return cmocka_run_group_tests(tests, setup, NULL);
}
