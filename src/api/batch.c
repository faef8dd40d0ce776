/* Batches: many starts that are stored at once and carried out as the server has room. */
#include "api/dry_run.h"
#include "api/handlers.h"
#include "api/params.h"
#include "api/reply.h"
#include "api/state.h"
#include "base/id.h"
#include "debate/spec.h"
#include "ops/debate_row.h"
#include "runner/jobs.h"
#include "runner/panel.h"
#include "store/jobs.h"

#include <stdio.h>
#include <stdlib.h>

/* One caller may have the MINE_PART-th part of all batches that may wait. */
enum { MINE_PART = 10 };
enum { PARALLEL = 10, PARALLEL_MAX = 50, LIST_MAX = 100, FIELD_SIZE = 128, DAY_MS = 86400000 };

/* ---- making one ---- */

struct making { /* from the request to the answer */
  struct http_request *request;
  struct api *api;
  char id[ID_SIZE];
  size_t items;
};

static void on_made(void *ctx, enum status status) {
  struct making *m = ctx;
  struct error err = {0};
  if (status) {
    error_set(&err, status, NULL, "the batch could not be stored");
    reply_failure(m->request, status == STATUS_CONFLICT ? STATUS_INTERNAL : status, &err, NULL);
  } else {
    char url[64 + ID_SIZE];
    snprintf(url, sizeof url, "/api/debates/batch/%s/status", m->id);
    jobs_wake(m->api->parts.jobs);
    reply_json(m->request, 200,
               json_pack("{s:b, s:s, s:I, s:s}", "success", 1, "batch_id", m->id, "items_queued",
                         (json_int_t)m->items, "status_url", url),
               NULL);
  }
  free(m);
}

/* As a start would be: what it asks for, and whether there are such agents. */
static enum status check_item(const struct api *api, const json_t *item, size_t index,
                              struct error *err) {
  const struct options *o = api->parts.options;
  const struct debate_spec_limits limits = {o->max_question_chars, o->max_context_bytes};
  struct debate_spec spec;
  struct debate_config config;
  struct error why = {0};
  enum status s = dry_run_refuse(item, &why);
  if (!s) s = debate_spec_parse(item, &limits, &spec, &why);
  if (!s) {
    s = panel_resolve(api_agents(api), o, &spec, &config, &why);
    debate_spec_done(&spec);
  }
  if (!s) {
    debate_config_done(&config);
    return STATUS_OK;
  }
  char field[FIELD_SIZE];
  snprintf(field, sizeof field, "items[%zu]%s%s", index, *why.field ? "." : "", why.field);
  return error_set(err, s, field, "Validation failed: Item %zu: %s", index, why.message);
}

static enum status check_body(const struct api *api, const json_t *body, int64_t *ret_parallel,
                              struct error *err) {
  const json_t *items = json_object_get(body, "items");
  const json_t *parallel = json_object_get(body, "max_parallel");
  int64_t most = api->parts.options->max_batch_items;
  static const char *const refused[] = {"webhook_url", "webhook_headers"};
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    const json_t *value = json_object_get(body, refused[i]);
    if (value && !json_is_null(value))
      return error_set(err, STATUS_INVALID, refused[i],
                       "%s is not available on this server: ask for the batch's status",
                       refused[i]);
  }
  enum status s = dry_run_refuse(body, err);
  if (s) return s;
  if (!json_is_array(items) || json_array_size(items) == 0 ||
      (int64_t)json_array_size(items) > most)
    return error_set(err, STATUS_INVALID, "items", "items must be a list of 1 to %lld starts",
                     (long long)most);
  int64_t value = parallel ? json_integer_value(parallel) : PARALLEL;
  if ((parallel && !json_is_integer(parallel)) || value < 1 || value > PARALLEL_MAX)
    return error_set(err, STATUS_INVALID, "max_parallel", "max_parallel must be 1 to %d",
                     PARALLEL_MAX);
  *ret_parallel = value;
  for (size_t i = 0; !s && i < json_array_size(items); i++)
    s = check_item(api, json_array_get(items, i), i, err);
  return s;
}

static void count_job(void *ctx, const struct store_job *job,
                      const struct store_job_counts *counts) {
  (void)job;
  (void)counts;
  ++*(int64_t *)ctx;
}

