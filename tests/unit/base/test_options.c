/* The option table: strict values, errors that name their place, and where the files go. */
#include "base/options_load.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

enum { FLAG_ARGS_MAX = 4 };

struct fixture {
  char directory[64];
  char *before; /* the working directory to return to */
  struct options o;
  struct error err;
};

static void clear_environment(void) {
  for (size_t i = 0; i < option_table_size; i++)
    if (option_table[i].variable) unsetenv(option_table[i].variable);
  unsetenv("STATE_DIRECTORY");
}

static int setup(void **state) {
  struct fixture *f = calloc(1, sizeof *f);
  assert_non_null(f);
  strcpy(f->directory, "/tmp/aragora_options_XXXXXX");
  assert_non_null(mkdtemp(f->directory));
  f->before = getcwd(NULL, 0);
  assert_int_equal(chdir(f->directory), 0);
  clear_environment();
  assert_int_equal(options_init(&f->o, &f->err), STATUS_OK);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  struct fixture *f = *state;
  options_done(&f->o);
  clear_environment();
  rmdir("state");
  rmdir("data");
  assert_int_equal(chdir(f->before), 0);
  assert_int_equal(rmdir(f->directory), 0);
  free(f->before);
  free(f);
  return 0;
}

/* Sets by flag; the arguments end with NULL. *ret_used tells how many were taken. */
static enum status set_flag(struct fixture *f, int *ret_used, const char *first,
                            const char *second) {
  char a[128];
  char b[128] = "";
  snprintf(a, sizeof a, "%s", first);
  if (second) snprintf(b, sizeof b, "%s", second);
  char *argv[FLAG_ARGS_MAX] = {"aragora", a, second ? b : NULL, NULL};
  int index = 1;
  enum status status = options_set_flag(&f->o, second ? 3 : 2, argv, &index, &f->err);
  *ret_used = index;
  return status;
}

static void test_defaults_are_the_runbooks(void **state) {
  struct fixture *f = *state;
  assert_int_equal(f->o.port, 8080);
  assert_int_equal(f->o.ws_port, 8765);
  assert_int_equal(f->o.workers, 4);
  assert_int_equal(f->o.db_pool_size, 10);
  assert_int_equal(f->o.db_timeout_s, 30);
  assert_int_equal(f->o.event_buffer_size, 10000);
  assert_int_equal(f->o.agent_timeout_s, 60);
  assert_int_equal(f->o.max_retries, 3);
  assert_int_equal(f->o.circuit_breaker_threshold, 5);
  assert_int_equal(f->o.max_body_bytes, 10 * 1024 * 1024);
  assert_int_equal(f->o.max_concurrent_debates, 100);
  assert_int_equal(f->o.max_queued_debates, 1000);
  assert_int_equal(f->o.default_rounds, 2);
  assert_string_equal(f->o.allowed_origins, "*");
  assert_string_equal(f->o.log_level, "INFO");
  assert_string_equal(f->o.env, "development");
  assert_null(f->o.host);
  assert_null(f->o.api_token);
  assert_false(f->o.dev);
}

static void test_environment(void **state) {
  struct fixture *f = *state;
  options_done(&f->o);
  setenv("ARAGORA_PORT", "9000", 1);
  setenv("ARAGORA_WS_PORT", "", 1); /* empty counts as unset */
  setenv("ARAGORA_API_TOKEN", "secret", 1);
  setenv("ARAGORA_ALLOW_UNAUTHENTICATED", "yes", 1);
  setenv("ARAGORA_LOG_LEVEL", "debug", 1);
  assert_int_equal(options_init(&f->o, &f->err), STATUS_OK);
  assert_int_equal(f->o.port, 9000);
  assert_int_equal(f->o.ws_port, 8765);
  assert_string_equal(f->o.api_token, "secret");
  assert_true(f->o.allow_unauthenticated);
  assert_string_equal(f->o.log_level, "DEBUG");
}

