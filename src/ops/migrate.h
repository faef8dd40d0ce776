/* Migrations by hand: what would be done to the two databases, and doing it.
 *
 * A plan only looks. migrate_run takes each database that has a step for itself, copies it
 * (checked, beside it, see copies.h), and makes the steps, one transaction each. Whoever is killed
 * on the way leaves each database at one of its schemas, whole; the same call then does the rest.
 * Main thread, without an open store; blocks.
 */
#ifndef ARAGORA_OPS_MIGRATE_H
#define ARAGORA_OPS_MIGRATE_H

#include "store/migrator.h"

#include <limits.h>

enum migrate_direction { MIGRATE_UP, MIGRATE_DOWN };

struct migrate_request {
  enum migrate_direction direction;
  const char *paths[DATABASES]; /* NULL = not this one */
  int64_t to;                   /* of one database; -1 = the newest, or one step down */
  int64_t timeout_ms;           /* for other programs to close the file */
  size_t copies_max;            /* of a database; older ones are removed */
};

struct migrate_part { /* of one database */
  const char *path;   /* NULL = not asked for */
  struct migrator_state before;
  int64_t target;      /* where it shall go */
  int64_t reached;     /* where it is: before.version until migrate_run */
  char copy[PATH_MAX]; /* "" = none was made: nothing to do, or nothing to copy */
  int64_t copy_bytes;
};

struct migrate_plan {
  struct migrate_request request;
  struct migrate_part parts[DATABASES];
};

/* Looks at the databases; the paths are borrowed until migrate_plan_done. STATUS_INVALID names
 * "--to" when the number fits none; STATUS_NOT_FOUND for the way down of a database that is not
 * there; else as migrator_look. */
MUST_CHECK enum status migrate_plan_make(const struct migrate_request *request,
                                         struct migrate_plan *ret_plan, struct error *err);
void migrate_plan_done(struct migrate_plan *plan);

/* How many migrations it has still to apply or undo in this database. */
size_t migrate_part_steps(const struct migrate_part *part);

/* The migrations between two of its versions, in the order of the way: each(ctx, entry). */
typedef void migrate_step_fn(void *ctx, const struct migrator_entry *entry);
void migrate_part_each(const struct migrate_part *part, int64_t from, int64_t to,
                       migrate_step_fn *each, void *ctx);

/* Does it; `reached` and `copy` of the parts say how far it came, also when it fails. */
MUST_CHECK enum status migrate_run(struct migrate_plan *plan, struct error *err);

#endif
