/* Matches into `aragora_elo.db`, whole or not at all. */
#include "store/handle.h"

struct taking {
  struct elo *elo;
  struct store_match *match;
  int64_t ids[STORE_PLAYERS_MAX]; /* the players' rows in contenders */
  struct error *err;
};

static const char *domain_of(const struct store_match *match, int track) {
  return track == STORE_OVERALL ? "" : match->domain;
}

/* The first column of the one row, or `fallback`. */
static enum status get_int(struct taking *t, sqlite3_stmt *s, int64_t fallback,
                           int64_t *ret_value) {
  int rc = sqlite3_step(s);
  *ret_value = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : fallback;
  sqlite3_reset(s);
  return rc == SQLITE_ROW || rc == SQLITE_DONE ? STATUS_OK : sqlite_error(t->elo->db, rc, t->err);
}

/* ---- the debate ---- */

static enum status check_order(struct taking *t) {
  sqlite3_stmt *s;
  int64_t last = 0;
  enum status status = elo_prepare(t->elo, ELO_THROUGH, &s, t->err);
  if (!status) status = get_int(t, s, 0, &last);
  if (status || last < t->match->number) return status;
  return error_set(t->err, STATUS_CONFLICT, NULL, "debate %lld is in the ratings already",
                   (long long)t->match->number);
}

static enum status put_row(struct taking *t) {
  sqlite3_stmt *s;
  const struct store_match *m = t->match;
  enum status status = elo_prepare(t->elo, ELO_INSERT_MATCH, &s, t->err);
  if (status) return status;
  sqlite3_bind_int64(s, 1, m->number);
  sqlite_bind_text(s, 2, m->debate_id);
  sqlite_bind_text(s, 3, m->tenant_id);
  sqlite_bind_text(s, 4, m->owner_id);
  sqlite_bind_text(s, 5, m->domain);
  sqlite_bind_text(s, 6, m->reason);
  sqlite3_bind_int64(s, 7, m->ended_ms);
  return elo_step(t->elo, s, t->err);
}

static enum status count_match(struct taking *t) {
  sqlite3_stmt *s;
  enum status status = elo_prepare(t->elo, ELO_COUNT_MATCH, &s, t->err);
  if (status) return status;
  sqlite_bind_text(s, 1, t->match->tenant_id);
  sqlite_bind_text(s, 2, t->match->reason);
  sqlite3_bind_int64(s, 3, t->match->ended_ms);
  return elo_step(t->elo, s, t->err);
}

/* ---- its players ---- */

static enum status insert_contender(struct taking *t, const struct store_contender *who,
                                    int64_t *ret_id) {
  sqlite3_stmt *s;
  enum status status = elo_prepare(t->elo, ELO_INSERT_CONTENDER, &s, t->err);
  if (status) return status;
  sqlite_bind_text(s, 1, t->match->tenant_id);
  sqlite_bind_text(s, 2, who->provider);
  sqlite_bind_text(s, 3, who->model);
  sqlite_bind_text(s, 4, who->agent);
  sqlite3_bind_int(s, 5, who->demo);
  status = elo_step(t->elo, s, t->err);
  if (!status) *ret_id = sqlite3_last_insert_rowid(t->elo->db);
  return status;
}

static enum status update_contender(struct taking *t, const struct store_contender *who,
                                    int64_t id) {
  sqlite3_stmt *s;
  enum status status = elo_prepare(t->elo, ELO_UPDATE_CONTENDER, &s, t->err);
  if (status) return status;
  sqlite3_bind_int64(s, 1, id);
  sqlite_bind_text(s, 2, who->agent);
  sqlite3_bind_int(s, 3, who->demo);
  return elo_step(t->elo, s, t->err);
}

static enum status find_contender(struct taking *t, int player) {
  const struct store_contender *who = &t->match->players[player].who;
  sqlite3_stmt *s;
  int64_t id;
  enum status status = elo_prepare(t->elo, ELO_FIND_CONTENDER, &s, t->err);
  if (status) return status;
  sqlite_bind_text(s, 1, t->match->tenant_id);
  sqlite_bind_text(s, 2, who->provider);
  sqlite_bind_text(s, 3, who->model);
  status = get_int(t, s, 0, &id);
  if (!status) status = id ? update_contender(t, who, id) : insert_contender(t, who, &id);
  if (!status) t->ids[player] = id;
  return status;
}

static enum status read_before(struct taking *t, int player) {
  struct store_player *p = &t->match->players[player];
  sqlite3_stmt *s;
  enum status status = elo_prepare(t->elo, ELO_READ_RATING, &s, t->err);
  for (int track = 0; !status && track < STORE_TRACKS; track++) {
    sqlite_bind_text(s, 1, domain_of(t->match, track));
    sqlite3_bind_int64(s, 2, t->ids[player]);
    status = get_int(t, s, STORE_ELO_START_MILLI, &p->before_milli[track]);
  }
  return status;
}

static enum status put_standing(struct taking *t, int player, int track) {
  const struct store_player *p = &t->match->players[player];
  sqlite3_stmt *s;
  enum status status = elo_prepare(t->elo, ELO_PUT_STANDING, &s, t->err);
  if (status) return status;
  sqlite_bind_text(s, 1, domain_of(t->match, track));
  sqlite3_bind_int64(s, 2, t->ids[player]);
  sqlite3_bind_int64(s, 3, p->before_milli[track] + p->change_milli[track]);
  sqlite3_bind_int(s, 4, p->result > 0);
  sqlite3_bind_int(s, 5, p->result < 0);
  sqlite3_bind_int(s, 6, p->result == 0);
  sqlite3_bind_int64(s, 7, t->match->ended_ms);
  return elo_step(t->elo, s, t->err);
}

