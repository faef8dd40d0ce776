/* `aragora agents check`: whether keys, models and credit are good, asked of the providers now.
 * Main thread. */
#ifndef ARAGORA_CLI_AGENTS_CHECK_H
#define ARAGORA_CLI_AGENTS_CHECK_H

#include "base/json.h"
#include "base/options.h"

/* Checks the agents named, or those of the default panel and every other that has its key. Returns
 * CLI_CHECK_FAILED when one that was named, or one of the default panel, is known not to work. */
int agents_check(const struct options *options, const char *const *names, int count, bool json);

/* What it asks, for others to show: an array for json_decref, of an object an agent with "agent",
 * "provider", "model", "result", "detail", "latency_ms", "needed" (of the default panel) and "fix".
 */
MUST_CHECK enum status agents_check_ask(const struct options *options, json_t **ret_rows,
                                        struct error *err);

#endif
