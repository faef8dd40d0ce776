/* What the routes about circuit breakers say of agents in every state. */
#include "api/breaker_body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
// clang-format off
#include <cmocka.h>
// clang-format on

enum { CLOSED, OPEN, HALF, UNSET, VIA, LOCAL, COUNT };

static const int64_t wall_ms = 1795540000500;
static const char wall_iso_10s_ago[] = "2026-11-24T17:06:30.500Z";

static const struct agent_binding bindings[COUNT] = {
    [CLOSED] = {.type = "closed",
                .provider = "one",
                .model = "m1",
                .key = "secret",
                .key_variable = "ONE_KEY",
                .openrouter_model = "one/m1",
                .available = true},
    [OPEN] = {.type = "open",
              .provider = "two",
              .model = "m2",
              .key = "secret",
              .key_variable = "TWO_KEY",
              .available = true},
    [HALF] = {.type = "half",
              .provider = "two",
              .model = "m3",
              .key = "secret",
              .key_variable = "TWO_KEY",
              .available = true},
    [UNSET] = {.type = "unset",
               .provider = "three",
               .model = "m4",
               .key_variable = "THREE_KEY",
               .openrouter_model = "three/m4"},
    [VIA] = {.type = "openrouter",
             .provider = "openrouter",
             .model = "m5",
             .key = "secret",
             .key_variable = "OPENROUTER_API_KEY",
             .available = true},
    [LOCAL] =
        {.type = "ollama", .provider = "ollama", .model = "m6", .local = true, .available = true},
};

static const struct agent_binding standin = {.type = "openrouter/one/m1",
                                             .provider = "openrouter",
                                             .model = "one/m1",
                                             .key = "secret",
                                             .key_variable = "OPENROUTER_API_KEY",
                                             .available = true};

static struct provider_agent agents[COUNT + 1];
static struct breaker_list list;

static int set_up(void **state) {
  (void)state;
  const struct breaker_view fresh = {.threshold = 5,
                                     .cooldown_ms = 60000,
                                     .last_failure_ago_ms = -1,
                                     .last_success_ago_ms = -1,
                                     .last_asked_ago_ms = -1,
                                     .misconfigured = ""};
  for (int i = 0; i < COUNT; i++)
    agents[i] = (struct provider_agent){
        .binding = &bindings[i], .breaker = fresh, .p95_ms = -1, .last_error_ago_ms = -1};
  list = (struct breaker_list){agents, COUNT, wall_ms};
  return 0;
}

static void open_one(struct provider_agent *a) {
  a->breaker.state = BREAKER_OPEN;
  a->breaker.failures = 5;
  a->breaker.cooldown_remaining_ms = 42500;
  a->breaker.open_for_ms = 17500;
  a->breaker.last_failure_ago_ms = 10000;
  a->breaker.last_asked_ago_ms = 1500;
  a->last_error_ago_ms = 10000;
  strcpy(a->last_error, "overloaded: come back later");
}

/* The value at a path of names with '/'; fails when there is none. */
static const json_t *at(const json_t *v, const char *path) {
  const char *rest = path;
  while (*rest) {
    size_t len = strcspn(rest, "/");
    char name[64] = "";
    memcpy(name, rest, len);
    v = json_object_get(v, name);
    if (!v) fail_msg("nothing at %s", path);
    rest += len + (rest[len] == '/');
  }
  return v;
}

static void is_text(const json_t *v, const char *path, const char *text) {
  assert_string_equal(json_string_value(at(v, path)), text);
}

/* As wide as the three thousandths that a time has. */
static void is_number(const json_t *v, const char *path, double number) {
  double difference = json_number_value(at(v, path)) - number;
  if (difference > 1e-4 || difference < -1e-4)
    fail_msg("%s: %f", path, json_number_value(at(v, path)));
}

