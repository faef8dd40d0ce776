/* Accounts as the API writes them: each field flat, as clients of the SDK read it, and nested once
 * more, as the earlier server's pages do. */
#ifndef ARAGORA_API_ACCOUNT_BODY_H
#define ARAGORA_API_ACCOUNT_BODY_H

#include "auth/accounts.h"

/* What is shown of a user's default API key; NULL = there is none. */
struct account_key {
  const char *prefix;
  int64_t created_ms, expires_ms; /* -1 = never */
};

/* New references; NULL when memory is short. */
json_t *account_user_body(const struct account *account, const struct account_key *key);
/* JSON null for one person's own tenant. */
json_t *account_organization_body(const struct account *account);
json_t *account_tokens_body(const struct account_tokens *tokens);
/* The user's fields at the top level, `user` and `organization`. */
json_t *account_body(const struct account *account, const struct account_key *key);
/* The tokens' fields at the top level, `tokens`, `user`, `user_id`, `email` and `message`. */
json_t *account_login_body(const struct account *account, const struct account_key *key,
                           const struct account_tokens *tokens, const char *message);

#endif
