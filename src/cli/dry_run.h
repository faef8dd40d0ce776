/* `aragora ask --dry-run`: what a debate would cost, made here and shown. Main thread. */
#ifndef ARAGORA_CLI_DRY_RUN_H
#define ARAGORA_CLI_DRY_RUN_H

#include "base/json.h"
#include "base/options.h"

/* The answer of POST /api/debates to the same body as a dry run. What is known of past debates
 * comes from the database, if there is one; none is made. Takes the options over. STATUS_INVALID
 * names the field. */
MUST_CHECK enum status dry_run_make(struct options *options, const json_t *body,
                                    json_t **ret_estimate, struct error *err);
/* Prints it, as one JSON object or for people; returns the exit code. */
int dry_run_show(const json_t *estimate, bool json);

#endif
