/* Accounts: who registers, logs in, stays logged in, and is logged out.
 *
 * A login is a session: a row, an access token that names it and a refresh token of which only the
 * hash is kept. An access token counts as long as its session is there, its user active and its
 * version the user's: role and tenant are the row's, whatever stands in the token. A refresh token
 * counts once; one that comes a second time was stolen, from the user or by the one who shows it,
 * so its session ends.
 *
 * The operations below block, on the disk, and the ones that take a password on its hash too: these
 * run on the threads of accounts_submit, as many as there are cores and below the rest in priority,
 * so that a flood of them keeps nobody else waiting. What each writes is in the audit log, in the
 * same transaction.
 */
#ifndef ARAGORA_AUTH_ACCOUNTS_H
#define ARAGORA_AUTH_ACCOUNTS_H

#include "auth/audit.h"
#include "auth/auth.h"
#include "auth/jwt.h"
#include "base/options.h"
#include "io/pool.h"
#include "store/users.h"

struct accounts;

struct accounts_parts { /* borrowed */
  struct store *store;
  struct auth *auth;   /* NULL = nobody is served */
  struct audit *audit; /* NULL = no log of its own; acts that write have their rows all the same */
  const struct options *options;
  const struct clock *clock; /* NULL = the system's */
  struct pool *pool;         /* for what only asks the database; NULL = the accounts' own threads */
  /* The one-time token for the first admin, "" = not any more; NULL = nobody is told. */
  void (*announce)(void *ctx, const char *token);
  void *announce_ctx;
};

/* Plugs itself into `auth`, and requires credentials where a secret is configured or there is a
 * user. STATUS_INVALID names a variable; STATUS_IO, STATUS_NOMEM. */
MUST_CHECK enum status accounts_create(const struct accounts_parts *parts,
                                       struct accounts **ret_accounts, struct error *err);
/* Finishes what was submitted; nothing is taken from here on. Before the store closes. */
void accounts_stop(struct accounts *accounts);
void accounts_destroy(struct accounts *accounts); /* NULL is fine */

/* As pool_submit. */
MUST_CHECK enum status accounts_submit(struct accounts *accounts, void (*work)(void *arg),
                                       void *arg);

/* Requires credentials where another process has made a user since. Blocks; any thread. */
void accounts_look_for_users(struct accounts *accounts);

/* What came of an operation. */
enum account_answer {
  ACCOUNT_OK,
  ACCOUNT_WRONG,    /* the credentials are */
  ACCOUNT_DISABLED, /* they are right, and the account is closed */
  ACCOUNT_LOCKED,   /* too many tries; err->retry_after_s */
  ACCOUNT_REFUSED,  /* not to be had: registration is closed, there is an admin already */
  ACCOUNT_FAILED,   /* err->status says why */
};

struct account_from {
  const char *address, *request_id;
};

struct account_form {
  struct bytes email, password, name, organization; /* the last two may be empty */
};

struct account_tokens {
  char access[JWS_TEXT_MAX + 1], refresh[JWS_TEXT_MAX + 1];
  int64_t expires_s; /* of the access token, from now */
};

/* A user and its tenant. */
struct account {
  struct store_user user;
  struct store_tenant tenant; /* a name "" = one person's own */
};

/* A login comes with it. */
enum account_answer accounts_register(struct accounts *accounts, const struct account_form *form,
                                      const struct account_from *from, struct account *ret_account,
                                      struct account_tokens *ret_tokens, struct error *err);
/* The first admin, by the token that was announced. */
enum account_answer accounts_set_up(struct accounts *accounts, struct bytes token,
                                    const struct account_form *form,
                                    const struct account_from *from, struct account *ret_account,
                                    struct account_tokens *ret_tokens, struct error *err);
/* Before accounts_login, and cheap: whether the address may be tried now, which counts as a try.
 * `email` as account_read_email gives it. */
enum account_answer accounts_try(struct accounts *accounts, const char *email, struct error *err);
/* The try was none, since nobody had the time to look at it. */
void accounts_untry(struct accounts *accounts, const char *email);
enum account_answer accounts_login(struct accounts *accounts, const char *email,
                                   struct bytes password, const struct account_from *from,
                                   struct account *ret_account, struct account_tokens *ret_tokens,
                                   struct error *err);
enum account_answer accounts_refresh(struct accounts *accounts, struct bytes refresh_token,
                                     const struct account_from *from,
                                     struct account_tokens *ret_tokens, struct error *err);
/* The session of the identity; one of any other kind is ACCOUNT_REFUSED. */
enum account_answer accounts_logout(struct accounts *accounts, const struct identity *who,
                                    const struct account_from *from, struct error *err);
/* Every session of the user. */
enum account_answer accounts_logout_all(struct accounts *accounts, const struct identity *who,
                                        const struct account_from *from, int64_t *ret_version,
                                        struct error *err);
/* Whoever holds a token of ours, access or refresh, may end its session, and whoever holds a signed
 * form of the API token, that; *ret_ended is how many that were. Of anything else, 0. */
enum account_answer accounts_revoke(struct accounts *accounts, struct bytes token,
                                    const struct account_from *from, int *ret_ended,
                                    struct error *err);
/* The user's other sessions end. ACCOUNT_WRONG when the current one is not this. */
enum account_answer accounts_change_password(struct accounts *accounts, const struct identity *who,
                                             struct bytes current, struct bytes next,
                                             const struct account_from *from, struct error *err);
enum account_answer accounts_rename(struct accounts *accounts, const struct identity *who,
                                    struct bytes name, const struct account_from *from,
                                    struct error *err);
enum account_answer accounts_get(struct accounts *accounts, const char *user_id,
                                 struct account *ret_account, struct error *err);

/* --- by an admin; `origin` is who acts --- */

/* Of tenant `local` for an admin, else of one of its own. No login comes with it. */
enum account_answer accounts_add_user(struct accounts *accounts, const struct account_form *form,
                                      enum role role, const struct audit_origin *origin,
                                      struct account *ret_account, struct error *err);
/* Its role is another from its next call on; an admin keeps the tenant it has. Here and below,
 * without `last_too`, what would leave no active admin is refused: STATUS_CONFLICT. */
enum account_answer accounts_set_role(struct accounts *accounts, const char *user_id,
                                      enum role role, bool last_too,
                                      const struct audit_origin *origin, struct error *err);
/* The plan of the user's whole tenant, from its next debate on. STATUS_INVALID for one that is not
 * in plan_table. */
enum account_answer accounts_set_plan(struct accounts *accounts, const struct store_user *user,
                                      const char *plan, const struct audit_origin *origin,
                                      struct error *err);
/* One that is disabled is logged out everywhere, at once. */
enum account_answer accounts_set_active(struct accounts *accounts, const char *user_id, bool active,
                                        bool last_too, const struct audit_origin *origin,
                                        struct error *err);
/* Every session ends. */
enum account_answer accounts_end_sessions(struct accounts *accounts, const char *user_id,
                                          const struct audit_origin *origin, struct error *err);
/* Every session ends. */
enum account_answer accounts_set_password(struct accounts *accounts, const char *user_id,
                                          struct bytes password, const struct audit_origin *origin,
                                          struct error *err);

#endif
