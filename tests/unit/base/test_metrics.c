/* The exposition is text format 0.0.4, with the runbook's names and every counter from the start.
 */
#include "base/metrics.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#define LABELS(...) ((const char *const[]){__VA_ARGS__})

static int setup(void **state) {
  (void)state;
  metrics_reset();
  return 0;
}

static char *render(void) {
  struct buffer out;
  buffer_init(&out, 1 << 24);
  assert_int_equal(metrics_render(&out), STATUS_OK);
  return buffer_steal(&out);
}

/* Whether `line` stands in the exposition, alone on its line. */
static bool has_line(const char *text, const char *line) {
  size_t len = strlen(line);
  for (const char *p = text; (p = strstr(p, line)) != NULL; p++)
    if ((p == text || p[-1] == '\n') && p[len] == '\n') return true;
  return false;
}

static void test_everything_is_there_from_the_start(void **state) {
  (void)state;
  FREE_LATER char *text = render();
  assert_true(has_line(text, "aragora_debates_total 0"));
  assert_true(has_line(text, "# TYPE aragora_debates_completed counter"));
  assert_true(has_line(text, "aragora_debates_completed 0"));
  assert_true(has_line(text, "# TYPE aragora_debates_failed counter"));
  assert_true(has_line(text, "aragora_debates_failed 0"));
  assert_true(has_line(text, "# TYPE aragora_agent_response_seconds histogram"));
  assert_true(has_line(text, "# TYPE aragora_tokens_used_total counter"));
  assert_true(has_line(text, "aragora_ws_connections_active 0"));
  assert_true(has_line(text, "# TYPE aragora_circuit_breaker_state gauge"));
  assert_true(has_line(text, "aragora_info{version=\"" ARAGORA_VERSION "\"} 1"));
#define CHECK_NAMED(id, name, type, labels, help) \
  assert_non_null(strstr(text, "# HELP " name " " help "\n"));
  METRICS_TABLE(CHECK_NAMED)
#undef CHECK_NAMED
}

static void test_no_name_twice(void **state) {
  (void)state;
#define NAME(id, name, type, labels, help) name,
  static const char *const names[] = {METRICS_TABLE(NAME)};
#undef NAME
  for (size_t i = 0; i < METRIC_COUNT; i++)
    for (size_t j = 0; j < i; j++) assert_string_not_equal(names[i], names[j]);
}

static void test_counters_and_gauges(void **state) {
  (void)state;
  metric_add(METRIC_DEBATES, NULL, 2);
  metric_add(METRIC_DEBATES, NULL, 1);
  metric_set(METRIC_WS_CONNECTIONS, NULL, 7);
  metric_add(METRIC_WS_CONNECTIONS, NULL, -2);
  metric_add(METRIC_TOKENS_USED, LABELS("openai-api", "input"), 100);
  metric_add(METRIC_TOKENS_USED, LABELS("openai-api", "output"), 50);
  metric_add(METRIC_TOKENS_USED, LABELS("openai-api", "input"), 11);
  metric_set(METRIC_CIRCUIT_BREAKER_STATE, LABELS("gemini"), 2);
  assert_int_equal(metric_get(METRIC_DEBATES, NULL), 3);
  assert_int_equal(metric_get(METRIC_TOKENS_USED, LABELS("openai-api", "input")), 111);
  assert_int_equal(metric_get(METRIC_TOKENS_USED, LABELS("openai-api", "none")), 0);
  FREE_LATER char *text = render();
  assert_true(has_line(text, "aragora_debates_total 3"));
  assert_true(has_line(text, "aragora_ws_connections_active 5"));
  assert_true(
      has_line(text, "aragora_tokens_used_total{agent=\"openai-api\",direction=\"input\"} 111"));
  assert_true(
      has_line(text, "aragora_tokens_used_total{agent=\"openai-api\",direction=\"output\"} 50"));
  assert_true(has_line(text, "aragora_circuit_breaker_state{agent=\"gemini\"} 2"));
  assert_null(strstr(text, "\"none\""));
}

