/* What there is to know of services that nobody asked: as they were before a restart, on a clock of
 * the test's own; closing their breakers; whom the table does not name. */
#include "provider/provider.h"

#include "provider/service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
// clang-format off
#include <cmocka.h>
// clang-format on

enum { ONE, SHARED, VIA, ROWS };

static const int64_t wall_ms = 1795540000000;
/* More than a test takes on any machine: the monotonic clock is the real one. */
static const int64_t slack_ms = 15000;

static int64_t wall_now(void *ctx) {
  (void)ctx;
  return wall_ms;
}

static const struct clock fake_clock = {.wall_ms = wall_now};

static struct agent_binding rows[ROWS] = {
    [ONE] = {.type = "one",
             .provider = "acme",
             .model = "m-1",
             .key_variable = "ACME_KEY",
             .openrouter_model = "acme/m-1",
             .available = true},
    [SHARED] = {.type = "shared",
                .provider = "acme",
                .model = "m-1",
                .key_variable = "ACME_KEY",
                .available = true},
    [VIA] = {.type = "openrouter",
             .provider = "openrouter",
             .model = "auto",
             .key_variable = "OPENROUTER_API_KEY",
             .available = true},
};
static const struct agent_table table = {rows, ROWS, NULL, NULL};

static struct loop *loop;
static struct provider *provider;
static struct breaker_snapshot told;
static char told_name[SERVICE_NAME_SIZE];
static int told_count;

static void keep(void *ctx, const char *name, const struct breaker_snapshot *snapshot) {
  (void)ctx;
  told = *snapshot;
  snprintf(told_name, sizeof told_name, "%s", name);
  told_count++;
}

static int set_up(void **state) {
  (void)state;
  const struct provider_options options = {.connections_per_host = 4,
                                           .max_queued = 4,
                                           .agents = &table,
                                           .breaker_changed = keep,
                                           .clock = &fake_clock};
  told_count = 0;
  assert_int_equal(loop_create(&loop, NULL), STATUS_OK);
  assert_int_equal(provider_create(loop, &options, &provider, NULL), STATUS_OK);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  provider_destroy(provider);
  loop_destroy(loop);
  return 0;
}

static struct breaker_snapshot opened(int64_t ago_ms) {
  return (struct breaker_snapshot){.state = BREAKER_OPEN,
                                   .failures = 5,
                                   .cooldown_ms = BREAKER_COOLDOWN_MS,
                                   .opened_wall_ms = wall_ms - ago_ms,
                                   .cooling_until_wall_ms = -1,
                                   .last_failure_wall_ms = wall_ms - ago_ms,
                                   .last_success_wall_ms = -1};
}

struct sight {
  const char *type;
  struct provider_agent agent;
  int seen, all;
};

static void look(void *ctx, const struct provider_agent *agent) {
  struct sight *sight = ctx;
  sight->all++;
  if (strcmp(agent->binding->type, sight->type) != 0) return;
  sight->agent = *agent;
  sight->seen++;
}

static struct sight see(const char *type) {
  struct sight sight = {.type = type};
  provider_each_agent(provider, look, &sight);
  return sight;
}

static void stop_loop(void *arg) {
  loop_stop(arg);
}

static void run_what_was_posted(void) {
  loop_post(loop, stop_loop, loop);
  loop_run(loop);
}

static void test_nothing_is_known(void **state) {
  (void)state;
  struct sight sight = see("one");
  assert_int_equal(sight.all, ROWS);
  assert_int_equal(sight.agent.breaker.state, BREAKER_CLOSED);
  assert_false(sight.agent.asked);
  assert_false(sight.agent.restored);
}

static void test_an_opening_keeps_the_remaining_time(void **state) {
  (void)state;
  struct breaker_snapshot snapshot = opened(20000);
  provider_restore_breaker(provider, "acme/m-1 ACME_KEY", &snapshot);
  static const char *const types[] = {"one", "shared"}; /* of one service */
  for (int i = 0; i < 2; i++) {
    struct sight sight = see(types[i]);
    assert_int_equal(sight.seen, 1);
    assert_true(sight.agent.restored);
    assert_false(sight.agent.asked);
    assert_int_equal(sight.agent.breaker.state, BREAKER_OPEN);
    assert_int_equal(sight.agent.breaker.failures, 5);
    assert_in_range(sight.agent.breaker.cooldown_remaining_ms, 40000 - slack_ms, 40000);
    assert_in_range(sight.agent.breaker.last_failure_ago_ms, 20000, 20000 + slack_ms);
  }
  assert_int_equal(see("openrouter").agent.breaker.state, BREAKER_CLOSED);
}

static void test_an_opening_ends_while_the_process_is_away(void **state) {
  (void)state;
  struct breaker_snapshot snapshot = opened(BREAKER_COOLDOWN_MS + 1);
  provider_restore_breaker(provider, "acme/m-1 ACME_KEY", &snapshot);
  assert_int_equal(see("one").agent.breaker.state, BREAKER_HALF_OPEN);
  assert_false(see("one").agent.breaker.trial);
}

