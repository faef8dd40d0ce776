/* What every store must do, whatever it keeps its rows in: only store.h and the fixture are used.
 */
#include "base/metrics.h"
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>

static const struct principal alice = {"acme", "alice", false, false, NULL};
static const struct principal bob = {"acme", "bob", false, false, NULL};
static const struct principal acme = {"acme", "root", true, false, NULL};
static const struct principal other = {"other", "alice", true, false, NULL};

static bool keep_event(void *ctx, const struct store_event *event) {
  struct store_event *events = ctx;
  struct store_event *e = &events[event->seq];
  *e = *event;
  e->type = bytes_dup(bytes_of(event->type));
  e->agent = event->agent ? bytes_dup(bytes_of(event->agent)) : NULL;
  e->data.ptr = event->data.ptr ? bytes_dup(event->data) : NULL;
  return true;
}

static void forget_event(struct store_event *e) {
  free((char *)e->type);
  free((char *)e->agent);
  free((char *)e->data.ptr);
}

static void events_come_back_as_they_were(void **state) {
  struct fixture *f = *state;
  struct answers a;
  answers_init(&a);
  struct store_event in[4] = {make_event(1, "{}"), make_event(2, "{\"a\":\"\xc3\xa9\"}"),
                              make_event(3, NULL), make_event(4, "{\"b\":4}")};
  in[3].data.len = 3; /* the length counts, not a NUL */
  struct store_debate row = make_debate("task", 1);
  assert_int_equal(
      store_append(f->store, "d1", in, 4, STORE_ROW_INSERT, &row, NULL, 0, answers_add, &a),
      STATUS_OK);
  answers_wait(&a, 1);
  assert_int_equal(a.statuses[0], STATUS_OK);
  struct store_event out[5] = {0};
  assert_int_equal(store_read_events(f->store, &PRINCIPAL_LOCAL, "d1", 0, 0, keep_event, out, NULL),
                   STATUS_OK);
  for (int i = 0; i < 4; i++) {
    struct store_event *e = &out[i + 1];
    assert_int_equal(e->seq, in[i].seq);
    assert_string_equal(e->type, in[i].type);
    assert_int_equal(e->ts_ms, in[i].ts_ms);
    assert_int_equal(e->round, in[i].round);
    assert_true(!e->agent == !in[i].agent && (!e->agent || !strcmp(e->agent, in[i].agent)));
    assert_true(!e->data.ptr == !in[i].data.ptr && bytes_equal(e->data, in[i].data));
    assert_memory_equal(e->salt, in[i].salt, 32);
    assert_memory_equal(e->digest, in[i].digest, 32);
    assert_memory_equal(e->hash, in[i].hash, 32);
    forget_event(e);
  }
}

struct range {
  uint64_t first, last;
  size_t count, stop_after;
};

static bool note_range(void *ctx, const struct store_event *event) {
  struct range *r = ctx;
  if (r->count++ == 0) r->first = event->seq;
  r->last = event->seq;
  return r->count != r->stop_after;
}

static void a_log_is_read_in_parts(void **state) {
  struct fixture *f = *state;
  struct store_debate row = make_debate("task", 1);
  assert_int_equal(put_debate(f, "d1", &row), STATUS_OK);
  for (uint64_t seq = 2; seq <= 9; seq++) assert_int_equal(put_event(f, "d1", seq), STATUS_OK);
  struct {
    uint64_t after;
    size_t limit, stop_after;
    uint64_t first, last;
    size_t count;
  } cases[] = {{0, 0, 0, 1, 9, 9},  {4, 0, 0, 5, 9, 5}, {4, 2, 0, 5, 6, 2},
               {0, 0, 3, 1, 3, 3},  {9, 0, 0, 0, 0, 0}, {UINT64_MAX, 0, 0, 0, 0, 0},
               {8, 100, 0, 9, 9, 1}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct range r = {.stop_after = cases[i].stop_after};
    assert_int_equal(store_read_events(f->store, &PRINCIPAL_LOCAL, "d1", cases[i].after,
                                       cases[i].limit, note_range, &r, NULL),
                     STATUS_OK);
    assert_int_equal(r.first, cases[i].first);
    assert_int_equal(r.last, cases[i].last);
    assert_int_equal(r.count, cases[i].count);
  }
}

