/* The check of a log: everything that is not what was written is found, at its event. */
#include "driver.h"

#include <stdio.h>
#include <stdlib.h>

static void small_log(struct driver *r) {
  struct debate_config c = driver_config(2);
  c.rounds = 1;
  driver_play(r, &c, "0p2 b; 1c1 2:0.9; 1r2 accept changed a");
}

/* Copies of the lines, to spoil. */
struct copy {
  struct check_line line;
  char *type, *agent, *data;
};

static void copy_line(const struct check_line *from, struct copy *to) {
  *to = (struct copy){.line = *from};
  to->type = strdup(from->type);
  to->agent = from->agent ? strdup(from->agent) : NULL;
  to->data = bytes_dup(from->data);
  to->line.type = to->type;
  to->line.agent = to->agent;
  to->line.data.ptr = to->data;
}

static void copy_done(struct copy *c) {
  free(c->type);
  free(c->agent);
  free(c->data);
}

/* Feeds the log with line `at` replaced. */
static void check_with(const struct driver *r, size_t at, const struct check_line *other,
                       struct check_result *ret_result) {
  struct check *check = check_create();
  for (size_t i = 0; i < r->count; i++)
    if (!check_feed(check, i == at ? other : &r->lines[i].line)) break;
  check_finish(check, ret_result);
  check_destroy(check);
}

static void must_be_found(const struct driver *r, size_t at, const struct check_line *other,
                          const char *what) {
  struct check_result result;
  check_with(r, at, other, &result);
  if (result.ok) fail_msg("event %zu, %s: not found", at + 1, what);
  if (result.bad_seq != at + 1 && result.bad_seq != other->seq)
    fail_msg("event %zu, %s: found at %llu", at + 1, what, (unsigned long long)result.bad_seq);
  assert_true(result.problem[0]);
}

static void flip_each(const struct driver *r, size_t at, struct copy *c, void *bytes, size_t len,
                      const char *what) {
  for (size_t i = 0; i < len; i++) {
    uint8_t *byte = (uint8_t *)bytes + i;
    uint8_t bit = (uint8_t)(1 << i % 8);
    *byte ^= bit;
    must_be_found(r, at, &c->line, what);
    *byte ^= bit;
  }
}

static void test_every_flipped_byte(void **state) {
  struct driver r;
  small_log(&r);
  for (size_t i = 0; i < r.count; i++) {
    struct copy c;
    copy_line(&r.lines[i].line, &c);
    flip_each(&r, i, &c, c.data, c.line.data.len, "data");
    flip_each(&r, i, &c, c.line.salt, sizeof c.line.salt, "salt");
    flip_each(&r, i, &c, c.line.digest, sizeof c.line.digest, "digest");
    flip_each(&r, i, &c, c.line.hash, sizeof c.line.hash, "hash");
    flip_each(&r, i, &c, &c.line.ts_ms, sizeof c.line.ts_ms, "ts");
    flip_each(&r, i, &c, &c.line.seq, sizeof c.line.seq, "seq");
    flip_each(&r, i, &c, c.type, strlen(c.type), "type");
    if (c.agent) flip_each(&r, i, &c, c.agent, strlen(c.agent), "agent");
    c.line.round += 1;
    must_be_found(&r, i, &c.line, "round");
    c.line.round -= 1;
    c.line.agent = c.line.agent ? NULL : "agent-1";
    must_be_found(&r, i, &c.line, "agent");
    copy_done(&c);
  }
  driver_done(&r);
}

/* ---- lines out of place ---- */

static void feed_all(const struct check_line *const *lines, size_t count,
                     struct check_result *ret_result) {
  struct check *check = check_create();
  for (size_t i = 0; i < count; i++)
    if (!check_feed(check, lines[i])) break;
  check_finish(check, ret_result);
  check_destroy(check);
}

static void test_lines_out_of_place(void **state) {
  struct driver r;
  struct check_result result;
  const struct check_line *lines[128];
  small_log(&r);
  assert_true(r.count + 1 < 128);
  for (size_t at = 0; at < r.count; at++) {
    size_t n = 0;
    for (size_t i = 0; i < r.count; i++)
      if (i != at) lines[n++] = &r.lines[i].line;
    feed_all(lines, n, &result);
    if (at + 1 < r.count) {
      assert_false(result.ok);
      assert_int_equal(result.bad_seq, at + 2); /* the one that comes where it does not follow */
    } else {
      assert_true(result.ok); /* a log that was not yet ended */
      assert_false(result.ended);
    }
    n = 0;
    for (size_t i = 0; i < r.count; i++) {
      lines[n++] = &r.lines[i].line;
      if (i == at) lines[n++] = &r.lines[i].line;
    }
    feed_all(lines, n, &result);
    assert_false(result.ok);
    assert_int_equal(result.bad_seq, at + 1);
    for (size_t i = 0; i < r.count; i++) lines[i] = &r.lines[i].line;
    if (at + 1 == r.count) continue;
    lines[at] = &r.lines[at + 1].line;
    lines[at + 1] = &r.lines[at].line;
    feed_all(lines, r.count, &result);
    assert_false(result.ok);
    assert_int_equal(result.bad_seq, at + 2);
  }
  driver_done(&r);
}

