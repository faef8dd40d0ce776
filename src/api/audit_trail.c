#include "api/audit_trail.h"

enum { PATH_MAX_BYTES = 256 };

static const char *actor_of(const struct identity *identity) {
  switch (identity->kind) {
    case IDENTITY_ANONYMOUS: return "anonymous";
    case IDENTITY_LOCAL: return "local";
    case IDENTITY_API_TOKEN: return "token";
    default: return identity->user_id;
  }
}

struct audit_origin audit_trail_origin(const struct http_request *request) {
  const struct identity *identity = api_identity(request);
  return (struct audit_origin){
      .tenant_id = identity->tenant_id,
      .actor = actor_of(identity),
      .address = http_request_peer(request),
      .request_id = http_request_id(request),
  };
}

/* By which key, if by one. Takes `detail`. */
static json_t *with_key(const struct http_request *request, json_t *detail) {
  const struct identity *identity = api_identity(request);
  if (!identity->key_id[0]) return detail;
  if (!detail) detail = json_object();
  if (detail) json_object_set_new(detail, "key_id", json_string(identity->key_id));
  return detail;
}

void audit_trail_record(const struct http_request *request, enum audit_action action,
                        enum audit_outcome outcome, const char *resource, json_t *detail,
                        struct audit_record *ret_record) {
  JSON_LATER json_t *whole = with_key(request, detail);
  const struct audit_act act = {action, outcome, audit_trail_origin(request), resource, whole};
  audit_record_make(&act, ret_record);
}

void audit_trail_note(const struct http_request *request, const struct api *api,
                      enum audit_action action, enum audit_outcome outcome, const char *resource,
                      json_t *detail) {
  JSON_LATER json_t *whole = with_key(request, detail);
  const struct audit_act act = {action, outcome, audit_trail_origin(request), resource, whole};
  audit_note(api->parts.audit, &act);
}

void audit_trail_refused(const struct http_request *request, const struct api *api,
                         enum audit_action action, const char *permission) {
  struct bytes path = bytes_of(http_request_shown_path(request));
  if (path.len > PATH_MAX_BYTES) path.len = PATH_MAX_BYTES;
  audit_trail_note(
      request, api, action, AUDIT_REFUSED, permission,
      json_pack("{s:s, s:o}", "method", http_request_method(request), "path", json_text(path)));
}
