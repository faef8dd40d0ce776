#include "api/share_link.h"

#include "api/reply.h"
#include "store/shares.h"

#include <sodium.h>

enum { TOKEN_BYTES = 24 };

void share_link_make(char ret_token[SHARE_TOKEN_SIZE], uint8_t ret_hash[SHA256_SIZE]) {
  uint8_t random[TOKEN_BYTES];
  randombytes_buf(random, sizeof random);
  sodium_bin2base64(ret_token, SHARE_TOKEN_SIZE, random, sizeof random,
                    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  sodium_memzero(random, sizeof random);
  sha256_of(bytes_of(ret_token), ret_hash);
}

const char *share_link_token(const struct http_request *request) {
  return http_request_param(request, "token");
}

struct finding {
  struct identity *identity;
  enum status status;
};

static void take(void *ctx, const struct store_share *share) {
  struct finding *finding = ctx;
  struct identity *identity = finding->identity;
  *identity = (struct identity){
      .kind = IDENTITY_LINK,
      .role = ROLE_ANONYMOUS,
      .allowed = permission_of_role(ROLE_ANONYMOUS),
      .expires_us = share->expires_ms < 0 ? 0 : share->expires_ms * 1000,
  };
  enum status s = identity_set(identity->tenant_id, share->tenant_id);
  if (!s) s = identity_set(identity->user_id, share->owner_id);
  if (!s) s = identity_set(identity->credential_id, share->debate_id);
  finding->status = s;
}

enum status share_link_identify(struct api *api, const char *token, struct identity *ret_identity,
                                struct error *err) {
  uint8_t hash[SHA256_SIZE];
  struct identity found;
  struct finding finding = {&found, STATUS_OK};
  sha256_of(bytes_of(token), hash);
  enum status s = store_find_share(api->parts.store, &PRINCIPAL_SYSTEM, hash,
                                   clock_wall_ms(&clock_system), take, &finding, err);
  if (!s) s = finding.status;
  if (!s) *ret_identity = found;
  return s;
}

/* When that cannot be found out it does not stand: the client comes again. */
bool share_link_stands(const struct http_request *request, struct api *api) {
  struct identity now;
  struct error err;
  if (api_identity(request)->kind != IDENTITY_LINK) return true;
  return share_link_identify(api, share_link_token(request), &now, &err) == STATUS_OK;
}

void share_link_refuse(struct http_request *request) {
  reply_error(request, 404, "NOT_FOUND", "No such link", NULL);
}