static void test_an_empty_log(void **state) {
  struct check_result result;
  feed_all(NULL, 0, &result);
  assert_false(result.ok);
  assert_string_equal(result.problem, "the log is empty");
}

/* ---- deleted content ---- */

static void test_deleted_content(void **state) {
  struct driver r;
  struct check_result result;
  small_log(&r);
  struct check_line lines[128];
  const struct check_line *borrowed[128];
  for (size_t i = 0; i < r.count; i++) {
    lines[i] = r.lines[i].line;
    lines[i].data = (struct bytes){NULL, 0};
    memset(lines[i].salt, 0, sizeof lines[i].salt);
    borrowed[i] = &lines[i];
  }
  feed_all(borrowed, r.count, &result);
  assert_true(result.ok && result.deleted && result.ended);
  assert_int_equal(result.events, r.count);
  assert_string_equal(result.state_hash, "");
  struct check_result whole;
  driver_check(&r, &whole);
  assert_false(whole.deleted);
  assert_string_equal(result.head_hash, whole.head_hash);
  /* What is left cannot be changed either. */
  lines[3].digest[0] ^= 1;
  feed_all(borrowed, r.count, &result);
  assert_false(result.ok);
  assert_int_equal(result.bad_seq, 4);
  driver_done(&r);
}

/* ---- a whole chain over another story ---- */

/* Seals the log anew with the data of event `at` replaced, as somebody could who keeps the log. */
static void check_resealed(const struct driver *r, size_t at, json_t *data, const char *agent,
                           struct check_result *ret_result) {
  struct check *check = check_create();
  uint8_t head[CHAIN_HASH_SIZE] = {0};
  FREE_LATER char *other = json_canonical_dup(data);
  for (size_t i = 0; i < r->count; i++) {
    struct check_line line = r->lines[i].line;
    if (i == at) line.data = bytes_of(other);
    if (i == at) line.agent = agent;
    chain_digest(line.salt, line.data, line.digest);
    chain_extend(head, line.seq, line.type, line.ts_ms, line.round, line.agent, line.digest,
                 line.hash);
    memcpy(head, line.hash, sizeof head);
    if (!check_feed(check, &line)) break;
  }
  check_finish(check, ret_result);
  check_destroy(check);
}

static size_t index_of(const struct driver *r, const char *type) {
  size_t at = 0;
  while (strcmp(r->lines[at].line.type, type) != 0) at++;
  return at;
}

static void test_what_the_engine_would_not_say(void **state) {
  static const struct {
    const char *type, *key;
    const char *value;
  } lies[] = {
      {"consensus", "share_ppm", "999999"},       {"consensus", "winner", "\"p1\""},
      {"consensus", "reached", "false"},          {"consensus", "supporting_agents", "[]"},
      {"stop", "reason", "\"no_change\""},        {"stop", "reason", "\"unheard_of\""},
      {"round_start", "agents", "[\"agent-1\"]"}, {"debate_end", "outcome", "\"no_consensus\""},
      {"debate_end", "cost_usd_micro", "1"},      {"debate_end", "degraded", "true"},
  };
  struct driver r;
  struct check_result result;
  small_log(&r);
  for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
    size_t at = index_of(&r, lies[i].type);
    JSON_LATER json_t *data = json_copy(r.lines[at].data);
    json_object_set_new(data, lies[i].key, json_loads(lies[i].value, JSON_DECODE_ANY, NULL));
    check_resealed(&r, at, data, r.lines[at].agent, &result);
    if (result.ok) fail_msg("%s of %s was not found", lies[i].key, lies[i].type);
    assert_int_equal(result.bad_seq, at + 1);
  }
  driver_done(&r);
}

/* Whose turn it was not; a target that was not asked about. */
static void test_what_does_not_fit(void **state) {
  struct driver r;
  struct check_result result;
  small_log(&r);
  size_t at = index_of(&r, "agent_message");
  check_resealed(&r, at, r.lines[at].data, "agent-2", &result);
  assert_int_equal(result.bad_seq, at + 1);
  check_resealed(&r, at, r.lines[at].data, NULL, &result);
  assert_int_equal(result.bad_seq, at + 1);
  at = index_of(&r, "consensus");
  check_resealed(&r, at, r.lines[at].data, "agent-2", &result);
  assert_int_equal(result.bad_seq, at + 1);
  at = index_of(&r, "critique");
  JSON_LATER json_t *data = json_copy(r.lines[at].data);
  json_object_set_new(data, "target", json_string("agent-1"));
  check_resealed(&r, at, data, r.lines[at].agent, &result);
  assert_int_equal(result.bad_seq, at + 1);
  driver_done(&r);
}

