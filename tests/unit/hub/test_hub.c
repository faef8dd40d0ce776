/* The hub on one thread: joining and resuming at every point, tokens, overflow, closing. */
#include "hub/hub.h"

#include "base/json.h"

#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#define DEBATE "d1"

/* The store of a test: every event committed so far, and who asked for them. */
struct fixture {
  struct hub *hub;
  uint64_t committed;
  uint64_t last; /* the seq of debate_end, 0 = none yet */
  size_t page;
  bool defer, fail, lose, overlap;
  struct hub_subscription *asked;
  uint64_t asked_after;
  int asks, released;
};

static struct frame *event_frame(const struct fixture *f, uint64_t seq) {
  char json[64];
  int n = snprintf(json, sizeof json, "{\"seq\":%d}", (int)seq);
  bool last = seq == f->last;
  return frame_create((struct bytes){json, (size_t)n}, seq, last, last);
}

static void publish_frame(struct hub *hub, struct frame *frame) {
  if (hub_publish(hub, DEBATE, &frame, 1)) hub_tell_gathered(hub);
}

static void answer(struct fixture *f, struct hub_subscription *s, uint64_t after) {
  struct frame *frames[64];
  size_t n = 0;
  uint64_t from = f->overlap && after > 0 ? after : after + 1;
  for (uint64_t seq = from; seq <= f->committed && n < f->page && !f->lose; seq++) {
    frames[n++] = event_frame(f, seq);
  }
  hub_history_feed(s, frames, n, from + n <= f->committed && !f->lose, f->fail);
}

static void history(void *ctx, struct hub_subscription *s, uint64_t after) {
  struct fixture *f = ctx;
  f->asks++;
  if (!f->defer) {
    answer(f, s, after);
    return;
  }
  assert_null(f->asked);
  f->asked = s;
  f->asked_after = after;
}

static void release(void *ctx) {
  ((struct fixture *)ctx)->released++;
}

static struct fixture *setup(size_t buffer_events) {
  struct fixture *f = calloc(1, sizeof *f);
  f->page = 3;
  assert_int_equal(hub_create(buffer_events, &f->hub, NULL), STATUS_OK);
  return f;
}

static void teardown(struct fixture *f) {
  struct hub_stats stats = hub_stats(f->hub);
  assert_int_equal(stats.subscribers, 0);
  hub_destroy(f->hub);
  free(f);
}

static void commit(struct fixture *f) {
  f->committed++;
}

static void publish(struct fixture *f) {
  commit(f);
  publish_frame(f->hub, event_frame(f, f->committed));
}

static struct frame_source subscribe(struct fixture *f, uint64_t since, bool end) {
  struct hub_subscription *s = NULL;
  assert_int_equal(hub_subscribe(f->hub, DEBATE, since, end, history, release, f, &s), STATUS_OK);
  return hub_source(s);
}

static void on_wake(void *arg) {
  ++*(int *)arg;
}

/* Polls until nothing is ready; appends the seqs to `out`. */
static enum frame_poll drain(struct frame_source source, uint64_t *out, size_t *n, size_t max) {
  for (;;) {
    struct frame *frame = NULL;
    enum frame_poll p = source.ops->poll(source.source, &frame);
    if (p != FRAME_READY) return p;
    assert_true(*n < max);
    out[(*n)++] = frame->seq;
    frame_unref(frame);
  }
}

static void expect_run(const uint64_t *seqs, size_t n, uint64_t from, uint64_t to) {
  assert_int_equal(n, to + 1 - from);
  for (size_t i = 0; i < n; i++) assert_int_equal(seqs[i], from + i);
}

static json_t *next_json(struct frame_source source) {
  struct frame *frame = NULL;
  assert_int_equal(source.ops->poll(source.source, &frame), FRAME_READY);
  json_t *value = NULL;
  assert_int_equal(json_parse((struct bytes){frame->json, frame->len}, &value, NULL), STATUS_OK);
  frame_unref(frame);
  return value;
}

