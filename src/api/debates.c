/* GET /api/debates?status&limit&offset&cursor: newest first, running ones included. */
#include "api/cursor.h"
#include "api/handlers.h"
#include "api/params.h"
#include "api/reply.h"
#include "api/state.h"
#include "ops/debate_row.h"
#include "ops/export_query.h"

enum { LIST_LIMIT = 20, LIST_LIMIT_MAX = 100 };

static json_t *list_body(const struct store_debate *rows, size_t shown, bool more, int64_t total,
                         const struct store_list_query *query) {
  char next[CURSOR_SIZE];
  json_t *debates = json_array();
  for (size_t i = 0; i < shown; i++)
    if (json_array_append_new(debates, debate_row_object(&rows[i]))) {
      json_decref(debates);
      return NULL;
    }
  const struct store_debate *last = shown ? &rows[shown - 1] : NULL;
  bool cursor = more && last && cursor_write(last->created_ms, last->id, next);
  return json_pack("{s:o, s:I, s:I, s:I, s:I, s:b, s:o}", "debates", debates, "count",
                   (json_int_t)shown, "total", (json_int_t)total, "limit",
                   (json_int_t)(query->limit - 1), "offset", (json_int_t)query->offset, "has_more",
                   more, "next_cursor", json_text_or_null(cursor ? next : NULL));
}

static enum status read_query(const struct http_request *request, struct cursor *cursor,
                              struct store_list_query *ret_query, struct error *err) {
  struct store_list_query query = {.before_created_ms = -1};
  int64_t limit = params_int(request, "limit", LIST_LIMIT, 1, LIST_LIMIT_MAX);
  query.limit = (size_t)limit + 1; /* one more tells whether there is more */
  query.offset = (size_t)params_int(request, "offset", 0, 0, INT64_MAX);
  enum status s = export_status_read(http_request_query(request, "status"), &query.status, err);
  const char *text = http_request_query(request, "cursor");
  if (!s && text && *text) {
    s = cursor_read(text, cursor, err);
    query.before_created_ms = cursor->created_ms;
    query.before_id = cursor->id;
    query.offset = 0;
  }
  if (!s) *ret_query = query;
  return s;
}

void handle_debates_list(struct http_request *request, void *app) {
  struct api *api = app;
  struct error err = {0};
  struct cursor cursor = {0};
  struct store_list_query query;
  struct store_debate *rows = NULL;
  size_t count = 0;
  int64_t total = 0;
  struct principal who = api_principal(request);
  enum status s = read_query(request, &cursor, &query, &err);
  if (!s) s = store_list_debates(api->parts.store, &who, &query, &rows, &count, &total, &err);
  if (s) {
    reply_failure(request, s, &err, NULL);
    return;
  }
  bool more = count == query.limit;
  json_t *body = list_body(rows, more ? count - 1 : count, more, total, &query);
  store_list_free(rows, count);
  reply_json(request, 200, body, NULL);
}
