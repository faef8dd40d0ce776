#include "debate/view.h"

#include "debate/outward.h"
#include "scripted.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct view_extra extra = {
    .id = "deb-1", .slug = "six-times-seven", .metadata = "{\"k\":1}", .head_hash = "ab"};

static int run(void **state) {
  *state = scripted_run(scripted_two_positions, RULE_MAJORITY);
  return 0;
}

static int done(void **state) {
  scripted_free(*state);
  return 0;
}

static void assert_text(const json_t *object, const char *key, const char *want) {
  const char *have = json_get_text(object, key, NULL);
  if (!have) fail_msg("no text %s", key);
  assert_string_equal(have, want);
}

static size_t count(const json_t *object, const char *key) {
  const json_t *array = json_object_get(object, key);
  assert_true(json_is_array(array));
  return json_array_size(array);
}

static void the_object_tells_the_whole_debate(void **state) {
  const struct scripted *s = *state;
  JSON_LATER json_t *v = view_debate(s->debate, &extra);
  assert_non_null(v);
  assert_text(v, "id", "deb-1");
  assert_text(v, "debate_id", "deb-1");
  assert_text(v, "status", "completed");
  assert_text(v, "created_at", "2025-11-24T16:00:00.123Z");
  assert_true(json_is_true(json_object_get(v, "demo")));
  assert_text(v, "seed", "7");
  assert_int_equal(count(v, "agents"), 3);
  assert_int_equal(count(v, "rounds"), 2);
  assert_int_equal(count(v, "ballots"), 3);
  assert_int_equal(count(v, "votes"), 3);
  assert_int_equal(count(v, "critiques"), 6);
  assert_int_equal(count(v, "positions"), 2);
  assert_int_equal(count(v, "leave_one_out"), 3);
  assert_true(count(v, "turns") >= 9);
  assert_int_equal(json_get_int(json_object_get(v, "metadata"), "k", 0), 1);
  assert_true(json_is_string(json_object_get(v, "final_answer")));
  assert_true(json_is_number(json_object_get(v, "confidence")));
}

static void rounds_hold_what_was_said_in_them(void **state) {
  const struct scripted *s = *state;
  JSON_LATER json_t *v = view_debate(s->debate, &extra);
  const json_t *rounds = json_object_get(v, "rounds");
  const json_t *first = json_array_get(rounds, 0);
  const json_t *second = json_array_get(rounds, 1);
  assert_int_equal(json_get_int(first, "round_number", -1), 0);
  assert_int_equal(json_get_int(second, "number", -1), 1);
  assert_int_equal(count(first, "messages"), 3);
  assert_int_equal(count(first, "critiques"), 0);
  assert_int_equal(count(second, "critiques"), 6);
  const json_t *message = json_array_get(json_object_get(first, "messages"), 0);
  assert_text(message, "agent", "a");
  assert_text(message, "agent_id", "a");
  assert_text(message, "content", "It is 42.");
  assert_text(message, "model", "demo-1");
  assert_text(message, "message_type", "proposal");
}

/* Every item stands with the agent it is about, and says what that agent made of it. */
static void items_carry_the_answer_of_their_target(void **state) {
  const struct scripted *s = *state;
  JSON_LATER json_t *v = view_debate(s->debate, &extra);
  int answered = 0;
  size_t i;
  json_t *critique;
  json_array_foreach(json_object_get(v, "critiques"), i, critique) {
    const char *target = json_get_text(critique, "target_agent_id", NULL);
    assert_non_null(target);
    assert_string_not_equal(target, json_get_text(critique, "critic_id", ""));
    size_t j;
    json_t *item;
    json_array_foreach(json_object_get(critique, "items"), j, item) answered +=
        strcmp(json_get_text(item, "state", ""), "open") != 0;
  }
  assert_true(answered > 0);
}

static void a_running_debate_says_null_not_zero(void **state) {
  struct scripted *s = *state;
  struct debate *d = debate_create(true);
  for (size_t i = 0; i < 5; i++) assert_int_equal(debate_apply(d, &s->events[i], NULL), STATUS_OK);
  JSON_LATER json_t *v = view_debate(d, &extra);
  assert_text(v, "status", "running");
  const char *const nulls[] = {"outcome", "final_answer", "confidence",       "consensus",
                               "winner",  "completed_at", "duration_seconds", "stop_reason",
                               "error",   "agreement"};
  for (size_t i = 0; i < sizeof nulls / sizeof *nulls; i++)
    if (!json_is_null(json_object_get(v, nulls[i]))) fail_msg("%s is not null", nulls[i]);
  assert_int_equal(count(v, "positions"), 0);
  struct view_extra pending = extra;
  pending.status = "pending";
  JSON_LATER json_t *waiting = view_debate(d, &pending);
  assert_text(waiting, "status", "pending");
  debate_destroy(d);
}

static const char *one_fails(enum turn_kind kind, int member) {
  return member == 2 ? NULL : scripted_two_positions(kind, member);
}

