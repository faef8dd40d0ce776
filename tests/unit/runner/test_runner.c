/* Whole debates over a real loop, store and hub, with a scripted provider. */
#include "base/metrics.h"
#include "runner/internal.h" /* its clock */
#include "world.h"

#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

static const struct scripted_rules at_once = {0};

static bool is(const char *a, const char *b) {
  return strcmp(a, b) == 0;
}

static void assert_text(const char *have, const char *want) {
  if (!have || !is(have, want)) fail_msg("\"%s\" is not \"%s\"", have ? have : "(null)", want);
}

/* Starts a debate of the default spec and waits for the answer. */
static struct watch *begin(struct world *w, const char *task) {
  struct debate_spec spec;
  world_spec(&spec, task);
  struct watch *watch = world_start(w, &spec);
  watch_answered(watch);
  if (watch->status) fail_msg("%s", watch->err.message);
  return watch;
}

static void assert_ended(struct world *w, const char *id, const char *status, const char *outcome) {
  struct debate *d = world_check_log(w, id);
  assert_non_null(d->end);
  assert_text(debate_status(d), status);
  if (outcome) assert_text(debate_outcome(d), outcome);
  debate_destroy(d);
  assert_text(world_row_status(w, id), status);
}

/* ---- a whole debate ---- */

struct sequence {
  const struct watch *watch;
  size_t at;
};

static bool compare_frame(void *ctx, const struct store_event *e) {
  struct sequence *s = ctx;
  char head[64];
  const struct frame *f = s->watch->frames[s->at];
  int n = snprintf(head, sizeof head, "{\"type\":\"%s\"", e->type);
  if (s->at >= s->watch->frame_count || f->seq != e->seq || memcmp(f->json, head, (size_t)n) != 0)
    return false;
  s->at++;
  return true;
}

static void whole_debate(void **state) {
  struct world *w = *state;
  scripted_set(&at_once);
  world_open(w);
  struct watch *watch = begin(w, "Should we adopt it?");
  assert_text(watch->shown, "running");
  watch_end(watch);
  assert_ended(w, watch->id, "completed", NULL);
  struct sequence s = {watch, 0};
  struct error err;
  assert_int_equal(
      store_read_events(w->store, &PRINCIPAL_LOCAL, watch->id, 0, 0, compare_frame, &s, &err), 0);
  assert_int_equal(s.at, watch->frame_count);
  assert_true(watch->frame_count > 15);
  world_drain(w);
  assert_false(hub_is_live(w->hub, watch->id));
  struct runner_stats stats = runner_stats(w->runner);
  assert_int_equal(stats.running, 0);
  assert_int_equal(stats.queued, 0);
  assert_int_equal(scripted_counts().started, scripted_counts().answered);
}

/* What a turn of the loop appends is one transaction: a step's answers, when they come together,
 * and the attempts of the next step with them. */
static void one_commit_a_step(void **state) {
  struct world *w = *state;
  scripted_set(&at_once);
  world_open(w);
  int64_t before = metric_get(METRIC_STORE_COMMITS, NULL);
  struct watch *watch = begin(w, "Should we adopt it?");
  watch_end(watch);
  world_drain(w);
  int64_t commits = metric_get(METRIC_STORE_COMMITS, NULL) - before;
  struct debate *d = world_check_log(w, watch->id);
  assert_int_equal(d->step_number, 4); /* propose, critique, revise, vote */
  assert_int_equal(commits, 1 + d->step_number);
  debate_destroy(d);
}

static void modes_and_rules(void **state) {
  struct world *w = *state;
  scripted_set(&at_once);
  world_open(w);
  struct watch *watches[MODE_COUNT * RULE_COUNT];
  for (int i = 0; i < MODE_COUNT * RULE_COUNT; i++) {
    struct debate_spec spec;
    world_spec(&spec, "Should we adopt it?");
    spec.mode = (enum mode)(i % MODE_COUNT);
    spec.rule = (enum rule)(i / MODE_COUNT);
    spec.samples = 15;
    spec.fast_path = false;
    watches[i] = world_start(w, &spec);
  }
  for (int i = 0; i < MODE_COUNT * RULE_COUNT; i++) {
    watch_answered(watches[i]);
    assert_int_equal(watches[i]->status, STATUS_OK);
    watch_end(watches[i]);
    assert_ended(w, watches[i]->id, "completed", NULL);
  }
}

/* ---- nothing leaves before it is on disk ---- */

struct disk_check {
  struct world *w;
  char id[ID_DEBATE_MAX + 1];
  int proceeded;
  int missing;
};