static void test_the_first_name_of_a_field_wins(void **state) {
  struct fixture *f = *state;
  options_done(&f->o);
  setenv("ARAGORA_ENVIRONMENT", "production", 1);
  assert_int_equal(options_init(&f->o, &f->err), STATUS_OK);
  assert_string_equal(f->o.env, "production");
  options_done(&f->o);
  setenv("ARAGORA_ENV", "development", 1);
  assert_int_equal(options_init(&f->o, &f->err), STATUS_OK);
  assert_string_equal(f->o.env, "development");
}

static void test_a_bad_variable_is_named(void **state) {
  struct fixture *f = *state;
  static const char *const bad[] = {"65536", "-1",  "80 ",    " 80", "+80",
                                    "0x50",  "8e3", "eighty", "-",   "99999999999999999999"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    options_done(&f->o);
    setenv("ARAGORA_PORT", bad[i], 1);
    assert_int_equal(options_init(&f->o, &f->err), STATUS_INVALID);
    assert_string_equal(f->err.field, "ARAGORA_PORT");
    assert_non_null(strstr(f->err.message, "ARAGORA_PORT"));
    assert_non_null(strstr(f->err.message, "0 to 65535"));
    assert_non_null(strstr(f->err.message, bad[i]));
  }
}

static void test_dollars_are_exact(void **state) {
  struct fixture *f = *state;
  static const struct {
    const char *text;
    int64_t micro; /* -1 = refused */
  } cases[] = {{"0", 0},
               {"12", 12000000},
               {"0.29", 290000},
               {"0.000001", 1},
               {"1000000", 1000000000000},
               {"1000000.1", -1},
               {"0.0000001", -1},
               {"-1", -1},
               {"1.", -1},
               {".5", -1},
               {"1e3", -1},
               {"$1", -1},
               {"1,5", -1},
               {"9999999999", -1}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    options_done(&f->o);
    setenv("ARAGORA_DAILY_BUDGET_USD", cases[i].text, 1);
    enum status s = options_init(&f->o, &f->err);
    assert_int_equal(s, cases[i].micro < 0 ? STATUS_INVALID : STATUS_OK);
    if (s == STATUS_OK)
      assert_int_equal(f->o.daily_budget_usd_micro, cases[i].micro);
    else
      assert_non_null(strstr(f->err.message,
                             "ARAGORA_DAILY_BUDGET_USD must be dollars from 0 to "
                             "1000000 with at most six decimals"));
  }
  unsetenv("ARAGORA_DAILY_BUDGET_USD");
}

static void test_flags_with_a_value(void **state) {
  struct fixture *f = *state;
  int used;
  assert_int_equal(set_flag(f, &used, "--port=81", NULL), STATUS_OK);
  assert_int_equal(used, 1);
  assert_int_equal(f->o.port, 81);
  assert_int_equal(set_flag(f, &used, "--port", "82"), STATUS_OK);
  assert_int_equal(used, 2);
  assert_int_equal(f->o.port, 82);
  assert_int_equal(set_flag(f, &used, "--http-port", "83"), STATUS_OK);
  assert_int_equal(f->o.port, 83);
  assert_int_equal(set_flag(f, &used, "--api-port=84", NULL), STATUS_OK);
  assert_int_equal(f->o.port, 84);
  assert_int_equal(set_flag(f, &used, "--host=a", NULL), STATUS_OK);
  assert_int_equal(set_flag(f, &used, "--host", "b=c"), STATUS_OK);
  assert_string_equal(f->o.host, "b=c");
}

static void test_flags_without_a_value(void **state) {
  struct fixture *f = *state;
  int used;
  assert_int_equal(set_flag(f, &used, "--dev", "next"), STATUS_OK);
  assert_int_equal(used, 1);
  assert_true(f->o.dev);
  assert_int_equal(set_flag(f, &used, "--dev=false", NULL), STATUS_OK);
  assert_false(f->o.dev);
  assert_int_equal(set_flag(f, &used, "--dev=true", NULL), STATUS_OK);
  assert_true(f->o.dev);
  assert_int_equal(set_flag(f, &used, "--dev=perhaps", NULL), STATUS_INVALID);
  assert_string_equal(f->err.field, "--dev");
  assert_int_equal(set_flag(f, &used, "--dev=", NULL), STATUS_INVALID);
}

