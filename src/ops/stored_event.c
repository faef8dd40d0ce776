#include "ops/stored_event.h"

#include "base/json_tree.h"
#include "debate/view.h"

enum status stored_event_read(const struct store_event *stored, struct event *ret_event,
                              struct error *err) {
  json_t *data = stored->data.ptr ? json_tree_read(stored->data) : json_object();
  if (!stored->data.ptr) {
    if (!data) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  } else if ((!data && json_parse(stored->data, &data, NULL)) || !json_is_object(data)) {
    json_decref(data);
    return error_set(err, STATUS_CORRUPT, NULL, "event %llu of a log holds no object",
                     (unsigned long long)stored->seq);
  }
  *ret_event = (struct event){stored->seq,   event_kind_parse(stored->type),
                              stored->ts_ms, stored->round,
                              stored->agent, data};
  return STATUS_OK;
}

struct reading {
  stored_event_fn *each;
  void *ctx;
  enum status status;
  struct error *err;
};

static bool read_one(void *ctx, const struct store_event *stored) {
  struct reading *r = ctx;
  struct event event;
  r->status = stored_event_read(stored, &event, r->err);
  if (r->status) return false;
  r->status = r->each(r->ctx, &event, stored, r->err);
  json_decref(event.data);
  return r->status == STATUS_OK;
}

enum status stored_event_each(struct store *store, const struct principal *who,
                              const char *debate_id, stored_event_fn *each, void *ctx,
                              struct error *err) {
  struct reading r = {.each = each, .ctx = ctx, .err = err};
  enum status s = store_read_events(store, who, debate_id, 0, 0, read_one, &r, err);
  if (s) return s;
  return r.status == STATUS_CANCELLED ? STATUS_OK : r.status;
}

enum status stored_event_frame(const struct store_event *stored, const char *debate_id,
                               uint64_t agent_seq, struct buffer *scratch, struct frame **ret_frame,
                               struct error *err) {
  struct event event = {0};
  enum status s = stored_event_read(stored, &event, err);
  if (s) return s;
  buffer_clear(scratch);
  struct frame *frame = NULL;
  bool end = event.kind == EVENT_DEBATE_END;
  if (view_frame(debate_id, &event, agent_seq, scratch) == STATUS_OK)
    frame = frame_create(buffer_bytes(scratch), event.seq, end || event.kind == EVENT_ERROR, end);
  json_decref(event.data);
  if (!frame) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  *ret_frame = frame;
  return STATUS_OK;
}
