#include "api/reply.h"

#include "api/gate.h"
#include "base/log.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum {
  REAL_DIGITS = 15, /* every decimal of up to 15 digits survives a double and comes back short */
  EXTRA_HEADERS_MAX = 8,
};

static const struct row {
  enum status status;
  int http;
  const char *code;
  bool masked; /* our own fault: the words stay in the log */
} rows[] = {
    {STATUS_NOMEM, 503, "SERVICE_UNAVAILABLE", true},
    {STATUS_INVALID, 400, "VALIDATION_ERROR", false},
    {STATUS_NOT_JSON, 400, "INVALID_JSON", false},
    {STATUS_NOT_FOUND, 404, "NOT_FOUND", false},
    {STATUS_CONFLICT, 409, "CONFLICT", false},
    {STATUS_TOO_LARGE, 413, "PAYLOAD_TOO_LARGE", false},
    {STATUS_FULL, 503, "SERVICE_UNAVAILABLE", false},
    {STATUS_NO_SPACE, 507, "INSUFFICIENT_STORAGE", false},
    {STATUS_IO, 503, "SERVICE_UNAVAILABLE", false},
    {STATUS_CORRUPT, 500, "INTERNAL_ERROR", true},
    {STATUS_UNSUPPORTED, 501, "FEATURE_UNAVAILABLE", false},
    {STATUS_TIMEOUT, 504, "TIMEOUT", false},
    {STATUS_CANCELLED, 503, "SERVICE_UNAVAILABLE", false},
    {STATUS_DENIED, 403, "FORBIDDEN", false},
    {STATUS_EXHAUSTED, 429, "BUDGET_EXHAUSTED", false},
    {STATUS_LIMITED, 429, "RATE_LIMITED", false},
    {STATUS_QUOTA, 429, "QUOTA_EXCEEDED", false},
    {STATUS_UNAVAILABLE, 503, "SERVICE_UNAVAILABLE", false},
    {STATUS_INTERNAL, 500, "INTERNAL_ERROR", true},
};

static const struct row *find_row(enum status status) {
  size_t last = sizeof rows / sizeof *rows - 1;
  for (size_t i = 0; i < last; i++)
    if (rows[i].status == status) return &rows[i];
  return &rows[last];
}

int reply_status_code(enum status status, const char **ret_code) {
  const struct row *row = find_row(status);
  *ret_code = row->code;
  return row->http;
}

void reply_json(struct http_request *request, int status_code, json_t *body,
                const char *const *headers) {
  FREE_LATER char *text =
      body ? json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS)) : NULL;
  json_decref(body);
  if (text)
    http_respond(request, status_code, "application/json", bytes_of(text), headers);
  else
    http_respond_error(request, 503, "SERVICE_UNAVAILABLE", NULL, "out of memory");
}

void reply_error(struct http_request *request, int status_code, const char *code,
                 const char *message, const char *const *headers) {
  reply_json(request, status_code,
             json_pack("{s:s, s:s, s:s}", "error", message, "code", code, "request_id",
                       http_request_id(request)),
             headers);
}

/* What is said of a field, "must be a text", without its name: to be read alone it wants that. */
static bool lacks_field(const struct error *err) {
  return *err->field && islower((unsigned char)*err->message) && !strstr(err->message, err->field);
}

static json_t *failure_words(const struct row *row, const struct error *err) {
  char words[sizeof err->field + sizeof err->message + 2];
  if (row->masked) return json_string("An error occurred");
  if (!err || !*err->message) return json_string(status_name(row->status));
  bool lacks = lacks_field(err);
  snprintf(words, sizeof words, "%s%s%s", lacks ? err->field : "", lacks ? ": " : "", err->message);
  return json_text(bytes_of(words));
}

static json_t *failure_body(const struct http_request *request, const struct row *row,
                            const struct error *err) {
  json_t *body = json_pack("{s:o, s:s, s:s}", "error", failure_words(row, err), "code", row->code,
                           "request_id", http_request_id(request));
  if (body && err && *err->field)
    json_object_set_new(body, "field", json_text(bytes_of(err->field)));
  return body;
}

void reply_failure(struct http_request *request, enum status status, const struct error *err,
                   const char *const *headers) {
  reply_failure_with(request, status, err, headers, NULL);
}

void reply_failure_with(struct http_request *request, enum status status, const struct error *err,
                        const char *const *headers, json_t *more) {
  JSON_LATER json_t *extra = more;
  if (gate_hides(request, status)) {
    gate_refuse_anonymous(request);
    return;
  }
  const struct row *row = find_row(status);
  const char *all[EXTRA_HEADERS_MAX + 2];
  size_t count = 0;
  for (; headers && *headers && count < EXTRA_HEADERS_MAX; headers++) all[count++] = *headers;
  char retry_after[40];
  if (err && err->retry_after_s > 0) {
    snprintf(retry_after, sizeof retry_after, "Retry-After: %ld", err->retry_after_s);
    all[count++] = retry_after;
  } else if (row->http == 503) {
    all[count++] = "Retry-After: 1";
  }
  all[count] = NULL;
  if (row->http >= 500 && status != STATUS_FULL && status != STATUS_UNAVAILABLE) {
    struct log_context context = {http_request_id(request), NULL};
    log_error("api", &context, "path=%s status=%s error=\"%s\"", http_request_shown_path(request),
              status_name(status), err ? err->message : "");
  }
  json_t *body = failure_body(request, row, err);
  if (body && extra) json_object_update_missing(body, extra);
  reply_json(request, row->http, body, all);
}
