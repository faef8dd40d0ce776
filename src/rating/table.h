/* A table of ratings: its order and its ranks. Pure; any thread. */
#ifndef ARAGORA_RATING_TABLE_H
#define ARAGORA_RATING_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table_row {
  const char *provider, *model; /* borrowed */
  const char *agent;            /* the type that is shown */
  bool demo;                    /* of the demo league */
  bool current;                 /* the agent has this model now */
  int64_t elo_milli;
  int64_t wins, losses, draws;
  int64_t updated_ms; /* -1 = no game yet */
  int64_t rank;       /* within the league, from 1; equal ratings share one */
};

int64_t table_games(const struct table_row *row);
/* Too few games for the rating to say much. */
bool table_is_provisional(const struct table_row *row);

/* The standard league, then the demo league, each best first; equal ratings by games, then by name.
 * Sets the ranks. */
void table_rank(struct table_row *rows, size_t count);

#endif
