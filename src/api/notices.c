#include "api/notices.h"

#include "base/clock.h"
#include "debate/outward.h"
#include "ops/debate_row.h"

#include <stdlib.h>

/* For free(); takes the reference of `data`. */
static char *text_of(const char *type, const char *debate_id, json_t *data) {
  char now[CLOCK_ISO_SIZE];
  clock_format_iso(clock_wall_ms(&clock_system), now);
  JSON_LATER json_t *frame =
      json_pack("{s:s, s:o, s:o, s:s, s:n, s:n, s:o}", "type", type, "debate_id",
                json_text_or_null(debate_id), "loop_id", json_text_or_null(debate_id), "timestamp",
                now, "round", "agent", "data", data);
  return frame ? json_dumps(frame, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
}

struct frame *notice_frame(const char *type, const char *debate_id, json_t *data) {
  FREE_LATER char *text = text_of(type, debate_id, data);
  return text ? frame_create(bytes_of(text), 0, false, false) : NULL;
}

void notice_send(struct http_websocket *ws, const char *type, const char *debate_id, json_t *data) {
  FREE_LATER char *text = text_of(type, debate_id, data);
  if (text && !http_ws_send(ws, bytes_of(text))) return;
}

struct frame *notice_stopping(json_t *points) {
  FREE_LATER char *text =
      text_of("server_stopping", NULL,
              json_pack("{s:s, s:o}", "message",
                        "The server is shutting down: connect again and resume from here", "resume",
                        points));
  return text ? frame_create(bytes_of(text), 0, false, false) : NULL;
}

void notice_warn(struct http_websocket *ws, const char *debate_id, const char *code,
                 const char *message) {
  notice_send(ws, "warning", debate_id, json_pack("{s:s, s:s}", "code", code, "message", message));
}

void notice_greet(struct http_websocket *ws, const char *client_id, bool authenticated) {
  notice_send(ws, "connection_established", NULL,
              json_pack("{s:s, s:s, s:[s, s]}", "connection_id", client_id, "server_version",
                        ARAGORA_VERSION, "capabilities", "subscribe", "replay"));
  notice_send(ws, "connection_info", NULL,
              json_pack("{s:b, s:s, s:b}", "authenticated", authenticated, "client_id", client_id,
                        "write_access", 0));
}

json_t *notice_sync_data(const struct store_debate *row) {
  return json_pack("{s:s, s:s, s:s, s:o, s:s, s:o, s:b, s:I, s:b, s:o, s:I, s:o}", "id", row->id,
                   "debate_id", row->id, "task", row->task, "agents", debate_row_agents(row),
                   "status", row->status, "outcome", json_text_or_null(row->outcome), "ended",
                   row->completed_ms >= 0, "last_seq", (json_int_t)row->last_seq,
                   "consensus_reached", row->consensus_reached, "consensus_confidence",
                   outward_millionths(row->confidence_ppm), "rounds", (json_int_t)row->rounds_used,
                   "started_at", json_time_or_null(row->created_ms));
}

json_t *notice_loops_data(const struct store_debate *rows, size_t count) {
  json_t *loops = json_array();
  for (size_t i = 0; i < count; i++) {
    json_t *row = json_pack("{s:s, s:s, s:s, s:o, s:s}", "loop_id", rows[i].id, "debate_id",
                            rows[i].id, "name", rows[i].task, "started_at",
                            json_time_or_null(rows[i].created_ms), "phase", rows[i].status);
    if (!json_array_append_new(loops, row)) continue;
    json_decref(loops);
    return NULL;
  }
  return json_pack("{s:o, s:I}", "loops", loops, "count", (json_int_t)count);
}
