/* What a fault does to an answer. Three moments: to the text before it is worded, to the worded
 * answer, and instead of one. Pure.
 */
#ifndef ARAGORA_FAKE_DAMAGE_H
#define ARAGORA_FAKE_DAMAGE_H

#include "fake/fault.h"
#include "fake/outbound.h"
#include "fake/vendor.h"

/* The text that is said instead of `text`; may use `scratch`. */
struct bytes damage_text(const struct fault *fault, struct bytes text, struct buffer *scratch);

/* Changes a worded 200 answer; `records` says that its body is a stream of records. `words` are
 * those of an error, NULL = the vendor's usual ones. */
void damage_answer(const struct fault *fault, const struct vendor *vendor, bool records,
                   uint64_t number, const char *words, struct outbound *o);

/* Fills the answer of a fault that needs no text (an error, a page, silence, ...); false when this
 * fault is not of that kind. `wall_s` is Unix time, `words` as above. */
bool damage_instead(const struct fault *fault, const struct vendor *vendor, uint64_t number,
                    int64_t wall_s, const char *words, struct outbound *o);

#endif
