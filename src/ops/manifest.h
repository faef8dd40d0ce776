/* The manifest of a backup: what it is, where it stands, and the hashes of its files.
 *
 * It is written last: a backup without one does not exist. Its text is canonical JSON with one line
 * end, and holds the SHA-256 of itself without that member, so that a flipped byte shows here too.
 * Any thread.
 */
#ifndef ARAGORA_OPS_MANIFEST_H
#define ARAGORA_OPS_MANIFEST_H

#include "ops/backup_name.h"
#include "store/audit_chain.h"
#include "store/inspect.h"

enum {
  MANIFEST_FORMAT = 1,
  MANIFEST_FILES = 2, /* by enum database */
  MANIFEST_BYTES_MAX = 65536,
  MANIFEST_VERSION_SIZE = 32,
};

struct manifest_file {
  int64_t schema; /* the number of its last migration */
  int64_t raw_bytes, bytes;
  uint8_t raw_sha256[32], sha256[32]; /* of the database, of the file as it is stored */
};

struct manifest {
  char name[BACKUP_NAME_SIZE];
  enum backup_kind kind;
  int64_t created_ms;                  /* the instant that the copy shows */
  char version[MANIFEST_VERSION_SIZE]; /* of the program that made it */
  int64_t number;                      /* of the last commit */
  char chain[INSPECT_CHAIN_SIZE];      /* of archived changes that goes on from it; "" = none */
  struct inspect_census census;
  bool has_audit;          /* false: of an older version, or its schema has no audit log */
  struct audit_mark audit; /* the last row of the audit log; seq 0 = it has none */
  struct manifest_file files[MANIFEST_FILES];
};

/* "aragora_memory.db.zst", "aragora_elo.db.zst" */
const char *manifest_file_name(enum database kind);

/* STATUS_NOMEM. */
MUST_CHECK enum status manifest_append(struct buffer *out, const struct manifest *manifest);

/* STATUS_CORRUPT for a text that is not, byte for byte, what manifest_append wrote;
 * STATUS_UNSUPPORTED for one of a newer format. */
MUST_CHECK enum status manifest_parse(struct bytes text, struct manifest *ret_manifest,
                                      struct error *err);

#endif
