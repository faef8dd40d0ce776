#include "api/auth_limits.h"

#include "api/reply.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "http/caller_limits.h"

#include <stdio.h>
#include <stdlib.h>

enum { MINUTE_MS = 60000, DAY_MS = 24 * 60 * MINUTE_MS };

struct auth_limits {
  struct caller_limits *limits[AUTH_LIMITS]; /* NULL = no limit */
};

static const char *const names[AUTH_LIMITS] = {
    [AUTH_LIMIT_REGISTER] = "register",         [AUTH_LIMIT_LOGIN] = "login",
    [AUTH_LIMIT_REFRESH] = "refresh",           [AUTH_LIMIT_PASSWORD] = "password",
    [AUTH_LIMIT_REGISTER_DAY] = "register_day",
};

enum status auth_limits_create(const struct options *o, struct auth_limits **ret_limits) {
  const struct {
    int64_t rate, window_ms;
  } rows[AUTH_LIMITS] = {
      [AUTH_LIMIT_REGISTER] = {o->register_rate, MINUTE_MS},
      [AUTH_LIMIT_LOGIN] = {o->login_rate, MINUTE_MS},
      [AUTH_LIMIT_REFRESH] = {o->refresh_rate, MINUTE_MS},
      [AUTH_LIMIT_PASSWORD] = {o->password_rate, MINUTE_MS},
      [AUTH_LIMIT_REGISTER_DAY] = {o->register_per_day, DAY_MS},
  };
  enum status s = STATUS_OK;
  struct auth_limits *l = calloc(1, sizeof *l);
  if (!l) return STATUS_NOMEM;
  for (size_t i = 0; !s && i < AUTH_LIMITS; i++) {
    const struct caller_limits_options options = {
        .per_window = rows[i].rate, .window_ms = rows[i].window_ms, .kept = o->rate_limit_callers};
    if (rows[i].rate) s = caller_limits_create(&options, &l->limits[i]);
  }
  if (s) {
    auth_limits_destroy(l);
    return s;
  }
  *ret_limits = l;
  return STATUS_OK;
}

void auth_limits_destroy(struct auth_limits *l) {
  for (size_t i = 0; l && i < AUTH_LIMITS; i++) caller_limits_destroy(l->limits[i]);
  free(l);
}

static void refuse(struct http_request *request, enum auth_limit limit,
                   const struct caller_standing *standing) {
  char retry_after[40];
  const char *headers[] = {retry_after, NULL};
  struct log_context context = {http_request_id(request), NULL};
  const char *const labels[] = {"/api/auth", names[limit]};
  metric_add(METRIC_RATE_LIMIT_HITS, labels, 1);
  snprintf(retry_after, sizeof retry_after, "Retry-After: %lld",
           (long long)standing->reset_ms / 1000 + 1);
  if (standing->first)
    log_warning("auth", &context, "event=rate_limit endpoint=%s address=%s", names[limit],
                http_request_peer(request));
  reply_error(request, 429, "RATE_LIMITED", "Rate limit exceeded. Please try again later.",
              headers);
}

static bool take(struct auth_limits *l, enum auth_limit limit, struct http_request *request) {
  struct address address;
  struct caller_standing standing;
  if (!l->limits[limit] || !address_parse(bytes_of(http_request_peer(request)), &address))
    return true;
  struct caller caller = caller_of_address(&address);
  if (!caller_limits_take(l->limits[limit], &caller, clock_mono_us(&clock_system) / 1000,
                          &standing))
    return true;
  refuse(request, limit, &standing);
  return false;
}

bool auth_limits_admit(struct auth_limits *l, enum auth_limit limit, struct http_request *request) {
  if (!take(l, limit, request)) return false;
  return limit != AUTH_LIMIT_REGISTER || take(l, AUTH_LIMIT_REGISTER_DAY, request);
}
