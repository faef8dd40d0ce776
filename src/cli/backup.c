/* `aragora backup`: what an operator does with backups by hand; the server's own are the janitor's.
 */
#include "base/clock.h"
#include "base/figure.h"
#include "base/log.h"
#include "base/options_load.h"
#include "cli/invocation.h"
#include "cli/meter.h"
#include "cli/output.h"
#include "cli/page.h"
#include "cli/terminal.h"
#include "ops/archive_prune.h"
#include "ops/backup_site.h"
#include "ops/disk.h"
#include "ops/moment.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TABLE_MAX = 4 << 20, LINE_MAX_BYTES = 8192, DAY_MS = 24 * 3600 * 1000 };
enum { NAME_COLUMNS = 43, AGE_COLUMNS = 11, COUNT_COLUMNS = 8, SIZE_COLUMNS = 9 };

struct backup_values {
  const char *at, *into, *from, *kind;
  bool all, deep, force, dry_run, json, no_colour;
};

#define AT(field) offsetof(struct backup_values, field)
const struct flag backup_flags[] = {
    {"--kind", 0, FLAG_TEXT, AT(kind), 0, 0, "KIND",
     "create: manual, which is kept until it is removed by hand, hot or full (manual)"},
    {"--all", 0, FLAG_SWITCH, AT(all), 0, 0, NULL, "verify: every backup"},
    {"--deep", 0, FLAG_SWITCH, AT(deep), 0, 0, NULL,
     "verify: the hash chain of every debate, not of a hundred"},
    {"--at", 0, FLAG_TEXT, AT(at), 0, 0, "TIME",
     "restore: as of this moment: 2026-11-29T14:23:14Z, \"2026-11-29 14:23:14\" (UTC), Unix "
     "seconds"},
    {"--into", 0, FLAG_TEXT, AT(into), 0, 0, "DIR",
     "restore: into this directory, not over the databases in use"},
    {"--force", 0, FLAG_SWITCH, AT(force), 0, 0, NULL,
     "restore: also where databases are, which are kept beside the restored ones"},
    {"--from", 0, FLAG_TEXT, AT(from), 0, 0, "PLACE", "the same as --backup-to"},
    {"--dry-run", 0, FLAG_SWITCH, AT(dry_run), 0, 0, NULL, "prune: only say what would be removed"},
    {"--json", 0, FLAG_SWITCH, AT(json), 0, 0, NULL, "print one JSON object"},
    {"--no-color", 0, FLAG_SWITCH, AT(no_colour), 0, 0, NULL, "no colours [NO_COLOR]"},
    {0},
};

struct run {
  const struct backup_values *v;
  struct options *options;
  struct backup_site site;
  struct progress progress;
  struct meter meter;
};

static const struct command *self(void) {
  return command_find("backup");
}

static int fail(struct run *r, const struct error *err) {
  meter_clear(&r->meter);
  int code = output_error(err);
  return err->status == STATUS_CORRUPT ? CLI_CHECK_FAILED : code;
}

/* ---- words ---- */

static void append_moment(struct buffer *out, int64_t ms) {
  char text[CLOCK_ISO_SIZE];
  clock_format_iso(ms, text);
  buffer_printf(out, "%.10s %.8s UTC", text, text + 11);
}

static void append_bytes(struct buffer *out, int64_t bytes) {
  static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
  size_t unit = 0;
  int64_t tenths = bytes * 10;
  for (; tenths >= 10000 && unit + 1 < sizeof units / sizeof *units; unit++) tenths /= 1000;
  if (unit == 0)
    buffer_printf(out, "%" PRId64 " B", bytes);
  else
    buffer_printf(out, "%" PRId64 ".%" PRId64 " %s", tenths / 10, tenths % 10, units[unit]);
}

static int64_t raw_bytes(const struct manifest *m) {
  return m->files[0].raw_bytes + m->files[1].raw_bytes;
}

