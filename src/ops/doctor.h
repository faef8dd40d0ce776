/* What may be wrong with the files and the machine under a server: each check tells what it found,
 * with the fix. Changes nothing; beside a running server or without one. Blocks; main thread.
 *
 * What is about options, keys, ports and providers is the command's (src/cli/doctor.c).
 */
#ifndef ARAGORA_OPS_DOCTOR_H
#define ARAGORA_OPS_DOCTOR_H

#include "base/clock.h"
#include "ops/finding.h"
#include "store/databases.h"

struct doctor_place {
  const char *data_dir;
  const char *paths[DATABASES];
  const char *archive_dir; /* NULL = commits are not archived */
  const char *log_file;    /* NULL = none */
  const char *backup_to;   /* as place_open takes it; need not be there */
  const char *s3_endpoint, *s3_region;
  int64_t timeout_ms;      /* for a lock of another program */
  int64_t max_connections; /* that the server may have, each a descriptor */
  const struct clock *clock;
};

/* "data", "permissions", "log": directories that can be used, files that nobody else can read. */
void doctor_check_files(const struct doctor_place *place, const struct findings *to);
/* "memory", "elo": schema and integrity of each database; "ratings" where the two are not of one
 * time. */
void doctor_check_databases(const struct doctor_place *place, const struct findings *to);
/* "audit": the chain of the audit log. */
void doctor_check_audit(const struct doctor_place *place, const struct findings *to);
/* "archive": every record of it, and that none is missing. */
void doctor_check_archive(const struct doctor_place *place, const struct findings *to);
/* "disk", "clock", "descriptors". */
void doctor_check_machine(const struct doctor_place *place, const struct findings *to);
/* "backup": how old the last one is. */
void doctor_check_backup(const struct doctor_place *place, const struct findings *to);

#endif
