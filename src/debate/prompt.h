/* What an agent is asked: the texts of a turn, and the schema of its reply.
 *
 * Other agents' texts are anonymous ("Response A"), scrubbed of the names of vendors, models and
 * agents, fenced with the debate's nonce so that no text can close its fence, and introduced as
 * material to assess. The stable part (system, question, context) comes first and holds nothing
 * random, no time and no name, so that providers' prompt caches hit. Pure; any thread.
 */
#ifndef ARAGORA_DEBATE_PROMPT_H
#define ARAGORA_DEBATE_PROMPT_H

#include "debate/config.h"

enum turn_kind { TURN_PROPOSAL, TURN_CRITIQUE, TURN_REVISION, TURN_BALLOT, TURN_JUDGMENT };
enum { TURN_KIND_COUNT = TURN_JUDGMENT + 1 };
extern const char *const turn_kind_names[TURN_KIND_COUNT + 1]; /* also the schemas' names */

enum { PROMPT_ITEMS_MAX = DEBATE_ITEMS_MAX * DEBATE_AGENTS_MAX };

struct scrub;

struct prompt_item {
  const char *claim, *problem, *why, *fix;
  int64_t severity_ppm;
};

struct prompt_input {
  enum turn_kind kind;
  int round;
  const char *task;
  const char *context; /* or NULL */
  const char *nonce;
  const char *role;             /* of this agent, "" = none */
  const char *own_answer;       /* revision: the agent's own text, else NULL */
  const char *own_key;          /* "" = none */
  const char *const *responses; /* other texts in label order: A, B, ... */
  int response_count;
  const struct prompt_item *items; /* revision: open items, Item 1, 2, ... */
  int item_count;
  size_t context_bytes;        /* all responses together, at most */
  const struct scrub *scrub;   /* the names to take out of them */
  const char *bad_reply;       /* repair: the reply that did not parse, else NULL */
  const char *bad_reply_error; /* and why */
};

struct prompt {
  const char *system; /* rules of the debate, the same for every turn of every agent; static */
  char *prefix;       /* question and context: the same for every turn of the debate */
  char *text;         /* this turn */
  char *schema;       /* JSON schema of the reply */
};

void prompt_done(struct prompt *prompt);
MUST_CHECK enum status prompt_build(const struct prompt_input *input, struct prompt *ret_prompt);

/* The JSON schema of a kind's reply with `labels` responses and `items` items, allocated. Every
 * property is required and none other is allowed, as strict vendors ask. */
char *prompt_schema(enum turn_kind kind, int labels, int items);

/* `text` without the names (agents' names, types, models, providers; NULL-terminated): each becomes
 * "[an agent]", whole words in any case of letters, unless the question itself uses the name, or
 * the name is a word besides ("gemini") and stands alone in a debate without such a model, or it
 * has two letters only ("yi"). Self-introductions ("As Claude, ", "I am o3") go in any case. */
char *prompt_scrub(const char *text, const char *const *names, const char *task,
                   const char *context);

/* Appends the text between two fence lines with `nonce`; every occurrence of the nonce inside, in
 * any case of letters, is taken out first, so the fence cannot be closed from inside. `label` heads
 * it. `max` bytes at most, cut at a character and marked as shortened. */
void prompt_append_fenced(struct buffer *out, const char *nonce, const char *label,
                          const char *text, size_t max);

#endif
