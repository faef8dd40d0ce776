/* What follows a failed attempt, over a loopback server: again, elsewhere, or nothing; the breaker
 * and the gate on the way. The delays are the server's own (retry-after-ms), so that no test waits
 * for chance. */
#include "provider/ask.h"

#include "../io/tiny_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

enum { ASKS = 8 };

#define OPENAI_HEAD \
  "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
static const char whole[] = OPENAI_HEAD
    "data: {\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Yes.\"}}]}\n\n"
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
    "data: [DONE]\n\n";
static const char half[] = OPENAI_HEAD
    "data: {\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"No, \"}}]}\n\n";

/* What the server does with a request; by its number from 1, or by its path. */
enum deed { WHOLE, HALF, FAIL_500, FAIL_401, SLOW_DOWN, TEN_HOURS, SILENT };

struct run {
  struct ask *ask;
  int starts, ends, resets, dones;
  enum outcome first_end;
  bool cancel_in_end;
  struct ask_result result;
  char text[64], shown[64], detail[320], provider[32], model[64];
};

static struct loop *loop;
static struct provider *provider;
static struct tiny_server *server;
static struct agent_binding rows[3];
static struct agent_table table = {rows, 3, NULL, NULL};
static char base_url[64], openrouter_url[64];
static enum deed deeds[16]; /* of the requests in order; the last one goes on */
static int deed_count, requests, openrouter_requests, undone;
static char last_request[2048];
static struct run runs[ASKS];
static int started_at[16];   /* attempts begun when the request of this number came */
static bool cancel_first;    /* with a SILENT answer */
static bool with_openrouter; /* from the start */
/* What was told of breakers. */
static struct {
  char name[32];
  int64_t state;
} kept[16];
static int kept_count;

static void cancel_on_silence(void *arg);

static void answer(void *ctx, struct tiny_peer *peer, struct bytes request, int number) {
  (void)ctx;
  requests = number;
  snprintf(last_request, sizeof last_request, "%.*s", (int)request.len, request.ptr);
  for (int i = 0; number < 16 && i < ASKS; i++) started_at[number] += runs[i].starts;
  bool openrouter = strstr(last_request, "POST /or/");
  openrouter_requests += openrouter;
  enum deed deed = openrouter ? WHOLE : deeds[number <= deed_count ? number - 1 : deed_count - 1];
  switch (deed) {
    case WHOLE:
    case HALF:
      tiny_send(peer, deed == WHOLE ? bytes_of(whole) : bytes_of(half));
      tiny_close(peer);
      return;
    case FAIL_500:
      tiny_send_body(peer, 500, "retry-after-ms: 1\r\n", BYTES_LITERAL("{\"error\":\"boom\"}"));
      return;
    case FAIL_401: tiny_send_body(peer, 401, NULL, BYTES_LITERAL("{\"error\":\"no\"}")); return;
    case SLOW_DOWN:
      tiny_send_body(peer, 429, "retry-after-ms: 1\r\n", BYTES_LITERAL("{\"error\":\"slow\"}"));
      return;
    case TEN_HOURS:
      tiny_send_body(peer, 429, "retry-after: 36000\r\n", BYTES_LITERAL("{\"error\":\"slow\"}"));
      return;
    case SILENT:
      if (cancel_first) loop_timer_start(loop, 0, cancel_on_silence, NULL);
      return;
  }
}

static void on_start(void *ctx, const struct ask_attempt *attempt) {
  struct run *run = ctx;
  assert_int_equal(attempt->number, ++run->starts);
  ask_proceed(run->ask, attempt->number);
}

static void on_token(void *ctx, int attempt, struct bytes text) {
  struct run *run = ctx;
  assert_int_equal(attempt, run->starts);
  size_t at = strlen(run->shown);
  snprintf(run->shown + at, sizeof run->shown - at, "%.*s", (int)text.len, text.ptr);
}

static void on_reset(void *ctx, int attempt) {
  struct run *run = ctx;
  assert_int_equal(attempt, run->starts);
  run->resets++;
  run->shown[0] = '\0';
}

static void stop_soon(void) {
  if (--undone == 0) loop_stop(loop);
}

static void on_end(void *ctx, const struct ask_result *result) {
  struct run *run = ctx;
  if (!run->ends++) run->first_end = result->outcome;
  assert_int_equal(result->attempt, run->starts);
  assert_true(result->next[0] != '\0');
  if (!run->cancel_in_end) return;
  ask_cancel(run->ask);
  stop_soon();
}

