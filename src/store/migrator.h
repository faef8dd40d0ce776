/* One of the two databases, opened for its migrations by hand: where it stands, and one step up or
 * down at a time.
 *
 * For whoever has no store open on the file, on one thread; blocks. A migrator that only looks
 * changes nothing and may look beside a running server.
 */
#ifndef ARAGORA_STORE_MIGRATOR_H
#define ARAGORA_STORE_MIGRATOR_H

#include "store/databases.h"

/* One migration: of the database, of this program, or of both. */
struct migrator_entry {
  int64_t version;
  int64_t min_reader_version;
  int64_t applied_ms; /* Unix; -1 = pending */
  bool known;         /* this program has it; an unknown one was applied by a newer program */
  char name[64];
};

struct migrator_state {
  bool exists;     /* there is such a file */
  int64_t version; /* the last that was applied; 0 = none */
  int64_t latest;  /* that this program has */
  int64_t needs;   /* the oldest schema number whose program may use it */
  int64_t
      back_to; /* the last version that this program may use: `version`, unless needs > latest */
  struct migrator_entry *entries; /* by number */
  size_t count;
};

/* Fills *ret_state for migrator_state_done. A file that is missing is a state, not an error.
 * STATUS_CORRUPT, STATUS_UNSUPPORTED, STATUS_IO as store_open. */
MUST_CHECK enum status migrator_look(enum database database, const char *path, int64_t timeout_ms,
                                     struct migrator_state *ret_state, struct error *err);
void migrator_state_done(struct migrator_state *state);

struct migrator;

/* Opens it for changes, making an empty file where there is none, and keeps everybody else out,
 * readers too, until migrator_close: STATUS_TIMEOUT when another program has it open for longer
 * than the timeout. */
MUST_CHECK enum status migrator_open(enum database database, const char *path, int64_t timeout_ms,
                                     struct migrator **ret_migrator, struct error *err);
/* NULL is fine. */
void migrator_close(struct migrator *migrator);

/* The last migration that was applied; 0 = the database is empty. */
int64_t migrator_version(const struct migrator *migrator);

/* A checked copy as it is now; see copy.h. */
MUST_CHECK enum status migrator_copy(struct migrator *migrator, const char *path,
                                     int64_t *ret_bytes, struct error *err);

/* One transaction: the next migration, but from an empty database all up to `to`, so that nobody
 * ever meets the half of a new one. */
MUST_CHECK enum status migrator_apply(struct migrator *migrator, int64_t to, struct error *err);
/* One transaction: the last migration is undone; see schema_undo. */
MUST_CHECK enum status migrator_undo(struct migrator *migrator, struct error *err);

#endif
