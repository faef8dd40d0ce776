#include "ops/rating_list.h"

#include "ops/debate_row.h"
#include "rating/game.h"

#include <stdlib.h>

/* ---- from the store ---- */

static struct table_row *add(struct rating_list *list) {
  if (list->count == list->cap) {
    size_t cap = list->cap ? list->cap * 2 : 32;
    struct table_row *grown = realloc(list->rows, cap * sizeof *grown);
    if (!grown) return NULL;
    list->rows = grown;
    list->cap = cap;
  }
  list->rows[list->count] = (struct table_row){.elo_milli = ELO_START_MILLI, .updated_ms = -1};
  return &list->rows[list->count++];
}

static bool name_row(struct table_row *row, const char *provider, const char *model,
                     const char *agent) {
  row->provider = bytes_dup(bytes_of(provider));
  row->model = bytes_dup(bytes_of(model));
  row->agent = bytes_dup(bytes_of(agent));
  return row->provider && row->model && row->agent;
}

struct reading {
  struct rating_list *list;
  bool failed; /* memory */
};

static void take_standing(void *ctx, const struct store_standing *s) {
  struct reading *r = ctx;
  struct table_row *row = r->failed ? NULL : add(r->list);
  r->failed = !row || !name_row(row, s->who.provider, s->who.model, s->who.agent);
  if (r->failed) return;
  row->demo = s->who.demo;
  row->elo_milli = s->elo_milli;
  row->wins = s->wins;
  row->losses = s->losses;
  row->draws = s->draws;
  row->updated_ms = s->updated_ms;
}

static void take_total(void *ctx, const char *reason, int64_t debates, int64_t updated_ms) {
  struct reading *r = ctx;
  if (!*reason) {
    r->list->rated = debates;
    r->list->updated_ms = updated_ms;
    return;
  }
  r->list->unrated += debates;
  if (json_object_set_new(r->list->unrated_reasons, reason, json_integer(debates)))
    r->failed = true;
}

static struct table_row *find(struct rating_list *list, const struct rating_agent *agent) {
  for (size_t i = 0; i < list->count; i++)
    if (strcmp(list->rows[i].provider, agent->provider) == 0 &&
        strcmp(list->rows[i].model, agent->model) == 0)
      return &list->rows[i];
  return NULL;
}

static bool add_agent(struct rating_list *list, const struct rating_agent *agent) {
  struct table_row *row = find(list, agent);
  if (row) {
    row->current = true;
    return true;
  }
  if (!agent->available) return true;
  row = add(list);
  if (!row || !name_row(row, agent->provider, agent->model, agent->type)) return false;
  row->demo = agent->demo;
  row->current = true;
  return true;
}

enum status rating_list_read(struct store *store, const struct principal *who, const char *domain,
                             const struct rating_agent *agents, size_t agent_count,
                             struct rating_list *ret_list, struct error *err) {
  struct rating_list list = {.updated_ms = -1, .unrated_reasons = json_object()};
  struct reading r = {&list, !list.unrated_reasons};
  enum status s = store_read_standings(store, who, domain, SIZE_MAX >> 1, take_standing, &r, err);
  if (!s) s = store_read_match_totals(store, who, take_total, &r, err);
  for (size_t i = 0; !s && !r.failed && i < agent_count; i++)
    r.failed = !add_agent(&list, &agents[i]);
  if (!s && r.failed) s = error_set(err, STATUS_NOMEM, NULL, "out of memory");
  if (s) {
    rating_list_done(&list);
    return s;
  }
  table_rank(list.rows, list.count);
  *ret_list = list;
  return STATUS_OK;
}

void rating_list_done(struct rating_list *list) {
  for (size_t i = 0; i < list->count; i++) {
    free((char *)list->rows[i].provider);
    free((char *)list->rows[i].model);
    free((char *)list->rows[i].agent);
  }
  free(list->rows);
  json_decref(list->unrated_reasons);
  *list = (struct rating_list){0};
}

/* ---- as JSON ---- */

json_t *rating_points(int64_t milli) {
  return milli % 1000 ? json_real((double)milli / 1000) : json_integer(milli / 1000);
}

/* Of 0 games nobody knows. */
static json_t *win_rate(const struct table_row *row) {
  int64_t games = table_games(row), parts = games ? row->wins * 10000 / games : 0;
  return games ? json_real((double)parts / 10000) : json_null();
}

json_t *rating_list_row(const struct table_row *row) {
  json_int_t games = (json_int_t)table_games(row);
  return json_pack(
      "{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:o, s:I, s:I, s:b, s:s, s:b, s:o}",
      "agent_id", row->agent, "name", row->agent, "agent_name", row->agent, "provider",
      row->provider, "model", row->model, "elo", rating_points(row->elo_milli), "elo_rating",
      rating_points(row->elo_milli), "rank", (json_int_t)row->rank, "wins", (json_int_t)row->wins,
      "losses", (json_int_t)row->losses, "draws", (json_int_t)row->draws, "win_rate", win_rate(row),
      "games", games, "matches", games, "provisional", table_is_provisional(row), "league",
      game_league(row->demo), "current", row->current, "updated_at",
      json_time_or_null(row->updated_ms));
}

json_t *rating_list_body(const struct rating_list *list, const char *domain, const char *league,
                         size_t limit) {
  json_t *rows = json_array();
  size_t total = 0;
  bool failed = !rows;
  for (size_t i = 0; !failed && i < list->count; i++) {
    if (*league && strcmp(league, game_league(list->rows[i].demo)) != 0) continue;
    if (total++ < limit) failed = json_array_append_new(rows, rating_list_row(&list->rows[i])) != 0;
  }
  if (failed) {
    json_decref(rows);
    return NULL;
  }
  json_int_t count = (json_int_t)json_array_size(rows);
  return json_pack("{s:O, s:O, s:o, s:I, s:I, s:o, s:o, s:I, s:I, s:O}", "agents", rows, "rankings",
                   rows, "entries", rows, "count", count, "total", (json_int_t)total, "domain",
                   json_text_or_null(*domain ? domain : NULL), "updated_at",
                   json_time_or_null(list->updated_ms), "rated_debates", (json_int_t)list->rated,
                   "unrated_debates", (json_int_t)list->unrated, "unrated_reasons",
                   list->unrated_reasons);
}
