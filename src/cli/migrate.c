/* `aragora migrate`: where the databases' schemas stand, and the way up and down by hand. */
#include "cli/migrate.h"

#include "base/clock.h"
#include "base/figure.h"
#include "base/json.h"
#include "base/log.h"
#include "base/options_load.h"
#include "cli/extension.h"
#include "cli/invocation.h"
#include "cli/output.h"
#include "cli/process.h"
#include "cli/text.h"
#include "ops/migrate.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { PAGE_MAX = 1 << 20 };

struct migrate_values {
  int64_t to;
  const char *database;
  bool dry_run, json;
};

#define AT(field) offsetof(struct migrate_values, field)
const struct flag migrate_flags[] = {
    {"--to", 0, FLAG_COUNT, AT(to), 0, 1000000, "N",
     "the schema to go to, of one database: memory, unless --database says elo"},
    {"--database", 0, FLAG_TEXT, AT(database), 0, 0, "memory|elo",
     "only this one; a rollback is of memory unless it is said"},
    {"--dry-run", 0, FLAG_SWITCH, AT(dry_run), 0, 0, NULL, "say what would be done"},
    {"--json", 0, FLAG_SWITCH, AT(json), 0, 0, NULL, "print one JSON object"},
    {0},
};

static const struct command *self(void) {
  return command_find("migrate");
}

/* ---- a server's lock ---- */

/* Only what is going to be changed: nothing to do is fine beside a running server. */
static enum status claim(const struct migrate_plan *plan, struct error *err) {
  for (int i = 0; i < DATABASES; i++) {
    const struct migrate_part *part = &plan->parts[i];
    if (!part->before.exists || !migrate_part_steps(part)) continue;
    enum status status = process_claim(part->path, err);
    if (status == STATUS_CONFLICT)
      return error_set(err, status, NULL,
                       "a server runs on %s, and would have its tables changed under it: stop it, "
                       "then run this again",
                       part->path);
    if (status) return status;
  }
  return STATUS_OK;
}

/* ---- as text ---- */

static void append_step(void *ctx, const struct migrator_entry *entry) {
  buffer_printf(ctx, "  - %" PRId64 ": %s\n", entry->version, entry->name);
}

static void append_steps(struct buffer *out, const struct migrate_part *part, const char *name,
                         bool dry_run) {
  int64_t from = part->before.version, to = dry_run ? part->target : part->reached;
  bool up = part->target > from;
  const char *did = up ? "Applied" : "Rolled back", *would = up ? "Would apply" : "Would roll back";
  size_t count = 0;
  struct migrate_part done = *part; /* counted from where it began */
  done.reached = from;
  done.target = to;
  count = migrate_part_steps(&done);
  buffer_printf(out, "%s: %s %zu migration(s):\n", name, dry_run ? would : did, count);
  migrate_part_each(part, from, to, append_step, out);
}

static void append_copy(struct buffer *out, const struct migrate_part *part, const char *name) {
  if (!part->copy[0]) return;
  buffer_printf(out, "%s: kept a checked copy of schema %" PRId64 ", ", name, part->before.version);
  figure_append_bytes(out, part->copy_bytes);
  buffer_printf(out, ": %s\n", part->copy);
}

static void append_part(struct buffer *out, const struct migrate_plan *plan, int i, bool dry_run) {
  const struct migrate_part *part = &plan->parts[i];
  const char *name = databases_name((enum database)i);
  bool up = plan->request.direction == MIGRATE_UP;
  if (part->target == part->before.version) {
    buffer_printf(out, "%s: %s (schema %" PRId64 ")\n", name,
                  up ? "No pending migrations." : "No migrations to rollback.",
                  part->before.version);
    return;
  }
  append_copy(out, part, name);
  if (dry_run || part->reached != part->before.version) append_steps(out, part, name, dry_run);
}

static void append_pending(struct buffer *out, const struct migrator_state *s) {
  bool first = true;
  for (size_t i = 0; i < s->count; i++) {
    if (s->entries[i].applied_ms >= 0 || s->entries[i].version <= s->version) continue;
    if (first) buffer_append_text(out, "Pending migrations:\n");
    first = false;
    append_step(out, &s->entries[i]);
  }
}

static void append_newer(struct buffer *out, const struct migrator_state *s) {
  bool usable = s->needs <= s->latest;
  if (s->version <= s->latest) return;
  buffer_printf(out, "Applied by a newer version, which this one can%s use:\n",
                usable ? "" : "not");
  for (size_t i = 0; i < s->count; i++)
    if (!s->entries[i].known) append_step(out, &s->entries[i]);
  if (!usable)
    buffer_printf(out, "It could after: aragora migrate rollback --to %" PRId64 "\n", s->back_to);
}

