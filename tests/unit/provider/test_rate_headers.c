/* Vendors' rate limit headers, as they are and as they should not be. */
#include "provider/rate_headers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <strings.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static const int64_t now_ms = INT64_C(1700000000000); /* 2023-11-14T22:13:20Z */

static void test_durations(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int64_t ms;
  } rows[] = {
      {"1s", 1000},
      {"6m0s", 360000},
      {"120ms", 120},
      {"7.66s", 7660},
      {"1h2m3.5s", 3723500},
      {"1m0.001s", 60001},
      {"0s", 0},
      {"0", 0},
      {"2d3h", 183600000},
      {"1.0001s", 1001}, /* up */
      {"500us", 1},
      {"1500\u00b5s", 2},
      {"1ms500us", 2},
      {"800ns", 1},
      {"0.1s", 100},
      {"0.3s", 300},
      {"744h", INT64_C(2678400000)},
      {"744h0m0.001s", -1}, /* longer than a month */
      {"999999999999999d", -1},
      {"9999999999999999s", -1},
      {"", -1},
      {"-1", -1},
      {"-1s", -1},
      {"1", -1}, /* of what? */
      {"s", -1},
      {"1x", -1},
      {"1S", -1},
      {" 1s", -1},
      {"1s ", -1},
      {"1s1m", -1},
      {"1s1s", -1},
      {"1m2", -1},
      {"1.s", -1},
      {".5s", -1},
      {"1.5m2s", -1},
      {"1e3s", -1},
      {"0x1s", -1},
      {"inf", -1},
      {"nan", -1},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (rate_duration_parse(rows[i].text) != rows[i].ms)
      fail_msg("%s: %lld", rows[i].text, (long long)rate_duration_parse(rows[i].text));
}

static void test_moments(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int64_t ms;
  } rows[] = {
      {"2023-11-14T22:13:20Z", 0},
      {"2023-11-14T22:14:20Z", 60000},
      {"2023-11-14t22:14:20z", 60000},
      {"2023-11-14T22:13:20.25Z", 250},
      {"2023-11-14T22:13:20.0001Z", 1}, /* up */
      {"2023-11-14T23:14:20+01:00", 60000},
      {"2023-11-14T17:43:20-04:30", 0},
      {"2023-11-14T17:44:20-04:30", 60000},
      {"2023-11-14T22:13:60Z", 40000}, /* a leap second's form */
      {"2023-11-14T22:00:00Z", 0},
      {"1969-12-31T23:59:59Z", 0},
      {"0000-01-01T00:00:00Z", 0},
      {"2023-12-15T22:13:20Z", INT64_C(2678400000)},
      {"2023-12-15T22:13:20.001Z", -1},
      {"9999-12-31T23:59:59Z", -1},
      {"", -1},
      {"1700000060", -1},
      {"2023-11-14", -1},
      {"2023-11-14T22:14:20", -1}, /* where? */
      {"2023-11-14 22:14:20Z", -1},
      {"2023-11-14T22:14:20Zx", -1},
      {"2023-11-14T22:14:20.Z", -1},
      {"2023-11-14T22:14:20+0100", -1},
      {"2023-11-14T22:14:20+24:00", -1},
      {"2023-11-14T22:14:20+01:60", -1},
      {"2023-11-14T22:14:20+01:00x", -1},
      {"2023-00-14T22:14:20Z", -1},
      {"2023-13-01T22:14:20Z", -1},
      {"2023-11-31T22:14:20Z", -1},
      {"2023-11-00T22:14:20Z", -1},
      {"2023-11-14T24:14:20Z", -1},
      {"2023-11-14T22:60:20Z", -1},
      {"2023-11-14T22:14:61Z", -1},
      {"+023-11-14T22:14:20Z", -1},
      {"2023-1-14T22:14:20Z", -1},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (rate_moment_parse(rows[i].text, now_ms) != rows[i].ms)
      fail_msg("%s: %lld", rows[i].text, (long long)rate_moment_parse(rows[i].text, now_ms));
}

/* ---- headers ---- */

struct header {
  const char *name, *value;
};

