/* Where the keys of tokens come from: ARAGORA_JWT_SECRET, with the one before it for a while, or
 * else a secret that this server made for itself, in the file `jwt_secret` of the data directory,
 * which only its user may read. */
#ifndef ARAGORA_AUTH_JWT_SECRET_H
#define ARAGORA_AUTH_JWT_SECRET_H

#include "auth/jwt.h"
#include "base/options.h"

/* *ret_found false: there is none yet. STATUS_INVALID names the variable: a secret that is too
 * short; a previous one without the time of the change, or with one that is no time. STATUS_IO. */
MUST_CHECK enum status jwt_secret_load(const struct options *options, struct jwt_keys *ret_keys,
                                       bool *ret_found, struct error *err);
/* Makes the file, and reads it: whoever was first has made it. */
MUST_CHECK enum status jwt_secret_make(const struct options *options, struct jwt_keys *ret_keys,
                                       struct error *err);

#endif
