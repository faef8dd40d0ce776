/* GET /api/system/errors and /api/system/memory: what went wrong, and what holds memory. */
#include "api/handlers.h"
#include "api/memory.h"
#include "api/params.h"
#include "api/reply.h"
#include "base/json.h"
#include "base/log_ring.h"

#include <stdio.h>
#include <stdlib.h>

enum { ERRORS_DEFAULT = 20, ERRORS_MAX = 1000, READINGS_DEFAULT = 60 };

/* ---- errors ---- */

static json_t *text_or_null(const char *text) {
  return json_text_or_null(*text ? text : NULL);
}

static void add_record(void *ctx, const struct log_record *r) {
  char id[24];
  snprintf(id, sizeof id, "%llu", (unsigned long long)r->id);
  json_array_append_new(
      ctx, json_pack("{s:s, s:o, s:s, s:s, s:o, s:o, s:o}", "id", id, "timestamp",
                     json_time_or_null(r->ts_ms), "level",
                     r->level == LOG_LEVEL_ERROR ? "error" : "warning", "logger", r->logger,
                     "message", json_text(bytes_of(r->message)), "request_id",
                     text_or_null(r->request_id), "debate_id", text_or_null(r->debate_id)));
}

void handle_system_errors(struct http_request *request, void *app) {
  const struct api *api = app;
  json_t *errors = json_array();
  int64_t limit = params_int(request, "limit", ERRORS_DEFAULT, 1, ERRORS_MAX);
  uint64_t total = errors ? log_ring_each((size_t)limit, add_record, errors) : 0;
  reply_json(request, 200,
             json_pack("{s:o, s:I, s:I, s:I}", "errors", errors, "count",
                       (json_int_t)json_array_size(errors), "total", (json_int_t)total, "kept",
                       (json_int_t)api->parts.options->error_buffer_size),
             NULL);
}

/* ---- memory ---- */

static json_t *bytes_object(const struct memory_reading *r, const struct memory_reading *since) {
  json_t *out = json_object();
  for (size_t i = 0; out && i < MEMORY_COUNT; i++) {
    bool known = r->bytes[i] >= 0 && (!since || since->bytes[i] >= 0);
    json_int_t n = (json_int_t)(r->bytes[i] - (since ? since->bytes[i] : 0));
    json_object_set_new(out, memory_name(i), known ? json_integer(n) : json_null());
  }
  return out;
}

static json_t *reading_object(const struct memory_reading *r) {
  return json_pack("{s:o, s:o, s:I, s:I, s:I, s:I}", "timestamp", json_time_or_null(r->wall_ms),
                   "bytes", bytes_object(r, NULL), "debates", (json_int_t)r->debates,
                   "queued_debates", (json_int_t)r->queued, "subscribers",
                   (json_int_t)r->subscribers, "websockets", (json_int_t)r->websockets);
}

static json_t *meanings(void) {
  json_t *out = json_object();
  for (size_t i = 0; out && i < MEMORY_COUNT; i++)
    json_object_set_new(out, memory_name(i), json_string(memory_meaning(i)));
  return out;
}

/* What --profile-memory took; null without it. */
static json_t *profile_object(const struct api *api, const struct memory_reading *now,
                              size_t limit) {
  FREE_LATER struct memory_reading *readings = calloc(limit, sizeof *readings);
  struct memory_reading first;
  if (!api->memory_profile || !readings) return json_null();
  size_t n = memory_profile_readings(api->memory_profile, &first, readings, limit);
  json_t *list = json_array();
  for (size_t i = 0; i < n; i++) json_array_append_new(list, reading_object(&readings[i]));
  return json_pack("{s:o, s:o, s:o, s:I}", "start", reading_object(&first), "grown",
                   bytes_object(now, &first), "readings", list, "interval_s",
                   (json_int_t)api->parts.options->profile_memory_s);
}

void handle_system_memory(struct http_request *request, void *app) {
  const struct api *api = app;
  struct memory_reading now;
  size_t limit = (size_t)params_int(request, "limit", READINGS_DEFAULT, 1, MEMORY_READINGS_MAX);
  memory_read(api, &now);
  reply_json(request, 200,
             json_pack("{s:o, s:o, s:o}", "now", reading_object(&now), "meaning", meanings(),
                       "profile", profile_object(api, &now, limit)),
             NULL);
}
