/* Rated debates, and how many were not. */
#include "store/handle.h"
#include "store/ratings.h"

#include <stdlib.h>

/* The players of the overall track, with texts that live until the statement is reset. */
static enum status read_players(struct reader *reader, struct store_match *match,
                                store_match_fn *each, void *ctx, struct error *err) {
  char *texts[3 * STORE_PLAYERS_MAX];
  int count = 0, rc = SQLITE_DONE;
  sqlite3_stmt *s;
  enum status status = reader_prepare(
      reader, READER_MATCH_PLAYERS,
      "SELECT c.provider, c.model, c.agent, c.demo, p.elo_milli, p.change_milli, p.result"
      " FROM match_players p JOIN contenders c ON c.id = p.contender"
      " WHERE p.match = ?1 AND p.domain = '' ORDER BY p.place",
      &s, err);
  if (status) return status;
  sqlite3_bind_int64(s, 1, match->number);
  while (match->player_count < STORE_PLAYERS_MAX && (rc = sqlite3_step(s)) == SQLITE_ROW) {
    struct store_player *p = &match->players[match->player_count++];
    for (int column = 0; column < 3; column++)
      texts[count++] = bytes_dup(bytes_of(sqlite_text(s, column)));
    p->who = (struct store_contender){texts[count - 3], texts[count - 2], texts[count - 1],
                                      sqlite3_column_int(s, 3) != 0};
    p->change_milli[STORE_OVERALL] = sqlite3_column_int64(s, 5);
    p->before_milli[STORE_OVERALL] = sqlite3_column_int64(s, 4) - p->change_milli[STORE_OVERALL];
    p->result = sqlite3_column_int(s, 6);
  }
  if (rc != SQLITE_DONE && rc != SQLITE_ROW) status = sqlite_error(reader->db, rc, err);
  sqlite3_reset(s);
  for (int i = 0; !status && i < count; i++)
    if (!texts[i]) status = error_set(err, STATUS_NOMEM, NULL, "out of memory");
  if (!status) each(ctx, match);
  for (int i = 0; i < count; i++) free(texts[i]);
  return status;
}

static enum status walk(struct reader *reader, sqlite3_stmt *s, store_match_fn *each, void *ctx,
                        struct error *err) {
  enum status status = STATUS_OK;
  int rc = SQLITE_DONE;
  while (!status && (rc = sqlite3_step(s)) == SQLITE_ROW) {
    struct store_match match = {.number = sqlite3_column_int64(s, 0),
                                .debate_id = sqlite_text(s, 1),
                                .tenant_id = sqlite_text(s, 2),
                                .owner_id = sqlite_text(s, 3),
                                .domain = sqlite_text(s, 4),
                                .reason = "",
                                .ended_ms = sqlite3_column_int64(s, 5)};
    status = read_players(reader, &match, each, ctx, err);
  }
  if (!status && rc != SQLITE_DONE) status = sqlite_error(reader->db, rc, err);
  sqlite3_reset(s);
  return status;
}

enum status store_read_matches(struct store *store, const struct principal *who, size_t limit,
                               store_match_fn *each, void *ctx, struct error *err) {
  struct reader *reader;
  sqlite3_stmt *s;
  enum status status = reader_take(store->elo_readers, &reader, err);
  if (status) return status;
  status = reader_prepare(reader, READER_MATCHES,
                          "SELECT number, debate_id, tenant_id, owner_id, domain, ended_ms"
                          " FROM matches WHERE reason = '' AND " VISIBLE_TO_PRINCIPAL
                          " ORDER BY number DESC LIMIT ?4",
                          &s, err);
  if (!status) {
    principal_bind(s, who);
    sqlite3_bind_int64(s, 4, (int64_t)limit);
    status = walk(reader, s, each, ctx, err);
  }
  reader_give(store->elo_readers, reader);
  return status;
}

enum status store_read_match_totals(struct store *store, const struct principal *who,
                                    store_total_fn *each, void *ctx, struct error *err) {
  struct reader *reader;
  sqlite3_stmt *s;
  int rc;
  enum status status = reader_take(store->elo_readers, &reader, err);
  if (status) return status;
  status = reader_prepare(reader, READER_MATCH_TOTALS,
                          "SELECT reason, sum(debates), max(updated_ms) FROM match_totals"
                          " WHERE (?3 = 2 OR tenant_id = ?1) GROUP BY reason ORDER BY reason",
                          &s, err);
  if (!status) {
    principal_bind(s, who);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW)
      each(ctx, sqlite_text(s, 0), sqlite3_column_int64(s, 1), sqlite3_column_int64(s, 2));
    if (rc != SQLITE_DONE) status = sqlite_error(reader->db, rc, err);
    sqlite3_reset(s);
  }
  reader_give(store->elo_readers, reader);
  return status;
}