static void test_registry(void **state) {
  (void)state;
  open_one(&agents[OPEN]);
  agents[HALF].breaker.state = BREAKER_HALF_OPEN;
  agents[HALF].breaker.trial = true;
  agents[CLOSED].breaker.failures = 2;
  JSON_LATER json_t *body = breaker_body_registry(&list);
  is_number(body, "timestamp", 1795540000.5);
  is_number(body, "registry_size", 5);
  is_number(body, "summary/total", 5);
  is_number(body, "summary/open", 1);
  is_number(body, "summary/half_open", 1);
  is_number(body, "summary/closed", 3);
  is_number(body, "summary/total_failures", 7);
  is_number(body, "summary/circuits_with_failures", 2);
  const json_t *all = at(body, "circuit_breakers");
  assert_int_equal(json_object_size(all), 5);
  assert_null(json_object_get(all, "unset"));
  is_text(all, "open/status", "open");
  is_number(all, "open/failures", 5);
  is_number(all, "open/failure_threshold", 5);
  is_number(all, "open/cooldown_seconds", 60);
  is_number(all, "open/cooldown_remaining", 42.5);
  is_number(all, "open/open_duration", 17.5);
  is_number(all, "open/last_accessed_seconds_ago", 1.5);
  is_text(all, "open/last_error", "overloaded: come back later");
  assert_true(json_is_false(at(all, "open/available")));
  is_text(all, "half/status", "half-open");
  assert_true(json_is_false(at(all, "half/available")));
  is_text(all, "closed/status", "closed");
  assert_true(json_is_true(at(all, "closed/available")));
  assert_true(json_is_null(at(all, "closed/last_accessed_seconds_ago")));
  assert_null(json_object_get(at(all, "closed"), "last_error"));
}

static void test_registry_health(void **state) {
  (void)state;
  static const char *const words[] = {"healthy", "degraded", "degraded", "critical"};
  static const int order[] = {OPEN, CLOSED, HALF};
  for (int open = 0; open <= 3; open++) {
    if (open) open_one(&agents[order[open - 1]]);
    JSON_LATER json_t *body = breaker_body_registry(&list);
    is_text(body, "health/status", words[open]);
    assert_int_equal(json_array_size(at(body, "health/open_circuits")), open);
    assert_int_equal(json_array_size(at(body, "health/high_failure_circuits")), open);
  }
  open_one(&agents[UNSET]); /* nobody asks it, so it is none */
  JSON_LATER json_t *body = breaker_body_registry(&list);
  assert_int_equal(json_array_size(at(body, "health/open_circuits")), 3);
}

static void test_half_of_the_threshold_is_high(void **state) {
  (void)state;
  agents[CLOSED].breaker.failures = 2;
  agents[HALF].breaker.failures = 3;
  JSON_LATER json_t *body = breaker_body_registry(&list);
  const json_t *high = at(body, "health/high_failure_circuits");
  assert_int_equal(json_array_size(high), 1);
  is_text(json_array_get(high, 0), "name", "half");
  is_number(json_array_get(high, 0), "failures", 3);
  is_number(json_array_get(high, 0), "threshold", 5);
  is_number(json_array_get(high, 0), "percentage", 60);
}

static void test_system(void **state) {
  (void)state;
  agents[HALF].breaker.state = BREAKER_HALF_OPEN;
  agents[HALF].breaker.failures = 6;
  agents[HALF].breaker.last_failure_ago_ms = 10000;
  JSON_LATER json_t *body = breaker_body_system(&list);
  const json_t *rows = at(body, "breakers");
  assert_int_equal(json_array_size(rows), 5);
  const json_t *row = json_array_get(rows, 2);
  is_text(row, "agent", "half");
  is_text(row, "state", "half_open");
  is_number(row, "failures", 6);
  is_text(row, "last_failure", wall_iso_10s_ago);
  assert_null(json_object_get(row, "last_success"));
  assert_null(json_object_get(json_array_get(rows, 0), "last_failure"));
}

