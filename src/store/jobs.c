#include "store/jobs.h"

#include "store/handle.h"
#include "store/job_change.h"

/* ---- writing; rare, so that no statement is kept ---- */

static int put_job(sqlite3 *db, const struct store_job *job) {
  sqlite3_stmt *s;
  int rc = sqlite3_prepare_v2(db,
                              "INSERT INTO batches (id, tenant_id, owner_id, max_parallel, items,"
                              " created_ms, key_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                              -1, &s, NULL);
  if (rc != SQLITE_OK) return rc;
  sqlite3_bind_text(s, 1, job->id, -1, SQLITE_STATIC);
  sqlite3_bind_text(s, 2, job->tenant_id, -1, SQLITE_STATIC);
  sqlite3_bind_text(s, 3, job->owner_id, -1, SQLITE_STATIC);
  sqlite3_bind_int64(s, 4, job->max_parallel);
  sqlite3_bind_int64(s, 5, job->items);
  sqlite3_bind_int64(s, 6, job->created_ms);
  sqlite3_bind_text(s, 7, job->key_id, -1, SQLITE_STATIC);
  rc = sqlite3_step(s);
  sqlite3_finalize(s);
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int put_items(sqlite3 *db, const struct job_change *c) {
  sqlite3_stmt *s;
  int rc = sqlite3_prepare_v2(
      db, "INSERT INTO batch_items (batch_id, item, request) VALUES (?1, ?2, ?3)", -1, &s, NULL);
  if (rc != SQLITE_OK) return rc;
  rc = SQLITE_DONE;
  for (int64_t i = 0; rc == SQLITE_DONE && i < c->job.items; i++) {
    sqlite3_bind_text(s, 1, c->job.id, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, i);
    sqlite3_bind_text(s, 3, c->requests[i], -1, SQLITE_STATIC);
    rc = sqlite3_step(s);
    sqlite3_reset(s);
  }
  sqlite3_finalize(s);
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int cancel_job(sqlite3 *db, const struct job_change *c) {
  const struct principal who = {c->job.tenant_id, c->job.owner_id, c->all_owners, c->system, NULL};
  sqlite3_stmt *s;
  int rc = sqlite3_prepare_v2(db,
                              "UPDATE batches SET cancelled_ms = ?5 WHERE id = ?4"
                              " AND cancelled_ms IS NULL AND " VISIBLE_TO_PRINCIPAL,
                              -1, &s, NULL);
  if (rc != SQLITE_OK) return rc;
  principal_bind(s, &who);
  sqlite3_bind_text(s, 4, c->job.id, -1, SQLITE_STATIC);
  sqlite3_bind_int64(s, 5, c->job.cancelled_ms);
  return sqlite_finish_one(db, s);
}

/* What was asked for and will never be started is nobody's business any more. */
static int forget_requests(sqlite3 *db, const char *id) {
  sqlite3_stmt *s;
  int rc = sqlite3_prepare_v2(db,
                              "UPDATE batch_items SET request = '' WHERE batch_id = ?1"
                              " AND debate_id IS NULL AND error IS NULL",
                              -1, &s, NULL);
  if (rc != SQLITE_OK) return rc;
  sqlite3_bind_text(s, 1, id, -1, SQLITE_STATIC);
  rc = sqlite3_step(s);
  sqlite3_finalize(s);
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int run_with(sqlite3 *db, const char *sql, const char *id, int64_t now_ms) {
  sqlite3_stmt *s;
  int rc = sqlite3_prepare_v2(db, sql, -1, &s, NULL);
  if (rc != SQLITE_OK) return rc;
  sqlite3_bind_text(s, 1, id, -1, SQLITE_STATIC);
  sqlite3_bind_int64(s, 2, now_ms);
  rc = sqlite3_step(s);
  sqlite3_finalize(s);
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* One with nothing left to start stays what it is: done, and not cancelled. */
#define CANCEL_BY(column)                                                                     \
  "UPDATE batches SET cancelled_ms = ?2 WHERE " column                                        \
  " = ?1 AND cancelled_ms IS NULL"                                                            \
  " AND EXISTS (SELECT 1 FROM batch_items i WHERE i.batch_id = batches.id AND i.debate_id IS" \
  " NULL AND i.error IS NULL)"
#define FORGET_BY(column)                                                                      \
  "UPDATE batch_items SET request = '' WHERE debate_id IS NULL AND error IS NULL AND batch_id" \
  " IN (SELECT id FROM batches WHERE " column " = ?1 AND cancelled_ms = ?2)"

int jobs_cancel_by_key(sqlite3 *db, const char *key_id, int64_t now_ms) {
  int rc = run_with(db, CANCEL_BY("key_id"), key_id, now_ms);
  return rc == SQLITE_OK ? run_with(db, FORGET_BY("key_id"), key_id, now_ms) : rc;
}

int jobs_cancel_by_owner(sqlite3 *db, const char *owner_id, int64_t now_ms) {
  int rc = run_with(db, CANCEL_BY("owner_id"), owner_id, now_ms);
  return rc == SQLITE_OK ? run_with(db, FORGET_BY("owner_id"), owner_id, now_ms) : rc;
}

static int fail_item(sqlite3 *db, const struct job_change *c) {
  sqlite3_stmt *s;
  int rc = sqlite3_prepare_v2(db,
                              "UPDATE batch_items SET error = ?3 WHERE batch_id = ?1 AND item = ?2"
                              " AND debate_id IS NULL AND error IS NULL",
                              -1, &s, NULL);
  if (rc != SQLITE_OK) return rc;
  sqlite3_bind_text(s, 1, c->job.id, -1, SQLITE_STATIC);
  sqlite3_bind_int64(s, 2, c->item);
  sqlite3_bind_text(s, 3, c->why, -1, SQLITE_STATIC);
  return sqlite_finish_one(db, s);
}

int job_change_write(sqlite3 *db, const struct job_change *c) {
  int rc;
  switch (c->kind) {
    case JOB_PUT: rc = put_job(db, &c->job); return rc == SQLITE_OK ? put_items(db, c) : rc;
    case JOB_CANCEL:
      rc = cancel_job(db, c);
      return rc == SQLITE_OK ? forget_requests(db, c->job.id) : rc;
    case JOB_FAIL_ITEM:
    default: return fail_item(db, c);
  }
}

static enum status queue(struct store *store, const struct job_change *change, store_done_fn *done,
                         void *ctx) {
  struct batch *batch;
  enum status status = batch_make_job(change, &batch);
  return status ? status : store_queue(store, batch, NULL, done, ctx);
}

enum status store_put_job(struct store *store, const struct store_job *job,
                          const char *const *requests, store_done_fn *done, void *ctx) {
  const struct job_change change = {.kind = JOB_PUT, .job = *job, .requests = requests};
  return queue(store, &change, done, ctx);
}

enum status store_cancel_job(struct store *store, const struct principal *who, const char *id,
                             int64_t now_ms, store_done_fn *done, void *ctx) {
  const struct job_change change = {.kind = JOB_CANCEL,
                                    .job = {.id = id,
                                            .tenant_id = who->tenant_id,
                                            .owner_id = who->owner_id,
                                            .cancelled_ms = now_ms},
                                    .all_owners = who->all_owners,
                                    .system = who->system};
  return queue(store, &change, done, ctx);
}

enum status store_fail_item(struct store *store, const char *job_id, int64_t item, const char *why,
                            store_done_fn *done, void *ctx) {
  const struct job_change change = {.kind = JOB_FAIL_ITEM,
                                    .job = {.id = job_id, .tenant_id = "", .owner_id = ""},
                                    .item = item,
                                    .why = why};
  return queue(store, &change, done, ctx);
}

/* ---- reading ---- */

#define JOB_SELECT                                                                                 \
  "SELECT b.id, b.tenant_id, b.owner_id, b.max_parallel, b.items, b.created_ms,"                   \
  " coalesce(b.cancelled_ms, -1), count(*) FILTER (WHERE i.debate_id IS NULL AND"                  \
  " i.error IS NULL), count(i.error), count(*) FILTER (WHERE d.status IN ('pending',"              \
  " 'running')), count(*) FILTER (WHERE d.status = 'completed'), count(*) FILTER (WHERE"           \
  " d.status = 'failed'), count(*) FILTER (WHERE d.status = 'cancelled'), count(*) FILTER"         \
  " (WHERE i.debate_id IS NOT NULL AND d.id IS NULL), b.key_id FROM batches b JOIN batch_items i " \
  "ON"                                                                                             \
  " i.batch_id = b.id LEFT JOIN debates d ON d.id = i.debate_id"
#define JOB_VISIBLE "(?3 = 2 OR (b.tenant_id = ?1 AND (?3 = 1 OR b.owner_id = ?2)))"

static void give_job(sqlite3_stmt *s, store_job_fn *each, void *ctx) {
  struct store_job job = {.id = (const char *)sqlite3_column_text(s, 0),
                          .tenant_id = (const char *)sqlite3_column_text(s, 1),
                          .owner_id = (const char *)sqlite3_column_text(s, 2),
                          .key_id = (const char *)sqlite3_column_text(s, 14),
                          .max_parallel = sqlite3_column_int64(s, 3),
                          .items = sqlite3_column_int64(s, 4),
                          .created_ms = sqlite3_column_int64(s, 5),
                          .cancelled_ms = sqlite3_column_int64(s, 6)};
  struct store_job_counts counts = {.waiting = sqlite3_column_int64(s, 7),
                                    .refused = sqlite3_column_int64(s, 8),
                                    .active = sqlite3_column_int64(s, 9),
                                    .completed = sqlite3_column_int64(s, 10),
                                    .failed = sqlite3_column_int64(s, 11),
                                    .cancelled = sqlite3_column_int64(s, 12),
                                    .deleted = sqlite3_column_int64(s, 13)};
  if (job.id && job.tenant_id && job.owner_id) each(ctx, &job, &counts);
}

struct job_query {
  int slot;
  const char *sql;
  const char *id; /* ?4, or NULL */
  size_t limit;   /* ?5 */
};

static enum status read_jobs(struct store *store, const struct principal *who,
                             const struct job_query *q, store_job_fn *each, void *ctx,
                             size_t *ret_count, struct error *err) {
  struct reader *reader;
  sqlite3_stmt *s;
  int rc = SQLITE_DONE;
  enum status status = reader_take(store->readers, &reader, err);
  if (status) return status;
  status = reader_prepare(reader, q->slot, q->sql, &s, err);
  if (!status) {
    principal_bind(s, who);
    if (q->id) sqlite3_bind_text(s, 4, q->id, -1, SQLITE_STATIC);
    if (q->limit) sqlite3_bind_int64(s, 5, (int64_t)q->limit);
    for (*ret_count = 0; (rc = sqlite3_step(s)) == SQLITE_ROW; ++*ret_count) give_job(s, each, ctx);
    if (rc != SQLITE_DONE) status = sqlite_error(reader->db, rc, err);
    sqlite3_reset(s);
  }
  reader_give(store->readers, reader);
  return status;
}

enum status store_get_job(struct store *store, const struct principal *who, const char *id,
                          store_job_fn *each, void *ctx, struct error *err) {
  const struct job_query q = {
      READER_JOB, JOB_SELECT " WHERE b.id = ?4 AND " JOB_VISIBLE " GROUP BY b.id", id, 0};
  size_t count = 0;
  enum status s = read_jobs(store, who, &q, each, ctx, &count, err);
  if (!s && count == 0) s = error_set(err, STATUS_NOT_FOUND, NULL, "Batch not found: %.128s", id);
  return s;
}

enum status store_list_jobs(struct store *store, const struct principal *who, bool unfinished,
                            size_t limit, store_job_fn *each, void *ctx, struct error *err) {
  /* Only the items of those that are listed are counted. */
  static const char all[] =
      JOB_SELECT " WHERE b.id IN (SELECT b.id FROM batches b WHERE " JOB_VISIBLE
                 " ORDER BY b.created_ms DESC, b.id LIMIT ?5)"
                 " GROUP BY b.id ORDER BY b.created_ms DESC, b.id";
  /* Over the partial index of those that wait, so that finished ones cost nothing. */
  static const char waiting[] =
      JOB_SELECT " WHERE " JOB_VISIBLE
                 " AND b.cancelled_ms IS NULL AND b.id IN"
                 " (SELECT batch_id FROM batch_items WHERE debate_id IS NULL AND error IS NULL)"
                 " GROUP BY b.id ORDER BY b.created_ms, b.id LIMIT ?5";
  const struct job_query q = {unfinished ? READER_JOBS_WAITING : READER_JOBS,
                              unfinished ? waiting : all, NULL, limit};
  size_t count;
  return read_jobs(store, who, &q, each, ctx, &count, err);
}

#define ITEM_SELECT                                                                     \
  "SELECT i.item, i.request, i.debate_id, d.status, d.task, i.error FROM batch_items i" \
  " LEFT JOIN debates d ON d.id = i.debate_id WHERE i.batch_id = ?1"

enum status store_read_items(struct store *store, const char *job_id, bool waiting,
                             store_item_fn *each, void *ctx, struct error *err) {
  struct reader *reader;
  sqlite3_stmt *s;
  enum status status = reader_take(store->readers, &reader, err);
  if (status) return status;
  status = reader_prepare(reader, waiting ? READER_ITEM_NEXT : READER_ITEMS,
                          waiting ? ITEM_SELECT
                              " AND i.debate_id IS NULL AND i.error IS NULL AND"
                              " (SELECT cancelled_ms FROM batches WHERE id = ?1) IS NULL"
                              " ORDER BY i.item LIMIT 1"
                                  : ITEM_SELECT " ORDER BY i.item",
                          &s, err);
  if (!status) {
    int rc;
    sqlite3_bind_text(s, 1, job_id, -1, SQLITE_STATIC);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
      struct store_item item = {.item = sqlite3_column_int64(s, 0),
                                .request = (const char *)sqlite3_column_text(s, 1),
                                .debate_id = (const char *)sqlite3_column_text(s, 2),
                                .status = (const char *)sqlite3_column_text(s, 3),
                                .task = (const char *)sqlite3_column_text(s, 4),
                                .error = (const char *)sqlite3_column_text(s, 5)};
      each(ctx, &item);
    }
    if (rc != SQLITE_DONE) status = sqlite_error(reader->db, rc, err);
    sqlite3_reset(s);
  }
  reader_give(store->readers, reader);
  return status;
}
