#include "api/gate.h"

#include "api/audit_trail.h"
#include "api/cookie.h"
#include "api/reply.h"
#include "api/share_link.h"
#include "api/state.h"
#include "api/tickets.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

/* What becomes of a request that brought something. */
struct caller {
  struct identity identity; /* first: http_caller points here; anonymous unless it is good */
  enum credential credential;
  long retry_after_s;
};

/* Limits count what one user does, from wherever and with whichever of its keys; a key's own rate
 * is the ring's. */
static void make_limit_key(const struct identity *identity, uint8_t out[HTTP_LIMIT_KEY_SIZE]) {
  char text[2 * IDENTITY_TEXT_SIZE];
  int len = snprintf(text, sizeof text, "%s/%s", identity->tenant_id, identity->user_id);
  crypto_generichash(out, HTTP_LIMIT_KEY_SIZE, (const uint8_t *)text, (size_t)len, NULL, 0);
}

/* Without a credential. */
static struct http_caller call_without(const struct api *api) {
  if (auth_enabled(api->parts.auth))
    return (struct http_caller){.state = HTTP_CALLER_UNKNOWN, .identity = &identity_anonymous};
  return (struct http_caller){.state = HTTP_CALLER_OPEN, .identity = &identity_local};
}

/* A ticket opens WebSockets alone. */
static enum credential take_ticket(struct http_request *request, struct api *api,
                                   struct identity *ret) {
  const char *ticket = http_request_query(request, "ticket");
  if (!ticket || !http_request_is_websocket(request)) return CREDENTIAL_NONE;
  if (!tickets_take(api->tickets, ticket, clock_mono_us(&clock_system), ret)) return CREDENTIAL_BAD;
  /* Drawn with a cookie, used with none. */
  ret->from_cookie = false;
  return auth_stands(api->parts.auth, ret) ? CREDENTIAL_GOOD : CREDENTIAL_BAD;
}

static enum credential find_credential(struct http_request *request, struct api *api,
                                       bool may_block, struct identity *ret, struct error *err) {
  char session[COOKIE_VALUE_SIZE];
  const char *header = http_request_header(request, "Authorization");
  const char *cookies = http_request_header(request, "Cookie");
  const char *cookie = cookies && cookie_find(cookies, session) ? session : NULL;
  enum credential credential = header ? CREDENTIAL_NONE : take_ticket(request, api, ret);
  if (credential != CREDENTIAL_NONE) return credential;
  return auth_identify(api->parts.auth, header, cookie, may_block, ret, err);
}

/* A link's token is in the path: what else was brought with it does not count, and limits count the
 * address, as for whatever is public. */
static struct http_caller identify_link(struct api *api, const char *token, bool may_block) {
  struct error err = {0};
  struct identity found;
  if (!may_block) return (struct http_caller){.state = HTTP_CALLER_LATER};
  enum status s = share_link_identify(api, token, &found, &err);
  struct caller *caller = malloc(sizeof *caller);
  if (!caller)
    return (struct http_caller){.state = HTTP_CALLER_UNKNOWN, .identity = &identity_anonymous};
  enum credential credential = !s                      ? CREDENTIAL_GOOD
                               : s == STATUS_NOT_FOUND ? CREDENTIAL_BAD
                                                       : CREDENTIAL_FAILED;
  *caller = (struct caller){s ? identity_anonymous : found, credential, 0};
  return (struct http_caller){
      .state = HTTP_CALLER_UNKNOWN, .identity = &caller->identity, .owned = caller};
}

