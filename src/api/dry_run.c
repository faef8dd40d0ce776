#include "api/dry_run.h"

#include "api/estimate_body.h"
#include "api/reply.h"

#include <stdlib.h>

struct dry_run { /* from the request to the answer */
  struct http_request *request;
  struct api *api;
  const char *const *headers;
  struct debate_spec spec;
};

static void dry_run_free(struct dry_run *run) {
  debate_spec_done(&run->spec);
  free(run);
}

/* Pool thread. */
static void answer(void *arg) {
  struct dry_run *run = arg;
  const struct api_parts *parts = &run->api->parts;
  struct principal who = api_principal(run->request);
  struct debate_config config;
  struct estimate estimate;
  struct error err = {0};
  enum status s = estimate_request(parts->agents, parts->options, parts->store, &who, &run->spec,
                                   &config, &estimate, &err);
  if (s) {
    reply_failure(run->request, s, &err, run->headers);
  } else {
    reply_json(run->request, 200,
               estimate_body(&config, &estimate, 1 + parts->options->max_retries), run->headers);
    debate_config_done(&config);
  }
  dry_run_free(run);
}

void dry_run_answer(struct http_request *request, struct api *api, struct debate_spec *spec,
                    const char *const *headers) {
  struct dry_run *run = malloc(sizeof *run);
  if (!run) {
    debate_spec_done(spec);
    reply_failure(request, STATUS_NOMEM, NULL, headers);
    return;
  }
  *run = (struct dry_run){request, api, headers, *spec};
  debate_spec_init(spec);
  enum status s = pool_submit(api->parts.pool, answer, run);
  if (!s) return;
  struct error err = {0};
  error_set(&err, s, NULL, "the server is busy: try again");
  reply_failure(request, s, &err, headers);
  dry_run_free(run);
}
