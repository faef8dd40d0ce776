/* The table of ratings as it is shown: everybody who was rated, and the agents that can be asked
 * and were not yet, at the start. Also as JSON, under the names that clients read. Blocks. */
#ifndef ARAGORA_OPS_RATING_LIST_H
#define ARAGORA_OPS_RATING_LIST_H

#include "base/json.h"
#include "rating/table.h"
#include "store/ratings.h"

struct rating_list {
  struct table_row *rows; /* ranked */
  size_t count, cap;
  int64_t rated, unrated; /* debates */
  int64_t updated_ms;     /* when the last rated debate ended; -1 = none */
  json_t *unrated_reasons;
};

/* An agent of the caller's table that may be asked. */
struct rating_agent {
  const char *type, *provider, *model;
  bool demo, available;
};

/* All that were rated: as many as the operator's tables of agents have named so far. `agents` say
 * which rows are current, and whom to list without games; they are borrowed by the list. `domain`
 * "" = overall. */
MUST_CHECK enum status rating_list_read(struct store *store, const struct principal *who,
                                        const char *domain, const struct rating_agent *agents,
                                        size_t agent_count, struct rating_list *ret_list,
                                        struct error *err);
void rating_list_done(struct rating_list *list);

/* One row, with a win_rate that is null before the first game; NULL when memory is short, as in all
 * that follow. */
json_t *rating_list_row(const struct table_row *row);
/* {"agents", "rankings", "entries": rows, "count", "total", "updated_at", ...}: at most `limit`
 * rows, of `league` ("" = both). */
json_t *rating_list_body(const struct rating_list *list, const char *domain, const char *league,
                         size_t limit);

/* Thousandths as points. */
json_t *rating_points(int64_t milli);

#endif
