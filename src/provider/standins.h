/* OpenRouter where it stands for another vendor's model: the services that no row of the table of
 * agents names, under a name that is stable over restarts.
 *
 * Which there can be follows from the table, so that they are made once and are as immutable.
 */
#ifndef ARAGORA_PROVIDER_STANDINS_H
#define ARAGORA_PROVIDER_STANDINS_H

#include "provider/agents.h"

enum { STANDIN_NAME_SIZE = 200 };

struct standin {
  struct agent_binding binding; /* OpenRouter's row with the other model; its type is the name */
  char name[STANDIN_NAME_SIZE]; /* "openrouter/openai/gpt-5.2" */
};

struct standins {
  struct standin *list; /* in the order of the rows that they stand for */
  size_t count;
};

/* None where OpenRouter cannot be asked, or without a table (NULL). STATUS_NOMEM. */
MUST_CHECK enum status standins_make(const struct agent_table *table,
                                     struct standins *ret_standins);
void standins_done(struct standins *standins);

/* In any case of letters, as agents_find; or NULL. */
const struct agent_binding *standins_find(const struct standins *standins, const char *name);

#endif
