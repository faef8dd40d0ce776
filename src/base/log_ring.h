/* The last lines of the log at WARNING and ERROR, kept in memory for who asks what went wrong
 * without reading the file. Bounded in number, and each in length. Any thread. */
#ifndef ARAGORA_BASE_LOG_RING_H
#define ARAGORA_BASE_LOG_RING_H

#include "base/log.h"

enum { LOG_RECORD_TEXT_SIZE = 1024 };

struct log_record {
  uint64_t id; /* counts from 1, of this process */
  int64_t ts_ms;
  enum log_level level;
  char logger[16];
  char request_id[65]; /* "" = none; a longer one is cut */
  char debate_id[129];
  char message[LOG_RECORD_TEXT_SIZE]; /* redacted; what is longer is cut between characters */
};

/* How many are kept; 0 = none. Forgets those it has. Before the first thread, for the server alone:
 * until it is called nothing is kept. False when memory is short. */
bool log_ring_open(size_t count);
void log_ring_close(void);

void log_ring_put(enum log_level level, const char *logger, const struct log_context *context,
                  const char *message);

/* Calls each(ctx, record) for the newest `limit` records, newest first; valid during the call,
 * which must not log. Returns how many have been put since the start. */
typedef void log_record_fn(void *ctx, const struct log_record *record);
uint64_t log_ring_each(size_t limit, log_record_fn *each, void *ctx);

/* What it occupies. */
size_t log_ring_bytes(void);

#endif
