/* The audit log as rows of the debate database: appended by the writer, in the transaction of the
 * act where there is one, and read a page at a time. What a row means is src/auth/audit.h's.
 */
#ifndef ARAGORA_STORE_AUDIT_H
#define ARAGORA_STORE_AUDIT_H

#include "store/audit_chain.h"
#include "store/store.h"

enum {
  STORE_AUDIT_TEXT_MAX = 256,    /* bytes of each text; what is longer is cut */
  STORE_AUDIT_DETAIL_MAX = 4096, /* of the detail; what is longer is STATUS_TOO_LARGE */
};

/* Queues one row of its own. Copies everything. Any thread, never blocks: it is not turned away by
 * a queue that is full of other things. `done` may be NULL. STATUS_FULL when more than the queue's
 * whole limit waits in audit rows alone, STATUS_UNAVAILABLE while the store closes,
 * STATUS_TOO_LARGE, STATUS_NOMEM. */
MUST_CHECK enum status store_put_audit(struct store *store, const struct audit_entry *entry,
                                       store_done_fn *done, void *ctx);

struct store_audit_query {
  const char *action, *outcome, *actor, *tenant,
      *resource;              /* NULL = any; `action` may end in ".*" */
  int64_t since_ms, until_ms; /* -1 = none; both inclusive */
  int64_t after;              /* rows beyond this one; 0 = from the beginning */
  int64_t before;             /* rows before this one; 0 = to the end */
  bool newest_first;
  size_t limit; /* rows given at most */
};
enum { STORE_AUDIT_SCAN_MAX = 20000 }; /* rows looked at for one page */

/* Calls each(ctx, row), which must not wait nor use the store. *ret_next is where the next page
 * goes on, `before` or `after` by the order; 0 = there is none. A page may be short, or empty, and
 * still have a next one: so many rows were looked at. A principal of one tenant sees its rows, one
 * that is no owner of the tenant those of its own acts. */
typedef void store_audit_fn(void *ctx, const struct audit_row *row);
MUST_CHECK enum status store_read_audit(struct store *store, const struct principal *who,
                                        const struct store_audit_query *query, store_audit_fn *each,
                                        void *ctx, int64_t *ret_next, struct error *err);

/* Where the log begins and ends, as the database says. */
MUST_CHECK enum status store_read_audit_head(struct store *store, struct audit_head *ret_head,
                                             struct error *err);

/* Walks over every row in one view of the database; the process's own, since a chain has no
 * tenants. */
MUST_CHECK enum status store_walk_audit(struct store *store, struct audit_walk *walk,
                                        struct error *err);
/* The same of a file that is looked at. *ret_known false: its schema has no audit log yet. */
struct inspect;
MUST_CHECK enum status inspect_walk_audit(struct inspect *inspect, struct audit_walk *walk,
                                          bool *ret_known, struct error *err);
/* Where it begins and ends, likewise. */
MUST_CHECK enum status inspect_audit_head(struct inspect *inspect, struct audit_head *ret_head,
                                          bool *ret_known, struct error *err);
/* Whether that very row is there. */
MUST_CHECK enum status inspect_has_audit_row(struct inspect *inspect, const struct audit_mark *mark,
                                             bool *ret_there, struct error *err);

#endif
