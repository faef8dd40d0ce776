#include "ops/migrate.h"

#include "base/clock.h"
#include "ops/copies.h"

/* ---- planning ---- */

/* The last version up to `version` that was applied; 0 = none. */
static int64_t applied_until(const struct migrator_state *state, int64_t version) {
  int64_t found = 0;
  for (size_t i = 0; i < state->count; i++) {
    const struct migrator_entry *e = &state->entries[i];
    if (e->applied_ms >= 0 && e->version <= version) found = e->version;
  }
  return found;
}

static enum status refuse_to(const struct migrate_part *part, const char *name, int64_t to,
                             const char *why, struct error *err) {
  return error_set(err, STATUS_INVALID, "--to",
                   "--to %lld: the %s database is at schema %lld, and this program has %lld: %s",
                   (long long)to, name, (long long)part->before.version,
                   (long long)part->before.latest, why);
}

static enum status aim_up(const struct migrate_request *r, const char *name,
                          struct migrate_part *part, struct error *err) {
  int64_t newest = part->before.latest;
  if (part->before.needs > newest)
    return error_set(err, STATUS_UNSUPPORTED, NULL,
                     "%s: was made by a newer version (schema %lld, this one has %lld): start that "
                     "again, or run: aragora migrate rollback --database %s --to %lld",
                     part->path, (long long)part->before.version, (long long)newest, name,
                     (long long)part->before.back_to);
  part->target = r->to >= 0 ? r->to : newest;
  if (r->to > newest) return refuse_to(part, name, r->to, "there is no such migration", err);
  if (r->to >= 0 && r->to < part->before.version)
    return refuse_to(part, name, r->to, "that way is \"aragora migrate rollback\"", err);
  if (part->target < part->before.version) part->target = part->before.version;
  return STATUS_OK;
}

static enum status aim_down(const struct migrate_request *r, const char *name,
                            struct migrate_part *part, struct error *err) {
  if (!part->before.exists)
    return error_set(err, STATUS_NOT_FOUND, NULL, "there is no database %s", part->path);
  part->target = applied_until(&part->before, r->to >= 0 ? r->to : part->before.version - 1);
  if (r->to > part->before.version)
    return refuse_to(part, name, r->to, "that way is \"aragora migrate apply\"", err);
  if (r->to < 0 && part->target == 0 && part->before.version > 0)
    return error_set(err, STATUS_INVALID, "--to",
                     "only the first migration is left of the %s database, and without it nothing "
                     "is; say --to 0 if that is meant",
                     name);
  return STATUS_OK;
}

static enum status aim(const struct migrate_request *r, enum database database,
                       struct migrate_part *part, struct error *err) {
  const char *name = databases_name(database);
  part->path = r->paths[database];
  if (!part->path) return STATUS_OK;
  enum status status = migrator_look(database, part->path, r->timeout_ms, &part->before, err);
  if (status) return status;
  part->reached = part->before.version;
  return r->direction == MIGRATE_UP ? aim_up(r, name, part, err) : aim_down(r, name, part, err);
}

enum status migrate_plan_make(const struct migrate_request *request, struct migrate_plan *ret_plan,
                              struct error *err) {
  struct migrate_plan plan = {.request = *request};
  enum status status = STATUS_OK;
  for (int i = 0; !status && i < DATABASES; i++)
    status = aim(request, (enum database)i, &plan.parts[i], err);
  if (status)
    migrate_plan_done(&plan);
  else
    *ret_plan = plan;
  return status;
}

void migrate_plan_done(struct migrate_plan *plan) {
  for (int i = 0; i < DATABASES; i++) migrator_state_done(&plan->parts[i].before);
}

static void count_one(void *ctx, const struct migrator_entry *entry) {
  ++*(size_t *)ctx;
}

void migrate_part_each(const struct migrate_part *part, int64_t from, int64_t to,
                       migrate_step_fn *each, void *ctx) {
  size_t count = part->before.count;
  for (size_t i = 0; i < count; i++) {
    const struct migrator_entry *e = &part->before.entries[from < to ? i : count - 1 - i];
    bool up = e->version > from && e->version <= to;
    bool down = e->version > to && e->version <= from;
    if (up || down) each(ctx, e);
  }
}

size_t migrate_part_steps(const struct migrate_part *part) {
  size_t count = 0;
  if (part->path) migrate_part_each(part, part->reached, part->target, count_one, &count);
  return count;
}

/* ---- doing ---- */

/* Somebody may have been faster, between the look and the lock. */
static enum status check_unchanged(const struct migrate_part *part, const struct migrator *m,
                                   struct error *err) {
  if (migrator_version(m) == part->before.version) return STATUS_OK;
  return error_set(err, STATUS_CONFLICT, NULL,
                   "%s: another program has just migrated it; look again with \"aragora migrate "
                   "status\"",
                   part->path);
}

static enum status copy(struct migrate_part *part, struct migrator *m, size_t copies_max,
                        struct error *err) {
  char name[sizeof part->copy];
  if (!part->before.version) return STATUS_OK; /* there is nothing to lose */
  if (!copies_name(part->path, part->target, clock_wall_ms(&clock_system), name, sizeof name))
    return error_set(err, STATUS_TOO_LARGE, NULL, "%s: the name is too long", part->path);
  enum status status = copies_trim(part->path, SIZE_MAX, err); /* half ones only: makes room */
  if (!status) status = migrator_copy(m, name, &part->copy_bytes, err);
  if (status) return status;
  memcpy(part->copy, name, sizeof name);
  return copies_trim(part->path, copies_max, err);
}

static enum status step_on(struct migrate_part *part, struct migrator *m, struct error *err) {
  enum status status = STATUS_OK;
  while (!status && part->reached != part->target) {
    status =
        part->reached < part->target ? migrator_apply(m, part->target, err) : migrator_undo(m, err);
    part->reached = migrator_version(m);
  }
  return status;
}

/* All are open and copied before the first is changed. */
static enum status prepare(struct migrate_plan *plan, struct migrator *open[], struct error *err) {
  const struct migrate_request *r = &plan->request;
  enum status status = STATUS_OK;
  for (int i = 0; !status && i < DATABASES; i++) {
    struct migrate_part *part = &plan->parts[i];
    if (!migrate_part_steps(part)) continue;
    status = migrator_open((enum database)i, part->path, r->timeout_ms, &open[i], err);
    if (!status) status = check_unchanged(part, open[i], err);
    if (!status) status = copy(part, open[i], r->copies_max, err);
  }
  return status;
}

enum status migrate_run(struct migrate_plan *plan, struct error *err) {
  struct migrator *open[DATABASES] = {NULL};
  enum status status = prepare(plan, open, err);
  for (int i = 0; !status && i < DATABASES; i++)
    if (open[i]) status = step_on(&plan->parts[i], open[i], err);
  for (int i = 0; i < DATABASES; i++) migrator_close(open[i]);
  return status;
}
