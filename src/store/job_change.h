/* What the writer does to jobs. Inside this room only. */
#ifndef ARAGORA_STORE_JOB_CHANGE_H
#define ARAGORA_STORE_JOB_CHANGE_H

#include "store/jobs.h"
#include "store/sqlite.h"

struct job_change {
  enum { JOB_PUT, JOB_CANCEL, JOB_FAIL_ITEM } kind;
  struct store_job job;        /* JOB_PUT: all; else the id, and what else is named */
  const char *const *requests; /* JOB_PUT: job.items of them */
  bool all_owners, system;     /* JOB_CANCEL: of the principal whose tenant and owner job has */
  int64_t item;                /* JOB_FAIL_ITEM */
  const char *why;
};

/* In the writer's transaction: 0 or an SQLite error; SQLITE_CONSTRAINT when it does not fit. */
int job_change_write(sqlite3 *db, const struct job_change *change);

/* Cancels what still has items to start: of the API key, or of the owner whatever it came with. In
 * the writer's transaction that takes the right to start them away; 0 or an SQLite error. */
int jobs_cancel_by_key(sqlite3 *db, const char *key_id, int64_t now_ms);
int jobs_cancel_by_owner(sqlite3 *db, const char *owner_id, int64_t now_ms);

#endif
