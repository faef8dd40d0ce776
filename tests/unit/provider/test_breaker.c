/* The circuit breaker: every state with every input, every sequence of inputs up to a depth, the
 * restart, and what an operator reads. */
#include "provider/breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static const struct breaker_limits plain = {5, BREAKER_COOLDOWN_MS, 0};
static const int64_t t0 = 1000;                      /* loop time */
static const int64_t wall0 = INT64_C(1700000000000); /* Unix time of the same moment */

static enum breaker_change tell(struct breaker *b, int64_t now_ms, struct breaker_permit *permit,
                                enum breaker_verdict verdict) {
  struct breaker_report report = {verdict, -1, NULL};
  return breaker_report(b, now_ms, permit, &report);
}

static struct breaker_permit admitted(struct breaker *b, int64_t now_ms, enum breaker_answer want) {
  struct breaker_permit permit;
  assert_int_equal(breaker_admit(b, now_ms, &permit).answer, want);
  return permit;
}

static void fail_times(struct breaker *b, int64_t now_ms, int times) {
  for (int i = 0; i < times; i++) {
    struct breaker_permit p = admitted(b, now_ms, BREAKER_ADMITTED);
    tell(b, now_ms, &p, BREAKER_FAILURE);
  }
}

static struct breaker_view look(const struct breaker *b, int64_t now_ms) {
  struct breaker_view view;
  breaker_look(b, now_ms, &view);
  return view;
}

/* ---- every state with every input ---- */

enum start { CLOSED_0, CLOSED_4, OPEN_BEFORE, OPEN_AFTER, HALF_FREE, HALF_TRIAL, START_COUNT };
static const char *const start_names[] = {"closed, none failed",     "closed, four failed",
                                          "open, cooling",           "open, cooldown over",
                                          "half-open, no trial out", "half-open, trial out"};

/* A breaker in that state at t0; `fresh` is the permit of an attempt that is out (void where there
 * can be none), `stale` that of one admitted before the state last changed. */
static void set_up(enum start start, struct breaker *b, struct breaker_permit *fresh,
                   struct breaker_permit *stale) {
  int64_t opened = start == OPEN_BEFORE ? t0 - 1000 : t0 - BREAKER_COOLDOWN_MS;
  breaker_init(b, plain);
  *fresh = (struct breaker_permit){0};
  *stale = admitted(b, opened, BREAKER_ADMITTED);
  if (start == CLOSED_0 || start == CLOSED_4) {
    breaker_reset(b);
    if (start == CLOSED_4) fail_times(b, opened, 4);
    *fresh = admitted(b, t0, BREAKER_ADMITTED);
    return;
  }
  fail_times(b, opened, 5);
  if (start == OPEN_BEFORE || start == OPEN_AFTER) return;
  *fresh = admitted(b, t0, BREAKER_TRIAL);
  if (start == HALF_FREE) tell(b, t0, fresh, BREAKER_NEUTRAL);
}

enum input {
  ADMIT,
  RESET,
  FRESH_SUCCESS,
  FRESH_FAILURE,
  FRESH_NEUTRAL,
  FRESH_MISCONFIGURED,
  FRESH_LIMITED_30S,
  FRESH_LIMITED,
  STALE_SUCCESS,
  STALE_FAILURE,
  STALE_NEUTRAL,
  STALE_MISCONFIGURED,
  STALE_LIMITED_30S,
  STALE_LIMITED,
  INPUT_COUNT
};

/* What is expected: the change, the state, trial out, failures, and the answer of who asks next. */
struct after {
  enum breaker_change change;
  enum breaker_state state;
  bool trial;
  int failures;
  enum breaker_answer next;
};

#define CLOSED(change, failures) \
  { change, BREAKER_CLOSED, false, failures, BREAKER_ADMITTED }
#define OPEN(change, failures) \
  { change, BREAKER_OPEN, false, failures, BREAKER_REFUSED_OPEN }
#define OVER(change) \
  { change, BREAKER_HALF_OPEN, false, 5, BREAKER_TRIAL }
#define TRIAL_OUT(change) \
  { change, BREAKER_HALF_OPEN, true, 5, BREAKER_REFUSED_TRIAL }
#define COOLING(state, trial, failures) \
  { BREAKER_COOLING, state, trial, failures, BREAKER_REFUSED_COOLING }

