/* Which number and which last event a debate has, for the debates written lately: what spares the
 * writer a look-up for every batch. A table of fixed size in which the newest displaces: a debate
 * that is not in it is looked up in the database.
 *
 * The writer's thread only. Holds what the open transaction has written, so that a rollback must
 * forget everything.
 */
#ifndef ARAGORA_STORE_KNOWN_H
#define ARAGORA_STORE_KNOWN_H

#include "base/bytes.h"

enum { KNOWN_ID_SIZE = 40, KNOWN_SLOTS = 8192 };

struct known_debate {
  int64_t num; /* 0 = the slot is empty */
  uint64_t last_seq;
  char id[KNOWN_ID_SIZE];
};

struct known {
  struct known_debate *slots;
};

MUST_CHECK enum status known_init(struct known *known);
void known_done(struct known *known);
void known_forget(struct known *known);
/* The debate's place, with its id set and num 0 when it is not the one kept there. NULL for an id
 * that is too long to be kept. Valid until the next call. */
struct known_debate *known_place(struct known *known, const char *id);

#endif
