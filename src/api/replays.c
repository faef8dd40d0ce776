/* Replays: the logs of debates that have ended, as their replay files hold them, read from the
 * store.
 *
 *   GET /api/replays?limit&debate_id&cursor
 *   GET /api/replays/{id}?offset&limit
 *   GET /api/replays/{id}/export?format=json|csv|jsonl
 *   GET /api/replays/{id}/html
 */
#include "api/cursor.h"
#include "api/deleted.h"
#include "api/handlers.h"
#include "api/params.h"
#include "api/reply.h"
#include "api/state.h"
#include "ops/csv.h"
#include "ops/debate_row.h"
#include "ops/export_html.h"
#include "ops/loaded_debate.h"
#include "ops/log_line.h"
#include "ops/trace_meta.h"

#include <stdio.h>

enum {
  LIST_LIMIT = 20,
  LIST_LIMIT_MAX = 100,
  LIST_PAGE = 100,
  EVENTS_LIMIT = 1000,
  EVENTS_LIMIT_MAX = 5000,
  EVENTS_BYTES_MAX = 8 << 20, /* a page ends with the event that reaches this */
  TEXT_MAX = 1 << 30,
};

/* ---- the list ---- */

static json_t *row_object(const struct store_debate *row) {
  return json_pack(
      "{s:s, s:s, s:s, s:o, s:o, s:o, s:i, s:o, s:o, s:o, s:o, s:I, s:s, s:o}", "id", row->id,
      "replay_id", row->id, "debate_id", row->id, "slug", json_text_or_null(row->slug), "topic",
      json_text(bytes_of(row->task)), "agents", debate_row_agents(row), "schema_version",
      TRACE_META_VERSION, "created_at", json_time_or_null(row->created_ms), "timestamp",
      json_time_or_null(row->created_ms), "completed_at", json_time_or_null(row->completed_ms),
      "duration_ms", json_int_or_null(row->duration_ms), "event_count", (json_int_t)row->last_seq,
      "status", row->status, "outcome", json_text_or_null(row->outcome));
}

struct replay_list {
  struct store *store;
  struct principal who;
  json_t *replays;
  size_t limit;
  struct cursor cursor; /* of the last that was looked at */
  bool more;
};

/* A list's rows do not count events; the debate's own does. */
static enum status add_replay(struct replay_list *list, const char *id, struct error *err) {
  struct store_debate row;
  enum status s = store_get_debate(list->store, &list->who, id, &row, err);
  if (s) return s == STATUS_NOT_FOUND ? STATUS_OK : s; /* deleted meanwhile */
  if (row.completed_ms >= 0 && json_array_append_new(list->replays, row_object(&row)))
    s = error_set(err, STATUS_NOMEM, NULL, "out of memory");
  store_debate_done(&row);
  return s;
}

/* Adds the ended ones of a page; what runs is no replay yet, and is few. */
static enum status add_page(struct replay_list *list, bool *ret_last, struct error *err) {
  struct store_list_query query = {.limit = LIST_PAGE,
                                   .before_created_ms = list->cursor.created_ms,
                                   .before_id = list->cursor.id};
  struct store_debate *rows;
  size_t count;
  int64_t total;
  enum status s = store_list_debates(list->store, &list->who, &query, &rows, &count, &total, err);
  if (s) return s;
  *ret_last = count < LIST_PAGE;
  for (size_t i = 0; !s && i < count; i++) {
    if (rows[i].completed_ms < 0) continue;
    list->more = json_array_size(list->replays) == list->limit;
    if (list->more) break;
    s = add_replay(list, rows[i].id, err);
    list->cursor.created_ms = rows[i].created_ms;
    snprintf(list->cursor.id, sizeof list->cursor.id, "%s", rows[i].id);
  }
  if (!s && count && !list->more && !*ret_last) {
    list->cursor.created_ms = rows[count - 1].created_ms;
    snprintf(list->cursor.id, sizeof list->cursor.id, "%s", rows[count - 1].id);
  }
  store_list_free(rows, count);
  return s;
}

static enum status read_cursor(const struct http_request *request, struct cursor *ret_cursor,
                               struct error *err) {
  const char *text = http_request_query(request, "cursor");
  *ret_cursor = (struct cursor){.created_ms = -1};
  return text && *text ? cursor_read(text, ret_cursor, err) : STATUS_OK;
}

