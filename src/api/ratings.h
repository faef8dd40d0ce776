/* The leaderboard's answer, made on the pool when a rating has changed and shared by all who ask;
 * and what subscribers of a debate are told of its ratings. Any thread. */
#ifndef ARAGORA_API_RATINGS_H
#define ARAGORA_API_RATINGS_H

#include "api/state.h"
#include "ops/rating_list.h"

struct leaderboard_page;

struct leaderboard_page *leaderboard_page_create(void); /* NULL when memory is short */
void leaderboard_page_destroy(struct leaderboard_page *page);
/* The next who asks gets a new one. */
void leaderboard_page_expire(struct leaderboard_page *page);

/* The table, with the agents as they are now. */
MUST_CHECK enum status ratings_list(struct api *api, const struct principal *who,
                                    const char *domain, struct rating_list *ret_list,
                                    struct error *err);

#endif
