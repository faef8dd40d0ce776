/* The hub under several threads, meant for the thread sanitizer: one publishes events, one streams
 * tokens, one answers history requests, and subscribers come, read, and leave. */
#include "hub/hub.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define DEBATE "stress"
enum { EVENTS = 3000, READERS = 3, SUBSCRIPTIONS_EACH = 15, PAGE = 16, REQUESTS_MAX = 64 };

static struct {
  struct hub *hub;
  atomic_ulong committed;
  atomic_bool over;
  atomic_int released, begun;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  struct {
    struct hub_subscription *s;
    uint64_t after;
  } requests[REQUESTS_MAX];
  size_t request_count;
} world = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static struct frame *event_frame(uint64_t seq) {
  return frame_create(BYTES_LITERAL("{}"), seq, false, seq == EVENTS);
}

static void publish(struct hub *hub, struct frame *frame) {
  hub_publish(hub, DEBATE, &frame, 1);
}

static void history(void *ctx, struct hub_subscription *s, uint64_t after) {
  pthread_mutex_lock(&world.lock);
  if (world.request_count == REQUESTS_MAX) abort();
  world.requests[world.request_count].s = s;
  world.requests[world.request_count++].after = after;
  pthread_cond_broadcast(&world.changed);
  pthread_mutex_unlock(&world.lock);
}

static void release(void *ctx) {
  world.released++;
}

static void *store_thread(void *arg) {
  pthread_mutex_lock(&world.lock);
  while (!world.over || world.request_count > 0) {
    if (world.request_count == 0) {
      pthread_cond_wait(&world.changed, &world.lock);
      continue;
    }
    struct hub_subscription *s = world.requests[--world.request_count].s;
    uint64_t after = world.requests[world.request_count].after;
    pthread_mutex_unlock(&world.lock);
    struct frame *frames[PAGE];
    size_t n = 0;
    uint64_t committed = world.committed;
    while (n < PAGE && after + n < committed) {
      frames[n] = event_frame(after + n + 1);
      n++;
    }
    hub_history_feed(s, frames, n, after + n < committed, false);
    pthread_mutex_lock(&world.lock);
  }
  pthread_mutex_unlock(&world.lock);
  return NULL;
}

static void *writer_thread(void *arg) {
  for (uint64_t seq = 1; seq <= EVENTS; seq++) {
    world.committed = seq;
    publish(world.hub, event_frame(seq));
    if (seq % 16 == 0) sched_yield();
  }
  hub_close_debate(world.hub, DEBATE);
  return NULL;
}

static void *token_thread(void *arg) {
  for (int i = 0; i < EVENTS; i++) {
    struct hub_token token = {"turn", "ada", "proposal", 0, i / 100};
    hub_token_delta(world.hub, DEBATE, &token, BYTES_LITERAL("word "));
    if (i % 10 == 9) hub_tell_gathered(world.hub);
    if (i % 100 == 99) hub_token_end(world.hub, DEBATE, &token, BYTES_LITERAL(""));
  }
  return NULL;
}

struct bell {
  pthread_mutex_t lock;
  pthread_cond_t rung;
  bool ringing;
};

static void ring_bell(void *arg) {
  struct bell *b = arg;
  pthread_mutex_lock(&b->lock);
  b->ringing = true;
  pthread_cond_signal(&b->rung);
  pthread_mutex_unlock(&b->lock);
}

static void wait_for(struct bell *bell) {
  pthread_mutex_lock(&bell->lock);
  while (!bell->ringing) pthread_cond_wait(&bell->rung, &bell->lock);
  bell->ringing = false;
  pthread_mutex_unlock(&bell->lock);
}

/* Reads `limit` events or to the end; answers the last seq. Aborts on a gap. */
static uint64_t read_some(uint64_t since, int limit) {
  struct bell bell = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
  struct hub_subscription *subscription = NULL;
  if (hub_subscribe(world.hub, DEBATE, since, true, history, release, NULL, &subscription)) abort();
  world.begun++;
  struct frame_source s = hub_source(subscription);
  s.ops->set_wake(s.source, ring_bell, &bell);
  while (limit > 0) {
    struct frame *f = NULL;
    enum frame_poll p = s.ops->poll(s.source, &f);
    if (p == FRAME_END) break;
    if (p == FRAME_READY) {
      if (f->seq > 0) {
        if (f->seq != since + 1) abort();
        since = f->seq;
        limit--;
      }
      frame_unref(f);
      continue;
    }
    wait_for(&bell);
  }
  s.ops->close(s.source);
  return since;
}