static void expect_type(struct frame_source source, const char *type) {
  json_t *value = next_json(source);
  assert_string_equal(json_get_text(value, "type", ""), type);
  json_decref(value);
}

static void expect_wait(struct frame_source source) {
  struct frame *frame = NULL;
  assert_int_equal(source.ops->poll(source.source, &frame), FRAME_WAIT);
}

/* Every join point x every resume point x ring size: each event once, in order, then the end. */
static void test_join_anywhere(void **state) {
  enum { TOTAL = 12 };
  for (size_t ring = 1; ring <= TOTAL; ring += 4) {
    for (uint64_t join = 0; join <= TOTAL; join++) {
      for (uint64_t since = 0; since <= join; since++) {
        struct fixture *f = setup(ring);
        f->last = TOTAL;
        assert_int_equal(hub_open_debate(f->hub, DEBATE, 1), STATUS_OK);
        while (f->committed < join) publish(f);
        struct frame_source s = subscribe(f, since, true);
        uint64_t seqs[64];
        size_t n = 0;
        while (f->committed < TOTAL) {
          drain(s, seqs, &n, 64);
          publish(f);
        }
        hub_close_debate(f->hub, DEBATE);
        if (since < TOTAL) {
          assert_int_equal(drain(s, seqs, &n, 64), FRAME_END);
          expect_run(seqs, n, since + 1, TOTAL);
        }
        s.ops->close(s.source);
        assert_int_equal(f->released, 1);
        teardown(f);
      }
    }
  }
}

/* Events are committed and published while the history request is out. */
static void test_events_during_history(void **state) {
  for (uint64_t meanwhile = 0; meanwhile < 10; meanwhile++) {
    for (uint64_t unpublished = 0; unpublished <= 2; unpublished++) {
      struct fixture *f = setup(4);
      assert_int_equal(hub_open_debate(f->hub, DEBATE, 1), STATUS_OK);
      for (int i = 0; i < 8; i++) publish(f);
      f->defer = true;
      struct frame_source s = subscribe(f, 0, false);
      int woken = 0;
      s.ops->set_wake(s.source, on_wake, &woken);
      uint64_t seqs[64];
      size_t n = 0;
      assert_int_equal(drain(s, seqs, &n, 64), FRAME_WAIT);
      assert_int_equal(n, 0);
      for (uint64_t i = 0; i < meanwhile; i++) publish(f);
      /* committed, but the writer has not told the hub yet: the store shows them first */
      uint64_t held = f->committed;
      f->committed += unpublished;
      while (f->asked) {
        struct hub_subscription *asked = f->asked;
        f->asked = NULL;
        woken = 0;
        answer(f, asked, f->asked_after);
        assert_int_equal(woken, 1);
        drain(s, seqs, &n, 64);
      }
      for (uint64_t seq = held + 1; seq <= f->committed; seq++) {
        publish_frame(f->hub, event_frame(f, seq));
      }
      publish(f);
      drain(s, seqs, &n, 64);
      expect_run(seqs, n, 1, f->committed);
      s.ops->close(s.source);
      hub_close_debate(f->hub, DEBATE);
      teardown(f);
    }
  }
}

/* A page that begins with what was delivered already is cut, not repeated. */
static void test_pages_that_overlap(void **state) {
  struct fixture *f = setup(2);
  f->overlap = true;
  assert_int_equal(hub_open_debate(f->hub, DEBATE, 1), STATUS_OK);
  for (int i = 0; i < 9; i++) publish(f);
  struct frame_source s = subscribe(f, 0, false);
  uint64_t seqs[64];
  size_t n = 0;
  assert_int_equal(drain(s, seqs, &n, 64), FRAME_WAIT);
  expect_run(seqs, n, 1, 9);
  s.ops->close(s.source);
  hub_close_debate(f->hub, DEBATE);
  teardown(f);
}

