/* Every line is one JSON object, whatever was in the message. */
#include "base/log.h"

#include "base/json.h"
#include "base/log_ring.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

struct fixture {
  char file[64];    /* what log_open was given */
  char stderr_[64]; /* where standard error goes meanwhile */
  int saved_stderr;
};

static int setup(void **state) {
  struct fixture *f = calloc(1, sizeof *f);
  assert_non_null(f);
  strcpy(f->file, "/tmp/aragora_log_XXXXXX");
  strcpy(f->stderr_, "/tmp/aragora_err_XXXXXX");
  int fd = mkstemp(f->file);
  assert_true(fd >= 0);
  close(fd);
  fd = mkstemp(f->stderr_);
  assert_true(fd >= 0);
  fflush(stderr);
  f->saved_stderr = dup(STDERR_FILENO);
  dup2(fd, STDERR_FILENO);
  close(fd);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  struct fixture *f = *state;
  log_close();
  dup2(f->saved_stderr, STDERR_FILENO);
  close(f->saved_stderr);
  unlink(f->file);
  unlink(f->stderr_);
  free(f);
  return 0;
}

static char *read_file(const char *path) {
  struct buffer text;
  buffer_init(&text, 1 << 24);
  FILE *f = fopen(path, "r");
  assert_non_null(f);
  char part[4096];
  for (size_t n; (n = fread(part, 1, sizeof part, f)) > 0;) buffer_append(&text, part, n);
  fclose(f);
  return buffer_steal(&text);
}

static void open_log(const struct fixture *f, enum log_level level, bool plain) {
  struct error err;
  assert_int_equal(log_open(level, f->file, plain, &err), STATUS_OK);
}

/* The only line of the file, parsed. */
static json_t *only_line(const struct fixture *f) {
  FREE_LATER char *text = read_file(f->file);
  size_t len = strlen(text);
  assert_true(len > 0 && len <= 4096);
  assert_ptr_equal(strchr(text, '\n'), text + len - 1);
  json_t *line = NULL;
  struct error err;
  assert_int_equal(json_parse((struct bytes){text, len - 1}, &line, &err), STATUS_OK);
  return line;
}

static void test_keys(void **state) {
  struct fixture *f = *state;
  open_log(f, LOG_LEVEL_INFO, false);
  struct log_context context = {"req-1", "debate-1"};
  log_warning("runner", &context, "agent=%s rate_limit %d", "openai-api", 429);
  JSON_LATER json_t *line = only_line(f);
  assert_string_equal(json_get_text(line, "level", ""), "WARNING");
  assert_string_equal(json_get_text(line, "logger", ""), "runner");
  assert_string_equal(json_get_text(line, "msg", ""), "agent=openai-api rate_limit 429");
  assert_string_equal(json_get_text(line, "request_id", ""), "req-1");
  assert_string_equal(json_get_text(line, "debate_id", ""), "debate-1");
  assert_int_equal(strlen(json_get_text(line, "ts", "")), 24);
  FREE_LATER char *file = read_file(f->file);
  FREE_LATER char *other = read_file(f->stderr_);
  assert_string_equal(file, other);
}

static void test_a_message_cannot_forge_a_line(void **state) {
  struct fixture *f = *state;
  open_log(f, LOG_LEVEL_INFO, false);
  log_info("http", NULL, "%s", "a\n{\"level\":\"ERROR\"}\r\x1b[31m\"\\ \xff \xe2\x82");
  JSON_LATER json_t *line = only_line(f);
  assert_string_equal(json_get_text(line, "level", ""), "INFO");
  assert_string_equal(
      json_get_text(line, "msg", ""),
      "a\n{\"level\":\"ERROR\"}\r\x1b[31m\"\\ \xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd");
  assert_null(json_object_get(line, "request_id"));
}

