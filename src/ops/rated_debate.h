/* An ended debate as what it does to the ratings: its log folded, and who held what and ranked whom
 * told to the rating room. docs/internals/ratings.md has the rules. Blocks; one owner. */
#ifndef ARAGORA_OPS_RATED_DEBATE_H
#define ARAGORA_OPS_RATED_DEBATE_H

#include "base/id.h"
#include "debate/debate.h"
#include "rating/game.h"
#include "store/ratings.h"

enum { RATED_DOMAIN_MAX = 64 };
#define RATED_DOMAIN_OTHER "general" /* where the debate's metadata names none */

struct rated_debate {
  struct store_match match; /* borrows from what follows */
  struct game game;
  struct store_debate row;
  struct store_tombstone tombstone; /* in the place of `row` when it was deleted */
  struct debate *debate;            /* NULL where nobody had to read the log */
  char id[ID_DEBATE_MAX + 1];
  char domain[RATED_DOMAIN_MAX + 1];
};

/* STATUS_OK also for a debate that rates nobody: the match says why. Else what kept the store from
 * being read: it may go better later. */
MUST_CHECK enum status rated_debate_read(struct store *store, const struct store_ended *ended,
                                         struct rated_debate *ret_rated, struct error *err);
void rated_debate_done(struct rated_debate *rated);

/* A store_rate_fn, without context: the changes of both tracks from the ratings before. */
void rated_debate_rate(void *ctx, struct store_match *match);

/* The domain that a debate's metadata (JSON text, or NULL) names. */
void rated_debate_domain(const char *metadata, char out[RATED_DOMAIN_MAX + 1]);
/* Whom a debate rates, and why nobody: of a folded log. */
enum rating_reason rated_debate_game(const struct debate *debate, struct game *ret_game);

#endif
