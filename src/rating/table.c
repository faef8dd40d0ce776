#include "rating/table.h"

#include "rating/game.h"

#include <stdlib.h>
#include <string.h>

int64_t table_games(const struct table_row *row) {
  return row->wins + row->losses + row->draws;
}

bool table_is_provisional(const struct table_row *row) {
  return table_games(row) < GAME_PROVISIONAL;
}

static int compare_numbers(int64_t a, int64_t b) {
  return (a > b) - (a < b);
}

static int compare(const void *one, const void *other) {
  const struct table_row *a = one, *b = other;
  int order = compare_numbers(a->demo, b->demo);
  if (!order) order = compare_numbers(b->elo_milli, a->elo_milli);
  if (!order) order = compare_numbers(table_games(b), table_games(a));
  if (!order) order = strcmp(a->agent, b->agent);
  if (!order) order = strcmp(a->provider, b->provider);
  return order ? order : strcmp(a->model, b->model);
}

void table_rank(struct table_row *rows, size_t count) {
  size_t league = 0; /* its first row */
  if (count > 1) qsort(rows, count, sizeof *rows, compare);
  for (size_t i = 0; i < count; i++) {
    if (rows[i].demo != rows[league].demo) league = i;
    bool shared = i > league && rows[i].elo_milli == rows[i - 1].elo_milli;
    rows[i].rank = shared ? rows[i - 1].rank : (int64_t)(i - league) + 1;
  }
}
