/* Files packed and unpacked again, whole and damaged. */
#include "ops/pack.h"

#include "ops/disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct files {
  char dir[64], raw[96], packed[96], back[96];
  struct buffer content;
};

static int setup(void **state) {
  struct files *f = calloc(1, sizeof *f);
  snprintf(f->dir, sizeof f->dir, "/tmp/aragora-pack-XXXXXX");
  if (!mkdtemp(f->dir)) return -1;
  snprintf(f->raw, sizeof f->raw, "%s/raw", f->dir);
  snprintf(f->packed, sizeof f->packed, "%s/packed", f->dir);
  snprintf(f->back, sizeof f->back, "%s/back", f->dir);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  struct files *f = *state;
  buffer_done(&f->content);
  int rc = disk_remove(f->dir, NULL) ? -1 : 0;
  free(f);
  return rc;
}

static void read_into(const char *path, struct buffer *out) {
  char piece[65536];
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  buffer_init(out, 64 << 20);
  for (size_t n; (n = fread(piece, 1, sizeof piece, file)) > 0;)
    assert_true(buffer_append(out, piece, n));
  fclose(file);
}

/* Half of it compresses. */
static struct pack_sums pack(struct files *f, size_t len) {
  FREE_LATER char *data = malloc(len + 1);
  uint32_t x = 1;
  struct pack_sums sums;
  struct error err = {0};
  for (size_t i = 0; i < len; i++) {
    x = x * 1664525 + 1013904223;
    data[i] = (char)(i / 4096 % 2 ? x >> 24 : i / 64);
  }
  assert_int_equal(disk_write(f->raw, (struct bytes){data, len}, &err), STATUS_OK);
  if (pack_file(f->raw, f->packed, "packing", NULL, &sums, &err)) fail_msg("%s", err.message);
  read_into(f->packed, &f->content);
  assert_int_equal(sums.raw_bytes, len);
  assert_int_equal(sums.bytes, f->content.len);
  return sums;
}

static enum status unpack(const struct files *f, struct bytes packed, size_t piece, int64_t max,
                          struct pack_sums *sums) {
  struct unpack *u = NULL;
  struct error err = {0};
  assert_int_equal(unpack_create(f->back, max, max % 2, &u, &err), STATUS_OK);
  enum status s = STATUS_OK;
  for (size_t at = 0; !s && at < packed.len; at += piece) {
    size_t len = packed.len - at < piece ? packed.len - at : piece;
    s = unpack_feed(u, (struct bytes){packed.ptr + at, len}, &err);
  }
  if (!s) s = unpack_finish(u, sums, &err);
  unpack_destroy(u);
  if (s) assert_int_equal(access(f->back, F_OK), -1);
  return s;
}

static void test_comes_back(void **state) {
  struct files *f = *state;
  static const size_t lengths[] = {0, 1, 4096, 262144, 262145, 3000000};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    struct pack_sums sums = pack(f, lengths[i]), again = {0};
    struct buffer raw, back;
    static const size_t pieces[] = {7777, 1 << 20};
    for (size_t p = 0; p < 2; p++) {
      assert_int_equal(unpack(f, buffer_bytes(&f->content), pieces[p], (int64_t)lengths[i], &again),
                       STATUS_OK);
      assert_memory_equal(&sums, &again, sizeof sums);
      read_into(f->raw, &raw);
      read_into(f->back, &back);
      assert_true(bytes_equal(buffer_bytes(&raw), buffer_bytes(&back)));
      buffer_done(&raw);
      buffer_done(&back);
    }
    buffer_done(&f->content);
  }
}

static void test_damage(void **state) {
  struct files *f = *state;
  struct pack_sums sums = pack(f, 300000), again;
  struct bytes whole = buffer_bytes(&f->content);
  for (size_t i = 0; i < whole.len; i += whole.len / 200) {
    f->content.ptr[i] ^= 0x10;
    enum status s = unpack(f, whole, 100000, 300000, &again);
    /* A bit that zstd does not use may pass; the hash of the file tells. */
    if (s == STATUS_OK) assert_memory_not_equal(sums.sha256, again.sha256, 32);
    f->content.ptr[i] ^= 0x10;
  }
  for (size_t len = 0; len < whole.len; len += whole.len / 100)
    assert_int_equal(unpack(f, (struct bytes){whole.ptr, len}, 100000, 300000, &again),
                     STATUS_CORRUPT);
  assert_int_equal(unpack(f, whole, 100000, 299999, &again), STATUS_CORRUPT);
  assert_true(buffer_append_text(&f->content, "more"));
  assert_int_equal(unpack(f, buffer_bytes(&f->content), 100000, 300000, &again), STATUS_CORRUPT);
}

static bool stop(void *ctx, const char *what, int64_t done, int64_t total) {
  (void)ctx;
  (void)what;
  (void)done;
  (void)total;
  return false;
}

static void test_stopped(void **state) {
  struct files *f = *state;
  struct progress progress = {stop, NULL};
  struct pack_sums sums;
  struct error err = {0};
  assert_int_equal(disk_write(f->raw, BYTES_LITERAL("text"), &err), STATUS_OK);
  assert_int_equal(pack_file(f->raw, f->packed, "packing", &progress, &sums, &err),
                   STATUS_CANCELLED);
  assert_int_equal(access(f->packed, F_OK), -1);
  assert_int_equal(pack_file("/nonexistent/raw", f->packed, "packing", NULL, &sums, &err),
                   STATUS_NOT_FOUND);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
      TEST(test_comes_back),
      TEST(test_damage),
      TEST(test_stopped),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