/* No time of a log is so large that a sum of them would have no room. */
static void test_a_forged_time(void **state) {
  static const struct {
    int64_t elapsed_ms;
    bool ok;
  } cases[] = {{0, true}, {60010, true}, {60011, false}, {(int64_t)1 << 53, false}, {-1, false}};
  struct driver r;
  struct check_result result;
  struct debate_config c = driver_config(2);
  driver_begin(&r, &c, "0p2 b");
  driver_crash(&r); /* a minute and a step */
  size_t at = index_of(&r, "resumed");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    JSON_LATER json_t *data = json_pack("{s:I}", "elapsed_ms", (json_int_t)cases[i].elapsed_ms);
    check_resealed(&r, at, data, NULL, &result);
    if (result.ok != cases[i].ok) fail_msg("elapsed_ms %lld", (long long)cases[i].elapsed_ms);
    if (!result.ok) assert_int_equal(result.bad_seq, at + 1);
    if (!result.ok) assert_non_null(strstr(result.problem, "elapsed_ms"));
  }
  struct check *check = check_create();
  for (size_t i = 0; i < at; i++) assert_true(check_feed(check, &r.lines[i].line));
  struct check_line line = r.lines[at].line;
  line.ts_ms = INT64_MAX;
  chain_extend(r.lines[at - 1].line.hash, line.seq, line.type, line.ts_ms, line.round, line.agent,
               line.digest, line.hash);
  assert_false(check_feed(check, &line));
  check_finish(check, &result);
  assert_non_null(strstr(result.problem, "ts is beyond 2^53"));
  check_destroy(check);
  driver_done(&r);
}

static void test_a_forged_ballot(void **state) {
  static const char *const rankings[] = {"[\"p0\"]",
                                         "[\"p0\",\"p0\"]",
                                         "[\"p0\",\"p2\"]",
                                         "[\"p0\",\"p4294967297\"]",
                                         "[\"p0\",\"p01\"]",
                                         "[\"p0\",\"p1\",\"p0\"]",
                                         "[0,1]",
                                         "[]",
                                         "null"};
  struct driver r;
  struct check_result result;
  struct debate_config c = driver_config(2);
  c.mode = MODE_VOTE;
  driver_play(&r, &c, "0p2 b");
  size_t at = index_of(&r, "vote");
  for (size_t i = 0; i < sizeof rankings / sizeof *rankings; i++) {
    JSON_LATER json_t *data = json_copy(r.lines[at].data);
    json_object_set_new(data, "ranking", json_loads(rankings[i], JSON_DECODE_ANY, NULL));
    check_resealed(&r, at, data, r.lines[at].agent, &result);
    if (result.ok || result.bad_seq != at + 1) fail_msg("%s was not found", rankings[i]);
  }
  driver_done(&r);
}

/* Data that is not in canonical form has a digest like any other, and is refused. */
static void test_not_canonical(void **state) {
  static const char *const spoilt[] = {"{ \"reason\":\"one_position\"}",
                                       "{\"reason\":\"one_position\",\"reason\":\"x\"}",
                                       "{\"b\":1,\"a\":2}",
                                       "{\"a\":1.5}",
                                       "{\"a\":1e3}",
                                       "[]",
                                       "{\"reason\":",
                                       ""};
  struct driver r;
  small_log(&r);
  size_t at = index_of(&r, "stop");
  for (size_t i = 0; i < sizeof spoilt / sizeof *spoilt; i++) {
    struct check_line line = r.lines[at].line;
    struct check_result result;
    line.data = bytes_of(spoilt[i]);
    chain_digest(line.salt, line.data, line.digest);
    chain_extend(r.lines[at - 1].line.hash, line.seq, line.type, line.ts_ms, line.round, line.agent,
                 line.digest, line.hash);
    check_with(&r, at, &line, &result);
    if (result.ok) fail_msg("%s was not found", spoilt[i]);
    assert_int_equal(result.bad_seq, at + 1);
  }
  driver_done(&r);
}

/* A later version's log is readable: its chain is checked, nothing is refolded. */
static void test_a_later_version(void **state) {
  struct driver r;
  struct check_result result;
  small_log(&r);
  JSON_LATER json_t *data = json_copy(r.lines[0].data);
  json_object_set_new(data, "engine", json_integer(ENGINE_VERSION + 1));
  check_resealed(&r, 0, data, NULL, &result);
  assert_true(result.ok && result.unsupported && result.ended);
  struct check_line line = r.lines[r.count - 2].line;
  line.type = "kind_of_a_later_version";
  chain_extend(r.lines[r.count - 3].line.hash, line.seq, line.type, line.ts_ms, line.round,
               line.agent, line.digest, line.hash);
  struct check *check = check_create();
  for (size_t i = 0; i + 2 < r.count; i++) assert_true(check_feed(check, &r.lines[i].line));
  assert_true(check_feed(check, &line));
  check_finish(check, &result);
  assert_true(result.ok && result.unsupported);
  check_destroy(check);
  driver_done(&r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_flipped_byte),
      cmocka_unit_test(test_lines_out_of_place),
      cmocka_unit_test(test_an_empty_log),
      cmocka_unit_test(test_deleted_content),
      cmocka_unit_test(test_what_the_engine_would_not_say),
      cmocka_unit_test(test_what_does_not_fit),
      cmocka_unit_test(test_a_forged_time),
      cmocka_unit_test(test_a_forged_ballot),
      cmocka_unit_test(test_not_canonical),
      cmocka_unit_test(test_a_later_version),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