static int64_t packed_bytes(const struct manifest *m) {
  return m->files[0].bytes + m->files[1].bytes;
}

static void append_content(struct buffer *out, const struct manifest *m) {
  figure_append_count(out, m->census.debates);
  buffer_append_text(out, m->census.debates == 1 ? " debate, " : " debates, ");
  figure_append_count(out, m->census.events);
  buffer_append_text(out, " events, ");
  append_bytes(out, raw_bytes(m));
}

/* As `aragora audit verify --head` takes it. */
static json_t *audit_head(const struct manifest *m) {
  char hash[2 * sizeof m->audit.hash + 1];
  if (!m->has_audit || !m->audit.seq) return json_null();
  bytes_to_hex(m->audit.hash, sizeof m->audit.hash, hash);
  return json_sprintf("%lld:%s", (long long)m->audit.seq, hash);
}

static json_t *manifest_object(const struct manifest *m) {
  return json_pack("{s:s, s:s, s:o, s:s, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "name",
                   m->name, "kind", backup_kind_name(m->kind), "created_at",
                   json_time_or_null(m->created_ms), "aragora", m->version, "commit",
                   (json_int_t)m->number, "chain", m->chain, "debates",
                   (json_int_t)m->census.debates, "events", (json_int_t)m->census.events, "bytes",
                   (json_int_t)raw_bytes(m), "compressed_bytes", (json_int_t)packed_bytes(m),
                   "schema", (json_int_t)m->files[DATABASE_MEMORY].schema, "elo_schema",
                   (json_int_t)m->files[DATABASE_ELO].schema, "audit_head", audit_head(m));
}

/* The words on a line of their own, or the object. */
static int say(struct run *r, struct buffer *words, json_t *object) {
  meter_clear(&r->meter);
  JSON_LATER json_t *owned = object;
  if (r->v->json) return owned && output_json(STDOUT_FILENO, owned) ? CLI_OK : CLI_ERROR;
  return output_buffer(STDOUT_FILENO, words) ? CLI_OK : CLI_ERROR;
}

/* ---- create ---- */

static int create(struct run *r) {
  struct error err = {0};
  struct manifest m;
  enum backup_kind kind = BACKUP_MANUAL;
  bool readable = false;
  int64_t start = clock_mono_us(&clock_system);
  BUFFER_LATER struct buffer out;
  buffer_init(&out, LINE_MAX_BYTES);
  if (r->v->kind && !backup_kind_parse(bytes_of(r->v->kind), &kind))
    return arguments_wrong(self(), "--kind is manual, hot or full, not \"%.64s\"", r->v->kind);
  if (backup_create(&r->site, kind, &m, &readable, &err)) return fail(r, &err);
  int64_t ms = (clock_mono_us(&clock_system) - start) / 1000;
  buffer_printf(&out, "Backup %s in %s\n", m.name, place_name(r->site.place));
  append_content(&out, &m);
  buffer_append_text(&out, ", compressed ");
  append_bytes(&out, packed_bytes(&m));
  buffer_append_text(&out, "; ");
  figure_append_duration(&out, ms);
  buffer_append_text(&out, readable ? "; read back and verified\n" : "; not read back\n");
  json_t *object = manifest_object(&m);
  json_object_set_new(object, "verified", json_boolean(readable));
  json_object_set_new(object, "took_ms", json_integer(ms));
  json_object_set_new(object, "place", json_string(place_name(r->site.place)));
  return say(r, &out, object);
}

/* ---- list ---- */

static const char *state_of(const struct catalogue_entry *e) {
  if (!e->complete) return "incomplete";
  if (!e->readable) return "damaged";
  return e->verified_ms >= 0 ? "verified" : "not verified";
}