static void a_row_comes_back_as_it_was(void **state) {
  struct fixture *f = *state;
  struct store_debate in = make_debate("Rate limits?", 1700000000000), out;
  in.tenant_id = (char *)"acme";
  in.owner_id = (char *)"alice";
  in.slug = (char *)"rate-limits-2023-11-14-d1";
  in.metadata = (char *)"{ \"k\" : 1.50 }";
  in.demo = true;
  assert_int_equal(put_debate(f, "d1", &in), STATUS_OK);
  assert_int_equal(store_get_debate(f->store, &alice, "d1", &out, NULL), STATUS_OK);
  assert_string_equal(out.id, "d1");
  assert_string_equal(out.tenant_id, "acme");
  assert_string_equal(out.owner_id, "alice");
  assert_string_equal(out.slug, in.slug);
  assert_string_equal(out.task, in.task);
  assert_string_equal(out.agents, in.agents);
  assert_string_equal(out.metadata, in.metadata);
  assert_string_equal(out.status, "pending");
  assert_string_equal(out.consensus, "majority");
  assert_null(out.outcome);
  assert_int_equal(out.created_ms, 1700000000000);
  assert_int_equal(out.completed_ms, -1);
  assert_int_equal(out.duration_ms, -1);
  assert_int_equal(out.confidence_ppm, -1);
  assert_int_equal(out.cost_usd_micro, -1);
  assert_true(out.demo && !out.is_public && !out.degraded && !out.consensus_reached);
  assert_int_equal(out.last_seq, 1);
  store_debate_done(&out);
  assert_int_equal(store_get_debate(f->store, &alice, in.slug, &out, NULL), STATUS_OK);
  assert_string_equal(out.id, "d1");
  store_debate_done(&out);
}

static void an_update_writes_the_progress_only(void **state) {
  struct fixture *f = *state;
  struct store_debate row = make_debate("task", 5), out;
  assert_int_equal(put_debate(f, "d1", &row), STATUS_OK);
  struct store_debate end = make_debate("another task", 6);
  end.status = (char *)"completed";
  end.outcome = (char *)"consensus";
  end.owner_id = (char *)"thief";
  end.completed_ms = 70;
  end.duration_ms = 60;
  end.rounds_used = 2;
  end.confidence_ppm = 750000;
  end.cost_usd_micro = 0;
  end.consensus_reached = end.degraded = true;
  struct answers a;
  answers_init(&a);
  assert_int_equal(
      store_append(f->store, "d1", NULL, 0, STORE_ROW_UPDATE, &end, NULL, 0, answers_add, &a),
      STATUS_OK);
  answers_wait(&a, 1);
  assert_int_equal(a.statuses[0], STATUS_OK);
  assert_int_equal(store_get_debate(f->store, &PRINCIPAL_LOCAL, "d1", &out, NULL), STATUS_OK);
  assert_string_equal(out.task, "task");
  assert_string_equal(out.owner_id, "local");
  assert_int_equal(out.created_ms, 5);
  assert_string_equal(out.status, "completed");
  assert_string_equal(out.outcome, "consensus");
  assert_int_equal(out.completed_ms, 70);
  assert_int_equal(out.duration_ms, 60);
  assert_int_equal(out.rounds_used, 2);
  assert_int_equal(out.confidence_ppm, 750000);
  assert_int_equal(out.cost_usd_micro, 0);
  assert_true(out.consensus_reached && out.degraded);
  store_debate_done(&out);
}

static void what_is_incomplete_is_refused(void **state) {
  struct fixture *f = *state;
  struct store_debate row = make_debate("task", 1);
  struct store_event e = make_event(1, "{}");
  assert_int_equal(store_append(f->store, "d1", NULL, 0, STORE_ROW_NONE, NULL, NULL, 0, NULL, NULL),
                   STATUS_INVALID);
  assert_int_equal(store_append(f->store, "", &e, 1, STORE_ROW_NONE, NULL, NULL, 0, NULL, NULL),
                   STATUS_INVALID);
  assert_int_equal(store_append(f->store, "d1", &e, 1, STORE_ROW_INSERT, NULL, NULL, 0, NULL, NULL),
                   STATUS_INVALID);
  row.task = NULL;
  assert_int_equal(store_append(f->store, "d1", &e, 1, STORE_ROW_INSERT, &row, NULL, 0, NULL, NULL),
                   STATUS_INVALID);
}

static void a_log_has_no_duplicates_and_no_holes(void **state) {
  struct fixture *f = *state;
  struct store_debate row = make_debate("task", 1);
  assert_int_equal(put_debate(f, "d1", &row), STATUS_OK);
  assert_int_equal(put_event(f, "d1", 2), STATUS_OK);
  assert_int_equal(put_event(f, "d1", 2), STATUS_CONFLICT);
  assert_int_equal(put_event(f, "d1", 4), STATUS_CONFLICT);
  assert_int_equal(put_event(f, "no-such", 1), STATUS_CONFLICT);
  assert_int_equal(put_debate(f, "d1", &row), STATUS_CONFLICT);
  assert_int_equal(put_event(f, "d1", 3), STATUS_OK);
  assert_int_equal(count_events(f, "d1"), 3);
  assert_true(store_writable(f->store));
}

