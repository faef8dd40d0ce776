#include "auth/audit.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"

#include <arpa/inet.h>
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
    [AUDIT_DEBATE_DELETE] = "debate.delete",
    [AUDIT_DEBATE_CANCEL] = "debate.cancel",
    [AUDIT_DEBATE_SHARE] = "debate.share",
    [AUDIT_DEBATE_UNSHARE] = "debate.unshare",
    [AUDIT_EXPORT] = "export.create",
    [AUDIT_BREAKER_RESET] = "breaker.reset",
    [AUDIT_MAINTENANCE] = "maintenance.run",
    [AUDIT_CONFIG_RELOAD] = "config.reload",
    [AUDIT_CREDENTIAL] = "credential.refused",
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
    len = 0;
  }
  struct bytes whole = len ? (struct bytes){text, len} : BYTES_LITERAL("{}");
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

/* What comes in floods: who tries passwords, or doors, from one place. A row that was written is
 * remembered, and what is the same is counted until another minute begins. */
enum {
  REPEATS = 256,
  REPEAT_MS = 60000,
  REPEAT_KEY_SIZE = 32,
  FLOOD_ROWS = 120, /* of all floods together in REPEAT_MS, so that who has many addresses does not
                       push out what matters */
};

struct repeat {
  uint8_t key[REPEAT_KEY_SIZE]; /* a hash of who, what and from where */
  int64_t since_ms;             /* when the row was written; 0 = the slot is free */
  int64_t count;                /* since then */
};

struct audit {
  struct store *store;
  const struct clock *clock;
  pthread_mutex_t lock; /* guards what follows */
  struct repeat repeats[REPEATS];
  int64_t rows_since_ms; /* of the minute that `rows` counts in */
  int rows;              /* that floods wrote in it */
};

enum status audit_create(struct store *store, const struct clock *clock, struct audit **ret_audit,
                         struct error *err) {
  struct audit *audit = calloc(1, sizeof *audit);
  if (!audit) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  audit->store = store;
  audit->clock = clock;
  pthread_mutex_init(&audit->lock, NULL);
  *ret_audit = audit;
  return STATUS_OK;
}

void audit_destroy(struct audit *audit) {
  if (!audit) return;
  pthread_mutex_destroy(&audit->lock);
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

static bool comes_in_floods(const struct audit_act *act) {
  return act->action == AUDIT_DENIED || act->action == AUDIT_CREDENTIAL ||
         act->action == AUDIT_EXPORT ||
         (act->outcome != AUDIT_OK && (act->action == AUDIT_LOGIN || act->action == AUDIT_SETUP ||
                                       act->action == AUDIT_PASSWORD));
}

/* The network that is one host's to choose addresses in, as limits on callers count: an IPv6
 * address is its /64. */
static struct bytes source_of(struct bytes address, uint8_t network[8]) {
  char text[INET6_ADDRSTRLEN];
  struct in6_addr in6;
  if (address.len >= sizeof text) return address;
  memcpy(text, address.ptr ? address.ptr : "", address.len);
  text[address.len] = '\0';
  if (inet_pton(AF_INET6, text, &in6) != 1 || IN6_IS_ADDR_V4MAPPED(&in6)) return address;
  memcpy(network, in6.s6_addr, 8);
  return (struct bytes){(const char *)network, 8};
}

/* Lengths between them, so that no two keys have one text. */
static void key_of(const struct audit_entry *e, uint8_t ret_key[REPEAT_KEY_SIZE]) {
  uint8_t network[8];
  const struct bytes texts[] = {e->tenant,  e->actor,    e->action,
                                e->outcome, e->resource, source_of(e->address, network)};
  enum { COUNT = sizeof texts / sizeof *texts };
  struct bytes parts[2 * COUNT];
  for (int i = 0; i < COUNT; i++) {
    parts[2 * i] = (struct bytes){(const char *)&texts[i].len, sizeof texts[i].len};
    parts[2 * i + 1] = texts[i];
  }
  sha256_of_parts(parts, 2 * COUNT, ret_key);
}

/* A clock that was set back begins another minute. */
static bool is_within(int64_t since_ms, int64_t now_ms) {
  return now_ms >= since_ms && now_ms - since_ms < REPEAT_MS;
}

/* Whether floods may write one more row. */
static bool take_row(struct audit *audit, int64_t now_ms) {
  if (!is_within(audit->rows_since_ms, now_ms)) {
    audit->rows_since_ms = now_ms;
    audit->rows = 0;
  }
  if (audit->rows >= FLOOD_ROWS) return false;
  audit->rows++;
  return true;
}

/* True when it was only counted. *ret_repeated is how often it, or what its slot held before, came
 * since its row. What was counted of something else is lost to the log; its first row stands. */
static bool is_repeat(struct audit *audit, const struct audit_entry *entry, int64_t *ret_repeated) {
  uint8_t key[REPEAT_KEY_SIZE];
  int64_t now_ms = entry->at_ms;
  bool counted = false;
  key_of(entry, key);
  struct repeat *r = &audit->repeats[key[0] % REPEATS];
  pthread_mutex_lock(&audit->lock);
  bool same = r->since_ms && memcmp(r->key, key, sizeof key) == 0;
  *ret_repeated = same ? r->count : 0;
  if ((same && is_within(r->since_ms, now_ms)) || !take_row(audit, now_ms)) {
    r->count += same;
    counted = true;
  } else {
    *r = (struct repeat){.since_ms = now_ms};
    memcpy(r->key, key, sizeof key);
  }
  pthread_mutex_unlock(&audit->lock);
  return counted;
}

/* The record again, with how often it came in its detail. */
static void add_repeated(const struct audit_act *act, int64_t repeated,
                         struct audit_record *record) {
  struct audit_act more = *act;
  JSON_LATER json_t *detail = act->detail ? json_deep_copy(act->detail) : json_object();
  if (!detail || json_object_set_new(detail, "repeated", json_integer(repeated))) return;
  more.detail = detail;
  audit_record_make(&more, record);
}

void audit_note(struct audit *audit, const struct audit_act *act) {
  struct audit_record record;
  int64_t repeated = 0, now_ms;
  if (!audit) return;
  now_ms = clock_wall_ms(audit->clock);
  audit_record_make(act, &record);
  record.entry.at_ms = now_ms;
  if (comes_in_floods(act) && is_repeat(audit, &record.entry, &repeated)) {
    const char *labels[] = {audit_action_name(act->action), audit_outcome_name(act->outcome)};
    metric_add(METRIC_AUDIT_REPEATS, labels, 1);
    return;
  }
  if (repeated) add_repeated(act, repeated, &record);
  record.entry.at_ms = now_ms;
  put(audit, &record.entry);
}
