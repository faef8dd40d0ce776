#include "store/users.h"

#include "store/handle.h"
#include "store/inspect.h"
#include "store/user_change.h"

#include <stdio.h>

/* ---- writing ---- */

static enum status queue(struct store *store, const struct user_change *change,
                         const struct audit_entry *entry, store_done_fn *done, void *ctx) {
  struct batch *batch;
  enum status status = batch_make_user(change, &batch);
  return status ? status : store_queue(store, batch, entry, done, ctx);
}

/* False when it does not fit. */
static bool put(char *out, size_t size, const char *text) {
  int n = snprintf(out, size, "%s", text);
  return n >= 0 && (size_t)n < size;
}

enum status store_put_user(struct store *store, const struct store_user *user,
                           const struct store_tenant *tenant, int64_t max_users,
                           const struct audit_entry *entry, store_done_fn *done, void *ctx) {
  struct user_change change = {.kind = USER_PUT, .user = *user, .limit = max_users};
  change.has_tenant = tenant != NULL;
  if (tenant) change.tenant = *tenant;
  return queue(store, &change, entry, done, ctx);
}

enum status store_change_user(struct store *store, const struct store_user_change *c,
                              const struct audit_entry *entry, store_done_fn *done, void *ctx) {
  struct user_change change = {.kind = USER_CHANGE,
                               .set = {.name = c->name != NULL,
                                       .email = c->email != NULL,
                                       .password = c->password != NULL,
                                       .role = c->role != NULL,
                                       .active = c->active >= 0},
                               .end_tokens = c->end_tokens,
                               .end_sessions = c->end_but_for != NULL,
                               .keep_admin = c->keep_admin,
                               .now_ms = c->now_ms};
  struct store_user *u = &change.user;
  u->active = c->active > 0;
  bool fits =
      put(u->id, sizeof u->id, c->user_id) &&
      put(u->name, sizeof u->name, c->name ? c->name : "") &&
      put(u->email, sizeof u->email, c->email ? c->email : "") &&
      put(u->password, sizeof u->password, c->password ? c->password : "") &&
      put(u->role, sizeof u->role, c->role ? c->role : "") &&
      put(change.was_password, sizeof change.was_password,
          c->was_password ? c->was_password : "") &&
      put(change.session.id, sizeof change.session.id, c->end_but_for ? c->end_but_for : "");
  return fits ? queue(store, &change, entry, done, ctx) : STATUS_INVALID;
}

enum status store_put_session(struct store *store, const struct store_session *session,
                              const struct store_user *checked, int64_t max_sessions,
                              const struct audit_entry *entry, store_done_fn *done, void *ctx) {
  const struct user_change change = {
      .kind = SESSION_PUT, .session = *session, .user = *checked, .limit = max_sessions};
  return queue(store, &change, entry, done, ctx);
}

enum status store_renew_session(struct store *store, const char *session_id,
                                const uint8_t old_hash[STORE_HASH_SIZE],
                                const uint8_t new_hash[STORE_HASH_SIZE], int64_t now_ms,
                                int64_t expires_ms, const struct audit_entry *entry,
                                store_done_fn *done, void *ctx) {
  struct user_change change = {.kind = SESSION_RENEW,
                               .session = {.used_ms = now_ms, .expires_ms = expires_ms}};
  if (!put(change.session.id, sizeof change.session.id, session_id)) return STATUS_INVALID;
  memcpy(change.old_hash, old_hash, STORE_HASH_SIZE);
  memcpy(change.session.refresh_hash, new_hash, STORE_HASH_SIZE);
  return queue(store, &change, entry, done, ctx);
}

enum status store_end_session(struct store *store, const char *session_id,
                              const struct audit_entry *entry, store_done_fn *done, void *ctx) {
  struct user_change change = {.kind = SESSION_END};
  if (!put(change.session.id, sizeof change.session.id, session_id)) return STATUS_INVALID;
  return queue(store, &change, entry, done, ctx);
}

enum status store_revoke_token(struct store *store, const uint8_t hash[STORE_HASH_SIZE],
                               int64_t expires_ms, int64_t max_tokens, int64_t now_ms,
                               const struct audit_entry *entry, store_done_fn *done, void *ctx) {
  struct user_change change = {.kind = TOKEN_REVOKE,
                               .session = {.expires_ms = expires_ms},
                               .limit = max_tokens,
                               .now_ms = now_ms};
  memcpy(change.session.refresh_hash, hash, STORE_HASH_SIZE);
  return queue(store, &change, entry, done, ctx);
}

