#include "store/user_change.h"

#include "store/job_change.h"

/* Rare, so that no statement is kept. */

enum { EXPIRED_AT_ONCE = 8 };

/* NULL where the text is not to change, which coalesce() then leaves as it is. */
static void bind_set(sqlite3_stmt *s, int at, bool set, const char *text) {
  if (set)
    sqlite_bind_text(s, at, text);
  else
    sqlite3_bind_null(s, at);
}

static int put_tenant(sqlite3 *db, const struct store_tenant *t) {
  sqlite3_stmt *s;
  int rc = sqlite3_prepare_v2(db,
                              "INSERT INTO tenants (id, name, slug, plan, owner_id, created_ms,"
                              " updated_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
                              -1, &s, NULL);
  if (rc != SQLITE_OK) return rc;
  sqlite_bind_text(s, 1, t->id);
  sqlite_bind_text(s, 2, t->name);
  sqlite_bind_text(s, 3, t->slug);
  sqlite_bind_text(s, 4, t->plan);
  sqlite_bind_text(s, 5, t->owner_id);
  sqlite3_bind_int64(s, 6, t->created_ms);
  return sqlite_finish(s);
}

static int put_user(sqlite3 *db, const struct user_change *c) {
  const struct store_user *u = &c->user;
  sqlite3_stmt *s;
  int rc = c->has_tenant ? put_tenant(db, &c->tenant) : SQLITE_OK;
  if (rc != SQLITE_OK) return rc;
  rc = sqlite3_prepare_v2(db,
                          "INSERT INTO users (id, tenant_id, email, name, password, role, active,"
                          " token_version, created_ms, updated_ms)"
                          " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9"
                          " WHERE (SELECT count(*) FROM users) < ?10",
                          -1, &s, NULL);
  if (rc != SQLITE_OK) return rc;
  sqlite_bind_text(s, 1, u->id);
  sqlite_bind_text(s, 2, u->tenant_id);
  sqlite_bind_text(s, 3, u->email);
  sqlite_bind_text(s, 4, u->name);
  sqlite_bind_text(s, 5, u->password);
  sqlite_bind_text(s, 6, u->role);
  sqlite3_bind_int(s, 7, u->active);
  sqlite3_bind_int64(s, 8, u->token_version);
  sqlite3_bind_int64(s, 9, u->created_ms);
  sqlite3_bind_int64(s, 10, c->limit);
  return sqlite_finish_one(db, s);
}

static int end_sessions(sqlite3 *db, const char *user_id, const char *but_for) {
  sqlite3_stmt *s;
  int rc =
      sqlite3_prepare_v2(db, "DELETE FROM sessions WHERE user_id = ?1 AND id <> ?2", -1, &s, NULL);
  if (rc != SQLITE_OK) return rc;
  sqlite_bind_text(s, 1, user_id);
  sqlite_bind_text(s, 2, but_for);
  return sqlite_finish(s);
}

static int change_user(sqlite3 *db, const struct user_change *c) {
  const struct store_user *u = &c->user;
  sqlite3_stmt *s;
  int rc = sqlite3_prepare_v2(
      db,
      "UPDATE users SET name = coalesce(?2, name), email = coalesce(?3, email),"
      " password = coalesce(?4, password), role = coalesce(?5, role),"
      " active = coalesce(?6, active), token_version = token_version + ?7, updated_ms = ?8"
      " WHERE id = ?1 AND password = coalesce(?9, password)"
      " AND (?10 = 0 OR role <> 'admin' OR NOT active OR EXISTS (SELECT 1 FROM users o"
      " WHERE o.role = 'admin' AND o.active AND o.id <> ?1))",
      -1, &s, NULL);
  if (rc != SQLITE_OK) return rc;
  sqlite_bind_text(s, 1, u->id);
  bind_set(s, 2, c->set.name, u->name);
  bind_set(s, 3, c->set.email, u->email);
  bind_set(s, 4, c->set.password, u->password);
  bind_set(s, 5, c->set.role, u->role);
  if (c->set.active) sqlite3_bind_int(s, 6, u->active);
  sqlite3_bind_int(s, 7, c->end_tokens);
  sqlite3_bind_int64(s, 8, c->now_ms);
  bind_set(s, 9, *c->was_password != '\0', c->was_password);
  bool ends_admin = (c->set.role && strcmp(u->role, "admin") != 0) || (c->set.active && !u->active);
  sqlite3_bind_int(s, 10, c->keep_admin && ends_admin);
  rc = sqlite_finish_one(db, s);
  if (rc == SQLITE_OK && c->end_tokens) rc = end_sessions(db, u->id, "");
  if (rc == SQLITE_OK && c->end_sessions) rc = end_sessions(db, u->id, c->session.id);
  if (rc == SQLITE_OK && c->set.active && !u->active)
    rc = jobs_cancel_by_owner(db, u->id, c->now_ms);
  return rc;
}

/* More than one login adds, so that those that piled up go too. */
static int trim_sessions(sqlite3 *db, const struct user_change *c) {
  sqlite3_stmt *s;
  int rc = sqlite3_prepare_v2(
      db,
      "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE user_id = ?1"
      " ORDER BY used_ms DESC, id DESC LIMIT -1 OFFSET ?2)"
      " OR id IN (SELECT id FROM sessions WHERE expires_ms <= ?3 ORDER BY expires_ms LIMIT ?4)",
      -1, &s, NULL);
  if (rc != SQLITE_OK) return rc;
  sqlite_bind_text(s, 1, c->session.user_id);
  sqlite3_bind_int64(s, 2, c->limit);
  sqlite3_bind_int64(s, 3, c->session.created_ms);
  sqlite3_bind_int(s, 4, EXPIRED_AT_ONCE);
  return sqlite_finish(s);
}