static void test_long_lines_are_cut_and_still_json(void **state) {
  struct fixture *f = *state;
  static const char *const units[] = {"x", "\x01", "\"", "\xe2\x82\xac"};
  for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
    assert_int_equal(truncate(f->file, 0), 0);
    open_log(f, LOG_LEVEL_INFO, false);
    BUFFER_LATER struct buffer message;
    buffer_init(&message, 100000);
    while (message.len < 10000) buffer_append_text(&message, units[i]);
    log_info("http", NULL, "%s", message.ptr);
    JSON_LATER json_t *line = only_line(f);
    const char *msg = json_get_text(line, "msg", "");
    assert_string_equal(msg + strlen(msg) - 3, "...");
    assert_memory_equal(msg, message.ptr, 600);
  }
}

static void test_levels(void **state) {
  struct fixture *f = *state;
  open_log(f, LOG_LEVEL_WARNING, false);
  log_debug("x", NULL, "no");
  log_info("x", NULL, "no");
  FREE_LATER char *silent = read_file(f->file);
  assert_string_equal(silent, "");
  log_set_level(LOG_LEVEL_DEBUG);
  log_debug("x", NULL, "yes");
  JSON_LATER json_t *line = only_line(f);
  assert_string_equal(json_get_text(line, "level", ""), "DEBUG");
}

static void test_a_restart_appends(void **state) {
  struct fixture *f = *state;
  open_log(f, LOG_LEVEL_INFO, false);
  log_info("x", NULL, "first");
  open_log(f, LOG_LEVEL_INFO, false);
  log_info("x", NULL, "second");
  FREE_LATER char *text = read_file(f->file);
  assert_non_null(strstr(text, "first"));
  assert_non_null(strstr(text, "second"));
}

static void test_level_names(void **state) {
  (void)state;
  enum log_level level = LOG_LEVEL_DEBUG;
  assert_int_equal(log_level_parse("warning", &level), STATUS_OK);
  assert_int_equal(level, LOG_LEVEL_WARNING);
  assert_int_equal(log_level_parse("ERROR", &level), STATUS_OK);
  assert_int_equal(level, LOG_LEVEL_ERROR);
  assert_int_equal(log_level_parse("WARN", &level), STATUS_INVALID);
  assert_int_equal(log_level_parse("", &level), STATUS_INVALID);
  assert_int_equal(log_level_parse(NULL, &level), STATUS_INVALID);
  assert_int_equal(level, LOG_LEVEL_ERROR);
}

static void test_plain_for_people(void **state) {
  struct fixture *f = *state;
  open_log(f, LOG_LEVEL_INFO, true);
  struct log_context context = {NULL, "d1"};
  log_info("runner", &context, "said \"hello\"\nand left");
  FREE_LATER char *text = read_file(f->stderr_);
  assert_non_null(strstr(text, " INFO    runner  said \"hello\"\\nand left debate=d1\n"));
  JSON_LATER json_t *line = only_line(f); /* the file is JSON all the same */
  assert_string_equal(json_get_text(line, "logger", ""), "runner");
}

static void test_credentials_are_starred_out(void **state) {
  struct fixture *f = *state;
  static const struct {
    const char *in, *want;
  } cases[] = {
      {"key sk-not-a-real-key refused", "key sk-************** refused"},
      {"Authorization: bearer abcDEF0123456789.x", "Authorization: bearer ******************"},
      {"url?key=AIzaSyA123456789012", "url?key=AIza***************"},
      {"task-force-of-many-words", "task-force-of-many-words"},
      {"sk-short", "sk-short"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_int_equal(truncate(f->file, 0), 0);
    open_log(f, LOG_LEVEL_INFO, false);
    log_info("provider", NULL, "%s", cases[i].in);
    JSON_LATER json_t *line = only_line(f);
    assert_string_equal(json_get_text(line, "msg", ""), cases[i].want);
  }
}

static void test_a_file_that_cannot_be_opened(void **state) {
  (void)state;
  struct error err;
  assert_int_equal(log_open(LOG_LEVEL_INFO, "/nonexistent/x.log", false, &err), STATUS_IO);
  assert_non_null(strstr(err.message, "/nonexistent/x.log"));
}

enum { THREADS = 4, LINES = 200 };

static void *write_lines(void *arg) {
  for (int i = 0; i < LINES; i++) log_info("thread", NULL, "n=%d %0300d", *(int *)arg, i);
  return NULL;
}

static void test_threads_do_not_mix_lines(void **state) {
  struct fixture *f = *state;
  open_log(f, LOG_LEVEL_INFO, false);
  pthread_t threads[THREADS];
  int numbers[THREADS];
  for (int i = 0; i < THREADS; i++) {
    numbers[i] = i;
    assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &numbers[i]), 0);
  }
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  FREE_LATER char *text = read_file(f->file);
  int lines = 0;
  for (char *p = text; *p; lines++) {
    size_t len = strcspn(p, "\n");
    JSON_LATER json_t *line = NULL;
    assert_int_equal(json_parse((struct bytes){p, len}, &line, NULL), STATUS_OK);
    p += len + 1;
  }
  assert_int_equal(lines, THREADS * LINES);
}

