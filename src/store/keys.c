#include "store/keys.h"

#include "store/handle.h"
#include "store/job_change.h"
#include "store/key_change.h"
#include "store/quota.h"

#include <stdio.h>

/* Rows of an owner's keys that work no more and are kept, so that a list shows what happened. */
enum { DEAD_KEPT = 100 };

/* ---- writing; rare, so that no statement is kept ---- */

static int prepare(sqlite3 *db, const char *sql, const struct key_change *c, sqlite3_stmt **ret_s) {
  int rc = sqlite3_prepare_v2(db, sql, -1, ret_s, NULL);
  if (rc == SQLITE_OK && c->who.tenant_id) principal_bind(*ret_s, &c->who);
  return rc;
}

#define WORKS "revoked_ms IS NULL AND (expires_ms IS NULL OR expires_ms > ?9)"

/* Those of the owner ?1, ?2 that work no more, but for the newest. */
static int trim(sqlite3 *db, const struct store_key *key, int64_t now_ms) {
  sqlite3_stmt *s;
  int rc = sqlite3_prepare_v2(
      db,
      "DELETE FROM api_keys WHERE id IN (SELECT id FROM api_keys WHERE tenant_id = ?1 AND"
      " owner_id = ?2 AND NOT (" WORKS ") ORDER BY created_ms DESC, id LIMIT -1 OFFSET ?3)",
      -1, &s, NULL);
  if (rc != SQLITE_OK) return rc;
  sqlite_bind_text(s, 1, key->tenant_id);
  sqlite_bind_text(s, 2, key->owner_id);
  sqlite3_bind_int(s, 3, DEAD_KEPT);
  sqlite3_bind_int64(s, 9, now_ms);
  return sqlite_finish(s);
}

/* Fails when the owner has `max` already. */
static int insert(sqlite3 *db, const struct key_change *c, size_t max) {
  const struct store_key *key = &c->key;
  sqlite3_stmt *s;
  int rc = sqlite3_prepare_v2(
      db,
      "INSERT INTO api_keys (id, hash, tenant_id, owner_id, name, scopes, is_default,"
      " requests_per_minute, usd_micro_per_day, created_ms, expires_ms)"
      " SELECT ?3, ?4, ?1, ?2, ?5, ?6, ?7, ?8, ?10, ?9, ?11 WHERE ?12 >"
      " (SELECT count(*) FROM api_keys WHERE tenant_id = ?1 AND owner_id = ?2 AND " WORKS ")",
      -1, &s, NULL);
  if (rc != SQLITE_OK) return rc;
  sqlite_bind_text(s, 1, key->tenant_id);
  sqlite_bind_text(s, 2, key->owner_id);
  sqlite_bind_text(s, 3, key->id);
  sqlite3_bind_blob(s, 4, key->hash, sizeof key->hash, SQLITE_STATIC);
  sqlite_bind_text(s, 5, key->name);
  sqlite_bind_text(s, 6, key->scopes);
  sqlite3_bind_int(s, 7, key->is_default);
  sqlite3_bind_int64(s, 8, key->requests_per_minute);
  sqlite3_bind_int64(s, 9, c->now_ms);
  sqlite3_bind_int64(s, 10, key->usd_micro_per_day);
  sqlite_bind_known(s, 11, key->expires_ms);
  sqlite3_bind_int64(s, 12, (int64_t)max);
  rc = sqlite_finish_one(db, s);
  return rc == SQLITE_OK ? trim(db, key, c->now_ms) : rc;
}

static int cancel_jobs_of_default(sqlite3 *db, const char *tenant_id, const char *owner_id,
                                  int64_t now_ms) {
  sqlite3_stmt *s;
  int rc = sqlite3_prepare_v2(db,
                              "SELECT id FROM api_keys"
                              " WHERE tenant_id = ?1 AND owner_id = ?2 AND is_default = 1",
                              -1, &s, NULL);
  if (rc != SQLITE_OK) return rc;
  sqlite_bind_text(s, 1, tenant_id);
  sqlite_bind_text(s, 2, owner_id);
  while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
    rc = jobs_cancel_by_key(db, sqlite_text(s, 0), now_ms);
    if (rc != SQLITE_OK) break;
  }
  sqlite3_finalize(s);
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Its batches first: afterwards nothing tells which key it was. */
static int revoke_default(sqlite3 *db, const char *tenant_id, const char *owner_id,
                          int64_t now_ms) {
  sqlite3_stmt *s;
  int rc = cancel_jobs_of_default(db, tenant_id, owner_id, now_ms);
  if (rc != SQLITE_OK) return rc;
  rc = sqlite3_prepare_v2(db,
                          "UPDATE api_keys SET revoked_ms = ?3, is_default = 0"
                          " WHERE tenant_id = ?1 AND owner_id = ?2 AND is_default = 1",
                          -1, &s, NULL);
  if (rc != SQLITE_OK) return rc;
  sqlite_bind_text(s, 1, tenant_id);
  sqlite_bind_text(s, 2, owner_id);
  sqlite3_bind_int64(s, 3, now_ms);
  return sqlite_finish(s);
}