static const struct after table[START_COUNT][INPUT_COUNT] =
    {
        [CLOSED_0] =
            {
                [ADMIT] = CLOSED(BREAKER_SAME, 0),
                [RESET] = CLOSED(BREAKER_SAME, 0),
                [FRESH_SUCCESS] = CLOSED(BREAKER_SAME, 0),
                [FRESH_FAILURE] = CLOSED(BREAKER_SAME, 1),
                [FRESH_NEUTRAL] = CLOSED(BREAKER_SAME, 0),
                [FRESH_MISCONFIGURED] = CLOSED(BREAKER_MARKED, 0),
                [FRESH_LIMITED_30S] = COOLING(BREAKER_CLOSED, false, 0),
                [FRESH_LIMITED] = CLOSED(BREAKER_SAME, 0),
                [STALE_SUCCESS] = CLOSED(BREAKER_SAME, 0),
                [STALE_FAILURE] = CLOSED(BREAKER_SAME, 0),
                [STALE_NEUTRAL] = CLOSED(BREAKER_SAME, 0),
                [STALE_MISCONFIGURED] = CLOSED(BREAKER_SAME, 0),
                [STALE_LIMITED_30S] = COOLING(BREAKER_CLOSED, false, 0),
                [STALE_LIMITED] = CLOSED(BREAKER_SAME, 0),
            },
        [CLOSED_4] =
            {
                [ADMIT] = CLOSED(BREAKER_SAME, 4),
                [RESET] = CLOSED(BREAKER_SAME, 0),
                [FRESH_SUCCESS] = CLOSED(BREAKER_SAME, 0),
                [FRESH_FAILURE] = OPEN(BREAKER_OPENED, 5),
                [FRESH_NEUTRAL] = CLOSED(BREAKER_SAME, 4),
                [FRESH_MISCONFIGURED] = CLOSED(BREAKER_MARKED, 4),
                [FRESH_LIMITED_30S] = COOLING(BREAKER_CLOSED, false, 4),
                [FRESH_LIMITED] = CLOSED(BREAKER_SAME, 4),
                [STALE_SUCCESS] = CLOSED(BREAKER_SAME, 4),
                [STALE_FAILURE] = CLOSED(BREAKER_SAME, 4),
                [STALE_NEUTRAL] = CLOSED(BREAKER_SAME, 4),
                [STALE_MISCONFIGURED] = CLOSED(BREAKER_SAME, 4),
                [STALE_LIMITED_30S] = COOLING(BREAKER_CLOSED, false, 4),
                [STALE_LIMITED] = CLOSED(BREAKER_SAME, 4),
            },
        [OPEN_BEFORE] =
            {
                [ADMIT] = OPEN(BREAKER_SAME, 5),
                [RESET] = CLOSED(BREAKER_RECLOSED, 0),
                [FRESH_SUCCESS] = OPEN(BREAKER_SAME, 5),
                [FRESH_FAILURE] = OPEN(BREAKER_SAME, 5),
                [FRESH_NEUTRAL] = OPEN(BREAKER_SAME, 5),
                [FRESH_MISCONFIGURED] = OPEN(BREAKER_SAME, 5),
                [FRESH_LIMITED_30S] = OPEN(BREAKER_SAME, 5),
                [FRESH_LIMITED] = OPEN(BREAKER_SAME, 5),
                [STALE_SUCCESS] = OPEN(BREAKER_SAME, 5),
                [STALE_FAILURE] = OPEN(BREAKER_SAME, 5),
                [STALE_NEUTRAL] = OPEN(BREAKER_SAME, 5),
                [STALE_MISCONFIGURED] = OPEN(BREAKER_SAME, 5),
                [STALE_LIMITED_30S] = OPEN(BREAKER_COOLING, 5),
                [STALE_LIMITED] = OPEN(BREAKER_SAME, 5),
            },
        [OPEN_AFTER] =
            {
                [ADMIT] = TRIAL_OUT(BREAKER_HALF_OPENED),
                [RESET] = CLOSED(BREAKER_RECLOSED, 0),
                [FRESH_SUCCESS] = OVER(BREAKER_SAME),
                [FRESH_FAILURE] = OVER(BREAKER_SAME),
                [FRESH_NEUTRAL] = OVER(BREAKER_SAME),
                [FRESH_MISCONFIGURED] = OVER(BREAKER_SAME),
                [FRESH_LIMITED_30S] = OVER(BREAKER_SAME),
                [FRESH_LIMITED] = OVER(BREAKER_SAME),
                [STALE_SUCCESS] = OVER(BREAKER_SAME),
                [STALE_FAILURE] = OVER(BREAKER_SAME),
                [STALE_NEUTRAL] = OVER(BREAKER_SAME),
                [STALE_MISCONFIGURED] = OVER(BREAKER_SAME),
                [STALE_LIMITED_30S] = COOLING(BREAKER_HALF_OPEN, false, 5),
                [STALE_LIMITED] = OVER(BREAKER_SAME),
            },
        [HALF_FREE] =
            {
                [ADMIT] = TRIAL_OUT(BREAKER_SAME),
                [RESET] = CLOSED(BREAKER_RECLOSED, 0),
                [FRESH_SUCCESS] = OVER(BREAKER_SAME),
                [FRESH_FAILURE] = OVER(BREAKER_SAME),
                [FRESH_NEUTRAL] = OVER(BREAKER_SAME),
                [FRESH_MISCONFIGURED] = OVER(BREAKER_SAME),
                [FRESH_LIMITED_30S] = OVER(BREAKER_SAME),
                [FRESH_LIMITED] = OVER(BREAKER_SAME),
                [STALE_SUCCESS] = OVER(BREAKER_SAME),
                [STALE_FAILURE] = OVER(BREAKER_SAME),
                [STALE_NEUTRAL] = OVER(BREAKER_SAME),
                [STALE_MISCONFIGURED] = OVER(BREAKER_SAME),
                [STALE_LIMITED_30S] = COOLING(BREAKER_HALF_OPEN, false, 5),
                [STALE_LIMITED] = OVER(BREAKER_SAME),
            },
        [HALF_TRIAL] =
            {
                [ADMIT] = TRIAL_OUT(BREAKER_SAME),
                [RESET] = CLOSED(BREAKER_RECLOSED, 0),
                [FRESH_SUCCESS] = CLOSED(BREAKER_RECLOSED, 0),
                [FRESH_FAILURE] = OPEN(BREAKER_OPENED, 6),
                [FRESH_NEUTRAL] = OVER(BREAKER_SAME),
                [FRESH_MISCONFIGURED] = OVER(BREAKER_MARKED),
                [FRESH_LIMITED_30S] = COOLING(BREAKER_HALF_OPEN, false, 5),
                [FRESH_LIMITED] = OVER(BREAKER_SAME),
                [STALE_SUCCESS] = TRIAL_OUT(BREAKER_SAME),
                [STALE_FAILURE] = TRIAL_OUT(BREAKER_SAME),
                [STALE_NEUTRAL] = TRIAL_OUT(BREAKER_SAME),
                [STALE_MISCONFIGURED] = TRIAL_OUT(BREAKER_SAME),
                [STALE_LIMITED_30S] = COOLING(BREAKER_HALF_OPEN, true, 5),
                [STALE_LIMITED] = TRIAL_OUT(BREAKER_SAME),
            },
};