static void append_status(struct buffer *out, const struct migrate_part *part, const char *name) {
  const struct migrator_state *s = &part->before;
  size_t applied = 0, pending = 0;
  for (size_t i = 0; i < s->count; i++) {
    applied += s->entries[i].applied_ms >= 0;
    pending += s->entries[i].applied_ms < 0 && s->entries[i].version > s->version;
  }
  char version[24] = "None";
  if (s->version) snprintf(version, sizeof version, "%" PRId64, s->version);
  buffer_printf(out,
                "Migration Status: %s (%s)\n  Backend: sqlite\n  Applied: %zu\n  Pending: %zu\n"
                "  Latest applied: %s\n  Latest available: %" PRId64 "\n",
                name, part->path, applied, pending, version, s->latest);
  if (!s->exists) buffer_append_text(out, "  The file is not there yet; a start makes it.\n");
  append_pending(out, s);
  append_newer(out, s);
}

/* ---- as JSON ---- */

static json_t *entry_object(const struct migrator_entry *e) {
  char at[CLOCK_ISO_SIZE];
  if (e->applied_ms >= 0) clock_format_iso(e->applied_ms, at);
  return json_pack("{s:I, s:o, s:o, s:I, s:b}", "version", (json_int_t)e->version, "name",
                   json_text(bytes_of(e->name)), "applied_at",
                   e->applied_ms >= 0 ? json_string(at) : json_null(), "min_reader_version",
                   (json_int_t)e->min_reader_version, "known", e->known);
}

static json_t *status_object(const struct migrate_part *part, const char *name) {
  const struct migrator_state *s = &part->before;
  json_t *list = json_array();
  for (size_t i = 0; i < s->count; i++) json_array_append_new(list, entry_object(&s->entries[i]));
  return json_pack("{s:s, s:o, s:b, s:I, s:I, s:b, s:b, s:o}", "database", name, "path",
                   json_text(bytes_of(part->path)), "exists", s->exists, "version",
                   (json_int_t)s->version, "latest", (json_int_t)s->latest, "pending",
                   s->version < s->latest, "usable", s->needs <= s->latest, "migrations", list);
}

static void add_step(void *ctx, const struct migrator_entry *entry) {
  json_array_append_new(ctx, json_pack("{s:I, s:o}", "version", (json_int_t)entry->version, "name",
                                       json_text(bytes_of(entry->name))));
}

static json_t *result_object(const struct migrate_part *part, const char *name, bool dry_run) {
  json_t *steps = json_array();
  int64_t to = dry_run ? part->target : part->reached;
  migrate_part_each(part, part->before.version, to, add_step, steps);
  return json_pack("{s:s, s:o, s:I, s:I, s:I, s:o, s:o}", "database", name, "path",
                   json_text(bytes_of(part->path)), "from", (json_int_t)part->before.version, "to",
                   (json_int_t)to, "latest", (json_int_t)part->before.latest, "copy",
                   part->copy[0] ? json_text(bytes_of(part->copy)) : json_null(), "migrations",
                   steps);
}

/* ---- showing ---- */

enum action { ACTION_STATUS, ACTION_APPLY, ACTION_ROLLBACK, ACTION_NONE };
static const char *const action_names[ACTION_NONE + 1] = {"status", "apply", "rollback", ""};

static int show_json(const struct migrate_plan *plan, enum action action, bool dry_run,
                     const struct error *failure) {
  json_t *list = json_array();
  for (int i = 0; i < DATABASES; i++) {
    const struct migrate_part *part = &plan->parts[i];
    const char *name = databases_name((enum database)i);
    if (!part->path) continue;
    json_array_append_new(list, action == ACTION_STATUS ? status_object(part, name)
                                                        : result_object(part, name, dry_run));
  }
  JSON_LATER json_t *body =
      json_pack("{s:s, s:b, s:b, s:o, s:o}", "action", action_names[action], "ok", !failure,
                "dry_run", dry_run, "error",
                failure ? json_text(bytes_of(failure->message)) : json_null(), "databases", list);
  return body && output_json(STDOUT_FILENO, body) ? CLI_OK : CLI_ERROR;
}

static int show_text(const struct migrate_plan *plan, enum action action, bool dry_run) {
  BUFFER_LATER struct buffer out;
  buffer_init(&out, PAGE_MAX);
  for (int i = 0; i < DATABASES; i++) {
    const struct migrate_part *part = &plan->parts[i];
    if (!part->path) continue;
    if (action == ACTION_STATUS)
      append_status(&out, part, databases_name((enum database)i));
    else
      append_part(&out, plan, i, dry_run);
  }
  FREE_LATER char *clean = text_clean(buffer_bytes(&out)); /* names may come from the file */
  return clean && bytes_write(bytes_of(clean), STDOUT_FILENO) ? CLI_OK : CLI_ERROR;
}

/* What was done is shown before why the rest was not. */
static int show(const struct migrate_values *v, const struct migrate_plan *plan, enum action action,
                const struct error *failure) {
  int code =
      v->json ? show_json(plan, action, v->dry_run, failure) : show_text(plan, action, v->dry_run);
  return failure ? output_error(failure) : code;
}

/* ---- the command ---- */