static int count_lines(const char *path) {
  FREE_LATER char *text = read_file(path);
  int lines = 0;
  for (const char *p = text; *p; p++) lines += *p == '\n';
  return lines;
}

/* As logrotate does it: moved away under the writers' hands, then opened anew. */
static void test_a_rotation_loses_no_line(void **state) {
  struct fixture *f = *state;
  struct error err;
  char moved[80];
  snprintf(moved, sizeof moved, "%s.1", f->file);
  assert_int_equal(log_open(LOG_LEVEL_INFO, f->file, false, &err), STATUS_OK);
  pthread_t threads[THREADS];
  int numbers[THREADS];
  for (int i = 0; i < THREADS; i++) {
    numbers[i] = i;
    assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &numbers[i]), 0);
  }
  assert_int_equal(rename(f->file, moved), 0);
  assert_int_equal(log_reopen(f->file, &err), STATUS_OK);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  log_info("base", NULL, "the last");
  assert_true(count_lines(f->file) > 0);
  assert_int_equal(count_lines(moved) + count_lines(f->file), THREADS * LINES + 1);
  unlink(moved);
}

static void test_a_rotation_that_fails_keeps_the_file(void **state) {
  struct fixture *f = *state;
  struct error err;
  assert_int_equal(log_open(LOG_LEVEL_INFO, f->file, false, &err), STATUS_OK);
  assert_int_equal(log_reopen("/nowhere/at/all.log", &err), STATUS_IO);
  assert_string_equal(err.field, "log_file");
  log_info("base", NULL, "still here");
  assert_int_equal(count_lines(f->file), 1);
}

static void test_without_a_file_there_is_none_to_reopen(void **state) {
  struct fixture *f = *state;
  struct error err;
  assert_int_equal(log_open(LOG_LEVEL_INFO, NULL, false, &err), STATUS_OK);
  assert_int_equal(log_reopen(f->file, &err), STATUS_OK);
  log_info("base", NULL, "to standard error alone");
  assert_int_equal(count_lines(f->file), 0);
}

static bool exists(const char *path, int number) {
  char name[100];
  snprintf(name, sizeof name, number ? "%s.%d" : "%s", path, number);
  return access(name, F_OK) == 0;
}

static int count_in(const char *path, int number) {
  char name[100];
  snprintf(name, sizeof name, number ? "%s.%d" : "%s", path, number);
  return access(name, F_OK) == 0 ? count_lines(name) : 0;
}

static void remove_numbered(const char *path, int last) {
  char name[100];
  for (int i = 1; i <= last; i++) {
    snprintf(name, sizeof name, "%s.%d", path, i);
    unlink(name);
  }
}

/* Four threads write 800 lines of some 400 bytes; what is kept holds them all. Into how many files
 * is up to the machine: what is written while a file moves goes along with it. */