static json_t *entry_object(const struct catalogue_entry *e) {
  json_t *o = e->readable ? manifest_object(&e->manifest)
                          : json_pack("{s:s, s:s, s:o, s:s}", "name", e->name, "kind",
                                      backup_kind_name(e->kind), "created_at",
                                      json_time_or_null(e->created_ms), "problem", e->problem);
  json_object_set_new(o, "state", json_string(state_of(e)));
  json_object_set_new(o, "verified_at", json_time_or_null(e->verified_ms));
  return o;
}

static json_t *list_object(const struct run *r, const struct catalogue *c) {
  json_t *backups = json_array();
  for (size_t i = 0; i < c->count; i++)
    json_array_append_new(backups, entry_object(&c->entries[i]));
  return json_pack("{s:s, s:o, s:I}", "place", place_name(r->site.place), "backups", backups,
                   "count", (json_int_t)c->count);
}

static void list_row(struct page *p, const struct catalogue_entry *e, int64_t now_ms) {
  BUFFER_LATER struct buffer age, count, size;
  buffer_init(&age, 64);
  buffer_init(&count, 64);
  buffer_init(&size, 64);
  figure_append_ago(&age, now_ms > e->created_ms ? now_ms - e->created_ms : 0);
  if (e->readable) {
    figure_append_count(&count, e->manifest.census.debates);
    append_bytes(&size, packed_bytes(&e->manifest));
  }
  bool good = e->readable && e->verified_ms >= 0;
  page_cell(p, PAGE_PLAIN, e->name, NAME_COLUMNS, false);
  page_cell(p, PAGE_PLAIN, age.ptr, AGE_COLUMNS, false);
  page_cell(p, PAGE_PLAIN, count.ptr ? count.ptr : "-", COUNT_COLUMNS, false);
  page_cell(p, PAGE_PLAIN, size.ptr ? size.ptr : "-", SIZE_COLUMNS, false);
  page_cell(p, good ? PAGE_GOOD : e->readable ? PAGE_PLAIN : PAGE_BAD, state_of(e), 12, true);
  page_newline(p);
}

static int list(struct run *r) {
  struct error err = {0};
  struct catalogue c;
  if (catalogue_read(r->site.place, &c, &err)) return fail(r, &err);
  BUFFER_LATER struct buffer out;
  buffer_init(&out, TABLE_MAX);
  struct terminal t = terminal_look(STDOUT_FILENO, r->v->no_colour);
  struct page p = {&out, (size_t)t.width, t.colour};
  int64_t now = clock_wall_ms(&clock_system);
  if (c.count == 0 && !r->v->json)
    fprintf(stderr, "No backups in %s yet. Try: aragora backup create\n",
            place_name(r->site.place));
  if (c.count > 0) {
    page_cell(&p, PAGE_BOLD, "BACKUP", NAME_COLUMNS, false);
    page_cell(&p, PAGE_BOLD, "MADE", AGE_COLUMNS, false);
    page_cell(&p, PAGE_BOLD, "DEBATES", COUNT_COLUMNS, false);
    page_cell(&p, PAGE_BOLD, "SIZE", SIZE_COLUMNS, false);
    page_cell(&p, PAGE_BOLD, "STATE", 12, true);
    page_newline(&p);
  }
  for (size_t i = 0; i < c.count; i++) list_row(&p, &c.entries[i], now);
  int code = say(r, &out, list_object(r, &c));
  catalogue_done(&c);
  return code;
}

/* ---- verify ---- */

/* One backup; its result goes onto a line and into the list. */
static bool verify_one(struct run *r, const char *name, struct buffer *out, json_t *results) {
  struct error err = {0};
  int64_t chains = 0;
  enum status s = backup_verify(&r->site, name, r->v->deep, &chains, &err);
  if (s)
    buffer_printf(out, "FAILED    %s\n", err.message);
  else
    buffer_printf(out, "verified  %s  (%" PRId64 " debates' chains)\n", name, chains);
  json_t *o = json_pack("{s:s, s:b, s:I}", "name", name, "ok", s == STATUS_OK, "chains",
                        (json_int_t)chains);
  if (s) json_object_set_new(o, "problem", json_text(bytes_of(err.message)));
  json_array_append_new(results, o);
  return s == STATUS_OK;
}

