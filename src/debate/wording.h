/* The fixed words of the prompts. Changing one changes what every agent is asked: the goldens in
 * tests/prompts show it, and a change of meaning raises PROMPTS_VERSION. Pure data. */
#ifndef ARAGORA_DEBATE_WORDING_H
#define ARAGORA_DEBATE_WORDING_H

#include "debate/prompt.h"

extern const char wording_system[]; /* the rules, for every turn of every agent */
extern const char *const wording_task[TURN_KIND_COUNT];  /* "## Your task" */
extern const char *const wording_reply[TURN_KIND_COUNT]; /* "## Reply": every field in words */
extern const char *const wording_lines[TURN_KIND_COUNT]; /* the labelled lines of a repair */

#endif