static void test_a_full_file_moves_away(void **state) {
  struct fixture *f = *state;
  enum { KEPT = 40 };
  log_rotate(16384, KEPT);
  open_log(f, LOG_LEVEL_INFO, false);
  pthread_t threads[THREADS];
  int numbers[THREADS];
  for (int i = 0; i < THREADS; i++) {
    numbers[i] = i;
    assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &numbers[i]), 0);
  }
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  assert_true(exists(f->file, 1));
  int lines = 0;
  for (int i = 0; i <= KEPT; i++) lines += count_in(f->file, i);
  log_rotate(0, 0);
  remove_numbered(f->file, KEPT);
  assert_int_equal(lines, THREADS * LINES);
}

static void test_older_files_than_are_kept_go(void **state) {
  struct fixture *f = *state;
  log_rotate(1000, 2);
  open_log(f, LOG_LEVEL_INFO, false);
  for (int i = 0; i < 50; i++) log_info("base", NULL, "n=%d %0300d", i, 0);
  bool kept = exists(f->file, 1) && exists(f->file, 2), more = exists(f->file, 3);
  log_rotate(0, 0);
  remove_numbered(f->file, 3);
  assert_true(kept);
  assert_false(more);
}

static void test_a_file_that_cannot_move_is_written_on(void **state) {
  struct fixture *f = *state;
  char in_the_way[80];
  snprintf(in_the_way, sizeof in_the_way, "%s.1", f->file);
  assert_int_equal(mkdir(in_the_way, 0700), 0);
  log_rotate(1000, 1);
  open_log(f, LOG_LEVEL_INFO, false);
  for (int i = 0; i < 8; i++) log_info("base", NULL, "n=%d %0300d", i, 0);
  log_rotate(0, 0);
  rmdir(in_the_way);
  FREE_LATER char *text = read_file(f->file);
  assert_non_null(strstr(text, "n=7"));
  assert_non_null(strstr(text, "log_file=not_rotated"));
}

/* The line that says so is itself longer than the limit, and says it no second time. */
static void test_a_limit_below_a_line_is_told_of_once(void **state) {
  struct fixture *f = *state;
  char in_the_way[80];
  snprintf(in_the_way, sizeof in_the_way, "%s.1", f->file);
  assert_int_equal(mkdir(in_the_way, 0700), 0);
  log_rotate(1, 1);
  open_log(f, LOG_LEVEL_INFO, false);
  log_info("base", NULL, "n=1");
  log_rotate(0, 0);
  rmdir(in_the_way);
  FREE_LATER char *text = read_file(f->file);
  const char *said = strstr(text, "log_file=not_rotated");
  assert_non_null(said);
  assert_null(strstr(said + 1, "log_file=not_rotated"));
}

/* What turns text around, or ends a line in some terminals, is there by its number alone. */
static void test_no_character_that_fools_a_reader(void **state) {
  struct fixture *f = *state;
  static const char *const chars[] = {
      "\xc2\x85",     "\xc2\x9b",     "\xd8\x9c",     "\xe2\x80\x8e", "\xe2\x80\xa8",
      "\xe2\x80\xae", "\xe2\x81\xa6", "\xe2\x81\xa9", "\x7f",         "\x1b"};
  for (size_t i = 0; i < sizeof chars / sizeof *chars; i++) {
    assert_int_equal(truncate(f->file, 0), 0);
    open_log(f, LOG_LEVEL_INFO, true);
    log_info("http", NULL, "a%sb \xe2\x82\xac \xc3\xa9", chars[i]);
    FREE_LATER char *file = read_file(f->file);
    FREE_LATER char *plain = read_file(f->stderr_);
    assert_null(strstr(file, chars[i]));
    assert_null(strstr(plain, chars[i]));
    JSON_LATER json_t *line = only_line(f);
    char want[32];
    snprintf(want, sizeof want, "a%sb \xe2\x82\xac \xc3\xa9", chars[i]);
    assert_string_equal(json_get_text(line, "msg", ""), want);
  }
}

