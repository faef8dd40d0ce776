/* Files, environment and defaults: which wins, and what is said of what is wrong. */
#include "base/env_vars.h"
#include "base/options_load.h"
#include "base/options_view.h"

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
  char directory[64];
  char *before;
  struct options o;
  struct error err;
};

static void clear_environment(void) {
  for (size_t i = 0; i < option_table_size; i++)
    if (option_table[i].variable) unsetenv(option_table[i].variable);
  unsetenv("ARAGORA_API_TOKEN_FILE");
  unsetenv("ANTHROPIC_API_KEY");
  unsetenv("ANTHROPIC_API_KEY_FILE");
  unsetenv("XDG_CONFIG_HOME");
  setenv("HOME", "/nowhere", 1);
}

static int setup(void **state) {
  struct fixture *f = calloc(1, sizeof *f);
  assert_non_null(f);
  strcpy(f->directory, "/tmp/aragora_load_XXXXXX");
  assert_non_null(mkdtemp(f->directory));
  assert_int_equal(chmod(f->directory, 0777), 0); /* a test may go on as another user */
  f->before = getcwd(NULL, 0);
  assert_int_equal(chdir(f->directory), 0);
  clear_environment();
  *state = f;
  return 0;
}

static int teardown(void **state) {
  struct fixture *f = *state;
  if (!getuid()) assert_int_equal(seteuid(0), 0);
  options_done(&f->o);
  clear_environment();
  static const char *const files[] = {"a.conf", "a.env", "token", "aragora/config"};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) unlink(files[i]);
  rmdir("aragora");
  assert_int_equal(chdir(f->before), 0);
  assert_int_equal(rmdir(f->directory), 0);
  free(f->before);
  free(f);
  return 0;
}

static void write_file(const char *path, mode_t mode, const char *text) {
  FILE *file = fopen(path, "we");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
  assert_int_equal(chmod(path, mode), 0);
}

static enum status load(struct fixture *f) {
  char *argv[] = {"server", "--config", "a.conf", "--env-file=a.env", "--", "--config=none"};
  options_done(&f->o);
  return options_load(&f->o, 6, argv, &f->err);
}

/* A file of one line is refused with a message that has all of `parts`. */
static void expect_refused(struct fixture *f, const char *line, const char *const parts[4]) {
  write_file("a.conf", 0644, line);
  if (load(f) == STATUS_OK) fail_msg("it is taken: %s", line);
  for (size_t i = 0; i < 4 && parts[i]; i++)
    if (!strstr(f->err.message, parts[i])) fail_msg("no %s in: %s", parts[i], f->err.message);
}

static const struct option *row_of(const char *name) {
  const struct option *row = options_find(bytes_of(name));
  assert_non_null(row);
  return row;
}

static enum option_origin origin_of(const struct fixture *f, const char *name) {
  return options_source(&f->o, row_of(name)).origin;
}

static void test_the_order_of_sources(void **state) {
  struct fixture *f = *state;
  write_file("a.conf", 0644, "HTTP_PORT = 1\nWORKERS = 2\nDB_POOL_SIZE = 3\nDB_TIMEOUT = 4\n");
  write_file("a.env", 0600, "ARAGORA_WORKERS=12\nARAGORA_DB_POOL_SIZE=13\nARAGORA_DB_TIMEOUT=14\n");
  setenv("ARAGORA_DB_POOL_SIZE", "23", 1);
  setenv("ARAGORA_DB_TIMEOUT", "", 1); /* counts as unset */
  assert_int_equal(load(f), STATUS_OK);
  assert_int_equal(f->o.port, 1);
  assert_int_equal(f->o.workers, 12);
  assert_int_equal(f->o.db_pool_size, 23);
  assert_int_equal(f->o.db_timeout_s, 14);
  assert_int_equal(f->o.max_retries, 3);
  assert_int_equal(origin_of(f, "PORT"), OPTION_CONFIG);
  assert_int_equal(origin_of(f, "WORKERS"), OPTION_ENV_FILE);
  assert_int_equal(origin_of(f, "DB_POOL_SIZE"), OPTION_ENVIRONMENT);
  assert_int_equal(origin_of(f, "MAX_RETRIES"), OPTION_DEFAULT);
  char *argv[] = {"server", "--workers=5"};
  int at = 1;
  assert_int_equal(options_set_flag(&f->o, 2, argv, &at, &f->err), STATUS_OK);
  assert_int_equal(origin_of(f, "WORKERS"), OPTION_FLAG);
}

static void test_a_variable_of_the_process_wins_by_any_name(void **state) {
  struct fixture *f = *state;
  write_file("a.conf", 0644, "");
  write_file("a.env", 0600, "ARAGORA_PORT=1\n");
  setenv("ARAGORA_HTTP_PORT", "2", 1);
  assert_int_equal(load(f), STATUS_OK);
  assert_int_equal(f->o.port, 2);
}