static void on_done(void *ctx, const struct ask_result *result) {
  struct run *run = ctx;
  run->dones++;
  run->result = *result;
  snprintf(run->text, sizeof run->text, "%.*s", (int)result->text.len,
           result->text.ptr ? result->text.ptr : "");
  snprintf(run->detail, sizeof run->detail, "%s", result->detail);
  snprintf(run->provider, sizeof run->provider, "%s", result->provider);
  snprintf(run->model, sizeof run->model, "%s", result->model);
  stop_soon();
}

static const struct ask_ops ops = {on_start, on_token, on_reset, on_end, on_done};

static void keep(void *ctx, const char *name, const struct breaker_snapshot *snapshot) {
  assert_ptr_equal(ctx, kept);
  assert_true(kept_count < 16);
  snprintf(kept[kept_count].name, sizeof kept[0].name, "%s", name);
  kept[kept_count++].state = snapshot->state;
}

static void open_all(const enum deed *list, int count, struct provider_options options) {
  memcpy(deeds, list, (size_t)count * sizeof *list);
  deed_count = count;
  requests = openrouter_requests = undone = 0;
  memset(runs, 0, sizeof runs);
  memset(started_at, 0, sizeof started_at);
  kept_count = 0;
  assert_int_equal(loop_create(&loop, NULL), STATUS_OK);
  server = tiny_server_start(loop, answer, NULL);
  snprintf(base_url, sizeof base_url, "http://127.0.0.1:%d/v1", tiny_server_port(server));
  snprintf(openrouter_url, sizeof openrouter_url, "http://127.0.0.1:%d/or",
           tiny_server_port(server));
  rows[0] = (struct agent_binding){.type = "one",
                                   .provider = "acme",
                                   .model = "m-1",
                                   .wire = WIRE_OPENAI,
                                   .base_url = base_url,
                                   .key = "key-of-acme",
                                   .openrouter_model = "acme/m-1",
                                   .available = true};
  rows[1] = rows[0];
  rows[1].type = "two";
  rows[1].provider = "other";
  rows[2] = rows[0];
  rows[2].type = rows[2].provider = "openrouter";
  rows[2].base_url = openrouter_url;
  rows[2].key = "key-of-openrouter";
  rows[2].available = with_openrouter;
  options.connect_timeout_ms = options.idle_timeout_ms = 5000;
  options.max_answer_bytes = 10000;
  options.max_queued = 16;
  options.agents = &table;
  options.breaker_changed = keep;
  options.breaker_ctx = kept;
  if (!options.connections_per_host) options.connections_per_host = 8;
  assert_int_equal(provider_create(loop, &options, &provider, NULL), STATUS_OK);
}

static void close_all(void) {
  provider_destroy(provider);
  tiny_server_stop(server);
  loop_destroy(loop);
}

static struct run *begin(int i, int64_t timeout_ms) {
  const struct ask_spec spec = {.binding = &rows[0],
                                .debate_key = (uint64_t)i + 1,
                                .agent = "a",
                                .prompt = BYTES_LITERAL("Answer."),
                                .schema_name = "proposal",
                                .schema = BYTES_LITERAL("{\"type\":\"object\"}"),
                                .max_output_tokens = 100,
                                .timeout_ms = timeout_ms};
  undone++;
  assert_int_equal(ask_start(provider, &spec, &ops, &runs[i], &runs[i].ask, NULL), STATUS_OK);
  return &runs[i];
}

static struct run *run_one(int64_t timeout_ms) {
  struct run *run = &runs[0];
  *run = (struct run){0};
  begin(0, timeout_ms);
  loop_run(loop);
  return run;
}

static void test_again_until_it_answers(void **state) {
  (void)state;
  open_all((enum deed[]){FAIL_500, SLOW_DOWN, WHOLE}, 3,
           (struct provider_options){.max_retries = 3});
  struct run *run = run_one(5000);
  assert_int_equal(run->result.outcome, OUTCOME_OK);
  assert_string_equal(run->text, "Yes.");
  assert_int_equal(run->result.attempt, 3);
  assert_int_equal(run->starts, 3);
  assert_int_equal(run->ends, 2);
  assert_int_equal(run->first_end, OUTCOME_OVERLOADED);
  assert_false(run->result.fallback);
  close_all();
}