static enum status read_list(struct http_request *request, struct replay_list *list,
                             struct error *err) {
  const char *only = http_request_query(request, "debate_id");
  if (only && *only) {
    if (!id_valid(bytes_of(only), ID_DEBATE_MAX))
      return error_set(err, STATUS_INVALID, "debate_id", "is no id of a debate");
    return add_replay(list, only, err);
  }
  enum status s = read_cursor(request, &list->cursor, err);
  for (bool last = false; !s && !last && !list->more;) s = add_page(list, &last, err);
  return s;
}

/* GET /api/replays?limit&debate_id&cursor */
void handle_replays_list(struct http_request *request, void *app) {
  struct api *api = app;
  struct error err = {0};
  char next[CURSOR_SIZE];
  struct replay_list list = {
      .store = api->parts.store,
      .who = api_principal(request),
      .replays = json_array(),
      .limit = (size_t)params_int(request, "limit", LIST_LIMIT, 1, LIST_LIMIT_MAX)};
  enum status s = read_list(request, &list, &err);
  if (s) {
    json_decref(list.replays);
    reply_failure(request, s, &err, NULL);
    return;
  }
  bool cursor = list.more && cursor_write(list.cursor.created_ms, list.cursor.id, next);
  json_int_t count = (json_int_t)json_array_size(list.replays);
  reply_json(request, 200,
             json_pack("{s:o, s:I, s:I, s:b, s:o}", "replays", list.replays, "count", count,
                       "limit", (json_int_t)list.limit, "has_more", list.more, "next_cursor",
                       json_text_or_null(cursor ? next : NULL)),
             NULL);
}

/* ---- one log ---- */

/* What a request is about; what runs is read as far as it is. */
struct replay {
  struct store *store;
  struct principal who;
  struct store_debate row;
  struct trace_meta meta;
};

/* False when the request has its answer. */
static bool open_replay(struct http_request *request, struct api *api, struct replay *r) {
  struct error err = {0};
  const char *id;
  *r = (struct replay){.store = api->parts.store, .who = api_principal(request)};
  enum status s = params_debate_id(request, &id, &err);
  if (!s) s = store_get_debate(r->store, &r->who, id, &r->row, &err);
  if (s == STATUS_NOT_FOUND && deleted_reply(request, api, id)) return false;
  if (s) reply_failure(request, s, &err, NULL);
  return !s;
}

static void close_replay(struct replay *r) {
  trace_meta_done(&r->meta);
  store_debate_done(&r->row);
}

/* Each event as a piece of text, chosen by where it is. */
struct reader {
  struct replay *replay;
  void (*put)(struct reader *r, const struct store_event *event);
  struct buffer *out;
  uint64_t offset, limit;
  uint64_t shown;
  bool full;
  enum status status;
  struct error *err;
};

static bool take_event(void *ctx, const struct store_event *event) {
  struct reader *r = ctx;
  r->status = trace_meta_take(&r->replay->meta, event, r->err);
  if (r->status) return false;
  r->full = r->full || r->shown == r->limit || r->out->len >= EVENTS_BYTES_MAX;
  if (event->seq > r->offset && (!r->full || r->limit == UINT64_MAX)) {
    r->put(r, event);
    r->shown++;
  }
  if (r->out->overflow)
    r->status = error_set(r->err, STATUS_TOO_LARGE, NULL, "the log is too large");
  return r->status == STATUS_OK;
}

static enum status read_log(struct reader *r, struct error *err) {
  struct replay *replay = r->replay;
  r->err = err;
  trace_meta_init(&replay->meta);
  enum status s =
      store_read_events(replay->store, &replay->who, replay->row.id, 0, 0, take_event, r, err);
  return s ? s : r->status;
}

/* The event's line, with the names that clients of replays read in front. */
static void put_replay_event(struct reader *r, const struct store_event *event) {
  struct buffer *out = r->out;
  if (r->shown) buffer_append_char(out, ',');
  buffer_append_text(out, "{\"event_id\":\"");
  buffer_append_int(out, (int64_t)event->seq);
  buffer_append_text(out, "\",\"event_type\":");
  buffer_append_json_string(out, bytes_of(event->type));
  buffer_append_text(out, ",\"source\":");
  buffer_append_json_string(out, bytes_of(event->agent ? event->agent : "system"));
  buffer_append_text(out, ",\"offset_ms\":");
  buffer_append_int(out, event->ts_ms - r->replay->row.created_ms);
  size_t at = out->len;
  log_line_append(out, event);
  if (!out->overflow) out->ptr[at] = ','; /* its members follow */
}

