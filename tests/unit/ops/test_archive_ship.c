/* What of an archive is sent to a place, and what not again. */
#include "ops/archive_ship.h"

#include "ops/disk.h"
#include "segments.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define ONE "11111111111111111111111111111111"
#define TWO "22222222222222222222222222222222"

struct fixture {
  char root[64], archive[96], there[96];
  struct place *place;
  struct shipped known;
  bool stop;
};

static int setup(void **state) {
  struct fixture *f = calloc(1, sizeof *f);
  const struct place_settings none = {0};
  snprintf(f->root, sizeof f->root, "/tmp/aragora-ship-XXXXXX");
  if (!mkdtemp(f->root)) return -1;
  snprintf(f->archive, sizeof f->archive, "%s/own", f->root);
  snprintf(f->there, sizeof f->there, "%s/there", f->root);
  *state = f;
  return place_open(f->there, &none, &f->place, NULL) ? -1 : 0;
}

static int teardown(void **state) {
  struct fixture *f = *state;
  place_close(f->place);
  shipped_done(&f->known);
  int rc = disk_remove(f->root, NULL) ? -1 : 0;
  free(f);
  return rc;
}

static void make(struct fixture *f, const char *chain, uint64_t first, enum segment_form form) {
  segment_make(f->archive, &(struct test_segment){chain, first, 3, 1000, 1000, 1}, form);
}

static void own_path(const struct fixture *f, const char *chain, uint64_t first, char out[256]) {
  char name[SEGMENT_NAME_SIZE];
  archive_segment_name(first, SEGMENT_SEALED, name);
  snprintf(out, 256, "%s/%s/%s", f->archive, chain, name);
}

static size_t unshipped(struct fixture *f) {
  size_t count;
  assert_int_equal(archive_count_unshipped(f->archive, &f->known, &count, NULL), STATUS_OK);
  return count;
}

static bool go_on(void *ctx, const char *what, int64_t done, int64_t total) {
  const struct fixture *f = ctx;
  (void)what;
  (void)done;
  (void)total;
  return !f->stop;
}

static enum status ship(struct fixture *f) {
  const struct progress progress = {go_on, f};
  return archive_ship(f->archive, f->place, &f->known, &progress, NULL);
}

static void read_place(struct fixture *f, struct shipped *ret) {
  assert_int_equal(shipped_read(f->place, ret, NULL), STATUS_OK);
}

/* As a segment of an archive: the reader must find all its records. */
static void assert_readable(struct fixture *f, const char *chain, uint64_t first) {
  char key[PLACE_KEY_MAX], path[DISK_PATH_MAX];
  struct segment segment;
  struct segment_record record;
  size_t records = 0;
  shipped_key(chain, first, key);
  snprintf(path, sizeof path, "%s/%s", f->there, key);
  assert_int_equal(segment_load(path, &segment, NULL), STATUS_OK);
  while (!segment_next(&segment, &record)) records++;
  assert_int_equal(records, 3);
  assert_int_equal(segment.head.first, first);
  segment_free(&segment);
}

static void sealed_ones_are_sent_once(void **state) {
  struct fixture *f = *state;
  struct shipped there;
  assert_int_equal(unshipped(f), 0); /* no archive at all */
  assert_int_equal(ship(f), STATUS_OK);
  make(f, ONE, 1, SEGMENT_SEALED);
  make(f, ONE, 4, SEGMENT_PACKED);
  make(f, ONE, 7, SEGMENT_OPEN);
  make(f, TWO, 1, SEGMENT_SEALED);
  assert_int_equal(unshipped(f), 3);
  assert_int_equal(ship(f), STATUS_OK);
  assert_int_equal(unshipped(f), 0);
  read_place(f, &there);
  assert_int_equal(there.segments, 3);
  assert_false(shipped_has(&there, ONE, 7));
  shipped_done(&there);
  assert_readable(f, ONE, 1);
  assert_readable(f, ONE, 4);
  assert_readable(f, TWO, 1);
  char path[256];
  own_path(f, ONE, 1, path);
  assert_int_equal(access(path, F_OK), 0); /* the archive is what it was */
  /* What is known to be there is not sent again, were it gone. */
  assert_int_equal(disk_remove(f->there, NULL), STATUS_OK);
  assert_int_equal(ship(f), STATUS_OK);
  assert_int_not_equal(access(f->there, F_OK), 0);
}

static void what_was_pruned_is_forgotten(void **state) {
  struct fixture *f = *state;
  char path[256];
  make(f, ONE, 1, SEGMENT_SEALED);
  make(f, ONE, 4, SEGMENT_SEALED);
  assert_int_equal(ship(f), STATUS_OK);
  own_path(f, ONE, 1, path);
  assert_int_equal(unlink(path), 0);
  assert_int_equal(ship(f), STATUS_OK);
  assert_int_equal(f->known.segments, 1);
  assert_true(shipped_has(&f->known, ONE, 4));
}

static void a_place_that_fails_gets_the_rest_later(void **state) {
  struct fixture *f = *state;
  struct shipped there;
  make(f, ONE, 1, SEGMENT_SEALED);
  assert_int_equal(disk_write(f->there, BYTES_LITERAL("in the way"), NULL), STATUS_OK);
  assert_int_not_equal(ship(f), STATUS_OK);
  assert_int_equal(unshipped(f), 1);
  assert_int_equal(disk_remove(f->there, NULL), STATUS_OK);
  f->stop = true;
  assert_int_equal(ship(f), STATUS_CANCELLED);
  f->stop = false;
  assert_int_equal(ship(f), STATUS_OK);
  read_place(f, &there);
  assert_int_equal(there.segments, 1);
  shipped_done(&there);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(sealed_ones_are_sent_once, setup, teardown),
      cmocka_unit_test_setup_teardown(what_was_pruned_is_forgotten, setup, teardown),
      cmocka_unit_test_setup_teardown(a_place_that_fails_gets_the_rest_later, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
