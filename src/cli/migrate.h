/* Migrations as part of a server's start. Main thread. */
#ifndef ARAGORA_CLI_MIGRATE_H
#define ARAGORA_CLI_MIGRATE_H

#include "base/options.h"

/* Applies what is pending, as `aragora migrate apply` does, and logs it: before the store is
 * opened. Fills the options' paths. STATUS_CONFLICT when another server holds a database that has
 * something pending. */
MUST_CHECK enum status migrate_at_start(struct options *options, struct error *err);

#endif
