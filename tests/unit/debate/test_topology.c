/* Who criticises whom, and under which labels: for panels of two to six, all valid or not. */
#include "driver.h"

#include <stdio.h>
#include <stdlib.h>

static struct debate *panel(int n, enum topology topology, uint32_t failed, uint64_t seed) {
  struct debate *d = debate_create(false);
  assert_non_null(d);
  d->config = driver_config(n);
  d->config.topology = topology;
  d->config.seed = seed;
  for (int i = 0; i < n; i++) {
    if (failed >> i & 1) continue;
    char key[8];
    snprintf(key, sizeof key, "k%d", i);
    d->members[i].valid = true;
    d->members[i].text = strdup("text");
    d->members[i].key = strdup(key);
  }
  return d;
}

static int valid_at(const struct debate *d, int place) {
  for (int i = 0; i < d->config.member_count; i++)
    if (d->members[i].valid && place-- == 0) return i;
  return -1;
}

static uint32_t expected(const struct debate *d, int critic, int valid, int place) {
  uint32_t everyone = 0;
  for (int i = 0; i < valid; i++) everyone |= 1u << valid_at(d, i);
  uint32_t others = everyone & ~(1u << critic);
  if (d->config.topology == TOPOLOGY_RING)
    return 1u << valid_at(d, (place + 1) % valid) | 1u << valid_at(d, (place + valid - 1) % valid);
  if (d->config.topology == TOPOLOGY_STAR && place > 0) return 1u << valid_at(d, 0);
  return others;
}

static void check_critic(const struct debate *d, int critic, int valid, int place) {
  uint32_t targets = topology_targets(d, critic, 1);
  if (!d->members[critic].valid || valid < 2) {
    assert_int_equal(targets, 0);
    return;
  }
  assert_false(targets >> critic & 1);
  for (int i = 0; i < d->config.member_count; i++)
    if (targets >> i & 1) assert_true(d->members[i].valid);
  if (d->config.topology == TOPOLOGY_RANDOM) {
    int half = (valid - 1) / 2 > 1 ? (valid - 1) / 2 : 1;
    assert_int_equal(__builtin_popcount(targets), half);
  } else {
    assert_int_equal(targets, expected(d, critic, valid, place));
  }
  assert_int_equal(targets, topology_targets(d, critic, 1));
}

static void test_targets(void **state) {
  for (int n = 2; n <= 6; n++)
    for (int topology = 0; topology < TOPOLOGY_COUNT; topology++)
      for (uint32_t failed = 0; failed < 1u << n; failed++) {
        struct debate *d = panel(n, (enum topology)topology, failed, 7);
        int valid = n - __builtin_popcount(failed);
        int place = 0;
        for (int i = 0; i < n; i++) {
          check_critic(d, i, valid, place);
          place += d->members[i].valid;
        }
        debate_destroy(d);
      }
}

/* Random targets differ between critics, rounds and seeds; over many, everybody is chosen. */
static void test_random_is_spread(void **state) {
  uint32_t met[6] = {0};
  int same_rounds = 0;
  for (uint64_t seed = 0; seed < 50; seed++) {
    struct debate *d = panel(6, TOPOLOGY_RANDOM, 0, seed);
    for (int i = 0; i < 6; i++) {
      met[i] |= topology_targets(d, i, 1);
      same_rounds += topology_targets(d, i, 1) == topology_targets(d, i, 2);
    }
    debate_destroy(d);
  }
  for (int i = 0; i < 6; i++) assert_int_equal(met[i], 0x3f & ~(1u << i));
  assert_true(same_rounds < 100); /* of 300; by chance about one in ten */
}

static bool is_permutation(const int *labels, int count, uint32_t of) {
  uint32_t seen = 0;
  for (int i = 0; i < count; i++) {
    if (labels[i] < 0 || labels[i] >= DEBATE_MEMBERS_MAX || seen >> labels[i] & 1) return false;
    seen |= 1u << labels[i];
  }
  return seen == of;
}