static struct breaker_report report_of(int nth) {
  static const struct breaker_report reports[] = {
      {BREAKER_SUCCESS, -1, NULL},         {BREAKER_FAILURE, -1, NULL},
      {BREAKER_NEUTRAL, -1, NULL},         {BREAKER_MISCONFIGURED, -1, "auth: bad key"},
      {BREAKER_RATE_LIMITED, 30000, NULL}, {BREAKER_RATE_LIMITED, -1, NULL},
  };
  return reports[nth];
}

static enum breaker_change put_in(enum input input, struct breaker *b, struct breaker_permit *fresh,
                                  struct breaker_permit *stale) {
  struct breaker_permit permit;
  if (input == ADMIT) return breaker_admit(b, t0, &permit).change;
  if (input == RESET) return breaker_reset(b);
  bool is_fresh = input < STALE_SUCCESS;
  struct breaker_report report = report_of((int)input - (is_fresh ? FRESH_SUCCESS : STALE_SUCCESS));
  return breaker_report(b, t0, is_fresh ? fresh : stale, &report);
}

static void test_every_state_and_input(void **state) {
  (void)state;
  for (int start = 0; start < START_COUNT; start++) {
    for (int input = 0; input < INPUT_COUNT; input++) {
      const struct after *want = &table[start][input];
      struct breaker b;
      struct breaker_permit fresh, stale;
      set_up((enum start)start, &b, &fresh, &stale);
      enum breaker_change change = put_in((enum input)input, &b, &fresh, &stale);
      struct breaker_view view = look(&b, t0);
      struct breaker_permit permit;
      struct breaker_admission next = breaker_admit(&b, t0, &permit);
      if (change != want->change || view.state != want->state || view.trial != want->trial ||
          view.failures != want->failures || next.answer != want->next)
        fail_msg("%s, input %d: change %d, state %s, trial %d, failures %d, next %d",
                 start_names[start], input, change, breaker_state_name(view.state), view.trial,
                 view.failures, next.answer);
      assert_int_equal(next.wait_ms > 0, next.answer >= BREAKER_REFUSED_OPEN);
      assert_int_equal(permit.generation != 0, next.answer < BREAKER_REFUSED_OPEN);
    }
  }
}

/* ---- every sequence of inputs ---- */

/* What the tester itself knows, from what it did and was told; the rules are checked against it. */
struct attempt {
  struct breaker_permit permit;
  int era; /* of the tester's: state changes, trials and resets so far */
  bool trial;
};

enum { WORLD_ATTEMPTS = 10, DEPTH = 7, MODEL_THRESHOLD = 2, LIMITED_MS = 2500 };
static const struct breaker_limits model_limits = {MODEL_THRESHOLD, 1000, 3000};

struct world {
  struct breaker b;
  int64_t now_ms;
  struct attempt out[WORLD_ATTEMPTS];
  int out_count;
  int era;
  enum breaker_state state;
  int failures_in_row;   /* of this era, while closed */
  int reopenings;        /* failed trials since it was closed */
  int64_t not_before_ms; /* open: its cooldown */
  int64_t cooling_ms;    /* the vendor's own */
};

static const char step_names[] = "asfSFnlmtr";
enum { STEP_COUNT = sizeof step_names - 1 };
static long model_steps;
static char trail[DEPTH + 1];

