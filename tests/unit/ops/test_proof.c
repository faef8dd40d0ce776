/* Logs in files, whole and tampered with. */
#include "ops/proof.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

struct seen {
  int debates, wrong;
  char id[64];
  struct check_result last;
};

static bool take(void *ctx, const char *id, const struct check_result *result) {
  struct seen *seen = ctx;
  seen->debates++;
  seen->wrong += !result->ok;
  seen->last = *result;
  snprintf(seen->id, sizeof seen->id, "%s", id ? id : "");
  return true;
}

static enum status check(const char *text, struct seen *seen) {
  struct error err = {0};
  *seen = (struct seen){0};
  FILE *file = *text ? fmemopen((void *)text, strlen(text), "r") : tmpfile();
  enum status s = proof_read_file(file, "the file", take, seen, &err);
  fclose(file);
  if (s) assert_true(strlen(err.message) > 0);
  return s;
}

static char *golden(const char *name) {
  char path[512];
  struct buffer text;
  char piece[4096];
  size_t n;
  snprintf(path, sizeof path, "%s/logs/v1/%s.jsonl", getenv("ARAGORA_TEST_DATA"), name);
  FILE *file = fopen(path, "r");
  if (!file) fail_msg("%s: %s", path, strerror(errno));
  buffer_init(&text, 1 << 24);
  while ((n = fread(piece, 1, sizeof piece, file)) > 0) buffer_append(&text, piece, n);
  fclose(file);
  return buffer_steal(&text);
}

/* {"id", "log": [...]} of a golden log, with members in front of the log. */
static char *export_of(const char *name, const char *members) {
  struct buffer out;
  char *lines = golden(name), *rest = lines, *line;
  bool first = true;
  buffer_init(&out, 1 << 24);
  buffer_printf(&out, "{\"id\":\"abc\",%s\"log\":[", members);
  while ((line = strsep(&rest, "\n"))) {
    if (!*line) continue;
    buffer_printf(&out, "%s%s", first ? "" : ",", line);
    first = false;
  }
  buffer_append_text(&out, "]}");
  free(lines);
  return buffer_steal(&out);
}

static void test_events_file(void **state) {
  (void)state;
  struct seen seen;
  char *text = golden("unanimous");
  assert_int_equal(check(text, &seen), STATUS_OK);
  assert_int_equal(seen.debates, 1);
  assert_true(seen.last.ok && seen.last.ended);
  assert_int_equal(strlen(seen.last.state_hash), 64);
  free(text);
}

static void replace(char *text, const char *from, const char *to) {
  char *at = strstr(text, from);
  assert_non_null(at);
  assert_int_equal(strlen(from), strlen(to));
  memcpy(at, to, strlen(to));
}

static void test_one_letter_is_noticed(void **state) {
  (void)state;
  static const char *const changes[][2] = {
      {"the answer is a", "the answer is z"},
      {"\"seq\":3", "\"seq\":4"},
      {"\"round\":0", "\"round\":1"},
      {"\"type\":\"attempt_end\"", "\"type\":\"attempt_fin\""},
      {"\"hash\":\"", "\"hush\":\""},
      {"\"salt\":\"", "\"solt\":\""},
  };
  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
    struct seen seen;
    char *text = golden("unanimous");
    replace(text, changes[i][0], changes[i][1]);
    assert_int_equal(check(text, &seen), STATUS_OK);
    if (seen.wrong != 1) fail_msg("%s", changes[i][1]);
    assert_true(seen.last.bad_seq > 0 && *seen.last.problem);
    free(text);
  }
}

static void test_export_of_one(void **state) {
  (void)state;
  struct seen seen;
  char *text = export_of("unanimous", "\"outcome\":\"consensus\",\"new_field\":1,");
  assert_int_equal(check(text, &seen), STATUS_OK);
  if (seen.wrong) fail_msg("%s", seen.last.problem);
  assert_string_equal(seen.id, "abc");
  free(text);
  text = export_of("unanimous", "\"outcome\":\"fast_path\",");
  assert_int_equal(check(text, &seen), STATUS_OK);
  assert_int_equal(seen.wrong, 1);
  assert_non_null(strstr(seen.last.problem, "outcome"));
  free(text);
}

static void test_export_of_many(void **state) {
  (void)state;
  struct seen seen;
  struct buffer out;
  char *a = export_of("unanimous", ""), *b = export_of("failed", "");
  buffer_init(&out, 1 << 24);
  buffer_printf(&out, "{\"format\":\"json\",\"debates\":[\n%s,\n%s\n],\"count\":2}\n", a, b);
  assert_int_equal(check(out.ptr, &seen), STATUS_OK);
  assert_int_equal(seen.debates, 2);
  assert_int_equal(seen.wrong, 0);
  /* cut: after a debate, in one, and the count */
  char *cut = bytes_dup((struct bytes){out.ptr, out.len - 13});
  assert_int_equal(check(cut, &seen), STATUS_CORRUPT);
  free(cut);
  cut = bytes_dup((struct bytes){out.ptr, out.len - 200});
  assert_int_equal(check(cut, &seen), STATUS_CORRUPT);
  free(cut);
  replace(out.ptr, "\"count\":2", "\"count\":3");
  assert_int_equal(check(out.ptr, &seen), STATUS_CORRUPT);
  /* without its line ends it is read in one go */
  replace(out.ptr, "\"count\":3", "\"count\":2");
  for (char *p; (p = strchr(out.ptr, '\n'));) *p = ' ';
  assert_int_equal(check(out.ptr, &seen), STATUS_OK);
  assert_int_equal(seen.debates, 2);
  buffer_done(&out);
  free(a);
  free(b);
}

static void test_deleted_content_still_verifies(void **state) {
  (void)state;
  struct seen seen;
  struct buffer out;
  char *lines = golden("unanimous"), *rest = lines, *line;
  buffer_init(&out, 1 << 24);
  while ((line = strsep(&rest, "\n"))) {
    if (!*line) continue;
    json_t *event = json_loads(line, 0, NULL);
    json_object_set_new(event, "data", json_null());
    json_object_set_new(event, "salt", json_null());
    char *text = json_dumps(event, JSON_COMPACT);
    buffer_printf(&out, "%s\n", text);
    free(text);
    json_decref(event);
  }
  assert_int_equal(check(out.ptr, &seen), STATUS_OK);
  assert_true(seen.last.ok && seen.last.deleted);
  buffer_done(&out);
  free(lines);
}

static void test_what_is_no_log(void **state) {
  (void)state;
  static const char *const texts[] = {
      "",
      "hello\n",
      "{}",
      "[]",
      "{\"debates\":[{}]}",
      "{\"data\":\"x\"}",
      "{\"data\":\"{}\"}",
      "{\"log\":1}",
      "{\"format\":\"json\",\"debates\":[\n",
      "{\"debates\":[\n{\n",
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    struct seen seen;
    if (check(texts[i], &seen) != STATUS_CORRUPT) fail_msg("%s", texts[i]);
  }
  struct seen seen;
  assert_int_equal(check("{\"seq\":1}\n", &seen), STATUS_OK);
  assert_int_equal(seen.wrong, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_events_file),
      cmocka_unit_test(test_one_letter_is_noticed),
      cmocka_unit_test(test_export_of_one),
      cmocka_unit_test(test_export_of_many),
      cmocka_unit_test(test_deleted_content_still_verifies),
      cmocka_unit_test(test_what_is_no_log),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
