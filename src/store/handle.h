/* What a struct store is made of; for the files of this room that implement store.h. */
#ifndef ARAGORA_STORE_HANDLE_H
#define ARAGORA_STORE_HANDLE_H

#include "store/elo.h"
#include "store/reader.h"
#include "store/store.h"
#include "store/writer.h"

#include <pthread.h>
#include <stdatomic.h>

struct store {
  struct writer *writer;
  struct reader_pool *readers;        /* of the debate database */
  struct reader_pool *elo_readers;    /* of the ratings' */
  struct elo elo;                     /* and who writes them */
  pthread_mutex_t elo_lock;           /* guards it */
  atomic_int memory_pulse, elo_pulse; /* what the last store_ping found: enum status */
};

/* Queues a batch, with a copy of the audit row (may be NULL) that goes with it; frees it when it is
 * not taken. */
MUST_CHECK enum status store_queue(struct store *store, struct batch *batch,
                                   const struct audit_entry *audit, store_done_fn *done, void *ctx);

/* Whose debates a principal sees. */
enum scope { SCOPE_OWNER, SCOPE_TENANT, SCOPE_SYSTEM };

static inline enum scope scope_of(const struct principal *who) {
  return who->system ? SCOPE_SYSTEM : who->all_owners ? SCOPE_TENANT : SCOPE_OWNER;
}

/* Binds ?1 tenant, ?2 owner, ?3 scope for the condition below. */
void principal_bind(sqlite3_stmt *statement, const struct principal *who);
#define VISIBLE_TO_PRINCIPAL "(?3 = 2 OR (tenant_id = ?1 AND (?3 = 1 OR owner_id = ?2)))"

/* The same condition for one scope, by which an index can be used. */
const char *scope_condition(enum scope scope);

/* "INDEXED BY ... WHERE ..." of all debates of the principal's scope: follows `FROM debates`, takes
 * the same parameters, and its order is (created_ms, id). */
const char *list_scope_condition(const struct principal *who);

/* An event from a row of these columns; borrows from the row. */
#define EVENT_ROW_COLUMNS "seq, type, ts_ms, round, agent, digest, hash, salt, data"
MUST_CHECK enum status event_from_row(sqlite3_stmt *row, struct store_event *ret_event);

/* The connection of a struct inspect, which keeps it. */
struct inspect;
sqlite3 *inspect_connection(const struct inspect *inspect);

#endif
