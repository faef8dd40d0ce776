#include "segments.h"

#include "ops/disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static void write_plain(const char *path, const struct test_segment *s) {
  uint8_t record[RECORD_HEAD], head[SEGMENT_HEAD];
  struct segment_head h = {.schema = 1,
                           .first = s->first,
                           .previous_ms = s->previous_ms,
                           .begun_ms = s->begun_ms,
                           .order = s->order};
  BUFFER_LATER struct buffer out;
  buffer_init(&out, 1 << 20);
  memcpy(h.chain, s->chain, CHAIN_SIZE);
  segment_write_head(&h, head);
  buffer_append(&out, (const char *)head, sizeof head);
  for (size_t i = 0; i < s->records; i++) {
    segment_write_record(s->first + i, s->previous_ms + 1 + (int64_t)i, NULL, 0, record);
    buffer_append(&out, (const char *)record, sizeof record);
  }
  assert_int_equal(disk_make_parents(path, NULL), STATUS_OK);
  assert_int_equal(disk_write(path, buffer_bytes(&out), NULL), STATUS_OK);
}

static void pack(const char *path, const char *to, struct pack_sums *sums) {
  assert_int_equal(pack_file(path, to, "", NULL, sums, NULL), STATUS_OK);
  unlink(path);
}

void segment_make(const char *dir, const struct test_segment *s, enum segment_form form) {
  char name[SEGMENT_NAME_SIZE], plain[DISK_PATH_MAX];
  struct pack_sums sums;
  archive_segment_name(s->first, form, name);
  FREE_LATER char *path = archive_chain_path(dir, s->chain, name);
  snprintf(plain, sizeof plain, "%s%s", path, form == SEGMENT_PACKED ? ".plain" : "");
  write_plain(plain, s);
  if (form == SEGMENT_PACKED) pack(plain, path, &sums);
}

void segment_ship(struct place *place, const struct test_segment *s) {
  char dir[] = "/tmp/aragora-segment-XXXXXX", plain[64], packed[64], key[PLACE_KEY_MAX];
  struct pack_sums sums;
  assert_non_null(mkdtemp(dir));
  snprintf(plain, sizeof plain, "%s/plain", dir);
  snprintf(packed, sizeof packed, "%s/packed", dir);
  write_plain(plain, s);
  pack(plain, packed, &sums);
  shipped_key(s->chain, s->first, key);
  assert_int_equal(place_put(place, key, packed, sums.sha256, NULL, NULL), STATUS_OK);
  assert_int_equal(disk_remove(dir, NULL), STATUS_OK);
}
