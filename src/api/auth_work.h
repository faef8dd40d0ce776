/* A request about accounts on its way through the threads that may block. */
#ifndef ARAGORA_API_AUTH_WORK_H
#define ARAGORA_API_AUTH_WORK_H

#include "api/auth_limits.h"
#include "api/state.h"
#include "auth/accounts.h"
#include "base/json.h"

/* Which they are: what hashes nothing does not wait behind those who log in. */
enum auth_pool { AUTH_POOL_GENERAL, AUTH_POOL_HASHING /* the accounts' own */ };

struct auth_work {
  struct http_request *request;
  struct api *api;
  struct accounts *accounts;
  json_t *body; /* an object */
  struct identity who;
  struct account_from from;
  char email[STORE_EMAIL_SIZE];        /* a login's */
  void (*run)(struct auth_work *work); /* answers; on a thread of the pool */
};

/* Reads the body, which must be an object or absent, and hands the work over; answers itself where
 * that fails. `limit` AUTH_LIMITS = none. Before the work is handed over, `prepare` (NULL =
 * nothing) may refuse it, having answered. */
void auth_work_begin(struct http_request *request, void *app, enum auth_pool pool,
                     enum auth_limit limit, bool (*prepare)(struct auth_work *work),
                     void (*run)(struct auth_work *work));

/* A text of the body; empty when it is absent or null. STATUS_INVALID names the field when it is of
 * another type, or absent and `required`. */
MUST_CHECK enum status auth_work_text(const struct auth_work *work, const char *field,
                                      bool required, struct bytes *ret_text, struct error *err);

/* What is no ACCOUNT_OK. */
void auth_work_refuse(struct auth_work *work, enum account_answer answer, const struct error *err);

#endif
