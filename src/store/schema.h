/* The schema of a database as numbered migrations, compiled in from migrations/.
 *
 * Called while the store opens, or while a migrator has the file for itself, on that thread, before
 * anybody else has the connection.
 */
#ifndef ARAGORA_STORE_SCHEMA_H
#define ARAGORA_STORE_SCHEMA_H

#include "store/databases.h"
#include "store/sqlite.h"

struct migration {
  int64_t version;            /* 1, 2, ... without a hole */
  int64_t min_reader_version; /* the oldest schema number whose program may still use the result */
  const char *name;
  const char *checksum; /* SHA-256 of the file, hexadecimal */
  const char *up;
  const char *down;
};

struct schema {
  const char *what;       /* "debate" or "ratings", for messages */
  int64_t application_id; /* bytes 68..71 of the file */
  const struct migration *migrations;
  const size_t *count;
  const char *name;       /* "memory" or "elo", for commands that are named in messages */
  const char *undo_flags; /* what stands in such a command before the file's path */
  bool durable;           /* every commit is on disk before it is answered */
};

/* Where a database stands. */
struct schema_state {
  int64_t version; /* the last migration that was applied; 0 = it is empty */
  int64_t needs;   /* the oldest schema number whose program may use it */
  int64_t back_to; /* the last version that this program may use: `version`, unless `needs` is more
                      than it has */
};

extern const struct schema schema_memory;
extern const struct schema schema_elo;
const struct schema *schema_of(enum database database);
extern const struct migration migrations_memory[], migrations_elo[];
extern const size_t migrations_memory_count, migrations_elo_count;

/* Where it stands, whether this program may use it or not. STATUS_CORRUPT for someone else's,
 * STATUS_UNSUPPORTED for one that was made by other migrations of the same numbers. Changes
 * nothing.
 */
MUST_CHECK enum status schema_read(sqlite3 *db, const struct schema *schema, const char *path,
                                   struct schema_state *ret_state, struct error *err);

/* Whether this program may use the database: empty, or made by these migrations or the first of
 * them, or by newer ones that say so. Otherwise as schema_read, and STATUS_UNSUPPORTED for one that
 * is too new, with the command that takes it back. */
MUST_CHECK enum status schema_check(sqlite3 *db, const struct schema *schema, const char *path,
                                    struct error *err);

/* Makes the schema of an empty database as it is after migration `to`, in one transaction: who is
 * killed meanwhile leaves it empty. One that is not empty (any more) stays as it is. */
MUST_CHECK enum status schema_create(sqlite3 *db, const struct schema *schema, int64_t to,
                                     struct error *err);

/* Applies the migration after `version`, the last one that was applied, in one transaction. */
MUST_CHECK enum status schema_apply(sqlite3 *db, const struct schema *schema, int64_t version,
                                    struct error *err);

/* Undoes migration `version`, the last one that was applied, in one transaction: by this program's
 * script when it knows that migration, else by the one that the newer program left in the database.
 * STATUS_UNSUPPORTED when there is none. */
MUST_CHECK enum status schema_undo(sqlite3 *db, const struct schema *schema, int64_t version,
                                   struct error *err);

#endif
