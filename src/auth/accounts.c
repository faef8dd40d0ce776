#include "auth/accounts.h"

#include "auth/accounts_state.h"
#include "auth/jwt_secret.h"
#include "auth/revoked.h"
#include "base/id.h"
#include "base/log.h"
#include "base/processors.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SETUP_BYTES = 16, BELOW_THE_REST = 10 /* nice(2) */ };

/* ---- writes that are waited for ---- */

void account_write_begin(struct account_write *w) {
  *w = (struct account_write){.status = STATUS_OK};
  pthread_mutex_init(&w->lock, NULL);
  pthread_cond_init(&w->changed, NULL);
}

void account_write_done(void *write, enum status status) {
  struct account_write *w = write;
  pthread_mutex_lock(&w->lock);
  w->done = true;
  w->status = status;
  pthread_cond_signal(&w->changed);
  pthread_mutex_unlock(&w->lock);
}

enum status account_write_end(struct account_write *w, enum status queued) {
  pthread_mutex_lock(&w->lock);
  while (!queued && !w->done) pthread_cond_wait(&w->changed, &w->lock);
  enum status status = queued ? queued : w->status;
  pthread_mutex_unlock(&w->lock);
  pthread_cond_destroy(&w->changed);
  pthread_mutex_destroy(&w->lock);
  return status;
}

enum account_answer accounts_fail(enum status status, struct error *err) {
  if (err && (err->status != status || !*err->message))
    error_set(err, status, NULL, "the change could not be stored");
  return ACCOUNT_FAILED;
}

enum account_answer accounts_wrong(struct error *err) {
  error_set(err, STATUS_DENIED, NULL, "Invalid email or password");
  return ACCOUNT_WRONG;
}

/* ---- tokens ---- */

static enum status require_keys(struct accounts *a, struct error *err) {
  enum status s = STATUS_OK;
  if (atomic_load(&a->has_keys)) return s;
  pthread_mutex_lock(&a->lock);
  if (!atomic_load(&a->has_keys)) {
    s = jwt_secret_make(a->options, &a->keys, err);
    if (!s) {
      log_warning("accounts", NULL,
                  "jwt_secret=made ARAGORA_JWT_SECRET is not set: a secret was made, and lies in "
                  "jwt_secret in the data directory");
      atomic_store(&a->has_keys, true);
    }
  }
  pthread_mutex_unlock(&a->lock);
  return s;
}

static enum status sign(struct accounts *a, const struct jwt_claims *claims, char *out) {
  BUFFER_LATER struct buffer text;
  buffer_init(&text, JWS_TEXT_MAX);
  enum status s = jwt_sign(&a->keys, claims, &text);
  if (!s) memcpy(out, text.ptr, text.len + 1);
  return s;
}

static void fill(char *out, size_t size, const char *text) {
  snprintf(out, size, "%s", text);
}

enum status accounts_make_tokens(struct accounts *a, const struct account *account,
                                 const char *session_id, struct account_tokens *ret,
                                 struct error *err) {
  const struct store_user *user = &account->user;
  int64_t now_s = accounts_now_ms(a) / 1000;
  struct jwt_claims claims = {.token_version = user->token_version, .issued_s = now_s};
  enum status s = require_keys(a, err);
  if (s) return s;
  ret->expires_s = a->options->jwt_expiry_hours * 3600;
  fill(claims.user_id, sizeof claims.user_id, user->id);
  fill(claims.session_id, sizeof claims.session_id, session_id);
  claims.type = JWT_REFRESH;
  claims.expires_s = now_s + a->options->refresh_expiry_days * 86400;
  id_generate(claims.token_id);
  s = sign(a, &claims, ret->refresh);
  claims.type = JWT_ACCESS;
  claims.expires_s = now_s + ret->expires_s;
  id_generate(claims.token_id);
  fill(claims.email, sizeof claims.email, user->email);
  fill(claims.role, sizeof claims.role, user->role);
  if (*account->tenant.name) fill(claims.tenant_id, sizeof claims.tenant_id, user->tenant_id);
  if (!s) s = sign(a, &claims, ret->access);
  return s ? error_set(err, s, NULL, "the token is too long") : STATUS_OK;
}

enum account_answer accounts_open_session(struct accounts *a, const struct account *account,
                                          const struct audit_record *record,
                                          struct account_tokens *ret_tokens, struct error *err) {
  struct store_session session = {.created_ms = accounts_now_ms(a)};
  char id[ID_SIZE];
  id_generate(id);
  enum status s = accounts_make_tokens(a, account, id, ret_tokens, err);
  if (s) return accounts_fail(s, err);
  fill(session.id, sizeof session.id, id);
  fill(session.user_id, sizeof session.user_id, account->user.id);
  session.expires_ms = session.created_ms + a->options->refresh_expiry_days * 86400000;
  sha256_of(bytes_of(ret_tokens->refresh), session.refresh_hash);
  struct account_write w;
  account_write_begin(&w);
  s = account_write_end(
      &w, store_put_session(a->store, &session, &account->user, a->options->max_sessions,
                            record ? &record->entry : NULL, account_write_done, &w));
  if (s == STATUS_CONFLICT) return accounts_wrong(err);
  return s ? accounts_fail(s, err) : ACCOUNT_OK;
}

