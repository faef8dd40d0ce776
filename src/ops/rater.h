/* The rater: a thread that takes every debate that ends into the ratings, once, in the order of
 * their ends.
 *
 * The database of debates numbers the ends in the transaction that makes them (store_on_end); the
 * ratings know up to which number they are. So a crash loses none: what it left is rated at the
 * next start, by the same code. It only reads the store's debates, has a low priority, and no
 * debate waits for it. Where the ratings turn out to be of a later time than the debates, since
 * these alone were restored, it begins by making them anew (rating_mend).
 */
#ifndef ARAGORA_OPS_RATER_H
#define ARAGORA_OPS_RATER_H

#include "store/ratings.h"

struct rater;

/* Told on the rater's thread of every match that was taken up, rated or not; it must not wait. */
typedef void rater_match_fn(void *ctx, const struct store_match *match);

/* Starts the thread. `told` may be NULL. */
MUST_CHECK enum status rater_start(struct store *store, rater_match_fn *told, void *ctx,
                                   struct rater **ret_rater, struct error *err);
/* What is due is still rated, for at most half a second; the thread ends. Before store_close. NULL
 * is fine. */
void rater_stop(struct rater *rater);
/* Why no debate is rated at the moment, as a sentence for operators that lives for ever; NULL =
 * rating goes well, or `rater` is NULL. Any thread. */
const char *rater_trouble(const struct rater *rater);

/* Everything anew from the logs, in one transaction, on this thread; nobody else writes. What
 * debates did whose logs are gone stays as the ratings had it. Blocks until all logs are read;
 * `progress` (may be NULL) is told now and then; when it answers false, all stays as it was:
 * STATUS_CANCELLED. */
struct rater_rebuilt {
  int64_t rated, unrated;
  int64_t kept; /* of both: taken over, as the log is gone */
};
typedef bool rater_progress_fn(void *ctx, const struct rater_rebuilt *so_far);
MUST_CHECK enum status rater_rebuild(struct store *store, rater_progress_fn *progress, void *ctx,
                                     struct rater_rebuilt *ret_rebuilt, struct error *err);

#endif