static void test_label_values_are_escaped(void **state) {
  (void)state;
  metric_add(METRIC_AGENT_CALLS, LABELS("a\"b\\c\nd", "ok"), 1);
  FREE_LATER char *text = render();
  assert_true(
      has_line(text, "aragora_agent_calls_total{agent=\"a\\\"b\\\\c\\nd\",status=\"ok\"} 1"));
}

static void test_histogram_is_cumulative(void **state) {
  (void)state;
  metric_observe_us(METRIC_AGENT_RESPONSE, LABELS("demo"), 100000); /* le is inclusive */
  metric_observe_us(METRIC_AGENT_RESPONSE, LABELS("demo"), 100001);
  metric_observe_us(METRIC_AGENT_RESPONSE, LABELS("demo"), 31000000);
  metric_observe_us(METRIC_AGENT_RESPONSE, LABELS("demo"), 500000000);
  metric_observe_us(METRIC_AGENT_RESPONSE, LABELS("demo"), -5); /* a clock that was set back */
  FREE_LATER char *text = render();
  static const char *const want[][2] = {{"0.1", "2"}, {"0.25", "3"}, {"0.5", "3"}, {"1", "3"},
                                        {"2.5", "3"}, {"5", "3"},    {"10", "3"},  {"20", "3"},
                                        {"30", "3"},  {"45", "4"},   {"60", "4"},  {"90", "4"},
                                        {"120", "4"}, {"+Inf", "5"}};
  for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
    char line[128];
    snprintf(line, sizeof line,
             "aragora_agent_response_seconds_bucket{agent=\"demo\",le=\"%s\"} %s", want[i][0],
             want[i][1]);
    assert_true(has_line(text, line));
  }
  assert_true(has_line(text, "aragora_agent_response_seconds_sum{agent=\"demo\"} 531.200001"));
  assert_true(has_line(text, "aragora_agent_response_seconds_count{agent=\"demo\"} 5"));
}

static void test_series_are_bounded(void **state) {
  (void)state;
  char name[32];
  for (int i = 0; i < METRIC_SERIES_MAX + 10; i++) {
    snprintf(name, sizeof name, "agent%d", i);
    metric_add(METRIC_AGENT_CALLS, LABELS(name, "ok"), 1);
  }
  metric_add(METRIC_AGENT_CALLS, LABELS("agent0", "ok"), 1); /* known ones still count */
  metric_add(METRIC_AGENT_CALLS, LABELS("other", "other"), 1);
  assert_int_equal(metric_get(METRIC_AGENT_CALLS, LABELS("agent0", "ok")), 2);
  assert_int_equal(metric_get(METRIC_AGENT_CALLS, LABELS("other", "other")), 11);
  FREE_LATER char *text = render();
  assert_true(has_line(text, "aragora_agent_calls_total{agent=\"other\",status=\"other\"} 11"));
  int lines = 0;
  for (const char *p = text; (p = strstr(p, "\naragora_agent_calls_total{")) != NULL; p++) lines++;
  assert_int_equal(lines, METRIC_SERIES_MAX + 1);
}

static void test_odd_label_values_are_other(void **state) {
  (void)state;
  char *longest = calloc(1, 1000);
  assert_non_null(longest);
  memset(longest, 'x', 999);
  metric_observe_us(METRIC_AGENT_RESPONSE, LABELS(longest), 1);
  metric_observe_us(METRIC_AGENT_RESPONSE, LABELS("\xff"), 1);
  metric_observe_us(METRIC_AGENT_RESPONSE, NULL, 1);
  free(longest);
  FREE_LATER char *text = render();
  assert_true(has_line(text, "aragora_agent_response_seconds_count{agent=\"other\"} 3"));
}

static void test_process_series(void **state) {
  (void)state;
  FREE_LATER char *text = render();
  static const char *const names[] = {"process_cpu_seconds_total",
                                      "process_resident_memory_bytes",
                                      "process_virtual_memory_bytes",
                                      "process_start_time_seconds",
                                      "process_open_fds",
                                      "process_max_fds"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char head[64];
    snprintf(head, sizeof head, "\n%s ", names[i]);
    const char *line = strstr(text, head);
    assert_non_null(line);
    assert_true(strtod(line + strlen(head), NULL) >= (strstr(head, "cpu") ? 0 : 1));
  }
}