/* On the loop: as many attempts of this kind are in the log as were let go. */
static void check_disk(void *ctx, const struct scripted_question *q) {
  struct disk_check *c = ctx;
  const char *id = c->w->watches[0]->id;
  c->proceeded++;
  size_t starts = world_count(c->w, id, "attempt_start", q->spec->agent, "kind", q->kind);
  size_t ends = world_count(c->w, id, "attempt_end", q->spec->agent, "kind", q->kind);
  if (starts != ends + 1) c->missing++;
}

static struct scripted_answer fail_twice(void *ctx, const struct scripted_question *q) {
  (void)ctx;
  return (struct scripted_answer){.failing_attempts = is(q->spec->agent, "beta") ? 2 : 0};
}

static void on_disk_before_it_leaves(void **state) {
  struct world *w = *state;
  struct disk_check c = {.w = w};
  struct scripted_rules rules = {fail_twice, check_disk, &c};
  scripted_set(&rules);
  world_open(w);
  struct watch *watch = begin(w, "Should we adopt it?");
  watch_end(watch);
  assert_ended(w, watch->id, "completed", NULL);
  assert_true(c.proceeded > 12);
  assert_int_equal(c.missing, 0);
  size_t failed = world_count(w, watch->id, "attempt_end", "beta", "outcome", "unavailable");
  assert_true(failed >= 4 && failed % 2 == 0);
}

/* ---- cancelling ---- */

struct silence {
  const char *kind;
  struct signal_flag reached;
};

static struct scripted_answer silent_at(void *ctx, const struct scripted_question *q) {
  struct silence *s = ctx;
  return (struct scripted_answer){.deed = is(q->kind, s->kind) ? SCRIPT_SILENT : SCRIPT_ANSWER};
}

static void reached(void *ctx, const struct scripted_question *q) {
  struct silence *s = ctx;
  if (is(q->kind, s->kind)) signal_raise(&s->reached);
}

static void cancel_in_every_phase(void **state) {
  struct world *w = *state;
  for (int kind = 0; kind < TURN_KIND_COUNT; kind++) {
    struct silence s = {.kind = turn_kind_names[kind]};
    signal_init(&s.reached);
    struct scripted_rules rules = {silent_at, reached, &s};
    scripted_set(&rules);
    world_open(w);
    struct debate_spec spec;
    world_spec(&spec, "Should we adopt it?");
    if (kind == TURN_JUDGMENT) spec.rule = RULE_JUDGE;
    spec.fast_path = false;
    struct watch *watch = world_start(w, &spec);
    watch_answered(watch);
    signal_wait(&s.reached);
    assert_int_equal(world_cancel(w, watch->id), STATUS_OK);
    assert_int_equal(world_count(w, watch->id, "cancel_requested", NULL, NULL, NULL), 1);
    assert_int_equal(scripted_counts().open, 0);
    assert_true(scripted_counts().cancelled > 0);
    watch_end(watch);
    assert_ended(w, watch->id, "cancelled", "cancelled");
    assert_true(world_count(w, watch->id, "attempt_end", NULL, "outcome", "cancelled") > 0);
    assert_int_equal(world_cancel(w, watch->id), STATUS_CONFLICT);
    assert_int_equal(world_cancel(w, "unknown"), STATUS_NOT_FOUND);
    world_leave(w, WORLD_IN_ORDER);
  }
}

/* ---- time and money ---- */

static struct scripted_answer always(void *ctx, const struct scripted_question *q) {
  (void)q;
  return *(const struct scripted_answer *)ctx;
}

/* Words are shown while they come, and a debate can be cancelled in the middle of them. */
static void words_under_way(void **state) {
  struct world *w = *state;
  struct scripted_answer half = {.deed = SCRIPT_HALF};
  struct scripted_rules rules = {always, NULL, &half};
  scripted_set(&rules);
  world_open(w);
  struct watch *watch = begin(w, "Should we adopt it?");
  watch_words(watch);
  assert_int_equal(world_cancel(w, watch->id), STATUS_OK);
  watch_end(watch);
  assert_ended(w, watch->id, "cancelled", "cancelled");
}

static void deadline(void **state) {
  struct world *w = *state;
  struct scripted_answer silent = {.deed = SCRIPT_SILENT};
  struct scripted_rules rules = {always, NULL, &silent};
  scripted_set(&rules);
  world_open(w);
  struct debate_spec spec;
  world_spec(&spec, "Should we adopt it?");
  spec.deadline_ms = 30;
  struct watch *watch = world_start(w, &spec);
  watch_answered(watch);
  watch_end(watch);
  assert_ended(w, watch->id, "failed", "deadline");
  assert_int_equal(world_count(w, watch->id, "deadline_reached", NULL, NULL, NULL), 1);
}

/* A wall clock that somebody sets while debates run, to and fro by an hour. */
struct set_clock {
  _Atomic int64_t offset_ms;
  atomic_int asked, hurried;
};