static void test_every_name_of_the_table(void **state) {
  struct fixture *f = *state;
  for (size_t i = 0; i < option_table_size; i++) {
    const struct option *row = &option_table[i];
    if (row->variable) assert_int_equal(row_of(row->variable)->offset, row->offset);
    if (row->flag) assert_int_equal(row_of(row->flag)->offset, row->offset);
    char name[OPTION_NAME_SIZE];
    options_view_name(options_first(row), name);
    assert_int_equal(row_of(name)->offset, row->offset);
  }
  (void)f;
}

static void test_what_a_file_may_not_say(void **state) {
  struct fixture *f = *state;
  write_file("a.env", 0600, "");
  expect_refused(f, "\nWORKERS = 99\n", (const char *[4]){"a.conf:2:", "WORKERS", "1 to 64", "99"});
  expect_refused(f, "WRKERS = 2\n", (const char *[4]){"a.conf:1:", "WRKERS"});
  expect_refused(f, "PORT = 1\nhttp-port = 2\n",
                 (const char *[4]){"a.conf:2:", "http-port", "line 1", "PORT"});
  expect_refused(f, "LOG_FORMAT = xml\n", (const char *[4]){"a.conf:1:", "json|text", "xml"});
  expect_refused(f, "CONFIG = other\n", (const char *[4]){"a.conf:1:", "CONFIG"});
  expect_refused(f, "ENV_FILE = other\n", (const char *[4]){"a.conf:1:", "ENV_FILE"});
  expect_refused(f, "PORT\n", (const char *[4]){"a.conf:1:", "NAME = value"});
  assert_int_equal(unlink("a.conf"), 0);
  assert_int_equal(load(f), STATUS_NOT_FOUND);
  assert_non_null(strstr(f->err.message, "a.conf"));
}

static void test_secrets_of_a_file(void **state) {
  struct fixture *f = *state;
  write_file("a.env", 0600, "");
  expect_refused(f, "API_TOKEN = canary\n", (const char *[4]){"a.conf:1:", "0644"});
  assert_null(strstr(f->err.message, "canary"));
  write_file("a.conf", 0640, "API_TOKEN = canary\n");
  assert_int_equal(load(f), STATUS_OK);
  assert_string_equal(f->o.api_token, "canary");
  JSON_LATER json_t *view = options_view(&f->o);
  FREE_LATER char *text = json_dumps(view, 0);
  assert_non_null(text);
  assert_null(strstr(text, "canary"));
  assert_non_null(strstr(text, "\"set\": true"));
  write_file("token", 0600, "of-a-file\n");
  write_file("a.conf", 0644, "API_TOKEN_FILE = token\n");
  assert_int_equal(load(f), STATUS_OK);
  assert_string_equal(f->o.api_token, "of-a-file");
  expect_refused(f, "API_TOKEN_FILE = token\napi_token = x\n", (const char *[4]){"a.conf:2:"});
}

static void test_keys_of_an_environment_file(void **state) {
  struct fixture *f = *state;
  write_file("a.conf", 0644, "");
  write_file("a.env", 0600, "ANTHROPIC_API_KEY=first\nANTHROPIC_API_KEY='last'\n");
  assert_int_equal(load(f), STATUS_OK);
  assert_string_equal(getenv("ANTHROPIC_API_KEY"), "last");
  for (char *const *p = env_vars_before(); *p; p++)
    assert_int_not_equal(strncmp(*p, "ANTHROPIC_API_KEY=", 18), 0);
  unsetenv("ANTHROPIC_API_KEY");
  setenv("ANTHROPIC_API_KEY_FILE", "elsewhere", 1); /* the process's own way wins */
  assert_int_equal(load(f), STATUS_OK);
  assert_null(getenv("ANTHROPIC_API_KEY"));
}

static void test_a_bad_line_of_the_environment_file(void **state) {
  struct fixture *f = *state;
  write_file("a.conf", 0644, "");
  write_file("a.env", 0600, "# x\nARAGORA_WORKERS=0\n");
  assert_int_equal(load(f), STATUS_INVALID);
  assert_non_null(strstr(f->err.message, "a.env:2: ARAGORA_WORKERS"));
  assert_non_null(strstr(f->err.message, "1 to 64, not \"0\""));
}