static void test_labels(void **state) {
  int labels[DEBATE_MEMBERS_MAX];
  int again[DEBATE_MEMBERS_MAX];
  for (int n = 2; n <= 6; n++) {
    struct debate *d = panel(n, TOPOLOGY_ALL, 0, 99);
    for (int i = 0; i < n; i++) {
      struct turn t = {.kind = TURN_CRITIQUE, .member = i, .round = 1};
      int count = topology_labels(d, &t, labels);
      assert_true(is_permutation(labels, count, topology_targets(d, i, 1)));
      t.attempts = 3; /* a repair sees what the first attempt saw */
      assert_int_equal(topology_labels(d, &t, again), count);
      assert_memory_equal(labels, again, (size_t)count * sizeof *labels);
      t.kind = TURN_BALLOT;
      count = topology_labels(d, &t, labels);
      assert_true(is_permutation(labels, count, (1u << n) - 1)); /* its own position included */
      t.kind = TURN_PROPOSAL;
      assert_int_equal(topology_labels(d, &t, labels), 0);
      t.kind = TURN_REVISION;
      count = topology_labels(d, &t, labels);
      assert_int_equal(count, n - 1 < 2 ? n - 1 : 2);
      for (int k = 0; k < count; k++) assert_int_not_equal(labels[k], i);
    }
    debate_destroy(d);
  }
}

/* Fresh for each recipient and step: of 60 ballots' orders some differ for every pair of those. */
static void test_labels_are_fresh(void **state) {
  struct debate *d = panel(5, TOPOLOGY_ALL, 0, 3);
  int differ_recipient = 0;
  int differ_round = 0;
  int differ_kind = 0;
  for (int round = 0; round < 10; round++)
    for (int i = 0; i < 4; i++) {
      int a[DEBATE_MEMBERS_MAX];
      int b[DEBATE_MEMBERS_MAX];
      size_t size = 5 * sizeof *a;
      struct turn t = {.kind = TURN_BALLOT, .member = i, .round = round};
      topology_labels(d, &t, a);
      t.member++;
      topology_labels(d, &t, b);
      differ_recipient += memcmp(a, b, size) != 0;
      t.member--;
      t.round++;
      topology_labels(d, &t, b);
      differ_round += memcmp(a, b, size) != 0;
      t.round--;
      t.kind = TURN_JUDGMENT;
      topology_labels(d, &t, b);
      differ_kind += memcmp(a, b, size) != 0;
    }
  assert_true(differ_recipient > 30 && differ_round > 30 && differ_kind > 30);
  debate_destroy(d);
}

/* A revision sees at most two answers, of other positions than its own, one a position. */
static void test_revisions_see_differing_answers(void **state) {
  for (uint64_t seed = 0; seed < 40; seed++) {
    struct debate *d = panel(6, TOPOLOGY_ALL, 1u << 5, seed);
    static const char *const keys[] = {"a", "a", "b", "b", "c"};
    for (int i = 0; i < 5; i++) strcpy(d->members[i].key, keys[i]);
    d->members[2].text_since = 1; /* so agent 3 speaks for b */
    for (int i = 0; i < 5; i++) {
      int labels[DEBATE_MEMBERS_MAX];
      struct turn t = {.kind = TURN_REVISION, .member = i, .round = 1};
      int count = topology_labels(d, &t, labels);
      assert_int_equal(count, 2);
      assert_string_not_equal(d->members[labels[0]].key, d->members[labels[1]].key);
      for (int k = 0; k < 2; k++) {
        assert_string_not_equal(d->members[labels[k]].key, keys[i]);
        assert_true(labels[k] == 0 || labels[k] == 3 || labels[k] == 4);
      }
    }
    debate_destroy(d);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_targets),
      cmocka_unit_test(test_random_is_spread),
      cmocka_unit_test(test_labels),
      cmocka_unit_test(test_labels_are_fresh),
      cmocka_unit_test(test_revisions_see_differing_answers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
