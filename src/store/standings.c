/* Reads of the ratings: tables, one contender's, and how they came to be. */
#include "store/handle.h"
#include "store/ratings.h"

#define TENANT_VISIBLE "(?3 = 2 OR c.tenant_id = ?1)"
#define STANDING_COLUMNS \
  "c.provider, c.model, c.agent, c.demo, s.elo_milli, s.wins, s.losses, s.draws, s.updated_ms"

static struct store_standing standing_from_row(sqlite3_stmt *s) {
  return (struct store_standing){.who = {sqlite_text(s, 0), sqlite_text(s, 1), sqlite_text(s, 2),
                                         sqlite3_column_int(s, 3) != 0},
                                 .elo_milli = sqlite3_column_int64(s, 4),
                                 .wins = sqlite3_column_int64(s, 5),
                                 .losses = sqlite3_column_int64(s, 6),
                                 .draws = sqlite3_column_int64(s, 7),
                                 .updated_ms = sqlite3_column_int64(s, 8)};
}

/* The end of a walk: what ended it, and the statement is free again. */
static enum status finish(struct reader *reader, sqlite3_stmt *s, int rc, struct error *err) {
  enum status status = rc == SQLITE_DONE ? STATUS_OK : sqlite_error(reader->db, rc, err);
  sqlite3_reset(s);
  return status;
}

enum status store_read_standings(struct store *store, const struct principal *who,
                                 const char *domain, size_t limit, store_standing_fn *each,
                                 void *ctx, struct error *err) {
  struct reader *reader;
  sqlite3_stmt *s;
  int rc;
  enum status status = reader_take(store->elo_readers, &reader, err);
  if (status) return status;
  status = reader_prepare(reader, READER_STANDINGS,
                          "SELECT " STANDING_COLUMNS
                          " FROM standings s"
                          " JOIN contenders c ON c.id = s.contender"
                          " WHERE s.domain = ?4 AND " TENANT_VISIBLE
                          " ORDER BY s.elo_milli DESC, c.provider, c.model LIMIT ?5",
                          &s, err);
  if (!status) {
    principal_bind(s, who);
    sqlite3_bind_text(s, 4, domain, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 5, (int64_t)limit);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
      struct store_standing standing = standing_from_row(s);
      each(ctx, &standing);
    }
    status = finish(reader, s, rc, err);
  }
  reader_give(store->elo_readers, reader);
  return status;
}

enum status store_read_domains(struct store *store, const struct principal *who,
                               const struct store_contender *contender, store_domain_fn *each,
                               void *ctx, struct error *err) {
  struct reader *reader;
  sqlite3_stmt *s;
  int rc;
  enum status status = reader_take(store->elo_readers, &reader, err);
  if (status) return status;
  status = reader_prepare(reader, READER_DOMAINS,
                          "SELECT " STANDING_COLUMNS
                          ", s.domain FROM contenders c"
                          " JOIN standings s ON s.contender = c.id"
                          " WHERE c.provider = ?4 AND c.model = ?5 AND " TENANT_VISIBLE
                          " ORDER BY s.domain",
                          &s, err);
  if (!status) {
    principal_bind(s, who);
    sqlite3_bind_text(s, 4, contender->provider, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 5, contender->model, -1, SQLITE_STATIC);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
      struct store_standing standing = standing_from_row(s);
      each(ctx, sqlite_text(s, 9), &standing);
    }
    status = finish(reader, s, rc, err);
  }
  reader_give(store->elo_readers, reader);
  return status;
}

enum status store_find_contender(struct store *store, const struct principal *who,
                                 const char *agent, char **ret_provider, char **ret_model,
                                 bool *ret_demo, struct error *err) {
  struct reader *reader;
  sqlite3_stmt *s;
  enum status status = reader_take(store->elo_readers, &reader, err);
  if (status) return status;
  status = reader_prepare(reader, READER_CONTENDER,
                          "SELECT c.provider, c.model, c.demo FROM contenders c"
                          " JOIN standings s ON s.contender = c.id AND s.domain = ''"
                          " WHERE c.agent = ?4 AND " TENANT_VISIBLE
                          " ORDER BY s.updated_ms DESC, c.id DESC LIMIT 1",
                          &s, err);
  if (!status) {
    principal_bind(s, who);
    sqlite3_bind_text(s, 4, agent, -1, SQLITE_STATIC);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
      *ret_provider = bytes_dup(bytes_of(sqlite_text(s, 0)));
      *ret_model = bytes_dup(bytes_of(sqlite_text(s, 1)));
      *ret_demo = sqlite3_column_int(s, 2) != 0;
      if (!*ret_provider || !*ret_model)
        status = error_set(err, STATUS_NOMEM, NULL, "out of memory");
    } else {
      status = rc == SQLITE_DONE ? error_set(err, STATUS_NOT_FOUND, NULL, "no such agent")
                                 : sqlite_error(reader->db, rc, err);
    }
    sqlite3_reset(s);
  }
  reader_give(store->elo_readers, reader);
  return status;
}

enum status store_read_rating_history(struct store *store, const struct principal *who,
                                      const struct store_contender *contender, const char *domain,
                                      size_t limit, store_step_fn *each, void *ctx,
                                      struct error *err) {
  struct reader *reader;
  sqlite3_stmt *s;
  int rc;
  enum status status = reader_take(store->elo_readers, &reader, err);
  if (status) return status;
  status = reader_prepare(
      reader, READER_RATING_HISTORY,
      "SELECT m.debate_id, m.domain, p.elo_milli, p.change_milli, p.result, m.ended_ms"
      " FROM contenders c JOIN match_players p ON p.contender = c.id AND p.domain = ?6"
      " JOIN matches m ON m.number = p.match"
      " WHERE c.provider = ?4 AND c.model = ?5 AND (?3 = 2 OR (m.tenant_id = ?1 AND"
      " c.tenant_id = ?1 AND (?3 = 1 OR m.owner_id = ?2))) ORDER BY p.match DESC LIMIT ?7",
      &s, err);
  if (!status) {
    principal_bind(s, who);
    sqlite3_bind_text(s, 4, contender->provider, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 5, contender->model, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 6, domain, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 7, (int64_t)limit);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
      const struct store_rating_step step = {
          sqlite_text(s, 0),          sqlite_text(s, 1),        sqlite3_column_int64(s, 2),
          sqlite3_column_int64(s, 3), sqlite3_column_int(s, 4), sqlite3_column_int64(s, 5)};
      each(ctx, &step);
    }
    status = finish(reader, s, rc, err);
  }
  reader_give(store->elo_readers, reader);
  return status;
}