static int64_t set_wall_ms(void *ctx) {
  const struct set_clock *c = ctx;
  return clock_wall_ms(&clock_system) + c->offset_ms;
}

static int64_t set_mono_us(void *ctx) {
  (void)ctx;
  return clock_mono_us(&clock_system);
}

static struct scripted_answer answer_and_set(void *ctx, const struct scripted_question *q) {
  struct set_clock *c = ctx;
  if (q->spec->timeout_ms < 10000) c->hurried++;
  c->offset_ms = c->asked++ % 2 ? -3600000 : 3600000;
  return (struct scripted_answer){.deed = SCRIPT_ANSWER};
}

static void a_clock_that_is_set(void **state) {
  struct world *w = *state;
  struct set_clock c = {0};
  const struct clock clock = {set_wall_ms, set_mono_us, &c};
  struct scripted_rules rules = {answer_and_set, NULL, &c};
  scripted_set(&rules);
  world_open(w);
  w->runner->clock = &clock;
  struct watch *watch = begin(w, "Should we adopt it?");
  watch_end(watch);
  assert_ended(w, watch->id, "completed", NULL);
  assert_true(c.asked > 8);
  assert_int_equal(c.hurried, 0);
  struct debate *d = world_check_log(w, watch->id);
  assert_in_range(json_get_int(d->end, "elapsed_ms", -1), 0, 60000);
  debate_destroy(d);
  world_drain(w);
  world_leave(w, WORLD_IN_ORDER); /* while the clock is there */
}

static void turns_have_a_share_of_the_time(void **state) {
  struct world *w = *state;
  struct scripted_answer late = {.deed = SCRIPT_TIMEOUT};
  struct scripted_rules rules = {always, NULL, &late};
  scripted_set(&rules);
  world_open(w);
  struct debate_spec spec;
  world_spec(&spec, "Should we adopt it?");
  spec.deadline_ms = 100000;
  spec.turn_timeout_ms = 20;
  struct watch *watch = world_start(w, &spec);
  watch_answered(watch);
  watch_end(watch);
  assert_ended(w, watch->id, "failed", "failed");
  assert_int_equal(world_count(w, watch->id, "agent_error", NULL, "outcome", "timeout"), 3);
}

/* Ballots whose first reply is none and took six seconds of a clock that jumps. */
struct slow_ballots {
  _Atomic int64_t jumped_us;
  _Atomic int64_t first_ms, repair_ms; /* the least time that a question was given */
};

static int64_t jumping_mono_us(void *ctx) {
  const struct slow_ballots *c = ctx;
  return clock_mono_us(&clock_system) + c->jumped_us;
}

static int64_t jumping_wall_ms(void *ctx) {
  const struct slow_ballots *c = ctx;
  return clock_wall_ms(&clock_system) + c->jumped_us / 1000;
}

static struct scripted_answer slow_ballot(void *ctx, const struct scripted_question *q) {
  struct slow_ballots *c = ctx;
  if (!is(q->kind, "ballot")) return (struct scripted_answer){.deed = SCRIPT_ANSWER};
  _Atomic int64_t *least = q->nth == 1 ? &c->first_ms : &c->repair_ms;
  if (q->spec->timeout_ms < *least) *least = q->spec->timeout_ms;
  if (q->nth == 1 && is(q->spec->agent, "gamma")) c->jumped_us = 6000000; /* the last to be asked */
  return (struct scripted_answer){.deed = q->nth == 1 ? SCRIPT_MALFORMED : SCRIPT_ANSWER};
}

static void a_repair_has_the_rest_of_its_turn(void **state) {
  struct world *w = *state;
  struct slow_ballots c = {.first_ms = INT64_MAX, .repair_ms = INT64_MAX};
  const struct clock clock = {jumping_wall_ms, jumping_mono_us, &c};
  struct scripted_rules rules = {slow_ballot, NULL, &c};
  scripted_set(&rules);
  world_open(w);
  w->runner->clock = &clock;
  struct debate_spec spec;
  world_spec(&spec, "Should we adopt it?");
  spec.rounds = 0;
  spec.deadline_ms = 10000;
  struct watch *watch = world_start(w, &spec);
  watch_answered(watch);
  watch_end(watch);
  assert_ended(w, watch->id, "completed", NULL);
  /* The twentieth that is kept; some tenths of a second are the machine's. */
  assert_in_range(c.first_ms, 9000, 9500);
  assert_in_range(c.repair_ms, c.first_ms - 6500, c.first_ms - 6000);
  world_drain(w);
  world_leave(w, WORLD_IN_ORDER); /* while the clock is there */
}