static void test_the_file_of_the_user(void **state) {
  struct fixture *f = *state;
  if (access("/etc/aragora/aragora.conf", F_OK) == 0) skip(); /* it comes first */
  assert_int_equal(mkdir("aragora", 0700), 0);
  write_file("aragora/config", 0600, "WORKERS = 7\n");
  setenv("XDG_CONFIG_HOME", f->directory, 1);
  assert_int_equal(options_load(&f->o, 0, NULL, &f->err), STATUS_OK);
  assert_int_equal(f->o.workers, 7);
  assert_non_null(strstr(f->o.config, "aragora/config"));
  options_done(&f->o);
  setenv("XDG_CONFIG_HOME", "relative", 1);
  assert_int_equal(options_load(&f->o, 0, NULL, &f->err), STATUS_OK);
  assert_null(f->o.config);
}

/* Of root nothing is hidden. */
static bool hides_files(void) {
  write_file("token", 0, "x");
  bool hidden = euidaccess("token", R_OK) != 0;
  unlink("token");
  return hidden;
}

static void test_who_only_asks_goes_on_without_a_file_it_may_not_read(void **state) {
  struct fixture *f = *state;
  char *argv[] = {"breakers", "--config", "aragora/config"};
  if (access("/etc/aragora/aragora.conf", F_OK) == 0 || (!geteuid() && seteuid(65534))) skip();
  assert_true(hides_files());
  assert_int_equal(mkdir("aragora", 0700), 0);
  write_file("aragora/config", 0, "WORKERS = 7\n");
  setenv("XDG_CONFIG_HOME", f->directory, 1);
  assert_int_equal(options_load(&f->o, 0, NULL, &f->err), STATUS_IO);
  assert_int_equal(options_load_readable(&f->o, 0, NULL, &f->err), STATUS_OK);
  assert_non_null(strstr(f->o.config_unread, "aragora/config"));
  assert_null(f->o.config);
  options_done(&f->o);
  assert_int_equal(options_load_readable(&f->o, 3, argv, &f->err), STATUS_IO); /* named */
  write_file("token", 0, "secret-of-the-server\n");
  assert_int_equal(unlink("aragora/config"), 0);
  write_file("aragora/config", 0600, "WORKERS = 7\nAPI_TOKEN_FILE = token\n");
  assert_int_equal(options_load(&f->o, 0, NULL, &f->err), STATUS_IO);
  assert_int_equal(options_load_readable(&f->o, 0, NULL, &f->err), STATUS_OK);
  assert_string_equal(f->o.config_unread, "token");
  assert_int_equal(f->o.workers, 7);
}

static void test_no_password_of_an_address_is_shown(void **state) {
  static const char *const pairs[][2] = {
      {"https://a.example", "https://a.example"},
      {"http://u:p@h/x@y", "http://...@h/x@y"},
      {"http://u:p@q@h:1", "http://...@h:1"},
      {"https://u:one@a, https://b https://v:two@c/,s3://w:three@d",
       "https://...@a, https://b https://...@c/,s3://...@d"},
      {"a@b", "a@b"},
  };
  struct fixture *f = *state;
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    BUFFER_LATER struct buffer out;
    buffer_init(&out, 4096);
    setenv("ARAGORA_ALLOWED_ORIGINS", pairs[i][0], 1);
    options_done(&f->o);
    assert_int_equal(options_init(&f->o, &f->err), STATUS_OK);
    options_view_append(&f->o, row_of("ALLOWED_ORIGINS"), &out);
    assert_string_equal(out.ptr, pairs[i][1]);
  }
}

static void count_mistake(void *ctx, const struct option *row, const struct error *err) {
  (void)row;
  assert_true(*err->message);
  ++*(int *)ctx;
}

static void test_leniently_all_is_told_and_the_rest_counts(void **state) {
  struct fixture *f = *state;
  int count = 0;
  write_file("a.conf", 0644, "WORKERS = 99\nnonsense\nDB_TIMEOUT = 8\n");
  setenv("ARAGORA_CONFIG", "a.conf", 1);
  setenv("ARAGORA_MAX_RETRIES", "many", 1);
  assert_int_equal(options_load_leniently(&f->o, 0, NULL, count_mistake, &count, &f->err),
                   STATUS_OK);
  assert_int_equal(count, 3);
  assert_int_equal(f->o.workers, 4);
  assert_int_equal(f->o.db_timeout_s, 8);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_the_order_of_sources),
      TEST(test_a_variable_of_the_process_wins_by_any_name),
      TEST(test_every_name_of_the_table),
      TEST(test_what_a_file_may_not_say),
      TEST(test_secrets_of_a_file),
      TEST(test_keys_of_an_environment_file),
      TEST(test_a_bad_line_of_the_environment_file),
      TEST(test_the_file_of_the_user),
      TEST(test_who_only_asks_goes_on_without_a_file_it_may_not_read),
      TEST(test_no_password_of_an_address_is_shown),
      TEST(test_leniently_all_is_told_and_the_rest_counts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
