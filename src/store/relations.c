/* Who met whom in rated debates. */
#include "store/handle.h"
#include "store/ratings.h"

static enum status walk(struct reader *reader, sqlite3_stmt *s, store_relation_fn *each, void *ctx,
                        struct error *err) {
  int rc;
  while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
    const struct store_relation relation = {
        .opponent = {sqlite_text(s, 0), sqlite_text(s, 1), sqlite_text(s, 2),
                     sqlite3_column_int(s, 3) != 0},
        .wins = sqlite3_column_int64(s, 4),
        .losses = sqlite3_column_int64(s, 5),
        .draws = sqlite3_column_int64(s, 6),
        .agreed = sqlite3_column_int64(s, 7),
        .debates = sqlite3_column_int64(s, 8),
        .updated_ms = sqlite3_column_int64(s, 9)};
    each(ctx, &relation);
  }
  enum status status = rc == SQLITE_DONE ? STATUS_OK : sqlite_error(reader->db, rc, err);
  sqlite3_reset(s);
  return status;
}

enum status store_read_relations(struct store *store, const struct principal *who,
                                 const struct store_contender *contender,
                                 const struct store_contender *opponent, store_relation_fn *each,
                                 void *ctx, struct error *err) {
  struct reader *reader;
  sqlite3_stmt *s;
  enum status status = reader_take(store->elo_readers, &reader, err);
  if (status) return status;
  status = reader_prepare(
      reader, READER_RELATIONS,
      "SELECT o.provider, o.model, o.agent, o.demo, h.wins, h.losses, h.draws, h.agreed, h.debates,"
      " h.updated_ms FROM contenders c JOIN head_to_head h ON h.contender = c.id"
      " JOIN contenders o ON o.id = h.opponent WHERE c.provider = ?4 AND c.model = ?5"
      " AND (?6 IS NULL OR (o.provider = ?6 AND o.model = ?7)) AND (?3 = 2 OR c.tenant_id = ?1)"
      " ORDER BY h.debates DESC, o.provider, o.model",
      &s, err);
  if (!status) {
    principal_bind(s, who);
    sqlite3_bind_text(s, 4, contender->provider, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 5, contender->model, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 6, opponent ? opponent->provider : NULL, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 7, opponent ? opponent->model : NULL, -1, SQLITE_STATIC);
    status = walk(reader, s, each, ctx, err);
  }
  reader_give(store->elo_readers, reader);
  return status;
}
