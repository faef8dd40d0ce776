#include "ops/doctor.h"
#include "store/archive_list.h"
#include "store/audit.h"
#include "store/inspect.h"
#include "store/migrator.h"
#include "store/upkeep.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { FIX_SIZE = 512 };

/* What is wrong with the schema, or false. */
static bool tell_schema(const char *name, const char *path, const struct migrator_state *s,
                        const struct findings *to) {
  char fix[FIX_SIZE];
  if (s->version > 0 && s->version < s->latest) {
    finding_tell(to, FINDING_FAIL, name, "stop the server; aragora migrate apply",
                 "%s has schema %lld and this program %lld", path, (long long)s->version,
                 (long long)s->latest);
  } else if (s->needs > s->latest) {
    snprintf(fix, sizeof fix, "start the newer version, or: aragora migrate rollback%s --to %lld",
             strcmp(name, "elo") == 0 ? " --database elo" : "", (long long)s->back_to);
    finding_tell(to, FINDING_FAIL, name, fix,
                 "%s was made by a newer version: schema %lld, this one has %lld", path,
                 (long long)s->version, (long long)s->latest);
  } else {
    return false;
  }
  return true;
}

struct problems {
  char first[256];
};

static void take_first(void *ctx, const char *text) {
  struct problems *p = ctx;
  if (!p->first[0]) snprintf(p->first, sizeof p->first, "%s", text);
}

static void check_pages(const struct doctor_place *place, enum database database, int64_t version,
                        const struct findings *to) {
  const char *name = databases_name(database), *path = place->paths[database];
  struct upkeep_result r;
  struct problems problems = {""};
  struct error err = {0};
  enum status status =
      upkeep_check(database, path, place->timeout_ms, take_first, &problems, &r, &err);
  if (status)
    finding_tell(to, FINDING_FAIL, name, NULL, "%s", err.message);
  else if (r.problems)
    finding_tell(to, FINDING_FAIL, name, "stop the server and restore the last backup",
                 "%s is damaged: %s", path, problems.first);
  else
    finding_tell(to, FINDING_OK, name, NULL, "%s: schema %lld, %lld pages without damage", path,
                 (long long)version, (long long)r.pages);
}

static void check_database(const struct doctor_place *place, enum database database,
                           const struct findings *to) {
  const char *name = databases_name(database), *path = place->paths[database];
  struct migrator_state state;
  struct error err = {0};
  enum status status = migrator_look(database, path, place->timeout_ms, &state, &err);
  if (status) {
    finding_tell(to, FINDING_FAIL, name,
                 status == STATUS_CORRUPT ? "stop the server and restore the last backup" : NULL,
                 "%s", err.message);
    return;
  }
  if (!state.exists)
    finding_tell(to, FINDING_OK, name, NULL, "%s is not there yet; a start makes it", path);
  else if (!tell_schema(name, path, &state, to))
    check_pages(place, database, state.version, to);
  migrator_state_done(&state);
}

/* One that is not there, or cannot be opened, was told of already. */
static void check_together(const struct doctor_place *place, const struct findings *to) {
  struct inspect *memory = NULL, *elo = NULL;
  struct error err = {0};
  const int64_t timeout_ms = place->timeout_ms;
  enum status status =
      inspect_open_live(place->paths[DATABASE_MEMORY], DATABASE_MEMORY, timeout_ms, &memory, &err);
  if (!status)
    status = inspect_open_live(place->paths[DATABASE_ELO], DATABASE_ELO, timeout_ms, &elo, &err);
  if (!status && inspect_ratings(memory, elo, &err) == STATUS_CONFLICT)
    finding_tell(to, FINDING_WARN, "ratings",
                 "stop the server; aragora ratings rebuild (a start of the server does it as well)",
                 "%s", err.message);
  inspect_close(memory);
  inspect_close(elo);
}

void doctor_check_databases(const struct doctor_place *place, const struct findings *to) {
  for (int i = 0; i < DATABASES; i++) check_database(place, (enum database)i, to);
  check_together(place, to);
}

/* ---- the audit log ---- */

static void tell_audit(struct audit_walk *walk, const struct findings *to) {
  BUFFER_LATER struct buffer text;
  buffer_init(&text, FIX_SIZE);
  if (audit_walk_end(walk)) {
    finding_tell(to, FINDING_OK, "audit", NULL, "%" PRId64 " rows, none changed or missing",
                 walk->rows);
    return;
  }
  audit_fault_describe(&walk->faults[0], &text);
  finding_tell(to, FINDING_FAIL, "audit",
               "aragora audit verify --log FILE names every row; somebody wrote into the database",
               "the audit log is not as it was written: %s", text.ptr ? text.ptr : "");
}

/* A database that is not there, or cannot be opened, was told of already. */
void doctor_check_audit(const struct doctor_place *place, const struct findings *to) {
  struct audit_walk walk = {0};
  struct inspect *inspect;
  bool known = false;
  struct error err = {0};
  if (inspect_open_live(place->paths[DATABASE_MEMORY], DATABASE_MEMORY, place->timeout_ms, &inspect,
                        &err))
    return;
  enum status status = inspect_walk_audit(inspect, &walk, &known, &err);
  inspect_close(inspect);
  if (status)
    finding_tell(to, FINDING_FAIL, "audit", NULL, "%s", err.message);
  else if (known)
    tell_audit(&walk, to);
}

/* ---- the archive ---- */

void doctor_check_archive(const struct doctor_place *place, const struct findings *to) {
  static const char fix[] =
      "aragora backup create: point-in-time recovery goes on from a new backup";
  struct archive_verified v;
  struct problems problems = {""};
  struct error err = {0};
  if (!place->archive_dir) {
    finding_tell(to, FINDING_OK, "archive", NULL, "commits are not archived");
  } else if (access(place->archive_dir, F_OK) < 0) {
    finding_tell(to, FINDING_OK, "archive", NULL, "%s is not there yet; a start makes it",
                 place->archive_dir);
  } else if (archive_verify(place->archive_dir, take_first, &problems, &v, &err)) {
    finding_tell(to, FINDING_FAIL, "archive", NULL, "%s", err.message);
  } else if (v.problems) {
    finding_tell(to, FINDING_WARN, "archive", fix, "%zu faults in %s: %s", v.problems,
                 place->archive_dir, problems.first);
  } else {
    finding_tell(to, FINDING_OK, "archive", NULL,
                 "%s: %" PRIu64 " commits in %zu files, none damaged or missing",
                 place->archive_dir, v.commits, v.segments);
  }
}
