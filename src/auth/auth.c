#include "auth/auth.h"

#include "auth/token.h"
#include "base/sha256.h"

#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <strings.h>

struct auth {
  struct api_token token;
  const struct clock *clock;
  atomic_bool enabled;
  struct auth_verifier keys, sessions; /* verify NULL = not plugged */
  struct auth_revocations tokens;      /* check NULL = likewise */
  auth_wake_fn *wake;
  void *wake_ctx;
};

enum status auth_create(const struct auth_options *options, struct auth **ret_auth,
                        struct error *err) {
  struct auth *auth = calloc(1, sizeof *auth);
  if (!auth || api_token_init(&auth->token, options->api_token)) {
    free(auth);
    return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  }
  auth->clock = options->clock ? options->clock : &clock_system;
  atomic_init(&auth->enabled, auth->token.set);
  *ret_auth = auth;
  return STATUS_OK;
}

void auth_destroy(struct auth *auth) {
  if (!auth) return;
  api_token_done(&auth->token);
  free(auth);
}

void auth_plug_keys(struct auth *auth, const struct auth_verifier *verifier) {
  auth->keys = *verifier;
}

void auth_plug_sessions(struct auth *auth, const struct auth_verifier *verifier) {
  auth->sessions = *verifier;
}

void auth_plug_tokens(struct auth *auth, const struct auth_revocations *revocations) {
  auth->tokens = *revocations;
}

bool auth_enabled(const struct auth *auth) {
  return atomic_load_explicit(&auth->enabled, memory_order_relaxed);
}

void auth_require(struct auth *auth) {
  if (!atomic_exchange(&auth->enabled, true)) auth_tell_revoked(auth);
}

/* ---- the forms of a credential ---- */

static void fill_operator(struct identity *ret, const char *credential_id, int64_t expires_us) {
  *ret = identity_local;
  ret->kind = IDENTITY_API_TOKEN;
  ret->expires_us = expires_us;
  memcpy(ret->credential_id, credential_id, strlen(credential_id) + 1);
}

bool auth_is_signed_token(const struct auth *auth, struct bytes text, int64_t *ret_expires_s) {
  return api_token_is_signed(&auth->token, text, clock_wall_ms(auth->clock) / 1000, ret_expires_s);
}

static enum credential identify_token(struct auth *auth, struct bytes text, bool may_block,
                                      struct identity *ret) {
  int64_t expires_s;
  uint8_t hash[SHA256_SIZE];
  char id[2 * SHA256_SIZE + 1];
  if (api_token_is_raw(&auth->token, text)) {
    fill_operator(ret, "token", 0);
    return CREDENTIAL_GOOD;
  }
  if (!auth_is_signed_token(auth, text, &expires_s)) return CREDENTIAL_NONE;
  sha256_of(text, hash);
  bytes_to_hex(hash, sizeof hash, id);
  fill_operator(ret, id, expires_s * 1000000);
  return auth->tokens.check ? auth->tokens.check(auth->tokens.ctx, hash, may_block)
                            : CREDENTIAL_GOOD;
}

static bool is_key(struct bytes text) {
  return text.len > 4 && memcmp(text.ptr, "ara_", 4) == 0;
}

static bool is_session(struct bytes text) {
  size_t dots = 0;
  for (size_t i = 0; i < text.len; i++) dots += text.ptr[i] == '.';
  return dots == 2;
}

static enum credential ask(const struct auth_verifier *verifier, struct bytes text, bool may_block,
                           struct identity *ret, struct error *err) {
  if (!verifier->verify) return CREDENTIAL_BAD;
  return verifier->verify(verifier->ctx, text, may_block, ret, err);
}

/* By its form; the raw token may have any, so it is compared first. */
static enum credential identify_bearer(struct auth *auth, struct bytes text, bool may_block,
                                       struct identity *ret, struct error *err) {
  enum credential answer = identify_token(auth, text, may_block, ret);
  if (answer != CREDENTIAL_NONE) return answer;
  if (is_key(text)) return ask(&auth->keys, text, may_block, ret, err);
  if (is_session(text)) return ask(&auth->sessions, text, may_block, ret, err);
  return CREDENTIAL_BAD;
}

bool auth_read_bearer(const char *authorization, struct bytes *ret_text) {
  if (!authorization || strncasecmp(authorization, "Bearer", 6) != 0) return false;
  const char *text = authorization + 6;
  if (*text != ' ' && *text != '\0') return false;
  *ret_text = bytes_of(text + strspn(text, " "));
  return true;
}

enum credential auth_identify(struct auth *auth, const char *authorization, const char *cookie,
                              bool may_block, struct identity *ret, struct error *err) {
  struct bytes text;
  bool by_header = auth_read_bearer(authorization, &text);
  if (!by_header && !cookie) return CREDENTIAL_NONE;
  struct identity found;
  enum credential answer = by_header
                               ? identify_bearer(auth, text, may_block, &found, err)
                               : ask(&auth->sessions, bytes_of(cookie), may_block, &found, err);
  if (answer != CREDENTIAL_GOOD) return answer;
  found.from_cookie = !by_header;
  *ret = found;
  return CREDENTIAL_GOOD;
}

/* ---- for what outlives its request ---- */

static bool token_stands(const struct auth *auth, const struct identity *identity) {
  uint8_t hash[SHA256_SIZE];
  size_t len;
  if (!auth->tokens.stands || !identity->expires_us) return true;
  return sodium_hex2bin(hash, sizeof hash, identity->credential_id, strlen(identity->credential_id),
                        NULL, &len, NULL) != 0 ||
         len != sizeof hash || auth->tokens.stands(auth->tokens.ctx, hash);
}

bool auth_stands(struct auth *auth, const struct identity *identity) {
  if (identity->expires_us && identity->expires_us <= clock_wall_ms(auth->clock) * 1000)
    return false;
  if (identity->kind == IDENTITY_LOCAL) return !auth_enabled(auth);
  if (identity->kind == IDENTITY_API_TOKEN) return token_stands(auth, identity);
  const struct auth_verifier *verifier = identity->key_id[0] ? &auth->keys : &auth->sessions;
  bool users = identity->kind == IDENTITY_SESSION || identity->kind == IDENTITY_KEY;
  return !users || !verifier->stands || verifier->stands(verifier->ctx, identity);
}

void auth_on_revoked(struct auth *auth, auth_wake_fn *wake, void *ctx) {
  auth->wake = wake;
  auth->wake_ctx = ctx;
}

void auth_tell_revoked(struct auth *auth) {
  if (auth->wake) auth->wake(auth->wake_ctx);
}
