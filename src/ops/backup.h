/* Backups of both databases: making, checking, restoring and removing them.
 *
 * A backup is a copy of one instant (store/snapshot.h), each file compressed with zstd, and a
 * manifest. Everything here blocks, for minutes where the databases are large; the command line's
 * main thread or the janitor's. What is cut off at any point leaves the places and the databases as
 * they were, or as they shall be.
 */
#ifndef ARAGORA_OPS_BACKUP_H
#define ARAGORA_OPS_BACKUP_H

#include "ops/catalogue.h"
#include "ops/progress.h"
#include "ops/retention.h"

struct backup_site { /* borrowed */
  struct place *place;
  const char *memory_path, *elo_path;
  const char *archive_dir;                /* of archived changes; NULL = none */
  int64_t busy_ms;                        /* to wait for a lock of the databases */
  int load_percent;                       /* of the time in which a backup works; 100 = all */
  const char *storage_class, *full_class; /* of stores that have classes; NULL = the default */
  const struct progress *progress;        /* or NULL */
};

/* STATUS_NOT_FOUND when there is no database. *ret_manifest is that of the new backup, which is
 * whole and in its place. What is checked is the copy: its pages, counts, and the chains of a
 * hundred debates. Then what was stored is read back, unpacked and compared with the hash of that
 * copy, and the backup marked as verified; *ret_verified false = its storage class cannot be read
 * at once. The work is done by a thread of least priority (nice 19). */
MUST_CHECK enum status backup_create(const struct backup_site *site, enum backup_kind kind,
                                     struct manifest *ret_manifest, bool *ret_verified,
                                     struct error *err);

/* Reads the backup back: checksums, unpacking, integrity_check, counts, the chains of its debates
 * (all where `deep`), and marks it as verified. STATUS_CORRUPT names the file. */
MUST_CHECK enum status backup_verify(const struct backup_site *site, const char *name, bool deep,
                                     int64_t *ret_chains, struct error *err);

struct restore_request {
  const char *name; /* NULL = the newest, or what `at_ms` needs */
  int64_t at_ms;    /* as of this moment; -1 = as the backup is */
  bool force;       /* replace databases that are there */
};
struct restore_report {
  struct manifest manifest;
  int64_t replayed;   /* commits from the archive */
  int64_t reached_ms; /* of the last of them, or of the backup */
  int64_t chains;
  bool replaced; /* there was something, which is now at PATH.<aside> */
  char aside[48];
};
/* Puts a backup in the place of site->memory_path and site->elo_path. Everything is unpacked and
 * verified beside them before they are touched. STATUS_CONFLICT while a process uses them, and
 * where they are there without `force`; STATUS_NOT_FOUND when no backup, or no archived change,
 * reaches the moment. */
MUST_CHECK enum status backup_restore(const struct backup_site *site,
                                      const struct restore_request *request,
                                      struct restore_report *ret_report, struct error *err);

struct drill_report {
  struct manifest manifest;
  int64_t took_ms, chains;
  bool compared;     /* with the database in use */
  int64_t gone;      /* debates that it no longer has: they were deleted since */
  int64_t differing; /* logs that go another way there: never */
};
/* Restores the newest backup aside, verifies it whole, compares it with the databases in use, and
 * removes it again. STATUS_CORRUPT when a log differs. */
MUST_CHECK enum status backup_drill(const struct backup_site *site, struct drill_report *ret_report,
                                    struct error *err);

/* Removes what the policy does not keep, and what is incomplete for more than a day; calls
 * removed(ctx, entry) for each, before it goes. With dry_run nothing is removed. */
typedef void backup_removed_fn(void *ctx, const struct catalogue_entry *entry);
MUST_CHECK enum status backup_prune(const struct backup_site *site,
                                    const struct retention_policy *policy, int64_t now_ms,
                                    bool dry_run, backup_removed_fn *removed, void *ctx,
                                    struct error *err);

#endif