static const char *find(void *ctx, const char *name) {
  for (const struct header *h = ctx; h->name; h++)
    if (strcasecmp(h->name, name) == 0) return h->value;
  return NULL;
}

static void check(struct header *headers, struct rate_window requests, struct rate_window tokens) {
  struct rate_headers got;
  rate_headers_read(find, headers, now_ms, &got);
  assert_int_equal(got.requests.limit, requests.limit);
  assert_int_equal(got.requests.remaining, requests.remaining);
  assert_int_equal(got.requests.reset_ms, requests.reset_ms);
  assert_int_equal(got.tokens.limit, tokens.limit);
  assert_int_equal(got.tokens.remaining, tokens.remaining);
  assert_int_equal(got.tokens.reset_ms, tokens.reset_ms);
}

static const struct rate_window absent = {-1, -1, -1};

static void test_openai(void **state) {
  (void)state;
  struct header headers[] = {{"x-ratelimit-limit-requests", "60"},
                             {"x-ratelimit-limit-tokens", "150000"},
                             {"X-RateLimit-Remaining-Requests", "59"},
                             {"x-ratelimit-remaining-tokens", "149984"},
                             {"x-ratelimit-reset-requests", "1s"},
                             {"x-ratelimit-reset-tokens", "6m0s"},
                             {NULL, NULL}};
  check(headers, (struct rate_window){60, 59, 1000}, (struct rate_window){150000, 149984, 360000});
}

static void test_anthropic(void **state) {
  (void)state;
  struct header headers[] = {{"anthropic-ratelimit-requests-limit", "50"},
                             {"anthropic-ratelimit-requests-remaining", "0"},
                             {"anthropic-ratelimit-requests-reset", "2023-11-14T22:13:21Z"},
                             {"anthropic-ratelimit-input-tokens-limit", "40000"},
                             {"anthropic-ratelimit-input-tokens-remaining", "39000"},
                             {"anthropic-ratelimit-input-tokens-reset", "2023-11-14T22:14:20Z"},
                             {NULL, NULL},
                             {NULL, NULL}};
  check(headers, (struct rate_window){50, 0, 1000}, (struct rate_window){40000, 39000, 60000});
  headers[6] = (struct header){"anthropic-ratelimit-tokens-remaining", "7"}; /* goes before */
  check(headers, (struct rate_window){50, 0, 1000}, (struct rate_window){-1, 7, -1});
}

static void test_nonsense(void **state) {
  (void)state;
  struct header none[] = {{NULL, NULL}};
  check(none, absent, absent);
  struct header azure[] = {
      {"x-ratelimit-limit-requests", "0"},    {"x-ratelimit-remaining-requests", "0"},
      {"x-ratelimit-reset-requests", "1s"},   {"x-ratelimit-limit-tokens", "-1"},
      {"x-ratelimit-remaining-tokens", "-1"}, {NULL, NULL}};
  check(azure, absent, absent);
  struct header half[] = {{"x-ratelimit-remaining-requests", "12"},
                          {"x-ratelimit-reset-requests", "soon"},
                          {"x-ratelimit-remaining-tokens", "12.5"},
                          {"x-ratelimit-reset-tokens", "0"},
                          {NULL, NULL}};
  check(half, (struct rate_window){-1, 12, -1}, (struct rate_window){-1, -1, 0});
  struct header odd[] = {
      {"x-ratelimit-limit-requests", "60, 60;w=60"},    {"x-ratelimit-remaining-requests", "59"},
      {"x-ratelimit-limit-tokens", "9999999999999999"}, {"x-ratelimit-remaining-tokens", ""},
      {"anthropic-ratelimit-tokens-reset", "1s"},       {NULL, NULL}};
  check(odd, absent, absent);
  struct header forms[] = {{"x-ratelimit-reset-requests", "2023-11-14T22:14:20Z"},
                           {"x-ratelimit-limit-tokens", "999999999999999"},
                           {NULL, NULL}};
  check(forms, absent, (struct rate_window){INT64_C(999999999999999), -1, -1});
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_durations), cmocka_unit_test(test_moments),
      cmocka_unit_test(test_openai),    cmocka_unit_test(test_anthropic),
      cmocka_unit_test(test_nonsense),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
