/* Which segments of the archive go with the backups that needed them. */
#include "ops/archive_prune.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define KEPT  "11111111111111111111111111111111"
#define LEFT  "22222222222222222222222222222222"
#define ALIVE "33333333333333333333333333333333"

static char dir[64];

static void make(const char *chain, const char *name, time_t written) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s", dir, chain);
  mkdir(path, 0700);
  snprintf(path, sizeof path, "%s/%s/%s", dir, chain, name);
  int fd = open(path, O_CREAT | O_WRONLY, 0600);
  assert_true(fd >= 0);
  close(fd);
  const struct timespec times[2] = {{written, 0}, {written, 0}};
  assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static bool is_there(const char *chain, const char *name) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s/%s", dir, chain, name);
  return access(path, F_OK) == 0;
}

static size_t prune(uint64_t number, int64_t before_ms) {
  struct catalogue_entry entry = {.readable = true};
  struct catalogue backups = {&entry, 1};
  size_t removed;
  snprintf(entry.manifest.chain, sizeof entry.manifest.chain, KEPT);
  entry.manifest.number = (int64_t)number;
  assert_int_equal(archive_prune(dir, &backups, ALIVE, before_ms, &removed, NULL), STATUS_OK);
  return removed;
}

static void what_a_backup_may_need_stays(void **state) {
  snprintf(dir, sizeof dir, "/tmp/aragora-prune-XXXXXX");
  assert_non_null(mkdtemp(dir));
  make(KEPT, "00000000000000000001.seg", 1000);
  make(KEPT, "00000000000000000010.seg.zst", 1000);
  make(KEPT, "00000000000000000020.part", 1000);
  make(LEFT, "00000000000000000001.seg", 1000);
  make(ALIVE, "00000000000000000001.part", 1000);
  /* The second segment begins with commit 10: a backup at 8 still needs the first for its 9. */
  assert_int_equal(prune(8, 0), 0);
  assert_int_equal(prune(9, 1000000), 1);
  assert_false(is_there(KEPT, "00000000000000000001.seg"));
  assert_true(is_there(KEPT, "00000000000000000010.seg.zst"));
  assert_true(is_there(LEFT, "00000000000000000001.seg"));
  assert_int_equal(prune(500, 1000000), 1);
  assert_true(is_there(KEPT, "00000000000000000020.part"));
  assert_int_equal(prune(500, 1000001), 1);
  assert_false(is_there(LEFT, ""));
  assert_true(is_there(ALIVE, "00000000000000000001.part"));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(what_a_backup_may_need_stays)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