/* Everything that is queued while the writer is busy goes into one transaction. */
static void a_crowd_is_one_commit(void **state) {
  struct fixture *f = *state;
  struct gate gate;
  struct answers a;
  gate_init(&gate);
  answers_init(&a);
  struct store_debate row = make_debate("task", 1);
  struct store_event e = make_event(1, "{}");
  assert_int_equal(
      store_append(f->store, "d0", &e, 1, STORE_ROW_INSERT, &row, NULL, 0, gate_hold, &gate),
      STATUS_OK);
  gate_wait_entered(&gate);
  int64_t before = metric_get(METRIC_STORE_COMMITS, NULL);
  for (int i = 1; i <= 100; i++) {
    char id[8];
    snprintf(id, sizeof id, "d%d", i);
    assert_int_equal(
        store_append(f->store, id, &e, 1, STORE_ROW_INSERT, &row, NULL, 0, answers_add, &a),
        STATUS_OK);
  }
  gate_release(&gate);
  answers_wait(&a, 100);
  assert_int_equal(metric_get(METRIC_STORE_COMMITS, NULL) - before, 1);
  assert_int_equal(count_events(f, "d100"), 1);
}

/* One batch of a crowd is wrong: it and what was queued behind it for the same debate fail, in the
 * order of the calls, and nobody else. */
static void a_wrong_batch_fails_alone(void **state) {
  struct fixture *f = *state;
  struct gate gate;
  struct answers a;
  gate_init(&gate);
  answers_init(&a);
  struct store_debate row = make_debate("task", 1);
  struct store_event one = make_event(1, "{}"), two = make_event(2, "{}");
  assert_int_equal(put_debate(f, "taken", &row), STATUS_OK);
  assert_int_equal(
      store_append(f->store, "d0", &one, 1, STORE_ROW_INSERT, &row, NULL, 0, gate_hold, &gate),
      STATUS_OK);
  gate_wait_entered(&gate);
  struct {
    const char *id;
    struct store_event *event;
    enum store_row_change change;
    enum status expected;
  } calls[] = {
      {"d1", &one, STORE_ROW_INSERT, STATUS_OK},
      {"taken", &one, STORE_ROW_INSERT, STATUS_CONFLICT},
      {"d1", &two, STORE_ROW_NONE, STATUS_OK},
      {"taken", &two, STORE_ROW_NONE, STATUS_CONFLICT}, /* would fit the other debate's log */
      {"d2", &two, STORE_ROW_INSERT, STATUS_CONFLICT},
      {"d3", &one, STORE_ROW_INSERT, STATUS_OK},
  };
  size_t count = sizeof calls / sizeof *calls;
  for (size_t i = 0; i < count; i++)
    assert_int_equal(store_append(f->store, calls[i].id, calls[i].event, 1, calls[i].change, &row,
                                  NULL, 0, answers_add, &a),
                     STATUS_OK);
  gate_release(&gate);
  answers_wait(&a, count);
  for (size_t i = 0; i < count; i++) assert_int_equal(a.statuses[i], calls[i].expected);
  assert_int_equal(count_events(f, "d1"), 2);
  assert_int_equal(count_events(f, "taken"), 1);
  assert_int_equal(count_events(f, "d3"), 1);
  struct store_debate out;
  assert_int_equal(store_get_debate(f->store, &PRINCIPAL_LOCAL, "d2", &out, NULL),
                   STATUS_NOT_FOUND);
}

static void a_full_queue_takes_nothing(void **state) {
  struct fixture *f = *state;
  fixture_close(f);
  f->options.max_queued_bytes = 4096;
  fixture_open(f);
  struct gate gate;
  struct answers a;
  gate_init(&gate);
  answers_init(&a);
  struct store_debate row = make_debate("task", 1);
  static char big[8192];
  memset(big, 'x', sizeof big - 1);
  struct store_event e = make_event(1, "{}");
  assert_int_equal(
      store_append(f->store, "d1", &e, 1, STORE_ROW_INSERT, &row, NULL, 0, gate_hold, &gate),
      STATUS_OK);
  gate_wait_entered(&gate);
  e = make_event(2, big); /* larger than the limit, but the queue is empty */
  assert_int_equal(
      store_append(f->store, "d1", &e, 1, STORE_ROW_NONE, NULL, NULL, 0, answers_add, &a),
      STATUS_OK);
  e = make_event(3, "{}");
  assert_int_equal(
      store_append(f->store, "d1", &e, 1, STORE_ROW_NONE, NULL, NULL, 0, answers_add, &a),
      STATUS_FULL);
  gate_release(&gate);
  answers_wait(&a, 1);
  assert_int_equal(put_event(f, "d1", 3), STATUS_OK);
  assert_int_equal(a.count, 1);
}

static void closing_commits_what_is_queued(void **state) {
  struct fixture *f = *state;
  struct answers a;
  answers_init(&a);
  struct store_debate row = make_debate("task", 1);
  for (uint64_t seq = 1; seq <= 200; seq++) {
    struct store_event e = make_event(seq, "{}");
    assert_int_equal(store_append(f->store, "d1", &e, 1, seq == 1 ? STORE_ROW_INSERT : 0, &row,
                                  NULL, 0, answers_add, &a),
                     STATUS_OK);
  }
  fixture_close(f);
  assert_int_equal(a.count, 200);
  for (int i = 0; i < 200; i++) assert_int_equal(a.statuses[i], STATUS_OK);
  fixture_open(f);
  assert_int_equal(count_events(f, "d1"), 200);
}