/* world_check_log looks at the budget after every event. */
static void budgets(void **state) {
  struct world *w = *state;
  scripted_set(&at_once);
  world_open(w);
  for (int i = 0; i < 8; i++) {
    struct debate_spec spec;
    world_spec(&spec, "Should we adopt it?");
    if (i % 2)
      spec.budget_usd_micro = 500 + 700 * i;
    else
      spec.budget_tokens = 100 + 3500 * i;
    struct watch *watch = world_start(w, &spec);
    watch_answered(watch);
    watch_end(watch);
    struct debate *d = world_check_log(w, watch->id);
    bool exhausted = is(debate_outcome(d), "budget_exhausted");
    size_t facts = world_count(w, watch->id, "budget_exhausted", NULL, NULL, NULL);
    assert_int_equal(facts, exhausted);
    if (i < 1) assert_int_equal(facts, 1); /* the rest can be paid for, some one by one */
    debate_destroy(d);
    assert_int_equal(scripted_counts().open, 0);
  }
}

/* ---- answers that are none ---- */

static struct scripted_answer malformed_first(void *ctx, const struct scripted_question *q) {
  const int *times = ctx;
  bool bad = is(q->spec->agent, "gamma") && is(q->kind, "proposal") && q->nth <= *times;
  return (struct scripted_answer){.deed = bad ? SCRIPT_MALFORMED : SCRIPT_ANSWER};
}

static void repair(void **state) {
  struct world *w = *state;
  for (int times = 1; times <= 2; times++) {
    struct scripted_rules rules = {malformed_first, NULL, &times};
    scripted_set(&rules);
    world_open(w);
    struct watch *watch = begin(w, "Should we adopt it?");
    watch_end(watch);
    assert_ended(w, watch->id, "completed", NULL);
    size_t bad = world_count(w, watch->id, "attempt_end", "gamma", "reply_error", NULL);
    assert_int_equal(bad, times);
    assert_int_equal(world_count(w, watch->id, "attempt_end", "gamma", "outcome", "malformed"),
                     times);
    assert_int_equal(world_count(w, watch->id, "agent_error", "gamma", "outcome", "malformed"),
                     times == 2);
    world_leave(w, WORLD_IN_ORDER);
  }
}

static struct scripted_answer one_cannot(void *ctx, const struct scripted_question *q) {
  const enum scripted_deed *deed = ctx;
  struct scripted_answer answer = {.outcome = OUTCOME_AUTH};
  if (is(q->spec->agent, "alpha")) answer.deed = *deed;
  return answer;
}

static void typed_failures(void **state) {
  struct world *w = *state;
  static const enum scripted_deed deeds[] = {SCRIPT_FAIL, SCRIPT_FULL, SCRIPT_LOST};
  static const char *const outcomes[] = {"auth", "overloaded", "unavailable"};
  for (int i = 0; i < 3; i++) {
    enum scripted_deed deed = deeds[i];
    struct scripted_rules rules = {one_cannot, NULL, &deed};
    scripted_set(&rules);
    world_open(w);
    struct watch *watch = begin(w, "Should we adopt it?");
    watch_end(watch);
    assert_ended(w, watch->id, "completed", NULL);
    assert_true(world_count(w, watch->id, "agent_error", "alpha", "outcome", outcomes[i]) > 0);
    world_leave(w, WORLD_IN_ORDER);
  }
}

static void everybody_fails(void **state) {
  struct world *w = *state;
  struct scripted_answer full = {.deed = SCRIPT_FULL};
  struct scripted_rules rules = {always, NULL, &full};
  scripted_set(&rules);
  world_open(w);
  struct watch *watch = begin(w, "Should we adopt it?");
  watch_end(watch);
  assert_ended(w, watch->id, "failed", "failed");
  struct store_debate row;
  struct error err;
  assert_int_equal(store_get_debate(w->store, &PRINCIPAL_LOCAL, watch->id, &row, &err), STATUS_OK);
  assert_text(row.outcome, "failed");
  assert_true(row.completed_ms >= row.created_ms);
  store_debate_done(&row);
}

/* ---- admission ---- */

struct order {
  struct signal_flag two;
  int proposals;
  char tasks[16]; /* the last letter of each task, as its first question leaves */
  int count;
};

static void note_order(void *ctx, const struct scripted_question *q) {
  struct order *o = ctx;
  if (!is(q->kind, "proposal") || !is(q->spec->agent, "alpha")) return;
  const char *at = strstr(q->spec->prefix.ptr, "task ");
  o->tasks[o->count++] = at ? at[5] : '?';
  if (o->count == 2) signal_raise(&o->two);
}

static struct scripted_answer silent_until_told(void *ctx, const struct scripted_question *q) {
  (void)ctx;
  const char *at = strstr(q->spec->prefix.ptr, "task ");
  bool waits = at && (at[5] == 'A' || at[5] == 'B');
  return (struct scripted_answer){.deed = waits ? SCRIPT_SILENT : SCRIPT_ANSWER};
}

