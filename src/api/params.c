#include "api/params.h"

#include "api/state.h"
#include "base/id.h"
#include "base/json.h"

#include <errno.h>
#include <stdlib.h>

bool params_parse_u64(const char *text, uint64_t *ret_value) {
  uint64_t value = 0;
  if (!*text) return false;
  for (const char *p = text; *p; p++) {
    if (*p < '0' || *p > '9') return false;
    if (__builtin_mul_overflow(value, 10u, &value) ||
        __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
      return false;
  }
  *ret_value = value;
  return true;
}

int64_t params_int(const struct http_request *request, const char *name, int64_t fallback,
                   int64_t min, int64_t max) {
  const char *text = http_request_query(request, name);
  if (!text || !*text) return fallback;
  char *end;
  errno = 0;
  long long value = strtoll(text, &end, 10); /* out of range clamps, never an error */
  if (*end || end == text) return fallback;
  return value < min ? min : value > max ? max : value;
}

enum status params_debate_id(const struct http_request *request, const char **ret_id,
                             struct error *err) {
  const struct identity *identity = api_identity(request);
  const char *id = http_request_param(request, "id");
  if (identity->kind == IDENTITY_LINK) id = identity->credential_id;
  if (!id || !id_valid(bytes_of(id), ID_DEBATE_MAX))
    return error_set(err, STATUS_INVALID, "id",
                     "a debate id has 1 to %d letters, digits, '-' and '_'", ID_DEBATE_MAX);
  *ret_id = id;
  return STATUS_OK;
}

uint64_t params_since(const struct http_request *request, bool *ret_given) {
  uint64_t since = 0;
  const char *text = http_request_header(request, "Last-Event-ID");
  *ret_given = text && params_parse_u64(text, &since);
  if (*ret_given) return since;
  text = http_request_query(request, "since");
  *ret_given = text && params_parse_u64(text, &since);
  return *ret_given ? since : 0;
}

bool params_only_json(const struct http_request *request) {
  const char *accept = http_request_header(request, "Accept");
  if (!accept) return false;
  accept += strspn(accept, " \t");
  struct bytes first = {accept, strcspn(accept, "; \t")};
  return bytes_equal_nocase(first, BYTES_LITERAL("application/json")) && !strchr(accept, ',');
}

enum status params_body(const struct http_request *request, json_t **ret_body, struct error *err) {
  enum status s = json_parse(http_request_body(request), ret_body, err);
  return s == STATUS_INVALID ? err->status = STATUS_NOT_JSON : s;
}

enum status params_reason(const struct http_request *request, size_t max, json_t **ret_body,
                          const char **ret_reason, struct error *err) {
  *ret_reason = NULL;
  if (http_request_body(request).len == 0) return STATUS_OK;
  enum status s = params_body(request, ret_body, err);
  if (s) return s;
  const json_t *reason = json_object_get(*ret_body, "reason");
  if (!json_is_object(*ret_body) || (reason && !json_is_string(reason) && !json_is_null(reason)))
    return error_set(err, STATUS_INVALID, "reason", "must be a text");
  *ret_reason = json_string_value(reason);
  if (*ret_reason && json_string_length(reason) > max)
    return error_set(err, STATUS_INVALID, "reason", "must be at most %zu bytes", max);
  return STATUS_OK;
}