/* ---- who calls ---- */

/* What the rows say of the session now; one that is gone is noted as ended. */
static enum status read_session(struct accounts *a, const char *id, struct cached_session *ret,
                                struct error *err) {
  struct store_session session;
  struct store_user user;
  uint64_t moment = session_cache_moment(a->cache);
  *ret = (struct cached_session){.read_ms = clock_mono_us(&clock_system) / 1000};
  enum status s = identity_set(ret->id, id);
  if (!s) s = store_get_session(a->store, id, &session, err);
  if (!s) s = store_get_user(a->store, session.user_id, &user, err);
  if (s && s != STATUS_NOT_FOUND) return s;
  ret->ended = s == STATUS_NOT_FOUND;
  if (!s) {
    fill(ret->user_id, sizeof ret->user_id, user.id);
    fill(ret->tenant_id, sizeof ret->tenant_id, user.tenant_id);
    ret->token_version = user.token_version;
    ret->expires_ms = session.expires_ms;
    bool known = role_parse(bytes_of(user.role), &ret->role);
    if (!known || !user.active) ret->role = ROLE_ANONYMOUS; /* not for good: may be let in again */
  }
  session_cache_put(a->cache, moment, ret);
  return STATUS_OK;
}

static bool may_enter(const struct cached_session *n, int64_t now_ms) {
  return !n->ended && n->role != ROLE_ANONYMOUS && n->expires_ms > now_ms;
}

static bool is_known(struct accounts *a, const char *session_id, struct cached_session *ret) {
  return session_cache_find(a->cache, session_id, clock_mono_us(&clock_system) / 1000, ret);
}

static enum credential verify(void *ctx, struct bytes text, bool may_block, struct identity *ret,
                              struct error *err) {
  struct accounts *a = ctx;
  struct jwt_claims claims;
  struct cached_session n;
  int64_t now_ms = accounts_now_ms(a);
  enum status s = atomic_load(&a->has_keys)
                      ? jwt_verify(&a->keys, text, JWT_ACCESS, now_ms / 1000, &claims)
                      : STATUS_DENIED;
  if (s) {
    error_set(err, STATUS_DENIED, NULL, s == STATUS_TIMEOUT ? "token expired" : "not a token");
    return CREDENTIAL_BAD;
  }
  if (!is_known(a, claims.session_id, &n)) {
    if (!may_block) return CREDENTIAL_LATER;
    if (read_session(a, claims.session_id, &n, err)) return CREDENTIAL_FAILED;
  }
  if (!may_enter(&n, now_ms) || n.token_version != claims.token_version ||
      strcmp(n.user_id, claims.user_id) != 0) {
    error_set(err, STATUS_DENIED, NULL, "session ended");
    return CREDENTIAL_BAD;
  }
  *ret = (struct identity){.kind = IDENTITY_SESSION,
                           .role = n.role,
                           .allowed = permission_of_role(n.role),
                           .expires_us = claims.expires_s * 1000000};
  fill(ret->tenant_id, sizeof ret->tenant_id, n.tenant_id);
  fill(ret->user_id, sizeof ret->user_id, n.user_id);
  fill(ret->credential_id, sizeof ret->credential_id, n.id);
  return CREDENTIAL_GOOD;
}

/* What was granted by a role goes with it. */
static bool still_may(struct accounts *a, const struct cached_session *n, enum role role) {
  return may_enter(n, accounts_now_ms(a)) && n->role == role;
}

struct looking {
  struct accounts *accounts;
  char session_id[IDENTITY_TEXT_SIZE];
  enum role role;
};

static void look_again(void *arg) {
  struct looking *l = arg;
  struct cached_session n;
  struct error err;
  enum status s = read_session(l->accounts, l->session_id, &n, &err);
  if (!s && !still_may(l->accounts, &n, l->role)) auth_tell_revoked(l->accounts->parts.auth);
  free(l);
}

/* Of what is not known it is found out behind, and told if it has ended. */
static bool stands(void *ctx, const struct identity *identity) {
  struct accounts *a = ctx;
  struct cached_session n;
  if (is_known(a, identity->credential_id, &n)) return still_may(a, &n, identity->role);
  struct looking *l = calloc(1, sizeof *l);
  if (!l) return true;
  l->accounts = a;
  l->role = identity->role;
  memcpy(l->session_id, identity->credential_id, sizeof l->session_id);
  enum status s =
      a->parts.pool ? pool_submit(a->parts.pool, look_again, l) : accounts_submit(a, look_again, l);
  if (s) free(l);
  return true;
}

