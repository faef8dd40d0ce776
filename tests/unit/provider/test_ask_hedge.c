/* A second attempt beside a slow first, over a loopback server that answers when the test says so.
 */
#include "provider/ask.h"

#include "../io/tiny_server.h"
#include "provider/latency.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static int quick = LATENCY_MIN; /* answers at once, behind it before a test begins */
#define FIRST  (quick + 1)      /* the server's requests after them */
#define SECOND (quick + 2)
#define THIRD  (quick + 3)

static const char whole[] =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    "data: {\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Yes.\"}}]}\n\n"
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
    "data: [DONE]\n\n";
static const char half[] =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    "data: {\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"No, \"}}]}\n\n";

struct seen { /* of one attempt */
  int starts, ends;
  bool hedge;
  enum outcome end;
  struct ledger_amounts reserved;
};

static struct loop *loop;
static struct provider *provider;
static struct tiny_server *server;
static struct tiny_peer *peers[LATENCY_MIN + 6]; /* by the number of their request */
static struct agent_binding row = {.type = "one",
                                   .provider = "acme",
                                   .model = "m-1",
                                   .wire = WIRE_OPENAI,
                                   .key = "key-of-acme",
                                   .available = true};
static struct agent_table table = {&row, 1, NULL, NULL};
static char base_url[64];
static void (*then)(int number); /* what the server does at the requests after the quick ones */
static struct ask *ask;
static struct seen seen[5]; /* by the attempt's number */
static struct ask_result result, beside;
static char text[32], shown[32];
static int requests, dones, resets;
static bool hold_hedge;
static struct budget budget;
static struct budget *paid_from;

static void fail_with_500(int number) {
  tiny_send_body(peers[number], 500, "retry-after-ms: 1\r\n",
                 BYTES_LITERAL("{\"error\":\"boom\"}"));
}

static void answer_whole(int number) {
  tiny_send(peers[number], bytes_of(whole));
  tiny_close(peers[number]);
}

static void answer(void *ctx, struct tiny_peer *peer, struct bytes request, int number) {
  (void)ctx;
  (void)request;
  requests = number;
  assert_true(number < (int)(sizeof peers / sizeof *peers));
  peers[number] = peer;
  if (number < FIRST)
    answer_whole(number);
  else
    then(number);
}

static void on_start(void *ctx, const struct ask_attempt *attempt) {
  (void)ctx;
  struct seen *s = &seen[attempt->number];
  s->starts++;
  s->hedge = attempt->hedge;
  s->reserved = (struct ledger_amounts){attempt->reserved_tokens, attempt->reserved_usd_micro};
  if (!attempt->hedge || !hold_hedge)
    ask_proceed(ask, attempt->number);
  else if (peers[FIRST])
    answer_whole(FIRST);
}

static void on_token(void *ctx, int attempt, struct bytes words) {
  (void)ctx;
  assert_false(seen[attempt].hedge);
  snprintf(shown, sizeof shown, "%.*s", (int)words.len, words.ptr);
}

static void on_reset(void *ctx, int attempt) {
  (void)ctx;
  assert_false(seen[attempt].hedge);
  resets++;
}

static void on_end(void *ctx, const struct ask_result *r) {
  (void)ctx;
  seen[r->attempt].ends++;
  seen[r->attempt].end = r->outcome;
  assert_true(r->next[0] != '\0');
  assert_null(r->beside);
}

static void on_done(void *ctx, const struct ask_result *r) {
  (void)ctx;
  dones++;
  result = *r;
  beside = r->beside ? *r->beside : (struct ask_result){0};
  snprintf(text, sizeof text, "%.*s", (int)r->text.len, r->text.ptr ? r->text.ptr : "");
  loop_stop(loop);
}

static const struct ask_ops ops = {on_start, on_token, on_reset, on_end, on_done};

static void begin(int64_t timeout_ms) {
  const struct ask_spec spec = {.binding = &row,
                                .debate_key = 1,
                                .agent = "a",
                                .prompt = BYTES_LITERAL("Answer."),
                                .schema_name = "proposal",
                                .schema = BYTES_LITERAL("{\"type\":\"object\"}"),
                                .max_output_tokens = 100,
                                .timeout_ms = timeout_ms,
                                .budget = paid_from};
  memset(seen, 0, sizeof seen);
  memset(&result, 0, sizeof result);
  dones = resets = 0;
  shown[0] = '\0';
  assert_int_equal(ask_start(provider, &spec, &ops, NULL, &ask, NULL), STATUS_OK);
}

