/* Every state of a circuit breaker in words. */
#include "cli/breaker_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static void test_every_state(void **state) {
  (void)state;
  static const struct {
    const char *entry, *words;
  } rows[] = {
      {"{\"status\":\"closed\"}", "closed"},
      {"{\"status\":\"closed\",\"trial\":false,\"rate_limited_remaining\":0.0}", "closed"},
      {"{\"status\":\"open\",\"cooldown_remaining\":41.2}", "open, may be asked again in 42 s"},
      {"{\"status\":\"open\",\"cooldown_remaining\":42}", "open, may be asked again in 42 s"},
      {"{\"status\":\"half-open\"}", "half-open, the next call is its trial"},
      {"{\"status\":\"half-open\",\"trial\":true}", "half-open, its trial is under way"},
      {"{\"status\":\"closed\",\"rate_limited_remaining\":0.001}", "closed, rate limited for 1 s"},
      {"{\"status\":\"half-open\",\"rate_limited_remaining\":3}",
       "half-open, rate limited for 3 s"},
      {"{\"status\":\"closed\",\"misconfigured\":\"no such model\"}", "closed, misconfigured"},
      {"{\"status\":\"open\",\"cooldown_remaining\":1e300}", "open, may be asked again in 0 s"},
      {"{}", "unknown"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    BUFFER_LATER struct buffer out;
    JSON_LATER json_t *entry = NULL;
    buffer_init(&out, 1024);
    assert_int_equal(json_parse(bytes_of(rows[i].entry), &entry, NULL), STATUS_OK);
    breaker_words_append(&out, entry);
    assert_string_equal(out.ptr, rows[i].words);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_state)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