static int put(sqlite3 *db, const struct key_change *c) {
  int rc = c->key.is_default ? revoke_default(db, c->key.tenant_id, c->key.owner_id, c->now_ms)
                             : SQLITE_OK;
  return rc == SQLITE_OK ? insert(db, c, c->max) : rc;
}

static int edit(sqlite3 *db, const struct key_change *c) {
  sqlite3_stmt *s;
  int rc = prepare(db,
                   "UPDATE api_keys SET name = iif(?5 & 1, ?6, name),"
                   " scopes = iif(?5 & 2, ?7, scopes),"
                   " expires_ms = iif(?5 & 4, ?8, expires_ms),"
                   " requests_per_minute = iif(?5 & 8, ?10, requests_per_minute),"
                   " usd_micro_per_day = iif(?5 & 16, ?11, usd_micro_per_day)"
                   " WHERE id = ?4 AND " WORKS " AND " VISIBLE_TO_PRINCIPAL,
                   c, &s);
  if (rc != SQLITE_OK) return rc;
  sqlite_bind_text(s, 4, c->id);
  sqlite3_bind_int64(s, 5, c->edit);
  sqlite_bind_text(s, 6, c->key.name);
  sqlite_bind_text(s, 7, c->key.scopes);
  sqlite_bind_known(s, 8, c->key.expires_ms);
  sqlite3_bind_int64(s, 9, c->now_ms);
  sqlite3_bind_int64(s, 10, c->key.requests_per_minute);
  sqlite3_bind_int64(s, 11, c->key.usd_micro_per_day);
  return sqlite_finish_one(db, s);
}

/* One that has expired can be revoked too. */
static int revoke(sqlite3 *db, const struct key_change *c) {
  sqlite3_stmt *s;
  int rc = prepare(db,
                   "UPDATE api_keys SET revoked_ms = ?5, is_default = 0 WHERE id = ?4"
                   " AND revoked_ms IS NULL AND " VISIBLE_TO_PRINCIPAL,
                   c, &s);
  if (rc != SQLITE_OK) return rc;
  sqlite_bind_text(s, 4, c->id);
  sqlite3_bind_int64(s, 5, c->now_ms);
  rc = sqlite_finish_one(db, s);
  return rc == SQLITE_OK ? jobs_cancel_by_key(db, c->id, c->now_ms) : rc;
}

/* The old one is no default any more and ends. Until then both count, against a limit of their own:
 * a user who has all the keys that he may have can rotate each of them. */
static int rotate(sqlite3 *db, const struct key_change *c) {
  sqlite3_stmt *s;
  int rc = prepare(db,
                   "UPDATE api_keys SET expires_ms = min(coalesce(expires_ms, ?5), ?5),"
                   " is_default = 0, replaced_by = ?6"
                   " WHERE id = ?4 AND replaced_by IS NULL AND " WORKS " AND " VISIBLE_TO_PRINCIPAL,
                   c, &s);
  if (rc != SQLITE_OK) return rc;
  sqlite_bind_text(s, 4, c->id);
  sqlite3_bind_int64(s, 5, c->ends_ms);
  sqlite_bind_text(s, 6, c->key.id);
  sqlite3_bind_int64(s, 9, c->now_ms);
  rc = sqlite_finish_one(db, s);
  return rc == SQLITE_OK ? insert(db, c, c->max) : rc;
}

static int use(sqlite3 *db, const struct key_change *c) {
  sqlite3_stmt *s;
  int rc = sqlite3_prepare_v2(db,
                              "UPDATE api_keys SET last_used_ms = max(coalesce(last_used_ms, 0),"
                              " ?2) WHERE id = ?1",
                              -1, &s, NULL);
  if (rc != SQLITE_OK) return rc;
  sqlite_bind_text(s, 1, c->id);
  sqlite3_bind_int64(s, 2, c->now_ms);
  return sqlite_finish(s);
}

