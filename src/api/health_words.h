/* What went wrong, for an answer that anybody may ask for: the message without paths and addresses,
 * which the log has. Pure.
 */
#ifndef ARAGORA_API_HEALTH_WORDS_H
#define ARAGORA_API_HEALTH_WORDS_H

#include "base/json.h"

enum { HEALTH_WORDS_SIZE = 320 };

/* "cannot open ...: Permission denied"; "" for "". */
void health_words(const char *message, char out[HEALTH_WORDS_SIZE]);
json_t *health_words_json(const char *message);

#endif
