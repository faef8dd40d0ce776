#include "auth/audit.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"

#include <pthread.h>
#include <stdlib.h>

static const char *const action_names[AUDIT_ACTIONS] = {
    [AUDIT_REGISTER] = "user.register",
    [AUDIT_LOGIN] = "user.login",
    [AUDIT_LOCKOUT] = "user.lockout",
    [AUDIT_LOGOUT] = "user.logout",
    [AUDIT_LOGOUT_ALL] = "user.logout_all",
    [AUDIT_REFRESH_REUSE] = "token.reuse",
    [AUDIT_TOKEN_REVOKE] = "token.revoke",
    [AUDIT_SETUP] = "server.setup",
    [AUDIT_USER_CREATE] = "user.create",
    [AUDIT_USER_CHANGE] = "user.change",
    [AUDIT_PASSWORD] = "user.password",
    [AUDIT_ROLE] = "user.role",
    [AUDIT_USER_DISABLE] = "user.disable",
    [AUDIT_USER_ENABLE] = "user.enable",
    [AUDIT_KEY_CREATE] = "key.create",
    [AUDIT_KEY_CHANGE] = "key.change",
    [AUDIT_KEY_ROTATE] = "key.rotate",
    [AUDIT_KEY_REVOKE] = "key.revoke",
    [AUDIT_PLAN] = "tenant.plan",
    [AUDIT_SHARE] = "debate.share",
    [AUDIT_UNSHARE] = "debate.unshare",
    [AUDIT_DEBATE_DELETE] = "debate.delete",
    [AUDIT_DEBATE_CANCEL] = "debate.cancel",
    [AUDIT_EXPORT] = "export.create",
    [AUDIT_BREAKER_RESET] = "breaker.reset",
    [AUDIT_MAINTENANCE] = "maintenance.run",
    [AUDIT_CONFIG_RELOAD] = "config.reload",
    [AUDIT_DENIED] = "permission.denied",
};

const char *audit_action_name(enum audit_action action) {
  return action_names[action];
}

const char *audit_outcome_name(enum audit_outcome outcome) {
  static const char *const names[] = {"ok", "refused", "failed"};
  return names[outcome];
}

/* ---- a record ---- */

/* What cannot be written canonically (a real number) is no detail of ours. */
static struct bytes detail_text(const json_t *detail, char out[STORE_AUDIT_DETAIL_MAX + 1]) {
  FREE_LATER char *text = detail ? json_canonical_dup(detail) : NULL;
  size_t len = text ? strlen(text) : 0;
  if (detail && (!text || len > STORE_AUDIT_DETAIL_MAX)) {
    log_warning("audit", NULL, "event=audit_detail_dropped bytes=%zu", len);
    text = NULL;
  }
  struct bytes whole = text ? (struct bytes){text, len} : BYTES_LITERAL("{}");
  memcpy(out, whole.ptr, whole.len);
  out[whole.len] = '\0';
  return (struct bytes){out, whole.len};
}

void audit_record_make(const struct audit_act *act, struct audit_record *ret) {
  const struct audit_origin *from = &act->origin;
  ret->entry = (struct audit_entry){
      .at_ms = clock_wall_ms(&clock_system),
      .tenant = bytes_of(from->tenant_id),
      .actor = bytes_of(from->actor),
      .action = bytes_of(audit_action_name(act->action)),
      .outcome = bytes_of(audit_outcome_name(act->outcome)),
      .resource = bytes_of(act->resource),
      .address = bytes_of(from->address),
      .request_id = bytes_of(from->request_id),
      .detail = detail_text(act->detail, ret->detail),
  };
}

/* ---- noting ---- */

struct audit {
  struct store *store;
};

enum status audit_create(struct store *store, struct audit **ret_audit, struct error *err) {
  struct audit *audit = calloc(1, sizeof *audit);
  if (!audit) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  audit->store = store;
  *ret_audit = audit;
  return STATUS_OK;
}

void audit_destroy(struct audit *audit) {
  free(audit);
}

static void put(struct audit *audit, const struct audit_entry *entry) {
  enum status status = store_put_audit(audit->store, entry, NULL, NULL);
  if (!status) return;
  struct log_quoted actor, resource;
  metric_add(METRIC_AUDIT_LOST, NULL, 1);
  log_error("audit", NULL, "event=audit_lost status=%s action=%s outcome=%s actor=%s resource=%s",
            status_name(status), entry->action.ptr, entry->outcome.ptr,
            log_quote(&actor, entry->actor.ptr ? entry->actor.ptr : ""),
            log_quote(&resource, entry->resource.ptr ? entry->resource.ptr : ""));
}

void audit_note(struct audit *audit, const struct audit_act *act) {
  struct audit_record record;
  if (!audit) return;
  audit_record_make(act, &record);
  put(audit, &record.entry);
}
