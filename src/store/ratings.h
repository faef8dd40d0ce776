/* The ratings in `aragora_elo.db`: a projection of the debates that ended, in the order in which
 * they did (debates_ended of the other database).
 *
 * One thread writes, beside the store's writer: store_put_match. A commit is not waited for on the
 * disk, as what a power failure takes is made again from the logs. Reads are as in store.h: any
 * thread that may block, on pooled connections of their own, and every one takes a principal. What
 * a rating means is docs/internals/ratings.md's to say: nothing here computes one.
 */
#ifndef ARAGORA_STORE_RATINGS_H
#define ARAGORA_STORE_RATINGS_H

#include "store/store.h"

enum {
  STORE_PLAYERS_MAX = 10,
  STORE_PAIRS_MAX = STORE_PLAYERS_MAX * (STORE_PLAYERS_MAX - 1) / 2,
  STORE_ELO_START_MILLI = 1500 * 1000, /* of one that has no row */
};

struct store_contender {
  const char *provider, *model; /* who it is */
  const char *agent;            /* the type under which it took part last */
  bool demo;
};

/* Each debate is rated twice: overall, and in its domain. */
enum store_track { STORE_OVERALL, STORE_DOMAIN, STORE_TRACKS };

struct store_player {
  struct store_contender who;
  int result; /* 1 won, -1 lost, 0 drawn */
  int64_t before_milli[STORE_TRACKS], change_milli[STORE_TRACKS];
};

struct store_pair {
  int a, b; /* players */
  int64_t won_a, won_b;
  bool agreed;
};

/* What one ended debate did to the ratings. */
struct store_match {
  int64_t number; /* in the order of the ends, from 1 */
  const char *debate_id, *tenant_id, *owner_id;
  const char *domain; /* never "" */
  const char *reason; /* "" = it was rated, else why not: then there are no players */
  int64_t ended_ms;
  int player_count;
  struct store_player players[STORE_PLAYERS_MAX];
  int pair_count;
  struct store_pair pairs[STORE_PAIRS_MAX];
};

/* --- writing --- */

/* A debate that has ended. */
struct store_ended {
  int64_t number;
  const char *debate_id;
};
typedef void store_ended_fn(void *ctx, const struct store_ended *ended);

/* Calls each(ctx, ended) for at most `limit` ends with numbers greater than `after`, in order; the
 * system's. What it is given and what it must not do are as in store_read_events. */
MUST_CHECK enum status store_read_ended(struct store *store, int64_t after, size_t limit,
                                        store_ended_fn *each, void *ctx, struct error *err);
/* Up to which number the debates are in the ratings, 0 = none, and which debate that one is.
 * STATUS_CONFLICT when the other database knows another debate under that number: the two files do
 * not belong together. */
MUST_CHECK enum status store_rated_through(struct store *store, int64_t *ret_number,
                                           struct error *err);

/* Called in the transaction with the players' before_milli; sets their change_milli. */
typedef void store_rate_fn(void *ctx, struct store_match *match);
/* Takes the match up, whole. STATUS_CONFLICT when a match of its number or later, or of its debate,
 * is there already: another process was faster. Rows of debates rated and unrated are kept alike,
 * and never change. */
MUST_CHECK enum status store_put_match(struct store *store, struct store_match *match,
                                       store_rate_fn *rate, void *ctx, struct error *err);
/* Several, in the order of their numbers, in one transaction: all or none. */
MUST_CHECK enum status store_put_matches(struct store *store, struct store_match *const matches[],
                                         size_t count, store_rate_fn *rate, void *ctx,
                                         struct error *err);

/* A whole, checked copy of the database of ratings beside it, as NAME.SUFFIX; *path is what it is
 * called. STATUS_CONFLICT when there is such a file already, STATUS_NO_SPACE; then there is none.
 */
MUST_CHECK enum status store_copy_ratings(struct store *store, const char *suffix, char *path,
                                          size_t size, struct error *err);