static void test_agents(void **state) {
  (void)state;
  open_one(&agents[OPEN]);
  strcpy(agents[CLOSED].misconfigured, "no such model");
  agents[CLOSED].p95_ms = 2250;
  agents[CLOSED].pacing.in_flight = 3;
  agents[CLOSED].pacing.waiting = 4;
  JSON_LATER json_t *body = breaker_body_agents(&list);
  is_text(body, "overall_status", "degraded");
  const json_t *all = at(body, "agents");
  assert_int_equal(json_object_size(all), COUNT);
  is_text(all, "closed/type", "closed");
  is_text(all, "closed/provider", "one");
  is_text(all, "closed/model", "m1");
  is_text(all, "closed/misconfigured", "no such model");
  is_text(all, "closed/fallback_model", "one/m1");
  assert_true(json_is_true(at(all, "closed/uses_openrouter_fallback")));
  is_number(all, "closed/p95_seconds", 2.25);
  is_number(all, "closed/in_flight", 3);
  is_number(all, "closed/waiting", 4);
  assert_null(json_object_get(at(all, "closed"), "circuit_breaker_open"));
  assert_true(json_is_true(at(all, "open/circuit_breaker_open")));
  assert_true(json_is_null(at(all, "open/p95_seconds")));
  assert_true(json_is_null(at(all, "open/fallback_model")));
  is_text(all, "open/last_error", "overloaded: come back later");
  is_number(all, "open/last_error_seconds_ago", 10);
  is_text(all, "unset/reason", "THREE_KEY is not set");
  assert_true(json_is_false(at(all, "unset/api_key_configured")));
  assert_true(json_is_false(at(all, "unset/uses_openrouter_fallback")));
  assert_true(json_is_false(at(all, "ollama/requires_api_key")));
  const json_t *breakers = at(body, "circuit_breakers");
  assert_null(json_object_get(breakers, "unset"));
  is_number(breakers, "open/last_failure", 1795539990.5);
  is_number(breakers, "open/failure_count", 5);
  assert_true(json_is_null(at(breakers, "closed/last_failure")));
  assert_true(json_is_true(at(body, "fallback/openrouter_available")));
  assert_true(json_is_true(at(body, "fallback/local_llm_available")));
  is_text(json_array_get(at(body, "fallback/local_providers"), 0), "", "ollama");
  is_number(body, "counts/agents", COUNT);
  is_number(body, "counts/available", 5);
  is_number(body, "counts/open", 1);
  FREE_LATER char *text = json_dumps(body, 0);
  assert_null(strstr(text, "secret"));
}

/* OpenRouter in another's place has a breaker like all, but is no agent that a debate could name.
 */
static void test_a_standin(void **state) {
  (void)state;
  agents[COUNT] = agents[VIA];
  agents[COUNT].binding = &standin;
  agents[COUNT].standin = true;
  open_one(&agents[COUNT]);
  list.count = COUNT + 1;
  JSON_LATER json_t *registry = breaker_body_registry(&list);
  const json_t *all = at(registry, "circuit_breakers");
  assert_int_equal(json_object_size(all), 6);
  is_text(json_object_get(all, "openrouter/one/m1"), "status", "open");
  is_text(json_array_get(at(registry, "health/open_circuits"), 0), "", "openrouter/one/m1");
  JSON_LATER json_t *system = breaker_body_system(&list);
  is_text(json_array_get(at(system, "breakers"), 5), "agent", "openrouter/one/m1");
  JSON_LATER json_t *health = breaker_body_agents(&list);
  assert_int_equal(json_object_size(at(health, "agents")), COUNT);
  assert_non_null(json_object_get(at(health, "circuit_breakers"), "openrouter/one/m1"));
  is_text(health, "overall_status", "degraded");
  is_number(health, "counts/agents", COUNT);
  is_number(health, "counts/available", 5);
  is_number(health, "counts/open", 1);
}

static void test_when_agents_are_degraded(void **state) {
  (void)state;
  JSON_LATER json_t *fine = breaker_body_agents(&list);
  is_text(fine, "overall_status", "healthy");
  agents[VIA].breaker.cooling_remaining_ms = 1; /* rate limited */
  JSON_LATER json_t *limited = breaker_body_agents(&list);
  is_text(limited, "overall_status", "degraded");
  assert_true(json_is_false(at(limited, "circuit_breakers/openrouter/available")));
  list.count = 0;
  JSON_LATER json_t *none = breaker_body_agents(&list);
  is_text(none, "overall_status", "degraded");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(test_registry, set_up),
      cmocka_unit_test_setup(test_registry_health, set_up),
      cmocka_unit_test_setup(test_half_of_the_threshold_is_high, set_up),
      cmocka_unit_test_setup(test_system, set_up),
      cmocka_unit_test_setup(test_agents, set_up),
      cmocka_unit_test_setup(test_a_standin, set_up),
      cmocka_unit_test_setup(test_when_agents_are_degraded, set_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
