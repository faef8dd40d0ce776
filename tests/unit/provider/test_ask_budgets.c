/* Many asks at one budget, over a loopback server: how many requests leave, what is booked. */
#include "provider/ask.h"
#include "provider/attempt.h"

#include "../io/tiny_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

enum { ASKS = 48, PAID = 7 };

#define HEAD "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
#define TEXT \
  "data: {\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Yes.\"}}]}\n\n"
#define STOP "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
static const char half[] = HEAD TEXT;
static const char whole[] = HEAD TEXT STOP
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":40,\"completion_tokens\":10}}\n\n"
    "data: [DONE]\n\n";

enum deed { WHOLE, HALF, REFUSE, SILENT, MIXED };

struct run {
  struct ask *ask;
  int number, starts, dones;
  bool over;
  struct ask_result result;
  struct ledger_amounts booked; /* as the owner is told */
  char detail[320];
};

static struct loop *loop;
static struct provider *provider;
static struct tiny_server *server;
static struct agent_binding rows[2];
static struct agent_table table = {rows, 2, NULL, NULL};
static char base_url[64];
static struct budget budget;
static enum deed deed;
static int requests, unclosed, most_reserved;
static struct run runs[ASKS];

static void answer(void *ctx, struct tiny_peer *peer, struct bytes request, int number) {
  (void)ctx;
  (void)request;
  requests = number;
  switch (deed == MIXED ? (enum deed)(number % 4) : deed) {
    case WHOLE:
    case HALF:
      tiny_send(peer,
                bytes_of((deed == MIXED ? number % 4 == WHOLE : deed == WHOLE) ? whole : half));
      tiny_close(peer);
      return;
    case REFUSE:
      tiny_send_body(peer, 503, "retry-after-ms: 1\r\n", BYTES_LITERAL("{\"error\":\"busy\"}"));
      return;
    case SILENT:
    case MIXED: return;
  }
}

static struct ledger_view process_view(void) {
  struct budgets_view view;
  budgets_look(provider_budgets(provider), &view);
  return view.process;
}

static void check_account(void) {
  struct ledger_view v = process_view();
  assert_true(v.caps.tokens < 0 || v.committed.tokens + v.reserved.tokens <= v.caps.tokens);
  assert_int_equal(v.overshoots, 0);
  if (v.reserved.tokens > most_reserved) most_reserved = (int)v.reserved.tokens;
}

static void add(struct run *run, const struct ledger_amounts *booked) {
  run->booked.tokens += booked->tokens;
  run->booked.usd_micro += booked->usd_micro;
  check_account();
}

static void close_run(struct run *run) {
  run->over = true;
  if (--unclosed == 0) loop_stop(loop);
}

static void cancel(void *arg) {
  struct run *run = arg;
  if (run->over) return;
  struct ledger_amounts booked = ask_cancel(run->ask).open;
  add(run, &booked);
  close_run(run);
}

static void on_start(void *ctx, const struct ask_attempt *attempt) {
  struct run *run = ctx;
  assert_int_equal(attempt->number, ++run->starts);
  check_account();
  /* One in five is cancelled before it may leave, and one after. */
  if (deed == MIXED && run->number % 5 == 3) {
    cancel(run);
    return;
  }
  ask_proceed(run->ask, attempt->number);
  if (deed == MIXED && run->number % 5 == 4) loop_timer_start(loop, 0, cancel, run);
}

static void on_token(void *ctx, int attempt, struct bytes text) {
  (void)ctx;
  (void)attempt;
  (void)text;
}

static void on_reset(void *ctx, int attempt) {
  (void)ctx;
  (void)attempt;
}

static void on_end(void *ctx, const struct ask_result *result) {
  add(ctx, &result->booked);
}

static void on_done(void *ctx, const struct ask_result *result) {
  struct run *run = ctx;
  run->dones++;
  run->result = *result;
  snprintf(run->detail, sizeof run->detail, "%s", result->detail);
  add(run, &result->booked);
  close_run(run);
}

static const struct ask_ops ops = {on_start, on_token, on_reset, on_end, on_done};

static struct ask_spec spec_of(int number, int64_t timeout_ms) {
  return (struct ask_spec){.binding = &rows[0],
                           .debate_key = (uint64_t)number + 1,
                           .agent = "a",
                           .prompt = BYTES_LITERAL("Answer."),
                           .schema_name = "proposal",
                           .schema = BYTES_LITERAL("{\"type\":\"object\"}"),
                           .max_output_tokens = 100,
                           .timeout_ms = timeout_ms,
                           .budget = &budget};
}

static struct ledger_amounts bound(void) {
  struct ask_spec spec = spec_of(0, 1000);
  return attempt_bound(&spec);
}