static void run(int64_t timeout_ms) {
  begin(timeout_ms);
  loop_run(loop);
  assert_int_equal(dones, 1);
}

static void open_all(void (*act)(int number), struct provider_options options) {
  requests = 0;
  memset(peers, 0, sizeof peers);
  then = act;
  hold_hedge = false;
  paid_from = NULL;
  assert_int_equal(loop_create(&loop, NULL), STATUS_OK);
  server = tiny_server_start(loop, answer, NULL);
  snprintf(base_url, sizeof base_url, "http://127.0.0.1:%d/v1", tiny_server_port(server));
  row.base_url = base_url;
  options.connect_timeout_ms = options.idle_timeout_ms = 5000;
  options.max_answer_bytes = 10000;
  options.max_queued = 16;
  options.agents = &table;
  if (!options.connections_per_host) options.connections_per_host = 8;
  assert_int_equal(provider_create(loop, &options, &provider, NULL), STATUS_OK);
  for (int i = 0; i < quick; i++) run(5000);
}

static void close_all(void) {
  budget_close(&budget);
  budget = (struct budget){0};
  provider_destroy(provider);
  tiny_server_stop(server);
  loop_destroy(loop);
  quick = LATENCY_MIN;
}

#define HEDGING                     \
  (struct provider_options) {       \
    .hedge = true, .max_retries = 1 \
  }

static void only_the_second_answers(int number) {
  if (number == FIRST) tiny_send(peers[number], bytes_of(half));
  if (number == SECOND) answer_whole(number);
}

static void test_the_second_wins(void **state) {
  (void)state;
  open_all(only_the_second_answers, HEDGING);
  run(5000);
  assert_int_equal(result.outcome, OUTCOME_OK);
  assert_int_equal(result.attempt, 2);
  assert_string_equal(text, "Yes.");
  assert_string_equal(shown, "No, "); /* the owner takes it back */
  assert_true(seen[2].hedge);
  assert_false(seen[1].hedge);
  assert_int_equal(beside.attempt, 1);
  assert_int_equal(beside.outcome, OUTCOME_CANCELLED);
  assert_false(beside.unsent);
  assert_int_equal(beside.booked.tokens, seen[1].reserved.tokens);
  assert_int_equal(seen[1].ends + seen[2].ends, 0); /* both in ops.done */
  close_all();
}

static void the_first_waits_for_the_second(int number) {
  if (number == SECOND) answer_whole(FIRST);
}

static void test_the_first_wins(void **state) {
  (void)state;
  open_all(the_first_waits_for_the_second, HEDGING);
  run(5000);
  assert_int_equal(result.attempt, 1);
  assert_string_equal(text, "Yes.");
  assert_int_equal(beside.attempt, 2);
  assert_int_equal(beside.booked.tokens, seen[2].reserved.tokens);
  close_all();
}

static void the_second_fails(int number) {
  if (number != SECOND) return;
  fail_with_500(SECOND);
  answer_whole(FIRST);
}

static void test_the_second_fails(void **state) {
  (void)state;
  open_all(the_second_fails, HEDGING);
  run(5000);
  assert_int_equal(result.outcome, OUTCOME_OK);
  assert_int_equal(result.attempt, 1);
  assert_int_equal(seen[1].ends, 0);
  close_all();
}

static void the_first_fails(int number) {
  if (number != SECOND) return;
  tiny_reset(peers[FIRST]);
}

static void the_second_answers_later(void *arg) {
  (void)arg;
  if (seen[1].ends)
    answer_whole(SECOND);
  else
    loop_timer_start(loop, 1, the_second_answers_later, NULL);
}

static void test_the_second_runs_on(void **state) {
  (void)state;
  open_all(the_first_fails, HEDGING);
  begin(5000);
  loop_timer_start(loop, 1, the_second_answers_later, NULL);
  loop_run(loop);
  assert_int_equal(result.outcome, OUTCOME_OK);
  assert_int_equal(result.attempt, 2);
  assert_int_equal(beside.attempt, 0); /* nothing was left to cut */
  assert_int_equal(seen[1].ends, 1);
  assert_int_equal(seen[1].end, OUTCOME_UNAVAILABLE);
  close_all();
}

static void both_fail_then_whole(int number) {
  if (number == SECOND) {
    fail_with_500(FIRST);
    fail_with_500(SECOND);
  }
  if (number == THIRD) answer_whole(number);
}

