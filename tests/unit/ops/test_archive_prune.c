/* Which segments of the archive go with the backups that needed them. */
#include "ops/archive_prune.h"

#include "ops/shipped.h"
#include "segments.h"

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
  make(LEFT, "00000000000000000002.part.void", 1000);
  make(LEFT, "stamp", 1000);
  make(LEFT, "base", 1000);
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

/* Nobody makes backups with us: what a copy made by other means may need stays as long as a full
 * backup would. */
static void a_chain_without_a_backup_loses_what_is_old(void **state) {
  snprintf(dir, sizeof dir, "/tmp/aragora-prune-XXXXXX");
  assert_non_null(mkdtemp(dir));
  make(ALIVE, "stamp", 1000);
  make(ALIVE, "00000000000000000001.seg", 1000);
  make(ALIVE, "00000000000000000010.seg", 2000);
  make(ALIVE, "00000000000000000020.seg", 3000);
  make(ALIVE, "00000000000000000030.part", 1000);
  assert_int_equal(prune(1, 1000000), 0);
  assert_int_equal(prune(1, 2000000), 1);
  assert_true(is_there(ALIVE, "00000000000000000010.seg"));
  assert_int_equal(prune(1, 9000000), 2);
  assert_true(is_there(ALIVE, "00000000000000000030.part") && is_there(ALIVE, "stamp"));
}

/* ---- in the place ---- */

static struct place *place;

static bool is_shipped(const char *chain, uint64_t first) {
  struct shipped shipped;
  assert_int_equal(shipped_read(place, &shipped, NULL), STATUS_OK);
  bool found = shipped_has(&shipped, chain, first);
  shipped_done(&shipped);
  return found;
}

static size_t prune_place(uint64_t number, int64_t before_ms) {
  struct catalogue_entry entry = {.readable = true};
  struct catalogue backups = {&entry, 1};
  size_t removed;
  snprintf(entry.manifest.chain, sizeof entry.manifest.chain, KEPT);
  entry.manifest.number = (int64_t)number;
  assert_int_equal(archive_prune_place(place, &backups, ALIVE, before_ms, &removed, NULL),
                   STATUS_OK);
  return removed;
}

static void what_was_shipped_goes_likewise(void **state) {
  const struct place_settings none = {0};
  snprintf(dir, sizeof dir, "/tmp/aragora-prune-XXXXXX");
  assert_non_null(mkdtemp(dir));
  assert_int_equal(place_open(dir, &none, &place, NULL), STATUS_OK);
  for (uint64_t first = 1; first <= 20; first += first == 1 ? 9 : 10)
    segment_ship(place, &(struct test_segment){KEPT, first, 1, 1000000, 1000, 1});
  segment_ship(place, &(struct test_segment){LEFT, 1, 1, 500000, 500000, 1});
  segment_ship(place, &(struct test_segment){LEFT, 2, 1, 1000000, 500000, 1});
  segment_ship(place, &(struct test_segment){ALIVE, 1, 1, 1000, 1000, 1});
  make("20261129T142314Z-hot-0a1b2c3d", "manifest.json", 1000); /* not its business */
  assert_int_equal(prune_place(8, 0), 0);
  assert_int_equal(prune_place(9, 1000000), 1);
  assert_false(is_shipped(KEPT, 1));
  assert_true(is_shipped(KEPT, 10) && is_shipped(KEPT, 20) && is_shipped(LEFT, 1));
  assert_int_equal(prune_place(500, 1000000), 1);
  assert_true(is_shipped(KEPT, 20));
  /* By the time before the last segment: when it was last written. */
  assert_int_equal(prune_place(500, 1000001), 2);
  assert_false(is_shipped(LEFT, 1) || is_shipped(LEFT, 2));
  assert_true(is_shipped(ALIVE, 1));
  assert_true(is_there("20261129T142314Z-hot-0a1b2c3d", "manifest.json"));
  place_close(place);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(what_a_backup_may_need_stays),
                                     cmocka_unit_test(a_chain_without_a_backup_loses_what_is_old),
                                     cmocka_unit_test(what_was_shipped_goes_likewise)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