static void test_a_quoted_text_ends_where_it_seems_to(void **state) {
  (void)state;
  struct log_quoted q;
  assert_string_equal(log_quote(&q, "no\" debate=completed x=\""), "\"no' debate=completed x='\"");
  assert_string_equal(log_quote(&q, ""), "\"\"");
  char text[1000];
  for (size_t i = 0; i < sizeof text - 3; i += 3) memcpy(text + i, "\xe2\x82\xac", 4);
  size_t len = strlen(log_quote(&q, text));
  assert_true(len < sizeof q.text && len > sizeof q.text - 6);
  assert_int_equal((len - 2) % 3, 0);
}

struct seen {
  size_t count;
  uint64_t ids[10];
  struct log_record last;
};

static void see(void *ctx, const struct log_record *record) {
  struct seen *s = ctx;
  s->ids[s->count++] = record->id;
  s->last = *record;
}

static void test_the_last_troubles_are_kept(void **state) {
  struct fixture *f = *state;
  open_log(f, LOG_LEVEL_ERROR, false);
  assert_true(log_ring_open(3));
  const struct log_context context = {"req-1", "debate-1"};
  log_warning("x", NULL, "below the level: not said, not kept");
  log_set_level(LOG_LEVEL_INFO);
  log_info("x", NULL, "no trouble");
  for (int i = 1; i <= 5; i++) log_error("room", &context, "n=%d key sk-not-a-real-key", i);
  struct seen seen = {0};
  assert_int_equal(log_ring_each(10, see, &seen), 5);
  assert_int_equal(seen.count, 3);
  assert_true(seen.ids[0] == 5 && seen.ids[1] == 4 && seen.ids[2] == 3);
  assert_string_equal(seen.last.message, "n=3 key sk-**************");
  assert_string_equal(seen.last.debate_id, "debate-1");
  assert_string_equal(seen.last.request_id, "req-1");
  assert_int_equal(seen.last.level, LOG_LEVEL_ERROR);
  seen.count = 0;
  log_ring_each(1, see, &seen);
  assert_true(seen.count == 1 && seen.ids[0] == 5);
  log_ring_close();
  seen.count = 0;
  log_error("room", NULL, "nobody keeps it");
  assert_int_equal(log_ring_each(10, see, &seen), 0);
  assert_int_equal(seen.count, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_keys, setup, teardown),
      cmocka_unit_test_setup_teardown(test_a_message_cannot_forge_a_line, setup, teardown),
      cmocka_unit_test_setup_teardown(test_long_lines_are_cut_and_still_json, setup, teardown),
      cmocka_unit_test_setup_teardown(test_levels, setup, teardown),
      cmocka_unit_test_setup_teardown(test_a_restart_appends, setup, teardown),
      cmocka_unit_test(test_level_names),
      cmocka_unit_test_setup_teardown(test_plain_for_people, setup, teardown),
      cmocka_unit_test_setup_teardown(test_credentials_are_starred_out, setup, teardown),
      cmocka_unit_test(test_a_file_that_cannot_be_opened),
      cmocka_unit_test_setup_teardown(test_threads_do_not_mix_lines, setup, teardown),
      cmocka_unit_test_setup_teardown(test_a_rotation_loses_no_line, setup, teardown),
      cmocka_unit_test_setup_teardown(test_a_rotation_that_fails_keeps_the_file, setup, teardown),
      cmocka_unit_test_setup_teardown(test_without_a_file_there_is_none_to_reopen, setup, teardown),
      cmocka_unit_test_setup_teardown(test_a_full_file_moves_away, setup, teardown),
      cmocka_unit_test_setup_teardown(test_older_files_than_are_kept_go, setup, teardown),
      cmocka_unit_test_setup_teardown(test_a_file_that_cannot_move_is_written_on, setup, teardown),
      cmocka_unit_test_setup_teardown(test_a_limit_below_a_line_is_told_of_once, setup, teardown),
      cmocka_unit_test_setup_teardown(test_no_character_that_fools_a_reader, setup, teardown),
      cmocka_unit_test_setup_teardown(test_the_last_troubles_are_kept, setup, teardown),
      cmocka_unit_test(test_a_quoted_text_ends_where_it_seems_to),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