/* Batches with items to start, of those that `who` sees. */
static enum status check_room_of(struct api *api, const struct principal *who, int64_t most,
                                 const char *whose, struct error *err) {
  int64_t count = 0;
  enum status s =
      store_list_jobs(api->parts.store, who, true, (size_t)most, count_job, &count, err);
  if (s || count < most) return s;
  return error_set(err, STATUS_FULL, NULL, "%lld %s wait, which is the limit: try later",
                   (long long)most, whose);
}

/* The operator's own are bounded by everybody's alone. */
static bool is_operator(const struct identity *identity) {
  return identity->kind == IDENTITY_LOCAL || identity->kind == IDENTITY_API_TOKEN;
}

static enum status check_room(struct http_request *request, struct api *api, struct error *err) {
  const struct principal system = PRINCIPAL_SYSTEM;
  const struct principal caller = api_principal(request);
  const struct principal mine = {.tenant_id = caller.tenant_id, .owner_id = caller.owner_id};
  int64_t most = api->parts.options->max_batches;
  int64_t of_mine = most < MINE_PART ? 1 : most / MINE_PART;
  enum status s = STATUS_OK;
  if (!is_operator(api_identity(request)))
    s = check_room_of(api, &mine, of_mine, "batches of yours", err);
  return s ? s : check_room_of(api, &system, most, "batches", err);
}

static void free_requests(char **requests, size_t count) {
  for (size_t i = 0; requests && i < count; i++) free(requests[i]);
  free(requests);
}

/* NULL when memory is short. */
static char **request_texts(const json_t *items, size_t count) {
  char **texts = calloc(count, sizeof *texts);
  for (size_t i = 0; texts && i < count; i++) {
    texts[i] = json_dumps(json_array_get(items, i), JSON_COMPACT);
    if (texts[i]) continue;
    free_requests(texts, count);
    return NULL;
  }
  return texts;
}

static enum status make(struct http_request *request, struct api *api, const json_t *body,
                        int64_t parallel) {
  const json_t *items = json_object_get(body, "items");
  size_t count = json_array_size(items);
  struct principal who = api_principal(request);
  struct making *m = calloc(1, sizeof *m);
  char **requests = m ? request_texts(items, count) : NULL;
  enum status s = requests ? STATUS_OK : STATUS_NOMEM;
  if (!s) {
    *m = (struct making){.request = request, .api = api, .items = count};
    id_generate(m->id);
    const struct store_job job = {.id = m->id,
                                  .tenant_id = who.tenant_id,
                                  .owner_id = who.owner_id,
                                  .key_id = who.key_id,
                                  .max_parallel = parallel,
                                  .items = (int64_t)count,
                                  .created_ms = clock_wall_ms(&clock_system),
                                  .cancelled_ms = -1};
    s = store_put_job(api->parts.store, &job, (const char *const *)requests, on_made, m);
  }
  if (s) free(m);
  free_requests(requests, count);
  return s;
}

/* POST /api/debates/batch {items, max_parallel?} */
void handle_batch_create(struct http_request *request, void *app) {
  struct api *api = app;
  struct error err = {0};
  JSON_LATER json_t *body = NULL;
  int64_t parallel = PARALLEL;
  enum status s = params_body(request, &body, &err);
  if (!s) s = check_body(api, body, &parallel, &err);
  if (!s) s = check_room(request, api, &err);
  if (!s) s = store_check_writable(api->parts.store, &err);
  if (!s) s = make(request, api, body, parallel);
  if (s) reply_failure(request, s, &err, NULL);
}

/* ---- looking at one ---- */

/* Existing clients wait for one of the last two. */
static const char *status_word(const struct store_job *job, const struct store_job_counts *c) {
  bool cancelled = job->cancelled_ms >= 0;
  if (c->active > 0 || (c->waiting > 0 && !cancelled))
    return c->waiting == job->items ? "pending" : "processing";
  return c->completed + c->deleted == job->items ? "completed" : "partial_failure";
}

