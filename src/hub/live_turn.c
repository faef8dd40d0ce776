#include "hub/live_turn.h"

#include "base/utf8.h"

#include <stdlib.h>

static char *live_turn_make_head(const char *debate_id) {
  struct buffer b;
  buffer_init(&b, 4096);
  buffer_append_text(&b, "\",\"debate_id\":");
  buffer_append_json_string(&b, bytes_of(debate_id));
  buffer_append_text(&b, ",\"loop_id\":");
  buffer_append_json_string(&b, bytes_of(debate_id));
  buffer_append_text(&b, ",\"timestamp\":\"");
  return buffer_steal(&b);
}

static char *live_turn_make_tail(const char *debate_id, const struct hub_token *token) {
  struct buffer b;
  buffer_init(&b, 8192);
  buffer_append_text(&b, "\",\"round\":");
  buffer_append_int(&b, token->round);
  buffer_append_text(&b, ",\"agent\":");
  buffer_append_json_string(&b, bytes_of(token->agent));
  buffer_append_text(&b, ",\"data\":{\"debate_id\":");
  buffer_append_json_string(&b, bytes_of(debate_id));
  buffer_append_text(&b, ",\"agent\":");
  buffer_append_json_string(&b, bytes_of(token->agent));
  buffer_append_text(&b, ",\"agent_id\":");
  buffer_append_json_string(&b, bytes_of(token->agent));
  buffer_append_text(&b, ",\"turn\":");
  buffer_append_json_string(&b, bytes_of(token->turn));
  buffer_append_text(&b, ",\"kind\":");
  buffer_append_json_string(&b, bytes_of(token->kind));
  buffer_append_text(&b, ",\"attempt\":");
  buffer_append_int(&b, token->attempt);
  return buffer_steal(&b);
}

struct live_turn *live_turn_create(const char *debate_id, const struct hub_token *token) {
  size_t len = strlen(token->turn);
  struct live_turn *t = calloc(1, sizeof *t + len + 1);
  if (!t) return NULL;
  memcpy(t->turn, token->turn, len + 1);
  t->attempt = token->attempt;
  buffer_init(&t->text, LIVE_TURN_TEXT_MAX);
  buffer_init(&t->fresh, SIZE_MAX - 1);
  t->head = live_turn_make_head(debate_id);
  t->tail = live_turn_make_tail(debate_id, token);
  if (t->head && t->tail) return t;
  live_turn_free(t);
  return NULL;
}

void live_turn_free(struct live_turn *t) {
  if (!t) return;
  buffer_done(&t->text);
  buffer_done(&t->fresh);
  frame_unref(t->snapshot);
  free(t->head);
  free(t->tail);
  free(t);
}

bool live_turn_is(const struct live_turn *t, const struct hub_token *token) {
  return t->attempt == token->attempt && strcmp(t->turn, token->turn) == 0;
}

void live_turn_append(struct live_turn *t, struct bytes text, bool listened) {
  /* Short of memory, the words are not shown live; the offset of the next ones says so. */
  if (listened && !buffer_append_bytes(&t->fresh, text)) buffer_clear(&t->fresh);
  /* Once something was left out nothing more is kept, or the text would have a hole. */
  if (t->total == t->text.len) {
    size_t room = LIVE_TURN_TEXT_MAX - t->text.len;
    size_t n = text.len <= room ? text.len : utf8_prefix(text, room);
    if (!buffer_append(&t->text, text.ptr, n)) t->text.overflow = false;
  }
  t->total += text.len;
  frame_unref(t->snapshot);
  t->snapshot = NULL;
}

static void live_turn_open(struct live_turn *t, struct notice_clock *now, struct buffer *scratch,
                           const char *type) {
  buffer_clear(scratch);
  buffer_append_text(scratch, "{\"type\":\"");
  buffer_append_text(scratch, type);
  buffer_append_text(scratch, t->head);
  buffer_append(scratch, notice_clock_now(now), CLOCK_ISO_SIZE - 1);
  buffer_append_text(scratch, t->tail);
}

static struct frame *live_turn_close(struct buffer *scratch) {
  buffer_append_text(scratch, "}}");
  return scratch->overflow ? NULL : frame_create(buffer_bytes(scratch), 0, false, false);
}

struct frame *live_turn_start(struct live_turn *t, struct notice_clock *now,
                              struct buffer *scratch) {
  live_turn_open(t, now, scratch, "token_start");
  return live_turn_close(scratch);
}

struct frame *live_turn_delta(struct live_turn *t, struct notice_clock *now,
                              struct buffer *scratch) {
  if (t->fresh.len == 0) return NULL;
  live_turn_open(t, now, scratch, "token_delta");
  buffer_append_text(scratch, ",\"offset\":");
  buffer_append_int(scratch, (int64_t)(t->total - t->fresh.len));
  buffer_append_text(scratch, ",\"token\":");
  buffer_append_json_string(scratch, buffer_bytes(&t->fresh));
  buffer_clear(&t->fresh);
  return live_turn_close(scratch);
}

struct frame *live_turn_end(struct live_turn *t, struct notice_clock *now, struct buffer *scratch,
                            struct bytes usage_json) {
  live_turn_open(t, now, scratch, "token_end");
  buffer_append_text(scratch, ",\"length\":");
  buffer_append_int(scratch, (int64_t)t->total);
  if (usage_json.len > 0) {
    buffer_append_text(scratch, ",\"usage\":");
    buffer_append_bytes(scratch, usage_json);
  }
  return live_turn_close(scratch);
}

struct frame *live_turn_reset(struct live_turn *t, struct notice_clock *now, struct buffer *scratch,
                              const char *reason) {
  live_turn_open(t, now, scratch, "token_reset");
  buffer_append_text(scratch, ",\"reason\":");
  buffer_append_json_string(scratch, bytes_of(reason ? reason : ""));
  return live_turn_close(scratch);
}

struct frame *live_turn_snapshot(struct live_turn *t, struct notice_clock *now,
                                 struct buffer *scratch) {
  if (!t->snapshot) {
    live_turn_open(t, now, scratch, "token_snapshot");
    buffer_append_text(scratch, ",\"offset\":");
    buffer_append_int(scratch, (int64_t)t->total);
    buffer_append_text(scratch, ",\"truncated\":");
    buffer_append_text(scratch, t->total > t->text.len ? "true" : "false");
    buffer_append_text(scratch, ",\"text\":");
    buffer_append_json_string(scratch, buffer_bytes(&t->text));
    t->snapshot = live_turn_close(scratch);
  }
  return t->snapshot ? frame_ref(t->snapshot) : NULL;
}