static void open_all(enum deed what, struct budget_cap process, int max_retries) {
  deed = what;
  requests = unclosed = most_reserved = 0;
  memset(runs, 0, sizeof runs);
  assert_int_equal(loop_create(&loop, NULL), STATUS_OK);
  server = tiny_server_start(loop, answer, NULL);
  snprintf(base_url, sizeof base_url, "http://127.0.0.1:%d/v1", tiny_server_port(server));
  rows[0] = (struct agent_binding){.type = "one",
                                   .provider = "acme",
                                   .model = "m-1",
                                   .wire = WIRE_OPENAI,
                                   .base_url = base_url,
                                   .key = "key-of-acme",
                                   .price_input_usd_micro = 2000000,
                                   .price_output_usd_micro = 10000000,
                                   .available = true};
  rows[1] = rows[0];
  rows[1].type = rows[1].provider = "two";
  const struct provider_options options = {.connections_per_host = 16,
                                           .max_queued = ASKS,
                                           .connect_timeout_ms = 5000,
                                           .idle_timeout_ms = 5000,
                                           .max_answer_bytes = 10000,
                                           .max_retries = max_retries,
                                           .breaker_threshold = 1000,
                                           .agents = &table,
                                           .budgets = {.process = process}};
  assert_int_equal(provider_create(loop, &options, &provider, NULL), STATUS_OK);
  const struct ledger_caps caps = {-1, -1, false};
  const struct ledger_amounts nothing = {0, 0};
  assert_int_equal(
      budget_open(provider_budgets(provider), "d", &PRINCIPAL_LOCAL, &caps, &nothing, &budget),
      STATUS_OK);
}

static void close_all(void) {
  budget_close(&budget);
  provider_destroy(provider);
  tiny_server_stop(server);
  loop_destroy(loop);
}

static void run_all(int count, int64_t timeout_ms) {
  for (int i = 0; i < count; i++) {
    struct ask_spec spec = spec_of(i, timeout_ms);
    runs[i].number = i;
    unclosed++;
    assert_int_equal(ask_start(provider, &spec, &ops, &runs[i], &runs[i].ask, NULL), STATUS_OK);
  }
  loop_run(loop);
}

static int attempts(void) {
  int sum = 0;
  for (int i = 0; i < ASKS; i++) sum += runs[i].starts;
  return sum;
}

/* Nothing stays reserved, and the account says what the owners were told. */
static void assert_books_agree(void) {
  struct ledger_amounts sum = {0};
  for (int i = 0; i < ASKS; i++) {
    sum.tokens += runs[i].booked.tokens;
    sum.usd_micro += runs[i].booked.usd_micro;
  }
  struct ledger_view v = process_view();
  assert_int_equal(v.reserved.tokens, 0);
  assert_int_equal(v.reserved.usd_micro, 0);
  assert_int_equal(v.committed.tokens, sum.tokens);
  assert_int_equal(v.committed.usd_micro, sum.usd_micro);
}

static void test_the_bound_counts_everything(void **state) {
  (void)state;
  open_all(WHOLE, (struct budget_cap){0}, 0);
  assert_int_equal(bound().tokens, 7 + 17 + 1024 + 100);
  assert_int_equal(bound().usd_micro, (7 + 17 + 1024) * 2 + 100 * 10);
  rows[0].output_tokens_max = 60; /* what is sent is the smaller one */
  assert_int_equal(bound().tokens, 7 + 17 + 1024 + 60);
  rows[0].wire = WIRE_ANTHROPIC; /* writing to its cache costs a quarter more */
  assert_int_equal(bound().usd_micro, 1048 * 2 * 5 / 4 + 60 * 10);
  rows[0].price_output_usd_micro = -1;
  assert_int_equal(bound().usd_micro, -1);
  close_all();
}

/* Answers that break off are booked at their reserve: so many are paid for and no more. */
static void test_exactly_as_many_as_are_paid_for(void **state) {
  (void)state;
  for (int retries = 0; retries <= 3; retries += 3) {
    open_all(HALF, (struct budget_cap){0}, retries);
    int64_t cap = PAID * bound().tokens + bound().tokens / 2;
    close_all();
    open_all(HALF, (struct budget_cap){.tokens = cap}, retries);
    run_all(ASKS, 20000);
    assert_int_equal(requests, PAID);
    assert_int_equal(attempts(), PAID);
    int refused = 0;
    for (int i = 0; i < ASKS; i++) {
      assert_int_equal(runs[i].dones, 1);
      if (runs[i].result.outcome != OUTCOME_BUDGET) continue;
      refused++;
      assert_true(runs[i].result.exhausted);
      assert_non_null(strstr(runs[i].detail, "cap of this server process"));
    }
    if (!retries) assert_int_equal(refused, ASKS - PAID);
    assert_int_equal(process_view().committed.tokens, PAID * bound().tokens);
    assert_books_agree();
    close_all();
  }
}

