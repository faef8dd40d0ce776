/* One debate as a game: who was ranked above whom, by how much, and what that changes.
 *
 * A ballot's ranked pair of positions, of which its voter holds neither, compares every holder of
 * the higher one with every holder of the lower one; each comparison weighs 1 / the comparisons of
 * that ballot. What is rated is provider and model: comparisons of one identity with itself and
 * across leagues, and those of a seat that is not rated, are dropped, with their weight. Worked
 * examples: docs/internals/ratings.md. Pure; any thread.
 */
#ifndef ARAGORA_RATING_GAME_H
#define ARAGORA_RATING_GAME_H

#include "rating/elo.h"
#include "rating/reason.h"

#include <stdbool.h>

enum {
  GAME_SEATS_MAX = 10,
  GAME_PAIRS_MAX = GAME_SEATS_MAX * (GAME_SEATS_MAX - 1) / 2,
  GAME_PROVISIONAL = 10, /* with fewer games a rating says little */
};

/* A weight of 1: what 1..36 all divide. A ballot compares at most 36 pairs, of nine holders. */
#define GAME_ONE INT64_C(144403552893600)

struct game_seat {
  const char *provider, *model; /* who was asked; borrowed, as everything here */
  const char *type;             /* under which name */
  bool demo;                    /* of the demo league */
  bool rated;                   /* its text is its own: no fallback wrote it */
  int position;                 /* -1 = it holds none */
};

struct game_ballot {
  int voter;                   /* seat */
  int ranking[GAME_SEATS_MAX]; /* all positions, best first */
};

struct game_input {
  int seat_count;
  struct game_seat seats[GAME_SEATS_MAX];
  int position_count;
  int ballot_count;
  struct game_ballot ballots[GAME_SEATS_MAX];
};

struct game_player { /* an identity that was compared with another */
  const char *provider, *model, *type;
  bool demo;
  int result; /* 1 won, -1 lost, 0 drawn: weight won against weight lost, over all its pairs */
};

struct game_pair {
  int a, b;             /* players, a < b */
  int64_t won_a, won_b; /* weight of the comparisons that each won, in parts of GAME_ONE */
  bool agreed;          /* at the end they held one position */
};

struct game {
  int player_count;
  struct game_player players[GAME_SEATS_MAX];
  int pair_count;
  struct game_pair pairs[GAME_PAIRS_MAX]; /* those that were compared or agreed */
};

/* Whether ballots could ever compare two of the seats, whatever they hold: two that are rated, of
 * one league, of two identities. */
bool game_has_rivals(const struct game_input *input);

/* RATING_DONE and a game, RATING_TOO_FEW_POSITIONS or RATING_NO_PAIRS. Whether ballots decided the
 * debate is the caller's to know. The players come in the order of their first seats. */
enum rating_reason game_make(const struct game_input *input, struct game *ret_game);

/* The changes of all players, in thousandths, from their ratings before the debate. They sum to
 * zero, in each league too. */
void game_rate(const struct game *game, const int64_t before_milli[], int64_t ret_change_milli[]);

/* "demo" or "standard" */
const char *game_league(bool demo);

#endif
