/* Budgets of whole debates: what waits and is made all the same, how they end, what a day remembers
 * over the end of the process. Scripted calls reserve their texts and 8192 tokens, or 1000
 * micro-dollars, and take a few hundred tokens or 10. */
#include "store/keys.h"
#include "world.h"

#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

static const struct scripted_rules at_once = {0};

static void assert_has(const char *text, const char *part) {
  if (!text || !strstr(text, part)) fail_msg("\"%s\" is not in \"%s\"", part, text ? text : "");
}

static struct watch *begin(struct world *w, struct debate_spec *spec) {
  struct watch *watch = world_start(w, spec);
  watch_answered(watch);
  return watch;
}

static struct watch *begin_default(struct world *w) {
  struct debate_spec spec;
  world_spec(&spec, "Should we adopt it?");
  return begin(w, &spec);
}

/* The debate's state at its end; the log was checked against the budget after every event. */
static struct debate *ended(struct world *w, struct watch *watch) {
  if (watch->status) fail_msg("%s", watch->err.message);
  watch_end(watch);
  struct debate *d = world_check_log(w, watch->id);
  assert_non_null(d->end);
  return d;
}

static struct budgets_view look(struct world *w) {
  struct budgets_view view;
  budgets_look(provider_budgets(w->provider), &view);
  return view;
}

static void add_spending(void *ctx, const struct store_spending *s) {
  struct store_spending *sum = ctx;
  assert_string_equal(s->tenant_id, "local");
  assert_string_equal(s->owner_id, "local");
  sum->tokens += s->tokens;
  sum->usd_micro += s->usd_micro;
  sum->unpriced += s->unpriced;
}

/* The table, the logs and, once nothing runs, the account of the day say the same. */
static void assert_books_agree(struct world *w) {
  struct store_spending stored = {0};
  struct ledger_amounts logs = {0};
  struct error err = {0};
  assert_int_equal(store_read_spending(w->store, 0, add_spending, &stored, &err), STATUS_OK);
  for (size_t i = 0; i < w->watch_count; i++) {
    if (w->watches[i]->status) continue;
    struct debate *d = world_check_log(w, w->watches[i]->id);
    logs.tokens += d->committed_tokens;
    logs.usd_micro += d->committed_usd_micro;
    debate_destroy(d);
  }
  assert_int_equal(stored.tokens, logs.tokens);
  assert_int_equal(stored.usd_micro, logs.usd_micro);
  struct budgets_view view = look(w);
  assert_int_equal(view.today.reserved.tokens, 0);
  assert_int_equal(view.today.committed.tokens, stored.tokens);
  assert_int_equal(view.today.committed.usd_micro, stored.usd_micro);
  assert_int_equal(view.today.unpriced, stored.unpriced);
}

/* ---- within a debate ---- */

static struct scripted_answer count_in_flight(void *ctx, const struct scripted_question *q) {
  (void)ctx;
  (void)q;
  return (struct scripted_answer){.delay_ms = 1};
}

/* Three bounds of a step do not fit together; what the calls take does. */
static void one_after_the_other(void **state) {
  struct world *w = *state;
  struct scripted_rules rules = {count_in_flight, NULL, NULL};
  scripted_set(&rules);
  world_open(w);
  for (int money = 0; money <= 1; money++) {
    struct debate_spec spec;
    world_spec(&spec, "Should we adopt it?");
    if (money)
      spec.budget_usd_micro = 1500;
    else
      spec.budget_tokens = 25000;
    struct debate *d = ended(w, begin(w, &spec));
    assert_string_equal(debate_status(d), "completed");
    assert_null(d->fact_reason);
    assert_int_equal(d->fact, FACT_NONE);
    assert_true(d->attempts >= 12);
    debate_destroy(d);
  }
  world_drain(w);
  assert_books_agree(w);
}