static enum status put_step(struct taking *t, int player, int track) {
  const struct store_player *p = &t->match->players[player];
  sqlite3_stmt *s;
  enum status status = elo_prepare(t->elo, ELO_PUT_PLAYER, &s, t->err);
  if (status) return status;
  sqlite3_bind_int64(s, 1, t->ids[player]);
  sqlite_bind_text(s, 2, domain_of(t->match, track));
  sqlite3_bind_int64(s, 3, t->match->number);
  sqlite3_bind_int64(s, 4, p->before_milli[track] + p->change_milli[track]);
  sqlite3_bind_int64(s, 5, p->change_milli[track]);
  sqlite3_bind_int(s, 6, p->result);
  sqlite3_bind_int(s, 7, player);
  return elo_step(t->elo, s, t->err);
}

/* ---- who met whom ---- */

static enum status put_pair(struct taking *t, const struct store_pair *pair) {
  sqlite3_stmt *s;
  enum status status = elo_prepare(t->elo, ELO_PUT_PAIR, &s, t->err);
  if (status) return status;
  sqlite3_bind_int64(s, 1, t->match->number);
  sqlite3_bind_int64(s, 2, t->ids[pair->a]);
  sqlite3_bind_int64(s, 3, t->ids[pair->b]);
  sqlite3_bind_int64(s, 4, pair->won_a);
  sqlite3_bind_int64(s, 5, pair->won_b);
  sqlite3_bind_int(s, 6, pair->agreed);
  return elo_step(t->elo, s, t->err);
}

static enum status meet(struct taking *t, int64_t one, int64_t other, int64_t won, int64_t lost,
                        bool agreed) {
  sqlite3_stmt *s;
  bool compared = won || lost;
  enum status status = elo_prepare(t->elo, ELO_PUT_HEAD_TO_HEAD, &s, t->err);
  if (status) return status;
  sqlite3_bind_int64(s, 1, one);
  sqlite3_bind_int64(s, 2, other);
  sqlite3_bind_int(s, 3, won > lost);
  sqlite3_bind_int(s, 4, won < lost);
  sqlite3_bind_int(s, 5, compared && won == lost);
  sqlite3_bind_int(s, 6, agreed);
  sqlite3_bind_int64(s, 7, t->match->ended_ms);
  return elo_step(t->elo, s, t->err);
}

static enum status put_meeting(struct taking *t, const struct store_pair *pair) {
  int64_t a = t->ids[pair->a], b = t->ids[pair->b];
  enum status status = put_pair(t, pair);
  if (!status) status = meet(t, a, b, pair->won_a, pair->won_b, pair->agreed);
  return status ? status : meet(t, b, a, pair->won_b, pair->won_a, pair->agreed);
}

/* ---- all of it ---- */

static enum status put_players(struct taking *t, store_rate_fn *rate, void *ctx) {
  const struct store_match *m = t->match;
  enum status status = STATUS_OK;
  for (int p = 0; !status && p < m->player_count; p++) {
    status = find_contender(t, p);
    if (!status) status = read_before(t, p);
  }
  if (status || m->player_count == 0) return status;
  rate(ctx, t->match);
  for (int p = 0; !status && p < m->player_count; p++) {
    for (int track = 0; !status && track < STORE_TRACKS; track++) {
      status = put_standing(t, p, track);
      if (!status) status = put_step(t, p, track);
    }
  }
  for (int i = 0; !status && i < m->pair_count; i++) status = put_meeting(t, &m->pairs[i]);
  return status;
}

static enum status put(struct taking *t, store_rate_fn *rate, void *ctx) {
  enum status status = check_order(t);
  if (!status) status = put_row(t);
  if (!status) status = put_players(t, rate, ctx);
  return status ? status : count_match(t);
}

static enum status put_all(struct elo *elo, struct store_match *const matches[], size_t count,
                           store_rate_fn *rate, void *ctx, struct error *err) {
  enum status status = STATUS_OK;
  for (size_t i = 0; !status && i < count; i++) {
    struct taking t = {.elo = elo, .match = matches[i], .err = err};
    status = put(&t, rate, ctx);
  }
  return status;
}

static enum status put_alone(struct elo *elo, struct store_match *const matches[], size_t count,
                             store_rate_fn *rate, void *ctx, struct error *err) {
  struct error ignored;
  enum status status = elo_run(elo, ELO_BEGIN, err);
  if (status) return status;
  status = put_all(elo, matches, count, rate, ctx, err);
  if (!status) status = elo_run(elo, ELO_COMMIT, err);
  if (status && !sqlite3_get_autocommit(elo->db) && elo_run(elo, ELO_ROLLBACK, &ignored))
    return status;
  elo_checkpoint(elo);
  return status;
}

enum status store_put_matches(struct store *store, struct store_match *const matches[],
                              size_t count, store_rate_fn *rate, void *ctx, struct error *err) {
  struct elo *elo = &store->elo;
  pthread_mutex_lock(&store->elo_lock);
  enum status status = elo->rebuilding ? put_all(elo, matches, count, rate, ctx, err)
                                       : put_alone(elo, matches, count, rate, ctx, err);
  pthread_mutex_unlock(&store->elo_lock);
  return status;
}

enum status store_put_match(struct store *store, struct store_match *match, store_rate_fn *rate,
                            void *ctx, struct error *err) {
  return store_put_matches(store, &match, 1, rate, ctx, err);
}