static int verify_all(struct run *r, struct buffer *out, json_t *results) {
  struct error err = {0};
  struct catalogue c;
  bool ok = true;
  if (catalogue_read(r->site.place, &c, &err)) return fail(r, &err);
  for (size_t i = 0; i < c.count; i++) {
    if (!c.entries[i].complete) continue; /* being made, or cut off: no backup */
    ok &= verify_one(r, c.entries[i].name, out, results);
  }
  if (json_array_size(results) == 0)
    fprintf(stderr, "No backups in %s yet.\n", place_name(r->site.place));
  catalogue_done(&c);
  return ok ? CLI_OK : CLI_CHECK_FAILED;
}

/* What "latest", or no name, means. */
static enum status newest(struct run *r, char name[BACKUP_NAME_SIZE], struct error *err) {
  struct catalogue c;
  enum status s = catalogue_read(r->site.place, &c, err);
  if (s) return s;
  const struct catalogue_entry *e = catalogue_at(&c, INT64_MAX);
  if (e)
    memcpy(name, e->name, BACKUP_NAME_SIZE);
  else
    s = error_set(err, STATUS_NOT_FOUND, NULL, "there is no backup in %s",
                  place_name(r->site.place));
  catalogue_done(&c);
  return s;
}

static int verify(struct run *r, const char *name) {
  struct error err = {0};
  char latest[BACKUP_NAME_SIZE];
  JSON_LATER json_t *results = json_array();
  BUFFER_LATER struct buffer out;
  buffer_init(&out, TABLE_MAX);
  if (!r->v->all && !name) {
    if (newest(r, latest, &err)) return fail(r, &err);
    name = latest;
  }
  int code = r->v->all                            ? verify_all(r, &out, results)
             : verify_one(r, name, &out, results) ? CLI_OK
                                                  : CLI_CHECK_FAILED;
  if (code != CLI_OK && code != CLI_CHECK_FAILED) return code;
  int said = say(r, &out, json_pack("{s:b, s:O}", "ok", code == CLI_OK, "backups", results));
  return said ? said : code;
}

/* ---- restore ---- */

static void append_restored(struct buffer *out, const struct run *r,
                            const struct restore_report *report) {
  buffer_printf(out, "Restored %s into %s and %s\n", report->manifest.name, r->site.memory_path,
                r->site.elo_path);
  buffer_append_text(out, "As of ");
  append_moment(out, report->reached_ms);
  buffer_append_text(out, "; the backup holds ");
  append_content(out, &report->manifest);
  if (report->replayed)
    buffer_printf(out, "; %" PRId64 " archived commits were added", report->replayed);
  buffer_append_char(out, '\n');
  if (report->replaced)
    buffer_printf(out,
                  "The files that were there are kept as %s.%s and so on; remove them when all "
                  "is well\n",
                  r->site.memory_path, report->aside);
}

static json_t *restored_object(const struct run *r, const struct restore_report *report) {
  return json_pack("{s:o, s:s, s:s, s:o, s:I, s:I, s:o}", "backup",
                   manifest_object(&report->manifest), "db_path", r->site.memory_path, "elo_path",
                   r->site.elo_path, "as_of", json_time_or_null(report->reached_ms), "replayed",
                   (json_int_t)report->replayed, "chains", (json_int_t)report->chains, "kept_as",
                   report->replaced ? json_string(report->aside) : json_null());
}

static int restore(struct run *r, const char *name) {
  struct error err = {0};
  struct restore_report report;
  struct restore_request request = {.name = name, .at_ms = -1, .force = r->v->force};
  BUFFER_LATER struct buffer out;
  buffer_init(&out, LINE_MAX_BYTES);
  if (r->v->at && moment_parse(r->v->at, &request.at_ms, &err))
    return arguments_wrong(self(), "--at: %s", err.message);
  if (backup_restore(&r->site, &request, &report, &err)) return fail(r, &err);
  append_restored(&out, r, &report);
  return say(r, &out, restored_object(r, &report));
}