int key_change_write(sqlite3 *db, const struct key_change *c) {
  switch (c->kind) {
    case KEY_PUT: return put(db, c);
    case KEY_EDIT: return edit(db, c);
    case KEY_REVOKE: return revoke(db, c);
    case KEY_REVOKE_DEFAULT:
      return revoke_default(db, c->who.tenant_id, c->who.owner_id, c->now_ms);
    case KEY_ROTATE: return rotate(db, c);
    case KEY_PLAN: return quota_put_plan(db, c->key.tenant_id, c->plan, c->now_ms);
    case KEY_USE:
    default: return use(db, c);
  }
}

static enum status queue(struct store *store, const struct key_change *change,
                         const struct audit_entry *entry, store_done_fn *done, void *ctx) {
  struct batch *batch;
  enum status status = batch_make_key(change, &batch);
  return status ? status : store_queue(store, batch, entry, done, ctx);
}

enum status store_put_key(struct store *store, const struct store_key *key, size_t max,
                          int64_t now_ms, const struct audit_entry *entry, store_done_fn *done,
                          void *ctx) {
  const struct key_change change = {.kind = KEY_PUT, .key = *key, .max = max, .now_ms = now_ms};
  if (!key->id || !*key->id || !key->tenant_id || !key->owner_id) return STATUS_INVALID;
  return queue(store, &change, entry, done, ctx);
}

enum status store_edit_key(struct store *store, const struct principal *who, const char *id,
                           const struct store_key *key, unsigned fields, int64_t now_ms,
                           const struct audit_entry *entry, store_done_fn *done, void *ctx) {
  const struct key_change change = {
      .kind = KEY_EDIT, .id = id, .who = *who, .key = *key, .edit = fields, .now_ms = now_ms};
  return queue(store, &change, entry, done, ctx);
}

enum status store_revoke_key(struct store *store, const struct principal *who, const char *id,
                             int64_t now_ms, const struct audit_entry *entry, store_done_fn *done,
                             void *ctx) {
  const struct key_change change = {.kind = KEY_REVOKE, .id = id, .who = *who, .now_ms = now_ms};
  return queue(store, &change, entry, done, ctx);
}

enum status store_revoke_default_key(struct store *store, const struct principal *who,
                                     int64_t now_ms, const struct audit_entry *entry,
                                     store_done_fn *done, void *ctx) {
  const struct key_change change = {.kind = KEY_REVOKE_DEFAULT, .who = *who, .now_ms = now_ms};
  return queue(store, &change, entry, done, ctx);
}

enum status store_rotate_key(struct store *store, const struct principal *who, const char *old_id,
                             const struct store_key *key, int64_t ends_ms, size_t max,
                             int64_t now_ms, const struct audit_entry *entry, store_done_fn *done,
                             void *ctx) {
  const struct key_change change = {.kind = KEY_ROTATE,
                                    .id = old_id,
                                    .who = *who,
                                    .key = *key,
                                    .ends_ms = ends_ms,
                                    .max = max,
                                    .now_ms = now_ms};
  return queue(store, &change, entry, done, ctx);
}

enum status store_use_key(struct store *store, const char *id, int64_t now_ms) {
  const struct key_change change = {.kind = KEY_USE, .id = id, .now_ms = now_ms};
  return queue(store, &change, NULL, NULL, NULL);
}

enum status store_put_plan(struct store *store, const char *tenant_id, const char *plan,
                           int64_t now_ms, const struct audit_entry *entry, store_done_fn *done,
                           void *ctx) {
  const struct key_change change = {
      .kind = KEY_PLAN, .key = {.tenant_id = tenant_id}, .plan = plan, .now_ms = now_ms};
  if (!plan_find(plan)) return STATUS_INVALID;
  return queue(store, &change, entry, done, ctx);
}

uint64_t store_keys_generation(const struct store *store) {
  return writer_keys_generation(store->writer);
}

/* ---- reading ---- */

static int64_t known(sqlite3_stmt *s, int column) {
  return sqlite3_column_type(s, column) == SQLITE_NULL ? -1 : sqlite3_column_int64(s, column);
}

