/* What the readers of tombstones share. Any thread that may block. */
#ifndef ARAGORA_STORE_TOMBSTONE_H
#define ARAGORA_STORE_TOMBSTONE_H

#include "base/principal.h"
#include "store/reader.h"

/* The statement that gives the tombstone which the principal may see, bound and not yet stepped. */
MUST_CHECK enum status tombstone_find(struct reader *reader, const struct principal *who,
                                      const char *debate_id, sqlite3_stmt **ret_statement,
                                      struct error *err);

#endif
