/* What a replay is given of two archives: one on this disk, one in the place of backups. */
#include "ops/archive_gather.h"

#include "ops/disk.h"
#include "segments.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define OURS  "11111111111111111111111111111111"
#define OTHER "22222222222222222222222222222222"
#define THIRD "33333333333333333333333333333333"

struct fixture {
  char root[64], local[96], there[96], into[96];
  struct place *place;
};

static int setup(void **state) {
  struct fixture *f = calloc(1, sizeof *f);
  const struct place_settings none = {0};
  snprintf(f->root, sizeof f->root, "/tmp/aragora-gather-XXXXXX");
  if (!mkdtemp(f->root)) return -1;
  snprintf(f->local, sizeof f->local, "%s/local", f->root);
  snprintf(f->there, sizeof f->there, "%s/there", f->root);
  snprintf(f->into, sizeof f->into, "%s/into", f->root);
  *state = f;
  return place_open(f->there, &none, &f->place, NULL) ? -1 : 0;
}

static int teardown(void **state) {
  struct fixture *f = *state;
  place_close(f->place);
  int rc = disk_remove(f->root, NULL) ? -1 : 0;
  free(f);
  return rc;
}

/* Ten records each, of commits 1 to 10, 11 to 20, ...; commit n is of n seconds. */
static struct test_segment tenth(uint64_t n) {
  return (struct test_segment){OURS, 10 * n + 1, 10, 10000 * (int64_t)n, 0, 5};
}

static void local(struct fixture *f, uint64_t n, enum segment_form form) {
  struct test_segment s = tenth(n);
  segment_make(f->local, &s, form);
}

static void ship(struct fixture *f, uint64_t n) {
  struct test_segment s = tenth(n);
  segment_ship(f->place, &s);
}

static size_t gather(struct fixture *f, uint64_t number, int64_t until_ms) {
  const struct archive_wanted wanted = {
      .local = f->local, .place = f->place, .chain = OURS, .number = number, .until_ms = until_ms};
  size_t segments = 0;
  struct error err = {0};
  assert_int_equal(disk_remove(f->into, NULL), STATUS_OK);
  assert_int_equal(mkdir(f->into, 0700), 0);
  if (archive_gather(&wanted, f->into, &segments, &err)) fail_msg("%s", err.message);
  return segments;
}

static const char *const letters = "spo"; /* sealed, packed, open */

/* "1s 11p": the segments and their forms. */
static void assert_gathered(struct fixture *f, const char *expected) {
  struct segment_name *names;
  size_t count;
  BUFFER_LATER struct buffer found;
  buffer_init(&found, 1024);
  assert_int_equal(archive_segments(f->into, OURS, &names, &count, NULL), STATUS_OK);
  for (size_t i = 0; i < count; i++) {
    struct segment s;
    buffer_printf(&found, "%s%d%c", i ? " " : "", (int)names[i].first, letters[names[i].form]);
    assert_int_equal(archive_load(f->into, OURS, &names[i], &s, NULL), STATUS_OK);
    segment_free(&s);
  }
  buffer_append_char(&found, 0);
  assert_string_equal(found.ptr, expected);
  free(names);
}

static void each_comes_from_where_it_is_whole(void **state) {
  struct fixture *f = *state;
  assert_int_equal(gather(f, 0, INT64_MAX), 0);
  local(f, 0, SEGMENT_SEALED);
  ship(f, 0);
  ship(f, 1);
  local(f, 2, SEGMENT_PACKED);
  struct test_segment part = tenth(3);
  part.records = 2; /* it was sealed after somebody had copied the disk */
  segment_make(f->local, &part, SEGMENT_OPEN);
  ship(f, 3);
  local(f, 4, SEGMENT_OPEN);
  assert_int_equal(gather(f, 0, INT64_MAX), 5);
  assert_gathered(f, "1s 11p 21p 31p 41o");
}