static json_t *job_object(const struct store_job *job, const struct store_job_counts *c) {
  bool cancelled = job->cancelled_ms >= 0;
  int64_t unstarted = cancelled ? c->waiting : 0;
  int64_t failed = c->failed + c->refused + c->cancelled + unstarted;
  int64_t completed = c->completed + c->deleted;
  int64_t queued = c->waiting - unstarted;
  int64_t ended = completed + failed;
  return json_pack("{s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:I, s:o, s:o}",
                   "batch_id", job->id, "status", status_word(job, c), "cancelled", cancelled,
                   "total_items", (json_int_t)job->items, "completed_items", (json_int_t)completed,
                   "failed_items", (json_int_t)failed, "completed", (json_int_t)completed, "failed",
                   (json_int_t)failed, "running", (json_int_t)c->active, "queued",
                   (json_int_t)queued, "progress_percent",
                   json_real(100.0 * (double)ended / (double)job->items), "max_parallel",
                   (json_int_t)job->max_parallel, "created_at", json_time_or_null(job->created_ms),
                   "estimated_completion", json_null());
}

struct looking {
  json_t *body, *items;
  bool cancelled;
};

static void see_job(void *ctx, const struct store_job *job, const struct store_job_counts *counts) {
  struct looking *l = ctx;
  l->body = job_object(job, counts);
  l->cancelled = job->cancelled_ms >= 0;
}

static json_t *question_of(const struct store_item *item) {
  if (item->task) return json_text(bytes_of(item->task));
  JSON_LATER json_t *body = NULL;
  if (!item->request || json_parse(bytes_of(item->request), &body, NULL)) return json_null();
  json_t *text = json_object_get(body, "question");
  if (!text) text = json_object_get(body, "task");
  return text ? json_incref(text) : json_null();
}

static const char *item_word(const struct store_item *item, bool cancelled) {
  if (item->error) return "failed";
  if (!item->debate_id) return cancelled ? "failed" : "pending";
  if (!item->status || strcmp(item->status, "completed") == 0) return "completed";
  bool active = strcmp(item->status, "pending") == 0 || strcmp(item->status, "running") == 0;
  return active ? "processing" : "failed";
}

static void see_item(void *ctx, const struct store_item *item) {
  struct looking *l = ctx;
  const char *error = item->error;
  if (!error && !item->debate_id && l->cancelled) error = "the batch was cancelled";
  if (!error && item->status && strcmp(item->status, "failed") == 0) error = "the debate failed";
  if (!error && item->status && strcmp(item->status, "cancelled") == 0)
    error = "the debate was cancelled";
  json_t *row = json_pack("{s:I, s:o, s:s, s:o, s:o}", "index", (json_int_t)item->item, "question",
                          question_of(item), "status", item_word(item, l->cancelled), "debate_id",
                          json_text_or_null(item->debate_id), "error", json_text_or_null(error));
  json_array_append_new(l->items, row ? row : json_null());
}

static enum status batch_id(const struct http_request *request, const char **ret_id,
                            struct error *err) {
  const char *id = http_request_param(request, "id");
  if (!id || !id_valid(bytes_of(id), ID_DEBATE_MAX))
    return error_set(err, STATUS_INVALID, "id", "no such id of a batch can be");
  *ret_id = id;
  return STATUS_OK;
}

/* GET /api/debates/batch/{id} and /status */
void handle_batch_show(struct http_request *request, void *app) {
  struct api *api = app;
  struct error err = {0};
  struct looking l = {.items = json_array()};
  const char *id = NULL;
  struct principal who = api_principal(request);
  enum status s = l.items ? batch_id(request, &id, &err) : STATUS_NOMEM;
  if (!s) s = store_get_job(api->parts.store, &who, id, see_job, &l, &err);
  if (!s && !l.body) s = STATUS_NOMEM;
  if (!s) s = store_read_items(api->parts.store, id, false, see_item, &l, &err);
  if (!s && json_object_set(l.body, "items", l.items)) s = STATUS_NOMEM;
  json_decref(l.items);
  if (!s) {
    reply_json(request, 200, l.body, NULL);
    return;
  }
  json_decref(l.body);
  reply_failure(request, s, &err, NULL);
}

static void list_job(void *ctx, const struct store_job *job,
                     const struct store_job_counts *counts) {
  json_t *row = job_object(job, counts);
  json_array_append_new(ctx, row ? row : json_null());
}