static void give_key(sqlite3_stmt *s, store_key_fn *each, void *ctx) {
  struct store_key key = {
      .id = sqlite_text(s, 0),
      .tenant_id = sqlite_text(s, 2),
      .owner_id = sqlite_text(s, 3),
      .name = sqlite_text(s, 4),
      .scopes = sqlite_text(s, 5),
      .is_default = sqlite3_column_int(s, 6),
      .requests_per_minute = sqlite3_column_int64(s, 7),
      .usd_micro_per_day = sqlite3_column_int64(s, 8),
      .created_ms = sqlite3_column_int64(s, 9),
      .expires_ms = known(s, 10),
      .revoked_ms = known(s, 11),
      .last_used_ms = known(s, 12),
      .replaced_by = (const char *)sqlite3_column_text(s, 13),
      .role = sqlite_text(s, 14),
      .is_owner_active = sqlite3_column_int(s, 15),
  };
  const void *hash = sqlite3_column_blob(s, 1);
  if (!hash || sqlite3_column_bytes(s, 1) != (int)sizeof key.hash) return;
  memcpy(key.hash, hash, sizeof key.hash);
  each(ctx, &key);
}

#define KEY_SELECT                                                                \
  "SELECT id, hash, tenant_id, owner_id, name, scopes, is_default,"               \
  " requests_per_minute, usd_micro_per_day, created_ms, expires_ms, revoked_ms,"  \
  " last_used_ms, replaced_by, (SELECT role FROM users u WHERE u.id = owner_id)," \
  " coalesce((SELECT active FROM users u WHERE u.id = owner_id), 1) FROM api_keys"

struct key_query {
  int slot;
  const char *sql;
  const char *id; /* ?4, or NULL */
  size_t limit;   /* ?5, or 0 */
};

static enum status read_keys(struct store *store, const struct principal *who,
                             const struct key_query *q, store_key_fn *each, void *ctx,
                             size_t *ret_count, struct error *err) {
  struct reader *reader;
  sqlite3_stmt *s;
  int rc = SQLITE_DONE;
  enum status status = reader_take(store->readers, &reader, err);
  if (status) return status;
  status = reader_prepare(reader, q->slot, q->sql, &s, err);
  if (!status) {
    principal_bind(s, who);
    if (q->id) sqlite_bind_text(s, 4, q->id);
    if (q->limit) sqlite3_bind_int64(s, 5, (int64_t)q->limit);
    for (*ret_count = 0; (rc = sqlite3_step(s)) == SQLITE_ROW; ++*ret_count) give_key(s, each, ctx);
    if (rc != SQLITE_DONE) status = sqlite_error(reader->db, rc, err);
    sqlite3_reset(s);
  }
  reader_give(store->readers, reader);
  return status;
}

enum status store_get_key(struct store *store, const struct principal *who, const char *id,
                          store_key_fn *each, void *ctx, struct error *err) {
  const struct key_query q = {READER_KEY, KEY_SELECT " WHERE id = ?4 AND " VISIBLE_TO_PRINCIPAL, id,
                              0};
  size_t count = 0;
  enum status s = read_keys(store, who, &q, each, ctx, &count, err);
  if (!s && count == 0) s = error_set(err, STATUS_NOT_FOUND, NULL, "API key not found: %.32s", id);
  return s;
}

enum status store_list_keys(struct store *store, const struct principal *who, bool own,
                            size_t limit, store_key_fn *each, void *ctx, struct error *err) {
  struct principal as = *who;
  size_t count;
  char sql[512];
  if (own) as.all_owners = as.system = false;
  enum scope scope = scope_of(&as);
  snprintf(sql, sizeof sql, KEY_SELECT " WHERE %s ORDER BY created_ms DESC, id LIMIT ?5",
           scope_condition(scope));
  const struct key_query q = {READER_KEYS + (int)scope, sql, NULL, limit};
  return read_keys(store, &as, &q, each, ctx, &count, err);
}

enum status store_read_key_spending(struct store *store, int64_t since_day, store_spending_fn *each,
                                    void *ctx, struct error *err) {
  struct reader *reader;
  sqlite3_stmt *s;
  int rc = SQLITE_DONE;
  enum status status = reader_take(store->readers, &reader, err);
  if (status) return status;
  status = reader_prepare(reader, READER_KEY_SPENDING,
                          "SELECT day, key_id, tokens, usd_micro, unpriced FROM key_spending"
                          " WHERE day >= ?1",
                          &s, err);
  if (!status) {
    sqlite3_bind_int64(s, 1, since_day);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
      const struct store_spending spent = {.day = sqlite3_column_int64(s, 0),
                                           .key_id = sqlite_text(s, 1),
                                           .tokens = sqlite3_column_int64(s, 2),
                                           .usd_micro = sqlite3_column_int64(s, 3),
                                           .unpriced = sqlite3_column_int64(s, 4)};
      each(ctx, &spent);
    }
    if (rc != SQLITE_DONE) status = sqlite_error(reader->db, rc, err);
    sqlite3_reset(s);
  }
  reader_give(store->readers, reader);
  return status;
}
