/* Streams that end with the credential they were opened with. */
#include "api/live_callers.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
  struct loop *loop;
  pthread_t thread;
  struct auth *auth;
  struct live_callers *callers;
  atomic_llong now_ms;
  struct clock clock;
  atomic_bool stands; /* every session */
};

static int64_t wall_ms(void *ctx) {
  return ((struct fixture *)ctx)->now_ms;
}

static int64_t mono_us(void *ctx) {
  return 0;
}

static bool stands(void *ctx, const struct identity *identity) {
  return ((struct fixture *)ctx)->stands;
}

static void *run(void *loop) {
  loop_run(loop);
  return NULL;
}

static int setup(void **state) {
  struct fixture *f = calloc(1, sizeof *f);
  assert_non_null(f);
  *state = f;
  f->clock = (struct clock){wall_ms, mono_us, f};
  f->now_ms = 1800000000000;
  f->stands = true;
  const struct auth_options options = {.api_token = "open-sesame", .clock = &f->clock};
  const struct auth_verifier sessions = {.stands = stands, .ctx = f};
  assert_int_equal(auth_create(&options, &f->auth, NULL), STATUS_OK);
  auth_plug_sessions(f->auth, &sessions);
  assert_int_equal(loop_create(&f->loop, NULL), STATUS_OK);
  f->callers = live_callers_create(f->loop, f->auth);
  assert_non_null(f->callers);
  return pthread_create(&f->thread, NULL, run, f->loop);
}

static int teardown(void **state) {
  struct fixture *f = *state;
  loop_stop(f->loop);
  pthread_join(f->thread, NULL);
  live_callers_destroy(f->callers);
  loop_destroy(f->loop);
  auth_destroy(f->auth);
  free(f);
  return 0;
}

/* ---- waiting for what was posted before ---- */

struct barrier {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool passed;
};

static void pass(void *arg) {
  struct barrier *b = arg;
  pthread_mutex_lock(&b->lock);
  b->passed = true;
  pthread_cond_signal(&b->changed);
  pthread_mutex_unlock(&b->lock);
}

static void settle(struct fixture *f) {
  struct barrier b = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
  loop_post(f->loop, pass, &b);
  pthread_mutex_lock(&b.lock);
  while (!b.passed) pthread_cond_wait(&b.changed, &b.lock);
  pthread_mutex_unlock(&b.lock);
}

static void tell_revoked(struct fixture *f) {
  auth_tell_revoked(f->auth);
  settle(f);
}

static void count(void *ctx) {
  atomic_fetch_add((atomic_int *)ctx, 1);
}

static struct identity session_of(void) {
  return (struct identity){.kind = IDENTITY_SESSION, .role = ROLE_MEMBER};
}

static struct identity link_to(const char *debate_id) {
  struct identity identity = {.kind = IDENTITY_LINK};
  assert_int_equal(identity_set(identity.credential_id, debate_id), STATUS_OK);
  return identity;
}

/* ---- whoever is entered ---- */

static void test_they_end_once_when_their_credential_does(void **state) {
  struct fixture *f = *state;
  const struct identity session = session_of();
  struct live_caller callers[3];
  atomic_int ended[3] = {0, 0, 0};
  for (int i = 0; i < 3; i++)
    live_callers_enter(f->callers, &callers[i], &session, count, &ended[i]);
  tell_revoked(f);
  for (int i = 0; i < 3; i++) assert_int_equal(ended[i], 0);
  live_callers_leave(f->callers, &callers[1]);
  f->stands = false;
  tell_revoked(f);
  tell_revoked(f);
  assert_int_equal(ended[0], 1);
  assert_int_equal(ended[1], 0);
  assert_int_equal(ended[2], 1);
  for (int i = 0; i < 3; i++) live_callers_leave(f->callers, &callers[i]);
}

static void test_they_end_when_it_expires(void **state) {
  struct fixture *f = *state;
  struct identity session = session_of();
  struct live_caller caller;
  atomic_int ended = 0;
  session.expires_us = (f->now_ms + 1000) * 1000;
  live_callers_enter(f->callers, &caller, &session, count, &ended);
  f->now_ms += 999;
  tell_revoked(f);
  assert_int_equal(ended, 0);
  f->now_ms += 1;
  tell_revoked(f);
  assert_int_equal(ended, 1);
  live_callers_leave(f->callers, &caller);
}

static void test_who_brought_nothing_never_ends(void **state) {
  struct fixture *f = *state;
  struct live_caller caller;
  atomic_int ended = 0;
  live_callers_enter(f->callers, &caller, &identity_anonymous, count, &ended);
  f->now_ms += 1000000000;
  tell_revoked(f);
  assert_int_equal(ended, 0);
  live_callers_leave(f->callers, &caller);
}

