#include "ops/debate_row.h"

#include "base/clock.h"
#include "debate/outward.h"

json_t *debate_row_agents(const struct store_debate *row) {
  json_t *agents = NULL;
  if (row->agents && json_parse(bytes_of(row->agents), &agents, NULL) == STATUS_OK) return agents;
  return json_array();
}

static json_t *seconds(int64_t ms) {
  return ms < 0 ? json_null() : json_real((double)ms / 1e3);
}

json_t *debate_row_object(const struct store_debate *row) {
  return json_pack(
      "{s:s, s:s, s:o, s:o, s:s, s:o, s:b, s:b, s:o, s:o, s:b, s:o, s:o, s:I, s:o, s:o, s:o, s:o,"
      " s:b}",
      "id", row->id, "debate_id", row->id, "slug", json_text_or_null(row->slug), "task",
      json_text(bytes_of(row->task)), "status", row->status, "outcome",
      json_text_or_null(row->outcome), "degraded", row->degraded, "demo", row->demo, "agents",
      debate_row_agents(row), "consensus", json_text_or_null(row->consensus), "consensus_reached",
      row->consensus_reached, "confidence", outward_millionths(row->confidence_ppm), "agreement",
      outward_millionths(row->confidence_ppm), "rounds_used", (json_int_t)row->rounds_used,
      "duration_seconds", seconds(row->duration_ms), "cost_usd",
      outward_millionths(row->cost_usd_micro), "created_at", json_time_or_null(row->created_ms),
      "completed_at", json_time_or_null(row->completed_ms), "is_public", row->is_public);
}