static struct http_caller gate_identify(struct http_request *request, void *app, bool may_block) {
  struct api *api = app;
  struct error err = {0};
  struct identity found;
  const char *token = share_link_token(request);
  if (token) return identify_link(api, token, may_block);
  enum credential credential = find_credential(request, api, may_block, &found, &err);
  if (credential == CREDENTIAL_NONE) return call_without(api);
  if (credential == CREDENTIAL_LATER) return (struct http_caller){.state = HTTP_CALLER_LATER};
  struct caller *caller = malloc(sizeof *caller);
  /* Without memory nobody is known: the request is refused, or shows what is public. */
  if (!caller)
    return (struct http_caller){.state = HTTP_CALLER_UNKNOWN, .identity = &identity_anonymous};
  bool good = credential == CREDENTIAL_GOOD;
  *caller = (struct caller){good ? found : identity_anonymous, credential, err.retry_after_s};
  struct http_caller out = {.state = good ? HTTP_CALLER_KNOWN : HTTP_CALLER_UNKNOWN,
                            .identity = &caller->identity,
                            .owned = caller};
  if (good) make_limit_key(&caller->identity, out.limit_key);
  return out;
}

static void refuse_unknown(struct http_request *request, const char *message) {
  static const char *const headers[] = {"WWW-Authenticate: Bearer", NULL};
  reply_error(request, 401, "UNAUTHORIZED", message, headers);
}

bool gate_hides(const struct http_request *request, enum status status) {
  const char *permission = http_request_permission(request);
  return status == STATUS_NOT_FOUND && api_identity(request)->kind == IDENTITY_ANONYMOUS &&
         permission && strcmp(permission, "public") != 0;
}

void gate_refuse_anonymous(struct http_request *request) {
  refuse_unknown(request, "Authentication required");
}

static void refuse_limited(struct http_request *request, long retry_after_s) {
  char retry_after[40];
  snprintf(retry_after, sizeof retry_after, "Retry-After: %ld", retry_after_s);
  const char *headers[] = {retry_after, NULL};
  reply_error(request, 429, "RATE_LIMITED", "The key's rate limit is exceeded", headers);
}

static void refuse_unchecked(struct http_request *request) {
  reply_error(request, 503, "SERVICE_UNAVAILABLE", "The credential cannot be checked now",
              (const char *const[]){"Retry-After: 1", NULL});
}

/* True when the credential that was brought, if any, is no reason to refuse the request. */
static bool credential_serves(struct http_request *request, const struct api *api,
                              const struct identity *identity, const char *permission) {
  if (identity == &identity_local || identity == &identity_anonymous) return true;
  const struct caller *caller = (const struct caller *)identity;
  switch (caller->credential) {
    case CREDENTIAL_LIMITED: refuse_limited(request, caller->retry_after_s); return false;
    case CREDENTIAL_FAILED: refuse_unchecked(request); return false;
    case CREDENTIAL_BAD:
      audit_trail_refused(request, api, AUDIT_CREDENTIAL, permission);
      refuse_unknown(request, "Invalid or expired credential");
      return false;
    default: return true;
  }
}

static bool link_serves(struct http_request *request, const struct identity *identity) {
  if (identity->kind == IDENTITY_LINK) return true;
  const struct caller *caller = (const struct caller *)identity;
  if (identity == &identity_anonymous || caller->credential == CREDENTIAL_FAILED)
    refuse_unchecked(request);
  else
    share_link_refuse(request);
  return false;
}

static bool gate_authorize(struct http_request *request, void *app, const char *permission) {
  enum permission wanted;
  const struct identity *identity = api_identity(request);
  if (share_link_token(request)) return link_serves(request, identity);
  /* What is public does not depend on who asks: a stale credential does not close the way to a new
   * one. */
  if (strcmp(permission, "public") == 0) return true;
  if (!credential_serves(request, app, identity, permission)) return false;
  if (identity->from_cookie && !cookie_serves(request, app)) return false;
  /* A row that names no permission is one that nobody has. */
  if (permission_find(bytes_of(permission), &wanted) && permission_in(identity->allowed, wanted))
    return true;
  if (identity->kind == IDENTITY_ANONYMOUS) {
    gate_refuse_anonymous(request);
    return false;
  }
  char message[96];
  audit_trail_refused(request, app, AUDIT_DENIED, permission);
  snprintf(message, sizeof message, "Permission denied: requires '%.48s'", permission);
  reply_error(request, 403, "FORBIDDEN", message, NULL);
  return false;
}

const struct http_gate api_gate = {gate_identify, gate_authorize};