static void used_up(void **state) {
  struct world *w = *state;
  scripted_set(&at_once);
  world_open(w);
  struct debate_spec spec;
  world_spec(&spec, "Should we adopt it?");
  spec.budget_tokens = 12000;
  struct debate *d = ended(w, begin(w, &spec));
  assert_string_equal(debate_outcome(d), "budget_exhausted");
  assert_string_equal(debate_status(d), "completed"); /* the first answers could be paid for */
  assert_non_null(d->consensus);
  assert_has(d->fact_reason, "the debate's budget of 12000 tokens is used up");
  assert_true(d->committed_tokens > 0 && d->committed_tokens <= 12000);
  debate_destroy(d);
  world_drain(w);
  assert_books_agree(w);
}

/* beta can never be paid for; gamma is under way and alpha has answered by then. */
static struct scripted_answer one_too_dear(void *ctx, const struct scripted_question *q) {
  (void)ctx;
  bool dear = strcmp(q->spec->agent, "beta") == 0;
  bool held = strcmp(q->spec->agent, "gamma") == 0;
  return (struct scripted_answer){.deed = held ? SCRIPT_HELD : SCRIPT_ANSWER,
                                  .bound_tokens = dear ? 30000 : 5000};
}

static void when_gamma_left(void *ctx, const struct scripted_question *q) {
  if (strcmp(q->spec->agent, "gamma") == 0) signal_raise(ctx);
}

static void answers_under_way_count(void **state) {
  struct world *w = *state;
  struct signal_flag left;
  signal_init(&left);
  struct scripted_rules rules = {one_too_dear, when_gamma_left, &left};
  scripted_set(&rules);
  world_open(w);
  struct debate_spec spec;
  world_spec(&spec, "Should we adopt it?");
  spec.budget_tokens = 20000;
  struct watch *watch = begin(w, &spec);
  signal_wait(&left);
  world_on_loop(w, NULL, NULL);
  assert_int_equal(world_count(w, watch->id, "budget_exhausted", NULL, NULL, NULL), 0);
  world_on_loop(w, scripted_release, NULL);
  struct debate *d = ended(w, watch);
  assert_string_equal(debate_outcome(d), "budget_exhausted");
  assert_int_equal(world_count(w, watch->id, "agent_message", "alpha", NULL, NULL), 1);
  assert_int_equal(world_count(w, watch->id, "agent_message", "gamma", NULL, NULL), 1);
  debate_destroy(d);
}

/* ---- over debates ---- */

static struct scripted_answer long_winded(void *ctx, const struct scripted_question *q) {
  (void)ctx;
  (void)q;
  return (struct scripted_answer){.output_tokens = 3000};
}

static void a_cap_of_all(void **state) {
  struct world *w = *state;
  struct scripted_rules rules = {long_winded, NULL, NULL};
  scripted_set(&rules);
  w->budgets.day.tokens = 15000;
  world_open(w);
  struct debate *d = ended(w, begin_default(w)); /* two answers, and no room for a third */
  assert_string_equal(debate_outcome(d), "budget_exhausted");
  assert_has(d->fact_reason, "the cap for the day of 15000 tokens is used up");
  assert_int_equal(d->attempts, 2);
  debate_destroy(d);
  world_on_loop(w, NULL, NULL);
  for (int restarted = 0; restarted <= 1; restarted++) {
    assert_books_agree(w);
    struct watch *watch = begin_default(w);
    assert_int_equal(watch->status, STATUS_EXHAUSTED);
    assert_has(watch->err.message, "the cap for the day of 15000 tokens");
    assert_true(watch->err.retry_after_s > 0 && watch->err.retry_after_s <= 86400);
    world_leave(w, WORLD_IN_ORDER);
    world_open(w); /* the day is the same one */
  }
}

static struct scripted_answer silent_at_last(void *ctx, const struct scripted_question *q) {
  struct signal_flag *reached = ctx;
  bool critique = strcmp(q->kind, "critique") == 0;
  if (critique && q->nth == 1 && q->spec->agent_index == 2) signal_raise(reached);
  return (struct scripted_answer){.deed = critique ? SCRIPT_SILENT : SCRIPT_ANSWER};
}

