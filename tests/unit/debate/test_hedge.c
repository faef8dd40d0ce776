/* A second attempt beside a slow first: whichever ends, the other is booked and not used. */
#include "driver.h"

#include <stdlib.h>

static struct attempt_result result_of(int attempt, enum outcome outcome, bool final) {
  int64_t reserved = attempt == 1 ? 1000 : 5000; /* the hedge's */
  return (struct attempt_result){
      .attempt = attempt,
      .outcome = outcome,
      .final = final,
      .text = bytes_of(outcome == OUTCOME_OK ? "{\"answer\":\"A\",\"answer_key\":\"a\","
                                               "\"key_claims\":[],\"confidence\":0.5}"
                                             : ""),
      .provider = attempt == 2 ? "other" : "acme",
      .model = "acme-1",
      .detail = outcome == OUTCOME_OK ? "" : "its own words",
      .request_id = "",
      .input = outcome == OUTCOME_OK ? 30 : -1,
      .cache_read = -1,
      .cache_write = -1,
      .output = outcome == OUTCOME_OK ? 20 : -1,
      .reasoning = -1,
      .booked_tokens = outcome == OUTCOME_OK          ? 50
                       : outcome == OUTCOME_CANCELLED ? reserved
                                                      : 0,
      .booked_usd_micro = outcome == OUTCOME_OK          ? 300
                          : outcome == OUTCOME_CANCELLED ? reserved
                                                         : 0,
      .ttft_ms = 1,
      .latency_ms = 2};
}

static void start(struct driver *r, int64_t reserved, bool hedge) {
  struct drafts drafts = {0};
  const struct attempt_begin begin = {"acme", "acme-1", reserved, reserved, hedge, 0};
  assert_int_equal(debate_begin_attempt(r->d, 0, &begin, &drafts), STATUS_OK);
  driver_append(r, &drafts);
}

/* Two attempts of the first turn: 1 and, beside it, 2. */
static void begin(struct driver *r) {
  struct debate_config c = driver_config(2);
  driver_begin(r, &c, "");
  start(r, 1000, false);
  start(r, 5000, true);
  assert_int_equal(r->d->committed_tokens, 6000);
  assert_int_equal(r->d->turns[0].hedges, 1);
}

static void end(struct driver *r, const struct attempt_result *results, size_t count) {
  struct drafts drafts = {0};
  for (size_t i = 0; i < count; i++)
    assert_int_equal(debate_answer(r->d, 0, &results[i], &drafts), STATUS_OK);
  driver_append(r, &drafts);
}

static void check(struct driver *r) {
  struct check_result result;
  driver_check(r, &result);
  assert_true(result.ok);
  driver_done(r);
}

static void test_hedge_wins(void **state) {
  (void)state;
  struct driver r;
  begin(&r);
  end(&r,
      (struct attempt_result[]){result_of(1, OUTCOME_CANCELLED, false),
                                result_of(2, OUTCOME_OK, true)},
      2);
  const struct turn *t = &r.d->turns[0];
  assert_int_equal(t->status, TURN_OK);
  assert_false(t->attempt_open);
  assert_int_equal(t->attempts, 2);
  assert_string_equal(t->provider, "other"); /* who answered */
  assert_int_equal(r.d->committed_tokens, 1000 + 50);
  assert_int_equal(r.d->committed_usd_micro, 1000 + 300);
  assert_int_equal(json_get_int(driver_event(&r, "attempt_end", 0), "attempt", 0), 1);
  check(&r);
}

static void test_first_wins(void **state) {
  (void)state;
  struct driver r;
  begin(&r);
  end(&r,
      (struct attempt_result[]){result_of(2, OUTCOME_CANCELLED, false),
                                result_of(1, OUTCOME_OK, true)},
      2);
  assert_int_equal(r.d->turns[0].status, TURN_OK);
  assert_int_equal(r.d->committed_tokens, 5000 + 50);
  assert_int_equal(r.d->committed_usd_micro, 5000 + 300);
  check(&r);
}

