/* The audit log: GET
 * /api/system/audit?action&outcome&actor&tenant&resource&since&until&limit&cursor, newest first,
 * and GET /api/system/audit/export?format&..., oldest first, as a file.
 *
 * Who may ask sees all of it, of every tenant: a chain has no tenants, and its rows say what was
 * done and to what, not what anything says. */
#include "api/audit_trail.h"
#include "api/export_room.h"
#include "api/handlers.h"
#include "api/params.h"
#include "api/reply.h"
#include "base/log.h"
#include "ops/audit_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { LIMIT_DEFAULT = 50, LIMIT_MAX = 500, PIECE_MAX = 16 << 20, WORDS = 7 };

static struct audit_words words_of(const struct http_request *request) {
  return (struct audit_words){.action = http_request_query(request, "action"),
                              .outcome = http_request_query(request, "outcome"),
                              .actor = http_request_query(request, "actor"),
                              .tenant = http_request_query(request, "tenant"),
                              .resource = http_request_query(request, "resource"),
                              .since = http_request_query(request, "since"),
                              .until = http_request_query(request, "until")};
}

/* ---- a page ---- */

static enum status read_cursor(const struct http_request *request, int64_t *ret_before,
                               struct error *err) {
  const char *text = http_request_query(request, "cursor");
  uint64_t before = 0;
  if (text && (!params_parse_u64(text, &before) || before < 1 || before > INT64_MAX))
    return error_set(err, STATUS_INVALID, "cursor", "is none that this list gave");
  *ret_before = (int64_t)before;
  return STATUS_OK;
}

static void add_row(void *ctx, const struct audit_row *row) {
  json_array_append_new(ctx, audit_file_object(row));
}

static json_t *head_object(const struct audit_mark *head) {
  char hash[2 * SHA256_SIZE + 1];
  bytes_to_hex(head->hash, SHA256_SIZE, hash);
  return json_pack("{s:I, s:s}", "seq", (json_int_t)head->seq, "hash", hash);
}

static json_t *cursor_of(int64_t next) {
  char text[BYTES_INT_SIZE];
  if (!next) return json_null();
  bytes_from_int(next, text);
  return json_string(text);
}

void handle_audit_list(struct http_request *request, void *app) {
  const struct api *api = app;
  const struct principal who = PRINCIPAL_SYSTEM;
  const struct audit_words words = words_of(request);
  struct store_audit_query query;
  struct audit_head head;
  struct error err = {0};
  int64_t next = 0;
  JSON_LATER json_t *entries = json_array();
  enum status s = audit_words_read(&words, &query, &err);
  if (!s) s = read_cursor(request, &query.before, &err);
  if (!s) {
    query.newest_first = true;
    query.limit = (size_t)params_int(request, "limit", LIMIT_DEFAULT, 1, LIMIT_MAX);
    s = store_read_audit_head(api->parts.store, &head, &err);
  }
  if (!s) s = store_read_audit(api->parts.store, &who, &query, add_row, entries, &next, &err);
  if (s) {
    reply_failure(request, s, &err, NULL);
    return;
  }
  reply_json(request, 200,
             json_pack("{s:O, s:I, s:o, s:b, s:o}", "entries", entries, "count",
                       (json_int_t)json_array_size(entries), "next_cursor", cursor_of(next),
                       "has_more", next != 0, "head", head_object(&head.last)),
             NULL);
}

/* ---- a file ---- */

struct audit_body {
  struct api *api;
  size_t place; /* of the room for exports */
  struct audit_export export;
  char *words[WORDS]; /* that the export's query borrows */
  char request_id[64];
};

static void body_free(void *ctx) {
  struct audit_body *b = ctx;
  export_room_leave(b->api->export_room, b->place);
  for (int i = 0; i < WORDS; i++) free(b->words[i]);
  free(b);
}

static enum http_piece body_next(void *ctx, struct buffer *piece) {
  struct audit_body *b = ctx;
  struct error err = {0};
  bool done;
  if (!audit_export_step(&b->export, piece, &done, &err))
    return done ? HTTP_PIECE_LAST : HTTP_PIECE_MORE;
  struct log_context context = {b->request_id, NULL};
  log_error("api", &context, "export=failed of=audit status=%s error=\"%s\"",
            status_name(err.status), err.message);
  return HTTP_PIECE_FAILED;
}

/* Copies of the words, which the request may not outlive. */
static enum status keep_words(struct audit_body *b, struct audit_words *words, struct error *err) {
  const char **all[WORDS] = {&words->action,   &words->outcome, &words->actor, &words->tenant,
                             &words->resource, &words->since,   &words->until};
  for (int i = 0; i < WORDS; i++) {
    if (!*all[i]) continue;
    *all[i] = b->words[i] = bytes_dup(bytes_of(*all[i]));
    if (!b->words[i]) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  }
  return STATUS_OK;
}

static enum status body_make(struct api *api, const struct http_request *request,
                             struct audit_body **ret_body, struct error *err) {
  size_t place = 0;
  enum status s = export_room_enter(api->export_room, api_identity(request), &place, err);
  if (s) return s;
  struct audit_body *b = calloc(1, sizeof *b);
  if (!b) {
    export_room_leave(api->export_room, place);
    return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  }
  struct audit_words words = words_of(request);
  *b = (struct audit_body){
      .api = api, .place = place, .export = {.store = api->parts.store, .who = PRINCIPAL_SYSTEM}};
  snprintf(b->request_id, sizeof b->request_id, "%s", http_request_id(request));
  s = keep_words(b, &words, err);
  if (!s) s = audit_words_read(&words, &b->export.query, err);
  if (!s) s = audit_format_read(http_request_query(request, "format"), &b->export.format, err);
  if (s)
    body_free(b);
  else
    *ret_body = b;
  return s;
}

void handle_audit_export(struct http_request *request, void *app) {
  struct api *api = app;
  struct audit_body *body = NULL;
  struct error err = {0};
  struct buffer piece;
  bool done = false;
  buffer_init(&piece, PIECE_MAX);
  enum status s = body_make(api, request, &body, &err);
  if (!s && body) {
    s = audit_export_step(&body->export, &piece, &done, &err);
    if (s) body_free(body);
  }
  if (s || !body) {
    buffer_done(&piece);
    reply_failure(request, s, &err, NULL);
    return;
  }
  const char *name = audit_format_name(body->export.format);
  char disposition[80];
  snprintf(disposition, sizeof disposition,
           "Content-Disposition: attachment; filename=\"aragora-audit.%s\"", name);
  const char *const headers[] = {disposition, "Cache-Control: no-store", NULL};
  audit_trail_note(request, api, AUDIT_EXPORT, AUDIT_OK, "audit",
                   json_pack("{s:s}", "format", name));
  http_respond_stream(request, 200, audit_format_type(body->export.format), headers, &piece, done,
                      (struct http_producer){body, body_next, body_free});
}