static void a_damaged_one_is_taken_from_the_place(void **state) {
  struct fixture *f = *state;
  struct segment_name name = {.first = 1};
  struct test_segment torn = tenth(0);
  torn.records = 7;
  segment_make(f->local, &torn, SEGMENT_SEALED);
  archive_segment_name(1, SEGMENT_SEALED, name.name);
  FREE_LATER char *path = archive_chain_path(f->local, OURS, name.name);
  assert_int_equal(truncate(path, SEGMENT_HEAD + 7 * RECORD_HEAD - 1), 0);
  assert_int_equal(gather(f, 0, INT64_MAX), 1);
  assert_gathered(f, "1s"); /* it is all there is */
  ship(f, 0);
  assert_int_equal(gather(f, 0, INT64_MAX), 1);
  assert_gathered(f, "1p");
}

static void none_is_fetched_that_is_not_needed(void **state) {
  struct fixture *f = *state;
  for (uint64_t n = 0; n < 6; n++) ship(f, n);
  gather(f, 15, 35500); /* after commit 15, up to commit 35; 41 begins behind it */
  assert_gathered(f, "11p 21p 31p 41p");
  gather(f, 20, 20000);
  assert_gathered(f, "21p 31p");
  gather(f, 1000, INT64_MAX);
  assert_gathered(f, "51p");
}

/* The head that was put there for the chain, or false. */
static bool next_head(struct fixture *f, const char *chain, struct segment_head *ret) {
  return archive_load_chain_head(f->into, chain, ret) == STATUS_OK;
}

static void the_next_chain_is_known(void **state) {
  struct fixture *f = *state;
  struct segment_head head;
  ship(f, 0);
  segment_ship(f->place, &(struct test_segment){THIRD, 90, 1, 80000, 80000, 1});
  segment_ship(f->place, &(struct test_segment){OTHER, 30, 1, 40000, 40000, 1});
  gather(f, 0, 10000); /* the end of the chain is its last commit, at this moment */
  assert_false(next_head(f, THIRD, &head)); /* it began after that */
  assert_true(next_head(f, OTHER, &head));
  assert_int_equal(head.begun_ms, 40000);
  assert_true(head.order > 5);
  gather(f, 0, 5000);
  assert_true(next_head(f, OTHER, &head)); /* no segment begins behind the moment */
  ship(f, 1);
  gather(f, 0, 5000);
  assert_false(next_head(f, OTHER, &head)); /* one does: not asked for */
}

static void chains_of_one_archive_have_an_order(void **state) {
  struct fixture *f = *state;
  struct segment_head head;
  local(f, 0, SEGMENT_SEALED);
  /* The clock was set back: it began later, at an earlier time. */
  segment_make(f->local, &(struct test_segment){OTHER, 30, 1, -5000, -5000, 6}, SEGMENT_SEALED);
  /* An earlier one, when the clock was ahead. */
  segment_make(f->local, &(struct test_segment){THIRD, 1, 1, 70000, 70000, 4}, SEGMENT_SEALED);
  gather(f, 0, INT64_MAX);
  assert_true(next_head(f, OTHER, &head));
  assert_false(next_head(f, THIRD, &head));
  /* This disk knows nothing of ours: the machine is another one, and its numbers begin anew. */
  assert_int_equal(disk_remove(f->local, NULL), STATUS_OK);
  ship(f, 0);
  segment_make(f->local, &(struct test_segment){OTHER, 30, 1, -5000, -5000, 6}, SEGMENT_SEALED);
  segment_make(f->local, &(struct test_segment){THIRD, 1, 1, 70000, 70000, 1}, SEGMENT_OPEN);
  gather(f, 0, INT64_MAX);
  assert_false(next_head(f, OTHER, &head));
  assert_true(next_head(f, THIRD, &head));
  assert_int_equal(head.order, 6);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(each_comes_from_where_it_is_whole, setup, teardown),
      cmocka_unit_test_setup_teardown(a_damaged_one_is_taken_from_the_place, setup, teardown),
      cmocka_unit_test_setup_teardown(none_is_fetched_that_is_not_needed, setup, teardown),
      cmocka_unit_test_setup_teardown(the_next_chain_is_known, setup, teardown),
      cmocka_unit_test_setup_teardown(chains_of_one_archive_have_an_order, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
