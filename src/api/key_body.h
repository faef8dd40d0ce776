/* API keys as JSON: what a request asks for, and how a key is shown. Any thread. */
#ifndef ARAGORA_API_KEY_BODY_H
#define ARAGORA_API_KEY_BODY_H

#include "api/account_body.h"
#include "api/state.h"
#include "auth/api_key.h"
#include "base/json.h"
#include "store/keys.h"

enum { KEY_NAME_MAX = 100, KEY_SCOPES_SIZE = 1024, KEY_LISTED_MAX = 1000 };

/* What a body asks for. */
struct key_form {
  unsigned fields; /* of enum store_key_field: those that it names */
  char name[KEY_NAME_MAX * 4 + 1];
  char scopes[KEY_SCOPES_SIZE];
  struct store_key key; /* the values of those fields; its texts are the above */
};

/* {name, scopes: [names], expires_in_days | expires_at, requests_per_minute, usd_per_day}, all of
 * them optional and null for "none"; what it does not name is no limit. STATUS_INVALID names the
 * field, an unknown one too. */
MUST_CHECK enum status key_form_read(const json_t *body, int64_t now_ms, struct key_form *ret_form,
                                     struct error *err);

/* {key_id, prefix, name, ..., status: active, expired or revoked}; NULL when memory is short. */
json_t *key_object(const struct store_key *key, int64_t now_ms);

/* What a user's page shows of its default key; `account.prefix` is `id`, NULL = it has none that
 * works. */
struct key_default {
  struct account_key account;
  char id[API_KEY_PREFIX_SIZE];
};
/* Blocks. */
MUST_CHECK enum status key_find_default(struct api *api, const struct principal *who,
                                        struct key_default *ret_key, struct error *err);

#endif
