/* The salted hash chain of a log.
 *
 *   digest(i) = SHA-256(salt(i) || canonical data)
 *   h(i)      = SHA-256(h(i-1) || canonical {agent, data_digest, round, seq, ts, type}),  h(0) = 0
 *
 * Deleting content drops data and salt; digest and hash stay, so the chain still verifies and what
 * was deleted cannot be guessed from its digest. Pure; any thread.
 */
#ifndef ARAGORA_DEBATE_CHAIN_H
#define ARAGORA_DEBATE_CHAIN_H

#include "base/sha256.h"
#include "debate/event.h"

enum { CHAIN_HASH_SIZE = SHA256_SIZE, CHAIN_SALT_SIZE = 32 };

void chain_digest(const uint8_t salt[CHAIN_SALT_SIZE], struct bytes canonical_data,
                  uint8_t ret_digest[CHAIN_HASH_SIZE]);

/* The head of an event over its predecessor's hash. `type` is the name as stored, so that kinds of
 * later versions verify too; `agent` may be NULL, `round` -1. */
void chain_extend(const uint8_t previous[CHAIN_HASH_SIZE], uint64_t seq, const char *type,
                  int64_t ts_ms, int round, const char *agent,
                  const uint8_t digest[CHAIN_HASH_SIZE], uint8_t ret_hash[CHAIN_HASH_SIZE]);

#endif
