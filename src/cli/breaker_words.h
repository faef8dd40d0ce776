/* A circuit breaker in words, as `aragora breakers` shows it. Pure. */
#ifndef ARAGORA_CLI_BREAKER_WORDS_H
#define ARAGORA_CLI_BREAKER_WORDS_H

#include "base/json.h"

/* "open, may be asked again in 42 s" of an entry of GET /api/circuit-breakers; seconds are rounded
 * up, so that nobody comes too early. */
void breaker_words_append(struct buffer *out, const json_t *entry);

#endif