#define HOLDS(condition)                                               \
  do {                                                                 \
    if (!(condition)) fail_msg("after \"%s\": %s", trail, #condition); \
  } while (0)

static int64_t cooldown_of(int reopenings) {
  return reopenings == 0 ? 1000 : reopenings == 1 ? 2000 : 3000;
}

static bool trial_is_out(const struct world *w) {
  for (int i = 0; i < w->out_count; i++)
    if (w->out[i].trial && w->out[i].era == w->era) return true;
  return false;
}

static void model_admit(struct world *w) {
  struct breaker_permit permit;
  struct breaker_admission got = breaker_admit(&w->b, w->now_ms, &permit);
  bool open = w->state == BREAKER_OPEN && w->now_ms < w->not_before_ms;
  bool cooling = w->now_ms < w->cooling_ms;
  if (open) HOLDS(got.answer == BREAKER_REFUSED_OPEN);
  if (!open && cooling) HOLDS(got.answer == BREAKER_REFUSED_COOLING);
  bool free_to_go = !open && !cooling;
  if (free_to_go && w->state == BREAKER_CLOSED) HOLDS(got.answer == BREAKER_ADMITTED);
  if (free_to_go && w->state != BREAKER_CLOSED)
    HOLDS(got.answer == (trial_is_out(w) ? BREAKER_REFUSED_TRIAL : BREAKER_TRIAL));
  HOLDS((got.change == BREAKER_HALF_OPENED) ==
        (w->state == BREAKER_OPEN && got.answer == BREAKER_TRIAL));
  if (got.answer >= BREAKER_REFUSED_OPEN) {
    HOLDS(got.wait_ms > 0 && permit.generation == 0);
    return;
  }
  if (got.answer == BREAKER_TRIAL) {
    w->state = BREAKER_HALF_OPEN;
    w->era++;
  }
  w->out[w->out_count++] = (struct attempt){permit, w->era, got.answer == BREAKER_TRIAL};
}

static void model_opened(struct world *w) {
  w->reopenings = w->state == BREAKER_HALF_OPEN ? w->reopenings + 1 : 0;
  w->state = BREAKER_OPEN;
  w->not_before_ms = w->now_ms + cooldown_of(w->reopenings);
  w->era++;
}

static void model_closed(struct world *w) {
  w->state = BREAKER_CLOSED;
  w->failures_in_row = 0;
  w->reopenings = 0;
  w->era++;
}

/* A fresh report, and whether the change it gave is the one it must give. */
static bool model_fresh(struct world *w, enum breaker_verdict verdict, enum breaker_change change) {
  bool half = w->state == BREAKER_HALF_OPEN;
  switch (verdict) {
    case BREAKER_SUCCESS:
      w->failures_in_row = 0;
      if (half) model_closed(w);
      return half ? change == BREAKER_RECLOSED
                  : change == BREAKER_SAME || change == BREAKER_UNMARKED;
    case BREAKER_FAILURE: {
      bool opens = half || ++w->failures_in_row == MODEL_THRESHOLD;
      if (opens) model_opened(w);
      return change == (opens ? BREAKER_OPENED : BREAKER_SAME);
    }
    default:
      if (half) w->era++;
      return change == BREAKER_SAME || change == BREAKER_MARKED || change == BREAKER_COOLING;
  }
}

static void model_report(struct world *w, bool newest, enum breaker_verdict verdict) {
  int nth = newest ? w->out_count - 1 : 0;
  struct attempt a = w->out[nth];
  w->out_count--;
  memmove(w->out + nth, w->out + nth + 1, (size_t)(w->out_count - nth) * sizeof *w->out);
  struct breaker_report report = {verdict, LIMITED_MS, "auth"};
  bool fresh = a.era == w->era;
  enum breaker_change change = breaker_report(&w->b, w->now_ms, &a.permit, &report);
  if (fresh)
    HOLDS(model_fresh(w, verdict, change));
  else
    HOLDS(change == BREAKER_SAME || (change == BREAKER_COOLING && verdict == BREAKER_RATE_LIMITED));
  if (verdict == BREAKER_RATE_LIMITED) w->cooling_ms = w->now_ms + LIMITED_MS;
  struct breaker_report again = {BREAKER_FAILURE, -1, NULL};
  struct breaker before = w->b; /* a permit counts once */
  HOLDS(breaker_report(&w->b, w->now_ms, &a.permit, &again) == BREAKER_SAME);
  HOLDS(memcmp(&before, &w->b, sizeof before) == 0);
}

/* Being asked again before the wait is over is refused, after it only for another reason. */
static void check_wait(const struct world *w) {
  struct breaker copy = w->b;
  struct breaker_permit permit;
  struct breaker_admission got = breaker_admit(&copy, w->now_ms, &permit);
  if (got.answer != BREAKER_REFUSED_OPEN && got.answer != BREAKER_REFUSED_COOLING) return;
  HOLDS(breaker_admit(&copy, w->now_ms + got.wait_ms - 1, &permit).answer >= BREAKER_REFUSED_OPEN);
  enum breaker_answer then = breaker_admit(&copy, w->now_ms + got.wait_ms, &permit).answer;
  HOLDS(then != BREAKER_REFUSED_OPEN && then != BREAKER_REFUSED_COOLING);
}

static void check_restart(const struct world *w, const struct breaker_view *view) {
  struct breaker_snapshot s;
  struct breaker back;
  breaker_save(&w->b, w->now_ms, wall0, &s);
  breaker_restore(&back, model_limits, -50, wall0, &s);
  struct breaker_view after = look(&back, -50);
  HOLDS(after.state == view->state && after.failures == view->failures && !after.trial);
  HOLDS(after.cooldown_remaining_ms == view->cooldown_remaining_ms);
  HOLDS(after.cooling_remaining_ms == view->cooling_remaining_ms);
  HOLDS(after.cooldown_ms == view->cooldown_ms && after.open_for_ms == view->open_for_ms);
  HOLDS(after.last_failure_ago_ms == view->last_failure_ago_ms);
  HOLDS(after.last_success_ago_ms == view->last_success_ago_ms);
  HOLDS(strcmp(after.misconfigured, view->misconfigured) == 0);
}

static void check_world(const struct world *w) {
  struct breaker_view view = look(&w->b, w->now_ms);
  int64_t left = w->state == BREAKER_OPEN ? w->not_before_ms - w->now_ms : 0;
  HOLDS(view.state == (w->state == BREAKER_OPEN && left <= 0 ? BREAKER_HALF_OPEN : w->state));
  HOLDS(view.trial == (w->state == BREAKER_HALF_OPEN && trial_is_out(w)));
  HOLDS(view.cooldown_remaining_ms == (left > 0 ? left : 0));
  HOLDS((view.cooldown_remaining_ms > 0) == (view.state == BREAKER_OPEN));
  int64_t cooling = w->cooling_ms - w->now_ms;
  HOLDS(view.cooling_remaining_ms == (cooling > 0 ? cooling : 0));
  HOLDS(view.cooldown_ms == cooldown_of(w->reopenings));
  HOLDS((w->state == BREAKER_CLOSED) == (view.failures < MODEL_THRESHOLD));
  if (w->state == BREAKER_CLOSED) HOLDS(view.failures == w->failures_in_row);
  check_wait(w);
  check_restart(w, &view);
}

/* False: the step makes no sense here, as there is no attempt to end. */
static bool take_step(struct world *w, char step) {
  if (strchr("sfSFnlm", step) && w->out_count == 0) return false;
  switch (step) {
    case 'a': model_admit(w); break;
    case 's': model_report(w, false, BREAKER_SUCCESS); break;
    case 'f': model_report(w, false, BREAKER_FAILURE); break;
    case 'S': model_report(w, true, BREAKER_SUCCESS); break;
    case 'F': model_report(w, true, BREAKER_FAILURE); break;
    case 'n': model_report(w, true, BREAKER_NEUTRAL); break;
    case 'l': model_report(w, true, BREAKER_RATE_LIMITED); break;
    case 'm': model_report(w, true, BREAKER_MISCONFIGURED); break;
    case 't': w->now_ms += 1000; break;
    default:
      breaker_reset(&w->b);
      model_closed(w);
      w->cooling_ms = 0;
  }
  return true;
}

static void explore(const struct world *before, int depth) {
  for (int i = 0; i < STEP_COUNT; i++) {
    struct world w = *before;
    trail[depth] = step_names[i];
    trail[depth + 1] = '\0';
    if (!take_step(&w, step_names[i])) continue;
    model_steps++;
    check_world(&w);
    if (depth + 1 < DEPTH) explore(&w, depth + 1);
  }
}

/* From the start, and from where five more steps would be needed to come. */
static void test_every_sequence(void **state) {
  (void)state;
  static const char *const starts[] = {"", "aafft", "aaafftat", "aafftaFttaFt"};
  for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
    struct world w = {.now_ms = t0};
    breaker_init(&w.b, model_limits);
    for (const char *p = starts[i]; *p; p++) assert_true(take_step(&w, *p));
    trail[0] = '\0';
    explore(&w, 0);
  }
  print_message("# %ld steps\n", model_steps);
}

