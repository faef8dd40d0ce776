/* Which segments of the archive a place has. */
#include "ops/shipped.h"

#include "ops/disk.h"

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

static void a_set_is_in_order_and_has_no_second(void **state) {
  (void)state;
  static const uint64_t added[] = {5, 9, 1, 7, 9, 3, 5, 100, 2};
  static const uint64_t expected[] = {1, 2, 3, 5, 7, 9, 100};
  struct shipped s = {0};
  for (size_t i = 0; i < sizeof added / sizeof *added; i++)
    assert_int_equal(shipped_add(&s, ONE, added[i], NULL), STATUS_OK);
  assert_int_equal(shipped_add(&s, TWO, 4, NULL), STATUS_OK);
  const struct shipped_chain *c = shipped_find(&s, ONE);
  assert_non_null(c);
  assert_int_equal(c->count, 7);
  assert_memory_equal(c->firsts, expected, sizeof expected);
  assert_int_equal(s.segments, 8);
  assert_true(shipped_has(&s, ONE, 7));
  assert_false(shipped_has(&s, ONE, 4));
  assert_true(shipped_has(&s, TWO, 4));
  assert_null(shipped_find(&s, "33333333333333333333333333333333"));
  shipped_done(&s);
  assert_int_equal(s.count, 0);
}

static void put(struct place *place, const char *dir, const char *key) {
  char path[DISK_PATH_MAX];
  static const uint8_t no_hash[32];
  assert_int_equal(disk_path(dir, "file", path, NULL), STATUS_OK);
  assert_int_equal(disk_write(path, BYTES_LITERAL("x"), NULL), STATUS_OK);
  assert_int_equal(place_put(place, key, path, no_hash, NULL, NULL), STATUS_OK);
}

static void a_place_has_what_is_named_as_a_segment(void **state) {
  (void)state;
  static const char *const others[] = {
      "20261129T142314Z-hot-0a1b2c3d/manifest.json",
      "archive/lock",
      "archive/" ONE "/00000000000000000002.seg",
      "archive/" ONE "/0000000000000000003.seg.zst",
      "archive/" ONE "/00000000000000000004.seg.zst.x",
      "archive/" ONE "0/00000000000000000005.seg.zst",
      "archive/1111111111111111111111111111111x/00000000000000000006.seg.zst",
      "archived/" ONE "/00000000000000000007.seg.zst",
  };
  char dir[] = "/tmp/aragora-shipped-XXXXXX", key[PLACE_KEY_MAX];
  const struct place_settings none = {0};
  struct place *place;
  struct shipped s;
  assert_non_null(mkdtemp(dir));
  assert_int_equal(place_open(dir, &none, &place, NULL), STATUS_OK);
  assert_int_equal(shipped_read(place, &s, NULL), STATUS_OK);
  assert_int_equal(s.segments, 0);
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) put(place, dir, others[i]);
  for (uint64_t first = 300; first > 0; first -= 100) {
    shipped_key(ONE, first, key);
    put(place, dir, key);
  }
  assert_string_equal(key, "archive/" ONE "/00000000000000000100.seg.zst");
  assert_int_equal(shipped_read(place, &s, NULL), STATUS_OK);
  assert_int_equal(s.segments, 3);
  assert_int_equal(s.count, 1);
  for (size_t i = 0; i < 3; i++) assert_int_equal(s.chains[0].firsts[i], 100 * (i + 1));
  shipped_done(&s);
  place_close(place);
  assert_int_equal(disk_remove(dir, NULL), STATUS_OK);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_set_is_in_order_and_has_no_second),
                                     cmocka_unit_test(a_place_has_what_is_named_as_a_segment)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