static void test_not_live(void **state) {
  struct fixture *f = setup(4);
  f->committed = 7;
  f->last = 7;
  struct frame_source s = subscribe(f, 2, true);
  uint64_t seqs[64];
  size_t n = 0;
  assert_int_equal(drain(s, seqs, &n, 64), FRAME_END);
  expect_run(seqs, n, 3, 7);
  s.ops->close(s.source);

  s = subscribe(f, 2, false);
  n = 0;
  assert_int_equal(drain(s, seqs, &n, 64), FRAME_WAIT);
  expect_run(seqs, n, 3, 7);
  s.ops->close(s.source);
  assert_false(hub_is_live(f->hub, DEBATE));
  teardown(f);
}

/* Subscribed while the debate waits for admission: it goes on when it begins, and on a resume
 * after which the log has grown without us. */
static void test_subscribed_before_open(void **state) {
  struct fixture *f = setup(4);
  f->committed = 2;
  struct frame_source s = subscribe(f, 0, true);
  int woken = 0;
  s.ops->set_wake(s.source, on_wake, &woken);
  uint64_t seqs[64];
  size_t n = 0;
  assert_int_equal(drain(s, seqs, &n, 64), FRAME_WAIT);
  assert_int_equal(n, 2);
  commit(f);
  assert_int_equal(hub_open_debate(f->hub, DEBATE, 4), STATUS_OK);
  assert_true(hub_is_live(f->hub, DEBATE));
  assert_int_equal(woken, 1);
  assert_int_equal(drain(s, seqs, &n, 64), FRAME_WAIT);
  publish(f);
  assert_int_equal(woken, 2);
  drain(s, seqs, &n, 64);
  expect_run(seqs, n, 1, 4);
  hub_close_debate(f->hub, DEBATE);
  assert_int_equal(drain(s, seqs, &n, 64), FRAME_END);
  s.ops->close(s.source);
  teardown(f);
}

static void test_overflow(void **state) {
  for (int end = 0; end <= 1; end++) {
    struct fixture *f = setup(4);
    assert_int_equal(hub_open_debate(f->hub, DEBATE, 1), STATUS_OK);
    struct frame_source s = subscribe(f, 0, end);
    uint64_t seqs[64];
    size_t n = 0;
    publish(f);
    drain(s, seqs, &n, 64);
    for (int i = 0; i < 4; i++) publish(f);
    drain(s, seqs, &n, 64);
    expect_run(seqs, n, 1, 5); /* exactly the ring: not behind */
    for (int i = 0; i < 6; i++) publish(f);
    json_t *value = next_json(s);
    assert_string_equal(json_get_text(value, "type", ""), "queue_overflow");
    assert_string_equal(json_get_text(value, "debate_id", ""), DEBATE);
    assert_null(json_object_get(value, "seq"));
    const json_t *data = json_object_get(value, "data");
    assert_int_equal(json_get_int(data, "dropped", -1), 6);
    assert_int_equal(json_get_int(data, "resume_seq", -1), 5);
    json_decref(value);
    publish(f);
    n = 0;
    assert_int_equal(drain(s, seqs, &n, 64), end ? FRAME_END : FRAME_WAIT);
    assert_int_equal(n, 0);
    s.ops->close(s.source);
    /* and resuming where it says misses nothing */
    s = subscribe(f, 5, false);
    drain(s, seqs, &n, 64);
    expect_run(seqs, n, 6, 12);
    s.ops->close(s.source);
    hub_close_debate(f->hub, DEBATE);
    teardown(f);
  }
}

static const struct hub_token speaker = {"r0.proposal.ada", "ada", "proposal", 0, 1};

static void delta(struct fixture *f, const char *text) {
  hub_token_delta(f->hub, DEBATE, &speaker, bytes_of(text));
  hub_tell_gathered(f->hub);
}

static void count_wakes(void *arg) {
  ++*(int *)arg;
}