static void append_json(struct buffer *out, json_t *value) {
  FREE_LATER char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
  json_decref(value);
  if (text)
    buffer_append_text(out, text);
  else
    out->overflow = true;
}

static void append_member(struct buffer *out, const char *key, json_t *value) {
  buffer_printf(out, ",\"%s\":", key);
  append_json(out, value);
}

/* {..., "events": [...]}; `events` has what stands between the brackets. */
static void append_page(struct buffer *out, const struct reader *r, const struct buffer *events) {
  const struct replay *replay = r->replay;
  uint64_t total = replay->meta.events;
  json_t *meta = trace_meta_object(&replay->meta, &replay->row);
  buffer_append_text(out, "{\"id\":");
  append_json(out, json_text(bytes_of(replay->row.id)));
  append_member(out, "replay_id", json_text(bytes_of(replay->row.id)));
  append_member(out, "debate_id", json_text(bytes_of(replay->row.id)));
  append_member(out, "created_at", json_time_or_null(replay->row.created_ms));
  append_member(out, "meta", json_incref(meta));
  append_member(out, "metadata", meta);
  append_member(out, "event_count", json_integer((json_int_t)r->shown));
  append_member(out, "total_events", json_integer((json_int_t)total));
  append_member(out, "offset", json_integer((json_int_t)r->offset));
  append_member(out, "limit", json_integer((json_int_t)r->limit));
  append_member(out, "has_more", json_boolean(r->offset + r->shown < total));
  buffer_append_text(out, ",\"events\":[");
  buffer_append_bytes(out, buffer_bytes(events));
  buffer_append_text(out, "]}");
}

static void respond(struct http_request *request, enum status s, const struct error *err,
                    const char *type, const struct buffer *body, const char *const *headers) {
  if (!s && body->overflow) s = STATUS_NOMEM;
  if (s)
    reply_failure(request, s, err, NULL);
  else
    http_respond(request, 200, type, buffer_bytes(body), headers);
}

/* GET /api/replays/{id}?offset&limit */
void handle_replay_show(struct http_request *request, void *app) {
  struct replay replay;
  struct error err = {0};
  if (!open_replay(request, app, &replay)) return;
  BUFFER_LATER struct buffer events, body;
  buffer_init(&events, TEXT_MAX);
  buffer_init(&body, TEXT_MAX);
  struct reader reader = {
      .replay = &replay,
      .put = put_replay_event,
      .out = &events,
      .offset = (uint64_t)params_int(request, "offset", 0, 0, INT64_MAX),
      .limit = (uint64_t)params_int(request, "limit", EVENTS_LIMIT, 1, EVENTS_LIMIT_MAX)};
  enum status s = read_log(&reader, &err);
  if (!s) append_page(&body, &reader, &events);
  close_replay(&replay);
  if (events.overflow) body.overflow = true;
  respond(request, s, &err, "application/json", &body, NULL);
}

/* ---- exports ---- */

static void put_line(struct reader *r, const struct store_event *event) {
  log_line_append(r->out, event);
  buffer_append_char(r->out, '\n');
}

static void put_item(struct reader *r, const struct store_event *event) {
  if (r->shown) buffer_append_char(r->out, ',');
  log_line_append(r->out, event);
}

static const char *const csv_names[] = {"seq",  "timestamp",   "type", "round", "agent",
                                        "data", "data_digest", "hash", NULL};

static void put_hex(struct csv *csv, const uint8_t bytes[32]) {
  char hex[65];
  bytes_to_hex(bytes, 32, hex);
  csv_text(csv, bytes_of(hex));
}

static void put_csv(struct reader *r, const struct store_event *event) {
  struct csv csv = {r->out, false};
  json_t *time = json_time_or_null(event->ts_ms);
  if (!r->shown) csv_line(&csv, csv_names);
  csv_int(&csv, (int64_t)event->seq);
  csv_value(&csv, time);
  csv_text(&csv, bytes_of(event->type));
  if (event->round < 0)
    csv_text(&csv, (struct bytes){0});
  else
    csv_int(&csv, event->round);
  csv_text(&csv, bytes_of(event->agent));
  csv_text(&csv, event->data);
  put_hex(&csv, event->digest);
  put_hex(&csv, event->hash);
  csv_end(&csv);
  json_decref(time);
}

/* {"meta", "events"}: with the chain, so that it can be checked. */
static void wrap_events(struct buffer *out, const struct replay *replay,
                        const struct buffer *events) {
  buffer_append_text(out, "{\"meta\":");
  append_json(out, trace_meta_object(&replay->meta, &replay->row));
  buffer_append_text(out, ",\"events\":[");
  buffer_append_bytes(out, buffer_bytes(events));
  buffer_append_text(out, "]}");
}

