/* The hub: committed events and live tokens on their way to subscribers.
 *
 * Per running debate one ring of event frames (`buffer_events` of them) and one of token frames,
 * shared by all subscribers; an event costs per subscriber, not per debate, and none is copied. A
 * subscriber never slows a debate: one that falls behind the event ring gets `queue_overflow
 * {dropped, resume_seq}` and nothing with a seq after it. Token frames are dropped first and never
 * cause it. Thread-safe, but that tokens come from one thread; publishing never blocks beyond a
 * mutex.
 *
 * Joining without a gap: subscribe, read the store up to the ring's oldest (history callbacks, on
 * the pool of the caller), then the ring.
 */
#ifndef ARAGORA_HUB_HUB_H
#define ARAGORA_HUB_HUB_H

#include "base/bytes.h"
#include "io/frame.h"

struct hub;
struct hub_subscription;

MUST_CHECK enum status hub_create(size_t buffer_events, struct hub **ret_hub, struct error *err);
void hub_destroy(struct hub *hub);

/* A debate becomes live: its ring exists from here to hub_close_debate. `next_seq` is the seq of
 * the first event that will be published (1 for a new debate, more when resumed). */
MUST_CHECK enum status hub_open_debate(struct hub *hub, const char *debate_id, uint64_t next_seq);
/* The debate ended; the ring goes when the last subscriber has drained it. */
void hub_close_debate(struct hub *hub, const char *debate_id);
bool hub_is_live(struct hub *hub, const char *debate_id);

/* Committed events, in order of seq. Takes the caller's references. True when subscribers wait to
 * be told of them: hub_tell_gathered is due within some milliseconds. Of the end of a debate, an
 * error and of a quarter of a ring they are told at once. */
bool hub_publish(struct hub *hub, const char *debate_id, struct frame **frames, size_t count);

/* A frame without a seq for those who listen to the debate now, running or ended; who joins later
 * does not get it. Takes the reference. */
void hub_tell(struct hub *hub, const char *debate_id, struct frame *frame);
/* Whether anybody listens to it. */
bool hub_is_heard(struct hub *hub, const char *debate_id);

/* Live tokens of one attempt of a turn. The hub keeps the text so far, for `token_snapshot`, and
 * makes frames only while somebody listens. `agent` is the speaker, `round` its round.
 *
 * Waking a subscriber costs more than a token: words are gathered into one frame, and subscribers
 * are told by hub_tell_gathered, as of the events. */
struct hub_token {
  const char *turn;
  const char *agent;
  const char *kind;
  int round;
  int attempt;
};
void hub_token_start(struct hub *hub, const char *debate_id, const struct hub_token *token);
void hub_token_delta(struct hub *hub, const char *debate_id, const struct hub_token *token,
                     struct bytes text);
/* `usage_json`: {"tokens_in":..,"tokens_out":..,"cost_usd":..,"ttft_ms":..,"latency_ms":..} or "".
 */
void hub_token_end(struct hub *hub, const char *debate_id, const struct hub_token *token,
                   struct bytes usage_json);
void hub_token_reset(struct hub *hub, const char *debate_id, const struct hub_token *token,
                     const char *reason);
/* Tells of the events and tokens that came since; for a timer of some milliseconds. False when
 * there were none. */
bool hub_tell_gathered(struct hub *hub);

/* The owner's side of catching up: asked, on the thread that polls, to find the frames with
 * seq > after and to answer, from any thread and at any time, with hub_history_feed. */
typedef void hub_history_fn(void *ctx, struct hub_subscription *subscription, uint64_t after);

/* Subscribes from seq > since. `ctx` goes to `history` and, when the subscription is freed, to
 * `release`. With `end_with_debate`, polling gives FRAME_END after debate_end or queue_overflow
 * (SSE); without, it waits (WebSocket). Consumed through hub_source; closing the source frees it,
 * but not before an outstanding history request was answered. */
MUST_CHECK enum status hub_subscribe(struct hub *hub, const char *debate_id, uint64_t since,
                                     bool end_with_debate, hub_history_fn *history,
                                     void (*release)(void *ctx), void *ctx,
                                     struct hub_subscription **ret_subscription);
struct frame_source hub_source(struct hub_subscription *subscription);

/* Answers a history request: `count` frames in order of seq (references taken from the caller), at
 * most a page; `more` says that the store may hold further ones before the ring's oldest. With
 * `failed` the stream ends with a warning frame. Any thread; exactly once a request. */
void hub_history_feed(struct hub_subscription *subscription, struct frame **frames, size_t count,
                      bool more, bool failed);

/* The last seq handed out by poll. Poll's thread. */
uint64_t hub_delivered_seq(const struct hub_subscription *subscription);

struct hub_stats {
  size_t debates, subscribers;
  size_t bytes; /* of the frames in the rings, and of these */
};
struct hub_stats hub_stats(struct hub *hub);

#endif