/* After the first has failed, the hedge is the turn's attempt; its failure then ends the turn. */
static void test_hedge_runs_on(void **state) {
  (void)state;
  struct driver r;
  begin(&r);
  end(&r, (struct attempt_result[]){result_of(1, OUTCOME_OVERLOADED, false)}, 1);
  assert_true(r.d->turns[0].attempt_open);
  assert_int_equal(r.d->turns[0].open_number, 2);
  assert_int_equal(r.d->committed_tokens, 5000);
  end(&r, (struct attempt_result[]){result_of(2, OUTCOME_TIMEOUT, true)}, 1);
  assert_int_equal(r.d->turns[0].status, TURN_FAILED);
  assert_int_equal(r.d->turns[0].outcome, OUTCOME_TIMEOUT);
  assert_int_equal(r.d->committed_tokens, 0);
  check(&r);
}

/* A failed hedge leaves the first as it was, and another may follow it. */
static void test_hedge_fails(void **state) {
  (void)state;
  struct driver r;
  begin(&r);
  end(&r, (struct attempt_result[]){result_of(2, OUTCOME_OVERLOADED, false)}, 1);
  assert_int_equal(r.d->turns[0].open_number, 1);
  assert_int_equal(r.d->committed_tokens, 1000);
  start(&r, 2000, true);
  assert_int_equal(r.d->turns[0].hedge.number, 3);
  check(&r);
}

/* A crash cuts both, at their reserves, and counts as one. */
static void test_crash(void **state) {
  (void)state;
  struct driver r;
  begin(&r);
  driver_crash(&r);
  assert_false(r.d->turns[0].attempt_open);
  assert_int_equal(r.d->turns[0].unknowns, 1);
  assert_int_equal(r.d->committed_tokens, 6000);
  assert_int_equal(driver_events(&r, "attempt_end"), 2);
  driver_run(&r);
  driver_done(&r);
}

static void refuse(struct driver *r, const char *kind, const char *data) {
  struct error err;
  const struct event ev = {r->d->last_seq + 1, event_kind_parse(kind),   r->now_ms, 0,
                           "agent-1",          json_loads(data, 0, NULL)};
  assert_int_equal(debate_apply(r->d, &ev, &err), STATUS_CORRUPT);
  json_decref(ev.data);
}

static void test_refuses_what_cannot_be(void **state) {
  (void)state;
  static const char third[] =
      "{\"turn\":\"0.proposal.agent-1\",\"kind\":\"proposal\","
      "\"attempt\":3,\"hedge\":true}";
  static const char alone[] =
      "{\"turn\":\"0.proposal.agent-1\",\"kind\":\"proposal\","
      "\"attempt\":1,\"hedge\":true}";
  static const char other[] =
      "{\"turn\":\"0.proposal.agent-1\",\"kind\":\"proposal\","
      "\"attempt\":3,\"outcome\":\"ok\"}";
  static const char none[] =
      "{\"turn\":\"0.proposal.agent-1\",\"kind\":\"proposal\","
      "\"attempt\":0,\"outcome\":\"ok\"}";
  struct driver r;
  begin(&r);
  refuse(&r, "attempt_start", third); /* a second hedge */
  driver_done(&r);
  begin(&r);
  refuse(&r, "attempt_end", other);
  refuse(&r, "attempt_end", none);
  driver_done(&r);
  begin(&r);
  end(&r, (struct attempt_result[]){result_of(2, OUTCOME_OVERLOADED, false)}, 1);
  refuse(&r, "attempt_end", none);
  driver_done(&r);
  struct debate_config c = driver_config(2);
  driver_begin(&r, &c, "");
  refuse(&r, "attempt_start", alone); /* beside nothing */
  driver_done(&r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_hedge_wins),    cmocka_unit_test(test_first_wins),
      cmocka_unit_test(test_hedge_runs_on), cmocka_unit_test(test_hedge_fails),
      cmocka_unit_test(test_crash),         cmocka_unit_test(test_refuses_what_cannot_be),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
