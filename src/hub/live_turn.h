/* One attempt of a turn while it streams: the text so far and the frames about it.
 *
 * The text is kept even while nobody listens, so that one who joins gets it as `token_snapshot`;
 * frames are made only when asked for. Guarded by the channel's lock.
 */
#ifndef ARAGORA_HUB_LIVE_TURN_H
#define ARAGORA_HUB_LIVE_TURN_H

#include "hub/hub.h"
#include "hub/notice.h"

enum {
  LIVE_TURN_FRESH_MAX = 16 << 10, /* words gathered for one delta; more are shown at once */
  LIVE_TURN_TEXT_MAX = 1 << 20,   /* bytes of text kept for a snapshot; the rest is only counted */
  LIVE_TURN_FRAME_MAX = 8 << 20,  /* escaping makes at most six bytes of one */
};

struct live_turn {
  struct live_turn *next;
  struct buffer text;     /* the first LIVE_TURN_TEXT_MAX bytes, whole characters */
  uint64_t total;         /* bytes that came */
  struct buffer fresh;    /* the last of them, which no frame has shown yet */
  struct frame *snapshot; /* of the text so far, or NULL: made once for all who join now */
  char *head;             /* `","debate_id":..."timestamp":"`, escaped once a turn */
  char *tail;             /* `","round":...,"attempt":N` */
  int attempt;
  char turn[];
};

/* NULL when memory is short. */
struct live_turn *live_turn_create(const char *debate_id, const struct hub_token *token);
void live_turn_free(struct live_turn *t);
bool live_turn_is(const struct live_turn *t, const struct hub_token *token);

/* Adds text; `listened`: to be shown by the next delta. */
void live_turn_append(struct live_turn *t, struct bytes text, bool listened);

/* Frames, each a new reference or NULL when memory is short. `scratch` is the caller's, reused.
 * live_turn_delta shows, and forgets, what is fresh; NULL also when nothing is. */
struct frame *live_turn_start(struct live_turn *t, struct notice_clock *now,
                              struct buffer *scratch);
struct frame *live_turn_delta(struct live_turn *t, struct notice_clock *now,
                              struct buffer *scratch);
struct frame *live_turn_end(struct live_turn *t, struct notice_clock *now, struct buffer *scratch,
                            struct bytes usage_json);
struct frame *live_turn_reset(struct live_turn *t, struct notice_clock *now, struct buffer *scratch,
                              const char *reason);
struct frame *live_turn_snapshot(struct live_turn *t, struct notice_clock *now,
                                 struct buffer *scratch);

#endif
