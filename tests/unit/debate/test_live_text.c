/* The answer out of a reply that arrives in pieces: whole, byte by byte, and what jansson reads. */
#include "base/json.h"
#include "debate/live_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static char *feed(const char *reply, size_t piece) {
  struct live_text t = {0};
  struct buffer out;
  buffer_init(&out, 4096);
  size_t n = strlen(reply);
  for (size_t i = 0; i < n; i += piece)
    live_text_feed(&t, (struct bytes){reply + i, n - i < piece ? n - i : piece}, &out);
  return buffer_steal(&out);
}

static void check(const char *reply, const char *want) {
  for (size_t piece = 1; piece <= strlen(reply); piece++) {
    char *got = feed(reply, piece);
    assert_string_equal(got, want);
    free(got);
  }
}

static void test_gives_the_answer(void **state) {
  (void)state;
  check("{\"answer\":\"Yes, do it.\",\"answer_key\":\"yes\"}", "Yes, do it.");
  check("```json\n{ \"confidence\" : 0.5, \"answer\" : \"a \\\"b\\\" \\\\ c\\n\" }```",
        "a \"b\" \\ c\n");
  check("{\"answer\":\"\"}", "");
}

static void test_decodes_escapes(void **state) {
  (void)state;
  check("{\"answer\":\"\\u00e9 \\ud83d\\ude00 \\u4e16 \xc3\xa9\"}",
        "\xc3\xa9 \xf0\x9f\x98\x80 \xe4\xb8\x96 \xc3\xa9");
  check("{\"answer\":\"\\ud83dx \\udc00 \\u0000 \\ud83d\"}",
        "\xef\xbf\xbdx \xef\xbf\xbd \xef\xbf\xbd \xef\xbf\xbd");
}

static void test_ignores_what_is_not_the_answer(void **state) {
  (void)state;
  check("{\"items\":[{\"answer\":\"nested\"}],\"claim\":\"answer\",\"answer\":\"outer\"}", "outer");
  check("{\"note\":\"\\\"answer\\\":\\\"fake\\\"\",\"answer\":\"real\"}", "real");
  check("{\"ranking\":[\"answer\",\"Response A\"]}", "");
  check("no object at all", "");
  check("{\"answer\":7,\"x\":\"y\"}", "");
}

/* Every prefix of a reply gives a prefix of what the whole one gives. */
static void test_never_takes_anything_back(void **state) {
  (void)state;
  const char *reply = "{\"key_claims\":[\"a\"],\"answer\":\"one \\u00e9 two\",\"x\":\"z\"}";
  char *whole = feed(reply, 1);
  for (size_t n = 0; n <= strlen(reply); n++) {
    char *prefix = bytes_dup((struct bytes){reply, n});
    char *got = feed(prefix, 1);
    assert_memory_equal(whole, got, strlen(got));
    free(prefix);
    free(got);
  }
  json_t *parsed = json_loads(reply, 0, NULL);
  assert_string_equal(json_get_text(parsed, "answer", ""), whole);
  json_decref(parsed);
  free(whole);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_gives_the_answer),
      cmocka_unit_test(test_decodes_escapes),
      cmocka_unit_test(test_ignores_what_is_not_the_answer),
      cmocka_unit_test(test_never_takes_anything_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