static void nobody_sees_what_is_not_theirs(void **state) {
  struct fixture *f = *state;
  struct store_debate row = make_debate("secret plan", 1), out;
  row.tenant_id = (char *)"acme";
  row.owner_id = (char *)"alice";
  row.slug = (char *)"secret-plan";
  assert_int_equal(put_debate(f, "d1", &row), STATUS_OK);
  struct {
    const struct principal *who;
    enum status expected;
  } cases[] = {
      {&alice, STATUS_OK},      {&acme, STATUS_OK},         {&PRINCIPAL_SYSTEM, STATUS_OK},
      {&bob, STATUS_NOT_FOUND}, {&other, STATUS_NOT_FOUND}, {&PRINCIPAL_LOCAL, STATUS_NOT_FOUND}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *names[] = {"d1", "secret-plan"};
    for (int n = 0; n < 2; n++) {
      enum status status = store_get_debate(f->store, cases[i].who, names[n], &out, NULL);
      assert_int_equal(status, cases[i].expected);
      if (!status) store_debate_done(&out);
    }
    struct range r = {0};
    assert_int_equal(store_read_events(f->store, cases[i].who, "d1", 0, 0, note_range, &r, NULL),
                     cases[i].expected);
    assert_int_equal(r.count, cases[i].expected ? 0 : 1);
    struct store_debate *rows;
    size_t count;
    int64_t total;
    struct store_list_query query = {.limit = 10, .before_created_ms = -1};
    assert_int_equal(
        store_list_debates(f->store, cases[i].who, &query, &rows, &count, &total, NULL), STATUS_OK);
    assert_int_equal(count, cases[i].expected ? 0 : 1);
    assert_int_equal(total, count);
    store_list_free(rows, count);
  }
}

/* The ids of a page as "a b c", then the total. */
static void assert_list(struct fixture *f, const struct principal *who,
                        struct store_list_query query, const char *expected,
                        int64_t expected_total) {
  struct store_debate *rows;
  size_t count;
  int64_t total;
  char ids[256] = "";
  assert_int_equal(store_list_debates(f->store, who, &query, &rows, &count, &total, NULL),
                   STATUS_OK);
  for (size_t i = 0; i < count; i++) {
    if (i) strcat(ids, " ");
    strcat(ids, rows[i].id);
  }
  store_list_free(rows, count);
  assert_string_equal(ids, expected);
  assert_int_equal(total, expected_total);
}

static void set_status(struct fixture *f, const char *id, const char *status) {
  struct store_debate row = make_debate("task", 1);
  struct answers a;
  answers_init(&a);
  row.status = (char *)status;
  assert_int_equal(
      store_append(f->store, id, NULL, 0, STORE_ROW_UPDATE, &row, NULL, 0, answers_add, &a),
      STATUS_OK);
  answers_wait(&a, 1);
  assert_int_equal(a.statuses[0], STATUS_OK);
}

/* Two owners; b and c are of the same millisecond. */
static void put_list(struct fixture *f) {
  const char *ids[] = {"a", "b", "c", "d", "e"};
  int64_t times[] = {10, 20, 20, 30, 40};
  for (int i = 0; i < 5; i++) {
    struct store_debate row = make_debate("task", times[i]);
    row.tenant_id = (char *)"acme";
    row.owner_id = (char *)(i == 3 ? "bob" : "alice");
    assert_int_equal(put_debate(f, ids[i], &row), STATUS_OK);
  }
  set_status(f, "a", "completed");
  set_status(f, "d", "running");
  set_status(f, "d", "completed");
  set_status(f, "e", "failed");
}

static void a_list_is_newest_first(void **state) {
  struct fixture *f = *state;
  put_list(f);
#define QUERY(...)     ((struct store_list_query){.before_created_ms = -1, .limit = 10, __VA_ARGS__})
#define CURSOR(ms, id) .limit = 2, .before_created_ms = (ms), .before_id = (id)
  assert_list(f, &acme, QUERY(.offset = 0), "e d c b a", 5);
  assert_list(f, &alice, QUERY(.offset = 0), "e c b a", 4);
  assert_list(f, &bob, QUERY(.offset = 0), "d", 1);
  assert_list(f, &other, QUERY(.offset = 0), "", 0);
  assert_list(f, &PRINCIPAL_SYSTEM, QUERY(.offset = 1), "d c b a", 5);
  assert_list(f, &acme, QUERY(.offset = 3), "b a", 5);
  assert_list(f, &acme, QUERY(.offset = 9), "", 5);
  assert_list(f, &acme, QUERY(.status = "completed"), "d a", 2);
  assert_list(f, &acme, QUERY(.status = "running"), "", 0);
  assert_list(f, &alice, QUERY(.status = "completed"), "a", 1);
  assert_list(f, &alice, QUERY(.status = "pending"), "c b", 2);
  assert_list(f, &PRINCIPAL_SYSTEM, QUERY(.status = "failed"), "e", 1);
  assert_list(f, &acme, (struct store_list_query){CURSOR(30, "d")}, "c b", 5);
  assert_list(f, &acme, (struct store_list_query){CURSOR(20, "c")}, "b a", 5);
  assert_list(f, &alice, (struct store_list_query){CURSOR(20, "b")}, "a", 4);
  assert_list(f, &acme, (struct store_list_query){CURSOR(30, "d"), .status = "completed"}, "a", 2);
  assert_list(f, &alice, (struct store_list_query){CURSOR(20, "c"), .status = "pending"}, "b", 2);
  assert_list(f, &PRINCIPAL_SYSTEM, (struct store_list_query){CURSOR(20, "c")}, "b a", 5);
#undef CURSOR
#undef QUERY
  struct store_debate *rows;
  size_t count;
  int64_t total;
  struct store_list_query wrong = {.limit = 1001, .before_created_ms = -1};
  assert_int_equal(store_list_debates(f->store, &acme, &wrong, &rows, &count, &total, NULL),
                   STATUS_INVALID);
}

