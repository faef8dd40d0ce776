/* The last check of the agents (provider/probe.h), kept for the routes that show it: whether keys,
 * models and credit are good.
 *
 * Made again on the loop, once, when somebody asks and the last one is older than the option says;
 * nobody waits for it. Any thread, where nothing else is said.
 */
#ifndef ARAGORA_API_AGENT_CHECKS_H
#define ARAGORA_API_AGENT_CHECKS_H

#include "api/app.h"
#include "base/json.h"
#include "provider/probe.h"

struct agent_checks;

struct agent_checks *agent_checks_create(const struct api_parts *parts); /* NULL: out of memory */
/* After the loop has stopped. NULL is fine. */
void agent_checks_destroy(struct agent_checks *checks);

/* A new table: what was checked of the former one says nothing about it. One thread at a time.
 * STATUS_NOMEM: the former one stays. */
MUST_CHECK enum status agent_checks_use(struct agent_checks *checks,
                                        const struct agent_table *agents);

/* Starts a check if one is due. */
void agent_checks_refresh(struct agent_checks *checks);
/* True when every agent of the default panel, with all that it falls back to, was refused by the
 * vendor itself for its key or its model: then no debate that names no agents can succeed. What is
 * not checked, absent from a list, out of credit or out of reach is not that: a vendor's bad hour
 * must not take this server out of service. */
bool agent_checks_hopeless(struct agent_checks *checks);
/* Adds "check" to each agent of {"agents": {TYPE: {...}}}: an object, or null where none was made.
 * False when memory is short. */
bool agent_checks_add(struct agent_checks *checks, json_t *body);

/* {"result", "detail", "how", "latency_ms", "context_tokens"}; also for the CLI. */
json_t *agent_check_object(const struct probe_result *result);

#endif
