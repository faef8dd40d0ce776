/* What a request did, for the audit log: who and from where is read off the request. Any thread, as
 * long as the request lives. */
#ifndef ARAGORA_API_AUDIT_TRAIL_H
#define ARAGORA_API_AUDIT_TRAIL_H

#include "api/state.h"
#include "auth/audit.h"

/* Its texts live as long as the request. */
struct audit_origin audit_trail_origin(const struct http_request *request);

/* Notes an act by itself. Takes `detail`, which may be NULL. */
void audit_trail_note(const struct http_request *request, const struct api *api,
                      enum audit_action action, enum audit_outcome outcome, const char *resource,
                      json_t *detail);

/* The same as a record for the store, to be written with the act; it borrows from the request. */
void audit_trail_record(const struct http_request *request, enum audit_action action,
                        enum audit_outcome outcome, const char *resource, json_t *detail,
                        struct audit_record *ret_record);

/* That the caller lacks a permission, or brought a credential that is none. */
void audit_trail_refused(const struct http_request *request, const struct api *api,
                         enum audit_action action, const char *permission);

#endif