static void test_a_reason_is_kept(void **state) {
  (void)state;
  struct breaker_snapshot snapshot = {.opened_wall_ms = -1,
                                      .cooling_until_wall_ms = wall_ms + 30000};
  strcpy(snapshot.misconfigured, "no such model");
  provider_restore_breaker(provider, "acme/m-1 ACME_KEY", &snapshot);
  struct provider_agent agent = see("one").agent;
  assert_string_equal(agent.misconfigured, "no such model");
  assert_int_equal(agent.breaker.state, BREAKER_CLOSED);
  assert_in_range(agent.breaker.cooling_remaining_ms, 30000 - slack_ms, 30000);
}

static void test_names_of_nobody(void **state) {
  (void)state;
  struct breaker_snapshot snapshot = opened(0);
  char name[2 * SERVICE_NAME_SIZE];
  memset(name, 'x', sizeof name);
  name[sizeof name - 1] = '\0';
  provider_restore_breaker(provider, name, &snapshot);
  provider_restore_breaker(provider, "", &snapshot);
  for (int i = 0; i < SERVICES_MAX + 10; i++) {
    snprintf(name, sizeof name, "gone/m-%d", i);
    provider_restore_breaker(provider, name, &snapshot);
  }
  provider_restore_breaker(provider, "acme/m-1 ACME_KEY", &snapshot); /* after so many, nothing */
  assert_int_equal(see("one").agent.breaker.state, BREAKER_CLOSED);
  assert_int_equal(see("one").all, ROWS);
  /* They take no service's place. */
  const char *spelled;
  assert_int_equal(provider_reset_breaker(provider, "one", &spelled), STATUS_OK);
  run_what_was_posted();
  assert_true(see("one").agent.asked);
}

static void test_the_first_word_on_a_name_holds(void **state) {
  (void)state;
  struct breaker_snapshot open = opened(0), closed = {.opened_wall_ms = -1};
  provider_restore_breaker(provider, "acme/m-1 ACME_KEY", &open);
  provider_restore_breaker(provider, "acme/m-1 ACME_KEY", &closed);
  assert_int_equal(see("one").agent.breaker.state, BREAKER_OPEN);
}

static void test_reset_is_told(void **state) {
  (void)state;
  struct breaker_snapshot snapshot = opened(1000);
  const char *name;
  provider_restore_breaker(provider, "acme/m-1 ACME_KEY", &snapshot);
  assert_int_equal(provider_reset_breaker(provider, "one", &name), STATUS_OK);
  run_what_was_posted();
  assert_int_equal(see("one").agent.breaker.state, BREAKER_CLOSED);
  assert_int_equal(told_count, 1);
  assert_string_equal(told_name, "acme/m-1 ACME_KEY");
  assert_int_equal(told.state, BREAKER_CLOSED);
  assert_int_equal(told.failures, 0);
  assert_int_equal(told.opened_wall_ms, -1);
  /* The loop's clock may be some milliseconds behind the one that was restored by. */
  assert_in_range(told.last_failure_wall_ms, wall_ms - 1000 - slack_ms, wall_ms - 900);
  /* Also where nothing changes: what is kept may be older. */
  assert_int_equal(provider_reset_breaker(provider, "one", &name), STATUS_OK);
  run_what_was_posted();
  assert_int_equal(told_count, 2);
}

static void test_a_standin_is_seen_once_it_is_known(void **state) {
  (void)state;
  const char *name;
  assert_int_equal(see("openrouter/acme/m-1").seen, 0);
  struct breaker_snapshot snapshot = opened(20000);
  provider_restore_breaker(provider, "openrouter/acme/m-1 OPENROUTER_API_KEY", &snapshot);
  struct sight sight = see("openrouter/acme/m-1");
  assert_int_equal(sight.all, ROWS + 1);
  assert_int_equal(sight.seen, 1);
  assert_true(sight.agent.standin);
  assert_true(sight.agent.binding->available);
  assert_string_equal(sight.agent.binding->model, "acme/m-1");
  assert_int_equal(sight.agent.breaker.state, BREAKER_OPEN);
  assert_int_equal(see("openrouter").agent.breaker.state, BREAKER_CLOSED);

  assert_int_equal(provider_reset_breaker(provider, "openrouter/acme/m-2", &name),
                   STATUS_NOT_FOUND);
  assert_int_equal(provider_reset_breaker(provider, "OpenRouter/acme/m-1", &name), STATUS_OK);
  assert_string_equal(name, "openrouter/acme/m-1");
  run_what_was_posted();
  assert_int_equal(see("openrouter/acme/m-1").agent.breaker.state, BREAKER_CLOSED);
  assert_string_equal(told_name, "openrouter/acme/m-1 OPENROUTER_API_KEY");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_nothing_is_known),
      TEST(test_an_opening_keeps_the_remaining_time),
      TEST(test_an_opening_ends_while_the_process_is_away),
      TEST(test_a_reason_is_kept),
      TEST(test_names_of_nobody),
      TEST(test_the_first_word_on_a_name_holds),
      TEST(test_reset_is_told),
      TEST(test_a_standin_is_seen_once_it_is_known),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