/* ---- prune and drill ---- */

struct pruned {
  struct buffer out;
  json_t *names;
  bool dry_run;
};

static void note_removed(void *ctx, const struct catalogue_entry *e) {
  struct pruned *p = ctx;
  buffer_printf(&p->out, "%s %s\n", p->dry_run ? "would remove" : "removed", e->name);
  json_array_append_new(p->names, json_string(e->name));
}

/* What of the shipped archive the backups that are left do not need. */
static enum status prune_archive(struct run *r, int64_t now_ms, size_t *ret_removed,
                                 struct error *err) {
  struct catalogue c;
  enum status s = catalogue_read(r->site.place, &c, err);
  if (s) return s;
  int64_t before_ms = now_ms - r->options->full_backup_keep_days * DAY_MS;
  s = archive_prune_place(r->site.place, &c, "", before_ms, ret_removed, err);
  catalogue_done(&c);
  return s;
}

static int prune(struct run *r) {
  struct error err = {0};
  struct pruned pruned = {.names = json_array(), .dry_run = r->v->dry_run};
  const struct retention_policy policy = {r->options->backup_keep_days,
                                          r->options->full_backup_keep_days};
  buffer_init(&pruned.out, TABLE_MAX);
  size_t segments = 0;
  int64_t now = clock_wall_ms(&clock_system);
  enum status s = backup_prune(&r->site, &policy, now, r->v->dry_run, note_removed, &pruned, &err);
  if (!s && !r->v->dry_run) s = prune_archive(r, now, &segments, &err);
  if (!s && segments) buffer_printf(&pruned.out, "removed %zu segments of the archive\n", segments);
  if (!s && json_array_size(pruned.names) == 0 && !segments)
    buffer_append_text(&pruned.out, "nothing to remove\n");
  JSON_LATER json_t *names = pruned.names;
  int code = s ? fail(r, &err)
               : say(r, &pruned.out,
                     json_pack("{s:b, s:O, s:I}", "dry_run", r->v->dry_run, "removed", names,
                               "archive_segments", (json_int_t)segments));
  buffer_done(&pruned.out);
  return code;
}

static int drill(struct run *r) {
  struct error err = {0};
  struct drill_report d;
  BUFFER_LATER struct buffer out;
  buffer_init(&out, LINE_MAX_BYTES);
  if (backup_drill(&r->site, &d, &err)) return fail(r, &err);
  buffer_printf(&out, "Restored %s aside in ", d.manifest.name);
  figure_append_duration(&out, d.took_ms);
  buffer_append_text(&out, ": ");
  append_content(&out, &d.manifest);
  buffer_printf(&out, "\nAll %" PRId64 " logs verified", d.chains);
  if (d.compared)
    buffer_printf(&out, " and as they are in %s; %" PRId64 " were deleted there since",
                  r->site.memory_path, d.gone);
  buffer_append_char(&out, '\n');
  return say(
      r, &out,
      json_pack("{s:o, s:I, s:I, s:b, s:I, s:I}", "backup", manifest_object(&d.manifest), "took_ms",
                (json_int_t)d.took_ms, "chains", (json_int_t)d.chains, "compared", d.compared,
                "deleted_since", (json_int_t)d.gone, "differing", (json_int_t)d.differing));
}

/* ---- the command ---- */

enum action { CREATE, LIST, VERIFY, RESTORE, PRUNE, DRILL, ACTIONS };
static const char *const action_names[ACTIONS] = {"create",  "list",  "verify",
                                                  "restore", "prune", "drill"};

static enum action action_of(const char *word) {
  for (int i = 0; i < ACTIONS; i++)
    if (strcmp(word, action_names[i]) == 0) return (enum action)i;
  return ACTIONS;
}