/* ---- the first admin ---- */

static void open_setup(struct accounts *a) {
  unsigned char secret[SETUP_BYTES];
  char token[2 * SETUP_BYTES + 1];
  bool open;
  randombytes_buf(secret, sizeof secret);
  sodium_bin2hex(token, sizeof token, secret, sizeof secret);
  pthread_mutex_lock(&a->lock);
  open = !a->setup_open;
  if (open) sha256_of(bytes_of(token), a->setup_hash);
  a->setup_open = true;
  pthread_mutex_unlock(&a->lock);
  if (open && a->parts.announce) a->parts.announce(a->parts.announce_ctx, token);
  sodium_memzero(secret, sizeof secret);
  sodium_memzero(token, sizeof token);
}

void accounts_began(struct accounts *a) {
  struct store_user_counts counts;
  if (!a->parts.auth) return;
  auth_require(a->parts.auth);
  if (!store_count_users(a->store, accounts_now_ms(a), &counts, NULL) && counts.admins == 0)
    open_setup(a);
}

void accounts_look_for_users(struct accounts *a) {
  struct store_user_counts counts;
  if (!auth_enabled(a->parts.auth) &&
      !store_count_users(a->store, accounts_now_ms(a), &counts, NULL) && counts.users)
    accounts_began(a);
}

/* ---- its life ---- */

static enum status begin(struct accounts *a, struct error *err) {
  struct store_user_counts counts;
  enum status s = store_count_users(a->store, accounts_now_ms(a), &counts, err);
  if (s) return s;
  const struct auth_verifier verifier = {verify, stands, a};
  const struct auth_revocations revocations = revoked_plug(a->revoked);
  auth_plug_sessions(a->parts.auth, &verifier);
  auth_plug_tokens(a->parts.auth, &revocations);
  if (a->options->jwt_secret || counts.users) auth_require(a->parts.auth);
  if (auth_enabled(a->parts.auth) && counts.admins == 0) open_setup(a);
  return STATUS_OK;
}

static enum status open_parts(struct accounts *a, struct error *err) {
  bool found = false;
  enum status s = jwt_secret_load(a->options, &a->keys, &found, err);
  atomic_init(&a->has_keys, !s && found);
  password_cost_init(&a->cost, a->options->password_memory_mib);
  if (s || !a->parts.auth) return s;
  if (lockout_create(&a->lockout) || session_cache_create(&a->cache) ||
      revoked_create(a->store, a->clock, (size_t)a->options->max_revoked_tokens, &a->revoked))
    return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  s = pool_create(processors_online(), (size_t)a->options->max_password_queue, &a->pool, err);
  return s ? s : begin(a, err);
}

enum status accounts_create(const struct accounts_parts *parts, struct accounts **ret_accounts,
                            struct error *err) {
  struct accounts *a = calloc(1, sizeof *a);
  if (!a) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  a->parts = *parts;
  a->options = parts->options;
  a->store = parts->store;
  a->clock = parts->clock ? parts->clock : &clock_system;
  pthread_mutex_init(&a->lock, NULL);
  enum status s = open_parts(a, err);
  if (s) {
    accounts_destroy(a);
    return s;
  }
  *ret_accounts = a;
  return STATUS_OK;
}

void accounts_stop(struct accounts *a) {
  if (a && a->pool) pool_stop(a->pool);
}

void accounts_destroy(struct accounts *a) {
  if (!a) return;
  pool_destroy(a->pool);
  lockout_destroy(a->lockout);
  session_cache_destroy(a->cache);
  revoked_destroy(a->revoked);
  jwt_keys_done(&a->keys);
  pthread_mutex_destroy(&a->lock);
  free(a);
}

/* ---- its threads ---- */

struct work {
  void (*run)(void *arg);
  void *arg;
};

/* A flood of logins takes the time that nobody else wants. */
static void run_work(void *arg) {
  static _Thread_local bool lowered;
  struct work work = *(struct work *)arg;
  free(arg);
  if (!lowered) setpriority(PRIO_PROCESS, (id_t)gettid(), BELOW_THE_REST);
  lowered = true;
  work.run(work.arg);
}

enum status accounts_submit(struct accounts *a, void (*run)(void *arg), void *arg) {
  struct work *work = malloc(sizeof *work);
  if (!work) return STATUS_NOMEM;
  *work = (struct work){run, arg};
  enum status s = pool_submit(a->pool, run_work, work);
  if (s) free(work);
  return s;
}
