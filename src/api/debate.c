/* One debate: the whole object, its messages, cancelling it. */
#include "api/audit_trail.h"
#include "api/deleted.h"
#include "api/handlers.h"
#include "api/params.h"
#include "api/reply.h"
#include "api/state.h"
#include "debate/course.h"
#include "ops/loaded_debate.h"

#include <stdlib.h>

enum { MESSAGES_LIMIT = 50, MESSAGES_LIMIT_MAX = 200, REASON_BYTES_MAX = 500 };

/* False when there is nothing to show: then the request has its answer. */
static bool load(struct http_request *request, struct api *api, struct loaded_debate *ret_loaded) {
  struct error err = {0};
  const char *id;
  struct principal who = api_principal(request);
  enum status s = params_debate_id(request, &id, &err);
  if (!s) s = loaded_debate_read(api->parts.store, &who, id, ret_loaded, &err);
  if (s == STATUS_NOT_FOUND && deleted_reply(request, api, id)) return false;
  if (s) reply_failure(request, s, &err, NULL);
  if (!s && api_identity(request)->kind == IDENTITY_LINK) loaded_debate_strip(ret_loaded);
  return !s;
}

/* GET /api/debates/{id}, by id or slug; GET /api/shared/{token} */
void handle_debate_show(struct http_request *request, void *app) {
  struct loaded_debate loaded;
  if (!load(request, app, &loaded)) return;
  json_t *body = loaded_debate_view(&loaded);
  loaded_debate_done(&loaded);
  reply_json(request, 200, body, NULL);
}

/* GET /api/debates/{id}/messages?limit&offset */
void handle_debate_messages(struct http_request *request, void *app) {
  struct loaded_debate loaded;
  if (!load(request, app, &loaded)) return;
  int64_t limit = params_int(request, "limit", MESSAGES_LIMIT, 1, MESSAGES_LIMIT_MAX);
  int64_t offset = params_int(request, "offset", 0, 0, INT64_MAX);
  json_t *body = view_messages(loaded.debate, loaded.row.id, (size_t)limit, (size_t)offset);
  loaded_debate_done(&loaded);
  reply_json(request, 200, body, NULL);
}

typedef json_t *course_fn(const struct debate *debate, const char *id);

static void show_course(struct http_request *request, struct api *api, course_fn *view) {
  struct loaded_debate loaded;
  if (!load(request, api, &loaded)) return;
  json_t *body = view(loaded.debate, loaded.row.id);
  loaded_debate_done(&loaded);
  reply_json(request, 200, body, NULL);
}

/* GET /api/debates/{id}/convergence */
void handle_debate_convergence(struct http_request *request, void *app) {
  show_course(request, app, course_convergence);
}

/* GET /api/debates/{id}/impasse */
void handle_debate_impasse(struct http_request *request, void *app) {
  show_course(request, app, course_impasse);
}

/* GET /api/debates/{id}/summary */
void handle_debate_summary(struct http_request *request, void *app) {
  show_course(request, app, course_summary);
}

/* GET /api/debates/{id}/followups */
void handle_debate_followups(struct http_request *request, void *app) {
  show_course(request, app, course_followups);
}

struct cancelling {
  struct http_request *request;
  char *debate_id;
  struct api *noted; /* whose audit log is told: an operator does it; else NULL */
};

static void on_cancelled(void *ctx, enum status status) {
  struct cancelling *c = ctx;
  struct error err = {0};
  if (status == STATUS_OK) {
    if (c->noted)
      audit_trail_note(c->request, c->noted, AUDIT_DEBATE_CANCEL, AUDIT_OK, c->debate_id, NULL);
    reply_json(c->request, 200,
               json_pack("{s:b, s:s, s:s, s:s}", "success", 1, "id", c->debate_id, "debate_id",
                         c->debate_id, "status", "cancelled"),
               NULL);
  } else {
    error_set(&err, status, NULL, "%s",
              status == STATUS_CONFLICT    ? "the debate has already ended"
              : status == STATUS_NOT_FOUND ? "no such debate"
                                           : "the debate could not be cancelled");
    reply_failure(c->request, status, &err, NULL);
  }
  free(c->debate_id);
  free(c);
}

static void cancel(struct http_request *request, struct api *api, const struct principal *who) {
  struct error err = {0};
  struct store_debate row = {0};
  JSON_LATER json_t *body = NULL;
  const char *id;
  const char *reason;
  enum status s = params_debate_id(request, &id, &err);
  if (!s) s = params_reason(request, REASON_BYTES_MAX, &body, &reason, &err);
  if (!s) s = store_get_debate(api->parts.store, who, id, &row, &err);
  if (s == STATUS_NOT_FOUND && deleted_reply_to(request, api, who, id)) return;
  struct cancelling *c = s ? NULL : calloc(1, sizeof *c);
  if (!s && !c) s = STATUS_NOMEM;
  if (s) {
    store_debate_done(&row);
    reply_failure(request, s, &err, NULL);
    return;
  }
  c->request = request;
  if (who->system) c->noted = api;
  c->debate_id = row.id;
  row.id = NULL;
  store_debate_done(&row);
  runner_cancel(api->parts.runner, who, c->debate_id, reason, on_cancelled, c);
}

/* POST /api/debates/{id}/cancel */
void handle_debate_cancel(struct http_request *request, void *app) {
  struct principal who = api_principal(request);
  cancel(request, app, &who);
}

/* POST /api/system/debates/{id}/cancel: anybody's, by the operator. */
void handle_system_cancel(struct http_request *request, void *app) {
  const struct principal who = PRINCIPAL_SYSTEM;
  cancel(request, app, &who);
}