static double value_of(const char *text, const char *head) {
  const char *line = strstr(text, head);
  assert_non_null(line);
  return strtod(line + strlen(head), NULL);
}

static int count_descriptors(void) {
  int n = 0;
  for (int fd = 0; fd < 1024; fd++) n += fcntl(fd, F_GETFD) >= 0;
  return n;
}

static void test_open_files_are_counted(void **state) {
  (void)state;
  FREE_LATER char *before = render();
  FILE *one = fopen("/dev/null", "r");
  assert_non_null(one);
  FREE_LATER char *after = render();
  assert_true(value_of(after, "\nprocess_open_fds ") == count_descriptors());
  fclose(one);
  assert_true(value_of(after, "\nprocess_open_fds ") ==
              value_of(before, "\nprocess_open_fds ") + 1);
}

/* The grammar of the format: every line is a comment or `name{labels} value`. */
static void test_every_line_has_a_value(void **state) {
  (void)state;
  metric_add(METRIC_HTTP_REQUESTS, LABELS("GET", "/api/debates/{id}", "200"), 1);
  FREE_LATER char *text = render();
  for (char *p = text; *p;) {
    size_t len = strcspn(p, "\n");
    assert_int_equal(p[len], '\n');
    p[len] = '\0';
    if (*p != '#') {
      char *space = strrchr(p, ' ');
      assert_non_null(space);
      char *end;
      strtod(space + 1, &end);
      assert_true(end > space + 1 && !*end);
      assert_true(strspn(p, "abcdefghijklmnopqrstuvwxyz_") >= 4);
    }
    p += len + 1;
  }
}

static void test_a_short_buffer_is_reported(void **state) {
  (void)state;
  BUFFER_LATER struct buffer out;
  buffer_init(&out, 100);
  assert_int_equal(metrics_render(&out), STATUS_NOMEM);
}

enum { THREADS = 4, ROUNDS = 2000 };

static void *count_much(void *arg) {
  (void)arg;
  char name[16];
  for (int i = 0; i < ROUNDS; i++) {
    metric_add(METRIC_DEBATES, NULL, 1);
    snprintf(name, sizeof name, "a%d", i % 20);
    metric_add(METRIC_TOKENS_USED, LABELS(name, "input"), 1);
    metric_observe_us(METRIC_AGENT_RESPONSE, LABELS(name), i);
  }
  return NULL;
}

static void test_threads_lose_nothing(void **state) {
  (void)state;
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, count_much, NULL), 0);
  FREE_LATER char *meanwhile = render();
  assert_non_null(strstr(meanwhile, "\naragora_debates_total "));
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  assert_int_equal(metric_get(METRIC_DEBATES, NULL), THREADS * ROUNDS);
  assert_int_equal(metric_get(METRIC_TOKENS_USED, LABELS("a7", "input")), THREADS * ROUNDS / 20);
  FREE_LATER char *text = render();
  char line[128];
  snprintf(line, sizeof line, "aragora_agent_response_seconds_count{agent=\"a7\"} %d",
           THREADS * ROUNDS / 20);
  assert_true(has_line(text, line));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(test_everything_is_there_from_the_start, setup),
      cmocka_unit_test_setup(test_no_name_twice, setup),
      cmocka_unit_test_setup(test_counters_and_gauges, setup),
      cmocka_unit_test_setup(test_label_values_are_escaped, setup),
      cmocka_unit_test_setup(test_histogram_is_cumulative, setup),
      cmocka_unit_test_setup(test_series_are_bounded, setup),
      cmocka_unit_test_setup(test_odd_label_values_are_other, setup),
      cmocka_unit_test_setup(test_process_series, setup),
      cmocka_unit_test_setup(test_open_files_are_counted, setup),
      cmocka_unit_test_setup(test_every_line_has_a_value, setup),
      cmocka_unit_test_setup(test_a_short_buffer_is_reported, setup),
      cmocka_unit_test_setup(test_threads_lose_nothing, setup),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  metrics_reset(); /* gives the memory back, for the leak checker */
  return failed;
}
