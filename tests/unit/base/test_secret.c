/* Secrets from the environment and from files: what is taken, what is refused, and that no error
 * quotes one. */
#include "base/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#define CANARY "sk-canary-1234567890"

enum { NOBODY = 65534, STICKY = 01000 };

struct fixture {
  char path[64];
  char *secret;
  struct error err;
};

static int setup(void **state) {
  struct fixture *f = calloc(1, sizeof *f);
  strcpy(f->path, "/tmp/aragora_secret_XXXXXX");
  int fd = mkstemp(f->path); /* mode 0600 */
  if (fd < 0) return -1;
  close(fd);
  unsetenv("THE_KEY");
  setenv("THE_KEY_FILE", f->path, 1);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  struct fixture *f = *state;
  unlink(f->path);
  rmdir(f->path);
  unsetenv("THE_KEY");
  unsetenv("THE_KEY_FILE");
  unsetenv("CREDENTIALS_DIRECTORY");
  secret_free(f->secret);
  free(f);
  return 0;
}

static void hold(const struct fixture *f, const void *data, size_t len) {
  FILE *file = fopen(f->path, "we");
  assert_non_null(file);
  assert_int_equal(fwrite(data, 1, len, file), len);
  assert_int_equal(fclose(file), 0);
}

static void expect_secret(struct fixture *f, const char *secret) {
  secret_free(f->secret);
  f->secret = NULL;
  if (secret_read("THE_KEY", &f->secret, &f->err)) fail_msg("%s", f->err.message);
  if (secret)
    assert_string_equal(f->secret, secret);
  else
    assert_null(f->secret);
}

static void expect_error(struct fixture *f, enum status status, const char *words) {
  f->err = (struct error){0};
  assert_int_equal(secret_read("THE_KEY", &f->secret, &f->err), status);
  assert_null(f->secret);
  if (!strstr(f->err.message, words)) fail_msg("\"%s\" without \"%s\"", f->err.message, words);
  assert_non_null(strstr(f->err.message, "THE_KEY_FILE"));
  assert_null(strstr(f->err.message, "canary"));
}

static void test_of_the_variable(void **state) {
  struct fixture *f = *state;
  setenv("THE_KEY", CANARY, 1);
  setenv("THE_KEY_FILE", "", 1); /* as unset */
  expect_secret(f, CANARY);
  setenv("THE_KEY", "", 1);
  expect_secret(f, NULL);
  unsetenv("THE_KEY");
  unsetenv("THE_KEY_FILE");
  expect_secret(f, NULL);
}

static void test_of_the_file(void **state) {
  static const char *const forms[] = {CANARY, CANARY "\n", CANARY "\r\n"};
  struct fixture *f = *state;
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
    hold(f, forms[i], strlen(forms[i]));
    expect_secret(f, CANARY);
  }
  hold(f, CANARY "\n\n", strlen(CANARY) + 2);
  expect_secret(f, CANARY "\n"); /* one line end; what remains is whoever uses it to refuse */
  assert_int_equal(chmod(f->path, 0400), 0);
  expect_secret(f, CANARY "\n");
}

static void test_not_both(void **state) {
  struct fixture *f = *state;
  hold(f, CANARY, strlen(CANARY));
  setenv("THE_KEY", CANARY, 1);
  expect_error(f, STATUS_INVALID, "THE_KEY and THE_KEY_FILE are both set");
}

static void test_a_mode_that_lets_others_in(void **state) {
  static const mode_t modes[] = {0640, 0604, 0620, 0602, 0644, 0660, 0777, 0610, STICKY | 0601};
  struct fixture *f = *state;
  hold(f, CANARY, strlen(CANARY));
  for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
    char mode[32];
    snprintf(mode, sizeof mode, "has mode %04o", (unsigned)modes[i]);
    assert_int_equal(chmod(f->path, modes[i]), 0);
    expect_error(f, STATUS_INVALID, mode);
  }
}

static void test_a_stranger_s_file(void **state) {
  struct fixture *f = *state;
  hold(f, CANARY, strlen(CANARY));
  if (chown(f->path, NOBODY, NOBODY)) skip(); /* only root gives files away */
  expect_error(f, STATUS_INVALID, "belongs to user 65534");
}