static void expect_token(struct frame_source s, const char *token, int offset) {
  json_t *value = next_json(s);
  const json_t *data = json_object_get(value, "data");
  assert_string_equal(json_get_text(data, "token", ""), token);
  assert_int_equal(json_get_int(data, "offset", -1), offset);
  json_decref(value);
}

static bool publish_untold(struct fixture *f) {
  struct frame *frame = event_frame(f, ++f->committed);
  return hub_publish(f->hub, DEBATE, &frame, 1);
}

/* One wake for the events of some milliseconds; none of them is kept from who polls, and of the end
 * and of a quarter of a ring a subscriber hears at once. */
static void test_events_are_gathered(void **state) {
  struct fixture *f = setup(16);
  uint64_t seqs[16];
  size_t n = 0;
  int wakes = 0;
  assert_int_equal(hub_open_debate(f->hub, DEBATE, 1), STATUS_OK);
  assert_false(publish_untold(f)); /* nobody listens */
  struct frame_source s = subscribe(f, 1, false);
  s.ops->set_wake(s.source, count_wakes, &wakes);
  expect_wait(s);
  assert_true(publish_untold(f));
  assert_true(publish_untold(f));
  assert_int_equal(wakes, 0);
  drain(s, seqs, &n, 16);
  expect_run(seqs, n, 2, 3);
  assert_true(hub_tell_gathered(f->hub));
  assert_int_equal(wakes, 1);
  assert_false(hub_tell_gathered(f->hub));

  expect_wait(s);
  for (int i = 0; i < 3; i++) assert_true(publish_untold(f));
  assert_int_equal(wakes, 1);
  assert_false(publish_untold(f)); /* the fourth of a ring of sixteen */
  assert_int_equal(wakes, 2);
  hub_tell_gathered(f->hub);
  assert_int_equal(wakes, 2);

  n = 0;
  drain(s, seqs, &n, 16);
  expect_run(seqs, n, 4, 7);
  f->last = f->committed + 1;
  assert_false(publish_untold(f));
  assert_int_equal(wakes, 3);
  s.ops->close(s.source);
  hub_close_debate(f->hub, DEBATE);
  teardown(f);
}

/* One frame and one wake for all words since the last, and none for what was told already. */
static void test_tokens_are_gathered(void **state) {
  struct fixture *f = setup(8);
  int wakes = 0;
  assert_int_equal(hub_open_debate(f->hub, DEBATE, 1), STATUS_OK);
  struct frame_source s = subscribe(f, 0, false);
  s.ops->set_wake(s.source, count_wakes, &wakes);
  expect_wait(s);
  assert_false(hub_tell_gathered(f->hub));
  hub_token_delta(f->hub, DEBATE, &speaker, BYTES_LITERAL("one "));
  hub_token_delta(f->hub, DEBATE, &speaker, BYTES_LITERAL("two "));
  assert_int_equal(wakes, 0);
  assert_true(hub_tell_gathered(f->hub));
  assert_int_equal(wakes, 1);
  expect_type(s, "token_start");
  expect_token(s, "one two ", 0);
  expect_wait(s);

  hub_token_delta(f->hub, DEBATE, &speaker, BYTES_LITERAL("three "));
  publish(f);
  assert_int_equal(wakes, 2);
  expect_token(s, "three ", 8);
  expect_type(s, "");
  expect_wait(s);
  hub_tell_gathered(f->hub);
  assert_int_equal(wakes, 2);

  /* what a snapshot has does not come again */
  hub_token_delta(f->hub, DEBATE, &speaker, BYTES_LITERAL("four "));
  struct frame_source late = subscribe(f, 1, false);
  json_t *value = next_json(late);
  assert_string_equal(json_get_text(json_object_get(value, "data"), "text", ""),
                      "one two three four ");
  json_decref(value);
  expect_wait(late);
  hub_tell_gathered(f->hub);
  expect_token(s, "four ", 14);
  expect_wait(late);

  hub_token_delta(f->hub, DEBATE, &speaker, BYTES_LITERAL("five"));
  hub_token_end(f->hub, DEBATE, &speaker, BYTES_LITERAL(""));
  hub_tell_gathered(f->hub);
  expect_token(s, "five", 19);
  expect_type(s, "token_end");
  expect_token(late, "five", 19);
  s.ops->close(s.source);
  late.ops->close(late.source);
  hub_close_debate(f->hub, DEBATE);
  teardown(f);
}

