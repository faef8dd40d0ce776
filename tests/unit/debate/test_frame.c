#include "debate/outward.h"
#include "debate/view.h"
#include "scripted.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static json_t *frame_of(const struct event *event, uint64_t agent_seq) {
  struct buffer out;
  buffer_init(&out, 1 << 20);
  assert_int_equal(view_frame("deb-1", event, agent_seq, &out), STATUS_OK);
  assert_null(memchr(out.ptr, '\n', out.len)); /* one line: an event stream's rule */
  json_t *frame;
  struct error err = {0};
  if (json_parse(buffer_bytes(&out), &frame, &err)) fail_msg("%s in %s", err.message, out.ptr);
  buffer_done(&out);
  return frame;
}

static void assert_text(const json_t *object, const char *key, const char *want) {
  const char *have = json_get_text(object, key, NULL);
  if (!have) fail_msg("no text %s", key);
  assert_string_equal(have, want);
}

static double number(const json_t *object, const char *key) {
  const json_t *value = json_object_get(object, key);
  assert_true(json_is_number(value));
  return json_number_value(value);
}

static int run(void **state) {
  *state = scripted_run(scripted_two_positions, RULE_MAJORITY);
  return 0;
}

static int done(void **state) {
  scripted_free(*state);
  return 0;
}

static void every_frame_has_the_envelope(void **state) {
  const struct scripted *s = *state;
  for (size_t i = 0; i < s->count; i++) {
    const struct event *ev = &s->events[i];
    JSON_LATER json_t *frame = frame_of(ev, 5);
    assert_text(frame, "type", event_kind_name(ev->kind));
    assert_text(frame, "debate_id", "deb-1");
    assert_text(frame, "loop_id", "deb-1");
    assert_int_equal(json_get_int(frame, "seq", -1), i + 1);
    assert_int_equal(json_get_int(frame, "agent_seq", -1), 5);
    const json_t *data = json_object_get(frame, "data");
    assert_text(data, "debate_id", "deb-1");
    const char *names[] = {"salt", "digest", "data_digest", "hash", "nonce"};
    for (size_t n = 0; n < 5; n++) {
      assert_null(json_object_get(frame, names[n]));
      assert_null(json_object_get(data, names[n]));
    }
    if (ev->agent) {
      assert_text(frame, "agent", ev->agent);
      assert_text(data, "agent_id", ev->agent);
    } else {
      assert_true(json_is_null(json_object_get(frame, "agent")));
    }
  }
}

/* Two ways to the same frame: from the event in memory and from its stored bytes. */
static void stored_and_live_events_give_the_same_frame(void **state) {
  const struct scripted *s = *state;
  for (size_t i = 0; i < s->count; i++) {
    struct event again = s->events[i];
    FREE_LATER char *text = json_canonical_dup(again.data);
    assert_int_equal(json_parse(bytes_of(text), &again.data, NULL), STATUS_OK);
    JSON_LATER json_t *live = frame_of(&s->events[i], 1);
    JSON_LATER json_t *stored = frame_of(&again, 1);
    assert_true(json_equal(live, stored));
    json_decref(again.data);
  }
}

static void times_are_iso_and_epoch_seconds(void **state) {
  JSON_LATER json_t *frame = frame_of(scripted_event(*state, EVENT_DEBATE_START, 0), 0);
  assert_text(frame, "timestamp", "2025-11-24T16:00:00.123Z");
  assert_true(number(frame, "ts") == 1764000000.123);
}

static void start_names_the_agents(void **state) {
  JSON_LATER json_t *frame = frame_of(scripted_event(*state, EVENT_DEBATE_START, 0), 0);
  const json_t *data = json_object_get(frame, "data");
  assert_text(data, "task", "What is six times seven?");
  assert_string_equal(json_string_value(json_array_get(json_object_get(data, "agents"), 1)), "b");
  const json_t *panel = json_object_get(data, "panel");
  assert_text(json_array_get(panel, 2), "model", "demo-1");
  assert_true(number(json_array_get(panel, 2), "weight") == 1);
  assert_int_equal(json_get_int(data, "max_rounds", -1), 1);
  assert_true(number(data, "consensus_threshold") == 0.6);
  assert_text(json_object_get(data, "protocol"), "type", "majority");
}

static void messages_have_the_names_of_clients(void **state) {
  JSON_LATER json_t *frame = frame_of(scripted_event(*state, EVENT_AGENT_MESSAGE, 0), 2);
  const json_t *data = json_object_get(frame, "data");
  assert_text(data, "content", "It is 42.");
  assert_text(data, "answer", "It is 42.");
  assert_text(data, "message_type", "proposal");
  assert_text(data, "role", "proposer");
  assert_text(data, "position", "42");
  assert_text(data, "message_id", "0.proposal.a");
  assert_true(json_is_array(json_object_get(data, "arguments")));
  assert_true(json_equal(json_object_get(data, "arguments"), json_object_get(data, "key_claims")));
  assert_int_equal(json_get_int(data, "round", -1), 0);
  assert_true(number(data, "confidence") == 0.9);
  assert_null(json_object_get(data, "confidence_ppm"));
}