/* GET /api/debates/batch */
void handle_batch_list(struct http_request *request, void *app) {
  struct api *api = app;
  struct error err = {0};
  struct principal who = api_principal(request);
  json_t *batches = json_array();
  enum status s =
      batches ? store_list_jobs(api->parts.store, &who, false, LIST_MAX, list_job, batches, &err)
              : STATUS_NOMEM;
  if (s) {
    json_decref(batches);
    reply_failure(request, s, &err, NULL);
    return;
  }
  reply_json(
      request, 200,
      json_pack("{s:o, s:I}", "batches", batches, "count", (json_int_t)json_array_size(batches)),
      NULL);
}

/* ---- cancelling one ---- */

static void on_cancelled(void *ctx, enum status status) {
  struct making *m = ctx;
  struct error err = {0};
  if (status == STATUS_CONFLICT) {
    error_set(&err, status, NULL, "there is no such batch, or it was cancelled");
    reply_failure(m->request, status, &err, NULL);
  } else if (status) {
    error_set(&err, status, NULL, "the batch could not be cancelled");
    reply_failure(m->request, status, &err, NULL);
  } else {
    reply_json(m->request, 200,
               json_pack("{s:b, s:s, s:b}", "success", 1, "batch_id", m->id, "cancelled", 1), NULL);
  }
  free(m);
}

/* POST /api/debates/batch/{id}/cancel */
void handle_batch_cancel(struct http_request *request, void *app) {
  struct api *api = app;
  struct error err = {0};
  struct looking l = {0};
  const char *id = NULL;
  struct principal who = api_principal(request);
  enum status s = batch_id(request, &id, &err);
  if (!s) s = store_get_job(api->parts.store, &who, id, see_job, &l, &err);
  json_decref(l.body);
  struct making *m = s ? NULL : calloc(1, sizeof *m);
  if (!s && !m) s = STATUS_NOMEM;
  if (!s) {
    *m = (struct making){.request = request, .api = api};
    snprintf(m->id, sizeof m->id, "%s", id);
    s = store_cancel_job(api->parts.store, &who, m->id, clock_wall_ms(&clock_system), on_cancelled,
                         m);
    if (s) free(m);
  }
  if (s) reply_failure(request, s, &err, NULL);
}

/* ---- the queue ---- */

struct today {
  int64_t completed, failed;
};

static void count_today(void *ctx, const struct store_day_count *day) {
  struct today *t = ctx;
  if (strcmp(day->status, "completed") == 0) t->completed += day->debates;
  if (strcmp(day->status, "failed") == 0) t->failed += day->debates;
}

static void count_waiting(void *ctx, const struct store_job *job,
                          const struct store_job_counts *counts) {
  (void)job;
  *(int64_t *)ctx += counts->waiting;
}

/* GET /api/debates/queue/status */
void handle_queue_status(struct http_request *request, void *app) {
  struct api *api = app;
  struct error err = {0};
  struct today today = {0};
  int64_t waiting = 0;
  struct principal who = api_principal(request);
  struct runner_stats stats = runner_stats(api->parts.runner);
  int64_t midnight = clock_wall_ms(&clock_system) / DAY_MS * DAY_MS;
  enum status s = store_count_days(api->parts.store, &who, midnight, count_today, &today, &err);
  if (!s)
    s = store_list_jobs(api->parts.store, &who, true, LIST_MAX, count_waiting, &waiting, &err);
  int64_t length = stats.queued + waiting;
  if (s) {
    reply_failure(request, s, &err, NULL);
    return;
  }
  reply_json(
      request, 200,
      json_pack("{s:I, s:I, s:I, s:I, s:o, s:o, s:b, s:I, s:I, s:I}", "queue_length",
                (json_int_t)length, "processing", (json_int_t)stats.running, "completed_today",
                (json_int_t)today.completed, "failed_today", (json_int_t)today.failed,
                "avg_wait_seconds", json_null(), "estimated_wait_seconds", json_null(), "active",
                stats.accepting, "max_concurrent",
                (json_int_t)api->parts.options->max_concurrent_debates, "active_count",
                (json_int_t)stats.running, "batch_items_waiting", (json_int_t)waiting),
      NULL);
}