static void admission(void **state) {
  struct world *w = *state;
  struct order o = {.count = 0};
  signal_init(&o.two);
  struct scripted_rules rules = {silent_until_told, note_order, &o};
  scripted_set(&rules);
  w->options.max_concurrent_debates = 2;
  w->options.max_queued_debates = 4;
  world_open(w);
  struct watch *watches[7];
  for (int i = 0; i < 7; i++) {
    char task[8] = "task A";
    task[5] = (char)('A' + i);
    struct debate_spec spec;
    world_spec(&spec, task);
    /* E: over before it is admitted, yet not before the others have been refused or queued. */
    if (i == 4) spec.deadline_ms = 2000;
    watches[i] = world_start(w, &spec);
  }
  for (int i = 0; i < 7; i++) watch_answered(watches[i]);
  for (int i = 0; i < 6; i++) {
    assert_int_equal(watches[i]->status, STATUS_OK);
    assert_text(watches[i]->shown, i < 2 ? "running" : "pending");
  }
  assert_int_equal(watches[6]->status, STATUS_FULL);
  signal_wait(&o.two);
  assert_int_equal(world_cancel(w, watches[3]->id), STATUS_OK); /* D: while it waits */
  watch_end(watches[3]);
  assert_ended(w, watches[3]->id, "cancelled", "cancelled");
  watch_end(watches[4]);
  assert_ended(w, watches[4]->id, "failed", "deadline");
  /* Subscribers see the end before the loop has booked it. */
  struct runner_stats stats = runner_stats(w->runner);
  while (stats.queued > 2) {
    world_on_loop(w, NULL, NULL);
    stats = runner_stats(w->runner);
  }
  assert_int_equal(stats.running, 2);
  assert_int_equal(stats.queued, 2);
  assert_text(world_row_status(w, watches[2]->id), "pending");
  assert_int_equal(world_cancel(w, watches[0]->id), STATUS_OK);
  watch_end(watches[2]);
  watch_end(watches[5]);
  assert_int_equal(world_cancel(w, watches[1]->id), STATUS_OK);
  world_drain(w);
  assert_int_equal(o.count, 4);
  /* The first two start at the same moment. */
  assert_text(o.tasks + 2, "CF");
  stats = runner_stats(w->runner);
  assert_int_equal(stats.running, 0);
  assert_int_equal(stats.queued, 0);
  struct debate_spec spec;
  world_spec(&spec, "too late");
  struct watch *late = world_start(w, &spec);
  watch_answered(late);
  assert_int_equal(late->status, STATUS_UNAVAILABLE);
}

/* What waits for admission does not hold a stop: it is taken up at the next start. */
static void a_stop_leaves_the_queue(void **state) {
  struct world *w = *state;
  struct order o = {.count = 0};
  struct scripted_rules rules = {silent_until_told, NULL, &o};
  scripted_set(&rules);
  w->options.max_concurrent_debates = 1;
  world_open(w);
  struct watch *runs = begin(w, "task A");
  struct watch *waits = begin(w, "task C");
  assert_text(waits->shown, "pending");
  struct signal_flag idle;
  signal_init(&idle);
  runner_drain(w->runner, signal_raise, &idle);
  assert_int_equal(world_cancel(w, runs->id), STATUS_OK);
  signal_wait(&idle);
  assert_int_equal(runner_stats(w->runner).running, 0);
  assert_int_equal(runner_stats(w->runner).queued, 1);
  assert_text(world_row_status(w, waits->id), "pending");
  world_leave(w, WORLD_IN_ORDER);
  world_open(w);
  size_t count = 0;
  struct error err;
  assert_int_equal(runner_resume(w->runner, &count, &err), STATUS_OK);
  assert_int_equal(count, 1);
  world_drain(w);
  assert_ended(w, waits->id, "completed", NULL);
}

/* ---- ending the process and going on ---- */

struct crash {
  int after; /* requests that leave before it */
  int left;
  struct signal_flag reached;
};

static struct scripted_answer answer_until_crash(void *ctx, const struct scripted_question *q) {
  struct crash *c = ctx;
  struct scripted_answer answer = {.delay_ms = (uint64_t)(q->spec->agent_index * 2)};
  if (c->left >= c->after) answer.deed = SCRIPT_SILENT;
  return answer;
}

static void count_to_crash(void *ctx, const struct scripted_question *q) {
  struct crash *c = ctx;
  (void)q;
  if (++c->left == c->after) signal_raise(&c->reached);
}

/* The world opens; what is asked in it is answered until the crash has been reached. */
static void open_to_crash(struct world *w, struct crash *c) {
  const struct scripted_rules rules = {answer_until_crash, count_to_crash, c};
  c->left = 0;
  signal_init(&c->reached);
  scripted_set(&rules);
  world_open(w);
}

