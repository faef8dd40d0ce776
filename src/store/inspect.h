/* Looking at a database file that nobody has open: a copy, or a backup unpacked again.
 *
 * It is read as it lies there (`immutable`): no lock, no -wal and no -shm are made, and none is
 * read. inspect_open_live is for the file that a server writes. One thread at a time.
 */
#ifndef ARAGORA_STORE_INSPECT_H
#define ARAGORA_STORE_INSPECT_H

#include "store/databases.h"
#include "store/store.h"

enum { INSPECT_CHAIN_SIZE = 65 };

struct inspect;

/* STATUS_CORRUPT for a file that is none of ours of that kind, STATUS_UNSUPPORTED for a newer one,
 * each with one line that names the file. */
MUST_CHECK enum status inspect_open(const char *path, enum database kind,
                                    struct inspect **ret_inspect, struct error *err);
/* The same of a database in use; sees what is committed. STATUS_NOT_FOUND when there is none. */
MUST_CHECK enum status inspect_open_live(const char *path, enum database kind, int64_t busy_ms,
                                         struct inspect **ret_inspect, struct error *err);
void inspect_close(struct inspect *inspect); /* NULL is fine */

/* PRAGMA integrity_check: STATUS_CORRUPT with its first finding. Reads every page: about 5 ms a MiB
 * from the page cache. */
MUST_CHECK enum status inspect_integrity(struct inspect *inspect, struct error *err);

/* Where the file stands: its schema's number, the last commit, and the chain of archived changes
 * that continues it ("" = none, or a schema that knows none). */
struct inspect_position {
  int64_t schema;
  int64_t number;
  char chain[INSPECT_CHAIN_SIZE];
};
MUST_CHECK enum status inspect_position(struct inspect *inspect,
                                        struct inspect_position *ret_position, struct error *err);

/* Calls each(ctx, id, seq, hash) for the last event of every debate, in the order of the ids, until
 * it returns false. Of the debate database. */
typedef bool inspect_head_fn(void *ctx, const char *id, uint64_t seq, const uint8_t hash[32]);
MUST_CHECK enum status inspect_heads(struct inspect *inspect, inspect_head_fn *each, void *ctx,
                                     struct error *err);
/* Whether that very event is in the log of that debate: *ret_found false = the debate is unknown;
 * *ret_same false = it goes another way. */
MUST_CHECK enum status inspect_has_head(struct inspect *inspect, const char *id, uint64_t seq,
                                        const uint8_t hash[32], bool *ret_found, bool *ret_same,
                                        struct error *err);
/* The events of one debate in order, as store_read_events gives them. */
MUST_CHECK enum status inspect_events(struct inspect *inspect, const char *id, store_event_fn *each,
                                      void *ctx, struct error *err);

/* Whether the ratings of `elo` are of the debates of `memory`: STATUS_CONFLICT, with the reason, as
 * store_rated_through answers it. */
MUST_CHECK enum status inspect_ratings(struct inspect *memory, struct inspect *elo,
                                       struct error *err);

/* What tells two states apart: counts, and the SHA-256 over all heads. */
struct inspect_census {
  int64_t debates, events;
  uint8_t heads_sha256[32];
};
MUST_CHECK enum status inspect_census(struct inspect *inspect, struct inspect_census *ret_census,
                                      struct error *err);

/* Ends the chain of archived changes in a restored copy, so that the archive begins a new one:
 * what was archived after this moment belongs to a history that the copy does not have. Writes the
 * file, and leaves it on disk without a -wal. A schema without chains is left as it is. */
MUST_CHECK enum status inspect_forget_chain(const char *path, struct error *err);

#endif
