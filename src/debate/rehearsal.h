/* A debate rehearsed: the engine run to its end with made-up replies, to learn how many turns a
 * course of it has and how long their prompts are, before anything is asked.
 *
 * The engine is the real one and so are its prompts; only the replies are filler of a given length.
 * Pure; any thread.
 */
#ifndef ARAGORA_DEBATE_REHEARSAL_H
#define ARAGORA_DEBATE_REHEARSAL_H

#include "debate/debate.h"

/* How the debate goes and how much is said in it. */
struct rehearsal_script {
  int rounds;    /* of critique and revision that are run */
  bool agree;    /* all hold one position at the end of the last of them (of the proposals when
                    rounds is 0), so that nothing is voted on */
  int positions; /* that they hold otherwise; 1 to the number of members */
  bool early;    /* and hold them from the start, without a criticism: the shortest course */
  bool repair;   /* the first reply to every turn does not parse */
  int items;     /* of a critic for each answer it criticises */
  size_t answer_bytes[DEBATE_MEMBERS_MAX]; /* of a member's answers */
  size_t item_bytes;                       /* claim, problem, why and fix of an item together */
  size_t bad_reply_bytes;                  /* of a reply that does not parse */
};

/* One call: a prompt that an agent gets. */
struct rehearsal_call {
  enum turn_kind kind;
  const struct debate_agent *agent;
  int member;          /* index of a member, or of a judge for a judgment */
  bool repair;         /* asked again for a reply that did not parse */
  size_t prompt_bytes; /* system, prefix and text */
  int things;          /* that its reply is about: items written, items answered, labels ranked */
};
typedef void rehearsal_call_fn(void *ctx, const struct rehearsal_call *call);

/* Calls each(ctx, call) for every call of the course, in the order of the steps. STATUS_INVALID for
 * a configuration that the engine refuses; STATUS_NOMEM. */
MUST_CHECK enum status rehearse_debate(const struct debate_config *config,
                                       const struct rehearsal_script *script,
                                       rehearsal_call_fn *each, void *ctx);

#endif