static void test_attempts_are_bounded(void **state) {
  (void)state;
  for (int retries = 0; retries <= 3; retries++) {
    open_all((enum deed[]){FAIL_500}, 1, (struct provider_options){.max_retries = retries});
    struct run *run = run_one(5000);
    assert_int_equal(run->result.outcome, OUTCOME_OVERLOADED);
    assert_int_equal(run->starts, 1 + retries);
    assert_int_equal(run->ends, retries);
    assert_int_equal(requests, 1 + retries);
    close_all();
  }
}

/* Half an answer was shown: it is withdrawn, and nothing of it is in the whole one. */
static void test_half_an_answer_is_withdrawn(void **state) {
  (void)state;
  open_all((enum deed[]){HALF, WHOLE}, 2, (struct provider_options){.max_retries = 1});
  struct run *run = run_one(5000);
  assert_int_equal(run->first_end, OUTCOME_UNAVAILABLE);
  assert_int_equal(run->resets, 1);
  assert_string_equal(run->shown, "Yes.");
  assert_string_equal(run->text, "Yes.");
  close_all();
}

static void test_what_is_never_tried_again(void **state) {
  (void)state;
  open_all((enum deed[]){FAIL_401}, 1, (struct provider_options){.max_retries = 3});
  assert_int_equal(run_one(5000)->result.outcome, OUTCOME_AUTH);
  assert_int_equal(requests, 1);
  close_all();
}

/* A delay beyond the deadline ends the turn at once; until then the binding is not asked again. */
static void test_a_long_wait_is_not_waited_for(void **state) {
  (void)state;
  open_all((enum deed[]){TEN_HOURS}, 1, (struct provider_options){.max_retries = 3});
  struct run *run = run_one(60000);
  assert_int_equal(run->result.outcome, OUTCOME_RATE_LIMITED);
  assert_int_equal(run->result.retry_after_ms, 36000000);
  run = run_one(60000);
  assert_int_equal(run->result.outcome, OUTCOME_RATE_LIMITED);
  assert_int_equal(run->starts, 0);
  assert_int_equal(requests, 1);
  close_all();
}

static void count_standins(void *ctx, const struct provider_agent *agent) {
  if (!agent->standin) return;
  assert_true(agent->asked);
  assert_string_equal(agent->binding->type, "openrouter/acme/m-1");
  assert_true(agent->breaker.last_success_ago_ms >= 0);
  ++*(int *)ctx;
}

static int standins_now(void) {
  int count = 0;
  provider_each_agent(provider, count_standins, &count);
  return count;
}

static void test_openrouter_takes_over_at_a_limit(void **state) {
  (void)state;
  with_openrouter = true;
  open_all((enum deed[]){SLOW_DOWN}, 1, (struct provider_options){.max_retries = 3});
  with_openrouter = false;
  assert_int_equal(standins_now(), 0);
  struct run *run = run_one(5000);
  assert_int_equal(run->result.outcome, OUTCOME_OK);
  assert_true(run->result.fallback);
  assert_string_equal(run->provider, "openrouter");
  assert_int_equal(requests, 2);
  assert_int_equal(openrouter_requests, 1);
  assert_non_null(strstr(last_request, "Bearer key-of-openrouter"));
  assert_null(strstr(last_request, "key-of-acme"));
  assert_non_null(strstr(last_request, "\"model\":\"acme/m-1\""));
  assert_int_equal(standins_now(), 1);
  close_all();
}

static void test_the_chain_is_walked(void **state) {
  (void)state;
  open_all((enum deed[]){FAIL_401, WHOLE}, 2, (struct provider_options){.max_retries = 3});
  rows[0].fallback = "openrouter,two";
  struct run *run = run_one(5000);
  assert_int_equal(run->result.outcome, OUTCOME_OK);
  assert_true(run->result.fallback);
  assert_string_equal(run->provider, "other");
  assert_int_equal(requests, 2);
  close_all();
}

static void look(void *ctx, const struct provider_agent *agent) {
  if (strcmp(agent->binding->type, "one") == 0) *(struct provider_agent *)ctx = *agent;
}

static struct provider_agent agent_now(void) {
  struct provider_agent agent = {0};
  provider_each_agent(provider, look, &agent);
  return agent;
}

static void stop_loop(void *arg) {
  (void)arg;
  loop_stop(loop);
}

static void run_while(enum breaker_state state) {
  while (agent_now().breaker.state == state) {
    loop_timer_start(loop, 5, stop_loop, NULL);
    loop_run(loop);
  }
}

