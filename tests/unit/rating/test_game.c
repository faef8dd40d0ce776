/* What holds for every debate: drawn at random, with seeds that are printed when one fails. */
#include "rating/game.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
// clang-format off
#include <cmocka.h>
// clang-format on

enum { GAMES = 20000 };

static const char *const models[] = {"m0", "m1", "m2", "m3", "m4", "m5"};
enum { MODELS = 6 };

static uint32_t draw(uint32_t *seed, uint32_t below) {
  *seed = *seed * 1664525u + 1013904223u;
  return (*seed >> 8) % below;
}

static void shuffle(int *items, int count, uint32_t *seed) {
  for (int i = count - 1; i > 0; i--) {
    int j = (int)draw(seed, (uint32_t)i + 1), kept = items[i];
    items[i] = items[j];
    items[j] = kept;
  }
}

static struct game_input draw_input(uint32_t *seed) {
  struct game_input in = {.seat_count = 3 + (int)draw(seed, GAME_SEATS_MAX - 2)};
  in.position_count = 3 + (int)draw(seed, (uint32_t)in.seat_count - 2);
  for (int i = 0; i < in.seat_count; i++) {
    uint32_t model = draw(seed, MODELS);
    in.seats[i] = (struct game_seat){
        .provider = "p",
        .model = models[model],
        .type = models[model],
        .demo = model >= 4,
        .rated = draw(seed, 8) != 0,
        .position = i < in.position_count ? i : (int)draw(seed, (uint32_t)in.position_count)};
  }
  for (int v = 0; v < in.seat_count; v++) {
    if (draw(seed, 6) == 0) continue;
    struct game_ballot *b = &in.ballots[in.ballot_count++];
    b->voter = v;
    for (int p = 0; p < in.position_count; p++) b->ranking[p] = p;
    shuffle(b->ranking, in.position_count, seed);
  }
  return in;
}

static int64_t rating_of(const char *model) {
  return 1200000 + (model[1] - '0') * 123457;
}

struct outcome {
  int64_t change[MODELS];
  int result[MODELS];
};

/* By model, so that the order of seats does not matter. */
static struct outcome rate(const struct game_input *in, int64_t *ret_standard, int64_t *ret_demo) {
  struct outcome out = {0};
  struct game game;
  int64_t before[GAME_SEATS_MAX], change[GAME_SEATS_MAX];
  *ret_standard = *ret_demo = 0;
  if (game_make(in, &game) != RATING_DONE) return out;
  for (int i = 0; i < game.player_count; i++) before[i] = rating_of(game.players[i].model);
  game_rate(&game, before, change);
  for (int i = 0; i < game.player_count; i++) {
    int model = game.players[i].model[1] - '0';
    out.change[model] = change[i];
    out.result[model] = 2 + game.players[i].result;
    *(game.players[i].demo ? ret_demo : ret_standard) += change[i];
  }
  return out;
}

static void check_same(const struct game_input *one, const struct game_input *other,
                       const char *what, int game) {
  int64_t standard, demo;
  struct outcome a = rate(one, &standard, &demo);
  if (standard || demo) fail_msg("game %d: the changes do not sum to zero", game);
  struct outcome b = rate(other, &standard, &demo);
  if (memcmp(&a, &b, sizeof a) != 0) fail_msg("game %d: %s matters", game, what);
}

static void order_changes_nothing_and_sums_are_zero(void **state) {
  uint32_t seed = 20261129;
  for (int g = 0; g < GAMES; g++) {
    struct game_input in = draw_input(&seed), other = in;
    int order[GAME_SEATS_MAX];
    for (int i = 0; i < in.ballot_count; i++) order[i] = i;
    shuffle(order, in.ballot_count, &seed);
    for (int i = 0; i < in.ballot_count; i++) other.ballots[i] = in.ballots[order[i]];
    check_same(&in, &other, "the order of ballots", g);

    for (int i = 0; i < in.seat_count; i++) order[i] = i;
    shuffle(order, in.seat_count, &seed);
    other = in;
    for (int i = 0; i < in.seat_count; i++) {
      other.seats[order[i]] = in.seats[i];
      for (int b = 0; b < in.ballot_count; b++)
        if (in.ballots[b].voter == i) other.ballots[b].voter = order[i];
    }
    check_same(&in, &other, "the order of seats", g);
  }
}

static void expectations_are_those_of_the_formula(void **state) {
  uint32_t seed = 7;
  for (int i = 0; i < GAMES; i++) {
    int64_t own = draw(&seed, 4000000), other = draw(&seed, 4000000);
    double exact = 1e9 / (1 + pow(10, (double)(other - own) / 400000));
    int64_t got = elo_expectation(own, other);
    if (fabs((double)got - exact) > 0.6)
      fail_msg("%lld against %lld: %lld, not %f", (long long)own, (long long)other, (long long)got,
               exact);
  }
  assert_int_equal(elo_expectation(0, 100000000), 0);
  assert_int_equal(elo_expectation(100000000, 0), ELO_ONE);
}

static void fewer_than_three_positions_rate_nobody(void **state) {
  struct game_input in = {.seat_count = 2, .position_count = 2};
  struct game game;
  assert_int_equal(game_make(&in, &game), RATING_TOO_FEW_POSITIONS);
  assert_int_equal(game.player_count, 0);
}

/* Ten agents with positions of their own: the most comparisons that a ballot can have. */
static void the_largest_panel_loses_nothing(void **state) {
  char names[GAME_SEATS_MAX][8];
  struct game_input in = {.seat_count = GAME_SEATS_MAX, .position_count = GAME_SEATS_MAX};
  struct game game;
  for (int i = 0; i < GAME_SEATS_MAX; i++) {
    snprintf(names[i], sizeof names[i], "n%d", i);
    in.seats[i] = (struct game_seat){"p", names[i], "t", false, true, i};
    in.ballots[i].voter = i;
    for (int p = 0; p < GAME_SEATS_MAX; p++) in.ballots[i].ranking[p] = p;
  }
  in.ballot_count = GAME_SEATS_MAX;
  assert_int_equal(game_make(&in, &game), RATING_DONE);
  assert_int_equal(game.pair_count, GAME_PAIRS_MAX);
  int64_t weight = 0;
  for (int i = 0; i < game.pair_count; i++) weight += game.pairs[i].won_a + game.pairs[i].won_b;
  assert_int_equal(weight, GAME_SEATS_MAX * GAME_ONE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(order_changes_nothing_and_sums_are_zero),
      cmocka_unit_test(expectations_are_those_of_the_formula),
      cmocka_unit_test(fewer_than_three_positions_rate_nobody),
      cmocka_unit_test(the_largest_panel_loses_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
