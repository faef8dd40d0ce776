#include "hub/notice.h"

#include <inttypes.h>

enum { NOTICE_BYTES_MAX = 4096 };

const char *notice_clock_now(struct notice_clock *c) {
  int64_t now = clock_wall_ms(&clock_system);
  if (now / 1000 != c->second || !c->text[0]) {
    c->second = now / 1000;
    clock_format_iso(now, c->text);
    return c->text;
  }
  int ms = (int)(now % 1000);
  c->text[20] = (char)('0' + ms / 100);
  c->text[21] = (char)('0' + ms / 10 % 10);
  c->text[22] = (char)('0' + ms % 10);
  return c->text;
}

static void notice_head(struct buffer *b, const char *type, const char *debate_id) {
  struct notice_clock now = {0};
  buffer_printf(b, "{\"type\":\"%s\",\"debate_id\":", type);
  buffer_append_json_string(b, bytes_of(debate_id));
  buffer_append_text(b, ",\"loop_id\":");
  buffer_append_json_string(b, bytes_of(debate_id));
  buffer_printf(b, ",\"timestamp\":\"%s\",\"round\":0,\"agent\":null,\"data\":{\"debate_id\":",
                notice_clock_now(&now));
  buffer_append_json_string(b, bytes_of(debate_id));
}

static struct frame *notice_finish(struct buffer *b) {
  return b->overflow ? NULL : frame_create(buffer_bytes(b), 0, false, false);
}

struct frame *notice_queue_overflow(const char *debate_id, uint64_t dropped, uint64_t resume_seq) {
  BUFFER_LATER struct buffer b;
  buffer_init(&b, NOTICE_BYTES_MAX);
  notice_head(&b, "queue_overflow", debate_id);
  buffer_printf(&b, ",\"dropped\":%" PRIu64 ",\"resume_seq\":%" PRIu64 "}}", dropped, resume_seq);
  return notice_finish(&b);
}

struct frame *notice_history_failed(const char *debate_id, uint64_t resume_seq) {
  BUFFER_LATER struct buffer b;
  buffer_init(&b, NOTICE_BYTES_MAX);
  notice_head(&b, "warning", debate_id);
  buffer_printf(&b,
                ",\"code\":\"HISTORY_UNAVAILABLE\",\"message\":\"The events of this debate cannot "
                "be read now; subscribe again\",\"resume_seq\":%" PRIu64 "}}",
                resume_seq);
  return notice_finish(&b);
}
