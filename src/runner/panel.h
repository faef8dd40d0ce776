/* The panel: a request for a debate resolved against the agents that exist.
 *
 * Here names become bindings, defaults become numbers, and the seed and the nonce are drawn; from
 * here on only the resulting configuration counts. Reads the immutable agent table; any thread.
 */
#ifndef ARAGORA_RUNNER_PANEL_H
#define ARAGORA_RUNNER_PANEL_H

#include "base/id.h"
#include "base/options.h"
#include "debate/spec.h"
#include "provider/agents.h"
#include "provider/ledger.h"

/* STATUS_INVALID names the field: an unknown agent, one without its key, a quorum above the panel,
 * a budget above the server's limit, a budget or a cap of the server in money over a model without
 * a price unless that is allowed, no key under ARAGORA_ENV=production. */
MUST_CHECK enum status panel_resolve(const struct agent_table *agents,
                                     const struct options *options, const struct debate_spec *spec,
                                     struct debate_config *ret_config, struct error *err);

/* The panel of a debate that names no agents: at most DEBATE_AGENTS_MAX rows of the table. The same
 * errors. */
MUST_CHECK enum status panel_default(const struct agent_table *agents,
                                     const struct options *options,
                                     const struct agent_binding **out, int *ret_count,
                                     struct error *err);

/* The binding of an agent of a configuration, with the configuration's own model. False when the
 * table no longer has it, or its key is gone. The texts live as long as table and configuration. */
bool panel_binding(const struct agent_table *agents, const struct debate_agent *agent,
                   struct agent_binding *ret_binding);

/* How many of so many agents a debate needs unless it says otherwise. */
int panel_quorum(int seats);

/* Why panel_binding said false: a static text. */
const char *panel_absence(const struct agent_table *agents, const struct debate_agent *agent);

/* The first agent or judge of a configuration that the table has but cannot ask, for its key or its
 * server's address is not set; NULL when there is none. */
const struct agent_binding *panel_unavailable(const struct agent_table *agents,
                                              const struct debate_config *config);

/* The least that a call of its panel reserves: money 0 where a price is unknown. */
struct ledger_amounts panel_least_call(const struct agent_table *agents,
                                       const struct debate_config *config);

#endif
