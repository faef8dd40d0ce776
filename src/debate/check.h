/* Checking a log: its chain, its canonical form, and whether the engine, given the same log, says
 * the same again. This is what `aragora replay --check` and the golden logs run. Pure.
 */
#ifndef ARAGORA_DEBATE_CHECK_H
#define ARAGORA_DEBATE_CHECK_H

#include "debate/chain.h"
#include "debate/debate.h"

struct check_line { /* an event as it is stored; borrowed */
  uint64_t seq;
  const char *type;
  int64_t ts_ms;
  int round;         /* -1 = none */
  const char *agent; /* NULL = none */
  struct bytes data; /* ptr NULL when the content was deleted */
  uint8_t salt[CHAIN_SALT_SIZE], digest[CHAIN_HASH_SIZE], hash[CHAIN_HASH_SIZE];
};

struct check_result {
  bool ok;
  uint64_t events;
  uint64_t bad_seq; /* the first wrong event; 0 = none */
  char problem[320];
  bool deleted;     /* content was deleted: the chain holds, nothing could be refolded */
  bool unsupported; /* a newer version: the chain holds, nothing could be refolded */
  bool ended;       /* the log is closed by debate_end */
  char head_hash[2 * CHAIN_HASH_SIZE + 1];
  char state_hash[2 * CHAIN_HASH_SIZE + 1]; /* "" where nothing was refolded */
};

struct check;

struct check *check_create(void); /* NULL when memory is short */
void check_destroy(struct check *check);
/* The next line, in order. False once something was found to be wrong; further lines are ignored.
 */
bool check_feed(struct check *check, const struct check_line *line);
void check_finish(struct check *check, struct check_result *ret_result);
/* The state refolded so far, borrowed; with history. */
const struct debate *check_state(const struct check *check);

/* SHA-256 of a canonical dump of the state: the same log gives the same, byte for byte. False when
 * memory is short. */
bool check_state_hash(const struct debate *debate, char ret_hex[2 * CHAIN_HASH_SIZE + 1]);

#endif
