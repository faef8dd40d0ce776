/* Views: the JSON that people and programs read, all of them folds over the log.
 *
 * Numbers become 0..1 and dollars here only. Pure; the thread that owns the state.
 */
#ifndef ARAGORA_DEBATE_VIEW_H
#define ARAGORA_DEBATE_VIEW_H

#include "debate/debate.h"

/* What is kept beside the log. */
struct view_extra {
  const char *id;
  const char *status; /* of the row, shown until the log is closed ("pending"); or NULL */
  const char *slug;
  const char *metadata;  /* JSON text, or NULL */
  const char *head_hash; /* hexadecimal */
  bool is_public;
};

/* The whole debate object (API, export, `aragora debates show`): needs a state with history. */
json_t *view_debate(const struct debate *debate, const struct view_extra *extra);
/* {debate_id, messages: [...], total, limit, offset, has_more}; needs history. */
json_t *view_messages(const struct debate *debate, const char *id, size_t limit, size_t offset);

/* The frame of one event on the wire: {"type","debate_id","loop_id","timestamp","ts","seq",
 * "agent_seq","round","agent","data"} as one line of JSON into `out`. `data` is the event's as
 * debate/outward.h shows it (`share_ppm: 600000` is `share: 0.6`), with the names that existing
 * clients read beside ours; only two fields of the log look different: `agents` of debate_start is
 * the names, with what the log says of each under `panel`, and `nonce` is left out. `agent_seq`
 * counts that agent's logged events so far. Cheap: one pass, no intermediate object. STATUS_NOMEM
 * also when `out` reached its maximum. */
MUST_CHECK enum status view_frame(const char *debate_id, const struct event *event,
                                  uint64_t agent_seq, struct buffer *out);
/* The same for an event of an attempt whose data is a note: `data` is not looked at. */
MUST_CHECK enum status view_note_frame(const char *debate_id, const struct event *event,
                                       const struct attempt_note *note, uint64_t agent_seq,
                                       struct buffer *out);

/* One event as the events page, events.jsonl and the JSON export show it, chain fields included:
 * the log's own data, nothing renamed. `type` as stored, so that kinds of later versions verify.
 * `salt` is NULL when the content was deleted: salt and data are null then. */
json_t *view_event(const struct event *event, const char *type, const uint8_t salt[32],
                   const uint8_t digest[32], const uint8_t hash[32]);

#endif
