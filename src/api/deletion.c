/* DELETE /api/debates/{id}: the content of a debate goes, its chain and a tombstone stay. One that
 * runs is cancelled first. */
#include "api/audit_trail.h"
#include "api/deleted.h"
#include "api/handlers.h"
#include "api/params.h"
#include "api/reply.h"
#include "api/state.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdlib.h>

enum { REASON_BYTES_MAX = 500 };

struct deleting {
  struct http_request *request;
  struct api *api;
  struct principal who; /* of texts that outlive the request */
  char *debate_id, *reason;
  int64_t deleted_ms;
};

static void finish(struct deleting *d, enum status status, const char *words) {
  struct error err = {0};
  if (status) {
    error_set(&err, status, NULL, "%s", words);
    reply_failure(d->request, status, &err, NULL);
  } else {
    char at[CLOCK_ISO_SIZE];
    clock_format_iso(d->deleted_ms, at);
    struct log_context context = {http_request_id(d->request), d->debate_id};
    log_info("api", &context, "debate=deleted by=%s", d->who.owner_id);
    reply_json(d->request, 200,
               json_pack("{s:b, s:b, s:s, s:s, s:s}", "success", 1, "deleted", 1, "id",
                         d->debate_id, "debate_id", d->debate_id, "deleted_at", at),
               NULL);
  }
  free(d->debate_id);
  free(d->reason);
  free(d);
}

/* Writer's thread. */
static void on_deleted(void *ctx, enum status status) {
  finish(ctx, status,
         status == STATUS_CONFLICT ? "the debate has not ended, or somebody else deleted it"
                                   : "the deletion could not be stored");
}

/* Loop thread: the debate has ended, or is not run by anybody. */
static void on_ended(void *ctx, enum status status) {
  struct deleting *d = ctx;
  if (status) {
    finish(d, status, "the debate could not be cancelled");
    return;
  }
  d->deleted_ms = clock_wall_ms(&clock_system);
  struct audit_record record;
  audit_trail_record(d->request, AUDIT_DEBATE_DELETE, AUDIT_OK, d->debate_id, NULL, &record);
  const struct store_deletion what = {d->debate_id,  d->reason, d->who.owner_id,
                                      d->deleted_ms, true,      &record.entry};
  enum status s = store_delete_debate(d->api->parts.store, &d->who, &what, on_deleted, d);
  if (s) finish(d, s, "the deletion could not be stored");
}

static enum status no_memory(struct error *err) {
  error_set(err, STATUS_NOMEM, NULL, "out of memory");
  return STATUS_NOMEM;
}

static enum status prepare(struct http_request *request, struct api *api, const char *debate_id,
                           struct deleting **ret_deleting, struct error *err) {
  const char *reason = NULL;
  JSON_LATER json_t *body = NULL;
  enum status s = params_reason(request, REASON_BYTES_MAX, &body, &reason, err);
  if (s) return s;
  struct deleting *d = calloc(1, sizeof *d);
  if (!d) return no_memory(err);
  *d = (struct deleting){.request = request,
                         .api = api,
                         .who = api_principal(request),
                         .debate_id = bytes_dup(bytes_of(debate_id)),
                         .reason = bytes_dup(bytes_of(reason ? reason : ""))};
  if (!d->debate_id || !d->reason) {
    free(d->debate_id);
    free(d->reason);
    free(d);
    return no_memory(err);
  }
  *ret_deleting = d;
  return STATUS_OK;
}

void handle_debate_delete(struct http_request *request, void *app) {
  struct api *api = app;
  struct error err = {0};
  struct store_debate row = {0};
  struct deleting *d = NULL;
  struct principal who = api_principal(request);
  const char *id;
  enum status s = params_debate_id(request, &id, &err);
  if (!s) s = store_get_debate(api->parts.store, &who, id, &row, &err);
  if (s == STATUS_NOT_FOUND && deleted_reply_again(request, api, id)) return;
  if (!s) s = prepare(request, api, row.id, &d, &err);
  store_debate_done(&row);
  if (s)
    reply_failure(request, s, &err, NULL);
  else
    runner_end(api->parts.runner, d->debate_id, d->reason, on_ended, d);
}