static void test_bad_flags(void **state) {
  struct fixture *f = *state;
  int used;
  assert_int_equal(set_flag(f, &used, "--no-such", NULL), STATUS_NOT_FOUND);
  assert_int_equal(set_flag(f, &used, "--por=80", NULL), STATUS_NOT_FOUND);
  assert_int_equal(set_flag(f, &used, "--port=0x50", NULL), STATUS_INVALID);
  assert_string_equal(f->err.field, "--port");
  assert_non_null(strstr(f->err.message, "0 to 65535"));
  assert_int_equal(set_flag(f, &used, "--port", NULL), STATUS_INVALID);
  assert_non_null(strstr(f->err.message, "--port needs a value"));
  assert_int_equal(set_flag(f, &used, "--port=", NULL), STATUS_INVALID);
  assert_int_equal(set_flag(f, &used, "--db-path", "--dev"), STATUS_INVALID);
  assert_int_equal(used, 1);
  assert_int_equal(set_flag(f, &used, "--log-format=xml", NULL), STATUS_INVALID);
  assert_non_null(strstr(f->err.message, "json|text"));
  assert_int_equal(set_flag(f, &used, "--log-level=INF", NULL), STATUS_INVALID);
  assert_int_equal(f->o.port, 8080);
  assert_string_equal(f->o.log_format, "json");
}

static void test_the_token_has_no_flag(void **state) {
  struct fixture *f = *state;
  int used;
  assert_int_equal(set_flag(f, &used, "--api-token=x", NULL), STATUS_NOT_FOUND);
  for (size_t i = 0; i < option_table_size; i++)
    if (option_table[i].secret) assert_null(option_table[i].flag);
}

static void test_the_token_of_a_file(void **state) {
  struct fixture *f = *state;
  FILE *file = fopen("token", "we");
  assert_non_null(file);
  fputs("of-a-file\n", file);
  fclose(file);
  setenv("ARAGORA_API_TOKEN_FILE", "token", 1);
  options_done(&f->o);
  assert_int_equal(chmod("token", 0644), 0);
  assert_int_equal(options_init(&f->o, &f->err), STATUS_INVALID);
  assert_non_null(strstr(f->err.message, "ARAGORA_API_TOKEN_FILE: token has mode 0644"));
  assert_int_equal(chmod("token", 0600), 0);
  assert_int_equal(options_init(&f->o, &f->err), STATUS_OK);
  assert_string_equal(f->o.api_token, "of-a-file");
  unsetenv("ARAGORA_API_TOKEN_FILE");
  unlink("token");
}

static void test_the_table_is_sound(void **state) {
  (void)state;
  for (size_t i = 0; i < option_table_size; i++) {
    const struct option *a = &option_table[i];
    assert_true(a->flag || a->variable);
    assert_true(!a->flag || strncmp(a->flag, "--", 2) == 0);
    assert_true(!a->variable || strncmp(a->variable, "ARAGORA_", 8) == 0 ||
                strncmp(a->variable, "AWS_", 4) == 0);
    assert_true(a->help && *a->help && !strchr(a->help, '\n'));
    assert_true(a->type == OPTION_BOOL || (a->meta && *a->meta));
    for (size_t j = 0; j < i; j++) {
      const struct option *b = &option_table[j];
      if (a->flag && b->flag) assert_string_not_equal(a->flag, b->flag);
      if (a->variable && b->variable) assert_string_not_equal(a->variable, b->variable);
      if (a->offset == b->offset) assert_int_equal(a->type, b->type);
    }
  }
}

