/* Fences: two lines with a marker around a text that is not ours, so that its end is certain.
 * Used by the prompts alone; prompt_append_fenced() is declared in prompt.h. Pure. */
#ifndef ARAGORA_DEBATE_FENCE_H
#define ARAGORA_DEBATE_FENCE_H

#include "base/bytes.h"

enum { FENCE_MARKER_SIZE = 33 };

/* A marker that depends on the text alone: 128 bits of its SHA-256. No text can hold its own, and
 * the same context gives the same prompt in every debate, as prompt caches like it. */
void fence_marker_of(struct bytes text, char ret_marker[FENCE_MARKER_SIZE]);

/* Appends `text` without `marker`, in any case of letters, also where taking one out would form
 * another. Linear in the text. */
void fence_append_without(struct buffer *out, const char *marker, struct bytes text);

#endif
