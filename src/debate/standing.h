/* Who holds which position, now and after each round. Pure; the thread that owns the state. */
#ifndef ARAGORA_DEBATE_STANDING_H
#define ARAGORA_DEBATE_STANDING_H

#include "debate/debate.h"
#include "debate/maker.h"

struct standing {
  struct positions positions;
  int leader;  /* most holders, then held longest, then panel order; -1 = no valid proposal */
  int holders; /* of the leader */
};

/* As the state has it: steps that are complete count. */
void standing_now(const struct debate *debate, struct standing *ret_standing);
/* The leader's holders of the whole panel, in ppm; -1 without a valid proposal. */
int64_t standing_share_ppm(const struct debate *debate, const struct standing *standing);
/* Positions after the proposals, by key; 0 without a valid proposal. */
int standing_at_first(const struct debate *debate);
/* The first round after which all valid answers were one position, as they still are; -1 when they
 * are not, or one agent alone has answered. */
int standing_converged_in(const struct debate *debate, const struct standing *standing);

/* [{round, positions, share, changed}] for each round that is complete; needs history. */
json_t *standing_rounds(struct maker *m, const struct debate *debate);
/* The text that stands for each position: of those that at least two agents hold, or of all but the
 * leader. */
json_t *standing_shared_texts(struct maker *m, const struct debate *debate,
                              const struct standing *standing);
json_t *standing_other_texts(struct maker *m, const struct debate *debate,
                             const struct standing *standing);

#endif