/* Hashing takes its time: a password that was changed, or an account that was closed, meanwhile
 * lets nobody in. */
static int note_login(sqlite3 *db, const struct user_change *c) {
  sqlite3_stmt *s;
  int rc = sqlite3_prepare_v2(db,
                              "UPDATE users SET last_login_ms = ?2 WHERE id = ?1 AND active"
                              " AND password = ?3 AND token_version = ?4",
                              -1, &s, NULL);
  if (rc != SQLITE_OK) return rc;
  sqlite_bind_text(s, 1, c->session.user_id);
  sqlite3_bind_int64(s, 2, c->session.created_ms);
  sqlite_bind_text(s, 3, c->user.password);
  sqlite3_bind_int64(s, 4, c->user.token_version);
  return sqlite_finish_one(db, s);
}

static int put_session(sqlite3 *db, const struct user_change *c) {
  const struct store_session *n = &c->session;
  sqlite3_stmt *s;
  int rc = note_login(db, c);
  if (rc != SQLITE_OK) return rc;
  rc = sqlite3_prepare_v2(db,
                          "INSERT INTO sessions (id, user_id, refresh_hash, created_ms, used_ms,"
                          " expires_ms) VALUES (?1, ?2, ?3, ?4, ?4, ?5)",
                          -1, &s, NULL);
  if (rc != SQLITE_OK) return rc;
  sqlite_bind_text(s, 1, n->id);
  sqlite_bind_text(s, 2, n->user_id);
  sqlite3_bind_blob(s, 3, n->refresh_hash, STORE_HASH_SIZE, SQLITE_STATIC);
  sqlite3_bind_int64(s, 4, n->created_ms);
  sqlite3_bind_int64(s, 5, n->expires_ms);
  rc = sqlite_finish(s);
  return rc == SQLITE_OK ? trim_sessions(db, c) : rc;
}

static int renew_session(sqlite3 *db, const struct user_change *c) {
  const struct store_session *n = &c->session;
  sqlite3_stmt *s;
  int rc = sqlite3_prepare_v2(db,
                              "UPDATE sessions SET refresh_hash = ?3, used_ms = ?4, expires_ms = ?5"
                              " WHERE id = ?1 AND refresh_hash = ?2 AND expires_ms > ?4",
                              -1, &s, NULL);
  if (rc != SQLITE_OK) return rc;
  sqlite_bind_text(s, 1, n->id);
  sqlite3_bind_blob(s, 2, c->old_hash, STORE_HASH_SIZE, SQLITE_STATIC);
  sqlite3_bind_blob(s, 3, n->refresh_hash, STORE_HASH_SIZE, SQLITE_STATIC);
  sqlite3_bind_int64(s, 4, n->used_ms);
  sqlite3_bind_int64(s, 5, n->expires_ms);
  return sqlite_finish_one(db, s);
}

static int end_session(sqlite3 *db, const char *id) {
  sqlite3_stmt *s;
  int rc = sqlite3_prepare_v2(db, "DELETE FROM sessions WHERE id = ?1", -1, &s, NULL);
  if (rc != SQLITE_OK) return rc;
  sqlite_bind_text(s, 1, id);
  return sqlite_finish_one(db, s);
}

static int drop_expired_tokens(sqlite3 *db, int64_t now_ms) {
  sqlite3_stmt *s;
  int rc = sqlite3_prepare_v2(db,
                              "DELETE FROM revoked_tokens WHERE hash IN (SELECT hash FROM"
                              " revoked_tokens WHERE expires_ms <= ?1 LIMIT ?2)",
                              -1, &s, NULL);
  if (rc != SQLITE_OK) return rc;
  sqlite3_bind_int64(s, 1, now_ms);
  sqlite3_bind_int(s, 2, EXPIRED_AT_ONCE);
  return sqlite_finish(s);
}

static int revoke_token(sqlite3 *db, const struct user_change *c) {
  sqlite3_stmt *s;
  int rc = drop_expired_tokens(db, c->now_ms);
  if (rc != SQLITE_OK) return rc;
  rc = sqlite3_prepare_v2(db,
                          "INSERT INTO revoked_tokens (hash, expires_ms) SELECT ?1, ?2"
                          " WHERE (SELECT count(*) FROM revoked_tokens) < ?3",
                          -1, &s, NULL);
  if (rc != SQLITE_OK) return rc;
  sqlite3_bind_blob(s, 1, c->session.refresh_hash, STORE_HASH_SIZE, SQLITE_STATIC);
  sqlite3_bind_int64(s, 2, c->session.expires_ms);
  sqlite3_bind_int64(s, 3, c->limit);
  return sqlite_finish_one(db, s);
}

int user_change_write(sqlite3 *db, const struct user_change *change) {
  switch (change->kind) {
    case USER_PUT: return put_user(db, change);
    case USER_CHANGE: return change_user(db, change);
    case SESSION_PUT: return put_session(db, change);
    case SESSION_RENEW: return renew_session(db, change);
    case TOKEN_REVOKE: return revoke_token(db, change);
    case SESSION_END:
    default: return end_session(db, change->session.id);
  }
}
