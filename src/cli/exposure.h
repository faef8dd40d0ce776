/* Where a server may listen. */
#ifndef ARAGORA_CLI_EXPOSURE_H
#define ARAGORA_CLI_EXPOSURE_H

#include "base/options.h"

/* True for an address or name that only this machine reaches. */
bool exposure_is_loopback(const char *host);

/* Whoever reaches an open port spends the operator's money: STATUS_DENIED for an address that is
 * reachable from outside, without a token, a secret of sessions, a user in the database (each of
 * which has the server ask everybody for a credential) and the operator's word. After
 * options_name_files; may read the database. */
MUST_CHECK enum status exposure_check(const struct options *options, struct error *err);

#endif
