/* `aragora db`: upkeep of the two database files, a line each of what was done. */
#include "base/figure.h"
#include "base/json.h"
#include "base/options_load.h"
#include "cli/invocation.h"
#include "cli/output.h"
#include "cli/process.h"
#include "cli/text.h"
#include "store/upkeep.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PAGE_MAX = 1 << 20 };

struct db_values {
  const char *database;
  bool json;
};

#define AT(field) offsetof(struct db_values, field)
const struct flag db_flags[] = {
    {"--database", 0, FLAG_TEXT, AT(database), 0, 0, "memory|elo", "only this one"},
    {"--json", 0, FLAG_SWITCH, AT(json), 0, 0, NULL, "print one JSON object"},
    {0},
};

enum action { ACTION_CHECK, ACTION_CHECKPOINT, ACTION_ANALYZE, ACTION_VACUUM, ACTION_NONE };
static const char *const action_names[ACTION_NONE + 1] = {"check", "checkpoint", "analyze",
                                                          "vacuum", ""};

struct upkeep_job {
  const struct db_values *values;
  enum action action;
  int64_t timeout_ms;
  struct buffer text;
  json_t *list;
  json_t *problems; /* of the database that is looked at */
  int code;
};

static const struct command *self(void) {
  return command_find("db");
}

/* ---- doing ---- */

static void take_problem(void *ctx, const char *text) {
  struct upkeep_job *job = ctx;
  json_array_append_new(job->problems, json_text(bytes_of(text)));
}

/* VACUUM writes the file anew first, beside the file rather than where the system keeps what is
 * temporary: in a machine's /tmp there may be less room. */
static enum status vacuum(const struct upkeep_job *job, enum database database, const char *path,
                          struct upkeep_result *result, struct error *err) {
  enum status status = access(path, F_OK) == 0 ? process_claim(path, err) : STATUS_OK;
  if (status == STATUS_CONFLICT)
    return error_set(err, status, NULL,
                     "a server runs on %s, and VACUUM wants it alone: stop it, then run this again",
                     path);
  if (status) return status;
  const char *slash = strrchr(path, '/');
  FREE_LATER char *directory =
      bytes_dup(slash ? (struct bytes){path, (size_t)(slash - path) + 1} : BYTES_LITERAL("."));
  if (directory) setenv("SQLITE_TMPDIR", directory, 0);
  return upkeep_vacuum(database, path, job->timeout_ms, result, err);
}

static enum status work(struct upkeep_job *job, enum database database, const char *path,
                        struct upkeep_result *r, struct error *err) {
  switch (job->action) {
    case ACTION_CHECK:
      return upkeep_check(database, path, job->timeout_ms, take_problem, job, r, err);
    case ACTION_CHECKPOINT: return upkeep_checkpoint(database, path, job->timeout_ms, r, err);
    case ACTION_ANALYZE: return upkeep_analyze(database, path, job->timeout_ms, r, err);
    case ACTION_VACUUM: return vacuum(job, database, path, r, err);
    case ACTION_NONE: break;
  }
  return STATUS_INTERNAL;
}

/* ---- showing ---- */

static void append_sizes(struct buffer *out, const char *what, int64_t before, int64_t after) {
  buffer_printf(out, "%s ", what);
  figure_append_bytes(out, before);
  if (before == after) return;
  buffer_append_text(out, " -> ");
  figure_append_bytes(out, after);
}

static void append_pages(struct buffer *out, int64_t count) {
  figure_append_count(out, count);
  buffer_append_text(out, count == 1 ? " page" : " pages");
}

static void append_done(struct upkeep_job *job, const struct upkeep_result *r) {
  struct buffer *out = &job->text;
  switch (job->action) {
    case ACTION_CHECK:
      append_pages(out, r->pages);
      append_sizes(out, " checked,", r->file_after, r->file_after);
      if (r->problems)
        buffer_printf(out, ": damaged, %lld problems", (long long)r->problems);
      else
        buffer_append_text(out, ": no damage");
      break;
    case ACTION_CHECKPOINT:
      append_pages(out, r->moved);
      append_sizes(out, " moved, log", r->log_before, r->log_after);
      append_sizes(out, ", file", r->file_before, r->file_after);
      if (r->waiting)
        buffer_printf(out, "; %lld stay in the log while somebody reads them",
                      (long long)r->waiting);
      break;
    case ACTION_ANALYZE:
      buffer_printf(out, "statistics of %lld indexes made", (long long)r->indexes);
      break;
    case ACTION_VACUUM:
      append_sizes(out, "written anew, file", r->file_before, r->file_after);
      append_sizes(out, ", log", r->log_before, r->log_after);
      break;
    case ACTION_NONE: break;
  }
  buffer_append_text(out, ", ");
  figure_append_duration(out, r->took_us / 1000);
}