static int act(struct run *r, enum action action, const char *name) {
  switch (action) {
    case CREATE: return create(r);
    case LIST: return list(r);
    case VERIFY: return verify(r, name);
    case RESTORE: return restore(r, name);
    case PRUNE: return prune(r);
    case DRILL: return drill(r);
    case ACTIONS: break;
  }
  return CLI_USAGE;
}

/* --into is a directory of its own; a place and it need no data directory, whose archive helps
 * where it is there. */
static enum status place_files(struct run *r, struct error *err) {
  static char memory[DISK_PATH_MAX], elo[DISK_PATH_MAX];
  struct options *o = r->options;
  enum status s = STATUS_OK;
  if (r->v->from) s = bytes_replace(&o->backup_to, bytes_of(r->v->from));
  if (!s) s = r->v->into && o->backup_to ? options_name_files(o, err) : options_place_files(o, err);
  if (!s) s = backup_site_open(o, &r->progress, &r->site, err);
  if (s || !r->v->into) return s;
  s = disk_path(r->v->into, "aragora_memory.db", memory, err);
  if (!s) s = disk_path(r->v->into, "aragora_elo.db", elo, err);
  r->site.memory_path = memory;
  r->site.elo_path = elo;
  return s;
}

static int run_in_place(const struct backup_values *v, struct options *options, enum action action,
                        const char *name) {
  struct run r = {.v = v, .options = options};
  struct error err = {0};
  if (log_open(LOG_LEVEL_ERROR, NULL, true, &err)) return output_error(&err);
  meter_init(&r.meter, !v->json);
  r.progress = (struct progress){meter_step, &r.meter};
  int code = place_files(&r, &err) ? fail(&r, &err) : act(&r, action, name);
  backup_site_close(&r.site);
  return code;
}

static int check_flags(const struct backup_values *v, enum action action) {
  const struct {
    bool given;
    enum action of;
    const char *flag;
  } uses[] = {{v->kind != NULL, CREATE, "--kind"},  {v->all, VERIFY, "--all"},
              {v->deep, VERIFY, "--deep"},          {v->at != NULL, RESTORE, "--at"},
              {v->into != NULL, RESTORE, "--into"}, {v->force, RESTORE, "--force"},
              {v->dry_run, PRUNE, "--dry-run"}};
  for (size_t i = 0; i < sizeof uses / sizeof *uses; i++)
    if (uses[i].given && uses[i].of != action)
      return arguments_wrong(self(), "%s is for %s, not for %s", uses[i].flag,
                             action_names[uses[i].of], action_names[action]);
  return CLI_OK;
}

static int run(const void *values, const struct arguments *a, struct options *options) {
  const struct backup_values *v = values;
  if (a->count == 0)
    return arguments_wrong(self(), "create, list, verify, restore, prune or drill?");
  enum action action = action_of(a->positional[0]);
  const char *name = a->count > 1 ? a->positional[1] : NULL;
  int64_t ms;
  enum backup_kind kind;
  if (action == ACTIONS)
    return arguments_wrong(self(),
                           "there is no \"%.64s\" here; create, list, verify, restore, prune or "
                           "drill",
                           a->positional[0]);
  if (a->count > 2 || (name && action != VERIFY && action != RESTORE))
    return arguments_wrong(self(), "%s takes no \"%.64s\"", action_names[action],
                           a->positional[a->count - 1]);
  if (name && strcmp(name, "latest") == 0) name = NULL;
  if (name && !backup_name_parse(bytes_of(name), &kind, &ms))
    return arguments_wrong(self(), "\"%.64s\" is no name of a backup; see aragora backup list",
                           name);
  if (name && v->all) return arguments_wrong(self(), "--all and a name exclude each other");
  int code = check_flags(v, action);
  return code ? code : run_in_place(v, options, action, name);
}

int cli_backup(int argc, char **argv) {
  struct backup_values v = {0};
  return invocation_run(self(), argc, argv, &v, run);
}