/* Bounds that do not fit together, actual costs that do: all are made, some after the others. */
static void test_all_that_fit_one_after_the_other(void **state) {
  (void)state;
  open_all(WHOLE, (struct budget_cap){.tokens = 4000}, 0);
  run_all(ASKS, 20000);
  assert_int_equal(requests, ASKS);
  for (int i = 0; i < ASKS; i++) {
    assert_int_equal(runs[i].result.outcome, OUTCOME_OK);
    assert_int_equal(runs[i].booked.tokens, 50);
    assert_int_equal(runs[i].booked.usd_micro, 40 * 2 + 10 * 10);
  }
  assert_int_equal(process_view().committed.tokens, ASKS * 50);
  assert_true(most_reserved >= bound().tokens && most_reserved <= 4000);
  assert_books_agree();
  close_all();
}

static void test_waiting_ends_with_the_turn(void **state) {
  (void)state;
  open_all(SILENT, (struct budget_cap){.tokens = 1500}, 0);
  struct ask_spec first = spec_of(0, 200), second = spec_of(1, 40);
  unclosed = 2;
  runs[1].number = 1;
  assert_int_equal(ask_start(provider, &first, &ops, &runs[0], &runs[0].ask, NULL), STATUS_OK);
  assert_int_equal(ask_start(provider, &second, &ops, &runs[1], &runs[1].ask, NULL), STATUS_OK);
  loop_run(loop);
  assert_int_equal(runs[1].starts, 0);
  assert_int_equal(runs[1].result.outcome, OUTCOME_TIMEOUT);
  assert_non_null(strstr(runs[1].detail, "the process budget"));
  assert_int_equal(runs[0].booked.tokens, bound().tokens); /* it was sent: nobody knows the rest */
  assert_books_agree();
  close_all();
}

static void test_what_is_refused_or_never_left_is_free(void **state) {
  (void)state;
  open_all(REFUSE, (struct budget_cap){.tokens = 1500}, 2);
  run_all(1, 20000);
  assert_int_equal(requests, 3);
  assert_int_equal(runs[0].booked.tokens, 0);
  assert_books_agree();
  close_all();
  open_all(WHOLE, (struct budget_cap){.tokens = 1500}, 0);
  rows[0].base_url = "http://127.0.0.1:1/v1"; /* nobody listens */
  run_all(1, 20000);
  assert_int_equal(runs[0].result.outcome, OUTCOME_UNAVAILABLE);
  assert_true(runs[0].result.unsent);
  assert_int_equal(runs[0].booked.tokens, 0);
  assert_books_agree();
  close_all();
}

/* Answers, broken ones, refusals, silence, and cancels before and after the request left. */
static void test_whatever_happens_never_beyond(void **state) {
  (void)state;
  open_all(MIXED, (struct budget_cap){.tokens = 9000, .usd_micro = 40000}, 2);
  run_all(ASKS, 300);
  assert_true(requests > 0);
  assert_books_agree();
  close_all();
}

/* Nobody knows what a fallback costs: a cap in money passes it by. */
static void test_fallbacks_without_a_price(void **state) {
  (void)state;
  for (int capped = 0; capped <= 1; capped++) {
    open_all(REFUSE, (struct budget_cap){.usd_micro = capped ? 1000000 : 0}, 0);
    rows[0].fallback = "two";
    rows[1].price_input_usd_micro = -1;
    run_all(1, 20000);
    assert_int_equal(runs[0].starts, capped ? 1 : 2);
    assert_int_equal(runs[0].result.outcome, OUTCOME_OVERLOADED);
    close_all();
  }
  open_all(WHOLE, (struct budget_cap){.usd_micro = 1000000}, 0);
  rows[0].price_input_usd_micro = -1;
  run_all(1, 20000);
  assert_int_equal(runs[0].result.outcome, OUTCOME_BUDGET);
  assert_false(runs[0].result.exhausted);
  assert_int_equal(requests, 0);
  close_all();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_bound_counts_everything),
      cmocka_unit_test(test_exactly_as_many_as_are_paid_for),
      cmocka_unit_test(test_all_that_fit_one_after_the_other),
      cmocka_unit_test(test_waiting_ends_with_the_turn),
      cmocka_unit_test(test_what_is_refused_or_never_left_is_free),
      cmocka_unit_test(test_whatever_happens_never_beyond),
      cmocka_unit_test(test_fallbacks_without_a_price),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
