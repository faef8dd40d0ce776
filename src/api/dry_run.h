/* POST /api/debates with "dry_run": what the debate would cost. It starts nothing. */
#ifndef ARAGORA_API_DRY_RUN_H
#define ARAGORA_API_DRY_RUN_H

#include "api/state.h"
#include "debate/spec.h"

/* Answers from the pool: logs are read for it. Takes the spec in every case. */
void dry_run_answer(struct http_request *request, struct api *api, struct debate_spec *spec,
                    const char *const *headers);

#endif