static void degradations_come_first(void **state) {
  struct scripted *s = scripted_run(one_fails, RULE_MAJORITY);
  JSON_LATER json_t *v = view_debate(s->debate, &extra);
  assert_true(json_is_true(json_object_get(v, "degraded")));
  const json_t *row = json_array_get(json_object_get(v, "degradations"), 0);
  assert_text(row, "agent", "c");
  assert_text(row, "cause", "overloaded");
  bool before = false;
  const char *key;
  json_t *value;
  json_object_foreach(v, key, value) {
    if (strcmp(key, "degradations") == 0) before = true;
    if (strcmp(key, "final_answer") == 0) break;
  }
  assert_true(before);
  scripted_free(s);
}

static const char *all_fail(enum turn_kind kind, int member) {
  return NULL;
}

static void a_failed_debate_names_every_cause(void **state) {
  struct scripted *s = scripted_run(all_fail, RULE_MAJORITY);
  JSON_LATER json_t *v = view_debate(s->debate, &extra);
  assert_text(v, "status", "failed");
  assert_text(v, "error_code", "QUORUM_NOT_REACHED");
  assert_int_equal(count(v, "causes"), 3);
  assert_text(json_array_get(json_object_get(v, "causes"), 0), "outcome", "overloaded");
  assert_true(json_is_null(json_object_get(v, "final_answer")));
  assert_true(json_is_false(json_object_get(v, "consensus_reached")));
  scripted_free(s);
}

static void messages_come_in_pages(void **state) {
  const struct scripted *s = *state;
  JSON_LATER json_t *all = view_messages(s->debate, "deb-1", 200, 0);
  size_t total = count(all, "messages");
  assert_int_equal(json_get_int(all, "total", -1), total);
  assert_true(json_is_false(json_object_get(all, "has_more")));
  for (size_t offset = 0; offset < total + 2; offset++) {
    JSON_LATER json_t *page = view_messages(s->debate, "deb-1", 2, offset);
    size_t want = offset >= total ? 0 : total - offset < 2 ? total - offset : 2;
    assert_int_equal(count(page, "messages"), want);
    assert_int_equal(json_is_true(json_object_get(page, "has_more")), offset + want < total);
    const json_t *first = json_array_get(json_object_get(page, "messages"), 0);
    if (first) assert_int_equal(json_get_int(first, "index", -1), offset);
  }
}

static void events_show_their_chain(void **state) {
  const struct scripted *s = *state;
  uint8_t salt[32] = {1};
  uint8_t digest[32] = {2};
  uint8_t hash[32] = {3};
  JSON_LATER json_t *event = view_event(&s->events[0], "debate_start", salt, digest, hash);
  assert_true(json_equal(json_object_get(event, "data"), s->events[0].data));
  assert_int_equal(strlen(json_get_text(event, "salt", "")), 64);
  assert_int_equal(strncmp(json_get_text(event, "hash", ""), "03", 2), 0);
  JSON_LATER json_t *deleted = view_event(&s->events[0], "debate_start", NULL, digest, hash);
  assert_true(json_is_null(json_object_get(deleted, "data")));
  assert_true(json_is_null(json_object_get(deleted, "salt")));
  assert_text(deleted, "data_digest", json_get_text(event, "data_digest", ""));
}

/* The rule of outward.h in both its forms. */
static void copies_and_texts_agree(void **state) {
  const struct scripted *s = *state;
  for (size_t i = 0; i < s->count; i++) {
    struct buffer text;
    buffer_init(&text, 1 << 20);
    outward_append(&text, s->events[i].data);
    json_t *parsed;
    assert_int_equal(json_parse(buffer_bytes(&text), &parsed, NULL), STATUS_OK);
    JSON_LATER json_t *copy = outward_copy(s->events[i].data);
    FREE_LATER char *a = json_dumps(parsed, JSON_SORT_KEYS | JSON_REAL_PRECISION(15));
    FREE_LATER char *b = json_dumps(copy, JSON_SORT_KEYS | JSON_REAL_PRECISION(15));
    char *one; /* 1 and 1.0 are the same number */
    while ((one = strstr(b, ".0,")) || (one = strstr(b, ".0}")))
      memmove(one, one + 2, strlen(one + 1));
    assert_string_equal(a, b);
    json_decref(parsed);
    buffer_done(&text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_object_tells_the_whole_debate),
      cmocka_unit_test(rounds_hold_what_was_said_in_them),
      cmocka_unit_test(items_carry_the_answer_of_their_target),
      cmocka_unit_test(a_running_debate_says_null_not_zero),
      cmocka_unit_test(degradations_come_first),
      cmocka_unit_test(a_failed_debate_names_every_cause),
      cmocka_unit_test(messages_come_in_pages),
      cmocka_unit_test(events_show_their_chain),
      cmocka_unit_test(copies_and_texts_agree),
  };
  return cmocka_run_group_tests(tests, run, done);
}
