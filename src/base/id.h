/* Identifiers and the characters they may have. Any thread. */
#ifndef ARAGORA_BASE_ID_H
#define ARAGORA_BASE_ID_H

#include "base/bytes.h"

enum {
  ID_SIZE = 27,        /* a generated id with its NUL */
  ID_DEBATE_MAX = 128, /* longest debate id accepted */
  ID_AGENT_MAX = 32,   /* longest agent name accepted */
  ID_AGENT_MAX_TEXT,   /* the same with its NUL */
};

/* 128 random bits (getrandom through libsodium) as 26 lower-case base32 digits (RFC 4648 alphabet,
 * no padding). Never begins with '-', so that it is safe as a command-line argument. */
void id_generate(char out[ID_SIZE]);

/* ^[A-Za-z0-9_-]{1,max}$ */
bool id_valid(struct bytes text, size_t max);

#endif