static void note_id(void *ctx, const char *id, const struct principal *owner) {
  strcat(ctx, id);
  strcat(ctx, owner->owner_id);
  strcat(ctx, owner->tenant_id);
}

static void what_has_not_ended_is_found_oldest_first(void **state) {
  struct fixture *f = *state;
  put_list(f);
  char ids[128] = "";
  assert_int_equal(store_unfinished(f->store, note_id, ids, NULL), STATUS_OK);
  assert_string_equal(ids, "baliceacmecaliceacme");
}

static void both_files_answer_a_ping(void **state) {
  struct fixture *f = *state;
  struct store_pulse memory, elo;
  store_ping(f->store, &memory, &elo);
  assert_int_equal(memory.problem.status, STATUS_OK);
  assert_int_equal(elo.problem.status, STATUS_OK);
  assert_true(memory.us >= 0 && elo.us >= 0);
}

static void a_taken_slug_gets_the_id(void **state) {
  struct fixture *f = *state;
  struct store_debate row = make_debate("Same question", 0), out;
  assert_int_equal(put_debate(f, "adhoc_1", &row), STATUS_OK);
  assert_int_equal(put_debate(f, "adhoc_2", &row), STATUS_OK);
  assert_int_equal(store_get_debate(f->store, &PRINCIPAL_LOCAL,
                                    "same-question-1970-01-01-adhoc_-adhoc_2", &out, NULL),
                   STATUS_OK);
  assert_string_equal(out.id, "adhoc_2");
  store_debate_done(&out);
  assert_int_equal(
      store_get_debate(f->store, &PRINCIPAL_LOCAL, "same-question-1970-01-01-adhoc_", &out, NULL),
      STATUS_OK);
  assert_string_equal(out.id, "adhoc_1");
  store_debate_done(&out);
}

static void slugs_say_what_was_asked(void **state) {
  struct {
    const char *task, *expected;
  } cases[] = {
      {"Design a rate limiter for the API?", "design-rate-limiter-api-2026-11-23-k3q9zx"},
      {"What is it?", "2026-11-23-k3q9zx"},
      {"", "2026-11-23-k3q9zx"},
      {"Don't   use\n\tGOTO -- ever, please", "dont-use-goto-ever-2026-11-23-k3q9zx"},
      {"Caf\xc3\xa9 or tea", "tea-2026-11-23-k3q9zx"},
      {"abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnopqrst-2026-11-23-k3q9zx"},
      {"1 2 3 4 5", "1-2-3-4-2026-11-23-k3q9zx"},
  };
  char slug[128];
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    store_make_slug(bytes_of(cases[i].task), 1795473432345, "k3q9zxaaaaaaaaaaaaaaaaaaaa", slug,
                    sizeof slug);
    assert_string_equal(slug, cases[i].expected);
  }
  store_make_slug(bytes_of("alpha beta gamma"), 1795473432345, "k3q9zxaa", slug, 26);
  assert_string_equal(slug, "alpha-2026-11-23-k3q9zx"); /* words give way, date and id stay */
}

/* --- many threads -------------------------------------------------------------------------- */

enum { READERS = 6, WRITERS = 3, EVENTS = 40 };

static void *append_log(void *ctx) {
  struct fixture *f = ctx;
  static int next;
  char id[8];
  snprintf(id, sizeof id, "t%d", __atomic_fetch_add(&next, 1, __ATOMIC_SEQ_CST) % WRITERS);
  struct store_debate row = make_debate("task", 1);
  if (put_debate(f, id, &row)) return ctx;
  for (uint64_t seq = 2; seq <= EVENTS; seq++)
    if (put_event(f, id, seq)) return ctx;
  return NULL;
}

static bool check_order(void *ctx, const struct store_event *event) {
  uint64_t *last = ctx;
  if (event->seq != *last + 1) return false;
  *last = event->seq;
  return true;
}

