/* Two files take the place of two others, wherever it is cut off. The files are plain texts here;
 * that SQLite then reads the right ones is for the system tests. */
#include "store/replacement.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct place {
  char dir[64], memory[128], elo[128];
};

static void write_file(const char *path, const char *end, const char *text) {
  char full[512];
  snprintf(full, sizeof full, "%s%s", path, end);
  FILE *file = fopen(full, "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
}

static void assert_file(const char *path, const char *end, const char *text) {
  char full[512], found[64] = "";
  snprintf(full, sizeof full, "%s%s", path, end);
  FILE *file = fopen(full, "r");
  if (!text) {
    assert_null(file);
    return;
  }
  if (!file) fail_msg("there is no %s", full);
  if (!fgets(found, sizeof found, file)) found[0] = 0;
  fclose(file);
  assert_string_equal(found, text);
}

static int setup(void **state) {
  struct place *p = calloc(1, sizeof *p);
  snprintf(p->dir, sizeof p->dir, "/tmp/aragora-replace-XXXXXX");
  if (!mkdtemp(p->dir)) return -1;
  snprintf(p->memory, sizeof p->memory, "%s/m.db", p->dir);
  snprintf(p->elo, sizeof p->elo, "%s/e.db", p->dir);
  write_file(p->memory, "", "old m");
  write_file(p->memory, "-wal", "old wal");
  write_file(p->memory, "-shm", "old shm");
  write_file(p->elo, "", "old e");
  write_file(p->memory, ".restored", "new m");
  write_file(p->elo, ".restored", "new e");
  *state = p;
  return 0;
}

static int teardown(void **state) {
  struct place *p = *state;
  char command[128];
  snprintf(command, sizeof command, "rm -rf %s", p->dir);
  int rc = system(command);
  free(p);
  return rc;
}

static void assert_new(const struct place *p) {
  assert_file(p->memory, "", "new m");
  assert_file(p->elo, "", "new e");
  assert_file(p->memory, "-wal", NULL);
  assert_file(p->memory, "-shm", NULL);
  assert_file(p->memory, ".restored", NULL);
  assert_file(p->memory, ".replace", NULL);
  assert_file(p->memory, ".before", "old m");
  assert_file(p->memory, ".before-wal", "old wal");
  assert_file(p->memory, ".before-shm", "old shm");
  assert_file(p->elo, ".before", "old e");
}

static void finish(const struct place *p) {
  struct error err = {0};
  if (replacement_finish(p->memory, &err)) fail_msg("%s", err.message);
}

static void test_replaces_both(void **state) {
  struct place *p = *state;
  struct error err = {0};
  if (replacement_run(p->memory, p->elo, "before", &err)) fail_msg("%s", err.message);
  assert_new(p);
  finish(p);
  assert_new(p);
}

static void test_nothing_to_finish(void **state) {
  struct place *p = *state;
  finish(p);
  assert_file(p->memory, "", "old m");
  assert_file(p->memory, "-wal", "old wal");
  assert_file(p->memory, ".restored", "new m");
}

/* Every state that a crash may leave between the note and its removal. */
static void test_goes_on_from_anywhere(void **state) {
  struct place *p = *state;
  static const char *const moves[][2] = {
      {"m.db-wal", "m.db.before-wal"}, {"m.db-shm", "m.db.before-shm"}, {"m.db", "m.db.before"},
      {"m.db.restored", "m.db"},       {"e.db", "e.db.before"},         {"e.db.restored", "e.db"},
  };
  enum { MOVES = sizeof moves / sizeof *moves };
  for (int done = 0; done <= MOVES; done++) {
    write_file(p->memory, ".replace", "aside before\nmemory m.db\nelo e.db\n");
    for (int i = 0; i < done; i++) {
      char from[256], to[256];
      snprintf(from, sizeof from, "%s/%s", p->dir, moves[i][0]);
      snprintf(to, sizeof to, "%s/%s", p->dir, moves[i][1]);
      assert_int_equal(rename(from, to), 0);
    }
    finish(p);
    assert_new(p);
    void *again = NULL;
    assert_int_equal(teardown(state), 0);
    assert_int_equal(setup(&again), 0);
    *state = p = again;
  }
}

static void test_files_in_other_directories(void **state) {
  struct place *p = *state;
  char dir[128], elo[192], note[PATH_MAX + 256];
  struct error err = {0};
  snprintf(dir, sizeof dir, "%s/other", p->dir);
  snprintf(elo, sizeof elo, "%s/e.db", dir);
  assert_int_equal(mkdir(dir, 0700), 0);
  write_file(elo, ".restored", "new e");
  write_file(p->memory, ".replace", "aside before\nmemory m.db\n"); /* half a note */
  assert_int_equal(replacement_finish(p->memory, &err), STATUS_CORRUPT);
  assert_non_null(strstr(err.message, "m.db.replace"));
  assert_file(p->memory, "", "old m");
  snprintf(note, sizeof note, "%s.replace", p->memory);
  assert_int_equal(unlink(note), 0);
  if (replacement_run(p->memory, elo, "before", &err)) fail_msg("%s", err.message);
  assert_file(p->memory, "", "new m");
  assert_file(elo, "", "new e");
  assert_file(elo, ".before", NULL); /* there was none */
  assert_file(p->elo, "", "old e");
}

static void test_a_note_that_leaves_the_place(void **state) {
  struct place *p = *state;
  struct error err = {0};
  write_file(p->memory, ".replace", "aside ../up\nmemory m.db\nelo e.db\n");
  assert_int_equal(replacement_finish(p->memory, &err), STATUS_CORRUPT);
  assert_file(p->memory, "", "old m");
}

/* Many at once: one does it, the others wait and find it done. */
static void test_several_at_once(void **state) {
  struct place *p = *state;
  write_file(p->memory, ".replace", "aside before\nmemory m.db\nelo e.db\n");
  enum { CHILDREN = 8 };
  pid_t children[CHILDREN];
  for (int i = 0; i < CHILDREN; i++) {
    children[i] = fork();
    if (children[i] == 0) _exit(replacement_finish(p->memory, NULL) ? 1 : 0);
  }
  for (int i = 0; i < CHILDREN; i++) {
    int status = -1;
    waitpid(children[i], &status, 0);
    assert_int_equal(status, 0);
  }
  assert_new(p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
      TEST(test_replaces_both),
      TEST(test_nothing_to_finish),
      TEST(test_goes_on_from_anywhere),
      TEST(test_files_in_other_directories),
      TEST(test_a_note_that_leaves_the_place),
      TEST(test_several_at_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