static void test_tokens_between_events(void **state) {
  struct fixture *f = setup(8);
  assert_int_equal(hub_open_debate(f->hub, DEBATE, 1), STATUS_OK);
  struct frame_source s = subscribe(f, 0, false);
  expect_wait(s);
  publish(f);
  hub_token_start(f->hub, DEBATE, &speaker);
  delta(f, "Hé");
  publish(f);
  delta(f, "\"llo\"");
  hub_token_end(f->hub, DEBATE, &speaker, BYTES_LITERAL("{\"tokens_out\":2}"));
  publish(f);

  json_t *value = next_json(s);
  assert_int_equal(json_get_int(value, "seq", 0), 1);
  json_decref(value);
  value = next_json(s);
  assert_string_equal(json_get_text(value, "type", ""), "token_start");
  assert_string_equal(json_get_text(value, "agent", ""), "ada");
  assert_string_equal(json_get_text(value, "loop_id", ""), DEBATE);
  assert_int_equal(strlen(json_get_text(value, "timestamp", "")), 24);
  const json_t *data = json_object_get(value, "data");
  assert_string_equal(json_get_text(data, "agent_id", ""), "ada");
  assert_string_equal(json_get_text(data, "kind", ""), "proposal");
  assert_int_equal(json_get_int(data, "attempt", 0), 1);
  json_decref(value);
  value = next_json(s);
  data = json_object_get(value, "data");
  assert_string_equal(json_get_text(data, "token", ""), "Hé");
  assert_int_equal(json_get_int(data, "offset", -1), 0);
  json_decref(value);
  value = next_json(s);
  assert_int_equal(json_get_int(value, "seq", 0), 2);
  json_decref(value);
  value = next_json(s);
  data = json_object_get(value, "data");
  assert_string_equal(json_get_text(data, "token", ""), "\"llo\"");
  assert_int_equal(json_get_int(data, "offset", -1), 3);
  json_decref(value);
  value = next_json(s);
  data = json_object_get(value, "data");
  assert_string_equal(json_get_text(value, "type", ""), "token_end");
  assert_int_equal(json_get_int(data, "length", -1), 8);
  assert_int_equal(json_get_int(json_object_get(data, "usage"), "tokens_out", -1), 2);
  json_decref(value);
  value = next_json(s);
  assert_int_equal(json_get_int(value, "seq", 0), 3);
  json_decref(value);
  expect_wait(s);
  s.ops->close(s.source);
  hub_close_debate(f->hub, DEBATE);
  teardown(f);
}

static void test_snapshot_for_a_joiner(void **state) {
  struct fixture *f = setup(8);
  assert_int_equal(hub_open_debate(f->hub, DEBATE, 1), STATUS_OK);
  publish(f);
  hub_token_start(f->hub, DEBATE, &speaker);
  delta(f, "one ");
  delta(f, "two ");
  struct frame_source s = subscribe(f, 0, false);
  delta(f, "three "); /* before the first poll: part of the snapshot, not a frame */
  expect_type(s, "");
  json_t *value = next_json(s);
  assert_string_equal(json_get_text(value, "type", ""), "token_snapshot");
  const json_t *data = json_object_get(value, "data");
  assert_string_equal(json_get_text(data, "text", ""), "one two three ");
  assert_int_equal(json_get_int(data, "offset", -1), 14);
  assert_false(json_get_bool(data, "truncated", true));
  json_decref(value);
  expect_wait(s);
  delta(f, "four");
  value = next_json(s);
  assert_int_equal(json_get_int(json_object_get(value, "data"), "offset", -1), 14);
  json_decref(value);
  hub_token_reset(f->hub, DEBATE, &speaker, "retry");
  expect_type(s, "token_reset");
  s.ops->close(s.source);
  /* after the reset there is nothing to show */
  s = subscribe(f, 1, false);
  expect_wait(s);
  s.ops->close(s.source);
  hub_close_debate(f->hub, DEBATE);
  teardown(f);
}

