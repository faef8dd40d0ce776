/* Pages of a stored log as a subscription reads them: every event once, in order, with the agent's
 * own count, wherever one begins. */
#include "../store/fixture.h"
#include "api/history.h"
#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>

struct world {
  struct fixture *store;
  struct loop *loop;
  pthread_t loop_thread;
  struct pool *pool;
  struct hub *hub;
  struct api api;
};

struct reader { /* a sink of one thread */
  struct frame_source source;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool woken;
};

static void *run_loop(void *loop) {
  loop_run(loop);
  return NULL;
}

static int set_up(void **state) {
  struct world *w = calloc(1, sizeof *w);
  void *fixture;
  assert_int_equal(fixture_setup(&fixture), 0);
  w->store = fixture;
  assert_int_equal(loop_create(&w->loop, NULL), STATUS_OK);
  assert_int_equal(pthread_create(&w->loop_thread, NULL, run_loop, w->loop), 0);
  assert_int_equal(pool_create(1, 1, &w->pool, NULL), STATUS_OK);
  assert_int_equal(hub_create(64, &w->hub, NULL), STATUS_OK);
  w->api.parts =
      (struct api_parts){.loop = w->loop, .pool = w->pool, .store = w->store->store, .hub = w->hub};
  *state = w;
  return 0;
}

static int tear_down(void **state) {
  struct world *w = *state;
  void *fixture = w->store;
  loop_stop(w->loop);
  pthread_join(w->loop_thread, NULL);
  pool_destroy(w->pool);
  loop_destroy(w->loop);
  hub_destroy(w->hub);
  free(w);
  return fixture_teardown(&fixture);
}

static void wake(void *arg) {
  struct reader *r = arg;
  pthread_mutex_lock(&r->lock);
  r->woken = true;
  pthread_cond_broadcast(&r->changed);
  pthread_mutex_unlock(&r->lock);
}

