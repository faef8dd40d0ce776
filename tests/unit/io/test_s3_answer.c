#include "io/s3_answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

struct keys {
  char all[512];
  int64_t modified_ms; /* of the last one */
  enum status answer;
};

static enum status take(void *ctx, const struct s3_object *object, struct error *err) {
  struct keys *k = ctx;
  (void)err;
  size_t len = strlen(k->all);
  snprintf(k->all + len, sizeof k->all - len, "%s;", object->key);
  k->modified_ms = object->modified_ms;
  return k->answer;
}

static enum status read_page(const char *text, struct keys *keys, struct s3_page *page) {
  return s3_answer_read_page(bytes_of(text), take, keys, page, NULL);
}

#define HEAD                                                                            \
  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.ama" \
  "zonaws.com/doc/2006-03-01/\"><Name>b</Name><Prefix>p/</Prefix>"
#define CONTENTS(key)                                             \
  "<Contents><Key>" key                                           \
  "</Key><Size>12</Size><Owner><ID>1</ID><Key>no</Key></Owner></" \
  "Contents>"

/* The time stands before or behind the key, or is missing, or is none. */
static void test_times(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int64_t ms;
  } rows[] = {
      {"<Contents><Key>k</Key><LastModified>2026-11-29T18:00:00.250Z</LastModified></Contents>",
       1795975200250},
      {"<Contents><LastModified>2026-11-29T18:00:00Z</LastModified><Key>k</Key></Contents>",
       1795975200000},
      {"<Contents><LastModified>2026-11-29T18:00:00Z</LastModified><Key>j</Key></Contents>"
       "<Contents><Key>k</Key></Contents>",
       -1},
      {"<Contents><Key>k</Key><LastModified>yesterday</LastModified></Contents>", -1},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct keys keys = {0};
    struct s3_page page;
    char text[512];
    snprintf(text, sizeof text, "<ListBucketResult>%s</ListBucketResult>", rows[i].text);
    assert_int_equal(read_page(text, &keys, &page), STATUS_OK);
    assert_int_equal(keys.modified_ms, rows[i].ms);
    assert_non_null(strstr(keys.all, "k;"));
  }
}

static void test_a_page(void **state) {
  (void)state;
  struct keys keys = {0};
  struct s3_page page = {0};
  assert_int_equal(
      read_page(
          HEAD "<IsTruncated>true</IsTruncated>" CONTENTS("p/a") CONTENTS(
              "p/b&amp;c") "<NextContinuationToken>x+/=</NextContinuationToken></ListBucketResult>",
          &keys, &page),
      STATUS_OK);
  assert_string_equal(keys.all, "p/a;p/b&c;");
  assert_true(page.truncated);
  assert_string_equal(page.token, "x+/=");
  assert_int_equal(
      read_page(HEAD "<IsTruncated>false</IsTruncated></ListBucketResult>", &keys, &page),
      STATUS_OK);
  assert_false(page.truncated);
}

static void test_who_takes_the_keys_may_stop(void **state) {
  (void)state;
  struct keys keys = {.answer = STATUS_TOO_LARGE};
  struct s3_page page = {0};
  assert_int_equal(
      read_page(HEAD CONTENTS("p/a") CONTENTS("p/b") "</ListBucketResult>", &keys, &page),
      STATUS_TOO_LARGE);
  assert_string_equal(keys.all, "p/a;");
}

static void test_what_is_no_page(void **state) {
  (void)state;
  static const char *const bad[] = {
      "",
      "ok",
      "<html><body>proxy</body></html>",
      HEAD CONTENTS("p/a"),
      HEAD "<IsTruncated>true</IsTruncated></ListBucketResult>",
      "<Error><Code>NoSuchBucket</Code></Error>",
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct keys keys = {0};
    struct s3_page page = {0};
    if (read_page(bad[i], &keys, &page) != STATUS_CORRUPT) fail_msg("%s", bad[i]);
  }
}

/* Entities that stand for each other, ten to the power of many. */
static void test_a_bomb(void **state) {
  (void)state;
  BUFFER_LATER struct buffer bomb;
  struct keys keys = {0};
  struct s3_page page = {0};
  buffer_init(&bomb, 1 << 20);
  buffer_append_text(&bomb, "<!DOCTYPE x [<!ENTITY a0 \"ha\">");
  for (int i = 1; i < 30; i++) {
    buffer_printf(&bomb, "<!ENTITY a%d \"", i);
    for (int j = 0; j < 10; j++) buffer_printf(&bomb, "&a%d;", i - 1);
    buffer_append_text(&bomb, "\">");
  }
  buffer_append_text(&bomb, "]><ListBucketResult><Name>&a29;</Name></ListBucketResult>");
  assert_int_equal(read_page(bomb.ptr, &keys, &page), STATUS_CORRUPT);
}

static void test_refusals(void **state) {
  (void)state;
  struct s3_refusal r;
  s3_answer_read_refusal(BYTES_LITERAL("<Error><Code>AccessDenied</Code><Message>Access "
                                       "Denied</Message><RequestId>1</RequestId></Error>"),
                         &r);
  assert_string_equal(r.code, "AccessDenied");
  assert_string_equal(r.message, "Access Denied");
  static const char *const none[] = {"", "Bad Gateway", "<html><Code>1</Code></html>",
                                     "<Error><Code>Half"};
  for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
    s3_answer_read_refusal(bytes_of(none[i]), &r);
    assert_string_equal(r.code, "");
    assert_string_equal(r.message, "");
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_times),
      cmocka_unit_test(test_a_page),
      cmocka_unit_test(test_who_takes_the_keys_may_stop),
      cmocka_unit_test(test_what_is_no_page),
      cmocka_unit_test(test_a_bomb),
      cmocka_unit_test(test_refusals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
