#include "store/commit.h"

enum { EVENT_COLUMNS = 10, EXPIRED_KEYS_AT_ONCE = 8 };

static const char *const commit_sql[COMMIT_STATEMENTS] = {
    [COMMIT_BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT_END] = "COMMIT",
    [COMMIT_ROLLBACK] = "ROLLBACK",
    [COMMIT_SAVE] = "SAVEPOINT batch",
    [COMMIT_KEEP] = "RELEASE batch",
    [COMMIT_UNDO] = "ROLLBACK TO batch",
    [COMMIT_NUMBER] = "UPDATE commits SET number = number + 1 WHERE id = 1",
    [COMMIT_FIND] =
        "SELECT num, (SELECT max(seq) FROM events WHERE debate = num)"
        " FROM debates WHERE id = ?1",
    /* A slug that is taken gets the whole id at its end: ?4 and ?5. */
    [COMMIT_INSERT_DEBATE] =
        "INSERT INTO debates (id, slug, tenant_id, owner_id, status, outcome, consensus,"
        " created_ms, completed_ms, duration_ms, rounds_used, confidence_ppm, cost_usd_micro,"
        " consensus_reached, degraded, demo, agents, task, metadata, key_id)"
        " VALUES (?2, ?3 || ?4 || ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,"
        " ?19, ?21, ?22, ?23, ?24) ON CONFLICT (slug) DO NOTHING",
    [COMMIT_UPDATE_DEBATE] =
        "UPDATE debates SET status = ?8, outcome = ?9, completed_ms = ?12, duration_ms = ?13,"
        " rounds_used = ?14, confidence_ppm = ?15, cost_usd_micro = ?16, consensus_reached = ?17,"
        " degraded = ?18 WHERE num = ?1",
#define INTO_EVENTS \
  "INTO events (debate, seq, type, ts_ms, round, agent, salt, digest, hash, data) VALUES "
#define ONE_EVENT   "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
#define FOUR_EVENTS ONE_EVENT "," ONE_EVENT "," ONE_EVENT "," ONE_EVENT
    [COMMIT_INSERT_EVENT] = "INSERT " INTO_EVENTS ONE_EVENT,
    /* OR ROLLBACK: taking back half a statement would need a copy of every page it touches. */
    [COMMIT_INSERT_EVENTS] = "INSERT OR ROLLBACK " INTO_EVENTS FOUR_EVENTS "," FOUR_EVENTS,
    [COMMIT_UPDATE_BREAKER] =
        "UPDATE circuit_breakers SET state = ?2, failures = ?3, cooldown_ms = ?4, opened_ms = ?5,"
        " cooling_until_ms = ?6, last_failure_ms = ?7, last_success_ms = ?8, misconfigured = ?9,"
        " changed_in = (SELECT number FROM commits) WHERE name = ?1",
    [COMMIT_INSERT_BREAKER] =
        "INSERT INTO circuit_breakers (name, state, failures, cooldown_ms, opened_ms,"
        " cooling_until_ms, last_failure_ms, last_success_ms, misconfigured, changed_in)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, (SELECT number FROM commits))",
    [COMMIT_TRIM_BREAKERS] =
        "DELETE FROM circuit_breakers WHERE name IN (SELECT name FROM circuit_breakers"
        " ORDER BY changed_in DESC, name LIMIT -1 OFFSET ?1)",
    /* A key that has expired is free again. */
    [COMMIT_INSERT_KEY] =
        "INSERT INTO idempotency_keys (tenant_id, owner_id, key, digest, debate_id, created_ms)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (tenant_id, owner_id, key) DO UPDATE SET"
        " digest = excluded.digest, debate_id = excluded.debate_id,"
        " created_ms = excluded.created_ms WHERE created_ms < ?7",
    /* More than one start adds, so that those that piled up go too. */
    [COMMIT_TRIM_KEYS] =
        "DELETE FROM idempotency_keys WHERE (tenant_id, owner_id, key) IN"
        " (SELECT tenant_id, owner_id, key FROM idempotency_keys WHERE created_ms < ?1"
        " ORDER BY created_ms LIMIT ?2)",
    [COMMIT_INSERT_LINEAGE] =
        "INSERT INTO lineage (debate_id, parent_id, branch_point) VALUES (?1, ?2, ?3)",
    /* What was asked for is in the debate's log from here on. */
    [COMMIT_START_ITEM] =
        "UPDATE batch_items SET debate_id = ?1, request = '' WHERE batch_id = ?2 AND item = ?3"
        " AND debate_id IS NULL AND error IS NULL"
        " AND (SELECT cancelled_ms FROM batches WHERE id = ?2) IS NULL",
    [COMMIT_DROP_TRACE] = "DELETE FROM traces_due WHERE debate_id = ?1 AND changed_in = ?2",
};