static void test_both_fail(void **state) {
  (void)state;
  open_all(both_fail_then_whole, HEDGING);
  run(5000);
  assert_int_equal(result.outcome, OUTCOME_OK);
  assert_int_equal(result.attempt, 3); /* a hedge is none of the 1 + max_retries */
  assert_int_equal(seen[1].ends, 1);
  assert_int_equal(seen[2].ends, 1);
  assert_false(seen[3].hedge);
  close_all();
}

static void nothing(int number) {
  (void)number;
}

static void test_the_deadline_ends_both(void **state) {
  (void)state;
  open_all(nothing, HEDGING);
  run(300);
  assert_int_equal(result.outcome, OUTCOME_TIMEOUT);
  assert_int_equal(result.attempt, 1);
  assert_int_equal(beside.attempt, 2);
  assert_int_equal(beside.outcome, OUTCOME_CANCELLED);
  close_all();
}

static void only_beside_a_hedge(int number) {
  if (seen[2].starts) answer_whole(number);
}

/* The hedge is announced, and its start never becomes durable. */
static void test_a_hedge_that_never_left(void **state) {
  (void)state;
  open_all(only_beside_a_hedge, HEDGING);
  hold_hedge = true;
  run(5000);
  assert_int_equal(result.attempt, 1);
  assert_int_equal(beside.attempt, 2);
  assert_true(beside.unsent);
  assert_int_equal(beside.booked.tokens, 0);
  assert_int_equal(requests, FIRST);
  close_all();
}

static struct ask_owed owed;

static void cancel_at_second(int number) {
  if (number != SECOND) return;
  owed = ask_cancel(ask);
  loop_stop(loop);
}

static void test_cancelled_with_both(void **state) {
  (void)state;
  open_all(cancel_at_second, HEDGING);
  begin(5000);
  loop_run(loop);
  assert_int_equal(dones, 0);
  assert_int_equal(owed.open.tokens, seen[1].reserved.tokens);
  assert_int_equal(owed.hedge.tokens, seen[2].reserved.tokens);
  assert_true(owed.open.tokens > 100);
  close_all();
}

/* ---- no hedge ---- */

static void check_alone(void) {
  run(300);
  assert_int_equal(result.outcome, OUTCOME_TIMEOUT);
  assert_int_equal(result.attempt, 1);
  assert_int_equal(beside.attempt, 0);
  assert_int_equal(seen[2].starts, 0);
  close_all();
}

static void test_not_unless_asked_for(void **state) {
  (void)state;
  open_all(nothing, (struct provider_options){.max_retries = 0});
  check_alone();
}

/* One answer fewer than a percentile needs. */
static void test_not_without_history(void **state) {
  (void)state;
  quick = LATENCY_MIN - 1;
  open_all(nothing, HEDGING);
  check_alone();
}

static void test_not_through_a_full_gate(void **state) {
  (void)state;
  open_all(nothing, (struct provider_options){.hedge = true, .connections_per_host = 1});
  check_alone();
}

static void open_budget(int64_t tokens) {
  const struct ledger_caps caps = {.tokens = tokens, .usd_micro = -1};
  const struct principal who = {.tenant_id = "t", .owner_id = "o"};
  const struct ledger_amounts nothing_spent = {0};
  assert_int_equal(
      budget_open(provider_budgets(provider), "d1", &who, &caps, &nothing_spent, &budget),
      STATUS_OK);
  paid_from = &budget;
}

static void test_not_beyond_the_budget(void **state) {
  (void)state;
  open_all(nothing, HEDGING);
  open_budget(2000);
  run(300);
  int64_t bound = seen[1].reserved.tokens;
  assert_int_equal(beside.attempt, 0);
  assert_int_equal(seen[2].starts, 0);
  assert_true(bound > 1000 && 2 * bound > 2000);
  close_all();
  open_all(only_the_second_answers, HEDGING);
  open_budget(2 * bound); /* pays for both */
  run(5000);
  assert_int_equal(result.attempt, 2);
  close_all();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_second_wins),
      cmocka_unit_test(test_the_first_wins),
      cmocka_unit_test(test_the_second_fails),
      cmocka_unit_test(test_the_second_runs_on),
      cmocka_unit_test(test_both_fail),
      cmocka_unit_test(test_the_deadline_ends_both),
      cmocka_unit_test(test_a_hedge_that_never_left),
      cmocka_unit_test(test_cancelled_with_both),
      cmocka_unit_test(test_not_unless_asked_for),
      cmocka_unit_test(test_not_without_history),
      cmocka_unit_test(test_not_through_a_full_gate),
      cmocka_unit_test(test_not_beyond_the_budget),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
