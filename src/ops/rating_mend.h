/* Ratings that are of another time than the debates: what to do at a start that finds such. */
#ifndef ARAGORA_OPS_RATING_MEND_H
#define ARAGORA_OPS_RATING_MEND_H

#include "ops/rater.h"

/* For the STATUS_CONFLICT of store_rated_through, with its reason. Copies the database of ratings
 * beside itself, as NAME.before-rebuild-20261130T142314Z, then makes them anew (rater_rebuild, to
 * which `progress` goes). Both are said in the log. Without room for the copy, and where no debate
 * has ended, which looks like a wrong path rather than like a restored file, nothing is changed:
 * the log says so, and what else can be done. STATUS_CANCELLED when `progress` ended it. On the
 * rater's thread; blocks until all logs are read. */
MUST_CHECK enum status rating_mend(struct store *store, const char *reason,
                                   rater_progress_fn *progress, void *ctx);

#endif