/* ---- single rules ---- */

static void test_five_in_a_row(void **state) {
  (void)state;
  struct breaker b;
  breaker_init(&b, plain);
  fail_times(&b, t0, 4);
  struct breaker_permit p = admitted(&b, t0, BREAKER_ADMITTED);
  tell(&b, t0, &p, BREAKER_SUCCESS); /* not in a row any more */
  fail_times(&b, t0, 4);
  assert_int_equal(look(&b, t0).state, BREAKER_CLOSED);
  fail_times(&b, t0, 1);
  assert_int_equal(look(&b, t0).state, BREAKER_OPEN);
  assert_int_equal(breaker_admit(&b, t0, &p).wait_ms, 60000);
  assert_int_equal(breaker_admit(&b, t0 + 59999, &p).wait_ms, 1);
  assert_int_equal(breaker_admit(&b, t0 + 60000, &p).answer, BREAKER_TRIAL);
  struct breaker_permit other;
  for (int i = 0; i < 1000; i++)
    assert_int_equal(breaker_admit(&b, t0 + 60000 + i, &other).answer, BREAKER_REFUSED_TRIAL);
}

static void test_many_at_once_open_it_once(void **state) {
  (void)state;
  struct breaker b;
  struct breaker_permit out[9];
  breaker_init(&b, plain);
  for (int i = 0; i < 9; i++) out[i] = admitted(&b, t0, BREAKER_ADMITTED);
  for (int i = 0; i < 9; i++)
    assert_int_equal(tell(&b, t0 + i * 100, &out[i], BREAKER_FAILURE),
                     i == 4 ? BREAKER_OPENED : BREAKER_SAME);
  assert_int_equal(look(&b, t0 + 900).cooldown_remaining_ms, 60000 - 500);
  assert_int_equal(look(&b, t0 + 900).failures, 5);
  assert_int_equal(look(&b, t0 + 900).last_failure_ago_ms, 100); /* the late ones are seen */
}

static void test_growth(void **state) {
  (void)state;
  static const int64_t growing[] = {60000, 120000, 240000, 480000, 600000, 600000};
  for (int grows = 0; grows <= 1; grows++) {
    struct breaker b;
    breaker_init(
        &b, (struct breaker_limits){5, BREAKER_COOLDOWN_MS, grows ? BREAKER_COOLDOWN_MAX_MS : 0});
    int64_t now = t0;
    fail_times(&b, now, 5);
    for (int i = 0; i < 6; i++) {
      int64_t want = grows ? growing[i] : 60000;
      assert_int_equal(look(&b, now).cooldown_remaining_ms, want);
      now += want;
      struct breaker_permit p = admitted(&b, now, BREAKER_TRIAL);
      tell(&b, now, &p, BREAKER_FAILURE);
    }
    now += BREAKER_COOLDOWN_MAX_MS;
    struct breaker_permit p = admitted(&b, now, BREAKER_TRIAL);
    tell(&b, now, &p, BREAKER_SUCCESS);
    fail_times(&b, now, 5);
    assert_int_equal(look(&b, now).cooldown_remaining_ms, 60000); /* forgiven */
  }
}