/* ---- reading ---- */

typedef void row_fn(sqlite3_stmt *row, void *out);

static void take(sqlite3_stmt *row, int column, char *out, size_t size) {
  snprintf(out, size, "%s", sqlite_text(row, column));
}

#define USER_COLUMNS                                                               \
  "id, tenant_id, email, name, password, role, active, token_version, created_ms," \
  " updated_ms, coalesce(last_login_ms, -1)"

static void user_from_row(sqlite3_stmt *row, void *out) {
  struct store_user *u = out;
  take(row, 0, u->id, sizeof u->id);
  take(row, 1, u->tenant_id, sizeof u->tenant_id);
  take(row, 2, u->email, sizeof u->email);
  take(row, 3, u->name, sizeof u->name);
  take(row, 4, u->password, sizeof u->password);
  take(row, 5, u->role, sizeof u->role);
  u->active = sqlite3_column_int(row, 6) != 0;
  u->token_version = sqlite3_column_int64(row, 7);
  u->created_ms = sqlite3_column_int64(row, 8);
  u->updated_ms = sqlite3_column_int64(row, 9);
  u->last_login_ms = sqlite3_column_int64(row, 10);
}

static void tenant_from_row(sqlite3_stmt *row, void *out) {
  struct store_tenant *t = out;
  take(row, 0, t->id, sizeof t->id);
  take(row, 1, t->name, sizeof t->name);
  take(row, 2, t->slug, sizeof t->slug);
  take(row, 3, t->plan, sizeof t->plan);
  take(row, 4, t->owner_id, sizeof t->owner_id);
  t->created_ms = sqlite3_column_int64(row, 5);
  t->updated_ms = sqlite3_column_int64(row, 6);
}

static void session_from_row(sqlite3_stmt *row, void *out) {
  struct store_session *n = out;
  const void *hash = sqlite3_column_blob(row, 2);
  take(row, 0, n->id, sizeof n->id);
  take(row, 1, n->user_id, sizeof n->user_id);
  if (hash && sqlite3_column_bytes(row, 2) == STORE_HASH_SIZE)
    memcpy(n->refresh_hash, hash, STORE_HASH_SIZE);
  n->created_ms = sqlite3_column_int64(row, 3);
  n->used_ms = sqlite3_column_int64(row, 4);
  n->expires_ms = sqlite3_column_int64(row, 5);
}

/* The one row under `key`. */
static enum status get(struct store *store, int slot, const char *sql, const char *key,
                       row_fn *from_row, void *out, const char *missing, struct error *err) {
  struct reader *reader;
  sqlite3_stmt *s;
  enum status status = reader_take(store->readers, &reader, err);
  if (status) return status;
  status = reader_prepare(reader, slot, sql, &s, err);
  if (!status) {
    sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
      from_row(s, out);
    else if (rc == SQLITE_DONE)
      status = error_set(err, STATUS_NOT_FOUND, NULL, "%s", missing);
    else
      status = sqlite_error(reader->db, rc, err);
    sqlite3_reset(s);
  }
  reader_give(store->readers, reader);
  return status;
}

enum status store_get_user(struct store *store, const char *id, struct store_user *ret_user,
                           struct error *err) {
  return get(store, READER_USER, "SELECT " USER_COLUMNS " FROM users WHERE id = ?1", id,
             user_from_row, ret_user, "User not found", err);
}

enum status store_find_user(struct store *store, const char *email, struct store_user *ret_user,
                            struct error *err) {
  return get(store, READER_USER_BY_EMAIL, "SELECT " USER_COLUMNS " FROM users WHERE email = ?1",
             email, user_from_row, ret_user, "User not found", err);
}

enum status store_get_tenant(struct store *store, const char *id, struct store_tenant *ret_tenant,
                             struct error *err) {
  return get(store, READER_TENANT,
             "SELECT id, name, slug, plan, owner_id, created_ms, updated_ms FROM tenants"
             " WHERE id = ?1",
             id, tenant_from_row, ret_tenant, "Organization not found", err);
}

