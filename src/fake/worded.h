/* The schema of a reply that a request describes in words, as is done for vendors that take none.
 * Pure.
 */
#ifndef ARAGORA_FAKE_WORDED_H
#define ARAGORA_FAKE_WORDED_H

#include "base/bytes.h"

/* Appends the JSON schema that the prompt's list of fields stands for; false when it describes no
 * reply of a debate, or memory was short. */
bool worded_schema(struct bytes prompt, struct buffer *out);

#endif