static void test_cooling(void **state) {
  (void)state;
  struct breaker b;
  breaker_init(&b, plain);
  struct breaker_permit p[4], other;
  for (int i = 0; i < 4; i++) p[i] = admitted(&b, t0, BREAKER_ADMITTED);
  static const struct {
    int64_t retry_after_ms;
    enum breaker_change change;
    int64_t left_ms;
  } rows[] = {{0, BREAKER_SAME, 0},
              {20000, BREAKER_COOLING, 20000},
              {5000, BREAKER_SAME, 20000}, /* the longest holds */
              {INT64_MAX, BREAKER_COOLING, BREAKER_COOLING_MAX_MS}};
  for (int i = 0; i < 4; i++) {
    struct breaker_report report = {BREAKER_RATE_LIMITED, rows[i].retry_after_ms, NULL};
    assert_int_equal(breaker_report(&b, t0, &p[i], &report), rows[i].change);
    assert_int_equal(look(&b, t0).cooling_remaining_ms, rows[i].left_ms);
  }
  assert_int_equal(look(&b, t0).state, BREAKER_CLOSED);
  assert_int_equal(breaker_admit(&b, t0 + 1, &other).wait_ms, BREAKER_COOLING_MAX_MS - 1);
  assert_int_equal(breaker_reset(&b), BREAKER_UNMARKED);
  admitted(&b, t0 + 1, BREAKER_ADMITTED);
}

static void test_open_and_cooling_waits_for_both(void **state) {
  (void)state;
  struct breaker b;
  breaker_init(&b, plain);
  struct breaker_permit late = admitted(&b, t0, BREAKER_ADMITTED), p;
  fail_times(&b, t0, 5);
  struct breaker_report report = {BREAKER_RATE_LIMITED, 90000, NULL};
  assert_int_equal(breaker_report(&b, t0, &late, &report), BREAKER_COOLING);
  assert_int_equal(breaker_admit(&b, t0, &p).wait_ms, 90000);
  assert_int_equal(breaker_admit(&b, t0 + 60000, &p).answer, BREAKER_REFUSED_COOLING);
  assert_int_equal(breaker_admit(&b, t0 + 90000, &p).answer, BREAKER_TRIAL);
}

static enum breaker_change misconfigure(struct breaker *b, const char *reason) {
  struct breaker_permit p = admitted(b, t0, BREAKER_ADMITTED);
  struct breaker_report report = {BREAKER_MISCONFIGURED, -1, reason};
  return breaker_report(b, t0, &p, &report);
}

static void test_misconfigured(void **state) {
  (void)state;
  struct breaker b;
  breaker_init(&b, plain);
  for (int i = 0; i < 20; i++)
    assert_int_equal(misconfigure(&b, "auth: no such key"), i ? BREAKER_SAME : BREAKER_MARKED);
  assert_int_equal(look(&b, t0).failures, 0);
  assert_string_equal(look(&b, t0).misconfigured, "auth: no such key");
  assert_int_equal(misconfigure(&b, "invalid_request: no such model"), BREAKER_MARKED);
  struct breaker_permit p = admitted(&b, t0, BREAKER_ADMITTED);
  assert_int_equal(tell(&b, t0, &p, BREAKER_FAILURE), BREAKER_SAME); /* keeps the mark */
  assert_string_equal(look(&b, t0).misconfigured, "invalid_request: no such model");
  p = admitted(&b, t0, BREAKER_ADMITTED);
  assert_int_equal(tell(&b, t0, &p, BREAKER_SUCCESS), BREAKER_UNMARKED);
  assert_string_equal(look(&b, t0).misconfigured, "");
  assert_int_equal(misconfigure(&b, NULL), BREAKER_MARKED);
  assert_true(look(&b, t0).misconfigured[0] != '\0');
  assert_int_equal(breaker_reset(&b), BREAKER_UNMARKED);
  assert_int_equal(breaker_reset(&b), BREAKER_SAME);

  char text[2 * BREAKER_REASON_SIZE]; /* cut before a character, not within */
  memset(text, 'x', sizeof text);
  memcpy(text + BREAKER_REASON_SIZE - 2, "\u00e9", 2);
  text[sizeof text - 1] = '\0';
  misconfigure(&b, text);
  assert_int_equal(strlen(look(&b, t0).misconfigured), BREAKER_REASON_SIZE - 2);
}

static void test_reset_makes_a_trial_stale(void **state) {
  (void)state;
  struct breaker b;
  struct breaker_permit fresh, stale;
  set_up(HALF_TRIAL, &b, &fresh, &stale);
  assert_int_equal(breaker_reset(&b), BREAKER_RECLOSED);
  assert_int_equal(tell(&b, t0, &fresh, BREAKER_FAILURE), BREAKER_SAME);
  assert_int_equal(look(&b, t0).state, BREAKER_CLOSED);
  assert_int_equal(look(&b, t0).failures, 0);
}

