/* What vendors answer without a model: which models there are, one of them, a key's credit.
 *
 * The models are those of the built-in table of agents, and fake-1. A key may end in "@FAULT", as a
 * model's name may in questions: "k@status-401" is refused, "k@status-402" has no credit left:
 * where a vendor tells credit in a field and not by a status, the field says so. Pure.
 */
#ifndef ARAGORA_FAKE_CATALOG_H
#define ARAGORA_FAKE_CATALOG_H

#include "fake/fault.h"
#include "fake/inbound.h"
#include "fake/outbound.h"

/* False for a path that is none of these; `fault` is that of keys without a suffix. */
bool catalog_answer(const struct inbound *request, const struct fault *fault, struct outbound *o);

#endif