/* What was under way stays booked, once, however often the process ends. */
static void crashes_are_booked_once(void **state) {
  struct world *w = *state;
  struct signal_flag reached;
  signal_init(&reached);
  world_open(w);
  int64_t booked = 0;
  for (int crash = 0; crash < 3; crash++) {
    struct scripted_rules rules = {silent_at_last, NULL, &reached};
    scripted_set(&rules);
    struct error err;
    size_t count = 0;
    if (crash == 0)
      begin_default(w);
    else
      assert_int_equal(runner_resume(w->runner, &count, &err), STATUS_OK);
    signal_wait(&reached);
    world_leave(w, WORLD_LOOP_FIRST);
    world_open(w);
    int64_t now = look(w).today.committed.tokens;
    assert_true(now > booked);
    booked = now;
    struct store_spending stored = {0};
    assert_int_equal(store_read_spending(w->store, 0, add_spending, &stored, &err), STATUS_OK);
    assert_int_equal(stored.tokens, now);
  }
  scripted_set(&at_once);
  size_t count = 0;
  struct error err;
  assert_int_equal(runner_resume(w->runner, &count, &err), STATUS_OK);
  assert_int_equal(count, 1);
  world_drain(w);
  struct debate *d = world_check_log(w, w->watches[0]->id);
  assert_string_equal(debate_status(d), "completed");
  debate_destroy(d);
  assert_books_agree(w);
}

/* A resumed debate has spent what its log says. */
static void a_budget_over_a_crash(void **state) {
  struct world *w = *state;
  struct signal_flag reached;
  signal_init(&reached);
  struct scripted_rules rules = {silent_at_last, NULL, &reached};
  scripted_set(&rules);
  world_open(w);
  struct debate_spec spec;
  world_spec(&spec, "Should we adopt it?");
  spec.budget_tokens = 35000;
  struct watch *watch = begin(w, &spec);
  signal_wait(&reached);
  world_leave(w, WORLD_LOOP_FIRST);
  scripted_set(&at_once);
  world_open(w);
  size_t count = 0;
  struct error err;
  assert_int_equal(runner_resume(w->runner, &count, &err), STATUS_OK);
  world_drain(w);
  struct debate *d = world_check_log(w, watch->id); /* at most the budget after every event */
  assert_string_equal(debate_outcome(d), "budget_exhausted");
  debate_destroy(d);
}

static struct scripted_answer hold_proposals(void *ctx, const struct scripted_question *q) {
  (void)ctx;
  bool proposal = strcmp(q->kind, "proposal") == 0;
  return (struct scripted_answer){.deed = proposal ? SCRIPT_HELD : SCRIPT_SILENT};
}

struct leaving {
  struct signal_flag sent; /* three proposals left, or three critiques */
  int proposals, critiques;
};

static void count_to_three(void *ctx, const struct scripted_question *q) {
  struct leaving *l = ctx;
  int *count = strcmp(q->kind, "proposal") == 0 ? &l->proposals : &l->critiques;
  if (++*count == 3) signal_raise(&l->sent);
}

static void on_cancelled(void *ctx, enum status status) {
  assert_int_equal(status, STATUS_OK);
  signal_raise(ctx);
}

