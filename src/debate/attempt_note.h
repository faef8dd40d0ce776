/* The data of attempt_start and attempt_end, two of three events of a log, as fields: so they are
 * written to the log, shown to clients and folded without a tree in between. What stands in a log
 * is read into the same fields. Pure. */
#ifndef ARAGORA_DEBATE_ATTEMPT_NOTE_H
#define ARAGORA_DEBATE_ATTEMPT_NOTE_H

#include "debate/debate.h"

enum { ATTEMPT_NOTE_TEXTS = 6 };

/* Texts are borrowed, but for what had to be cleaned. Numbers: -1 = unknown, null in the log. */
struct attempt_note {
  enum event_kind event;
  const char *turn, *kind, *provider, *model;
  int64_t number;
  /* of a start */
  bool repair, hedge;
  int64_t reserved_tokens, reserved_usd_micro;
  int64_t prompt_bytes; /* 0 = not known, and left out */
  const char *labels[DEBATE_MEMBERS_MAX];
  int label_count;
  /* of an end */
  enum outcome outcome;
  bool fallback, truncated;
  int64_t upstream_status; /* 0 = none */
  const char *detail, *request_id;
  struct bytes reply; /* ptr NULL = none, and no reply_error either */
  const char *reply_error;
  int64_t input, cache_read, cache_write, output, reasoning; /* usage */
  int64_t tokens, cost_usd_micro, ttft_ms, latency_ms;

  char id[TURN_ID_SIZE];           /* what `turn` of a new one points to */
  char *owned[ATTEMPT_NOTE_TEXTS]; /* texts that had to be cleaned */
  int owned_count;
  bool failed; /* for want of memory */
};

/* An empty one of a turn, for attempt_note_free; NULL when memory is short. */
struct attempt_note *attempt_note_create(enum event_kind event, const struct debate *debate,
                                         const struct turn *turn);
void attempt_note_free(struct attempt_note *note); /* NULL is fine */
/* A text as a log may hold it: itself, or where it is no UTF-8, a copy with U+FFFD that the note
 * owns. At most ATTEMPT_NOTE_TEXTS a note. Without memory `failed` is set. */
struct bytes attempt_note_text(struct attempt_note *note, struct bytes text);
/* The same, but a copy in any case. */
struct bytes attempt_note_copy(struct attempt_note *note, struct bytes text);

/* A vendor may count what it likes, and a log may be of another hand; sums over a whole debate must
 * stay integers that the log holds (2^53). Negative is "unknown". */
int64_t attempt_note_bounded(int64_t value);

/* From the data of an event of either kind, which has to outlive it. Missing fields read as
 * unknown.
 */
void attempt_note_read(enum event_kind event, const json_t *data, struct attempt_note *ret_note);

/* The canonical form (base/json.h). */
void attempt_note_append(struct buffer *out, const struct attempt_note *note);
/* The members as they are shown outside (outward.h), each behind a comma. */
void attempt_note_append_outward(struct buffer *out, const struct attempt_note *note);

#endif
