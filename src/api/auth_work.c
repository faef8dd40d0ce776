#include "api/auth_work.h"
#include "api/params.h"

#include "api/reply.h"
#include "base/metrics.h"

#include <stdio.h>
#include <stdlib.h>

/* A password has no business in memory that is given back. */
static void wipe(json_t *body) {
  const char *name;
  json_t *value;
  json_object_foreach(body, name, value) {
    (void)name;
    char *text = (char *)json_string_value(value);
    if (text) explicit_bzero(text, json_string_length(value));
  }
}

static void work_free(struct auth_work *w) {
  wipe(w->body);
  json_decref(w->body);
  free(w);
}

static void run(void *arg) {
  struct auth_work *w = arg;
  w->run(w);
  work_free(w);
}

static enum status read_body(struct http_request *request, json_t **ret_body, struct error *err) {
  if (!http_request_body(request).len) {
    *ret_body = json_object();
    return *ret_body ? STATUS_OK : error_set(err, STATUS_NOMEM, NULL, "out of memory");
  }
  enum status s = params_body(request, ret_body, err);
  if (s || json_is_object(*ret_body)) return s;
  json_decref(*ret_body);
  return error_set(err, STATUS_INVALID, NULL, "the body must be a JSON object");
}

static enum status work_make(struct http_request *request, struct api *api,
                             struct auth_work **ret_work, struct error *err) {
  json_t *body = NULL;
  enum status s = read_body(request, &body, err);
  if (s) return s;
  struct auth_work *w = calloc(1, sizeof *w);
  if (!w) {
    json_decref(body);
    return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  }
  *w = (struct auth_work){.request = request,
                          .api = api,
                          .accounts = api->parts.accounts,
                          .body = body,
                          .who = *api_identity(request),
                          .from = {http_request_peer(request), http_request_id(request)}};
  *ret_work = w;
  return STATUS_OK;
}

static enum status submit(struct auth_work *w, enum auth_pool pool, struct error *err) {
  bool hashes = pool == AUTH_POOL_HASHING;
  enum status s =
      hashes ? accounts_submit(w->accounts, run, w) : pool_submit(w->api->parts.pool, run, w);
  if (!s) return s;
  return error_set(err, s, NULL,
                   hashes ? "too many logins wait; try again" : "the server is busy; try again");
}

void auth_work_begin(struct http_request *request, void *app, enum auth_pool pool,
                     enum auth_limit limit, bool (*prepare)(struct auth_work *work),
                     void (*run_it)(struct auth_work *)) {
  struct api *api = app;
  struct error err = {0};
  struct auth_work *w = NULL;
  if (limit < AUTH_LIMITS && !auth_limits_admit(api->auth_limits, limit, request)) return;
  enum status s = work_make(request, api, &w, &err);
  if (s) {
    reply_failure(request, s, &err, NULL);
    return;
  }
  w->run = run_it;
  if (prepare && !prepare(w)) {
    work_free(w);
    return;
  }
  s = submit(w, pool, &err);
  if (!s) return;
  if (*w->email) accounts_untry(w->accounts, w->email);
  reply_failure(request, s, &err, NULL);
  work_free(w);
}

enum status auth_work_text(const struct auth_work *w, const char *field, bool required,
                           struct bytes *ret_text, struct error *err) {
  const json_t *value = json_object_get(w->body, field);
  *ret_text = (struct bytes){"", 0};
  if (!value || json_is_null(value)) {
    if (!required) return STATUS_OK;
    return error_set(err, STATUS_INVALID, field, "%s is required", field);
  }
  if (!json_is_string(value)) return error_set(err, STATUS_INVALID, field, "must be a text");
  *ret_text = json_bytes(value);
  return STATUS_OK;
}

void auth_work_refuse(struct auth_work *w, enum account_answer answer, const struct error *err) {
  static const char *const challenge[] = {"WWW-Authenticate: Bearer", NULL};
  static const char *const locked[] = {"/api/auth", "account"};
  char retry_after[40];
  const char *later[] = {retry_after, NULL};
  switch (answer) {
    case ACCOUNT_WRONG:
      reply_error(w->request, 401, "UNAUTHORIZED", err->message, challenge);
      break;
    case ACCOUNT_LOCKED:
      metric_add(METRIC_RATE_LIMIT_HITS, locked, 1);
      snprintf(retry_after, sizeof retry_after, "Retry-After: %ld", err->retry_after_s);
      reply_error(w->request, 429, "AUTH_ACCOUNT_LOCKED", err->message, later);
      break;
    case ACCOUNT_DISABLED:
    case ACCOUNT_REFUSED: reply_error(w->request, 403, "FORBIDDEN", err->message, NULL); break;
    case ACCOUNT_OK:
    case ACCOUNT_FAILED:
    default: reply_failure(w->request, err->status, err, NULL);
  }
}
