/* Exports: GET /api/debates/export?format&table&status&since&until&limit, of all that match, and
 * GET /api/debates/{id}/export/{format}?table, of one.
 *
 * Both are sent while they are made (ops/export.h). What goes wrong before the first piece is an
 * answer; later it cuts the connection, as a file that ends cleanly would pass for a whole one. */
#include "api/audit_trail.h"
#include "api/deleted.h"
#include "api/export_room.h"
#include "api/handlers.h"
#include "api/params.h"
#include "api/reply.h"
#include "api/state.h"
#include "base/log.h"
#include "base/metrics.h"
#include "ops/export.h"
#include "ops/export_html.h"

#include <stdio.h>
#include <stdlib.h>

enum {
  PIECE_MAX = 1 << 30, /* the longest debate; a piece is of HTTP_PIECE_BYTES, and what is begun */
};

enum export_outcome { EXPORT_CUT, EXPORT_COMPLETE, EXPORT_FAILED };

struct body {
  struct api *api;
  struct identity identity;
  struct principal who; /* the identity's */
  struct export *export;
  enum export_format format;
  bool many;    /* takes a place of the room for exports: */
  size_t place; /* this one */
  enum export_outcome outcome;
  char request_id[64];
};

static void body_close(void *ctx) {
  static const char *const outcomes[] = {"cut", "complete", "failed"};
  struct body *b = ctx;
  const char *labels[] = {export_format_name(b->format), outcomes[b->outcome]};
  export_close(b->export);
  if (b->many) export_room_leave(b->api->export_room, b->place);
  metric_add(METRIC_EXPORTS_ACTIVE, NULL, -1);
  metric_add(METRIC_EXPORTS, labels, 1);
  free(b);
}

/* One step; *ret_done when it was the last. */
static enum status body_step(struct body *b, struct buffer *piece, bool *ret_done,
                             struct error *err) {
  enum status s = export_step(b->export, piece, ret_done, err);
  if (s)
    b->outcome = EXPORT_FAILED;
  else if (*ret_done)
    b->outcome = EXPORT_COMPLETE;
  return s;
}

static enum http_piece body_next(void *ctx, struct buffer *piece) {
  struct body *b = ctx;
  struct error err = {0};
  bool done;
  if (!body_step(b, piece, &done, &err)) return done ? HTTP_PIECE_LAST : HTTP_PIECE_MORE;
  struct log_context context = {b->request_id, NULL};
  log_error("api", &context, "export=failed debates=%llu status=%s error=\"%s\"",
            (unsigned long long)export_count(b->export), status_name(err.status), err.message);
  return HTTP_PIECE_FAILED;
}

static enum status body_create(struct api *api, struct http_request *request,
                               const struct export_options *options, struct body **ret_body,
                               struct error *err) {
  struct body *b = calloc(1, sizeof *b);
  if (!b) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  b->api = api;
  b->identity = *api_identity(request);
  b->who = identity_principal(&b->identity);
  b->format = options->query.format;
  snprintf(b->request_id, sizeof b->request_id, "%s", http_request_id(request));
  enum status s = export_open(api->parts.store, &b->who, options, &b->export, err);
  if (s) {
    free(b);
    return s;
  }
  metric_add(METRIC_EXPORTS_ACTIVE, NULL, 1);
  *ret_body = b;
  return STATUS_OK;
}

/* ---- sending ---- */

struct export_headers {
  char disposition[EXPORT_FILE_NAME_SIZE + 48];
  char policy[EXPORT_HTML_POLICY_SIZE + 48];
  const char *lines[4];
};

static void make_headers(const struct body *b, struct export_headers *h) {
  char file[EXPORT_FILE_NAME_SIZE], policy[EXPORT_HTML_POLICY_SIZE];
  size_t count = 0;
  export_file_name(b->export, file);
  snprintf(h->disposition, sizeof h->disposition,
           "Content-Disposition: attachment; filename=\"%s\"", file);
  h->lines[count++] = h->disposition;
  h->lines[count++] = "Cache-Control: no-store";
  if (b->format == EXPORT_HTML) {
    export_html_policy(policy);
    snprintf(h->policy, sizeof h->policy, "Content-Security-Policy: sandbox; %s", policy);
    h->lines[count++] = h->policy;
  }
  h->lines[count] = NULL;
}

/* The first piece: what cannot be found or read is still an answer here. */
static enum status make_first(struct body *b, size_t enough, struct buffer *piece, bool *ret_done,
                              struct error *err) {
  enum status s = STATUS_OK;
  *ret_done = false;
  while (!s && !*ret_done && piece->len < enough) s = body_step(b, piece, ret_done, err);
  return s;
}

