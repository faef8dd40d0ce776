/* The schema of a database as numbered migrations, compiled in from migrations/.
 *
 * Called while the store opens, on that thread, before anybody else has the connection.
 */
#ifndef ARAGORA_STORE_SCHEMA_H
#define ARAGORA_STORE_SCHEMA_H

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
};

extern const struct schema schema_memory;
extern const struct schema schema_elo;
extern const struct migration migrations_memory[], migrations_elo[];
extern const size_t migrations_memory_count, migrations_elo_count;

/* Whether this program may use the database: empty, or made by these migrations, or by newer ones
 * that say so. STATUS_CORRUPT for someone else's, STATUS_UNSUPPORTED for one that is too new or was
 * made by other migrations of the same numbers. Changes nothing. */
MUST_CHECK enum status schema_check(sqlite3 *db, const struct schema *schema, const char *path,
                                    struct error *err);

/* Applies what is missing, each migration in one transaction. After schema_check. */
MUST_CHECK enum status schema_migrate(sqlite3 *db, const struct schema *schema, struct error *err);

#endif
