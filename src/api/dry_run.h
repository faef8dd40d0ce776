/* POST /api/debates with "dry_run": what the debate would cost. It starts nothing. */
#ifndef ARAGORA_API_DRY_RUN_H
#define ARAGORA_API_DRY_RUN_H

#include "api/state.h"
#include "debate/spec.h"

/* Answers from the pool: logs are read for it. Takes the spec in every case. */
void dry_run_answer(struct http_request *request, struct api *api, struct debate_spec *spec,
                    const char *const *headers);

/* What can only be started refuses to be estimated: STATUS_INVALID naming `dry_run` when the body
 * asks for that. */
MUST_CHECK enum status dry_run_refuse(const json_t *body, struct error *err);

#endif