static void *read_logs(void *ctx) {
  struct fixture *f = ctx;
  for (int ended = 0; ended < WRITERS;) {
    ended = 0;
    for (int i = 0; i < WRITERS; i++) {
      char id[8];
      uint64_t last = 0;
      snprintf(id, sizeof id, "t%d", i);
      enum status status =
          store_read_events(f->store, &PRINCIPAL_LOCAL, id, 0, 0, check_order, &last, NULL);
      if (status && status != STATUS_NOT_FOUND) return ctx;
      ended += last == EVENTS;
    }
  }
  return NULL;
}

/* More readers than connections, while others write. */
static void readers_and_writers_share_a_store(void **state) {
  struct fixture *f = *state;
  pthread_t threads[READERS + WRITERS];
  for (int i = 0; i < READERS + WRITERS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, i < WRITERS ? append_log : read_logs, f), 0);
  for (int i = 0; i < READERS + WRITERS; i++) {
    void *failed;
    pthread_join(threads[i], &failed);
    assert_null(failed);
  }
}

static bool read_within(void *ctx, const struct store_event *event) {
  struct fixture *f = ctx;
  struct store_debate out;
  struct error err = {0};
  assert_int_equal(store_get_debate(f->store, &PRINCIPAL_LOCAL, "d1", &out, &err), STATUS_TIMEOUT);
  assert_non_null(strstr(err.message, "busy"));
  return true;
}

static void a_read_does_not_wait_for_ever(void **state) {
  struct fixture *f = *state;
  fixture_close(f);
  f->options.pool_size = 1;
  f->options.timeout_ms = 20;
  fixture_open(f);
  struct store_debate row = make_debate("task", 1), out;
  assert_int_equal(put_debate(f, "d1", &row), STATUS_OK);
  assert_int_equal(store_read_events(f->store, &PRINCIPAL_LOCAL, "d1", 0, 0, read_within, f, NULL),
                   STATUS_OK);
  assert_int_equal(store_get_debate(f->store, &PRINCIPAL_LOCAL, "d1", &out, NULL), STATUS_OK);
  store_debate_done(&out);
}

/* --- circuit breakers ------------------------------------------------------------------------ */

struct breakers {
  size_t count;
  char names[STORE_BREAKERS_MAX + 1][16];
  struct store_breaker first; /* its texts are copies in `texts` */
  char texts[2][64];
};

static void keep_breaker(void *ctx, const struct store_breaker *breaker) {
  struct breakers *b = ctx;
  if (!b->count) {
    b->first = *breaker;
    snprintf(b->texts[0], sizeof b->texts[0], "%s", breaker->name);
    snprintf(b->texts[1], sizeof b->texts[1], "%s", breaker->misconfigured);
    b->first.name = b->texts[0];
    b->first.misconfigured = b->texts[1];
  }
  assert_true(b->count <= STORE_BREAKERS_MAX);
  snprintf(b->names[b->count++], sizeof b->names[0], "%s", breaker->name);
}

/* What the next start reads. */
static struct breakers breakers_after_restart(struct fixture *f) {
  struct breakers b = {0};
  fixture_close(f);
  fixture_open(f);
  assert_int_equal(store_read_breakers(f->store, keep_breaker, &b, NULL), STATUS_OK);
  return b;
}

static struct store_breaker make_breaker(const char *name, int64_t state) {
  return (struct store_breaker){name, state, 5, 60000, 1700000000000, -1, 1700000000001, -1, ""};
}

static void a_breaker_comes_back_as_it_was(void **state) {
  struct fixture *f = *state;
  assert_int_equal(breakers_after_restart(f).count, 0);
  char name[] = "acme/m-1 ACME_KEY", reason[] = "no such model \xc3\xa9";
  struct store_breaker in = {name, 2, 7, 120000, 1700000000000, 1700000060000, 3, -1, reason};
  assert_int_equal(store_put_breaker(f->store, &in), STATUS_OK);
  memset(name, 'x', 4); /* it was copied */
  memset(reason, 'x', 4);
  struct breakers out = breakers_after_restart(f);
  assert_int_equal(out.count, 1);
  assert_string_equal(out.first.name, "acme/m-1 ACME_KEY");
  assert_int_equal(out.first.state, 2);
  assert_int_equal(out.first.failures, 7);
  assert_int_equal(out.first.cooldown_ms, 120000);
  assert_int_equal(out.first.opened_ms, 1700000000000);
  assert_int_equal(out.first.cooling_until_ms, 1700000060000);
  assert_int_equal(out.first.last_failure_ms, 3);
  assert_int_equal(out.first.last_success_ms, -1);
  assert_string_equal(out.first.misconfigured, "no such model \xc3\xa9");
}

static void the_last_word_on_a_breaker_counts(void **state) {
  struct fixture *f = *state;
  for (int64_t to = 2; to >= 0; to--) {
    struct store_breaker breaker = make_breaker("acme/m-1", to);
    assert_int_equal(store_put_breaker(f->store, &breaker), STATUS_OK);
  }
  struct breakers out = breakers_after_restart(f);
  assert_int_equal(out.count, 1);
  assert_int_equal(out.first.state, 0);
}

