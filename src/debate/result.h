/* The engine's own events as data: what it says when a debate stops, decides and ends. Pure. */
#ifndef ARAGORA_DEBATE_RESULT_H
#define ARAGORA_DEBATE_RESULT_H

#include "debate/debate.h"

/* What the state says to decide(): positions, ballots, basis. */
void result_input(const struct debate *debate, struct decide_input *ret_input);

/* Valid proposals so far, and how many the debate needs. */
int result_valid_count(const struct debate *debate);
int result_quorum(const struct debate *debate);

/* Data of consensus, error and debate_end; NULL when memory is short. */
json_t *result_consensus(const struct debate *debate);
json_t *result_error(const struct debate *debate);
json_t *result_end(const struct debate *debate);

#endif
