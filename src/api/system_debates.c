/* GET /api/system/debates: what runs and waits, of every tenant, for the operator. Whose it is and
 * how it stands, never what is asked or said. */
#include "api/handlers.h"
#include "api/params.h"
#include "api/reply.h"
#include "api/state.h"
#include "ops/debate_row.h"

enum { LIST_MAX = 100 };

static enum status add(struct api *api, const char *state, int64_t limit, json_t *list,
                       int64_t *total, struct error *err) {
  const struct principal system = PRINCIPAL_SYSTEM;
  const struct store_list_query query = {
      .status = state, .limit = (size_t)limit, .before_created_ms = -1};
  struct store_debate *rows;
  size_t count;
  int64_t matching;
  enum status s =
      store_list_debates(api->parts.store, &system, &query, &rows, &count, &matching, err);
  if (s) return s;
  for (size_t i = 0; i < count; i++)
    json_array_append_new(
        list, json_pack("{s:s, s:s, s:s, s:s, s:o, s:I}", "debate_id", rows[i].id, "tenant_id",
                        rows[i].tenant_id, "owner_id", rows[i].owner_id, "status", rows[i].status,
                        "created_at", json_time_or_null(rows[i].created_ms), "rounds_used",
                        (json_int_t)rows[i].rounds_used));
  store_list_free(rows, count);
  *total += matching;
  return STATUS_OK;
}

void handle_system_debates(struct http_request *request, void *app) {
  struct api *api = app;
  struct error err = {0};
  int64_t total = 0;
  int64_t limit = params_int(request, "limit", LIST_MAX, 1, LIST_MAX);
  json_t *list = json_array();
  enum status s = add(api, "running", limit, list, &total, &err);
  if (!s) s = add(api, "pending", limit, list, &total, &err);
  if (s) {
    json_decref(list);
    reply_failure(request, s, &err, NULL);
    return;
  }
  reply_json(request, 200,
             json_pack("{s:o, s:I, s:I}", "debates", list, "count",
                       (json_int_t)json_array_size(list), "total", (json_int_t)total),
             NULL);
}