static json_t *done_object(const struct upkeep_result *r) {
  return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "file_bytes_before",
                   (json_int_t)r->file_before, "file_bytes", (json_int_t)r->file_after,
                   "log_bytes_before", (json_int_t)r->log_before, "log_bytes",
                   (json_int_t)r->log_after, "pages", (json_int_t)r->pages, "free_pages",
                   (json_int_t)r->free_pages, "pages_moved", (json_int_t)r->moved, "pages_waiting",
                   (json_int_t)r->waiting, "indexes", (json_int_t)r->indexes, "took_ms",
                   (json_int_t)(r->took_us / 1000));
}

static void add_object(struct upkeep_job *job, const char *name, const char *path,
                       const struct upkeep_result *r, const struct error *failure) {
  json_t *object = failure ? json_object() : done_object(r);
  bool ok = !failure && json_array_size(job->problems) == 0;
  json_object_set_new(object, "database", json_string(name));
  json_object_set_new(object, "path", json_text(bytes_of(path)));
  json_object_set_new(object, "ok", json_boolean(ok));
  json_object_set(object, "problems", job->problems);
  json_object_set_new(object, "error",
                      failure ? json_text(bytes_of(failure->message)) : json_null());
  json_array_append_new(job->list, object);
}

static void append_problems(struct upkeep_job *job) {
  const json_t *problem;
  size_t i;
  json_array_foreach(job->problems, i, problem)
      buffer_printf(&job->text, "  %s\n", json_string_value(problem));
}

/* One database; a failure of the first does not keep the second from being looked after. */
static void do_one(struct upkeep_job *job, enum database database, const char *path) {
  struct error err = {0};
  struct upkeep_result result = {0};
  const char *name = databases_name(database);
  JSON_LATER json_t *problems = json_array();
  job->problems = problems;
  enum status status = work(job, database, path, &result, &err);
  add_object(job, name, path, &result, status ? &err : NULL);
  if (status) {
    int code = output_error(&err);
    if (job->code == CLI_OK) job->code = code;
    return;
  }
  if (result.problems) job->code = CLI_CHECK_FAILED;
  buffer_printf(&job->text, "%s: ", name);
  append_done(job, &result);
  buffer_printf(&job->text, ": %s\n", path);
  append_problems(job);
}

static int show(struct upkeep_job *job) {
  if (job->values->json) {
    JSON_LATER json_t *body = json_pack("{s:s, s:b, s:O}", "action", action_names[job->action],
                                        "ok", job->code == CLI_OK, "databases", job->list);
    return body && output_json(STDOUT_FILENO, body) ? job->code : CLI_ERROR;
  }
  FREE_LATER char *clean = text_clean(buffer_bytes(&job->text)); /* the file's own words */
  return clean && bytes_write(bytes_of(clean), STDOUT_FILENO) ? job->code : CLI_ERROR;
}

/* ---- the command ---- */

static enum action action_of(const char *name) {
  for (int i = 0; i < ACTION_NONE; i++)
    if (strcmp(name, action_names[i]) == 0) return (enum action)i;
  return ACTION_NONE;
}

static int run(const struct db_values *v, enum action action, struct options *options) {
  struct error err = {0};
  if (options_name_files(options, &err)) return output_error(&err);
  const char *paths[DATABASES] = {options->db_path, options->elo_path};
  JSON_LATER json_t *list = json_array();
  struct upkeep_job job = {
      .values = v, .action = action, .timeout_ms = options->db_timeout_s * 1000, .list = list};
  buffer_init(&job.text, PAGE_MAX);
  for (int i = 0; i < DATABASES; i++)
    if (!v->database || strcmp(v->database, databases_name((enum database)i)) == 0)
      do_one(&job, (enum database)i, paths[i]);
  int code = show(&job);
  buffer_done(&job.text);
  return code;
}

static int check_and_run(const void *values, const struct arguments *a, struct options *options) {
  const struct db_values *v = values;
  if (a->count == 0)
    return arguments_wrong(self(), "what is to be done? check, checkpoint, analyze or vacuum");
  enum action action = action_of(a->positional[0]);
  if (action == ACTION_NONE)
    return arguments_wrong(self(),
                           "there is no \"%.64s\" here; check, checkpoint, analyze or vacuum",
                           a->positional[0]);
  if (a->count > 1) return arguments_wrong(self(), "%s takes no more words", action_names[action]);
  if (v->database && strcmp(v->database, "memory") != 0 && strcmp(v->database, "elo") != 0)
    return arguments_wrong(self(), "--database must be memory or elo, not \"%.64s\"", v->database);
  return run(v, action, options);
}

int cli_db(int argc, char **argv) {
  struct db_values v = {0};
  return invocation_run(self(), argc, argv, &v, check_and_run);
}