enum replay_format { REPLAY_JSON, REPLAY_CSV, REPLAY_LINES, REPLAY_FORMATS };

static enum status read_format(const struct http_request *request, enum replay_format *ret_format,
                               struct error *err) {
  static const char *const words[REPLAY_FORMATS] = {"json", "csv", "jsonl"};
  const char *word = http_request_query(request, "format");
  *ret_format = REPLAY_JSON;
  if (!word || !*word) return STATUS_OK;
  for (int i = 0; i < REPLAY_FORMATS; i++) {
    if (strcmp(word, words[i]) != 0) continue;
    *ret_format = (enum replay_format)i;
    return STATUS_OK;
  }
  return error_set(err, STATUS_INVALID, "format", "must be json, csv or jsonl, not \"%.32s\"",
                   word);
}

static void send_export(struct http_request *request, struct replay *replay,
                        enum replay_format format) {
  static void (*const puts[])(struct reader *, const struct store_event *) = {put_item, put_csv,
                                                                              put_line};
  static const char *const lines_headers[] = {
      "Content-Disposition: attachment; filename=\"events.jsonl\"", "Cache-Control: no-store",
      NULL};
  struct error err = {0};
  BUFFER_LATER struct buffer events, text, body;
  buffer_init(&events, TEXT_MAX);
  buffer_init(&text, TEXT_MAX);
  buffer_init(&body, TEXT_MAX);
  struct reader reader = {
      .replay = replay, .put = puts[format], .out = &events, .limit = UINT64_MAX};
  enum status s = read_log(&reader, &err);
  if (format == REPLAY_LINES) {
    respond(request, s, &err, "application/x-ndjson", &events, lines_headers);
    return;
  }
  if (!s && format == REPLAY_JSON) wrap_events(&text, replay, &events);
  buffer_append_text(&body, "{\"data\":");
  buffer_append_json_string(&body, buffer_bytes(format == REPLAY_JSON ? &text : &events));
  buffer_append_text(&body, "}");
  if (events.overflow || text.overflow) body.overflow = true;
  respond(request, s, &err, "application/json", &body, NULL);
}

/* GET /api/replays/{id}/export?format=json|csv|jsonl */
void handle_replay_export(struct http_request *request, void *app) {
  struct replay replay;
  struct error err = {0};
  enum replay_format format;
  enum status s = read_format(request, &format, &err);
  if (s) {
    reply_failure(request, s, &err, NULL);
    return;
  }
  if (!open_replay(request, app, &replay)) return;
  send_export(request, &replay, format);
  close_replay(&replay);
}

/* ---- the page ---- */

static enum status make_page(struct api *api, const struct principal *who, const char *id,
                             struct buffer *out, struct error *err) {
  struct loaded_debate loaded;
  char now[CLOCK_ISO_SIZE];
  enum status s = loaded_debate_read(api->parts.store, who, id, &loaded, err);
  if (s) return s;
  JSON_LATER json_t *debate = loaded_debate_view(&loaded);
  loaded_debate_done(&loaded);
  if (!debate) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  clock_format_iso(clock_wall_ms(&clock_system), now);
  export_html_begin(out, debate, now);
  export_html_debate(out, debate, true);
  export_html_end(out, -1, now);
  return STATUS_OK;
}

/* GET /api/replays/{id}/html: the page of the HTML export, to be looked at. */
void handle_replay_page(struct http_request *request, void *app) {
  struct api *api = app;
  struct error err = {0};
  struct principal who = api_principal(request);
  char policy[EXPORT_HTML_POLICY_SIZE], line[EXPORT_HTML_POLICY_SIZE + 48];
  const char *const headers[] = {line, "Referrer-Policy: no-referrer", "Cache-Control: no-store",
                                 NULL};
  const char *id;
  BUFFER_LATER struct buffer page;
  buffer_init(&page, TEXT_MAX);
  enum status s = params_debate_id(request, &id, &err);
  if (!s) s = make_page(api, &who, id, &page, &err);
  if (s == STATUS_NOT_FOUND && deleted_reply(request, api, id)) return;
  export_html_policy(policy);
  snprintf(line, sizeof line, "Content-Security-Policy: sandbox; %s; frame-ancestors 'none'",
           policy);
  respond(request, s, &err, "text/html; charset=utf-8", &page, headers);
}