static enum action action_of(const struct arguments *a) {
  if (a->count == 0) return ACTION_STATUS;
  const char *name = a->positional[0];
  if (strcmp(name, "upgrade") == 0) return ACTION_APPLY;
  if (strcmp(name, "downgrade") == 0) return ACTION_ROLLBACK;
  for (int i = 0; i < ACTION_NONE; i++)
    if (strcmp(name, action_names[i]) == 0) return (enum action)i;
  return ACTION_NONE;
}

/* Whether the command is about this database: both, unless a flag or the way down names one. */
static bool is_meant(const struct migrate_values *v, enum action action, int database) {
  const char *name = databases_name((enum database)database);
  if (v->database) return strcmp(v->database, name) == 0;
  return database == DATABASE_MEMORY || (action != ACTION_ROLLBACK && v->to < 0);
}

static struct migrate_request request_of(const struct migrate_values *v, enum action action,
                                         const struct options *o) {
  const char *paths[DATABASES] = {o->db_path, o->elo_path};
  struct migrate_request r = {
      .direction = action == ACTION_ROLLBACK ? MIGRATE_DOWN : MIGRATE_UP,
      .to = v->to,
      .timeout_ms = o->db_timeout_s * 1000,
      .copies_max = (size_t)o->migration_copies,
  };
  for (int i = 0; i < DATABASES; i++)
    if (is_meant(v, action, i)) r.paths[i] = paths[i];
  return r;
}

static enum status look(const struct migrate_request *r, struct migrate_plan *plan,
                        struct error *err) {
  enum status status = STATUS_OK;
  *plan = (struct migrate_plan){.request = *r};
  for (int i = 0; !status && i < DATABASES; i++) {
    plan->parts[i].path = r->paths[i];
    if (r->paths[i])
      status =
          migrator_look((enum database)i, r->paths[i], r->timeout_ms, &plan->parts[i].before, err);
  }
  return status;
}

static int run(const struct migrate_values *v, enum action action, struct options *options) {
  struct error err = {0};
  struct migrate_plan plan = {0};
  bool makes = action == ACTION_APPLY && !v->dry_run; /* databases that are not there yet */
  enum status status =
      makes ? options_place_files(options, &err) : options_name_files(options, &err);
  if (status) return output_error(&err);
  struct migrate_request request = request_of(v, action, options);
  if (action == ACTION_STATUS)
    status = look(&request, &plan, &err);
  else
    status = migrate_plan_make(&request, &plan, &err);
  int code = status ? output_error(&err) : CLI_OK;
  if (!status && action != ACTION_STATUS && !v->dry_run) {
    status = claim(&plan, &err);
    if (!status) status = migrate_run(&plan, &err);
    code = show(v, &plan, action, status ? &err : NULL);
  } else if (!status) {
    code = show(v, &plan, action, NULL);
  }
  migrate_plan_done(&plan);
  return code;
}

static int check_and_run(const void *values, const struct arguments *a, struct options *options) {
  const struct migrate_values *v = values;
  enum action action = action_of(a);
  if (action == ACTION_NONE)
    return arguments_wrong(self(), "there is no \"%.64s\" here; status, apply or rollback",
                           a->positional[0]);
  if (a->count > 1) return arguments_wrong(self(), "%s takes no more words", action_names[action]);
  if (v->database && strcmp(v->database, "memory") != 0 && strcmp(v->database, "elo") != 0)
    return arguments_wrong(self(), "--database must be memory or elo, not \"%.64s\"", v->database);
  if (action == ACTION_STATUS && (v->to >= 0 || v->dry_run))
    return arguments_wrong(self(), "status takes no %s", v->dry_run ? "--dry-run" : "--to");
  return run(v, action, options);
}

int cli_migrate(int argc, char **argv) {
  struct migrate_values v = {.to = -1};
  return invocation_run(self(), argc, argv, &v, check_and_run);
}

/* ---- a server's start ---- */

static void log_part(const struct migrate_part *part, const char *name) {
  if (!part->path || part->reached == part->before.version) return;
  log_warning("server", NULL, "event=migrated database=%s from=%lld to=%lld copy=%s", name,
              (long long)part->before.version, (long long)part->reached,
              part->copy[0] ? part->copy : "none");
}

enum status migrate_at_start(struct options *options, struct error *err) {
  const struct migrate_values all = {.to = -1};
  struct migrate_plan plan = {0};
  enum status status = options_place_files(options, err);
  if (status) return status;
  struct migrate_request request = request_of(&all, ACTION_APPLY, options);
  status = migrate_plan_make(&request, &plan, err);
  if (status) return status;
  struct extension *extension = NULL;
  status = claim(&plan, err);
  if (!status) status = extension_start("Migrating the databases", &extension, err);
  if (!status) status = migrate_run(&plan, err);
  extension_stop(extension);
  for (int i = 0; i < DATABASES; i++) log_part(&plan.parts[i], databases_name((enum database)i));
  migrate_plan_done(&plan);
  return status;
}
