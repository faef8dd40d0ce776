/* GET and POST /api/system/maintenance?task=...: upkeep of the databases beside the debates.
 *
 * GET only looks (task=status, or none): a link that is followed, or fetched ahead, must not hold
 * the databases. The other tasks are POST. One at a time. The writer waits for each of them at most
 * for as long as it would for another program; what it has to write is held, not lost. VACUUM
 * writes the whole file anew and keeps the writer out meanwhile: with debates running it is refused
 * unless force=true. ANALYZE and VACUUM are writes that the archive did not see, so that it begins
 * a new chain, which the next backup gives a base.
 */
#include "api/audit_trail.h"
#include "api/handlers.h"
#include "api/params.h"
#include "api/reply.h"
#include "api/state.h"
#include "base/json.h"
#include "base/log.h"
#include "store/upkeep.h"

#include <stdio.h>
#include <strings.h>
#include <sys/stat.h>

enum task { TASK_STATUS, TASK_CHECKPOINT, TASK_ANALYZE, TASK_VACUUM, TASK_FULL, TASK_COUNT };

static const char *const task_names[TASK_COUNT] = {"status", "checkpoint", "analyze", "vacuum",
                                                   "full"};

typedef enum status upkeep_fn(enum database database, const char *path, int64_t timeout_ms,
                              struct upkeep_result *ret_result, struct error *err);

/* In the order of `full`: what makes the file smaller before what measures it. */
static const struct step {
  enum task task;
  upkeep_fn *run;
} steps[] = {
    {TASK_CHECKPOINT, upkeep_checkpoint},
    {TASK_VACUUM, upkeep_vacuum_beside},
    {TASK_ANALYZE, upkeep_analyze},
};
enum { STEPS = sizeof steps / sizeof *steps };

static const char *name_of(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

/* ---- how they stand ---- */

static json_t *size_of(const char *path, const char *suffix) {
  char name[4096];
  struct stat st;
  snprintf(name, sizeof name, "%s%s", path, suffix);
  return stat(name, &st) == 0 ? json_integer((json_int_t)st.st_size) : json_null();
}

static json_t *stats_of(const struct options *o) {
  json_t *out = json_object();
  const char *const paths[DATABASES] = {o->db_path, o->elo_path};
  for (size_t i = 0; out && i < DATABASES; i++)
    json_object_set_new(out, name_of(paths[i]),
                        json_pack("{s:o, s:o}", "bytes", size_of(paths[i], ""), "wal_bytes",
                                  size_of(paths[i], "-wal")));
  return out;
}

/* ---- one task ---- */

/* {file: whether it went well}; the reasons go to `errors`. */
static json_t *run_step(const struct api *api, const struct step *step, json_t *errors) {
  const struct options *o = api->parts.options;
  const char *const paths[DATABASES] = {o->db_path, o->elo_path};
  const enum database kinds[DATABASES] = {DATABASE_MEMORY, DATABASE_ELO};
  json_t *out = json_object();
  for (size_t i = 0; out && i < DATABASES; i++) {
    struct upkeep_result r;
    struct error err = {0};
    struct log_quoted quoted;
    const char *file = name_of(paths[i]), *task = task_names[step->task];
    enum status s = step->run(kinds[i], paths[i], o->db_timeout_s * 1000, &r, &err);
    json_object_set_new(out, file, json_boolean(!s));
    if (s) {
      log_warning("maintenance", NULL, "task=%s db=%s error=%s", task, file,
                  log_quote(&quoted, err.message));
      json_array_append_new(errors, json_text(bytes_of(err.message)));
    } else {
      log_info("maintenance", NULL, "task=%s db=%s bytes=%lld before=%lld duration_ms=%lld", task,
               file, (long long)r.file_after, (long long)r.file_before,
               (long long)(r.took_us / 1000));
    }
  }
  if (step->task == TASK_CHECKPOINT) store_note_checkpoint(api->parts.store);
  return out;
}

static void run(struct http_request *request, struct api *api, enum task task) {
  json_t *errors = json_array();
  json_t *body = json_pack("{s:s}", "task", task_names[task]);
  for (size_t i = 0; body && errors && i < STEPS; i++)
    if (task == TASK_FULL || task == steps[i].task)
      json_object_set_new(body, task_names[steps[i].task], run_step(api, &steps[i], errors));
  if (body) json_object_set_new(body, "success", json_boolean(json_array_size(errors) == 0));
  if (body) json_object_set_new(body, "errors", errors);
  if (body) json_object_set_new(body, "stats", stats_of(api->parts.options));
  atomic_store(&api->maintaining, false);
  audit_trail_note(request, api, AUDIT_MAINTENANCE,
                   json_array_size(errors) == 0 ? AUDIT_OK : AUDIT_FAILED, task_names[task], NULL);
  reply_json(request, 200, body, NULL);
}

/* ---- the two methods ---- */

static bool read_task(struct http_request *request, enum task *ret_task) {
  const char *name = http_request_query(request, "task");
  if (!name) name = task_names[TASK_STATUS];
  for (size_t i = 0; i < TASK_COUNT; i++) {
    if (strcmp(name, task_names[i]) != 0) continue;
    *ret_task = (enum task)i;
    return true;
  }
  http_respond_error(request, 400, "INVALID_QUERY_PARAM", "task",
                     "task is one of status, checkpoint, analyze, vacuum, full");
  return false;
}

static void reply_status(struct http_request *request, const struct api *api) {
  reply_json(request, 200,
             json_pack("{s:s, s:b, s:o}", "task", task_names[TASK_STATUS], "running",
                       (int)atomic_load(&api->maintaining), "stats", stats_of(api->parts.options)),
             NULL);
}

void handle_maintenance_show(struct http_request *request, void *app) {
  enum task task;
  if (!read_task(request, &task)) return;
  if (task == TASK_STATUS)
    reply_status(request, app);
  else
    http_respond_error(request, 400, "INVALID_REQUEST", "task",
                       "this task changes the databases: use POST; GET only answers task=status");
}

static bool holds_writer(enum task task) {
  return task == TASK_VACUUM || task == TASK_FULL;
}

void handle_maintenance_run(struct http_request *request, void *app) {
  struct api *api = app;
  enum task task;
  if (!read_task(request, &task)) return;
  const char *force = http_request_query(request, "force");
  bool forced = force && (strcasecmp(force, "true") == 0 || strcmp(force, "1") == 0);
  struct runner_stats stats = runner_stats(api->parts.runner);
  bool idle = false;
  if (task == TASK_STATUS)
    reply_status(request, api);
  else if (holds_writer(task) && stats.running + stats.queued > 0 && !forced)
    http_respond_error(request, 409, "CONFLICT", "task",
                       "debates are running, and a vacuum keeps them from being written while it "
                       "lasts: wait for their end, or add force=true");
  else if (!atomic_compare_exchange_strong(&api->maintaining, &idle, true))
    http_respond_error(request, 409, "CONFLICT", NULL, "another task of maintenance is running");
  else
    run(request, api, task);
}
