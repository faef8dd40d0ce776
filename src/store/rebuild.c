/* The ratings made anew, in one transaction. What debates did whose logs are gone is kept: their
 * matches are set aside first. */
#include "store/copy.h"
#include "store/handle.h"

#include <stdio.h>
#include <stdlib.h>

enum status store_copy_ratings(struct store *store, const char *suffix, char *path, size_t size,
                               struct error *err) {
  int64_t bytes;
  const char *name = sqlite3_db_filename(store->elo.db, "main");
  int n = snprintf(path, size, "%s.%s", name, suffix);
  if (n < 0 || (size_t)n >= size)
    return error_set(err, STATUS_TOO_LARGE, NULL, "%s: the name is too long", name);
  pthread_mutex_lock(&store->elo_lock);
  enum status status = copy_make(store->elo.db, path, &bytes, err);
  pthread_mutex_unlock(&store->elo_lock);
  return status;
}

static const char set_aside[] =
    "CREATE TEMP TABLE old_matches AS SELECT * FROM main.matches;"
    "CREATE UNIQUE INDEX temp.old_matches_key ON old_matches (number);"
    "CREATE TEMP TABLE old_contenders AS SELECT * FROM main.contenders;"
    "CREATE UNIQUE INDEX temp.old_contenders_key ON old_contenders (id);"
    "CREATE TEMP TABLE old_players AS SELECT match, contender, result, place"
    " FROM main.match_players WHERE domain = '';"
    "CREATE INDEX temp.old_players_key ON old_players (match, place);"
    "CREATE TEMP TABLE old_pairs AS SELECT * FROM main.match_pairs ORDER BY match, a, b;"
    "CREATE INDEX temp.old_pairs_key ON old_pairs (match);"
    "DELETE FROM main.match_totals; DELETE FROM main.head_to_head; DELETE FROM main.match_pairs;"
    "DELETE FROM main.match_players; DELETE FROM main.matches; DELETE FROM main.standings;"
    "DELETE FROM main.contenders";

static const char clear_away[] =
    "DROP TABLE IF EXISTS temp.old_matches;"
    "DROP TABLE IF EXISTS temp.old_contenders;"
    "DROP TABLE IF EXISTS temp.old_players;"
    "DROP TABLE IF EXISTS temp.old_pairs";

enum status store_rebuild_begin(struct store *store, struct error *err) {
  struct elo *elo = &store->elo;
  struct error ignored;
  pthread_mutex_lock(&store->elo_lock);
  /* Of many debates it is more than belongs into memory. */
  enum status status = sqlite_run(elo->db, "PRAGMA temp_store = FILE", err);
  if (!status) status = elo_run(elo, ELO_BEGIN, err);
  if (!status) {
    status = sqlite_run(elo->db, set_aside, err);
    elo->rebuilding = !status;
    if (status && elo_run(elo, ELO_ROLLBACK, &ignored)) elo->rebuilding = false;
  }
  pthread_mutex_unlock(&store->elo_lock);
  return status;
}

/* ---- a match that was set aside ---- */

/* Texts of a row, one after the other in a block that the match borrows. */
struct keeping {
  struct buffer out;
  size_t at[5 + 3 * STORE_PLAYERS_MAX];
  size_t count;
};

static void keep(struct keeping *k, sqlite3_stmt *s, int column) {
  const char *text = (const char *)sqlite3_column_text(s, column);
  k->at[k->count++] = k->out.len;
  buffer_append_text(&k->out, text ? text : "");
  buffer_append_char(&k->out, '\0');
}

static enum status look_match(struct elo *elo, int64_t number, const char *debate_id,
                              struct keeping *k, struct store_match *match, struct error *err) {
  sqlite3_stmt *s;
  enum status status = elo_prepare(elo, ELO_OLD_MATCH, &s, err);
  if (status) return status;
  sqlite3_bind_int64(s, 1, number);
  sqlite3_bind_text(s, 2, debate_id, -1, SQLITE_STATIC);
  int rc = sqlite3_step(s);
  if (rc == SQLITE_ROW) {
    for (int column = 0; column < 4; column++) keep(k, s, column);
    match->ended_ms = sqlite3_column_int64(s, 4);
  } else {
    status = rc == SQLITE_DONE ? STATUS_NOT_FOUND : sqlite_error(elo->db, rc, err);
  }
  sqlite3_reset(s);
  return status;
}