/* Every field is in the table: one that was forgotten would be 0 whatever is set. */
static void test_the_table_covers_the_struct(void **state) {
  (void)state;
  unsigned char covered[sizeof(struct options)] = {0};
  for (size_t i = 0; i < option_table_size; i++) {
    const struct option *row = &option_table[i];
    /* A bool is padded to the field after it, which is a pointer everywhere in this struct. */
    size_t size = sizeof(int64_t);
    assert_true(row->offset + size <= sizeof covered);
    memset(covered + row->offset, 1, size);
  }
  /* Two are no settings: what was read, and what could not be. */
  memset(covered + offsetof(struct options, sources), 1, sizeof(struct option_source *));
  memset(covered + offsetof(struct options, config_unread), 1, sizeof(char *));
  for (size_t i = 0; i < sizeof covered; i++) assert_int_equal(covered[i], 1);
}

static void test_files_beside_the_named_database(void **state) {
  struct fixture *f = *state;
  int used;
  assert_int_equal(set_flag(f, &used, "--db-path=data/x.db", NULL), STATUS_OK);
  assert_int_equal(options_place_files(&f->o, &f->err), STATUS_OK);
  assert_string_equal(f->o.data_dir, "data");
  assert_string_equal(f->o.db_path, "data/x.db");
  assert_string_equal(f->o.elo_path, "data/aragora_elo.db");
  assert_string_equal(f->o.archive_dir, "data/archive");
  assert_true(f->o.archive);
  struct stat st;
  assert_int_equal(stat("data", &st), 0);
  assert_int_equal(st.st_mode & 07777 & ~0750, 0);
}

static void test_files_in_the_named_directory(void **state) {
  struct fixture *f = *state;
  int used;
  setenv("STATE_DIRECTORY", "/nowhere", 1);
  assert_int_equal(set_flag(f, &used, "--data-dir", "data"), STATUS_OK);
  assert_int_equal(set_flag(f, &used, "--elo-path", "./e.db"), STATUS_OK);
  assert_int_equal(options_place_files(&f->o, &f->err), STATUS_OK);
  assert_string_equal(f->o.db_path, "data/aragora_memory.db");
  assert_string_equal(f->o.elo_path, "./e.db");
}

static void test_files_without_a_name(void **state) {
  struct fixture *f = *state;
  if (access("/data", W_OK | X_OK) == 0) skip();
  setenv("STATE_DIRECTORY", "state:other", 1);
  assert_int_equal(options_place_files(&f->o, &f->err), STATUS_OK);
  assert_string_equal(f->o.db_path, "state/aragora_memory.db");
  options_done(&f->o);
  unsetenv("STATE_DIRECTORY");
  assert_int_equal(options_init(&f->o, &f->err), STATUS_OK);
  assert_int_equal(options_place_files(&f->o, &f->err), STATUS_OK);
  assert_string_equal(f->o.db_path, "data/aragora_memory.db");
}

static void test_a_place_that_cannot_be(void **state) {
  struct fixture *f = *state;
  int used;
  assert_int_equal(set_flag(f, &used, "--data-dir=no/such/parent", NULL), STATUS_OK);
  assert_int_equal(options_place_files(&f->o, &f->err), STATUS_IO);
  assert_non_null(strstr(f->err.message, "no/such/parent"));
  assert_int_equal(set_flag(f, &used, "--data-dir=/dev/null", NULL), STATUS_OK);
  assert_int_equal(options_place_files(&f->o, &f->err), STATUS_IO);
  assert_non_null(strstr(f->err.message, "/dev/null"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_defaults_are_the_runbooks),
      TEST(test_environment),
      TEST(test_the_first_name_of_a_field_wins),
      TEST(test_a_bad_variable_is_named),
      TEST(test_dollars_are_exact),
      TEST(test_flags_with_a_value),
      TEST(test_flags_without_a_value),
      TEST(test_bad_flags),
      TEST(test_the_token_has_no_flag),
      TEST(test_the_token_of_a_file),
      TEST(test_the_table_is_sound),
      TEST(test_the_table_covers_the_struct),
      TEST(test_files_beside_the_named_database),
      TEST(test_files_in_the_named_directory),
      TEST(test_files_without_a_name),
      TEST(test_a_place_that_cannot_be),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
