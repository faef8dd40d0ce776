/* What a debate's log says of its course: whether the answers came together, whether it is stuck,
 * what came of it in short, what it leaves open. Nothing here is judged or estimated: each field is
 * read or counted off the log (docs/api.md has the formulas), and what no event says is null.
 * Folds over a state with history. Pure; the thread that owns the state. NULL when memory is short.
 */
#ifndef ARAGORA_DEBATE_COURSE_H
#define ARAGORA_DEBATE_COURSE_H

#include "debate/debate.h"

/* GET /api/debates/{id}/convergence, /impasse, /summary, /followups. */
json_t *course_convergence(const struct debate *debate, const char *id);
json_t *course_impasse(const struct debate *debate, const char *id);
json_t *course_summary(const struct debate *debate, const char *id);
json_t *course_followups(const struct debate *debate, const char *id);

#endif
