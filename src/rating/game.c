#include "rating/game.h"

#include <string.h>

enum { POSITIONS_MIN = 3, NOBODY = -1 };

const char *game_league(bool demo) {
  return demo ? "demo" : "standard";
}

static bool same_identity(const struct game_seat *a, const struct game_seat *b) {
  return strcmp(a->provider, b->provider) == 0 && strcmp(a->model, b->model) == 0;
}

static bool comparable(const struct game_seat *a, const struct game_seat *b) {
  return a->rated && b->rated && a->demo == b->demo && !same_identity(a, b);
}

bool game_has_rivals(const struct game_input *in) {
  for (int a = 0; a < in->seat_count; a++)
    for (int b = a + 1; b < in->seat_count; b++)
      if (comparable(&in->seats[a], &in->seats[b])) return true;
  return false;
}

/* ---- who won against whom, seat by seat ---- */

struct scores {
  int64_t won[GAME_SEATS_MAX][GAME_SEATS_MAX]; /* [a][b]: weight that a won against b */
};

/* Calls for every comparison of the ballot; returns how many there are. */
static int compare(const struct game_input *in, const struct game_ballot *ballot,
                   struct scores *scores, int64_t weight) {
  int own = in->seats[ballot->voter].position;
  int count = 0;
  for (int high = 0; high < in->position_count; high++) {
    for (int low = high + 1; low < in->position_count; low++) {
      int above = ballot->ranking[high], below = ballot->ranking[low];
      if (above == own || below == own) continue;
      for (int a = 0; a < in->seat_count; a++) {
        for (int b = 0; b < in->seat_count; b++) {
          if (in->seats[a].position != above || in->seats[b].position != below) continue;
          count++;
          if (weight && comparable(&in->seats[a], &in->seats[b])) scores->won[a][b] += weight;
        }
      }
    }
  }
  return count;
}

static void count_ballots(const struct game_input *in, struct scores *scores) {
  for (int i = 0; i < in->ballot_count; i++) {
    int count = compare(in, &in->ballots[i], scores, 0);
    if (count) compare(in, &in->ballots[i], scores, GAME_ONE / count);
  }
}

/* ---- from seats to identities ---- */

/* The player of every seat that was compared with another one. */
static void find_players(const struct game_input *in, const struct scores *scores,
                         struct game *game, int player_of[GAME_SEATS_MAX]) {
  for (int s = 0; s < in->seat_count; s++) {
    const struct game_seat *seat = &in->seats[s];
    bool compared = false;
    for (int o = 0; o < in->seat_count; o++)
      compared = compared || scores->won[s][o] || scores->won[o][s];
    player_of[s] = NOBODY;
    if (!compared) continue;
    for (int before = 0; before < s; before++)
      if (player_of[before] != NOBODY && same_identity(&in->seats[before], seat))
        player_of[s] = player_of[before];
    if (player_of[s] != NOBODY) continue;
    player_of[s] = game->player_count++;
    game->players[player_of[s]] =
        (struct game_player){seat->provider, seat->model, seat->type, seat->demo, 0};
  }
}

static struct game_pair make_pair(const struct game_input *in, const struct scores *scores,
                                  const int player_of[], int a, int b) {
  struct game_pair pair = {.a = a, .b = b};
  for (int s = 0; s < in->seat_count; s++) {
    for (int o = 0; o < in->seat_count; o++) {
      if (player_of[s] != a || player_of[o] != b) continue;
      pair.won_a += scores->won[s][o];
      pair.won_b += scores->won[o][s];
      pair.agreed = pair.agreed || (in->seats[s].position == in->seats[o].position &&
                                    in->seats[s].demo == in->seats[o].demo);
    }
  }
  return pair;
}

static int sign_of(int64_t value) {
  return (value > 0) - (value < 0);
}

static void find_pairs(const struct game_input *in, const struct scores *scores, struct game *game,
                       const int player_of[]) {
  int64_t ahead[GAME_SEATS_MAX] = {0};
  for (int a = 0; a < game->player_count; a++) {
    for (int b = a + 1; b < game->player_count; b++) {
      struct game_pair pair = make_pair(in, scores, player_of, a, b);
      if (!pair.won_a && !pair.won_b && !pair.agreed) continue;
      game->pairs[game->pair_count++] = pair;
      ahead[a] += pair.won_a - pair.won_b;
      ahead[b] += pair.won_b - pair.won_a;
    }
  }
  for (int p = 0; p < game->player_count; p++) game->players[p].result = sign_of(ahead[p]);
}

enum rating_reason game_make(const struct game_input *in, struct game *ret_game) {
  struct scores scores = {0};
  int player_of[GAME_SEATS_MAX];
  *ret_game = (struct game){0};
  if (in->position_count < POSITIONS_MIN) return RATING_TOO_FEW_POSITIONS;
  count_ballots(in, &scores);
  find_players(in, &scores, ret_game, player_of);
  find_pairs(in, &scores, ret_game, player_of);
  return ret_game->player_count ? RATING_DONE : RATING_NO_PAIRS;
}

/* ---- what it changes ---- */

void game_rate(const struct game *game, const int64_t before_milli[], int64_t ret_change_milli[]) {
  for (int p = 0; p < game->player_count; p++) ret_change_milli[p] = 0;
  for (int i = 0; i < game->pair_count; i++) {
    const struct game_pair *pair = &game->pairs[i];
    int64_t expectation = elo_expectation(before_milli[pair->a], before_milli[pair->b]);
    int64_t change = elo_change_milli(pair->won_a, pair->won_b, GAME_ONE, expectation);
    ret_change_milli[pair->a] += change;
    ret_change_milli[pair->b] -= change;
  }
}