static enum status look_players(struct elo *elo, struct keeping *k, struct store_match *match,
                                int64_t ids[], struct error *err) {
  sqlite3_stmt *s;
  int rc = SQLITE_DONE;
  enum status status = elo_prepare(elo, ELO_OLD_PLAYERS, &s, err);
  if (status) return status;
  sqlite3_bind_int64(s, 1, match->number);
  while (match->player_count < STORE_PLAYERS_MAX && (rc = sqlite3_step(s)) == SQLITE_ROW) {
    struct store_player *p = &match->players[match->player_count];
    ids[match->player_count++] = sqlite3_column_int64(s, 0);
    for (int column = 1; column <= 3; column++) keep(k, s, column);
    p->who.demo = sqlite3_column_int(s, 4) != 0;
    p->result = sqlite3_column_int(s, 5);
  }
  if (rc != SQLITE_DONE && rc != SQLITE_ROW) status = sqlite_error(elo->db, rc, err);
  sqlite3_reset(s);
  return status;
}

static int index_of(const int64_t ids[], int count, int64_t id) {
  int i = 0;
  while (i < count && ids[i] != id) i++;
  return i;
}

static enum status look_pairs(struct elo *elo, struct store_match *match, const int64_t ids[],
                              struct error *err) {
  sqlite3_stmt *s;
  int rc = SQLITE_DONE;
  enum status status = elo_prepare(elo, ELO_OLD_PAIRS, &s, err);
  if (status) return status;
  sqlite3_bind_int64(s, 1, match->number);
  while (match->pair_count < STORE_PAIRS_MAX && (rc = sqlite3_step(s)) == SQLITE_ROW) {
    struct store_pair *pair = &match->pairs[match->pair_count++];
    pair->a = index_of(ids, match->player_count, sqlite3_column_int64(s, 0));
    pair->b = index_of(ids, match->player_count, sqlite3_column_int64(s, 1));
    pair->won_a = sqlite3_column_int64(s, 2);
    pair->won_b = sqlite3_column_int64(s, 3);
    pair->agreed = sqlite3_column_int(s, 4) != 0;
    if (pair->a == match->player_count || pair->b == match->player_count)
      status = error_set(err, STATUS_CORRUPT, NULL, "a pair of match %lld names no player of it",
                         (long long)match->number);
  }
  if (rc != SQLITE_DONE && rc != SQLITE_ROW) status = sqlite_error(elo->db, rc, err);
  sqlite3_reset(s);
  return status;
}

/* The block has stopped moving. */
static void point(const struct keeping *k, const char *texts, struct store_match *match) {
  match->tenant_id = texts + k->at[0];
  match->owner_id = texts + k->at[1];
  match->domain = texts + k->at[2];
  match->reason = texts + k->at[3];
  for (int p = 0; p < match->player_count; p++) {
    struct store_contender *who = &match->players[p].who;
    const size_t *at = &k->at[4 + 3 * p];
    who->provider = texts + at[0];
    who->model = texts + at[1];
    who->agent = texts + at[2];
  }
}

enum status store_rebuild_look(struct store *store, int64_t number, const char *debate_id,
                               struct store_match *ret_match, struct error *err) {
  struct elo *elo = &store->elo;
  struct store_match match = {.number = number, .debate_id = debate_id};
  struct keeping k = {.count = 0};
  int64_t ids[STORE_PLAYERS_MAX];
  buffer_init(&k.out, 1 << 20);
  pthread_mutex_lock(&store->elo_lock);
  enum status status = look_match(elo, number, debate_id, &k, &match, err);
  if (!status) status = look_players(elo, &k, &match, ids, err);
  if (!status) status = look_pairs(elo, &match, ids, err);
  if (!status && k.out.overflow) status = error_set(err, STATUS_NOMEM, NULL, "out of memory");
  if (status) {
    buffer_done(&k.out);
  } else {
    free(elo->texts);
    elo->texts = buffer_steal(&k.out);
    point(&k, elo->texts, &match);
    *ret_match = match;
  }
  pthread_mutex_unlock(&store->elo_lock);
  return status;
}

enum status store_rebuild_end(struct store *store, bool commit, struct error *err) {
  static const enum elo_statement made_for_it[] = {ELO_OLD_MATCH, ELO_OLD_PLAYERS, ELO_OLD_PAIRS};
  struct elo *elo = &store->elo;
  struct error ignored;
  pthread_mutex_lock(&store->elo_lock);
  for (size_t i = 0; i < sizeof made_for_it / sizeof *made_for_it; i++) {
    sqlite3_finalize(elo->statements[made_for_it[i]]);
    elo->statements[made_for_it[i]] = NULL;
  }
  enum status status = commit ? sqlite_run(elo->db, clear_away, err) : STATUS_OK;
  if (!status) status = elo_run(elo, commit ? ELO_COMMIT : ELO_ROLLBACK, err);
  if (status && !sqlite3_get_autocommit(elo->db) && elo_run(elo, ELO_ROLLBACK, &ignored))
    status = ignored.status;
  elo->rebuilding = false;
  elo_checkpoint(elo);
  pthread_mutex_unlock(&store->elo_lock);
  return status;
}