static void refuse(struct http_request *request, struct api *api, const char *id, enum status s,
                   const struct error *err) {
  if (s != STATUS_NOT_FOUND || !id || !deleted_reply(request, api, id))
    reply_failure(request, s, err, NULL);
}

/* `id` of the one debate that it is about, or NULL. */
static void send_body(struct http_request *request, struct body *b, const char *id) {
  struct error err = {0};
  struct export_headers headers;
  struct buffer piece;
  bool done;
  buffer_init(&piece, PIECE_MAX);
  enum status s = make_first(b, HTTP_PIECE_BYTES, &piece, &done, &err);
  if (s) {
    buffer_done(&piece);
    refuse(request, b->api, id, s, &err);
    body_close(b);
    return;
  }
  make_headers(b, &headers);
  http_respond_stream(request, 200, export_format_type(b->format), headers.lines, &piece, done,
                      (struct http_producer){b, body_next, body_close});
}

/* Existing clients ask for "markdown" and read {data}. */
static void send_wrapped(struct http_request *request, struct body *b, const char *id) {
  struct error err = {0};
  BUFFER_LATER struct buffer text;
  char file[EXPORT_FILE_NAME_SIZE];
  bool done;
  buffer_init(&text, PIECE_MAX);
  enum status s = make_first(b, SIZE_MAX, &text, &done, &err);
  export_file_name(b->export, file);
  if (s)
    refuse(request, b->api, id, s, &err);
  else
    reply_json(request, 200,
               json_pack("{s:s, s:s, s:s, s:o}", "debate_id", id, "format", "markdown", "filename",
                         file, "data", json_text(buffer_bytes(&text))),
               NULL);
  body_close(b);
}

/* ---- the handlers ---- */

static struct export_words words_of(const struct http_request *request, const char *format) {
  return (struct export_words){.format = format, .table = http_request_query(request, "table")};
}

/* GET /api/debates/{id}/export/{format}, /api/shared/{token}/export/{format} */
void handle_debate_export(struct http_request *request, void *app) {
  struct api *api = app;
  struct error err = {0};
  struct body *body = NULL;
  const char *format = http_request_param(request, "format");
  const char *raw = http_request_query(request, "wrapped");
  struct export_words words = words_of(request, format);
  struct export_options options = {.now_ms = clock_wall_ms(&clock_system),
                                   .wrapped = !raw || strcmp(raw, "false") != 0,
                                   .stripped = api_identity(request)->kind == IDENTITY_LINK};
  enum status s = export_query_read(&words, &options.query, &err);
  if (!s) s = params_debate_id(request, &options.id, &err);
  if (!s) s = body_create(api, request, &options, &body, &err);
  if (s || !body)
    reply_failure(request, s, &err, NULL);
  else if (strcmp(format, "markdown") == 0)
    send_wrapped(request, body, options.id);
  else
    send_body(request, body, options.id);
}

/* It is the asking that counts: what goes out is known only once it has. */
static void note_export(const struct http_request *request, const struct api *api,
                        const struct export_words *words) {
  json_t *detail = json_object();
  const char *const names[] = {"format", "table", "status", "since", "until", "limit"};
  const char *const values[] = {words->format, words->table, words->status,
                                words->since,  words->until, words->limit};
  for (size_t i = 0; detail && i < sizeof names / sizeof *names; i++)
    if (values[i]) json_object_set_new(detail, names[i], json_text(bytes_of(values[i])));
  audit_trail_note(request, api, AUDIT_EXPORT, AUDIT_OK, "debates", detail);
}

/* GET /api/debates/export */
void handle_debates_export(struct http_request *request, void *app) {
  struct api *api = app;
  struct error err = {0};
  struct body *body = NULL;
  struct export_words words = words_of(request, http_request_query(request, "format"));
  struct export_options options = {.now_ms = clock_wall_ms(&clock_system)};
  size_t place = 0;
  words.status = http_request_query(request, "status");
  words.since = http_request_query(request, "since");
  words.until = http_request_query(request, "until");
  words.limit = http_request_query(request, "limit");
  enum status s = export_query_read(&words, &options.query, &err);
  if (!s) s = export_room_enter(api->export_room, api_identity(request), &place, &err);
  if (!s) {
    s = body_create(api, request, &options, &body, &err);
    if (s) export_room_leave(api->export_room, place);
  }
  if (s || !body) {
    reply_failure(request, s, &err, NULL);
    return;
  }
  body->many = true;
  body->place = place;
  note_export(request, api, &words);
  send_body(request, body, NULL);
}