static void *reader_thread(void *arg) {
  uint64_t since = 0;
  for (int i = 0; i < SUBSCRIPTIONS_EACH && since < EVENTS; i++) since = read_some(since, 100);
  while (since < EVENTS) since = read_some(since, EVENTS);
  return NULL;
}

static void test_stress(void **state) {
  assert_int_equal(hub_create(64, &world.hub, NULL), STATUS_OK);
  assert_int_equal(hub_open_debate(world.hub, DEBATE, 1), STATUS_OK);
  pthread_t store, writer, token, readers[READERS];
  pthread_create(&store, NULL, store_thread, NULL);
  for (int i = 0; i < READERS; i++) pthread_create(&readers[i], NULL, reader_thread, NULL);
  pthread_create(&writer, NULL, writer_thread, NULL);
  pthread_create(&token, NULL, token_thread, NULL);
  for (int i = 0; i < READERS; i++) pthread_join(readers[i], NULL);
  pthread_join(writer, NULL);
  pthread_join(token, NULL);
  pthread_mutex_lock(&world.lock);
  world.over = true;
  pthread_cond_broadcast(&world.changed);
  pthread_mutex_unlock(&world.lock);
  pthread_join(store, NULL);
  assert_int_equal(world.released, world.begun);
  assert_int_equal(hub_stats(world.hub).subscribers, 0);
  hub_destroy(world.hub);
}

/* --- several debates, whose events come on one thread and are told on another --- */

enum { DEBATES = 16, ROUNDS = 2000 };

static void no_history(void *ctx, struct hub_subscription *s, uint64_t after) {
  hub_history_feed(s, NULL, 0, false, false);
}

static void *telling_thread(void *arg) {
  while (!world.over) {
    if (!hub_tell_gathered(world.hub)) sched_yield();
  }
  return NULL;
}

/* Polls until it has to wait; the last seq there was, else `seq`. */
static uint64_t drain(struct frame_source s, uint64_t seq) {
  struct frame *f = NULL;
  while (s.ops->poll(s.source, &f) == FRAME_READY) {
    seq = f->seq;
    frame_unref(f);
  }
  return seq;
}

/* Who waits is told, whatever is told of at the time; a wake that is lost lasts for ever. Every
 * other event is taken before anybody was told of it, so that a debate has news while it is in the
 * list that is told of. */
static void test_nobody_is_forgotten(void **state) {
  assert_int_equal(hub_create(64, &world.hub, NULL), STATUS_OK);
  world.over = false;
  char ids[DEBATES][8];
  struct frame_source sources[DEBATES];
  static struct bell bells[DEBATES];
  for (int i = 0; i < DEBATES; i++) {
    snprintf(ids[i], sizeof ids[i], "d%d", i);
    struct hub_subscription *subscription = NULL;
    assert_int_equal(hub_open_debate(world.hub, ids[i], 1), STATUS_OK);
    assert_int_equal(
        hub_subscribe(world.hub, ids[i], 0, false, no_history, NULL, NULL, &subscription),
        STATUS_OK);
    pthread_mutex_init(&bells[i].lock, NULL);
    pthread_cond_init(&bells[i].rung, NULL);
    sources[i] = hub_source(subscription);
    sources[i].ops->set_wake(sources[i].source, ring_bell, &bells[i]);
    drain(sources[i], 0);
  }
  pthread_t telling;
  pthread_create(&telling, NULL, telling_thread, NULL);
  for (uint64_t seq = 1; seq <= ROUNDS; seq++) {
    for (int i = 0; i < DEBATES; i++) {
      struct frame *frame = event_frame(seq);
      hub_publish(world.hub, ids[i], &frame, 1);
      if (seq % 2) drain(sources[i], 0);
    }
    for (int i = 0; i < DEBATES && seq % 2 == 0; i++) {
      for (uint64_t seen = 0; seen < seq; seen = drain(sources[i], seen)) wait_for(&bells[i]);
    }
  }
  world.over = true;
  pthread_join(telling, NULL);
  for (int i = 0; i < DEBATES; i++) {
    sources[i].ops->close(sources[i].source);
    hub_close_debate(world.hub, ids[i]);
    pthread_cond_destroy(&bells[i].rung);
    pthread_mutex_destroy(&bells[i].lock);
  }
  hub_destroy(world.hub);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_stress),
      cmocka_unit_test(test_nobody_is_forgotten),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