static void critiques_say_about_whom(void **state) {
  for (size_t n = 0; n < 6; n++) {
    const struct event *ev = scripted_event(*state, EVENT_CRITIQUE, n);
    JSON_LATER json_t *frame = frame_of(ev, 2);
    const json_t *data = json_object_get(frame, "data");
    const json_t *items = json_object_get(data, "items");
    assert_text(data, "critic_id", ev->agent);
    assert_text(data, "target_agent_id", json_get_text(ev->data, "target", ""));
    if (json_array_size(items) == 0) {
      assert_true(json_is_null(json_object_get(data, "severity")));
      assert_true(json_is_null(json_object_get(data, "severity_score")));
      continue;
    }
    assert_text(data, "severity", "high");
    assert_true(number(data, "severity_score") == 0.75);
    assert_text(json_array_get(items, 0), "severity", "high");
    assert_text(data, "content", "the product: miscounted Why: seven sixes Fix: count again");
    assert_string_equal(json_string_value(json_array_get(json_object_get(data, "issues"), 0)),
                        "miscounted");
  }
}

static void votes_and_the_decision(void **state) {
  JSON_LATER json_t *vote = frame_of(scripted_event(*state, EVENT_VOTE, 0), 1);
  const json_t *data = json_object_get(vote, "data");
  const char *best = json_string_value(json_array_get(json_object_get(data, "ranking"), 0));
  assert_text(data, "choice", best);
  assert_true(number(json_object_get(data, "votes"), best) == 1);
  JSON_LATER json_t *consensus = frame_of(scripted_event(*state, EVENT_CONSENSUS, 0), 0);
  data = json_object_get(consensus, "data");
  assert_true(json_is_boolean(json_object_get(data, "reached")));
  assert_true(json_equal(json_object_get(data, "confidence"), json_object_get(data, "share")));
  assert_text(data, "confidence_basis", "agreement");
  assert_true(json_is_array(json_object_get(data, "dissenting_agents")));
  JSON_LATER json_t *end = frame_of(scripted_event(*state, EVENT_DEBATE_END, 0), 0);
  data = json_object_get(end, "data");
  assert_text(data, "status", "completed");
  assert_int_equal(json_get_int(data, "total_rounds", -1), 1);
  assert_text(data, "replay_id", "deb-1");
  assert_true(number(data, "duration_seconds") > 0);
  assert_true(number(data, "cost_usd") > 0);
}

static const char *all_fail(enum turn_kind kind, int member) {
  return NULL;
}

static void failure_is_fatal_and_says_why(void **state) {
  struct scripted *s = scripted_run(all_fail, RULE_MAJORITY);
  JSON_LATER json_t *frame = frame_of(scripted_event(s, EVENT_ERROR, 0), 0);
  const json_t *data = json_object_get(frame, "data");
  assert_text(data, "code", "QUORUM_NOT_REACHED");
  assert_text(data, "severity", "fatal");
  assert_true(json_is_false(json_object_get(data, "recoverable")));
  assert_text(data, "error", json_get_text(data, "message", ""));
  assert_int_equal(json_array_size(json_object_get(data, "causes")), 3);
  scripted_free(s);
}

/* Content that was deleted leaves an empty object: nulls, never a crash. */
static void deleted_content_leaves_nulls(void **state) {
  for (int kind = EVENT_DEBATE_START; kind <= EVENT_UNKNOWN; kind++) {
    struct event event = {9, (enum event_kind)kind, 1, 0, "a", json_object()};
    json_decref(frame_of(&event, 1));
    json_decref(event.data);
  }
}

static void a_full_buffer_is_told(void **state) {
  struct buffer out;
  for (size_t max = 0; max < 400; max += 7) {
    buffer_init(&out, max);
    assert_int_not_equal(view_frame("deb-1", scripted_event(*state, EVENT_CONSENSUS, 0), 0, &out),
                         STATUS_OK);
    buffer_done(&out);
  }
}

static void millionths_are_exact(void **state) {
  static const struct {
    int64_t value;
    const char *text;
  } rows[] = {{0, "0"},         {1, "0.000001"},           {600000, "0.6"},   {1000000, "1"},
              {1500, "0.0015"}, {123456789, "123.456789"}, {-250000, "-0.25"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct buffer out;
    buffer_init(&out, 64);
    outward_append_millionths(&out, rows[i].value);
    assert_string_equal(out.ptr, rows[i].text);
    buffer_done(&out);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_frame_has_the_envelope),
      cmocka_unit_test(stored_and_live_events_give_the_same_frame),
      cmocka_unit_test(times_are_iso_and_epoch_seconds),
      cmocka_unit_test(start_names_the_agents),
      cmocka_unit_test(messages_have_the_names_of_clients),
      cmocka_unit_test(critiques_say_about_whom),
      cmocka_unit_test(votes_and_the_decision),
      cmocka_unit_test(failure_is_fatal_and_says_why),
      cmocka_unit_test(deleted_content_leaves_nulls),
      cmocka_unit_test(a_full_buffer_is_told),
      cmocka_unit_test(millionths_are_exact),
  };
  return cmocka_run_group_tests(tests, run, done);
}