/* The next process over the same files, whose provider answers at once. Returns how many go on. */
static size_t open_and_resume(struct world *w) {
  size_t count = 0;
  struct error err;
  scripted_set(&at_once);
  world_open(w);
  assert_int_equal(runner_resume(w->runner, &count, &err), STATUS_OK);
  return count;
}

static void decision(struct world *w, const char *id, char out[200]) {
  struct debate *d = world_check_log(w, id);
  if (!d->end) fail_msg("%s has not ended", id);
  snprintf(out, 200, "%s %s %s %d", debate_outcome(d), json_get_text(d->consensus, "winner", "-"),
           json_get_text(d->consensus, "answer_key", "-"),
           (int)json_get_int(d->consensus, "share_ppm", -1));
  debate_destroy(d);
}

static void leave_and_resume(void **state) {
  struct world *w = *state;
  char want[200];
  char have[200];
  scripted_set(&at_once);
  world_open(w);
  struct watch *watch = begin(w, "Should we adopt it?");
  watch_end(watch);
  decision(w, watch->id, want);
  long calls = scripted_counts().proceeded;
  world_leave(w, WORLD_IN_ORDER);
  for (int after = 1; after <= calls; after++) {
    struct crash c = {.after = after};
    open_to_crash(w, &c);
    watch = begin(w, "Should we adopt it?");
    signal_wait(&c.reached);
    world_leave(w, after % 2 ? WORLD_IN_ORDER : WORLD_LOOP_FIRST);
    size_t count = open_and_resume(w);
    assert_true(count <= 1); /* the last answers may have been in time */
    world_drain(w);
    decision(w, watch->id, have);
    assert_text(have, want);
    assert_int_equal(world_count(w, watch->id, "resumed", NULL, NULL, NULL), count);
    assert_text(world_row_status(w, watch->id), "completed");
    world_leave(w, WORLD_IN_ORDER);
  }
}

static void resume_none(void **state) {
  struct world *w = *state;
  scripted_set(&at_once);
  world_open(w);
  size_t count = 99;
  struct error err;
  assert_int_equal(runner_resume(w->runner, &count, &err), STATUS_OK);
  assert_int_equal(count, 0);
  watch_end(begin(w, "Should we adopt it?"));
  world_drain(w);
}

/* Killed while many debates run and wait: all of them end after the next start, within the limit.
 */
static void resume_many(void **state) {
  struct world *w = *state;
  struct crash c = {.after = 60};
  w->options.max_concurrent_debates = 8;
  open_to_crash(w, &c);
  for (int i = 0; i < 30; i++) {
    struct debate_spec spec;
    world_spec(&spec, "Should we adopt it?");
    world_start(w, &spec);
  }
  signal_wait(&c.reached);
  world_leave(w, WORLD_LOOP_FIRST);
  for (size_t i = 0; i < 30; i++) watch_answered(w->watches[i]); /* everybody was told something */
  w->options.max_concurrent_debates = 3;
  int64_t started = metric_get(METRIC_DEBATES, NULL);
  int64_t resumed = metric_get(METRIC_DEBATES_RESUMED, NULL);
  size_t count = open_and_resume(w);
  assert_true(count > 0);
  world_on_loop(w, NULL, NULL);
  struct runner_stats stats = runner_stats(w->runner);
  assert_true(stats.running <= 3);
  world_drain(w);
  assert_int_equal(metric_get(METRIC_DEBATES, NULL), started);
  assert_int_equal(metric_get(METRIC_DEBATES_RESUMED, NULL), resumed + (int64_t)count);
  for (size_t i = 0; i < 30; i++)
    if (w->watches[i]->status == STATUS_OK) assert_ended(w, w->watches[i]->id, "completed", NULL);
}

static void agent_gone(void **state) {
  struct world *w = *state;
  struct crash c = {.after = 3};
  open_to_crash(w, &c);
  struct watch *watch = begin(w, "Should we adopt it?");
  signal_wait(&c.reached);
  world_leave(w, WORLD_IN_ORDER);
  w->agents.agents[0].type = "another";
  w->agents.agents[1].provider = "another";
  assert_int_equal(open_and_resume(w), 1);
  world_drain(w);
  assert_ended(w, watch->id, "completed", NULL);
  assert_true(world_count(w, watch->id, "agent_error", "alpha", "outcome", "unavailable") > 0);
  assert_true(world_count(w, watch->id, "agent_error", "beta", "outcome", "unavailable") > 0);
}

/* Started without its keys a debate is neither asked nor ended: the next start with them goes on.
 */