/* Cancelled while what begins is on its way to the disk, and once it has left. */
static void cancelled_before_and_after_it_left(void **state) {
  struct world *w = *state;
  struct leaving leaving = {.proposals = 0};
  struct signal_flag cancelled;
  signal_init(&leaving.sent);
  signal_init(&cancelled);
  struct scripted_rules rules = {hold_proposals, count_to_three, &leaving};
  scripted_set(&rules);
  world_open(w);
  struct watch *watch = begin_default(w);
  signal_wait(&leaving.sent);
  sqlite3 *foreign; /* holds the database while the critiques begin */
  assert_int_equal(sqlite3_open(w->memory_path, &foreign), SQLITE_OK);
  sqlite3_busy_timeout(foreign, 10000);
  assert_int_equal(sqlite3_exec(foreign, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
  world_on_loop(w, scripted_release, NULL);
  while (look(w).today.committed.tokens == 0 || look(w).today.reserved.tokens < 3 * 8192 ||
         scripted_counts().answered < 3)
    poll(NULL, 0, 1);
  world_on_loop(w, NULL, NULL);
  runner_cancel(w->runner, &PRINCIPAL_LOCAL, watch->id, NULL, on_cancelled, &cancelled);
  world_on_loop(w, NULL, NULL);
  assert_int_equal(look(w).today.reserved.tokens, 0);
  assert_int_equal(sqlite3_exec(foreign, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(foreign);
  signal_wait(&cancelled);
  debate_destroy(ended(w, watch));
  assert_int_equal(world_count(w, watch->id, "attempt_start", NULL, "kind", "critique"), 3);
  int64_t before = look(w).today.committed.tokens;
  assert_true(before < 8192); /* three proposals, and nothing for what never left */
  assert_books_agree(w);
  watch = begin_default(w);
  signal_wait(&leaving.sent);
  assert_int_equal(world_cancel(w, watch->id), STATUS_OK);
  debate_destroy(ended(w, watch));
  assert_int_equal(world_count(w, watch->id, "attempt_end", NULL, "outcome", "cancelled"), 3);
  world_drain(w);
  assert_true(look(w).today.committed.tokens >= before + 3 * 8192);
  assert_books_agree(w);
}

/* ---- prices ---- */

static void unknown_prices(void **state) {
  struct world *w = *state;
  scripted_set(&at_once);
  w->agents.agents[1].price_input_usd_micro = -1;
  world_open(w);
  struct debate_spec spec;
  world_spec(&spec, "Should we adopt it?");
  spec.budget_usd_micro = 50000;
  struct watch *refused = begin(w, &spec);
  assert_int_equal(refused->status, STATUS_INVALID);
  assert_string_equal(refused->err.field, "budget_usd");
  assert_has(refused->err.message, "the price of beta");
  world_spec(&spec, "Should we adopt it?");
  spec.budget_usd_micro = 50000;
  spec.allow_unknown_price = true;
  struct watch *watch = begin(w, &spec);
  struct debate *d = ended(w, watch);
  assert_true(d->config.allow_unknown_price);
  assert_int_equal(d->cost_usd_micro, -1); /* unknown, not nothing */
  assert_true(d->committed_usd_micro > 0);
  debate_destroy(d);
  world_drain(w);
  assert_true(look(w).today.unpriced > 0);
  assert_books_agree(w);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

/* ---- the cap of a key ---- */

static void note_status(void *ctx, enum status status) {
  assert_int_equal(status, STATUS_OK);
  signal_raise(ctx);
}

/* What it began goes on, and so does the cap, also in the next process. */
static void a_revoked_keys_cap_binds(void **state) {
  struct world *w = *state;
  const struct principal who = {
      .tenant_id = "local", .owner_id = "local", .key_id = "ara_aaaaaaaa"};
  const struct store_key key = {.id = who.key_id,
                                .tenant_id = who.tenant_id,
                                .owner_id = who.owner_id,
                                .name = "",
                                .scopes = "",
                                .usd_micro_per_day = 100,
                                .expires_ms = -1};
  struct signal_flag stored, revoked;
  struct error err;
  signal_init(&stored);
  signal_init(&revoked);
  world_open(w);
  assert_int_equal(store_put_key(w->store, &key, 9, 1, NULL, note_status, &stored), STATUS_OK);
  signal_wait(&stored);
  assert_int_equal(store_revoke_key(w->store, &who, key.id, 2, NULL, note_status, &revoked),
                   STATUS_OK);
  signal_wait(&revoked);
  world_leave(w, WORLD_IN_ORDER);
  world_open(w);
  assert_int_equal(budgets_admit(provider_budgets(w->provider), &who, 1, 101, &err),
                   STATUS_EXHAUSTED);
  assert_int_equal(budgets_admit(provider_budgets(w->provider), &who, 1, 100, &err), STATUS_OK);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(one_after_the_other),
      CASE(used_up),
      CASE(answers_under_way_count),
      CASE(a_cap_of_all),
      CASE(crashes_are_booked_once),
      CASE(a_budget_over_a_crash),
      CASE(cancelled_before_and_after_it_left),
      CASE(unknown_prices),
      CASE(a_revoked_keys_cap_binds),
  };
  return cmocka_run_group_tests_name("budgets", tests, NULL, NULL);
}
