#include "store/deletion.h"

#include "store/handle.h"

/* Rare, so that no statement is kept. ?1 to ?3 are the principal's, ?4 the debate's id. */
static const char *const steps[] = {
    "INSERT INTO tombstones (debate_id, tenant_id, owner_id, status, created_ms, deleted_ms,"
    " deleted_by, reason) SELECT id, tenant_id, owner_id,"
    " CASE WHEN status IN ('pending', 'running') THEN 'failed' ELSE status END,"
    " created_ms, ?5, ?6, ?7"
    " FROM debates WHERE id = ?4 AND (?8 OR status NOT IN ('pending', 'running'))"
    " AND " VISIBLE_TO_PRINCIPAL,
    "INSERT INTO tombstone_events (debate_id, seq, type, ts_ms, round, agent, digest, hash)"
    " SELECT ?4, seq, type, ts_ms, round, agent, digest, hash FROM events"
    " WHERE debate = (SELECT num FROM debates WHERE id = ?4)",
    "DELETE FROM events WHERE debate = (SELECT num FROM debates WHERE id = ?4)",
    "DELETE FROM debates WHERE id = ?4",
    "DELETE FROM lineage WHERE debate_id = ?4",
    "DELETE FROM shares WHERE debate_id = ?4",
    /* The digest of the request could confirm a guess at its words. The key itself stays as long as
     * it counts: who repeats the request must not start a debate anew. */
    "UPDATE idempotency_keys SET digest = x'' WHERE debate_id = ?4",
};

static int run(sqlite3 *db, const char *sql, const struct deletion *d) {
  sqlite3_stmt *s;
  int rc = sqlite3_prepare_v2(db, sql, -1, &s, NULL);
  if (rc != SQLITE_OK) return rc;
  /* Not every statement has every parameter: what it lacks is not bound. */
  principal_bind(s, &d->who);
  sqlite3_bind_text(s, 4, d->what.debate_id, -1, SQLITE_STATIC);
  sqlite3_bind_int64(s, 5, d->what.deleted_ms);
  sqlite3_bind_text(s, 6, d->what.deleted_by, -1, SQLITE_STATIC);
  sqlite3_bind_text(s, 7, d->what.reason, -1, SQLITE_STATIC);
  sqlite3_bind_int(s, 8, d->what.abandoned);
  rc = sqlite3_step(s);
  sqlite3_finalize(s);
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int deletion_write(sqlite3 *db, const struct deletion *deletion) {
  int rc = run(db, steps[0], deletion);
  if (rc == SQLITE_OK && sqlite3_changes(db) == 0) return SQLITE_CONSTRAINT;
  for (size_t i = 1; rc == SQLITE_OK && i < sizeof steps / sizeof *steps; i++)
    rc = run(db, steps[i], deletion);
  return rc;
}

enum status store_delete_debate(struct store *store, const struct principal *who,
                                const struct store_deletion *what, store_done_fn *done, void *ctx) {
  struct deletion deletion = {*who, *what};
  struct batch *batch;
  deletion.what.audit = NULL; /* the batch has a copy */
  enum status status = batch_make_deletion(&deletion, &batch);
  return status ? status : store_queue(store, batch, what->audit, done, ctx);
}