static void held_without_keys(void **state) {
  struct world *w = *state;
  struct crash c = {.after = 3};
  open_to_crash(w, &c);
  struct watch *goes_on = begin(w, "Should we adopt it?");
  signal_wait(&c.reached);
  struct watch *cancelled = begin(w, "Should we drop it?");
  world_leave(w, WORLD_LOOP_FIRST);
  w->agents.agents[1].available = false;
  for (int start = 0; start < 2; start++) { /* again and again: nothing is appended */
    assert_int_equal(open_and_resume(w), 0);
    world_on_loop(w, NULL, NULL);
    assert_int_equal(runner_stats(w->runner).held, 2 - start);
    assert_int_equal(runner_stats(w->runner).running, 0);
    assert_int_equal(scripted_counts().started, 0);
    if (start == 0) assert_int_equal(world_cancel(w, cancelled->id), STATUS_OK);
    world_drain(w); /* what is held keeps no process */
    assert_int_equal(runner_stats(w->runner).held, 1);
    assert_string_equal(world_row_status(w, goes_on->id), "pending");
    assert_int_equal(world_count(w, goes_on->id, "resumed", NULL, NULL, NULL), 0);
    world_leave(w, WORLD_IN_ORDER);
  }
  w->agents.agents[1].available = true;
  assert_int_equal(open_and_resume(w), 1);
  world_drain(w);
  assert_ended(w, goes_on->id, "completed", NULL);
  assert_ended(w, cancelled->id, "cancelled", "cancelled");
  assert_int_equal(world_count(w, goes_on->id, "resumed", NULL, NULL, NULL), 1);
  assert_int_equal(world_count(w, goes_on->id, "agent_error", NULL, NULL, NULL), 0);
}

/* A caller who asks while the process goes gets an answer. */
static void stopping_answers(void **state) {
  struct world *w = *state;
  struct scripted_answer silent = {.deed = SCRIPT_SILENT};
  struct scripted_rules rules = {always, NULL, &silent};
  scripted_set(&rules);
  world_open(w);
  struct watch *watch = begin(w, "Should we adopt it?");
  runner_stop(w->runner);
  assert_int_equal(scripted_counts().open, 0);
  struct debate_spec spec;
  world_spec(&spec, "too late");
  struct watch *late = world_start(w, &spec);
  watch_answered(late);
  assert_int_equal(late->status, STATUS_UNAVAILABLE);
  assert_int_equal(world_cancel(w, watch->id), STATUS_UNAVAILABLE);
}

/* ---- many, and a store that refuses ---- */

static void crowd(struct world *w, size_t count) {
  for (size_t i = 0; i < count; i++) {
    struct debate_spec spec;
    world_spec(&spec, "Should we adopt it?");
    spec.seed = i;
    if (i % 3 == 0) spec.rule = RULE_JUDGE;
    world_start(w, &spec);
  }
  for (size_t i = 0; i < count; i++) {
    watch_answered(w->watches[i]);
    assert_int_equal(w->watches[i]->status, STATUS_OK);
    watch_end(w->watches[i]);
    assert_ended(w, w->watches[i]->id, "completed", NULL);
  }
  world_drain(w);
  assert_int_equal(runner_stats(w->runner).running, 0);
}

static void many_at_once(void **state) {
  struct world *w = *state;
  scripted_set(&at_once);
  w->options.max_concurrent_debates = 150;
  world_open(w);
  crowd(w, 200);
}

/* Nearly every append meets a full queue and is held. */
static void full_queue(void **state) {
  struct world *w = *state;
  scripted_set(&at_once);
  w->max_queued_bytes = 1;
  world_open(w);
  crowd(w, 4);
}

static void leave_with_held_appends(void **state) {
  struct world *w = *state;
  struct crash c = {.after = 6};
  signal_init(&c.reached);
  struct scripted_rules rules = {answer_until_crash, count_to_crash, &c};
  w->max_queued_bytes = 1;
  for (int how = WORLD_IN_ORDER; how <= WORLD_LOOP_FIRST; how++) {
    c.left = 0;
    scripted_set(&rules);
    world_open(w);
    size_t first = w->watch_count;
    for (int i = 0; i < 5; i++) {
      struct debate_spec spec;
      world_spec(&spec, "Should we adopt it?");
      world_start(w, &spec);
    }
    signal_wait(&c.reached);
    world_leave(w, (enum world_end)how);
    scripted_set(&at_once);
    world_open(w);
    size_t count;
    struct error err;
    assert_int_equal(runner_resume(w->runner, &count, &err), STATUS_OK);
    world_drain(w);
    for (size_t i = first; i < w->watch_count; i++) {
      watch_answered(w->watches[i]);
      if (!w->watches[i]->status) assert_ended(w, w->watches[i]->id, "completed", NULL);
    }
    world_leave(w, WORLD_IN_ORDER);
  }
}

struct flood {
  struct signal_flag all_sent;
  int sent;
};

