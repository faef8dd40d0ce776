/* `aragora fake-provider` as a process: it says where it listens, serves, and ends on SIGTERM. */
#include "cli/command.h"
#include "fake/fault.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
// clang-format off
#include <cmocka.h>
// clang-format on

enum { ARGS_MAX = 8 };

/* Runs the command with its output in a pipe, *ret_out, and its complaints nowhere. */
static pid_t launch(const char *const *args, int *ret_out) {
  char *argv[ARGS_MAX + 2] = {(char *)(uintptr_t) "fake-provider"};
  int argc = 1;
  int out[2];
  for (; args[argc - 1]; argc++) argv[argc] = (char *)(uintptr_t)args[argc - 1];
  assert_int_equal(pipe(out), 0);
  fflush(NULL);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    dup2(out[1], STDOUT_FILENO);
    if (!freopen("/dev/null", "w", stderr)) _exit(99);
    close(out[0]);
    int code = cli_fake_provider(argc, argv);
    fflush(stdout);
    _exit(code);
  }
  close(out[1]);
  *ret_out = out[0];
  return pid;
}

static int exit_code(pid_t pid) {
  int status;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int run(const char *const *args, struct buffer *out) {
  int fd;
  char piece[4096];
  pid_t pid = launch(args, &fd);
  for (ssize_t n; (n = read(fd, piece, sizeof piece)) > 0;)
    if (out) buffer_append(out, piece, (size_t)n);
  close(fd);
  return exit_code(pid);
}

static void test_serves_until_told(void **state) {
  (void)state;
  static const char *const args[] = {"--port", "0", "--quiet", "--fault=status-529", NULL};
  static const int signals[] = {SIGTERM, SIGINT};
  for (int i = 0; i < 2; i++) {
    char line[100] = "";
    int fd;
    pid_t pid = launch(args, &fd);
    FILE *f = fdopen(fd, "r");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof line, f));
    int port = 0;
    assert_int_equal(sscanf(line, "listening on http://127.0.0.1:%d\n", &port), 1);
    assert_true(port > 0);
    assert_int_equal(kill(pid, signals[i]), 0);
    assert_int_equal(exit_code(pid), 0);
    fclose(f);
  }
}

static void test_usage(void **state) {
  (void)state;
  static const char *const cases[][4] = {
      {"--fault", "nope", NULL},
      {"--change", "sometimes", NULL},
      {"--port", "65536", NULL},
      {"--severity", "1.5", NULL},
      {"--nope", NULL},
      {"extra", NULL},
      {"--port", "0", "--host=here", NULL},
      {"--latency-ms", "-1", NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    assert_int_equal(run(cases[i], NULL), CLI_USAGE);
  assert_int_equal(run((const char *const[]){"--script", "/nonexistent", NULL}, NULL), CLI_ERROR);
}

static void test_help_has_every_fault(void **state) {
  (void)state;
  BUFFER_LATER struct buffer out;
  buffer_init(&out, 1 << 20);
  assert_int_equal(run((const char *const[]){"--help", NULL}, &out), CLI_OK);
  for (size_t i = 0; i < fault_table_size; i++) {
    char line[200];
    /* The words may go on in another line. */
    snprintf(line, sizeof line, "\n  %-20s  %.30s", fault_table[i].name, fault_table[i].help);
    if (!strstr(out.ptr, line)) fail_msg("%s", fault_table[i].name);
  }
}

/* The operators' page names every fault too. */
static void test_page_has_every_fault(void **state) {
  (void)state;
  char path[512];
  BUFFER_LATER struct buffer page;
  buffer_init(&page, 1 << 20);
  snprintf(path, sizeof path, "%s/../docs/fake-provider.md", getenv("ARAGORA_TEST_DATA"));
  FILE *f = fopen(path, "rb");
  assert_non_null(f);
  char piece[4096];
  for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;) buffer_append(&page, piece, n);
  fclose(f);
  for (size_t i = 0; i < fault_table_size; i++) {
    char row[200];
    snprintf(row, sizeof row, "\n| `%s` | %s |\n", fault_table[i].name, fault_table[i].help);
    if (!strstr(page.ptr, row)) fail_msg("%s", fault_table[i].name);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_serves_until_told), cmocka_unit_test(test_usage),
      cmocka_unit_test(test_help_has_every_fault), cmocka_unit_test(test_page_has_every_fault)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