static int on_wal(void *ctx, sqlite3 *db, const char *name, int pages) {
  struct commit *commit = ctx;
  commit->wal_pages = pages;
  return SQLITE_OK;
}

enum status commit_init(struct commit *commit, sqlite3 *db,
                        const struct store_archive_options *archive, int64_t audit_rows_max,
                        struct error *err) {
  *commit = (struct commit){.db = db};
  audit_writer_init(&commit->audit, db, audit_rows_max);
  sqlite3_wal_hook(db, on_wal, commit);
  enum status archived = archive ? archive_start(archive, db, &commit->archive, err) : STATUS_OK;
  if (archived) {
    commit_done(commit);
    return archived;
  }
  if (known_init(&commit->known)) {
    commit_done(commit);
    return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  }
  enum status more = bookings_init(&commit->bookings, db, err);
  if (!more) more = quota_init(&commit->quota, db, err);
  if (more) {
    commit_done(commit);
    return more;
  }
  for (int i = 0; i < COMMIT_STATEMENTS; i++) {
    enum status status = sqlite_prepare(db, commit_sql[i], &commit->statements[i], err);
    if (status) {
      commit_done(commit);
      return status;
    }
  }
  return STATUS_OK;
}

/* Runs a statement that gives no rows; 0 or an error code. */
static int step(sqlite3_stmt *statement) {
  int rc = sqlite3_step(statement);
  sqlite3_reset(statement);
  return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static int run(struct commit *commit, enum commit_statement which) {
  return step(commit->statements[which]);
}

/* The parameters that an insert and an update share. */
static void bind_progress(sqlite3_stmt *s, const struct store_debate *row) {
  sqlite_bind_text(s, 8, row->status);
  sqlite_bind_text(s, 9, row->outcome);
  sqlite_bind_known(s, 12, row->completed_ms);
  sqlite_bind_known(s, 13, row->duration_ms);
  sqlite3_bind_int64(s, 14, row->rounds_used);
  sqlite_bind_known(s, 15, row->confidence_ppm);
  sqlite_bind_known(s, 16, row->cost_usd_micro);
  sqlite3_bind_int(s, 17, row->consensus_reached);
  sqlite3_bind_int(s, 18, row->degraded);
}

static bool ends_with_its_start(const struct batch *batch) {
  return batch->change == STORE_ROW_INSERT && batch->row.completed_ms >= 0;
}

/* One that ends with its start, as a fork may that has nobody to ask, is inserted as running and
 * ended by the update that follows: whoever wants to know of ends watches updates (triggers). */
static int insert_debate(struct commit *commit, const struct batch *batch, int64_t *ret_num) {
  sqlite3_stmt *s = commit->statements[COMMIT_INSERT_DEBATE];
  const struct store_debate *row = &batch->row;
  bind_progress(s, row);
  if (ends_with_its_start(batch)) sqlite_bind_text(s, 8, "running");
  sqlite_bind_text(s, 2, batch->debate_id);
  sqlite_bind_text(s, 3, row->slug);
  sqlite_bind_text(s, 4, "");
  sqlite_bind_text(s, 5, "");
  sqlite_bind_text(s, 6, row->tenant_id ? row->tenant_id : "local");
  sqlite_bind_text(s, 7, row->owner_id ? row->owner_id : "local");
  sqlite_bind_text(s, 10, row->consensus);
  sqlite3_bind_int64(s, 11, row->created_ms);
  sqlite3_bind_int(s, 19, row->demo);
  sqlite_bind_text(s, 21, row->agents ? row->agents : "[]");
  sqlite_bind_text(s, 22, row->task);
  sqlite_bind_text(s, 23, row->metadata);
  sqlite_bind_text(s, 24, row->key_id);
  int rc = step(s);
  if (rc == SQLITE_OK && sqlite3_changes(commit->db) == 0) {
    sqlite_bind_text(s, 4, "-");
    sqlite_bind_text(s, 5, batch->debate_id);
    rc = step(s);
    if (rc == SQLITE_OK && sqlite3_changes(commit->db) == 0) rc = SQLITE_CONSTRAINT;
  }
  if (rc == SQLITE_OK) *ret_num = sqlite3_last_insert_rowid(commit->db);
  return rc;
}

static int update_debate(struct commit *commit, const struct batch *batch, int64_t num) {
  sqlite3_stmt *s = commit->statements[COMMIT_UPDATE_DEBATE];
  bind_progress(s, &batch->row);
  sqlite3_bind_int64(s, 1, num);
  return step(s);
}

static int look_up(struct commit *commit, const char *id, struct known_debate *ret_debate) {
  sqlite3_stmt *s = commit->statements[COMMIT_FIND];
  sqlite_bind_text(s, 1, id);
  int rc = sqlite3_step(s);
  if (rc == SQLITE_ROW) {
    ret_debate->num = sqlite3_column_int64(s, 0);
    ret_debate->last_seq = (uint64_t)sqlite3_column_int64(s, 1);
  }
  sqlite3_reset(s);
  if (rc == SQLITE_ROW) return SQLITE_OK;
  return rc == SQLITE_DONE ? SQLITE_CONSTRAINT : rc;
}

static int find_debate(struct commit *commit, const struct batch *batch,
                       struct known_debate *debate) {
  if (batch->change == STORE_ROW_INSERT) {
    debate->last_seq = 0;
    return insert_debate(commit, batch, &debate->num);
  }
  return debate->num ? SQLITE_OK : look_up(commit, batch->debate_id, debate);
}

static void bind_event(sqlite3_stmt *s, int at, int64_t num, const struct store_event *e) {
  bool kept = e->data.ptr != NULL;
  sqlite3_bind_int64(s, at + 1, num);
  sqlite3_bind_int64(s, at + 2, (int64_t)e->seq);
  sqlite_bind_text(s, at + 3, e->type);
  sqlite3_bind_int64(s, at + 4, e->ts_ms);
  sqlite_bind_known(s, at + 5, e->round);
  sqlite_bind_text(s, at + 6, e->agent);
  sqlite3_bind_blob(s, at + 7, kept ? e->salt : NULL, sizeof e->salt, SQLITE_STATIC);
  sqlite3_bind_blob(s, at + 8, e->digest, sizeof e->digest, SQLITE_STATIC);
  sqlite3_bind_blob(s, at + 9, e->hash, sizeof e->hash, SQLITE_STATIC);
  sqlite3_bind_text64(s, at + 10, e->data.ptr, e->data.len, SQLITE_STATIC, SQLITE_UTF8);
}

static struct bytes bytes_of_hash(const uint8_t hash[32]) {
  return (struct bytes){(const char *)hash, 32};
}

/* What bind_event binds, for the archive. */
static void describe_event(struct changes_table *t, int64_t num, const struct store_event *e) {
  changes_put_insert(t);
  changes_put_int(t, num);
  changes_put_int(t, (int64_t)e->seq);
  changes_put_text(t, bytes_of(e->type));
  changes_put_int(t, e->ts_ms);
  if (e->round < 0)
    changes_put_null(t);
  else
    changes_put_int(t, e->round);
  if (e->agent)
    changes_put_text(t, bytes_of(e->agent));
  else
    changes_put_null(t);
  if (e->data.ptr)
    changes_put_blob(t, bytes_of_hash(e->salt));
  else
    changes_put_null(t);
  changes_put_blob(t, bytes_of_hash(e->digest));
  changes_put_blob(t, bytes_of_hash(e->hash));
  if (e->data.ptr)
    changes_put_text(t, e->data);
  else
    changes_put_null(t);
}

static int insert_events(struct commit *commit) {
  size_t count = commit->pending_count;
  bool at_once = count == COMMIT_PENDING_MAX && !commit->careful;
  sqlite3_stmt *s = commit->statements[at_once ? COMMIT_INSERT_EVENTS : COMMIT_INSERT_EVENT];
  int rc = SQLITE_OK;
  for (size_t i = 0; rc == SQLITE_OK && i < count; i++) {
    bind_event(s, at_once ? (int)i * EVENT_COLUMNS : 0, commit->pending[i].num,
               commit->pending[i].event);
    if (!at_once || i == count - 1) rc = step(s);
  }
  commit->pending_count = 0;
  return rc;
}

/* Writes the events that were put off. */
static int flush_events(struct commit *commit) {
  struct changes *changes = commit->archive ? archive_changes(commit->archive) : NULL;
  struct changes_table *t =
      commit->pending_count && changes ? changes_by_hand(changes, "events", EVENT_COLUMNS) : NULL;
  for (size_t i = 0; t && i < commit->pending_count; i++)
    describe_event(t, commit->pending[i].num, commit->pending[i].event);
  int rc = insert_events(commit);
  if (t) changes_by_hook(changes);
  return rc;
}

/* Opening the table and closing it again is half the cost of a row, so that rows of many batches go
 * in together. */
static int put_event(struct commit *commit, int64_t num, const struct store_event *e) {
  commit->pending[commit->pending_count++] = (struct commit_event){num, e};
  return commit->pending_count == COMMIT_PENDING_MAX ? flush_events(commit) : SQLITE_OK;
}

static void bind_breaker(sqlite3_stmt *s, const struct store_breaker *b) {
  sqlite_bind_text(s, 1, b->name);
  sqlite3_bind_int64(s, 2, b->state);
  sqlite3_bind_int64(s, 3, b->failures);
  sqlite3_bind_int64(s, 4, b->cooldown_ms);
  sqlite3_bind_int64(s, 5, b->opened_ms);
  sqlite3_bind_int64(s, 6, b->cooling_until_ms);
  sqlite3_bind_int64(s, 7, b->last_failure_ms);
  sqlite3_bind_int64(s, 8, b->last_success_ms);
  sqlite_bind_text(s, 9, b->misconfigured);
}

/* Only a new name can make them too many, which is the rare case. */
static int write_breaker(struct commit *commit, const struct store_breaker *breaker) {
  sqlite3_stmt *update = commit->statements[COMMIT_UPDATE_BREAKER];
  sqlite3_stmt *insert = commit->statements[COMMIT_INSERT_BREAKER];
  sqlite3_stmt *trim = commit->statements[COMMIT_TRIM_BREAKERS];
  bind_breaker(update, breaker);
  int rc = step(update);
  if (rc != SQLITE_OK || sqlite3_changes(commit->db) > 0) return rc;
  bind_breaker(insert, breaker);
  rc = step(insert);
  sqlite3_bind_int64(trim, 1, STORE_BREAKERS_MAX);
  return rc == SQLITE_OK ? step(trim) : rc;
}

static int drop_traces(struct commit *commit, const struct batch *batch) {
  sqlite3_stmt *s = commit->statements[COMMIT_DROP_TRACE];
  int rc = SQLITE_OK;
  for (size_t i = 0; rc == SQLITE_OK && i < batch->count; i++) {
    sqlite_bind_text(s, 1, batch->traces[i].debate_id);
    sqlite3_bind_int64(s, 2, batch->traces[i].changed_in);
    rc = step(s);
  }
  return rc;
}

/* What was put off may be the debate's own. */
static int write_deletion(struct commit *commit, const struct deletion *deletion) {
  int rc = flush_events(commit);
  if (rc == SQLITE_OK) rc = deletion_write(commit->db, deletion);
  known_forget(&commit->known);
  return rc;
}

static int write_key(struct commit *commit, const struct batch *batch) {
  sqlite3_stmt *insert = commit->statements[COMMIT_INSERT_KEY];
  sqlite3_stmt *trim = commit->statements[COMMIT_TRIM_KEYS];
  const struct store_start_key *key = batch->key;
  sqlite_bind_text(insert, 1, batch->row.tenant_id ? batch->row.tenant_id : "local");
  sqlite_bind_text(insert, 2, batch->row.owner_id ? batch->row.owner_id : "local");
  sqlite_bind_text(insert, 3, key->text);
  sqlite3_bind_blob(insert, 4, key->digest, sizeof key->digest, SQLITE_STATIC);
  sqlite_bind_text(insert, 5, batch->debate_id);
  sqlite3_bind_int64(insert, 6, key->created_ms);
  sqlite3_bind_int64(insert, 7, key->expired_ms);
  int rc = step(insert);
  if (rc == SQLITE_OK && sqlite3_changes(commit->db) == 0) rc = SQLITE_CONSTRAINT;
  sqlite3_bind_int64(trim, 1, key->expired_ms);
  sqlite3_bind_int64(trim, 2, EXPIRED_KEYS_AT_ONCE);
  return rc == SQLITE_OK ? step(trim) : rc;
}

static int write_lineage(struct commit *commit, const struct batch *batch) {
  sqlite3_stmt *s = commit->statements[COMMIT_INSERT_LINEAGE];
  sqlite_bind_text(s, 1, batch->debate_id);
  sqlite_bind_text(s, 2, batch->origin.parent_id);
  sqlite_bind_known(s, 3, batch->origin.branch_point);
  return step(s);
}

static int start_item(struct commit *commit, const struct batch *batch) {
  sqlite3_stmt *s = commit->statements[COMMIT_START_ITEM];
  sqlite_bind_text(s, 1, batch->debate_id);
  sqlite_bind_text(s, 2, batch->origin.batch_id);
  sqlite3_bind_int64(s, 3, batch->origin.batch_item);
  int rc = step(s);
  return rc == SQLITE_OK && sqlite3_changes(commit->db) == 0 ? SQLITE_CONSTRAINT : rc;
}

/* What was queued behind a failed batch of the same debate was made in the belief that it would be
 * stored. */
static void fail_rest(const struct batch *failed) {
  for (struct batch *b = failed->next; b; b = b->next)
    if (b->result == STATUS_OK && batch_same_debate(failed, b)) b->result = failed->result;
}

/* A plan that has none left is no error of the transaction: of this batch nothing was written yet.
 */
static int check_quota(struct commit *commit, struct batch *batch) {
  bool taken = true;
  int rc = SQLITE_OK;
  if (batch->change == STORE_ROW_INSERT)
    rc = quota_take(&commit->quota, batch->row.tenant_id ? batch->row.tenant_id : "local",
                    batch->row.created_ms, &taken);
  if (!taken) {
    batch->result = STATUS_QUOTA;
    fail_rest(batch);
  }
  return rc;
}

/* A log has no holes: an event that is not the next one would hide a lost one for ever. */
static int write_change(struct commit *commit, struct batch *batch) {
  if (batch->only_audit) return SQLITE_OK;
  if (batch->breaker) return write_breaker(commit, batch->breaker);
  if (batch->traces) return drop_traces(commit, batch);
  if (batch->deletion) return write_deletion(commit, batch->deletion);
  if (batch->job) return job_change_write(commit->db, batch->job);
  if (batch->user) return user_change_write(commit->db, batch->user);
  if (batch->key_change) return key_change_write(commit->db, batch->key_change);
  if (batch->share) return share_change_write(commit->db, batch->share);
  int rc = check_quota(commit, batch);
  if (rc != SQLITE_OK || batch->result != STATUS_OK) return rc;
  struct known_debate unkept = {0}, *debate = known_place(&commit->known, batch->debate_id);
  if (!debate) debate = &unkept;
  rc = find_debate(commit, batch, debate);
  if (rc == SQLITE_OK && batch->key) rc = write_key(commit, batch);
  if (rc == SQLITE_OK && batch->origin.parent_id) rc = write_lineage(commit, batch);
  if (rc == SQLITE_OK && batch->origin.batch_id) rc = start_item(commit, batch);
  for (size_t i = 0; rc == SQLITE_OK && i < batch->count; i++)
    rc = batch->events[i].seq == ++debate->last_seq
             ? put_event(commit, debate->num, &batch->events[i])
             : SQLITE_CONSTRAINT;
  if (rc == SQLITE_OK && (batch->change == STORE_ROW_UPDATE || ends_with_its_start(batch)))
    rc = update_debate(commit, batch, debate->num);
  for (size_t i = 0; rc == SQLITE_OK && i < batch->spending_count; i++)
    rc = bookings_add(&commit->bookings, &batch->spending[i]);
  return rc;
}

static int write_batch(struct commit *commit, struct batch *batch) {
  int rc = write_change(commit, batch);
  bool written = rc == SQLITE_OK && batch->result == STATUS_OK;
  return written && batch->audit ? audit_writer_write(&commit->audit, batch->audit) : rc;
}

/* Whether trying again could never help: it is the batch that is wrong, not the disk. */
static bool is_final(int rc) {
  switch (rc & 0xff) {
    case SQLITE_CONSTRAINT:
    case SQLITE_TOOBIG:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE: return true;
    default: return false;
  }
}

static enum status final_status(int rc) {
  return (rc & 0xff) == SQLITE_TOOBIG ? STATUS_TOO_LARGE : STATUS_CONFLICT;
}

/* With a savepoint for each batch, which costs a copy of every page it touches: only after an
 * attempt without them has met a batch that is wrong. */
static int write_carefully(struct commit *commit, struct batch *first) {
  int rc = SQLITE_OK;
  for (struct batch *b = first; rc == SQLITE_OK && b; b = b->next) {
    if (b->result != STATUS_OK) continue;
    const struct audit_mark audited = commit->audit.now;
    rc = run(commit, COMMIT_SAVE);
    if (commit->archive) archive_mark(commit->archive);
    if (rc == SQLITE_OK) rc = write_batch(commit, b);
    if (rc == SQLITE_OK) rc = flush_events(commit);
    if (rc == SQLITE_OK) rc = bookings_flush(&commit->bookings);
    if (is_final(rc)) {
      b->result = final_status(rc);
      fail_rest(b);
      known_forget(&commit->known);
      commit->pending_count = 0;
      bookings_forget(&commit->bookings);
      commit->audit.now = audited;
      rc = run(commit, COMMIT_UNDO);
      if (commit->archive) archive_rewind(commit->archive);
    }
    if (rc == SQLITE_OK) rc = run(commit, COMMIT_KEEP);
  }
  return rc;
}

static int write_quickly(struct commit *commit, struct batch *first) {
  int rc = SQLITE_OK;
  for (struct batch *b = first; rc == SQLITE_OK && b; b = b->next)
    if (b->result == STATUS_OK) rc = write_batch(commit, b);
  if (rc == SQLITE_OK) rc = flush_events(commit);
  return rc == SQLITE_OK ? bookings_flush(&commit->bookings) : rc;
}

/* Some errors have already rolled the transaction back (sqlite.org/lang_transaction.html). */
static void roll_back(struct commit *commit) {
  commit->pending_count = 0;
  bookings_forget(&commit->bookings);
  known_forget(&commit->known);
  if (!sqlite3_get_autocommit(commit->db)) run(commit, COMMIT_ROLLBACK);
  if (commit->archive) archive_end(commit->archive, false);
}

static int begin(struct commit *commit) {
  int rc = run(commit, COMMIT_BEGIN);
  audit_writer_begin(&commit->audit);
  if (rc != SQLITE_OK || !commit->archive || !archive_begin(commit->archive, NULL)) return rc;
  rc = sqlite3_extended_errcode(commit->db);
  return rc == SQLITE_OK ? SQLITE_ERROR : rc;
}

static int end(struct commit *commit) {
  int rc = run(commit, COMMIT_NUMBER);
  if (rc == SQLITE_OK && commit->archive) archive_put(commit->archive);
  if (rc == SQLITE_OK) rc = run(commit, COMMIT_END);
  if (rc == SQLITE_OK) audit_writer_commit(&commit->audit);
  if (rc == SQLITE_OK && commit->archive) archive_end(commit->archive, true);
  return rc;
}

/* What an attempt refused that was rolled back: the next one may have room for it. */
static void forget_quota(struct batch *first) {
  for (struct batch *b = first; b; b = b->next)
    if (b->result == STATUS_QUOTA) b->result = STATUS_OK;
}

static int transact(struct commit *commit, struct batch *first,
                    int (*write)(struct commit *, struct batch *)) {
  forget_quota(first);
  int rc = begin(commit);
  if (rc == SQLITE_OK) rc = write(commit, first);
  return rc == SQLITE_OK ? end(commit) : rc;
}

enum status commit_batches(struct commit *commit, struct batch *first, struct error *err) {
  int rc = transact(commit, first, write_quickly);
  if (is_final(rc)) {
    roll_back(commit);
    commit->careful = true;
    rc = transact(commit, first, write_carefully);
    commit->careful = false;
  }
  if (rc == SQLITE_OK) return STATUS_OK;
  enum status status = sqlite_error(commit->db, rc, err);
  roll_back(commit);
  return status;
}

/* A transaction that writes nothing unless a new chain is due. One that fails is made up for by the
 * next batch's. */
static void visit_archive(struct commit *commit, void (*visit)(struct archive *)) {
  int rc = begin(commit);
  if (rc == SQLITE_OK && visit) visit(commit->archive);
  if (rc == SQLITE_OK && archive_is_beginning(commit->archive)) (void)end(commit);
  if (!sqlite3_get_autocommit(commit->db)) run(commit, COMMIT_ROLLBACK);
  archive_end(commit->archive, false);
}

void commit_settle_archive(struct commit *commit) {
  if (commit->archive) visit_archive(commit, NULL);
}

void commit_stamp_archive(struct commit *commit) {
  if (commit->archive) visit_archive(commit, archive_stamp);
}

void commit_checkpoint(struct commit *commit) {
  sqlite3_wal_checkpoint_v2(commit->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
  commit_stamp_archive(commit);
}

void commit_done(struct commit *commit) {
  bool ready = commit->statements[COMMIT_STATEMENTS - 1] != NULL;
  /* The last connection to close does this too; but another program may have the file open. */
  if (commit->db)
    sqlite3_wal_checkpoint_v2(commit->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
  if (commit->archive && ready) visit_archive(commit, archive_stamp);
  archive_stop(commit->archive);
  for (int i = 0; i < COMMIT_STATEMENTS; i++) sqlite3_finalize(commit->statements[i]);
  audit_writer_done(&commit->audit);
  bookings_done(&commit->bookings);
  quota_done(&commit->quota);
  known_done(&commit->known);
  sqlite_close(commit->db);
  *commit = (struct commit){0};
}
