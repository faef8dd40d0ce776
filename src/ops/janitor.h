/* The janitor: one thread of the server that keeps the data in order on a schedule. It checkpoints
 * the write-ahead logs, makes hot and full backups, reads each back, removes those that are too
 * old, and deletes debates past their term. What it did before a restart it knows from the
 * manifests of the backups.
 *
 * Every act is logged once, counted in the metrics and shown in the state below.
 */
#ifndef ARAGORA_OPS_JANITOR_H
#define ARAGORA_OPS_JANITOR_H

#include "base/options.h"
#include "ops/backup_name.h"
#include "store/store.h"

struct janitor;

struct janitor_state {
  bool scheduled;          /* backups are made by themselves */
  bool working;            /* one is being made */
  int64_t last_success_ms; /* of a hot or full backup: the instant it shows; -1 = none is known */
  char last_name[BACKUP_NAME_SIZE];
  int64_t last_duration_ms; /* -1 = none was made since the start */
  int64_t last_failure_ms;  /* -1 = none since the start, or a success since */
  int64_t failures;         /* in a row */
  char problem[320];        /* of the last failure, "" = it worked */
  int64_t next_ms;          /* when the next is due; -1 = not known, or never */
  bool overdue;             /* the last one is older than two of its periods */
};

/* The options, whose files are placed, are borrowed until janitor_destroy. */
MUST_CHECK enum status janitor_create(const struct options *options, struct janitor **ret_janitor,
                                      struct error *err);
/* Starts the thread: once this process is known to be the only server of the databases. The store
 * is borrowed until janitor_stop. */
MUST_CHECK enum status janitor_start(struct janitor *janitor, struct store *store,
                                     struct error *err);
/* Ends what it does, which takes up to the check of one file's pages (5 s for a gigabyte), and the
 * thread. A backup that was cut off is none. One that was not started, and NULL, are fine. */
void janitor_stop(struct janitor *janitor);
/* After janitor_stop, or without a start. NULL is fine. */
void janitor_destroy(struct janitor *janitor);

/* Any thread. */
void janitor_get_state(struct janitor *janitor, struct janitor_state *ret_state);

#endif
