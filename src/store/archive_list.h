/* What an archive holds, and whether it is whole.
 *
 * Any thread; only reads the archive, beside a server that writes it.
 */
#ifndef ARAGORA_STORE_ARCHIVE_LIST_H
#define ARAGORA_STORE_ARCHIVE_LIST_H

#include "store/archive_dir.h"

/* One chain of an archive. */
struct archive_chain {
  char chain[CHAIN_SIZE];
  int64_t begun_ms;
  uint64_t order;            /* of chains that began later it is more, whatever clocks do */
  uint64_t first, last;      /* numbers of commits; last = first - 1: none */
  int64_t first_ms, last_ms; /* the time before `first`, and of `last` */
  size_t segments, sealed;   /* `sealed`: packed ones included */
  uint64_t bytes;            /* of the files */
  bool torn;                 /* ends in a record that was never finished */
};
typedef bool archive_chain_fn(void *ctx, const struct archive_chain *chain);

/* Calls each(ctx, chain) for every chain with a segment, the one that began first first, until it
 * returns false. Reads the first and the last segment of each; one that is damaged is an error. */
MUST_CHECK enum status archive_list(const char *dir, archive_chain_fn *each, void *ctx,
                                    struct error *err);

/* What archive_verify found wrong, one line each; valid during the call. */
typedef void archive_problem_fn(void *ctx, const char *problem);
struct archive_verified {
  size_t chains, segments;
  uint64_t commits, bytes;
  size_t problems;
};
/* Reads everything: each record's hash, and that the numbers of a chain have no hole between the
 * segments that are there. A fault of the archive is a problem, not an error. */
MUST_CHECK enum status archive_verify(const char *dir, archive_problem_fn *each, void *ctx,
                                      struct archive_verified *ret_verified, struct error *err);

#endif