/* Three that ask at once, of which the first is the trial. Milliseconds until all have ended. */
static int64_t run_three(void) {
  for (int i = 0; i < 3; i++) runs[i] = (struct run){0};
  uint64_t start_ns = uv_hrtime();
  for (int i = 0; i < 3; i++) begin(i, 5000);
  loop_run(loop);
  return (int64_t)((uv_hrtime() - start_ns) / 1000000);
}

static void test_the_breaker_stops_the_calls(void **state) {
  (void)state;
  open_all((enum deed[]){FAIL_500, FAIL_500, WHOLE}, 3,
           (struct provider_options){.breaker_threshold = 2, .breaker_cooldown_ms = 40});
  assert_int_equal(agent_now().breaker.state, BREAKER_CLOSED);
  assert_false(agent_now().asked);
  run_one(5000);
  run_one(5000);
  struct provider_agent agent = agent_now();
  assert_int_equal(agent.breaker.state, BREAKER_OPEN);
  assert_string_equal(agent.last_error, "overloaded: boom");
  struct run *run = run_one(5000);
  assert_int_equal(run->result.outcome, OUTCOME_UNAVAILABLE);
  assert_non_null(strstr(run->detail, "circuit breaker open"));
  assert_int_equal(run->starts, 0);
  assert_int_equal(requests, 2);
  /* With time enough the way is free again by itself: the first is the trial, alone, and its
   * success lets the others go at once. */
  run_while(BREAKER_OPEN);
  assert_true(run_three() < BREAKER_TRIAL_WAIT_MS);
  assert_int_equal(started_at[3], 1);
  for (int i = 0; i < 3; i++) assert_int_equal(runs[i].result.outcome, OUTCOME_OK);
  assert_int_equal(requests, 5);
  assert_int_equal(agent_now().breaker.state, BREAKER_CLOSED);
  close_all();
}

static void test_a_failed_trial_lets_nobody_wait(void **state) {
  (void)state;
  open_all((enum deed[]){FAIL_500}, 1,
           (struct provider_options){.breaker_threshold = 1, .breaker_cooldown_ms = 300});
  run_one(5000);
  run_while(BREAKER_OPEN);
  assert_true(run_three() < BREAKER_TRIAL_WAIT_MS);
  assert_int_equal(runs[0].result.outcome, OUTCOME_OVERLOADED);
  for (int i = 1; i < 3; i++) {
    assert_int_equal(runs[i].result.outcome, OUTCOME_UNAVAILABLE);
    assert_non_null(strstr(runs[i].detail, "circuit breaker open"));
    assert_int_equal(runs[i].starts, 0);
  }
  assert_int_equal(requests, 2);
  close_all();
}

static void cancel_on_silence(void *arg) {
  (void)arg;
  ask_cancel(runs[0].ask);
  stop_soon();
}

/* A trial that says nothing is followed by one other, and that one's success lets the rest go. */
static void test_a_cancelled_trial_is_followed_by_one(void **state) {
  (void)state;
  open_all((enum deed[]){FAIL_500, SILENT, WHOLE}, 3,
           (struct provider_options){.breaker_threshold = 1, .breaker_cooldown_ms = 1});
  run_one(5000);
  run_while(BREAKER_OPEN);
  cancel_first = true;
  assert_true(run_three() < BREAKER_TRIAL_WAIT_MS);
  cancel_first = false;
  assert_int_equal(runs[0].dones, 0);
  for (int i = 1; i < 3; i++) assert_int_equal(runs[i].result.outcome, OUTCOME_OK);
  assert_int_equal(started_at[3], 2);
  assert_int_equal(requests, 4);
  close_all();
}

static void cancel_two(void *arg) {
  (void)arg;
  ask_cancel(runs[1].ask);
  ask_cancel(runs[0].ask); /* ends the trial, for which the other does not wait any more */
  stop_soon();
  stop_soon();
}

static void test_who_waits_for_a_trial_may_be_cancelled(void **state) {
  (void)state;
  open_all((enum deed[]){FAIL_500, SILENT, WHOLE}, 3,
           (struct provider_options){.breaker_threshold = 1, .breaker_cooldown_ms = 1});
  run_one(5000);
  run_while(BREAKER_OPEN);
  loop_timer_start(loop, 30, cancel_two, NULL);
  run_three();
  assert_int_equal(runs[0].dones + runs[1].dones, 0);
  assert_int_equal(runs[1].starts, 0);
  assert_int_equal(runs[2].result.outcome, OUTCOME_OK);
  close_all();
}