/* Everything anew: the matches are set aside and the tables emptied; store_put_match fills them
 * again; nobody else sees any of it before store_rebuild_end commits, or takes it back. One thread,
 * nobody else writes. */
MUST_CHECK enum status store_rebuild_begin(struct store *store, struct error *err);
/* The match of that number and debate as it was set aside; its texts live until the next call and
 * the end. STATUS_NOT_FOUND. */
MUST_CHECK enum status store_rebuild_look(struct store *store, int64_t number,
                                          const char *debate_id, struct store_match *ret_match,
                                          struct error *err);
MUST_CHECK enum status store_rebuild_end(struct store *store, bool commit, struct error *err);

/* `wake` is called on the writer's thread after a commit that ended debates; as store_on_trace. */
void store_on_end(struct store *store, store_wake_fn *wake, void *ctx);

/* --- reading --- */

/* A row of the table of one domain. */
struct store_standing {
  struct store_contender who;
  int64_t elo_milli;
  int64_t wins, losses, draws;
  int64_t updated_ms; /* when its last game ended */
};
typedef void store_standing_fn(void *ctx, const struct store_standing *standing);

/* Best first, at most `limit`. `domain` "" is the overall table. */
MUST_CHECK enum status store_read_standings(struct store *store, const struct principal *who,
                                            const char *domain, size_t limit,
                                            store_standing_fn *each, void *ctx, struct error *err);
/* Where one stands, in every domain in which it has played: "" first, then by name. */
typedef void store_domain_fn(void *ctx, const char *domain, const struct store_standing *standing);
MUST_CHECK enum status store_read_domains(struct store *store, const struct principal *who,
                                          const struct store_contender *contender,
                                          store_domain_fn *each, void *ctx, struct error *err);

/* The identity that took part last under an agent type, as texts for free(). STATUS_NOT_FOUND. */
MUST_CHECK enum status store_find_contender(struct store *store, const struct principal *who,
                                            const char *agent, char **ret_provider,
                                            char **ret_model, bool *ret_demo, struct error *err);

struct store_rating_step {
  const char *debate_id;
  const char *domain; /* the debate's */
  int64_t elo_milli;  /* afterwards, in the domain that was asked for */
  int64_t change_milli;
  int result;
  int64_t ended_ms;
};
typedef void store_step_fn(void *ctx, const struct store_rating_step *step);
/* How a rating came to be, newest first. */
MUST_CHECK enum status store_read_rating_history(struct store *store, const struct principal *who,
                                                 const struct store_contender *contender,
                                                 const char *domain, size_t limit,
                                                 store_step_fn *each, void *ctx, struct error *err);

/* What lies between two: from the first one's side. */
struct store_relation {
  struct store_contender opponent;
  int64_t wins, losses, draws; /* debates in which ballots compared the two */
  int64_t agreed;              /* debates that both ended with one position */
  int64_t debates;             /* either */
  int64_t updated_ms;
};
typedef void store_relation_fn(void *ctx, const struct store_relation *relation);
/* Those with everybody that it met, most debates first; with one alone where `opponent` is given.
 */
MUST_CHECK enum status store_read_relations(struct store *store, const struct principal *who,
                                            const struct store_contender *contender,
                                            const struct store_contender *opponent,
                                            store_relation_fn *each, void *ctx, struct error *err);

/* Rated debates, newest first, with their players and without pairs. */
typedef void store_match_fn(void *ctx, const struct store_match *match);
MUST_CHECK enum status store_read_matches(struct store *store, const struct principal *who,
                                          size_t limit, store_match_fn *each, void *ctx,
                                          struct error *err);

/* Debates by reason, "" = rated; and when the last of them ended. */
typedef void store_total_fn(void *ctx, const char *reason, int64_t debates, int64_t updated_ms);
MUST_CHECK enum status store_read_match_totals(struct store *store, const struct principal *who,
                                               store_total_fn *each, void *ctx, struct error *err);

#endif
