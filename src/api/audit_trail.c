#include "api/audit_trail.h"

struct audit_origin audit_trail_origin(const struct http_request *request) {
  struct principal who = api_principal(request);
  return (struct audit_origin){
      .tenant_id = who.tenant_id,
      .actor = who.owner_id,
      .address = http_request_peer(request),
      .request_id = http_request_id(request),
  };
}

void audit_trail_record(const struct http_request *request, enum audit_action action,
                        enum audit_outcome outcome, const char *resource, const json_t *detail,
                        struct audit_record *ret_record) {
  const struct audit_act act = {action, outcome, audit_trail_origin(request), resource, detail};
  audit_record_make(&act, ret_record);
}

void audit_trail_note(const struct http_request *request, const struct api *api,
                      enum audit_action action, enum audit_outcome outcome, const char *resource,
                      json_t *detail) {
  const struct audit_act act = {action, outcome, audit_trail_origin(request), resource, detail};
  audit_note(api->parts.audit, &act);
  json_decref(detail);
}
