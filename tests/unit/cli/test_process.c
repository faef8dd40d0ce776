/* What the operating system may see of the process. */
#include "cli/process.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static rlim_t core_limit(void) {
  struct rlimit limit = {1, 1};
  assert_int_equal(getrlimit(RLIMIT_CORE, &limit), 0);
  return limit.rlim_cur;
}

static void test_dumps_are_forbidden_and_allowed_again(void **state) {
  (void)state;
  struct rlimit hard = {0};
  assert_int_equal(getrlimit(RLIMIT_CORE, &hard), 0);
  process_forbid_dumps();
  assert_int_equal(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
  assert_int_equal(core_limit(), 0);
  process_allow_dumps();
  assert_int_equal(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 1);
  assert_int_equal(core_limit(), hard.rlim_max);
}

/* How a child ends that aborts in a directory of its own, after `prepare`. */
static int status_of_abort(void (*prepare)(void)) {
  char dir[] = "/tmp/aragora-process-XXXXXX";
  assert_non_null(mkdtemp(dir));
  pid_t pid = fork();
  if (pid == 0) {
    if (chdir(dir)) _exit(1);
    prepare();
    signal(SIGABRT, SIG_DFL);
    kill(getpid(), SIGABRT);
    _exit(1);
  }
  int status = 0;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  char command[128];
  snprintf(command, sizeof command, "rm -rf %s", dir);
  assert_int_equal(system(command), 0);
  assert_true(WIFSIGNALED(status));
  return status;
}

static void test_an_abort_leaves_no_core(void **state) {
  (void)state;
  assert_false(WCOREDUMP(status_of_abort(process_forbid_dumps)));
  /* Elsewhere, where the machine makes core files at all. */
  if (!WCOREDUMP(status_of_abort(process_allow_dumps))) skip();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_dumps_are_forbidden_and_allowed_again),
      cmocka_unit_test(test_an_abort_leaves_no_core),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