/* A copy of a permit that was reported must not speak for the next trial. */
static void test_a_trial_speaks_once(void **state) {
  (void)state;
  struct breaker b;
  struct breaker_permit fresh, stale;
  set_up(HALF_TRIAL, &b, &fresh, &stale);
  struct breaker_permit copy = fresh, second = fresh;
  tell(&b, t0, &fresh, BREAKER_NEUTRAL);
  assert_int_equal(tell(&b, t0, &copy, BREAKER_FAILURE), BREAKER_SAME);
  admitted(&b, t0, BREAKER_TRIAL);
  assert_int_equal(tell(&b, t0, &second, BREAKER_SUCCESS), BREAKER_SAME);
  assert_int_equal(look(&b, t0).state, BREAKER_HALF_OPEN);
  assert_true(look(&b, t0).trial);
}

static void test_verdicts(void **state) {
  (void)state;
  static const struct {
    enum outcome outcome;
    enum breaker_verdict verdict;
  } rows[] = {
      {OUTCOME_OK, BREAKER_SUCCESS},
      {OUTCOME_REFUSED, BREAKER_SUCCESS},
      {OUTCOME_TIMEOUT, BREAKER_FAILURE},
      {OUTCOME_OVERLOADED, BREAKER_FAILURE},
      {OUTCOME_EMPTY, BREAKER_FAILURE},
      {OUTCOME_MALFORMED, BREAKER_FAILURE},
      {OUTCOME_UNAVAILABLE, BREAKER_FAILURE},
      {OUTCOME_RATE_LIMITED, BREAKER_RATE_LIMITED},
      {OUTCOME_QUOTA, BREAKER_RATE_LIMITED},
      {OUTCOME_AUTH, BREAKER_MISCONFIGURED},
      {OUTCOME_INVALID_REQUEST, BREAKER_MISCONFIGURED},
      {OUTCOME_CANCELLED, BREAKER_NEUTRAL},
      {OUTCOME_BUDGET, BREAKER_NEUTRAL},
      {OUTCOME_UNKNOWN, BREAKER_NEUTRAL},
      {(enum outcome)99, BREAKER_NEUTRAL},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    assert_int_equal(breaker_verdict_of(rows[i].outcome), rows[i].verdict);
}

static void test_view(void **state) {
  (void)state;
  struct breaker b;
  breaker_init(&b, plain);
  struct breaker_view v = look(&b, t0);
  assert_int_equal(v.threshold, 5);
  assert_int_equal(v.cooldown_ms, 60000);
  assert_int_equal(v.open_for_ms, 0);
  assert_int_equal(v.last_failure_ago_ms, -1);
  assert_int_equal(v.last_success_ago_ms, -1);
  assert_int_equal(v.last_asked_ago_ms, -1);
  struct breaker_permit p = admitted(&b, t0, BREAKER_ADMITTED);
  tell(&b, t0 + 10, &p, BREAKER_SUCCESS);
  fail_times(&b, t0 + 100, 5);
  v = look(&b, t0 + 1100);
  assert_int_equal(v.state, 2); /* the gauge's value */
  assert_int_equal(v.open_for_ms, 1000);
  assert_int_equal(v.cooldown_remaining_ms, 59000);
  assert_int_equal(v.last_failure_ago_ms, 1000);
  assert_int_equal(v.last_success_ago_ms, 1090);
  assert_int_equal(v.last_asked_ago_ms, 1000);
  v = look(&b, t0 + 100 + 60000);
  assert_int_equal(v.state, 1); /* the time alone half-opens it */
  assert_int_equal(v.open_for_ms, 60000);
  assert_string_equal(breaker_state_name(BREAKER_CLOSED), "closed");
  assert_string_equal(breaker_state_name(BREAKER_HALF_OPEN), "half_open");
  assert_string_equal(breaker_state_name(BREAKER_OPEN), "open");
}

/* ---- over a restart ---- */

static void test_restart_keeps_the_remaining_time(void **state) {
  (void)state;
  struct breaker b, back;
  struct breaker_snapshot s;
  breaker_init(&b, plain);
  fail_times(&b, t0, 5);
  breaker_save(&b, t0 + 20000, wall0, &s); /* 40 s remain; the process is away for 15 s */
  breaker_restore(&back, plain, 7, wall0 + 15000, &s);
  struct breaker_permit p;
  assert_int_equal(breaker_admit(&back, 7, &p).wait_ms, 25000);
  assert_int_equal(look(&back, 7).open_for_ms, 35000);
  assert_int_equal(breaker_admit(&back, 7 + 25000, &p).answer, BREAKER_TRIAL);
  breaker_restore(&back, plain, 7, wall0 + 3600000, &s); /* away for longer than that */
  assert_int_equal(breaker_admit(&back, 7, &p).answer, BREAKER_TRIAL);
}

static void test_restart_forgets_a_trial(void **state) {
  (void)state;
  struct breaker b, back;
  struct breaker_permit fresh, stale;
  struct breaker_snapshot s;
  set_up(HALF_TRIAL, &b, &fresh, &stale);
  breaker_save(&b, t0, wall0, &s);
  breaker_restore(&back, plain, 0, wall0, &s);
  assert_int_equal(look(&back, 0).state, BREAKER_HALF_OPEN);
  admitted(&back, 0, BREAKER_TRIAL);
}

static void test_restart_after_the_clock_went_back(void **state) {
  (void)state;
  struct breaker b, back;
  struct breaker_snapshot s;
  struct breaker_permit p = {0};
  breaker_init(&b, plain);
  p = admitted(&b, t0, BREAKER_ADMITTED);
  fail_times(&b, t0, 5);
  struct breaker_report report = {BREAKER_RATE_LIMITED, 10000, NULL};
  breaker_report(&b, t0, &p, &report);
  breaker_save(&b, t0 + 1000, wall0, &s);
  breaker_restore(&back, plain, 0, wall0 - INT64_C(86400000), &s);
  struct breaker_view v = look(&back, 0);
  assert_int_equal(v.cooldown_remaining_ms, 60000); /* not a day */
  assert_int_equal(v.cooling_remaining_ms, BREAKER_COOLING_MAX_MS);
  assert_int_equal(v.last_failure_ago_ms, 0);
}

/* Whatever the fields hold, what comes of it keeps the rules. */
static void test_restart_from_nonsense(void **state) {
  (void)state;
  static const int64_t odd[] = {INT64_MIN, -1, 0, 1, 2, 3, 5, 60000, 1700000000000, INT64_MAX};
  enum { ODD = sizeof odd / sizeof *odd };
  struct breaker_snapshot s = {0};
  memset(s.misconfigured, 'x', sizeof s.misconfigured); /* no end */
  for (int i = 0; i < ODD * ODD * ODD * ODD; i++) {
    s.state = odd[i % ODD];
    s.failures = odd[i / ODD % ODD];
    s.cooldown_ms = odd[i / (ODD * ODD) % ODD];
    s.opened_wall_ms = s.cooling_until_wall_ms = odd[i / (ODD * ODD * ODD)];
    s.last_failure_wall_ms = s.last_success_wall_ms = odd[i / (ODD * ODD) % ODD];
    struct breaker b;
    breaker_restore(&b, plain, t0, wall0, &s);
    struct breaker_view v = look(&b, t0);
    bool closed = s.state != 1 && s.state != 2;
    if (closed != (v.state == BREAKER_CLOSED) || closed != (v.failures < 5) || v.failures < 0 ||
        v.cooldown_ms != 60000 || v.cooldown_remaining_ms > 60000 || v.trial ||
        v.cooling_remaining_ms > BREAKER_COOLING_MAX_MS || v.last_failure_ago_ms < -1 ||
        v.open_for_ms < 0 || strlen(v.misconfigured) != BREAKER_REASON_SIZE - 1)
      fail_msg("%lld %lld %lld %lld", (long long)s.state, (long long)s.failures,
               (long long)s.cooldown_ms, (long long)s.opened_wall_ms);
    struct breaker_permit p;
    int64_t wait_ms = breaker_admit(&b, t0, &p).wait_ms;
    assert_true(breaker_admit(&b, t0 + wait_ms, &p).answer <= BREAKER_TRIAL || !wait_ms);
  }
}

static void test_restart_without_the_opening(void **state) {
  (void)state;
  struct breaker b;
  struct breaker_snapshot s = {.state = BREAKER_OPEN, .failures = INT64_MAX, .opened_wall_ms = -1};
  breaker_restore(&b, plain, t0, wall0, &s);
  assert_int_equal(look(&b, t0).cooldown_remaining_ms, 60000); /* as if it opened now */
  int failures = look(&b, t0).failures;
  struct breaker_permit p = admitted(&b, t0 + 60000, BREAKER_TRIAL);
  tell(&b, t0 + 60000, &p, BREAKER_FAILURE);
  assert_int_equal(look(&b, t0 + 60000).failures, failures); /* it stopped counting */
}

static void test_restart_under_other_limits(void **state) {
  (void)state;
  struct breaker b, back;
  struct breaker_snapshot s;
  breaker_init(&b, plain);
  fail_times(&b, t0, 4);
  breaker_save(&b, t0, wall0, &s);
  breaker_restore(&back, (struct breaker_limits){3, 10000, 0}, 0, wall0, &s);
  assert_int_equal(look(&back, 0).state, BREAKER_CLOSED);
  assert_int_equal(look(&back, 0).failures, 2); /* one more opens it */
  fail_times(&b, t0, 1);
  breaker_save(&b, t0, wall0, &s);
  breaker_restore(&back, (struct breaker_limits){3, 10000, 0}, 0, wall0, &s);
  assert_int_equal(look(&back, 0).cooldown_remaining_ms, 10000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_state_and_input),
      cmocka_unit_test(test_every_sequence),
      cmocka_unit_test(test_five_in_a_row),
      cmocka_unit_test(test_many_at_once_open_it_once),
      cmocka_unit_test(test_growth),
      cmocka_unit_test(test_cooling),
      cmocka_unit_test(test_open_and_cooling_waits_for_both),
      cmocka_unit_test(test_misconfigured),
      cmocka_unit_test(test_reset_makes_a_trial_stale),
      cmocka_unit_test(test_a_trial_speaks_once),
      cmocka_unit_test(test_verdicts),
      cmocka_unit_test(test_view),
      cmocka_unit_test(test_restart_keeps_the_remaining_time),
      cmocka_unit_test(test_restart_forgets_a_trial),
      cmocka_unit_test(test_restart_after_the_clock_went_back),
      cmocka_unit_test(test_restart_from_nonsense),
      cmocka_unit_test(test_restart_without_the_opening),
      cmocka_unit_test(test_restart_under_other_limits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
