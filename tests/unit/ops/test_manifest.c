/* Names and manifests: what is written is read, and no byte of it may change. */
#include "ops/manifest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_names(void **state) {
  (void)state;
  char name[BACKUP_NAME_SIZE], other[BACKUP_NAME_SIZE];
  for (int k = 0; k < BACKUP_KINDS; k++) {
    enum backup_kind kind = BACKUP_KINDS;
    int64_t ms = 0;
    backup_name_make(1795962194567, (enum backup_kind)k, name);
    backup_name_make(1795962194567, (enum backup_kind)k, other);
    assert_string_not_equal(name, other);
    assert_memory_equal(name, "20261129T142314Z-", 17);
    assert_true(backup_name_parse(bytes_of(name), &kind, &ms));
    assert_int_equal(kind, k);
    assert_int_equal(ms, 1795962194000);
  }
  assert_non_null(strstr(name, "-manual-"));
}

static void test_what_is_no_name(void **state) {
  (void)state;
  static const char *const bad[] = {
      "",
      "latest",
      "20261129T142314Z-hot-",
      "20261129T142314Z-hot-0a1b2c3",
      "20261129T142314Z-hot-0a1b2c3dd",
      "20261129T142314Z-hot-0A1B2C3D",
      "20261129T142314Z-cold-0a1b2c3d",
      "20261129T142314Z--0a1b2c3d",
      "20261129T142314Z-0a1b2c3d",
      "20261339T142314Z-hot-0a1b2c3d",
      "../20261129T142314Z-hot-0a1b2c3d",
      "20261129T142314Z-hot/../0a1b2c3d",
      "20261129T142314Z-manual-0a1b2c3d-20261129T142314Z-hot-0a1b2c3d",
  };
  enum backup_kind kind;
  int64_t ms;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    if (backup_name_parse(bytes_of(bad[i]), &kind, &ms)) fail_msg("%s", bad[i]);
  assert_true(backup_name_parse(BYTES_LITERAL("20261129T142314Z-hot-0a1b2c3d"), &kind, &ms));
}

static struct manifest example(void) {
  struct manifest m = {.kind = BACKUP_FULL,
                       .created_ms = 1795962194567,
                       .version = "1.0.0",
                       .number = 1234567,
                       .chain = "abcdefghijklmnopqrstuvwxyz",
                       .census = {12, 345, {1, 2, 3}},
                       .has_audit = true,
                       .audit = {17, {8, 9}},
                       .files = {{3, 1000, 100, {4}, {5}}, {1, 2000, 200, {6}, {7}}}};
  backup_name_make(m.created_ms, m.kind, m.name);
  return m;
}

static void test_comes_back(void **state) {
  (void)state;
  struct manifest m = example(), back = {0};
  struct error err = {0};
  BUFFER_LATER struct buffer text;
  buffer_init(&text, MANIFEST_BYTES_MAX);
  assert_int_equal(manifest_append(&text, &m), STATUS_OK);
  if (manifest_parse(buffer_bytes(&text), &back, &err)) fail_msg("%s", err.message);
  assert_string_equal(back.name, m.name);
  assert_string_equal(back.chain, m.chain);
  assert_string_equal(back.version, m.version);
  assert_int_equal(back.kind, m.kind);
  assert_int_equal(back.created_ms, m.created_ms);
  assert_int_equal(back.number, m.number);
  assert_memory_equal(&back.census, &m.census, sizeof m.census);
  assert_memory_equal(back.files, m.files, sizeof m.files);
  assert_true(back.has_audit);
  assert_memory_equal(&back.audit, &m.audit, sizeof m.audit);
}

/* Of a version that knew no audit log, or not to name its end. */
static void test_without_an_audit_log(void **state) {
  (void)state;
  struct manifest m = example(), back = {0};
  BUFFER_LATER struct buffer text;
  buffer_init(&text, MANIFEST_BYTES_MAX);
  m.has_audit = false;
  assert_int_equal(manifest_append(&text, &m), STATUS_OK);
  assert_null(strstr(text.ptr, "audit"));
  assert_int_equal(manifest_parse(buffer_bytes(&text), &back, NULL), STATUS_OK);
  assert_false(back.has_audit);
}

static void test_every_byte_counts(void **state) {
  (void)state;
  struct manifest m = example(), back;
  BUFFER_LATER struct buffer text;
  buffer_init(&text, MANIFEST_BYTES_MAX);
  assert_int_equal(manifest_append(&text, &m), STATUS_OK);
  for (size_t i = 0; i < text.len; i++) {
    for (int bit = 0; bit < 8; bit++) {
      text.ptr[i] ^= (char)(1 << bit);
      struct error err = {0};
      if (manifest_parse(buffer_bytes(&text), &back, &err) == STATUS_OK)
        fail_msg("byte %zu bit %d", i, bit);
      text.ptr[i] ^= (char)(1 << bit);
    }
  }
  for (size_t len = 0; len < text.len; len++)
    assert_int_not_equal(manifest_parse((struct bytes){text.ptr, len}, &back, NULL), STATUS_OK);
  assert_int_equal(manifest_parse(buffer_bytes(&text), &back, NULL), STATUS_OK);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_names),
      cmocka_unit_test(test_what_is_no_name),
      cmocka_unit_test(test_comes_back),
      cmocka_unit_test(test_without_an_audit_log),
      cmocka_unit_test(test_every_byte_counts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
