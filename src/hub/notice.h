/* The frames that the hub makes itself: live-only, without a seq (docs/internals/streams.md).
 * Any thread; the caller serialises calls that share a `struct notice_clock`.
 */
#ifndef ARAGORA_HUB_NOTICE_H
#define ARAGORA_HUB_NOTICE_H

#include "base/clock.h"
#include "io/frame.h"

/* The last timestamp written: within one second only its milliseconds change, and a streamed
 * answer makes a frame every few milliseconds. */
struct notice_clock {
  int64_t second;
  char text[CLOCK_ISO_SIZE];
};

/* "2026-11-23T22:37:12.345Z" of now; valid until the next call. */
const char *notice_clock_now(struct notice_clock *c);

/* {"type":"queue_overflow",...,"data":{"dropped":..,"resume_seq":..}}; NULL when memory is short.
 */
struct frame *notice_queue_overflow(const char *debate_id, uint64_t dropped, uint64_t resume_seq);
/* {"type":"warning",...,"data":{"code":"HISTORY_UNAVAILABLE",...}} */
struct frame *notice_history_failed(const char *debate_id, uint64_t resume_seq);

#endif