static void reader_open(struct reader *r, struct world *w, const char *id, uint64_t since) {
  *r = (struct reader){.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
  assert_int_equal(history_subscribe(&w->api, &identity_local, id, since, true, &r->source),
                   STATUS_OK);
  r->source.ops->set_wake(r->source.source, wake, r);
}

/* The next frame, or NULL at the end. */
static struct frame *reader_next(struct reader *r) {
  for (;;) {
    struct frame *frame;
    enum frame_poll poll = r->source.ops->poll(r->source.source, &frame);
    if (poll == FRAME_READY) return frame;
    if (poll == FRAME_END) return NULL;
    pthread_mutex_lock(&r->lock);
    while (!r->woken) pthread_cond_wait(&r->changed, &r->lock);
    r->woken = false;
    pthread_mutex_unlock(&r->lock);
  }
}

static void reader_close(struct reader *r) {
  r->source.ops->close(r->source.source);
}

static const char *agent_of(uint64_t seq) {
  static const char *const agents[] = {NULL, "a", "b", "a", "a", "c"};
  return agents[seq % 6];
}

/* A log of `count` events, its last a debate_end, with `pad` bytes of text each. */
static void put_log(struct world *w, const char *id, size_t count, size_t pad) {
  struct store_debate row = make_debate("task", 1);
  struct store_event *events = calloc(count, sizeof *events);
  char *data = malloc(pad + 32);
  int head = sprintf(data, "{\"detail\":\"");
  memset(data + head, 'x', pad);
  strcpy(data + head + pad, "\"}");
  for (size_t i = 0; i < count; i++) {
    events[i] = make_event(i + 1, i % 7 == 3 ? NULL : data); /* NULL: the content was deleted */
    events[i].type = i + 1 == count ? "debate_end" : "attempt_end";
    events[i].agent = i + 1 == count ? NULL : agent_of(i + 1);
  }
  struct answers a;
  answers_init(&a);
  assert_int_equal(store_append(w->store->store, id, events, count, STORE_ROW_INSERT, &row, NULL, 0,
                                answers_add, &a),
                   STATUS_OK);
  answers_wait(&a, 1);
  assert_int_equal(a.statuses[0], STATUS_OK);
  free(events);
  free(data);
}

static void check_from(struct world *w, const char *id, uint64_t since, uint64_t count) {
  uint64_t counts[3] = {0};
  struct reader r;
  reader_open(&r, w, id, since);
  for (uint64_t seq = 1; seq <= count; seq++) {
    const char *agent = seq == count ? NULL : agent_of(seq);
    uint64_t agent_seq = agent ? ++counts[agent[0] - 'a'] : 0;
    if (seq <= since) continue;
    struct frame *frame = reader_next(&r);
    assert_non_null(frame);
    assert_int_equal(frame->seq, seq);
    assert_int_equal(frame->last, seq == count);
    assert_int_equal(frame->alone, seq == count);
    JSON_LATER json_t *json = NULL;
    assert_int_equal(json_parse((struct bytes){frame->json, frame->len}, &json, NULL), STATUS_OK);
    assert_int_equal(json_get_int(json, "seq", -1), seq);
    assert_int_equal(json_get_int(json, "agent_seq", -1), agent_seq);
    assert_string_equal(json_get_text(json, "debate_id", ""), id);
    frame_unref(frame);
  }
  assert_null(reader_next(&r));
  reader_close(&r);
}

static void every_event_once_wherever_one_begins(void **state) {
  const uint64_t starts[] = {0, 1, 5, 255, 256, 257, 511, 598, 599};
  put_log(*state, "long", 600, 10);
  for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
    check_from(*state, "long", starts[i], 600);
}

static void pages_end_by_their_bytes_too(void **state) {
  put_log(*state, "wide", 20, 300000);
  check_from(*state, "wide", 0, 20);
  check_from(*state, "wide", 11, 20);
}

static void expect_unavailable(struct world *w, const char *id) {
  struct reader r;
  reader_open(&r, w, id, 0);
  struct frame *frame = reader_next(&r);
  assert_non_null(frame);
  assert_non_null(strstr(frame->json, "HISTORY_UNAVAILABLE"));
  assert_int_equal(frame->seq, 0);
  frame_unref(frame);
  assert_null(reader_next(&r));
  reader_close(&r);
}

static void a_log_that_cannot_be_read_ends_with_a_warning(void **state) {
  expect_unavailable(*state, "nosuch");
}

/* The process ends: nobody is left who could read it. */
static void a_stopped_pool_ends_with_a_warning(void **state) {
  struct world *w = *state;
  put_log(w, "late", 10, 10);
  pool_stop(w->pool);
  expect_unavailable(w, "late");
}

static void hold(void *gate) {
  gate_hold(gate, STATUS_OK);
}

static void nothing(void *arg) {
}

/* One thread that is busy and a queue of one that is full: the reader waits, and is served. */
static void a_full_pool_makes_wait(void **state) {
  struct world *w = *state;
  struct gate gate;
  struct reader r;
  struct frame *frame;
  put_log(w, "patient", 10, 10);
  gate_init(&gate);
  assert_int_equal(pool_submit(w->pool, hold, &gate), STATUS_OK);
  gate_wait_entered(&gate);
  assert_int_equal(pool_submit(w->pool, nothing, NULL), STATUS_OK);
  assert_int_equal(pool_submit(w->pool, nothing, NULL), STATUS_FULL);
  reader_open(&r, w, "patient", 0);
  assert_int_equal(r.source.ops->poll(r.source.source, &frame), FRAME_WAIT);
  gate_release(&gate);
  for (uint64_t seq = 1; seq <= 10; seq++) {
    frame = reader_next(&r);
    assert_non_null(frame);
    assert_int_equal(frame->seq, seq);
    frame_unref(frame);
  }
  reader_close(&r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(every_event_once_wherever_one_begins, set_up, tear_down),
      cmocka_unit_test_setup_teardown(pages_end_by_their_bytes_too, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_log_that_cannot_be_read_ends_with_a_warning, set_up,
                                      tear_down),
      cmocka_unit_test_setup_teardown(a_stopped_pool_ends_with_a_warning, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_full_pool_makes_wait, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
