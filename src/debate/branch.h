/* A debate's log up to the end of one of its rounds, as another debate takes it over.
 *
 * Fed with the log from its first event, it keeps what was said: round_start as it is,
 * agent_message, critique and agent_error with `inherited: true`, and with `fallback_detail` where
 * a fallback answered. Attempts are left out, since nobody pays for them again, and so are
 * resumptions, which are of the other debate's time. Pure; one owner.
 */
#ifndef ARAGORA_DEBATE_BRANCH_H
#define ARAGORA_DEBATE_BRANCH_H

#include "debate/debate.h"

struct branch;

struct branch *branch_create(int round); /* NULL when memory is short */
void branch_destroy(struct branch *branch);
/* The next event. What comes after the end of the round is ignored. STATUS_CORRUPT, STATUS_NOMEM.
 */
MUST_CHECK enum status branch_feed(struct branch *branch, const struct event *event,
                                   const uint8_t hash[32], struct error *err);
/* The configuration of the debate that goes on from here, its parent fields set and its nonce drawn
 * by the caller, and the events to go on from; both the caller's. STATUS_CONFLICT when the debate
 * has not completed that round, and says which it has. */
MUST_CHECK enum status branch_take(struct branch *branch, const char *parent_id,
                                   struct debate_config *ret_config, struct drafts *ret_inherited,
                                   struct error *err);

#endif