static struct scripted_answer hold_proposals(void *ctx, const struct scripted_question *q) {
  (void)ctx;
  bool proposal = is(q->kind, "proposal");
  return (struct scripted_answer){.deed = proposal ? SCRIPT_HELD : SCRIPT_ANSWER};
}

static void count_sent(void *ctx, const struct scripted_question *q) {
  struct flood *f = ctx;
  if (is(q->kind, "proposal") && ++f->sent == 9) signal_raise(&f->all_sent);
}

static void wait_writable(struct world *w, bool writable) {
  while (store_writable(w->store) != writable) poll(NULL, 0, 1);
}

/* Another program holds the database while paid answers come in. */
static void store_held(void **state) {
  struct world *w = *state;
  struct flood f = {.sent = 0};
  signal_init(&f.all_sent);
  struct scripted_rules rules = {hold_proposals, count_sent, &f};
  scripted_set(&rules);
  world_open(w);
  for (int i = 0; i < 3; i++) begin(w, "Should we adopt it?");
  signal_wait(&f.all_sent);
  sqlite3 *foreign;
  assert_int_equal(sqlite3_open(w->memory_path, &foreign), SQLITE_OK);
  sqlite3_busy_timeout(foreign, 10000);
  assert_int_equal(sqlite3_exec(foreign, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
  world_on_loop(w, scripted_release, NULL);
  wait_writable(w, false);
  long proceeded = scripted_counts().proceeded;
  struct debate_spec spec;
  world_spec(&spec, "not now");
  struct watch *refused = world_start(w, &spec);
  watch_answered(refused);
  assert_int_equal(refused->status, STATUS_IO);
  while (scripted_counts().answered < 9) poll(NULL, 0, 1);
  world_on_loop(w, NULL, NULL);
  assert_int_equal(scripted_counts().proceeded, proceeded); /* nothing left without the disk */
  assert_int_equal(sqlite3_exec(foreign, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(foreign);
  for (int i = 0; i < 3; i++) {
    watch_end(w->watches[i]);
    assert_ended(w, w->watches[i]->id, "completed", NULL);
    assert_int_equal(world_count(w, w->watches[i]->id, "attempt_end", NULL, "kind", "proposal"), 3);
  }
  assert_true(store_writable(w->store));
}

/* Somebody else wrote into the log: the debate stops there, and only this one. */
static void refused_for_good(void **state) {
  struct world *w = *state;
  struct flood f = {.sent = 6};
  signal_init(&f.all_sent);
  struct scripted_rules rules = {hold_proposals, count_sent, &f};
  scripted_set(&rules);
  world_open(w);
  struct watch *watch = begin(w, "Should we adopt it?");
  signal_wait(&f.all_sent);
  struct store_event rogue = {.seq = 5, .type = "resumed", .round = -1, .data = bytes_of("{}")};
  assert_int_equal(
      store_append(w->store, watch->id, &rogue, 1, STORE_ROW_NONE, NULL, NULL, 0, NULL, NULL),
      STATUS_OK);
  world_on_loop(w, scripted_release, NULL);
  world_drain(w);
  assert_int_equal(runner_stats(w->runner).running, 0);
  assert_int_equal(scripted_counts().open, 0);
  assert_false(hub_is_live(w->hub, watch->id));
  assert_int_equal(world_count(w, watch->id, "debate_end", NULL, NULL, NULL), 0);
  assert_text(world_row_status(w, watch->id), "running");
}

static void idle_without_debates(void **state) {
  struct world *w = *state;
  scripted_set(&at_once);
  world_open(w);
  runner_drain(w->runner, NULL, NULL);
  world_drain(w);
  assert_false(runner_stats(w->runner).accepting);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(whole_debate),
      CASE(one_commit_a_step),
      CASE(modes_and_rules),
      CASE(on_disk_before_it_leaves),
      CASE(cancel_in_every_phase),
      CASE(words_under_way),
      CASE(deadline),
      CASE(a_clock_that_is_set),
      CASE(turns_have_a_share_of_the_time),
      CASE(a_repair_has_the_rest_of_its_turn),
      CASE(budgets),
      CASE(repair),
      CASE(typed_failures),
      CASE(everybody_fails),
      CASE(admission),
      CASE(leave_and_resume),
      CASE(resume_none),
      CASE(resume_many),
      CASE(agent_gone),
      CASE(held_without_keys),
      CASE(stopping_answers),
      CASE(many_at_once),
      CASE(full_queue),
      CASE(leave_with_held_appends),
      CASE(store_held),
      CASE(refused_for_good),
      CASE(idle_without_debates),
      CASE(a_stop_leaves_the_queue),
  };
  return cmocka_run_group_tests_name("runner", tests, NULL, NULL);
}
