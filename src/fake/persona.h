/* Who answers: the voices of scripted_reply.h, dealt so that several calls with the same prompt get
 * different ones, and that a revision speaks with the voice of the answer that it revises.
 *
 * Two tables of fixed size; what collides is forgotten, which costs nothing but a voice. What a
 * prompt holds from its first quoted text on differs from call to call, so only what stands before
 * counts. Loop thread.
 */
#ifndef ARAGORA_FAKE_PERSONA_H
#define ARAGORA_FAKE_PERSONA_H

#include "base/bytes.h"

enum { PERSONA_TABLE_SIZE = 8192 };

struct persona_prompt {
  uint64_t hash;
  uint32_t taken; /* bit n: voice n was dealt in this round */
};

struct persona_answer {
  uint64_t hash;
  int persona;
};

struct personas {
  uint64_t seed;
  struct persona_prompt prompts[PERSONA_TABLE_SIZE];
  struct persona_answer answers[PERSONA_TABLE_SIZE];
};

/* The voice for this call. Deals: the same call again gets the next one. */
int personas_deal(struct personas *personas, struct bytes model, struct bytes prompt);

/* Remembers who wrote this reply (JSON with a member "answer"). */
void personas_remember(struct personas *personas, struct bytes reply, int persona);

#endif