enum status store_get_session(struct store *store, const char *id,
                              struct store_session *ret_session, struct error *err) {
  return get(store, READER_SESSION,
             "SELECT id, user_id, refresh_hash, created_ms, used_ms, expires_ms FROM sessions"
             " WHERE id = ?1",
             id, session_from_row, ret_session, "Session not found", err);
}

enum status store_read_revoked(struct store *store, int64_t now_ms, store_revoked_fn *each,
                               void *ctx, struct error *err) {
  struct reader *reader;
  sqlite3_stmt *s;
  enum status status = reader_take(store->readers, &reader, err);
  if (status) return status;
  status = reader_prepare(reader, READER_REVOKED,
                          "SELECT hash FROM revoked_tokens WHERE expires_ms > ?1", &s, err);
  if (!status) {
    int rc;
    sqlite3_bind_int64(s, 1, now_ms);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW)
      if (sqlite3_column_bytes(s, 0) == STORE_HASH_SIZE) each(ctx, sqlite3_column_blob(s, 0));
    if (rc != SQLITE_DONE) status = sqlite_error(reader->db, rc, err);
    sqlite3_reset(s);
  }
  reader_give(store->readers, reader);
  return status;
}

enum status store_count_users(struct store *store, int64_t now_ms,
                              struct store_user_counts *ret_counts, struct error *err) {
  struct reader *reader;
  sqlite3_stmt *s;
  enum status status = reader_take(store->readers, &reader, err);
  if (status) return status;
  status = reader_prepare(reader, READER_USER_COUNTS,
                          "SELECT count(*), count(*) FILTER (WHERE role = 'admin' AND active),"
                          " (SELECT count(*) FROM sessions WHERE expires_ms > ?1) FROM users",
                          &s, err);
  if (!status) {
    sqlite3_bind_int64(s, 1, now_ms);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
      *ret_counts = (struct store_user_counts){
          sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1), sqlite3_column_int64(s, 2)};
    else
      status = sqlite_error(reader->db, rc, err);
    sqlite3_reset(s);
  }
  reader_give(store->readers, reader);
  return status;
}

static void bind_query(sqlite3_stmt *s, const struct store_user_query *q) {
  bool newest = q->before_ms < 0;
  sqlite3_bind_int64(s, 1, newest ? INT64_MAX : q->before_ms);
  sqlite3_bind_text(s, 2, newest ? "" : q->before_id, -1, SQLITE_STATIC);
  sqlite3_bind_int64(s, 3, (int64_t)q->limit);
  sqlite3_bind_text(s, 4, q->email, -1, SQLITE_STATIC); /* NULL binds NULL */
  sqlite3_bind_text(s, 5, q->role, -1, SQLITE_STATIC);
  sqlite3_bind_int(s, 6, q->active);
}

enum status store_list_users(struct store *store, const struct store_user_query *query,
                             store_user_fn *each, void *ctx, struct error *err) {
  struct reader *reader;
  sqlite3_stmt *s;
  enum status status = reader_take(store->readers, &reader, err);
  if (status) return status;
  status = reader_prepare(reader, READER_USERS,
                          "SELECT " USER_COLUMNS
                          " FROM users WHERE (created_ms, id) < (?1, ?2)"
                          " AND (?4 IS NULL OR instr(email, ?4)) AND (?5 IS NULL OR role = ?5)"
                          " AND (?6 < 0 OR active = ?6)"
                          " ORDER BY created_ms DESC, id DESC LIMIT ?3",
                          &s, err);
  if (!status) {
    int rc;
    bind_query(s, query);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
      struct store_user user;
      user_from_row(s, &user);
      each(ctx, &user);
    }
    if (rc != SQLITE_DONE) status = sqlite_error(reader->db, rc, err);
    sqlite3_reset(s);
  }
  reader_give(store->readers, reader);
  return status;
}

enum status inspect_has_users(struct inspect *inspect, bool *ret_has, struct error *err) {
  sqlite3 *db = inspect_connection(inspect);
  int64_t tables = 0, users = 0;
  enum status status = sqlite_get_int(
      db, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'users'", 0, &tables,
      err);
  if (!status && tables)
    status = sqlite_get_int(db, "SELECT EXISTS (SELECT 1 FROM users)", 0, &users, err);
  if (!status) *ret_has = users > 0;
  return status;
}