static void test_who_keeps_breakers_is_told(void **state) {
  (void)state;
  open_all((enum deed[]){FAIL_500, FAIL_500, WHOLE}, 3,
           (struct provider_options){.breaker_threshold = 2, .breaker_cooldown_ms = 1});
  run_one(5000);
  assert_int_equal(kept_count, 0); /* a failure alone is not worth a row */
  run_one(5000);
  run_while(BREAKER_OPEN);
  run_one(5000);
  static const enum breaker_state states[] = {BREAKER_OPEN, BREAKER_HALF_OPEN, BREAKER_CLOSED};
  assert_int_equal(kept_count, 3);
  for (int i = 0; i < 3; i++) {
    assert_string_equal(kept[i].name, "acme/m-1");
    assert_int_equal(kept[i].state, states[i]);
  }
  close_all();
}

static void test_a_restart_does_not_open_the_way(void **state) {
  (void)state;
  open_all((enum deed[]){WHOLE}, 1, (struct provider_options){0});
  const struct breaker_snapshot open = {.state = BREAKER_OPEN,
                                        .failures = 5,
                                        .cooldown_ms = 60000,
                                        .opened_wall_ms = clock_wall_ms(&clock_system) - 1000,
                                        .cooling_until_wall_ms = -1,
                                        .last_failure_wall_ms = -1,
                                        .last_success_wall_ms = -1};
  provider_restore_breaker(provider, "acme/m-1", &open);
  struct run *run = run_one(5000);
  assert_int_equal(run->result.outcome, OUTCOME_UNAVAILABLE);
  assert_non_null(strstr(run->detail, "circuit breaker open"));
  assert_int_equal(requests, 0);
  assert_int_equal(agent_now().breaker.state, BREAKER_OPEN);
  assert_true(agent_now().breaker.cooldown_remaining_ms <= 59000);
  close_all();
}

static void test_one_trial_however_many_wait(void **state) {
  (void)state;
  open_all((enum deed[]){FAIL_500, SILENT, WHOLE}, 3,
           (struct provider_options){.breaker_threshold = 1, .breaker_cooldown_ms = 1});
  run_one(5000);
  run_while(BREAKER_OPEN);
  rows[2].available = true; /* who waits for the trial does not go elsewhere: it is no limit */
  for (int i = 0; i < 4; i++) runs[i] = (struct run){0};
  for (int i = 0; i < 4; i++) begin(i, 100); /* the trial is not answered: all run out of time */
  loop_run(loop);
  int started = 0;
  for (int i = 0; i < 4; i++) started += runs[i].starts;
  assert_int_equal(started, 1);
  assert_int_equal(requests, 2);
  assert_int_equal(openrouter_requests, 0);
  close_all();
}

static void test_reset_closes(void **state) {
  (void)state;
  open_all((enum deed[]){FAIL_500, WHOLE}, 2, (struct provider_options){.breaker_threshold = 1});
  run_one(5000);
  assert_int_equal(agent_now().breaker.state, BREAKER_OPEN);
  const char *name;
  assert_int_equal(provider_reset_breaker(provider, "nobody", &name), STATUS_NOT_FOUND);
  assert_int_equal(provider_reset_breaker(provider, "One", &name), STATUS_OK);
  assert_string_equal(name, "one");
  run_while(BREAKER_OPEN);
  struct run *run = run_one(5000);
  assert_int_equal(run->result.outcome, OUTCOME_OK);
  close_all();
}

static void reset_one(void *arg) {
  const char *name;
  (void)arg;
  assert_int_equal(provider_reset_breaker(provider, "one", &name), STATUS_OK);
}

static void test_a_reset_lets_who_waits_go(void **state) {
  (void)state;
  open_all((enum deed[]){FAIL_500, SILENT, WHOLE}, 3,
           (struct provider_options){.breaker_threshold = 1, .breaker_cooldown_ms = 1});
  run_one(5000);
  run_while(BREAKER_OPEN);
  kept_count = 0;
  runs[0] = (struct run){0};
  begin(0, 500); /* the trial, which runs into its deadline */
  begin(1, 5000);
  loop_timer_start(loop, 30, reset_one, NULL);
  uint64_t start_ns = uv_hrtime();
  loop_run(loop);
  assert_true(uv_hrtime() - start_ns < BREAKER_TRIAL_WAIT_MS * 1000000ul);
  assert_int_equal(runs[0].result.outcome, OUTCOME_TIMEOUT);
  assert_int_equal(runs[1].result.outcome, OUTCOME_OK);
  assert_int_equal(kept_count, 2);
  assert_int_equal(kept[1].state, BREAKER_CLOSED);
  close_all();
}