/* One who is slow loses tokens, never events, and gets the text again when it has caught up. */
static void test_tokens_dropped_first(void **state) {
  struct fixture *f = setup(8);
  assert_int_equal(hub_open_debate(f->hub, DEBATE, 1), STATUS_OK);
  struct frame_source s = subscribe(f, 0, false);
  expect_wait(s);
  size_t total = 0;
  for (int i = 0; i < 3000; i++) {
    delta(f, "x");
    total++;
    if (i % 500 == 0) publish(f);
  }
  for (int seq = 1; seq <= 6; seq++) {
    json_t *value = next_json(s);
    assert_int_equal(json_get_int(value, "seq", 0), seq);
    json_decref(value);
  }
  json_t *value = next_json(s);
  assert_string_equal(json_get_text(value, "type", ""), "token_snapshot");
  assert_int_equal(json_get_int(json_object_get(value, "data"), "offset", -1), (int)total);
  json_decref(value);
  expect_wait(s);
  s.ops->close(s.source);
  hub_close_debate(f->hub, DEBATE);
  teardown(f);
}

static void test_text_so_far_is_bounded(void **state) {
  struct fixture *f = setup(8);
  assert_int_equal(hub_open_debate(f->hub, DEBATE, 1), STATUS_OK);
  enum { CHUNK = 300000 };
  char *chunk = malloc(CHUNK + 1);
  memset(chunk, 'a', CHUNK);
  memcpy(chunk + CHUNK - 2, "é", 2);
  chunk[CHUNK] = '\0';
  for (int i = 0; i < 10; i++) delta(f, chunk);
  free(chunk);
  struct frame_source s = subscribe(f, 0, false);
  json_t *value = next_json(s);
  const json_t *data = json_object_get(value, "data");
  assert_true(json_get_bool(data, "truncated", false));
  assert_int_equal(json_get_int(data, "offset", -1), 10 * CHUNK);
  assert_true(strlen(json_get_text(data, "text", "")) <= 1 << 20);
  json_decref(value);
  s.ops->close(s.source);
  hub_close_debate(f->hub, DEBATE);
  teardown(f);
}

static void test_attempts_streaming_at_once_are_bounded(void **state) {
  struct fixture *f = setup(8);
  assert_int_equal(hub_open_debate(f->hub, DEBATE, 1), STATUS_OK);
  struct frame_source s = subscribe(f, 0, false);
  expect_wait(s);
  for (int i = 0; i < 200; i++) {
    struct hub_token token = speaker;
    token.attempt = i;
    hub_token_start(f->hub, DEBATE, &token);
  }
  uint64_t seqs[256];
  size_t n = 0;
  drain(s, seqs, &n, 256);
  assert_int_equal(n, 64);
  s.ops->close(s.source);
  hub_close_debate(f->hub, DEBATE);
  teardown(f);
}

static void test_closed_while_history_is_out(void **state) {
  struct fixture *f = setup(4);
  f->committed = 5;
  f->defer = true;
  struct frame_source s = subscribe(f, 0, true);
  expect_wait(s);
  assert_non_null(f->asked);
  s.ops->close(s.source);
  assert_int_equal(f->released, 0);
  answer(f, f->asked, f->asked_after);
  assert_int_equal(f->released, 1);
  teardown(f);
}

