/* From a row of the table `debates` to a struct store_debate. Inside this room only. */
#ifndef ARAGORA_STORE_DEBATE_H
#define ARAGORA_STORE_DEBATE_H

#include "store/sqlite.h"
#include "store/store.h"

/* The columns that debate_from_row reads, in its order. `metadata` and `last_seq` are SQL for two
 * that a list does without: one may be long, the other is a look-up a row. */
#define DEBATE_COLUMNS(metadata, last_seq)                                               \
  "id, tenant_id, owner_id, slug, task, agents, " metadata                               \
  ", status, outcome, consensus,"                                                        \
  " created_ms, completed_ms, duration_ms, rounds_used, confidence_ppm, cost_usd_micro," \
  " consensus_reached, degraded, demo, " DEBATE_PUBLIC_UNTIL ", " last_seq ", key_id"
/* When its link expires, far off for one that does not; NULL without a link. */
#define DEBATE_PUBLIC_UNTIL \
  "(SELECT coalesce(expires_ms, 9223372036854775807) FROM shares WHERE debate_id = id)"
#define DEBATE_LAST_SEQ "coalesce((SELECT max(seq) FROM events WHERE debate = num), 0)"

/* STATUS_NOMEM; the result is the caller's. */
MUST_CHECK enum status debate_from_row(sqlite3_stmt *row, struct store_debate *ret_debate);
/* The same with all texts in the one block that `id` points to: free(id) frees them. */
MUST_CHECK enum status debate_from_row_packed(sqlite3_stmt *row, struct store_debate *ret_debate);

#endif