/* The row is there before the batch that was appended after it is told of. */
static void a_breaker_keeps_its_place_in_the_queue(void **state) {
  struct fixture *f = *state;
  struct breakers out = {0};
  struct store_debate row = make_debate("task", 1);
  struct store_breaker breaker = make_breaker("acme/m-1", 2);
  assert_int_equal(store_put_breaker(f->store, &breaker), STATUS_OK);
  assert_int_equal(put_debate(f, "d1", &row), STATUS_OK);
  assert_int_equal(store_read_breakers(f->store, keep_breaker, &out, NULL), STATUS_OK);
  assert_int_equal(out.count, 1);
}

static void a_wrong_batch_does_not_take_a_breaker_along(void **state) {
  struct fixture *f = *state;
  struct answers a;
  struct gate gate;
  answers_init(&a);
  gate_init(&gate);
  struct store_debate row = make_debate("task", 1);
  struct store_event first = make_event(1, "{}"), hole = make_event(9, "{}");
  struct store_breaker breaker = make_breaker("acme/m-1", 2);
  assert_int_equal(
      store_append(f->store, "d1", &first, 1, STORE_ROW_INSERT, &row, NULL, 0, gate_hold, &gate),
      STATUS_OK);
  gate_wait_entered(&gate);
  assert_int_equal(
      store_append(f->store, "d1", &hole, 1, STORE_ROW_NONE, NULL, NULL, 0, answers_add, &a),
      STATUS_OK);
  assert_int_equal(store_put_breaker(f->store, &breaker), STATUS_OK);
  gate_release(&gate);
  answers_wait(&a, 1);
  assert_int_equal(a.statuses[0], STATUS_CONFLICT);
  assert_int_equal(breakers_after_restart(f).count, 1);
}

static void the_oldest_breakers_give_way(void **state) {
  enum { MORE = 3 };
  struct fixture *f = *state;
  struct store_debate row = make_debate("task", 1);
  for (int i = 0; i < STORE_BREAKERS_MAX + MORE; i++) {
    char name[16], id[16];
    snprintf(name, sizeof name, "b%d", i);
    snprintf(id, sizeof id, "d%d", i);
    struct store_breaker breaker = make_breaker(name, 2);
    assert_int_equal(store_put_breaker(f->store, &breaker), STATUS_OK);
    breaker.name = "b0"; /* changes once more before the last ones come */
    if (i == STORE_BREAKERS_MAX - 1)
      assert_int_equal(store_put_breaker(f->store, &breaker), STATUS_OK);
    assert_int_equal(put_debate(f, id, &row), STATUS_OK); /* ends the transaction */
  }
  struct breakers out = breakers_after_restart(f);
  assert_int_equal(out.count, STORE_BREAKERS_MAX);
  assert_string_equal(out.first.name, "b514"); /* the last changed is the first */
  assert_string_equal(out.names[MORE], "b0");
  assert_string_equal(out.names[out.count - 1], "b4"); /* 1 to 3 are gone */
}

static void a_breaker_needs_a_name(void **state) {
  struct fixture *f = *state;
  struct store_breaker breaker = make_breaker("", 2);
  assert_int_equal(store_put_breaker(f->store, &breaker), STATUS_INVALID);
  breaker.name = NULL;
  assert_int_equal(store_put_breaker(f->store, &breaker), STATUS_INVALID);
  breaker = make_breaker("acme/m-1", 2);
  breaker.misconfigured = NULL;
  assert_int_equal(store_put_breaker(f->store, &breaker), STATUS_INVALID);
}

/* ---- spending ---- */

enum { SPENT_MAX = 8 };

struct spent {
  size_t count;
  struct store_spending rows[SPENT_MAX]; /* owners' names as "a" and "b" */
};

static void keep_spending(void *ctx, const struct store_spending *row) {
  struct spent *spent = ctx;
  assert_true(spent->count < SPENT_MAX);
  struct store_spending *kept = &spent->rows[spent->count++];
  *kept = *row;
  assert_string_equal(row->tenant_id, "acme");
  kept->owner_id = strcmp(row->owner_id, "alice") == 0 ? "a" : "b";
}

static struct spent read_spending(struct fixture *f, int64_t since_day) {
  struct spent spent = {0};
  assert_int_equal(store_read_spending(f->store, since_day, keep_spending, &spent, NULL),
                   STATUS_OK);
  return spent;
}

static void assert_spent(const struct store_spending *row, int64_t day, const char *owner,
                         int64_t tokens, int64_t usd_micro, int64_t unpriced) {
  assert_int_equal(row->day, day);
  assert_string_equal(row->owner_id, owner);
  assert_int_equal(row->tokens, tokens);
  assert_int_equal(row->usd_micro, usd_micro);
  assert_int_equal(row->unpriced, unpriced);
}