static void test_what_is_no_secret(void **state) {
  struct fixture *f = *state;
  hold(f, "", 0);
  expect_error(f, STATUS_INVALID, "is empty");
  hold(f, "\n", 1);
  expect_error(f, STATUS_INVALID, "is empty");
  hold(f, "sk-canary\0x", 11);
  expect_error(f, STATUS_INVALID, "is not a text");
}

static void test_the_longest(void **state) {
  struct fixture *f = *state;
  char text[SECRET_BYTES_MAX + 8];
  memset(text, 'k', sizeof text);
  text[SECRET_BYTES_MAX] = '\n';
  hold(f, text, SECRET_BYTES_MAX + 1);
  text[SECRET_BYTES_MAX] = 0;
  expect_secret(f, text);
  secret_free(f->secret);
  f->secret = NULL;
  memset(text, 'k', sizeof text);
  hold(f, text, SECRET_BYTES_MAX + 1);
  expect_error(f, STATUS_INVALID, "more than 4096 bytes");
  hold(f, text, sizeof text);
  expect_error(f, STATUS_INVALID, "more than 4096 bytes");
}

static void test_what_is_no_file(void **state) {
  struct fixture *f = *state;
  assert_int_equal(unlink(f->path), 0);
  expect_error(f, STATUS_IO, "cannot read /tmp/aragora_secret_");
  assert_int_equal(mkdir(f->path, 0700), 0);
  expect_error(f, STATUS_INVALID, "is not a regular file");
  assert_int_equal(rmdir(f->path), 0);
  assert_int_equal(mkfifo(f->path, 0600), 0); /* nobody ever writes to it */
  expect_error(f, STATUS_INVALID, "is not a regular file");
}

/* As systemd hands them over: by the variable's name in a directory, 0440 where an access control
 * list gives the right. */
static void test_a_credential(void **state) {
  struct fixture *f = *state;
  char directory[64] = "/tmp/aragora_credentials_XXXXXX", path[128];
  assert_non_null(mkdtemp(directory));
  snprintf(path, sizeof path, "%s/aragora_THE_KEY", directory);
  hold(f, CANARY "\n", sizeof CANARY);
  assert_int_equal(rename(f->path, path), 0);
  assert_int_equal(chmod(path, 0440), 0);
  unsetenv("THE_KEY_FILE");
  expect_secret(f, NULL);
  setenv("CREDENTIALS_DIRECTORY", directory, 1);
  expect_secret(f, CANARY);
  setenv("THE_KEY", "of the variable", 1);
  expect_secret(f, "of the variable");
  unsetenv("THE_KEY");
  secret_free(f->secret);
  f->secret = NULL;
  assert_int_equal(chmod(path, 0444), 0);
  assert_int_equal(secret_read("THE_KEY", &f->secret, &f->err), STATUS_INVALID);
  assert_non_null(strstr(f->err.message, "THE_KEY: "));
  assert_non_null(strstr(f->err.message, "has mode 0444"));
  assert_int_equal(chmod(path, 0440), 0);
  setenv("CREDENTIALS_DIRECTORY", "/tmp", 1); /* elsewhere it is a file like any other */
  setenv("THE_KEY_FILE", path, 1);
  expect_error(f, STATUS_INVALID, "has mode 0440");
  unlink(path);
  rmdir(directory);
}

static void test_equal(void **state) {
  assert_true(secret_equal("abcdefgh", "abcdefgh", 8));
  assert_false(secret_equal("abcdefgh", "abcdefgx", 8));
  assert_false(secret_equal("abcdefgh", "xbcdefgh", 8));
  assert_true(secret_equal("a", "b", 0));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_of_the_variable),   TEST(test_of_the_file),
      TEST(test_not_both),          TEST(test_a_mode_that_lets_others_in),
      TEST(test_a_stranger_s_file), TEST(test_what_is_no_secret),
      TEST(test_the_longest),       TEST(test_what_is_no_file),
      TEST(test_a_credential),      cmocka_unit_test(test_equal),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
