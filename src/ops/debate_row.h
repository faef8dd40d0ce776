/* A debate as lists show it, without reading its log. Any thread. */
#ifndef ARAGORA_OPS_DEBATE_ROW_H
#define ARAGORA_OPS_DEBATE_ROW_H

#include "base/json.h"
#include "store/store.h"

/* NULL when memory is short. */
json_t *debate_row_object(const struct store_debate *row);

/* The names of its agents, an empty list where they cannot be read; NULL when memory is short. */
json_t *debate_row_agents(const struct store_debate *row);

#endif