static void test_history_that_fails(void **state) {
  struct fixture *f = setup(4);
  f->committed = 5;
  f->fail = true;
  struct frame_source s = subscribe(f, 3, false);
  json_t *value = next_json(s);
  assert_string_equal(json_get_text(value, "type", ""), "warning");
  assert_string_equal(json_get_text(json_object_get(value, "data"), "code", ""),
                      "HISTORY_UNAVAILABLE");
  assert_int_equal(json_get_int(json_object_get(value, "data"), "resume_seq", -1), 3);
  json_decref(value);
  uint64_t seqs[4];
  size_t n = 0;
  assert_int_equal(drain(s, seqs, &n, 4), FRAME_END);
  s.ops->close(s.source);
  teardown(f);
}

/* The ring begins at 41 and the store has nothing of 1 to 40: told, not waited for forever. */
static void test_hole_between_store_and_ring(void **state) {
  struct fixture *f = setup(4);
  f->lose = true;
  assert_int_equal(hub_open_debate(f->hub, DEBATE, 41), STATUS_OK);
  struct frame_source s = subscribe(f, 0, false);
  expect_type(s, "warning");
  uint64_t seqs[4];
  size_t n = 0;
  assert_int_equal(drain(s, seqs, &n, 4), FRAME_END);
  assert_int_equal(f->asks, 1);
  s.ops->close(s.source);
  hub_close_debate(f->hub, DEBATE);
  teardown(f);
}

static void test_the_ring_outlives_the_debate_for_its_subscribers(void **state) {
  struct fixture *f = setup(8);
  assert_int_equal(hub_open_debate(f->hub, DEBATE, 1), STATUS_OK);
  struct frame_source s = subscribe(f, 0, true);
  expect_wait(s);
  f->last = 3;
  for (int i = 0; i < 3; i++) publish(f);
  hub_close_debate(f->hub, DEBATE);
  hub_close_debate(f->hub, DEBATE);
  assert_int_equal(hub_stats(f->hub).debates, 0);
  uint64_t seqs[8];
  size_t n = 0;
  assert_int_equal(drain(s, seqs, &n, 8), FRAME_END);
  expect_run(seqs, n, 1, 3);
  assert_int_equal(f->asks, 0);
  s.ops->close(s.source);
  teardown(f);
}

static void test_woken_once_until_polled(void **state) {
  struct fixture *f = setup(8);
  assert_int_equal(hub_open_debate(f->hub, DEBATE, 1), STATUS_OK);
  struct frame_source s = subscribe(f, 0, false);
  int woken = 0;
  s.ops->set_wake(s.source, on_wake, &woken);
  publish(f);
  assert_int_equal(woken, 0); /* it has not said that it waits */
  uint64_t seqs[8];
  size_t n = 0;
  drain(s, seqs, &n, 8);
  publish(f);
  publish(f);
  assert_int_equal(woken, 1);
  drain(s, seqs, &n, 8);
  expect_run(seqs, n, 1, 3);
  s.ops->close(s.source);
  publish(f);
  assert_int_equal(woken, 1);
  hub_close_debate(f->hub, DEBATE);
  teardown(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_join_anywhere),
      cmocka_unit_test(test_events_during_history),
      cmocka_unit_test(test_pages_that_overlap),
      cmocka_unit_test(test_not_live),
      cmocka_unit_test(test_subscribed_before_open),
      cmocka_unit_test(test_overflow),
      cmocka_unit_test(test_events_are_gathered),
      cmocka_unit_test(test_tokens_are_gathered),
      cmocka_unit_test(test_tokens_between_events),
      cmocka_unit_test(test_snapshot_for_a_joiner),
      cmocka_unit_test(test_tokens_dropped_first),
      cmocka_unit_test(test_text_so_far_is_bounded),
      cmocka_unit_test(test_attempts_streaming_at_once_are_bounded),
      cmocka_unit_test(test_closed_while_history_is_out),
      cmocka_unit_test(test_history_that_fails),
      cmocka_unit_test(test_hole_between_store_and_ring),
      cmocka_unit_test(test_the_ring_outlives_the_debate_for_its_subscribers),
      cmocka_unit_test(test_woken_once_until_polled),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
