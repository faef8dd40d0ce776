/* The audit log: every act that matters for security, as one row that cannot be changed unseen.
 *
 * Whoever acts says so once, where the act is decided: with audit_note, when nothing else is
 * written, or by handing the entry to the store together with what it writes, so that both are in
 * one transaction (`entry` of struct audit_record). What the actions are stands in one table here
 * and in docs/internals/auth.md. No text may hold a secret: name a key by its public id, an account
 * by its id, never by what was typed in its place.
 *
 * Any thread; nothing here blocks.
 */
#ifndef ARAGORA_AUTH_AUDIT_H
#define ARAGORA_AUTH_AUDIT_H

#include "base/clock.h"
#include "base/json.h"
#include "store/audit.h"

struct audit;

enum audit_action {
  AUDIT_REGISTER,
  AUDIT_LOGIN,
  AUDIT_LOCKOUT, /* an account, after failed logins */
  AUDIT_LOGOUT,
  AUDIT_LOGOUT_ALL,
  AUDIT_REFRESH_REUSE, /* a refresh token came a second time: its family was revoked */
  AUDIT_TOKEN_REVOKE,
  AUDIT_SETUP, /* the first admin, by the setup token */
  AUDIT_USER_CREATE,
  AUDIT_USER_CHANGE, /* name or address, by oneself */
  AUDIT_PASSWORD,
  AUDIT_ROLE,
  AUDIT_USER_DISABLE,
  AUDIT_USER_ENABLE,
  AUDIT_KEY_CREATE,
  AUDIT_KEY_CHANGE,
  AUDIT_KEY_ROTATE,
  AUDIT_KEY_REVOKE,
  AUDIT_PLAN, /* a tenant's */
  AUDIT_DEBATE_DELETE,
  AUDIT_DEBATE_CANCEL, /* somebody else's */
  AUDIT_DEBATE_SHARE,  /* a link was made */
  AUDIT_DEBATE_UNSHARE,
  AUDIT_EXPORT, /* of many debates, of usage, of this log */
  AUDIT_BREAKER_RESET,
  AUDIT_MAINTENANCE,
  AUDIT_CONFIG_RELOAD,
  AUDIT_CREDENTIAL, /* one that was brought and is none: unknown, expired, revoked */
  AUDIT_DENIED,     /* a permission that the caller lacks */
  AUDIT_ACTIONS
};

enum audit_outcome { AUDIT_OK, AUDIT_REFUSED, AUDIT_FAILED };

const char *audit_action_name(enum audit_action action); /* "key.create" */
const char *audit_outcome_name(enum audit_outcome outcome);

/* Who did it, from where. NULL counts as "". */
struct audit_origin {
  const char *tenant_id;
  const char
      *actor; /* a user's id, "local", "token", "anonymous", "system" (the process) or "cli" */
  const char *address;
  const char *request_id;
};
#define AUDIT_SYSTEM ((struct audit_origin){"local", "system", "", ""})

struct audit_act {
  enum audit_action action;
  enum audit_outcome outcome;
  struct audit_origin origin;
  const char *resource; /* what it was done to: an id; NULL = nothing in particular */
  const json_t *detail; /* borrowed: an object of short texts and whole numbers, or NULL */
};

/* An act as the store takes it. `entry` borrows from the act and from the record itself, which is
 * therefore not copied. */
struct audit_record {
  struct audit_entry entry;
  char detail[STORE_AUDIT_DETAIL_MAX + 1];
};
void audit_record_make(const struct audit_act *act, struct audit_record *ret_record);

/* The store outlives it. STATUS_NOMEM. */
MUST_CHECK enum status audit_create(struct store *store, const struct clock *clock,
                                    struct audit **ret_audit, struct error *err);
void audit_destroy(struct audit *audit); /* NULL is fine */

/* A row of its own. What comes in floods from one place (AUDIT_DENIED, AUDIT_CREDENTIAL, an
 * AUDIT_LOGIN that was not ok) is written once a minute for one actor, address and resource; those
 * in between are counted in aragora_audit_repeats_total, and in the next row of the same
 * (`repeated`). A row that cannot be queued is in the log as an error, and counted. `audit` NULL is
 * fine: nothing is noted. */
void audit_note(struct audit *audit, const struct audit_act *act);

#endif