static void append_spending(struct fixture *f, struct answers *a, const char *id, uint64_t seq,
                            const struct store_spending *spending, size_t count) {
  struct store_event e = make_event(seq, "{}");
  struct store_debate row = make_debate("task", 1);
  assert_int_equal(store_append(f->store, id, &e, 1, seq == 1 ? STORE_ROW_INSERT : STORE_ROW_NONE,
                                &row, spending, count, answers_add, a),
                   STATUS_OK);
}

static void spending_is_kept_with_its_events(void **state) {
  struct fixture *f = *state;
  struct answers a;
  answers_init(&a);
  const struct store_spending first[] = {
      {.tenant_id = "acme",
       .owner_id = "alice",
       .day = 10,
       .tokens = 1000,
       .usd_micro = 50,
       .unpriced = 1},
      {.tenant_id = "acme", .owner_id = "alice", .day = 11, .tokens = 7}};
  const struct store_spending second[] = {
      {.tenant_id = "acme", .owner_id = "bob", .day = 10, .tokens = 300, .usd_micro = 20}};
  const struct store_spending less[] = {{.tenant_id = "acme",
                                         .owner_id = "alice",
                                         .day = 10,
                                         .tokens = -600,
                                         .usd_micro = -30,
                                         .unpriced = -1}};
  append_spending(f, &a, "d1", 1, first, 2);
  append_spending(f, &a, "d2", 1, second, 1);
  append_spending(f, &a, "d1", 2, less, 1);
  append_spending(f, &a, "d1", 3, NULL, 0);
  answers_wait(&a, 4);
  struct spent spent = read_spending(f, 0);
  assert_int_equal(spent.count, 3);
  assert_spent(&spent.rows[0], 10, "a", 400, 20, 0);
  assert_spent(&spent.rows[1], 10, "b", 300, 20, 0);
  assert_spent(&spent.rows[2], 11, "a", 7, 0, 0);
  assert_int_equal(read_spending(f, 11).count, 1);
  fixture_close(f);
  fixture_open(f);
  spent = read_spending(f, 0);
  assert_int_equal(spent.count, 3);
  assert_spent(&spent.rows[0], 10, "a", 400, 20, 0);
}

/* Of batches that go into one transaction, the wrong one's spending is not there either. */
static void spending_fails_with_its_batch(void **state) {
  struct fixture *f = *state;
  struct gate gate;
  struct answers a;
  gate_init(&gate);
  answers_init(&a);
  const struct store_spending ten[] = {
      {.tenant_id = "acme", .owner_id = "alice", .day = 10, .tokens = 10, .usd_micro = 1}};
  struct store_event e = make_event(1, "{}");
  struct store_debate row = make_debate("task", 1);
  assert_int_equal(
      store_append(f->store, "d1", &e, 1, STORE_ROW_INSERT, &row, NULL, 0, gate_hold, &gate),
      STATUS_OK);
  gate_wait_entered(&gate);
  append_spending(f, &a, "d1", 2, ten, 1);
  append_spending(f, &a, "d1", 7, ten, 1); /* not the log's next one */
  append_spending(f, &a, "d2", 1, ten, 1);
  gate_release(&gate);
  answers_wait(&a, 3);
  assert_int_equal(a.statuses[0], STATUS_OK);
  assert_int_equal(a.statuses[1], STATUS_CONFLICT);
  assert_int_equal(a.statuses[2], STATUS_OK);
  struct spent spent = read_spending(f, 0);
  assert_int_equal(spent.count, 1);
  assert_spent(&spent.rows[0], 10, "a", 20, 2, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(events_come_back_as_they_were),
      TEST(a_log_is_read_in_parts),
      TEST(a_row_comes_back_as_it_was),
      TEST(an_update_writes_the_progress_only),
      TEST(what_is_incomplete_is_refused),
      TEST(a_log_has_no_duplicates_and_no_holes),
      TEST(a_crowd_is_one_commit),
      TEST(a_wrong_batch_fails_alone),
      TEST(a_full_queue_takes_nothing),
      TEST(closing_commits_what_is_queued),
      TEST(nobody_sees_what_is_not_theirs),
      TEST(a_list_is_newest_first),
      TEST(what_has_not_ended_is_found_oldest_first),
      TEST(both_files_answer_a_ping),
      TEST(a_taken_slug_gets_the_id),
      TEST(readers_and_writers_share_a_store),
      TEST(a_read_does_not_wait_for_ever),
      TEST(a_breaker_comes_back_as_it_was),
      TEST(the_last_word_on_a_breaker_counts),
      TEST(a_breaker_keeps_its_place_in_the_queue),
      TEST(a_wrong_batch_does_not_take_a_breaker_along),
      TEST(the_oldest_breakers_give_way),
      TEST(a_breaker_needs_a_name),
      TEST(spending_is_kept_with_its_events),
      TEST(spending_fails_with_its_batch),
      cmocka_unit_test(slugs_say_what_was_asked),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
