/* Limits of the endpoints where somebody could guess, per address and minute, and of registrations
 * per address and day, since each brings a quota of its own: beside those that hold for every
 * request, and looked at before any work. In memory. Any thread. */
#ifndef ARAGORA_API_AUTH_LIMITS_H
#define ARAGORA_API_AUTH_LIMITS_H

#include "base/options.h"
#include "http/server.h"

enum auth_limit {
  AUTH_LIMIT_REGISTER, /* asks AUTH_LIMIT_REGISTER_DAY too */
  AUTH_LIMIT_LOGIN,    /* and setting up */
  AUTH_LIMIT_REFRESH,
  AUTH_LIMIT_PASSWORD, /* and logging out everywhere */
  AUTH_LIMIT_REGISTER_DAY,
  AUTH_LIMITS
};

struct auth_limits;
MUST_CHECK enum status auth_limits_create(const struct options *options,
                                          struct auth_limits **ret_limits);
void auth_limits_destroy(struct auth_limits *limits); /* NULL is fine */

/* One more of the request's address. False when it is one too many: 429 was answered. */
bool auth_limits_admit(struct auth_limits *limits, enum auth_limit limit,
                       struct http_request *request);

#endif