static void test_a_link_ends_alone(void **state) {
  struct fixture *f = *state;
  const struct identity one = link_to("one"), other = link_to("other");
  struct identity session = session_of();
  struct live_caller callers[3];
  atomic_int ended[3] = {0, 0, 0};
  assert_int_equal(identity_set(session.credential_id, "one"), STATUS_OK);
  live_callers_enter(f->callers, &callers[0], &one, count, &ended[0]);
  live_callers_enter(f->callers, &callers[1], &other, count, &ended[1]);
  live_callers_enter(f->callers, &callers[2], &session, count, &ended[2]);
  live_callers_end_link(f->callers, "one");
  settle(f);
  assert_int_equal(ended[0], 1);
  assert_int_equal(ended[1], 0);
  assert_int_equal(ended[2], 0);
  for (int i = 0; i < 3; i++) live_callers_leave(f->callers, &callers[i]);
}

/* ---- sources ---- */

struct inner {
  struct frame *frame;
  int closed;
};

static enum frame_poll inner_poll(void *source, struct frame **ret_frame) {
  struct inner *inner = source;
  if (!inner->frame) return FRAME_WAIT;
  *ret_frame = inner->frame;
  inner->frame = NULL;
  return FRAME_READY;
}

static void inner_set_wake(void *source, void (*wake)(void *arg), void *arg) {
}

static void inner_close(void *source) {
  struct inner *inner = source;
  inner->closed++;
  frame_unref(inner->frame);
}

static struct frame_source source_of(struct inner *inner) {
  static const struct frame_source_ops ops = {inner_poll, inner_set_wake, inner_close};
  *inner = (struct inner){.frame = frame_create(BYTES_LITERAL("{}"), 1, false, false)};
  return (struct frame_source){&ops, inner};
}

static void expect_frame(struct frame_source source, const char *part) {
  struct frame *frame = NULL;
  assert_int_equal(source.ops->poll(source.source, &frame), FRAME_READY);
  assert_non_null(strstr(frame->json, part));
  frame_unref(frame);
}

static void test_a_source_says_why_it_ends(void **state) {
  struct fixture *f = *state;
  const struct identity session = session_of();
  struct inner inner;
  struct frame *none = NULL;
  struct frame_source source = source_of(&inner);
  atomic_int woken = 0;
  assert_int_equal(live_callers_guard(f->callers, &session, &source), STATUS_OK);
  source.ops->set_wake(source.source, count, &woken);
  expect_frame(source, "{}");
  assert_int_equal(source.ops->poll(source.source, &none), FRAME_WAIT);
  f->stands = false;
  tell_revoked(f);
  assert_int_equal(woken, 1);
  expect_frame(source, "auth_revoked");
  assert_int_equal(source.ops->poll(source.source, &none), FRAME_END);
  source.ops->close(source.source);
  assert_int_equal(inner.closed, 1);
}

/* Between the look at a link and the first read somebody may revoke it. */
static void test_a_source_ends_before_it_is_read(void **state) {
  struct fixture *f = *state;
  const struct identity link = link_to("one");
  struct inner inner;
  struct frame *none = NULL;
  struct frame_source source = source_of(&inner);
  atomic_int woken = 0;
  assert_int_equal(live_callers_guard(f->callers, &link, &source), STATUS_OK);
  live_callers_end_link(f->callers, "one");
  settle(f);
  source.ops->set_wake(source.source, count, &woken);
  expect_frame(source, "auth_revoked");
  assert_int_equal(source.ops->poll(source.source, &none), FRAME_END);
  source.ops->close(source.source);
  assert_int_equal(inner.closed, 1);
}

static void test_a_source_that_is_closed_is_not_woken(void **state) {
  struct fixture *f = *state;
  const struct identity session = session_of();
  struct inner inner;
  struct frame_source source = source_of(&inner);
  atomic_int woken = 0;
  assert_int_equal(live_callers_guard(f->callers, &session, &source), STATUS_OK);
  source.ops->set_wake(source.source, count, &woken);
  source.ops->close(source.source);
  f->stands = false;
  tell_revoked(f);
  assert_int_equal(woken, 0);
}

#define LIVE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      LIVE_TEST(test_they_end_once_when_their_credential_does),
      LIVE_TEST(test_they_end_when_it_expires),
      LIVE_TEST(test_who_brought_nothing_never_ends),
      LIVE_TEST(test_a_link_ends_alone),
      LIVE_TEST(test_a_source_says_why_it_ends),
      LIVE_TEST(test_a_source_ends_before_it_is_read),
      LIVE_TEST(test_a_source_that_is_closed_is_not_woken),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