static void test_the_deadline_ends_the_turn(void **state) {
  (void)state;
  open_all((enum deed[]){SILENT}, 1, (struct provider_options){.max_retries = 3});
  struct run *run = run_one(40);
  assert_int_equal(run->result.outcome, OUTCOME_TIMEOUT);
  assert_int_equal(run->starts, 1);
  assert_int_equal(run->ends, 0);
  close_all();
}

static void test_one_call_after_the_other(void **state) {
  (void)state;
  open_all((enum deed[]){WHOLE}, 1, (struct provider_options){.connections_per_host = 1});
  for (int i = 0; i < ASKS; i++) begin(i, 5000);
  loop_run(loop);
  for (int i = 0; i < ASKS; i++) assert_int_equal(runs[i].result.outcome, OUTCOME_OK);
  assert_int_equal(agent_now().pacing.in_flight, 0);
  assert_int_equal(agent_now().pacing.waiting, 0);
  close_all();
}

static void test_waiting_for_a_turn_has_an_end(void **state) {
  (void)state;
  open_all((enum deed[]){SILENT}, 1, (struct provider_options){.connections_per_host = 1});
  begin(0, 120);
  begin(1, 40);
  loop_run(loop);
  assert_int_equal(runs[1].starts, 0);
  assert_int_equal(runs[1].result.outcome, OUTCOME_TIMEOUT);
  assert_non_null(strstr(runs[1].detail, "waited for its turn"));
  assert_int_equal(runs[0].starts, 1);
  close_all();
}

static void cancel_all(void *arg) {
  (void)arg;
  for (int i = 0; i < 3; i++) ask_cancel(runs[i].ask);
  loop_stop(loop);
}

static void test_cancel_anywhere(void **state) {
  (void)state;
  /* one in flight, two in the gate's queue */
  open_all((enum deed[]){SILENT}, 1, (struct provider_options){.connections_per_host = 1});
  for (int i = 0; i < 3; i++) begin(i, 5000);
  loop_timer_start(loop, 30, cancel_all, NULL);
  loop_run(loop);
  assert_int_equal(agent_now().pacing.in_flight, 0);
  assert_int_equal(agent_now().pacing.waiting, 0);
  for (int i = 0; i < 3; i++) assert_int_equal(runs[i].dones, 0);
  close_all();
  /* while it is told of an attempt's end */
  open_all((enum deed[]){HALF, WHOLE}, 2, (struct provider_options){.max_retries = 3});
  runs[0].cancel_in_end = true;
  begin(0, 5000);
  loop_run(loop);
  assert_int_equal(runs[0].dones, 0);
  assert_int_equal(runs[0].ends, 1);
  close_all();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_again_until_it_answers),
      cmocka_unit_test(test_attempts_are_bounded),
      cmocka_unit_test(test_half_an_answer_is_withdrawn),
      cmocka_unit_test(test_what_is_never_tried_again),
      cmocka_unit_test(test_a_long_wait_is_not_waited_for),
      cmocka_unit_test(test_openrouter_takes_over_at_a_limit),
      cmocka_unit_test(test_the_chain_is_walked),
      cmocka_unit_test(test_the_breaker_stops_the_calls),
      cmocka_unit_test(test_a_failed_trial_lets_nobody_wait),
      cmocka_unit_test(test_a_cancelled_trial_is_followed_by_one),
      cmocka_unit_test(test_who_waits_for_a_trial_may_be_cancelled),
      cmocka_unit_test(test_who_keeps_breakers_is_told),
      cmocka_unit_test(test_a_restart_does_not_open_the_way),
      cmocka_unit_test(test_one_trial_however_many_wait),
      cmocka_unit_test(test_reset_closes),
      cmocka_unit_test(test_a_reset_lets_who_waits_go),
      cmocka_unit_test(test_the_deadline_ends_the_turn),
      cmocka_unit_test(test_one_call_after_the_other),
      cmocka_unit_test(test_waiting_for_a_turn_has_an_end),
      cmocka_unit_test(test_cancel_anywhere),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
