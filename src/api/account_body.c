#include "api/account_body.h"

#include "base/clock.h"
#include "base/json.h"

static bool is_organization(const struct account *account) {
  return *account->tenant.name != '\0';
}

static json_t *name_or_null(const char *name) {
  return json_text_or_null(*name ? name : NULL);
}

json_t *account_user_body(const struct account *account, const struct account_key *key) {
  const struct store_user *u = &account->user;
  /* Addresses are not verified and second factors are not there: neither is claimed. */
  json_t *body =
      json_pack("{s:s, s:s, s:s, s:o, s:o, s:s, s:b, s:b, s:b, s:o, s:o, s:o, s:b, s:I}", "id",
                u->id, "user_id", u->id, "email", u->email, "name", name_or_null(u->name), "org_id",
                json_text_or_null(is_organization(account) ? u->tenant_id : NULL), "role", u->role,
                "is_active", u->active, "email_verified", 0, "mfa_enabled", 0, "created_at",
                json_time_or_null(u->created_ms), "updated_at", json_time_or_null(u->updated_ms),
                "last_login_at", json_time_or_null(u->last_login_ms), "has_api_key", key != NULL,
                "token_version", (json_int_t)u->token_version);
  if (!body) return NULL;
  json_object_set_new(body, "api_key_prefix", json_text_or_null(key ? key->prefix : NULL));
  json_object_set_new(body, "api_key_created_at", json_time_or_null(key ? key->created_ms : -1));
  json_object_set_new(body, "api_key_expires_at", json_time_or_null(key ? key->expires_ms : -1));
  return body;
}

json_t *account_organization_body(const struct account *account) {
  const struct store_tenant *t = &account->tenant;
  if (!is_organization(account)) return json_null();
  return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:{}}", "id", t->id, "name", t->name,
                   "slug", t->slug, "tier", t->plan, "owner_id", name_or_null(t->owner_id),
                   "created_at", json_time_or_null(t->created_ms), "updated_at",
                   json_time_or_null(t->updated_ms), "settings");
}

json_t *account_tokens_body(const struct account_tokens *tokens) {
  return json_pack("{s:s, s:s, s:s, s:I}", "access_token", tokens->access, "refresh_token",
                   tokens->refresh, "token_type", "Bearer", "expires_in",
                   (json_int_t)tokens->expires_s);
}

json_t *account_body(const struct account *account, const struct account_key *key) {
  json_t *body = account_user_body(account, key);
  if (!body) return NULL;
  json_object_set_new(body, "user", account_user_body(account, key));
  json_object_set_new(body, "organization", account_organization_body(account));
  return body;
}

json_t *account_login_body(const struct account *account, const struct account_key *key,
                           const struct account_tokens *tokens, const char *message) {
  json_t *body = account_tokens_body(tokens);
  if (!body) return NULL;
  json_object_set_new(body, "tokens", account_tokens_body(tokens));
  json_object_set_new(body, "user", account_user_body(account, key));
  json_object_set_new(body, "organization", account_organization_body(account));
  json_object_set_new(body, "user_id", json_string(account->user.id));
  json_object_set_new(body, "email", json_string(account->user.email));
  json_object_set_new(body, "message", json_string(message));
  return body;
}
